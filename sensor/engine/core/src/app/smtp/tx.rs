//! One mail as a transaction: its envelope, its message, its sticky buffers.

use super::{log, COMPLETE, ENVELOPE};
use crate::app::file::{File, FileState};
use crate::app::mime::Message;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::Value;
use std::sync::Arc;

/// Recipients kept of one mail: ten times what a server must take (RFC 5321 section 4.5.3.1.8).
const RECIPIENTS_MAX: usize = 1000;

pub struct SmtpTx {
    pub meta: TxMeta,
    pub helo: Option<Arc<[u8]>>,
    pub mail_from: Option<Vec<u8>>,
    pub rcpt_to: Vec<Vec<u8>>,
    pub message: Option<Box<Message>>,
    /// The whole message as one file, where it is not decoded.
    raw: Vec<File>,
    /// DATA was said.
    pub has_data: bool,
    pub envelope: bool,
    pub done: bool,
    /// Files before this one are over and were inspected.
    live_files: usize,
}

impl SmtpTx {
    pub fn new(id: u64, helo: Option<Arc<[u8]>>) -> SmtpTx {
        SmtpTx {
            meta: TxMeta::new(id),
            helo,
            mail_from: None,
            rcpt_to: Vec::new(),
            message: None,
            raw: Vec::new(),
            has_data: false,
            envelope: false,
            done: false,
            live_files: 0,
        }
    }

    pub fn recipient(&mut self, address: &[u8]) {
        if self.rcpt_to.len() < RECIPIENTS_MAX {
            self.rcpt_to.push(address.to_vec());
        }
    }
    pub fn open_raw(&mut self) {
        self.raw = vec![File::open(b"rawmsg")];
    }
    pub fn raw_mut(&mut self) -> Option<&mut File> {
        self.raw.first_mut()
    }

    /// The mail is over; `whole`: its message came to its end.
    pub fn finish(&mut self, whole: bool) {
        if let Some(message) = &mut self.message {
            message.finish(whole);
        }
        if let Some(file) = self.raw.first_mut() {
            file.close(if whole { FileState::Closed } else { FileState::Truncated });
        }
        self.take_anomalies();
        self.envelope = true;
        self.done = true;
    }

    /// Nothing more comes of the mail: its file, if one is open, is cut.
    pub fn cut(&mut self) {
        if let Some(message) = self.message.as_mut().filter(|_| !self.done) {
            message.finish(false);
        }
        if let Some(file) = self.raw.first_mut() {
            file.close(FileState::Truncated);
        }
    }

    pub fn take_anomalies(&mut self) {
        if let Some(message) = &mut self.message {
            self.meta.events |= super::events::of_mime(message.take_anomalies());
        }
    }

    pub fn inspected(&mut self) {
        let start = self.live_files;
        let files = match &mut self.message {
            Some(message) => message.files_mut(),
            None => &mut self.raw,
        };
        let live = files.get_mut(start..).unwrap_or(&mut []);
        live.iter_mut().for_each(File::inspected);
        let over = live.iter().take_while(|file| file.state != FileState::Open).count();
        self.live_files = start.saturating_add(over);
    }

    fn header(&self, name: &'static [u8], index: usize) -> Option<View<'_>> {
        self.message.as_ref()?.values(name).nth(index).map(View::whole)
    }
}

impl Transaction for SmtpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        match dir {
            Dir::ToServer if self.done => COMPLETE,
            Dir::ToServer => u8::from(self.envelope) * ENVELOPE,
            Dir::ToClient => u8::from(self.done),
        }
    }

    /// In the order of `super::BUFFERS`.
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != Dir::ToServer {
            return None;
        }
        // Files that are over and were inspected are not shown again: each is looked at once, however many there are.
        let live = || self.files(dir).get(self.live_files.saturating_add(index));
        match local {
            0 => self.helo.as_deref().map(View::whole),
            1 => self.mail_from.as_deref().map(View::whole),
            2 => self.rcpt_to.get(index).map(|a| View::whole(a)),
            3 => self.header(b"from", 0),
            4 => self.header(b"subject", 0),
            5 => self.header(b"to", 0),
            6 => self.header(b"cc", 0),
            7 => self.header(b"date", 0),
            8 => self.header(b"message-id", 0),
            9 => self.header(b"x-mailer", 0),
            10 => self.message.as_ref()?.urls().get(index).map(|url| View::whole(url)),
            11 => self.header(b"received", index),
            12 => self.message.as_ref()?.body_md5().map(|md5| View::whole(md5.as_bytes())),
            13 => live()?.data(),
            14 => live().map(|file| View::whole(&file.name)),
            _ => None,
        }
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::envelope(self, out);
    }
    fn log_beside(&self, out: &mut JsonWriter, what: LogFor, options: &Value) {
        if let Some(message) = &self.message {
            out.open_object("email");
            log::message(message, out);
            if what == LogFor::Record {
                log::chosen(message, options, out);
            }
            out.close();
        }
    }

    fn files(&self, dir: Dir) -> &[File] {
        match (&self.message, dir) {
            (_, Dir::ToClient) => &[],
            (Some(message), _) => message.files(),
            (None, _) => &self.raw,
        }
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        match (&mut self.message, dir) {
            (_, Dir::ToClient) => &mut [],
            (Some(message), _) => message.files_mut(),
            (None, _) => &mut self.raw,
        }
    }
}

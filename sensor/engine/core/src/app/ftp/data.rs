//! The data connection of FTP: one file, whose name and command the control connection left with the expectation. Nothing
//! is recognised here; which way the bytes go says whether it is the connecting end that sends.

use crate::app::file::{File, FileState};
use crate::app::{Buffer, LogFor, Outcome, ParseCx, Parser, Protocol, Recognise, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use std::ops::Range;

const COMPLETE: u8 = 1;
const FILE_DATA: usize = 0;
const FILE_NAME: usize = 1;

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(0), Some(0));

const BUFFERS: &[Buffer] = &[
    Buffer {
        name: "file.data",
        aliases: &["file_data"],
        modifier: None,
        progress: BOTH,
        multi: true,
        streaming: true,
        doc: "The content of a file seen in a transaction.",
    },
    Buffer {
        name: "file.name",
        aliases: &[],
        modifier: None,
        progress: BOTH,
        multi: true,
        streaming: false,
        doc: "The name of a file seen in a transaction.",
    },
];

pub static FTP_DATA: Protocol = Protocol {
    name: "ftp-data",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "A data connection of FTP, recognised by what its control connection agreed (PORT, EPRT, PASV, EPSV and then RETR or \
          STOR). It is one transaction with one file and gives one `ftp_data` event.",
    recognise: Recognise { patterns: &[], probe: None, tcp_ports: &[], udp_ports: &[] },
    new: |_config| Box::new(FtpData::default()),
    buffers: BUFFERS,
    numbers: &[],
    frames: &[],
    events: &[],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "ftp_data",
};

/// The state of one flow; it is its own and only transaction.
#[derive(Default)]
struct FtpData {
    meta: TxMeta,
    /// Whether the client keeps the file (RETR) or gives it (STOR); None: no command is known.
    retr: Option<bool>,
    name: Vec<u8>,
    /// The file once its first byte has come, and the direction it travels in.
    file: Option<([File; 1], Dir)>,
    begun: bool,
    dropped: bool,
    over: bool,
}

impl FtpData {
    fn live(&self) -> bool {
        self.begun && !self.dropped
    }
    fn finish(&mut self, state: FileState) {
        if let Some(([file], _)) = &mut self.file {
            file.close(state);
        }
        self.over = true;
    }
    fn file(&mut self, dir: Dir) -> Option<&mut File> {
        let name = &self.name;
        let ([file], travels) = self.file.get_or_insert_with(|| ([File::open(name)], dir));
        (*travels == dir && !self.over).then_some(file)
    }
}

impl Parser for FtpData {
    /// The note is the command line: `RETR name` or `STOR name`.
    fn expected(&mut self, note: &[u8]) {
        self.retr = Some(note.starts_with(b"RETR"));
        self.name = note.get(5..).unwrap_or_default().to_vec();
    }

    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        self.begun = true;
        if let Some(file) = self.file(dir) {
            file.append(data);
        }
        if cx.eof {
            self.close(dir, cx);
        }
        Outcome::Done
    }

    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        self.begun = true;
        if let Some(file) = self.file(dir) {
            file.gap(len);
        }
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        // The end that sends closes the connection (RFC 959, section 3.3); the other side may close first or not at all.
        if self.file.as_ref().is_some_and(|(_, travels)| *travels == dir) {
            self.finish(FileState::Closed);
        }
    }

    fn tx_ids(&self) -> Range<u64> {
        if self.live() {
            0..1
        } else if self.begun {
            1..1
        } else {
            0..0
        }
    }
    fn tx(&self, id: u64) -> Option<&dyn Transaction> {
        (id == 0 && self.live()).then_some(self)
    }
    fn tx_mut(&mut self, id: u64) -> Option<&mut dyn Transaction> {
        if id == 0 && self.live() {
            Some(self)
        } else {
            None
        }
    }
    fn drop_tx(&mut self, _id: u64) {
        self.dropped = true;
        self.file = None;
    }
    fn inspected(&mut self, _id: u64, dir: Dir) {
        if let Some(([file], _)) = self.file.as_mut().filter(|(_, travels)| *travels == dir) {
            file.inspected();
        }
    }
}

impl Transaction for FtpData {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        if self.over {
            COMPLETE
        } else {
            0
        }
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let file = self.files(dir).get(index)?;
        match local {
            FILE_DATA => file.data(),
            FILE_NAME => Some(View::whole(&file.name)),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if !self.name.is_empty() {
            out.bytes("filename", &self.name);
        }
        match self.retr {
            Some(true) => out.str("command", "RETR"),
            Some(false) => out.str("command", "STOR"),
            None => {}
        }
    }
    fn files(&self, dir: Dir) -> &[File] {
        self.file.as_ref().filter(|(_, travels)| *travels == dir).map_or(&[], |(files, _)| files.as_slice())
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        self.file
            .as_mut()
            .filter(|(_, travels)| *travels == dir)
            .map_or(&mut [], |(files, _)| files.as_mut_slice())
    }
    fn number(&self, keyword: &str, _dir: Dir) -> Option<u64> {
        match keyword {
            "ftpdata_command" => self.retr.map(u64::from),
            _ => None,
        }
    }
}

//! Handshake messages of one flow (RFC 8446 section 4, RFC 5246 section 7.4): put together from the bytes of records, and
//! their meaning for the transaction. An SSLv2 hello in the place of the first record is tolerated.

use super::cert::Chain;
use super::hello::Hello;
use super::parser::TlsParser;
use super::tx::seen;
use super::{frame, state, Event};
use crate::app::{Outcome, ParseCx};
use crate::direction::Dir;

/// Bytes of a handshake message's header.
const MESSAGE_HEADER_LEN: usize = 4;
/// Longest handshake message put together: chains of several dozen certificates fit, and a flow cannot hold more memory.
pub const MESSAGE_MAX: usize = 1 << 17;
mod message {
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const CERTIFICATE: u8 = 11;
    pub const SERVER_KEY_EXCHANGE: u8 = 12;
    pub const CERTIFICATE_REQUEST: u8 = 13;
    pub const SERVER_HELLO_DONE: u8 = 14;
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;
    /// Types that may be met unencrypted and are of no interest: hello request, hello verify, ticket, end of early data,
    /// hello retry, encrypted extensions, certificate verify, finished, certificate URL and status, supplemental data, key update,
    /// compressed certificate, next protocol.
    pub const OTHERS: &[u8] = &[0, 3, 4, 5, 6, 8, 15, 20, 21, 22, 23, 24, 25, 67];
}

/// Length of the handshake message that begins here, header included.
pub(super) fn message_len(data: &[u8]) -> Option<usize> {
    match *data {
        [_, a, b, c, ..] => {
            let body_len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            Some(body_len.saturating_add(MESSAGE_HEADER_LEN))
        }
        _ => None,
    }
}

impl TlsParser {
    /// An SSLv2 hello in the place of the first record: how many bytes it took, 0 when it is not there.
    pub(super) fn first_sslv2(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Result<usize, Outcome> {
        let &[first, second, kind, ..] = data else {
            let maybe = data.first().is_some_and(|b| b & 0x80 != 0);
            return if maybe { Err(Outcome::NeedMore { consumed: 0, needed: 3 }) } else { Ok(0) };
        };
        if first & 0x80 == 0 {
            return Ok(0);
        }
        let end = usize::from(u16::from_be_bytes([first & 0x7f, second])).saturating_add(2);
        let known = matches!((dir, kind), (Dir::ToServer, 1) | (Dir::ToClient, 4) | (_, 0));
        if !known || end <= 3 {
            return Err(self.broken(Event::InvalidSslv2Header));
        }
        let Some(body) = data.get(3..end) else {
            return Err(Outcome::NeedMore { consumed: 0, needed: end });
        };
        cx.frame(frame::SSL2_HDR, 0, Some(3));
        cx.frame(frame::SSL2_PDU, 0, Some(end as u64));
        match (dir, kind) {
            (Dir::ToServer, 1) => match Hello::client_v2(body) {
                Some(hello) => {
                    // A client that offers more than SSLv2 goes on in records if the server agrees.
                    if hello.version == 2 {
                        self.to_server.lost = true;
                    }
                    self.client_hello(hello, cx);
                }
                None => return Err(self.broken(Event::InvalidSslv2Header)),
            },
            (Dir::ToClient, 4) => {
                let hello = Hello { version: 2, sslv2: true, ..Hello::default() };
                self.server_hello(hello, cx);
                self.lose(cx);
            }
            _ => {
                self.event(Event::ErrorMessageEncountered);
                self.lose(cx);
            }
        }
        Ok(end)
    }

    fn client_hello(&mut self, hello: Hello, cx: &mut ParseCx) {
        let Some(tx) = &mut self.tx else { return };
        tx.seen |= seen::CLIENT_HELLO;
        // After a HelloRetryRequest the client says the same once more: the first counts.
        if tx.client_hello.is_none() {
            tx.client_hello = Some(hello);
            tx.meta.logged = false;
        }
        tx.reach(Dir::ToServer, state::CLIENT_HELLO_DONE);
        cx.trigger_raw[Dir::ToServer] = true;
    }

    fn server_hello(&mut self, hello: Hello, cx: &mut ParseCx) {
        let Some(tx) = &mut self.tx else { return };
        tx.seen |= seen::SERVER_HELLO;
        if tx.server_hello.is_none() {
            tx.server_hello = Some(hello);
            tx.meta.logged = false;
        }
        tx.reach(Dir::ToClient, state::SERVER_HELLO);
        cx.trigger_raw[Dir::ToClient] = true;
    }

    /// One whole handshake message, header included.
    fn message(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) {
        let (Some(&kind), Some(body)) = (data.first(), data.get(MESSAGE_HEADER_LEN..)) else {
            return;
        };
        let Some(tx) = &mut self.tx else { return };
        let mut event = |e: Event| tx.meta.set_event(e as u8);
        match (kind, dir) {
            (message::CLIENT_HELLO, Dir::ToServer) => match Hello::client(body, &mut event) {
                Some(hello) => self.client_hello(hello, cx),
                None => self.event(Event::InvalidHandshakeMessage),
            },
            (message::SERVER_HELLO, Dir::ToClient) => match Hello::server(body, &mut event) {
                Some(hello) => self.server_hello(hello, cx),
                None => self.event(Event::InvalidHandshakeMessage),
            },
            (message::CERTIFICATE, Dir::ToClient) => {
                if tx.server_chain.is_none() {
                    tx.server_chain = Some(Chain::read(body, &mut event));
                }
                tx.reach(dir, state::SERVER_CERT_DONE);
            }
            (message::CERTIFICATE, Dir::ToServer) => {
                // A client without a certificate sends an empty list.
                if tx.client_chain.is_none() && body.len() > 3 {
                    tx.client_chain = Some(Chain::read(body, &mut event));
                }
                self.client_answered();
            }
            (message::SERVER_KEY_EXCHANGE, Dir::ToClient) => tx.seen |= seen::SERVER_KEY_EXCHANGE,
            (message::CERTIFICATE_REQUEST, Dir::ToClient) => self.certificate_requested = true,
            (message::SERVER_HELLO_DONE, Dir::ToClient) => {
                // The record waits for the client's certificate when one was asked for.
                let done = if self.certificate_requested {
                    state::SERVER_CERT_DONE
                } else {
                    state::SERVER_HELLO_DONE
                };
                tx.reach(dir, done);
                cx.trigger_raw[dir] = true;
            }
            (message::CLIENT_KEY_EXCHANGE, Dir::ToServer) => {
                tx.seen |= seen::CLIENT_KEY_EXCHANGE;
                self.client_answered();
            }
            (kind, _) if message::OTHERS.contains(&kind) => {}
            _ => self.event(Event::InvalidHandshakeMessage),
        }
    }

    /// The client has sent its certificate, or gone past the place where it could.
    pub(super) fn client_answered(&mut self) {
        self.reach(Dir::ToServer, state::CLIENT_CERT_DONE);
        if self.certificate_requested {
            self.reach(Dir::ToClient, state::SERVER_HELLO_DONE);
        }
    }

    /// Handshake bytes of a record, in any pieces.
    pub(super) fn handshake(&mut self, dir: Dir, mut data: &[u8], cx: &mut ParseCx) {
        while !data.is_empty() {
            let side = self.side(dir);
            if side.skip > 0 {
                let step = side.skip.min(data.len());
                side.skip = side.skip.saturating_sub(step);
                data = data.get(step..).unwrap_or_default();
                continue;
            }
            if side.message.is_empty() {
                // The usual case: the message is whole in this piece and is not copied.
                if let Some(message) =
                    message_len(data).filter(|n| *n <= MESSAGE_MAX).and_then(|n| data.get(..n))
                {
                    self.message(dir, message, cx);
                    data = data.get(message.len()..).unwrap_or_default();
                    continue;
                }
            }
            let total = message_len(&side.message).unwrap_or(MESSAGE_HEADER_LEN);
            let step = total.saturating_sub(side.message.len()).min(data.len());
            let (piece, rest) = data.split_at_checked(step).unwrap_or((data, &[]));
            side.message.extend_from_slice(piece);
            data = rest;
            let Some(total) = message_len(&side.message) else {
                continue;
            };
            if total > MESSAGE_MAX {
                side.skip = total.saturating_sub(side.message.len());
                side.message = Vec::new();
                self.event(Event::HandshakeInvalidLength);
            } else if side.message.len() >= total {
                let message = std::mem::take(&mut side.message);
                self.message(dir, &message, cx);
            }
        }
    }
}

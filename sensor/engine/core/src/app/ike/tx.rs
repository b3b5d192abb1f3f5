//! One IKE message as a transaction: its sticky buffers and numbers.

use super::payload::Header;
use super::{log, v1, v2, Event, Said};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;
use std::sync::Arc;

/// Local numbers of the buffers, in the order of the entry.
const INIT_SPI: usize = 0;
const RESP_SPI: usize = 1;
const VENDOR: usize = 2;
const KEY_EXCHANGE: usize = 3;
const NONCE: usize = 4;

/// A version 1 message, and what its exchange had said by then.
pub struct Context1 {
    pub message: v1::Message,
    pub doi: Option<u32>,
    pub client: Said,
    pub server: Said,
    pub chosen: Arc<[v1::Transform]>,
}

/// A version 2 message, and what the responder had chosen by then.
pub struct Context2 {
    pub message: v2::Message,
    pub suite: v2::Suite,
}

pub enum Body {
    V1(Context1),
    V2(Context2),
    /// No IKE message at all.
    None,
}

pub struct IkeTx {
    pub meta: TxMeta,
    pub dir: Dir,
    pub header: Header,
    pub body: Body,
    init_spi: String,
    resp_spi: String,
}

impl IkeTx {
    /// The id is the queue's to give.
    pub fn new(dir: Dir, header: Header, body: Body) -> IkeTx {
        let mut meta = TxMeta::default();
        meta.skip[dir.opposite()] = true;
        let spi = |spi: u64| format!("{spi:016x}");
        IkeTx { meta, dir, header, body, init_spi: spi(header.init_spi), resp_spi: spi(header.resp_spi) }
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }

    fn key_exchange(&self) -> Option<&[u8]> {
        match &self.body {
            Body::V1(context) => context.message.key_exchange.as_deref(),
            Body::V2(context) => context.message.key_exchange.as_deref(),
            Body::None => None,
        }
    }

    fn nonce(&self) -> Option<&[u8]> {
        match &self.body {
            Body::V1(context) => context.message.nonce.as_deref(),
            Body::V2(context) => context.message.nonce.as_deref(),
            Body::None => None,
        }
    }

    fn vendors(&self) -> &[String] {
        match &self.body {
            Body::V1(context) => &context.message.vendors,
            Body::V2(context) => &context.message.vendors,
            Body::None => &[],
        }
    }

    /// An attribute the responder chose in this message, by EVE's name.
    fn chosen(&self, name: &str) -> Option<u64> {
        if self.dir != Dir::ToClient {
            return None;
        }
        match &self.body {
            Body::V1(context) => {
                let kind = super::names::attribute_number(name)?;
                let first = context.message.transforms.first()?;
                first.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value)
            }
            Body::V2(context) => {
                let suite = context.message.suite?;
                let number = match name {
                    "alg_enc" => suite.encryption,
                    "alg_auth" => suite.integrity,
                    "alg_prf" => suite.prf,
                    "alg_dh" => suite.group,
                    _ => return None,
                };
                Some(u64::from(number))
            }
            Body::None => None,
        }
    }
}

impl Transaction for IkeTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        super::COMPLETE
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir || self.header.major == 0 {
            return None;
        }
        let data = match local {
            INIT_SPI if dir == Dir::ToServer => self.init_spi.as_bytes(),
            RESP_SPI if dir == Dir::ToClient => self.resp_spi.as_bytes(),
            VENDOR if dir == Dir::ToServer => self.vendors().get(index)?.as_bytes(),
            KEY_EXCHANGE => self.key_exchange()?,
            NONCE => self.nonce()?,
            _ => return None,
        };
        Some(View::whole(data))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        if dir != self.dir || self.header.major == 0 {
            return None;
        }
        match keyword {
            "ike.exchtype" => Some(u64::from(self.header.exchange)),
            "ike.key_exchange_payload_length" => self.key_exchange().map(|k| k.len() as u64),
            "ike.nonce_payload_length" => self.nonce().map(|n| n.len() as u64),
            // Asked by ike.chosen_sa_attribute.
            name => self.chosen(name),
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::log(self, out);
    }
}

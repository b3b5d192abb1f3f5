//! One LDAP request with its responses: its sticky buffers and numbers.

use super::message::{Attribute, Body, Message};
use super::{log, Event};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// What the responses of one request may cost in memory; those beyond are counted, not kept.
const RESPONSES_COST_MAX: usize = 256 * 1024;

/// Local numbers of the buffers, in the order of the entry.
const REQUEST_DN: usize = 0;
const REQUEST_ATTRIBUTE_TYPE: usize = 1;
const REQUEST_ATTRIBUTES: usize = 2;
const RESPONSES_DN: usize = 3;
const RESPONSES_MESSAGE: usize = 4;
const RESPONSES_ATTRIBUTE_TYPE: usize = 5;
const RESPONSES_ATTRIBUTES: usize = 6;

/// What a response without a result code answers to `ldap.responses.result_code`.
pub const NO_NUMBER: u64 = u64::MAX;

pub struct LdapTx {
    pub meta: TxMeta,
    pub request: Option<Message>,
    pub responses: Vec<Message>,
    /// Of all responses, kept or not.
    count: u64,
    cost: usize,
    /// `type=value` of the request, and of the responses.
    pairs: PerDir<Vec<Vec<u8>>>,
    /// Where the attributes of the responses are: response, attribute.
    types: Vec<(usize, usize)>,
    /// No more is expected.
    pub complete: bool,
}

impl LdapTx {
    fn new(id: u64) -> LdapTx {
        LdapTx {
            meta: TxMeta::new(id),
            request: None,
            responses: Vec::new(),
            count: 0,
            cost: 0,
            pairs: PerDir::default(),
            types: Vec::new(),
            complete: false,
        }
    }

    pub fn request(id: u64, message: Message) -> LdapTx {
        use super::message::op::{ABANDON_REQUEST, UNBIND_REQUEST};
        let mut tx = LdapTx::new(id);
        tx.complete = matches!(message.operation, UNBIND_REQUEST | ABANDON_REQUEST);
        tx.pairs[Dir::ToServer] = match &message.body {
            Body::Modify { changes, .. } => pairs(changes.iter().map(|(_, attribute)| attribute)),
            Body::Add { attributes, .. } => pairs(attributes.iter()),
            Body::Compare { description, value, .. } => vec![pair(description, value)],
            _ => Vec::new(),
        };
        tx.request = Some(message);
        tx
    }

    /// A transaction with one side only.
    pub fn alone(id: u64, dir: Dir) -> LdapTx {
        let mut tx = LdapTx::new(id);
        tx.complete = true;
        tx.meta.skip[dir.opposite()] = true;
        tx
    }

    pub fn respond(&mut self, message: Message) {
        self.count = self.count.saturating_add(1);
        self.cost = self.cost.saturating_add(message.cost);
        if self.cost > RESPONSES_COST_MAX {
            self.event(Event::TooManyResponses);
            return;
        }
        if let Body::SearchEntry { attributes, .. } = &message.body {
            self.pairs[Dir::ToClient].extend(pairs(attributes.iter()));
            let response = self.responses.len();
            self.types.extend((0..attributes.len()).map(|attribute| (response, attribute)));
        }
        self.responses.push(message);
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }

    pub fn request_id(&self) -> Option<u64> {
        self.request.as_ref().map(|message| message.id)
    }

    fn request_dn(&self) -> Option<&[u8]> {
        Some(match &self.request.as_ref()?.body {
            Body::Bind { name, .. } => name,
            Body::Add { entry, .. } | Body::ModifyDn { entry, .. } | Body::Compare { entry, .. } => entry,
            Body::Search(search) => &search.base,
            Body::Modify { object, .. } => object,
            Body::Delete { dn } => dn,
            _ => return None,
        })
    }

    fn request_attribute_type(&self, index: usize) -> Option<&[u8]> {
        match &self.request.as_ref()?.body {
            Body::Search(search) => search.attributes.get(index).map(Vec::as_slice),
            Body::Modify { changes, .. } => changes.get(index).map(|(_, a)| a.name.as_slice()),
            Body::Add { attributes, .. } => attributes.get(index).map(|a| a.name.as_slice()),
            Body::Compare { description, .. } if index == 0 => Some(description),
            _ => None,
        }
    }

    /// A response without a name has an empty one here.
    fn response_dn(&self, index: usize) -> Option<&[u8]> {
        Some(match &self.responses.get(index)?.body {
            Body::SearchEntry { base, .. } => base,
            Body::Result { outcome, .. } => &outcome.matched_dn,
            _ => &[],
        })
    }

    fn response_message(&self, index: usize) -> Option<&[u8]> {
        Some(match &self.responses.get(index)?.body {
            Body::Result { outcome, .. } => &outcome.message,
            _ => &[],
        })
    }

    fn response_attribute_type(&self, index: usize) -> Option<&[u8]> {
        let (response, attribute) = *self.types.get(index)?;
        match &self.responses.get(response)?.body {
            Body::SearchEntry { attributes, .. } => attributes.get(attribute).map(|a| a.name.as_slice()),
            _ => None,
        }
    }
}

fn pairs<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Vec<Vec<u8>> {
    attributes.flat_map(|a| a.values.iter().map(|value| pair(&a.name, value))).collect()
}

fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b"=", value].concat()
}

impl Transaction for LdapTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        let done = self.complete || (dir == Dir::ToServer && self.request.is_some());
        if done {
            super::COMPLETE
        } else {
            0
        }
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let data = match (dir, local) {
            (Dir::ToServer, REQUEST_DN) => self.request_dn()?,
            (Dir::ToServer, REQUEST_ATTRIBUTE_TYPE) => self.request_attribute_type(index)?,
            (Dir::ToServer, REQUEST_ATTRIBUTES) => self.pairs[dir].get(index)?,
            (Dir::ToClient, RESPONSES_DN) => self.response_dn(index)?,
            (Dir::ToClient, RESPONSES_MESSAGE) => self.response_message(index)?,
            (Dir::ToClient, RESPONSES_ATTRIBUTE_TYPE) => self.response_attribute_type(index)?,
            (Dir::ToClient, RESPONSES_ATTRIBUTES) => self.pairs[dir].get(index)?,
            _ => return None,
        };
        Some(View::whole(data))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }
    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        match (dir, keyword, index) {
            (Dir::ToServer, "ldap.request.operation", 0) => {
                self.request.as_ref().map(|r| u64::from(r.operation))
            }
            (Dir::ToClient, "ldap.responses.count", 0) => Some(self.count),
            (Dir::ToClient, "ldap.responses.operation", _) => {
                self.responses.get(index).map(|r| u64::from(r.operation))
            }
            (Dir::ToClient, "ldap.responses.result_code", _) => {
                self.responses.get(index).map(|r| match &r.body {
                    Body::Result { outcome, .. } => outcome.code,
                    _ => NO_NUMBER,
                })
            }
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::log(self, out);
    }
}

//! LDAP messages (RFC 4511 section 4). Filters other than "present" are passed over, as nothing logs or asks for them.

use crate::app::ber::{self, Element, Reader, Trouble};

/// Elements (attributes, values, controls) of one message that are kept: they cost more here than on the wire.
const ELEMENTS_MAX: usize = 1024;
/// What such an element costs beside its bytes: a `Vec` and its allocation.
const ELEMENT_COST: usize = 64;

/// Application tags of the operations that are told apart here.
pub mod op {
    pub const BIND_REQUEST: u32 = 0;
    pub const UNBIND_REQUEST: u32 = 2;
    pub const SEARCH_REQUEST: u32 = 3;
    pub const SEARCH_RESULT_ENTRY: u32 = 4;
    pub const MODIFY_REQUEST: u32 = 6;
    pub const ADD_REQUEST: u32 = 8;
    pub const DEL_REQUEST: u32 = 10;
    pub const MOD_DN_REQUEST: u32 = 12;
    pub const COMPARE_REQUEST: u32 = 14;
    pub const ABANDON_REQUEST: u32 = 16;
    pub const SEARCH_RESULT_REFERENCE: u32 = 19;
    pub const EXTENDED_REQUEST: u32 = 23;
    pub const EXTENDED_RESPONSE: u32 = 24;
    pub const INTERMEDIATE_RESPONSE: u32 = 25;
}

/// The extended operation that begins TLS (RFC 4511 section 4.14).
pub const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

#[derive(Debug)]
pub struct Message {
    pub id: u64,
    /// Application tag.
    pub operation: u32,
    pub body: Body,
    pub controls: Vec<Control>,
    /// What the message takes of memory, about.
    pub cost: usize,
}

#[derive(Debug)]
pub struct Control {
    pub kind: Vec<u8>,
    pub critical: bool,
    pub value: Option<Vec<u8>>,
}

/// An attribute with its values.
#[derive(Debug)]
pub struct Attribute {
    pub name: Vec<u8>,
    pub values: Vec<Vec<u8>>,
}

/// LDAPResult.
#[derive(Debug)]
pub struct Outcome {
    pub code: u64,
    pub matched_dn: Vec<u8>,
    pub message: Vec<u8>,
}

#[derive(Debug)]
pub enum Body {
    Bind {
        version: u64,
        name: Vec<u8>,
        sasl: Option<(Vec<u8>, Option<Vec<u8>>)>,
    },
    Search(Search),
    Modify {
        object: Vec<u8>,
        changes: Vec<(u64, Attribute)>,
    },
    Add {
        entry: Vec<u8>,
        attributes: Vec<Attribute>,
    },
    Delete {
        dn: Vec<u8>,
    },
    ModifyDn {
        entry: Vec<u8>,
        new_rdn: Vec<u8>,
        delete_old: bool,
        new_superior: Option<Vec<u8>>,
    },
    Compare {
        entry: Vec<u8>,
        description: Vec<u8>,
        value: Vec<u8>,
    },
    Abandon {
        id: u64,
    },
    /// Extended request, intermediate response.
    Named {
        name: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    },
    SearchEntry {
        base: Vec<u8>,
        attributes: Vec<Attribute>,
    },
    Result {
        outcome: Outcome,
        credentials: Option<Vec<u8>>,
        name: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    },
    /// Unbind, search result reference: nothing that is logged.
    Empty,
}

#[derive(Debug)]
pub struct Search {
    pub base: Vec<u8>,
    pub scope: u64,
    pub deref: u64,
    pub size_limit: u64,
    pub time_limit: u64,
    pub types_only: bool,
    /// The attribute of a "present" filter.
    pub present: Option<Vec<u8>>,
    pub attributes: Vec<Vec<u8>>,
}

/// Whether the tag is of a request.
pub fn is_request(operation: u32) -> bool {
    matches!(operation, 0 | 2 | 3 | 6 | 8 | 10 | 12 | 14 | 16 | 23)
}

/// Whether the tag is of any operation.
pub fn is_known(operation: u32) -> bool {
    matches!(operation, 0..=16 | 19 | 23..=25)
}

/// Identifier and operation of the message that begins here, however much of it there is.
pub fn peek(data: &[u8]) -> Result<(u64, u32), Trouble> {
    let outer = ber::Header::read(data)?;
    if outer.class != ber::UNIVERSAL
        || !outer.constructed
        || outer.tag != ber::SEQUENCE
        || outer.len.is_none()
    {
        return Err(Trouble::Malformed);
    }
    let mut inside = Reader(data.get(outer.header_len..).unwrap_or_default());
    let id = inside.element()?;
    if !id.is(ber::UNIVERSAL, ber::INTEGER) {
        return Err(Trouble::Malformed);
    }
    let id = id.integer().and_then(|n| u64::try_from(n).ok()).ok_or(Trouble::Malformed)?;
    let operation = ber::Header::read(inside.0)?;
    if operation.class != ber::APPLICATION || !is_known(operation.tag) {
        return Err(Trouble::Malformed);
    }
    Ok((id, operation.tag))
}

impl Message {
    /// One whole message.
    pub fn read(data: &[u8]) -> Option<Message> {
        let mut fields = Reader(data).sequence()?;
        let id = natural(&mut fields)?;
        let operation = fields.next().filter(|e| e.class == ber::APPLICATION)?;
        let mut budget = Budget { elements: ELEMENTS_MAX };
        let body = Body::read(&operation, &mut budget)?;
        let mut controls = Vec::new();
        if let Some(list) = fields.explicit(0) {
            for element in list {
                if !budget.take() {
                    break;
                }
                controls.push(control(&element)?);
            }
        }
        let elements = ELEMENTS_MAX.saturating_sub(budget.elements);
        let cost = data.len().saturating_add(elements.saturating_mul(ELEMENT_COST));
        Some(Message { id, operation: operation.tag, body, controls, cost })
    }

    pub fn is_request(&self) -> bool {
        is_request(self.operation)
    }
}

/// How many more elements may be kept.
struct Budget {
    elements: usize,
}

impl Budget {
    fn take(&mut self) -> bool {
        let left = self.elements.checked_sub(1);
        self.elements = left.unwrap_or(0);
        left.is_some()
    }
    /// The octet strings of a list, as far as the budget goes.
    fn strings(&mut self, list: Reader<'_>) -> Vec<Vec<u8>> {
        list.take_while(|_| self.take()).map(|e| e.content.to_vec()).collect()
    }
    /// `SEQUENCE { type, vals SET OF value }`.
    fn attribute(&mut self, mut fields: Reader<'_>) -> Option<Attribute> {
        let name = fields.octets()?.to_vec();
        let values = self.strings(fields.universal(ber::SET)?.open()?);
        Some(Attribute { name, values })
    }
    fn attributes(&mut self, list: Reader<'_>) -> Option<Vec<Attribute>> {
        let mut found = Vec::new();
        for element in list {
            if !self.take() {
                break;
            }
            found.push(self.attribute(element.open()?)?);
        }
        Some(found)
    }
}

impl Body {
    fn read(element: &Element<'_>, budget: &mut Budget) -> Option<Body> {
        // Deletions, abandonments and unbinding are primitive.
        let constructed = element.open();
        let mut fields = constructed.unwrap_or(Reader(&[]));
        let content = element.content;
        Some(match element.tag {
            op::UNBIND_REQUEST | op::SEARCH_RESULT_REFERENCE => Body::Empty,
            op::DEL_REQUEST => Body::Delete { dn: content.to_vec() },
            op::ABANDON_REQUEST => {
                Body::Abandon { id: ber::integer(content).and_then(|n| u64::try_from(n).ok())? }
            }
            op::BIND_REQUEST => bind(&mut fields)?,
            op::SEARCH_REQUEST => Body::Search(search(&mut fields, budget)?),
            op::SEARCH_RESULT_ENTRY => {
                let base = fields.octets()?.to_vec();
                Body::SearchEntry { base, attributes: budget.attributes(fields.sequence()?)? }
            }
            op::ADD_REQUEST => {
                let entry = fields.octets()?.to_vec();
                Body::Add { entry, attributes: budget.attributes(fields.sequence()?)? }
            }
            op::MODIFY_REQUEST => {
                let object = fields.octets()?.to_vec();
                let mut changes = Vec::new();
                for change in fields.sequence()? {
                    if !budget.take() {
                        break;
                    }
                    let mut change = change.open()?;
                    let kind = enumerated(&mut change)?;
                    changes.push((kind, budget.attribute(change.sequence()?)?));
                }
                Body::Modify { object, changes }
            }
            op::MOD_DN_REQUEST => Body::ModifyDn {
                entry: fields.octets()?.to_vec(),
                new_rdn: fields.octets()?.to_vec(),
                delete_old: boolean(&mut fields)?,
                new_superior: tagged(&mut fields, 0),
            },
            op::COMPARE_REQUEST => {
                let entry = fields.octets()?.to_vec();
                let mut assertion = fields.sequence()?;
                let description = assertion.octets()?.to_vec();
                Body::Compare { entry, description, value: assertion.octets()?.to_vec() }
            }
            op::EXTENDED_REQUEST | op::INTERMEDIATE_RESPONSE => {
                let name = tagged(&mut fields, 0);
                Body::Named { name, value: tagged(&mut fields, 1) }
            }
            tag if is_known(tag) => {
                let outcome = outcome(&mut fields)?;
                fields.expect_tag(ber::CONTEXT, 3); // referral
                let credentials = tagged(&mut fields, 7);
                let name = tagged(&mut fields, 10);
                Body::Result { outcome, credentials, name, value: tagged(&mut fields, 11) }
            }
            _ => return None,
        })
    }
}

fn bind(fields: &mut Reader<'_>) -> Option<Body> {
    let version = natural(fields)?;
    let name = fields.octets()?.to_vec();
    // simple [0], sasl [3]; others are for extensions.
    let choice = fields.next()?;
    let sasl = match (choice.tag, choice.open()) {
        (3, Some(mut inside)) => {
            let mechanism = inside.octets()?.to_vec();
            Some((mechanism, inside.octets().map(<[u8]>::to_vec)))
        }
        _ => None,
    };
    Some(Body::Bind { version, name, sasl })
}

fn search(fields: &mut Reader<'_>, budget: &mut Budget) -> Option<Search> {
    Some(Search {
        base: fields.octets()?.to_vec(),
        scope: enumerated(fields)?,
        deref: enumerated(fields)?,
        size_limit: natural(fields)?,
        time_limit: natural(fields)?,
        types_only: boolean(fields)?,
        present: Some(fields.next()?).filter(|f| f.is(ber::CONTEXT, 7)).map(|f| f.content.to_vec()),
        attributes: budget.strings(fields.sequence()?),
    })
}

fn outcome(fields: &mut Reader<'_>) -> Option<Outcome> {
    Some(Outcome {
        code: enumerated(fields)?,
        matched_dn: fields.octets()?.to_vec(),
        message: fields.octets()?.to_vec(),
    })
}

fn control(element: &Element<'_>) -> Option<Control> {
    let mut fields = element.open()?;
    Some(Control {
        kind: fields.octets()?.to_vec(),
        critical: boolean(&mut fields).unwrap_or(false),
        value: fields.octets().map(<[u8]>::to_vec),
    })
}

fn natural(fields: &mut Reader<'_>) -> Option<u64> {
    u64::try_from(fields.integer()?).ok()
}

fn enumerated(fields: &mut Reader<'_>) -> Option<u64> {
    u64::try_from(fields.universal(ber::ENUMERATED)?.integer()?).ok()
}

fn boolean(fields: &mut Reader<'_>) -> Option<bool> {
    Some(fields.universal(ber::BOOLEAN)?.content.iter().any(|b| *b != 0))
}

/// The content of `[tag] IMPLICIT OCTET STRING`, when that comes next.
fn tagged(fields: &mut Reader<'_>, tag: u32) -> Option<Vec<u8>> {
    fields.expect_tag(ber::CONTEXT, tag).map(|e| e.content.to_vec())
}

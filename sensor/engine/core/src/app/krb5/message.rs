//! The fields of a Kerberos message that are logged or asked for (RFC 4120 section 5); the others are passed over.

use crate::app::ber::{Element, Reader};

/// Application tags, which are the message types (RFC 4120 section 7.5.7).
pub const AS_REQ: u32 = 10;
pub const AS_REP: u32 = 11;
pub const TGS_REQ: u32 = 12;
pub const TGS_REP: u32 = 13;
pub const ERROR: u32 = 30;

/// Parts of a name that are kept; real ones have up to three.
const NAME_PARTS_MAX: usize = 32;

#[derive(Debug, Default)]
pub struct Message {
    pub kind: u32,
    pub cname: Option<Vec<Vec<u8>>>,
    pub realm: Option<Vec<u8>>,
    pub sname: Option<Vec<Vec<u8>>>,
    /// Type of the encrypted part of a reply.
    pub encryption: Option<i64>,
    pub ticket_encryption: Option<i64>,
    pub error_code: Option<i64>,
    /// Type of the request an error answers.
    pub failed_request: Option<u32>,
}

impl Message {
    /// KDC-REQ: pvno [1], msg-type [2], padata [3] OPTIONAL, req-body [4].
    pub fn request(element: &Element<'_>) -> Option<Message> {
        let mut fields = element.open()?.sequence()?;
        version(&mut fields, 1)?;
        number(&mut fields, 2)?;
        fields.explicit(3);
        // KDC-REQ-BODY: kdc-options [0], cname [1] OPTIONAL, realm [2], sname [3] OPTIONAL, ...
        let mut body = fields.explicit(4)?.sequence()?;
        body.explicit(0)?;
        let cname = optional_name(&mut body, 1)?;
        let realm = body.explicit(2)?.next()?.content.to_vec();
        let sname = optional_name(&mut body, 3)?;
        Some(Message { kind: element.tag, cname, realm: Some(realm), sname, ..Message::default() })
    }

    /// KDC-REP: pvno [0], msg-type [1], padata [2] OPTIONAL, crealm [3], cname [4], ticket [5], enc-part [6].
    pub fn reply(element: &Element<'_>) -> Option<Message> {
        let mut fields = element.open()?.sequence()?;
        version(&mut fields, 0)?;
        number(&mut fields, 1)?;
        fields.explicit(2);
        let realm = fields.explicit(3)?.next()?.content.to_vec();
        let cname = principal(&mut fields.explicit(4)?)?;
        // Ticket: tkt-vno [0], realm [1], sname [2], enc-part [3].
        let mut ticket = fields.explicit(5)?.next()?.open()?.sequence()?;
        ticket.explicit(0)?;
        ticket.explicit(1)?;
        let sname = principal(&mut ticket.explicit(2)?)?;
        let ticket_encryption = encryption(&mut ticket, 3)?;
        let encryption = encryption(&mut fields, 6)?;
        Some(Message {
            kind: element.tag,
            cname: Some(cname),
            realm: Some(realm),
            sname: Some(sname),
            encryption: Some(encryption),
            ticket_encryption: Some(ticket_encryption),
            ..Message::default()
        })
    }

    /// KRB-ERROR: pvno [0], msg-type [1], ctime [2], cusec [3], stime [4], susec [5], error-code [6], crealm [7], cname [8],
    /// realm [9], sname [10], ...; 2, 3, 7 and 8 are optional.
    pub fn error(element: &Element<'_>) -> Option<Message> {
        let mut fields = element.open()?.sequence()?;
        version(&mut fields, 0)?;
        number(&mut fields, 1)?;
        for tag in 2..=5 {
            let found = fields.explicit(tag);
            if tag >= 4 {
                found?;
            }
        }
        let error_code = number(&mut fields, 6)?;
        let realm = match fields.explicit(7) {
            Some(mut inside) => Some(inside.next()?.content.to_vec()),
            None => None,
        };
        let cname = optional_name(&mut fields, 8)?;
        fields.explicit(9)?;
        let sname = principal(&mut fields.explicit(10)?)?;
        Some(Message {
            kind: element.tag,
            cname,
            realm,
            sname: Some(sname),
            error_code: Some(error_code),
            ..Message::default()
        })
    }
}

fn version(fields: &mut Reader<'_>, tag: u32) -> Option<i64> {
    number(fields, tag).filter(|version| *version == 5)
}

fn number(fields: &mut Reader<'_>, tag: u32) -> Option<i64> {
    fields.explicit(tag)?.integer()
}

/// PrincipalName: name-type [0], name-string [1] SEQUENCE OF.
fn principal(inside: &mut Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut fields = inside.sequence()?;
    number(&mut fields, 0)?;
    let parts = fields.explicit(1)?.sequence()?;
    Some(parts.take(NAME_PARTS_MAX).map(|part| part.content.to_vec()).collect())
}

/// Some(None): it is left out.
fn optional_name(fields: &mut Reader<'_>, tag: u32) -> Option<Option<Vec<Vec<u8>>>> {
    match fields.explicit(tag) {
        Some(mut inside) => principal(&mut inside).map(Some),
        None => Some(None),
    }
}

/// EncryptedData: etype [0], ...
fn encryption(fields: &mut Reader<'_>, tag: u32) -> Option<i64> {
    number(&mut fields.explicit(tag)?.sequence()?, 0)
}

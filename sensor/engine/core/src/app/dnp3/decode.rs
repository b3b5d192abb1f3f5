//! Takes the objects behind an application header apart (IEEE 1815-2012, sections 4.2.2.7 and 11). Knows neither flows nor JSON.

use super::objects::{Field, Len, OBJECTS};
use crate::app::cursor::Cursor;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Vec<u8>),
    Hex(Vec<u8>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// The index or size in front of the point; 0 without.
    pub prefix: u32,
    pub index: u32,
    pub size: Option<u32>,
    pub fields: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    pub group: u8,
    pub variation: u8,
    pub qualifier: u8,
    pub start: u32,
    pub stop: u32,
    pub count: u32,
    pub points: Vec<Point>,
}

impl Object {
    pub fn prefix_code(&self) -> u8 {
        self.qualifier >> 4 & 7
    }
    pub fn range_code(&self) -> u8 {
        self.qualifier & 0xf
    }
}

/// Why decoding stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Malformed,
    UnknownObject,
    TooManyPoints,
    TooManyObjects,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of one message.
    pub points: usize,
    pub objects: usize,
}

/// Appends the objects in `data`; what stands before a fault stays.
pub fn objects(data: &[u8], limits: Limits, found: &mut Vec<Object>) -> Result<(), Fault> {
    let mut c = Cursor(data);
    let mut points = 0usize;
    while !c.is_empty() {
        if found.len() >= limits.objects {
            return Err(Fault::TooManyObjects);
        }
        let mut object = header(&mut c).ok_or(Fault::Malformed)?;
        let outcome = if object.variation == 0 || object.count == 0 {
            Ok(())
        } else {
            decode(&mut c, &mut object, limits.points.saturating_sub(points))
        };
        points = points.saturating_add(object.points.len());
        found.push(object);
        outcome?;
    }
    Ok(())
}

fn header(c: &mut Cursor<'_>) -> Option<Object> {
    let mut object = Object { group: c.u8()?, variation: c.u8()?, qualifier: c.u8()?, ..Object::default() };
    let number = |c: &mut Cursor<'_>, len: usize| c.le(len).and_then(|n| u32::try_from(n).ok());
    let range = object.range_code();
    match range {
        // Start and stop, as indexes or addresses.
        0..=5 => {
            let len = [1, 2, 4].get(usize::from(range % 3)).copied()?;
            object.start = number(c, len)?;
            object.stop = number(c, len)?;
            object.count = object.stop.checked_sub(object.start)?.checked_add(1)?;
        }
        6 => {}
        7..=9 | 11 => {
            let len = match range {
                8 => 2,
                9 => 4,
                _ => 1,
            };
            object.count = number(c, len)?;
            object.stop = object.count.saturating_sub(1);
        }
        _ => return None,
    }
    Some(object)
}

fn decode(c: &mut Cursor<'_>, object: &mut Object, points_max: usize) -> Result<(), Fault> {
    let known = OBJECTS.iter().find(|(g, v, _, _)| (*g, *v) == (object.group, object.variation));
    let (_, _, first, second) = known.ok_or(Fault::UnknownObject)?;
    if let [Field::Packed(name, bits)] = second {
        return packed(c, object, name, *bits, points_max);
    }
    for n in 0..object.count {
        if object.points.len() >= points_max {
            return Err(Fault::TooManyPoints);
        }
        let mut point = Point { index: object.start.saturating_add(n), ..Point::default() };
        let code = object.prefix_code();
        let prefix_len = match code {
            0 => 0,
            1 | 4 => 1,
            2 | 5 => 2,
            3 | 6 => 4,
            _ => return Err(Fault::Malformed),
        };
        point.prefix = c.le(prefix_len).and_then(|p| u32::try_from(p).ok()).ok_or(Fault::Malformed)?;
        if code >= 4 {
            point.size = Some(point.prefix);
            let body = c.take(point.prefix as usize).ok_or(Fault::Malformed)?;
            fields(&mut Cursor(body), first, second, &mut point).ok_or(Fault::Malformed)?;
        } else {
            fields(c, first, second, &mut point).ok_or(Fault::Malformed)?;
        }
        object.points.push(point);
    }
    Ok(())
}

/// Points of one or two bits each, several to an octet.
fn packed(
    c: &mut Cursor<'_>,
    object: &mut Object,
    name: &'static str,
    bits: u8,
    points_max: usize,
) -> Result<(), Fault> {
    let mut octet = 0u8;
    let mut left = 0u8;
    for n in 0..object.count {
        if object.points.len() >= points_max {
            return Err(Fault::TooManyPoints);
        }
        if left == 0 {
            octet = c.u8().ok_or(Fault::Malformed)?;
            left = 8;
        }
        let value = octet & low_bits(bits);
        octet = octet.checked_shr(u32::from(bits)).unwrap_or(0);
        left = left.saturating_sub(bits);
        let fields = vec![(name, Value::Unsigned(u64::from(value)))];
        object.points.push(Point { index: object.start.saturating_add(n), fields, ..Point::default() });
    }
    Ok(())
}

fn low_bits(bits: u8) -> u8 {
    0xffu8.checked_shr(8u32.saturating_sub(u32::from(bits))).unwrap_or(0)
}

fn fields(c: &mut Cursor<'_>, first: &[Field], second: &[Field], point: &mut Point) -> Option<()> {
    let mut octet = 0u8;
    let mut left = 0u8;
    for field in first.iter().chain(second) {
        let (name, value) = match *field {
            Field::Packed(..) => return None,
            Field::Bits(name, bits) => {
                if left == 0 {
                    octet = c.u8()?;
                    left = 8;
                }
                let value = octet & low_bits(bits);
                octet = octet.checked_shr(u32::from(bits)).unwrap_or(0);
                left = left.saturating_sub(bits);
                (name, Value::Unsigned(u64::from(value)))
            }
            Field::Unsigned(name, len) => (name, Value::Unsigned(c.le(usize::from(len))?)),
            Field::Signed(name, 2) => (name, Value::Signed(i64::from(c.le16()? as i16))),
            Field::Signed(name, _) => (name, Value::Signed(i64::from(c.le32()? as i32))),
            Field::Float(name) => (name, Value::Float(f64::from(f32::from_bits(c.le32()?)))),
            Field::Double(name) => (name, Value::Float(f64::from_bits(c.le64()?))),
            Field::Text(name, len) => (name, Value::Text(text(c, len, point)?)),
            Field::Hex(name, len) => (name, Value::Hex(text(c, len, point)?)),
        };
        point.fields.push((name, value));
    }
    Some(())
}

fn text(c: &mut Cursor<'_>, len: Len, point: &Point) -> Option<Vec<u8>> {
    let len = match len {
        Len::Fixed(len) => len,
        Len::Rest => {
            point.size?; // Without a size in front there is no end.
            c.len()
        }
        Len::Of(field) => point.fields.iter().find_map(|(name, value)| match value {
            Value::Unsigned(n) if *name == field => usize::try_from(*n).ok(),
            _ => None,
        })?,
    };
    c.take(len).map(<[u8]>::to_vec)
}

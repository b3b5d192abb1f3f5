//! Functions for scripts that need no packet: hashes, base64, data sets, messages. They go into the table `rust` of prelude.lua.

use super::settings::Settings;
use crate::base64::{self, Mode};
use crate::detect::dataset::{Dataset, Entry};
use md5::Digest;
use mlua::{BString, Error, Lua, Result, Table};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

/// Messages of one script in one worker: what comes after them says nothing new.
const MESSAGES_MAX: u32 = 100;
const MESSAGE_BYTES_MAX: usize = 1000;

/// What the functions work on.
#[derive(Clone, Default)]
pub struct Surroundings {
    pub datasets: Arc<Vec<Arc<Dataset>>>,
}

/// The table, for the script called `name`.
pub fn table(lua: &Lua, name: &str, settings: &Settings, around: &Surroundings) -> Result<Table> {
    let rust = lua.create_table()?;
    digests(lua, &rust)?;
    encodings(lua, &rust)?;
    let (sets, more) = (Arc::clone(&around.datasets), Arc::clone(&around.datasets));
    let find = move |_: &Lua, name: String| Ok(sets.iter().any(|set| set.name == name));
    rust.raw_set("dataset_find", lua.create_function(find)?)?;
    let add = move |_: &Lua, (name, value): (String, BString)| {
        let set = more.iter().find(|set| set.name == name);
        Ok(set.map(|set| i64::from(set.add(&value, Entry::default()))))
    };
    rust.raw_set("dataset_add", lua.create_function(add)?)?;
    let path = settings.log_path.clone();
    rust.raw_set("log_path", lua.create_function(move |_, ()| Ok(path.clone()))?)?;
    rust.raw_set("thread", lua.create_function(|_, ()| Ok(thread()))?)?;
    let (said, name) = (AtomicU32::new(0), name.to_owned());
    let log = move |_: &Lua, (level, text): (String, BString)| {
        if matches!(level.as_str(), "error" | "warning" | "notice" | "print")
            && said.fetch_add(1, Ordering::Relaxed) < MESSAGES_MAX
        {
            tell(&name, &level, &text);
        }
        Ok(())
    };
    rust.raw_set("log", lua.create_function(log)?)?;
    Ok(rust)
}

/// Writes a message for the operator. It may hold bytes from the wire, so nothing of it reaches the terminal unescaped.
#[allow(clippy::print_stderr)]
pub fn tell(script: &str, level: &str, text: &[u8]) {
    let text = text.get(..MESSAGE_BYTES_MAX).unwrap_or(text);
    let shown: String = String::from_utf8_lossy(text).chars().flat_map(escaped).collect();
    eprintln!("lua {script}: {level}: {shown}");
}

fn escaped(c: char) -> Box<dyn Iterator<Item = char>> {
    if c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    {
        Box::new(c.escape_default())
    } else {
        Box::new(std::iter::once(c))
    }
}

/// Number and name of the thread.
fn thread() -> (u64, String) {
    let current = std::thread::current();
    let digits: String = format!("{:?}", current.id()).chars().filter(char::is_ascii_digit).collect();
    (digits.parse().unwrap_or(0), current.name().unwrap_or("worker").to_owned())
}

/// A digest as bytes and in hex.
fn digests(lua: &Lua, rust: &Table) -> Result<()> {
    type Sum = fn(&[u8]) -> Vec<u8>;
    let sums: [(&str, Sum); 3] = [
        ("md5", |b| md5::Md5::digest(b).to_vec()),
        ("sha1", |b| sha1::Sha1::digest(b).to_vec()),
        ("sha256", |b| sha2::Sha256::digest(b).to_vec()),
    ];
    for (name, sum) in sums {
        rust.raw_set(name, lua.create_function(move |_, text: BString| Ok(BString::from(sum(&text))))?)?;
        let hex = move |_: &Lua, text: BString| Ok(crate::app::digest::hex(&sum(&text)));
        rust.raw_set(format!("{name}_hex"), lua.create_function(hex)?)?;
    }
    Ok(())
}

fn encodings(lua: &Lua, rust: &Table) -> Result<()> {
    rust.raw_set("base64_encode", lua.create_function(|_, text: BString| Ok(base64::encode(&text)))?)?;
    type Decode = fn(&[u8]) -> Option<Vec<u8>>;
    let decoders: [(&str, Decode); 5] = [
        ("base64_decode", strict),
        ("base64_decode_nopad", |text| strict(&padded(text).filter(|_| !text.contains(&b'='))?)),
        ("base64_decode_padopt", |text| strict(&padded(text)?)),
        ("base64_decode_rfc2045", |text| Some(decoded(text, Mode::Rfc2045))),
        ("base64_decode_rfc4648", |text| Some(decoded(text, Mode::Rfc4648))),
    ];
    for (name, decode) in decoders {
        let decode = move |_: &Lua, text: BString| match decode(&text) {
            Some(bytes) => Ok(BString::from(bytes)),
            None => Err(Error::runtime("invalid base64")),
        };
        rust.raw_set(name, lua.create_function(decode)?)?;
    }
    Ok(())
}

fn decoded(text: &[u8], mode: Mode) -> Vec<u8> {
    let mut out = Vec::new();
    base64::decode(text, mode, &mut out);
    out
}

/// None: it is not base64 with its padding.
fn strict(text: &[u8]) -> Option<Vec<u8>> {
    let out = decoded(text, Mode::Strict);
    (text.is_empty() || !out.is_empty()).then_some(out)
}

/// The text with the padding it should have; None: no padding makes it whole.
fn padded(text: &[u8]) -> Option<Vec<u8>> {
    let mut text = text.to_vec();
    while text.last() == Some(&b'=') {
        text.pop();
    }
    match text.len() % 4 {
        0 => {}
        2 => text.extend_from_slice(b"=="),
        3 => text.push(b'='),
        _ => return None,
    }
    Some(text)
}

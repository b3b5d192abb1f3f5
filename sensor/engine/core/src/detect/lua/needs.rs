//! What a script's `init` returns: the data it is given, by the names of the manual or of any sticky buffer.

use crate::app::ProtocolId;
use crate::detect::buffers;
use crate::direction::Dir;
use mlua::{Table, Value};

/// Names of the manual for sticky buffers that are called otherwise now.
const OLDER: &[(&str, &str, Option<Dir>)] = &[
    ("http.request_headers", "http.header", Some(Dir::ToServer)),
    ("http.request_headers.raw", "http.header.raw", Some(Dir::ToServer)),
    ("http.request_cookie", "http.cookie", Some(Dir::ToServer)),
    ("http.request_user_agent", "http.user_agent", Some(Dir::ToServer)),
    ("http.response_headers", "http.header", Some(Dir::ToClient)),
    ("http.response_headers.raw", "http.header.raw", Some(Dir::ToClient)),
    ("http.response_cookie", "http.cookie", Some(Dir::ToClient)),
    ("ssh.server_proto", "ssh.proto", Some(Dir::ToClient)),
    ("ssh.client_proto", "ssh.proto", Some(Dir::ToServer)),
    ("ssh.server_software", "ssh.software", Some(Dir::ToClient)),
    ("ssh.client_software", "ssh.software", Some(Dir::ToServer)),
    ("ja3", "ja3.hash", Some(Dir::ToServer)),
    ("ja3s", "ja3s.hash", Some(Dir::ToClient)),
    ("dns.rrname", "dns.query", Some(Dir::ToServer)),
];

/// Names that choose a direction of a protocol rather than data.
const SIDES: &[(&str, Dir)] = &[("dns.request", Dir::ToServer), ("dns.response", Dir::ToClient)];

/// A sticky buffer that goes to the script under `key`.
#[derive(Clone, Debug)]
pub struct Sticky {
    pub key: String,
    pub buffer: u16,
    pub dir: Option<Dir>,
}

#[derive(Clone, Debug, Default)]
pub struct Needs {
    pub packet: bool,
    pub payload: bool,
    pub stream: bool,
    /// The sticky buffer that is selected where the keyword stands.
    pub buffer: bool,
    pub sticky: Vec<Sticky>,
    pub protocols: Vec<ProtocolId>,
    pub dir: Option<Dir>,
    pub flowints: Vec<String>,
    pub flowvars: Vec<String>,
    pub bytevars: Vec<String>,
    /// Numbers of further sticky buffers that the script's libraries ask for.
    pub wants: Vec<u16>,
}

impl Needs {
    /// Reads the table; the error names what nobody knows.
    pub fn read(table: &Table) -> Result<Needs, String> {
        let mut needs = Needs::default();
        for pair in table.pairs::<String, Value>() {
            let (key, value) = pair.map_err(|e| e.to_string())?;
            needs.take(&key, &value)?;
        }
        // The order of a Lua table is no order.
        needs.sticky.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(needs)
    }

    /// Names of all the sticky buffers it asks for: parsers compute some of them only then.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        let all = self.sticky.iter().map(|sticky| sticky.buffer).chain(self.wants.iter().copied());
        all.filter_map(|at| buffers::all().get(usize::from(at))).map(|entry| entry.name)
    }

    fn take(&mut self, key: &str, value: &Value) -> Result<(), String> {
        if matches!(value, Value::Nil | Value::Boolean(false)) {
            return Ok(());
        }
        match key {
            "packet" => self.packet = true,
            "payload" => self.payload = true,
            "stream" => self.stream = true,
            "buffer" => self.buffer = true,
            "flowint" => self.flowints = names(value),
            "flowvar" => self.flowvars = names(value),
            "bytevar" => self.bytevars = names(value),
            // What output scripts say of themselves.
            "type" | "filter" | "protocol" => {}
            _ => {
                let side = SIDES.iter().find(|(name, _)| *name == key);
                let protocol = key.split('.').next().filter(|p| side.is_some() || *p == key);
                if let Some(protocol) = protocol.and_then(ProtocolId::find) {
                    self.protocols.push(protocol);
                    self.dir = side.map(|(_, dir)| *dir).or(self.dir);
                    return Ok(());
                }
                let older = OLDER.iter().find(|(name, ..)| *name == key);
                let (name, dir) = older.map_or((key, None), |(_, name, dir)| (*name, *dir));
                let buffer =
                    buffers::find(name).ok_or_else(|| format!("init needs `{key}`, which is unknown"))?;
                self.sticky.push(Sticky { key: key.to_owned(), buffer, dir });
            }
        }
        Ok(())
    }
}

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Table(list) => list.sequence_values::<String>().filter_map(Result::ok).collect(),
        _ => Vec::new(),
    }
}

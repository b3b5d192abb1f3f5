//! dataset and datarep: the selected buffer is looked up in a named set.

use super::{Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::dataset::{self, Dataset, Entry, Form, Keys, Plan};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::{Lookup, Op};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub static DATASET: Keyword = Keyword {
    name: "dataset",
    kind: Kind::Payload,
    doc: "Looks the buffer up in a set: isset|isnotset|set|unset,NAME[,type string|md5|sha256|ipv4|ip][,load FILE]\
          [,state FILE][,save FILE][,memcap BYTES][,format csv|json|ndjson,value_key KEY,context_key KEY[,array_key KEY]\
          [,remove_key]].",
    example: "dns.query; dataset:set,names-seen,type string;",
    accepts: &[
        "dns.query; dataset:set,names-seen,type string;",
        "dns.query; dataset:isnotset,names-seen,type string, memcap 10mb, hashsize 1024;",
        "dns.query; to_md5; dataset:isset,hashes,type md5;",
        "ip.src; dataset:unset,addresses,type ip;",
    ],
    refuses: &[
        "dataset;",
        "dataset:isset,names,type string;",
        "dns.query; dataset:isset;",
        "dns.query; dataset:isset,nobody-made-this;",
        "dns.query; dataset:foo,names,type string;",
        "dns.query; dataset:isset,names,type number;",
        "dns.query; dataset:isset,names2,type string,load /no/such/file;",
        "dns.query; dataset:isset,names3,type string,load no-such-file.lst;",
        "dns.query; dataset:isset,names4,type string,format json;",
    ],
    parse: |rule, value| {
        let value = some_value("dataset", value, "isset,NAME,type string")?;
        let mut parts = value.split(',').map(str::trim);
        let command = match parts.next().unwrap_or("") {
            "isset" => Command::IsSet,
            "isnotset" => Command::IsNotSet,
            "set" => Command::Set,
            "unset" => Command::Unset,
            other => {
                return Err(Refusal::error(
                    format!("`{other}` is no dataset command"),
                    "use isset, isnotset, set or unset",
                ));
            }
        };
        let name = parts.next().unwrap_or("");
        let options = Options::read(parts)?;
        let set = open(rule, "dataset", name, &options)?;
        if matches!(command, Command::Set | Command::Unset) {
            set.will_change();
        }
        let context = options.context.as_deref().map(|key| rule.keep_context(key));
        rule.push_op(Op::Lookup(Box::new(Membership { set, command, context })));
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static DATAREP: Keyword = Keyword {
    name: "datarep",
    kind: Kind::Payload,
    doc: "Looks up the reputation of the buffer in a set: NAME,<|>|==,VALUE[,type TYPE][,load FILE].",
    example: "dns.query; datarep:names-rep,>,200,type string;",
    accepts: &[
        "dns.query; datarep:names-rep,>,200,type string;",
        "dns.query; datarep: names-rep, ==, 5, type string;",
    ],
    refuses: &[
        "datarep;",
        "datarep:names-rep2,>,200,type string;",
        "dns.query; datarep:names-rep3,?,200,type string;",
        "dns.query; datarep:names-rep4,>,x,type string;",
    ],
    parse: |rule, value| {
        let value = some_value("datarep", value, "NAME,>,200,type string")?;
        let mut parts = value.split(',').map(str::trim);
        let name = parts.next().unwrap_or("");
        let compare = match parts.next().unwrap_or("") {
            "<" => std::cmp::Ordering::Less,
            ">" => std::cmp::Ordering::Greater,
            "=" | "==" => std::cmp::Ordering::Equal,
            other => {
                return Err(Refusal::error(format!("`{other}` compares nothing"), "use <, > or =="));
            }
        };
        let text = parts.next().unwrap_or("");
        let than = text.parse::<u16>().map_err(|_| {
            Refusal::error(format!("`{text}` is no reputation"), "write a number from 0 to 65535")
        })?;
        let set = open(rule, "datarep", name, &Options::read(parts)?)?;
        rule.push_op(Op::Lookup(Box::new(Reputation { set, compare, than })));
        Ok(())
    },
    ..Keyword::EMPTY
};

#[derive(Clone, Copy)]
enum Command {
    IsSet,
    IsNotSet,
    Set,
    Unset,
}

/// `dataset`
struct Membership {
    set: Arc<Dataset>,
    command: Command,
    /// The variable the entry's context goes to.
    context: Option<u32>,
}

impl Lookup for Membership {
    fn holds(&self, data: &[u8], captures: &mut Vec<(u32, Vec<u8>)>) -> bool {
        match self.command {
            Command::IsNotSet => self.set.find(data).is_none(),
            // Only a value that is new, or was there, is a change (Suricata manual, "set", "unset").
            Command::Set => self.set.add(data, Entry::default()),
            Command::Unset => self.set.remove(data),
            Command::IsSet => {
                let Some(entry) = self.set.find(data) else { return false };
                if let (Some(id), Some(context)) = (self.context, entry.context) {
                    captures.push((id, context.to_vec()));
                }
                true
            }
        }
    }

    fn would_hold(&self, data: &[u8]) -> bool {
        let is_there = self.set.find(data).is_some();
        match self.command {
            Command::IsSet | Command::Unset => is_there,
            Command::IsNotSet | Command::Set => !is_there,
        }
    }
}

/// `datarep`
struct Reputation {
    set: Arc<Dataset>,
    compare: std::cmp::Ordering,
    than: u16,
}

impl Lookup for Reputation {
    fn holds(&self, data: &[u8], _captures: &mut Vec<(u32, Vec<u8>)>) -> bool {
        self.would_hold(data)
    }

    fn would_hold(&self, data: &[u8]) -> bool {
        self.set.find(data).is_some_and(|entry| entry.reputation.cmp(&self.than) == self.compare)
    }
}

/// What stands behind command and name.
#[derive(Default)]
struct Options {
    kind: Option<dataset::Kind>,
    load: Option<String>,
    state: Option<String>,
    save: Option<String>,
    memcap: Option<u64>,
    form: Form,
    context: Option<String>,
}

impl Options {
    fn read<'v>(parts: impl Iterator<Item = &'v str>) -> Result<Options, Refusal> {
        let mut options = Options::default();
        let (mut format, mut keys) = ("csv", Keys::default());
        for part in parts {
            let (key, text) = part.split_once(char::is_whitespace).map_or((part, ""), |(k, t)| (k, t.trim()));
            let some = || Some(text.to_owned()).filter(|t| !t.is_empty());
            let wrong = |fix: &str| Refusal::error(format!("`{part}` is not understood"), fix.to_owned());
            match key {
                "type" => {
                    let kind = dataset::Kind::find(text);
                    options.kind = Some(kind.ok_or_else(|| wrong("use string, md5, sha256, ipv4 or ip"))?);
                }
                "load" => options.load = some(),
                "state" => options.state = some(),
                "save" => options.save = some(),
                "memcap" => {
                    let bytes = super::number::bytes(text);
                    options.memcap = Some(bytes.ok_or_else(|| wrong("write memcap 10mb"))?);
                }
                // The table grows as it needs to.
                "hashsize" => {}
                "format" => format = text,
                "value_key" => keys.value = text.to_owned(),
                "array_key" => keys.array = text.to_owned(),
                "context_key" => options.context = some(),
                "remove_key" => keys.remove = true,
                _ => {
                    return Err(wrong(
                        "use type, load, state, save, memcap, hashsize, format and the keys of JSON",
                    ))
                }
            }
        }
        let json = format != "csv";
        if json && (keys.value.is_empty() || options.context.is_none()) {
            return Err(Refusal::error(
                format!("format {format} has no value_key or no context_key"),
                "write format json, value_key KEY, context_key NAME",
            ));
        }
        options.form = match format {
            "csv" => Form::Lines,
            "json" => Form::Json(keys),
            "ndjson" | "jsonline" => Form::JsonLines(keys),
            _ => {
                return Err(Refusal::error(format!("`{format}` is no format"), "use csv, json or ndjson"));
            }
        };
        Ok(options)
    }
}

/// The set of this name: the one that stands already, or a new one.
fn open(
    rule: &mut RuleBuilder<'_>,
    keyword: &str,
    name: &str,
    options: &Options,
) -> Result<Arc<Dataset>, Refusal> {
    if rule.current == 0 {
        return Err(Refusal::error(
            format!("{keyword} has no sticky buffer before it"),
            format!("select a buffer first, e.g. dns.query; {keyword}:...;"),
        ));
    }
    if name.is_empty() {
        return Err(Refusal::error(
            format!("{keyword} has no name"),
            format!("write {keyword}:isset,NAME,type string;"),
        ));
    }
    let known = rule.shared.outside().datasets.find(name);
    let kind = match (options.kind, &known) {
        (Some(kind), _) => kind,
        (None, Some(known)) => known.kind,
        (None, None) => {
            return Err(Refusal::error(
                format!("data set `{name}` is not defined"),
                "give its type (type string), or define it under datasets in the configuration",
            ));
        }
    };
    let config = rule.shared.outside().datasets.config.clone();
    let beside_rules = Path::new(rule.raw.file).parent().map(Path::to_owned).unwrap_or_default();
    let data = config.data_folder.clone().unwrap_or_default();
    let place = |text: &Option<String>, folder: &Path| -> Result<Option<PathBuf>, Refusal> {
        let Some(text) = text else { return Ok(None) };
        let path = Path::new(text);
        let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
        if (path.is_absolute() || climbs) && !config.absolute {
            return Err(Refusal::error(
                format!("`{text}` leaves the folder of the rules"),
                "name a file beside the rules, or set datasets.rules.allow-absolute-filenames: yes",
            ));
        }
        Ok(Some(folder.join(path)))
    };
    let state = place(&options.state, &data)?;
    let save = place(&options.save, &data)?.or(state.clone());
    if save.is_some() && config.no_write {
        return Err(Refusal::error(
            "the configuration forbids rules to write data sets",
            "use load, or set datasets.rules.allow-write: yes",
        ));
    }
    let load = place(&options.load, &beside_rules)?;
    let plan = Plan {
        name: name.to_owned(),
        kind,
        optional: load.is_none(),
        load: load.or(state),
        save,
        memcap: options.memcap.or(config.memcap).unwrap_or(dataset::MEMCAP_BYTES),
        form: options.form.clone(),
    };
    rule.shared.outside().datasets.open(plan).map_err(|reason| {
        Refusal::error(reason, "mend the file, or name it from the folder of the rules file")
    })
}

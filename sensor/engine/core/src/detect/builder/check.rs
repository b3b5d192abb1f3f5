//! Are the parts of a rule consistent? Each finding says what to mend. It must not compile anything: `finish.rs` does.

use super::{Item, List, Place, RuleBuilder};
use crate::app::{frames, ProtocolId};
use crate::detect::buffers;
use crate::detect::diagnostic::Refusal;
use crate::detect::endpoints::Arrow;
use crate::detect::program::{Amount, Op};
use crate::detect::rule::*;
use crate::direction::Dir;

impl RuleBuilder<'_> {
    /// Checks that need the whole rule: identity, empty buffers, directions, protocols.
    pub(super) fn check(&mut self) -> Result<(), (Option<usize>, Refusal)> {
        if !self.has_sid {
            return Err((
                None,
                Refusal::error("the rule has no sid", "add sid:N; with a number of your own"),
            ));
        }
        for list in self.lists.iter().skip(1) {
            if list.items.is_empty() && list.absent == Absent::No {
                let refusal = Refusal::error(
                    "the sticky buffer has no test",
                    "add content, pcre or another test behind it, or remove the buffer",
                );
                return Err((Some(list.option), refusal));
            }
            if let Place::App(buffer) = list.place {
                let Some(entry) = buffers::all().get(usize::from(buffer)) else {
                    continue;
                };
                if let Some(dir) = only_dir(buffer) {
                    self.implied_dirs.push((dir, entry.name.to_owned()));
                }
                let providers = entry.providers.iter().map(|(p, _)| *p).collect();
                self.limits.push((providers, entry.name.to_owned()));
            }
            if let Place::Frame(protocol, kind) = list.place {
                let name = format!("frame:{}.{}", protocol.get().name, frames::name(protocol, kind));
                self.limits.push((vec![protocol], name));
            }
        }
        self.check_frames().map_err(|refusal| (None, refusal))?;
        let is_app = self.lists.iter().any(|l| matches!(l.place, Place::App(_) | Place::Frame(..)))
            || !self.rule.tx_tests.is_empty();
        if is_app && self.needs_packet {
            let refusal = Refusal::error(
                "keywords about single packets (dsize, flags, ttl, tcp.hdr ...) do not go with app-layer keywords",
                "split the rule in two and join them with flowbits",
            );
            return Err((None, refusal));
        }
        if self.rule.unlogged == Some(Unlogged::Tx) && !is_app {
            let refusal = Refusal::error(
                "`config` speaks of a transaction, and nothing in the rule does",
                "add a sticky buffer or another app-layer keyword, or write type flow, scope flow",
            );
            return Err((None, refusal));
        }
        self.check_dirs().map_err(|refusal| (None, refusal))?;
        self.check_protocols().map_err(|refusal| (None, refusal))
    }

    /// A frame goes with no other buffer, as in Suricata: it comes and goes at its own time.
    fn check_frames(&mut self) -> Result<(), Refusal> {
        let mut kinds = self.lists.iter().filter_map(|l| match l.place {
            Place::Frame(protocol, kind) => Some((protocol, kind)),
            _ => None,
        });
        let Some(first) = kinds.next() else { return Ok(()) };
        let differ = kinds.any(|kind| kind != first);
        let other = self.lists.iter().any(|l| match l.place {
            Place::App(_) | Place::Packet(..) => true,
            Place::Payload => !l.items.is_empty(),
            _ => false,
        });
        if other || !self.rule.tx_tests.is_empty() {
            return Err(Refusal::error(
                "a frame does not go with contents or keywords outside it",
                "split the rule in two and join them with flowbits",
            ));
        }
        if differ {
            return Err(Refusal::error(
                "no frame is of two kinds: the rule can never match",
                "split the rule in two and join them with flowbits",
            ));
        }
        Ok(())
    }

    fn check_dirs(&mut self) -> Result<(), Refusal> {
        if self.rule.arrow == Arrow::Transaction {
            return Ok(());
        }
        for (dir, name) in &self.implied_dirs {
            match self.rule.flow.dir {
                Some(other) if other != *dir => {
                    return Err(Refusal::error(
                        format!("`{name}` exists {} only, but the rule looks the other way", dir_name(*dir)),
                        "change flow, or use a buffer of that direction (or => for both directions)",
                    ));
                }
                _ => self.rule.flow.dir = Some(*dir),
            }
        }
        Ok(())
    }

    /// Narrows the rule to the protocols that all of its keywords have in common.
    fn check_protocols(&mut self) -> Result<(), Refusal> {
        let rule = &mut self.rule;
        if rule.arrow == Arrow::Transaction && self.limits.is_empty() && rule.protocols.is_empty() {
            return Err(Refusal::error(
                "=> is for rules on transactions, and this rule has no app-layer keyword",
                "use -> or <>",
            ));
        }
        let mut seen: Option<&str> = None;
        for (providers, name) in &self.limits {
            let narrowed: Vec<ProtocolId> = if rule.protocols.is_empty() && seen.is_none() {
                providers.clone()
            } else {
                rule.protocols.iter().copied().filter(|p| providers.contains(p)).collect()
            };
            if narrowed.is_empty() {
                let other = seen.map_or("the protocol in the header".to_owned(), |s| format!("`{s}`"));
                return Err(Refusal::error(
                    format!("`{name}` and {other} belong to different protocols"),
                    "use keywords of one protocol in one rule",
                ));
            }
            rule.protocols = narrowed;
            seen = Some(name);
        }
        Ok(())
    }
}

/// Contents that can never match in their buffer.
pub(super) fn check_contents(list: &List, items: &[Item], dsize_max: Option<u64>) -> Result<(), Refusal> {
    let size_max = items.iter().filter_map(|item| match item {
        Item::Op(Op::Size(test)) => test.max(),
        _ => None,
    });
    let max = match list.place {
        Place::Payload => dsize_max,
        _ => size_max.min(),
    };
    let needed = needed_len(items);
    if max.is_some_and(|max| needed > max) {
        return Err(Refusal::error(
            format!("the contents need {needed} bytes, bsize or dsize allows less: the rule can never match"),
            "mend the size or the contents",
        ));
    }
    let name = match list.place {
        Place::App(buffer) => buffers::all().get(usize::from(buffer)).map_or("", |e| e.name),
        _ => "",
    };
    for item in items {
        let Item::Content(content) = item else { continue };
        let plain = list.transforms.is_empty();
        if plain
            && name == "http.host"
            && (content.nocase || content.bytes.iter().any(u8::is_ascii_uppercase))
        {
            return Err(Refusal::error(
                "http.host is in lower case: an upper case content never matches, and nocase says nothing",
                "write the content in lower case without nocase, or use http.host.raw",
            ));
        }
        let space = |b: Option<&u8>| b == Some(&b' ');
        if plain && name == "http.method" && (space(content.bytes.first()) || space(content.bytes.last())) {
            return Err(Refusal::error(
                "http.method has no spaces around it",
                "remove the space from the content",
            ));
        }
    }
    Ok(())
}

/// Bytes that the first content and those that hang on it need, as Suricata reckons.
fn needed_len(items: &[Item]) -> u64 {
    let contents = items.iter().filter_map(|item| match item {
        Item::Content(content) => Some(content),
        Item::Op(_) => None,
    });
    let mut needed: u64 = 0;
    for (at, content) in contents.enumerate() {
        if at > 0 && content.distance.is_none() {
            break;
        }
        let gap = match content.distance {
            Some(Amount::Fixed(n)) => u64::try_from(n).unwrap_or(0),
            _ => 0,
        };
        needed = needed.saturating_add(content.bytes.len() as u64).saturating_add(gap);
    }
    needed
}

/// The one direction a buffer exists in, if it is one.
pub(super) fn only_dir(buffer: u16) -> Option<Dir> {
    let entry = buffers::all().get(usize::from(buffer))?;
    let has = |dir: Dir| {
        entry
            .providers
            .iter()
            .any(|(p, local)| buffers::buffer(*p, *local).is_some_and(|b| b.progress[dir].is_some()))
    };
    match (has(Dir::ToServer), has(Dir::ToClient)) {
        (true, false) => Some(Dir::ToServer),
        (false, true) => Some(Dir::ToClient),
        _ => None,
    }
}

fn dir_name(dir: Dir) -> &'static str {
    match dir {
        Dir::ToServer => "to the server",
        Dir::ToClient => "to the client",
    }
}

//! The last step of building: the parts of a rule are checked against each other and put into their compiled form.

use super::{ContentDraft, Item, List, Place, RuleBuilder};
use crate::app::ProtocolId;
use crate::detect::buffers;
use crate::detect::diagnostic::Refusal;
use crate::detect::fast_pattern::{self, Ask, Candidate};
use crate::detect::program::search::Literal;
use crate::detect::program::{Amount, Content, Op, Program};
use crate::detect::rule::*;
use crate::direction::Dir;

type Findings = Vec<(Option<usize>, Refusal)>;
/// Warnings, by the option they are about.
type Warnings = Vec<(usize, String)>;

/// Tests of one evaluation at most: recursion is as deep as there are tests.
const OPS_MAX: usize = 256;
/// `PartialMatch::matched` has a bit per buffer test.
const BUFFERS_MAX: usize = 32;

impl RuleBuilder<'_> {
    pub(super) fn finish(mut self) -> Result<(Rule, Warnings), Findings> {
        self.check().map_err(|finding| vec![finding])?;
        let has_absolute = self.payload_has_absolute();
        let mut candidates = Vec::new();
        let lists = std::mem::take(&mut self.lists);
        let mut base64: Vec<(usize, Program)> = Vec::new();
        let mut built = Vec::new();
        for (at, mut list) in lists.into_iter().enumerate() {
            let items = std::mem::take(&mut list.items);
            if let Err(refusal) = check_contents(&list, &items, self.dsize_max) {
                return Err(vec![(Some(list.option), refusal)]);
            }
            let (ops, found) = compile(items);
            if ops.len() > OPS_MAX {
                let refusal =
                    Refusal::error(format!("more than {OPS_MAX} tests on one buffer"), "split the rule");
                return Err(vec![(Some(list.option), refusal)]);
            }
            match list.place {
                Place::Base64(parent) => base64.push((parent, Program::new(ops))),
                _ => built.push((at, list, ops, found)),
            }
        }
        for (at, list, mut ops, found) in built {
            if let Some(inner) = base64.iter().position(|(parent, _)| *parent == at) {
                attach(&mut ops, base64.swap_remove(inner).1);
            }
            let target = match list.place {
                Place::App(buffer) => Target::App(buffer),
                Place::Packet(_, buffer) => Target::Packet(buffer),
                _ => Target::Payload,
            };
            let program = Program::new(ops);
            let slot = match target {
                Target::Payload => None,
                _ => Some(self.rule.buffers.len()),
            };
            // Header buffers are not prefiltered, nor is a buffer whose absence may match.
            if !matches!(target, Target::Packet(_)) && list.absent == Absent::No {
                let weak_buffer = matches!(target, Target::App(b) if is_weak(b));
                for (op, mut candidate) in found {
                    candidate.buffer = slot;
                    candidate.weak_buffer = weak_buffer;
                    candidate.exact &= !retried(&program, op);
                    candidates.push(candidate);
                }
            }
            match target {
                Target::Payload if program.is_empty() => {}
                Target::Payload => self.rule.payload = Some(program),
                _ => {
                    let dir = list.dir.or_else(|| self.buffer_dir(&list.place));
                    self.rule.buffers.push(BufferTest {
                        target,
                        dir,
                        transforms: list.transforms,
                        program,
                        absent: list.absent,
                    });
                }
            }
        }
        if self.rule.buffers.len() > BUFFERS_MAX {
            let refusal = Refusal::error(
                format!("more than {BUFFERS_MAX} sticky buffers"),
                "split the rule, or put the tests of one buffer together",
            );
            return Err(vec![(None, refusal)]);
        }
        self.place_payload(has_absolute);
        self.rule.fast_pattern = fast_pattern::choose(candidates);
        Ok((self.rule, self.warnings))
    }

    /// Checks that need the whole rule: identity, empty buffers, directions, protocols.
    fn check(&mut self) -> Result<(), (Option<usize>, Refusal)> {
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
        }
        let is_app =
            self.lists.iter().any(|l| matches!(l.place, Place::App(_))) || !self.rule.tx_tests.is_empty();
        if is_app && self.needs_packet {
            let refusal = Refusal::error(
                "keywords about single packets (dsize, flags, ttl, tcp.hdr ...) do not go with app-layer keywords",
                "split the rule in two and join them with flowbits",
            );
            return Err((None, refusal));
        }
        self.check_dirs().map_err(|refusal| (None, refusal))?;
        self.check_protocols().map_err(|refusal| (None, refusal))
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

    fn buffer_dir(&self, place: &Place) -> Option<Dir> {
        let Place::App(buffer) = place else {
            return None;
        };
        only_dir(*buffer).or(match self.rule.arrow {
            Arrow::Transaction => None,
            _ => self.rule.flow.dir,
        })
    }

    /// A content with offset or depth, startswith included.
    fn payload_has_absolute(&self) -> bool {
        self.lists.first().is_some_and(|list| {
            list.items.iter().any(|item| match item {
                Item::Content(c) => c.offset.is_some() || c.depth.is_some(),
                Item::Op(_) => false,
            })
        })
    }

    /// Where the payload program is tried (Suricata manual, "tcp-pkt and tcp-stream"): keywords about single packets keep
    /// it to packets; otherwise TCP is inspected as stream, and as packets too when a content stands at a fixed place.
    /// A packet that is in no stream (UDP, ICMP, TCP before the handshake) is inspected as it is either way, unless the
    /// rule says only_stream.
    fn place_payload(&mut self, has_absolute: bool) {
        let rule = &mut self.rule;
        let may_be_tcp = match rule.transport {
            Transport::Ip | Transport::Any | Transport::Tcp | Transport::TcpStream | Transport::TcpPacket => {
                true
            }
            Transport::Ipv4 | Transport::Ipv6 => true,
            Transport::Number(n) => n == 6,
            Transport::App => rule.protocols.iter().any(|p| p.get().tcp),
            _ => false,
        };
        let (packet, stream) = if rule.transport == Transport::TcpStream || rule.flow.only_stream {
            (false, true)
        } else if rule.transport == Transport::TcpPacket
            || rule.flow.no_stream
            || self.needs_packet
            || !may_be_tcp
        {
            (true, false)
        } else {
            (has_absolute || self.has_stream_size, true)
        };
        rule.payload_on_packet = packet;
        rule.payload_on_stream = stream;
    }
}

/// Contents that can never match in their buffer.
fn check_contents(list: &List, items: &[Item], dsize_max: Option<u64>) -> Result<(), Refusal> {
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

/// Drafts become tests. Contents asked for `only` come first, since nothing may hang on where they matched.
fn compile(mut items: Vec<Item>) -> (Vec<Op>, Vec<(usize, Candidate)>) {
    items.sort_by_key(|item| !matches!(item, Item::Content(c) if c.ask == Ask::Only));
    let mut ops = Vec::with_capacity(items.len());
    let mut candidates = Vec::new();
    for item in items {
        match item {
            Item::Op(op) => ops.push(op),
            Item::Content(draft) => {
                if !draft.negated {
                    candidates.push((ops.len(), candidate(&draft)));
                }
                ops.push(Op::Content(content(draft)));
            }
        }
    }
    (ops, candidates)
}

fn content(draft: ContentDraft) -> Content {
    let relative = draft.is_relative();
    let (start, length) = if relative { (draft.distance, draft.within) } else { (draft.offset, draft.depth) };
    Content {
        literal: Literal::new(&draft.bytes, draft.nocase),
        negated: draft.negated,
        relative,
        ends_with: draft.ends_with,
        start: start.unwrap_or(Amount::Fixed(0)),
        length,
        retry: false,
    }
}

fn candidate(draft: &ContentDraft) -> Candidate {
    let fixed = |amount: Option<Amount>| match amount {
        Some(Amount::Fixed(n)) => u32::try_from(n).ok(),
        _ => None,
    };
    let relative = draft.is_relative();
    let min_start = if relative { None } else { fixed(draft.offset) };
    let max_end = if relative || matches!(draft.offset, Some(Amount::Variable(_))) {
        None
    } else {
        fixed(draft.depth).map(|depth| depth.saturating_add(min_start.unwrap_or(0)))
    };
    let variable = [draft.offset, draft.depth].iter().any(|a| matches!(a, Some(Amount::Variable(_))));
    Candidate {
        buffer: None,
        bytes: draft.bytes.clone(),
        nocase: draft.nocase,
        ask: draft.ask,
        min_start: min_start.unwrap_or(0),
        max_end,
        exact: !relative && !draft.ends_with && !variable,
        weak_buffer: false,
    }
}

fn retried(program: &Program, op: usize) -> bool {
    match program.ops().get(op) {
        Some(Op::Content(content)) => content.retry,
        _ => true,
    }
}

/// Gives what base64_data asks to the base64_decode before it.
fn attach(ops: &mut [Op], program: Program) {
    let decode = ops.iter_mut().rev().find_map(|op| match op {
        Op::Base64 { inner, .. } => Some(inner),
        _ => None,
    });
    if let Some(inner) = decode {
        *inner = Some(program);
    }
}

fn is_weak(buffer: u16) -> bool {
    buffers::all()
        .get(usize::from(buffer))
        .is_some_and(|entry| fast_pattern::WEAK_BUFFERS.contains(&entry.name))
}

/// The one direction a buffer exists in, if it is one.
fn only_dir(buffer: u16) -> Option<Dir> {
    let entry = buffers::all().get(usize::from(buffer))?;
    let has = |dir: Dir| {
        entry
            .providers
            .iter()
            .any(|(p, local)| p.get().buffers.get(*local).is_some_and(|b| b.progress[dir].is_some()))
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

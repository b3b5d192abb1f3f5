//! The last step of building: the parts of a rule, checked by `check.rs`, are put into their compiled form.

use super::check::{check_contents, only_dir};
use super::origins::is_decoded;
use super::{ContentDraft, Item, Origins, Place, RuleBuilder};
use crate::detect::buffers;
use crate::detect::diagnostic::Refusal;
use crate::detect::endpoints::Arrow;
use crate::detect::fast_pattern::{self, Ask, Candidate};
use crate::detect::keywords;
use crate::detect::program::number::NumberTest;
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
    pub(super) fn finish(mut self) -> Result<(Rule, Warnings, Option<Origins>), Findings> {
        keywords::file::finish(&mut self);
        self.check().map_err(|finding| vec![finding])?;
        let has_absolute = self.payload_has_absolute();
        let mut candidates = Vec::new();
        let lists = std::mem::take(&mut self.lists);
        // (list that decodes, its own number, tests of what is decoded)
        let mut base64: Vec<(usize, usize, Program)> = Vec::new();
        let mut built = Vec::new();
        for (at, mut list) in lists.into_iter().enumerate() {
            let items = std::mem::take(&mut list.items);
            if let Err(refusal) = check_contents(&list, &items, self.dsize_max) {
                return Err(vec![(Some(list.option), refusal)]);
            }
            if let Some(origins) = &mut self.origins {
                origins.ordered(at, &items, is_only_prefilter);
            }
            let (ops, mut found) = compile(items);
            // A buffer of a fixed length that is the content's own holds nothing else.
            let exact = ops.iter().find_map(|op| match op {
                Op::Size(NumberTest::Equal(size)) => u32::try_from(*size).ok(),
                _ => None,
            });
            for candidate in found.iter_mut().filter(|_| exact.is_some()) {
                candidate.bounds.end = candidate.bounds.end.min(exact.unwrap_or(u32::MAX));
            }
            if ops.len() > OPS_MAX {
                let refusal =
                    Refusal::error(format!("more than {OPS_MAX} tests on one buffer"), "split the rule");
                return Err(vec![(Some(list.option), refusal)]);
            }
            match is_decoded(&list) {
                Some(parent) => base64.push((parent, at, Program::new(ops))),
                None => built.push((at, list, ops, found)),
            }
        }
        self.rule.buffers.reserve_exact(built.len());
        for (at, list, mut ops, found) in built {
            let mut decoded = None;
            if let Some(inner) = base64.iter().position(|(parent, ..)| *parent == at) {
                let (_, own, program) = base64.swap_remove(inner);
                attach(&mut ops, program);
                decoded = Some(own);
            }
            if let Some(origins) = &mut self.origins {
                origins.settled(at, &list, decoded, matches!(list.place, Place::Payload));
            }
            let target = match list.place {
                Place::App(buffer) => Target::App(buffer),
                Place::Packet(_, buffer) => Target::Packet(buffer),
                Place::Frame(protocol, kind) => Target::Frame(protocol, kind),
                _ => Target::Payload,
            };
            let program = Program::new(ops);
            let slot = match target {
                Target::Payload => None,
                _ => Some(self.rule.buffers.len()),
            };
            // Header buffers are not prefiltered, nor is a buffer whose absence may match.
            let may_prefilter = list.transforms.iter().all(|t| t.may_prefilter());
            if !matches!(target, Target::Packet(_)) && list.absent == Absent::No && may_prefilter {
                let weak_buffer = matches!(target, Target::App(b) if is_weak(b));
                for mut candidate in found {
                    candidate.buffer = slot;
                    candidate.weak_buffer = weak_buffer;
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
        let placed = fast_pattern::choose_placed(&candidates);
        self.rule.fast_pattern = fast_pattern::choose(candidates);
        if let Some(fast) = self.rule.fast_pattern.as_mut().filter(|f| f.buffer.is_none()) {
            fast.longest = Some(self.rule.payload_len.1).filter(|longest| *longest != u32::MAX);
        }
        let (both, own) = (self.rule.payload_on_stream, self.rule.fast_pattern.as_ref());
        let placed = placed.filter(|placed| both || fast_pattern::is_better(placed, own));
        // Only what is there is put down: it takes memory of its own in the rule.
        if let Some(placed) = placed.filter(|_| self.rule.payload_on_packet) {
            self.rule.packet_pattern = Some(placed);
        }
        if let Some(origins) = &mut self.origins {
            origins.close(&self.rule);
        }
        Ok((self.rule, self.warnings, self.origins))
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
            Transport::Ether | Transport::Ipv4 | Transport::Ipv6 => true,
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

/// A content of `fast_pattern:only`.
fn is_only_prefilter(item: &Item) -> bool {
    matches!(item, Item::Content(c) if c.ask == Ask::Only)
}

/// Drafts become tests. Contents asked for `only` come first, since nothing may hang on where they matched.
fn compile(mut items: Vec<Item>) -> (Vec<Op>, Vec<Candidate>) {
    items.sort_by_key(|item| !is_only_prefilter(item));
    let mut ops = Vec::with_capacity(items.len());
    let mut candidates = Vec::new();
    // The stretch in which the match before ends. At first the position is the start of what is at hand of the buffer.
    let mut ended = None;
    for item in items {
        match item {
            Item::Op(op) => {
                ended = ended.filter(|_| !op.sets_position());
                ops.push(op);
            }
            Item::Content(draft) => {
                if !draft.negated {
                    let bounds = placed(&draft, ended);
                    ended = bounds.map(|Bounds { start, end }| {
                        let length = u32::try_from(draft.bytes.len()).unwrap_or(u32::MAX);
                        Bounds { start: start.saturating_add(length), end }
                    });
                    candidates.push(candidate(&draft, bounds.unwrap_or(Bounds::ANYWHERE)));
                }
                ops.push(Op::Content(content(draft)));
            }
        }
    }
    (ops, candidates)
}

/// Where a content must lie, if the rule's text alone tells; `ended`: where the match before it ends, in the same way.
fn placed(draft: &ContentDraft, ended: Option<Bounds>) -> Option<Bounds> {
    let (base, skip, length) = if draft.is_relative() {
        (ended?, draft.distance, draft.within)
    } else {
        (Bounds { start: 0, end: 0 }, draft.offset, draft.depth)
    };
    let skip = match skip {
        None => 0,
        Some(Amount::Fixed(skip)) => skip,
        Some(Amount::Variable(_)) => return None,
    };
    let at = |from: u32| i64::from(from).saturating_add(skip);
    let end = match length {
        Some(Amount::Fixed(length)) if base.end != u32::MAX => {
            u32::try_from(at(base.end).saturating_add(length).max(0)).unwrap_or(u32::MAX)
        }
        _ => u32::MAX,
    };
    Some(Bounds { start: u32::try_from(at(base.start).max(0)).unwrap_or(u32::MAX), end })
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

fn candidate(draft: &ContentDraft, bounds: Bounds) -> Candidate {
    Candidate {
        buffer: None,
        bytes: draft.bytes.clone(),
        nocase: draft.nocase,
        ask: draft.ask,
        bounds,
        weak_buffer: false,
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

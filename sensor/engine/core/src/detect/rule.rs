//! The compiled form of one rule: what the keywords build and the run loop reads. Immutable once built.

use super::cx::{EvalCx, PacketCx};
use super::effects::{Action, RateFilter, Suppress, Tag, Threshold};
use super::endpoints::{AddrSet, Arrow, PortSet};
use super::lua::{ScriptTest, Scripts};
use super::program::Program;
use super::texts::RuleTexts;
use crate::app::file::File;
use crate::app::{ProtocolId, Transaction};
use crate::direction::{Dir, PerDir};
use crate::flow::Flow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Which packets a rule header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `ip`: any packet with an IP header.
    Ip,
    /// `pkthdr`: any packet at all.
    Any,
    Tcp,
    /// `tcp-pkt`: single packets only.
    TcpPacket,
    /// `tcp-stream`: the reassembled stream only.
    TcpStream,
    Udp,
    Icmp4,
    Icmp6,
    /// `icmp`: both.
    Icmp,
    Ipv4,
    Ipv6,
    Sctp,
    /// ARP for Ethernet and IPv4.
    Arp,
    /// Any packet with an Ethernet header.
    Ether,
    /// Other IP protocol by number.
    Number(u8),
    /// An app-layer protocol's name: the transports are the protocol's.
    App,
}

/// `flow:` keyword and `->`, as conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCondition {
    pub established: bool,
    pub not_established: bool,
    pub stateless: bool,
    pub dir: Option<Dir>,
    pub only_stream: bool,
    pub no_stream: bool,
    pub only_frag: bool,
    pub no_frag: bool,
}

/// A test of packet headers or flow facts. Must be cheap and must not look at payload.
pub trait PacketTest: Send + Sync {
    fn matches(&self, cx: &PacketCx<'_>) -> bool;
    /// It asks what is alike in all packets of a flow: a rule with nothing else is an IP-only rule.
    fn ip_only(&self) -> bool {
        false
    }
    /// It asks what the flow was recognised as.
    fn about_recognition(&self) -> bool {
        false
    }
    /// The engine event it asks for (decode-event, stream-event): the rule is tried only on packets that have it.
    fn event_code(&self) -> Option<u16> {
        None
    }
}

/// A test of a transaction that is not about the bytes of one buffer (app-layer-event, urilen, status codes ...).
pub trait TxTest: Send + Sync {
    /// Direction it belongs to; None = both.
    fn dir(&self) -> Option<Dir>;
    /// Progress from which it can be decided in its direction.
    fn progress(&self) -> u8;
    /// The protocol it is about; None = any.
    fn protocol(&self) -> Option<ProtocolId>;
    fn matches(&self, tx: &dyn Transaction, dir: Dir, cx: &EvalCx<'_>) -> bool;
    /// It is about app-layer events: a transaction without events cannot match.
    fn needs_events(&self) -> bool {
        false
    }
}

/// What the `filestore` keyword asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filestore {
    pub scope: StoreScope,
    /// Directions whose files are stored; None: the one in which the rule matched.
    pub dirs: Option<PerDir<bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreScope {
    /// The files that passed the rule's tests.
    File,
    /// All files of the transaction.
    Tx,
    /// All files of the flow from now on.
    Flow,
}

/// A test of one file (filename, filesize, filemd5 ...).
pub type FileTest = Box<dyn Fn(&File) -> bool + Send + Sync>;

/// What the keyword `config` takes out of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlogged {
    /// The record of the transaction.
    Tx,
    /// The event at the flow's end.
    Flow,
}

/// What a matching rule does besides alerting (flowbits:set ...). `captures` are those of the evaluation.
pub trait OnMatch: Send + Sync {
    fn apply(&self, packet: &crate::decode::Packet<'_>, flow: Option<&mut Flow>, captures: &[(u32, Vec<u8>)]);
}

/// Rewrites a buffer before it is inspected (to_lowercase, url_decode ...). Output goes to `out` (cleared by the caller).
pub trait Transform: Send + Sync {
    /// Identity for caching: name and options; two rules with equal identities share a transformed buffer.
    fn identity(&self) -> String;
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, scripts: &Scripts);
    /// What comes out may be searched ahead of the rule's turn. A script is called once, and not in vain.
    fn may_prefilter(&self) -> bool {
        true
    }
}

/// Bytes of a packet a sticky buffer names (`tcp.hdr`, `ipv4.hdr`, `icmpv6.hdr`, `udp.hdr` ...).
pub type PacketBuffer = for<'a> fn(&crate::decode::Packet<'a>) -> Option<&'a [u8]>;

/// Where a program looks.
#[derive(Clone, Copy)]
pub enum Target {
    /// Packet payload and / or reassembled stream; see `Rule::payload_*`.
    Payload,
    /// App-layer buffer by its number in `detect::buffers`.
    App(u16),
    /// A header buffer by its number in the packet-buffer table.
    Packet(PacketBuffer),
    /// A kind of frame of a protocol; see `app::frames`.
    Frame(ProtocolId, u8),
}

/// One sticky buffer of a rule with what must hold on it.
pub struct BufferTest {
    pub target: Target,
    /// Direction in which the buffer is taken (App only); None = whatever direction is inspected.
    pub dir: Option<Dir>,
    pub transforms: Vec<Box<dyn Transform>>,
    pub program: Program,
    /// What it means when the buffer does not exist.
    pub absent: Absent,
}

/// The `absent` keyword: what a buffer test says of a buffer that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// Not matched.
    #[default]
    No,
    /// `absent`: matched only when it does not exist.
    Only,
    /// `absent:or_else`: matched when it does not exist, or when the program matches.
    OrElse,
}

/// The literal by which the prefilter finds the rule.
#[derive(Clone, Debug)]
pub struct FastPattern {
    /// Index in `Rule::buffers`, or None for the payload program.
    pub buffer: Option<usize>,
    pub bytes: Vec<u8>,
    pub nocase: bool,
    /// Where in the buffer it may stand.
    pub bounds: Bounds,
    /// Longer data cannot match the rule.
    pub longest: Option<u32>,
}

impl FastPattern {
    /// Whether it can stand at one place only.
    pub fn is_anchored(&self) -> bool {
        self.bounds.hold_once(&self.bytes)
    }
}

/// The stretch of a buffer in which a literal must lie whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bounds {
    /// Its first byte stands here or behind.
    pub start: u32,
    /// Its last byte stands before this offset.
    pub end: u32,
}

impl Bounds {
    pub const ANYWHERE: Bounds = Bounds { start: 0, end: u32::MAX };

    /// Whether the literal can stand at one place only.
    pub fn hold_once(&self, literal: &[u8]) -> bool {
        self.end.checked_sub(self.start) == u32::try_from(literal.len()).ok()
    }
}

/// A compiled rule.
pub struct Rule {
    /// Its place among the rules as read; after ordering (action, flowbit dependencies, priority) its index in the ruleset.
    pub number: u32,
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub texts: RuleTexts,
    pub class_description: Arc<str>,
    pub priority: u8,
    pub action: Action,
    pub noalert: bool,
    pub transport: Transport,
    /// App-layer protocols the rule is for (from the header or implied by its buffers); empty = any.
    pub protocols: Vec<ProtocolId>,
    pub src: AddrSet,
    pub src_ports: PortSet,
    pub dst: AddrSet,
    pub dst_ports: PortSet,
    pub arrow: Arrow,
    pub flow: FlowCondition,
    pub packet_tests: Vec<Box<dyn PacketTest>>,
    /// Contents and friends without a sticky buffer.
    pub payload: Option<Program>,
    /// The payload program is tried on single packets / on the reassembled stream (Suricata manual, "tcp" rules).
    /// The least and greatest payload that dsize allows.
    pub payload_len: (u32, u32),
    pub payload_on_packet: bool,
    pub payload_on_stream: bool,
    pub buffers: Vec<BufferTest>,
    pub tx_tests: Vec<Box<dyn TxTest>>,
    /// Tests that one and the same file of the transaction has to pass.
    pub file_tests: Arc<[FileTest]>,
    pub on_match: Vec<Box<dyn OnMatch>>,
    pub fast_pattern: Option<FastPattern>,
    seldom: Option<Box<Seldom>>,
}

/// What few rules have: kept apart, so that the others are half the size. It is read and written as if it were of the rule.
#[derive(Default)]
pub struct Seldom {
    /// The literal by which it is found in single packets, where another serves better there.
    pub packet_pattern: Option<FastPattern>,
    /// It matches only while what this direction's sender has sent is less than so many bytes.
    pub stream_below: Option<(Dir, u64)>,
    /// Tests of what workers share.
    pub shared_tests: Vec<Box<dyn PacketTest>>,
    pub filestore: Option<Filestore>,
    /// Scripts that have the last word, once everything else holds.
    pub scripts: Vec<ScriptTest>,
    /// Sticky buffers, by name, that its scripts may ask for.
    pub asked: Vec<&'static str>,
    /// What the log leaves out once the rule matched.
    pub unlogged: Option<Unlogged>,
    pub threshold: Option<Threshold>,
    /// `flowbits` this rule sets and reads, for ordering: ids of the shared interner.
    pub bits_set: Vec<u32>,
    pub bits_read: Vec<u32>,
    /// `target:src_ip|dest_ip`: Some(true) = the source is the target.
    pub target_src: Option<bool>,
    /// Names of the variables the evaluation numbers (byte_extract ...).
    pub variables: Vec<String>,
    pub tags: Vec<Tag>,
    pub suppress: Vec<Suppress>,
    pub rate_filter: Option<RateFilter>,
    /// Variables shown in the alert's context.
    pub context: Vec<u32>,
}

static NOTHING: Seldom = Seldom {
    packet_pattern: None,
    stream_below: None,
    shared_tests: Vec::new(),
    filestore: None,
    scripts: Vec::new(),
    asked: Vec::new(),
    unlogged: None,
    threshold: None,
    bits_set: Vec::new(),
    bits_read: Vec::new(),
    target_src: None,
    variables: Vec::new(),
    tags: Vec::new(),
    suppress: Vec::new(),
    rate_filter: None,
    context: Vec::new(),
};

impl Deref for Rule {
    type Target = Seldom;

    #[inline]
    fn deref(&self) -> &Seldom {
        self.seldom.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Rule {
    fn deref_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }
}

impl Rule {
    /// A rule that asks nothing yet.
    pub fn empty(texts: RuleTexts) -> Self {
        Rule {
            number: texts.number(),
            gid: 1,
            sid: 0,
            rev: 0,
            texts,
            class_description: Arc::default(),
            priority: Self::PRIORITY_DEFAULT,
            action: Action::Alert,
            noalert: false,
            transport: Transport::Ip,
            protocols: Vec::new(),
            src: AddrSet(None),
            src_ports: PortSet(None),
            dst: AddrSet(None),
            dst_ports: PortSet(None),
            arrow: Arrow::Right,
            flow: FlowCondition::default(),
            seldom: None,
            packet_tests: Vec::new(),
            payload: None,
            payload_len: (0, u32::MAX),
            payload_on_packet: false,
            payload_on_stream: false,
            buffers: Vec::new(),
            tx_tests: Vec::new(),
            file_tests: Arc::default(),
            on_match: Vec::new(),
            fast_pattern: None,
        }
    }

    /// Priority of rules that name none (Suricata manual, "priority").
    pub const PRIORITY_DEFAULT: u8 = 3;

    /// Whether the rule asks for nothing but the flow's protocol: it is tried once per direction, when that is known.
    pub fn is_recognition_only(&self) -> bool {
        !self.packet_tests.is_empty()
            && self.payload.is_none()
            && self.buffers.is_empty()
            && self.protocols.is_empty()
            && self.packet_tests.iter().all(|t| t.about_recognition())
    }

    /// The kind of frame the rule looks at.
    pub fn frame(&self) -> Option<(ProtocolId, u8)> {
        self.buffers.iter().find_map(|b| match b.target {
            Target::Frame(protocol, kind) => Some((protocol, kind)),
            _ => None,
        })
    }

    /// A rule about transactions whose prefilter pattern is in the payload or stream: only a packet in which it was found
    /// can complete the rule.
    pub fn is_payload_led(&self) -> bool {
        self.payload.is_some()
            && self.fast_pattern.as_ref().is_some_and(|fast| fast.buffer.is_none())
            && self.arrow != Arrow::Transaction
    }

    /// The pattern to look for in single packets. A rule about transactions that a payload pattern leads to has but one.
    pub fn packet_lead(&self) -> Option<&FastPattern> {
        self.packet_pattern.as_ref().filter(|_| !self.is_app()).or(self.fast_pattern.as_ref())
    }

    /// Whether the rule looks at transactions.
    pub fn is_app(&self) -> bool {
        !self.tx_tests.is_empty() || self.buffers.iter().any(|b| matches!(b.target, Target::App(_)))
    }
}

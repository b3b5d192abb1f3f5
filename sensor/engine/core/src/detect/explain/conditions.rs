//! The conditions of a rule as its author wrote them, in the order in which detection asks them.

use crate::app::frames;
use crate::detect::buffers;
use crate::detect::builder::origins::{Options, Origins, Tests};
use crate::detect::endpoints::Arrow;
use crate::detect::eval::End;
use crate::detect::fast_pattern::strength;
use crate::detect::program::{Op, Program};
use crate::detect::raw::RawRule;
use crate::detect::rule::{Absent, BufferTest, Rule, Target};

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Transport,
    End(End),
    Flow,
    /// The app protocol that the header, or the keywords together, ask for.
    Protocol,
    PacketTest(usize),
    /// Whether a pattern led to the rule.
    Prefilter,
    /// A buffer that must not exist, by its index in `Rule::buffers`.
    Absent(usize),
    /// A test of the payload, a buffer, or of what was decoded there.
    Test,
    TxTest(usize),
    Script,
    Shared(usize),
}

pub struct Condition {
    pub what: What,
    /// Its first keyword; of the header: what part of it.
    pub keyword: String,
    /// As written, with its modifiers.
    pub text: String,
    /// The buffer it looks at.
    pub buffer: Option<String>,
    /// Indices of the options that say it; none: the header.
    pub options: Options,
    pub line: u32,
    pub column: u32,
    /// How much it tells, in bits, roughly: of attempts that fail the one that lacks the least is the nearest.
    pub weight: u32,
}

/// Where the conditions of one program stand in the list.
#[derive(Default)]
pub struct ProgramConditions {
    pub tests: Vec<usize>,
    pub decoded: Vec<usize>,
}

#[derive(Default)]
pub struct Conditions {
    pub list: Vec<Condition>,
    pub payload: ProgramConditions,
    /// As `Rule::buffers`, with the condition that the buffer does not exist.
    pub buffers: Vec<(Option<usize>, ProgramConditions)>,
}

/// What is at stake in a header's part or a small test.
const PART_BITS: u32 = 6;
const DIRECTION_BITS: u32 = 2;
const PCRE_BITS: u32 = 24;
/// No content tells more than this.
const CONTENT_BITS_MAX: u32 = 64;

impl Conditions {
    pub fn of(rule: &Rule, raw: &RawRule<'_>, origins: &Origins) -> Conditions {
        let mut all = Conditions::default();
        all.header(rule, raw);
        for (test, options) in origins.packet_tests.iter().enumerate() {
            all.add(raw, What::PacketTest(test), options, None, PART_BITS);
        }
        let lead = all.add(raw, What::Prefilter, &Vec::new(), None, 0);
        if let Some(condition) = all.list.get_mut(lead) {
            condition.keyword = "prefilter".to_owned();
            condition.text = lead_text(rule);
        }
        for (at, (test, origin)) in rule.buffers.iter().zip(&origins.buffers).enumerate() {
            all.buffer(raw, at, test, origin);
        }
        for (test, options) in origins.tx_tests.iter().enumerate() {
            all.add(raw, What::TxTest(test), options, None, PART_BITS);
        }
        if let Some(program) = &rule.payload {
            all.payload = all.program(raw, program, &origins.payload, "payload");
        }
        for options in &origins.scripts {
            all.add(raw, What::Script, options, None, PART_BITS);
        }
        for (test, options) in origins.shared_tests.iter().enumerate() {
            all.add(raw, What::Shared(test), options, None, PART_BITS);
        }
        all
    }

    fn header(&mut self, rule: &Rule, raw: &RawRule<'_>) {
        let by_option = |name: &str| {
            let named = |keyword: &str| keyword.trim().eq_ignore_ascii_case(name);
            raw.options.iter().enumerate().filter(|(_, o)| named(o.keyword)).map(|(at, _)| at).collect()
        };
        let part = |all: &mut Conditions, what, keyword: &str, text: &str, weight| {
            let at = all.add(raw, what, &Vec::new(), None, weight);
            if let Some(condition) = all.list.get_mut(at) {
                (condition.keyword, condition.text) = (keyword.to_owned(), text.to_owned());
            }
        };
        part(self, What::Transport, "protocol", raw.protocol, PART_BITS);
        for (end, keyword, text, is_any) in [
            (End::Source, "source", raw.src, rule.src.0.is_none()),
            (End::SourcePort, "source port", raw.sport, rule.src_ports.0.is_none()),
            (End::Destination, "destination", raw.dst, rule.dst.0.is_none()),
            (End::DestinationPort, "destination port", raw.dport, rule.dst_ports.0.is_none()),
        ] {
            if !is_any {
                part(self, What::End(end), keyword, text, PART_BITS);
            }
        }
        let flow: Options = by_option("flow");
        if !flow.is_empty() {
            self.add(raw, What::Flow, &flow, None, DIRECTION_BITS);
        } else if rule.flow != Default::default() && rule.arrow != Arrow::Transaction {
            // Implied by a keyword that exists one way only.
            part(
                self,
                What::Flow,
                "direction",
                if rule.flow.dir.is_some() { "implied" } else { "" },
                DIRECTION_BITS,
            );
        }
        if !rule.protocols.is_empty() {
            let names: Vec<&str> = rule.protocols.iter().map(|p| p.get().name).collect();
            part(self, What::Protocol, "app protocol", &names.join("|"), PART_BITS);
        }
    }

    fn buffer(
        &mut self,
        raw: &RawRule<'_>,
        at: usize,
        test: &BufferTest,
        (options, tests): &(Options, Tests),
    ) {
        let name = buffer_name(test, raw, options);
        let absent = (test.absent != Absent::No || test.program.is_empty())
            .then(|| self.add(raw, What::Absent(at), options, Some(&name), DIRECTION_BITS));
        let program = self.program(raw, &test.program, tests, &name);
        self.buffers.push((absent, program));
    }

    fn program(
        &mut self,
        raw: &RawRule<'_>,
        program: &Program,
        origins: &Tests,
        buffer: &str,
    ) -> ProgramConditions {
        let mut made = ProgramConditions::default();
        for (op, options) in program.ops().iter().zip(&origins.tests) {
            made.tests.push(self.add(raw, What::Test, options, Some(buffer), weight(op)));
            if let Op::Base64 { inner: Some(inner), .. } = op {
                for (op, options) in inner.ops().iter().zip(&origins.decoded) {
                    made.decoded.push(self.add(raw, What::Test, options, Some("base64_data"), weight(op)));
                }
            }
        }
        made
    }

    fn add(
        &mut self,
        raw: &RawRule<'_>,
        what: What,
        options: &Options,
        buffer: Option<&str>,
        weight: u32,
    ) -> usize {
        let written: Vec<_> = options.iter().filter_map(|at| raw.options.get(*at)).collect();
        let first = written.first();
        self.list.push(Condition {
            what,
            keyword: first.map_or(String::new(), |option| option.keyword.trim().to_ascii_lowercase()),
            text: written
                .iter()
                .map(|option| match option.value {
                    Some(value) => format!("{}:{};", option.keyword.trim(), value.trim()),
                    None => format!("{};", option.keyword.trim()),
                })
                .collect::<Vec<String>>()
                .join(" "),
            buffer: buffer.map(str::to_owned),
            options: options.clone(),
            line: first.map_or(raw.line, |option| option.line),
            column: first.map_or(1, |option| option.column),
            weight,
        });
        self.list.len().saturating_sub(1)
    }
}

/// How much a test tells, in bits, roughly.
pub fn weight(op: &Op) -> u32 {
    match op {
        Op::Content(content) if content.negated => DIRECTION_BITS,
        Op::Content(content) => {
            let placed = if content.length.is_some() { PART_BITS } else { 0 };
            strength(content.literal.bytes()).saturating_mul(2).min(CONTENT_BITS_MAX).saturating_add(placed)
        }
        Op::Pcre(pcre) if pcre.negated => DIRECTION_BITS,
        Op::Pcre(_) => PCRE_BITS,
        Op::DataAt { .. } => DIRECTION_BITS,
        _ => PART_BITS,
    }
}

/// As rules name it, with its transforms.
fn buffer_name(test: &BufferTest, raw: &RawRule<'_>, options: &Options) -> String {
    let name = match test.target {
        Target::App(number) => buffers::all().get(usize::from(number)).map_or("", |e| e.name).to_owned(),
        Target::Frame(protocol, kind) => {
            format!("frame:{}.{}", protocol.get().name, frames::name(protocol, kind))
        }
        Target::Payload => "payload".to_owned(),
        Target::Packet(_) => {
            let option = options.first().and_then(|at| raw.options.get(*at));
            option.map_or("header", |o| o.keyword.trim()).to_ascii_lowercase()
        }
    };
    let transforms = test.transforms.iter().map(|t| t.identity());
    std::iter::once(name).chain(transforms).collect::<Vec<String>>().join(", ")
}

/// The pattern by which the rule is found.
fn lead_text(rule: &Rule) -> String {
    let Some(fast) = &rule.fast_pattern else { return String::new() };
    let place = match fast.buffer.and_then(|at| rule.buffers.get(at)).map(|test| test.target) {
        Some(Target::App(number)) => buffers::all().get(usize::from(number)).map_or("", |e| e.name),
        Some(Target::Frame(..)) => "frame",
        _ => "payload",
    };
    let nocase = if fast.nocase { " nocase" } else { "" };
    format!("\"{}\"{nocase} ({place})", super::bytes::written(&fast.bytes))
}

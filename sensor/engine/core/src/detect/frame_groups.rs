//! Groups of the rules that are about frames: per kind of frame, one prefilter per form of its bytes.

use super::databases::Databases;
use super::prefilter::{Prefilter, PrefilterBuilder};
use super::rule::Rule;
use crate::app::frames::FrameChoice;
use crate::app::ProtocolId;
use std::collections::BTreeMap;

/// Fast patterns over one kind of frame in one form.
pub struct FormGroup {
    /// Whose transforms shape the bytes: (rule number, index in its buffers); None = as they are.
    pub shaped_by: Option<(u32, usize)>,
    pub prefilter: Prefilter,
}

/// Rules about one kind of frame.
#[derive(Default)]
pub struct FrameGroup {
    pub forms: Vec<FormGroup>,
    /// Rules no pattern leads to.
    pub always: Vec<u32>,
}

/// All frame groups.
#[derive(Default)]
pub struct FrameGroups {
    groups: BTreeMap<(ProtocolId, u8), FrameGroup>,
    choice: FrameChoice,
}

impl FrameGroups {
    pub fn build(rules: &[Rule], databases: &Databases) -> FrameGroups {
        let mut all = FrameGroups::default();
        let mut forms: BTreeMap<(ProtocolId, u8, String), (PrefilterBuilder, u32, usize)> = BTreeMap::new();
        for rule in rules {
            let Some((protocol, kind)) = rule.frame() else { continue };
            all.choice.add(protocol, kind);
            let group = all.groups.entry((protocol, kind)).or_default();
            let lead = rule.fast_pattern.as_ref().and_then(|fast| Some((fast, fast.buffer?)));
            match lead.and_then(|(fast, at)| Some((fast, at, rule.buffers.get(at)?))) {
                Some((fast, at, test)) => {
                    let shape: Vec<String> = test.transforms.iter().map(|t| t.identity()).collect();
                    let (builder, ..) = forms
                        .entry((protocol, kind, shape.join("|")))
                        .or_insert_with(|| (PrefilterBuilder::default(), rule.number, at));
                    builder.add(fast, rule.number);
                }
                None => group.always.push(rule.number),
            }
        }
        for ((protocol, kind, shape), (builder, rule, at)) in forms {
            let prefilter = builder.build(databases);
            let shaped_by = (!shape.is_empty()).then_some((rule, at));
            all.groups.entry((protocol, kind)).or_default().forms.push(FormGroup { shaped_by, prefilter });
        }
        all
    }

    #[inline]
    pub fn group(&self, protocol: ProtocolId, kind: u8) -> Option<&FrameGroup> {
        self.groups.get(&(protocol, kind))
    }

    /// The kinds of frame that some rule looks at.
    pub fn choice(&self) -> &FrameChoice {
        &self.choice
    }

    pub fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        self.groups.values().flat_map(|g| g.forms.iter().map(|f| &f.prefilter))
    }
}

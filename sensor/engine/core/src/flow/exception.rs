//! Exception policies: what becomes of a flow that the engine cannot treat as it should (Suricata manual, "Exception
//! Policies").

use super::Flow;
use serde::{Deserialize, Deserializer};

/// A policy as a passive sensor can follow it: nothing is dropped or rejected here, so those mean `Ignore`, as in Suricata's
/// IDS mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExceptionPolicy {
    #[default]
    Ignore,
    /// Told in the flow's event; the packet is inspected all the same.
    PassPacket,
    /// The flow's packets are not inspected; its application records are still written.
    PassFlow,
    /// The flow is counted and nothing else.
    Bypass,
}

impl ExceptionPolicy {
    /// By its name in a configuration; None when there is no such policy.
    pub fn find(name: &str) -> Option<ExceptionPolicy> {
        Some(match name {
            "auto" | "ignore" | "drop-packet" | "drop-flow" | "reject" => ExceptionPolicy::Ignore,
            "pass-packet" => ExceptionPolicy::PassPacket,
            "pass-flow" => ExceptionPolicy::PassFlow,
            "bypass" => ExceptionPolicy::Bypass,
            _ => return None,
        })
    }

    /// What the configuration says at `own`, a JSON pointer, or else in general (`exception-policy`). None: nothing, or `auto`,
    /// which means that no policy is applied or told of.
    pub fn of(document: &serde_json::Value, own: &str) -> Option<ExceptionPolicy> {
        let given = document.pointer(own).filter(|node| !node.is_null());
        let name = given.unwrap_or(&document["exception-policy"]).as_str();
        name.filter(|name| *name != "auto").and_then(ExceptionPolicy::find)
    }

    /// EVE's text.
    pub fn eve_name(self) -> &'static str {
        match self {
            ExceptionPolicy::Ignore => "ignore",
            ExceptionPolicy::PassPacket => "pass_packet",
            ExceptionPolicy::PassFlow => "pass_flow",
            ExceptionPolicy::Bypass => "bypass",
        }
    }
}

impl<'de> Deserialize<'de> for ExceptionPolicy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        ExceptionPolicy::find(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("no exception policy `{name}`")))
    }
}

impl Flow {
    /// An exception befell the flow: remembers it once for the flow's event, and applies the policy.
    pub fn except(&mut self, target: &'static str, policy: Option<ExceptionPolicy>) {
        let Some(policy) = policy else { return };
        let known = self.exceptions.get_or_insert_default();
        if known.iter().all(|(known, _)| *known != target) {
            known.push((target, policy));
        }
        match policy {
            ExceptionPolicy::Ignore | ExceptionPolicy::PassPacket => {}
            ExceptionPolicy::PassFlow => self.detect.passed = true,
            ExceptionPolicy::Bypass => self.bypassed = true,
        }
    }
}

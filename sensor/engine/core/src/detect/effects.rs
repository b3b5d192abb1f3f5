//! What follows when a rule matches: its action, how often it alerts, and what it keeps then. Thresholds, suppression and rate
//! filters are at work in `threshold`, tags in `tag`.

use super::endpoints::AddrSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Alert,
    Pass,
    /// Alerts, marked as a drop the passive sensor did not do.
    Drop,
    Reject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    BySrc,
    ByDst,
    ByBoth,
    ByRule,
    ByFlow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdKind {
    /// Alert on every `count`-th within `seconds`.
    Threshold,
    /// At most `count` alerts per `seconds`.
    Limit,
    /// At most one alert per `seconds`, once `count` is reached.
    Both,
    /// Alert at 1, 10, 100 ... (count, multiplier).
    Backoff { multiplier: u32 },
    /// detection_filter: alerts after `count` matches within `seconds`.
    DetectionFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    pub kind: ThresholdKind,
    pub track: Track,
    pub count: u32,
    pub seconds: u32,
}

/// `suppress` of threshold.config: the rule does not alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppress {
    /// None: whatever the addresses.
    pub track: Option<SuppressTrack>,
    pub addresses: AddrSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressTrack {
    Source,
    Destination,
    Either,
}

/// `rate_filter` of threshold.config: once `count` matches came within `seconds`, another action holds for `timeout` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateFilter {
    pub track: Track,
    pub count: u32,
    pub seconds: u32,
    pub new_action: Action,
    pub timeout: u32,
}

/// Which packets `tag` keeps after the rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// None = the session; Some(true) = the source host, Some(false) = the destination host.
    pub host_src: Option<bool>,
    /// None: until the session ends.
    pub count: Option<u32>,
    pub unit: TagUnit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagUnit {
    Packets,
    Bytes,
    Seconds,
}

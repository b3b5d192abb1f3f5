//! Packet time: the only clock the engine knows, so that a replay gives the same events on any machine.

/// Nanoseconds since the Unix epoch, as the capture says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub const NANOS_PER_SECOND: u64 = 1_000_000_000;

    pub fn from_parts(seconds: u64, nanoseconds: u64) -> Self {
        Timestamp(seconds.saturating_mul(Self::NANOS_PER_SECOND).saturating_add(nanoseconds))
    }
    #[inline]
    pub fn seconds(self) -> u64 {
        self.0 / Self::NANOS_PER_SECOND
    }
    /// Microseconds within the second.
    #[inline]
    pub fn subsec_micros(self) -> u32 {
        ((self.0 % Self::NANOS_PER_SECOND) / 1_000) as u32
    }
    /// Nanoseconds since `earlier`; 0 when time ran backwards.
    #[inline]
    pub fn nanos_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
    /// Whole seconds since `earlier`; 0 when time ran backwards.
    #[inline]
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        self.nanos_since(earlier) / Self::NANOS_PER_SECOND
    }
    #[inline]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(Self::NANOS_PER_SECOND)))
    }
}

//! Live capture on Linux: packet sockets with mapped rings, several rings an interface, one worker a ring of each interface.
//!
//! Everything is opened shut: no packet comes in before `begin`, so that all sockets see the same first packet, whatever the order in
//! which they were made. At the end they are shut again, and what the rings still hold is taken out: then what the kernel counted is
//! what was dropped and what was taken, to the packet.

mod config;
pub mod program;
mod ring;
mod socket;
mod tunnels;
mod zones;

pub use config::{Cluster, Interface};
pub use ring::{Ring, RingCounts};
pub use socket::{wait, KernelCounts};

use crate::decode;
use program::Programs;
use socket::{Counter, Device};

/// An interface that is open: its rings go to the workers, what is counted without being captured stays here.
pub struct OpenInterface {
    pub config: Interface,
    pub rings: Vec<Ring>,
    programs: Programs,
    excluded: Option<Counter>,
    filtered: Option<Counter>,
}

impl OpenInterface {
    /// Errors name the interface, say what is wrong and what to do.
    pub fn open(config: Interface, tunnels: &decode::Config) -> Result<OpenInterface, String> {
        let name = config.interface.clone();
        OpenInterface::try_open(config, tunnels).map_err(|what| {
            if what.starts_with(&name) {
                what
            } else {
                format!("{name}: {what}")
            }
        })
    }

    fn try_open(config: Interface, tunnels: &decode::Config) -> Result<OpenInterface, String> {
        let device = Device::find(&config.interface)?;
        let programs =
            Programs::new(&config.excluded_networks, &config.excluded_vlans, tunnels, &config.filter)?;
        let mut rings = Vec::new();
        let mut group = config.cluster_id;
        for _ in 0..config.threads.max(1) {
            let ring = Ring::open(&config, &device)?;
            if config.promiscuous && rings.is_empty() {
                ring.socket().promiscuous(&device)?;
            }
            if config.threads > 1 {
                group = Some(ring.socket().join(&config, group)?);
            }
            rings.push(ring);
        }
        let counter = |wanted: bool| wanted.then(|| Counter::open(&device)).transpose();
        let excluded = counter(programs.excluded.is_some())?;
        let filtered = counter(programs.filtered.is_some())?;
        Ok(OpenInterface { config, rings, programs, excluded, filtered })
    }

    /// Lets packets into its rings, which `open` made.
    pub fn begin<'a>(&self, mut rings: impl Iterator<Item = &'a Ring>) -> Result<(), String> {
        for (counter, program) in
            [(&self.excluded, &self.programs.excluded), (&self.filtered, &self.programs.filtered)]
        {
            if let (Some(counter), Some(program)) = (counter, program) {
                counter.begin(program)?;
            }
        }
        rings.try_for_each(|ring| ring.socket().filter(&self.programs.capture))
    }

    /// Packets in exclusion zones, and those that the capture filter left out, so far.
    pub fn left_out(&mut self) -> (u64, u64) {
        let read = |counter: &mut Option<Counter>| counter.as_mut().map_or(0, Counter::read);
        (read(&mut self.excluded), read(&mut self.filtered))
    }

    /// Nothing is counted any more.
    pub fn end(&self) {
        for counter in [&self.excluded, &self.filtered].into_iter().flatten() {
            let _ = counter.stop();
        }
    }
}

//! Any bytes in any chunks through one parser: the one FUZZ_PROTOCOL names, else the one the first byte picks from the
//! registry. A protocol that is added there is fuzzed without a word here.
#![no_main]

use haidang_core::app::{ProtocolId, PROTOCOLS};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static CHOSEN: OnceLock<Option<ProtocolId>> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("FUZZ_PROTOCOL").ok()?;
        Some(ProtocolId::find(&name).unwrap_or_else(|| panic!("no protocol {name}")))
    });
    let Some((&first, rest)) = data.split_first() else { return };
    let protocol = match chosen {
        Some(id) => id.get(),
        None => PROTOCOLS[usize::from(first) % PROTOCOLS.len()],
    };
    haidang_fuzz::app::run(protocol, rest);
});

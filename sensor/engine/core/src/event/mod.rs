//! Event: EVE-shaped NDJSON (Suricata 8 field names), written straight into the output buffer.

pub mod json;

pub use json::JsonWriter;

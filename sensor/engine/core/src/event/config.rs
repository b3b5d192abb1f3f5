//! Which events are written and how: `eve` and `eve-types` of the engine's configuration document.

use super::xff::Xff;
use crate::app::{ProtocolId, PROTOCOLS};
use crate::setting;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct EveConfig {
    /// The newest form of events that readers know: 7 leaves out what Suricata 8 added to events that 7 has.
    pub version: u64,
    pub alert: bool,
    pub flow: bool,
    pub stats: bool,
    /// Counters that are 0 are in them too.
    pub stats_zeros: bool,
    /// One event per direction of a flow; only when asked for.
    pub netflow: bool,
    /// Only when asked for.
    pub arp: bool,
    pub files: bool,
    /// Events of frames; only when asked for.
    pub frame: bool,
    pub anomaly_decode: bool,
    pub anomaly_stream: bool,
    pub anomaly_applayer: bool,
    /// The first bytes of the packet in anomalies of its headers.
    pub anomaly_packet_header: bool,
    /// Record types that are on, e.g. "http", with their options; None = all.
    records: Option<serde_json::Map<String, Value>>,
    /// By protocol, whether its records are on.
    protocols: Vec<bool>,
    /// Application metadata and flow facts in alerts (`metadata: yes`).
    pub metadata: bool,
    /// The rule's references in alerts (`metadata: {rule: {reference: yes}}`).
    pub references: bool,
    /// Flowbits, variables and traffic labels in every event of a flow (`metadata` of the output).
    pub common_metadata: bool,
    /// An alert on bytes belongs to the flow's transaction when there is just one (`detect.guess-applayer-tx`).
    pub guess_tx: bool,
    pub payload: bool,
    pub payload_printable: bool,
    pub payload_length: bool,
    pub payload_buffer_bytes: usize,
    pub packet: bool,
    /// Packets that a rule's `tag` keeps.
    pub tagged_packets: bool,
    pub community_id: bool,
    pub community_id_seed: u16,
    pub ethernet: bool,
    pub sensor_name: String,
    /// The client's address from a header, in alerts, HTTP records and records of files.
    pub xff_alert: Option<Xff>,
    pub xff_http: Option<Xff>,
    pub xff_files: Option<Xff>,
    /// The name of the capture file in every event.
    pub pcap_file: bool,
    /// Options of the type `alert`.
    pub alert_options: Value,
}

impl EveConfig {
    /// Reads the whole configuration document; without `eve-types` Suricata's stock set is written.
    pub fn new(document: &Value) -> EveConfig {
        let eve = &document["eve"];
        let types = document["eve-types"].as_object();
        let on = |name: &str| types.is_none_or(|t| t.contains_key(name));
        let option = |kind: &str, name: &str| &document["eve-types"][kind][name];
        let anomaly = |name: &str, default: bool| {
            on("anomaly") && option("anomaly", "types")[name].as_bool().unwrap_or(default)
        };
        let mut config = EveConfig {
            version: eve["version"].as_u64().unwrap_or(8),
            alert: on("alert"),
            flow: on("flow"),
            stats: on("stats"),
            stats_zeros: flag(option("stats", "null-values"), true),
            netflow: types.is_some_and(|t| t.contains_key("netflow")),
            arp: types.is_some_and(|t| t.contains_key("arp")),
            files: on("files"),
            frame: types.is_some_and(|t| t.contains_key("frame")),
            anomaly_decode: anomaly("decode", false),
            anomaly_stream: anomaly("stream", false),
            anomaly_applayer: anomaly("applayer", true),
            anomaly_packet_header: flag(option("anomaly", "packethdr"), false),
            records: types.map(record_types),
            protocols: Vec::new(),
            metadata: flag(option("alert", "metadata"), true),
            references: option("alert", "metadata")
                .pointer("/rule/reference")
                .is_some_and(|value| flag(value, false)),
            common_metadata: flag(&eve["metadata"], true),
            guess_tx: flag(&document["detect"]["guess-applayer-tx"], false),
            payload: flag(option("alert", "payload"), false),
            payload_printable: flag(option("alert", "payload-printable"), false),
            payload_length: flag(option("alert", "payload-length"), false),
            payload_buffer_bytes: option("alert", "payload-buffer-size")
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(4096),
            packet: flag(option("alert", "packet"), false),
            tagged_packets: flag(option("alert", "tagged-packets"), true),
            community_id: flag(&eve["community-id"], false),
            community_id_seed: eve["community-id-seed"]
                .as_u64()
                .and_then(|n| u16::try_from(n).ok())
                .unwrap_or(0),
            ethernet: flag(&eve["ethernet"], false),
            xff_alert: Xff::new(option("alert", "xff"), &eve["xff"]),
            xff_http: Xff::new(option("http", "xff"), &eve["xff"]),
            xff_files: Xff::new(option("files", "xff"), &eve["xff"]),
            pcap_file: flag(&eve["pcap-file"], false),
            alert_options: document["eve-types"]["alert"].clone(),
            sensor_name: document["sensor-name"].as_str().unwrap_or_default().to_owned(),
        };
        // Suricata's configuration names HTTP/2's records apart from those of HTTP/1.
        config.protocols =
            PROTOCOLS.iter().map(|p| config.record(p.record) || config.record(p.name)).collect();
        config
    }

    /// Whether records of the protocol's transactions are written.
    #[inline]
    pub fn protocol(&self, id: ProtocolId) -> bool {
        self.protocols.get(usize::from(id.0)).is_some_and(|on| *on)
    }

    /// Whether records of this type are written.
    pub fn record(&self, name: &str) -> bool {
        !name.is_empty() && self.records.as_ref().is_none_or(|r| r.contains_key(name))
    }

    /// What the configuration says of records of this type, null where it says nothing.
    pub fn record_options(&self, name: &str) -> &Value {
        self.records.as_ref().and_then(|r| r.get(name)).unwrap_or(&Value::Null)
    }
}

/// The record types that the types of the configuration mean: `bittorrent-dht` gives `bittorrent_dht`, and `ftp` gives
/// `ftp_data` too, as in Suricata.
fn record_types(types: &serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    let mut records: serde_json::Map<String, Value> =
        types.iter().map(|(name, node)| (name.replace('-', "_"), node.clone())).collect();
    if let Some(ftp) = records.get("ftp").cloned() {
        records.entry("ftp_data").or_insert(ftp);
    }
    records
}

/// A switch; a mapping there (e.g. `metadata: {app-layer: true}`) means on.
fn flag(value: &Value, default: bool) -> bool {
    value.is_object() || setting::switch(value).unwrap_or(default)
}

//! Settings of decode, in the shape of suricata.yaml: `decoder`, `defrag`, `host-os-policy` and the checksum mode.

use super::{defrag, ChecksumMode};
use serde::Deserialize;
use serde_json::Value;

/// Layers per frame unless told otherwise (Suricata: `decoder.max-layers`).
const MAX_LAYERS: u8 = 16;

/// UDP ports a tunnel is looked for on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The tunnel is not looked for.
    None,
    Any,
    /// Inclusive ranges.
    These(Vec<(u16, u16)>),
}

impl Ports {
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        match self {
            Ports::None => false,
            Ports::Any => true,
            Ports::These(ranges) => ranges.iter().any(|&(low, high)| (low..=high).contains(&port)),
        }
    }

    /// Reads 4789, "4789", "[4789, 8472]", "5000:5010", "any" or a list of these.
    fn parse(value: &Value) -> Option<Ports> {
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            Value::Array(list) => list
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(","),
            _ => return None,
        };
        let bare = text.trim_matches(|c: char| c == '[' || c == ']' || c.is_whitespace());
        if bare.eq_ignore_ascii_case("any") {
            return Some(Ports::Any);
        }
        let range = |part: &str| {
            let (low, high) = part.split_once(':').unwrap_or((part, part));
            Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
        };
        let ranges: Option<Vec<(u16, u16)>> = bare.split(',').map(range).collect();
        ranges.map(Ports::These)
    }
}

/// How to decode; the defaults are Suricata's.
#[derive(Clone, Debug)]
pub struct Config {
    /// Layers per frame, tunnels included.
    pub max_layers: u8,
    pub checksums: ChecksumMode,
    pub defrag: defrag::Config,
    pub teredo: Ports,
    pub vxlan: Ports,
    pub geneve: Ports,
    /// VXLAN headers with reserved bits set are none.
    pub vxlan_strict: bool,
    /// GRE without a sequence number may hold ERSPAN type I.
    pub erspan_type_1: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_layers: MAX_LAYERS,
            checksums: ChecksumMode::default(),
            defrag: defrag::Config::default(),
            teredo: Ports::These(vec![(3544, 3544)]),
            vxlan: Ports::These(vec![(4789, 4789)]),
            geneve: Ports::These(vec![(6081, 6081)]),
            vxlan_strict: true,
            erspan_type_1: true,
        }
    }
}

impl Config {
    /// Reads the engine's configuration document. Errors name the key that cannot be used.
    pub fn new(document: &Value) -> Result<Config, String> {
        let mut config = Config::default();
        let decoder = &document["decoder"];
        if let Some(layers) = decoder["max-layers"].as_u64() {
            config.max_layers =
                u8::try_from(layers).map_err(|_| "decoder.max-layers: at most 255".to_owned())?;
        }
        for (name, ports) in
            [("teredo", &mut config.teredo), ("vxlan", &mut config.vxlan), ("geneve", &mut config.geneve)]
        {
            let node = &decoder[name];
            if node["enabled"] == Value::Bool(false) {
                *ports = Ports::None;
            } else if !node["ports"].is_null() {
                *ports = Ports::parse(&node["ports"]).ok_or_else(|| {
                    format!("decoder.{name}.ports: {} is not a list of ports", node["ports"])
                })?;
            }
        }
        config.vxlan_strict =
            decoder.pointer("/vxlan/reserved-bits-check").is_none_or(|check| check != "permissive");
        config.erspan_type_1 =
            decoder.pointer("/erspan/typeI/enabled").is_none_or(|enabled| enabled != false);
        if let Some(mode) = document["checksum-mode"].as_str() {
            config.checksums = match mode {
                "none" => ChecksumMode::None,
                "all" => ChecksumMode::All,
                "auto" => ChecksumMode::Auto,
                _ => return Err(format!("checksum-mode: \"{mode}\" is none of auto, all, none")),
            };
        }
        let read = |key: &str, value: &Value| format!("{key}: cannot use {value}");
        if !document["defrag"].is_null() {
            config.defrag = defrag::Config::deserialize(&document["defrag"])
                .map_err(|error| format!("{} ({error})", read("defrag", &document["defrag"])))?;
        }
        if !document["host-os-policy"].is_null() {
            config.defrag.hosts =
                Deserialize::deserialize(&document["host-os-policy"]).map_err(|error| error.to_string())?;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_suricata_yaml_says() {
        let config = Config::new(&json!({
            "decoder": {
                "max-layers": 5, "teredo": {"enabled": true, "ports": "any"}, "vxlan": {"ports": "[4789, 8000:8010]"},
                "geneve": {"enabled": false}
            },
            "checksum-mode": "all",
            "defrag": {"memcap": 1024, "trackers": 3, "max-frags": 4, "timeout": 5, "hash-size": 65536},
            "host-os-policy": {"linux": ["10.0.0.0/8"]}
        }))
        .unwrap();
        assert_eq!(config.max_layers, 5);
        assert_eq!((config.teredo, config.geneve), (Ports::Any, Ports::None));
        assert!(config.vxlan.contains(8005) && !config.vxlan.contains(8011));
        assert_eq!(config.checksums, ChecksumMode::All);
        assert_eq!((config.defrag.memcap, config.defrag.trackers), (1024, 3));
        assert!(Config::new(&json!({"checksum-mode": "some"})).is_err());
        assert!(Config::new(&json!({"decoder": {"vxlan": {"ports": "http"}}})).is_err());
        assert!(Config::new(&json!({"defrag": {"memcap": "much"}})).is_err());
        assert!(Config::new(&json!({})).is_ok());
    }
}

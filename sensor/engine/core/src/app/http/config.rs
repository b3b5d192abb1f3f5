//! Settings of the HTTP parser: the node `app-layer.protocols.http` of the configuration. Unusable values keep the default.
//!
//! Names and defaults are Suricata's (user guide, "suricata.yaml": `libhtp`).

use crate::app::body::BodyLimits;
use crate::setting::{self, switch};
use serde_json::Value;

/// Most bytes of one line of a head: Suricata's `meta-field-limit`.
const FIELD_LIMIT: u64 = 18_432;
/// Most open transactions of a flow (`max-tx`): a peer that pipelines without answers must not grow memory.
const MAX_TX: u64 = 512;
/// Most layers whatever the configuration says: each costs an inflate state of about 40 KiB.
const LAYERS_MAX: u64 = 8;

#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub request: BodyLimits,
    pub response: BodyLimits,
    /// Content-Encoding layers undone in a response.
    pub decompress_layers: u64,
    /// Bytes a body may expand to before its ratio is judged.
    pub bomb_limit: u64,
    pub lzma: bool,
    /// Inspect every piece of a body as it comes (`http-body-inline`).
    pub body_inline: bool,
    pub double_decode_path: bool,
    pub double_decode_query: bool,
    /// The normalised URI keeps scheme, user, host and port.
    pub uri_include_all: bool,
    pub field_limit: usize,
    pub max_tx: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            request: BodyLimits { limit: 100 << 10, min_inspect: 32 << 10, window: 4 << 10 },
            response: BodyLimits { limit: 100 << 10, min_inspect: 40 << 10, window: 16 << 10 },
            decompress_layers: 2,
            bomb_limit: 1 << 20,
            lzma: false,
            body_inline: false,
            double_decode_path: false,
            double_decode_query: false,
            uri_include_all: false,
            field_limit: FIELD_LIMIT as usize,
            max_tx: MAX_TX,
        }
    }
}

impl Config {
    pub fn from_value(node: &Value) -> Self {
        let mut config = Config::default();
        let Some(libhtp) = node.get("libhtp") else {
            return config;
        };
        let Some(set) = libhtp.get("default-config").and_then(Value::as_object) else {
            return config;
        };
        for (key, value) in set {
            let size = || setting::size(value);
            match key.as_str() {
                "request-body-limit" => assign(&mut config.request.limit, size()),
                "response-body-limit" => assign(&mut config.response.limit, size()),
                "request-body-minimal-inspect-size" => {
                    assign(&mut config.request.min_inspect, size());
                }
                "request-body-inspect-window" => assign(&mut config.request.window, size()),
                "response-body-minimal-inspect-size" => {
                    assign(&mut config.response.min_inspect, size());
                }
                "response-body-inspect-window" => assign(&mut config.response.window, size()),
                "response-body-decompress-layer-limit" => {
                    // 0 means "no limit" there; ours is LAYERS_MAX.
                    let layers = size().map(|n| if n == 0 { LAYERS_MAX } else { n });
                    assign(&mut config.decompress_layers, layers);
                }
                "compression-bomb-limit" => assign(&mut config.bomb_limit, size()),
                "lzma-enabled" => assign(&mut config.lzma, switch(value)),
                "http-body-inline" => assign(&mut config.body_inline, switch(value)),
                "double-decode-path" => assign(&mut config.double_decode_path, switch(value)),
                "double-decode-query" => assign(&mut config.double_decode_query, switch(value)),
                "uri-include-all" => assign(&mut config.uri_include_all, switch(value)),
                "meta-field-limit" => {
                    assign(&mut config.field_limit, size().and_then(|n| usize::try_from(n).ok()));
                }
                "max-tx" => assign(&mut config.max_tx, size()),
                _ => {}
            }
        }
        config.decompress_layers = config.decompress_layers.min(LAYERS_MAX);
        config.field_limit = config.field_limit.clamp(256, 1 << 20);
        config.max_tx = config.max_tx.clamp(1, 65_536);
        config
    }
}

fn assign<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_and_switches_are_read() {
        let config = Config::from_value(&json!({"libhtp": {"default-config": {
            "request-body-limit": 4096, "response-body-limit": "1mb", "http-body-inline": "yes",
            "response-body-decompress-layer-limit": 3, "max-tx": "abc", "double-decode-path": true}}}));
        assert_eq!(config.request.limit, 4096);
        assert_eq!(config.response.limit, 1 << 20);
        assert_eq!(config.decompress_layers, 3);
        assert!(config.body_inline && config.double_decode_path);
        assert_eq!(config.max_tx, MAX_TX);
    }
}

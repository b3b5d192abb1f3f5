//! The stats event: every counter, nested by the dots of its name.

use super::{Events, JsonWriter, Lane};
use crate::detect::ruleset::Counts;
use crate::time::Timestamp;

impl Events {
    /// Writes the counters (sorted by name) as one event, and the rules in force where Suricata has them (`detect.engines`).
    pub fn stats(
        &mut self,
        ts: Timestamp,
        uptime_seconds: u64,
        counters: &[(String, u64)],
        engine: Option<Engine>,
    ) {
        if !self.config.stats {
            return;
        }
        self.kind = "stats";
        let out = &mut self.json;
        out.open();
        super::header::timestamp(out, "timestamp", ts);
        out.str("event_type", self.kind);
        out.open_object("stats");
        out.uint("uptime", uptime_seconds);
        let zeros = self.config.stats_zeros;
        let shown: Vec<_> = counters.iter().filter(|(_, value)| zeros || *value != 0).cloned().collect();
        let (before, rest) = shown.split_at(shown.partition_point(|(name, _)| name.as_str() < "detect."));
        let (detect, after) = rest.split_at(rest.partition_point(|(name, _)| name.starts_with("detect.")));
        nest(out, before, 0);
        if engine.is_some() || !detect.is_empty() {
            out.open_object("detect");
            if let Some(engine) = engine {
                engine.write(out);
            }
            nest(out, detect, 1);
            out.close();
        }
        nest(out, after, 0);
        out.close();
        self.end(Lane::Health, ts);
    }
}

/// The rules in force.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    pub rules: Counts,
    pub reloaded: Timestamp,
}

impl Engine {
    fn write(&self, out: &mut JsonWriter) {
        out.open_array("engines");
        out.open();
        out.uint("id", 0);
        super::header::timestamp(out, "last_reload", self.reloaded);
        out.uint("rules_loaded", self.rules.loaded);
        out.uint("rules_failed", self.rules.failed);
        out.uint("rules_skipped", self.rules.skipped);
        out.close();
        out.close_array();
    }
}

/// Writes counters that share their first `depth` name parts. No name is a prefix of another.
fn nest(out: &mut JsonWriter, counters: &[(String, u64)], depth: usize) {
    let part = |name: &str| name.split('.').nth(depth).unwrap_or_default().to_owned();
    for group in counters.chunk_by(|a, b| part(&a.0) == part(&b.0)) {
        let Some((name, value)) = group.first() else { continue };
        if name.split('.').count() <= depth + 1 {
            out.uint(&part(name), *value);
        } else {
            out.open_object(&part(name));
            nest(out, group, depth + 1);
            out.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EveConfig;

    #[test]
    fn counters_nest_by_their_dots() {
        let mut events = Events::new(EveConfig::new(&serde_json::Value::Null), Default::default());
        let counters: Vec<(String, u64)> = [
            ("decoder.pkts", 3),
            ("decoder.tcp", 2),
            ("detect.alert", 2),
            ("flow.active", 1),
            ("tcp.a.b", 4),
        ]
        .iter()
        .map(|(n, v)| ((*n).to_owned(), *v))
        .collect();
        let rules = Counts { loaded: 5, failed: 1, skipped: 2 };
        let engine = Some(Engine { rules, reloaded: Timestamp(0) });
        events.stats(Timestamp(0), 9, &counters, engine);
        let batch = events.take().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&batch.data).unwrap();
        assert_eq!(value["stats"]["decoder"]["pkts"], 3);
        assert_eq!(value["stats"]["tcp"]["a"]["b"], 4);
        assert_eq!(value["stats"]["uptime"], 9);
        let told = &value["stats"]["detect"]["engines"][0];
        assert_eq!(
            (&told["id"], &told["rules_loaded"], &told["rules_failed"]),
            (&0.into(), &5.into(), &1.into())
        );
        assert_eq!(value["stats"]["detect"]["alert"], 2);
        assert!(told["last_reload"].as_str().unwrap().starts_with("1970-01-01T00:00:00.000000+"));
        assert_eq!(batch.lane(1).0, 1);
    }
}

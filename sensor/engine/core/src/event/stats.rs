//! The stats event: every counter, nested by the dots of its name.

use super::{Events, JsonWriter, Lane};
use crate::time::Timestamp;

impl Events {
    /// Writes the counters (sorted by name) as one event.
    pub fn stats(&mut self, ts: Timestamp, uptime_seconds: u64, counters: &[(String, u64)]) {
        if !self.config.stats {
            return;
        }
        let out = &mut self.json;
        out.open();
        super::header::timestamp(out, "timestamp", ts);
        out.str("event_type", "stats");
        out.open_object("stats");
        out.uint("uptime", uptime_seconds);
        if self.config.stats_zeros {
            nest(out, counters, 0);
        } else {
            let some: Vec<_> = counters.iter().filter(|(_, value)| *value != 0).cloned().collect();
            nest(out, &some, 0);
        }
        out.close();
        self.end(Lane::Health, ts);
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
        let counters: Vec<(String, u64)> =
            [("decoder.pkts", 3), ("decoder.tcp", 2), ("flow.active", 1), ("tcp.a.b", 4)]
                .iter()
                .map(|(n, v)| ((*n).to_owned(), *v))
                .collect();
        events.stats(Timestamp(0), 9, &counters);
        let batch = events.take().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&batch.data).unwrap();
        assert_eq!(value["stats"]["decoder"]["pkts"], 3);
        assert_eq!(value["stats"]["tcp"]["a"]["b"], 4);
        assert_eq!(value["stats"]["uptime"], 9);
        assert_eq!(batch.lane(1).0, 1);
    }
}

//! The transactions of a flow that the stages behind the parser have to look at: what each packet costs must not grow with
//! the number of those that are held, nor with the ids between them.

use super::Parser;
use crate::direction::{Dir, PerDir};

/// None until a parser was given something: most flows have no transactions.
#[derive(Default)]
pub struct Live(Option<Box<Lists>>);

#[derive(Default)]
struct Lists {
    /// All that may still be held, oldest first.
    held: Vec<u64>,
    /// One past the newest that was seen.
    end: u64,
    /// Those in `held` that were freed.
    freed: usize,
    /// What the parser changed since the direction's last turn; `all` when it did not say.
    changed: PerDir<Vec<u64>>,
    all: PerDir<bool>,
    /// What the packet in hand has to look at, oldest first.
    turn: Vec<u64>,
}

impl Live {
    /// The parser was given something.
    pub fn parsed(&mut self, parser: &mut dyn Parser) {
        let lists = &mut **self.0.get_or_insert_default();
        let ids = parser.tx_ids();
        lists.held.extend(lists.end.max(ids.start)..ids.end);
        lists.end = lists.end.max(ids.end);
        match parser.take_changed() {
            Some(changed) => {
                for dir in Dir::BOTH.into_iter().filter(|d| !lists.all[*d]) {
                    lists.changed[dir].extend_from_slice(&changed);
                }
            }
            None => lists.all = PerDir::new(true, true),
        }
        for dir in Dir::BOTH {
            if lists.changed[dir].len() > lists.held.len().saturating_mul(2).saturating_add(16) {
                // A direction without packets: its turn may as well be everything.
                lists.changed[dir] = Vec::new();
                lists.all[dir] = true;
            }
        }
    }

    /// A packet of this direction has its turn.
    pub fn begin(&mut self, dir: Dir) {
        let Some(lists) = self.0.as_deref_mut() else { return };
        lists.turn.clear();
        if std::mem::take(&mut lists.all[dir]) {
            lists.turn.extend_from_slice(&lists.held);
            lists.changed[dir].clear();
        } else {
            std::mem::swap(&mut lists.turn, &mut lists.changed[dir]);
            lists.turn.sort_unstable();
            lists.turn.dedup();
        }
    }

    /// The flow is over: everything is looked at.
    pub fn begin_last(&mut self) {
        if let Some(lists) = self.0.as_deref_mut() {
            lists.turn.clone_from(&lists.held);
        }
    }

    /// What the packet in hand has to look at, oldest first.
    #[inline]
    pub fn turn(&self) -> &[u64] {
        self.0.as_deref().map_or(&[], |lists| &lists.turn)
    }

    /// The same, taken so that the flow may change while it is worked on; `give_turn_back` when done.
    pub fn take_turn(&mut self) -> Vec<u64> {
        self.0.as_deref_mut().map(|lists| std::mem::take(&mut lists.turn)).unwrap_or_default()
    }

    pub fn give_turn_back(&mut self, turn: Vec<u64>) {
        if let Some(lists) = self.0.as_deref_mut() {
            lists.turn = turn;
        }
    }

    /// The packet's turn is over; `freed` of its transactions are gone.
    pub fn done(&mut self, freed: usize, parser: &dyn Parser) {
        let Some(lists) = self.0.as_deref_mut() else { return };
        lists.turn.clear();
        lists.freed = lists.freed.saturating_add(freed);
        // The parser gave up some of its own accord, from the front.
        let oldest = parser.tx_ids().start;
        let given_up = lists.held.partition_point(|id| *id < oldest);
        if lists.freed.max(given_up) > lists.held.len() / 2 {
            lists.held.retain(|id| parser.tx(*id).is_some());
            lists.freed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::mqtt::MQTT;
    use crate::app::{ParseCx, Protocol};

    const CONNECT: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc";

    /// A PUBLISH with QoS 1 and its PUBACK.
    fn exchange(id: u16) -> (Vec<u8>, Vec<u8>) {
        let id = id.to_be_bytes();
        let publish = [b"\x32\x08\x00\x01t".as_slice(), &id, b"abc"].concat();
        (publish, [b"\x40\x02".as_slice(), &id].concat())
    }

    fn lists(live: &Live) -> &Lists {
        live.0.as_ref().unwrap()
    }

    fn give(parser: &mut dyn Parser, live: &mut Live, dir: Dir, data: &[u8]) {
        parser.parse(dir, data, &mut ParseCx::default());
        live.parsed(parser);
    }

    /// Both directions have their turn, after which what is answered is freed, as the log does.
    fn turns(parser: &mut dyn Parser, live: &mut Live, protocol: &Protocol) -> Vec<u64> {
        let mut seen = Vec::new();
        for dir in Dir::BOTH {
            live.begin(dir);
            let over = |id: &u64| {
                let tx = parser.tx(*id)?;
                Dir::BOTH.iter().all(|d| tx.progress(*d) >= protocol.complete[*d]).then_some(*id)
            };
            seen.extend_from_slice(live.turn());
            let freed: Vec<u64> = live.turn().iter().filter_map(over).collect();
            freed.iter().for_each(|id| parser.drop_tx(*id));
            live.done(freed.len(), parser);
        }
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    #[test]
    fn a_packet_looks_only_at_what_it_changed_and_what_is_freed_is_forgotten() {
        let mut parser = (MQTT.new)(&serde_json::Value::Null);
        let (parser, mut live) = (&mut *parser, Live::default());
        give(parser, &mut live, Dir::ToServer, CONNECT);
        give(parser, &mut live, Dir::ToClient, b"\x20\x02\x00\x00");
        turns(parser, &mut live, &MQTT);
        give(parser, &mut live, Dir::ToServer, &exchange(65_535).0);
        let open = turns(parser, &mut live, &MQTT);
        for id in 1..2000 {
            let (publish, answer) = exchange(id);
            give(parser, &mut live, Dir::ToServer, &publish);
            let begun = turns(parser, &mut live, &MQTT);
            assert_eq!(begun.len(), 1);
            give(parser, &mut live, Dir::ToClient, &answer);
            assert_eq!(turns(parser, &mut live, &MQTT), begun);
            assert!(lists(&live).held.len() < 8);
        }
        live.begin_last();
        assert!(open.iter().all(|id| live.turn().contains(id)));
    }

    #[test]
    fn a_direction_without_packets_keeps_no_endless_list() {
        let mut parser = (MQTT.new)(&serde_json::Value::Null);
        let (parser, mut live) = (&mut *parser, Live::default());
        give(parser, &mut live, Dir::ToServer, CONNECT);
        for id in 1..20_000 {
            give(parser, &mut live, Dir::ToServer, &exchange(id).0);
            live.begin(Dir::ToServer);
            live.done(0, parser);
            // Twice what the parser holds at most, and twice that.
            let held = parser.tx_ids().count();
            let lists = lists(&live);
            assert!(lists.held.len() <= held * 2 + 2, "{} of {held}", lists.held.len());
            assert!(lists.changed[Dir::ToClient].len() <= held * 4 + 20);
        }
    }
}

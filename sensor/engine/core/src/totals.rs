//! Counters of several workers, added up by name.

/// Counters that are no sums.
const MAX_PKT_SIZE: &str = "decoder.max_pkt_size";
const AVG_PKT_SIZE: &str = "decoder.avg_pkt_size";

/// Adds one worker's counters.
pub fn add(sum: &mut Vec<(String, u64)>, more: Vec<(String, u64)>) {
    for (at, (name, value)) in more.into_iter().enumerate() {
        // Workers tell theirs in the same order.
        let known = match sum.get(at) {
            Some((known, _)) if *known == name => Some(at),
            _ => sum.iter().position(|(known, _)| *known == name),
        };
        match known.and_then(|at| sum.get_mut(at)) {
            Some((_, total)) if name == MAX_PKT_SIZE => *total = (*total).max(value),
            Some((_, total)) => *total = total.saturating_add(value),
            None => sum.push((name, value)),
        }
    }
}

/// All have added theirs: what is no sum is worked out, and they are put in order.
pub fn settle(counters: &mut [(String, u64)]) {
    let value = |name: &str| counters.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value);
    let average = value("decoder.bytes").checked_div(value("decoder.pkts")).unwrap_or(0);
    counters.iter_mut().filter(|(name, _)| name == AVG_PKT_SIZE).for_each(|(_, value)| *value = average);
    counters.sort();
}

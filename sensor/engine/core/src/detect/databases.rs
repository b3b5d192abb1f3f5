//! The Hyperscan databases of one ruleset. Groups first say what they will search for; then every set of patterns, each
//! once however many groups share it, is taken from an earlier run or compiled, on several threads.

use super::hs::{Database, Literal};
use super::parallel;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Names a set of patterns: SHA-256 over what is compiled.
pub type Digest = [u8; 32];

/// Where an earlier run's databases are found.
pub type Known<'a> = &'a (dyn Fn(&Digest) -> Option<Database> + Sync);

/// A database that was asked for: what `Databases::add` gives and `Compiled` is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(usize);

struct Set {
    digest: Digest,
    /// (bytes, whatever the case); the place in the list is what a hit reports.
    patterns: Vec<(Box<[u8]>, bool)>,
}

/// Sets of patterns, not compiled yet. Several threads may add to them.
#[derive(Default)]
pub struct Databases(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    sets: Vec<Set>,
    known: HashMap<Digest, usize>,
}

impl Databases {
    pub fn add(&self, patterns: Vec<(Box<[u8]>, bool)>) -> Ticket {
        let mut hash = Sha256::new();
        for (bytes, nocase) in &patterns {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update([u8::from(*nocase)]);
            hash.update(bytes);
        }
        let digest = hash.finalize().into();
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = gathered.known.len();
        let at = *gathered.known.entry(digest).or_insert(next);
        if at == next {
            gathered.sets.push(Set { digest, patterns });
        }
        Ticket(at)
    }

    /// Compiles what was added; whoever adds the same again has the same ticket, and no other may be added. Errors come from
    /// libhs alone (out of memory, an impossible pattern) and name a pattern.
    pub fn compile(&self, known: Known<'_>) -> Result<Compiled, String> {
        let mut sets = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).sets);
        // The largest first, so that no thread is left alone with one in the end.
        let largest_first = |sets: &[Set]| {
            let mut order: Vec<usize> = (0..sets.len()).collect();
            order.sort_by_key(|at| std::cmp::Reverse(sets.get(*at).map_or(0, |set| set.patterns.len())));
            order
        };
        let found = parallel::map(&largest_first(&sets), |at| {
            let database = known(&sets.get(*at)?.digest)?;
            Some((*at, database))
        });
        let mut made: Vec<Option<Database>> = sets.iter().map(|_| None).collect();
        for (at, database) in found.into_iter().flatten() {
            if let (Some(slot), Some(set)) = (made.get_mut(at), sets.get_mut(at)) {
                *slot = Some(database);
                set.patterns = Vec::new(); // libhs needs much memory for the others
            }
        }
        parallel::step_done();
        let reused = made.iter().flatten().count();
        let mut order = largest_first(&sets);
        order.retain(|at| made.get(*at).is_some_and(Option::is_none));
        let compiled = parallel::map(&order, |at| {
            let database = sets.get(*at)?.compile();
            parallel::step_done();
            Some((*at, database))
        });
        for (at, database) in compiled.into_iter().flatten() {
            if let Some(slot) = made.get_mut(at) {
                *slot = Some(database?);
            }
        }
        let list = sets.iter().map(|set| set.digest).zip(made.into_iter().flatten()).collect();
        Ok(Compiled { list, reused })
    }
}

impl Set {
    fn compile(&self) -> Result<Database, String> {
        let literals: Vec<Literal<'_>> = (0u32..)
            .zip(&self.patterns)
            .map(|(id, (bytes, nocase))| Literal { bytes, nocase: *nocase, id })
            .collect();
        Database::compile(&literals).map_err(|error| {
            let first = self.patterns.first().map_or(&b""[..], |(bytes, _)| bytes);
            format!("the patterns from {:?} on: {error}", String::from_utf8_lossy(first))
        })
    }
}

/// The databases, in the order of their tickets.
#[derive(Default)]
pub struct Compiled {
    pub list: Vec<(Digest, Database)>,
    reused: usize,
}

impl Compiled {
    /// How many there are, and how many were not compiled anew.
    pub fn counts(&self) -> (usize, usize) {
        (self.list.len(), self.reused)
    }

    pub fn get(&self, ticket: Ticket) -> Option<Database> {
        self.list.get(ticket.0).map(|(_, database)| database.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<(Box<[u8]>, bool)> {
        texts.iter().map(|text| (text.as_bytes().into(), false)).collect()
    }

    #[test]
    fn equal_sets_are_compiled_once_and_known_ones_never() {
        let gather = || {
            let databases = Databases::default();
            let tickets = [&["abc", "def"][..], &["def", "abc"], &["abc", "def"], &["abcd", "ef"]]
                .map(|texts| databases.add(patterns(texts)));
            (databases, tickets)
        };
        let (databases, tickets) = gather();
        assert_eq!(tickets, [0, 1, 0, 2].map(Ticket));
        let first = databases.compile(&|_| None).unwrap();
        assert_eq!(first.counts(), (3, 0));
        let known = |digest: &Digest| {
            let (_, database) = first.list.iter().skip(1).find(|(known, _)| known == digest)?;
            Some(database.clone())
        };
        let (databases, tickets) = gather();
        let second = databases.compile(&known).unwrap();
        assert_eq!(second.counts(), (3, 2));
        assert_eq!(databases.add(patterns(&["def", "abc"])), tickets[1], "the same again");
        assert!(second.get(Ticket(2)).is_some() && second.get(Ticket(3)).is_none());
    }

    #[test]
    fn what_libhs_refuses_is_named() {
        let databases = Databases::default();
        databases.add(patterns(&["fine"]));
        databases.add(patterns(&["impossible", ""]));
        assert!(databases.compile(&|_| None).err().unwrap().contains("impossible"));
    }
}

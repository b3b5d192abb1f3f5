//! What the workers of one replay share, and the order in which they touch it.
//!
//! Rules may count and remember across flows: thresholds by address, xbits, data sets that rules write. Were workers to race
//! for these, alerts would differ from run to run. So each worker tells its place in the capture, and one that is about to
//! touch what is shared waits until all the others are past that place (`in_turn`): it happens in the order of the capture, as
//! with one worker. The worker at the lowest place never waits, so they cannot block one another. Where nothing but the alert
//! itself hangs on what is shared, as with most thresholds, it goes on and hears later (`ask`). Nothing else waits: a worker whose
//! rules touch nothing shared never looks at another's place (docs/adr/0005).

use crate::detect::ledger::{Ledger, Ticket};
use crate::detect::tag::TaggedHosts;
use crate::detect::threshold::{Counts, Question};
use crate::detect::xbits::XbitTable;
use crate::dispatch::Seen;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A place is a frame's number and a step within it: 0 is for flows that end before it, then come its packets, outermost
/// first. A frame has fewer than 255 of them (`decoder.max-layers`).
const STEP_BITS: u32 = 8;
const STEPS_MAX: u64 = (1 << STEP_BITS) - 1;
/// Behind the last frame, where all flows that are left end.
const LAST: u64 = 1 << 62;
/// Behind everything.
const GONE: u64 = u64::MAX;

/// Looks at another's place before a waiting worker lets others have its processor, and before it sleeps.
const SPINS: u32 = 200;
const YIELDS: u32 = 2_000;
const NAP: Duration = Duration::from_micros(50);

/// Where a worker is. Alone in its cache lines: each is written for every frame.
#[repr(align(128))]
struct Seat {
    /// Everything before this place is done.
    place: AtomicU64,
    /// At a place of flow ends: which of them is in hand (`Slot::born`); those born before are done.
    ending: AtomicU64,
}

/// What workers share.
pub struct Team {
    seats: Box<[Seat]>,
    /// All see the same frames, so that what they share can be touched in the order of the capture.
    in_order: bool,
    /// Thresholds and rate filters that are not about one flow.
    thresholds: Mutex<Ledger>,
    pub tagged_hosts: Mutex<TaggedHosts>,
    pub xbits: XbitTable,
    pub seen: Arc<Seen>,
    /// Files stored so far.
    stored_files: AtomicU64,
    /// Places of ICMP errors that belong to a flow which another worker has than the one of the error's own addresses.
    quoted: Mutex<HashSet<u64>>,
}

/// One worker's part in it.
#[derive(Clone)]
pub struct Member {
    team: Arc<Team>,
    pub number: usize,
}

impl Team {
    /// The members of a team of `workers`.
    pub fn make(workers: usize) -> Vec<Member> {
        Team::of(workers, true)
    }

    /// The members of a team in which each has frames of its own: there is no common order, and nobody waits.
    pub fn apart(workers: usize) -> Vec<Member> {
        Team::of(workers, false)
    }

    fn of(workers: usize, in_order: bool) -> Vec<Member> {
        let seat = |_| Seat { place: AtomicU64::new(0), ending: AtomicU64::new(0) };
        let team = Arc::new(Team {
            seats: (0..workers.max(1)).map(seat).collect(),
            in_order,
            thresholds: Mutex::new(Ledger::new(workers.max(1))),
            tagged_hosts: Mutex::default(),
            xbits: XbitTable::default(),
            seen: Arc::default(),
            stored_files: AtomicU64::new(0),
            quoted: Mutex::default(),
        });
        (0..team.seats.len()).map(|number| Member { team: Arc::clone(&team), number }).collect()
    }

    pub fn workers(&self) -> usize {
        self.seats.len()
    }

    /// The thresholds, with every question answered that can be.
    fn settled(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = lock(&self.thresholds);
        ledger.settle(|worker, place, ending| self.others_past(worker, place, ending));
        ledger
    }

    /// Whether all but `worker` are past a place of its, or there is no order among them.
    fn others_past(&self, worker: usize, place: u64, ending: u64) -> bool {
        let mut seats = self.seats.iter().enumerate();
        !self.in_order || seats.all(|(at, seat)| at == worker || is_past(seat, place, ending))
    }
}

thread_local! {
    static MEMBER: RefCell<Option<Member>> = const { RefCell::new(None) };
}

/// This thread's part in its team; a thread that has not joined one makes its own.
fn member<T>(work: impl FnOnce(&Member) -> T) -> T {
    MEMBER.with(|member| {
        if member.borrow().is_none() {
            member.replace(Some(Member::alone()));
        }
        match member.borrow().as_ref() {
            Some(member) => work(member),
            None => work(&Member::alone()),
        }
    })
}

/// Does `work` on what is shared when it is this worker's turn.
pub fn in_turn<T>(work: impl FnOnce(&Team) -> T) -> T {
    member(|member| {
        let (place, ending) = member.place();
        member.wait_until_past(place, ending);
        work(&member.team)
    })
}

/// The same on thresholds and rate filters.
pub fn count_in_turn<T>(work: impl FnOnce(&mut Counts) -> T) -> T {
    in_turn(|team| work(&mut team.settled().counts))
}

/// Whether a threshold lets the match in hand alert; or a ticket to ask again with, when the others have come as far.
pub fn ask(question: Question) -> Result<bool, Ticket> {
    member(|member| {
        let (team, (place, ending)) = (member.team(), member.place());
        // Before what is open is settled: when all are past, nobody has a question from before that would be left open.
        let are_past = team.others_past(member.number, place, ending);
        let mut ledger = team.settled();
        let ticket = if are_past { None } else { ledger.note(member.number, place, ending, question) };
        ticket.map_or_else(|| Ok(ledger.counts.admits(&question)), Err)
    })
}

/// The answer to a question of this worker, who asks again in the order of its tickets; with `wait` there always is one.
pub fn answer(ticket: &Ticket, wait: bool) -> Option<bool> {
    member(|member| {
        let team = member.team();
        if wait {
            member.wait_until_past(ticket.place, ticket.ending);
        } else if !team.others_past(member.number, ticket.place, ticket.ending) {
            return None;
        }
        team.settled().answer(member.number, ticket)
    })
}

/// The number of a file that is stored now, from 1.
pub fn next_stored_file() -> u64 {
    in_turn(|team| team.stored_files.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Member {
    /// The only member of a team.
    pub fn alone() -> Member {
        Team::make(1).remove(0)
    }

    pub fn team(&self) -> &Team {
        &self.team
    }

    /// No other member sees this one's frames.
    pub fn is_alone(&self) -> bool {
        self.team.seats.len() == 1 || !self.team.in_order
    }

    /// What this thread's rules share from now on is this team's.
    pub fn join(&self) {
        MEMBER.set(Some(self.clone()));
    }

    #[inline]
    fn seat(&self) -> &Seat {
        // Members are made with the seats.
        &self.team.seats[self.number]
    }

    #[inline]
    fn go(&self, place: u64) {
        self.seat().place.store(place, Ordering::Release);
    }

    /// All flows born before this one that end before the frame in hand are done; this one is in hand.
    pub fn ending(&self, born: u64) {
        self.seat().ending.store(born, Ordering::Release);
    }

    /// Packet `step` of the frame is in hand.
    #[inline]
    pub fn at(&self, frame: u64, step: u64) {
        self.go(frame << STEP_BITS | step.wrapping_add(1).min(STEPS_MAX));
    }

    /// The frame is done.
    #[inline]
    pub fn done(&self, frame: u64) {
        self.seat().ending.store(0, Ordering::Release);
        self.go(frame.wrapping_add(1) << STEP_BITS);
    }

    /// All frames are done; the flows that are left end.
    pub fn last(&self) {
        self.seat().ending.store(0, Ordering::Release);
        self.go(LAST);
    }

    /// Before this frame: returns when all workers are there.
    pub fn meet(&self, frame: u64) {
        let place = frame << STEP_BITS;
        self.go(place);
        for seat in &self.team.seats {
            while seat.place.load(Ordering::Acquire) < place {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Nothing more will come of this worker.
    pub fn leave(&self) {
        self.go(GONE);
    }

    /// Another worker has the flow that the ICMP error in hand is about.
    pub fn take_quoted(&self) {
        lock(&self.team.quoted).insert(self.seat().place.load(Ordering::Relaxed));
    }

    /// Whether another worker took the ICMP error in hand for a flow of its own.
    pub fn is_quoted(&self) -> bool {
        let (place, ending) = self.place();
        self.wait_until_past(place, ending);
        lock(&self.team.quoted).remove(&self.seat().place.load(Ordering::Relaxed))
    }

    fn place(&self) -> (u64, u64) {
        let own = self.seat();
        (own.place.load(Ordering::Relaxed), own.ending.load(Ordering::Relaxed))
    }

    /// Until all others are past a place of this worker's.
    fn wait_until_past(&self, place: u64, ending: u64) {
        let mut looks = 0u32;
        while !self.team.others_past(self.number, place, ending) {
            looks = looks.saturating_add(1);
            match looks {
                0..SPINS => std::hint::spin_loop(),
                SPINS..YIELDS => std::thread::yield_now(),
                _ => std::thread::sleep(NAP),
            }
        }
    }
}

#[inline]
fn is_past(seat: &Seat, place: u64, ending: u64) -> bool {
    let other = seat.place.load(Ordering::Acquire);
    // Both end flows at the same place: they go by when the flows were born. `ending` is reset before the place moves.
    other > place || (other == place && ending != 0 && seat.ending.load(Ordering::Acquire) > ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Addr, Packet};
    use crate::detect::effects::{Threshold, ThresholdKind, Track};
    use crate::time::Timestamp;
    use std::collections::VecDeque;

    /// Workers that each take some of the frames and write down what they touch when it is their turn.
    #[test]
    fn what_is_shared_is_touched_in_the_order_of_the_capture() {
        const WORKERS: usize = 4;
        const FRAMES: u64 = 3_000;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = Team::make(WORKERS)
            .into_iter()
            .map(|member| {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || {
                    member.join();
                    let me = member.number as u64;
                    for frame in 1..=FRAMES {
                        // Some flows end before some frames; the lower born goes first, whosever it is.
                        if frame % 7 == 0 {
                            for born in [me + 1, me + 10] {
                                member.ending(born);
                                in_turn(|_| lock(&seen).push((frame, 0, born)));
                            }
                        }
                        if frame % WORKERS as u64 == me {
                            member.at(frame, 0);
                            in_turn(|_| lock(&seen).push((frame, 1, 0)));
                        }
                        member.done(frame);
                    }
                    member.last();
                    member.ending(100 - me);
                    in_turn(|_| lock(&seen).push((u64::MAX, 0, 100 - me)));
                    member.leave();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let seen = lock(&seen);
        assert!(seen.is_sorted(), "{:?}", seen.windows(2).find(|pair| pair[0] > pair[1]));
        assert_eq!(seen.len() as u64, FRAMES + FRAMES / 7 * 8 + WORKERS as u64);
    }

    fn question(frame: u64) -> Question {
        let mut packet = Packet::new(&[], Timestamp::from_parts(frame / 40, 0), frame, 0, 1);
        packet.src = Addr(u128::from(frame % 3));
        let kind = ThresholdKind::Threshold;
        Question::new((1, 1), &Threshold { kind, track: Track::BySrc, count: 5, seconds: 7 }, &packet, None)
    }

    /// What one of a team hears of its frames. Some questions it never asks again for, as when a stage fails; now and then it
    /// waits for an answer, and some it asks in turn.
    fn heard(member: &Member, frames: u64) -> Vec<(u64, bool)> {
        member.join();
        let (mut open, mut heard) = (VecDeque::new(), Vec::new());
        for frame in (1..=frames).filter(|frame| frame % 3 != 0) {
            if (frame * 7919) % member.team().workers() as u64 == member.number as u64 {
                member.at(frame, 0);
                if frame % 31 == 0 {
                    heard.push((frame, count_in_turn(|counts| counts.admits(&question(frame)))));
                } else {
                    match ask(question(frame)) {
                        Ok(_) | Err(_) if frame % 13 == 0 => {}
                        Ok(admits) => heard.push((frame, admits)),
                        Err(ticket) => open.push_back((frame, ticket)),
                    }
                }
            }
            member.done(frame);
            while let Some((frame, ticket)) = open.front().copied() {
                let Some(admits) = answer(&ticket, frame % 101 == 0) else { break };
                heard.push((frame, admits));
                open.pop_front();
            }
        }
        member.leave();
        heard.extend(open.iter().map(|(frame, ticket)| (*frame, answer(ticket, true).unwrap())));
        heard
    }

    #[test]
    fn questions_are_answered_in_the_order_of_the_capture() {
        const FRAMES: u64 = 4_000;
        let run = |workers: usize| {
            let threads: Vec<_> = Team::make(workers)
                .into_iter()
                .map(|member| std::thread::spawn(move || heard(&member, FRAMES)))
                .collect();
            let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            all.sort_unstable();
            all
        };
        let alone = run(1);
        assert!(alone.iter().any(|(_, admits)| *admits) && alone.iter().any(|(_, admits)| !admits));
        assert!(run(2) == alone && run(5) == alone);
    }

    #[test]
    fn one_that_is_ahead_does_not_wait() {
        let mut members = Team::make(2);
        let (behind, ahead) = (members.pop().unwrap(), members.pop().unwrap());
        let ticket = std::thread::spawn(move || {
            ahead.join();
            ahead.at(7, 0);
            let ticket = ask(question(7)).unwrap_err();
            assert_eq!(answer(&ticket, false), None);
            (ahead, ticket)
        });
        let (ahead, ticket) = ticket.join().unwrap();
        behind.done(7);
        ahead.join();
        assert_eq!(answer(&ticket, false), Some(false));
    }

    #[test]
    fn apart_nobody_waits_and_all_share() {
        let mut members = Team::apart(2);
        // The other one never moves.
        let (still, busy) = (members.pop().unwrap(), members.pop().unwrap());
        let files = std::thread::spawn(move || {
            busy.join();
            busy.at(7, 0);
            (next_stored_file(), next_stored_file())
        });
        assert_eq!(files.join().unwrap(), (1, 2));
        still.join();
        assert_eq!(next_stored_file(), 3);
        assert!(still.is_alone());
    }

    #[test]
    fn alone_nobody_waits() {
        Member::alone().join();
        assert_eq!((next_stored_file(), next_stored_file()), (1, 2));
    }
}

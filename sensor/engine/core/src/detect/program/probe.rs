//! What an evaluation saw on its way. The evaluation is one and the same with and without: for `()` nothing of this remains in
//! the compiled code.

/// Is told what `eval` does. Tests are named by how many tests stand behind them.
pub trait Probe {
    /// Nothing outside the evaluation may be changed by it.
    #[inline(always)]
    fn only_looks(&self) -> bool {
        false
    }
    /// A test is tried from this position on.
    #[inline(always)]
    fn tries(&mut self, _left: usize, _pos: usize) {}
    /// A literal must lie in [start, end).
    #[inline(always)]
    fn looks_in(&mut self, _left: usize, _start: usize, _end: usize) {}
    /// The bytes [start, end) are what was looked for.
    #[inline(always)]
    fn found(&mut self, _left: usize, _start: usize, _end: usize) {}
    /// The number at hand.
    #[inline(always)]
    fn reads(&mut self, _left: usize, _value: u64) {}
    /// The tests that follow, so many, are those of decoded bytes.
    #[inline(always)]
    fn enter(&mut self, _tests: usize, _decoded: &[u8]) {}
    #[inline(always)]
    fn leave(&mut self) {}
}

impl Probe for () {}

/// Tries of one test that are kept.
const TRIES_MAX: usize = 64;

/// Decoded bytes that are kept.
const DECODED_MAX: usize = 4096;

/// One try of one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub pos: usize,
    /// Where a literal had to lie.
    pub window: Option<(usize, usize)>,
    /// Where it, or what a pcre asks for, was found.
    pub found: Option<(usize, usize)>,
    pub number: Option<u64>,
}

/// The way that got furthest.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    now: Vec<Step>,
    best: Vec<Step>,
    /// The last test that was ever tried.
    reached: Option<usize>,
    /// Its tries.
    tries: Vec<Step>,
    inner: Option<Box<(Trace, Vec<u8>)>>,
    inside: bool,
}

impl Trace {
    pub fn of(tests: usize) -> Trace {
        let fresh = vec![Step::default(); tests];
        Trace { best: fresh.clone(), now: fresh, ..Trace::default() }
    }

    /// The test that stopped it when it did not hold.
    pub fn reached(&self) -> usize {
        self.reached.unwrap_or(0)
    }

    /// How a test held: on the way that succeeded, or on the one that first got as far as any.
    pub fn held(&self, test: usize, all_hold: bool) -> Step {
        let steps = if all_hold { &self.now } else { &self.best };
        steps.get(test).copied().unwrap_or_default()
    }

    /// The tries of the test that stopped it.
    pub fn tries(&self) -> &[Step] {
        &self.tries
    }

    /// The tests of decoded bytes, with these.
    pub fn inner(&self) -> Option<(&Trace, &[u8])> {
        self.inner.as_deref().map(|(trace, decoded)| (trace, decoded.as_slice()))
    }

    fn at(&mut self, left: usize) -> Option<(usize, &mut Trace)> {
        let trace = if self.inside { &mut self.inner.as_mut()?.0 } else { self };
        let test = trace.now.len().checked_sub(left)?.checked_sub(1)?;
        Some((test, trace))
    }

    fn note(&mut self, left: usize, change: impl Fn(&mut Step)) {
        let Some((test, trace)) = self.at(left) else { return };
        trace.now.get_mut(test).into_iter().for_each(&change);
        if trace.reached == Some(test) {
            trace.tries.last_mut().into_iter().for_each(&change);
        }
    }
}

impl Probe for Trace {
    fn only_looks(&self) -> bool {
        true
    }

    fn tries(&mut self, left: usize, pos: usize) {
        let Some((test, trace)) = self.at(left) else { return };
        let step = Step { pos, ..Step::default() };
        trace.now.get_mut(test).into_iter().for_each(|now| *now = step);
        if trace.reached.is_none_or(|reached| test > reached) {
            trace.reached = Some(test);
            trace.best.clone_from(&trace.now);
            trace.tries.clear();
        }
        if trace.reached == Some(test) && trace.tries.len() < TRIES_MAX {
            trace.tries.push(step);
        }
    }

    fn looks_in(&mut self, left: usize, start: usize, end: usize) {
        self.note(left, |step| step.window = Some((start, end)));
    }

    fn found(&mut self, left: usize, start: usize, end: usize) {
        self.note(left, |step| step.found = Some((start, end)));
    }

    fn reads(&mut self, left: usize, value: u64) {
        self.note(left, |step| step.number = Some(value));
    }

    fn enter(&mut self, tests: usize, decoded: &[u8]) {
        // Of several decodings the first is told of, or the one that held, which is the last.
        let kept = decoded.get(..DECODED_MAX).unwrap_or(decoded).to_vec();
        self.inner = Some(Box::new((Trace::of(tests), kept)));
        self.inside = true;
    }

    fn leave(&mut self) {
        self.inside = false;
    }
}

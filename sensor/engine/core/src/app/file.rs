//! A file seen inside a protocol: what `fileinfo` events say and `file.*` keywords ask. Of its bytes a sliding window is kept
//! here, unless the protocol keeps them itself (HTTP: its bodies).

use super::body::{Body, BodyLimits};
use super::digest::{hex, Describer, FileWants, Storing, Sums, Tracker};
use super::{LogFor, View};
use crate::json::JsonWriter;

/// Whether a file came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    #[default]
    Open,
    Closed,
    /// Cut by a gap, a limit or the end of the flow.
    Truncated,
    Error,
}

impl FileState {
    /// EVE's `fileinfo.state`.
    pub fn eve_name(self) -> &'static str {
        match self {
            FileState::Open => "UNKNOWN",
            FileState::Truncated => "TRUNCATED",
            FileState::Closed => "CLOSED",
            FileState::Error => "ERROR",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct File {
    pub name: Vec<u8>,
    /// Bytes seen so far.
    pub size: u64,
    pub state: FileState,
    pub gaps: bool,
    /// Offset of the first and last byte when the transfer is a range (HTTP Content-Range).
    pub range: Option<(u64, u64)>,
    /// The transfer is a piece of a larger file, which is put together elsewhere.
    pub piece: Option<Box<Piece>>,
    pub logged: bool,
    /// Rules that asked for it to be stored.
    pub sids: Vec<u32>,
    work: Work,
    pub(super) content: Option<Box<Body>>,
    pub(super) limits: Option<BodyLimits>,
}

/// A piece of a larger file.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// What tells the larger file from others: its host and path.
    pub whole: Vec<u8>,
    /// Its name in records.
    pub name: Vec<u8>,
    /// Its size.
    pub total: u64,
    /// Bytes of the piece that were not looked at yet, and the place of the first in the larger file.
    pub bytes: Vec<u8>,
    pub at: u64,
}

/// What is computed of the bytes as they pass.
#[derive(Clone, Debug)]
enum Work {
    /// Not decided yet: the bytes of the call in which the file began.
    Early(Vec<u8>),
    Nothing,
    Tracked(Box<Tracker>),
}

impl Default for Work {
    fn default() -> Self {
        Work::Early(Vec::new())
    }
}

/// Rules that a file remembers.
const SIDS_MAX: usize = 32;

/// The window over a file's content. Suricata's defaults for files outside HTTP: no limit of its own, looked at as it comes.
const CONTENT: BodyLimits = BodyLimits { limit: 0, min_inspect: 0, window: 4 << 10 };

impl File {
    /// A file whose content is kept here: `append` what comes of it, then `close` it.
    pub fn open(name: &[u8]) -> File {
        File { name: name.to_vec(), content: Some(Box::default()), ..File::default() }
    }
    /// Inspects the content within these limits instead: nothing before `min_inspect` bytes stand or the file is over, nothing
    /// beyond `limit`.
    pub fn limited(mut self, limits: BodyLimits) -> File {
        self.limits = Some(limits);
        self
    }
    /// A file whose content is kept elsewhere (HTTP: its bodies): `observe` what comes of it, then `close` it.
    pub fn named(name: Vec<u8>) -> File {
        File { name, ..File::default() }
    }
    /// The file is the stretch from `start` to `end` (inclusive) of a larger one of `total` bytes, which `whole` tells from
    /// others. Its records bear the name of this one.
    pub fn piece_of(mut self, whole: Vec<u8>, start: u64, end: u64, total: u64) -> File {
        let all = start == 0 && end.saturating_add(1) >= total;
        if !all && end < total {
            let name = self.name.clone();
            self.piece = Some(Box::new(Piece { whole, name, total, bytes: Vec::new(), at: start }));
        }
        self
    }
    /// The next bytes of the content.
    pub fn append(&mut self, bytes: &[u8]) {
        self.observe(bytes);
        if let Some(content) = &mut self.content {
            content.append(bytes, self.limits.as_ref().unwrap_or(&CONTENT));
        }
    }
    /// The next bytes of a content that is kept elsewhere.
    pub fn observe(&mut self, bytes: &[u8]) {
        if self.state != FileState::Open {
            return;
        }
        self.size = self.size.saturating_add(bytes.len() as u64);
        if let Some(piece) = &mut self.piece {
            piece.bytes.extend_from_slice(bytes);
        }
        match &mut self.work {
            Work::Early(early) => early.extend_from_slice(bytes),
            Work::Nothing => {}
            Work::Tracked(tracker) => tracker.update(bytes),
        }
    }
    /// `len` bytes of the content are lost.
    pub fn gap(&mut self, len: u64) {
        self.gaps = true;
        self.piece = None;
        self.size = self.size.saturating_add(len);
        if let Some(content) = &mut self.content {
            content.gap(len, self.limits.as_ref().unwrap_or(&CONTENT));
        }
    }
    /// Ends the file, once; later calls change nothing.
    pub fn close(&mut self, state: FileState) {
        if self.state == FileState::Open {
            self.state = state;
            if let Work::Tracked(tracker) = &mut self.work {
                tracker.finish(state == FileState::Closed);
            }
            if let Some(content) = &mut self.content {
                content.finish();
            }
        }
    }
    /// The window of the content that stands: the buffer `file.data`.
    pub fn data(&self) -> Option<View<'_>> {
        self.content.as_ref()?.view(self.limits.as_ref().unwrap_or(&CONTENT), self.limits.is_none())
    }
    /// What `data` shows was inspected: the window may slide.
    pub fn inspected(&mut self) {
        if let Some(content) = &mut self.content {
            content.inspected(self.limits.as_ref().unwrap_or(&CONTENT), self.limits.is_none());
        }
    }

    /// What is to be computed of the file: asked once, right after the call in which it began.
    pub fn is_undecided(&self) -> bool {
        matches!(self.work, Work::Early(_))
    }
    /// Answers it; what has come already counts.
    pub fn decide(&mut self, wants: &FileWants, describer: Option<&Describer>) {
        let Work::Early(early) = &mut self.work else { return };
        let early = std::mem::take(early);
        if !wants.any() {
            self.work = Work::Nothing;
            return;
        }
        let mut tracker = Box::new(Tracker::new(wants, describer));
        tracker.update(&early);
        if self.state != FileState::Open {
            tracker.finish(self.state == FileState::Closed);
        }
        self.work = Work::Tracked(tracker);
    }
    pub fn tracker(&mut self) -> Option<&mut Tracker> {
        match &mut self.work {
            Work::Tracked(tracker) => Some(tracker),
            _ => None,
        }
    }
    /// What libmagic says of it, where rules or the configuration want to know; computed when first asked for.
    pub fn magic(&self) -> Option<&str> {
        match &self.work {
            Work::Tracked(tracker) => tracker.magic(),
            _ => None,
        }
    }
    pub fn storing(&self) -> Storing {
        match &self.work {
            Work::Tracked(tracker) => tracker.storing(),
            _ => Storing::No,
        }
    }
    /// Digests of the file, once it is over and where they were asked for.
    pub fn sums(&self) -> Option<&Sums> {
        match &self.work {
            Work::Tracked(tracker) => Some(tracker.sums()),
            _ => None,
        }
    }
    /// A rule (by its sid) asks for it to be stored.
    pub fn asked_by(&mut self, sid: u32) {
        if self.sids.len() < SIDS_MAX && !self.sids.contains(&sid) {
            self.sids.push(sid);
        }
    }

    /// Writes the members of EVE's `fileinfo` object.
    pub fn log(&self, out: &mut JsonWriter, tx_id: u64, what: LogFor) {
        out.bytes("filename", &self.name);
        if !self.sids.is_empty() {
            out.open_array("sid");
            for sid in &self.sids {
                out.item_uint(u64::from(*sid));
            }
            out.close_array();
        }
        let known = match &self.work {
            Work::Tracked(tracker) => tracker.known_magic(),
            _ => None,
        };
        if let Some(magic) = known {
            out.bytes("magic", magic.as_bytes());
        }
        out.bool("gaps", self.gaps);
        out.str("state", self.state.eve_name());
        let sums = self.sums().copied().unwrap_or_default();
        for (name, sum) in [
            ("md5", sums.md5.as_ref().map(|s| s.as_slice())),
            ("sha1", sums.sha1.as_ref().map(|s| s.as_slice())),
            ("sha256", sums.sha256.as_ref().map(|s| s.as_slice())),
        ] {
            if let Some(sum) = sum {
                out.str(name, &hex(sum));
            }
        }
        match self.storing() {
            Storing::Yes(id) if what == LogFor::Record => {
                out.bool("stored", true);
                out.uint("file_id", id);
            }
            Storing::Yes(_) => {
                out.bool("stored", false);
                out.bool("storing", true);
            }
            _ => out.bool("stored", false),
        }
        out.uint("size", self.size);
        if let Some((start, end)) = self.range {
            out.uint("start", start);
            out.uint("end", end);
        }
        out.uint("tx_id", tx_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants() -> FileWants {
        FileWants { md5: true, sha256: true, magic: true, may_store: true, ..FileWants::default() }
    }

    /// Stands for libmagic.
    fn shouter() -> Describer {
        Describer(std::sync::Arc::new(|head| Some(format!("{}!", String::from_utf8_lossy(head)))))
    }

    #[test]
    fn digests_do_not_hang_on_when_they_were_asked_for() {
        for decided_at in 0..4 {
            let mut file = File::open(b"a.txt");
            for (step, piece) in [b"hel".as_slice(), b"lo", b""].into_iter().enumerate() {
                if step == decided_at {
                    file.decide(&wants(), Some(&shouter()));
                }
                file.append(piece);
            }
            file.close(FileState::Closed);
            file.decide(&wants(), Some(&shouter()));
            let sums = file.sums().unwrap();
            assert_eq!(hex(&sums.md5.unwrap()), "5d41402abc4b2a76b9719d911017c592");
            assert_eq!(sums.sha1, None);
            assert_eq!(file.magic(), Some("hello!"));
        }
    }

    #[test]
    fn a_cut_file_has_only_its_sha256() {
        let mut file = File::open(b"a");
        file.decide(&wants(), Some(&shouter()));
        file.append(b"hello");
        file.close(FileState::Truncated);
        file.append(b"more");
        assert_eq!((file.sums().unwrap().md5, file.size), (None, 5));
        assert!(file.sums().unwrap().sha256.is_some());
    }

    #[test]
    fn bytes_are_held_until_a_rule_asks() {
        let mut file = File::open(b"a");
        file.decide(&wants(), Some(&shouter()));
        file.append(b"hello");
        let tracker = file.tracker().unwrap();
        assert!(tracker.take_held().is_empty(), "nobody asked");
        assert!(tracker.store(7));
        assert_eq!(tracker.take_held(), b"hello");
        let mut long = File::open(b"b");
        long.decide(&wants(), Some(&shouter()));
        long.append(&vec![0; (1 << 20) + 1]);
        assert!(!long.tracker().unwrap().store(8), "too much came before");
    }
}

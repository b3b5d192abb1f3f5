//! The file store: a thread that writes files to a temporary name and, once they are whole, renames them to the SHA-256 of
//! their content (`ab/abcd...`). No name from the wire is ever used. The worker never waits for the disk for long: its queue is
//! bounded, and what does not fit in time is given up and counted.

use super::config::StoreConfig;
use crate::app::digest::hex;
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Jobs that may wait: a job carries what one packet brought, 64 KiB at most but for a hole that was filled.
const QUEUE_MAX: usize = 256;
/// How long a worker waits for room in the queue.
const WAITS_MAX: u32 = 2000;
const WAIT: Duration = Duration::from_millis(1);

/// Tells the temporary files of workers apart.
static STORES: AtomicU64 = AtomicU64::new(0);

enum Job {
    Append(u64, Vec<u8>),
    Close(u64, [u8; 32]),
    Drop(u64),
    Record { id: u64, sha256: [u8; 32], seconds: u64, json: Vec<u8> },
}

/// The worker's end.
pub struct Store {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    errors: Arc<AtomicU64>,
}

impl Store {
    /// Starts the thread; without one nothing is stored, and every file counts as an error.
    pub fn open(config: &StoreConfig) -> Store {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let errors = Arc::new(AtomicU64::new(0));
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let writer = Writer {
            dir: config.dir.clone(),
            prefix: format!("{}-{number}", std::process::id()),
            open_files_max: config.open_files_max,
            files: HashMap::new(),
            handles: VecDeque::new(),
            errors: Arc::clone(&errors),
        };
        let thread =
            std::thread::Builder::new().name("file-store".to_owned()).spawn(move || writer.run(&queue)).ok();
        Store { jobs: Some(jobs), thread, errors }
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
    /// The next bytes of file `id`. False, here and below: the file is lost.
    pub fn append(&mut self, id: u64, bytes: Vec<u8>) -> bool {
        self.send(Job::Append(id, bytes))
    }
    pub fn close(&mut self, id: u64, sha256: [u8; 32]) -> bool {
        self.send(Job::Close(id, sha256))
    }
    pub fn drop_file(&mut self, id: u64) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if let Some(jobs) = &self.jobs {
            // What is left without it goes when the thread ends.
            let _ = jobs.try_send(Job::Drop(id));
        }
    }
    /// The event of a stored file, to be kept beside it.
    pub fn record(&mut self, id: u64, sha256: [u8; 32], seconds: u64, json: &[u8]) {
        self.send(Job::Record { id, sha256, seconds, json: json.to_vec() });
    }

    fn send(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        let mut job = job;
        for _ in 0..WAITS_MAX {
            match jobs.try_send(job) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) => job = back,
                Err(TrySendError::Disconnected(_)) => return false,
            }
            std::thread::sleep(WAIT);
        }
        false
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None; // the thread ends when all is written
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The thread's end.
struct Writer {
    dir: PathBuf,
    prefix: String,
    open_files_max: usize,
    /// Files under way; None: without a handle at the moment.
    files: HashMap<u64, Option<File>>,
    /// Files with a handle, oldest first.
    handles: VecDeque<u64>,
    errors: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            if self.job(&job).is_err() {
                self.errors.fetch_add(1, Ordering::Relaxed);
                if let Job::Append(id, _) | Job::Close(id, _) = job {
                    self.forget(id);
                }
            }
        }
        let left: Vec<u64> = self.files.keys().copied().collect();
        for id in left {
            self.forget(id);
        }
        // Gone when this was the last one; other workers may still use it.
        let _ = fs::remove_dir(self.dir.join("tmp"));
    }

    fn temporary(&self, id: u64) -> PathBuf {
        self.dir.join("tmp").join(format!("{}-{id}", self.prefix))
    }

    /// Where a file with this digest is.
    fn place(&self, sha256: &[u8; 32]) -> io::Result<PathBuf> {
        let name = hex(sha256);
        let folder = self.dir.join(name.get(..2).unwrap_or("00"));
        fs::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }

    fn job(&mut self, job: &Job) -> io::Result<()> {
        match job {
            Job::Append(id, bytes) => self.handle(*id)?.write_all(bytes),
            Job::Close(id, sha256) => {
                self.handle(*id)?.flush()?;
                self.files.remove(id);
                self.handles.retain(|h| h != id);
                let (from, to) = (self.temporary(*id), self.place(sha256)?);
                // The same content again: the file is there already.
                let done = if to.is_file() { fs::remove_file(&from) } else { fs::rename(&from, &to) };
                if done.is_err() {
                    let _ = fs::remove_file(&from); // the first failure is the one that counts
                }
                done
            }
            Job::Drop(id) => {
                self.forget(*id);
                Ok(())
            }
            Job::Record { id, sha256, seconds, json } => {
                let to = self.place(sha256)?;
                let name = format!("{}.{seconds}.{id}.json", hex(sha256));
                write_whole(&self.dir.join("tmp"), &self.temporary(*id), &to.with_file_name(name), json)
            }
        }
    }

    fn forget(&mut self, id: u64) {
        if self.files.remove(&id).is_some() {
            self.handles.retain(|h| *h != id);
            let _ = fs::remove_file(self.temporary(id)); // it may never have been made
        }
    }

    fn handle(&mut self, id: u64) -> io::Result<&mut File> {
        let path = self.temporary(id);
        let is_new = !self.files.contains_key(&id);
        let slot = self.files.entry(id).or_default();
        if slot.is_none() {
            let mut options = OpenOptions::new();
            options.append(true);
            if is_new {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                options.create_new(true);
            }
            *slot = Some(options.open(&path)?);
            self.handles.push_back(id);
        }
        while self.handles.len() > self.open_files_max {
            if let Some(oldest) = self.handles.pop_front() {
                if let Some(handle) = self.files.get_mut(&oldest) {
                    *handle = None;
                }
            }
        }
        match self.files.get_mut(&id).and_then(Option::as_mut) {
            Some(file) => Ok(file),
            None => Err(io::Error::other("no handle for the file")),
        }
    }
}

fn write_whole(folder: &Path, temporary: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let from = temporary.with_extension("json");
    fs::write(&from, bytes)?;
    fs::rename(&from, to)
}

//! Interned names: identifiers and dotted paths, compared by number.

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

/// An interned string. Equal strings have equal names; the number says nothing about the order of the strings, and
/// differs from run to run, so nothing that is printed may be ordered by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

/// Texts are found in as many tables, so that threads that lower different files rarely meet.
const SHARDS: usize = 64;

static SHARD: LazyLock<[Mutex<Shard>; SHARDS]> = LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));

/// One table from text to name.
#[derive(Default)]
struct Shard {
    /// By the hash of the text, or by the next free one after it where another text has the same.
    names: FxHashMap<u64, (&'static str, Name)>,
    /// Where the next texts go: side by side, not each in a place of its own.
    room: &'static mut [u8],
}

impl Shard {
    fn interned(&mut self, text: &str, hash: u64) -> (&'static str, Name) {
        let mut key = hash;
        while let Some((known, name)) = self.names.get(&key) {
            if *known == text {
                return (known, *name);
            }
            key = key.wrapping_add(1);
        }
        let text = self.kept(text);
        let name = TEXTS.add(text);
        self.names.insert(key, (text, name));
        (text, name)
    }

    /// A copy that stays for ever.
    fn kept(&mut self, text: &str) -> &'static str {
        const ROOM: usize = 4096;
        const LONG: usize = 256;
        if text.len() > LONG {
            return Box::leak(text.into());
        }
        if text.len() > self.room.len() {
            self.room = Box::leak(vec![0; ROOM].into_boxed_slice());
        }
        let (kept, rest) = std::mem::take(&mut self.room).split_at_mut(text.len());
        self.room = rest;
        kept.copy_from_slice(text.as_bytes());
        std::str::from_utf8(kept).expect("a copy of a text is a text")
    }
}

/// The first bucket of the table of texts holds this many, each next one twice as many.
const FIRST_BUCKET: u32 = 1024;

/// Buckets enough for every number.
const BUCKETS: usize = 23;

static TEXTS: Texts = Texts { known: AtomicU32::new(0), buckets: [const { OnceLock::new() }; BUCKETS] };

/// Texts by number, which never move: read without a lock.
struct Texts {
    known: AtomicU32,
    buckets: [OnceLock<Box<[OnceLock<&'static str>]>>; BUCKETS],
}

impl Texts {
    fn place(number: u32) -> (usize, usize) {
        let bucket = (number / FIRST_BUCKET + 1).ilog2();
        (bucket as usize, (number + FIRST_BUCKET - (FIRST_BUCKET << bucket)) as usize)
    }

    fn get(&self, name: Name) -> Option<&'static str> {
        let (bucket, at) = Self::place(name.0);
        self.buckets[bucket].get()?[at].get().copied()
    }

    fn add(&self, text: &'static str) -> Name {
        let number = self.known.fetch_add(1, Ordering::Relaxed);
        let (bucket, at) = Self::place(number);
        let made = || (0..FIRST_BUCKET << bucket).map(|_| OnceLock::new()).collect();
        self.buckets[bucket].get_or_init(made)[at].get_or_init(|| text);
        Name(number)
    }
}

/// What a thread has interned lately: most look-ups end here, without a lock. A file says the same names again and again.
struct Seen {
    /// By what is in it: the last short text that falls here.
    short: Box<[(Short, Name)]>,
    /// By its hash: the last longer text that falls here.
    long: Box<[(&'static str, Name)]>,
    joined: FxHashMap<(Name, Name), Name>,
}

/// How many short and longer names a thread remembers.
const REMEMBERED: (usize, usize) = (8_192, 4_096);

impl Default for Seen {
    fn default() -> Self {
        let empty = interned("");
        let short = vec![(Short::default(), empty); REMEMBERED.0].into_boxed_slice();
        let long = vec![("", empty); REMEMBERED.1].into_boxed_slice();
        Self { short, long, joined: FxHashMap::default() }
    }
}

impl Seen {
    fn name(&mut self, text: &str) -> Name {
        match Short::new(text.as_bytes()) {
            Some(short) => {
                let last = &mut self.short[short.place() % REMEMBERED.0];
                if last.0 != short {
                    *last = (short, interned(text));
                }
                last.1
            }
            None => {
                let hash = hash(text);
                let last = &mut self.long[(hash >> 40) as usize % REMEMBERED.1];
                if last.0 != text {
                    *last = interned_by(text, hash);
                }
                last.1
            }
        }
    }
}

/// All of a text of at most 16 bytes, as numbers: compared without looking at a text.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Short {
    first: u64,
    last: u64,
    len: u32,
}

impl Short {
    /// What short texts begin and end with is all of them; the two may overlap.
    fn new(text: &[u8]) -> Option<Self> {
        let eight = |from: usize| Some(u64::from_le_bytes(text.get(from..from + 8)?.try_into().ok()?));
        let four = |from: usize| Some(u32::from_le_bytes(text.get(from..from + 4)?.try_into().ok()?));
        let len = text.len();
        let (first, last) = match len {
            0 => (0, 0),
            1..4 => (u64::from(text[0]) | u64::from(text[len / 2]) << 8, u64::from(text[len - 1])),
            4..8 => (u64::from(four(0)?), u64::from(four(len - 4)?)),
            8..=16 => (eight(0)?, eight(len - 8)?),
            _ => return None,
        };
        Some(Self { first, last, len: len as u32 })
    }

    fn place(self) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.first ^ self.last.rotate_left(29) ^ u64::from(self.len)).wrapping_mul(SPREAD);
        (mixed >> 40) as usize
    }
}

fn hash(text: &str) -> u64 {
    rustc_hash::FxBuildHasher.hash_one(text)
}

fn interned(text: &str) -> Name {
    interned_by(text, hash(text)).1
}

fn interned_by(text: &str, hash: u64) -> (&'static str, Name) {
    let mut shard = SHARD[(hash >> 32) as usize % SHARDS].lock().expect("no thread panics while it holds a name table");
    shard.interned(text, hash)
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

impl Name {
    /// Interns a string. Names live as long as the process: a program has far fewer names than text.
    pub fn new(text: &str) -> Self {
        SEEN.with_borrow_mut(|seen| seen.name(text))
    }

    /// The string.
    pub fn as_str(self) -> &'static str {
        TEXTS.get(self).expect("a name is made with its text")
    }

    /// This path with one more dotted segment.
    pub fn join(self, segment: Name) -> Name {
        if let Some(joined) = SEEN.with_borrow(|seen| seen.joined.get(&(self, segment)).copied()) {
            return joined;
        }
        let joined = Name::new(&format!("{}.{}", self.as_str(), segment.as_str()));
        SEEN.with_borrow_mut(|seen| seen.joined.insert((self, segment), joined));
        joined
    }

    /// The last segment of a dotted path.
    pub fn last_segment(self) -> &'static str {
        let text = self.as_str();
        text.rsplit_once('.').map_or(text, |(_, last)| last)
    }

    /// The first segment of a dotted path.
    pub fn first_segment(self) -> &'static str {
        let text = self.as_str();
        text.split_once('.').map_or(text, |(first, _)| first)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name::new(text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Interned names: identifiers and dotted paths, compared by number.

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{LazyLock, Mutex, OnceLock};

/// An interned string. Equal strings have equal names; the number says nothing about the order of the strings, and
/// differs from run to run, so nothing that is printed may be ordered by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

/// Names are spread over this many tables so that threads that lower different files rarely meet.
const SHARDS: usize = 64;

/// The first bucket of a table of texts holds this many, each next one twice as many.
const FIRST_BUCKET: usize = 64;

/// Buckets enough for every number.
const BUCKETS: usize = 24;

#[derive(Default)]
struct Shard {
    /// Numbers by the hash of the text, or by the next free one after it where another text has the same.
    ids: Mutex<FxHashMap<u64, u32>>,
    texts: Texts,
}

impl Shard {
    fn interned(&self, text: &str, hash: u64) -> (&'static str, u32) {
        let mut ids = self.ids.lock().expect("no thread panics while it holds a name table");
        let mut key = hash;
        while let Some(number) = ids.get(&key) {
            match self.texts.get(*number as usize) {
                Some(known) if known == text => return (known, *number),
                _ => key = key.wrapping_add(1),
            }
        }
        let number = ids.len() as u32;
        let text: &'static str = Box::leak(text.into());
        self.texts.insert(number as usize, text);
        ids.insert(key, number);
        (text, number)
    }
}

/// Texts by number, which never move: read without a lock.
#[derive(Default)]
struct Texts([OnceLock<Box<[OnceLock<&'static str>]>>; BUCKETS]);

impl Texts {
    fn place(number: usize) -> (usize, usize) {
        let bucket = ((number + FIRST_BUCKET) / FIRST_BUCKET).ilog2() as usize;
        (bucket, number + FIRST_BUCKET - (FIRST_BUCKET << bucket))
    }

    fn get(&self, number: usize) -> Option<&'static str> {
        let (bucket, at) = Self::place(number);
        self.0[bucket].get()?[at].get().copied()
    }

    fn insert(&self, number: usize, text: &'static str) {
        let (bucket, at) = Self::place(number);
        let made = || (0..FIRST_BUCKET << bucket).map(|_| OnceLock::new()).collect();
        self.0[bucket].get_or_init(made)[at].get_or_init(|| text);
    }
}

static TABLE: LazyLock<[Shard; SHARDS]> = LazyLock::new(|| std::array::from_fn(|_| Shard::default()));

/// What a thread has interned lately: most look-ups end here, without a lock. A file says the same names again and again.
struct Seen {
    /// By the hash of the text: the last name that had it.
    names: Box<[(&'static str, Name)]>,
    joined: FxHashMap<(Name, Name), Name>,
}

/// How many names a thread remembers.
const REMEMBERED: usize = 16_384;

impl Default for Seen {
    fn default() -> Self {
        let names = vec![Name::interned("", hash("")); REMEMBERED].into_boxed_slice();
        Self { names, joined: FxHashMap::default() }
    }
}

impl Seen {
    fn name(&mut self, text: &str) -> Name {
        let hash = hash(text);
        let last = &mut self.names[(hash >> 40) as usize % REMEMBERED];
        if last.0 != text {
            *last = Name::interned(text, hash);
        }
        last.1
    }
}

fn hash(text: &str) -> u64 {
    rustc_hash::FxBuildHasher.hash_one(text)
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

impl Name {
    /// Interns a string. Names live as long as the process: a program has far fewer names than text.
    pub fn new(text: &str) -> Self {
        SEEN.with_borrow_mut(|seen| seen.name(text))
    }

    fn interned(text: &str, hash: u64) -> (&'static str, Self) {
        let index = (hash >> 32) as usize % SHARDS;
        let (text, number) = TABLE[index].interned(text, hash);
        (text, Name(number * SHARDS as u32 + index as u32))
    }

    /// The string.
    pub fn as_str(self) -> &'static str {
        let number = self.0 as usize;
        TABLE[number % SHARDS].texts.get(number / SHARDS).expect("a name is made with its text")
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

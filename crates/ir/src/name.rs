//! Interned names: identifiers and dotted paths, compared by number.

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{OnceLock, RwLock};

/// An interned string. Equal strings have equal names; the number says nothing about the order of the strings, and
/// differs from run to run, so nothing that is printed may be ordered by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

/// Names are spread over this many tables so that threads that lower different files rarely meet.
const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    ids: FxHashMap<&'static str, u32>,
    texts: Vec<&'static str>,
}

fn shards() -> &'static [RwLock<Shard>; SHARDS] {
    static TABLE: OnceLock<[RwLock<Shard>; SHARDS]> = OnceLock::new();
    TABLE.get_or_init(Default::default)
}

thread_local! {
    /// What this thread has interned already: most look-ups end here, without a lock.
    static SEEN: RefCell<FxHashMap<&'static str, Name>> = RefCell::default();
}

impl Name {
    /// Interns a string. Names live as long as the process: a program has far fewer names than text.
    pub fn new(text: &str) -> Self {
        if let Some(name) = SEEN.with_borrow(|seen| seen.get(text).copied()) {
            return name;
        }
        let index = (rustc_hash::FxBuildHasher.hash_one(text) >> 32) as usize % SHARDS;
        let mut shard = shards()[index].write().expect("no thread panics while it holds a name table");
        let id = match shard.ids.get(text) {
            Some(id) => *id,
            None => {
                let id = shard.texts.len() as u32;
                let text: &'static str = Box::leak(text.into());
                shard.texts.push(text);
                shard.ids.insert(text, id);
                id
            }
        };
        let kept = shard.texts[id as usize];
        drop(shard);
        let name = Name(id * SHARDS as u32 + index as u32);
        SEEN.with_borrow_mut(|seen| seen.insert(kept, name));
        name
    }

    /// The string.
    pub fn as_str(self) -> &'static str {
        let shard = shards()[self.0 as usize % SHARDS].read().expect("no thread panics while it holds a name table");
        shard.texts[self.0 as usize / SHARDS]
    }

    /// This path with one more dotted segment.
    pub fn join(self, segment: Name) -> Name {
        Name::new(&format!("{}.{}", self.as_str(), segment.as_str()))
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

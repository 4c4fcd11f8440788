//! What a disk was asked and what it answered, so that it can be told later whether it would answer the same.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that a disk may be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Question {
    /// What the file holds.
    Content(PathBuf),
    /// Whether there is a file.
    IsFile(PathBuf),
    /// How long the file is.
    Size(PathBuf),
}

/// Questions, each with the answer; contents by their digests.
pub type Facts = Vec<(Question, String)>;

/// What was asked so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    noted: Mutex<Noted>,
    /// Contents that were digested before anybody needed them.
    held: Mutex<FxHashMap<PathBuf, Vec<u8>>>,
}

#[derive(Clone, Debug, Default)]
struct Noted {
    answers: FxHashMap<Question, String>,
    /// One question had two answers: the disk has changed meanwhile.
    contradicts_itself: bool,
}

impl Trace {
    /// Notes an answer.
    pub(crate) fn note(&self, question: Question, answer: String) {
        let mut noted = open(&self.noted);
        match noted.answers.entry(question) {
            Entry::Vacant(place) => {
                place.insert(answer);
            }
            Entry::Occupied(known) if *known.get() != answer => noted.contradicts_itself = true,
            Entry::Occupied(_) => {}
        }
    }

    /// The answer that was given before.
    pub(crate) fn answer(&self, question: &Question) -> Option<String> {
        open(&self.noted).answers.get(question).cloned()
    }

    /// Keeps a content for the next who reads it.
    pub(crate) fn hold(&self, path: &Path, content: Vec<u8>) {
        open(&self.held).insert(path.to_owned(), content);
    }

    /// The content that was kept. It is handed out once.
    pub(crate) fn take(&self, path: &Path) -> Option<Vec<u8>> {
        open(&self.held).remove(path)
    }

    /// All answers, sorted; nothing when they do not fit together.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let noted = open(&self.noted);
        let mut facts: Facts = noted.answers.iter().map(|(asked, answer)| (asked.clone(), answer.clone())).collect();
        facts.sort_unstable();
        (!noted.contradicts_itself).then_some(facts)
    }

    /// What holds as well on a disk that differs in these files alone.
    pub(crate) fn without(&self, differs: impl Fn(&Path) -> bool) -> Self {
        let mut noted = open(&self.noted).clone();
        noted.answers.retain(|question, _| match question {
            Question::Content(path) | Question::IsFile(path) | Question::Size(path) => !differs(path),
        });
        Self { noted: Mutex::new(noted), held: Mutex::default() }
    }
}

/// A thread that panicked while it noted something is none of this one's business.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stands for a content: two that differ have different ones.
pub(crate) fn digest<T: AsRef<[u8]>>(content: &io::Result<T>) -> String {
    match content {
        Ok(content) => blake3::hash(content.as_ref()).to_hex().to_string(),
        Err(error) => format!("unreadable: {}", error.kind()),
    }
}

//! Answers that were given before, in files. An entry that is damaged, foreign or gone is none; what cannot be written
//! is not kept. Nobody notices but by the time it takes.

use crate::disk::{Disk, StoredFile};
use std::cmp::Reverse;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

/// The directory's name at the root of a project.
pub(crate) const NAME: &str = ".racewalk_cache";

/// The file that says that the project's code may be run.
const AGREED: &str = "may-run-code";

/// As much is kept, the latest used.
const MOST_BYTES: u64 = 64 << 20;
const MOST_ENTRIES: usize = 500;

/// Backup programs leave out a directory with this file, and git one with the other.
const MARKS: [(&str, &str); 2] = [
    (
        "CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55\n# This directory holds racewalk's cache: it may be deleted at any time.\n",
    ),
    (".gitignore", "*\n"),
];

/// By what an answer is found again: a digest of everything that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

/// Takes in what an answer depends on.
#[derive(Debug, Default)]
pub struct KeyMaker(blake3::Hasher);

impl Hasher for KeyMaker {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl KeyMaker {
    /// The key of all that was taken in.
    pub fn key(&self) -> Key {
        Key(self.0.finalize().to_hex().to_string())
    }
}

/// Entries by their keys.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    disk: Disk,
}

impl Cache {
    /// The cache in this directory, which need not exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, disk: Disk::default() }
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The entry, if there is one and it is whole. It counts as used from now.
    pub fn read(&self, key: &Key) -> Option<Vec<u8>> {
        let path = self.entry(key);
        let mut stored = self.disk.read(&path).ok()?.into_owned();
        let seal = seal(key, stored.get(blake3::OUT_LEN..)?);
        if !stored.starts_with(&seal) {
            return None;
        }
        self.disk.touch(&path);
        Some(stored.split_off(seal.len()))
    }

    /// Adds an entry, or puts it in the place of the old one, and takes out what has not been used for longest.
    pub fn write(&self, key: &Key, content: &[u8]) {
        let entry = [&seal(key, content), content].concat();
        if self.make_directory() && self.disk.write_whole(&self.entry(key), &entry) {
            self.prune();
        }
    }

    /// The user has agreed that the project's code is run.
    pub fn is_agreed(&self) -> bool {
        self.disk.is_file(&self.directory.join(AGREED))
    }

    /// Keeps in mind that the user has agreed.
    pub fn agree(&self) {
        if self.make_directory() {
            self.disk.write_whole(&self.directory.join(AGREED), b"");
        }
    }

    /// Takes out all entries, and the directory if there is nothing else in it; says how many they were, and their bytes.
    pub fn clear(&self) -> (usize, u64) {
        let mut removed = (0, 0);
        for file in self.entries() {
            if self.disk.remove_file(&file.path) {
                removed = (removed.0 + 1, removed.1 + file.size);
            }
        }
        self.disk.remove_directory(&self.shelf());
        self.disk.remove_file(&self.directory.join(AGREED));
        for (name, content) in MARKS {
            let path = self.directory.join(name);
            if self.disk.read(&path).is_ok_and(|found| *found == *content.as_bytes()) {
                self.disk.remove_file(&path);
            }
        }
        self.disk.remove_directory(&self.directory);
        removed
    }

    /// Marks are put into a directory of our own only, not into one that was there before.
    fn make_directory(&self) -> bool {
        let is_new = !self.disk.exists(&self.directory);
        let made = self.disk.make_directory(&self.shelf());
        let marks = MARKS.iter().filter(|_| made && is_new);
        marks.fold(made, |done, (name, content)| {
            self.disk.write_whole(&self.directory.join(name), content.as_bytes()) && done
        })
    }

    fn prune(&self) {
        let mut entries = self.entries();
        entries.sort_by_key(|entry| Reverse(entry.modified));
        let mut bytes = 0;
        for (index, entry) in entries.iter().enumerate() {
            bytes += entry.size;
            if bytes > MOST_BYTES || index >= MOST_ENTRIES {
                self.disk.remove_file(&entry.path);
            }
        }
    }

    fn shelf(&self) -> PathBuf {
        self.directory.join("answers")
    }

    fn entry(&self, key: &Key) -> PathBuf {
        self.shelf().join(&key.0)
    }

    /// The files that this program has written, those that it did not finish among them.
    fn entries(&self) -> Vec<StoredFile> {
        let mut files = self.disk.stored_files(&self.shelf());
        files.retain(|file| {
            let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let key = name.split('.').next().unwrap_or_default();
            key.len() == 2 * blake3::OUT_LEN && key.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        files
    }
}

/// Holds an entry together: half an entry, or one under another's name, has none that fits.
fn seal(key: &Key, content: &[u8]) -> [u8; blake3::OUT_LEN] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.0.as_bytes()).update(content);
    *hasher.finalize().as_bytes()
}

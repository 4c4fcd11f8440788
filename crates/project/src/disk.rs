//! The tool's only way to files.

#![expect(clippy::disallowed_methods, reason = "this is the one place that touches the disk")]

use crate::decode;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// Reads and writes files. What is read may stand in memory instead of on the disk (standard input, an editor's buffers).
#[derive(Clone, Debug, Default)]
pub struct Disk {
    overlay: FxHashMap<PathBuf, String>,
}

impl Disk {
    /// A disk on which this file has this text, whatever is stored.
    #[must_use]
    pub fn with_text(mut self, path: PathBuf, text: String) -> Self {
        self.overlay.insert(path, text);
        self
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read(&self, path: &Path) -> io::Result<Cow<'_, [u8]>> {
        match self.overlay.get(path) {
            Some(text) => Ok(Cow::Borrowed(text.as_bytes())),
            None => std::fs::read(path).map(Cow::Owned),
        }
    }

    /// The file's text, decoded as Python decodes its sources.
    ///
    /// # Errors
    /// Says in words why there is no text.
    pub fn read_text(&self, path: &Path) -> Result<String, String> {
        if let Some(text) = self.overlay.get(path) {
            return Ok(text.clone());
        }
        let bytes = std::fs::read(path).map_err(|error| describe(&error))?;
        decode::decode(bytes)
    }

    /// Gives the file this text, whatever it held.
    ///
    /// # Errors
    /// Says in words why it cannot be written.
    pub fn write(&self, path: &Path, text: &str) -> Result<(), String> {
        std::fs::write(path, text).map_err(|error| describe(&error))
    }

    /// A regular file stands there, or a link to one.
    pub fn is_file(&self, path: &Path) -> bool {
        self.overlay.contains_key(path) || path.is_file()
    }

    /// A directory stands there, or a link to one.
    pub fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    /// Something stands there.
    pub fn exists(&self, path: &Path) -> bool {
        self.overlay.contains_key(path) || path.exists()
    }

    /// How many bytes a file has.
    pub fn size(&self, path: &Path) -> Option<u64> {
        match self.overlay.get(path) {
            Some(text) => Some(text.len() as u64),
            None => path.metadata().ok().map(|metadata| metadata.len()),
        }
    }

    /// The path with all links followed.
    ///
    /// # Errors
    /// Says in words why it leads nowhere.
    pub fn follow(&self, path: &Path) -> Result<PathBuf, String> {
        std::fs::canonicalize(path).map_err(|error| describe(&error))
    }

    /// What stands in a directory, sorted; nothing when it cannot be read.
    pub fn entries(&self, directory: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }
}

/// An error of the operating system in words that are the same on every machine.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        // The numbers and wordings of everything else differ between systems; the kinds do not.
        kind => kind.to_string(),
    }
}

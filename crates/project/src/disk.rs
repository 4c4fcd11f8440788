//! The tool's only way to files.

#![expect(clippy::disallowed_methods, reason = "this is the one place that touches the disk")]

use crate::decode;
use crate::git::Changes;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads and writes files. What is read may stand in memory instead of on the disk (standard input, an editor's buffers,
/// an earlier version of the files).
#[derive(Clone, Debug, Default)]
pub struct Disk {
    overlay: Arc<FxHashMap<PathBuf, Overlaid>>,
}

/// What stands in memory in place of a file.
#[derive(Clone, Debug)]
enum Overlaid {
    /// This text, decoded.
    Text(String),
    /// What an earlier version of the file held.
    Earlier(Vec<u8>),
    /// No file.
    Nothing,
}

impl Disk {
    /// A disk on which this file has this text, whatever is stored.
    #[must_use]
    pub fn with_text(mut self, path: PathBuf, text: String) -> Self {
        Arc::make_mut(&mut self.overlay).insert(path, Overlaid::Text(text));
        self
    }

    /// The disk as it was before these changes.
    #[must_use]
    pub fn before(mut self, changes: &Changes) -> Self {
        let earlier = changes.contents.iter().map(|(path, content)| {
            let overlaid = content.clone().map_or(Overlaid::Nothing, Overlaid::Earlier);
            (path.clone(), overlaid)
        });
        Arc::make_mut(&mut self.overlay).extend(earlier);
        self
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read(&self, path: &Path) -> io::Result<Cow<'_, [u8]>> {
        match self.overlay.get(path) {
            Some(Overlaid::Text(text)) => Ok(Cow::Borrowed(text.as_bytes())),
            Some(Overlaid::Earlier(bytes)) => Ok(Cow::Borrowed(bytes)),
            Some(Overlaid::Nothing) => Err(io::ErrorKind::NotFound.into()),
            None => std::fs::read(path).map(Cow::Owned),
        }
    }

    /// The file's text, decoded as Python decodes its sources.
    ///
    /// # Errors
    /// Says in words why there is no text.
    pub fn read_text(&self, path: &Path) -> Result<String, String> {
        if let Some(Overlaid::Text(text)) = self.overlay.get(path) {
            return Ok(text.clone());
        }
        let bytes = self.read(path).map_err(|error| describe(&error))?;
        decode::decode(bytes.into_owned())
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
        self.overlaid(path).unwrap_or_else(|| path.is_file())
    }

    /// A directory stands there, or a link to one.
    pub fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    /// Something stands there.
    pub fn exists(&self, path: &Path) -> bool {
        self.overlaid(path).unwrap_or_else(|| path.exists())
    }

    /// Something stands there by now. What marks a project counts for earlier versions too, so that a file has one name
    /// in all of them.
    pub fn exists_now(&self, path: &Path) -> bool {
        matches!(self.overlay.get(path), Some(Overlaid::Text(_))) || path.exists()
    }

    /// The disk has a file there that the earlier version lacks.
    pub(crate) fn hides(&self, path: &Path) -> bool {
        self.overlaid(path) == Some(false)
    }

    /// Files beneath a directory that earlier versions had and the disk no longer has.
    pub(crate) fn gone_beneath(&self, directory: &Path) -> Vec<PathBuf> {
        let earlier = self.overlay.iter().filter(|(_, overlaid)| matches!(overlaid, Overlaid::Earlier(_)));
        let mut gone: Vec<PathBuf> = earlier.map(|(path, _)| path.clone()).collect();
        gone.retain(|path| path.starts_with(directory) && !path.exists());
        gone.sort();
        gone
    }

    /// Whether memory has a file there; nothing when that is for the disk to say.
    fn overlaid(&self, path: &Path) -> Option<bool> {
        self.overlay.get(path).map(|overlaid| !matches!(overlaid, Overlaid::Nothing))
    }

    /// How many bytes a file has.
    pub fn size(&self, path: &Path) -> Option<u64> {
        match self.overlay.get(path) {
            Some(Overlaid::Text(text)) => Some(text.len() as u64),
            Some(Overlaid::Earlier(bytes)) => Some(bytes.len() as u64),
            Some(Overlaid::Nothing) => None,
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

//! The tool's only way to files.

#![expect(clippy::disallowed_methods, reason = "this is the one place that touches the disk")]

use crate::decode;
use crate::git::Changes;
use crate::trace::{Facts, Question, Trace, digest};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// Reads and writes files. What is read may stand in memory instead of on the disk (standard input, an editor's buffers,
/// an earlier version of the files).
#[derive(Clone, Debug, Default)]
pub struct Disk {
    overlay: Arc<FxHashMap<PathBuf, Overlaid>>,
    trace: Option<Arc<Trace>>,
}

/// A file as its directory lists it.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
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
        self.trace = self.trace.map(|trace| Arc::new(trace.without(|path| !changes.spares(path))));
        self
    }

    /// A disk that notes what its files are asked and what it answers.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Arc::default());
        self
    }

    /// What was noted; nothing when nothing is, and when files have changed meanwhile.
    pub fn facts(&self) -> Option<Facts> {
        self.trace.as_ref()?.facts()
    }

    /// True when it answers the same today.
    pub fn confirms(&self, facts: &Facts) -> bool {
        facts.par_iter().all(|(question, answer)| {
            *answer
                == match question {
                    Question::Content(path) => self.digest(path),
                    Question::IsFile(path) => self.is_file(path).to_string(),
                    Question::Size(path) => shown_size(self.size(path)),
                }
        })
    }

    /// What stands for the file's content: two that differ have different ones. Where notes are taken, the content is
    /// the one that whoever reads the file next will be given.
    pub fn digest(&self, path: &Path) -> String {
        let question = Question::Content(path.to_owned());
        if let Some(known) = self.trace.as_ref().and_then(|trace| trace.answer(&question)) {
            return known;
        }
        let content = self.stored(path);
        let digest = digest(&content);
        if let Some(trace) = &self.trace {
            trace.note(question, digest.clone());
            if let Ok(Cow::Owned(content)) = content {
                trace.hold(path, content);
            }
        }
        digest
    }

    fn note(&self, question: fn(PathBuf) -> Question, path: &Path, answer: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.note(question(path.to_owned()), answer());
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read(&self, path: &Path) -> io::Result<Cow<'_, [u8]>> {
        if let Some(held) = self.trace.as_ref().and_then(|trace| trace.take(path)) {
            return Ok(Cow::Owned(held));
        }
        let content = self.stored(path);
        self.note(Question::Content, path, || digest(&content));
        content
    }

    fn stored(&self, path: &Path) -> io::Result<Cow<'_, [u8]>> {
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

    /// The same, where the directories around it need not exist.
    ///
    /// # Errors
    /// Says in words why it cannot be written.
    pub fn write_with_directories(&self, path: &Path, text: &str) -> Result<(), String> {
        if let Some(parent) = path.parent() {
            self.make_directory(parent);
        }
        self.write(path, text)
    }

    /// Gives the file this content, so that others see all of it or none. False when that cannot be done.
    pub(crate) fn write_whole(&self, path: &Path, content: &[u8]) -> bool {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let written = std::fs::write(&unfinished, content).and_then(|()| std::fs::rename(&unfinished, path));
        if written.is_err() {
            self.remove_file(&unfinished);
        }
        written.is_ok()
    }

    /// Makes a directory, and those above it, unless they are there.
    pub(crate) fn make_directory(&self, path: &Path) -> bool {
        std::fs::create_dir_all(path).is_ok()
    }

    /// Makes a directory that is new, and that nobody else may read.
    pub(crate) fn make_private_directory(&self, path: &Path) -> Result<(), String> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| describe(&error))
    }

    /// Copies a file, as it is stored, and makes the directories around the copy.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<(), String> {
        let parent = to.parent().map_or(Ok(()), std::fs::create_dir_all);
        parent.and_then(|()| std::fs::copy(from, to)).map(|_| ()).map_err(|error| describe(&error))
    }

    /// Removes a directory with all that is in it, as far as that can be done.
    pub(crate) fn remove_tree(&self, path: &Path) {
        // What is left lies among temporary files, and harms nobody.
        let _ = std::fs::remove_dir_all(path);
    }

    /// Removes a file, if that can be done.
    pub(crate) fn remove_file(&self, path: &Path) -> bool {
        std::fs::remove_file(path).is_ok()
    }

    /// Removes a directory, if it is empty.
    pub(crate) fn remove_directory(&self, path: &Path) -> bool {
        std::fs::remove_dir(path).is_ok()
    }

    /// Makes a file look as if it had just been written, if that can be done.
    pub(crate) fn touch(&self, path: &Path) {
        let file = std::fs::File::options().append(true).open(path);
        // A file that may not be written is as good as before.
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// The files in a directory, in no order; those that go while it is read are left out.
    pub(crate) fn stored_files(&self, directory: &Path) -> Vec<StoredFile> {
        let listed = self.entries(directory).into_iter();
        let stored = |path: PathBuf| {
            let metadata = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some(StoredFile { size: metadata.len(), modified: metadata.modified().ok()?, path })
        };
        listed.filter_map(stored).collect()
    }

    /// A regular file stands there, or a link to one.
    pub fn is_file(&self, path: &Path) -> bool {
        let is_file = self.overlaid(path).unwrap_or_else(|| path.is_file());
        self.note(Question::IsFile, path, || is_file.to_string());
        is_file
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
        let size = match self.overlay.get(path) {
            Some(Overlaid::Text(text)) => Some(text.len() as u64),
            Some(Overlaid::Earlier(bytes)) => Some(bytes.len() as u64),
            Some(Overlaid::Nothing) => None,
            None => path.metadata().ok().map(|metadata| metadata.len()),
        };
        self.note(Question::Size, path, || shown_size(size));
        size
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

fn shown_size(size: Option<u64>) -> String {
    size.map_or_else(|| "none".to_owned(), |size| size.to_string())
}

/// An error of the operating system in words that are the same on every machine.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        // The numbers and wordings of everything else differ between systems; the kinds do not.
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Disk;
    use std::path::{Path, PathBuf};

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("racewalk-disk-{}-{name}", std::process::id()));
        Disk::default().write(&path, text).unwrap();
        path
    }

    #[test]
    fn what_was_digested_is_what_is_read() {
        let path = file("held", "old");
        let disk = Disk::default().traced();
        let digest = disk.digest(&path);
        disk.write(&path, "new").unwrap();
        assert_eq!(disk.read_text(&path), Ok("old".to_owned()), "the content that was digested");
        assert!(disk.facts().is_some());
        assert_eq!(disk.read_text(&path), Ok("new".to_owned()));
        assert_eq!(disk.facts(), None, "a file has had two contents");
        assert_ne!(Disk::default().traced().digest(&path), digest);
        disk.remove_file(&path);
    }

    #[test]
    fn answers_are_confirmed_or_not() {
        let (path, missing) = (file("asked", "text"), Path::new("/nowhere/at/all"));
        let disk = Disk::default().traced();
        let asked = (disk.is_file(&path), disk.is_file(missing), disk.size(&path), disk.read(missing).is_err());
        assert_eq!(asked, (true, false, Some(4), true));
        let _ = disk.digest(&path);
        let facts = disk.facts().unwrap();
        assert_eq!(facts.len(), 5);
        let again = || Disk::default().traced();
        assert!(again().confirms(&facts));
        assert!(!again().with_text(path.clone(), "else".to_owned()).confirms(&facts));
        assert!(!again().with_text(missing.to_owned(), String::new()).confirms(&facts));
        disk.remove_file(&path);
        assert!(!again().confirms(&facts));
    }
}

//! Running the analyser over files in a directory of their own, and the tests' own files.

#![expect(clippy::disallowed_methods, reason = "a test lays out the files that the analyser then reads")]

use racewalk_engine::report::Report;
use racewalk_engine::report::proof::Proof;
use racewalk_engine::{Engine, Options, Proving};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes when this does.
pub(crate) struct Sandbox(PathBuf);

impl Sandbox {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("racewalk-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Writes a file, its directories with it.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let within = if path.starts_with("site-packages/") { ".venv/lib/python3.13" } else { "" };
        let full = self.0.join(within).join(path);
        let made = full.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&full, text)).map_err(|error| format!("{path}: {error}"))
    }

    /// Checks the directory as a user would.
    pub(crate) fn check(&self, strict: bool) -> Result<Report, String> {
        let options = Options { strict, ..Options::new(self.0.clone()) };
        let outcome = Engine::default().check(&options).map_err(|failure| failure.to_string())?;
        Ok(outcome.report)
    }

    /// Runs the code around a line as a user would.
    pub(crate) fn prove(&self, what: &str) -> Result<Vec<Proof>, String> {
        let options = Options::new(self.0.clone());
        let proofs = Engine::default().prove(&options, what, &Proving::default());
        Ok(proofs.map_err(|failure| failure.to_string())?.proofs)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // What stays behind is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// True when expectations are to be rewritten.
pub(crate) fn updates() -> bool {
    std::env::var_os("RACEWALK_UPDATE").is_some_and(|value| value == "1")
}

/// True when a case was not filtered out.
pub(crate) fn is_wanted(file: &Path, title: &str) -> bool {
    let wanted = std::env::var("RACEWALK_CASE").unwrap_or_default();
    title.contains(&wanted) || file.to_string_lossy().contains(&wanted)
}

pub(crate) fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)
}

/// The Markdown files in a directory, at any depth.
pub(crate) fn markdown_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { markdown_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect()
}

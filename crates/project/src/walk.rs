//! Finding source files under directories.

use crate::disk::{Disk, describe};
use crate::globs::Globs;
use ignore::{DirEntry, WalkBuilder, WalkState};
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files that mark a directory as the root of a project.
pub(crate) const MARKERS: [&str; 6] = ["racewalk.toml", "pyproject.toml", "setup.py", "setup.cfg", "go.mod", ".git"];

/// The endings of files that are looked at without being named.
pub(crate) const SOURCE_ENDINGS: [&str; 14] =
    ["py", "pyi", "ipynb", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte", "go"];

/// What a package says of itself.
const MANIFEST: &str = "package.json";

/// Directories that hold other people's code, or none at all.
const NEVER: [&str; 27] = [
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".pytest_cache",
    ".pytype",
    crate::cache::NAME,
    ".ruff_cache",
    ".svelte-kit",
    ".svn",
    ".tox",
    ".turbo",
    ".venv",
    ".yarn",
    "__pycache__",
    "__pypackages__",
    "bower_components",
    "buck-out",
    "jspm_packages",
    "node_modules",
    "site-packages",
    "venv",
];

/// What a walk found.
#[derive(Default)]
pub(crate) struct Found {
    /// Source files, in no order.
    pub(crate) files: Vec<PathBuf>,
    /// Directories with a marker of a project in them.
    pub(crate) marked: FxHashSet<PathBuf>,
    /// Manifests of packages (`package.json`), in no order.
    pub(crate) manifests: Vec<PathBuf>,
    /// What could not be looked at, and why.
    pub(crate) skipped: Vec<(PathBuf, String)>,
    /// Links to files, which may be among the files under their own name.
    pub(crate) links: Vec<PathBuf>,
}

/// Walks a directory, to a depth when one is given.
pub(crate) fn walk(disk: &Disk, root: &Path, depth: Option<usize>, exclude: &Globs) -> Found {
    let found = Mutex::new(Found::default());
    let kept = exclude.clone();
    let filter = disk.clone();
    WalkBuilder::new(root)
        .hidden(false)
        .max_depth(depth)
        .threads(rayon::current_num_threads())
        .filter_entry(move |entry| entry.depth() == 0 || enters(&filter, entry, &kept))
        .build_parallel()
        .run(|| {
            Box::new(|entry| {
                // A thread that panicked while it held the list is none of this one's business.
                found.lock().unwrap_or_else(PoisonError::into_inner).add(entry, root);
                WalkState::Continue
            })
        });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.settle_links(disk);
    found.go_back(disk, root, depth, exclude);
    found
}

/// Every file beneath a directory, ignored ones included, sorted; without environments, caches and history. Links to directories
/// are not followed.
pub(crate) fn everything(disk: &Disk, root: &Path) -> Vec<PathBuf> {
    let filter = disk.clone();
    let entries = WalkBuilder::new(root)
        .standard_filters(false)
        .filter_entry(move |entry| entry.depth() == 0 || enters(&filter, entry, &Globs::default()))
        .build();
    let files = entries.flatten().map(DirEntry::into_path).filter(|path| disk.is_file(path));
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files
}

/// A walk would come by this file, if it stood there: what it was ignored by is not asked.
fn would_find(file: &Path, root: &Path, depth: Option<usize>, exclude: &Globs) -> bool {
    let steps: Vec<_> = file.strip_prefix(root).unwrap_or(file).components().collect();
    let is_entered = |name: &OsStr| !name.to_str().is_some_and(|name| NEVER.contains(&name));
    is_source(file)
        && depth.is_none_or(|depth| steps.len() <= depth)
        && steps.iter().all(|step| is_entered(step.as_os_str()))
        && !exclude.matches(file)
}

fn enters(disk: &Disk, entry: &DirEntry, exclude: &Globs) -> bool {
    if exclude.matches(entry.path()) {
        return false;
    }
    let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
    !is_directory || !(is_foreign(entry) || disk.is_file(&entry.path().join("pyvenv.cfg")))
}

fn is_foreign(entry: &DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| NEVER.contains(&name))
}

/// True for the names of files that are looked at without being named.
pub(crate) fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|ending| SOURCE_ENDINGS.iter().any(|source| ending == *source))
}

impl Found {
    fn add(&mut self, entry: Result<DirEntry, ignore::Error>, root: &Path) {
        match entry {
            Ok(entry) => self.add_entry(entry),
            Err(error) => self.skipped.push(reason(error, root)),
        }
    }

    fn add_entry(&mut self, entry: DirEntry) {
        if entry.file_name().to_str().is_some_and(|name| MARKERS.contains(&name)) {
            self.marked.extend(entry.path().parent().map(Path::to_owned));
        }
        if entry.file_name() == MANIFEST {
            self.manifests.push(entry.path().to_owned());
        }
        if !is_source(entry.path()) {
            return;
        }
        if entry.path_is_symlink() {
            self.links.push(entry.into_path());
        } else if entry.file_type().is_some_and(|kind| kind.is_file()) {
            self.files.push(entry.into_path());
        }
    }

    /// Makes it what the walk would have found on the disk as it was.
    fn go_back(&mut self, disk: &Disk, root: &Path, depth: Option<usize>, exclude: &Globs) {
        self.files.retain(|file| !disk.hides(file));
        let gone = disk.gone_beneath(root).into_iter();
        self.files.extend(gone.filter(|file| would_find(file, root, depth, exclude)));
    }

    /// Takes a link to a file when the file was not found itself: one text must not be reported on twice.
    fn settle_links(&mut self, disk: &Disk) {
        self.links.sort();
        let mut known: FxHashSet<PathBuf> = FxHashSet::default();
        if !self.links.is_empty() {
            known.extend(self.files.iter().cloned());
        }
        for link in std::mem::take(&mut self.links) {
            match disk.follow(&link) {
                Ok(target) => {
                    if !disk.is_dir(&target) && known.insert(target) {
                        self.files.push(link);
                    }
                }
                Err(reason) => self.skipped.push((link, format!("a link that leads nowhere: {reason}"))),
            }
        }
    }
}

fn reason(error: ignore::Error, root: &Path) -> (PathBuf, String) {
    match error {
        ignore::Error::WithPath { path, err } => (path, reason(*err, root).1),
        ignore::Error::WithDepth { err, .. } => reason(*err, root),
        ignore::Error::Io(error) => (root.to_owned(), describe(&error)),
        other => (root.to_owned(), other.to_string()),
    }
}

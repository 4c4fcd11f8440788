//! A private temporary directory with copies of projects: where code under analysis may be run.

use crate::discover::Project;
use crate::disk::Disk;
use crate::git;
use crate::names::{is_init, is_project};
use crate::walk::everything;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Larger files are data that no module needs to be imported, and are not copied.
const LARGEST_FILE: u64 = 16 << 20;
/// A project with more is not copied.
const MOST_BYTES: u64 = 512 << 20;

/// How many names are tried for a directory.
const MOST_TRIES: u32 = 100;

/// A directory that nobody else may read, gone when dropped.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
    disk: Disk,
}

impl Scratch {
    /// Makes one among the system's temporary files.
    ///
    /// # Errors
    /// Says in words why there is none.
    pub fn new(disk: &Disk) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut failed = String::new();
        // What an earlier process of this number has left behind is in the way, and not ours.
        for _ in 0..MOST_TRIES {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let directory = std::env::temp_dir().join(format!("racewalk-run-{}-{number}", std::process::id()));
            match disk.make_private_directory(&directory) {
                Ok(()) => return Ok(Self { directory: disk.follow(&directory)?, disk: disk.clone() }),
                Err(reason) => failed = format!("no temporary directory {}: {reason}", directory.display()),
            }
        }
        Err(failed)
    }

    /// The path of what is called so in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file in it, and the directories around that.
    ///
    /// # Errors
    /// Says in words why it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.path(name);
        self.disk.write_with_directories(&path, text).map(|()| path)
    }

    /// A copy of a project beneath a directory of this name: of its sources and packages, and where something marks its root, of
    /// everything that is no environment, cache or history. The copy's root has the name of the project's.
    ///
    /// # Errors
    /// Says in words why there is none.
    pub fn copy(&self, project: &Project, name: &str) -> Result<PathBuf, String> {
        let files = if is_project(&self.disk, &project.root) {
            everything(&self.disk, &project.root)
        } else {
            self.sources(project)
        };
        self.take(&project.root, files, name)
    }

    /// The sources of a project that nothing marks, and what else lies in its packages.
    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        let own = project.files.iter().filter(|file| !file.is_installed());
        let mut files: BTreeSet<PathBuf> = own.map(|file| file.path.clone()).collect();
        let inits = files.iter().filter(|file| is_init(file));
        let packages: BTreeSet<PathBuf> = inits.filter_map(|file| file.parent()).map(Path::to_owned).collect();
        let is_outermost = |package: &&PathBuf| !package.parent().is_some_and(|above| packages.contains(above));
        for package in packages.iter().filter(is_outermost).filter(|package| **package != project.root) {
            files.extend(everything(&self.disk, package));
        }
        files.into_iter().collect()
    }

    /// A copy of a directory with everything in it that is no environment, cache or history.
    ///
    /// # Errors
    /// Says in words why there is none.
    pub fn copy_directory(&self, from: &Path, name: &str) -> Result<PathBuf, String> {
        self.take(from, everything(&self.disk, from), name)
    }

    fn take(&self, root: &Path, files: Vec<PathBuf>, name: &str) -> Result<PathBuf, String> {
        let to = self.path(name).join(root.file_name().unwrap_or("project".as_ref()));
        self.disk.make_directory(&to);
        let mut bytes = 0;
        for file in files {
            let (Ok(inside), Some(size)) = (file.strip_prefix(root), self.disk.size(&file)) else { continue };
            if size > LARGEST_FILE {
                continue;
            }
            bytes += size;
            if bytes > MOST_BYTES {
                return Err(format!(
                    "more than {} MB would have to be copied: name a smaller project",
                    MOST_BYTES >> 20
                ));
            }
            self.disk.copy(&file, &to.join(inside)).map_err(|reason| format!("{}: {reason}", file.display()))?;
        }
        Ok(to)
    }

    /// Changes a copy by a patch, as `git apply` and `git diff` understand it; its paths count from the copy's root.
    ///
    /// # Errors
    /// Says why it does not apply.
    pub fn apply(&self, patch: &Path, copy: &Path) -> Result<(), String> {
        git::apply(patch, copy)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.disk.remove_tree(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::Scratch;
    use crate::disk::Disk;

    #[test]
    fn copies_are_changed_and_go() {
        let disk = Disk::default();
        let scratch = Scratch::new(&disk).unwrap();
        scratch.write("a/pkg/x.py", "one = 1\n").unwrap();
        scratch.write("a/.venv/pyvenv.cfg", "").unwrap();
        scratch.write("a/data/config.json", "{}").unwrap();
        let copy = scratch.copy_directory(&scratch.path("a"), "b").unwrap();
        assert_eq!(copy, scratch.path("b").join("a"));
        assert!(disk.is_file(&copy.join("data/config.json")), "what is no source is copied too");
        assert!(!disk.exists(&copy.join(".venv")), "an environment is not");
        let patch = "--- a/pkg/x.py\n+++ b/pkg/x.py\n@@ -1 +1 @@\n-one = 1\n+one = 2\n";
        let patch = scratch.write("change.patch", patch).unwrap();
        scratch.apply(&patch, &copy).unwrap();
        assert_eq!(disk.read_text(&copy.join("pkg/x.py")), Ok("one = 2\n".to_owned()));
        assert!(scratch.apply(&patch, &copy).unwrap_err().contains("pkg/x.py"), "it is applied already");
        let gone = scratch.path("");
        drop(scratch);
        assert!(!disk.exists(&gone));
    }
}

//! What has changed since a revision, and what stood in its place: asked of the `git` program, which also applies patches to
//! copies.
//!
//! Calling it costs some milliseconds and no dependency, and it knows all that a repository can be: worktrees, partial
//! clones, filters, object formats to come. In a repository nothing is checked out and nothing written, the index included, and
//! objects that a partial clone lacks are not fetched.

use crate::walk::SOURCE_ENDINGS;
use rustc_hash::FxHashMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NO_REPOSITORY: &str = "--changed-since compares with a revision, and what is checked lies in no git repository: \
                             hold back what is known with `racewalk baseline update` instead";

/// Asks for the files that differ from a revision, and for those that were moved.
const DIFFERENCES: [&str; 8] = [
    "diff",
    "--raw",
    "-z",
    "--find-renames",
    "--no-abbrev",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=all",
];

/// Asks for the files that git knows nothing of.
const UNTRACKED: [&str; 5] = ["ls-files", "--others", "--exclude-standard", "-z", "--"];

/// The sources beneath the top, and these files besides. All others are left out, so that a clone may lack them.
fn looked_at(top: &Path, files: &[PathBuf]) -> Vec<String> {
    let named = files.iter().filter_map(|file| file.strip_prefix(top).ok()?.to_str());
    let named = named.map(|file| format!(":(literal){file}"));
    SOURCE_ENDINGS.iter().map(|ending| format!("*.{ending}")).chain(named).collect()
}

/// How the files of a work tree differ from those of a revision.
#[derive(Debug, Default)]
pub struct Changes {
    /// The revision's full name.
    pub revision: String,
    /// Where files that were moved are now.
    pub moved: FxHashMap<PathBuf, PathBuf>,
    /// What files that differ held then; nothing for those that are new.
    pub(crate) contents: FxHashMap<PathBuf, Option<Vec<u8>>>,
}

impl Changes {
    /// What has changed in the work tree around a directory, committed or not, files that git neither tracks nor ignores
    /// included. Only sources and these files are looked at.
    ///
    /// # Errors
    /// Says why git has no answer, and what to do about it.
    pub(crate) fn since(revision: &str, directory: &Path, files: &[PathBuf]) -> Result<Self, String> {
        let Place { top, is_shallow } = Place::find(directory)?;
        let looked_at = looked_at(&top, files);
        let looked_at: Vec<&str> = looked_at.iter().map(String::as_str).collect();
        let git = Git { directory: top, option: CHANGED_SINCE };
        let revision = git.commit(revision, is_shallow)?;
        let untracked = git.ask(&[&UNTRACKED[..], &looked_at].concat(), "")?;
        let differing = git.ask(&[&DIFFERENCES[..], &[&revision, "--"], &looked_at].concat(), "")?;
        let mut changes = Self { revision, ..Self::default() };
        for path in String::from_utf8_lossy(&untracked).split_terminator('\0') {
            changes.contents.insert(git.directory.join(path), None);
        }
        let mut wanted = Vec::new();
        for entry in entries(&String::from_utf8_lossy(&differing)) {
            let [old, new] = [entry.old, entry.new].map(|path| git.directory.join(path));
            changes.contents.extend([old.clone(), new.clone()].map(|path| (path, None)));
            if entry.held_a_file() {
                wanted.push((old.clone(), entry.object.to_owned()));
            }
            if new != old {
                changes.moved.insert(old, new);
            }
        }
        changes.fill(&git, wanted)?;
        Ok(changes)
    }

    /// Asks for what these files held.
    fn fill(&mut self, git: &Git, wanted: Vec<(PathBuf, String)>) -> Result<(), String> {
        let (paths, objects): (Vec<PathBuf>, Vec<String>) = wanted.into_iter().unzip();
        let contents = git.contents(&objects)?.into_iter().map(Some);
        self.contents.extend(paths.into_iter().zip(contents));
        Ok(())
    }

    /// No file differs that matters.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// The file is what it was.
    pub fn spares(&self, path: &Path) -> bool {
        !self.contents.contains_key(path)
    }

    /// Where a file was that is here now.
    pub fn origin<'a>(&'a self, path: &'a Path) -> &'a Path {
        let moved = self.moved.iter().find(|(_, now)| now.as_path() == path);
        moved.map_or(path, |(then, _)| then)
    }
}

/// Where a repository's work tree begins.
struct Place {
    top: PathBuf,
    is_shallow: bool,
}

impl Place {
    fn find(directory: &Path) -> Result<Self, String> {
        let git = Git { directory: directory.to_owned(), option: CHANGED_SINCE };
        let asked = ["rev-parse", "--is-shallow-repository", "--show-prefix", "--show-toplevel"];
        let answer = git.ask(&asked, "");
        let answer = answer
            .map_err(|fault| if fault.contains("not a git repository") { NO_REPOSITORY.into() } else { fault })?;
        let answer = String::from_utf8_lossy(&answer);
        let mut lines = answer.lines();
        let [is_shallow, prefix, top] = [(); 3].map(|()| lines.next().unwrap_or_default());
        // Git follows links, and our paths keep them.
        let beneath = directory.ends_with(prefix) || prefix.is_empty();
        let own = directory.ancestors().nth(Path::new(prefix).components().count()).filter(|_| beneath);
        Ok(Self { top: own.unwrap_or(Path::new(top)).to_owned(), is_shallow: is_shallow == "true" })
    }
}

/// The program, run in a directory.
struct Git {
    directory: PathBuf,
    /// The option of ours that needs it.
    option: &'static str,
}

/// The option that compares with a revision.
const CHANGED_SINCE: &str = "--changed-since";

/// Changes the files in a directory, which need not be in a repository, by a patch.
pub(crate) fn apply(patch: &Path, directory: &Path) -> Result<(), String> {
    let git = Git { directory: directory.to_owned(), option: "--against" };
    git.ask(&["apply", "--whitespace=nowarn", &patch.to_string_lossy()], "").map(|_| ())
}

impl Git {
    fn commit(&self, revision: &str, is_shallow: bool) -> Result<String, String> {
        // What starts with a dash would be taken for an option.
        let found = match revision.starts_with('-') {
            true => Err(String::new()),
            false => self.ask(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")], ""),
        };
        let mend = match is_shallow {
            true => {
                "the clone is shallow, and may lack it: `git fetch --unshallow`, or `fetch-depth: 0` in actions/checkout"
            }
            false => "name a commit, branch or tag, and fetch it when it lies elsewhere",
        };
        let found = found.map_err(|_| format!("--changed-since: git knows no revision `{revision}`; {mend}"))?;
        Ok(String::from_utf8_lossy(&found).trim().to_owned())
    }

    /// What these objects hold, in the same order.
    fn contents(&self, objects: &[String]) -> Result<Vec<Vec<u8>>, String> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.ask(&["cat-file", "--batch"], &(objects.join("\n") + "\n"))?;
        let mut rest = answer.as_slice();
        let contents = objects.iter().map(|object| next_object(&mut rest).ok_or(object));
        contents.collect::<Result<_, _>>().map_err(|object| {
            format!(
                "--changed-since: the clone is partial and lacks the old file {object}: `git fetch --refetch` gets all"
            )
        })
    }

    /// What it says on standard output, when it is handed this.
    fn ask(&self, arguments: &[&str], input: &str) -> Result<Vec<u8>, String> {
        let mut command = Command::new("git");
        // A monitor of the file system would be another program that is run.
        command.args(["-c", "core.fsmonitor=false"]).args(arguments);
        command.current_dir(&self.directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(above) = self.directory.parent().filter(|_| self.option != CHANGED_SINCE) {
            // A repository around the copy has no say.
            command.env("GIT_CEILING_DIRECTORIES", above).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        }
        // Messages in English, no lock for a refreshed index, no network.
        command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1");
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                format!("{} asks the `git` program, which is not on the PATH: install it", self.option)
            }
            kind => format!("{} asks the `git` program, which cannot be run: {kind}", self.option),
        })?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // It answers while it is still being asked; what it does not read it has no need of.
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
            child.wait_with_output()
        });
        let output = output.map_err(|error| format!("git gave no answer: {}", error.kind()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it failed without a word");
        Err(format!("{}: git says: {}", self.option, said.trim_start_matches("fatal: ")))
    }
}

/// A file that differs: `:OLDMODE NEWMODE OLDOBJECT NEWOBJECT STATUS`, its path, and for one that was moved the new path.
struct Entry<'a> {
    mode: &'a str,
    object: &'a str,
    old: &'a str,
    new: &'a str,
}

impl Entry<'_> {
    /// No link, no submodule, and not nothing.
    fn held_a_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

fn entries(raw: &str) -> Vec<Entry<'_>> {
    let mut fields = raw.split_terminator('\0');
    let mut entries = Vec::new();
    while let Some(head) = fields.next() {
        let mut words = head.trim_start_matches(':').split(' ');
        let (mode, object) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let status = words.nth(1).unwrap_or_default();
        let old = fields.next().unwrap_or_default();
        let new = if status.starts_with('R') { fields.next().unwrap_or_default() } else { old };
        entries.push(Entry { mode, object, old, new });
    }
    entries
}

/// Takes `NAME TYPE SIZE`, a line's end, that many bytes, and another line's end; nothing for one that is missing.
fn next_object(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (head, tail) = (std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]);
    let size: usize = head.rsplit_once(' ')?.1.parse().ok()?;
    let content = tail.get(..size)?.to_owned();
    *rest = tail.get(size + 1..)?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::{entries, next_object};

    #[test]
    fn differences_are_taken_apart() {
        let raw =
            ":100644 100644 aa bb M\0a b.py\0:100644 100755 cc 00 R087\0old.py\0new.py\0:000000 120000 00 dd A\0l\0";
        let entries = entries(raw);
        let told: Vec<_> = entries.iter().map(|it| (it.old, it.new, it.object, it.held_a_file())).collect();
        assert_eq!(told, [("a b.py", "a b.py", "aa", true), ("old.py", "new.py", "cc", true), ("l", "l", "00", false)]);
    }

    #[test]
    fn objects_are_taken_one_after_the_other() {
        let mut rest = b"aa blob 3\nx\ny\nbb blob 0\n\ncc missing\n".as_slice();
        assert_eq!(next_object(&mut rest), Some(b"x\ny".to_vec()));
        assert_eq!(next_object(&mut rest), Some(Vec::new()));
        assert_eq!(next_object(&mut rest), None);
    }
}

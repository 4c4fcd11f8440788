//! A project in a temporary directory, in which the tool is run.

#![expect(clippy::disallowed_methods, reason = "the tests lay out the files that the tool then reads")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A coroutine that is dropped, in the fifth line.
pub const DROPPED: &str = "async def save(): ...\n\n\nasync def old():\n    save()\n";

pub struct Tree(pub PathBuf);

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("racewalk-cli-{}-{number}", std::process::id());
        let tree = Self(std::env::temp_dir().join(name));
        tree.write("racewalk.toml", "");
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    pub fn write(&self, path: &str, text: &str) {
        let full = self.0.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    pub fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(&self.0);
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "RACEWALK_CACHE_DIR"] {
            command.env_remove(name);
        }
        command
    }

    /// Exit status, standard output and standard error.
    pub fn run(&self, arguments: &str) -> (i32, String, String) {
        let output = self.command(env!("CARGO_BIN_EXE_racewalk"), arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

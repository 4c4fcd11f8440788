//! The baseline as a user meets it: what is known is held back, what is new is shown.

#![expect(clippy::disallowed_methods, reason = "the tests lay out the files that the tool then reads")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const NAME: &str = "racewalk-baseline.json";
const OLD: &str = "async def save(): ...\n\n\nasync def old():\n    save()\n";
const NEW: &str = "\n\nasync def new():\n    save()\n";

/// A project in a temporary directory.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tree = Self(std::env::temp_dir().join(format!("racewalk-baseline-{}-{number}", std::process::id())));
        tree.write("racewalk.toml", "");
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.0.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }

    fn run_in(&self, directory: &str, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_racewalk"));
        command.args(arguments.split_whitespace()).current_dir(self.0.join(directory)).output().unwrap()
    }

    /// Exit status, standard output and standard error.
    fn run(&self, arguments: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.run_in("", arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_known_is_held_back_and_what_is_new_is_not() {
    let tree = Tree::new(&[("app/a.py", OLD)]);
    let (code, out, err) = tree.run("baseline update");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("app/a.py:5:5: error[await/missing-await] "), "{out}");
    assert!(out.ends_with("\n1 finding added to racewalk-baseline.json, which holds 1 now.\n"), "{out}");

    let (code, out, err) = tree.run("check");
    assert_eq!((code, out.as_str()), (0, "No findings in 1 file.\n"));
    assert_eq!(err, "note: the baseline holds back 1 finding\n");

    tree.write("app/a.py", &format!("import os\n\n{OLD}{NEW}"));
    let (code, out, _) = tree.run("check --output-format concise");
    assert_eq!((code, out.lines().count()), (1, 1), "the line has moved, and there is a second finding: {out}");
    assert!(out.starts_with("app/a.py:11:5: "), "{out}");
    let (_, out, _) = tree.run("baseline update");
    assert!(out.starts_with("app/a.py:11:5: "), "only what is new is told: {out}");
    assert!(out.ends_with("\n1 finding added to racewalk-baseline.json, which holds 2 now.\n"), "{out}");
}

#[test]
fn the_file_says_what_it_holds_and_stays_the_same() {
    let tree = Tree::new(&[("b.py", OLD), ("app/a.py", OLD)]);
    tree.run("baseline update");
    let text = tree.read(NAME);
    let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(stored["version"], 1);
    let [first, second] = stored["findings"].as_array().unwrap().as_slice() else { panic!("{text}") };
    assert_eq!([&first["path"], &second["path"]], ["app/a.py", "b.py"]);
    assert_eq!([&first["rule"], &first["symbol"]], ["await/missing-await", "old"]);
    assert!(first["fingerprint"].is_string() && first["message"].is_string());
    let below = tree.run_in("app", "baseline update ..");
    assert!(below.status.success());
    assert_eq!(
        String::from_utf8_lossy(&below.stdout),
        "0 findings added to ../racewalk-baseline.json, which holds 2 now.\n"
    );
    assert_eq!(tree.read(NAME), text);
}

#[test]
fn it_is_found_from_everywhere_and_can_be_ignored() {
    let tree = Tree::new(&[("app/a.py", OLD)]);
    tree.run("baseline update");
    assert_eq!(tree.run_in("app", "check a.py").status.code(), Some(0));
    assert_eq!(tree.run("check --no-baseline").0, 1);
    assert_eq!(tree.run("check --isolated").0, 1);
    assert_eq!(tree.run("check --isolated --baseline racewalk-baseline.json").0, 0);
    assert_eq!(tree.run("check --no-baseline --baseline racewalk-baseline.json").0, 2);
}

#[test]
fn a_baseline_can_lie_elsewhere() {
    let tree = Tree::new(&[("a.py", OLD)]);
    tree.write("ci/empty.txt", "");
    tree.run("baseline update --baseline ci/known.json");
    assert!(tree.read("ci/known.json").contains("\"path\": \"a.py\""));
    assert_eq!(tree.run("check").0, 1);
    assert_eq!(tree.run("check --baseline ci/known.json").0, 0);
}

#[test]
fn the_json_counts_what_is_held_back() {
    let tree = Tree::new(&[("a.py", OLD)]);
    let summary = || {
        let json: serde_json::Value = serde_json::from_str(&tree.run("check --output-format json").1).unwrap();
        json["summary"].clone()
    };
    assert!(summary().get("baselined").is_none());
    tree.run("baseline update");
    assert_eq!([&summary()["findings"], &summary()["baselined"]], [0, 1]);
}

#[test]
fn pruning_removes_what_is_gone_beneath_the_paths() {
    let tree = Tree::new(&[("app/a.py", OLD), ("app/gone.py", OLD), ("lib/b.py", OLD)]);
    tree.run("baseline update");
    tree.write("app/a.py", "");
    tree.write("lib/b.py", "");
    fs::remove_file(tree.0.join("app/gone.py")).unwrap();
    let (code, out, _) = tree.run("baseline prune app");
    assert_eq!((code, out.lines().count()), (0, 3), "{out}");
    assert!(out.starts_with("app/a.py: [await/missing-await] ") && out.contains("\napp/gone.py: ["), "{out}");
    assert!(out.ends_with("\n2 findings removed from racewalk-baseline.json, which holds 1 now.\n"), "{out}");
    assert!(tree.read(NAME).contains("lib/b.py"));
}

#[test]
fn pruning_keeps_what_another_selection_or_a_mended_file_would_show() {
    let tree = Tree::new(&[("a.py", OLD), ("b.py", OLD)]);
    tree.run("baseline update");
    tree.write("racewalk.toml", "select = ['tool']\n");
    tree.write("b.py", "async def (:\n");
    let (_, out, err) = tree.run("baseline prune");
    assert_eq!(out, "0 findings removed from racewalk-baseline.json, which holds 2 now.\n");
    assert!(err.starts_with("warning: b.py:1: "), "{err}");
}

#[test]
fn a_baseline_that_cannot_be_used_is_named_with_its_mend() {
    let tree = Tree::new(&[("a.py", OLD)]);
    for (text, fault) in [("<<<<<<< ours\n", "this is no baseline: "), ("{\"version\": 2}", "it has version 2, and ")] {
        tree.write(NAME, text);
        for command in ["check", "baseline update", "baseline prune"] {
            let (code, out, err) = tree.run(command);
            assert_eq!((code, out.as_str()), (2, ""), "{command}");
            assert!(err.starts_with(&format!("error: racewalk-baseline.json: {fault}")), "{err}");
            assert!(err.ends_with("or delete it and run `racewalk baseline update`\n"), "{err}");
        }
        assert_eq!(tree.read(NAME), text, "what cannot be read is not written over");
    }
    let (code, _, err) = tree.run("check --baseline nowhere.json");
    assert_eq!(code, 2);
    assert_eq!(err, "error: nowhere.json: no such file; `racewalk baseline update` writes a baseline\n");
}

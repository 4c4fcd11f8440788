//! `racewalk prove` as a user meets it: what it prints, writes and exits with. It runs Python.

#![expect(clippy::disallowed_methods, reason = "the tests look at what was written")]

mod sandbox;

use sandbox::{DROPPED, Tree};
use serde_json::Value;
use std::fs;
use std::process::Command;

const COUNTER: &str = "\
import asyncio


class Counter:
    def __init__(self) -> None:
        self.value = 0

    async def increment(self) -> None:
        current = self.value
        await asyncio.sleep(0)
        self.value = current + 1


async def main() -> None:
    counter = Counter()
    await asyncio.gather(counter.increment(), counter.increment())
";

const FIX: &str = "\
--- a/app/counter.py
+++ b/app/counter.py
@@ -6,9 +6,8 @@
         self.value = 0
 
     async def increment(self) -> None:
-        current = self.value
         await asyncio.sleep(0)
-        self.value = current + 1
+        self.value += 1
 
 
 async def main() -> None:
";

fn tree() -> Tree {
    Tree::new(&[("app/__init__.py", ""), ("app/counter.py", COUNTER)])
}

fn json(tree: &Tree, arguments: &str) -> Value {
    let (_, out, err) = tree.run(&format!("prove {arguments} --output-format json"));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

#[test]
fn a_finding_is_proved_line_by_line() {
    let (status, out, err) = tree().run("prove app");
    assert_eq!(status, 1, "{out}{err}");
    assert!(err.starts_with("note: this executes the project's code"), "{err}");
    let expected = "\
proved[share/lost-update]: self.value is 1; one call after the other, it is 2
 --> app/counter.py:11 Counter.increment
  |
  | A     Counter.increment()
  | B     Counter.increment()
  |       call A arrives
  |       call B arrives
  | A        9  current = self.value                    # self.value is 0
  | A       10  await asyncio.sleep(0)
  | B        9  current = self.value                    # self.value is 0
  | B       10  await asyncio.sleep(0)
  | A       11  self.value = current + 1                # self.value: 0 → 1
  | B       11  self.value = current + 1                # self.value is 1
  |
  = found: the 1st schedule that was tried; it failed 3 times of 3 on the stock event loop of Python ";
    assert!(out.starts_with(expected), "{out}");
    assert!(out.ends_with("\n1 attempt: 1 proved.\n"), "{out}");
}

#[test]
fn findings_are_named_by_fingerprint_line_or_path() {
    let tree = tree();
    let by_path = json(&tree, ".");
    let fingerprint = by_path["proofs"][0]["subject"]["fingerprint"].as_str().unwrap().to_owned();
    for what in [&fingerprint[..6], &fingerprint, "app/counter.py:11"] {
        assert_eq!(json(&tree, what)["proofs"][0]["subject"], by_path["proofs"][0]["subject"], "{what}");
    }
    let by_place = json(&tree, "app/counter.py:15");
    assert_eq!(by_place["proofs"][0]["subject"]["symbol"], "main");
    assert!(by_place["proofs"][0]["subject"]["rule"].is_null());
    for what in ["beef", "nowhere.py", "app/counter.py:99", "nowhere.py:3"] {
        assert_eq!(tree.run(&format!("prove {what}")).0, 2, "{what}");
    }
}

#[test]
fn the_project_is_left_as_it_was() {
    let tree = tree();
    tree.write("app/counter.py", &format!("open('loaded.txt', 'w').close()\n{COUNTER}"));
    assert_eq!(tree.run("prove app").0, 1);
    assert!(!tree.0.join("loaded.txt").exists(), "the code ran in a copy");
    assert!(!tree.0.join("app/__pycache__").exists());
    assert!(!tree.0.join(".racewalk_cache").exists(), "where nobody can be asked, nothing is kept in mind");
}

#[test]
fn a_written_test_fails_and_passes_on_the_fix() {
    let tree = tree();
    let (status, out, err) = tree.run("prove app --write-test tests/test_counter.py --trace trace.txt");
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("= test: tests/test_counter.py: it was run, and fails"), "{out}");
    assert!(fs::read_to_string(tree.0.join("trace.txt")).unwrap().contains("self.value"));
    let run = || {
        let code = "import runpy\n[test() for name, test in runpy.run_path('tests/test_counter.py').items() \
                    if name.startswith('test_')]";
        Command::new("python3").args(["-c", code]).current_dir(&tree.0).output().unwrap()
    };
    assert!(String::from_utf8_lossy(&run().stderr).contains("AssertionError"));
    tree.write("app/counter.py", &COUNTER.replace("current = self.value\n", "pass\n").replace("current", "self.value"));
    assert!(run().status.success(), "{}", String::from_utf8_lossy(&run().stderr));
}

#[test]
fn a_patch_is_a_fix_or_is_none() {
    let tree = tree();
    tree.write("fix.patch", FIX);
    let (status, out, err) = tree.run("prove app --against fix.patch");
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.contains("= fix: fixed: no schedule of 3 overlapping calls goes wrong"), "{out}");
    tree.write("no.patch", &FIX.replace("+        self.value += 1", "+        self.value = 1"));
    let (status, out, _) = tree.run("prove app --against no.patch");
    assert_eq!(status, 1);
    assert!(out.contains("= fix: changed behaviour: "), "{out}");
    tree.write("odd.patch", &FIX.replace("current = self.value", "something else"));
    let (status, _, err) = tree.run("prove app --against odd.patch");
    assert_eq!(status, 2);
    assert!(err.contains("--against: git says: "), "{err}");
}

#[test]
fn a_diff_logs_accesses_and_can_be_taken_back() {
    let tree = tree();
    let (status, diff, err) = tree.run("prove app --instrument");
    assert_eq!(status, 0, "{err}");
    assert!(err.is_empty(), "nothing is run: {err}");
    tree.write("log.patch", &diff);
    let git = |arguments: &str| assert!(tree.command("git", arguments).status().unwrap().success(), "{diff}");
    git("apply log.patch");
    let code = "import asyncio, app.counter; asyncio.run(app.counter.main())";
    let ran = Command::new("python3").args(["-c", code]).current_dir(&tree.0).output().unwrap();
    let logged = String::from_utf8_lossy(&ran.stderr);
    assert!(logged.contains("racewalk: app/counter.py:9 Task-3: self.value is 0\n"), "{logged}");
    assert!(logged.contains("racewalk: app/counter.py:11 Task-2: self.value 0 -> 1\n"), "{logged}");
    assert!(logged.contains("racewalk: app/counter.py:11 Task-3: self.value stays 1\n"), "{logged}");
    git("apply -R log.patch");
    assert_eq!(fs::read_to_string(tree.0.join("app/counter.py")).unwrap(), COUNTER);
    assert_eq!(tree.run("prove app/__init__.py --instrument").0, 2);
}

#[test]
fn what_cannot_be_settled_is_3_and_what_is_missing_is_named() {
    let tree = Tree::new(&[("a.py", "async def pay(kind):\n    if kind != 'cash':\n        raise ValueError(kind)\n")]);
    let (status, out, _) = tree.run("prove a.py:2");
    assert_eq!(status, 3, "{out}");
    assert!(out.starts_with("inconclusive: every call raises by itself: ValueError"), "{out}");
    assert!(out.contains("= help: --hint args.NAME=VALUE"), "{out}");
    let (status, out, _) = tree.run("prove a.py:2 --hint args.kind=\"cash\"");
    assert_eq!(status, 0, "{out}");
    assert!(out.starts_with("no violation within bounds: no schedule of 3 overlapping calls"), "{out}");
    let (status, _, err) = tree.run("prove a.py:2 --hint kind=7");
    assert_eq!(status, 2);
    assert!(err.contains("known are args.NAME"), "{err}");
}

#[test]
fn what_is_not_python_is_said_not_to_be_run() {
    let script = "let n = 0;\nasync function add() {\n  const seen = n;\n  await later();\n  n = seen + 1;\n}\n";
    let (status, out, _) = Tree::new(&[("a.js", script)]).run("prove a.js:4");
    assert_eq!(status, 3, "{out}");
    assert!(out.contains("it stands in no Python module"), "{out}");
}

#[test]
fn an_interpreter_that_is_none_is_said() {
    let (status, _, err) = tree().run("prove app --python nowhere");
    assert_eq!(status, 2);
    assert!(err.contains("nowhere: no Python there"), "{err}");
}

#[test]
fn one_call_is_enough_where_a_coroutine_is_dropped() {
    let (status, out, _) = Tree::new(&[("a.py", DROPPED)]).run("prove a.py");
    assert_eq!(status, 1);
    assert!(out.starts_with("proved[await/missing-await]: coroutine 'save' was never awaited"), "{out}");
}

#[test]
fn a_check_marks_what_it_has_proved() {
    let tree = tree();
    let check = |format: &str| tree.run(&format!("check --prove --yes --output-format {format}")).1;
    let report: Value = serde_json::from_str(&check("json")).unwrap();
    let finding = &report["findings"][0];
    assert_eq!(
        (finding["confidence"].as_str(), finding["notes"][0]["kind"].as_str()),
        (Some("certain"), Some("proved"))
    );
    assert_eq!(finding["witness"]["steps"][0]["does"], "current = self.value");
    assert!(check("concise").ends_with(" (proved)\n"), "{}", check("concise"));
    assert!(check("full").contains("= proved: self.value is 1"), "{}", check("full"));
    assert!(check("sarif").contains("\"proved\": true"));
    assert!(check("github").contains("(proved)"));
    assert!(check("markdown").contains("- proved: self.value is 1"));
    let plain = tree.run("check --output-format concise").1;
    assert!(!plain.contains("(proved)"), "without --prove nothing is run: {plain}");
    let late: Value =
        serde_json::from_str(&tree.run("check --prove --yes --prove-budget 0.01 --output-format json").1).unwrap();
    assert_eq!(late["findings"].as_array().unwrap().len(), 1, "what time is too short for stays a finding");
}

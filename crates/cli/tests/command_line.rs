//! The command line as a user meets it: arguments, outputs, exit statuses.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tree");

fn racewalk(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_racewalk"))
        .args(arguments)
        .current_dir(Path::new(EXAMPLE))
        .env_remove("NO_COLOR")
        .env("RACEWALK_CACHE_DIR", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn check_is_the_default_command() {
    let (named, bare) = (racewalk(&["check", "broken.py"], ""), racewalk(&["broken.py"], ""));
    assert_eq!(named.status.code(), Some(1));
    assert_eq!(out(&named), out(&bare));
    assert!(out(&bare).contains("--> broken.py:1:7"), "{}", out(&bare));
    assert!(err(&bare).starts_with("warning: broken.py:1: "), "{}", err(&bare));
}

#[test]
fn nothing_found_is_0_and_what_cannot_be_done_is_2() {
    assert_eq!(racewalk(&["fine.py"], "").status.code(), Some(0));
    for arguments in [&["nowhere.py"][..], &["--select", "syntx"], &["--outputformat", "json"], &["explain", "syntx"]] {
        let output = racewalk(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(out(&output).is_empty());
    }
    assert!(err(&racewalk(&["--select", "syntx"], "")).contains("did you mean `syntax`?"));
    assert!(err(&racewalk(&["--outputformat", "json"], "")).contains("--output-format"));
    assert!(err(&racewalk(&["explain", "syntx"], "")).contains("did you mean `syntax`?"));
}

#[test]
fn the_threshold_decides_the_exit_status() {
    for (threshold, code) in [("hint", 1), ("warning", 1), ("error", 0), ("never", 0)] {
        assert_eq!(racewalk(&["--fail-on", threshold, "broken.py"], "").status.code(), Some(code), "{threshold}");
    }
}

#[test]
fn formats_are_one_line_a_finding_one_object_and_counts() {
    let concise = out(&racewalk(&["--output-format", "concise", "broken.py"], ""));
    assert!(concise.starts_with("broken.py:1:7: warning[tool/syntax] "), "{concise}");
    assert_eq!(concise.lines().count(), 1);
    let json = out(&racewalk(&["--output-format", "json", "broken.py"], ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["findings"][0]["range"]["start"]["line"], 1);
    assert_eq!(json["summary"]["skipped"][0]["path"], "broken.py");
    let statistics = out(&racewalk(&["--statistics", "broken.py"], ""));
    assert!(statistics.contains("tool/syntax"), "{statistics}");
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    assert!(!out(&racewalk(&["broken.py"], "")).contains('\u{1b}'));
    assert!(out(&racewalk(&["--color", "always", "broken.py"], "")).contains('\u{1b}'));
}

#[test]
fn standard_input_is_checked_under_a_name() {
    let text = "x = 1  # racewalk: ignore[syntax] is unused\n";
    let output = racewalk(&["--stdin-filename", "app/new.py", "--output-format", "concise"], text);
    assert!(out(&output).starts_with("app/new.py:1:8: warning[tool/unused-suppression] "), "{}", out(&output));
    let answer = format!("Try this:\n\n```python\n{text}```\n");
    let output = racewalk(&["-", "--stdin-filename", "answer.md", "--output-format", "concise"], &answer);
    assert!(out(&output).starts_with("answer.md:4:8: "), "{}", out(&output));
    assert_eq!(racewalk(&["-", "fine.py"], "").status.code(), Some(2));
}

#[test]
fn rules_are_listed_and_explained() {
    assert!(out(&racewalk(&["rules"], "")).contains("tool/syntax "));
    assert!(out(&racewalk(&["rules", "--output-format", "markdown"], "")).contains("| `tool/syntax` | warning | "));
    let json = out(&racewalk(&["rules", "--output-format", "json"], ""));
    assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap().is_array());
    assert!(out(&racewalk(&["explain", "syntax"], "")).contains("What it is\n"));
    assert!(out(&racewalk(&["explain", "SyntaxError: invalid syntax"], "")).contains("tool/syntax"));
}

const RACE: &str = "import asyncio\n\n\nclass Counter:\n    def __init__(self) -> None:\n        self.value = 0\n\n    \
    async def add(self) -> None:\n        old = self.value\n        await asyncio.sleep(1)\n        \
    self.value = old + 1\n\n\nasync def main() -> None:\n    counter = Counter()\n    \
    await asyncio.gather(*(counter.add() for _ in range(9)))\n";

#[test]
fn an_interleaving_is_shown_in_every_format() {
    let shown = |format: &str| out(&racewalk(&["-", "--output-format", format], RACE));
    let full = shown("full");
    assert!(full.contains("task A") && full.contains("9 reads: v"), "{full}");
    let sarif: serde_json::Value = serde_json::from_str(&shown("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "share/lost-update");
    assert_eq!(result["codeFlows"][0]["threadFlows"].as_array().unwrap().len(), 2);
    assert_eq!(result["codeFlows"][0]["threadFlows"][1]["locations"][0]["executionOrder"], 3);
    assert!(shown("github").starts_with("::error file=stdin.py,line=11,endLine=11,col=9,"), "{}", shown("github"));
    let markdown = shown("markdown");
    assert!(markdown.contains("sequenceDiagram") && markdown.contains("A->>S: line 9 reads, v"), "{markdown}");
}

#[test]
fn a_profile_goes_to_standard_error_and_changes_nothing_else() {
    let arguments = ["--strict", "--output-format", "json", "."];
    let plain = racewalk(&arguments, "");
    let profiled = racewalk(&[&["--profile"], &arguments[..]].concat(), "");
    assert_eq!(out(&plain), out(&profiled));
    assert_eq!(plain.status.code(), profiled.status.code());
    let told = err(&profiled);
    let stages = [
        "starting",
        "discovering files",
        "reading files",
        "parsing",
        "lowering",
        "models and installed packages",
        "linking",
        "shared facts of the rules",
        "rules",
        "reporting",
        "printing",
        "all",
    ];
    let lines: Vec<&str> = told.lines().filter_map(|line| line.split("  ").last()).collect();
    for stage in stages {
        assert!(lines.contains(&stage), "no line for {stage}:\n{told}");
    }
    let listed = out(&racewalk(&["rules", "--output-format", "json"], ""));
    let rules: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        assert!(lines.contains(&name), "no line for {name}:\n{told}");
    }
    assert!(!err(&plain).contains("CPU ms"));
}

#[test]
fn a_profile_knows_the_rules_that_are_selected() {
    let told = err(&racewalk(&["--profile", "--select", "syntax", "broken.py"], ""));
    assert!(told.contains("         1  tool/syntax"), "{told}");
    assert!(!told.contains("share/lost-update"), "{told}");
}

//! The README shows what the tool prints. `RACEWALK_UPDATE=1` writes it anew.

#![expect(clippy::disallowed_methods, reason = "the test reads and updates the README")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const OPENING: &str = "<!-- output: racewalk ";
const CLOSING: &str = "<!-- end -->";

#[test]
fn outputs_in_the_readme_are_fresh() {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).expect("there is a README");
    let fresh = refreshed(&text);
    if std::env::var_os("RACEWALK_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, fresh).expect("the README can be written");
        return;
    }
    let stale = text.lines().zip(fresh.lines()).find(|(old, new)| old != new);
    let hint = "run RACEWALK_UPDATE=1 cargo test -p racewalk_cli --test readme";
    assert!(text == fresh, "README.md is stale; {hint}\nfirst difference: {stale:?}");
}

/// The text with everything between the markers printed again.
fn refreshed(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{line}");
        if let Some(arguments) = line.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix(" -->")) {
            out.push_str(&shown(&output(arguments)));
            assert!(lines.any(|line| line == CLOSING), "no {CLOSING} after {line}");
            let _ = writeln!(out, "{CLOSING}");
        }
    }
    out
}

/// Markdown as it is, anything else as a block of text.
fn shown(output: &str) -> String {
    if output.starts_with('|') { output.to_owned() } else { format!("```text\n{output}```\n") }
}

fn output(arguments: &str) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_racewalk"))
        .args(arguments.split_whitespace())
        .args(["--color", "never"])
        .current_dir(root())
        .env("RACEWALK_CACHE_DIR", env!("CARGO_TARGET_TMPDIR"))
        // The width of a terminal would show in the output.
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(run.stdout).expect("the output is text");
    assert!(!text.is_empty(), "racewalk {arguments} prints nothing: {}", String::from_utf8_lossy(&run.stderr));
    text
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

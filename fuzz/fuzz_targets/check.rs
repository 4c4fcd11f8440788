//! The whole way from a text to the printed findings: lower, link, every rule, every format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use racewalk_engine::{Engine, Options, report};
use racewalk_fuzz::let_caught_panics_pass;
use std::path::PathBuf;

fuzz_target!(|data: &[u8]| {
    let_caught_panics_pass();
    let Some((first, bytes)) = data.split_first() else { return };
    let name = match first & 3 {
        0 => "input.py",
        1 => "input.md",
        2 => "input.ipynb",
        _ => "input.pyi",
    };
    // Nothing is there, so nothing but the text is read.
    let directory = PathBuf::from("/nonexistent");
    let options = Options { isolated: true, strict: true, select: vec!["all".to_owned()], ..Options::new(directory) };
    let engine = Engine::default().threads(1);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let outcome = engine.check_text(&options, PathBuf::from(name), text).expect("a text can be checked");
    for finding in &outcome.report.findings {
        assert!(finding.range.start <= finding.range.end, "{finding:?}");
        assert!(finding.range.start.line > 0 && finding.range.start.column > 0, "{finding:?}");
    }
    let full = report::full(&outcome.report, &outcome.sources, 100);
    assert!(!full.is_empty());
    assert_eq!(report::concise(&outcome.report).lines().count(), outcome.report.findings.len());
    assert!(report::json(&outcome.report).contains("\"findings\""));
});

//! Every literate test of the workspace, and every example in the rules' documentation.

use std::path::Path;

#[test]
fn cases_hold() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let failures = racewalk_mdtest::failures(&[here.join("cases"), here.join("../rules/src")]);
    let count = failures.len();
    assert!(failures.is_empty(), "{count} cases failed\n\n{}\n", failures.join("\n\n"));
}

#[test]
fn examples_in_the_documentation_hold() {
    let failures = racewalk_mdtest::documentation_failures();
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

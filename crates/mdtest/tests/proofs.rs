//! What `prove` says of the code in the literate cases of `crates/prove`. It runs Python.

use std::path::Path;

#[test]
fn verdicts_hold() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prove/cases");
    let failures = racewalk_mdtest::proof_failures(&[cases]);
    assert!(failures.is_empty(), "{} verdicts differ\n\n{}\n", failures.len(), failures.join("\n"));
}

//! The parser, which must not take the whole run down with it.
//!
//! It is somebody else's and known to panic on some broken notebooks (ruff's issue 21705 and the like). What it cannot
//! take is read in a simpler way, and in the worst case not at all; the file says so, and all others are as they were.

use ruff_python_ast::{ModModule, PySourceType};
use ruff_python_parser::{Parsed, parse_unchecked_source};
use std::cell::Cell;
use std::panic::catch_unwind;

thread_local! {
    static IS_GUARDING: Cell<bool> = const { Cell::new(false) };
}

/// True while a panic on this thread would be the parser's, which is caught: nobody need be told.
pub fn is_guarding() -> bool {
    IS_GUARDING.get()
}

/// A parsed text, and whether the parser failed on it as it is meant to be read.
pub(crate) fn parse(text: &str, meant: PySourceType) -> (Parsed<ModModule>, bool) {
    if let Some(parsed) = guarded(text, meant) {
        return (parsed, false);
    }
    let simpler = guarded(text, PySourceType::Python);
    (simpler.unwrap_or_else(|| parse_unchecked_source("", PySourceType::Python)), true)
}

fn guarded(text: &str, meant: PySourceType) -> Option<Parsed<ModModule>> {
    IS_GUARDING.set(true);
    let parsed = catch_unwind(|| parse_unchecked_source(text, meant));
    IS_GUARDING.set(false);
    parsed.ok()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use ruff_python_ast::PySourceType;

    #[test]
    fn a_panic_of_the_parser_stays_inside() {
        let (parsed, failed) = parse("x = 1\n{]\n,", PySourceType::Ipynb);
        assert!(failed, "the parser takes this by now: find another text, or drop the guard");
        assert_eq!(parsed.suite().len(), 2);
    }
}

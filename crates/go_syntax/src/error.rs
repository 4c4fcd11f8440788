//! Syntax errors, and places in a text as people count them.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong: one line, in lower case.
    pub message: Cow<'static, str>,
    /// The byte offset in the text, at most its length.
    pub offset: u32,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The byte of the line, from 1.
    pub column: u32,
}

impl Position {
    /// The place of an offset: looks through the text before it. An offset behind the text is taken as its end.
    pub fn of(offset: u32, text: &[u8]) -> Self {
        let before = &text[..(offset as usize).min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let line = memchr::memchr_iter(b'\n', before).count() as u32 + 1;
        Self { line, column: (before.len() - line_start) as u32 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one() {
        let text = b"ab\n\ncd";
        let of = |offset| {
            let Position { line, column } = Position::of(offset, text);
            (line, column)
        };
        assert_eq!((of(0), of(2), of(3), of(5)), ((1, 1), (1, 3), (2, 1), (3, 2)));
        assert_eq!((of(6), of(99)), ((3, 3), (3, 3)));
    }
}

//! Texts that findings point into: from byte offsets to lines and columns, and back to lines of text.

use crate::{Position, Range};
use std::collections::BTreeMap;

/// A text whose lines are known.
#[derive(Clone, Debug, Default)]
pub struct SourceText {
    text: String,
    line_starts: Vec<usize>,
}

impl SourceText {
    /// Takes a text; lines end as Python's do (`\n`, `\r\n`, `\r`).
    pub fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let ends = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes).filter(ends);
        let line_starts = std::iter::once(0).chain(ends.map(|at| at + 1)).collect();
        Self { text, line_starts }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines it has; a last one without text does not count.
    pub fn line_count(&self) -> usize {
        let last = self.line_starts.last().copied().unwrap_or_default();
        self.line_starts.len() - usize::from(last == self.text.len())
    }

    /// The text of a line, counted from 1, without its end; empty beyond the last.
    pub fn line(&self, line: u32) -> &str {
        let index = line.saturating_sub(1) as usize;
        let start = self.line_starts.get(index).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// The bytes of a line, counted from 1, its end included; nothing beyond the last.
    pub fn bytes_of(&self, line: u32) -> Option<(u32, u32)> {
        let index = line.checked_sub(1)? as usize;
        let start = *self.line_starts.get(index)?;
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        Some((start as u32, end as u32))
    }

    /// The place of a byte offset.
    pub fn position(&self, offset: u32) -> Position {
        let offset = self.text.floor_char_boundary((offset as usize).min(self.text.len()));
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let column = self.text[start..offset].chars().count() + 1;
        Position { line: line as u32, column: column as u32 }
    }

    /// The places of two byte offsets.
    pub fn range(&self, start: u32, end: u32) -> Range {
        Range { start: self.position(start), end: self.position(end) }
    }
}

/// A text as it is shown to the user.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The text.
    pub text: SourceText,
    /// For a notebook: the line (from 1) where each code cell starts, and the cell's number.
    pub cells: Vec<(u32, u32)>,
}

/// The texts that a report's findings point into, by path.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, Shown>);

impl Sources {
    /// Adds a text.
    pub fn insert(&mut self, path: String, shown: Shown) {
        self.0.insert(path, shown);
    }

    /// The paths of all texts.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A line of a text; in a notebook it counts within the cell.
    pub fn line(&self, path: &str, cell: Option<u32>, line: u32) -> Option<&str> {
        let shown = self.0.get(path)?;
        let Some(cell) = cell else { return Some(shown.text.line(line)) };
        let at = shown.cells.iter().position(|(_, number)| *number == cell)?;
        let line = shown.cells[at].0 + line - 1;
        let next = shown.cells.get(at + 1).map(|(start, _)| *start);
        next.is_none_or(|next| line < next).then(|| shown.text.line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, SourceText, Sources};

    #[test]
    fn columns_count_code_points() {
        let text = SourceText::new("é = 1\r\n\u{1F600}x\ry".to_owned());
        assert_eq!((text.position(3).line, text.position(3).column), (1, 3));
        assert_eq!((text.position(12).line, text.position(12).column), (2, 2));
        assert_eq!((text.position(14).line, text.position(14).column), (3, 1));
        assert_eq!(text.line(2), "\u{1F600}x");
        assert_eq!(text.line_count(), 3);
        assert_eq!(text.position(9999).line, 3);
    }

    #[test]
    fn lines_of_a_notebook_count_within_their_cell() {
        let mut sources = Sources::default();
        let text = SourceText::new("a\nb\nc\n".to_owned());
        sources.insert("n.ipynb".to_owned(), Shown { text, cells: vec![(1, 2), (3, 5)] });
        assert_eq!(sources.line("n.ipynb", Some(5), 1), Some("c"));
        assert_eq!(sources.line("n.ipynb", Some(2), 3), None);
    }
}

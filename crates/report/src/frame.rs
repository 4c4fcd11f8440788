//! Source frames: the lines around places, cut out of their files, with the places marked.

use crate::{Position, Range, Sources};
use annotate_snippets::{Annotation, AnnotationKind, Element, Origin, Snippet};

/// Places further apart than this get frames of their own.
const NEAR: u32 = 15;
/// A longer place is marked on its first line only.
const LONGEST: u32 = 8;

/// A place to be shown.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) path: &'a str,
    pub(crate) cell: Option<u32>,
    pub(crate) range: Range,
    pub(crate) label: &'a str,
    pub(crate) is_primary: bool,
}

impl Spot<'_> {
    fn last_line(&self) -> u32 {
        let Range { start, end } = self.range;
        if end.line.saturating_sub(start.line) > LONGEST { start.line } else { end.line.max(start.line) }
    }

    fn is_near(&self, other: &Spot<'_>) -> bool {
        self.path == other.path
            && self.cell == other.cell
            && self.range.start.line <= other.last_line() + NEAR
            && other.range.start.line <= self.last_line() + NEAR
    }
}

/// The frames of these places; the first one is where the finding is.
pub(crate) fn frames<'a>(spots: &[Spot<'a>], sources: &Sources) -> Vec<Element<'a>> {
    let mut groups: Vec<Vec<Spot<'a>>> = Vec::new();
    for spot in spots {
        match groups.iter_mut().find(|group| group.iter().any(|other| spot.is_near(other))) {
            Some(group) => group.push(*spot),
            None => groups.push(vec![*spot]),
        }
    }
    groups.iter().filter_map(|group| frame(group, sources)).collect()
}

fn frame<'a>(group: &[Spot<'a>], sources: &Sources) -> Option<Element<'a>> {
    let spot = group.first()?;
    let path = shown_path(spot.path, spot.cell);
    let first = group.iter().map(|spot| spot.range.start.line).min()?;
    let last = group.iter().map(Spot::last_line).max()?;
    let lines: Option<Vec<&str>> = (first..=last).map(|line| sources.line(spot.path, spot.cell, line)).collect();
    let Some(lines) = lines.filter(|lines| lines.iter().any(|line| !line.is_empty())) else {
        let at = spot.range.start;
        return Some(Origin::path(path).line(at.line as usize).char_column(at.column as usize).into());
    };
    let snippet = Snippet::source(lines.join("\n")).line_start(first as usize).path(path);
    Some(snippet.annotations(group.iter().map(|spot| annotation(spot, first, &lines))).into())
}

/// `path`, or `path:cell N`: what stands before line and column.
pub(crate) fn shown_path(path: &str, cell: Option<u32>) -> String {
    cell.map_or_else(|| path.to_owned(), |cell| format!("{path}:cell {cell}"))
}

fn annotation<'a>(spot: &Spot<'a>, first: u32, lines: &[&str]) -> Annotation<'a> {
    let kind = if spot.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let start = offset(spot.range.start, first, lines);
    let end = if spot.last_line() < spot.range.end.line {
        offset(Position { column: u32::MAX, ..spot.range.start }, first, lines)
    } else {
        offset(spot.range.end, first, lines)
    };
    let annotation = kind.span(start..end.max(start));
    if spot.label.is_empty() { annotation } else { annotation.label(spot.label) }
}

/// The byte offset of a position in the lines, joined; a column beyond its line means the line's end.
fn offset(at: Position, first: u32, lines: &[&str]) -> usize {
    let index = (at.line.saturating_sub(first) as usize).min(lines.len().saturating_sub(1));
    let before: usize = lines[..index].iter().map(|line| line.len() + 1).sum();
    let line = lines.get(index).copied().unwrap_or_default();
    let column = at.column.saturating_sub(1) as usize;
    before + line.char_indices().nth(column).map_or(line.len(), |(offset, _)| offset)
}

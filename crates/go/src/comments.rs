//! Comments that are addressed to the analyser.

use racewalk_go_syntax::{File, Span as Place, StmtId};
use racewalk_ir::{Comment, Span};

const MARK: &str = "racewalk:";

/// Comments of a file that begin with our mark, the comment sign and blanks aside. `base` is where the file's text begins.
pub(crate) fn addressed_to_us(file: &File<'_>, base: u32) -> Vec<Comment> {
    if memchr::memmem::find(file.text, MARK.as_bytes()).is_none() {
        return Vec::new();
    }
    let statements = heads(file);
    let placed = |comment: &Place| {
        let said = said(file, *comment)?;
        let own_line = is_alone(file, *comment);
        let about = about(file, *comment, own_line, &statements);
        let moved = |place: Place| Span::new(base + place.start, base + place.end);
        Some(Comment { span: moved(*comment), text: said.into(), own_line, about: moved(about) })
    };
    file.comments.iter().filter_map(placed).collect()
}

/// What a comment says, when it speaks to us.
fn said<'f>(file: &File<'f>, comment: Place) -> Option<&'f str> {
    let text = str::from_utf8(file.text_of(comment)).ok()?;
    let said = text.trim_start_matches(['/', '*']).trim_end_matches(['/', '*']).trim();
    said.starts_with(MARK).then_some(said)
}

/// Nothing but blanks stands beside the comment on its lines.
fn is_alone(file: &File<'_>, comment: Place) -> bool {
    let before = &file.text[..comment.start as usize];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let after = &file.text[comment.end as usize..];
    let line_end = memchr::memchr(b'\n', after).unwrap_or(after.len());
    before[line_start..].trim_ascii().is_empty() && after[..line_end].trim_ascii().is_empty()
}

/// The statements of a file, of compound ones the line on which they begin, in order.
fn heads(file: &File<'_>) -> Vec<Place> {
    let head = |id: StmtId| {
        let span = file[id].span;
        let end = memchr::memchr(b'\n', file.text_of(span)).map_or(span.end, |at| span.start + at as u32);
        Place::new(span.start, end)
    };
    let statement = |node| match node {
        racewalk_go_syntax::Node::Stmt(id) => Some(head(id)),
        _ => None,
    };
    let mut heads: Vec<Place> = file.nodes().filter_map(statement).collect();
    heads.sort_by_key(|head| (head.start, std::cmp::Reverse(head.end)));
    heads
}

/// The statement that a comment stands in or behind, else the next one.
fn about(file: &File<'_>, comment: Place, own_line: bool, statements: &[Place]) -> Place {
    let around = statements.iter().rev().find(|statement| statement.contains(comment));
    let on_its_line = |statement: &&Place| {
        statement.end <= comment.start && !file.text[statement.end as usize..comment.start as usize].contains(&b'\n')
    };
    let before = statements.iter().rev().find(on_its_line).filter(|_| !own_line);
    let after = statements.iter().find(|statement| statement.start >= comment.end);
    around.or(before).or(after).copied().unwrap_or(Place::new(comment.end, comment.end))
}

//! A parsed file: the tree, the comments and the errors, with the text they are about.

use crate::arena::{Arenas, Id, List, Stored};
use crate::ast::{DeclId, Ident, Span};
use crate::error::{Position, SyntaxError};
use crate::parser;
use std::ops::Index;

/// A parsed file. Nodes and lists of nodes are looked up by indexing: `file[expr].kind`, `&file[arguments]`.
#[derive(Debug)]
pub struct File<'a> {
    /// The text that was parsed.
    pub text: &'a [u8],
    /// The package's name.
    pub package: Ident,
    /// The declarations at the top of the file, imports first.
    pub decls: List<DeclId>,
    /// All comments with their marks, in order.
    pub comments: Vec<Span>,
    /// What is wrong with the text, in order, at most one error a place. None: the text is a Go file.
    pub errors: Vec<SyntaxError>,
    arenas: Arenas,
}

/// Parses a file. Never fails: what is wrong stands in [`File::errors`], and the rest of the file is there.
///
/// The text need not be UTF-8, though Go files have to be. Texts over 1 GiB aren't read.
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> File<'_> {
    let text = text.as_ref();
    let parser::Parsed { arenas, package, decls, comments, errors } = parser::parse(text);
    File { text, package, decls, comments, errors, arenas }
}

impl<T: Stored> Index<Id<T>> for File<'_> {
    type Output = T;

    #[inline]
    fn index(&self, id: Id<T>) -> &T {
        self.arenas.node(id)
    }
}

impl<T: Stored> Index<List<T>> for File<'_> {
    type Output = [T];

    #[inline]
    fn index(&self, list: List<T>) -> &[T] {
        self.arenas.list(list)
    }
}

impl<'a> File<'a> {
    /// The bytes that a span covers.
    pub fn text_of(&self, span: Span) -> &'a [u8] {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The text of a name; empty for one that is missing.
    pub fn name(&self, name: Ident) -> &'a str {
        str::from_utf8(self.text_of(name.span)).unwrap_or_default()
    }

    /// Line and column of an offset. Looks through the text before it.
    pub fn position(&self, offset: u32) -> Position {
        Position::of(offset, self.text)
    }

    /// The comments that document what begins at an offset: those on the lines directly above it, without a line
    /// between that has neither.
    pub fn comments_above(&self, offset: u32) -> &[Span] {
        let end = self.comments.partition_point(|comment| comment.end <= offset);
        let mut start = end;
        let mut below = self.line_start(offset);
        while let Some(comment) = self.comments[..start].last() {
            let has_own_line = self.is_blank(self.line_start(comment.start), comment.start);
            let is_adjacent = match self.text.get(comment.end as usize..below as usize) {
                Some(between) => between.trim_ascii().is_empty() && memchr::memchr_iter(b'\n', between).count() == 1,
                None => false,
            };
            if !has_own_line || !is_adjacent {
                break;
            }
            below = self.line_start(comment.start);
            start -= 1;
        }
        &self.comments[start..end]
    }

    /// The comment at the end of the line that an offset is on, behind it.
    pub fn comment_behind(&self, offset: u32) -> Option<Span> {
        let line_end = memchr::memchr(b'\n', self.text.get(offset as usize..)?).map(|len| offset + len as u32);
        let line_end = line_end.unwrap_or(self.text.len() as u32);
        let next = self.comments.partition_point(|comment| comment.start < offset);
        let is_last = |comment: &&Span| comment.end >= line_end || self.is_blank(comment.end, line_end);
        self.comments[next..].iter().take_while(|comment| comment.start < line_end).find(is_last).copied()
    }

    fn line_start(&self, offset: u32) -> u32 {
        memchr::memrchr(b'\n', &self.text[..self.text.len().min(offset as usize)])
            .map_or(0, |newline| newline as u32 + 1)
    }

    fn is_blank(&self, start: u32, end: u32) -> bool {
        self.text_of(Span::new(start, end)).trim_ascii().is_empty()
    }
}

//! Comments that are addressed to the analyser.

use oxc_ast::ast::Program;
use racewalk_ir::{Comment, Span};

const MARK: &str = "racewalk:";

/// Comments that begin with our mark, the comment sign and blanks aside. `statements` are the program's statements, in the order
/// of their beginnings; of one that holds others, only its head counts.
pub(crate) fn addressed_to_us(text: &str, program: &Program<'_>, statements: &[Span]) -> Vec<Comment> {
    let ours = program.comments.iter().filter_map(|comment| {
        let said = comment.content_span().source_text(text).trim_start_matches('*').trim();
        said.starts_with(MARK).then(|| (crate::span(comment.span), said))
    });
    let placed = |(span, said): (Span, &str)| {
        let line_start = text[..span.start as usize].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let after = text[span.end as usize..].split(['\n', '\r']).next().unwrap_or_default();
        // Code may stand behind a comment, too.
        let own_line = text[line_start..span.start as usize].trim().is_empty() && after.trim().is_empty();
        Comment { span, text: said.into(), own_line, about: about(text, span, own_line, statements) }
    };
    ours.map(placed).collect()
}

/// True when a text may hold such a comment.
pub(crate) fn may_hold_any(text: &str) -> bool {
    text.contains(MARK)
}

/// The statement that a comment stands in or behind, else the next one.
fn about(text: &str, comment: Span, own_line: bool, statements: &[Span]) -> Span {
    let around = statements.iter().rev().find(|statement| statement.contains(comment));
    let on_its_line = |statement: &&Span| {
        statement.end <= comment.start && !text[statement.end as usize..comment.start as usize].contains('\n')
    };
    let before = statements.iter().rev().find(on_its_line).filter(|_| !own_line);
    let after = statements.iter().find(|statement| statement.start >= comment.end);
    around.or(before).or(after).copied().unwrap_or(Span::new(comment.end, comment.end))
}

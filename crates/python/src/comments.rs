//! Comments that are addressed to the analyser.

use racewalk_ir::{Comment, Span};
use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_text_size::Ranged;

const MARK: &str = "racewalk:";

/// Comments that begin with our mark, the comment sign and blanks aside.
pub(crate) fn addressed_to_us(text: &str, tokens: &Tokens) -> Vec<Comment> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    let comments = tokens.iter().filter(|token| token.kind() == TokenKind::Comment);
    comments.filter_map(|token| comment(text, token.start().to_usize(), token.end().to_usize())).collect()
}

fn comment(text: &str, start: usize, end: usize) -> Option<Comment> {
    let said = text[start..end].trim_start_matches('#').trim();
    if !said.starts_with(MARK) {
        return None;
    }
    let line_start = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let own_line = text[line_start..start].trim().is_empty();
    Some(Comment { span: Span::new(start as u32, end as u32), text: said.into(), own_line })
}

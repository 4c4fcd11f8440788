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
    let mut found: Vec<Comment> = Vec::new();
    // How many of them have their line of code, and that line as far as it has been seen.
    let (mut placed, mut line) = (0, None::<Span>);
    for token in tokens {
        let span = crate::span(token.range());
        match token.kind() {
            TokenKind::Comment => found.extend(comment(text, span)),
            TokenKind::Newline => {
                if let Some(line) = line.take() {
                    found[placed..].iter_mut().for_each(|comment| comment.about = line);
                    placed = found.len();
                }
            }
            TokenKind::NonLogicalNewline | TokenKind::Indent | TokenKind::Dedent | TokenKind::EndOfFile => {}
            _ => line = Some(Span::new(line.map_or(span.start, |line| line.start), span.end)),
        }
    }
    found
}

fn comment(text: &str, span: Span) -> Option<Comment> {
    let (start, end) = (span.start as usize, span.end as usize);
    let said = text[start..end].trim_start_matches('#').trim();
    if !said.starts_with(MARK) {
        return None;
    }
    let line_start = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let own_line = text[line_start..start].trim().is_empty();
    Some(Comment { span, text: said.into(), own_line, about: Span::new(span.end, span.end) })
}

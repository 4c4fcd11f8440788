//! The parser: recursive descent with one token of look-ahead.
//!
//! It accepts what the specification's grammar does, and where that needs types to tell right from wrong (`x.(type)`
//! outside a switch, an expression where a type has to be), a little more. Each production stands beside its function;
//! each function is called with its first token looked at, and leaves the token behind its last one.

mod declarations;
mod expressions;
mod parameters;
mod statements;
mod types;

use crate::arena::{Arenas, List, Stored};
use crate::ast::{DeclId, Expr, ExprId, ExprKind, Ident, Span};
use crate::error::SyntaxError;
use crate::scanner::Scanner;
use crate::token::Token;
use parameters::Parameter;
use std::borrow::Cow;

/// How deep expressions, types and statements may be nested within each other. What lies deeper is reported and left
/// out.
pub(crate) const MAX_DEPTH: u32 = 1_000;

/// The longest text that is read: every node needs at least one byte, so that a quarter of `u32` is room for all
/// indices.
pub(crate) const MAX_LEN: usize = 1 << 30;

pub(crate) struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The token looked at, and where it stands.
    token: Token,
    start: u32,
    end: u32,
    /// Where the token before ends.
    previous_end: u32,
    depth: u32,
    /// In the head of an `if`, `for` or `switch`, outside brackets: a brace after a name begins the body.
    in_header: bool,
    /// Whether the start of a line tells where a declaration begins.
    by_layout: bool,
    /// Where the last error of the parser was: more about the same place are left out.
    last_error: Option<u32>,
    arenas: Arenas,
    /// Elements of lists that aren't finished.
    open: Arenas,
    /// The same for parameters, of which the names and types aren't told apart yet.
    open_params: Vec<Parameter>,
}

/// What a parser leaves behind.
pub(crate) struct Parsed {
    pub(crate) arenas: Arenas,
    pub(crate) package: Ident,
    pub(crate) decls: List<DeclId>,
    pub(crate) comments: Vec<Span>,
    pub(crate) errors: Vec<SyntaxError>,
}

/// Parses a whole text. One with errors is read a second time, by its layout: how it is indented tells where a
/// declaration begins though a bracket is open. A right text isn't, since it may be indented in any way.
pub(crate) fn parse(text: &[u8]) -> Parsed {
    if text.len() > MAX_LEN {
        let mut parser = Parser::new(b"", false);
        parser.error(0, "file too large");
        return parser.parse();
    }
    let parsed = Parser::new(text, false).parse();
    if parsed.errors.is_empty() { parsed } else { Parser::new(text, true).parse() }
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], by_layout: bool) -> Self {
        Self {
            scanner: Scanner::new(text),
            token: Token::EndOfFile,
            start: 0,
            end: 0,
            previous_end: 0,
            depth: 0,
            in_header: false,
            by_layout,
            last_error: None,
            arenas: Arenas::default(),
            open: Arenas::default(),
            open_params: Vec::new(),
        }
    }

    fn parse(mut self) -> Parsed {
        self.advance();
        let (package, decls) = self.source_file();
        let Scanner { comments, mut errors, .. } = self.scanner;
        errors.sort_by_key(|error| error.offset);
        errors.dedup_by_key(|error| error.offset);
        Parsed { arenas: self.arenas, package, decls, comments, errors }
    }
}

// Tokens.
impl<'a> Parser<'a> {
    #[inline]
    fn advance(&mut self) {
        self.previous_end = self.end;
        let next = self.scanner.next();
        (self.token, self.start, self.end) = (next.token, next.start, next.end);
    }

    #[inline]
    fn at(&self, token: Token) -> bool {
        self.token == token
    }

    /// Takes the token looked at if it is this one.
    #[inline]
    fn eat(&mut self, token: Token) -> bool {
        let is_there = self.token == token;
        if is_there {
            self.advance();
        }
        is_there
    }

    /// Takes a token that has to be there, or reports that it is missing, and leaves what is there.
    #[inline]
    fn expect(&mut self, token: Token) -> bool {
        let is_there = self.eat(token);
        if !is_there {
            self.error_expected(format_args!("'{}'", token.text()));
        }
        is_there
    }

    /// True at a semicolon that a line end stands for.
    fn at_newline(&self) -> bool {
        self.token == Token::Semicolon && self.start == self.end
    }

    /// From an offset to the end of the last token taken. Empty, if none was taken from there on; what it is part of
    /// then reaches up to it.
    #[inline]
    fn span_from(&mut self, start: u32) -> Span {
        self.previous_end = self.previous_end.max(start);
        Span::new(start, self.previous_end)
    }

    fn text(&self) -> &'a [u8] {
        self.scanner.text
    }
}

// Errors, and how the parser gets on after them.
impl Parser<'_> {
    fn error(&mut self, offset: u32, message: impl Into<Cow<'static, str>>) {
        if self.last_error != Some(offset) {
            self.last_error = Some(offset);
            self.scanner.error(offset as usize, message);
        }
    }

    /// Reports what is found instead of what is expected.
    #[cold]
    fn error_expected(&mut self, what: impl std::fmt::Display) {
        let text = &self.text()[Span::new(self.start, self.end).range()];
        let text = text.split(|byte| byte.is_ascii_control()).next().unwrap_or_default();
        let found = match self.token {
            _ if self.at_newline() => Cow::Borrowed("newline"),
            Token::EndOfFile => Cow::Borrowed("end of file"),
            _ => Cow::Owned(format!("'{}'", String::from_utf8_lossy(&text[..text.len().min(40)]))),
        };
        self.error(self.start, format!("expected {what}, found {found}"));
    }

    /// True at what can only be a declaration at the top of a file, going by layout: where one stands in a block, the
    /// block's closing brace is missing.
    fn at_outer_declaration(&self) -> bool {
        self.by_layout
            && match self.token {
                Token::Import => true,
                Token::Func => self.declares_function(),
                Token::Const | Token::Type | Token::Var => self.at_line_start(),
                _ => false,
            }
    }

    /// True if `func` is followed by a name, or, at the start of a line, by a receiver, a name and parameters.
    fn declares_function(&self) -> bool {
        let rest = &self.text()[self.end as usize..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks) {
            Some(b'(') => self.at_line_start() && declares_method(&rest[blanks + 1..]),
            Some(byte) => begins_name(*byte),
            None => false,
        }
    }

    fn at_line_start(&self) -> bool {
        self.start == 0 || self.text()[self.start as usize - 1] == b'\n'
    }

    /// Skips to where a statement can begin again: behind the next semicolon, or before a closing brace, a clause, a
    /// keyword that begins a statement. What stands in braces is skipped whole.
    fn skip_statement(&mut self) {
        let mut braces = 0_u32;
        loop {
            match self.token {
                Token::EndOfFile => return,
                _ if self.at_outer_declaration() => return,
                Token::OpenBrace => braces += 1,
                Token::CloseBrace if braces > 0 => braces -= 1,
                _ if braces > 0 => {}
                Token::CloseBrace | Token::Case | Token::Default => return,
                Token::Semicolon => return self.advance(),
                token if token.begins_statement() => return,
                _ => {}
            }
            self.advance();
        }
    }

    /// Skips to where a declaration can begin again: before a keyword that begins one, outside braces or at the start
    /// of a line.
    fn skip_declaration(&mut self) {
        let mut braces = 0_u32;
        while !self.at(Token::EndOfFile) {
            match self.token {
                Token::OpenBrace => braces += 1,
                Token::CloseBrace => braces = braces.saturating_sub(1),
                token if token.begins_declaration() && (braces == 0 || self.at_line_start()) => return,
                _ => {}
            }
            self.advance();
        }
    }

    /// Skips a bracket with all that is in it, if one is looked at.
    fn skip_brackets(&mut self) {
        let mut open = 0_u32;
        while !self.at(Token::EndOfFile) && !self.at_outer_declaration() {
            match self.token {
                Token::OpenParen | Token::OpenBracket | Token::OpenBrace => open += 1,
                _ if open == 0 => return,
                Token::CloseParen | Token::CloseBracket | Token::CloseBrace => open -= 1,
                _ => {}
            }
            self.advance();
            if open == 0 {
                return;
            }
        }
    }

    /// Runs what may nest, or reports that it is nested too deep and skips the bracket looked at.
    #[inline]
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> T, otherwise: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth == MAX_DEPTH {
            self.error(self.start, "nested too deep");
            self.skip_brackets();
            return otherwise(self);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Runs with brackets around: a brace after a name begins a composite literal.
    #[inline]
    fn in_brackets<T>(&mut self, parse: impl FnOnce(&mut Self) -> T) -> T {
        let in_header = std::mem::replace(&mut self.in_header, false);
        let result = parse(self);
        self.in_header = in_header;
        result
    }
}

// Nodes and lists of nodes.
impl Parser<'_> {
    #[inline]
    fn expr_at(&mut self, span: Span, kind: ExprKind) -> ExprId {
        self.arenas.add(Expr { span, kind })
    }

    /// An expression from an offset to the end of the last token taken.
    #[inline]
    fn expr_from(&mut self, start: u32, kind: ExprKind) -> ExprId {
        let span = self.span_from(start);
        self.expr_at(span, kind)
    }

    /// What stands for an expression that is missing.
    fn bad_expr(&mut self) -> ExprId {
        let span = self.missing();
        self.expr_at(span, ExprKind::Bad)
    }

    /// The empty span of what is missing here.
    fn missing(&mut self) -> Span {
        self.span_from(self.start)
    }

    #[inline]
    fn span_of(&self, expr: ExprId) -> Span {
        self.arenas.node(expr).span
    }

    #[inline]
    fn kind_of(&self, expr: ExprId) -> ExprKind {
        self.arenas.node(expr).kind
    }

    /// Where a list begins, to be handed to [`Self::close_list`].
    #[inline]
    fn open_list<T: Stored>(&self) -> usize {
        self.open.count::<T>()
    }

    #[inline]
    fn push<T: Stored>(&mut self, element: T) {
        T::nodes_mut(&mut self.open).push(element);
    }

    #[inline]
    fn close_list<T: Stored>(&mut self, mark: usize) -> List<T> {
        self.arenas.take(&mut self.open, mark)
    }

    /// A list of one element.
    fn list_of<T: Stored>(&mut self, element: T) -> List<T> {
        let mark = self.open_list::<T>();
        self.push(element);
        self.close_list(mark)
    }

    /// Elements with commas between them, and maybe behind the last one, up to a closing token, which is left.
    #[inline]
    fn elements<T: Stored>(&mut self, close: Token, context: &str, element: impl FnMut(&mut Self) -> T) -> List<T> {
        let mark = self.open_list::<T>();
        self.more_elements(close, context, element);
        self.close_list(mark)
    }

    /// The same, for a list that is open.
    #[inline]
    fn more_elements<T: Stored>(&mut self, close: Token, context: &str, mut element: impl FnMut(&mut Self) -> T) {
        while !self.at(close) && !self.at(Token::EndOfFile) {
            let before = self.start;
            let parsed = element(self);
            self.push(parsed);
            if !self.goes_on(before, close, context) {
                break;
            }
        }
    }

    /// After an element of a list that began at `before`: takes the comma; true if another element may follow.
    #[inline]
    fn goes_on(&mut self, before: u32, close: Token, context: &str) -> bool {
        self.eat(Token::Comma) || !self.at(close) && self.goes_on_without_comma(before, context)
    }

    /// Reports a missing comma, and tells whether the list may go on all the same.
    #[cold]
    fn goes_on_without_comma(&mut self, before: u32, context: &str) -> bool {
        if self.at_newline() {
            self.error(self.start, format!("missing ',' before newline in {context}"));
            self.advance();
            return true;
        }
        self.error(self.start, format!("missing ',' in {context}"));
        self.token.begins_expression() && self.start > before
    }

    /// An identifier; an empty one where there is none.
    #[inline]
    fn ident(&mut self) -> Ident {
        let span = Span::new(self.start, self.end);
        if self.eat(Token::Ident) {
            return Ident { span };
        }
        self.error_expected("identifier");
        Ident { span: self.missing() }
    }

    /// `IdentifierList = identifier { "," identifier } .`, its first identifier taken.
    fn more_idents(&mut self, first: Ident) -> List<Ident> {
        let mark = self.open_list::<Ident>();
        self.push(first);
        while self.eat(Token::Comma) {
            let ident = self.ident();
            self.push(ident);
        }
        self.close_list(mark)
    }

    /// The name that an expression is, if it is one.
    fn as_ident(&self, expr: ExprId) -> Option<Ident> {
        let Expr { span, kind } = *self.arenas.node(expr);
        matches!(kind, ExprKind::Ident).then_some(Ident { span })
    }

    /// The expression that a name is.
    fn ident_expr(&mut self, ident: Ident) -> ExprId {
        let kind = if ident.span.is_empty() { ExprKind::Bad } else { ExprKind::Ident };
        self.expr_at(ident.span, kind)
    }
}

/// True if the rest of a line, behind an opening parenthesis, is that of a method's declaration.
fn declares_method(rest: &[u8]) -> bool {
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    let Some(close) = memchr::memchr(b')', line) else { return false };
    let (receiver, name) = (line[..close].trim_ascii(), line[close + 1..].trim_ascii_start());
    let len = name.iter().position(|&byte| !begins_name(byte) && !byte.is_ascii_digit()).unwrap_or(name.len());
    !receiver.is_empty() && len > 0 && matches!(name.get(len), Some(b'(' | b'['))
}

const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

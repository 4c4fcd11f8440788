//! The scanner: bytes to tokens, with the semicolons that line ends stand for.

use crate::ast::Span;
use crate::error::SyntaxError;
use crate::token::Token;
use std::borrow::Cow;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Errors kept of one text: behind so many, more say nothing new.
const MAX_ERRORS: usize = 200;

/// A token and where it stands. A semicolon that a line end stands for is empty.
#[derive(Clone, Copy)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Reads a text from its start to its end, once.
pub(crate) struct Scanner<'a> {
    pub(crate) text: &'a [u8],
    /// The offset of what comes next.
    pub(crate) at: usize,
    /// True if a line end would end a statement here.
    statement_open: bool,
    /// Comments so far, in order.
    pub(crate) comments: Vec<Span>,
    pub(crate) errors: Vec<SyntaxError>,
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of a text, behind its byte order mark. Errors of the encoding are found here.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut scanner = Self { text, at: 0, statement_open: false, comments: Vec::new(), errors: Vec::new() };
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            scanner.error(0, "illegal UTF-8 encoding (got UTF-16)");
            scanner.text = b"";
            return scanner;
        }
        scanner.check_encoding();
        if text.starts_with(BYTE_ORDER_MARK) {
            scanner.at = BYTE_ORDER_MARK.len();
        }
        scanner
    }

    pub(crate) fn error(&mut self, offset: usize, message: impl Into<Cow<'static, str>>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(SyntaxError { message: message.into(), offset: offset as u32 });
        }
    }

    /// Reports NUL bytes, byte order marks within the text, and what isn't UTF-8; inside comments and strings as well.
    fn check_encoding(&mut self) {
        for offset in memchr::memchr_iter(0, self.text).take(MAX_ERRORS) {
            self.error(offset, "illegal character NUL");
        }
        for offset in memchr::memmem::find_iter(self.text, BYTE_ORDER_MARK).filter(|&at| at > 0).take(MAX_ERRORS) {
            self.error(offset, "illegal byte order mark");
        }
        if std::str::from_utf8(self.text).is_ok() {
            return;
        }
        let mut offset = 0;
        for chunk in self.text.utf8_chunks() {
            offset += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                self.error(offset, "illegal UTF-8 encoding");
            }
            offset += chunk.invalid().len();
        }
    }

    #[inline]
    pub(crate) fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// The next token.
    #[inline]
    pub(crate) fn next(&mut self) -> Lexeme {
        loop {
            let start = self.at;
            let Some(byte) = self.peek(0) else {
                let token = if self.statement_open { Token::Semicolon } else { Token::EndOfFile };
                return self.empty(token, start);
            };
            self.at += 1;
            let token = match byte {
                b' ' | b'\t' | b'\r' => continue,
                b'\n' if self.statement_open => return self.empty(Token::Semicolon, start),
                b'\n' => continue,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(start),
                b'0'..=b'9' => self.number(start),
                b'"' => self.string(start),
                b'`' => self.raw_string(start),
                b'\'' => self.rune(start),
                b'(' => Token::OpenParen,
                b')' => Token::CloseParen,
                b'[' => Token::OpenBracket,
                b']' => Token::CloseBracket,
                b'{' => Token::OpenBrace,
                b'}' => Token::CloseBrace,
                b',' => Token::Comma,
                b';' => Token::Semicolon,
                b'~' => Token::Tilde,
                b'.' if self.peek(0).is_some_and(|next| next.is_ascii_digit()) => self.number(start),
                b'/' if matches!(self.peek(0), Some(b'/' | b'*')) => match self.comment(start) {
                    Some(newline) if self.statement_open => return self.empty(Token::Semicolon, newline),
                    _ => continue,
                },
                0x80.. => match self.beyond_ascii(start) {
                    Some(token) => token,
                    None => continue,
                },
                _ => match self.operator(byte) {
                    Some(token) => token,
                    None => {
                        self.error(start, format!("illegal character {:?}", char::from(byte)));
                        continue;
                    }
                },
            };
            self.statement_open = token.ends_statement();
            return Lexeme { token, start: start as u32, end: self.at as u32 };
        }
    }

    /// A token without text.
    fn empty(&mut self, token: Token, at: usize) -> Lexeme {
        self.statement_open = false;
        Lexeme { token, start: at as u32, end: at as u32 }
    }

    /// Takes the first of some continuations that the text goes on with.
    fn either<const N: usize>(&mut self, continuations: [(&[u8], Token); N], otherwise: Token) -> Token {
        for (text, token) in continuations {
            if self.text[self.at..].starts_with(text) {
                self.at += text.len();
                return token;
            }
        }
        otherwise
    }

    /// An operator, its first byte taken.
    fn operator(&mut self, byte: u8) -> Option<Token> {
        use Token::*;
        Some(match byte {
            b'=' => self.either([(b"=", Equal)], Assign),
            b':' => self.either([(b"=", Define)], Colon),
            b'.' => self.either([(b"..", Ellipsis)], Period),
            b'!' => self.either([(b"=", NotEqual)], Not),
            b'*' => self.either([(b"=", MulAssign)], Mul),
            b'&' => self.either([(b"&", AndAnd), (b"^=", AndNotAssign), (b"^", AndNot), (b"=", AndAssign)], And),
            b'+' => self.either([(b"+", Increment), (b"=", AddAssign)], Add),
            b'-' => self.either([(b"-", Decrement), (b"=", SubAssign)], Sub),
            b'<' => self.either([(b"-", Arrow), (b"=", LessEqual), (b"<=", ShlAssign), (b"<", Shl)], Less),
            b'>' => self.either([(b"=", GreaterEqual), (b">=", ShrAssign), (b">", Shr)], Greater),
            b'|' => self.either([(b"|", OrOr), (b"=", OrAssign)], Or),
            b'/' => self.either([(b"=", DivAssign)], Div),
            b'%' => self.either([(b"=", RemAssign)], Rem),
            b'^' => self.either([(b"=", XorAssign)], Xor),
            _ => return None,
        })
    }

    /// A keyword or an identifier, its first character taken.
    ///
    /// ```ebnf
    /// identifier = letter { letter | unicode_digit } .
    /// letter     = unicode_letter | "_" .
    /// ```
    #[inline]
    fn word(&mut self, start: usize) -> Token {
        while let Some(byte) = self.peek(0) {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                self.at += 1;
            } else if byte < 0x80 {
                break;
            } else {
                return self.word_beyond_ascii();
            }
        }
        Token::of_word(&self.text[start..self.at])
    }

    /// The rest of an identifier with characters that aren't ASCII: it is no keyword.
    #[cold]
    fn word_beyond_ascii(&mut self) -> Token {
        while let Some(character) = self.character().filter(|&c| is_letter(c) || is_digit(c)) {
            self.at += character.len_utf8();
        }
        Token::Ident
    }

    /// An identifier whose first byte, which isn't ASCII, is taken. What is no letter is reported and left out.
    #[cold]
    fn beyond_ascii(&mut self, start: usize) -> Option<Token> {
        self.at = start;
        match self.character() {
            Some(character) if is_letter(character) => return Some(self.word_beyond_ascii()),
            Some(character) => {
                self.at += character.len_utf8();
                let message = match character {
                    '“' | '”' => format!("curly quotation mark {character:?} (use neutral '\"')"),
                    _ => format!("illegal character {character:?}"),
                };
                self.error(start, message);
            }
            // Reported with the encoding's errors.
            None => self.at += 1,
        }
        None
    }

    /// The character that comes next, if it is UTF-8.
    pub(crate) fn character(&self) -> Option<char> {
        let rest = &self.text[self.at..];
        rest[..rest.len().min(4)].utf8_chunks().next()?.valid().chars().next()
    }

    /// A comment, its first slash taken. The place of its first newline, if it goes over several lines.
    fn comment(&mut self, start: usize) -> Option<usize> {
        let rest = &self.text[start..];
        let (len, newline) = if rest[1] == b'/' {
            (memchr::memchr(b'\n', rest).unwrap_or(rest.len()), None)
        } else {
            let len = memchr::memmem::find(&rest[2..], b"*/").map(|end| end + 4);
            if len.is_none() {
                self.error(start, "comment not terminated");
            }
            let len = len.unwrap_or(rest.len());
            (len, memchr::memchr(b'\n', &rest[..len]).map(|newline| start + newline))
        };
        self.at = start + len;
        self.comments.push(Span::new(start as u32, self.at as u32));
        if rest[2..].starts_with(b"line ") {
            self.line_directive(start);
        }
        newline
    }

    /// Checks a `//line name:line` or `/*line name:line:column*/` directive: numbers are from 1 to 2³⁰. Positions don't
    /// follow directives here: they are offsets in the text as it is.
    fn line_directive(&mut self, start: usize) {
        let text = &self.text[start..self.at];
        let text = match text[1] {
            b'/' if start > 0 && self.text[start - 1] != b'\n' => return,
            b'/' => text.strip_suffix(b"\r").unwrap_or(text),
            _ => match text.strip_suffix(b"*/") {
                Some(text) => text,
                None => return,
            },
        };
        let Some((rest, last)) = split_number(text) else { return };
        let place = |part: &[u8]| start + part.len() + 1;
        let is_valid = |number: Option<u64>| number.is_some_and(|number| (1..=1 << 30).contains(&number));
        match (last, split_number(rest)) {
            (None, _) => self.error(place(rest), "invalid line number"),
            (column, Some((_, Some(_)))) if !is_valid(column) => self.error(place(rest), "invalid column number"),
            (_, Some((name, line @ Some(_)))) if !is_valid(line) => self.error(place(name), "invalid line number"),
            (line, None | Some((_, None))) if !is_valid(line) => self.error(place(rest), "invalid line number"),
            _ => {}
        }
    }
}

/// Cuts at the last colon; the number behind it, if it is one.
fn split_number(text: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let colon = memchr::memrchr(b':', text)?;
    let digits = &text[colon + 1..];
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(digits).ok().filter(|_| is_number).and_then(|digits| digits.parse().ok());
    Some((&text[..colon], number))
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn is_letter(character: char) -> bool {
    character == '_' || character.general_category_group() == GeneralCategoryGroup::Letter
}

fn is_digit(character: char) -> bool {
    character.general_category() == GeneralCategory::DecimalNumber
}

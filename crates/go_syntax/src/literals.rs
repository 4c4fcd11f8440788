//! Literals: how far each goes, whether it is well formed, and the value of a string.

use crate::scanner::Scanner;
use crate::token::Token;
use std::borrow::Cow;

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Radix {
    Binary,
    /// With the prefix `0o`.
    Octal,
    /// With a leading zero alone: a float or an imaginary literal is decimal all the same.
    LeadingZero,
    Decimal,
    Hexadecimal,
}

impl Radix {
    const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary literal",
            Self::Octal | Self::LeadingZero => "octal literal",
            Self::Decimal => "decimal literal",
            Self::Hexadecimal => "hexadecimal literal",
        }
    }

    const fn base(self) -> u8 {
        match self {
            Self::Binary => 2,
            Self::Octal | Self::LeadingZero => 8,
            Self::Decimal => 10,
            Self::Hexadecimal => 16,
        }
    }
}

impl Scanner<'_> {
    /// A number, its first byte (a digit, or a dot before a digit) taken.
    ///
    /// ```ebnf
    /// int_lit       = decimal_lit | binary_lit | octal_lit | hex_lit .
    /// decimal_lit   = "0" | ( "1" … "9" ) [ [ "_" ] decimal_digits ] .
    /// binary_lit    = "0" ( "b" | "B" ) [ "_" ] binary_digits .
    /// octal_lit     = "0" [ "o" | "O" ] [ "_" ] octal_digits .
    /// hex_lit       = "0" ( "x" | "X" ) [ "_" ] hex_digits .
    /// float_lit     = decimal_float_lit | hex_float_lit .
    /// imaginary_lit = ( decimal_digits | int_lit | float_lit ) "i" .
    /// ```
    pub(crate) fn number(&mut self, start: usize) -> Token {
        self.at = start;
        let radix = self.radix();
        let mut token = Token::Int;
        let digits = self.at;
        self.digits(radix);
        if self.peek(0) == Some(b'.') {
            token = Token::Float;
            if matches!(radix, Radix::Binary | Radix::Octal) {
                self.error(self.at, format!("invalid radix point in {}", radix.name()));
            }
            self.at += 1;
            self.digits(radix);
        }
        if radix != Radix::LeadingZero && !self.has_digits(digits) {
            self.error(self.at, format!("{} has no digits", radix.name()));
        }
        if self.exponent(radix, token) {
            token = Token::Float;
        }
        if self.peek(0) == Some(b'i') {
            self.at += 1;
            token = Token::Imaginary;
        }
        self.check_digits(start, digits, radix, token);
        token
    }

    /// Takes the prefix of a number.
    fn radix(&mut self) -> Radix {
        if self.peek(0) != Some(b'0') {
            return Radix::Decimal;
        }
        let (radix, len) = match self.peek(1).map(|byte| byte.to_ascii_lowercase()) {
            Some(b'x') => (Radix::Hexadecimal, 2),
            Some(b'o') => (Radix::Octal, 2),
            Some(b'b') => (Radix::Binary, 2),
            _ => (Radix::LeadingZero, 1),
        };
        self.at += len;
        radix
    }

    /// Takes digits and separators; decimal ones also where the base is smaller.
    fn digits(&mut self, radix: Radix) {
        let is_digit = |byte: u8| match radix {
            Radix::Hexadecimal => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        };
        while self.peek(0).is_some_and(|byte| is_digit(byte) || byte == b'_') {
            self.at += 1;
        }
    }

    /// True if there is a digit between an offset and here.
    fn has_digits(&self, from: usize) -> bool {
        self.text[from..self.at].iter().any(u8::is_ascii_hexdigit)
    }

    /// Takes an exponent, if there is one; one that has to be there is missed.
    fn exponent(&mut self, radix: Radix, token: Token) -> bool {
        let letter = self.peek(0).map(|byte| byte.to_ascii_lowercase());
        match (letter, radix) {
            (Some(b'e'), Radix::Decimal | Radix::LeadingZero) | (Some(b'p'), Radix::Hexadecimal) => {}
            (Some(b'e'), _) => self.error(self.at, "'e' exponent requires decimal mantissa"),
            (Some(b'p'), _) => self.error(self.at, "'p' exponent requires hexadecimal mantissa"),
            _ => {
                if radix == Radix::Hexadecimal && token == Token::Float {
                    self.error(self.at, "hexadecimal mantissa requires a 'p' exponent");
                }
                return false;
            }
        }
        self.at += 1;
        if matches!(self.peek(0), Some(b'+' | b'-')) {
            self.at += 1;
        }
        let digits = self.at;
        self.digits(Radix::Decimal);
        if !self.has_digits(digits) {
            self.error(self.at, "exponent has no digits");
        }
        true
    }

    /// Checks digits against the base, and that separators stand between digits (or behind the prefix).
    fn check_digits(&mut self, start: usize, digits: usize, radix: Radix, token: Token) {
        let text = &self.text[start..self.at];
        let first_digit = digits - start;
        let is_invalid = |byte: &u8| byte.is_ascii_digit() && byte - b'0' >= radix.base();
        let invalid = text[first_digit..].iter().position(is_invalid).filter(|_| token == Token::Int);
        let is_digit = |index: usize| match text.get(index) {
            Some(byte) if radix == Radix::Hexadecimal => byte.is_ascii_hexdigit(),
            Some(byte) => byte.is_ascii_digit(),
            None => false,
        };
        let is_misplaced = |index: usize| {
            let follows = index > 0 && (index == first_digit && index == 2 || is_digit(index - 1));
            let precedes = is_digit(index + 1) || text.get(index + 1) == Some(&b'_');
            !(follows && precedes) && text[index] == b'_'
        };
        let misplaced = (0..text.len()).find(|&index| is_misplaced(index));
        if let Some(index) = invalid {
            let digit = char::from(text[first_digit + index]);
            self.error(digits + index, format!("invalid digit {digit:?} in {}", radix.name()));
        }
        if let Some(index) = misplaced {
            self.error(start + index, "'_' must separate successive digits");
        }
    }

    /// An interpreted string, its first quote taken.
    ///
    /// ```ebnf
    /// interpreted_string_lit = `"` { unicode_value | byte_value } `"` .
    /// ```
    pub(crate) fn string(&mut self, start: usize) -> Token {
        loop {
            match self.peek(0) {
                None | Some(b'\n') => {
                    self.error(start, "string literal not terminated");
                    break;
                }
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => {
                    self.escape(b'"');
                }
                Some(_) => self.at += 1,
            }
        }
        Token::String
    }

    /// A raw string, its first quote taken.
    ///
    /// ```ebnf
    /// raw_string_lit = "`" { unicode_char | newline } "`" .
    /// ```
    pub(crate) fn raw_string(&mut self, start: usize) -> Token {
        match memchr::memchr(b'`', &self.text[self.at..]) {
            Some(len) => self.at += len + 1,
            None => {
                self.at = self.text.len();
                self.error(start, "raw string literal not terminated");
            }
        }
        Token::String
    }

    /// A rune, its first quote taken.
    ///
    /// ```ebnf
    /// rune_lit         = "'" ( unicode_value | byte_value ) "'" .
    /// unicode_value    = unicode_char | little_u_value | big_u_value | escaped_char .
    /// byte_value       = octal_byte_value | hex_byte_value .
    /// octal_byte_value = `\` octal_digit octal_digit octal_digit .
    /// hex_byte_value   = `\` "x" hex_digit hex_digit .
    /// little_u_value   = `\` "u" hex_digit hex_digit hex_digit hex_digit .
    /// big_u_value      = `\` "U" hex_digit hex_digit hex_digit hex_digit hex_digit hex_digit hex_digit hex_digit .
    /// escaped_char     = `\` ( "a" | "b" | "f" | "n" | "r" | "t" | "v" | `\` | "'" | `"` ) .
    /// ```
    pub(crate) fn rune(&mut self, start: usize) -> Token {
        let (mut count, mut is_valid) = (0, true);
        loop {
            match self.peek(0) {
                None | Some(b'\n') => {
                    if is_valid {
                        self.error(start, "rune literal not terminated");
                    }
                    return Token::Rune;
                }
                Some(b'\'') => break,
                Some(b'\\') => is_valid &= self.escape(b'\''),
                Some(_) => self.at += self.character().map_or(1, char::len_utf8),
            }
            count += 1;
        }
        self.at += 1;
        if is_valid && count != 1 {
            self.error(start, "illegal rune literal");
        }
        Token::Rune
    }

    /// An escape sequence, its backslash not yet taken. False if it is wrong: what is wrong with it is left.
    fn escape(&mut self, quote: u8) -> bool {
        self.at += 1;
        let start = self.at;
        let (len, base, prefix) = match self.peek(0) {
            Some(b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\') => (0, 1, 1),
            Some(byte) if byte == quote => (0, 1, 1),
            Some(b'0'..=b'7') => (3, 8, 0),
            Some(b'x') => (2, 16, 1),
            Some(b'u') => (4, 16, 1),
            Some(b'U') => (8, 16, 1),
            Some(_) => return self.wrong_escape(start, "unknown escape sequence"),
            None => return self.wrong_escape(start, "escape sequence not terminated"),
        };
        self.at += prefix;
        let mut value: u64 = 0;
        for _ in 0..len {
            let digit = self.peek(0).and_then(|byte| char::from(byte).to_digit(base));
            let Some(digit) = digit else {
                return self.wrong_escape(self.at, "illegal character in escape sequence");
            };
            value = value * u64::from(base) + u64::from(digit);
            self.at += 1;
        }
        let is_byte = len < 4;
        if is_byte && value > 255 || !is_byte && u32::try_from(value).ok().and_then(char::from_u32).is_none() {
            return self.wrong_escape(start, "escape sequence is invalid Unicode code point");
        }
        true
    }

    fn wrong_escape(&mut self, offset: usize, message: &'static str) -> bool {
        self.error(offset, message);
        false
    }
}

/// The value of a string literal, given its text with the quotes. It need not be UTF-8: `"\xff"` is one byte.
///
/// `None` if the text isn't a well-formed string literal.
///
/// ```
/// use racewalk_go_syntax::string_value;
/// assert_eq!(string_value(br#""a\tb""#).as_deref(), Some(&b"a\tb"[..]));
/// assert_eq!(string_value(br#""unfinished"#), None);
/// ```
pub fn string_value(literal: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inside = literal.get(1..literal.len().checked_sub(1)?)?;
    match (literal.first()?, literal.last()?) {
        (b'`', b'`') if !inside.contains(&b'\r') => Some(Cow::Borrowed(inside)),
        (b'`', b'`') => Some(Cow::Owned(inside.iter().copied().filter(|&byte| byte != b'\r').collect())),
        (b'"', b'"') if !inside.contains(&b'\\') => Some(Cow::Borrowed(inside)),
        (b'"', b'"') => unescape(inside).map(Cow::Owned),
        _ => None,
    }
}

fn unescape(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    while let Some(backslash) = memchr::memchr(b'\\', text) {
        value.extend_from_slice(&text[..backslash]);
        let letter = *text.get(backslash + 1)?;
        let (digits, base) = match letter {
            b'0'..=b'7' => (text.get(backslash + 1..backslash + 4)?, 8),
            b'x' => (text.get(backslash + 2..backslash + 4)?, 16),
            b'u' => (text.get(backslash + 2..backslash + 6)?, 16),
            b'U' => (text.get(backslash + 2..backslash + 10)?, 16),
            _ => {
                value.push(escaped_char(letter)?);
                text = &text[backslash + 2..];
                continue;
            }
        };
        let number = u32::from_str_radix(str::from_utf8(digits).ok()?, base).ok()?;
        if digits.len() < 4 {
            value.push(u8::try_from(number).ok()?);
        } else {
            value.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
        }
        text = &text[backslash + 1 + usize::from(base == 16) + digits.len()..];
    }
    value.extend_from_slice(text);
    Some(value)
}

const fn escaped_char(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' | b'"' => letter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_strings() {
        let value =
            |text: &str| string_value(text.as_bytes()).map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(value(r#""""#).as_deref(), Some(""));
        assert_eq!(value("`a\\n\r\nb`").as_deref(), Some("a\\n\nb"));
        assert_eq!(value(r#""\a\b\f\n\r\t\v\\\"""#).as_deref(), Some("\x07\x08\x0c\n\r\t\x0b\\\""));
        assert_eq!(value(r#""\x41\102\u4e16\U0001F600!""#).as_deref(), Some("AB世😀!"));
        assert_eq!(string_value(br#""\377""#).as_deref(), Some(&b"\xff"[..]));
        for wrong in ["", "\"", "x", "\"a", r#""\q""#, r#""\400""#, r#""\x4""#, r#""\ud800""#, r#""\"#, "'a'"] {
            assert_eq!(value(wrong), None, "{wrong}");
        }
    }
}

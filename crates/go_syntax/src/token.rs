//! Tokens, keywords and the precedence of operators.

use crate::ast::BinaryOp;

macro_rules! tokens {
    ($($name:ident $text:literal,)+) => {
        /// The kind of a token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Token {
            $($name,)+
        }

        impl Token {
            /// As it is written; a description where that differs from token to token.
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

tokens! {
    EndOfFile "end of file",
    Ident "identifier",
    Int "integer literal",
    Float "floating-point literal",
    Imaginary "imaginary literal",
    Rune "rune literal",
    String "string literal",
    Add "+",
    Sub "-",
    Mul "*",
    Div "/",
    Rem "%",
    And "&",
    Or "|",
    Xor "^",
    Shl "<<",
    Shr ">>",
    AndNot "&^",
    AndAnd "&&",
    OrOr "||",
    Equal "==",
    NotEqual "!=",
    Less "<",
    LessEqual "<=",
    Greater ">",
    GreaterEqual ">=",
    Assign "=",
    Define ":=",
    AddAssign "+=",
    SubAssign "-=",
    MulAssign "*=",
    DivAssign "/=",
    RemAssign "%=",
    AndAssign "&=",
    OrAssign "|=",
    XorAssign "^=",
    ShlAssign "<<=",
    ShrAssign ">>=",
    AndNotAssign "&^=",
    Increment "++",
    Decrement "--",
    Arrow "<-",
    Not "!",
    Tilde "~",
    Ellipsis "...",
    OpenParen "(",
    OpenBracket "[",
    OpenBrace "{",
    CloseParen ")",
    CloseBracket "]",
    CloseBrace "}",
    Comma ",",
    Period ".",
    Colon ":",
    Semicolon ";",
    Break "break",
    Case "case",
    Chan "chan",
    Const "const",
    Continue "continue",
    Default "default",
    Defer "defer",
    Else "else",
    Fallthrough "fallthrough",
    For "for",
    Func "func",
    Go "go",
    Goto "goto",
    If "if",
    Import "import",
    Interface "interface",
    Map "map",
    Package "package",
    Range "range",
    Return "return",
    Select "select",
    Struct "struct",
    Switch "switch",
    Type "type",
    Var "var",
}

const KEYWORDS: [Token; 25] = [
    Token::Break,
    Token::Case,
    Token::Chan,
    Token::Const,
    Token::Continue,
    Token::Default,
    Token::Defer,
    Token::Else,
    Token::Fallthrough,
    Token::For,
    Token::Func,
    Token::Go,
    Token::Goto,
    Token::If,
    Token::Import,
    Token::Interface,
    Token::Map,
    Token::Package,
    Token::Range,
    Token::Return,
    Token::Select,
    Token::Struct,
    Token::Switch,
    Token::Type,
    Token::Var,
];

/// Keywords by [`slot`], each in a slot of its own.
static KEYWORD_SLOTS: [Token; 64] = {
    let mut slots = [Token::Ident; 64];
    let mut next = 0;
    while next < KEYWORDS.len() {
        let slot = slot(KEYWORDS[next].text().as_bytes());
        assert!(matches!(slots[slot], Token::Ident), "two keywords in one slot");
        slots[slot] = KEYWORDS[next];
        next += 1;
    }
    slots
};

/// The slot of a word of at least two bytes.
const fn slot(word: &[u8]) -> usize {
    (word[0] as usize + 4 * word[1] as usize + 6 * word.len()) % 64
}

impl Token {
    /// The keyword that a word is, else [`Token::Ident`].
    #[inline]
    pub(crate) fn of_word(word: &[u8]) -> Self {
        if word.len() < 2 {
            return Self::Ident;
        }
        let keyword = KEYWORD_SLOTS[slot(word)];
        if keyword.text().as_bytes() == word { keyword } else { Self::Ident }
    }

    /// True if a line that ends with this token ends a statement: a semicolon is put in.
    #[inline]
    pub(crate) const fn ends_statement(self) -> bool {
        use Token::*;
        matches!(
            self,
            Ident
                | Int
                | Float
                | Imaginary
                | Rune
                | String
                | Break
                | Continue
                | Fallthrough
                | Return
                | Increment
                | Decrement
                | CloseParen
                | CloseBracket
                | CloseBrace
        )
    }

    /// True for what an operand, a type or a unary expression can begin with.
    pub(crate) const fn begins_expression(self) -> bool {
        use Token::*;
        matches!(
            self,
            Ident
                | Int
                | Float
                | Imaginary
                | Rune
                | String
                | Func
                | OpenParen
                | OpenBracket
                | Struct
                | Map
                | Chan
                | Interface
                | Add
                | Sub
                | Mul
                | And
                | Xor
                | Arrow
                | Not
        )
    }

    /// True for what a type can begin with.
    #[inline]
    pub(crate) const fn begins_type(self) -> bool {
        use Token::*;
        matches!(self, Ident | OpenBracket | Struct | Mul | Func | Interface | Map | Chan | Arrow | OpenParen)
    }

    /// True for the keywords that begin a statement and nothing else.
    pub(crate) const fn begins_statement(self) -> bool {
        use Token::*;
        matches!(
            self,
            Break
                | Const
                | Continue
                | Defer
                | Fallthrough
                | For
                | Go
                | Goto
                | If
                | Return
                | Select
                | Switch
                | Type
                | Var
        )
    }

    /// True for what a declaration at the top of a file begins with.
    pub(crate) const fn begins_declaration(self) -> bool {
        matches!(self, Self::Import | Self::Const | Self::Type | Self::Var | Self::Func)
    }

    /// The binary operator that the token is, with its precedence: 1 (`||`) to 5 (`*`).
    #[inline]
    pub(crate) const fn binary(self) -> Option<(BinaryOp, u8)> {
        use Token::*;
        Some(match self {
            OrOr => (BinaryOp::OrOr, 1),
            AndAnd => (BinaryOp::AndAnd, 2),
            Equal => (BinaryOp::Equal, 3),
            NotEqual => (BinaryOp::NotEqual, 3),
            Less => (BinaryOp::Less, 3),
            LessEqual => (BinaryOp::LessEqual, 3),
            Greater => (BinaryOp::Greater, 3),
            GreaterEqual => (BinaryOp::GreaterEqual, 3),
            Add => (BinaryOp::Add, 4),
            Sub => (BinaryOp::Sub, 4),
            Or => (BinaryOp::Or, 4),
            Xor => (BinaryOp::Xor, 4),
            Mul => (BinaryOp::Mul, 5),
            Div => (BinaryOp::Div, 5),
            Rem => (BinaryOp::Rem, 5),
            Shl => (BinaryOp::Shl, 5),
            Shr => (BinaryOp::Shr, 5),
            And => (BinaryOp::And, 5),
            AndNot => (BinaryOp::AndNot, 5),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_and_nothing_else_is() {
        for keyword in KEYWORDS {
            assert_eq!(Token::of_word(keyword.text().as_bytes()), keyword);
        }
        for word in ["a", "Func", "func1", "functio", "min", "max", "clear", "any", "nil", "new", "_", "世界"] {
            assert_eq!(Token::of_word(word.as_bytes()), Token::Ident, "{word}");
        }
    }
}

//! Expressions.

use super::Parser;
use crate::arena::List;
use crate::ast::{BlockId, ChanDirection, ExprId, ExprKind, Ident, LiteralKind, UnaryOp};
use crate::token::Token;

/// The precedence of the loosest binary operator.
const LOWEST: u8 = 1;

impl Parser<'_> {
    /// An expression; maybe a type, which no grammar tells apart.
    ///
    /// ```ebnf
    /// Expression = UnaryExpr | Expression binary_op Expression .
    /// ```
    #[inline]
    pub(super) fn expression(&mut self) -> ExprId {
        let left = self.unary();
        self.binary(left, LOWEST)
    }

    /// What follows a left operand, as far as its operators bind at least as tightly as `lowest`.
    ///
    /// ```ebnf
    /// binary_op = "||" | "&&" | rel_op | add_op | mul_op .
    /// rel_op    = "==" | "!=" | "<" | "<=" | ">" | ">=" .
    /// add_op    = "+" | "-" | "|" | "^" .
    /// mul_op    = "*" | "/" | "%" | "<<" | ">>" | "&" | "&^" .
    /// ```
    pub(super) fn binary(&mut self, mut left: ExprId, lowest: u8) -> ExprId {
        while let Some((op, precedence)) = self.token.binary().filter(|&(_, precedence)| precedence >= lowest) {
            let at = self.start;
            self.advance();
            let operand = self.unary();
            let right = self.binary(operand, precedence + 1);
            let start = self.span_of(left).start;
            left = self.expr_from(start, ExprKind::Binary { op, at, left, right });
        }
        left
    }

    /// What a binary expression goes on with, its left operand's name taken.
    pub(super) fn expression_after(&mut self, name: ExprId) -> ExprId {
        let left = self.suffixes(name);
        self.binary(left, LOWEST)
    }

    /// ```ebnf
    /// UnaryExpr = PrimaryExpr | unary_op UnaryExpr .
    /// unary_op  = "+" | "-" | "!" | "^" | "*" | "&" | "<-" .
    /// ```
    #[inline]
    fn unary(&mut self) -> ExprId {
        self.nested(Self::unary_within, Self::bad_expr)
    }

    fn unary_within(&mut self) -> ExprId {
        let start = self.start;
        let op = match self.token {
            Token::Add => UnaryOp::Plus,
            Token::Sub => UnaryOp::Minus,
            Token::Not => UnaryOp::Not,
            Token::Xor => UnaryOp::Xor,
            Token::And => UnaryOp::Address,
            Token::Tilde => UnaryOp::Tilde,
            Token::Arrow => UnaryOp::Receive,
            Token::Mul => {
                self.advance();
                let operand = self.unary();
                return self.expr_from(start, ExprKind::Star(operand));
            }
            _ => {
                let operand = self.operand();
                return self.suffixes(operand);
            }
        };
        self.advance();
        let operand = self.unary();
        match self.kind_of(operand) {
            ExprKind::ChanType { .. } if op == UnaryOp::Receive => self.receive_only(operand, start),
            _ => self.expr_from(start, ExprKind::Unary { op, operand }),
        }
    }

    /// Gives an arrow to the channel type behind it: `<-chan T` is a type, and not a receive operation on one. A type
    /// that had an arrow hands its own on to its element's: `<-chan<- chan T` is `<-chan (<-chan T)`.
    fn receive_only(&mut self, ty: ExprId, arrow: u32) -> ExprId {
        let mut given = Some(arrow);
        let mut next = ty;
        while let Some(new_arrow) = given {
            let node = self.arenas.node_mut(next);
            let ExprKind::ChanType { direction, arrow, element } = &mut node.kind else {
                self.error(new_arrow, "expected channel type");
                break;
            };
            let (old, old_arrow) = (*direction, *arrow);
            (*direction, *arrow, node.span.start) = (ChanDirection::Receive, new_arrow, new_arrow);
            next = *element;
            given = (old == ChanDirection::Send).then_some(old_arrow);
            if old == ChanDirection::Receive {
                self.error(old_arrow, "expected 'chan'");
            }
        }
        ty
    }

    /// ```ebnf
    /// Operand     = Literal | OperandName [ TypeArgs ] | "(" Expression ")" .
    /// Literal     = BasicLit | CompositeLit | FunctionLit .
    /// OperandName = identifier | QualifiedIdent .
    /// ```
    fn operand(&mut self) -> ExprId {
        let start = self.start;
        match self.token {
            Token::Ident => {
                self.advance();
                self.expr_from(start, ExprKind::Ident)
            }
            Token::Int | Token::Float | Token::Imaginary | Token::Rune | Token::String => self.literal(),
            Token::OpenParen => {
                self.advance();
                let inner = self.in_brackets(Self::expression);
                self.expect(Token::CloseParen);
                self.expr_from(start, ExprKind::Paren(inner))
            }
            Token::Func if !self.at_outer_declaration() => self.function_or_type(),
            _ => match self.optional_type() {
                Some(ty) => ty,
                None => {
                    self.error_expected("operand");
                    self.bad_expr()
                }
            },
        }
    }

    /// ```ebnf
    /// BasicLit = int_lit | float_lit | imaginary_lit | rune_lit | string_lit .
    /// ```
    pub(super) fn literal(&mut self) -> ExprId {
        let kind = match self.token {
            Token::Int => LiteralKind::Int,
            Token::Float => LiteralKind::Float,
            Token::Imaginary => LiteralKind::Imaginary,
            Token::Rune => LiteralKind::Rune,
            _ => LiteralKind::String,
        };
        let start = self.start;
        self.advance();
        self.expr_from(start, ExprKind::Literal(kind))
    }

    /// ```ebnf
    /// FunctionLit = "func" Signature FunctionBody .
    /// ```
    fn function_or_type(&mut self) -> ExprId {
        let start = self.start;
        let signature = self.function_type();
        if !self.at(Token::OpenBrace) {
            return self.expr_from(start, ExprKind::FuncType(signature));
        }
        let body: BlockId = self.in_brackets(Self::block);
        self.expr_from(start, ExprKind::Func { signature, body })
    }

    /// What follows an operand.
    ///
    /// ```ebnf
    /// PrimaryExpr   = Operand | Conversion | MethodExpr | PrimaryExpr Selector | PrimaryExpr Index | PrimaryExpr Slice
    ///               | PrimaryExpr TypeAssertion | PrimaryExpr Arguments .
    /// Selector      = "." identifier .
    /// TypeAssertion = "." "(" Type ")" .
    /// ```
    fn suffixes(&mut self, operand: ExprId) -> ExprId {
        let start = self.span_of(operand).start;
        let mut operand = operand;
        loop {
            let kind = match self.token {
                Token::Period => {
                    self.advance();
                    match self.token {
                        Token::OpenParen => self.type_assertion(operand),
                        _ => ExprKind::Selector { operand, name: self.selected() },
                    }
                }
                Token::OpenBracket => self.index_or_slice(operand),
                Token::OpenParen => self.call(operand),
                Token::OpenBrace => match self.composite(operand) {
                    Some(composite) => composite,
                    None => return operand,
                },
                _ => return operand,
            };
            operand = self.expr_from(start, kind);
        }
    }

    fn selected(&mut self) -> Ident {
        if self.at(Token::Ident) {
            return self.ident();
        }
        self.error_expected("selector or type assertion");
        Ident { span: self.missing() }
    }

    /// `(T)` or `(type)`, the dot taken.
    fn type_assertion(&mut self, operand: ExprId) -> ExprKind {
        self.expect(Token::OpenParen);
        let ty = if self.eat(Token::Type) { None } else { Some(self.ty()) };
        self.expect(Token::CloseParen);
        ExprKind::TypeAssertion { operand, ty }
    }

    /// A composite literal of the type `operand`, if the brace looked at begins one, and not a block.
    ///
    /// ```ebnf
    /// CompositeLit = LiteralType LiteralValue .
    /// LiteralType  = StructType | ArrayType | "[" "..." "]" ElementType | SliceType | MapType | TypeName [ TypeArgs ] .
    /// ```
    fn composite(&mut self, operand: ExprId) -> Option<ExprKind> {
        let mut ty = operand;
        while let ExprKind::Paren(inner) = self.kind_of(ty) {
            ty = inner;
        }
        match self.kind_of(ty) {
            ExprKind::ArrayType { .. }
            | ExprKind::SliceType { .. }
            | ExprKind::StructType(_)
            | ExprKind::MapType { .. } => {}
            ExprKind::Bad | ExprKind::Ident | ExprKind::Selector { .. } | ExprKind::Index { .. } if !self.in_header => {
            }
            _ => return None,
        }
        if ty != operand {
            self.error(self.span_of(ty).start, "cannot parenthesize type in composite literal");
        }
        Some(ExprKind::Composite { ty: Some(operand), elements: self.literal_value() })
    }

    /// The elements of a composite literal.
    ///
    /// ```ebnf
    /// LiteralValue = "{" [ ElementList [ "," ] ] "}" .
    /// ElementList  = KeyedElement { "," KeyedElement } .
    /// ```
    fn literal_value(&mut self) -> List<ExprId> {
        self.expect(Token::OpenBrace);
        let elements =
            self.in_brackets(|parser| parser.elements(Token::CloseBrace, "composite literal", Self::keyed_element));
        self.expect(Token::CloseBrace);
        elements
    }

    /// ```ebnf
    /// KeyedElement = [ Key ":" ] Element .
    /// Key          = FieldName | Expression | LiteralValue .
    /// ```
    fn keyed_element(&mut self) -> ExprId {
        let key = self.element();
        if !self.eat(Token::Colon) {
            return key;
        }
        let value = self.element();
        let start = self.span_of(key).start;
        self.expr_from(start, ExprKind::KeyValue { key, value })
    }

    /// ```ebnf
    /// Element = Expression | LiteralValue .
    /// ```
    fn element(&mut self) -> ExprId {
        if !self.at(Token::OpenBrace) {
            return self.expression();
        }
        let within = |parser: &mut Self| {
            let start = parser.start;
            let elements = parser.literal_value();
            parser.expr_from(start, ExprKind::Composite { ty: None, elements })
        };
        self.nested(within, Self::bad_expr)
    }

    /// ```ebnf
    /// Index = "[" Expression [ "," ] "]" .
    /// Slice = "[" [ Expression ] ":" [ Expression ] "]" | "[" [ Expression ] ":" Expression ":" Expression "]" .
    /// ```
    fn index_or_slice(&mut self, operand: ExprId) -> ExprKind {
        self.expect(Token::OpenBracket);
        if self.at(Token::CloseBracket) {
            self.error_expected("operand");
            let missing = self.bad_expr();
            self.advance();
            return ExprKind::Index { operand, indices: self.list_of(missing) };
        }
        let kind = self.in_brackets(|parser| {
            let first = if parser.at(Token::Colon) { None } else { Some(parser.expression()) };
            match first {
                Some(first) if !parser.at(Token::Colon) => {
                    ExprKind::Index { operand, indices: parser.more_indices(first) }
                }
                low => parser.slice(operand, low),
            }
        });
        self.expect(Token::CloseBracket);
        kind
    }

    /// Further indices: the type arguments of an instantiation.
    fn more_indices(&mut self, first: ExprId) -> List<ExprId> {
        let mark = self.open_list::<ExprId>();
        self.push(first);
        while self.eat(Token::Comma) {
            if !self.at(Token::CloseBracket) && !self.at(Token::EndOfFile) {
                let ty = self.ty();
                self.push(ty);
            }
        }
        self.close_list(mark)
    }

    /// What follows the first bound of a slice.
    fn slice(&mut self, operand: ExprId, low: Option<ExprId>) -> ExprKind {
        let first_colon = self.start;
        self.expect(Token::Colon);
        let high = self.bound();
        let second_colon = self.start;
        if !self.eat(Token::Colon) {
            return ExprKind::Slice { operand, low, high, max: None };
        }
        let max = self.bound();
        if high.is_none() {
            self.error(first_colon, "middle index required in 3-index slice");
        }
        if max.is_none() {
            self.error(second_colon, "final index required in 3-index slice");
        }
        ExprKind::Slice { operand, low, high, max }
    }

    fn bound(&mut self) -> Option<ExprId> {
        let is_missing = matches!(self.token, Token::Colon | Token::CloseBracket | Token::EndOfFile);
        if is_missing { None } else { Some(self.expression()) }
    }

    /// ```ebnf
    /// Arguments = "(" [ ( ExpressionList | Type [ "," ExpressionList ] ) [ "..." ] [ "," ] ] ")" .
    /// ```
    fn call(&mut self, callee: ExprId) -> ExprKind {
        let open = self.start;
        self.expect(Token::OpenParen);
        let mut spread = false;
        let arguments = self.in_brackets(|parser| {
            parser.elements(Token::CloseParen, "argument list", |parser| {
                if spread {
                    parser.error(parser.start, "can only use ... with final argument");
                }
                let argument = parser.expression();
                spread |= parser.eat(Token::Ellipsis);
                argument
            })
        });
        self.expect(Token::CloseParen);
        ExprKind::Call { callee, open, arguments, spread }
    }

    /// ```ebnf
    /// ExpressionList = Expression { "," Expression } .
    /// ```
    pub(super) fn expression_list(&mut self) -> List<ExprId> {
        let first = self.expression();
        self.more_expressions(first)
    }

    /// The rest of such a list, its first expression taken.
    pub(super) fn more_expressions(&mut self, first: ExprId) -> List<ExprId> {
        let mark = self.open_list::<ExprId>();
        self.push(first);
        while self.eat(Token::Comma) {
            let expr = self.expression();
            self.push(expr);
        }
        self.close_list(mark)
    }
}

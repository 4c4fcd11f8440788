//! Types.

use super::Parser;
use crate::arena::List;
use crate::ast::{
    BinaryOp, ChanDirection, ExprId, ExprKind, Field, FieldList, Ident, InterfaceElement, InterfaceElementKind,
    Signature, SignatureId, Span, UnaryOp,
};
use crate::token::Token;

impl Parser<'_> {
    /// A type that has to be there.
    ///
    /// ```ebnf
    /// Type = TypeName [ TypeArgs ] | TypeLit | "(" Type ")" .
    /// ```
    pub(super) fn ty(&mut self) -> ExprId {
        match self.optional_type() {
            Some(ty) => ty,
            None => {
                self.error_expected("type");
                self.bad_expr()
            }
        }
    }

    /// A type, if one begins here.
    ///
    /// ```ebnf
    /// TypeLit = ArrayType | StructType | PointerType | FunctionType | InterfaceType | SliceType | MapType | ChannelType .
    /// ```
    pub(super) fn optional_type(&mut self) -> Option<ExprId> {
        (self.token.begins_type() && !self.at_outer_declaration())
            .then(|| self.nested(Self::type_within, Self::bad_expr))
    }

    /// A type that begins here.
    fn type_within(&mut self) -> ExprId {
        let start = self.start;
        match self.token {
            Token::Ident => {
                let name = self.ident();
                self.qualified_type(name)
            }
            Token::OpenBracket => {
                self.advance();
                self.array_type(start, None)
            }
            Token::Struct => self.struct_type(),
            Token::Mul => {
                self.advance();
                let pointee = self.ty();
                self.expr_from(start, ExprKind::Star(pointee))
            }
            Token::Func => {
                let signature = self.function_type();
                self.expr_from(start, ExprKind::FuncType(signature))
            }
            Token::Interface => self.interface_type(),
            Token::Map => self.map_type(),
            Token::Chan | Token::Arrow => self.chan_type(),
            // A parenthesis: nothing else is left that begins a type.
            _ => {
                self.advance();
                let inner = self.ty();
                self.expect(Token::CloseParen);
                self.expr_from(start, ExprKind::Paren(inner))
            }
        }
    }

    /// A type's name with its type arguments, the first identifier taken.
    ///
    /// ```ebnf
    /// TypeName       = identifier | QualifiedIdent .
    /// QualifiedIdent = PackageName "." identifier .
    /// ```
    pub(super) fn qualified_type(&mut self, name: Ident) -> ExprId {
        let named = self.type_name(name);
        if self.at(Token::OpenBracket) { self.type_args(named) } else { named }
    }

    fn type_name(&mut self, name: Ident) -> ExprId {
        let operand = self.ident_expr(name);
        if !self.eat(Token::Period) {
            return operand;
        }
        let name = self.ident();
        let start = self.span_of(operand).start;
        self.expr_from(start, ExprKind::Selector { operand, name })
    }

    /// ```ebnf
    /// TypeArgs = "[" TypeList [ "," ] "]" .
    /// TypeList = Type { "," Type } .
    /// ```
    fn type_args(&mut self, operand: ExprId) -> ExprId {
        self.expect(Token::OpenBracket);
        let mut indices =
            self.in_brackets(|parser| parser.elements(Token::CloseBracket, "type argument list", Self::ty));
        if indices.is_empty() {
            self.error_expected("type argument list");
            let missing = self.bad_expr();
            indices = self.list_of(missing);
        }
        self.expect(Token::CloseBracket);
        let start = self.span_of(operand).start;
        self.expr_from(start, ExprKind::Index { operand, indices })
    }

    /// An array or slice type, its bracket taken, and maybe its length. `[...]T` is taken everywhere.
    ///
    /// ```ebnf
    /// ArrayType   = "[" ArrayLength "]" ElementType .
    /// ArrayLength = Expression .
    /// SliceType   = "[" "]" ElementType .
    /// ```
    pub(super) fn array_type(&mut self, start: u32, length: Option<ExprId>) -> ExprId {
        if length.is_none() && self.eat(Token::CloseBracket) {
            let element = self.ty();
            return self.expr_from(start, ExprKind::SliceType { element });
        }
        let length = match length {
            None if self.eat(Token::Ellipsis) => None,
            None => Some(self.in_brackets(Self::expression)),
            some => some,
        };
        if self.at(Token::Comma) {
            self.error(self.start, "unexpected comma; expecting ]");
            self.advance();
        }
        self.expect(Token::CloseBracket);
        let element = self.ty();
        self.expr_from(start, ExprKind::ArrayType { length, element })
    }

    /// ```ebnf
    /// StructType = "struct" "{" { FieldDecl ";" } "}" .
    /// ```
    fn struct_type(&mut self) -> ExprId {
        let start = self.start;
        self.expect(Token::Struct);
        self.expect(Token::OpenBrace);
        let mark = self.open_list::<Field>();
        // A field doesn't begin with a parenthesis; that it does is reported with the field.
        while matches!(self.token, Token::Ident | Token::Mul | Token::OpenParen) {
            let field = self.field_decl();
            self.push(field);
            self.end_of_element();
        }
        self.expect(Token::CloseBrace);
        let fields = self.close_list(mark);
        self.expr_from(start, ExprKind::StructType(fields))
    }

    /// What ends a field, an element of an interface, or a declaration in parentheses.
    pub(super) fn end_of_element(&mut self) {
        if !self.eat(Token::Semicolon) && !matches!(self.token, Token::CloseBrace | Token::CloseParen) {
            self.error_expected("';'");
            while !matches!(
                self.token,
                Token::Semicolon | Token::CloseBrace | Token::CloseParen | Token::OpenBrace | Token::EndOfFile
            ) && !self.at_outer_declaration()
            {
                self.advance();
            }
            if self.at(Token::OpenBrace) {
                self.skip_brackets();
            }
            self.eat(Token::Semicolon);
        }
    }

    /// ```ebnf
    /// FieldDecl     = ( IdentifierList Type | EmbeddedField ) [ Tag ] .
    /// EmbeddedField = [ "*" ] TypeName [ TypeArgs ] .
    /// Tag           = string_lit .
    /// ```
    fn field_decl(&mut self) -> Field {
        let start = self.start;
        let (names, ty) = match self.token {
            Token::Ident => self.named_or_embedded_field(),
            _ => (List::EMPTY, self.embedded_field()),
        };
        let tag = self.at(Token::String).then(|| self.literal());
        Field { span: self.span_from(start), names, ty, tag }
    }

    fn named_or_embedded_field(&mut self) -> (List<Ident>, ExprId) {
        let name = self.ident();
        match self.token {
            Token::Period | Token::String | Token::Semicolon | Token::CloseBrace => {
                let ty = match self.token {
                    Token::Period => self.qualified_type(name),
                    _ => self.ident_expr(name),
                };
                (List::EMPTY, ty)
            }
            Token::OpenBracket => match self.array_or_type_args(name) {
                (Some(name), ty) => (self.list_of(name), ty),
                (None, ty) => (List::EMPTY, ty),
            },
            _ => {
                let names = self.more_idents(name);
                (names, self.ty())
            }
        }
    }

    /// An embedded field that begins with a star; parentheses are reported.
    fn embedded_field(&mut self) -> ExprId {
        let start = self.start;
        if self.at(Token::OpenParen) {
            self.error(start, "cannot parenthesize embedded type");
            self.advance();
            let ty = self.nested(Self::embedded_field, Self::bad_expr);
            self.eat(Token::CloseParen);
            return ty;
        }
        if !self.eat(Token::Mul) {
            let name = self.ident();
            return self.qualified_type(name);
        }
        let pointee = match self.token {
            Token::OpenParen => self.nested(Self::embedded_field, Self::bad_expr),
            _ => {
                let name = self.ident();
                self.qualified_type(name)
            }
        };
        self.expr_from(start, ExprKind::Star(pointee))
    }

    /// What follows a name before a bracket, where it can be the name of a field or parameter of an array or slice type
    /// (`x [n]E`), or a type with arguments (`x[T]`). The name is handed back if it is a name.
    pub(super) fn array_or_type_args(&mut self, name: Ident) -> (Option<Ident>, ExprId) {
        let open = self.start;
        self.expect(Token::OpenBracket);
        if self.at(Token::CloseBracket) {
            return (Some(name), self.array_type(open, None));
        }
        let mut trailing_comma = None;
        let indices = self.in_brackets(|parser| {
            parser.elements(Token::CloseBracket, "type argument list", |parser| {
                let index = parser.expression();
                trailing_comma = parser.at(Token::Comma).then_some(parser.start);
                index
            })
        });
        self.expect(Token::CloseBracket);
        if let &[length] = self.arenas.list(indices)
            && let Some(element) = self.optional_type()
        {
            if let Some(comma) = trailing_comma {
                self.error(comma, "unexpected comma; expecting ]");
            }
            return (Some(name), self.expr_from(open, ExprKind::ArrayType { length: Some(length), element }));
        }
        let end = self.previous_end;
        let operand = self.ident_expr(name);
        (None, self.expr_at(Span::new(name.span.start, end), ExprKind::Index { operand, indices }))
    }

    /// ```ebnf
    /// FunctionType = "func" Signature .
    /// ```
    pub(super) fn function_type(&mut self) -> SignatureId {
        let start = self.start;
        self.expect(Token::Func);
        let type_params = self.optional_type_params();
        if !type_params.fields.is_empty() {
            self.error(type_params.span.start, "function type must have no type parameters");
        }
        self.signature(start, type_params)
    }

    /// The rest of a signature that began at `start`.
    ///
    /// ```ebnf
    /// Signature = Parameters [ Result ] .
    /// Result    = Parameters | Type .
    /// ```
    pub(super) fn signature(&mut self, start: u32, type_params: FieldList) -> SignatureId {
        let params = self.parameters();
        let results = self.results();
        let span = self.span_from(start);
        self.arenas.add(Signature { span, type_params, params, results })
    }

    /// ```ebnf
    /// InterfaceType = "interface" "{" { InterfaceElem ";" } "}" .
    /// InterfaceElem = MethodElem | TypeElem .
    /// ```
    fn interface_type(&mut self) -> ExprId {
        let start = self.start;
        self.expect(Token::Interface);
        self.expect(Token::OpenBrace);
        let mark = self.open_list::<InterfaceElement>();
        while let Some(element) = self.interface_element() {
            self.push(element);
            self.end_of_element();
        }
        self.expect(Token::CloseBrace);
        let elements = self.close_list(mark);
        self.expr_from(start, ExprKind::InterfaceType(elements))
    }

    /// ```ebnf
    /// MethodElem = MethodName Signature .
    /// MethodName = identifier .
    /// ```
    fn interface_element(&mut self) -> Option<InterfaceElement> {
        let start = self.start;
        let first = match self.token {
            Token::Ident => {
                let name = self.ident();
                match self.token {
                    Token::OpenParen => return Some(self.method(name)),
                    Token::OpenBracket => match self.generic_method_or_type_args(name) {
                        Ok(method) => return Some(method),
                        Err(ty) => ty,
                    },
                    _ => self.qualified_type(name),
                }
            }
            Token::Tilde => self.type_term(),
            _ => self.optional_type()?,
        };
        let ty = self.more_type_terms(first);
        Some(InterfaceElement { span: self.span_from(start), kind: InterfaceElementKind::Embedded(ty) })
    }

    fn method(&mut self, name: Ident) -> InterfaceElement {
        let signature = self.signature(self.start, FieldList::missing_at(self.start));
        let kind = InterfaceElementKind::Method { name, signature };
        InterfaceElement { span: self.span_from(name.span.start), kind }
    }

    /// An embedded type with arguments; or a method with type parameters, which an interface's methods may not have.
    fn generic_method_or_type_args(&mut self, name: Ident) -> Result<InterfaceElement, ExprId> {
        let open = self.start;
        self.expect(Token::OpenBracket);
        let first = self.in_brackets(Self::expression);
        if let Some(param) = self.as_ident(first)
            && !matches!(self.token, Token::Comma | Token::CloseBracket)
        {
            self.error(open, "interface method must have no type parameters");
            self.rest_of_type_params(open, Some(param), None);
            return Ok(self.method(name));
        }
        let mark = self.open_list::<ExprId>();
        self.push(first);
        let context = "type argument list";
        if self.goes_on(open, Token::CloseBracket, context) {
            self.in_brackets(|parser| parser.more_elements(Token::CloseBracket, context, Self::ty));
        }
        let indices = self.close_list(mark);
        self.expect(Token::CloseBracket);
        let end = self.previous_end;
        let operand = self.ident_expr(name);
        Err(self.expr_at(Span::new(name.span.start, end), ExprKind::Index { operand, indices }))
    }

    /// ```ebnf
    /// TypeElem = TypeTerm { "|" TypeTerm } .
    /// ```
    pub(super) fn type_element(&mut self) -> ExprId {
        let first = self.type_term();
        self.more_type_terms(first)
    }

    /// The rest of a type element, its first term taken.
    pub(super) fn more_type_terms(&mut self, first: ExprId) -> ExprId {
        let mut left = first;
        while self.at(Token::Or) {
            let at = self.start;
            self.advance();
            let right = self.type_term();
            let start = self.span_of(left).start;
            left = self.expr_from(start, ExprKind::Binary { op: BinaryOp::Or, at, left, right });
        }
        left
    }

    /// ```ebnf
    /// TypeTerm       = Type | UnderlyingType .
    /// UnderlyingType = "~" Type .
    /// ```
    fn type_term(&mut self) -> ExprId {
        let start = self.start;
        if self.eat(Token::Tilde) {
            let operand = self.ty();
            return self.expr_from(start, ExprKind::Unary { op: UnaryOp::Tilde, operand });
        }
        match self.optional_type() {
            Some(ty) => ty,
            None => {
                self.error_expected("~ term or type");
                self.bad_expr()
            }
        }
    }

    /// ```ebnf
    /// MapType = "map" "[" KeyType "]" ElementType .
    /// KeyType = Type .
    /// ```
    fn map_type(&mut self) -> ExprId {
        let start = self.start;
        self.expect(Token::Map);
        self.expect(Token::OpenBracket);
        let key = self.ty();
        self.expect(Token::CloseBracket);
        let value = self.ty();
        self.expr_from(start, ExprKind::MapType { key, value })
    }

    /// ```ebnf
    /// ChannelType = ( "chan" | "chan" "<-" | "<-" "chan" ) ElementType .
    /// ```
    fn chan_type(&mut self) -> ExprId {
        let start = self.start;
        let (direction, arrow) = if self.eat(Token::Arrow) {
            self.expect(Token::Chan);
            (ChanDirection::Receive, start)
        } else {
            self.expect(Token::Chan);
            let arrow = self.start;
            if self.eat(Token::Arrow) { (ChanDirection::Send, arrow) } else { (ChanDirection::Both, start) }
        };
        let element = self.ty();
        self.expr_from(start, ExprKind::ChanType { direction, arrow, element })
    }
}

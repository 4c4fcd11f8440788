//! Declarations, and the file as a whole.

use super::Parser;
use crate::arena::{List, Stored};
use crate::ast::{
    BinaryOp, BlockId, Decl, DeclId, DeclKind, Expr, ExprId, ExprKind, FieldList, FuncDecl, Ident, ImportSpec, Span,
    TypeSpec, UnaryOp, ValueSpec,
};
use crate::token::Token;

impl Parser<'_> {
    /// The package's name and all declarations.
    ///
    /// ```ebnf
    /// SourceFile    = PackageClause ";" { ImportDecl ";" } { TopLevelDecl ";" } .
    /// PackageClause = "package" PackageName .
    /// PackageName   = identifier .
    /// TopLevelDecl  = Declaration | FunctionDecl | MethodDecl .
    /// ```
    pub(super) fn source_file(&mut self) -> (Ident, List<DeclId>) {
        let package = if self.expect(Token::Package) {
            let package = self.ident();
            self.end_of_declaration();
            package
        } else {
            Ident { span: self.missing() }
        };
        let mark = self.open_list::<DeclId>();
        let mut may_import = true;
        while !self.at(Token::EndOfFile) {
            let is_import = self.at(Token::Import);
            if is_import && !may_import {
                self.error(self.start, "imports must appear before other declarations");
            }
            may_import &= is_import;
            let before = self.start;
            let decl = self.declaration();
            self.push(decl);
            self.end_of_declaration();
            if self.start == before {
                self.advance();
            }
        }
        (package, self.close_list(mark))
    }

    /// Takes the semicolon behind a declaration at the top of a file, or skips to the next declaration.
    fn end_of_declaration(&mut self) {
        if !self.eat(Token::Semicolon) && !self.at(Token::EndOfFile) {
            self.error_expected("';'");
            self.skip_declaration();
        }
    }

    /// A declaration without its semicolon.
    ///
    /// ```ebnf
    /// Declaration = ConstDecl | TypeDecl | VarDecl .
    /// ImportDecl  = "import" ( ImportSpec | "(" { ImportSpec ";" } ")" ) .
    /// ConstDecl   = "const" ( ConstSpec | "(" { ConstSpec ";" } ")" ) .
    /// TypeDecl    = "type" ( TypeSpec | "(" { TypeSpec ";" } ")" ) .
    /// VarDecl     = "var" ( VarSpec | "(" { VarSpec ";" } ")" ) .
    /// ```
    pub(super) fn declaration(&mut self) -> DeclId {
        let start = self.start;
        let kind = match self.token {
            Token::Import => DeclKind::Import(self.specs(Self::import_spec)),
            Token::Const => DeclKind::Const(self.specs(Self::const_spec)),
            Token::Type => DeclKind::Type(self.specs(Self::type_spec)),
            Token::Var => DeclKind::Var(self.specs(Self::var_spec)),
            Token::Func => DeclKind::Func(self.func_decl()),
            _ => {
                self.error_expected("declaration");
                self.skip_declaration();
                DeclKind::Bad
            }
        };
        let span = self.span_from(start);
        self.arenas.add(Decl { span, kind })
    }

    /// One specification, or several in parentheses, with the keyword before them.
    fn specs<T: Stored>(&mut self, spec: impl Fn(&mut Self) -> T) -> List<T> {
        self.advance();
        let mark = self.open_list::<T>();
        if self.eat(Token::OpenParen) {
            while !self.at(Token::CloseParen) && !self.at(Token::EndOfFile) && !self.at_outer_declaration() {
                let before = self.start;
                let parsed = spec(self);
                self.push(parsed);
                self.end_of_element();
                if self.start == before {
                    self.advance();
                }
            }
            self.expect(Token::CloseParen);
        } else {
            let parsed = spec(self);
            self.push(parsed);
        }
        self.close_list(mark)
    }

    /// ```ebnf
    /// ImportSpec = [ "." | PackageName ] ImportPath .
    /// ImportPath = string_lit .
    /// ```
    fn import_spec(&mut self) -> ImportSpec {
        let start = self.start;
        let span = Span::new(self.start, self.end);
        let has_name = self.eat(Token::Ident) || self.eat(Token::Period);
        let name = has_name.then_some(Ident { span });
        let path = match self.token {
            Token::String => self.literal(),
            Token::Int | Token::Float | Token::Imaginary | Token::Rune | Token::Ident => {
                self.error(self.start, "import path must be a string");
                let missing = self.bad_expr();
                self.advance();
                missing
            }
            _ => {
                self.error(self.start, "missing import path");
                self.bad_expr()
            }
        };
        ImportSpec { span: self.span_from(start), name, path }
    }

    /// ```ebnf
    /// ConstSpec = IdentifierList [ [ Type ] "=" ExpressionList ] .
    /// ```
    fn const_spec(&mut self) -> ValueSpec {
        let start = self.start;
        let first = self.ident();
        let names = self.more_idents(first);
        let ty = self.optional_type();
        let values = self.values();
        ValueSpec { span: self.span_from(start), names, ty, values }
    }

    /// ```ebnf
    /// VarSpec = IdentifierList ( Type [ "=" ExpressionList ] | "=" ExpressionList ) .
    /// ```
    fn var_spec(&mut self) -> ValueSpec {
        let start = self.start;
        let first = self.ident();
        let names = self.more_idents(first);
        let ty = if self.at(Token::Assign) { None } else { Some(self.ty()) };
        let values = self.values();
        ValueSpec { span: self.span_from(start), names, ty, values }
    }

    fn values(&mut self) -> List<ExprId> {
        if self.eat(Token::Assign) { self.expression_list() } else { List::EMPTY }
    }

    /// ```ebnf
    /// TypeSpec  = AliasDecl | TypeDef .
    /// AliasDecl = identifier [ TypeParameters ] "=" Type .
    /// TypeDef   = identifier [ TypeParameters ] Type .
    /// ```
    fn type_spec(&mut self) -> TypeSpec {
        let start = self.start;
        let name = self.ident();
        let missing = FieldList::missing_at(self.previous_end);
        let (type_params, array) = match self.token {
            Token::OpenBracket => self.type_params_or_array(missing),
            _ => (missing, None),
        };
        let is_alias = array.is_none() && self.eat(Token::Assign);
        let ty = array.unwrap_or_else(|| self.ty());
        TypeSpec { span: self.span_from(start), name, type_params, is_alias, ty }
    }

    /// What a bracket behind a type's name begins: type parameters, or an array or slice type.
    ///
    /// `[P *T]` can be either. It is a type parameter where `*T` cannot be a factor, or where a comma follows.
    fn type_params_or_array(&mut self, missing: FieldList) -> (FieldList, Option<ExprId>) {
        let open = self.start;
        self.expect(Token::OpenBracket);
        if !self.at(Token::Ident) {
            return (missing, Some(self.array_type(open, None)));
        }
        let name = self.ident();
        let mut length = self.ident_expr(name);
        // A name before a bracket is a type parameter: an index is never constant, so that it is no length.
        if !self.at(Token::OpenBracket) {
            length = self.in_brackets(|parser| parser.expression_after(length));
        }
        match self.split_type_param(length, self.at(Token::Comma)) {
            Some((name, constraint)) if constraint.is_some() || !self.at(Token::CloseBracket) => {
                (self.rest_of_type_params(open, Some(name), constraint), None)
            }
            _ => (missing, Some(self.array_type(open, Some(length)))),
        }
    }

    /// Takes `P *T`, `P (T)` and such with further terms, which were parsed as an expression, for a name and a
    /// constraint: if it must be one, or if `T` can only be a type. A name alone has no constraint.
    fn split_type_param(&mut self, expr: ExprId, must: bool) -> Option<(Ident, Option<ExprId>)> {
        // The terms of a union, from right to left, down to the product or call that the name stands in.
        let (mut terms, mut first, mut must) = (Vec::new(), expr, must);
        while let ExprKind::Binary { op: BinaryOp::Or, at, left, right } = self.kind_of(first) {
            terms.push((at, right));
            must |= self.is_type_element(right);
            first = left;
        }
        if let Some(name) = self.as_ident(first) {
            return terms.is_empty().then_some((name, None));
        }
        let Expr { span, kind } = *self.arenas.node(first);
        let (name, term, inner, start) = match kind {
            ExprKind::Binary { op: BinaryOp::Mul, at, left, right } => (left, ExprKind::Star(right), right, at),
            ExprKind::Call { callee, open, arguments, spread: false } => match self.arenas.list(arguments) {
                &[argument] => (callee, ExprKind::Paren(argument), argument, open),
                _ => return None,
            },
            _ => return None,
        };
        let name = self.as_ident(name)?;
        if !must && !self.is_type_element(inner) {
            return None;
        }
        let mut constraint = self.expr_at(Span::new(start, span.end), term);
        for (at, right) in terms.into_iter().rev() {
            let span = Span::new(start, self.span_of(right).end);
            constraint = self.expr_at(span, ExprKind::Binary { op: BinaryOp::Or, at, left: constraint, right });
        }
        Some((name, Some(constraint)))
    }

    /// True for what can only be a type, and no value.
    fn is_type_element(&self, mut expr: ExprId) -> bool {
        loop {
            expr = match self.kind_of(expr) {
                ExprKind::ArrayType { .. }
                | ExprKind::SliceType { .. }
                | ExprKind::StructType(_)
                | ExprKind::FuncType(_)
                | ExprKind::InterfaceType(_)
                | ExprKind::MapType { .. }
                | ExprKind::ChanType { .. }
                | ExprKind::Unary { op: UnaryOp::Tilde, .. } => return true,
                ExprKind::Binary { right, .. } if self.is_type_element(right) => return true,
                ExprKind::Binary { left, .. } => left,
                ExprKind::Paren(inner) => inner,
                _ => return false,
            };
        }
    }

    /// ```ebnf
    /// FunctionDecl = "func" FunctionName [ TypeParameters ] Signature [ FunctionBody ] .
    /// MethodDecl   = "func" Receiver MethodName [ TypeParameters ] Signature [ FunctionBody ] .
    /// Receiver     = Parameters .
    /// FunctionBody = Block .
    /// ```
    fn func_decl(&mut self) -> FuncDecl {
        let start = self.start;
        self.advance();
        let receiver = if self.at(Token::OpenParen) { Some(self.parameters()) } else { None };
        let name = self.ident();
        let type_params = self.optional_type_params();
        let signature = self.signature(start, type_params);
        FuncDecl { receiver, name, signature, body: self.function_body() }
    }

    fn function_body(&mut self) -> Option<BlockId> {
        let rest = &self.text()[self.end as usize..];
        if self.at(Token::Semicolon) && rest.trim_ascii_start().starts_with(b"{") {
            self.error(self.start, "unexpected semicolon or newline before {");
            self.advance();
        }
        if self.at(Token::OpenBrace) { Some(self.block()) } else { None }
    }
}

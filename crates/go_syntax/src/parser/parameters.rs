//! Parameters, results and type parameters.

use super::Parser;
use crate::arena::List;
use crate::ast::{ExprId, ExprKind, Field, FieldList, Ident, Span};
use crate::token::Token;

/// A parameter while its list isn't finished: a lone name may turn out to be a type.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    name: Option<Ident>,
    ty: Option<ExprId>,
}

/// Which list parameters stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListKind {
    TypeParams,
    Params,
    Results,
}

impl ListKind {
    const fn close(self) -> Token {
        match self {
            Self::TypeParams => Token::CloseBracket,
            Self::Params | Self::Results => Token::CloseParen,
        }
    }
}

impl FieldList {
    /// A list that isn't written, where it would stand.
    pub(super) const fn missing_at(offset: u32) -> Self {
        Self { span: Span::new(offset, offset), fields: List::EMPTY }
    }
}

impl Parser<'_> {
    /// ```ebnf
    /// Parameters    = "(" [ ParameterList [ "," ] ] ")" .
    /// ParameterList = ParameterDecl { "," ParameterDecl } .
    /// ```
    pub(super) fn parameters(&mut self) -> FieldList {
        self.parenthesized(ListKind::Params)
    }

    /// ```ebnf
    /// Result = Parameters | Type .
    /// ```
    pub(super) fn results(&mut self) -> FieldList {
        if self.at(Token::OpenParen) {
            return self.parenthesized(ListKind::Results);
        }
        let missing = FieldList::missing_at(self.previous_end);
        let Some(ty) = self.optional_type() else { return missing };
        let span = self.span_of(ty);
        let fields = self.list_of(Field { span, names: List::EMPTY, ty, tag: None });
        FieldList { span, fields }
    }

    fn parenthesized(&mut self, kind: ListKind) -> FieldList {
        let start = self.start;
        self.expect(Token::OpenParen);
        let fields = self.in_brackets(|parser| parser.parameter_list(kind, None));
        self.expect(Token::CloseParen);
        FieldList { span: self.span_from(start), fields }
    }

    /// Type parameters, if there is a bracket.
    ///
    /// ```ebnf
    /// TypeParameters = "[" TypeParamList [ "," ] "]" .
    /// TypeParamList  = TypeParamDecl { "," TypeParamDecl } .
    /// TypeParamDecl  = IdentifierList TypeConstraint .
    /// TypeConstraint = TypeElem .
    /// ```
    pub(super) fn optional_type_params(&mut self) -> FieldList {
        let start = self.start;
        if !self.eat(Token::OpenBracket) {
            return FieldList::missing_at(start);
        }
        self.rest_of_type_params(start, None, None)
    }

    /// Type parameters whose bracket is taken, and maybe the first name, and maybe the beginning of its constraint.
    pub(super) fn rest_of_type_params(&mut self, start: u32, name: Option<Ident>, ty: Option<ExprId>) -> FieldList {
        let first = name.map(|name| Parameter { name: Some(name), ty });
        let fields = self.in_brackets(|parser| parser.parameter_list(ListKind::TypeParams, first));
        if fields.is_empty() {
            self.error(self.start, "empty type parameter list");
        }
        self.expect(Token::CloseBracket);
        FieldList { span: self.span_from(start), fields }
    }

    /// Parameters up to the closing token; of the first one, the beginning may be taken.
    fn parameter_list(&mut self, kind: ListKind, mut first: Option<Parameter>) -> List<Field> {
        let (mark, close) = (self.open_params.len(), kind.close());
        let start = first.and_then(|first| first.name).map_or(self.start, |name| name.span.start);
        while first.is_some() || !self.at(close) && !self.at(Token::EndOfFile) {
            let before = self.start;
            let parameter = match first.take() {
                Some(Parameter { name, ty: Some(ty) }) => Parameter { name, ty: Some(self.more_type_terms(ty)) },
                Some(Parameter { name: Some(name), ty: None }) => self.named_parameter(name, kind),
                _ => self.parameter(kind),
            };
            self.open_params.push(parameter);
            if !self.goes_on(before, close, "parameter list") {
                break;
            }
        }
        let mut params = std::mem::take(&mut self.open_params);
        let fields = self.fields_of(&mut params[mark..], kind, start);
        params.truncate(mark);
        self.open_params = params;
        fields
    }

    /// ```ebnf
    /// ParameterDecl = [ IdentifierList ] [ "..." ] Type .
    /// ```
    fn parameter(&mut self, kind: ListKind) -> Parameter {
        let is_type_param = kind == ListKind::TypeParams;
        let ty = match self.token {
            Token::Ident => {
                let name = self.ident();
                return self.named_parameter(name, kind);
            }
            Token::Ellipsis => return Parameter { name: None, ty: Some(self.variadic()) },
            Token::Tilde if is_type_param => self.type_element(),
            _ => match self.optional_type() {
                Some(ty) if is_type_param => self.more_type_terms(ty),
                Some(ty) => ty,
                None => {
                    self.error_expected(format_args!("'{}'", kind.close().text()));
                    self.bad_expr()
                }
            },
        };
        Parameter { name: None, ty: Some(ty) }
    }

    /// A parameter that begins with a name, or a type that does; the name is taken.
    fn named_parameter(&mut self, name: Ident, kind: ListKind) -> Parameter {
        let is_type_param = kind == ListKind::TypeParams;
        let (name, ty) = match self.token {
            Token::Ellipsis => return Parameter { name: Some(name), ty: Some(self.variadic()) },
            Token::Ident
            | Token::Mul
            | Token::Arrow
            | Token::Func
            | Token::Chan
            | Token::Map
            | Token::Struct
            | Token::Interface
            | Token::OpenParen => (Some(name), self.ty()),
            Token::OpenBracket => self.array_or_type_args(name),
            Token::Period => (None, self.qualified_type(name)),
            Token::Tilde if is_type_param => (Some(name), self.type_element()),
            Token::Or if is_type_param => (None, self.ident_expr(name)),
            _ => return Parameter { name: Some(name), ty: None },
        };
        let ty = if is_type_param { self.more_type_terms(ty) } else { ty };
        Parameter { name, ty: Some(ty) }
    }

    fn variadic(&mut self) -> ExprId {
        let start = self.start;
        self.expect(Token::Ellipsis);
        let element = self.ty();
        self.expr_from(start, ExprKind::Variadic(element))
    }

    /// Tells names and types apart, now that the list is known: either all parameters have names, or none.
    fn fields_of(&mut self, params: &mut [Parameter], kind: ListKind, start: u32) -> List<Field> {
        let has_names = params.iter().any(|param| param.name.is_some() && param.ty.is_some());
        if has_names {
            self.give_types(params, kind, start);
        } else {
            for param in params.iter_mut() {
                if let Some(name) = param.name.take() {
                    param.ty = Some(self.ident_expr(name));
                }
            }
            if kind == ListKind::TypeParams && !params.is_empty() {
                self.missing_in_type_params(params, start);
            }
        }
        self.check_variadic(params, kind);
        let mark = self.open_list::<Field>();
        for group in params.chunk_by(|one, next| has_names && one.ty == next.ty) {
            let Some(ty) = group[0].ty else { continue };
            let names = self.open_list::<Ident>();
            group.iter().filter_map(|param| param.name).for_each(|name| self.push(name));
            let names = self.close_list(names);
            let type_span = self.span_of(ty);
            let start = group[0].name.map_or(type_span.start, |name| name.span.start);
            let span = Span::new(start, type_span.end);
            self.push(Field { span, names, ty, tag: None });
        }
        self.close_list(mark)
    }

    /// Gives each name without a type the type of the next name that has one.
    fn give_types(&mut self, params: &mut [Parameter], kind: ListKind, start: u32) {
        let (mut last_type, mut lacks_name, mut lacks_type) = (None, None, false);
        for param in params.iter_mut().rev() {
            match (param.name, param.ty) {
                (None, Some(ty)) => {
                    let at = self.span_of(ty).start;
                    lacks_name = Some(at);
                    param.name = Some(Ident { span: Span::new(at, at) });
                    last_type = Some(ty);
                }
                (_, Some(ty)) => last_type = Some(ty),
                (_, None) => {
                    lacks_type |= last_type.is_none();
                    let ty = last_type.unwrap_or_else(|| self.bad_expr());
                    param.ty = Some(ty);
                }
            }
        }
        match (lacks_name, kind) {
            (Some(_), ListKind::TypeParams) => self.error(start, "missing type parameter name"),
            (Some(at), _) => self.error(at, "missing parameter name"),
            (None, ListKind::TypeParams) if lacks_type => self.error(self.start, "missing type constraint"),
            (None, _) if lacks_type => self.error(self.start, "missing parameter type"),
            _ => {}
        }
    }

    /// Type parameters without a constraint, or constraints without a name: `[]T` that was taken for parameters, say.
    fn missing_in_type_params(&mut self, params: &[Parameter], start: u32) {
        let is_name = |param: &Parameter| param.ty.is_some_and(|ty| self.as_ident(ty).is_some());
        if params.iter().all(is_name) {
            self.error(self.start, "missing type constraint");
        } else {
            let or_length = if params.len() == 1 { " or invalid array length" } else { "" };
            self.error(start, format!("missing type parameter name{or_length}"));
        }
    }

    /// Only the last parameter of a function may be variadic.
    fn check_variadic(&mut self, params: &[Parameter], kind: ListKind) {
        let may_be = match params {
            [others @ .., _] if kind == ListKind::Params => others,
            all => all,
        };
        let variadic = |param: &Parameter| param.ty.filter(|&ty| matches!(self.kind_of(ty), ExprKind::Variadic(_)));
        let Some(first) = may_be.iter().find_map(variadic) else { return };
        let offset = self.span_of(first).start;
        match kind {
            ListKind::Params => self.error(offset, "can only use ... with final parameter"),
            _ => self.error(offset, "invalid use of ..."),
        }
    }
}

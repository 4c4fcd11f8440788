//! Functions of all kinds.

use crate::hoist;
use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{
    self, ArrowFunctionBody, BindingPattern, Expression, FormalParameters, FunctionBody, Statement, TSType,
    TSTypeParameterDeclaration,
};
use racewalk_ir::{
    BindingKind, Bound, ClassId, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Name, Param, ParamKind, Role,
    Span, Stub, blank,
};

/// What a function does, as its syntax gives it.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Statements(&'a FunctionBody<'a>),
    Value(&'a Expression<'a>),
    /// A declaration without a body.
    None,
}

/// A function of any kind, as far as lowering asks.
pub(crate) struct FunctionParts<'a> {
    pub name: Name,
    pub span: Span,
    pub name_span: Span,
    pub is_async: bool,
    pub is_generator: bool,
    /// It sees the receiver of what is around it.
    pub is_arrow: bool,
    /// The name by which it knows itself.
    pub own_name: Option<&'a str>,
    pub type_params: Option<&'a TSTypeParameterDeclaration<'a>>,
    pub params: &'a FormalParameters<'a>,
    pub returns: Option<&'a TSType<'a>>,
    pub body: Body<'a>,
    /// The class in which it stands.
    pub class: Option<ClassId>,
    pub bound: Bound,
    pub decorators: Vec<ExprId>,
}

impl<'a> FunctionParts<'a> {
    /// A function or arrow function, under this name unless it has one.
    pub fn of_expression(ast: &'a Expression<'a>, name: Name) -> Option<Self> {
        match ast {
            Expression::FunctionExpression(function) => {
                let parts = Self::of_function(function, name);
                Some(Self { own_name: function.id.as_ref().map(|id| id.name.as_str()), ..parts })
            }
            Expression::ArrowFunctionExpression(arrow) => {
                let at = span(arrow.span);
                let body = match &arrow.body {
                    ArrowFunctionBody::FunctionBody(body) => Body::Statements(body),
                    other => Body::Value(other.to_expression()),
                };
                Some(Self {
                    name,
                    span: at,
                    name_span: Span::new(at.start, at.start),
                    is_async: arrow.r#async,
                    is_generator: false,
                    is_arrow: true,
                    own_name: None,
                    type_params: arrow.type_parameters.as_deref(),
                    params: &arrow.params,
                    returns: arrow.return_type.as_ref().map(|returns| &returns.type_annotation),
                    body,
                    class: None,
                    bound: Bound::Usual,
                    decorators: Vec::new(),
                })
            }
            _ => None,
        }
    }

    /// A function that is declared, or the value of a method.
    pub fn of_function(function: &'a ast::Function<'a>, name: Name) -> Self {
        let at = span(function.span);
        let id = function.id.as_ref();
        Self {
            name: id.map_or(name, |id| Name::new(id.name.as_str())),
            span: at,
            name_span: id.map_or(Span::new(at.start, at.start), |id| span(id.span)),
            is_async: function.r#async,
            is_generator: function.generator,
            is_arrow: false,
            own_name: None,
            type_params: function.type_parameters.as_deref(),
            params: &function.params,
            returns: function.return_type.as_ref().map(|returns| &returns.type_annotation),
            body: function.body.as_deref().map_or(Body::None, Body::Statements),
            class: None,
            bound: Bound::Usual,
            decorators: Vec::new(),
        }
    }
}

impl Lowerer<'_> {
    /// Lowers a function and says that it has come to be. The receiver of a method is its first parameter.
    pub fn lower_function(&mut self, parts: FunctionParts<'_>) -> FunctionId {
        let has_receiver = parts.class.is_some();
        let receiver = parts.class.filter(|_| parts.bound != Bound::ToClass).map(|class| (Name::new("this"), class));
        let function = Function {
            is_async: parts.is_async,
            is_generator: parts.is_generator,
            bound: parts.bound,
            parent: Some(self.current()),
            class: parts.class,
            decorators: parts.decorators,
            stub: stub(parts.body),
            span: parts.span,
            name_span: parts.name_span,
            ..blank(parts.name, FunctionKind::Function)
        };
        let id = self.open(function, receiver);
        self.scopes.enter(id);
        let breakable = std::mem::take(&mut self.breakable);
        self.type_params(parts.type_params);
        if has_receiver {
            self.declare("this");
            self.function().params.push(Param {
                name: Name::new("this"),
                kind: ParamKind::Normal,
                annotation: None,
                default: None,
            });
            self.bind("this", BindingKind::Param(0), Span::new(parts.span.start, parts.span.start));
        } else if !parts.is_arrow {
            self.declare("this");
            self.bind("this", BindingKind::Opaque, Span::new(parts.span.start, parts.span.start));
        }
        if let Some(own) = parts.own_name {
            self.declare(own);
            self.bind(own, BindingKind::Function(id), parts.name_span);
        }
        self.params(parts.params);
        let returns = parts.returns.map(|returns| self.annotation(returns));
        self.function().returns = returns;
        match parts.body {
            Body::Statements(body) => self.whole_body(&body.statements),
            Body::Value(value) => {
                let value = self.expr(value, Role::Returned);
                self.function().return_values.push(value);
                self.event(Event::Return(Some(value)));
            }
            Body::None => {}
        }
        self.breakable = breakable;
        self.scopes.leave();
        self.close(id);
        self.event(Event::Define(id));
        id
    }

    /// Lowers all statements of a module or function: what they declare is there from the beginning.
    pub fn whole_body(&mut self, statements: &[Statement<'_>]) {
        let mut names = Vec::new();
        hoist::var_names(statements, &mut |name| names.push(name));
        names.iter().for_each(|name| self.declare(name));
        self.block(statements);
    }

    pub fn params(&mut self, params: &FormalParameters<'_>) {
        for param in &params.items {
            hoist::pattern_names(&param.pattern, &mut |name| self.declare(name));
        }
        if let Some(rest) = &params.rest {
            hoist::pattern_names(&rest.rest.argument, &mut |name| self.declare(name));
        }
        for param in &params.items {
            param.decorators.iter().for_each(|decorator| {
                self.expr(&decorator.expression, Role::Other);
            });
            let annotation = param.type_annotation.as_ref().map(|declared| &declared.type_annotation);
            let (pattern, in_pattern) = match &param.pattern {
                BindingPattern::AssignmentPattern(with_default) => (&with_default.left, Some(&with_default.right)),
                other => (other, None),
            };
            let default = param.initializer.as_deref().or(in_pattern).map(|default| self.default_value(default));
            let value = self.param(pattern, annotation, default, ParamKind::Positional);
            if param.has_modifier() {
                self.param_property(pattern, value);
            }
        }
        if let Some(rest) = &params.rest {
            let annotation = rest.type_annotation.as_ref().map(|declared| element_of(&declared.type_annotation));
            self.param(&rest.rest.argument, annotation.flatten(), None, ParamKind::Rest);
        }
    }

    /// A parameter; what it takes apart is taken apart at once. Gives the name by which all of it is known.
    fn param(
        &mut self,
        pattern: &BindingPattern<'_>,
        annotation: Option<&TSType<'_>>,
        default: Option<ExprId>,
        kind: ParamKind,
    ) -> Name {
        let annotation = annotation.map(|annotation| self.annotation(annotation));
        let position = self.function().params.len() as u32;
        let at = span(oxc_span::GetSpan::span(pattern));
        match pattern {
            BindingPattern::BindingIdentifier(name) => {
                let own = Name::new(name.name.as_str());
                self.function().params.push(Param { name: own, kind, annotation, default });
                self.bind(name.name.as_str(), BindingKind::Param(position), at);
                own
            }
            taken_apart => {
                let hidden = self.bind_hidden("parameter", BindingKind::Param(position), at);
                self.function().params.push(Param { name: hidden, kind, annotation, default });
                let whole = self.read_hidden(hidden, at, Role::Receiver);
                self.bind_pattern(taken_apart, BindingKind::Value(whole));
                hidden
            }
        }
    }

    /// `constructor(private readonly repo: Repo)`: the parameter becomes a member.
    fn param_property(&mut self, pattern: &BindingPattern<'_>, name: Name) {
        let at = span(oxc_span::GetSpan::span(pattern));
        let value = self.read(name.as_str(), at, Role::Stored);
        self.write_own(name, BindingKind::Value(value), Some(value), at);
    }

    /// Writes a member of the receiver, where no assignment stands.
    pub fn write_own(&mut self, name: Name, kind: BindingKind, value: Option<ExprId>, at: Span) {
        let receiver = self.read("this", at, Role::Receiver);
        self.note_field(receiver, name, kind, at);
        let target = self.with_child(Expr::Attr(receiver, name), receiver, at, Role::Target);
        self.event(Event::WritePlace(target, value));
    }

    /// Type parameters, which the current body knows by name.
    pub fn type_params(&mut self, params: Option<&TSTypeParameterDeclaration<'_>>) -> Vec<(Name, Option<ExprId>)> {
        let Some(params) = params else { return Vec::new() };
        let mut lowered = Vec::with_capacity(params.params.len());
        for param in &params.params {
            self.declare(param.name.name.as_str());
            let bound = param.constraint.as_ref().map(|bound| self.annotation(bound));
            let name = param.name.name.as_str();
            self.bind(name, BindingKind::TypeParameter(bound), span(param.name.span));
            let symbol = self.scopes.find(Name::new(name)).map_or(Name::new(name), |(_, symbol)| symbol);
            lowered.push((symbol, bound));
        }
        lowered
    }
}

/// The type of a rest parameter's elements.
fn element_of<'a>(declared: &'a TSType<'a>) -> Option<&'a TSType<'a>> {
    match declared {
        TSType::TSArrayType(array) => Some(&array.element_type),
        TSType::TSTypeReference(named) => named.type_arguments.as_ref().and_then(|arguments| arguments.params.first()),
        _ => None,
    }
}

fn stub(body: Body<'_>) -> Stub {
    match body {
        Body::None => Stub::Empty,
        Body::Statements(body) => match body.statements.as_slice() {
            [Statement::ThrowStatement(thrown)] if is_not_implemented(&thrown.argument) => Stub::NotImplemented,
            _ => Stub::No,
        },
        Body::Value(_) => Stub::No,
    }
}

/// `new Error("… not implemented …")`
fn is_not_implemented(raised: &Expression<'_>) -> bool {
    let Expression::NewExpression(new) = raised else { return false };
    let named = matches!(&new.callee, Expression::Identifier(name) if name.name.contains("NotImplemented"));
    let said = new.arguments.first().and_then(|argument| argument.as_expression());
    let text = match said {
        Some(Expression::StringLiteral(text)) => text.value.as_str().to_lowercase(),
        Some(Expression::TemplateLiteral(template)) => {
            template.quasis.iter().map(|quasi| quasi.value.raw.as_str()).collect::<String>().to_lowercase()
        }
        _ => return named,
    };
    named
        || ["not implemented", "must be implemented", "not supported", "abstract"]
            .iter()
            .any(|words| text.contains(words))
}

//! Expressions.

use crate::lowerer::Lowerer;
use crate::span;
use racewalk_ir::{
    Arg, ArgKind, BindingKind, CompKind, Defs, Event, Expr, ExprId, Function, FunctionKind, Literal, LogicalOp, Name,
    Role, Span, SuspendKind, blank,
};
use ruff_python_ast::{self as ast, Expr as Ast};
use ruff_text_size::Ranged;
use smallvec::{SmallVec, smallvec};

/// A list that is short nearly always.
type Short<T> = SmallVec<[T; 8]>;

impl Lowerer {
    /// Lowers an expression whose value becomes `role`.
    pub fn expr(&mut self, ast: &Ast, role: Role) -> ExprId {
        self.deeper(span(ast.range()), role, |this| this.expr_here(ast, role))
    }

    fn expr_here(&mut self, ast: &Ast, role: Role) -> ExprId {
        let at = span(ast.range());
        match ast {
            Ast::Name(name) => self.name(&name.id, at, role),
            Ast::Attribute(attribute) => self.attribute(attribute, at, role),
            Ast::Call(call) => self.call_expr(call, at, role),
            Ast::Await(awaited) => {
                let value = self.expr(&awaited.value, Role::Awaited);
                let id = self.with_child(Expr::Await(value), value, at, role);
                self.event(Event::Suspend(SuspendKind::Await, value));
                id
            }
            Ast::Subscript(subscript) => self.subscript(subscript, at, role),
            Ast::BoolOp(logical) => self.logical(logical, at, role),
            Ast::If(conditional) => self.conditional(conditional, at, role),
            Ast::UnaryOp(unary) if unary.op == ast::UnaryOp::Not => {
                let value = self.expr(&unary.operand, Role::Tested);
                self.with_child(Expr::Not(value), value, at, role)
            }
            Ast::UnaryOp(unary) => self.operation(&[&unary.operand], at, role),
            Ast::BinOp(binary) => self.binary(binary, at, role),
            Ast::Compare(compare) => self.compare(compare, at, role),
            Ast::Named(named) => self.walrus(named, at, role),
            Ast::Tuple(tuple) => self.display(&tuple.elts, Expr::Tuple, at, role),
            Ast::List(list) => self.display(&list.elts, Expr::List, at, role),
            Ast::Set(set) => self.display(&set.elts, Expr::Set, at, role),
            Ast::Dict(dict) => self.mapping(dict, at, role),
            Ast::ListComp(comp) => self.comprehension(CompKind::List, None, &comp.elt, &comp.generators, at, role),
            Ast::SetComp(comp) => self.comprehension(CompKind::Set, None, &comp.elt, &comp.generators, at, role),
            Ast::DictComp(comp) => {
                self.comprehension(CompKind::Map, comp.key.as_deref(), &comp.value, &comp.generators, at, role)
            }
            Ast::Generator(comp) => self.comprehension(CompKind::Lazy, None, &comp.elt, &comp.generators, at, role),
            Ast::Lambda(lambda) => self.lambda(lambda, at, role),
            Ast::FString(text) => {
                let parts = text.value.iter().filter_map(|part| match part {
                    ast::FStringPart::FString(f_string) => Some(&f_string.elements),
                    ast::FStringPart::Literal(_) => None,
                });
                self.format(parts.flat_map(|elements| elements.iter()), at, role)
            }
            Ast::TString(text) => {
                let elements = text.value.iter().flat_map(|template| template.elements.iter());
                self.format(elements, at, role)
            }
            Ast::StringLiteral(text) => {
                let literal = self.literal_str(text.value.to_str());
                self.push(Expr::Literal(literal), at, role)
            }
            Ast::BytesLiteral(_) => self.push(Expr::Literal(Literal::Text), at, role),
            Ast::NumberLiteral(number) => self.push(Expr::Literal(number_literal(&number.value)), at, role),
            Ast::BooleanLiteral(truth) => self.push(Expr::Literal(Literal::Bool(truth.value)), at, role),
            Ast::NoneLiteral(_) => self.push(Expr::Literal(Literal::None), at, role),
            Ast::EllipsisLiteral(_) => self.push(Expr::Literal(Literal::Ellipsis), at, role),
            Ast::Starred(starred) => {
                let value = self.expr(&starred.value, Role::Unpacked);
                self.with_child(Expr::Spread(value), value, at, role)
            }
            Ast::Yield(value) => {
                let value = value.value.as_deref().map(|value| self.expr(value, Role::Yielded));
                let id = self.push(Expr::Yield(value), at, role);
                if let Some(value) = value {
                    self.adopt(id, value);
                }
                self.yields(value, id);
                id
            }
            Ast::YieldFrom(source) => {
                let value = self.expr(&source.value, Role::Iterated);
                let id = self.with_child(Expr::YieldFrom(value), value, at, role);
                self.yields(Some(value), id);
                id
            }
            Ast::Slice(slice) => {
                let bounds: Short<&Ast> =
                    [&slice.lower, &slice.upper, &slice.step].into_iter().flatten().map(|bound| &**bound).collect();
                self.operation(&bounds, at, role)
            }
            Ast::IpyEscapeCommand(_) => self.push(Expr::Opaque, at, role),
        }
    }

    fn with_child(&mut self, expr: Expr, child: ExprId, at: Span, role: Role) -> ExprId {
        let id = self.push(expr, at, role);
        self.adopt(id, child);
        id
    }

    fn name(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        let name = self.inner_name(Name::new(name));
        let id = self.push(Expr::Name(name, Defs::Outer), at, role);
        self.event(Event::Read(id));
        id
    }

    fn attribute(&mut self, attribute: &ast::ExprAttribute, at: Span, role: Role) -> ExprId {
        let base = self.expr(&attribute.value, Role::Receiver);
        let id = self.with_child(Expr::Attr(base, Name::new(&attribute.attr)), base, at, role);
        self.read_place(id, role);
        id
    }

    fn subscript(&mut self, subscript: &ast::ExprSubscript, at: Span, role: Role) -> ExprId {
        let base = self.expr(&subscript.value, Role::Container);
        let key = self.expr(&subscript.slice, Role::Key);
        let id = self.with_child(Expr::Subscript(base, key), base, at, role);
        self.adopt(id, key);
        self.read_place(id, role);
        id
    }

    /// Only the outermost place of a chain is read as such: `a.b.c` is one read of `c` in `b` in `a`.
    fn read_place(&mut self, id: ExprId, role: Role) {
        if !matches!(role, Role::Receiver | Role::Container | Role::Callee) {
            self.event(Event::ReadPlace(id));
        }
    }

    fn call_expr(&mut self, call: &ast::ExprCall, at: Span, role: Role) -> ExprId {
        let callee = self.expr(&call.func, Role::Callee);
        let named = match self.module.expr(callee) {
            Expr::Name(name, _) | Expr::Attr(_, name) => name.as_str(),
            _ => "",
        };
        let mut args: Short<Arg> = Short::with_capacity(call.arguments.len());
        for argument in &*call.arguments.args {
            args.push(match argument {
                Ast::Starred(starred) => {
                    Arg { kind: ArgKind::Spread, value: self.expr(&starred.value, Role::Unpacked) }
                }
                // `cast("Type", value)`: the text is a type.
                Ast::StringLiteral(_) if named == "cast" && args.is_empty() => {
                    Arg { kind: ArgKind::Positional, value: self.annotation(argument) }
                }
                other => Arg { kind: ArgKind::Positional, value: self.expr(other, Role::Argument) },
            });
        }
        for keyword in &call.arguments.keywords {
            let (kind, role) = match &keyword.arg {
                Some(name) => (ArgKind::Named(Name::new(name)), Role::Argument),
                None => (ArgKind::SpreadNamed, Role::Unpacked),
            };
            // `TypeVar("T", bound="Type")`: so is this.
            let is_bound = named == "TypeVar" && keyword.arg.as_ref().is_some_and(|name| name.as_str() == "bound");
            let value = if is_bound { self.annotation(&keyword.value) } else { self.expr(&keyword.value, role) };
            args.push(Arg { kind, value });
        }
        let call = self.call(&args);
        let id = self.with_child(Expr::Call(callee, call), callee, at, role);
        for arg in &args {
            self.adopt(id, arg.value);
        }
        self.event(Event::Call(id));
        id
    }

    fn logical(&mut self, logical: &ast::ExprBoolOp, at: Span, role: Role) -> ExprId {
        let op = match logical.op {
            ast::BoolOp::And => LogicalOp::And,
            ast::BoolOp::Or => LogicalOp::Or,
        };
        let last = logical.values.len() - 1;
        let mut values: Short<ExprId> = Short::with_capacity(logical.values.len());
        for (position, value) in logical.values.iter().enumerate() {
            let role = if position == last { Role::Arm } else { Role::Tested };
            values.push(self.expr(value, role));
            if position == 0 {
                self.event(Event::Branch(Some(values[0])));
            }
        }
        self.event(Event::EndBranch(false));
        let list = self.list(&values);
        let id = self.push(Expr::Logical(list, op), at, role);
        self.adopt_all(id, &values);
        id
    }

    fn conditional(&mut self, conditional: &ast::ExprIf, at: Span, role: Role) -> ExprId {
        let test = self.expr(&conditional.test, Role::Condition);
        self.event(Event::Branch(Some(test)));
        let body = self.expr(&conditional.body, Role::Arm);
        self.event(Event::Arm(None));
        let orelse = self.expr(&conditional.orelse, Role::Arm);
        self.event(Event::EndBranch(true));
        let list = self.list(&[body, orelse]);
        let id = self.push(Expr::Choice(list), at, role);
        self.adopt_all(id, &[test, body, orelse]);
        id
    }

    fn operation(&mut self, operands: &[&Ast], at: Span, role: Role) -> ExprId {
        let operands: Short<ExprId> = operands.iter().map(|operand| self.expr(operand, Role::Operand)).collect();
        let list = self.list(&operands);
        let id = self.push(Expr::Operation(list), at, role);
        self.adopt_all(id, &operands);
        id
    }

    /// A long chain of operators leans to the left: taken apart in a loop, it needs no stack.
    fn binary(&mut self, binary: &ast::ExprBinOp, at: Span, role: Role) -> ExprId {
        let mut operands: Short<&Ast> = smallvec![&*binary.right];
        let mut left = &*binary.left;
        while let Ast::BinOp(inner) = left {
            operands.push(&inner.right);
            left = &inner.left;
        }
        operands.push(left);
        operands.reverse();
        self.operation(&operands, at, role)
    }

    fn compare(&mut self, compare: &ast::ExprCompare, at: Span, role: Role) -> ExprId {
        use ast::CmpOp;
        let is_identity = compare.ops.iter().all(|op| matches!(op, CmpOp::Is | CmpOp::IsNot));
        let is_membership = compare.ops.iter().all(|op| matches!(op, CmpOp::In | CmpOp::NotIn));
        let (left, right) = match (is_identity, is_membership) {
            (true, _) => (Role::Identified, Role::Identified),
            (_, true) => (Role::Member, Role::Membership),
            _ => (Role::Compared, Role::Compared),
        };
        let mut operands: Short<ExprId> = smallvec![self.expr(&compare.left, left)];
        operands.extend(compare.comparators.iter().map(|operand| self.expr(operand, right)));
        let list = self.list(&operands);
        let (expr, is_negated) = match &*compare.ops {
            [CmpOp::Is] => (Expr::Identity(list), false),
            [CmpOp::IsNot] => (Expr::Identity(list), true),
            [CmpOp::Eq] => (Expr::Equality(list), false),
            [CmpOp::NotEq] => (Expr::Equality(list), true),
            [CmpOp::NotIn] => (Expr::Compare(list), true),
            _ => (Expr::Compare(list), false),
        };
        let id = self.push(expr, at, if is_negated { Role::Tested } else { role });
        self.adopt_all(id, &operands);
        if is_negated { self.with_child(Expr::Not(id), id, at, role) } else { id }
    }

    fn walrus(&mut self, named: &ast::ExprNamed, at: Span, role: Role) -> ExprId {
        let value = self.expr(&named.value, Role::Bound);
        let id = self.with_child(Expr::Bind(value), value, at, role);
        if let Ast::Name(name) = &*named.target {
            // Inside a comprehension the name belongs to the body around it, which is where we bind anyway.
            self.bind(Name::new(&name.id), BindingKind::Value(value), span(named.target.range()));
        }
        id
    }

    fn display(&mut self, elements: &[Ast], build: fn(racewalk_ir::ListId) -> Expr, at: Span, role: Role) -> ExprId {
        let elements: Short<ExprId> = elements.iter().map(|element| self.expr(element, Role::Element)).collect();
        let list = self.list(&elements);
        let id = self.push(build(list), at, role);
        self.adopt_all(id, &elements);
        id
    }

    fn mapping(&mut self, dict: &ast::ExprDict, at: Span, role: Role) -> ExprId {
        let mut entries = Vec::with_capacity(dict.items.len() * 2);
        for item in &dict.items {
            match &item.key {
                Some(key) => {
                    entries.push(self.expr(key, Role::MapKey));
                    entries.push(self.expr(&item.value, Role::Element));
                }
                None => {
                    let spread = self.expr(&item.value, Role::Unpacked);
                    entries.extend([spread, spread]);
                }
            }
        }
        let list = self.list(&entries);
        let id = self.push(Expr::Map(list), at, role);
        self.adopt_all(id, &entries);
        id
    }

    fn comprehension(
        &mut self,
        kind: CompKind,
        key: Option<&Ast>,
        element: &Ast,
        generators: &[ast::Comprehension],
        at: Span,
        role: Role,
    ) -> ExprId {
        let mut held: Short<ExprId> = Short::new();
        let first_event = self.event_count();
        for (position, generator) in generators.iter().enumerate() {
            held.push(self.start_generator(generator, position == 0, kind));
            for condition in &generator.ifs {
                held.push(self.expr(condition, Role::Condition));
            }
        }
        if let Some(key) = key {
            held.push(self.expr(key, Role::MapKey));
        }
        let element = self.expr(element, Role::Element);
        held.push(element);
        for _ in generators {
            self.event(Event::EndLoop);
            self.event(Event::EndLoopElse);
        }
        let mut kind = kind;
        if kind == CompKind::Lazy {
            self.event(Event::EndDefer);
            let inside = self.events_from(first_event).iter().skip_while(|event| **event != Event::Defer);
            if inside.into_iter().any(|event| matches!(event, Event::Suspend(..))) {
                kind = CompKind::LazyAsync;
            }
        }
        self.comprehensions.truncate(self.comprehensions.len() - generators.len());
        let id = self.push(Expr::Comp(kind, element), at, role);
        self.adopt_all(id, &held);
        id
    }

    /// The first iterable is evaluated at once, in the scope around the comprehension; everything else inside it.
    fn start_generator(&mut self, generator: &ast::Comprehension, is_first: bool, kind: CompKind) -> ExprId {
        let role = if generator.is_async { Role::IteratedAsync } else { Role::Iterated };
        let source = self.expr(&generator.iter, role);
        if is_first && kind == CompKind::Lazy {
            self.event(Event::Defer);
        }
        self.event(Event::Loop(Some(source)));
        if generator.is_async {
            self.event(Event::Suspend(SuspendKind::Iterate, source));
        }
        let mut names = Vec::new();
        target_names(&generator.target, &mut names);
        self.comprehensions.push(names);
        let binding = if generator.is_async { BindingKind::ElementAsync(source) } else { BindingKind::Element(source) };
        self.target(&generator.target, binding);
        source
    }

    fn lambda(&mut self, lambda: &ast::ExprLambda, at: Span, role: Role) -> ExprId {
        let params = lambda.parameters.as_deref().map(|parameters| self.params(parameters)).unwrap_or_default();
        let function = Function {
            parent: Some(self.current()),
            params,
            span: at,
            name_span: Span::new(at.start, at.start),
            ..blank(Name::new("<lambda>"), FunctionKind::Lambda)
        };
        let id = self.open(function, None);
        self.bind_params();
        let value = self.expr(&lambda.body, Role::Returned);
        self.function().return_values.push(value);
        self.event(Event::Return(Some(value)));
        self.close(id);
        self.event(Event::Define(id));
        self.push(Expr::Lambda(id), at, role)
    }

    fn format<'a>(
        &mut self,
        elements: impl Iterator<Item = &'a ast::InterpolatedStringElement>,
        at: Span,
        role: Role,
    ) -> ExprId {
        let mut values: Short<ExprId> = Short::new();
        for element in elements {
            match element {
                ast::InterpolatedStringElement::Interpolation(interpolation) => {
                    self.interpolation(interpolation, &mut values);
                }
                ast::InterpolatedStringElement::Literal(text) if values.is_empty() => {
                    // How the text begins tells which names it may stand for.
                    let literal = self.literal_str(&text.value);
                    values.push(self.push(Expr::Literal(literal), at, Role::Formatted));
                }
                ast::InterpolatedStringElement::Literal(_) => {}
            }
        }
        let list = self.list(&values);
        let id = self.push(Expr::Format(list), at, role);
        self.adopt_all(id, &values);
        id
    }

    fn interpolation(&mut self, interpolation: &ast::InterpolatedElement, values: &mut Short<ExprId>) {
        values.push(self.expr(&interpolation.expression, Role::Formatted));
        let nested = interpolation.format_spec.iter().flat_map(|spec| spec.elements.iter());
        for element in nested {
            if let ast::InterpolatedStringElement::Interpolation(inner) = element {
                values.push(self.expr(&inner.expression, Role::Formatted));
            }
        }
    }

    fn yields(&mut self, value: Option<ExprId>, id: ExprId) {
        let function = self.function();
        function.is_generator = true;
        if function.is_async {
            self.event(Event::Suspend(SuspendKind::Yield, id));
        }
        self.event(Event::Yield(value));
    }

    /// Lowers a type annotation: nothing of it happens at run time, and strings in it are types too.
    pub fn annotation(&mut self, ast: &Ast) -> ExprId {
        self.quiet += 1;
        let id = self.type_expr(ast, Role::Annotation);
        self.quiet -= 1;
        id
    }

    fn type_expr(&mut self, ast: &Ast, role: Role) -> ExprId {
        let at = span(ast.range());
        self.deeper(at, role, |this| match ast {
            Ast::StringLiteral(text) => this.quoted_type(text.value.to_str(), at, role),
            Ast::Subscript(subscript) => {
                let base = this.expr(&subscript.value, Role::Container);
                let is_literal = matches!(this.module.expr(base),
                    Expr::Name(name, _) | Expr::Attr(_, name) if name.as_str() == "Literal");
                let key = if is_literal {
                    this.expr(&subscript.slice, Role::Key)
                } else {
                    this.type_expr(&subscript.slice, Role::Key)
                };
                let id = this.with_child(Expr::Subscript(base, key), base, at, role);
                this.adopt(id, key);
                id
            }
            Ast::Tuple(tuple) => this.type_list(&tuple.elts, Expr::Tuple, at, role),
            Ast::List(list) => this.type_list(&list.elts, Expr::List, at, role),
            Ast::BinOp(union) if union.op == ast::Operator::BitOr => {
                let mut members = vec![&*union.right];
                let mut left = &*union.left;
                while let Ast::BinOp(inner) = left {
                    members.push(&inner.right);
                    left = &inner.left;
                }
                members.push(left);
                let members: Short<ExprId> =
                    members.into_iter().rev().map(|member| this.type_expr(member, Role::Arm)).collect();
                let list = this.list(&members);
                let id = this.push(Expr::Choice(list), at, role);
                this.adopt_all(id, &members);
                id
            }
            other => this.expr(other, role),
        })
    }

    fn type_list(&mut self, members: &[Ast], build: fn(racewalk_ir::ListId) -> Expr, at: Span, role: Role) -> ExprId {
        let members: Short<ExprId> = members.iter().map(|member| self.type_expr(member, Role::Element)).collect();
        let list = self.list(&members);
        let id = self.push(build(list), at, role);
        self.adopt_all(id, &members);
        id
    }

    fn quoted_type(&mut self, text: &str, at: Span, role: Role) -> ExprId {
        let Ok(parsed) = ruff_python_parser::parse_expression(text.trim()) else {
            return self.push(Expr::Opaque, at, role);
        };
        let outer = self.fixed_span;
        self.fixed_span = Some(outer.unwrap_or(at));
        let id = self.type_expr(parsed.expr(), role);
        self.fixed_span = outer;
        id
    }
}

fn number_literal(number: &ast::Number) -> Literal {
    match number {
        ast::Number::Int(int) => int.as_i32().map_or(Literal::Number(i32::MAX), Literal::Int),
        // The conversion saturates.
        ast::Number::Float(value) => Literal::Number((value * 1000.0) as i32),
        ast::Number::Complex { .. } => Literal::Number(i32::MAX),
    }
}

/// The plain names that a target binds.
fn target_names(target: &Ast, names: &mut Vec<Name>) {
    match target {
        Ast::Name(name) => names.push(Name::new(&name.id)),
        Ast::Tuple(tuple) => tuple.elts.iter().for_each(|element| target_names(element, names)),
        Ast::List(list) => list.elts.iter().for_each(|element| target_names(element, names)),
        Ast::Starred(starred) => target_names(&starred.value, names),
        _ => {}
    }
}

//! Expressions.

use crate::function::FunctionParts;
use crate::hoist;
use crate::lowerer::Lowerer;
use crate::span;
use crate::specifier::import_path;
use oxc_ast::ast::{
    self, Argument, ArrayExpressionElement, AssignmentOperator, BinaryOperator, ChainElement, Expression,
    LogicalOperator, UnaryOperator,
};
use oxc_span::GetSpan;
use racewalk_ir::{
    Arg, ArgKind, BindingKind, CompKind, Event, Expr, ExprId, ListId, Literal, LogicalOp, Name, Role, Span, SuspendKind,
};
use smallvec::{SmallVec, smallvec};

/// A list that is short nearly always.
pub(crate) type Short<T> = SmallVec<[T; 8]>;

impl Lowerer<'_> {
    /// Lowers an expression whose value becomes `role`.
    pub fn expr(&mut self, ast: &Expression<'_>, role: Role) -> ExprId {
        self.deeper(span(ast.span()), role, |this| this.expr_here(ast, role))
    }

    fn expr_here(&mut self, ast: &Expression<'_>, role: Role) -> ExprId {
        let at = span(ast.span());
        match ast {
            Expression::Identifier(name) => self.identifier(name.name.as_str(), at, role),
            Expression::ThisExpression(_) => self.read("this", at, role),
            Expression::Super(_) => self.super_value(at, role),
            Expression::StaticMemberExpression(member) => {
                self.member(&member.object, member.property.name.as_str(), at, role)
            }
            Expression::PrivateFieldExpression(member) => {
                let name = private_name(member.field.name.as_str());
                self.member(&member.object, &name, at, role)
            }
            Expression::ComputedMemberExpression(member) => self.element(member, at, role),
            Expression::CallExpression(call) => self.call_expr(call, at, role),
            Expression::NewExpression(new) => {
                let callee = self.expr(&new.callee, Role::Callee);
                let made = self.finish_call(callee, &new.arguments, at, role);
                match &new.type_arguments {
                    Some(arguments) => self.made_of_types(made, callee, arguments, at),
                    None => made,
                }
            }
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::CallExpression(call) => self.call_expr(call, at, role),
                ChainElement::TSNonNullExpression(inner) => self.expr(&inner.expression, role),
                other => match other.as_member_expression() {
                    Some(member) => self.member_expression(member, at, role),
                    None => self.push(Expr::Opaque, at, role),
                },
            },
            Expression::AwaitExpression(awaited) => {
                let value = self.expr(&awaited.argument, Role::Awaited);
                let id = self.with_child(Expr::Await(value), value, at, role);
                self.event(Event::Suspend(SuspendKind::Await, value));
                id
            }
            Expression::YieldExpression(yielded) => self.yielded(yielded, at, role),
            Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_) => {
                let id = self.function_value(ast, Name::new("<anonymous>"));
                self.push(Expr::Lambda(id), at, role)
            }
            Expression::ClassExpression(class) => {
                let name = class.id.as_ref().map_or("<anonymous>", |id| id.name.as_str());
                let id = self.class(class, Name::new(name));
                let symbol = self.bind_hidden("class", BindingKind::Class(id), at);
                self.read_hidden(symbol, at, role)
            }
            Expression::ObjectExpression(object) => self.object(object, at, role),
            Expression::ArrayExpression(array) => self.array(array, at, role),
            Expression::AssignmentExpression(assignment) => self.assignment(assignment, at, role),
            Expression::UpdateExpression(update) => self.update(update, at, role),
            Expression::LogicalExpression(logical) => self.logical(logical, at, role),
            Expression::BinaryExpression(binary) => self.binary(binary, at, role),
            Expression::ConditionalExpression(conditional) => self.conditional(conditional, at, role),
            Expression::UnaryExpression(unary) => self.unary(unary, at, role),
            Expression::SequenceExpression(sequence) => {
                let (last, rest) = sequence.expressions.split_last().expect("a sequence has members");
                rest.iter().for_each(|dropped| {
                    self.expr(dropped, Role::Dropped);
                });
                self.expr(last, role)
            }
            Expression::TemplateLiteral(template) => self.template(template, at, role),
            Expression::TaggedTemplateExpression(tagged) => {
                let callee = self.expr(&tagged.tag, Role::Callee);
                let text = self.template(&tagged.quasi, span(tagged.quasi.span), Role::Argument);
                self.call_of(callee, &[Arg { kind: ArgKind::Positional, value: text }], at, role)
            }
            Expression::ImportExpression(import) => self.dynamic_import(import, at, role),
            Expression::ParenthesizedExpression(inner) => self.expr(&inner.expression, role),
            Expression::TSAsExpression(cast) => self.cast(&cast.expression, &cast.type_annotation, role),
            Expression::TSTypeAssertion(cast) => self.cast(&cast.expression, &cast.type_annotation, role),
            Expression::TSSatisfiesExpression(inner) => self.expr(&inner.expression, role),
            Expression::TSNonNullExpression(inner) => self.expr(&inner.expression, role),
            Expression::TSInstantiationExpression(inner) => self.expr(&inner.expression, role),
            Expression::PrivateInExpression(test) => {
                let right = self.expr(&test.right, Role::Membership);
                let list = self.list(&[right]);
                self.with_child(Expr::Compare(list), right, at, role)
            }
            Expression::JSXElement(element) => self.jsx_element(element, at, role),
            Expression::JSXFragment(fragment) => self.jsx_fragment(fragment, at, role),
            Expression::BooleanLiteral(truth) => self.literal(Literal::Bool(truth.value), at, role),
            Expression::NullLiteral(_) => self.literal(Literal::None, at, role),
            Expression::NumericLiteral(number) => self.literal(number_literal(number.value), at, role),
            Expression::StringLiteral(text) => {
                let literal = self.literal_str(text.value.as_str());
                self.literal(literal, at, role)
            }
            Expression::BigIntLiteral(_) | Expression::RegExpLiteral(_) => self.literal(Literal::Text, at, role),
            Expression::ImportMeta(_) | Expression::NewTarget(_) => self.literal(Literal::Text, at, role),
            Expression::V8IntrinsicExpression(_) => self.push(Expr::Opaque, at, role),
        }
    }

    pub fn literal(&mut self, literal: Literal, at: Span, role: Role) -> ExprId {
        self.push(Expr::Literal(literal), at, role)
    }

    fn identifier(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        if name == "undefined" && self.is_global(name) {
            return self.literal(Literal::None, at, role);
        }
        self.read(name, at, role)
    }

    /// What `super` stands for: the call that gives the members of the bases, which no statement makes.
    fn super_value(&mut self, at: Span, role: Role) -> ExprId {
        let callee = self.push(Expr::Name(Name::new("super"), racewalk_ir::Defs::Outer), at, Role::Callee);
        let call = self.call(&[]);
        self.with_child(Expr::Call(callee, call), callee, at, role)
    }

    fn member(&mut self, object: &Expression<'_>, name: &str, at: Span, role: Role) -> ExprId {
        let base = self.expr(object, Role::Receiver);
        let id = self.with_child(Expr::Attr(base, Name::new(name)), base, at, role);
        self.read_place(id, role);
        id
    }

    fn element(&mut self, member: &ast::ComputedMemberExpression<'_>, at: Span, role: Role) -> ExprId {
        // `a["b"]` is `a.b`.
        if let Expression::StringLiteral(key) = &member.expression {
            return self.member(&member.object, key.value.as_str(), at, role);
        }
        let base = self.expr(&member.object, Role::Container);
        let key = self.expr(&member.expression, Role::Key);
        let id = self.with_child(Expr::Subscript(base, key), base, at, role);
        self.adopt(id, key);
        self.read_place(id, role);
        id
    }

    pub fn member_expression(&mut self, member: &ast::MemberExpression<'_>, at: Span, role: Role) -> ExprId {
        match member {
            ast::MemberExpression::ComputedMemberExpression(member) => self.element(member, at, role),
            ast::MemberExpression::StaticMemberExpression(member) => {
                self.member(&member.object, member.property.name.as_str(), at, role)
            }
            ast::MemberExpression::PrivateFieldExpression(member) => {
                let name = private_name(member.field.name.as_str());
                self.member(&member.object, &name, at, role)
            }
        }
    }

    /// Only the outermost place of a chain is read as such: `a.b.c` is one read of `c` in `b` in `a`.
    pub fn read_place(&mut self, id: ExprId, role: Role) {
        if !matches!(role, Role::Receiver | Role::Container | Role::Callee) {
            self.event(Event::ReadPlace(id));
        }
    }

    fn call_expr(&mut self, call: &ast::CallExpression<'_>, at: Span, role: Role) -> ExprId {
        if let Some(required) = call.common_js_require()
            && self.is_global("require")
        {
            let path = import_path(required.value.as_str());
            self.module.imports.push(Name::new(required.value.as_str()));
            let symbol = self.bind_hidden("require", BindingKind::Import(path), at);
            return self.read_hidden(symbol, at, role);
        }
        if let Some((source, mapped)) = mapping(call) {
            return self.mapped(source, mapped, at, role);
        }
        let callee = match &call.callee {
            Expression::Super(_) => {
                let bases = self.super_value(span(call.callee.span()), Role::Receiver);
                self.with_child(
                    Expr::Attr(bases, Name::new("constructor")),
                    bases,
                    span(call.callee.span()),
                    Role::Callee,
                )
            }
            callee => self.expr(callee, Role::Callee),
        };
        self.finish_call(callee, &call.arguments, at, role)
    }

    /// `source.map(f)`: what a comprehension says, whatever it is that is gone through.
    fn mapped(&mut self, source: &Expression<'_>, mapped: &Expression<'_>, at: Span, role: Role) -> ExprId {
        let source = self.expr(source, Role::Iterated);
        self.event(Event::Loop(Some(source)));
        let function = self.current();
        self.scopes.enter(function);
        let element = match plain_arrow(mapped) {
            Some((param, value)) => {
                hoist::pattern_names(param, &mut |name| self.declare(name));
                self.bind_pattern(param, BindingKind::Element(source));
                self.expr(value, Role::Element)
            }
            None => {
                let at = span(mapped.span());
                let given = self.bind_hidden("element", BindingKind::Element(source), at);
                let callee = self.expr(mapped, Role::Callee);
                let value = self.read_hidden(given, at, Role::Argument);
                self.call_of(callee, &[Arg { kind: ArgKind::Positional, value }], at, Role::Element)
            }
        };
        self.scopes.leave();
        self.event(Event::EndLoop);
        self.event(Event::EndLoopElse);
        let id = self.push(Expr::Comp(CompKind::List, element), at, role);
        self.adopt_all(id, &[source, element]);
        id
    }

    fn finish_call(&mut self, callee: ExprId, arguments: &[Argument<'_>], at: Span, role: Role) -> ExprId {
        let args: Short<Arg> = arguments.iter().map(|argument| self.argument(argument)).collect();
        self.call_of(callee, &args, at, role)
    }

    fn argument(&mut self, argument: &Argument<'_>) -> Arg {
        match argument {
            Argument::SpreadElement(spread) => {
                Arg { kind: ArgKind::Spread, value: self.expr(&spread.argument, Role::Unpacked) }
            }
            other => Arg { kind: ArgKind::Positional, value: self.expr(other.to_expression(), Role::Argument) },
        }
    }

    pub fn call_of(&mut self, callee: ExprId, args: &[Arg], at: Span, role: Role) -> ExprId {
        let call = self.call(args);
        let id = self.with_child(Expr::Call(callee, call), callee, at, role);
        for arg in args {
            self.adopt(id, arg.value);
        }
        self.event(Event::Call(id));
        id
    }

    /// `new Map<string, User>()`: what is made, of the type that its arguments make.
    fn made_of_types(
        &mut self,
        made: ExprId,
        class: ExprId,
        arguments: &ast::TSTypeParameterInstantiation<'_>,
        at: Span,
    ) -> ExprId {
        let declared = self.quietly(|this| {
            let class = match this.module.expr(class) {
                Expr::Name(name, defs) => this.push(Expr::Name(name, defs), at, Role::Container),
                _ => return None,
            };
            Some(this.generic(class, &arguments.params, at, Role::Annotation))
        });
        match declared {
            Some(declared) => self.typed(made, declared),
            None => made,
        }
    }

    /// `value as Type`
    fn cast(&mut self, value: &Expression<'_>, to: &ast::TSType<'_>, role: Role) -> ExprId {
        // `as const` and `as any` say nothing.
        let says_nothing = matches!(to, ast::TSType::TSAnyKeyword(_) | ast::TSType::TSUnknownKeyword(_))
            || matches!(to, ast::TSType::TSTypeReference(named)
                if matches!(&named.type_name, ast::TSTypeName::IdentifierReference(id) if id.name == "const"));
        let lowered = self.expr(value, role);
        if says_nothing {
            return lowered;
        }
        let declared = self.annotation(to);
        self.typed(lowered, declared)
    }

    /// The value of an expression, for which the code says a type. What happens to the value is what happens to the expression, so
    /// this stays the expression; only who asks for the type finds what was said.
    fn typed(&mut self, value: ExprId, declared: ExprId) -> ExprId {
        self.module.casts.push((value, declared));
        value
    }

    fn array(&mut self, array: &ast::ArrayExpression<'_>, at: Span, role: Role) -> ExprId {
        let element = |this: &mut Self, element: &ArrayExpressionElement<'_>| match element {
            ArrayExpressionElement::SpreadElement(spread) => {
                let value = this.expr(&spread.argument, Role::Unpacked);
                this.with_child(Expr::Spread(value), value, span(spread.span), Role::Element)
            }
            ArrayExpressionElement::Elision(hole) => this.literal(Literal::None, span(hole.span), Role::Element),
            other => this.expr(other.to_expression(), Role::Element),
        };
        let elements: Short<ExprId> = array.elements.iter().map(|ast| element(self, ast)).collect();
        let list = self.list(&elements);
        let id = self.push(Expr::List(list), at, role);
        self.adopt_all(id, &elements);
        id
    }

    fn assignment(&mut self, assignment: &ast::AssignmentExpression<'_>, at: Span, role: Role) -> ExprId {
        if assignment.operator == AssignmentOperator::Assign {
            let role_of_value = if role == Role::Dropped { Role::Stored } else { Role::Bound };
            let value = self.named_value(&assignment.right, target_name(&assignment.left), role_of_value);
            self.assign_target(&assignment.left, BindingKind::Value(value));
            self.note_common_js(&assignment.left, &assignment.right, value);
            return if role == Role::Dropped { value } else { self.with_child(Expr::Bind(value), value, at, role) };
        }
        if assignment.operator.is_logical() {
            return self.logical_assignment(assignment, at, role);
        }
        let Some(target) = assignment.left.as_simple_assignment_target() else {
            return self.expr(&assignment.right, role);
        };
        let read = self.read_target(target, Role::Operand);
        self.event(Event::Modify(read));
        let value = self.expr(&assignment.right, Role::Operand);
        self.modified(target, read, value);
        let list = self.list(&[read, value]);
        let id = self.push(Expr::Operation(list), at, role);
        self.adopt_all(id, &[read, value]);
        id
    }

    /// `a ||= b`, `a ??= b`: a test, and an assignment on one side of it.
    fn logical_assignment(&mut self, assignment: &ast::AssignmentExpression<'_>, at: Span, role: Role) -> ExprId {
        let Some(target) = assignment.left.as_simple_assignment_target() else {
            return self.expr(&assignment.right, role);
        };
        let is_and = assignment.operator == AssignmentOperator::LogicalAnd;
        let read = self.read_target(target, Role::Tested);
        self.event(Event::Branch(Some(read)));
        let value = self.named_value(&assignment.right, target_name(&assignment.left), Role::Stored);
        self.assign_target(&assignment.left, BindingKind::Value(value));
        self.event(Event::EndBranch(false));
        let list = self.list(&[read, value]);
        let id = self.push(Expr::Logical(list, if is_and { LogicalOp::And } else { LogicalOp::Or }), at, role);
        self.adopt_all(id, &[read, value]);
        id
    }

    fn update(&mut self, update: &ast::UpdateExpression<'_>, at: Span, role: Role) -> ExprId {
        let read = self.read_target(&update.argument, Role::Operand);
        self.event(Event::Modify(read));
        let one = self.literal(Literal::Int(1), at, Role::Operand);
        self.modified(&update.argument, read, one);
        let list = self.list(&[read, one]);
        let id = self.push(Expr::Operation(list), at, role);
        self.adopt_all(id, &[read, one]);
        id
    }

    fn logical(&mut self, logical: &ast::LogicalExpression<'_>, at: Span, role: Role) -> ExprId {
        let mut operands: Short<&Expression<'_>> = smallvec![&logical.right];
        let mut left = &logical.left;
        while let Expression::LogicalExpression(inner) = left
            && inner.operator == logical.operator
        {
            operands.push(&inner.right);
            left = &inner.left;
        }
        operands.push(left);
        operands.reverse();
        let (op, tested) = match logical.operator {
            LogicalOperator::And => (LogicalOp::And, Role::Tested),
            LogicalOperator::Or => (LogicalOp::Or, Role::Tested),
            // What is asked is whether there is a value at all.
            LogicalOperator::Coalesce => (LogicalOp::Or, Role::Arm),
        };
        let last = operands.len() - 1;
        let mut values: Short<ExprId> = Short::with_capacity(operands.len());
        for (position, operand) in operands.into_iter().enumerate() {
            values.push(self.expr(operand, if position == last { Role::Arm } else { tested }));
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

    /// A long chain of operators leans to the left: taken apart in a loop, it needs no stack.
    fn binary(&mut self, binary: &ast::BinaryExpression<'_>, at: Span, role: Role) -> ExprId {
        let (build, operand_roles): (fn(ListId) -> Expr, _) = match binary.operator {
            BinaryOperator::StrictEquality | BinaryOperator::StrictInequality => (
                if is_nothing(&binary.left) || is_nothing(&binary.right) { Expr::Identity } else { Expr::Equality },
                compared_roles(binary),
            ),
            BinaryOperator::Equality | BinaryOperator::Inequality => (
                if is_nothing(&binary.left) || is_nothing(&binary.right) { Expr::Identity } else { Expr::Equality },
                compared_roles(binary),
            ),
            BinaryOperator::LessThan
            | BinaryOperator::LessEqualThan
            | BinaryOperator::GreaterThan
            | BinaryOperator::GreaterEqualThan => (Expr::Compare, (Role::Compared, Role::Compared)),
            BinaryOperator::In => (Expr::Compare, (Role::Member, Role::Membership)),
            BinaryOperator::Instanceof => (Expr::Compare, (Role::Identified, Role::Other)),
            _ => return self.arithmetic(binary, at, role),
        };
        let is_negated = matches!(binary.operator, BinaryOperator::StrictInequality | BinaryOperator::Inequality);
        let left = self.expr(&binary.left, operand_roles.0);
        let right = self.expr(&binary.right, operand_roles.1);
        let list = self.list(&[left, right]);
        let id = self.push(build(list), at, if is_negated { Role::Tested } else { role });
        self.adopt_all(id, &[left, right]);
        if is_negated { self.with_child(Expr::Not(id), id, at, role) } else { id }
    }

    fn arithmetic(&mut self, binary: &ast::BinaryExpression<'_>, at: Span, role: Role) -> ExprId {
        let mut operands: Short<&Expression<'_>> = smallvec![&binary.right];
        let mut left = &binary.left;
        while let Expression::BinaryExpression(inner) = left
            && !inner.operator.is_compare()
            && !inner.operator.is_equality()
            && !inner.operator.is_keyword()
        {
            operands.push(&inner.right);
            left = &inner.left;
        }
        operands.push(left);
        operands.reverse();
        let operands: Short<ExprId> = operands.into_iter().map(|operand| self.expr(operand, Role::Operand)).collect();
        let list = self.list(&operands);
        let id = self.push(Expr::Operation(list), at, role);
        self.adopt_all(id, &operands);
        id
    }

    fn conditional(&mut self, conditional: &ast::ConditionalExpression<'_>, at: Span, role: Role) -> ExprId {
        let test = self.expr(&conditional.test, Role::Condition);
        self.event(Event::Branch(Some(test)));
        let consequent = self.expr(&conditional.consequent, Role::Arm);
        self.event(Event::Arm(None));
        let alternate = self.expr(&conditional.alternate, Role::Arm);
        self.event(Event::EndBranch(true));
        let list = self.list(&[consequent, alternate]);
        let id = self.push(Expr::Choice(list), at, role);
        self.adopt_all(id, &[test, consequent, alternate]);
        id
    }

    fn unary(&mut self, unary: &ast::UnaryExpression<'_>, at: Span, role: Role) -> ExprId {
        match unary.operator {
            UnaryOperator::LogicalNot => {
                let operand = self.expr(&unary.argument, Role::Tested);
                self.with_child(Expr::Not(operand), operand, at, role)
            }
            UnaryOperator::Void => {
                self.expr(&unary.argument, Role::Discarded);
                self.literal(Literal::None, at, role)
            }
            UnaryOperator::Delete => {
                let place = self.expr(&unary.argument, Role::Deleted);
                self.event(Event::WritePlace(place, None));
                self.literal(Literal::Bool(true), at, role)
            }
            UnaryOperator::Typeof => {
                let operand = self.expr(&unary.argument, Role::Identified);
                let list = self.list(&[operand]);
                self.with_child(Expr::Format(list), operand, at, role)
            }
            UnaryOperator::UnaryNegation | UnaryOperator::UnaryPlus | UnaryOperator::BitwiseNot => {
                if let (UnaryOperator::UnaryNegation, Expression::NumericLiteral(number)) =
                    (unary.operator, &unary.argument)
                {
                    return self.literal(number_literal(-number.value), at, role);
                }
                let operand = self.expr(&unary.argument, Role::Operand);
                let list = self.list(&[operand]);
                self.with_child(Expr::Operation(list), operand, at, role)
            }
        }
    }

    fn template(&mut self, template: &ast::TemplateLiteral<'_>, at: Span, role: Role) -> ExprId {
        if template.expressions.is_empty() {
            let text = template.quasis.first().and_then(|quasi| quasi.value.cooked);
            let literal = text.map_or(Literal::Text, |text| self.literal_str(text.as_str()));
            return self.literal(literal, at, role);
        }
        let mut values: Short<ExprId> = Short::new();
        if let Some(start) = template.quasis.first().filter(|quasi| !quasi.value.raw.is_empty()) {
            // How the text begins tells which names it may stand for.
            let literal = self.literal_str(start.value.raw.as_str());
            values.push(self.literal(literal, at, Role::Formatted));
        }
        for value in &template.expressions {
            values.push(self.expr(value, Role::Formatted));
        }
        let list = self.list(&values);
        let id = self.push(Expr::Format(list), at, role);
        self.adopt_all(id, &values);
        id
    }

    fn yielded(&mut self, yielded: &ast::YieldExpression<'_>, at: Span, role: Role) -> ExprId {
        let role_of_value = if yielded.delegate { Role::Iterated } else { Role::Yielded };
        let value = yielded.argument.as_ref().map(|value| self.expr(value, role_of_value));
        let id = match value {
            Some(source) if yielded.delegate => self.with_child(Expr::YieldFrom(source), source, at, role),
            Some(value) => self.with_child(Expr::Yield(Some(value)), value, at, role),
            None => self.push(Expr::Yield(None), at, role),
        };
        let function = self.function();
        function.is_generator = true;
        if function.is_async {
            self.event(Event::Suspend(SuspendKind::Yield, id));
        }
        self.event(Event::Yield(value));
        id
    }

    /// `import("./module")` gives a promise of the module.
    fn dynamic_import(&mut self, import: &ast::ImportExpression<'_>, at: Span, role: Role) -> ExprId {
        let callee = self.push(Expr::Name(Name::new("import"), racewalk_ir::Defs::Outer), at, Role::Callee);
        let argument = match &import.source {
            Expression::StringLiteral(source) => {
                self.module.imports.push(Name::new(source.value.as_str()));
                let kind = BindingKind::Import(import_path(source.value.as_str()));
                let symbol = self.bind_hidden("import", kind, at);
                self.read_hidden(symbol, at, Role::Argument)
            }
            other => self.expr(other, Role::Argument),
        };
        self.call_of(callee, &[Arg { kind: ArgKind::Positional, value: argument }], at, role)
    }

    /// Lowers a value that gets a name, which a nameless function or class in it takes over.
    pub fn named_value(&mut self, ast: &Expression<'_>, name: Option<Name>, role: Role) -> ExprId {
        match (ast, name) {
            (Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_), Some(name)) => {
                let id = self.function_value(ast, name);
                self.push(Expr::Lambda(id), span(ast.span()), role)
            }
            _ => self.expr(ast, role),
        }
    }

    /// Lowers a function expression, which must be one.
    pub fn function_value(&mut self, ast: &Expression<'_>, name: Name) -> racewalk_ir::FunctionId {
        let parts = FunctionParts::of_expression(ast, name).expect("the caller has seen that it is a function");
        self.lower_function(parts)
    }
}

/// What is gone through, and the function that is called with each element.
fn mapping<'a>(call: &'a ast::CallExpression<'a>) -> Option<(&'a Expression<'a>, &'a Expression<'a>)> {
    let Expression::StaticMemberExpression(member) = &call.callee else { return None };
    let [only] = call.arguments.as_slice() else { return None };
    let mapped = only.as_expression().filter(|_| member.property.name == "map")?;
    let is_function = matches!(
        mapped,
        Expression::ArrowFunctionExpression(_)
            | Expression::FunctionExpression(_)
            | Expression::Identifier(_)
            | Expression::StaticMemberExpression(_)
    );
    is_function.then_some((&member.object, mapped))
}

/// An arrow function that only computes a value from its one parameter.
fn plain_arrow<'a>(function: &'a Expression<'a>) -> Option<(&'a ast::BindingPattern<'a>, &'a Expression<'a>)> {
    let Expression::ArrowFunctionExpression(arrow) = function else { return None };
    let ast::ArrowFunctionBody::FunctionBody(_) = &arrow.body else {
        let [param] = arrow.params.items.as_slice() else { return None };
        let is_plain = !arrow.r#async && arrow.params.rest.is_none() && param.initializer.is_none();
        let is_whole = !matches!(param.pattern, ast::BindingPattern::AssignmentPattern(_));
        return (is_plain && is_whole).then(|| (&param.pattern, arrow.body.to_expression()));
    };
    None
}

fn compared_roles(binary: &ast::BinaryExpression<'_>) -> (Role, Role) {
    let is_about_nothing = is_nothing(&binary.left) || is_nothing(&binary.right);
    if is_about_nothing { (Role::Identified, Role::Identified) } else { (Role::Compared, Role::Compared) }
}

/// `null` or `undefined`.
fn is_nothing(ast: &Expression<'_>) -> bool {
    ast.is_null_or_undefined()
}

fn target_name(target: &ast::AssignmentTarget<'_>) -> Option<Name> {
    match target {
        ast::AssignmentTarget::AssignmentTargetIdentifier(name) => Some(Name::new(name.name.as_str())),
        other => {
            let member = other.as_member_expression()?;
            member.static_property_name().map(Name::new)
        }
    }
}

/// A private member's name, which no other member can have.
pub(crate) fn private_name(name: &str) -> String {
    format!("#{name}")
}

/// A whole number that fits; any other in thousandths, as far as that goes.
pub(crate) fn number_literal(value: f64) -> Literal {
    let whole = value as i32;
    if f64::from(whole) == value { Literal::Int(whole) } else { Literal::Number((value * 1000.0) as i32) }
}

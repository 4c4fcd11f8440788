//! Targets of bindings and assignments, taken apart.

use crate::expression::private_name;
use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{
    AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetProperty, BindingPattern, Expression,
    MemberExpression, PropertyKey, SimpleAssignmentTarget,
};
use oxc_span::GetSpan;
use racewalk_ir::{BindingKind, Event, Expr, ExprId, Field, Name, Role, Span};

/// The key of a property, as far as the text says it.
pub(crate) enum Key {
    Known(Name),
    Computed(ExprId),
}

impl Lowerer<'_> {
    /// Binds what a declaration's pattern names.
    pub fn bind_pattern(&mut self, pattern: &BindingPattern<'_>, kind: BindingKind) {
        match pattern {
            BindingPattern::BindingIdentifier(name) => {
                self.bind(name.name.as_str(), kind, span(name.span));
            }
            BindingPattern::AssignmentPattern(with_default) => {
                self.default_value(&with_default.right);
                self.bind_pattern(&with_default.left, kind);
            }
            BindingPattern::ObjectPattern(object) => {
                let whole = self.whole(kind, span(object.span));
                for property in &object.properties {
                    let key = self.property_key(&property.key, property.computed);
                    let part = self.part_under(whole, &key, span(property.span));
                    self.bind_pattern(&property.value, BindingKind::Value(part));
                }
                if let Some(rest) = &object.rest {
                    self.bind_pattern(&rest.argument, BindingKind::Value(whole));
                }
            }
            BindingPattern::ArrayPattern(array) => {
                let kind = self.divisible(kind, span(array.span));
                for (position, element) in array.elements.iter().enumerate() {
                    if let Some(element) = element {
                        self.bind_pattern(element, part_at(kind, position as u32));
                    }
                }
                if let Some(rest) = &array.rest {
                    self.bind_pattern(&rest.argument, BindingKind::Opaque);
                }
            }
        }
    }

    /// Binds or writes what an assignment's target names.
    pub fn assign_target(&mut self, target: &AssignmentTarget<'_>, kind: BindingKind) {
        match target {
            AssignmentTarget::ObjectAssignmentTarget(object) => {
                let whole = self.whole(kind, span(object.span));
                for property in &object.properties {
                    self.assign_property(property, whole);
                }
                if let Some(rest) = &object.rest {
                    self.assign_target(&rest.target, BindingKind::Value(whole));
                }
            }
            AssignmentTarget::ArrayAssignmentTarget(array) => {
                let kind = self.divisible(kind, span(array.span));
                for (position, element) in array.elements.iter().enumerate() {
                    if let Some(element) = element {
                        self.assign_with_default(element, part_at(kind, position as u32));
                    }
                }
                if let Some(rest) = &array.rest {
                    self.assign_target(&rest.target, BindingKind::Opaque);
                }
            }
            other => {
                if let Some(simple) = other.as_simple_assignment_target() {
                    self.assign_simple(simple, kind);
                }
            }
        }
    }

    fn assign_property(&mut self, property: &AssignmentTargetProperty<'_>, whole: ExprId) {
        match property {
            AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(short) => {
                if let Some(default) = &short.init {
                    self.default_value(default);
                }
                let at = span(short.binding.span);
                let name = short.binding.name.as_str();
                let part = self.part_under(whole, &Key::Known(Name::new(name)), at);
                self.bind(name, BindingKind::Value(part), at);
            }
            AssignmentTargetProperty::AssignmentTargetPropertyProperty(long) => {
                let key = self.property_key(&long.name, long.computed);
                let part = self.part_under(whole, &key, span(long.span));
                self.assign_with_default(&long.binding, BindingKind::Value(part));
            }
        }
    }

    fn assign_with_default(&mut self, target: &AssignmentTargetMaybeDefault<'_>, kind: BindingKind) {
        match target {
            AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(with_default) => {
                self.default_value(&with_default.init);
                self.assign_target(&with_default.binding, kind);
            }
            other => self.assign_target(other.to_assignment_target(), kind),
        }
    }

    fn assign_simple(&mut self, target: &SimpleAssignmentTarget<'_>, kind: BindingKind) {
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(name) => {
                self.bind(name.name.as_str(), kind, span(name.span));
            }
            SimpleAssignmentTarget::TSAsExpression(inner) => self.assign_expression(&inner.expression, kind),
            SimpleAssignmentTarget::TSSatisfiesExpression(inner) => self.assign_expression(&inner.expression, kind),
            SimpleAssignmentTarget::TSNonNullExpression(inner) => self.assign_expression(&inner.expression, kind),
            SimpleAssignmentTarget::TSTypeAssertion(inner) => self.assign_expression(&inner.expression, kind),
            other => {
                if let Some(member) = other.as_member_expression() {
                    self.write_member(member, kind);
                }
            }
        }
    }

    fn assign_expression(&mut self, target: &Expression<'_>, kind: BindingKind) {
        match target.get_inner_expression() {
            Expression::Identifier(name) => {
                self.bind(name.name.as_str(), kind, span(name.span));
            }
            other => {
                if let Some(member) = other.as_member_expression() {
                    self.write_member(member, kind);
                }
            }
        }
    }

    fn write_member(&mut self, member: &MemberExpression<'_>, kind: BindingKind) {
        let at = span(member.span());
        let value = value_of(kind);
        let id = match member.static_property_name().map(Name::new).or_else(|| private_member(member)) {
            Some(name) => {
                let base = self.expr(member.object(), Role::Receiver);
                self.note_field(base, name, kind, at);
                self.with_child(Expr::Attr(base, name), base, at, Role::Target)
            }
            None => {
                let MemberExpression::ComputedMemberExpression(element) = member else { return };
                let base = self.expr(&element.object, Role::Container);
                let key = self.expr(&element.expression, Role::Key);
                let id = self.with_child(Expr::Subscript(base, key), base, at, Role::Target);
                self.adopt(id, key);
                id
            }
        };
        self.event(Event::WritePlace(id, value));
    }

    /// Remembers what a method assigns to a member of its receiver.
    pub fn note_field(&mut self, base: ExprId, name: Name, kind: BindingKind, at: Span) {
        let Expr::Name(receiver, _) = self.module.expr(base) else { return };
        if let Some(class) = self.receiver_class(receiver) {
            let function = self.current();
            self.module.classes[class.index()].fields.push(Field { name, function, kind, span: at });
        }
    }

    /// Reads the target of an assignment that changes it.
    pub fn read_target(&mut self, target: &SimpleAssignmentTarget<'_>, role: Role) -> ExprId {
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(name) => {
                self.read(name.name.as_str(), span(name.span), role)
            }
            SimpleAssignmentTarget::TSAsExpression(inner) => self.expr(&inner.expression, role),
            SimpleAssignmentTarget::TSSatisfiesExpression(inner) => self.expr(&inner.expression, role),
            SimpleAssignmentTarget::TSNonNullExpression(inner) => self.expr(&inner.expression, role),
            SimpleAssignmentTarget::TSTypeAssertion(inner) => self.expr(&inner.expression, role),
            other => match other.as_member_expression() {
                Some(member) => self.member_expression(member, span(member.span()), role),
                None => self.push(Expr::Opaque, span(target.span()), role),
            },
        }
    }

    /// The write of a read-modify-write, after its read.
    pub fn modified(&mut self, target: &SimpleAssignmentTarget<'_>, read: ExprId, operand: ExprId) {
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(name) => {
                self.bind(name.name.as_str(), BindingKind::Modified(operand), span(name.span));
            }
            _ => self.event(Event::WritePlace(read, None)),
        }
    }

    /// The name of a property, or the expression that gives it.
    pub fn property_key(&mut self, key: &PropertyKey<'_>, is_computed: bool) -> Key {
        if let PropertyKey::PrivateIdentifier(name) = key {
            return Key::Known(Name::new(&private_name(name.name.as_str())));
        }
        match key.static_name() {
            Some(name) => Key::Known(Name::new(&name)),
            None if is_computed => Key::Computed(self.expr(key.to_expression(), Role::Key)),
            None => Key::Known(Name::new("<computed>")),
        }
    }

    /// A default is evaluated when there is no value.
    pub fn default_value(&mut self, default: &Expression<'_>) -> ExprId {
        self.event(Event::Branch(None));
        let value = self.expr(default, Role::Default);
        self.event(Event::EndBranch(false));
        value
    }

    /// An expression for all of what a pattern takes apart.
    fn whole(&mut self, kind: BindingKind, at: Span) -> ExprId {
        match kind {
            BindingKind::Value(value) => value,
            kind => {
                let symbol = self.bind_hidden("whole", kind, at);
                self.read_hidden(symbol, at, Role::Receiver)
            }
        }
    }

    /// A kind of which parts by position can be named.
    fn divisible(&mut self, kind: BindingKind, at: Span) -> BindingKind {
        match kind {
            BindingKind::Value(_) | BindingKind::Element(_) => kind,
            other => BindingKind::Value(self.whole(other, at)),
        }
    }

    fn part_under(&mut self, whole: ExprId, key: &Key, at: Span) -> ExprId {
        let part = match key {
            Key::Known(name) => self.push(Expr::Attr(whole, *name), at, Role::Stored),
            Key::Computed(key) => self.push(Expr::Subscript(whole, *key), at, Role::Stored),
        };
        // The whole is a part of the first that is taken of it.
        if self.module.parent(whole).is_none() {
            self.adopt(part, whole);
            self.module.roles[whole.index()] = Role::Receiver;
        }
        self.event(Event::ReadPlace(part));
        part
    }
}

fn private_member(member: &MemberExpression<'_>) -> Option<Name> {
    match member {
        MemberExpression::PrivateFieldExpression(private) => {
            Some(Name::new(&private_name(private.field.name.as_str())))
        }
        _ => None,
    }
}

fn part_at(kind: BindingKind, position: u32) -> BindingKind {
    match kind {
        BindingKind::Value(value) => BindingKind::Part(value, position),
        BindingKind::Element(source) => BindingKind::ElementPart(source, position),
        _ => BindingKind::Opaque,
    }
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) => Some(value),
        BindingKind::Typed(_, value) => value,
        _ => None,
    }
}

//! Classes, interfaces, enumerations, and objects with members of their own.

use crate::function::{Body, FunctionParts};
use crate::lowerer::Lowerer;
use crate::pattern::Key;
use crate::span;
use oxc_ast::ast::{
    self, ClassElement, Expression, MethodDefinitionKind, ObjectPropertyKind, PropertyKey, PropertyKind, TSSignature,
};
use racewalk_ir::{
    BindingKind, Bound, Class, ClassId, Event, Expr, ExprId, Field, Function, FunctionId, FunctionKind, Literal, Name,
    Role, Span, blank,
};

/// The method that stands for what a class writes beside its members' names: it runs when an instance is made.
pub(crate) const INITIALISERS: &str = "<fields>";

impl Lowerer<'_> {
    /// Lowers a class, under this name.
    pub fn class(&mut self, ast: &ast::Class<'_>, name: Name) -> ClassId {
        let decorators =
            ast.decorators.iter().map(|decorator| self.expr(&decorator.expression, Role::Decorator)).collect();
        let at = span(ast.span);
        let name_span = ast.id.as_ref().map_or(Span::new(at.start, at.start), |id| span(id.span));
        let class = self.open_class(name, at, name_span);
        self.module.classes[class.index()].decorators = decorators;
        let type_params = self.type_params(ast.type_parameters.as_deref());
        self.module.classes[class.index()].type_params = type_params;
        let mut bases = Vec::new();
        if let Some(heritage) = &ast.heritage {
            bases.push(self.base(&heritage.expression, heritage.type_arguments.as_deref()));
        }
        for implemented in &ast.implements {
            bases.push(self.type_name_with(&implemented.expression, implemented.type_arguments.as_deref(), Role::Base));
        }
        self.module.classes[class.index()].bases = bases;
        self.initialisers(class, &ast.body.body);
        for element in &ast.body.body {
            self.class_element(class, element);
        }
        self.close_class(class);
        class
    }

    /// Opens the body of a class. What it has is known by the names of its symbols.
    fn open_class(&mut self, name: Name, at: Span, name_span: Span) -> ClassId {
        let class = ClassId(self.module.classes.len() as u32);
        let first = FunctionId(self.module.functions.len() as u32);
        self.module.classes.push(Class {
            name,
            body: first,
            bases: Vec::new(),
            arguments: Vec::new(),
            decorators: Vec::new(),
            type_params: Vec::new(),
            fields: Vec::new(),
            span: at,
            name_span,
        });
        let body = Function {
            parent: Some(self.current()),
            class: Some(class),
            span: at,
            name_span,
            ..blank(name, FunctionKind::ClassBody)
        };
        let id = self.open(body, None);
        self.scopes.enter(id);
        class
    }

    fn close_class(&mut self, class: ClassId) {
        self.scopes.leave();
        let body = self.module.class(class).body;
        self.close(body);
        self.event(Event::Define(body));
    }

    fn base(&mut self, base: &Expression<'_>, arguments: Option<&ast::TSTypeParameterInstantiation<'_>>) -> ExprId {
        match arguments {
            Some(arguments) if matches!(base, Expression::Identifier(_) | Expression::StaticMemberExpression(_)) => {
                let named = self.expr(base, Role::Container);
                self.generic(named, &arguments.params, span(oxc_span::GetSpan::span(base)), Role::Base)
            }
            _ => self.expr(base, Role::Base),
        }
    }

    fn class_element(&mut self, class: ClassId, element: &ClassElement<'_>) {
        match element {
            ClassElement::MethodDefinition(method) => self.method_definition(class, method),
            ClassElement::PropertyDefinition(property) => {
                let parts = Property {
                    key: &property.key,
                    is_computed: property.computed,
                    is_static: property.r#static,
                    annotation: property.type_annotation.as_deref(),
                    value: property.value.as_ref(),
                    at: span(property.span),
                };
                self.property(class, &parts);
            }
            ClassElement::AccessorProperty(property) => {
                let parts = Property {
                    key: &property.key,
                    is_computed: property.computed,
                    is_static: property.r#static,
                    annotation: property.type_annotation.as_deref(),
                    value: property.value.as_ref(),
                    at: span(property.span),
                };
                self.property(class, &parts);
            }
            ClassElement::StaticBlock(block) => {
                let body = self.current();
                self.scopes.enter(body);
                self.block(&block.body);
                self.scopes.leave();
            }
            ClassElement::TSIndexSignature(_) => {}
        }
    }

    fn method_definition(&mut self, class: ClassId, method: &ast::MethodDefinition<'_>) {
        let decorators =
            method.decorators.iter().map(|decorator| self.expr(&decorator.expression, Role::Decorator)).collect();
        let name = self.member_name(&method.key, method.computed);
        let bound = match (method.r#static, method.kind) {
            (_, MethodDefinitionKind::Get) if !method.r#static => Bound::OnRead,
            (true, _) => Bound::ToClass,
            _ => Bound::Usual,
        };
        let parts = FunctionParts {
            name,
            name_span: key_span(&method.key),
            class: Some(class),
            bound,
            decorators,
            ..FunctionParts::of_function(&method.value, name)
        };
        let is_overload = matches!(parts.body, Body::None) && self.is_defined(name);
        let id = self.lower_function(parts);
        // What writes a member is not what reading it gives; and of several declarations, the first that says something stands.
        if method.kind != MethodDefinitionKind::Set && !is_overload {
            self.bind_member(name, BindingKind::Function(id), key_span(&method.key));
        }
    }

    fn is_defined(&mut self, name: Name) -> bool {
        self.function().symbol(name).is_some()
    }

    /// Binds a member of the class whose body is the current one.
    fn bind_member(&mut self, name: Name, kind: BindingKind, at: Span) {
        let body = self.current();
        self.bind_in(body, name, kind, at);
    }

    fn member_name(&mut self, key: &PropertyKey<'_>, is_computed: bool) -> Name {
        match self.property_key(key, is_computed) {
            Key::Known(name) => name,
            Key::Computed(_) => Name::new("<computed>"),
        }
    }

    /// A property of a class. One that holds a function is a method; other values of instances come to be in [`INITIALISERS`].
    fn property(&mut self, class: ClassId, property: &Property<'_>) {
        let annotation = property.annotation.map(|declared| self.annotation(&declared.type_annotation));
        if let (true, Some(value)) = (property.is_static, property.value) {
            let name = self.member_name(property.key, property.is_computed);
            let value = self.named_value(value, Some(name), Role::Stored);
            let kind =
                annotation.map_or(BindingKind::Value(value), |declared| BindingKind::Typed(declared, Some(value)));
            self.bind_member(name, kind, property.at);
            return;
        }
        if let Some(parts) = property.method(class) {
            let name = self.member_name(property.key, property.is_computed);
            let id = self.lower_function(FunctionParts { name, ..parts });
            self.bind_member(name, BindingKind::Function(id), key_span(property.key));
            return;
        }
        if let (Some(declared), None) = (annotation, property.value) {
            let name = self.member_name(property.key, property.is_computed);
            let function = self.current();
            let kind = BindingKind::Typed(declared, None);
            self.module.classes[class.index()].fields.push(Field { name, function, kind, span: property.at });
        }
    }

    /// What the class writes beside its members' names, as a method.
    fn initialisers(&mut self, class: ClassId, elements: &[ClassElement<'_>]) {
        let properties = elements.iter().filter_map(|element| match element {
            ClassElement::PropertyDefinition(property) if !property.r#static => Some((
                &property.key,
                property.computed,
                property.type_annotation.as_deref(),
                property.value.as_ref()?,
                property.span,
            )),
            ClassElement::AccessorProperty(property) if !property.r#static => Some((
                &property.key,
                property.computed,
                property.type_annotation.as_deref(),
                property.value.as_ref()?,
                property.span,
            )),
            _ => None,
        });
        let values: Vec<_> = properties.filter(|(.., value, _)| !is_function(value)).collect();
        if values.is_empty() {
            return;
        }
        let name = Name::new(INITIALISERS);
        let start = self.module.class(class).name_span;
        let function = Function {
            parent: Some(self.current()),
            class: Some(class),
            params: vec![receiver()],
            span: start,
            name_span: Span::new(start.start, start.start),
            ..blank(name, FunctionKind::Function)
        };
        let id = self.open(function, Some((Name::new("this"), class)));
        self.scopes.enter(id);
        self.declare("this");
        self.bind("this", BindingKind::Param(0), start);
        for (key, is_computed, annotation, value, at) in values {
            let name = self.member_name(key, is_computed);
            let value = self.named_value(value, Some(name), Role::Stored);
            let kind = match annotation {
                Some(declared) => BindingKind::Typed(self.annotation(&declared.type_annotation), Some(value)),
                None => BindingKind::Value(value),
            };
            self.write_own(name, kind, Some(value), span(at));
        }
        self.scopes.leave();
        self.close(id);
        self.event(Event::Define(id));
        self.bind_member(name, BindingKind::Function(id), start);
    }

    /// An interface: a class of which only the surface is known.
    pub fn interface(&mut self, ast: &ast::TSInterfaceDeclaration<'_>) -> ClassId {
        let name = Name::new(ast.id.name.as_str());
        let class = self.open_class(name, span(ast.span), span(ast.id.span));
        let type_params = self.type_params(ast.type_parameters.as_deref());
        self.module.classes[class.index()].type_params = type_params;
        let bases = ast.extends.iter();
        let bases = bases
            .map(|base| self.type_name_with(&base.type_name, base.type_arguments.as_deref(), Role::Base))
            .collect();
        self.module.classes[class.index()].bases = bases;
        self.signatures(class, &ast.body.body);
        self.close_class(class);
        class
    }

    /// `{ load(id: string): Promise<Row> }` as a type: a nameless interface. Gives the display that stands for an instance.
    pub fn type_literal(&mut self, members: &[TSSignature<'_>], at: Span, role: Role) -> ExprId {
        let class = self.open_class(Name::new("<object>"), at, Span::new(at.start, at.start));
        self.signatures(class, members);
        self.close_class(class);
        self.instance(class, at, role)
    }

    fn instance(&mut self, class: ClassId, at: Span, role: Role) -> ExprId {
        let list = self.list(&[]);
        let id = self.push(Expr::Map(list), at, role);
        self.module.objects.push((id, class));
        id
    }

    fn signatures(&mut self, class: ClassId, members: &[TSSignature<'_>]) {
        for member in members {
            match member {
                TSSignature::TSPropertySignature(property) => {
                    let Some(declared) = &property.type_annotation else { continue };
                    let annotation = self.annotation(&declared.type_annotation);
                    let name = self.member_name(&property.key, property.computed);
                    let function = self.current();
                    let kind = BindingKind::Typed(annotation, None);
                    let at = span(property.span);
                    self.module.classes[class.index()].fields.push(Field { name, function, kind, span: at });
                }
                TSSignature::TSMethodSignature(method) => {
                    let name = self.member_name(&method.key, method.computed);
                    let bound = match method.kind {
                        ast::TSMethodSignatureKind::Get => Bound::OnRead,
                        ast::TSMethodSignatureKind::Method => Bound::Usual,
                        ast::TSMethodSignatureKind::Set => continue,
                    };
                    if self.is_defined(name) {
                        continue;
                    }
                    let parts = FunctionParts {
                        name,
                        span: span(method.span),
                        name_span: key_span(&method.key),
                        is_async: false,
                        is_generator: false,
                        is_arrow: false,
                        own_name: None,
                        type_params: method.type_parameters.as_deref(),
                        params: &method.params,
                        returns: method.return_type.as_ref().map(|returns| &returns.type_annotation),
                        body: Body::None,
                        class: Some(class),
                        bound,
                        decorators: Vec::new(),
                    };
                    let id = self.lower_function(parts);
                    self.bind_member(name, BindingKind::Function(id), key_span(&method.key));
                }
                TSSignature::TSCallSignatureDeclaration(_)
                | TSSignature::TSConstructSignatureDeclaration(_)
                | TSSignature::TSIndexSignature(_) => {}
            }
        }
    }

    /// An enumeration: a class whose members are plain values.
    pub fn enumeration(&mut self, ast: &ast::TSEnumDeclaration<'_>) -> ClassId {
        let class = self.open_class(Name::new(ast.id.name.as_str()), span(ast.span), span(ast.id.span));
        for member in &ast.body.members {
            let at = span(member.span);
            let name = match &member.id {
                ast::TSEnumMemberName::Identifier(name) => name.name.as_str(),
                ast::TSEnumMemberName::String(text) | ast::TSEnumMemberName::ComputedString(text) => {
                    text.value.as_str()
                }
                ast::TSEnumMemberName::ComputedTemplateString(_) => continue,
            };
            let value = self.literal(Literal::Text, at, Role::Stored);
            self.bind_member(Name::new(name), BindingKind::Value(value), at);
        }
        self.close_class(class);
        class
    }

    /// An object. When its members are more than plain values, it is known as an instance of a class of its own.
    pub fn object(&mut self, object: &ast::ObjectExpression<'_>, at: Span, role: Role) -> ExprId {
        let class = has_members_of_interest(object).then(|| self.open_object(at));
        let mut entries = Vec::with_capacity(object.properties.len() * 2);
        for property in &object.properties {
            match property {
                ObjectPropertyKind::SpreadProperty(spread) => {
                    let value = self.expr(&spread.argument, Role::Unpacked);
                    entries.extend([value, value]);
                }
                ObjectPropertyKind::ObjectProperty(property) => self.object_property(property, class, &mut entries),
            }
        }
        let list = self.list(&entries);
        let id = self.push(Expr::Map(list), at, role);
        self.adopt_all(id, &entries);
        self.module.objects.extend(class.map(|class| (id, class)));
        id
    }

    /// The class of an object. Its body is empty, for what the object is made of runs where it stands.
    fn open_object(&mut self, at: Span) -> ClassId {
        let class = self.open_class(Name::new("<object>"), at, Span::new(at.start, at.start));
        self.scopes.leave();
        let body = self.module.class(class).body;
        self.close(body);
        class
    }

    fn object_property(
        &mut self,
        property: &ast::ObjectProperty<'_>,
        class: Option<ClassId>,
        entries: &mut Vec<ExprId>,
    ) {
        let at = span(property.span);
        let name = match self.property_key(&property.key, property.computed) {
            Key::Known(name) => {
                let key = self.literal(Literal::Str(name), key_span(&property.key), Role::MapKey);
                entries.push(key);
                Some(name)
            }
            Key::Computed(key) => {
                self.module.roles[key.index()] = Role::MapKey;
                entries.push(key);
                None
            }
        };
        let member = name.unwrap_or(Name::new("<computed>"));
        let parts = FunctionParts::of_expression(&property.value, member);
        let value = match (parts, class) {
            // `{ save() {} }` and `{ save: function () {} }` are methods, arrow functions are not.
            (Some(parts), Some(class)) if !parts.is_arrow => {
                let bound = if property.kind == PropertyKind::Get { Bound::OnRead } else { Bound::Usual };
                let id = self.lower_function(FunctionParts { class: Some(class), bound, ..parts });
                if property.kind != PropertyKind::Set {
                    self.add_member(class, member, BindingKind::Function(id), at);
                }
                self.push(Expr::Lambda(id), span(oxc_span::GetSpan::span(&property.value)), Role::Element)
            }
            _ => {
                let value = self.named_value(&property.value, name, Role::Element);
                if let (Some(class), Some(name)) = (class, name) {
                    let function = self.current();
                    let kind = BindingKind::Value(value);
                    self.module.classes[class.index()].fields.push(Field { name, function, kind, span: at });
                }
                value
            }
        };
        entries.push(value);
    }

    /// Adds a member to the class of an object, whose body is closed already.
    fn add_member(&mut self, class: ClassId, name: Name, kind: BindingKind, at: Span) {
        let body = self.module.class(class).body;
        let id = self.bind_silently(body, name, kind, at);
        let symbol = self.module.bindings[id.index()].symbol;
        self.module.functions[body.index()].symbols[symbol.index()].exit = racewalk_ir::Defs::One(id);
    }
}

/// What is asked of a property of a class.
struct Property<'a> {
    key: &'a PropertyKey<'a>,
    is_computed: bool,
    is_static: bool,
    annotation: Option<&'a ast::TSTypeAnnotation<'a>>,
    value: Option<&'a Expression<'a>>,
    at: Span,
}

impl<'a> Property<'a> {
    /// The property as a method, when it holds a function.
    fn method(&self, class: ClassId) -> Option<FunctionParts<'a>> {
        let parts = FunctionParts::of_expression(self.value?, Name::new(""))?;
        Some(FunctionParts { class: Some(class), name_span: key_span(self.key), ..parts })
    }
}

fn receiver() -> racewalk_ir::Param {
    racewalk_ir::Param {
        name: Name::new("this"),
        kind: racewalk_ir::ParamKind::Normal,
        annotation: None,
        default: None,
    }
}

fn is_function(value: &Expression<'_>) -> bool {
    matches!(value, Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_))
}

/// Some member is a function, or something that calls or other expressions give.
fn has_members_of_interest(object: &ast::ObjectExpression<'_>) -> bool {
    object.properties.iter().any(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) => !property.computed && !property.value.is_literal(),
        ObjectPropertyKind::SpreadProperty(_) => false,
    })
}

fn key_span(key: &PropertyKey<'_>) -> Span {
    span(oxc_span::GetSpan::span(key))
}

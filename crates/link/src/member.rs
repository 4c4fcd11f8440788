//! Members of values, and what awaiting, iterating and entering a value gives.

use crate::eval::{Evaluator, MethodKind};
use crate::slots::Slot;
use crate::types::{Answer, ClassRef, FunctionRef, Type, Types, Why};
use racewalk_ir::{ExprId, FunctionId, Name};
use racewalk_models::TypeSpec;

impl Evaluator<'_> {
    /// The value of `base.name`.
    pub fn member(&self, base: Type, name: Name) -> Type {
        match base {
            Type::Union(members) => self.member_of_union(members, name),
            Type::Module(file) => {
                let found = self.linked.names.member_of(&self.linked.modules, file, name, 16);
                self.imported(found)
            }
            Type::External(path) => {
                let member = path.join(name);
                match self.linked.names.in_namespace(path, member) {
                    Some(file) => Type::Module(file),
                    None => self.external(member),
                }
            }
            Type::Class(class) => self.class_member(class, Types::EMPTY, base, name),
            Type::Instance(class, arguments) => self.class_member(class, arguments, base, name),
            Type::Super(class) => self.super_member(class, name),
            Type::ExternalInstance(path, _) => self.external_member(path, base, name),
            Type::Parameter(_, bound) => self.member(bound.get(), name),
            Type::Collection(_) | Type::Tuple(_) => {
                let language = self.module.language;
                let list = self.external_member(Name::new(language.list_class), base, name);
                if list.is_unknown() { self.external_member(Name::new(language.set_class), base, name) } else { list }
            }
            Type::Mapping(_) => self.external_member(Name::new(self.module.language.mapping_class), base, name),
            Type::Coroutine(_) => match self.module.language.awaitable_class {
                Some(class) => self.external_member(Name::new(class), base, name),
                None => Type::DYNAMIC,
            },
            Type::Function(_) | Type::Method(..) => function_member(base, name),
            Type::Unknown(_) if self.module.language.telling_methods.contains(&name.as_str()) => {
                self.external_member(Name::new(self.module.language.list_class), base, name)
            }
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    /// The members of a union that have the member decide; "no value" has none.
    fn member_of_union(&self, members: Types, name: Name) -> Type {
        let found = members.as_slice().iter().filter(|member| !matches!(member, Type::None | Type::Plain));
        Type::union(found.map(|member| self.member(*member, name)))
    }

    fn class_member(&self, class: ClassRef, arguments: Types, receiver: Type, name: Name) -> Type {
        self.member_in_lineage(class, arguments, receiver, name, 0)
    }

    fn super_member(&self, class: ClassRef, name: Name) -> Type {
        let receiver = self.self_type(class);
        self.member_in_lineage(class, Types::EMPTY, receiver, name, 1)
    }

    fn member_in_lineage(&self, class: ClassRef, arguments: Types, receiver: Type, name: Name, skip: usize) -> Type {
        let slots = &self.linked.slots[class.file.index()].classes[class.id.index()];
        let mut fallback = None;
        for (base, base_arguments) in slots.lineage.iter().skip(skip) {
            let found = match base {
                Type::Class(base) => self.own_member(*base, receiver, name),
                Type::External(path) => {
                    let found = self.external_member(*path, receiver, name);
                    (!found.is_unknown()).then_some(found)
                }
                _ => None,
            };
            let Some(found) = found else { continue };
            let found = self.substitute_params(found, *base, *base_arguments, &slots.params, arguments);
            if !matches!(found, Type::Unknown(_) | Type::None) || self.defines(*base, name) {
                return found;
            }
            fallback.get_or_insert(found);
        }
        // An installed class has the methods of its protocols where they can be seen; what else its methods assign to
        // an instance cannot.
        let is_seen = || {
            let modules = &self.linked.modules;
            let is_whole =
                |base: &Type| !matches!(base, Type::Class(base) if modules[base.file.index()].signatures_only);
            name.as_str().starts_with("__") || slots.lineage.iter().all(|(base, _)| is_whole(base))
        };
        let why = if slots.has_unknown_base || !is_seen() { Why::Library } else { Why::Member };
        fallback.unwrap_or(Type::Unknown(why))
    }

    /// The class's own body has a function of this name: nothing further up counts, whatever a decorator made of it.
    fn defines(&self, class: Type, name: Name) -> bool {
        let Type::Class(class) = class else { return false };
        let module = &self.linked.modules[class.file.index()];
        let body = module.function(module.class(class.id).body);
        let Some(symbol) = body.symbol(name) else { return false };
        module
            .defs(&body.symbols[symbol.index()].exit)
            .iter()
            .any(|binding| matches!(module.bindings[binding.index()].kind, racewalk_ir::BindingKind::Function(_)))
    }

    /// Replaces a base's type parameters by its arguments, and the class's own by the instance's.
    fn substitute_params(&self, found: Type, base: Type, given: Types, own: &[Name], arguments: Types) -> Type {
        let Type::Class(base) = base else { return found };
        let params = &self.linked.slots[base.file.index()].classes[base.id.index()].params;
        if params.is_empty() {
            return found;
        }
        let find = |name: Name| {
            let at = params.iter().position(|param| *param == name)?;
            let given = given.as_slice().get(at).copied()?;
            Some(match given {
                Type::Parameter(name, _) => {
                    let of_instance = own.iter().position(|param| *param == name);
                    of_instance.and_then(|at| arguments.as_slice().get(at).copied()).unwrap_or(given)
                }
                other => other,
            })
        };
        found.substitute(&find)
    }

    /// A member that the class itself has, bound to the receiver.
    fn own_member(&self, class: ClassRef, receiver: Type, name: Name) -> Option<Type> {
        let slot = self.linked.slots[class.file.index()].classes[class.id.index()].members.get(name)?;
        Some(self.bound_member(self.read(slot), class, receiver))
    }

    fn bound_member(&self, value: Type, class: ClassRef, receiver: Type) -> Type {
        match value {
            Type::Union(members) => {
                Type::union(members.as_slice().iter().map(|member| self.bound_member(*member, class, receiver)))
            }
            Type::Function(function) if self.is_method_of(function, class) => self.bind(function, receiver),
            other => other,
        }
    }

    /// A function that stands in the class's own body; one that is merely stored in an attribute is not bound.
    fn is_method_of(&self, function: FunctionRef, class: ClassRef) -> bool {
        function.file == class.file
            && self.linked.modules[function.file.index()].function(function.id).class == Some(class.id)
    }

    fn bind(&self, function: FunctionRef, receiver: Type) -> Type {
        match self.method_kind(function) {
            MethodKind::Static => Type::Function(function),
            MethodKind::Property => self.call_function(function, Some(receiver), None),
            MethodKind::Class => {
                let class = match receiver {
                    Type::Instance(class, _) => Type::Class(class),
                    other => other,
                };
                Type::Method(function, class.interned())
            }
            MethodKind::Instance => match receiver {
                Type::Class(_) => Type::Function(function),
                other => Type::Method(function, other.interned()),
            },
        }
    }

    fn external_member(&self, class: Name, receiver: Type, name: Name) -> Type {
        let models = &self.linked.models;
        if let Some(spec) = models.attribute(class, name) {
            return self.type_of_spec(spec, receiver, None);
        }
        match models.method(class, name) {
            Some(_) => Type::ExternalMethod(class, name, receiver.interned()),
            None => self.installed_member(class, receiver, name),
        }
    }

    /// What an installed class declares of a member on which its model is silent.
    fn installed_member(&self, class: Name, receiver: Type, name: Name) -> Type {
        let found = self.linked.names.installed(&self.linked.modules, class);
        match found.and_then(|(file, symbol)| self.defined(file, symbol)) {
            // A class may name itself by its public path, as one of its own bases.
            Some(Type::Class(class)) => self.deeper(|| self.class_member(class, Types::EMPTY, receiver, name)),
            _ => Type::Unknown(Why::Library),
        }
    }

    /// Whether a value is an awaitable. A union is one only when each of its members is; the asynchronous context manager
    /// that a call may be used as instead does not count.
    pub fn awaitable(&self, value: Type) -> Answer {
        match value {
            Type::Coroutine(_) => Answer::Yes,
            Type::Union(members) => {
                let members = members.as_slice().iter().filter(|member| !matches!(member, Type::Context(_, true)));
                let mut answers = members.map(|member| self.awaitable(*member));
                let first = answers.next().unwrap_or(Answer::No);
                if answers.all(|answer| answer == first) { first } else { Answer::Unknown(Why::Dynamic) }
            }
            Type::ExternalInstance(path, _) => {
                let awaits = self.linked.models.inherited(path, |class| class.awaits_to.as_ref()).is_some();
                match (awaits, self.linked.models.class(path)) {
                    (true, _) => Answer::Yes,
                    (false, Some(_)) => Answer::No,
                    (false, None) => Answer::Unknown(Why::Library),
                }
            }
            Type::Instance(class, _) => match self.member(value, Name::new(self.module.language.await_method)) {
                Type::Unknown(Why::Member) => self.instance_is_no_awaitable(class),
                Type::Unknown(why) => Answer::Unknown(why),
                _ => Answer::Yes,
            },
            Type::Unknown(why) => Answer::Unknown(why),
            Type::Parameter(_, bound) => match self.awaitable(bound.get()) {
                Answer::Yes => Answer::Yes,
                _ => Answer::Unknown(Why::Parameter),
            },
            Type::Module(_)
            | Type::External(_)
            | Type::Callable(_)
            | Type::Partial(_)
            | Type::Form(_)
            | Type::Super(_) => Answer::Unknown(Why::Dynamic),
            _ => Answer::No,
        }
    }

    fn instance_is_no_awaitable(&self, class: ClassRef) -> Answer {
        let slots = &self.linked.slots[class.file.index()].classes[class.id.index()];
        if self.awaitable_base(class).is_some() {
            return Answer::Yes;
        }
        let answers_anything = slots.members.get(Name::new("__getattr__")).is_some();
        if slots.has_unknown_base || answers_anything { Answer::Unknown(Why::Library) } else { Answer::No }
    }

    /// The library's class from which this one inherits that it can be awaited: `class Reply(asyncio.Future)`.
    fn awaitable_base(&self, class: ClassRef) -> Option<Name> {
        let slots = &self.linked.slots[class.file.index()].classes[class.id.index()];
        slots.lineage.iter().find_map(|(base, _)| match base {
            Type::External(path) => {
                self.linked.models.inherited(*path, |class| class.awaits_to.as_ref()).and(Some(*path))
            }
            _ => None,
        })
    }

    /// What awaiting a value gives.
    pub fn awaited(&self, value: Type) -> Type {
        match value {
            Type::Coroutine(result) => result.get(),
            Type::Union(members) => {
                let members = members.as_slice().iter().filter(|member| !matches!(member, Type::Context(_, true)));
                Type::union(members.map(|member| self.awaited(*member)))
            }
            Type::ExternalInstance(path, _) => {
                match self.linked.models.inherited(path, |class| class.awaits_to.as_ref()) {
                    Some(spec) => self.type_of_spec(spec, value, None),
                    None if self.module.language.awaits_anything && self.linked.models.class(path).is_some() => value,
                    None => Type::Unknown(Why::Library),
                }
            }
            Type::Instance(class, _) if self.awaitable_base(class).is_some() => Type::DYNAMIC,
            Type::Instance(..) => {
                let awaiter = self.member(value, Name::new(self.module.language.await_method));
                match self.result(awaiter, None) {
                    Type::Unknown(Why::Member) if self.module.language.awaits_anything => value,
                    _ if self.module.language.awaits_anything => Type::DYNAMIC,
                    Type::Generator(_) => Type::DYNAMIC,
                    other => other,
                }
            }
            Type::Unknown(why) => Type::Unknown(why),
            _ if self.module.language.awaits_anything => value,
            _ => Type::DYNAMIC,
        }
    }

    /// What a plain loop over a value gives in each round.
    pub fn element(&self, value: Type) -> Type {
        match value {
            Type::Collection(element) | Type::Generator(element) => element.get(),
            Type::Tuple(elements) => Type::union(elements.as_slice().iter().copied()),
            Type::Mapping(_) | Type::Plain => Type::Plain,
            Type::Union(members) => {
                let members = members.as_slice().iter().filter(|member| **member != Type::None);
                Type::union(members.map(|member| self.element(*member)))
            }
            Type::Instance(..) => {
                let iterator = self.result(self.member(value, Name::new("__iter__")), None);
                // An iterator is asked for the next element, not for another iterator: classes may give each other.
                Type::union(iterator.members().iter().map(|iterator| match iterator {
                    Type::Instance(..) => self.result(self.member(*iterator, Name::new("__next__")), None),
                    other => self.element(*other),
                }))
            }
            Type::ExternalInstance(path, _) => {
                match self.linked.models.inherited(path, |class| class.iterate.as_ref()) {
                    Some(spec) => self.type_of_spec(spec, value, None),
                    None => Type::Unknown(Why::Library),
                }
            }
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    /// What an asynchronous loop over a value gives in each round.
    pub fn element_async(&self, value: Type) -> Type {
        match value {
            Type::AsyncGenerator(element) => element.get(),
            Type::Union(members) => Type::union(members.as_slice().iter().map(|m| self.element_async(*m))),
            Type::Instance(..) => {
                let iterator = self.result(self.member(value, Name::new("__aiter__")), None);
                match iterator {
                    Type::AsyncGenerator(element) => element.get(),
                    Type::Unknown(why) => Type::Unknown(why),
                    other => self.awaited(self.result(self.member(other, Name::new("__anext__")), None)),
                }
            }
            Type::ExternalInstance(path, _) => {
                match self.linked.models.inherited(path, |class| class.iterate_async.as_ref()) {
                    Some(spec) => self.type_of_spec(spec, value, None),
                    None => Type::Unknown(Why::Library),
                }
            }
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    /// What entering a context manager gives.
    pub fn entered(&self, value: Type, is_async: bool) -> Type {
        match value {
            Type::Context(given, of) if of == is_async => given.get(),
            Type::Union(members) => {
                let members =
                    members.as_slice().iter().filter(|member| !matches!(member, Type::Coroutine(_) | Type::None));
                Type::union(members.map(|member| self.entered(*member, is_async)))
            }
            Type::Instance(..) => {
                let method = if is_async { "__aenter__" } else { "__enter__" };
                let given = self.result(self.member(value, Name::new(method)), None);
                if is_async { self.awaited(given) } else { given }
            }
            Type::ExternalInstance(path, _) => {
                let spec = self
                    .linked
                    .models
                    .inherited(path, |class| if is_async { class.enter_async.as_ref() } else { class.enter.as_ref() });
                spec.map_or(Type::Unknown(Why::Library), |spec| self.type_of_spec(spec, value, None))
            }
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    /// A model's type, for this receiver and this call (its body and expression).
    pub(crate) fn type_of_spec(&self, spec: &TypeSpec, receiver: Type, call: Option<(FunctionId, ExprId)>) -> Type {
        let inner = |spec: &TypeSpec| self.type_of_spec(spec, receiver, call);
        let argument = |at: usize| match call {
            Some((function, expr)) => self.argument(function, expr, at),
            None => Type::DYNAMIC,
        };
        match spec {
            TypeSpec::Receiver => receiver,
            TypeSpec::TypeArgument(at) => type_argument(receiver, *at),
            TypeSpec::Argument(at) => argument(*at),
            TypeSpec::AwaitedArgument(at) => self.awaited(argument(*at)),
            TypeSpec::CalledArgument(at) => self.result(argument(*at), None),
            TypeSpec::AwaitedCallOfArgument(at) => self.awaited(self.result(argument(*at), None)),
            TypeSpec::ElementOfArgument(at) => self.element(argument(*at)),
            TypeSpec::AwaitedElementOfArgument(at) => self.awaited(self.element(argument(*at))),
            TypeSpec::Path(path, arguments) => {
                let arguments: Vec<Type> = arguments.iter().map(inner).collect();
                Type::ExternalInstance(self.linked.models.canonical(*path), Type::list(&arguments))
            }
            TypeSpec::Coroutine(result) => Type::Coroutine(inner(result).interned()),
            TypeSpec::AsyncGenerator(element) => Type::AsyncGenerator(inner(element).interned()),
            TypeSpec::Collection(element) => Type::Collection(inner(element).interned()),
            TypeSpec::Mapping(value) => Type::Mapping(inner(value).interned()),
            TypeSpec::Tuple(elements) => {
                let elements: Vec<Type> = elements.iter().map(inner).collect();
                Type::Tuple(Type::list(&elements))
            }
            TypeSpec::Union(members) => Type::union(members.iter().map(inner)),
            TypeSpec::None => Type::None,
            TypeSpec::Plain => Type::Plain,
            TypeSpec::Unknown => Type::Unknown(Why::Library),
        }
    }
}

/// Members of functions themselves: to bind one gives it again, and what calls one runs it.
fn function_member(function: Type, name: Name) -> Type {
    match name.as_str() {
        "bind" => Type::Callable(function.interned()),
        "call" | "apply" => function,
        _ => Type::DYNAMIC,
    }
}

fn type_argument(receiver: Type, at: usize) -> Type {
    match receiver {
        Type::ExternalInstance(_, arguments) | Type::Instance(_, arguments) => {
            arguments.as_slice().get(at).copied().unwrap_or(Type::DYNAMIC)
        }
        Type::Collection(element) => element.get(),
        Type::Mapping(value) => {
            if at == 0 {
                Type::Plain
            } else {
                value.get()
            }
        }
        Type::Tuple(elements) => Type::union(elements.as_slice().iter().copied()),
        _ => Type::DYNAMIC,
    }
}

/// A class's own member, evaluated in its file.
pub(crate) fn evaluate_member(evaluator: &Evaluator<'_>, class: ClassRef, name: Name) -> Slot {
    let module = evaluator.module;
    let declared = module.class(class.id);
    let body = module.function(declared.body);
    let mut values = Vec::new();
    let mut declared_types = Vec::new();
    evaluator.met_open.set(false);
    if let Some(symbol) = body.symbol(name) {
        for binding in module.defs(&body.symbols[symbol.index()].exit) {
            let value = evaluator.binding(*binding);
            match module.bindings[binding.index()].kind {
                racewalk_ir::BindingKind::Typed(..) => declared_types.push(value),
                _ => values.push(value),
            }
        }
    }
    for field in declared.fields.iter().filter(|field| field.name == name) {
        let value = evaluator.bound_value(field.function, field.kind);
        match field.kind {
            racewalk_ir::BindingKind::Typed(..) => declared_types.push(value),
            _ => values.push(value),
        }
    }
    let known = declared_types.iter().any(|value| !value.is_unknown());
    let value = Type::union(if known { declared_types } else { [declared_types, values].concat() });
    Slot { value, settled: !evaluator.met_open.get() }
}

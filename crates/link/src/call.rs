//! What a call gives.

use crate::eval::Evaluator;
use crate::graph::Site;
use crate::intrinsics;
use crate::types::{FunctionRef, Type, Why};
use racewalk_ir::{Arg, ArgKind, Expr, ExprId, FunctionId, Name, ParamKind};
use racewalk_models::{Call, Decorator};

impl Evaluator<'_> {
    /// The arguments of a call expression.
    pub fn args(&self, call: ExprId) -> &[Arg] {
        match self.module.expr(call) {
            Expr::Call(_, args) => self.module.args(args),
            _ => &[],
        }
    }

    /// The type of the positional argument at `at`; a first named one stands in for a missing first positional.
    pub(crate) fn argument(&self, function: FunctionId, call: ExprId, at: usize) -> Type {
        let positional = self.args(call).iter().filter(|arg| arg.kind == ArgKind::Positional).nth(at);
        let named = || self.args(call).iter().filter(|arg| matches!(arg.kind, ArgKind::Named(_))).nth(at);
        let found = positional.or_else(|| if at == 0 { named() } else { None });
        found.map_or(Type::DYNAMIC, |arg| self.eval(function, arg.value))
    }

    /// The named argument of a call.
    pub fn named_argument(&self, call: ExprId, name: &str) -> Option<ExprId> {
        let mut args = self.args(call).iter();
        let named = args.find(|arg| matches!(arg.kind, ArgKind::Named(given) if given.as_str() == name));
        named.map(|arg| arg.value).or_else(|| {
            let Expr::Call(_, args) = self.module.expr(call) else { return None };
            self.module.options(args).find(|(given, _)| given.as_str() == name).map(|(_, value)| value)
        })
    }

    /// What calling `callee` in this call expression gives.
    pub(crate) fn call(&self, function: FunctionId, callee: Type, expr: ExprId) -> Type {
        if let Type::External(path) = callee
            && let Some(known) = intrinsics::call(self, function, path, expr)
        {
            return known;
        }
        self.result(callee, Some((function, expr)))
    }

    /// What a call of the program gives, its callee being known.
    pub fn given_by(&self, function: FunctionId, site: &Site) -> Type {
        self.call(function, site.callee, site.call)
    }

    /// What calling a value gives, whatever the arguments.
    pub fn called(&self, callee: Type) -> Type {
        self.result(callee, None)
    }

    /// What calling a value gives, with the call's body and expression where there is one.
    pub(crate) fn result(&self, callee: Type, call: Option<(FunctionId, ExprId)>) -> Type {
        match callee {
            Type::Union(members) => {
                let callable = members.as_slice().iter().filter(|member| **member != Type::None);
                Type::union(callable.map(|member| self.result(*member, call)))
            }
            Type::Function(function) => self.call_function(function, None, call),
            Type::Method(function, receiver) => self.call_function(function, Some(receiver.get()), call),
            Type::MadeAsync(function) => Type::Coroutine(self.returns(function).interned()),
            Type::MadeSync(function) => self.returns(function),
            Type::MadeContext(function, is_async) => {
                let given = match self.call_function(function, None, None) {
                    Type::AsyncGenerator(element) | Type::Generator(element) | Type::Collection(element) => {
                        element.get()
                    }
                    other if other.is_unknown() => other,
                    _ => Type::DYNAMIC,
                };
                Type::Context(given.interned(), is_async)
            }
            Type::Class(class) => self.construct(class),
            Type::Instance(..) => {
                let called = self.member(callee, Name::new("__call__"));
                if called == callee { Type::DYNAMIC } else { self.result(called, call) }
            }
            Type::External(path) => self.call_external(path, call),
            Type::ExternalMethod(class, method, receiver) => match self.linked.models.method(class, method) {
                Some(model) => self.modelled(model, receiver.get(), call),
                None => Type::Unknown(Why::Library),
            },
            Type::ExternalInstance(class, _) => match self.linked.models.method(class, Name::new("__call__")) {
                Some(model) => self.modelled(model, callee, call),
                None => Type::Unknown(Why::Library),
            },
            Type::Callable(result) => result.get(),
            Type::Partial(inner) => self.result(inner.get(), None),
            Type::Form(of) => of.get(),
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    fn construct(&self, class: crate::types::ClassRef) -> Type {
        match self.self_type(class) {
            // The arguments of a bare construction are not known.
            Type::Instance(class, _) => Type::Instance(class, crate::types::Types::EMPTY),
            other => other,
        }
    }

    fn call_external(&self, path: Name, call: Option<(FunctionId, ExprId)>) -> Type {
        let models = &self.linked.models;
        if let Some(model) = models.function(path) {
            // A decorator that is called: `sync_to_async(load)(key)`.
            if model.decorator == Some(Decorator::MakesAsync)
                && let Some((function, expr)) = call
            {
                let inner = self.result(self.argument(function, expr, 0), None);
                let made = Type::Callable(Type::Coroutine(inner.interned()).interned());
                return Type::Partial(made.interned());
            }
            return self.modelled(model, Type::DYNAMIC, call);
        }
        // `enumerate(workers)` is modelled by what it gives, not by its class.
        let made = models.constructor(path).map(|id| models.call(id));
        if let Some(model) = made.filter(|model| model.returns.is_some()) {
            return self.modelled(model, Type::ExternalInstance(path, crate::types::Types::EMPTY), call);
        }
        match models.class(path) {
            Some(_) => Type::ExternalInstance(path, crate::types::Types::EMPTY),
            // Most capitalised names are classes: their instances are no coroutines.
            None if path.last_segment().starts_with(char::is_uppercase) => {
                Type::ExternalInstance(path, crate::types::Types::EMPTY)
            }
            None => self.unbound_external_method(path, call),
        }
    }

    /// `Class.method(instance)` of a library's class.
    fn unbound_external_method(&self, path: Name, call: Option<(FunctionId, ExprId)>) -> Type {
        let Some((class, method)) = path.as_str().rsplit_once('.') else { return Type::Unknown(Why::Library) };
        let class = self.linked.models.canonical(Name::new(class));
        match self.linked.models.method(class, Name::new(method)) {
            Some(model) => self.modelled(model, Type::ExternalInstance(class, crate::types::Types::EMPTY), call),
            None => Type::Unknown(Why::Library),
        }
    }

    fn modelled(&self, model: &Call, receiver: Type, call: Option<(FunctionId, ExprId)>) -> Type {
        let given = match &model.returns {
            Some(spec) => self.type_of_spec(spec, receiver, call),
            None => Type::Unknown(Why::Library),
        };
        match (model.is_async, &model.enter_async, &model.enter) {
            // Awaited or entered: `await open(…)`, `async with open(…)`.
            (true, Some(entered), _) => Type::union([
                Type::Coroutine(given.interned()),
                Type::Context(self.type_of_spec(entered, receiver, call).interned(), true),
            ]),
            (true, ..) => Type::Coroutine(given.interned()),
            (_, Some(as_async), Some(as_plain)) => Type::union([
                Type::Context(self.type_of_spec(as_async, receiver, call).interned(), true),
                Type::Context(self.type_of_spec(as_plain, receiver, call).interned(), false),
            ]),
            (_, Some(entered), _) => Type::Context(self.type_of_spec(entered, receiver, call).interned(), true),
            (_, _, Some(entered)) => Type::Context(self.type_of_spec(entered, receiver, call).interned(), false),
            _ if model.returns.is_none() && model.blocks.is_some() => Type::Plain,
            _ => given,
        }
    }

    /// What a function's body returns.
    fn returns(&self, function: FunctionRef) -> Type {
        self.read(self.linked.slots[function.file.index()].functions[function.id.index()].returns)
    }

    /// What calling a function of the program gives.
    pub(crate) fn call_function(
        &self,
        function: FunctionRef,
        receiver: Option<Type>,
        call: Option<(FunctionId, ExprId)>,
    ) -> Type {
        let body = self.linked.modules[function.file.index()].function(function.id);
        let returns = self.returns(function);
        if matches!(returns, Type::Union(_) | Type::Unknown(_))
            && let Some((caller, expr)) = call
            && let declared = self.overloads(function, receiver.is_some(), caller, expr)
            && !declared.is_empty()
        {
            return Type::union(declared.into_iter().map(|one| self.call_function(one, receiver, call)));
        }
        let returns = self.specialise(function, returns, receiver, call);
        match (body.is_async, body.is_generator) {
            (true, true) => match returns {
                Type::AsyncGenerator(_) => returns,
                _ => Type::AsyncGenerator(Type::DYNAMIC.interned()),
            },
            // A declaration without a body: what implements it may be a generator or give one.
            (true, false) if body.stub != racewalk_ir::Stub::No && matches!(returns, Type::AsyncGenerator(_)) => {
                Type::DYNAMIC
            }
            (true, false) if self.linked.modules[function.file.index()].language.awaits_anything => {
                Type::Coroutine(self.awaited(returns).interned())
            }
            (true, false) => Type::Coroutine(returns.interned()),
            (false, true) => match returns {
                Type::Generator(_) => returns,
                Type::Collection(element) => Type::Generator(element),
                _ => Type::Generator(Type::DYNAMIC.interned()),
            },
            (false, false) => returns,
        }
    }

    /// Settles the type parameters of a function's result from the call's arguments, and `Self` from its receiver.
    fn specialise(
        &self,
        function: FunctionRef,
        returns: Type,
        receiver: Option<Type>,
        call: Option<(FunctionId, ExprId)>,
    ) -> Type {
        if !returns.mentions_parameter() {
            return returns;
        }
        let arguments = call.map(|(caller, expr)| self.parameter_arguments(function, receiver.is_some(), caller, expr));
        returns.substitute(&|name| {
            if name.as_str() == "Self" {
                return receiver;
            }
            let (_, value) = arguments.as_ref()?.iter().find(|(param, _)| *param == name)?;
            Some(*value)
        })
    }

    /// For parameters declared as `T` or `type[T]`: what `T` is in this call.
    fn parameter_arguments(
        &self,
        function: FunctionRef,
        is_bound: bool,
        caller: FunctionId,
        expr: ExprId,
    ) -> Vec<(Name, Type)> {
        let body = self.linked.modules[function.file.index()].function(function.id);
        let skipped = usize::from(is_bound && body.class.is_some());
        let annotated = Evaluator::new(self.linked, function.file);
        let mut found = Vec::new();
        for (position, param) in body.params.iter().enumerate().skip(skipped) {
            let Some(annotation) = param.annotation else { continue };
            let given = match param.kind {
                ParamKind::Rest | ParamKind::RestNamed => continue,
                _ => self.given(expr, position - skipped, param.name),
            };
            let Some(given) = given else { continue };
            let declared = annotated.annotation(annotated.annotation_scope(function.id), annotation);
            match_parameter(declared.without_none(), self.eval(caller, given), &mut found, self);
        }
        self.met_open.set(self.met_open.get() || annotated.met_open.get());
        self.met_passing.set(self.met_passing.get() || annotated.met_passing.get());
        found
    }

    /// The argument for the parameter at this position and of this name.
    pub fn given(&self, call: ExprId, position: usize, name: Name) -> Option<ExprId> {
        let args = self.args(call);
        let by_name = args.iter().find(|arg| arg.kind == ArgKind::Named(name));
        let by_position = || args.iter().take_while(|arg| arg.kind == ArgKind::Positional).nth(position);
        by_name.or_else(by_position).map(|arg| arg.value)
    }
}

fn match_parameter(declared: Type, given: Type, found: &mut Vec<(Name, Type)>, evaluator: &Evaluator<'_>) {
    match (declared, given) {
        (Type::Parameter(name, _), given) if !given.is_unknown() => found.push((name, given)),
        (Type::Form(inner), Type::Class(_) | Type::External(_)) => {
            if let Type::Parameter(name, _) = inner.get() {
                found.push((name, evaluator.result(given, None)));
            }
        }
        (Type::Callable(inner), callable) => {
            match_parameter(inner.get(), evaluator.result(callable, None), found, evaluator);
        }
        (Type::Coroutine(inner), Type::Coroutine(given))
        | (Type::Collection(inner), Type::Collection(given) | Type::Generator(given)) => {
            match_parameter(inner.get(), given.get(), found, evaluator);
        }
        _ => {}
    }
}

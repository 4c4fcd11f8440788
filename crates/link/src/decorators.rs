//! What decorators make of a function.

use crate::Linked;
use crate::eval::Evaluator;
use crate::types::{FunctionRef, Type, Why};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, Function, FunctionId, Module};
use racewalk_models::{Call, Decorator};

/// What a decorator does to the colour of the function it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A call gives what a call of the function gives.
    Keeps,
    /// A call gives a coroutine.
    MakesAsync,
    /// A call runs the coroutine to its end.
    MakesSync,
    /// A call gives a context manager; `true`: asynchronous.
    MakesContext(bool),
    /// A plain wrapper replaces it, whose calls give something that is not followed.
    PlainWrapper,
    /// Nothing is known.
    Unknown,
}

/// How many decorators that hand on to another are followed.
const LONGEST_DELEGATION: u32 = 4;

/// The value that a function's name stands for after its decorators.
pub(crate) fn decorated(evaluator: &Evaluator<'_>, id: FunctionId) -> Type {
    let body = evaluator.module.function(id);
    let function = FunctionRef { file: evaluator.file, id };
    let outside = body.parent.unwrap_or(FunctionId(0));
    // Declared for several kinds of arguments, with nothing behind the declarations.
    if evaluator.module.signatures_only && crate::overload::is_declaration(evaluator.module, id) {
        return Type::Unknown(Why::Decorator);
    }
    let mut value = Type::Function(function);
    for decorator in body.decorators.iter().rev() {
        let effect = effect_of(evaluator, outside, *decorator);
        value = apply(effect, value, function, body);
    }
    value
}

fn apply(effect: Effect, value: Type, function: FunctionRef, body: &Function) -> Type {
    let is_coroutine_function = body.is_async && !body.is_generator;
    match effect {
        Effect::Keeps => value,
        Effect::MakesAsync if is_coroutine_function && value == Type::Function(function) => value,
        Effect::MakesAsync => Type::MadeAsync(function),
        Effect::MakesSync => Type::MadeSync(function),
        Effect::MakesContext(is_async) => Type::MadeContext(function, is_async),
        Effect::PlainWrapper | Effect::Unknown => Type::Unknown(Why::Decorator),
    }
}

/// What the decorator expression does.
pub fn effect_of(evaluator: &Evaluator<'_>, outside: FunctionId, decorator: ExprId) -> Effect {
    if crate::intrinsics::method_kind(evaluator.module, decorator).is_some() {
        return Effect::Keeps;
    }
    let (called, is_factory) = match evaluator.module.expr(decorator) {
        Expr::Call(callee, _) => (callee, true),
        _ => (decorator, false),
    };
    let value = evaluator.eval(outside, called);
    effect_of_value(evaluator, value, is_factory)
}

fn effect_of_value(evaluator: &Evaluator<'_>, value: Type, is_factory: bool) -> Effect {
    let linked = evaluator.linked;
    match value {
        Type::Function(function) | Type::Method(function, _)
            if linked.modules[function.file.index()].signatures_only =>
        {
            declared_effect(evaluator, function, is_factory)
        }
        Type::External(path) => modelled(linked.models.function(path)),
        Type::ExternalMethod(class, method, _) => modelled(linked.models.method(class, method)),
        Type::Function(function) | Type::Method(function, _) => of_function(linked, function, is_factory),
        Type::Union(members) => {
            let mut effects = members.as_slice().iter().map(|member| effect_of_value(evaluator, *member, is_factory));
            let first = effects.next().unwrap_or(Effect::Unknown);
            if effects.all(|effect| effect == first) { first } else { Effect::Unknown }
        }
        _ => Effect::Unknown,
    }
}

fn modelled(model: Option<&Call>) -> Effect {
    match model.and_then(|model| model.decorator) {
        Some(Decorator::MakesSync) => Effect::MakesSync,
        Some(Decorator::MakesAsync) => Effect::MakesAsync,
        Some(Decorator::ContextManager) => Effect::MakesContext(false),
        Some(Decorator::AsyncContextManager) => Effect::MakesContext(true),
        Some(Decorator::Unknown) => Effect::Unknown,
        Some(_) => Effect::Keeps,
        None if model.is_some_and(|model| model.entry.is_some()) => Effect::Keeps,
        None => Effect::Unknown,
    }
}

fn of_function(linked: &Linked, decorator: FunctionRef, is_factory: bool) -> Effect {
    let module = &linked.modules[decorator.file.index()];
    let body = module.function(decorator.id);
    if !is_factory {
        return effect_in(module, decorator.id, LONGEST_DELEGATION);
    }
    let made: Vec<Effect> = body
        .return_values
        .iter()
        .filter_map(|value| nested_function(module, decorator.id, *value))
        .map(|inner| effect_in(module, inner, LONGEST_DELEGATION))
        .collect();
    combine(&made)
}

/// What a decorator of an installed package declares to do: `(F) -> F`, or to give something whose calls give a coroutine.
fn declared_effect(evaluator: &Evaluator<'_>, decorator: FunctionRef, is_factory: bool) -> Effect {
    let there = Evaluator::new(evaluator.linked, decorator.file);
    let body = there.module.function(decorator.id);
    let scope = there.annotation_scope(decorator.id);
    let given = body.params.get(first_param(there.module, decorator.id) as usize).and_then(|param| param.annotation);
    let declared =
        if is_factory { body.returns.and_then(|it| callable(there.module, it)) } else { given.zip(body.returns) };
    let Some((given, result)) = declared else { return Effect::Unknown };
    let effect = match (there.annotation(scope, given), there.annotation(scope, result)) {
        (given @ (Type::Parameter(..) | Type::Callable(_)), result)
            if given == result && given.mentions_parameter() =>
        {
            Effect::Keeps
        }
        (_, Type::Callable(result)) if matches!(result.get(), Type::Coroutine(_)) => Effect::MakesAsync,
        _ => Effect::Unknown,
    };
    evaluator.met_open.set(evaluator.met_open.get() || there.met_open.get());
    effect
}

/// The argument and the result of `Callable[[argument], result]`.
fn callable(module: &Module, annotation: ExprId) -> Option<(ExprId, ExprId)> {
    let Expr::Subscript(base, arguments) = module.expr(annotation) else { return None };
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = module.expr(base) else { return None };
    let Expr::Tuple(arguments) = module.expr(arguments) else { return None };
    let [given, result] = *module.list(arguments) else { return None };
    let Expr::List(given) = module.expr(given) else { return None };
    match *module.list(given) {
        [given] if name.as_str() == "Callable" => Some((given, result)),
        _ => None,
    }
}

/// The effect of a function that takes a function and returns its replacement.
pub fn effect_in(module: &Module, decorator: FunctionId, depth: u32) -> Effect {
    let body = module.function(decorator);
    if depth == 0 || body.is_async || body.is_generator {
        return Effect::Unknown;
    }
    let returned: Vec<Effect> =
        body.return_values.iter().map(|value| effect_of_return(module, decorator, *value, depth)).collect();
    combine(&returned)
}

fn combine(effects: &[Effect]) -> Effect {
    match effects {
        [] => Effect::Unknown,
        [first, rest @ ..] if rest.iter().all(|effect| effect == first) => *first,
        // One wrapper for coroutine functions and one for the others: each keeps its function's colour.
        mixed if mixed.contains(&Effect::MakesAsync) && !mixed.contains(&Effect::Unknown) => Effect::Keeps,
        _ => Effect::Unknown,
    }
}

fn effect_of_return(module: &Module, decorator: FunctionId, value: ExprId, depth: u32) -> Effect {
    if is_first_param(module, decorator, value) {
        return Effect::Keeps;
    }
    if let Expr::Choice(arms) = module.expr(value) {
        let arms = module.list(arms).iter();
        return combine(&arms.map(|arm| effect_of_return(module, decorator, *arm, depth)).collect::<Vec<_>>());
    }
    if let Some(wrapper) = nested_function(module, decorator, value) {
        return effect_of_wrapper(module, decorator, wrapper);
    }
    if let Some(effect) = effect_of_object(module, decorator, value) {
        return effect;
    }
    // `return decorate(function)`: whatever the inner decorator does.
    if let Expr::Call(callee, args) = module.expr(value)
        && let [only] = module.args(args)
        && is_first_param(module, decorator, only.value)
        && let Some(inner) = nested_function(module, decorator, callee)
    {
        return effect_in(module, inner, depth - 1);
    }
    Effect::Unknown
}

/// `return Wrapper(function)`: a call of the object hands on what its `__call__` gets from the function that it keeps.
fn effect_of_object(module: &Module, decorator: FunctionId, value: ExprId) -> Option<Effect> {
    let Expr::Call(callee, args) = module.expr(value) else { return None };
    let is_given = module.args(args).iter().any(|arg| is_first_param(module, decorator, arg.value));
    let Expr::Name(name, Defs::Outer) = module.expr(callee) else { return None };
    let top = module.function(FunctionId(0));
    let symbol = &top.symbols[top.symbol(name)?.index()];
    let class = symbol.bindings.iter().rev().find_map(|binding| match module.bindings[binding.index()].kind {
        BindingKind::Class(class) => Some(class),
        _ => None,
    })?;
    let is_call = |function: &&Function| function.class == Some(class) && function.name.as_str() == "__call__";
    let call = module.functions.iter().rfind(is_call)?;
    let receiver = call.params.first()?.name;
    let kept = |value: &ExprId| match module.expr(*value) {
        Expr::Call(callee, _) => is_own_field(module, callee, receiver),
        _ => false,
    };
    let hands_on = !call.return_values.is_empty() && call.return_values.iter().all(kept);
    (is_given && hands_on && !call.is_async).then_some(Effect::Keeps)
}

/// A member of the receiver, perhaps cast or kept in a local first.
fn is_own_field(module: &Module, value: ExprId, receiver: racewalk_ir::Name) -> bool {
    match module.expr(value) {
        Expr::Attr(base, _) => matches!(module.expr(base), Expr::Name(name, _) if name == receiver),
        Expr::Call(_, args) => module.args(args).iter().any(|arg| is_own_field(module, arg.value, receiver)),
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) => is_own_field(module, value, receiver),
            _ => false,
        },
        _ => false,
    }
}

fn effect_of_wrapper(module: &Module, decorator: FunctionId, wrapper: FunctionId) -> Effect {
    let body = module.function(wrapper);
    match (body.is_async, body.is_generator) {
        (true, false) => return Effect::MakesAsync,
        (_, true) => return Effect::Unknown,
        (false, false) => {}
    }
    let hands_on = |value: &ExprId| is_call_of_wrapped(module, decorator, wrapper, *value);
    if !body.return_values.is_empty() && body.return_values.iter().all(hands_on) {
        return Effect::Keeps;
    }
    if runs_wrapped_in_loop(module, body) { Effect::MakesSync } else { Effect::PlainWrapper }
}

/// The value is the result of calling the decorated function, directly or through a local.
pub(crate) fn is_call_of_wrapped(module: &Module, decorator: FunctionId, wrapper: FunctionId, value: ExprId) -> bool {
    match module.expr(value) {
        Expr::Call(callee, _) => match module.expr(callee) {
            Expr::Name(name, Defs::Outer) => {
                let params = &module.function(decorator).params;
                params.first().is_some_and(|param| param.name == name)
                    && module.function(wrapper).symbol(name).is_none()
            }
            _ => false,
        },
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) => is_call_of_wrapped(module, decorator, wrapper, value),
            _ => false,
        },
        _ => false,
    }
}

/// A plain wrapper that starts a loop for the coroutine: recognised by the methods' names, which no other thing has.
fn runs_wrapped_in_loop(module: &Module, wrapper: &Function) -> bool {
    wrapper.events.iter().any(|event| match event {
        Event::Call(call) => match module.expr(*call) {
            Expr::Call(callee, _) => match module.expr(callee) {
                Expr::Attr(base, name) => match name.as_str() {
                    "run_until_complete" => true,
                    "run" => matches!(module.expr(base),
                        Expr::Name(base, _) if matches!(base.as_str(), "asyncio" | "anyio" | "trio" | "uvloop")),
                    _ => false,
                },
                _ => false,
            },
            _ => false,
        },
        _ => false,
    })
}

fn is_first_param(module: &Module, function: FunctionId, value: ExprId) -> bool {
    let Expr::Name(_, Defs::One(binding)) = module.expr(value) else { return false };
    matches!(module.bindings[binding.index()].kind, BindingKind::Param(at) if at == first_param(module, function))
}

/// The position of the decorated function among the parameters: past the receiver of a method.
fn first_param(module: &Module, function: FunctionId) -> u32 {
    u32::from(module.function(function).class.is_some())
}

fn nested_function(module: &Module, within: FunctionId, value: ExprId) -> Option<FunctionId> {
    let Expr::Name(_, defs) = module.expr(value) else { return None };
    let mut functions = module.defs(&defs).iter().rev().filter_map(|b| match module.bindings[b.index()].kind {
        BindingKind::Function(id) if module.function(id).parent == Some(within) => Some(id),
        _ => None,
    });
    functions.next()
}

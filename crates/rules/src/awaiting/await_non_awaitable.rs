//! # await/await-non-awaitable
//!
//! Something is awaited, or used in `async for`, `async with`, `for` or `with`, that does not support it.
//!
//! ## What it is
//! `await` needs an awaitable: a coroutine, a task, a future, an object with `__await__`. What a plain function
//! returns is mostly none. The relatives of the defect mix up the other pairs of protocols:
//!
//! - an async generator is awaited (it is an async iterator, made by the call, and there is nothing to await);
//! - a plain `for` or comprehension runs over an async iterator, or `async for` over a list or a coroutine;
//! - a plain `with` holds an async lock or client, or `async with` a thread lock or a plain context manager.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class History:
//!     def __init__(self) -> None:
//!         self.entries: list[str] = []
//!
//!     def add(self, entry: str) -> None:
//!         self.entries.append(entry)
//!
//!
//! async def call_tool(history: History, name: str) -> None:
//!     await asyncio.sleep(0)
//!     await history.add(name)
//!
//!
//! asyncio.run(call_tool(History(), "search"))
//! ```
//!
//! ## What one observes
//! A `TypeError` at the `await`, each time that the line is reached. The plain function has run by then: its effect
//! is there, and what follows the `await` does not happen. Under a broad `except`, or in a task that nobody awaits,
//! the work seems to stop half-way for no reason.
//!
//! ## Why tests pass all the same
//! The line is not reached: it stands in an error branch, a rarely used tool or a shutdown hook. Or the test uses
//! `AsyncMock`, which makes every method of the stand-in awaitable, also those that are plain in the real class.
//!
//! ## The structural fix
//! Remove the `await` if the callee is plain by nature; make the callee async if it ought to wait. For iterators
//! and context managers use the form that belongs to the object.
//!
//! ```python good
//! import asyncio
//!
//!
//! class History:
//!     def __init__(self) -> None:
//!         self.entries: list[str] = []
//!
//!     def add(self, entry: str) -> None:
//!         self.entries.append(entry)
//!
//!
//! async def call_tool(history: History, name: str) -> None:
//!     await asyncio.sleep(0)
//!     history.add(name)
//!
//!
//! asyncio.run(call_tool(History(), "search"))
//! ```
//!
//! In tests, `create_autospec` or `AsyncMock(spec=Class)` gives plain mocks for plain methods.
//!
//! ## Fixes that do not work
//! - Making the plain function `async` without anything to wait for: all its other callers then drop a coroutine; see
//!   `await/unnecessary-async` and `await/missing-await`.
//! - `except TypeError`: it hides errors of the callee as well, and skips what follows.
//! - `asyncio.ensure_future(value)` or `gather(value)`: both need an awaitable too.
//! - `list(async_gen())`: a list is filled by plain iteration; `[x async for x in async_gen()]` is what is meant.
//! - `async with threading.Lock()`: put an `asyncio.Lock` in its place where tasks are kept apart; a thread lock
//!   has no async form.
//!
//! ## Cues for a reviewer
//! - `await` before a call that returns at once by its nature: `set`, `cancel`, `release`, `put_nowait`, `add`,
//!   `append`.
//! - `await response.json()` where the response is of httpx or requests, in which it is plain; of aiohttp and of
//!   Starlette's request, in which it is not.
//! - `await` before a function that contains `yield`.
//! - A callee that was async once and is plain now.
//!
//! ## Where it is silent
//! - Callees that may return an awaitable: unions, plain functions that return a coroutine, task or future,
//!   properties that do.
//! - Objects with `__await__`, generators decorated with `types.coroutine`.
//! - Overridable methods: plain in a base class, async in a subclass.
//! - Mocks, and everything whose type is not known.
//! - Values tested with `inspect.isawaitable` or `asyncio.iscoroutine` before.
//!
//! ## Symptoms
//! - `TypeError: object … can't be used in 'await' expression`: the type's name is in the text (`NoneType` for a
//!   function without `return`, `async_generator` for a function with `yield`).
//! - `TypeError: 'async_generator' object is not iterable`: a plain `for` over it.
//! - `TypeError: 'async for' requires an object with __aiter__ method, got …`: a coroutine, list or generator.
//! - `TypeError: '…' object does not support the asynchronous context manager protocol`: `async with` on a plain one.
//! - `TypeError: '…' object does not support the context manager protocol`: plain `with` on an async one.
//! - `TypeError: An asyncio.Future, a coroutine or an awaitable is required`: a plain value in `gather` or
//!   `ensure_future`.
//! - `TypeError: a coroutine was expected, got …`: a plain value or an async generator in `create_task` or
//!   `asyncio.run`.
//! - `RuntimeError: cannot reuse already awaited coroutine`: the same coroutine awaited a second time.
//!
//! ## The mutation that introduces it
//! Add `await` before a call of a plain function; or remove `async` from a function and leave its callers; or replace
//! `async with lock` by `with lock`.
//!
//! ## Difficulty
//! Easy once the callee is found; medium where the callee's class comes from somewhere else.
//!
//! ## Related rules
//! `await/missing-await`, `await/unnecessary-async`, `await/await-outside-async`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::rule::{Question, Rule};
use racewalk_ir::{
    ArgKind, BindingKind, CompKind, Defs, Event, Expr, ExprId, FunctionId, Name, Role, ScopeKind, SuspendKind,
};
use racewalk_link::{Answer, FunctionRef, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/await-non-awaitable",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "something that is no awaitable is awaited, or an asynchronous one is used as a plain one",
    source: include_str!("await_non_awaitable.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        // Contexts of a test that expect an error: the call raises it before anything is awaited.
        let mut expecting: Vec<ExprId> = Vec::new();
        for event in &ctx.module.function(function).events {
            match *event {
                Event::Enter(ScopeKind::Plain, context) if expects_error(ctx, context) => expecting.push(context),
                Event::Exit(_, context) => expecting.retain(|entered| *entered != context),
                _ if !expecting.is_empty() => continue,
                _ => {}
            }
            let finding = match *event {
                Event::Suspend(SuspendKind::Await, operand) => awaited(ctx, function, operand),
                Event::Suspend(SuspendKind::Iterate, source) => iterated_async(ctx, function, source),
                Event::Loop(Some(source)) if ctx.module.role(source) == Role::Iterated => {
                    iterated(ctx, function, source)
                }
                Event::Enter(ScopeKind::Plain, context) => entered(ctx, function, context),
                Event::Enter(ScopeKind::Async, context) => entered_async(ctx, function, context),
                Event::Call(call) => awaited_too_early(ctx, function, call),
                _ => None,
            };
            if let Some(finding) = finding {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// `with raises(ValueError):` in a test.
fn expects_error(ctx: &Context<'_>, context: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(context) else { return false };
    let is_raises = |name: Name| matches!(name.as_str(), "raises" | "assertRaises" | "assertRaisesRegex");
    matches!(ctx.module.expr(callee), Expr::Name(name, _) | Expr::Attr(_, name) if is_raises(name))
        && crate::looping::is_test_module(ctx.module.name.as_str())
}

/// `await f()` where `f` is a plain function whose result is no awaitable.
fn awaited(ctx: &Context<'_>, function: FunctionId, operand: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, operand);
    if let Type::AsyncGenerator(_) = value {
        let name = ctx.program.callee_text(ctx.file, operand);
        let message =
            format!("`{name}()` gives an asynchronous generator, which cannot be awaited: it raises TypeError");
        return Some(finding(ctx, function, operand, message, "iterate it: `async for item in …`"));
    }
    if ctx.evaluator.awaitable(value) != Answer::No || crate::fate::is_callee_inspected(ctx, function, operand) {
        return None;
    }
    match ctx.module.expr(operand) {
        Expr::Call(callee, _) => awaited_call(ctx, function, operand, callee, value),
        Expr::List(_)
        | Expr::Tuple(_)
        | Expr::Set(_)
        | Expr::Map(_)
        | Expr::Comp(..)
        | Expr::Literal(_)
        | Expr::Format(_) => {
            let message = "a display of values is no awaitable: awaiting it raises TypeError".to_owned();
            Some(finding(ctx, function, operand, message, "await its members together: `await asyncio.gather(*…)`"))
        }
        Expr::Await(_) | Expr::Attr(..) if is_settled_value(value) => {
            let name = ctx.program.path_text(ctx.file, operand);
            let message = format!("`{name}` is a finished value, no awaitable: awaiting it raises TypeError");
            Some(finding(ctx, function, operand, message, "use it without `await`"))
        }
        _ => None,
    }
}

/// A value of a kind that nobody mistakes for an awaitable.
fn is_settled_value(value: Type) -> bool {
    matches!(value, Type::Plain | Type::Collection(_) | Type::Mapping(_) | Type::Tuple(_))
}

fn awaited_call(
    ctx: &Context<'_>,
    function: FunctionId,
    operand: ExprId,
    callee: ExprId,
    value: Type,
) -> Option<Finding> {
    let mut called = ctx.evaluator.eval(function, callee);
    if let Type::Partial(inner) = called {
        called = inner.get();
    }
    let target = match called {
        Type::Function(target) | Type::Method(target, _) => target,
        Type::External(_) | Type::ExternalMethod(..) => return library_value(ctx, function, operand, value),
        _ => return None,
    };
    let body = ctx.program.function(target);
    let has_body = body.stub == racewalk_ir::Stub::No || body.class.is_none();
    if body.is_async
        || !has_body
        || !is_undecorated(ctx, target)
        || !returns_values(ctx, target, DEEPEST)
        || has_async_namesake(ctx, target)
    {
        return None;
    }
    let name = &body.name;
    let message = format!("`{name}` is a plain function whose result is no awaitable: awaiting it raises TypeError");
    let place = Place { file: target.file, span: body.name_span };
    Some(
        finding(ctx, function, operand, message, "call it without `await`")
            .related(place, "a plain `def`")
            .shape(ctx.program.qualified(target)),
    )
}

/// No decorator but those that say how a method is bound.
fn is_undecorated(ctx: &Context<'_>, target: FunctionRef) -> bool {
    let module = ctx.program.module(target.file);
    ctx.program.function(target).decorators.iter().all(|decorator| {
        matches!(module.expr(*decorator), Expr::Name(name, _) if matches!(name.as_str(), "staticmethod" | "classmethod"))
    })
}

/// How many functions that return each other's results are looked into.
const DEEPEST: u32 = 4;

/// Whatever it declares, what the function's own return statements give is no awaitable.
fn returns_values(ctx: &Context<'_>, target: FunctionRef, depth: u32) -> bool {
    let theirs = ctx.program.evaluator(target.file);
    let body = ctx.program.function(target);
    let declared = body.returns.map(|returns| theirs.annotation(FunctionId(0), returns));
    // A declared text or number leaves no doubt; a declared class may be what a coroutine gives in the end.
    let is_plain = matches!(declared, Some(Type::Plain | Type::None));
    if ctx.program.is_installed(target.file) {
        return is_plain && !may_be_remade(ctx, target);
    }
    body.return_values.iter().all(|value| match theirs.awaitable(theirs.eval(target.id, *value)) {
        Answer::No => is_plain || gives_value(ctx, target, *value, depth),
        Answer::Unknown(_) => is_plain,
        Answer::Yes => false,
    })
}

/// A method of an installed class of which not everything is known.
fn may_be_remade(ctx: &Context<'_>, target: FunctionRef) -> bool {
    let class = ctx.program.function(target).class;
    class.is_some_and(|id| ctx.program.has_unknown_base(racewalk_link::ClassRef { file: target.file, id }))
}

/// A returned call of another function of the program gives no awaitable either.
fn gives_value(ctx: &Context<'_>, target: FunctionRef, value: ExprId, depth: u32) -> bool {
    let Some(site) = ctx.program.site(target, value) else { return true };
    match site.callee {
        Type::Function(next) | Type::Method(next, _) => {
            depth > 0 && !ctx.program.function(next).is_async && returns_values(ctx, next, depth - 1)
        }
        _ => true,
    }
}

/// What a library's plain function gives is known only where its model says so.
fn library_value(ctx: &Context<'_>, function: FunctionId, operand: ExprId, value: Type) -> Option<Finding> {
    let Expr::Call(callee, _) = ctx.module.expr(operand) else { return None };
    // A method of the program's own subclass may be overridden where we do not look.
    let is_librarys = match ctx.evaluator.eval(function, callee) {
        Type::ExternalMethod(_, _, receiver) => matches!(receiver.get(), Type::ExternalInstance(..)),
        _ => true,
    };
    if !is_librarys || !matches!(value, Type::Plain | Type::None | Type::Collection(_) | Type::Mapping(_)) {
        return None;
    }
    let name = ctx.program.callee_text(ctx.file, operand);
    let message = format!("`{name}()` gives a value that is no awaitable: awaiting it raises TypeError");
    let found = finding(ctx, function, operand, message, "call it without `await`");
    let is_doubtful = is_awaited_throughout(ctx, function, callee)
        || is_of_plain_class(ctx, function, callee) && is_only_declared(ctx, function, callee);
    let sure = if is_doubtful { Confidence::Possible } else { Confidence::Likely };
    Some(found.confidence(sure).shape(name))
}

/// No method of the library's class is asynchronous.
fn is_of_plain_class(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> bool {
    let Type::ExternalMethod(class, ..) = ctx.evaluator.eval(function, callee) else { return false };
    !ctx.program.models().is_asynchronous(class)
}

/// What the method belongs to is known from an annotation alone: a library's asynchronous twin of a class mostly goes under the
/// name of the other.
fn is_only_declared(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> bool {
    let Expr::Attr(object, _) = ctx.module.expr(callee) else { return false };
    let is_declared = |kind: BindingKind| match kind {
        BindingKind::Param(_) | BindingKind::Typed(_, None) => true,
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => match ctx.module.expr(value) {
            Expr::Name(_, Defs::One(binding)) => {
                matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Param(_))
            }
            Expr::Literal(_) => true,
            _ => false,
        },
        _ => false,
    };
    match ctx.module.expr(object) {
        Expr::Name(_, Defs::One(binding)) => is_declared(ctx.module.bindings[binding.index()].kind),
        Expr::Attr(_, field) => {
            let Some(class) = ctx.module.function(function).class else { return false };
            let class = ctx.program.class(racewalk_link::ClassRef { file: ctx.file, id: class });
            let mut fields = class.fields.iter().filter(|known| known.name == field).peekable();
            fields.peek().is_some() && fields.all(|known| is_declared(known.kind))
        }
        _ => false,
    }
}

/// Another method of the same object that gives no awaitable either is awaited in the same class or function: rather than
/// several such mistakes, its declared type is one.
fn is_awaited_throughout(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> bool {
    let Expr::Attr(object, method) = ctx.module.expr(callee) else { return false };
    let object = ctx.program.path_text(ctx.file, object);
    let class = ctx.module.function(function).class;
    let is_near = |other: &FunctionId| {
        *other == function
            || (object.starts_with("self.") && class.is_some() && ctx.module.function(*other).class == class)
    };
    ctx.functions().filter(is_near).any(|other| {
        ctx.program.sites(ctx.function_ref(other)).iter().any(|site| {
            ctx.module.role(site.call) == Role::Awaited
                && match ctx.module.expr(site.call) {
                    Expr::Call(callee, _) => matches!(ctx.module.expr(callee), Expr::Attr(base, name)
                        if name != method && ctx.program.path_text(ctx.file, base) == object),
                    _ => false,
                }
                && ctx.evaluator.awaitable(ctx.evaluator.given_by(other, site)) == Answer::No
        })
    })
}

/// Declared one way for one kind of call and another way for the next.
fn is_overload(module: &racewalk_ir::Module, function: &racewalk_ir::Function) -> bool {
    function.decorators.iter().any(|decorator| {
        matches!(module.expr(*decorator), Expr::Name(name, _) | Expr::Attr(_, name) if name.as_str() == "overload")
    })
}

/// An overload, an overriding method or a base's declaration of it is asynchronous: which one counts is not certain.
fn has_async_namesake(ctx: &Context<'_>, target: FunctionRef) -> bool {
    let body = ctx.program.function(target);
    let module = ctx.program.module(target.file);
    let mut namesakes = module.functions.iter().filter(|f| f.name == body.name && f.class == body.class);
    if namesakes.any(|namesake| namesake.is_async || is_overload(module, namesake)) {
        return true;
    }
    let Some(class) = body.class else { return false };
    let class = racewalk_link::ClassRef { file: target.file, id: class };
    let bases = ctx.program.lineage(class).filter_map(|base| match base {
        Type::Class(base) => Some(base),
        _ => None,
    });
    let declared = bases.filter_map(|base| ctx.program.own_method(base, body.name));
    ctx.program.overriding(target).chain(declared).any(|method| ctx.program.function(method).is_async)
}

/// The callee is a declaration without a body, or one that only raises, and what overrides it yields, or may do so in an
/// installed package.
fn is_implemented_by_generators(ctx: &Context<'_>, function: FunctionId, source: ExprId) -> bool {
    let made = match ctx.module.expr(source) {
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) => value,
            _ => source,
        },
        _ => source,
    };
    let site = ctx.program.site(ctx.function_ref(function), made);
    site.is_some_and(|site| site.callee.members().iter().any(|member| is_declared_for_generators(ctx, *member)))
}

fn is_declared_for_generators(ctx: &Context<'_>, callee: Type) -> bool {
    let Type::Method(target, _) = callee else { return false };
    let body = ctx.program.function(target);
    let gives_nothing = body.stub != racewalk_ir::Stub::No || body.return_values.is_empty();
    if body.class.is_none() || !gives_nothing {
        return false;
    }
    ctx.program.is_installed(target.file)
        || ctx.program.overriding(target).any(|method| ctx.program.function(method).is_generator)
}

/// The code asks what the local value is before it iterates.
fn is_tested(ctx: &Context<'_>, source: ExprId) -> bool {
    let Expr::Name(_, defs) = ctx.module.expr(source) else { return false };
    let mut reads = ctx.module.defs(&defs).iter().flat_map(|binding| ctx.reads_of(*binding));
    reads.any(|(_, read)| crate::fate::is_inspected(ctx, *read))
}

/// `async for` over what a coroutine function gives.
fn iterated_async(ctx: &Context<'_>, function: FunctionId, source: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, source);
    let name = ctx.program.callee_text(ctx.file, source);
    if is_implemented_by_generators(ctx, function, source) || is_tested(ctx, source) {
        return None;
    }
    match value {
        Type::Coroutine(result) if !ctx.evaluator.element_async(result.get()).is_unknown() => {
            let message = format!("`{name}()` gives a coroutine: `async for` over it raises TypeError");
            Some(finding(ctx, function, source, message, "await it first: `async for item in await …`"))
        }
        Type::Coroutine(_) => {
            let message = format!(
                "`{name}()` gives a coroutine, which is no asynchronous iterator: `async for` raises TypeError"
            );
            Some(finding(ctx, function, source, message, "await it, and iterate the result with a plain `for`"))
        }
        Type::Generator(_) | Type::Collection(_) if is_made_plainly(ctx, function, source) => {
            let message = format!("`{name}` is a plain iterable: `async for` over it raises TypeError");
            let found = finding(ctx, function, source, message, "iterate it with a plain `for`");
            Some(found.confidence(Confidence::Likely))
        }
        _ => None,
    }
}

/// A display, or a call of a plain generator function: not merely declared to be iterable.
fn is_made_plainly(ctx: &Context<'_>, function: FunctionId, source: ExprId) -> bool {
    match ctx.module.expr(source) {
        Expr::List(_) | Expr::Tuple(_) | Expr::Comp(..) => true,
        Expr::Call(callee, _) => match ctx.evaluator.eval(function, callee) {
            Type::Function(target) | Type::Method(target, _) => {
                let body = ctx.program.function(target);
                body.is_generator && !body.is_async && !has_async_namesake(ctx, target)
            }
            _ => false,
        },
        _ => false,
    }
}

/// A plain `for` over something that only asynchronous iteration goes through.
fn iterated(ctx: &Context<'_>, function: FunctionId, source: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, source);
    let has = |name: &str| ctx.evaluator.member(value, name.into());
    let is_async = match value {
        Type::AsyncGenerator(_) => true,
        Type::Instance(class, _) => {
            !ctx.program.has_unknown_base(class)
                && !has("__aiter__").is_unknown()
                && has("__iter__").is_unknown()
                && has("__getitem__").is_unknown()
        }
        _ => false,
    };
    let name = ctx.program.callee_text(ctx.file, source);
    let message = format!("`{name}` is iterated asynchronously only: a plain `for` over it raises TypeError");
    is_async.then(|| finding(ctx, function, source, message, "iterate it with `async for`"))
}

/// A plain `with` on something that is entered asynchronously only.
fn entered(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, context);
    let name = ctx.program.path_text(ctx.file, context);
    let is_async_only = match value {
        Type::ExternalInstance(path, _) => {
            let models = ctx.program.models();
            let is_known = matches!(
                models.kind(path),
                Some(
                    ClassKind::AsyncLock
                        | ClassKind::AsyncSemaphore
                        | ClassKind::Client
                        | ClassKind::Session
                        | ClassKind::Stream
                )
            );
            let says = |plain: bool| {
                models.inherited(path, |class| if plain { class.enter.as_ref() } else { class.enter_async.as_ref() })
            };
            is_known && says(false).is_some() && says(true).is_none()
        }
        Type::Context(_, is_async) => is_async,
        _ => false,
    };
    let message = format!("`{name}` is an asynchronous context manager: a plain `with` on it raises an error");
    is_async_only.then(|| finding(ctx, function, context, message, "enter it with `async with`"))
}

/// `async with` on something that is entered plainly only.
fn entered_async(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, context);
    let is_plain_only = match value {
        Type::ExternalInstance(path, _) => {
            let kind = ctx.program.models().kind(path);
            matches!(kind, Some(ClassKind::ThreadLock | ClassKind::ThreadSemaphore | ClassKind::ThreadEvent))
        }
        Type::Context(_, is_async) => !is_async,
        _ => false,
    };
    let name = ctx.program.callee_text(ctx.file, context);
    let message = format!("`{name}` is a plain context manager: `async with` on it raises an error");
    is_plain_only
        .then(|| finding(ctx, function, context, message, "enter it with a plain `with`, or use its async kind"))
}

/// `wait_for(await f(), …)`, `gather(*[await f(x) for x in xs])`: the work is done before the call that should start,
/// bound or join it, and a finished value is handed to it.
fn awaited_too_early(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Option<Finding> {
    let Expr::Call(callee, args) = ctx.module.expr(call) else { return None };
    let args = ctx.module.args(args);
    let early = args.iter().find_map(|arg| match arg.kind {
        ArgKind::Positional => is_await(ctx, arg.value).then_some(arg.value),
        ArgKind::Spread => awaited_elements(ctx, arg.value),
        _ => None,
    })?;
    let callee = ctx.evaluator.eval(function, callee);
    let model = ctx.program.model_of(callee)?;
    if !(model.consumes || model.joins.is_some()) || gives_awaitable(ctx, function, early) {
        return None;
    }
    let name = ctx.program.callee_text(ctx.file, call);
    let message = format!(
        "the work is awaited before `{name}()` is called: it runs to its end outside of `{name}()`, which is then given \
         a result in place of an awaitable"
    );
    let help = format!("pass the coroutine itself: `{name}(f(…))`, without the inner `await`");
    let at = ctx.place(early);
    Some(
        Finding::new(&RULE, at, ctx.symbol(function), message)
            .help(help)
            .confidence(Confidence::Likely)
            .shape(format!("early {name}")),
    )
}

fn is_await(ctx: &Context<'_>, expr: ExprId) -> bool {
    matches!(ctx.module.expr(expr), Expr::Await(_))
}

/// The await in a comprehension or display of awaited results, directly or through a local.
fn awaited_elements(ctx: &Context<'_>, expr: ExprId) -> Option<ExprId> {
    match ctx.module.expr(expr) {
        Expr::Comp(CompKind::List | CompKind::Set | CompKind::Lazy, element) => {
            is_await(ctx, element).then_some(element)
        }
        Expr::List(list) | Expr::Tuple(list) => {
            ctx.module.list(list).iter().copied().find(|element| is_await(ctx, *element))
        }
        Expr::Name(_, racewalk_ir::Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) => awaited_elements(ctx, value),
            _ => None,
        },
        _ => None,
    }
}

/// Awaiting gives another awaitable, which may well be handed on.
fn gives_awaitable(ctx: &Context<'_>, function: FunctionId, awaited: ExprId) -> bool {
    let value = ctx.evaluator.eval(function, awaited);
    ctx.evaluator.awaitable(value) == Answer::Yes
        || value.members().iter().any(|member| matches!(member, Type::Callable(_) | Type::Function(_)))
}

fn finding(ctx: &Context<'_>, function: FunctionId, operand: ExprId, message: String, help: &str) -> Finding {
    let at = match ctx.module.role(operand) {
        Role::Awaited => ctx.module.parent(operand).unwrap_or(operand),
        _ => operand,
    };
    let shape = ctx.program.callee_text(ctx.file, operand);
    Finding::new(&RULE, ctx.place(at), ctx.symbol(function), message).help(help).shape(shape)
}

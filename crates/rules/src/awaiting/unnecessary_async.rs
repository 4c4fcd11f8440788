//! # await/unnecessary-async
//!
//! A function is `async def`, its body never awaits, and nothing requires it to be async.
//!
//! ## What it is
//! `async def` is a promise to the callers: this may suspend. Every caller must then await, and so must be async in
//! turn. When the body holds no `await`, `async for`, `async with` or async comprehension, and no interface,
//! framework, table or parameter asks for an awaitable, the promise is empty.
//!
//! A special shape is the cascade. A dispatcher does `await handler(message)` for whatever it finds in a table; so
//! every handler has to be `async def`, whether or not it waits for anything. When no handler in the table awaits,
//! the cause is the dispatcher: it is reported once, with the handlers attached.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Roster:
//!     def __init__(self) -> None:
//!         self.users: set[str] = set()
//!
//!     async def join(self, user: str) -> int:
//!         self.users.add(user)
//!         return len(self.users)
//!
//!
//! async def welcome(roster: Roster, user: str) -> str:
//!     count = await roster.join(user)
//!     await asyncio.sleep(0)
//!     return f"{user} is number {count}"
//!
//!
//! asyncio.run(welcome(Roster(), "ada"))
//! ```
//!
//! ## What one observes
//! Nothing breaks. Each call makes and drives a coroutine for nothing; functions up the call chain become async
//! only to await this one; tests need an event loop; readers look for a suspension point that is not there, and
//! guard state against an interleaving that cannot happen. When a plain caller forgets the `await`, the effect
//! silently does not take place.
//!
//! ## Why tests pass all the same
//! The function does what it should. There is no failure to find; it costs latency, clarity, and one chance more for a
//! missing `await` at every call site.
//!
//! ## The structural fix
//! Make the function `def` and remove the `await` at its call sites, in one change: both halves or neither. Callers
//! that then have no `await` left follow. For a dispatcher, let it accept both kinds, and make those handlers plain
//! that do not wait:
//!
//! ```python good
//! import asyncio
//! import inspect
//!
//!
//! class Server:
//!     def __init__(self) -> None:
//!         self.users: set[str] = set()
//!         self.handlers = {"JOIN": self.join, "SYNC": self.sync}
//!
//!     async def dispatch(self, kind: str, user: str) -> None:
//!         result = self.handlers[kind](user)
//!         if inspect.isawaitable(result):
//!             await result
//!
//!     def join(self, user: str) -> None:
//!         self.users.add(user)
//!
//!     async def sync(self, user: str) -> None:
//!         await asyncio.sleep(0)
//!         self.users.discard(user)
//!
//!
//! asyncio.run(Server().dispatch("JOIN", "ada"))
//! ```
//!
//! ## Fixes that do not work
//! - Removing `async` from the handlers alone: the dispatcher then awaits None and raises a `TypeError` for each
//!   message.
//! - `await asyncio.sleep(0)` in the body, so that there is an `await`: it adds a real suspension point, and with it an
//!   interleaving, to code that had none.
//! - Testing with `asyncio.iscoroutine` in the dispatcher: a handler that returns a task, a future or another awaitable
//!   slips through. `inspect.isawaitable` asks what is meant.
//! - Testing with `inspect.iscoroutinefunction(handler)`: a plain function or lambda that returns a coroutine, a
//!   decorated function, or an object whose `__call__` is async is not seen as one, although what it returns must
//!   be awaited.
//! - Removing `async` from a function that makes an event loop run inside, or that blocks: such a function should
//!   become async properly. See `loop/nested-event-loop` and `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - An `async def` without the word `await` below it.
//! - A family of handlers with one signature, all async, most of them two lines long.
//! - `await` in front of a call that only touches memory.
//! - Test helpers that exist to run one line in a loop.
//!
//! ## Where it is silent
//! - Overrides of an async method, implementations of an abstract or protocol method, and methods that subclasses
//!   override with ones that await.
//! - Handlers, hooks, dependencies, lifespans and commands of frameworks; tests and fixtures.
//! - Functions passed or stored where an awaitable or a coroutine function is required (`create_task(f())`, `gather`,
//!   a parameter typed `Callable[…, Awaitable[…]]`), or handed to something unknown.
//! - Stubs (`...`, `pass`, a docstring), bodies that raise `NotImplementedError` or only write a line into a log, methods of a
//!   class that leaves others to its subclasses, async generators, dunder methods.
//! - Handlers in a table where at least one of them awaits. Where none does: one finding, at the dispatcher.
//! - Functions that need a running loop although they do not await: `create_task`, `get_running_loop`, `call_soon`.
//! - Functions whose name is an implicit protocol: the same async name in many modules of the program.
//! - Functions that reach a nested event loop or a blocking call: these should await, and are reported for that.
//! - `possible`, shown with `--strict`: one of several functions between which a caller chooses, all with the same arguments,
//!   when another one suspends; a dependency of a web framework's handlers, by its parameters and the errors it raises; what a
//!   module lists in `__all__`.
//!
//! ## Symptoms
//! - `TypeError: object NoneType can't be used in 'await' expression`: the half-done removal; the function is plain
//!   now and a caller still awaits it.
//! - `RuntimeWarning: coroutine '…' was never awaited`: a plain caller took the function for a plain one.
//! - `async def functions are not natively supported.`: pytest, when a test is async for the sake of such a function.
//!
//! ## The mutation that introduces it
//! Add `async` to a `def` whose body does not wait, and `await` at its call sites. At scale: make a dispatcher
//! await its handlers, then make all of them async.
//!
//! ## Difficulty
//! Easy to see in one function; hard to judge, since what requires it to be async is mostly in another file.
//!
//! ## Related rules
//! `await/missing-await`, `await/await-non-awaitable`, `loop/blocking-call`, `loop/nested-event-loop`.

use crate::awaiting::async_uses::AsyncUses;
use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::rule::{Question, Rule};
use crate::scopes::are_alternatives;
use racewalk_ir::{Arg, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name, Role, Stub, SuspendKind};
use racewalk_link::{ClassRef, FunctionRef, How, Program, Type, Why};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/unnecessary-async",
    question: Question::Await,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: true,
    summary: "an async function without a suspension point, which nothing requires to be async",
    source: include_str!("unnecessary_async.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        if never_suspends(ctx.program, this) && !may_be_required(ctx.program, this, &ctx.shared.async_uses) {
            alone(ctx, function, found);
        }
        dispatcher(ctx, function, found);
    }
}

/// A function all of whose users await it where they call it.
fn alone(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let uses = ctx.shared.async_uses.of(ctx.function_ref(function));
    if uses.awaited.is_empty() || uses.otherwise > 0 || uses.as_value > 0 {
        return;
    }
    let body = ctx.module.function(function);
    let callers = uses.awaited.len();
    let calls = if callers == 1 { "its one call awaits".to_owned() } else { format!("its {callers} calls await") };
    let message = format!("`{}` is async and never suspends: {calls} what could be an ordinary result", body.name);
    let help = format!(
        "make it a plain `def` and take the `await` from {}",
        if callers == 1 { "its call" } else { "its calls" }
    );
    let this = ctx.function_ref(function);
    let is_doubtful = crate::looping::is_side_module(ctx.module.name.as_str())
        || is_exported(ctx.program, this)
        || is_one_of_a_family(ctx.program, this)
        || is_part_of_async_interface(ctx.program, this)
        || answers_requests(ctx.program, this);
    let mut finding = Finding::new(&RULE, ctx.at(body.name_span), ctx.symbol(function), message)
        .help(help)
        .confidence(if is_doubtful { Confidence::Possible } else { Confidence::Likely })
        .shape("alone");
    for place in uses.awaited.iter().take(3) {
        finding = finding.related(*place, "awaited here");
    }
    ctx.report(function, finding, found);
}

/// Some module lists the function, or its class, among what it offers to others: they await it where we do not look.
fn is_exported(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let module = program.module(function.file);
    let name = body.class.map_or(body.name, |class| module.class(class).name);
    let mut lists = program.modules().iter().filter_map(|module| module.exports.as_ref());
    !body.name.as_str().starts_with('_') && lists.any(|names| names.contains(&name))
}

/// A public method of a class whose other public methods do suspend: who calls the one awaits the other, and an heir may need to.
fn is_part_of_async_interface(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let module = program.module(function.file);
    let is_public = |name: Name| !name.as_str().starts_with('_');
    let suspends = |id: FunctionId| {
        let other = module.function(id);
        other.class == body.class
            && other.is_async
            && other.stub == Stub::No
            && is_public(other.name)
            && other.events.iter().any(|event| matches!(event, Event::Suspend(..)))
    };
    let mut ids = (0..module.functions.len() as u32).map(FunctionId);
    body.class.is_some() && is_public(body.name) && ids.any(suspends)
}

/// Its caller chooses between it and others that it awaits alike, with the same arguments, and another one does suspend.
fn is_one_of_a_family(program: &Program, function: FunctionRef) -> bool {
    let callers = program.summaries.callers.of(function);
    callers.iter().any(|(caller, site, _)| {
        let module = program.module(caller.file);
        let mut siblings = program.edges(*caller).iter().filter(|edge| edge.target != function);
        siblings.any(|edge| {
            let body = program.function(edge.target);
            body.is_async
                && !never_suspends(program, edge.target)
                && body.class.is_some() == program.function(function).class.is_some()
                && module.role(edge.site) == Role::Awaited
                && has_same_arguments(module, *site, edge.site)
                && are_alternatives(&program.function(*caller).events, *site, edge.site)
        })
    })
}

/// Both calls have arguments, and the same names as these.
fn has_same_arguments(module: &Module, one: ExprId, other: ExprId) -> bool {
    let (Expr::Call(_, one), Expr::Call(_, other)) = (module.expr(one), module.expr(other)) else { return false };
    let (one, other) = (module.args(one), module.args(other));
    let name = |arg: &Arg| match module.expr(arg.value) {
        Expr::Name(name, _) => Some(name),
        _ => None,
    };
    let is_same =
        |(one, other): (&Arg, &Arg)| one.kind == other.kind && name(one).is_some() && name(one) == name(other);
    !one.is_empty() && one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// By its parameters and the errors that it raises, a web framework calls it for its handlers: a plain one would run in a thread.
fn answers_requests(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let module = program.module(function.file);
    let evaluator = program.evaluator(function.file);
    let is_web = |class: Name| program.models().calls_handlers(class.first_segment());
    let is_injected = |param: &racewalk_ir::Param| {
        let declared = param.annotation.map(|annotation| evaluator.annotation(function.id, annotation));
        matches!(declared, Some(Type::ExternalInstance(class, _)) if is_web(class))
    };
    let is_answer = |site: &racewalk_link::Site| {
        matches!(site.callee, Type::External(class) if is_web(class)) && module.role(site.call) == Role::Raised
    };
    body.class.is_none()
        && !body.name.as_str().starts_with('_')
        && body.params.iter().all(is_injected)
        && program.sites(function).iter().any(is_answer)
}

/// Nothing in the function gives way to another task, and it is declared async all the same.
pub(crate) fn never_suspends(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    body.is_async
        && body.kind == FunctionKind::Function
        && body.stub == Stub::No
        && !body.is_generator
        && !body.events.iter().any(|event| matches!(event, Event::Suspend(..)))
}

/// Something outside the function's own text may want it to be async.
fn may_be_required(program: &Program, function: FunctionRef, uses: &AsyncUses) -> bool {
    let body = program.function(function);
    let name = body.name.as_str();
    program.entries.contains_key(&function)
        || !body.decorators.iter().all(|decorator| is_inert(program, function, *decorator))
        || name.starts_with("__")
        || name.starts_with("test_")
        || uses.is_agreed_name(body.name)
        || does_nothing(program, function)
        || has_plain_twin(program, function)
        || calls_what_is_not_there(program, function)
        || crate::looping::is_test_module(program.module(function.file).name.as_str())
        || needs_loop(program, function)
        || is_held_up(program, function)
        || belongs_to_interface(program, function)
}

/// It calls a member that a known class does not have: what it lacks may be the await of the one that the class has.
fn calls_what_is_not_there(program: &Program, function: FunctionRef) -> bool {
    program.sites(function).iter().any(|site| site.callee == Type::Unknown(Why::Member))
}

/// `aget` or `get_async` beside `get`: one of a pair that offers both ways on purpose.
fn has_plain_twin(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file);
    let body = program.function(function);
    let name = body.name.as_str();
    let twins = [name.strip_prefix('a'), name.strip_suffix("_async"), name.strip_prefix("async_")];
    let is_twin = |other: &racewalk_ir::Function| {
        other.class == body.class && !other.is_async && twins.contains(&Some(other.name.as_str()))
    };
    module.functions.iter().any(is_twin)
}

/// It changes nothing and calls nothing but a logger: a placeholder, or a hook's default.
fn does_nothing(program: &Program, function: FunctionRef) -> bool {
    let acts =
        |event: &Event| matches!(event, Event::Call(_) | Event::WritePlace(..) | Event::Modify(_) | Event::Define(_));
    let body = program.function(function);
    if only_logs(program, function) {
        return true;
    }
    let only_raises = matches!(body.events.last(), Some(Event::Raise(Some(_))))
        && body.events.iter().filter(|event| matches!(event, Event::Call(_))).count() <= 1
        && body.return_values.is_empty();
    only_raises || !body.events.iter().any(acts)
}

/// Nothing comes of it but lines in a log.
fn only_logs(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let module = program.module(function.file);
    let is_harmless = |event: &Event| match *event {
        Event::WritePlace(..) | Event::Modify(_) | Event::Define(_) | Event::Raise(_) | Event::Enter(..) => false,
        Event::Call(call) if module.role(call) == Role::Dropped => is_log(program, function, call),
        _ => true,
    };
    let is_offered = !body.name.as_str().starts_with('_');
    is_offered && body.return_values.is_empty() && body.events.iter().all(is_harmless)
}

fn is_log(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let callee = program.site(function, call).map(|site| site.callee);
    matches!(callee, Some(Type::ExternalMethod(class, ..)) if class.as_str() == "logging.Logger")
}

/// A decorator that only says how a method is bound.
fn is_inert(program: &Program, function: FunctionRef, decorator: ExprId) -> bool {
    let module = program.module(function.file);
    matches!(module.expr(decorator), Expr::Name(name, _) if matches!(name.as_str(), "staticmethod" | "classmethod"))
}

/// It starts tasks or asks for the running loop, so it must run on one.
fn needs_loop(program: &Program, function: FunctionRef) -> bool {
    touches_loop(program, function) || program.edges(function).iter().any(|edge| touches_loop(program, edge.target))
}

fn touches_loop(program: &Program, function: FunctionRef) -> bool {
    program.sites(function).iter().any(|site| {
        program.model_of(site.callee).is_some_and(|model| {
            model.needs_running_loop || model.spawns.is_some() || model.loop_thread_only || model.is_async
        }) || matches!(site.callee, Type::Unknown(_)) && is_spawn_by_name(program, function, site.call)
    })
}

/// `self.loop.create_task(…)` on a loop of unknown making.
fn is_spawn_by_name(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let text = program.callee_text(function.file, call);
    let last = text.rsplit('.').next().unwrap_or(&text);
    last.contains("create_task")
        || last.contains("ensure_future")
        || last.contains("start_soon")
        || last.contains("spawn")
}

/// It blocks or starts a loop, so what it lacks is an await.
fn is_held_up(program: &Program, function: FunctionRef) -> bool {
    let summaries = &program.summaries;
    let first = summaries.sinks.partition_point(|sink| sink.function < function);
    if summaries.sinks.get(first).is_some_and(|sink| sink.function == function) {
        return true;
    }
    program.edges(function).iter().any(|edge| {
        let is_async = program.function(edge.target).is_async;
        is_async
            || edge.how == How::Offloads
            || summaries.blocks.contains_key(&edge.target)
            || summaries.lingers.contains_key(&edge.target)
            || summaries.starts_loop.contains_key(&edge.target)
    })
}

/// A method that a base declares, that a subclass overrides, or that a class outside the program may ask for. A class some of
/// whose methods are left to its subclasses is there to be overridden.
fn belongs_to_interface(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let Some(class) = body.class else { return false };
    let mut methods = program.module(function.file).functions.iter().filter(|method| method.class == Some(class));
    if methods.any(|method| method.stub == Stub::NotImplemented) {
        return true;
    }
    let class = ClassRef { file: function.file, id: class };
    let foreign = |base: Type| match base {
        Type::Class(base) => {
            base != class && (program.is_installed(base.file) || program.own_method(base, body.name).is_some())
        }
        Type::External(path) => !matches!(program.models().kind(path), Some(ClassKind::DataModel)) && !is_bare(path),
        _ => true,
    };
    program.has_unknown_base(class)
        || program.lineage(class).any(foreign)
        || program.overriding(function).next().is_some()
}

/// Bases from the standard library that call no methods of their own accord.
fn is_bare(path: Name) -> bool {
    matches!(path.as_str(), "builtins.object" | "typing.Generic" | "enum.Enum" | "enum.StrEnum")
}

/// One that looks up its handler and awaits whatever it gives: when no handler suspends, all of them are async for its
/// sake alone.
fn dispatcher(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let body = ctx.module.function(function);
    if !body.is_async {
        return;
    }
    for event in &body.events {
        let Event::Suspend(SuspendKind::Await, operand) = *event else { continue };
        let Expr::Call(callee, _) = ctx.module.expr(operand) else { continue };
        let Some((handlers, all_must_agree)) = handlers(ctx, function, callee) else { continue };
        let needless: Vec<FunctionRef> = handlers.iter().copied().filter(|h| is_needless_handler(ctx, *h)).collect();
        let enough =
            if all_must_agree { needless.len() == handlers.len() } else { needless.len() * 2 > handlers.len() };
        if needless.len() >= 2 && enough {
            let finding = cascade(ctx, function, operand, &needless, handlers.len());
            ctx.report(function, finding, found);
            return;
        }
    }
}

/// The handlers that a looked-up callee may be, and whether one that suspends settles the matter: a table's handlers are
/// chosen together; those found by the beginning of their name are not.
fn handlers(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> Option<(Vec<FunctionRef>, bool)> {
    if let Expr::Attr(..) = ctx.module.expr(callee) {
        return None;
    }
    if let Some(found) = by_prefix(ctx, function, callee) {
        return Some((found, false));
    }
    let value = ctx.evaluator.eval(function, callee);
    let members: Vec<FunctionRef> = value
        .members()
        .iter()
        .filter_map(|member| match member {
            Type::Function(target) | Type::Method(target, _) => Some(*target),
            _ => None,
        })
        .collect();
    let complete =
        value.members().iter().all(|member| matches!(member, Type::Function(_) | Type::Method(..) | Type::None));
    (members.len() >= 2 && complete).then_some((members, true))
}

/// `handler = getattr(self, f"handle_{kind}")`: the methods whose names begin so.
fn by_prefix(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> Option<Vec<FunctionRef>> {
    let Expr::Name(_, defs) = ctx.module.expr(callee) else { return None };
    let [binding] = ctx.module.defs(&defs) else { return None };
    let racewalk_ir::BindingKind::Value(value) = ctx.module.bindings[binding.index()].kind else { return None };
    let Expr::Call(getter, _) = ctx.module.expr(value) else { return None };
    if ctx.evaluator.eval(function, getter) != Type::External(Name::new("builtins.getattr")) {
        return None;
    }
    let args = ctx.evaluator.args(value);
    let prefix = prefix(ctx, args.get(1)?.value)?;
    let Type::Instance(class, _) = ctx.evaluator.eval(function, args[0].value) else { return None };
    let mut methods: Vec<FunctionRef> = Vec::new();
    for base in ctx.program.lineage(class) {
        let Type::Class(base) = base else { continue };
        let class = ctx.program.class(base);
        let symbols = &ctx.program.module(base.file).function(class.body).symbols;
        let named = symbols.iter().filter(|symbol| symbol.name.as_str().starts_with(prefix.as_str()));
        methods.extend(named.filter_map(|symbol| ctx.program.own_method(base, symbol.name)));
    }
    (methods.len() >= 2).then_some(methods)
}

/// The literal beginning of a text that is put together.
fn prefix(ctx: &Context<'_>, text: ExprId) -> Option<Name> {
    let (Expr::Format(parts) | Expr::Operation(parts)) = ctx.module.expr(text) else { return None };
    match ctx.module.expr(*ctx.module.list(parts).first()?) {
        Expr::Literal(Literal::Str(prefix)) => Some(prefix),
        _ => None,
    }
}

fn is_needless_handler(ctx: &Context<'_>, handler: FunctionRef) -> bool {
    let program = ctx.program;
    let is_needless = |function: FunctionRef| {
        never_suspends(program, function) && !needs_loop(program, function) && !is_held_up(program, function)
    };
    is_needless(handler) && program.overriding(handler).all(is_needless)
}

fn cascade(
    ctx: &Context<'_>,
    function: FunctionId,
    awaited: ExprId,
    needless: &[FunctionRef],
    handlers: usize,
) -> Finding {
    let body = ctx.module.function(function);
    let count = needless.len();
    let message = format!(
        "`{}` awaits whatever handler it looks up, so {count} of its {handlers} handlers are async and never suspend",
        body.name
    );
    let mut finding = Finding::new(&RULE, ctx.at(body.name_span), ctx.symbol(function), message)
        .help(
            "let the dispatcher accept both (`result = handler(…)`; `if inspect.isawaitable(result): result = await \
             result`), and make the handlers that do not suspend plain functions",
        )
        .confidence(Confidence::Likely)
        .shape("dispatcher")
        .related(ctx.place(awaited), "awaits every handler");
    for handler in needless {
        let handler_body = ctx.program.function(*handler);
        let place = Place { file: handler.file, span: handler_body.name_span };
        finding = finding.related(place, format!("`{}` never suspends", handler_body.name));
    }
    finding
}

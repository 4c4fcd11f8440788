//! # await/missing-await
//!
//! A coroutine is created and dropped, or used where the value it would produce is meant.
//!
//! ## What it is
//! Calling an `async def` function runs none of its body. It builds a coroutine object; the body runs when
//! something awaits that object or hands it to the event loop as a task. A call without `await` therefore has one
//! of two outcomes:
//!
//! - **dropped**: the coroutine is nobody's; the work never happens;
//! - **used as a value**: the coroutine object stands where its result was meant: in a condition (an object is always
//!   true), an attribute access, a subscript, a loop, a comparison, arithmetic, a format string, a serialiser, or as an
//!   argument of a function that wants the result.
//!
//! The call and the `async def` are often in different files. What joins them may be a base class, a constructor
//! parameter, an `X | None` attribute, a factory, a re-export or a library. This rule follows all of them.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Tool:
//!     async def set_progress(self, text: str) -> None:
//!         await asyncio.sleep(0)
//!
//!
//! class CodeTool(Tool):
//!     async def execute(self) -> str:
//!         output = await self.read_output()
//!         self.set_progress(output)
//!         return output
//!
//!     async def read_output(self) -> str:
//!         await asyncio.sleep(0)
//!         return "done"
//!
//!
//! asyncio.run(CodeTool().execute())
//! ```
//!
//! ## What one observes
//! - Dropped: an effect that never takes place. No row is written, no message goes out, the progress display stands
//!   still. The caller has returned normally.
//! - In a condition: the guard is always true (`if not repo.exists(key)` never enters its branch).
//! - In a text: the log or the response shows `<coroutine object Repo.name at 0x…>`.
//! - Elsewhere: a `TypeError` or `AttributeError` that names `coroutine`, raised at the use and not at the call
//!   that lacks the `await`. Inside a broad `except` it disappears, and what remains is an empty or default answer.
//! - On stderr, once for each place: `coroutine '…' was never awaited`, with the line on which the object was freed.
//!
//! ## Why tests pass all the same
//! The warning is a `RuntimeWarning`, which fails no test by default; pytest lists it in the summary of a green run.
//! `python -W error` does not help either: the error is raised while the object is freed, where it can only be printed.
//! Tests that replace the callee with a `Mock` hand back a mock in place of a coroutine, so the missing `await` is not
//! missed. A test that only asserts on the return value never looks at the effect that did not happen.
//!
//! ## The structural fix
//! Await the call. If the work may go on while the caller continues, give it an owner: a `TaskGroup`, or a task
//! kept in an attribute and awaited at shutdown. Then look at what the added `await` unmasks: until now the lines
//! after it never ran with a real value (a model used like a dict, an exception that a broad `except` swallowed).
//!
//! ```python good
//! import asyncio
//!
//!
//! class Tool:
//!     async def set_progress(self, text: str) -> None:
//!         await asyncio.sleep(0)
//!
//!
//! class CodeTool(Tool):
//!     async def execute(self) -> str:
//!         output = await self.read_output()
//!         await self.set_progress(output)
//!         return output
//!
//!     async def read_output(self) -> str:
//!         await asyncio.sleep(0)
//!         return "done"
//!
//!
//! asyncio.run(CodeTool().execute())
//! ```
//!
//! Search for every other call of the same function: where one site lacks the `await`, sites written at the same
//! time often lack it too.
//!
//! ## Fixes that do not work
//! - `asyncio.create_task(f())` with the task dropped: the body is scheduled, but nobody waits for it, nobody hears
//!   of its exception, and it can be collected while it is suspended. That is `await/floating-task`.
//! - `asyncio.run(f())` at the call site: a loop is already running there, so it raises. That is
//!   `loop/nested-event-loop`.
//! - `_ = f()` or a filter for the warning: both hide the message; the body still never runs.
//! - Making the callee a plain `def` that returns the inner coroutine: its callers have the same defect one step later.
//! - `inspect.isawaitable(x)` at the use: right for an interface that accepts both kinds, wrong where the callee is
//!   known to be async, since it makes a mistake look like a choice.
//!
//! ## Cues for a reviewer
//! - A call of an `async def` without `await` in the body of an `async def`, above all next to calls that do have it.
//! - `.get(…)`, `[…]`, `for … in` or `if` applied directly to the result of a call whose name suggests I/O.
//! - A broad `except` around calls to an async collaborator.
//! - A function that was plain and has been made async: was every call site changed?
//! - A fix that adds `await` at some sites of a function: look for the sites it did not touch.
//!
//! ## Where it is silent
//! - The coroutine is returned, yielded, stored and awaited later on every path, or put in a container that is
//!   gathered.
//! - It is handed to something that awaits or schedules it: `gather`, `wait_for`, `shield`, `as_completed`,
//!   `create_task`, `ensure_future`, `TaskGroup.create_task`, `start_soon`, `run`, `run_until_complete`,
//!   `run_coroutine_threadsafe`, or a function of the program that does one of these with its parameter.
//! - It is closed (`coro.close()`), or tested with `asyncio.iscoroutine` or `inspect.isawaitable` first.
//! - The callee is an async generator (calling one makes an iterator), a plain function that returns a union of
//!   value and awaitable, or a decorator has turned the async function into a plain one.
//! - A mock, or a plain method that happens to share the name of an async function elsewhere.
//! - The callee is unknown. With `--strict`, an unknown callee whose result is dropped is `possible` where sibling
//!   sites await it.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: dropped, or used and then freed.
//! - `AttributeError: 'coroutine' object has no attribute '…'`: a method or field of the result was meant.
//! - `TypeError: 'coroutine' object is not iterable`: a loop or comprehension over the result.
//! - `TypeError: cannot unpack non-iterable coroutine object`: `a, b = f()`.
//! - `TypeError: 'coroutine' object is not subscriptable`: `f()["key"]`.
//! - `TypeError: 'coroutine' object is not callable`: the result was meant to be called.
//! - `TypeError: object of type 'coroutine' has no len()`: `len(f())`.
//! - `TypeError: argument of type 'coroutine' is not iterable`: `x in f()`.
//! - `TypeError: unsupported operand type(s) for …: 'coroutine' and '…'`: arithmetic.
//! - `TypeError: '<' not supported between instances of 'coroutine' and '…'`: comparison, sorting.
//! - `TypeError: Object of type coroutine is not JSON serializable`: the coroutine reached a serialiser.
//! - `TypeError: 'coroutine' object does not support the asynchronous context manager protocol`: `async with f()` where
//!   `async with await f()` was meant.
//! - `TypeError: 'coroutine' object does not support the context manager protocol`: `with f()`.
//! - `ValueError: [TypeError("'coroutine' object is not iterable"), …]`:
//!   FastAPI's encoder was given the coroutine as an answer.
//! - `<coroutine object … at 0x…>`: in a log line, a page or a file.
//!
//! ## The mutation that introduces it
//! Remove `await` from a call whose callee is `async def`. A harder variant wraps the statement in
//! `try: … except Exception: pass`; the hardest also changes the callee's result from a dict to a model, so that the
//! repaired line fails in its turn.
//!
//! ## Difficulty
//! Medium: with the callee's signature in view it is plain, but the signature is mostly in another file.
//!
//! ## Related rules
//! `await/floating-task`, `await/wrapper-drops-await`, `await/async-callback`, `await/await-non-awaitable`,
//! `await/unnecessary-async`.

use crate::context::{CalleeKey, Context};
use crate::fate::{Fate, Misuse, fate};
use crate::finding::{Finding, Place};
use crate::rule::{Question, Rule};
use crate::scopes;
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Name, ParamKind, Role};
use racewalk_link::{Answer, FunctionRef, How, Site, Type};
use racewalk_models::{ClassKind, TypeSpec};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/missing-await",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "a coroutine is created and dropped, or used where its result is meant",
    source: include_str!("missing_await.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            let finding = match site.callee {
                Type::Unknown(_) => unlike_its_sibling(ctx, function, site),
                _ => judge(ctx, function, site),
            };
            if let Some(finding) = finding {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Nobody can see what is called, but the same call is awaited elsewhere in this file, and dropped here.
fn unlike_its_sibling(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    if ctx.module.role(site.call) != Role::Dropped {
        return None;
    }
    let sibling = ctx.awaited_like(site.call)?;
    let callee = ctx.program.callee_text(ctx.file, site.call);
    let message =
        format!("what `{callee}()` gives is dropped here, and awaited elsewhere: its coroutine may never run");
    let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .help(help(ctx, function, &callee))
        .confidence(Confidence::Possible)
        .note("sibling", "another call of it in this file is awaited")
        .related(ctx.place(sibling), "awaited here")
        .shape(callee);
    Some(finding)
}

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    if is_settled_by_role(ctx.module.role(site.call)) {
        return None;
    }
    let value = ctx.evaluator.given_by(function, site);
    if !must_be_awaited(ctx, value)
        || is_decoration(ctx, function, site)
        || is_plainly_overridden(ctx, site.callee)
        || is_handed_back(ctx, function, site, value)
        || crate::fate::is_callee_inspected(ctx, function, site.call)
        || is_expected_to_fail(ctx, function, site.call)
        || is_given_from_outside(ctx, site.call)
    {
        return None;
    }
    let callee = ctx.program.callee_text(ctx.file, site.call);
    if ctx.module.language.starts_at_call {
        return judge_started(ctx, function, site, value, &callee);
    }
    let (happens, misuse) = match fate(ctx, function, site.call) {
        Fate::Dropped => (format!("the coroutine that `{callee}()` gives is dropped: its body never runs"), None),
        Fate::Unread(_) => {
            (format!("the coroutine that `{callee}()` gives is stored and never awaited: its body never runs"), None)
        }
        Fate::Misused(misuse, at) => (used_as_value(&callee, misuse), Some((misuse, at))),
        Fate::EnteredAsync if matches!(value, Type::Coroutine(_)) => (
            format!("`{callee}()` gives a coroutine, and a coroutine is no asynchronous context manager"),
            Some((Misuse::Enter, site.call)),
        ),
        Fate::AwaitedSometimes(_) => (
            format!(
                "the coroutine that `{callee}()` gives is awaited on some paths only: on the others its body never runs"
            ),
            None,
        ),
        Fate::HandedOn if is_returned_to_a_user(ctx, function, site.call) => (
            format!(
                "`{}` is async and returns the coroutine that `{callee}()` gives: who awaits it once has a coroutine, and \
                 takes it for the result",
                ctx.symbol(function)
            ),
            None,
        ),
        _ => return None,
    };
    let finding = describe(ctx, function, site, value, happens, misuse);
    let is_loose = matches!(misuse, Some((Misuse::Return, _))) && is_awaited_after_all(ctx, function);
    let is_doubtful =
        is_loose || cannot_be_made(ctx, function, site.call) || runs_at_the_call(ctx, site.callee, DEEPEST);
    Some(finding.at_most(if is_doubtful { Confidence::Possible } else { Confidence::Certain }))
}

/// Where a call has started the work already: what is dropped goes on, and is another rule's matter. A promise where its value is
/// meant is wrong in any case.
fn judge_started(ctx: &Context<'_>, function: FunctionId, site: &Site, value: Type, callee: &str) -> Option<Finding> {
    let Fate::Misused(misuse, at) = fate(ctx, function, site.call) else { return None };
    let given = format!("`{callee}()` gives a {}, not its result", ctx.module.language.awaitable);
    // A type checker lets through what has a meaning for every value.
    let always = match misuse {
        Misuse::Truth => Some("as a condition it is always true"),
        Misuse::Format => Some("the text shows `[object Promise]`"),
        Misuse::Compare => Some("it equals nothing that it is compared with"),
        _ => None,
    };
    let at_run_time = match misuse {
        Misuse::Member(name) => Some(format!("`.{name}` of it is undefined")),
        Misuse::Subscript => Some("no element of the result is in it".to_owned()),
        Misuse::Iterate | Misuse::Spread => Some("it cannot be iterated".to_owned()),
        Misuse::Arithmetic => Some("computing with it gives no number".to_owned()),
        Misuse::Argument => Some("it is passed where the result is wanted".to_owned()),
        Misuse::Call => Some("it cannot be called".to_owned()),
        _ => None,
    };
    let happens = match (always, at_run_time) {
        (Some(happens), _) => happens.to_owned(),
        (None, Some(happens)) if !ctx.module.is_type_checked => happens,
        _ => return None,
    };
    Some(describe(ctx, function, site, value, format!("{given}: {happens}"), Some((misuse, at))))
}

/// How many plain functions that return each other's results are looked into.
const DEEPEST: u32 = 4;

/// The coroutine that the function returns is awaited by its callers, or a method that it overrides is asynchronous: what is wrong
/// is the annotation.
fn is_awaited_after_all(ctx: &Context<'_>, function: FunctionId) -> bool {
    let this = ctx.function_ref(function);
    let callers = &ctx.program.summaries.callers.of(this);
    let is_awaited = |(caller, site, how): &racewalk_link::Caller| {
        *how == How::Calls && ctx.program.module(caller.file).role(*site) == Role::Awaited
    };
    let body = ctx.module.function(function);
    let overrides_async = || {
        let class = body.class.map(|id| racewalk_link::ClassRef { file: ctx.file, id });
        class.is_some_and(|class| {
            ctx.program.lineage(class).skip(1).any(|base| match base {
                Type::Class(base) => {
                    let own = ctx.program.method(base, body.name);
                    own.is_some_and(|method| ctx.program.function(method).is_async)
                }
                _ => false,
            })
        })
    };
    !body.is_async && (callers.iter().any(is_awaited) || overrides_async())
}

/// A plain function that is declared to give something to await, and gives no coroutine as far as can be seen: a future, say,
/// whose work goes on by itself.
fn runs_at_the_call(ctx: &Context<'_>, callee: Type, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let target = match callee {
        Type::Function(target) | Type::Method(target, _) => target,
        Type::Instance(class, _) => match ctx.program.method(class, Name::new("__call__")) {
            Some(target) => target,
            None => return false,
        },
        _ => return false,
    };
    let body = ctx.program.function(target);
    let theirs = ctx.program.evaluator(target.file);
    let is_coroutine = |value: &ExprId| {
        let given = theirs.eval(target.id, *value);
        let made_by = ctx.program.site(target, *value).map(|site| site.callee);
        given.members().iter().any(|member| matches!(member, Type::Coroutine(_)))
            && !made_by.is_some_and(|callee| runs_at_the_call(ctx, callee, depth))
    };
    !body.is_async && body.decorators.is_empty() && !body.return_values.iter().any(is_coroutine)
}

/// The receiver is made in this function by a call that lacks an argument which its class demands: that call raises first, as
/// in a test that nobody has run for long.
fn cannot_be_made(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Attr(receiver, _) = ctx.module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(receiver) else { return false };
    let (BindingKind::Value(made) | BindingKind::Typed(_, Some(made))) = ctx.module.bindings[binding.index()].kind
    else {
        return false;
    };
    let site = ctx.program.site(ctx.function_ref(function), made);
    let Some(Type::Class(class)) = site.map(|site| site.callee) else {
        return false;
    };
    let Some(constructor) = ctx.program.method(class, Name::new("__init__")) else { return false };
    let params = ctx.program.function(constructor).params.iter().enumerate().skip(1);
    let is_spread = |arg: &racewalk_ir::Arg| matches!(arg.kind, ArgKind::Spread | ArgKind::SpreadNamed);
    !ctx.evaluator.args(made).iter().any(is_spread)
        && params.into_iter().any(|(position, param)| {
            param.default.is_none()
                && !matches!(param.kind, ParamKind::Rest | ParamKind::RestNamed)
                && ctx.evaluator.given(made, position - 1, param.name).is_none()
        })
}

/// What is awaited or handed on is not looked at twice: most calls end here.
fn is_settled_by_role(role: Role) -> bool {
    matches!(role, Role::Awaited | Role::Yielded | Role::Decorator | Role::Default | Role::Annotation | Role::Base)
}

/// A coroutine, or another object that does nothing until it is awaited. Tasks and futures run by themselves.
fn must_be_awaited(ctx: &Context<'_>, value: Type) -> bool {
    if ctx.evaluator.awaitable(value) != Answer::Yes {
        return false;
    }
    value.members().iter().all(|member| match member {
        Type::ExternalInstance(path, _) => {
            let models = ctx.program.models();
            // What gives itself when awaited need not be: awaiting connects or initialises it.
            let gives_itself = models.inherited(*path, |class| class.awaits_to.as_ref()) == Some(&TypeSpec::Receiver);
            !gives_itself && !matches!(models.kind(*path), Some(ClassKind::Task | ClassKind::Future))
        }
        // An awaitable class of the program's own may do its work by itself: only coroutines are certain.
        Type::Instance(..) => false,
        _ => true,
    })
}

/// `app.get("/")(handler)`: a callable of declared type that is given a function is a decorator at work.
fn is_decoration(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let takes_function = || {
        ctx.evaluator.args(site.call).iter().any(|arg| {
            matches!(ctx.evaluator.eval(function, arg.value), Type::Function(_) | Type::Method(..) | Type::MadeAsync(_))
        })
    };
    matches!(site.callee, Type::Callable(_)) && takes_function()
}

/// A plain function gives back what it was given: the coroutine was made elsewhere, and is that place's finding.
fn is_handed_back(ctx: &Context<'_>, function: FunctionId, site: &Site, value: Type) -> bool {
    let (Type::Function(target) | Type::Method(target, _)) = site.callee else { return false };
    let given = || ctx.evaluator.args(site.call).iter().any(|arg| ctx.evaluator.eval(function, arg.value) == value);
    !ctx.program.function(target).is_async && given()
}

/// The callee is a declaration without a body, and a plain function or a generator implements it.
fn is_plainly_overridden(ctx: &Context<'_>, callee: Type) -> bool {
    let Type::Method(target, _) = callee else { return false };
    let body = ctx.program.function(target);
    let is_other_kind = |method: FunctionRef| {
        let overriding = ctx.program.function(method);
        !overriding.is_async || overriding.is_generator
    };
    body.stub != racewalk_ir::Stub::No && ctx.program.overriding(target).any(is_other_kind)
}

/// The callee is a parameter: whoever passes an async function is at fault, not who calls it.
fn is_given_from_outside(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Name(_, defs) = ctx.module.expr(callee) else { return false };
    let is_param = |binding: &racewalk_ir::BindingId| {
        matches!(ctx.module.bindings[binding.index()].kind, racewalk_ir::BindingKind::Param(_))
    };
    ctx.module.defs(&defs).iter().any(is_param)
}

/// An async function hands out a coroutine, and a caller in this file uses what it has awaited as a value.
fn is_returned_to_a_user(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let body = ctx.module.function(function);
    if !body.is_async || body.is_generator || ctx.module.role(call) != Role::Returned || !body.decorators.is_empty() {
        return false;
    }
    let users = ctx.shared.awaited.get(&CalleeKey::Function(ctx.function_ref(function)));
    users.into_iter().flatten().filter(|place| place.file == ctx.file).any(|place| {
        let awaited = ctx.functions().find_map(|user| {
            let sites = ctx.program.sites(ctx.function_ref(user));
            let site = sites.iter().find(|site| ctx.module.span(site.call) == place.span)?;
            Some((user, ctx.module.parent(site.call)?))
        });
        awaited.is_some_and(|(user, awaited)| matches!(fate(ctx, user, awaited), Fate::Misused(..)))
    })
}

/// Inside `with pytest.raises(...)`: the call is meant to fail before there is a coroutine.
fn is_expected_to_fail(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let mut expecting = Vec::new();
    for event in &ctx.module.function(function).events {
        match event {
            Event::Enter(_, context) => expecting.push(is_raises(ctx, *context)),
            Event::Exit(..) => {
                expecting.pop();
            }
            Event::Call(at) if *at == call => return expecting.contains(&true),
            _ => {}
        }
    }
    false
}

fn is_raises(ctx: &Context<'_>, context: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(context) else { return false };
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = ctx.module.expr(callee) else { return false };
    matches!(name.as_str(), "raises" | "assertRaises" | "assertRaisesRegex" | "warns" | "assertWarns")
}

fn used_as_value(callee: &str, misuse: Misuse) -> String {
    let given = format!("`{callee}()` gives a coroutine, not its result");
    match misuse {
        Misuse::Truth => format!("{given}: as a condition it is always true"),
        Misuse::Member(name) => format!("{given}: reading `.{name}` of it raises AttributeError"),
        Misuse::Subscript => format!("{given}: taking an element of it raises TypeError"),
        Misuse::Iterate => format!("{given}: iterating it raises TypeError"),
        Misuse::Spread => format!("{given}: unpacking it raises TypeError"),
        Misuse::Arithmetic => format!("{given}: computing with it raises TypeError"),
        Misuse::Compare => format!("{given}: the comparison is with the coroutine object"),
        Misuse::Membership => format!("{given}: the membership test is on the coroutine object"),
        Misuse::Format => format!("{given}: the text shows `<coroutine object …>`"),
        Misuse::Enter => format!("{given}: entering it raises an error"),
        Misuse::Argument => format!("{given}: it is passed where the result is wanted"),
        Misuse::Return => format!("{given}: it is returned where the result is declared"),
        Misuse::Count => format!("{given}: it has no length"),
        Misuse::Call => format!("{given}: calling it raises TypeError"),
        Misuse::Presence => format!("{given}: it is never `None`"),
        Misuse::Match => format!("{given}: no pattern of the result's shape matches it"),
        Misuse::Raise => format!("{given}: raising it raises TypeError"),
    }
}

fn describe(
    ctx: &Context<'_>,
    function: FunctionId,
    site: &Site,
    value: Type,
    happens: String,
    misuse: Option<(Misuse, ExprId)>,
) -> Finding {
    let callee = ctx.program.callee_text(ctx.file, site.call);
    let shape = ctx.program.callee_name(site.callee).unwrap_or_else(|| callee.clone());
    let mut finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), happens)
        .help(help(ctx, function, &callee))
        .confidence(confidence(ctx, site.callee))
        .shape(shape);
    if let Some((_, at)) = misuse.filter(|(_, at)| *at != site.call) {
        finding = finding.related(ctx.place(at), "used here as if it were the result");
    }
    if let Some(place) = definition(ctx, site.callee) {
        finding = finding.related(place, "declared `async` here");
    }
    finding = with_siblings(ctx, finding, site);
    finding = with_mask(ctx, function, finding, site.call);
    with_unmasked(ctx, finding, value, misuse)
}

fn help(ctx: &Context<'_>, function: FunctionId, callee: &str) -> String {
    let body = ctx.module.function(function);
    if ctx.module.language.starts_at_call {
        return format!("`await {callee}(…)`");
    }
    if body.is_async || ctx.module.own_loop && body.kind == FunctionKind::Module {
        format!("`await {callee}(…)`; or, if it may run meanwhile, give the task an owner (a TaskGroup)")
    } else {
        format!(
            "make `{}` asynchronous and await `{callee}(…)` in it, and await it in turn where it is called",
            ctx.symbol(function)
        )
    }
}

fn confidence(ctx: &Context<'_>, callee: Type) -> Confidence {
    match callee {
        // What a library's plain function declares to be awaitable may as well run by itself.
        Type::Function(target) | Type::Method(target, _)
            if ctx.program.is_installed(target.file) && !ctx.program.function(target).is_async =>
        {
            Confidence::Possible
        }
        Type::Union(_) => Confidence::Likely,
        // All that is known is a declaration such as `Callable[..., Awaitable[T]]`.
        Type::Callable(_) => Confidence::Possible,
        _ => Confidence::Certain,
    }
}

fn definition(ctx: &Context<'_>, callee: Type) -> Option<Place> {
    match callee {
        Type::Function(target) | Type::Method(target, _) if ctx.program.function(target).is_async => {
            let span = ctx.program.function(target).name_span;
            Some(Place { file: target.file, span })
        }
        _ => None,
    }
}

/// Other calls of the same function that do await it.
fn with_siblings(ctx: &Context<'_>, finding: Finding, site: &Site) -> Finding {
    let Some(siblings) = CalleeKey::of(site.callee).and_then(|key| ctx.shared.awaited.get(&key)) else {
        return finding;
    };
    let nearest = siblings.iter().min_by_key(|place| (place.file != ctx.file, **place)).copied();
    let Some(nearest) = nearest else { return finding };
    let count = siblings.len();
    let others = if count == 1 { "1 other call awaits it".to_owned() } else { format!("{count} other calls await it") };
    finding.note("sibling", others).related(nearest, "awaited here")
}

/// A broad handler around the call hides what the missing await does.
fn with_mask(ctx: &Context<'_>, function: FunctionId, finding: Finding, call: ExprId) -> Finding {
    let handlers = scopes::handlers_around(ctx, function, |event| scopes::is_event_of(event, call));
    let mask = handlers.iter().find(|handler| scopes::is_broad(ctx.module, handler) && !handler.raises);
    match mask {
        Some(handler) => {
            let place = handler.caught.map(|caught| ctx.place(caught));
            let finding = finding.note("masked-by", "a broad `except` around it swallows the error that this causes");
            match place {
                Some(place) => finding.related(place, "this handler hides the error"),
                None => finding,
            }
        }
        None => finding,
    }
}

/// With the await added, what the code does with the result is a defect of its own: the result has no such member.
fn with_unmasked(ctx: &Context<'_>, finding: Finding, value: Type, misuse: Option<(Misuse, ExprId)>) -> Finding {
    let result = ctx.evaluator.awaited(value);
    let Type::Instance(class, _) = result else { return finding };
    let is_model = ctx.program.lineage(class).any(|base| match base {
        Type::External(path) => ctx.program.models().kind(path) == Some(ClassKind::DataModel),
        _ => false,
    });
    let lacks = |name| ctx.evaluator.member(result, name).is_unknown();
    let is_whole = |base: Type| !matches!(base, Type::Class(base) if ctx.program.is_installed(base.file));
    let is_closed = (is_model || !ctx.program.has_unknown_base(class)) && ctx.program.lineage(class).all(is_whole);
    let what = match misuse {
        Some((Misuse::Member(name), _)) if is_closed && lacks(name) => format!("`.{name}`"),
        Some((Misuse::Subscript, _)) if is_closed && lacks("__getitem__".into()) => "subscripting".to_owned(),
        _ => return finding,
    };
    let name = ctx.program.class(class).name;
    finding.note("unmasks", format!("once awaited, the result is a `{name}`, which does not support {what} either"))
}

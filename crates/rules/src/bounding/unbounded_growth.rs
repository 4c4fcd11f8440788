//! # bound/unbounded-growth
//!
//! A table of locks or cached answers gets an entry for each new key, and no entry is ever taken out.
//!
//! ## What it is
//! A lock for each key, a cache of what was loaded: both are dictionaries on an object that lives as long as the process,
//! filled under keys that come from outside. What is only added to grows with the number of different users, documents,
//! addresses ever seen, and not with those in use. A cache that nothing leaves has a second fault: it answers with what was
//! true when it was asked for the first time, for ever.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Documents:
//!     def __init__(self, store) -> None:
//!         self._store = store
//!         self._locks: dict[str, asyncio.Lock] = {}
//!
//!     async def edit(self, name: str, text: str) -> None:
//!         if name not in self._locks:
//!             self._locks[name] = asyncio.Lock()
//!         async with self._locks[name]:
//!             await self._store.save(name, text)
//! ```
//!
//! ## What one observes
//! - Memory grows slowly and steadily, by day and night; a restart helps for a week.
//! - The heap is full of small objects of one kind.
//! - For caches: a change elsewhere is not seen until a restart.
//!
//! ## Why tests pass all the same
//! Tests use three keys, and the object dies with the test.
//!
//! ## The structural fix
//! Let go of what nobody uses: a table of weak references for locks (the tasks that use one hold it), a cache with a size
//! and a time for answers.
//!
//! ```python good
//! import asyncio
//! import weakref
//!
//!
//! class Documents:
//!     def __init__(self, store) -> None:
//!         self._store = store
//!         self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
//!
//!     async def edit(self, name: str, text: str) -> None:
//!         lock = self._locks.get(name)
//!         if lock is None:
//!             lock = self._locks[name] = asyncio.Lock()
//!         async with lock:
//!             await self._store.save(name, text)
//! ```
//!
//! A fixed number of locks, chosen by the key's hash, bounds the table as well.
//!
//! ## Fixes that do not work
//! - `del self._locks[key]` after the block: another task may wait for the very lock that is taken out, and a third one then
//!   makes a new one; both go in.
//! - `clear()` now and then: the same, for all keys at once.
//! - `functools.lru_cache` on an async function: it keeps coroutines, which can be awaited once.
//!
//! ## Cues for a reviewer
//! - `defaultdict(asyncio.Lock)`, `setdefault(key, asyncio.Lock())`.
//! - A field with `cache` in its name and nothing that takes out.
//!
//! ## Where it is silent
//! - Something takes entries out, replaces the table, or hands it to somebody who may.
//! - Weak tables, caches with a size or a time, keys that are written down.
//! - Tables that are local to a call.
//! - `possible`, shown with `--strict`: tables of awaited answers that are not called a cache; keys whose names do not say
//!   that they come and go (sessions, users, requests, messages); tests and examples.
//!
//! ## Symptoms
//! - `MemoryError`, or a process that is killed for its memory.
//!
//! ## The mutation that introduces it
//! Replace `WeakValueDictionary()` by `{}`; or take away the `pop` in a `finally`.
//!
//! ## Difficulty
//! Medium: what takes out may stand anywhere.
//!
//! ## Related rules
//! `share/stampede`, `share/lock-bottleneck`, `bound/unbounded-fan-out`.

use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_side_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, ClassId, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role};
use racewalk_link::Type;
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/unbounded-growth",
    question: Question::Bound,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: true,
    summary: "a table of locks or cached answers only ever grows",
    source: include_str!("unbounded_growth.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for (id, class) in ctx.module.classes.iter().enumerate() {
        let mut seen: Vec<Name> = Vec::new();
        for field in &class.fields {
            let Some(value) = value_of(field.kind) else { continue };
            if seen.contains(&field.name)
                || !is_constructor(ctx, field.function)
                || !is_open_table(ctx, field.function, value)
            {
                continue;
            }
            seen.push(field.name);
            if let Some(finding) = judge(ctx, ClassId(id as u32), field.name, field.function, value) {
                ctx.report(field.function, finding, found);
            }
        }
    }
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => Some(value),
        _ => None,
    }
}

fn is_constructor(ctx: &Context<'_>, function: FunctionId) -> bool {
    ctx.module.language.initialisers.contains(&ctx.module.function(function).name.as_str())
}

/// An empty dictionary, or one that makes what it has not.
fn is_open_table(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    match ctx.module.expr(value) {
        Expr::Map(list) => list.len == 0,
        Expr::Call(callee, _) => {
            let is_named = matches!(ctx.module.expr(callee), Expr::Name(name, _) | Expr::Attr(_, name)
                if matches!(name.as_str(), "dict" | "defaultdict" | "OrderedDict"));
            is_named && ctx.evaluator.args(value).iter().all(|arg| makes_lock(ctx, function, arg.value))
        }
        _ => false,
    }
}

/// The class of a lock, or a function that makes one.
fn makes_lock(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    match ctx.evaluator.eval(function, value) {
        Type::External(path) => is_lock(ctx, path),
        callable @ Type::Function(_) => gives_lock(ctx, ctx.evaluator.called(callable)),
        _ => false,
    }
}

fn is_lock(ctx: &Context<'_>, path: Name) -> bool {
    matches!(
        ctx.program.models().kind(path),
        Some(ClassKind::AsyncLock | ClassKind::AsyncSemaphore | ClassKind::AsyncEvent)
    )
}

fn gives_lock(ctx: &Context<'_>, value: Type) -> bool {
    matches!(value, Type::ExternalInstance(path, _) if is_lock(ctx, path))
}

/// What is kept in a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Locks,
    Answers,
}

fn judge(ctx: &Context<'_>, class: ClassId, table: Name, function: FunctionId, value: ExprId) -> Option<Finding> {
    let mut kept: Option<(Kept, FunctionId, ExprId)> = None;
    let makes_locks = ctx.evaluator.args(value).iter().any(|arg| makes_lock(ctx, function, arg.value));
    for method in methods(ctx, class) {
        for event in &ctx.module.function(method).events {
            if shrinks(ctx, event, table) {
                return None;
            }
            let filled = filled(ctx, method, event, table, makes_locks && !is_constructor(ctx, method));
            if let Some((what, place)) = filled
                && kept.is_none_or(|(before, ..)| before == Kept::Answers && what == Kept::Locks)
            {
                kept = Some((what, method, place));
            }
        }
    }
    let (what, method, place) = kept?;
    let found = finding(ctx, table, what, method, place);
    Some(if comes_and_goes(ctx, method, place) { found } else { found.at_most(Confidence::Possible) })
}

/// By the name of the key, or of the function that fills the table, there is one for each of what comes and goes while the
/// program runs. Other keys are mostly of what somebody set up: servers, tools, templates, files.
fn comes_and_goes(ctx: &Context<'_>, method: FunctionId, place: ExprId) -> bool {
    let key = match ctx.module.expr(place) {
        Expr::Subscript(_, key) => Some(key),
        Expr::Call(..) => ctx.evaluator.args(place).first().map(|arg| arg.value),
        _ => None,
    };
    let key = key.map(|key| ctx.program.path_text(ctx.file, key)).unwrap_or_default();
    let names = [key.to_ascii_lowercase(), ctx.module.function(method).name.as_str().to_ascii_lowercase()];
    let passing = [
        "session",
        "user",
        "request",
        "conversation",
        "chat",
        "message",
        "thread",
        "task",
        "token",
        "order",
        "account",
        "customer",
        "tenant",
        "job_id",
        "run_id",
        "upload",
        "ip",
    ];
    let is_word = |name: &str, word: &str| match word.len() {
        0..=3 => name.split(['_', '.']).any(|part| part == word),
        _ => name.contains(word),
    };
    names.iter().any(|name| passing.iter().any(|word| is_word(name, word)))
}

/// The methods of a class, with the functions inside them.
fn methods(ctx: &Context<'_>, class: ClassId) -> impl Iterator<Item = FunctionId> {
    let belongs = move |ctx: &Context<'_>, id: FunctionId| {
        let mut current = Some(id);
        while let Some(id) = current {
            let body = ctx.module.function(id);
            if body.class == Some(class) && body.kind == FunctionKind::Function {
                return true;
            }
            current = body.parent;
        }
        false
    };
    ctx.functions().filter(move |id| belongs(ctx, *id))
}

/// `….table`
fn is_table(ctx: &Context<'_>, expr: ExprId, table: Name) -> bool {
    matches!(ctx.module.expr(expr), Expr::Attr(base, name) if name == table && matches!(ctx.module.expr(base), Expr::Name(..)))
}

/// Something is taken out, the table is replaced, or somebody else gets it.
fn shrinks(ctx: &Context<'_>, event: &Event, table: Name) -> bool {
    match *event {
        Event::Call(call) => match ctx.module.expr(call) {
            Expr::Call(callee, _) => match ctx.module.expr(callee) {
                Expr::Attr(base, method) if is_table(ctx, base, table) => {
                    matches!(method.as_str(), "pop" | "popitem" | "clear" | "move_to_end" | "__delitem__")
                }
                _ => {
                    ctx.evaluator.args(call).iter().any(|arg| is_table(ctx, arg.value, table))
                        && !only_looks(ctx, callee)
                }
            },
            _ => false,
        },
        Event::WritePlace(place, _) => match ctx.module.expr(place) {
            Expr::Subscript(base, _) => is_table(ctx, base, table) && ctx.module.role(place) == Role::Deleted,
            Expr::Attr(_, name) if name == table => {
                let of_constructor = ctx.module.classes.iter().flat_map(|class| &class.fields).any(|field| {
                    field.name == table && field.span == ctx.module.span(place) && is_constructor(ctx, field.function)
                });
                !of_constructor
            }
            _ => false,
        },
        Event::ReadPlace(place) => {
            is_table(ctx, place, table)
                && matches!(ctx.module.role(place), Role::Returned | Role::Stored | Role::Yielded)
        }
        _ => false,
    }
}

/// The language's own functions that only look.
fn only_looks(ctx: &Context<'_>, callee: ExprId) -> bool {
    matches!(ctx.module.expr(callee), Expr::Name(name, _)
        if matches!(name.as_str(), "len" | "list" | "sorted" | "iter" | "print" | "dict" | "bool" | "set" | "tuple" | "str" | "repr"))
}

/// An entry under a key that is not written down: a new lock, or an answer that was waited for.
fn filled(
    ctx: &Context<'_>,
    method: FunctionId,
    event: &Event,
    table: Name,
    makes_locks: bool,
) -> Option<(Kept, ExprId)> {
    match *event {
        Event::WritePlace(place, Some(value)) => {
            let Expr::Subscript(base, key) = ctx.module.expr(place) else { return None };
            if !is_table(ctx, base, table) || !is_open_key(ctx, method, key) {
                return None;
            }
            if gives_lock(ctx, ctx.evaluator.eval(method, value)) {
                return Some((Kept::Locks, place));
            }
            is_awaited(ctx, value).then_some((Kept::Answers, place))
        }
        Event::Call(call) => {
            let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
            let Expr::Attr(base, name) = ctx.module.expr(callee) else { return None };
            let [key, value] = ctx.evaluator.args(call) else { return None };
            let sets =
                name.as_str() == "setdefault" && is_table(ctx, base, table) && is_open_key(ctx, method, key.value);
            (sets && gives_lock(ctx, ctx.evaluator.eval(method, value.value))).then_some((Kept::Locks, call))
        }
        Event::ReadPlace(place) if makes_locks => {
            let Expr::Subscript(base, key) = ctx.module.expr(place) else { return None };
            (is_table(ctx, base, table) && is_open_key(ctx, method, key)).then_some((Kept::Locks, place))
        }
        Event::Enter(_, place) if makes_locks => {
            let Expr::Subscript(base, key) = ctx.module.expr(place) else { return None };
            (is_table(ctx, base, table) && is_open_key(ctx, method, key)).then_some((Kept::Locks, place))
        }
        _ => None,
    }
}

/// A key that callers choose: made of a parameter, not written down.
fn is_open_key(ctx: &Context<'_>, method: FunctionId, key: ExprId) -> bool {
    of_param(ctx, method, key, 5)
}

fn of_param(ctx: &Context<'_>, method: FunctionId, value: ExprId, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    let of = |value: ExprId| of_param(ctx, method, value, left);
    match ctx.module.expr(value) {
        Expr::Name(_, Defs::Outer) => false,
        Expr::Name(_, defs) => {
            ctx.module.defs(&defs).iter().any(|binding| match ctx.module.bindings[binding.index()].kind {
                BindingKind::Param(position) => position > 0 || ctx.module.function(method).class.is_none(),
                BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => of(value),
                _ => false,
            })
        }
        Expr::Attr(base, _) | Expr::Subscript(base, _) => of(base),
        Expr::Call(callee, _) => {
            ctx.evaluator.args(value).iter().any(|arg| of(arg.value))
                || matches!(ctx.module.expr(callee), Expr::Attr(base, _) if of(base))
        }
        Expr::Format(list) | Expr::Tuple(list) | Expr::Operation(list) | Expr::Logical(list, _) => {
            ctx.module.list(list).iter().any(|part| of(*part))
        }
        _ => false,
    }
}

/// The value was waited for.
fn is_awaited(ctx: &Context<'_>, value: ExprId) -> bool {
    match ctx.module.expr(value) {
        Expr::Await(_) => true,
        Expr::Name(_, Defs::One(binding)) => matches!(ctx.module.bindings[binding.index()].kind,
            BindingKind::Value(value) if matches!(ctx.module.expr(value), Expr::Await(_))),
        _ => false,
    }
}

fn finding(ctx: &Context<'_>, table: Name, what: Kept, method: FunctionId, place: ExprId) -> Finding {
    let is_side = is_side_module(ctx.module.name.as_str());
    let (message, help, is_sure) = match what {
        Kept::Locks => (
            format!("`{table}` gets a lock for every new key and loses none: it grows with all keys ever seen"),
            "keep them in a `WeakValueDictionary`: who uses a lock holds it; or have a fixed number of them, chosen by the key's hash",
            true,
        ),
        Kept::Answers => (
            format!(
                "`{table}` keeps every answer for ever: it grows with all keys ever seen, and what changes elsewhere is never asked for again"
            ),
            "use a cache with a size and a time",
            table.as_str().to_ascii_lowercase().contains("cache"),
        ),
    };
    let confidence = if is_sure && !is_side { Confidence::Likely } else { Confidence::Possible };
    Finding::new(&RULE, ctx.place(place), ctx.symbol(method), message)
        .confidence(confidence)
        .help(help)
        .shape(table.to_string())
}

//! # cancel/unsafe-retry
//!
//! Several changes are tried again together: what the first attempt has done already is done a second time.
//!
//! ## What it is
//! A retry answers "did it fail?" with "do it again". For a question that is right. For one change it is right when the
//! change may be repeated. For several it hardly ever is: the first was done, the second failed, and the retry begins
//! with the first. A time limit makes it worse, since the change that seemed to fail may have been done as well.
//!
//! ```python bad
//! import httpx
//! from tenacity import retry, stop_after_attempt
//!
//!
//! @retry(stop=stop_after_attempt(3))
//! async def order(client: httpx.AsyncClient, item: str) -> None:
//!     (await client.post("https://pay.example/charges", json={"item": item})).raise_for_status()
//!     (await client.post("https://mail.example/receipts", json={"item": item})).raise_for_status()
//! ```
//!
//! ## What one observes
//! - Two charges, one receipt. Two rows, two messages, an index that is one ahead.
//! - It happens on bad days only, when the second service is slow.
//!
//! ## Why tests pass all the same
//! The fake fails before it does anything, or only the last call fails and nobody counts the first. The result after the
//! retry is right.
//!
//! ## The structural fix
//! Let the other side recognise the repetition: one key for the operation, made before the first attempt. Or retry each
//! change for itself; or put all of them into one transaction, inside of the retry.
//!
//! ```python good
//! import uuid
//!
//! import httpx
//! from tenacity import retry, stop_after_attempt
//!
//!
//! @retry(stop=stop_after_attempt(3))
//! async def attempt(client: httpx.AsyncClient, item: str, key: str) -> None:
//!     headers = {"Idempotency-Key": key}
//!     (await client.post("https://pay.example/charges", json={"item": item}, headers=headers)).raise_for_status()
//!     (await client.post("https://mail.example/receipts", json={"item": item}, headers=headers)).raise_for_status()
//!
//!
//! async def order(client: httpx.AsyncClient, item: str) -> None:
//!     await attempt(client, item, str(uuid.uuid4()))
//! ```
//!
//! ## Fixes that do not work
//! - A key that is made inside the attempt: each attempt has its own.
//! - Fewer attempts, longer pauses: the first repetition is the defect.
//! - A check "is it there already?" before the first change: two attempts that overlap both see nothing.
//! - Undoing in the handler what may not have been done, by an operation that cannot be repeated itself.
//!
//! ## Cues for a reviewer
//! - A retry decorator on a function with two verbs in its name.
//! - `for attempt in range(…)` around more than one awaited call.
//! - Retries in two layers: the client's own and one around it.
//!
//! ## Where it is silent
//! - One change, or several of which only the last may not be repeated.
//! - Changes that may be repeated by what they do: put, set, delete, upsert.
//! - A key by which a repetition is known; a transaction in the attempt; a handler that undoes.
//! - Changes of which at most one is made; a change that is skipped once it is done.
//! - Retries around each change alone.
//! - `possible`: what comes first is a change of an object in this process; tests and examples.
//!
//! ## Symptoms
//! None; the log shows `retrying`, and the other side has duplicates.
//!
//! ## The mutation that introduces it
//! Move a retry from the last call of a function to the function.
//!
//! ## Difficulty
//! Medium: one has to see what is done by then, and whether doing it again matters.
//!
//! ## Related rules
//! `cancel/fail-fast-leak`, `cancel/swallowed-error`, `bound/no-timeout`.

use crate::awaiting::asking::{called_name, has_word, is_made_here, mutated};
use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_side_module;
use crate::paths::scopes;
use crate::rule::{Question, Rule};
use crate::scopes::are_exclusive;
use racewalk_ir::{
    ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Module, Name, Role, SuspendKind,
};
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{Blocks, ClassKind};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::ops::Range;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/unsafe-retry",
    question: Question::Cancel,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: false,
    summary: "several changes are tried again together: what was done already is done twice",
    source: include_str!("unsafe_retry.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let retries = Retries { ctx, repeats: RefCell::default() };
    for function in ctx.functions() {
        let mut attempts = retries.loops(function);
        attempts.extend(retries.decorated(function));
        attempts.extend(retries.handed(function));
        for attempt in attempts {
            if let Some(finding) = judge(ctx, &attempt) {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Code that is run again when it fails.
struct Attempt {
    function: FunctionRef,
    range: Range<usize>,
    /// What runs it again.
    by: Place,
}

/// Who runs what again.
struct Retries<'c, 'p> {
    ctx: &'c Context<'p>,
    /// For each function that was asked about: it runs a function that it is given again when that fails.
    repeats: RefCell<FxHashMap<FunctionRef, bool>>,
}

impl Retries<'_, '_> {
    fn program(&self) -> &Program {
        self.ctx.program
    }

    /// The loops of a function that are left when an attempt succeeds.
    fn loops(&self, function: FunctionId) -> Vec<Attempt> {
        let this = self.ctx.function_ref(function);
        let body = self.ctx.module.function(function);
        let found = retry_loops(self.ctx.module, &body.events, |source| {
            let value = self.ctx.evaluator.eval(function, source);
            let class = match value {
                Type::ExternalInstance(class, _) => Some(class),
                _ => None,
            };
            class.is_some_and(|class| {
                self.program().models().inherited(class, |class| class.retries.then_some(())).is_some()
            })
        });
        let attempt = |(source, range): (Option<ExprId>, Range<usize>)| {
            let by = source.map_or(self.ctx.at(body.name_span), |source| self.ctx.place(source));
            Attempt { function: this, range, by }
        };
        found.into_iter().map(attempt).collect()
    }

    /// The function's whole body, when a decorator runs it again.
    fn decorated(&self, function: FunctionId) -> Option<Attempt> {
        let body = self.ctx.module.function(function);
        let scope = body.parent?;
        let by = body.decorators.iter().find(|decorator| self.is_retry(scope, **decorator, 4))?;
        let this = self.ctx.function_ref(function);
        Some(Attempt { function: this, range: 0..body.events.len(), by: self.ctx.place(*by) })
    }

    /// `await with_retry(work)`: the body of what is handed over.
    fn handed(&self, function: FunctionId) -> Vec<Attempt> {
        let sites = self.program().sites(self.ctx.function_ref(function)).iter();
        let attempts = sites.filter(|site| self.repeats(site)).flat_map(|site| {
            let args = self.ctx.evaluator.args(site.call).iter();
            args.filter_map(|arg| {
                let given = self.function_of(function, arg.value)?;
                let len = self.program().function(given).events.len();
                Some(Attempt { function: given, range: 0..len, by: self.ctx.place(site.call) })
            })
        });
        attempts.collect()
    }

    fn function_of(&self, function: FunctionId, value: ExprId) -> Option<FunctionRef> {
        if let Expr::Lambda(id) = self.ctx.module.expr(value) {
            return Some(self.ctx.function_ref(id));
        }
        match self.ctx.evaluator.eval(function, value) {
            Type::Function(target) | Type::Method(target, _) => Some(target),
            _ => None,
        }
    }

    /// The call runs a function that it is given again when it fails.
    fn repeats(&self, site: &Site) -> bool {
        match site.callee {
            Type::Function(target) | Type::Method(target, _) => self.repeats_given(target),
            _ => self.program().models_at(site).any(|model| model.retries && model.decorator.is_none()),
        }
    }

    /// The decorator runs the function again when it fails.
    fn is_retry(&self, scope: FunctionId, decorator: ExprId, left: u32) -> bool {
        let Some(left) = left.checked_sub(1) else { return false };
        let called = match self.ctx.module.expr(decorator) {
            Expr::Call(callee, _) => callee,
            _ => decorator,
        };
        match self.ctx.evaluator.eval(scope, called) {
            Type::Function(target) | Type::Method(target, _) => self.repeats_given(target),
            value if self.program().model_of(value).is_some_and(|model| model.retries) => true,
            _ => self.made(scope, called).is_some_and(|made| self.is_retry(scope, made, left)),
        }
    }

    /// `again = retry(…)`: the call that has made what the name stands for.
    fn made(&self, scope: FunctionId, value: ExprId) -> Option<ExprId> {
        let Expr::Name(name, _) = self.ctx.module.expr(value) else { return None };
        let (owner, symbol) = self.ctx.evaluator.scope_of(scope, name)?;
        let [binding] = self.ctx.module.function(owner).symbols[symbol.index()].bindings.as_slice() else {
            return None;
        };
        match self.ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(made) => matches!(self.ctx.module.expr(made), Expr::Call(..)).then_some(made),
            _ => None,
        }
    }

    /// The function, or one that it defines and gives, calls one of its parameters in a loop until that succeeds.
    fn repeats_given(&self, function: FunctionRef) -> bool {
        if let Some(known) = self.repeats.borrow().get(&function) {
            return *known;
        }
        let module = self.program().module(function.file);
        let inside = (function.id.0..module.functions.len() as u32).map(FunctionId);
        let mut inside = inside.take_while(|id| is_within(module, *id, function.id));
        let found = inside.any(|id| calls_given(module, id));
        self.repeats.borrow_mut().insert(function, found);
        found
    }
}

/// The body is this function's own or that of one defined in it.
fn is_within(module: &Module, id: FunctionId, outer: FunctionId) -> bool {
    std::iter::successors(Some(id), |id| module.function(*id).parent).any(|id| id == outer)
}

/// A loop of the body calls a parameter of it, or of a body around it, until that succeeds.
fn calls_given(module: &Module, id: FunctionId) -> bool {
    let events = &module.function(id).events;
    retry_loops(module, events, |_| false).into_iter().any(|(_, range)| {
        events[range].iter().any(|event| matches!(*event, Event::Call(call) if is_of_given(module, id, call)))
    })
}

/// What is called is a parameter of the body, or of one around it.
fn is_of_given(module: &Module, id: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = module.expr(call) else { return false };
    let Expr::Name(name, _) = module.expr(callee) else { return false };
    let mut around = std::iter::successors(Some(id), |id| module.function(*id).parent);
    around.any(|id| module.function(id).params.iter().any(|param| param.name == name))
}

/// The loops that go on when an attempt fails, and are left when it succeeds: what they go through, and their attempts.
fn retry_loops(
    module: &Module,
    events: &[Event],
    are_attempts: impl Fn(ExprId) -> bool,
) -> Vec<(Option<ExprId>, Range<usize>)> {
    let mut open: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::Loop(_) => open.push(at),
            Event::EndLoop => {
                let Some(start) = open.pop() else { continue };
                let Event::Loop(source) = events[start] else { continue };
                if source.is_some_and(&are_attempts) {
                    found.push((source, start + 1..at));
                } else if source.is_none_or(|source| counts(module, source)) {
                    found.extend(attempt_in(events, start + 1..at).map(|attempt| (source, attempt)));
                }
            }
            _ => {}
        }
    }
    found
}

/// The loop counts, or goes on for as long as a condition holds: it does not go through anything.
fn counts(module: &Module, source: ExprId) -> bool {
    if module.role(source) != Role::Iterated {
        return module.role(source) != Role::IteratedAsync;
    }
    let Expr::Call(callee, _) = module.expr(source) else { return false };
    matches!(module.expr(callee), Expr::Name(name, _) if matches!(name.as_str(), "range" | "count" | "enumerate"))
}

/// The guarded block of a loop's rounds at whose end the loop is left, and one of whose handlers lets the next round begin.
fn attempt_in(events: &[Event], range: Range<usize>) -> Option<Range<usize>> {
    let mut depth = 0;
    let mut marks: Vec<usize> = Vec::new();
    for at in range.clone() {
        match events[at] {
            Event::Try if depth == 0 && marks.is_empty() => marks.push(at),
            Event::Branch(_) | Event::Loop(_) | Event::Try => depth += 1,
            Event::EndTry if depth == 0 && !marks.is_empty() => {
                marks.push(at);
                if is_attempt(events, &marks, range.end) {
                    return Some(marks[0] + 1..marks[1]);
                }
                marks.clear();
            }
            Event::EndBranch(_) | Event::EndLoop | Event::EndTry => depth -= 1,
            Event::Handler(_) | Event::TryElse | Event::Finally if depth == 0 && !marks.is_empty() => marks.push(at),
            _ => {}
        }
    }
    None
}

/// `marks` are where the parts of a guarded block begin, and its end.
fn is_attempt(events: &[Event], marks: &[usize], end: usize) -> bool {
    let parts = || marks.windows(2).map(|pair| (events[pair[0]], &events[pair[0] + 1..pair[1]]));
    let goes_on = |(mark, part): (Event, &[Event])| {
        matches!(mark, Event::Handler(_))
            && !matches!(last_of(part), Some(Event::Raise(_) | Event::Return(_) | Event::Break))
    };
    let leaves = |part: &[Event]| matches!(last_of(part), Some(Event::Return(_) | Event::Break));
    let is_left = |(mark, part): (Event, &[Event])| matches!(mark, Event::Try | Event::TryElse) && leaves(part);
    let after = &events[marks[marks.len() - 1] + 1..end];
    parts().any(goes_on) && (parts().any(is_left) || leaves(after))
}

/// What a part ends with; that blocks are left there goes without saying.
fn last_of(part: &[Event]) -> Option<Event> {
    let is_leaving = |event: &&Event| matches!(event, Event::Exit(..) | Event::Suspend(SuspendKind::Exit, _));
    part.iter().rev().find(|event| !is_leaving(event)).copied()
}

/// A change that is made in an attempt.
#[derive(Clone, Copy)]
struct Change {
    /// The call in the attempt's own function that makes it.
    call: ExprId,
    /// Making it twice is the same as making it once.
    is_repeatable: bool,
    /// It is made for each of several.
    is_many: bool,
    /// It is made in this process, to something that outlives the attempt.
    is_inside: bool,
}

/// How many calls deep changes are looked for: what is farther away is mostly bookkeeping.
const DEEPEST: u32 = 2;

fn judge(ctx: &Context<'_>, attempt: &Attempt) -> Option<Finding> {
    let module = ctx.program.module(attempt.function.file);
    let events = &ctx.program.function(attempt.function).events;
    if is_recognised(ctx.program, attempt.function) || undoes(module, &events[attempt.range.clone()]) {
        return None;
    }
    let changes = changes(ctx.program, attempt);
    let (first, second) = changes.iter().enumerate().find_map(|(at, first)| {
        let goes_with = |second: &&Change| first.call == second.call || !are_exclusive(events, first.call, second.call);
        let later = || changes[at + 1..].iter().filter(|second| !second.is_inside).find(goes_with);
        let second = if first.is_many { Some(first) } else { later() };
        second.filter(|_| !first.is_repeatable).map(|second| (*first, *second))
    })?;
    Some(finding(ctx, attempt, first, second))
}

fn changes(program: &Program, attempt: &Attempt) -> Vec<Change> {
    let function = attempt.function;
    let events = &program.function(function).events;
    let module = program.module(function.file);
    let mut depth = 0;
    let mut guards: Vec<bool> = Vec::new();
    let mut found = Vec::new();
    let transactions = transactions(program, function);
    for at in attempt.range.clone() {
        match events[at] {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            Event::Branch(condition) => {
                guards.push(condition.is_some_and(|it| matches!(module.expr(it), Expr::Not(_))))
            }
            Event::EndBranch(_) => drop(guards.pop()),
            Event::Modify(place) if grows(program, function, place) => found.push(inside(place)),
            Event::Call(call) if let Some(list) = lengthened(module, call) => {
                found.extend(grows(program, function, list).then(|| inside(call)));
            }
            // What is handed over is looked at as an attempt of its own.
            Event::Call(call) if is_of_given(module, function.id, call) => {}
            Event::Call(call) if !guards.contains(&true) && !transactions.iter().any(|range| range.contains(&at)) => {
                let made = made_by(program, function, call, DEEPEST);
                found.extend(made.into_iter().map(|change| Change {
                    call,
                    is_many: change.is_many || depth > 0,
                    ..change
                }));
            }
            _ => {}
        }
    }
    found
}

/// A change of something in this process by this expression.
const fn inside(call: ExprId) -> Change {
    Change { call, is_repeatable: false, is_many: false, is_inside: true }
}

/// The list that the call makes longer.
fn lengthened(module: &Module, call: ExprId) -> Option<ExprId> {
    let name = called_name(module, call)?;
    matches!(name.as_str(), "append" | "extend" | "insert" | "appendleft").then(|| mutated(module, call)).flatten()
}

/// What is changed belongs to an object that the attempt has not made, and does not just count what happens.
fn grows(program: &Program, function: FunctionRef, place: ExprId) -> bool {
    let module = program.module(function.file);
    let Expr::Attr(_, field) = module.expr(place) else { return false };
    let counts =
        ["count", "attempt", "retr", "error", "fail", "total", "stat", "metric", "time", "usage", "token", "log"];
    !is_made_here(module, function, place) && !counts.iter().any(|word| field.as_str().contains(word))
}

/// The changes that a call makes, at most two.
fn made_by(program: &Program, function: FunctionRef, call: ExprId, left: u32) -> Vec<Change> {
    let module = program.module(function.file);
    let Some(site) = program.site(function, call) else { return Vec::new() };
    if changes_outside(program, site) {
        let name = called_name(module, call);
        return vec![Change { call, is_repeatable: name.is_some_and(is_repeatable), is_many: false, is_inside: false }];
    }
    let Some(left) = left.checked_sub(1) else { return Vec::new() };
    let edges = program.edges_at(function, call).iter();
    let edges = edges.filter(|edge| edge.how == How::Calls && !edge.is_override);
    let name = called_name(module, call);
    if name.is_some_and(only_asks) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for target in edges.map(|edge| edge.target) {
        // Of a coroutine that is not awaited here, nothing happens here.
        if program.function(target).is_async && module.role(call) != Role::Awaited {
            continue;
        }
        if is_recognised(program, target) {
            return Vec::new();
        }
        let sites = program.sites(target).iter();
        found.extend(sites.flat_map(|site| made_by(program, target, site.call, left)).take(2));
    }
    found.truncate(2);
    let is_repeated = name.is_some_and(is_repeatable);
    found.into_iter().map(|change| Change { is_repeatable: change.is_repeatable || is_repeated, ..change }).collect()
}

/// What is waited for lies outside the machine.
const fn is_elsewhere(blocks: Blocks) -> bool {
    matches!(blocks, Blocks::Network | Blocks::Database)
}

/// A modelled call that changes something outside the process. What a session collects waits for its end, and what is sent
/// on a connection that fails is lost with it.
fn changes_outside(program: &Program, site: &Site) -> bool {
    let is_of_session = match site.callee {
        Type::ExternalMethod(class, ..) => {
            matches!(
                program.models().kind(class),
                Some(ClassKind::Session | ClassKind::Transaction | ClassKind::Stream)
            )
        }
        Type::External(path) => path.first_segment() == "builtins",
        _ => false,
    };
    !is_of_session
        && program
            .models_at(site)
            .any(|model| model.writes && (model.network || model.blocks.is_some_and(is_elsewhere)))
}

/// By its name the function brings something, though it may have to send something for that.
fn only_asks(name: Name) -> bool {
    let words = [
        "get",
        "list",
        "fetch",
        "find",
        "search",
        "query",
        "load",
        "read",
        "ask",
        "check",
        "generate",
        "complete",
        "chat",
        "summarize",
        "compact",
        "predict",
        "infer",
        "embed",
        "transcribe",
        "translate",
        "poll",
        "wait",
        "extract",
        "download",
        "describe",
    ];
    has_word(name, &words)
}

/// By its name the change may be made again.
fn is_repeatable(name: Name) -> bool {
    let words = [
        "put",
        "set",
        "delete",
        "upsert",
        "replace",
        "remove",
        "update",
        "edit",
        "expire",
        "hset",
        "mset",
        "setex",
        "sadd",
        "zadd",
        "srem",
        "hdel",
        "unlink",
        "upload",
        "mkdir",
        "ensure",
        "ack",
        "close",
        "index",
        "save",
        "store",
        "copy",
        "patch",
        "drop",
        "cancel",
        "stop",
        "merge",
        "refresh",
        "connect",
        "reconnect",
        "login",
        "authenticate",
        "subscribe",
        "register",
        "init",
        "initialize",
        "setup",
        "sync",
    ];
    has_word(name, &words)
}

/// Blocks of a function within which changes wait for the end of a transaction.
fn transactions(program: &Program, function: FunctionRef) -> Vec<Range<usize>> {
    let module = program.module(function.file);
    let events = &program.function(function).events;
    let is_transaction = |context: ExprId| {
        let value = program.evaluator(function.file).eval(function.id, context);
        let by_kind = matches!(value, Type::ExternalInstance(class, _)
            if program.models().kind(class) == Some(ClassKind::Transaction));
        let named = called_name(module, context).or(match module.expr(context) {
            Expr::Name(name, _) | Expr::Attr(_, name) => Some(name),
            _ => None,
        });
        by_kind || named.is_some_and(|name| has_word(name, &["transaction", "begin", "atomic", "tx", "uow"]))
    };
    let blocks = scopes(events).into_iter().filter(|(.., context)| is_transaction(*context));
    blocks.map(|(start, end, _)| start..end).collect()
}

/// Something in the function bears a key by which the other side knows a repetition.
fn is_recognised(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file);
    let body = program.function(function);
    let names_key = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["idempot", "dedup", "client_token", "clienttoken", "request_id", "request-id"]
            .iter()
            .any(|key| text.contains(key))
    };
    let calls = body.events.iter().filter_map(|event| match *event {
        Event::Call(call) => Some(call),
        _ => None,
    });
    let in_arguments = |call: ExprId| {
        let Expr::Call(_, args) = module.expr(call) else { return false };
        module.args(args).iter().any(|arg| {
            let named = matches!(arg.kind, ArgKind::Named(name) if names_key(name.as_str()));
            named || mentions(module, arg.value, &names_key, 4)
        })
    };
    body.params.iter().any(|param| names_key(param.name.as_str())) || calls.into_iter().any(in_arguments)
}

/// The value names a key, or holds one: `{"Idempotency-Key": …}`.
fn mentions(module: &Module, value: ExprId, wanted: &impl Fn(&str) -> bool, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    let again = |value: &ExprId| mentions(module, *value, wanted, left);
    match module.expr(value) {
        Expr::Name(name, Defs::One(binding)) => {
            wanted(name.as_str())
                || matches!(module.bindings[binding.index()].kind, BindingKind::Value(made) if again(&made))
        }
        Expr::Name(name, _) | Expr::Attr(_, name) | Expr::Literal(Literal::Str(name)) => wanted(name.as_str()),
        Expr::Map(list) | Expr::List(list) | Expr::Tuple(list) => module.list(list).iter().any(again),
        _ => false,
    }
}

/// A handler or cleanup of the attempt takes back what was done.
fn undoes(module: &Module, events: &[Event]) -> bool {
    let mut blocks: Vec<bool> = Vec::new();
    for event in events {
        match *event {
            Event::Try => blocks.push(false),
            Event::Handler(_) | Event::Finally => blocks.last_mut().into_iter().for_each(|handles| *handles = true),
            Event::EndTry => drop(blocks.pop()),
            Event::Call(call) if blocks.contains(&true) && called_name(module, call).is_some_and(names_undoing) => {
                return true;
            }
            _ => {}
        }
    }
    false
}

fn names_undoing(name: Name) -> bool {
    let words = [
        "rollback",
        "undo",
        "revert",
        "compensate",
        "refund",
        "restore",
        "delete",
        "remove",
        "cancel",
        "cleanup",
        "discard",
        "abort",
        "reset",
        "unlink",
        "void",
        "release",
    ];
    has_word(name, &words)
}

fn finding(ctx: &Context<'_>, attempt: &Attempt, first: Change, second: Change) -> Finding {
    let file = attempt.function.file;
    let module = ctx.program.module(file);
    let text = |change: Change| match module.expr(change.call) {
        Expr::Call(..) => format!("{}()", ctx.program.callee_text(file, change.call)),
        _ => ctx.program.path_text(file, change.call),
    };
    let work = text(first);
    let message = if first.is_many {
        format!("`{work}` is done for several in one attempt: when a later one fails, those before it are done again")
    } else if first.call == second.call {
        format!("`{work}` makes several changes: when a later one fails, the retry makes the first ones again")
    } else {
        format!("when `{}` fails, the retry does `{work}` again, which has been done", text(second))
    };
    let made_at = Place { file, span: module.span(first.call) };
    let place = if file == ctx.file { made_at } else { attempt.by };
    let is_aside = is_side_module(ctx.module.name.as_str());
    let confidence = if is_aside || first.is_inside { Confidence::Possible } else { Confidence::Likely };
    let mut finding = Finding::new(&RULE, place, ctx.program.qualified(attempt.function), message)
        .confidence(confidence)
        .help("give the operation one key, made before the first attempt, by which a repetition is known; or retry each change for itself")
        .related(attempt.by, "tried again by this")
        .shape(work);
    if second.call != first.call {
        finding = finding.related(Place { file, span: module.span(second.call) }, "may fail when the first is done");
    }
    finding
}

//! Suspension points: what is waited for, whether it can really give up control, and what is held meanwhile.

use super::guards::Guards;
use super::{Index, names};
use crate::context::Context;
use crate::finding::Place;
use crate::race::suspends::{Suspends, Waits, waits};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, SuspendKind};
use racewalk_link::{FunctionRef, Program, Type, Why};
use racewalk_models::ClassKind;
use racewalk_report::inventory::{Answer, Evidence, Held, Suspension};
use rustc_hash::FxHashSet;

/// How many callees are gone through down to what really waits.
const LONGEST_CHAIN: usize = 8;

/// The suspension points of one function.
pub(super) fn of_function(
    index: &Index<'_>,
    ctx: &Context<'_>,
    guards: &Guards<'_, '_>,
    id: FunctionId,
) -> Vec<Suspension<Place>> {
    let function = ctx.function_ref(id);
    let events = &ctx.module.function(id).events;
    let mut open: Vec<ExprId> = Vec::new();
    let mut known: FxHashSet<(u8, ExprId)> = FxHashSet::default();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::Enter(_, context) => open.push(context),
            Event::Exit(..) => {
                open.pop();
            }
            Event::Suspend(kind, operand) if known.insert((kind as u8, operand)) => {
                let point = Point { index, ctx, function, kind, operand };
                let mut held = guards.held_at(function, at);
                held.retain(|held| held.since.is_none_or(|since| since.span != ctx.module.span(operand)));
                held.extend(
                    open.iter().filter(|context| **context != operand).filter_map(|context| point.entered(*context)),
                );
                found.push(point.describe(held));
            }
            _ => {}
        }
    }
    found
}

struct Point<'a, 'p> {
    index: &'a Index<'p>,
    ctx: &'a Context<'p>,
    function: FunctionRef,
    kind: SuspendKind,
    operand: ExprId,
}

impl Point<'_, '_> {
    fn describe(&self, held: Vec<Held<Place>>) -> Suspension<Place> {
        let Verdict { suspends, why, through } = verdict(self.index, self.function, self.kind, self.operand);
        Suspension {
            symbol: self.ctx.symbol(self.function.id),
            kind: kind_text(self.kind).to_owned(),
            awaits: self.ctx.program.path_text(self.ctx.file, self.operand),
            suspends,
            why,
            through,
            held,
            at: self.ctx.place(self.operand),
        }
    }

    /// What an open block holds that is no lock: a group, a session, a transaction.
    fn entered(&self, context: ExprId) -> Option<Held<Place>> {
        let value = self.ctx.evaluator.eval(self.function.id, context).without_none();
        let kind = kind_of(self.ctx.program, value)?;
        let name = match kind {
            ClassKind::TaskGroup => "task group",
            ClassKind::Session => "session",
            ClassKind::Transaction => "transaction",
            ClassKind::Client => "client",
            ClassKind::Stream => "stream",
            _ => return None,
        };
        let text = self.ctx.program.path_text(self.ctx.file, context);
        Some(Held { kind: name.to_owned(), name: text, since: Some(self.ctx.place(context)) })
    }
}

/// What a library's object, or what its context manager gives, is to the analysis.
pub(super) fn kind_of(program: &Program, value: Type) -> Option<ClassKind> {
    value.members().iter().find_map(|member| match *member {
        Type::ExternalInstance(path, _) => program.models().kind(path),
        Type::Context(inner, _) => kind_of(program, inner.get()),
        _ => None,
    })
}

const fn kind_text(kind: SuspendKind) -> &'static str {
    match kind {
        SuspendKind::Await => "await",
        SuspendKind::Iterate => "iterate",
        SuspendKind::Enter => "enter",
        SuspendKind::Exit => "exit",
        SuspendKind::Yield => "yield",
    }
}

/// Whether control can be given up somewhere, and why.
pub(super) struct Verdict {
    pub suspends: Answer,
    why: String,
    through: Vec<Evidence<Place>>,
}

impl Verdict {
    fn new(suspends: Answer, why: impl Into<String>) -> Self {
        Self { suspends, why: why.into(), through: Vec::new() }
    }
}

/// The functions that are known to give up control, where [`Suspends`] counts what is not known, too.
pub(super) fn known(program: &Program) -> Suspends {
    Suspends::known(program, |function, kind, operand| {
        outside(program, function, kind, operand).suspends == Answer::Yes
    })
}

/// Whether control can be given up at a suspension point.
pub(super) fn verdict(index: &Index<'_>, function: FunctionRef, kind: SuspendKind, operand: ExprId) -> Verdict {
    let program = index.program;
    let targets = match waits(program, function, kind, operand) {
        Waits::Outside => return outside(program, function, kind, operand),
        Waits::Nothing => return Verdict::new(Answer::No, "the library says that it never waits"),
        Waits::For(targets) => targets,
    };
    let targets: Vec<FunctionRef> = targets.into_iter().filter(|target| runs_at(program, *target, kind)).collect();
    let names: Vec<String> = targets.iter().take(3).map(|target| names::symbol(program, *target)).collect();
    let names = names.join(", ");
    if let Some(target) = targets.iter().find(|target| index.known_to_suspend.contains(**target)) {
        let through = chain(index, *target, &index.known_to_suspend);
        let why = format!("{} gives up control", names::symbol(program, *target));
        return Verdict { through, ..Verdict::new(Answer::Yes, why) };
    }
    if let Some(target) = targets.iter().find(|target| index.shared.race.suspends.contains(**target)) {
        let through = chain(index, *target, &index.shared.race.suspends);
        let why = format!("{} waits for something that is not known", names::symbol(program, *target));
        return Verdict { through, ..Verdict::new(Answer::Unknown, why) };
    }
    let goes = if targets.len() > 1 { "go" } else { "goes" };
    let why = if targets.is_empty() {
        "nothing waits there".to_owned()
    } else {
        format!("{names} {goes} through in one step")
    };
    Verdict::new(Answer::No, why)
}

/// The method of a context manager runs as it is entered, or as it is left.
fn runs_at(program: &Program, target: FunctionRef, kind: SuspendKind) -> bool {
    let name = program.function(target).name;
    !matches!((name.as_str(), kind), ("__aenter__", SuspendKind::Exit) | ("__aexit__", SuspendKind::Enter))
}

/// The suspension points from a function down to the wait that decides.
fn chain(index: &Index<'_>, from: FunctionRef, suspends: &Suspends) -> Vec<Evidence<Place>> {
    let program = index.program;
    let mut steps = Vec::new();
    let mut seen = vec![from];
    let mut current = Some(from);
    while let Some(function) = current.take().filter(|_| steps.len() < LONGEST_CHAIN) {
        let Some((operand, next)) = next_wait(program, function, suspends, &seen) else { break };
        let module = program.module(function.file);
        let text =
            format!("{} waits for {}", names::symbol(program, function), program.path_text(function.file, operand));
        steps.push(Evidence { text, at: Place { file: function.file, span: module.span(operand) } });
        seen.extend(next);
        current = next;
    }
    steps
}

/// What a function waits for that lets others run: something outside the program where it can, else a callee.
fn next_wait(
    program: &Program,
    function: FunctionRef,
    suspends: &Suspends,
    seen: &[FunctionRef],
) -> Option<(ExprId, Option<FunctionRef>)> {
    let mut through = None;
    for (kind, operand) in crate::race::suspends::suspensions(&program.function(function).events) {
        match waits(program, function, kind, operand) {
            Waits::Outside if outside(program, function, kind, operand).suspends != Answer::No => {
                return Some((operand, None));
            }
            Waits::For(targets) => {
                let target = targets.into_iter().find(|target| suspends.contains(*target) && !seen.contains(target));
                through = through.or(target.map(|target| (operand, Some(target))));
            }
            _ => {}
        }
    }
    through
}

/// A wait for something that is no coroutine function of the program.
fn outside(program: &Program, function: FunctionRef, kind: SuspendKind, operand: ExprId) -> Verdict {
    if kind == SuspendKind::Yield {
        return Verdict::new(Answer::Yes, "whoever iterates decides when it goes on");
    }
    let evaluator = program.evaluator(function.file);
    let is_call = matches!(program.module(function.file).expr(operand), Expr::Call(..));
    let site = program.site(function, operand);
    if let Some(site) = site.filter(|_| kind == SuspendKind::Await && is_call) {
        if program.models_at(site).next().is_some() {
            let name = program.callee_name(site.callee).unwrap_or_else(|| program.callee_text(function.file, operand));
            return Verdict::new(Answer::Yes, format!("{name} waits"));
        }
        if let Some(why) = unknown(site.callee) {
            return Verdict::new(Answer::Unknown, why);
        }
    }
    of_value(program, evaluator.eval(function.id, operand).without_none(), kind)
}

fn unknown(callee: Type) -> Option<&'static str> {
    match callee {
        Type::Unknown(why) => Some(why.as_str()),
        Type::External(_) | Type::ExternalMethod(..) => Some(Why::Library.as_str()),
        Type::Function(_) | Type::Method(..) => Some("what the function gives is not known"),
        _ => None,
    }
}

/// What waiting for a value does, by what it is.
fn of_value(program: &Program, value: Type, kind: SuspendKind) -> Verdict {
    let of = kind_of(program, value);
    let leaves = kind == SuspendKind::Exit;
    match (of, value) {
        (Some(ClassKind::AsyncLock | ClassKind::AsyncSemaphore), _) if leaves => {
            Verdict::new(Answer::No, "giving a lock back does not wait")
        }
        (Some(ClassKind::AsyncLock | ClassKind::AsyncSemaphore), _) => {
            Verdict::new(Answer::Yes, "it waits while others hold the lock")
        }
        (Some(ClassKind::Deadline), _) => {
            Verdict::new(Answer::No, "a time limit is set and taken back without waiting")
        }
        (Some(ClassKind::TaskGroup), _) if leaves => Verdict::new(Answer::Yes, "it waits for the tasks of the group"),
        (Some(ClassKind::TaskGroup), _) => Verdict::new(Answer::No, "a group is opened without waiting"),
        (Some(ClassKind::Task | ClassKind::Future), _) => Verdict::new(Answer::Yes, "it waits until that is done"),
        (_, Type::Unknown(why)) => Verdict::new(Answer::Unknown, why.as_str()),
        (_, Type::Coroutine(_)) => Verdict::new(Answer::Unknown, "which coroutine it is is not known"),
        (_, Type::ExternalInstance(path, _)) if program.models().class(path).is_some() => {
            Verdict::new(Answer::Yes, format!("{path} waits"))
        }
        (_, Type::ExternalInstance(path, _)) => {
            Verdict::new(Answer::Unknown, format!("{path}: {}", Why::Library.as_str()))
        }
        (_, Type::Instance(class, _)) => {
            Verdict::new(Answer::Unknown, format!("what {} does there is not known", program.qualified_class(class)))
        }
        _ => Verdict::new(Answer::Unknown, "what is waited for is not known"),
    }
}

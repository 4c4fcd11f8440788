//! The tasks that one function starts, and how long each may run beside what the function does meanwhile.

use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, Module, Name, Role};
use racewalk_link::{Answer, FunctionRef, Program, Site, Type};
use racewalk_models::{Call, Joins, Spawns};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A task, or a piece of work in another thread, that a function starts.
pub(crate) struct Task {
    /// The call that starts it: a spawn, a wait for several.
    pub start: ExprId,
    /// The call that makes the coroutine; the start when a function is handed over.
    pub call: ExprId,
    /// Of a function that is handed over: its position among the arguments.
    pub handed: Option<usize>,
    /// It runs in another thread.
    pub in_thread: bool,
    /// The events of the function during which it may run.
    pub runs: Range<usize>,
    /// The loops whose rounds each start one while those of other rounds run.
    pub rounds: Vec<Range<usize>>,
}

impl Task {
    /// Both may run at the same time.
    pub fn overlaps(&self, other: &Task, events: &[Event]) -> bool {
        let (first, second) = if self.runs.start <= other.runs.start { (self, other) } else { (other, self) };
        first.start == second.start || first.runs_at(second.runs.start, events)
    }

    /// It may be running when the function comes to this event.
    pub fn runs_at(&self, event: usize, events: &[Event]) -> bool {
        self.runs.contains(&event) && follows(events, self.runs.start, event)
    }
}

/// The tasks of a function, in the order in which they are made.
pub(crate) fn tasks(program: &Program, function: FunctionRef) -> Vec<Task> {
    let may_start = |site: &Site| {
        program
            .model_at(site)
            .is_some_and(|model| model.spawns.is_some() || model.joins.is_some() || model.offloads.is_some())
    };
    if !program.sites(function).iter().any(may_start) {
        return Vec::new();
    }
    let module = program.module(function.file);
    let sites = program.sites(function).iter().map(|site| (site.call, site)).collect();
    Finder { program, function, module, events: &program.function(function).events, sites }.find()
}

/// The loops of a function, each from its first event to its last.
pub(crate) fn loops(events: &[Event]) -> Vec<Range<usize>> {
    let mut open = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Loop(_) => open.push(at),
            Event::EndLoop => found.extend(open.pop().map(|first| first..at)),
            _ => {}
        }
    }
    found
}

/// Control may come from one event to a later one, other than by a failure or by the next round of a loop.
pub(crate) fn follows(events: &[Event], from: usize, to: usize) -> bool {
    let mut depth = 0;
    let mut at = from + 1;
    while at < to {
        match events[at] {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(_) if depth > 0 => depth -= 1,
            Event::Arm(_) if depth == 0 => at = end_of_branch(events, at),
            Event::Handler(_) => at = end_of_handler(events, at),
            Event::Return(_) | Event::Raise(_) | Event::Break | Event::Continue if depth == 0 => return false,
            _ => {}
        }
        at += 1;
    }
    at == to
}

/// The end of the branch of which an arm begins here.
fn end_of_branch(events: &[Event], arm: usize) -> usize {
    end_of(
        events,
        arm,
        |event| matches!(event, Event::Branch(_)),
        |event| matches!(event, Event::EndBranch(_)),
        |_| false,
    )
}

/// The last event of the handler that begins here.
fn end_of_handler(events: &[Event], handler: usize) -> usize {
    let next = |event: &Event| matches!(event, Event::Handler(_) | Event::TryElse | Event::Finally);
    end_of(events, handler, |event| *event == Event::Try, |event| *event == Event::EndTry, next) - 1
}

fn end_of(
    events: &[Event],
    from: usize,
    opens: impl Fn(&Event) -> bool,
    closes: impl Fn(&Event) -> bool,
    ends: impl Fn(&Event) -> bool,
) -> usize {
    let mut depth = 0;
    for (at, event) in events.iter().enumerate().skip(from + 1) {
        if depth == 0 && (closes(event) || ends(event)) {
            return at;
        }
        depth += i32::from(opens(event)) - i32::from(closes(event));
    }
    events.len()
}

struct Finder<'p> {
    program: &'p Program,
    function: FunctionRef,
    module: &'p Module,
    events: &'p [Event],
    sites: FxHashMap<ExprId, &'p Site>,
}

/// What becomes of a coroutine, or of a task.
enum Fate {
    /// It is an argument of this call, which starts or awaits it.
    Given(ExprId),
    /// A local keeps it, alone or among others.
    Kept(Name),
    /// Something else.
    Other,
}

impl Finder<'_> {
    fn find(&self) -> Vec<Task> {
        let loops = loops(self.events);
        let mut found = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            let Event::Call(call) = *event else { continue };
            let Some(site) = self.sites.get(&call) else { continue };
            let Some((start, handed, in_thread)) = self.started(at, site) else { continue };
            let Some(first) = self.index(|event| *event == Event::Call(start), at) else { continue };
            let end = self.end(start, first);
            let around = loops.iter().filter(|range| range.contains(&at) && range.end <= end);
            let rounds = around.cloned().collect();
            found.push(Task { start, call, handed, in_thread, runs: first..end, rounds });
        }
        found
    }

    /// The call that starts what this call makes, whether it is a function that is handed over, and to a thread.
    fn started(&self, at: usize, site: &Site) -> Option<(ExprId, Option<usize>, bool)> {
        let model = self.program.model_at(site);
        if let Some(position) = model.and_then(handed_to_thread) {
            // Of a coroutine nothing runs until it is awaited.
            let is_lazy = model.is_some_and(|model| model.is_async);
            let start = if is_lazy { self.starter(at, site.call) } else { Some(site.call) };
            return start.map(|start| (start, Some(position), true));
        }
        if model.is_some_and(|model| model.spawns == Some(Spawns::Task) && !model.async_callbacks.is_empty()) {
            return Some((site.call, Some(0), false));
        }
        let role = self.module.role(site.call);
        let is_beside = !matches!(role, Role::Awaited | Role::Returned | Role::Dropped | Role::IteratedAsync);
        let starts = model.is_some_and(|model| model.spawns.is_some() || model.joins.is_some());
        if !is_beside || starts || !self.is_awaitable(site) {
            return None;
        }
        self.starter(at, site.call).map(|start| (start, None, false))
    }

    fn is_awaitable(&self, site: &Site) -> bool {
        let is_coroutine = |member: &Type| match *member {
            Type::Function(target) | Type::Method(target, _) => {
                let body = self.program.function(target);
                body.is_async && !body.is_generator
            }
            Type::ExternalMethod(..) | Type::External(_) => self.program.model_of(*member).is_some_and(|model| {
                model.is_async || {
                    let evaluator = self.program.evaluator(self.function.file);
                    evaluator.awaitable(evaluator.called(*member)) == Answer::Yes
                }
            }),
            _ => false,
        };
        site.callee.members().iter().any(is_coroutine)
    }

    /// The call that starts a coroutine beside the function.
    fn starter(&self, at: usize, coroutine: ExprId) -> Option<ExprId> {
        match self.fate(coroutine) {
            Fate::Given(call) => Some(call),
            Fate::Kept(name) => self.events[at..].iter().find_map(|event| match *event {
                Event::Call(call) if self.starts(call) && self.is_given(call, name) => Some(call),
                _ => None,
            }),
            Fate::Other => None,
        }
    }

    fn model(&self, call: ExprId) -> Option<&Call> {
        self.sites.get(&call).and_then(|site| self.program.model_at(site))
    }

    fn starts(&self, call: ExprId) -> bool {
        self.model(call).is_some_and(|model| {
            model.spawns == Some(Spawns::Task)
                || matches!(model.joins, Some(Joins::FailFast | Joins::All | Joins::First))
        })
    }

    fn fate(&self, value: ExprId) -> Fate {
        let mut current = value;
        while let Some(parent) = self.module.parent(current) {
            match self.module.expr(parent) {
                Expr::Call(..) if self.starts(parent) => return Fate::Given(parent),
                Expr::Call(..) if self.model(parent).is_some_and(|model| model.joins == Some(Joins::One)) => {}
                Expr::Call(callee, _) => return self.put_into(callee),
                Expr::Await(_) => return Fate::Other,
                _ => {}
            }
            current = parent;
        }
        self.kept_by(current)
    }

    /// `tasks.append(value)`
    fn put_into(&self, callee: ExprId) -> Fate {
        match self.module.expr(callee) {
            Expr::Attr(container, method) if matches!(method.as_str(), "append" | "add") => {
                match self.module.expr(container) {
                    Expr::Name(name, defs) if defs != Defs::Outer => Fate::Kept(name),
                    _ => Fate::Other,
                }
            }
            _ => Fate::Other,
        }
    }

    fn kept_by(&self, value: ExprId) -> Fate {
        let binds = |event: &Event| match *event {
            Event::Bind(binding) => {
                let bound = self.module.bindings[binding.index()];
                let is_it =
                    matches!(bound.kind, BindingKind::Value(of) | BindingKind::Typed(_, Some(of)) if of == value);
                let name = || self.module.function(bound.owner).symbols[bound.symbol.index()].name;
                (is_it && bound.owner == self.function.id).then(name)
            }
            _ => None,
        };
        self.events.iter().find_map(binds).map_or(Fate::Other, Fate::Kept)
    }

    /// The name is among the call's arguments, spread or in a display.
    fn is_given(&self, call: ExprId, name: Name) -> bool {
        let Expr::Call(_, args) = self.module.expr(call) else { return false };
        self.module.args(args).iter().any(|arg| arg.kind != ArgKind::SpreadNamed && self.mentions(arg.value, name))
    }

    fn mentions(&self, value: ExprId, name: Name) -> bool {
        match self.module.expr(value) {
            Expr::Name(other, _) => other == name,
            Expr::Spread(inner) | Expr::Attr(inner, _) | Expr::Subscript(inner, _) => self.mentions(inner, name),
            Expr::List(list) | Expr::Tuple(list) | Expr::Set(list) => {
                self.module.list(list).iter().any(|part| self.mentions(*part, name))
            }
            Expr::Call(callee, _) => self.is_given(value, name) || self.mentions(callee, name),
            _ => false,
        }
    }

    /// The event at which what is started here has ended for sure, as far as the function sees to it.
    fn end(&self, start: ExprId, first: usize) -> usize {
        if let Some(end) = self.end_of_group(start, first) {
            return end;
        }
        let awaited = |value: ExprId| {
            let waits = |event: &Event| matches!(*event, Event::Suspend(_, operand) if operand == value);
            self.index(waits, first)
        };
        let last = self.events.len();
        if self.module.role(start) == Role::Awaited {
            return awaited(start).unwrap_or(last);
        }
        match self.fate(start) {
            Fate::Given(call) => awaited(call).unwrap_or(last),
            Fate::Kept(name) => self.index(|event| self.waits_for(event, name), first + 1).unwrap_or(last),
            Fate::Other => last,
        }
    }

    fn waits_for(&self, event: &Event, name: Name) -> bool {
        match *event {
            Event::Suspend(_, operand) => self.mentions(operand, name),
            Event::Call(call) => {
                self.model(call).is_some_and(|model| model.joins.is_some()) && self.is_given(call, name)
            }
            _ => false,
        }
    }

    /// The group that owns the task waits for it at its end.
    fn end_of_group(&self, start: ExprId, first: usize) -> Option<usize> {
        let Expr::Call(callee, _) = self.module.expr(start) else { return None };
        let Expr::Attr(group, _) = self.module.expr(callee) else { return None };
        let Expr::Name(_, Defs::One(binding)) = self.module.expr(group) else { return None };
        let BindingKind::ContextAsync(context) = self.module.bindings[binding.index()].kind else { return None };
        self.index(|event| matches!(*event, Event::Exit(_, left) if left == context), first)
    }

    fn index(&self, is_it: impl Fn(&Event) -> bool, from: usize) -> Option<usize> {
        self.events[from..].iter().position(is_it).map(|at| from + at)
    }
}

/// The position of the function that a call runs in a thread.
fn handed_to_thread(model: &Call) -> Option<usize> {
    let is_process = model.spawns == Some(Spawns::Process);
    model.offloads.filter(|_| model.entry.is_none() && !is_process).map(|position| position as usize)
}

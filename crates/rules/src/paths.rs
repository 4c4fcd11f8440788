//! Paths through a function: a graph of its events in which every way on is an edge, that of an exception and that of a
//! cancellation included. Rules ask it what some path can get to.
//!
//! Cleanup blocks stand in the graph once for each way in which they are entered, so that a path that enters one by an
//! exception does not leave it as if nothing had happened. The work is linear in the function's events.

use crate::context::Context;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Literal, Name, ScopeKind};
use racewalk_link::{Program, Site, Type};
use racewalk_models::{ClassKind, Ends};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

/// No such node: the code has no such way on here.
const NOWHERE: NodeId = NodeId(u32::MAX);

/// How a function is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// At its end, or by `return`.
    Normal,
    /// By an exception.
    Error,
    /// By a cancellation.
    Cancelled,
}

const NORMAL: NodeId = NodeId(0);
const ERROR: NodeId = NodeId(1);
const CANCELLED: NodeId = NodeId(2);
const EXITS: usize = 3;

/// How an edge leads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The event happens.
    Next,
    /// It raises.
    Error,
    /// The task is cancelled while it waits there.
    Cancel,
}

/// What a handler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Catches {
    /// Some ordinary exceptions.
    pub some_errors: bool,
    /// Every ordinary exception.
    pub all_errors: bool,
    /// Cancellation.
    pub cancellation: bool,
}

impl Catches {
    const NOTHING: Catches = Catches { some_errors: false, all_errors: false, cancellation: false };
    const EVERYTHING: Catches = Catches { some_errors: true, all_errors: true, cancellation: true };
    const SOME_ERRORS: Catches = Catches { some_errors: true, all_errors: false, cancellation: false };
    const ALL_ERRORS: Catches = Catches { some_errors: true, all_errors: true, cancellation: false };
    const CANCELLATION: Catches = Catches { some_errors: false, all_errors: false, cancellation: true };

    fn or(self, other: Catches) -> Catches {
        Catches {
            some_errors: self.some_errors || other.some_errors,
            all_errors: self.all_errors || other.all_errors,
            cancellation: self.cancellation || other.cancellation,
        }
    }
}

/// What a handler of this type takes; without a type, everything.
pub(crate) fn catches(ctx: &Context<'_>, function: FunctionId, caught: Option<ExprId>) -> Catches {
    let Some(caught) = caught else { return Catches::EVERYTHING };
    if let Expr::Tuple(list) = ctx.module.expr(caught) {
        let each = ctx.module.list(list).iter().map(|member| catches(ctx, function, Some(*member)));
        return each.fold(Catches::NOTHING, Catches::or);
    }
    let value = ctx.evaluator.eval(function, caught);
    value.members().iter().map(|class| catches_class(ctx, *class)).fold(Catches::NOTHING, Catches::or)
}

fn catches_class(ctx: &Context<'_>, class: Type) -> Catches {
    match class {
        Type::External(path) => match (ctx.program.models().kind(path), path.last_segment()) {
            (Some(ClassKind::Cancellation), _) => Catches::CANCELLATION,
            (_, "BaseException") => Catches::EVERYTHING,
            (_, "Exception") => Catches::ALL_ERRORS,
            _ => Catches::SOME_ERRORS,
        },
        // An alias of several exceptions, or what a function gives for the running backend.
        Type::Tuple(members) => {
            members.as_slice().iter().map(|member| catches_class(ctx, *member)).fold(Catches::NOTHING, Catches::or)
        }
        Type::ExternalInstance(path, _) if ctx.program.models().kind(path) == Some(ClassKind::Cancellation) => {
            Catches::CANCELLATION
        }
        _ => Catches::SOME_ERRORS,
    }
}

/// What a context manager keeps from getting out of its block.
pub(crate) fn suppresses(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> Catches {
    let Expr::Call(callee, _) = ctx.module.expr(context) else { return Catches::NOTHING };
    let callee = ctx.evaluator.eval(function, callee);
    if !ctx.program.model_of(callee).is_some_and(|model| model.suppresses) {
        return Catches::NOTHING;
    }
    let args = ctx.evaluator.args(context).iter();
    let each = args.map(|arg| catches(ctx, function, Some(arg.value)));
    each.fold(Catches::NOTHING, Catches::or)
}

#[derive(Debug)]
struct Node {
    /// The event's position in the function; none for a junction.
    event: Option<u32>,
    /// Where control goes when the event has happened.
    next: SmallVec<[NodeId; 2]>,
    /// Where an exception that it raises goes.
    error: NodeId,
    /// Where a cancellation that arrives while it waits goes.
    cancel: NodeId,
}

/// The graph of a function's paths.
pub(crate) struct Paths {
    nodes: Vec<Node>,
    /// For each event: its nodes.
    of_event: Vec<SmallVec<[NodeId; 1]>>,
}

/// Where the ways out of a block lead.
#[derive(Clone, Copy)]
struct Ways {
    error: NodeId,
    cancel: NodeId,
    returns: NodeId,
    breaks: NodeId,
    continues: NodeId,
    /// What a bare `raise` raises again.
    handling: Catches,
}

impl Paths {
    /// The graph of a function's events.
    pub fn new(ctx: &Context<'_>, function: FunctionId) -> Self {
        let events = &ctx.module.function(function).events;
        let mut builder = Builder {
            ctx,
            function,
            events,
            ends: ends(events),
            nodes: Vec::with_capacity(events.len() + EXITS),
            of_event: vec![SmallVec::new(); events.len()],
            caught: FxHashMap::default(),
            risky: risky_calls(ctx, function),
            final_calls: final_calls(ctx, function),
        };
        for _ in 0..EXITS {
            builder.nodes.push(Node { event: None, next: SmallVec::new(), error: NOWHERE, cancel: NOWHERE });
        }
        let ways = Ways {
            error: ERROR,
            cancel: CANCELLED,
            returns: NORMAL,
            breaks: NOWHERE,
            continues: NOWHERE,
            handling: Catches::NOTHING,
        };
        builder.block(0, events.len(), NORMAL, ways);
        Self { nodes: builder.nodes, of_event: builder.of_event }
    }

    /// The nodes at which the event happens: several for one in a cleanup block.
    pub fn nodes_of(&self, event: usize) -> &[NodeId] {
        &self.of_event[event]
    }

    /// Where control goes once the event of this node has happened; of a branch, its first arm first.
    pub fn after(&self, node: NodeId) -> &[NodeId] {
        &self.nodes[node.0 as usize].next
    }

    /// All that paths from these nodes get to. `passes` tells by which ways on they go from an event: a path ends where it
    /// says no.
    pub fn reach(&self, from: &[NodeId], passes: impl Fn(u32, Step) -> bool) -> Reach<'_> {
        let mut reach = Reach { paths: self, by: vec![None; self.nodes.len()] };
        let mut open: Vec<NodeId> = Vec::new();
        for start in from.iter().copied().filter(|start| *start != NOWHERE) {
            if reach.by[start.0 as usize].is_none() {
                reach.by[start.0 as usize] = Some((start, Step::Next));
                open.push(start);
            }
        }
        while let Some(at) = open.pop() {
            let node = &self.nodes[at.0 as usize];
            let ways = node.next.iter().map(|next| (*next, Step::Next));
            let raised = [(node.error, Step::Error), (node.cancel, Step::Cancel)];
            for (next, step) in ways.chain(raised).filter(|(next, _)| *next != NOWHERE) {
                let is_open = node.event.is_none_or(|event| passes(event, step));
                if is_open && reach.by[next.0 as usize].is_none() {
                    reach.by[next.0 as usize] = Some((at, step));
                    open.push(next);
                }
            }
        }
        reach
    }
}

/// What paths get to.
pub(crate) struct Reach<'a> {
    paths: &'a Paths,
    /// For each node that is reached: from where, and how.
    by: Vec<Option<(NodeId, Step)>>,
}

impl Reach<'_> {
    /// Some path leaves the function in this way.
    pub fn leaves(&self, exit: Exit) -> bool {
        self.by[exit_node(exit).0 as usize].is_some()
    }

    /// The event on which a path that leaves the function in this way does so: the last one on it.
    pub fn last_before(&self, exit: Exit) -> Option<usize> {
        let mut at = exit_node(exit);
        loop {
            let (before, _) = self.by[at.0 as usize]?;
            if before == at {
                return None;
            }
            if let Some(event) = self.paths.nodes[before.0 as usize].event {
                return Some(event as usize);
            }
            at = before;
        }
    }

    /// Some path gets to the event.
    pub fn gets_to(&self, event: usize) -> bool {
        self.paths.of_event[event].iter().any(|node| self.by[node.0 as usize].is_some())
    }

    /// The first raising step on a found path out of the function by an exception or a cancellation: where it leaves its
    /// course.
    pub fn turning_point(&self, exit: Exit) -> Option<usize> {
        let mut at = exit_node(exit);
        let mut found = None;
        while let Some((before, step)) = self.by[at.0 as usize].filter(|(before, _)| *before != at) {
            if step != Step::Next
                && let Some(event) = self.paths.nodes[before.0 as usize].event
            {
                found = Some(event as usize);
            }
            at = before;
        }
        found
    }
}

const fn exit_node(exit: Exit) -> NodeId {
    match exit {
        Exit::Normal => NORMAL,
        Exit::Error => ERROR,
        Exit::Cancelled => CANCELLED,
    }
}

/// For each event that opens something: where what it opens ends. Marks of the same construct are chained: a branch leads to
/// its next arm, the arm to the one after it, the last to the end.
fn ends(events: &[Event]) -> Vec<u32> {
    let mut ends = vec![0; events.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Branch(_) | Event::Loop(_) | Event::Try | Event::Enter(..) | Event::Defer => open.push(at),
            Event::Arm(_) | Event::EndLoop | Event::TryElse | Event::Handler(_) | Event::Finally => {
                if let Some(innermost) = open.last_mut() {
                    ends[*innermost] = at as u32;
                    *innermost = at;
                }
            }
            Event::EndBranch(_) | Event::EndLoopElse | Event::EndTry | Event::Exit(..) | Event::EndDefer => {
                if let Some(innermost) = open.pop() {
                    ends[innermost] = at as u32;
                }
            }
            _ => {}
        }
    }
    // What is not closed (its end was cut off) reaches to the end.
    for unclosed in open {
        ends[unclosed] = events.len() as u32;
    }
    ends
}

/// The calls of a function that may fail for reasons outside it.
fn risky_calls(ctx: &Context<'_>, function: FunctionId) -> FxHashSet<ExprId> {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    let is_risky = |site: &&Site| site.callee.members().iter().any(|callee| may_fail(ctx.program, *callee));
    sites.filter(is_risky).map(|site| site.call).collect()
}

/// The calls of a function that end its process.
fn final_calls(ctx: &Context<'_>, function: FunctionId) -> FxHashSet<ExprId> {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    let ends = |site: &&Site| ctx.program.model_at(site).is_some_and(|model| model.ends_process == Some(Ends::Own));
    sites.filter(ends).map(|site| site.call).collect()
}

/// Calling this may fail: it is not known to be one of the language's own functions, or one that neither waits for anything
/// nor runs anything. The coroutine that a call makes fails where it is awaited.
fn may_fail(program: &Program, callee: Type) -> bool {
    match callee {
        Type::External(path) | Type::ExternalMethod(path, ..) if path.first_segment() == "builtins" => false,
        Type::Function(target) | Type::Method(target, _) => !program.function(target).is_async,
        Type::MadeAsync(_) => false,
        _ => program.model_of(callee).is_none_or(|model| model.blocks.is_some() || !model.callbacks.is_empty()),
    }
}

struct Builder<'a, 'p> {
    ctx: &'a Context<'p>,
    function: FunctionId,
    events: &'a [Event],
    ends: Vec<u32>,
    nodes: Vec<Node>,
    of_event: Vec<SmallVec<[NodeId; 1]>>,
    caught: FxHashMap<usize, Catches>,
    risky: FxHashSet<ExprId>,
    final_calls: FxHashSet<ExprId>,
}

impl Builder<'_, '_> {
    fn node(&mut self, event: Option<usize>, next: SmallVec<[NodeId; 2]>) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        if let Some(event) = event {
            self.of_event[event].push(id);
        }
        let event = event.map(|event| event as u32);
        self.nodes.push(Node { event, next, error: NOWHERE, cancel: NOWHERE });
        id
    }

    /// A place where ways meet: it does nothing itself.
    fn junction(&mut self, next: impl IntoIterator<Item = NodeId>) -> NodeId {
        let next = next.into_iter().filter(|next| *next != NOWHERE).collect();
        self.node(None, next)
    }

    /// The events from `start` to `end`, when `next` comes after them: where they begin.
    fn block(&mut self, start: usize, end: usize, next: NodeId, ways: Ways) -> NodeId {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        let mut at = start;
        while at < end {
            let last = self.last_of(at).min(end - 1);
            parts.push((at, last));
            at = last + 1;
        }
        let mut next = next;
        for (first, last) in parts.into_iter().rev() {
            next = self.part(first, last, next, ways);
        }
        next
    }

    /// The last event of what begins at this one.
    fn last_of(&self, at: usize) -> usize {
        match self.events[at] {
            Event::Branch(_) | Event::Loop(_) | Event::Try | Event::Enter(..) | Event::Defer => {
                let mut end = self.ends[at] as usize;
                while end < self.events.len() && self.ends[end] != 0 {
                    end = self.ends[end] as usize;
                }
                end
            }
            _ => at,
        }
    }

    fn part(&mut self, first: usize, last: usize, next: NodeId, ways: Ways) -> NodeId {
        match self.events[first] {
            Event::Branch(_) => self.branch(first, next, ways),
            Event::Loop(_) => self.each(first, next, ways),
            Event::Try => self.guarded(first, next, ways),
            Event::Enter(_, context) => self.scope(first, last, context, next, ways),
            Event::Defer => {
                let inside = self.block(first + 1, last, next, ways);
                self.node(Some(first), smallvec![inside, next])
            }
            event => self.plain(first, event, next, ways),
        }
    }

    fn plain(&mut self, at: usize, event: Event, next: NodeId, ways: Ways) -> NodeId {
        let on = match event {
            Event::Return(_) => ways.returns,
            Event::Break => ways.breaks,
            Event::Continue => ways.continues,
            Event::Raise(_) => NOWHERE,
            Event::Call(call) if self.final_calls.contains(&call) => NOWHERE,
            _ => next,
        };
        let node = self.node(Some(at), if on == NOWHERE { SmallVec::new() } else { smallvec![on] });
        let (error, cancel) = match event {
            Event::Suspend(..) => (true, true),
            Event::Yield(_) => (true, false),
            Event::Call(call) => (self.risky.contains(&call), false),
            Event::Raise(None) => {
                let handling = ways.handling;
                (handling.some_errors || handling == Catches::NOTHING, handling.cancellation)
            }
            Event::Raise(Some(_)) => (true, false),
            _ => (false, false),
        };
        let node_ref = &mut self.nodes[node.0 as usize];
        node_ref.error = if error { ways.error } else { NOWHERE };
        node_ref.cancel = if cancel { ways.cancel } else { NOWHERE };
        node
    }

    fn branch(&mut self, first: usize, next: NodeId, ways: Ways) -> NodeId {
        let mut arms: SmallVec<[NodeId; 2]> = SmallVec::new();
        let mut mark = first;
        loop {
            let end = self.ends[mark] as usize;
            arms.push(self.block(mark + 1, end, next, ways));
            match self.events.get(end) {
                Some(Event::Arm(_)) => mark = end,
                Some(Event::EndBranch(true)) => break,
                _ => {
                    arms.push(next);
                    break;
                }
            }
        }
        self.node(Some(first), arms)
    }

    fn each(&mut self, first: usize, next: NodeId, ways: Ways) -> NodeId {
        let end = self.ends[first] as usize;
        let end_else = self.ends.get(end).map_or(end, |end_else| *end_else as usize);
        let orelse = self.block((end + 1).min(end_else), end_else, next, ways);
        let head = self.node(Some(first), SmallVec::new());
        let inside = Ways { breaks: next, continues: head, ..ways };
        let body = self.block(first + 1, end, head, inside);
        let ends = !matches!(self.events[first], Event::Loop(Some(test)) if is_always_true(self.ctx, test));
        let on: SmallVec<[NodeId; 2]> = if ends { smallvec![body, orelse] } else { smallvec![body] };
        self.nodes[head.0 as usize].next = on;
        head
    }

    fn scope(&mut self, first: usize, last: usize, context: ExprId, next: NodeId, ways: Ways) -> NodeId {
        let kept = match self.events[first] {
            Event::Enter(ScopeKind::Plain, _) => suppresses(self.ctx, self.function, context),
            _ => Catches::NOTHING,
        };
        let mut inside = ways;
        if kept.some_errors {
            let out = if kept.all_errors { NOWHERE } else { ways.error };
            inside.error = self.junction([next, out]);
        }
        if kept.cancellation {
            inside.cancel = next;
        }
        let after = self.node((last < self.events.len()).then_some(last), smallvec![next]);
        let body = self.block(first + 1, last, after, inside);
        self.node(Some(first), smallvec![body])
    }

    fn guarded(&mut self, first: usize, next: NodeId, ways: Ways) -> NodeId {
        let parts = Guarded::of(self.events, &self.ends, first);
        let (next, outer) = match parts.cleanup {
            Some((start, end)) => self.cleanup(start, end, next, ways),
            None => (next, ways),
        };
        let mut handlers: Vec<(NodeId, Catches)> = Vec::new();
        for (start, end) in &parts.handlers {
            let Event::Handler(caught) = self.events[*start] else { continue };
            let kind = self.kind_of(*start, caught);
            let body = self.block(start + 1, *end, next, Ways { handling: kind, ..outer });
            let entry = self.node(Some(*start), smallvec![body]);
            handlers.push((entry, kind));
        }
        let mut inside = outer;
        if !handlers.is_empty() {
            inside.error = self.dispatch(&handlers, outer.error, |kind| (kind.some_errors, kind.all_errors));
            inside.cancel = self.dispatch(&handlers, outer.cancel, |kind| (kind.cancellation, kind.cancellation));
        }
        let orelse = match parts.orelse {
            Some((start, end)) => self.block(start + 1, end, next, outer),
            None => next,
        };
        let body = self.block(first + 1, parts.body_end, orelse, inside);
        self.node(Some(first), smallvec![body])
    }

    fn kind_of(&mut self, handler: usize, caught: Option<ExprId>) -> Catches {
        if let Some(known) = self.caught.get(&handler) {
            return *known;
        }
        let kind = catches(self.ctx, self.function, caught);
        self.caught.insert(handler, kind);
        kind
    }

    /// Where what is raised goes: to the handlers that may take it, and on when none surely does.
    fn dispatch(
        &mut self,
        handlers: &[(NodeId, Catches)],
        on: NodeId,
        takes: impl Fn(Catches) -> (bool, bool),
    ) -> NodeId {
        let mut to: SmallVec<[NodeId; 4]> = SmallVec::new();
        for (entry, kind) in handlers {
            let (some, all) = takes(*kind);
            if some {
                to.push(*entry);
            }
            if all {
                return self.junction(to);
            }
        }
        to.push(on);
        self.junction(to)
    }

    /// A cleanup block, once for each way in which it is entered.
    fn cleanup(&mut self, start: usize, end: usize, next: NodeId, ways: Ways) -> (NodeId, Ways) {
        // Cleanups in cleanups would be copied again and again: past so many nodes one copy serves all ways.
        const MOST_COPIES: usize = 6;
        if self.nodes.len() > self.events.len() * MOST_COPIES + 64 {
            let all = [next, ways.error, ways.cancel, ways.returns, ways.breaks, ways.continues];
            let after = self.junction(all);
            let only = self.block(start, end, after, ways);
            let merged = Ways { error: only, cancel: only, returns: only, breaks: only, continues: only, ..ways };
            return (only, merged);
        }
        let mut copy = |on: NodeId| if on == NOWHERE { NOWHERE } else { self.block(start, end, on, ways) };
        let normal = copy(next);
        let around = Ways {
            error: copy(ways.error),
            cancel: copy(ways.cancel),
            returns: copy(ways.returns),
            breaks: copy(ways.breaks),
            continues: copy(ways.continues),
            handling: ways.handling,
        };
        (normal, around)
    }
}

/// The parts of a guarded block, as positions of events.
pub(crate) struct Guarded {
    /// Where the guarded body ends.
    pub body_end: usize,
    /// What runs when nothing was raised.
    pub orelse: Option<(usize, usize)>,
    /// The handlers: each with the position of its mark, and where it ends.
    pub handlers: Vec<(usize, usize)>,
    /// The cleanup block, without its mark.
    pub cleanup: Option<(usize, usize)>,
}

/// The positions of the blocks that context managers are entered for: from the entering to the leaving.
pub(crate) fn scopes(events: &[Event]) -> Vec<(usize, usize, ExprId)> {
    let mut open: Vec<(usize, ExprId)> = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::Enter(_, context) => open.push((at, context)),
            Event::Exit(..) => found.extend(open.pop().map(|(start, context)| (start, at, context))),
            _ => {}
        }
    }
    found
}

impl Guarded {
    fn of(events: &[Event], ends: &[u32], first: usize) -> Self {
        let mut mark = ends[first] as usize;
        let mut parts = Self { body_end: mark, orelse: None, handlers: Vec::new(), cleanup: None };
        while mark < events.len() {
            let end = if ends[mark] == 0 { events.len() } else { ends[mark] as usize };
            match events[mark] {
                Event::TryElse => parts.orelse = Some((mark, end)),
                Event::Handler(_) => parts.handlers.push((mark, end)),
                Event::Finally => parts.cleanup = Some((mark + 1, end)),
                _ => break,
            }
            mark = end;
        }
        parts
    }

    /// All guarded blocks of a function, each with the position where it begins.
    pub fn all(events: &[Event]) -> Vec<(usize, Self)> {
        if !events.contains(&Event::Try) {
            return Vec::new();
        }
        let ends = ends(events);
        let starts = events.iter().enumerate().filter(|(_, event)| **event == Event::Try);
        starts.map(|(at, _)| (at, Self::of(events, &ends, at))).collect()
    }
}

/// A loop's test that never fails.
pub(crate) fn is_always_true(ctx: &Context<'_>, test: ExprId) -> bool {
    ctx.module.role(test) == racewalk_ir::Role::Condition
        && match ctx.module.expr(test) {
            Expr::Literal(Literal::Bool(holds)) => holds,
            Expr::Literal(Literal::Int(number)) => number != 0,
            Expr::Name(name, _) => name == Name::new("True"),
            _ => false,
        }
}

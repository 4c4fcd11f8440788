//! Whether `task_done` matches `get`: a queue that somebody joins counts its unfinished items.

use super::lost_wakeup::{Lost, loops_at, receiver_text};
use crate::context::Context;
use crate::race::cells::Root;
use crate::race::paths::{Origin, Passage, Path, Paths};
use crate::race::signals::{Act, Signal, Through};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name};
use racewalk_link::{FunctionRef, Variable};
use racewalk_report::Confidence;
use smallvec::SmallVec;

/// The mismatch in a function that gets items of a joined queue, if there is one.
pub(super) fn mismatch(ctx: &Context<'_>, function: FunctionId, signals: &[Signal]) -> Option<Lost> {
    let mut gets = signals.iter().filter(|signal| signal.through == Through::Queue && signal.act == Act::Gets);
    let get = gets.next()?;
    if gets.next().is_some() || !is_joined(ctx, get) {
        return None;
    }
    let finishes: Vec<&Signal> = signals.iter().filter(|signal| is_finish_of(signal, get)).collect();
    if is_finished_elsewhere(ctx, get) {
        return None;
    }
    if finishes.is_empty() {
        return nobody_finishes(ctx, get);
    }
    let events = &ctx.module.function(function).events;
    let loops = loops_at(events, get.event);
    if finishes.iter().any(|finish| loops_at(events, finish.event) != loops) {
        return None;
    }
    let mut count = Count::new(get.call, finishes.iter().map(|finish| finish.call).collect());
    events.iter().for_each(|event| count.step(*event));
    let queue = receiver_text(ctx, get);
    match (count.too_many, count.is_missing && !count.in_cleanup) {
        (Some(at), _) => Some(too_many(&queue, at)),
        (None, true) => Some(missing(&queue, finishes[0].call)),
        _ => None,
    }
}

fn is_finish_of(signal: &Signal, get: &Signal) -> bool {
    signal.act == Act::Finishes && (signal.root == get.root || signal.path == get.path)
}

/// Some other function counts items of the same queue off, for this one perhaps.
fn is_finished_elsewhere(ctx: &Context<'_>, get: &Signal) -> bool {
    let Some(root) = get.root else { return false };
    let all = ctx.shared.race.signals.all(ctx.program, root, &[Act::Finishes]);
    all.is_none_or(|all| all.iter().any(|finish| finish.function != get.function))
}

// ---- who joins -------------------------------------------------------------------------------------------------------

/// Somebody waits until all items are done: of the same place, or of what is passed for it.
fn is_joined(ctx: &Context<'_>, get: &Signal) -> bool {
    let signals = &ctx.shared.race.signals;
    let by_root = get.root.and_then(|root| signals.all(ctx.program, root, &[Act::Joins]));
    if by_root.is_some_and(|joins| !joins.is_empty()) {
        return true;
    }
    let path = match get.root {
        Some(Root::Field(..)) => field_parameter(ctx, get.root).or(get.path),
        _ => get.path,
    };
    path.is_some_and(|path| is_joined_by_callers(ctx, path))
}

/// The constructor's parameter that a field is set to.
fn field_parameter(ctx: &Context<'_>, root: Option<Root>) -> Option<Path> {
    let Some(Root::Field(class, name)) = root else { return None };
    let field = ctx.program.class(class).fields.iter().find(|field| field.name == name)?;
    let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = field.kind else { return None };
    let module = ctx.program.module(class.file);
    let Expr::Name(_, Defs::One(binding)) = module.expr(value) else { return None };
    let bound = module.bindings[binding.index()];
    let owner = FunctionRef { file: class.file, id: bound.owner };
    let variable = Variable { owner, symbol: bound.symbol };
    matches!(bound.kind, BindingKind::Param(_))
        .then(|| Path { origin: Origin::Variable(variable), members: Name::new("") })
}

/// A caller passes a queue that it joins.
fn is_joined_by_callers(ctx: &Context<'_>, path: Path) -> bool {
    let Origin::Variable(variable) = path.origin else { return false };
    let callers = ctx.program.summaries.callers.of(variable.owner);
    callers.iter().any(|(caller, site, how)| {
        let evaluator = ctx.program.evaluator(caller.file);
        let paths = Paths { program: ctx.program, evaluator: &evaluator, function: *caller };
        let passage = Passage { caller: &paths, site: *site, how: *how, target: variable.owner };
        let passed = passage.path(path);
        let joins = ctx.shared.race.signals.of(*caller).iter().filter(|signal| signal.act == Act::Joins);
        passed.is_some() && joins.into_iter().any(|join| join.path == passed)
    })
}

/// Neither this function nor any other says that an item is done, and nobody unseen can.
fn nobody_finishes(ctx: &Context<'_>, get: &Signal) -> Option<Lost> {
    let all = ctx.shared.race.signals.all(ctx.program, get.root?, &[Act::Finishes])?;
    // Of a queue that somebody unseen has given, somebody unseen may count the items.
    let is_given =
        matches!(get.root, Some(Root::Param(..))) && !get.path.is_some_and(|path| is_joined_by_callers(ctx, path));
    if is_given || !all.is_empty() || is_handed_on(ctx, get) {
        return None;
    }
    let queue = receiver_text(ctx, get);
    Some(Lost {
        at: get.call,
        message: format!("items of `{queue}` are taken here and nobody calls `task_done`: `join` on it never returns"),
        help: format!("call `{queue}.task_done()` once for each item, in a `finally` behind the work"),
        why_safe: "each item that was put is counted off exactly once, whatever becomes of it",
        rejected: "waiting until the queue is empty: the last items are then still being worked on",
        confidence: Confidence::Likely,
    })
}

/// The queue itself is passed to something else, which may count.
fn is_handed_on(ctx: &Context<'_>, get: &Signal) -> bool {
    let sites = ctx.program.sites(get.function).iter();
    let paths = Paths { program: ctx.program, evaluator: &ctx.evaluator, function: get.function };
    sites.into_iter().any(|site| match ctx.module.expr(site.call) {
        Expr::Call(_, args) => {
            let mut args = ctx.module.args(args).iter();
            args.any(|arg| get.path.is_some() && paths.of(arg.value) == get.path)
        }
        _ => false,
    })
}

fn missing(queue: &str, at: ExprId) -> Lost {
    Lost {
        at,
        message: format!(
            "not every item of `{queue}` gets here: after a failure that is handled, or a `continue`, `join` waits for ever"
        ),
        help: format!("call `{queue}.task_done()` in a `finally` that begins directly behind the `get`"),
        why_safe: "each item that was put is counted off exactly once, whatever becomes of it",
        rejected: "`task_done` in the handler as well: the path through both has two",
        confidence: Confidence::Likely,
    }
}

fn too_many(queue: &str, at: ExprId) -> Lost {
    Lost {
        at,
        message: format!(
            "`task_done` of `{queue}` is called a second time for one item here: `join` returns too early, or this raises"
        ),
        help: "call it once, in the `finally`".to_owned(),
        why_safe: "each item that was put is counted off exactly once, whatever becomes of it",
        rejected: "catching the ValueError: the count is wrong all the same",
        confidence: Confidence::Likely,
    }
}

// ---- counting --------------------------------------------------------------------------------------------------------

/// How often the last item has been counted off, on each way that leads there; nothing before the first item.
type Ways = SmallVec<[u8; 4]>;

struct Frame {
    before: Ways,
    ends: Ways,
    /// Where a failure may have come from.
    failing: Ways,
    is_try: bool,
    is_loop: bool,
    is_cleanup: bool,
}

/// Follows the count along the function's ways.
struct Count {
    get: ExprId,
    finishes: Vec<ExprId>,
    ways: Ways,
    frames: Vec<Frame>,
    too_many: Option<ExprId>,
    is_missing: bool,
    /// A cleanup counts off: every way leads through it.
    in_cleanup: bool,
}

impl Count {
    fn new(get: ExprId, finishes: Vec<ExprId>) -> Self {
        let ways = Ways::new();
        Self { get, finishes, ways, frames: Vec::new(), too_many: None, is_missing: false, in_cleanup: false }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Call(call) if call == self.get => {}
            Event::Suspend(_, operand) if operand == self.get => self.ways = Ways::from_slice(&[0]),
            Event::Call(call) if self.finishes.contains(&call) => self.finish(call),
            Event::Call(_) | Event::Suspend(..) => self.may_fail(),
            Event::Branch(_) => self.open(false, false),
            Event::Try => self.open(true, false),
            Event::Loop(_) => self.open(false, true),
            Event::Arm(_) | Event::TryElse => self.next_arm(event),
            Event::Handler(_) => self.handler(),
            Event::Finally => self.finally(),
            Event::EndBranch(exhaustive) => self.close(!exhaustive),
            Event::EndTry => self.close(false),
            Event::EndLoop => self.end_of_round(),
            Event::Continue => {
                self.is_missing |= self.ways.contains(&0);
                self.ways.clear();
            }
            // What ends the work may leave an item uncounted: nobody waits any more.
            Event::Break | Event::Return(_) | Event::Raise(_) => self.ways.clear(),
            _ => {}
        }
    }

    fn finish(&mut self, call: ExprId) {
        if self.ways.iter().any(|count| *count >= 1) {
            self.too_many.get_or_insert(call);
        }
        self.ways.iter_mut().for_each(|count| *count += 1);
        self.in_cleanup |= self.frames.iter().any(|frame| frame.is_cleanup);
    }

    fn may_fail(&mut self) {
        let Self { ways, frames, .. } = self;
        if let Some(guarded) = frames.iter_mut().rev().find(|frame| frame.is_try) {
            join(&mut guarded.failing, ways);
        }
    }

    fn open(&mut self, is_try: bool, is_loop: bool) {
        self.frames.push(Frame {
            before: self.ways.clone(),
            ends: Ways::new(),
            failing: Ways::new(),
            is_try,
            is_loop,
            is_cleanup: false,
        });
    }

    fn end_arm(&mut self) {
        let Self { ways, frames, .. } = self;
        if let Some(frame) = frames.last_mut() {
            join(&mut frame.ends, ways);
        }
    }

    fn next_arm(&mut self, event: Event) {
        if event == Event::TryElse {
            return;
        }
        self.end_arm();
        if let Some(frame) = self.frames.last() {
            self.ways = frame.before.clone();
        }
    }

    fn handler(&mut self) {
        self.end_arm();
        if let Some(frame) = self.frames.last() {
            self.ways = frame.failing.clone();
        }
    }

    fn finally(&mut self) {
        self.end_arm();
        if let Some(frame) = self.frames.last_mut() {
            self.ways = std::mem::take(&mut frame.ends);
            frame.is_cleanup = true;
        }
    }

    fn close(&mut self, skips: bool) {
        self.end_arm();
        let Some(mut frame) = self.frames.pop() else { return };
        if skips {
            join(&mut frame.ends, &frame.before);
        }
        self.ways = frame.ends;
    }

    fn end_of_round(&mut self) {
        let begins_here = self.frames.last().is_some_and(|frame| frame.is_loop && frame.before.is_empty());
        self.is_missing |= begins_here && self.ways.contains(&0);
        self.close(true);
    }
}

fn join(ways: &mut Ways, more: &Ways) {
    for way in more {
        if !ways.contains(way) {
            ways.push(*way);
        }
    }
}

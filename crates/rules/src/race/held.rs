//! Which locks one function holds at each of its events: those that it takes itself, in blocks, by hand, or with a context
//! manager of the program that takes them.
//!
//! One pass over the events. What is held is what every way to the event has taken and none has given back, so that whoever
//! asks is told of no lock that may be free.

use super::cells::{Cells, Root};
use super::locks::{guard, permits};
use super::overlap::wrappers;
use super::paths::{Found, Lock, Passage, Paths};
use racewalk_ir::{Event, Expr, ExprId, Module, Name};
use racewalk_link::{ClassRef, Evaluator, FunctionRef, How, Program, Site, Type};
use racewalk_models::ClassKind;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Range;

/// What is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sort {
    /// A lock, or a semaphore of one permit: one at a time, the holder included.
    Exclusive,
    /// A semaphore of several permits, or of a number that is not written down.
    Several,
    /// Its holder may take it again.
    Reentrant,
    /// Something that may be a lock.
    Perhaps,
    /// No lock at all: a time limit on what is done under it.
    Deadline,
}

/// One acquisition.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    /// What; none when nobody can say which one it is.
    pub lock: Option<Lock>,
    /// Where locks like it are kept.
    pub root: Option<Root>,
    /// Of what sort.
    pub sort: Sort,
    /// It belongs to threads.
    pub is_of_threads: bool,
    /// The event that takes it.
    pub event: u32,
    /// The context manager, or the call; the decorator.
    pub at: ExprId,
    /// By a call, not for a block.
    pub by_hand: bool,
    /// It waits until it gets it.
    pub waits: bool,
    /// Positions of those that are held at that time, in the order in which they were taken.
    pub under: Held,
}

/// Positions in [`Holds::takes`].
pub(crate) type Held = SmallVec<[u16; 2]>;

/// What a function takes and holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    /// Its acquisitions, in order.
    pub takes: Vec<Take>,
    /// From which event on what is held.
    from: Vec<(u32, Held)>,
    /// What is held where it hands out a value, or at its end.
    left: Held,
}

impl Holds {
    /// What is held at an event.
    pub fn at(&self, event: usize) -> &[u16] {
        let after = self.from.partition_point(|(from, _)| *from as usize <= event);
        after.checked_sub(1).map_or(&[], |last| &self.from[last].1)
    }

    /// For each acquisition: the events at which it is held, as ranges in order. `events` is how many the function has.
    pub fn sections(&self, events: usize) -> Vec<Vec<Range<usize>>> {
        let mut sections = vec![Vec::new(); self.takes.len()];
        let ends = self.from.iter().skip(1).map(|(from, _)| *from as usize).chain([events]);
        for ((from, held), end) in self.from.iter().zip(ends) {
            for number in held {
                sections[*number as usize].push(*from as usize..end);
            }
        }
        sections
    }

    /// The acquisitions that are held at an event.
    pub fn held_at(&self, event: usize) -> impl Iterator<Item = &Take> + Clone {
        self.at(event).iter().map(|at| &self.takes[*at as usize])
    }
}

const LOCKS: [ClassKind; 2] = [ClassKind::AsyncLock, ClassKind::ThreadLock];
const SEMAPHORES: [ClassKind; 2] = [ClassKind::AsyncSemaphore, ClassKind::ThreadSemaphore];
const CONDITIONS: [ClassKind; 2] = [ClassKind::AsyncEvent, ClassKind::ThreadEvent];

/// How many context managers inside context managers are looked into.
const DEEPEST: u32 = 3;

/// What the function holds; none when it takes nothing.
pub(crate) fn holds(program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef) -> Option<Holds> {
    scan(program, evaluator, function, DEEPEST)
}

fn scan(program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef, depth: u32) -> Option<Holds> {
    let events = &program.function(function).events;
    let enters = events.iter().any(|event| matches!(event, Event::Enter(..)));
    let takes = |site: &Site| program.model_at(site).is_some_and(|model| model.acquires || model.enters.is_some());
    let is_decorated = !program.function(function).decorators.is_empty();
    if !enters && !is_decorated && !program.sites(function).iter().any(takes) {
        return None;
    }
    let sites = program.sites(function).iter().map(|site| (site.call, site)).collect();
    let mut scan = Scan {
        paths: Paths { program, evaluator, function },
        module: program.module(function.file),
        sites,
        depth,
        holds: Holds::default(),
        state: State::default(),
        frames: Vec::new(),
        entered: Vec::new(),
        given_up: Vec::new(),
        yielded: None,
        event: 0,
    };
    scan.decorated();
    for (at, event) in events.iter().enumerate() {
        scan.event = at as u32;
        scan.step(*event);
        scan.note(at);
    }
    scan.finish()
}

#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    held: Held,
    is_dead: bool,
}

/// A branch, loop or guarded block that is open.
struct Frame {
    before: State,
    ends: Vec<State>,
    /// The cleanup has begun.
    merged: bool,
}

struct Scan<'a, 'p> {
    paths: Paths<'a, 'p>,
    module: &'p Module,
    sites: FxHashMap<ExprId, &'p Site>,
    depth: u32,
    holds: Holds,
    state: State,
    frames: Vec<Frame>,
    /// The open blocks, each with how many acquisitions came before it.
    entered: Vec<(ExprId, usize)>,
    /// Locks that were given back although the function had not taken them: a caller's, for a while.
    given_up: Vec<Lock>,
    yielded: Option<Held>,
    /// The event that is being looked at.
    event: u32,
}

impl Scan<'_, '_> {
    fn step(&mut self, event: Event) {
        match event {
            Event::Enter(_, context) => self.begin(context),
            Event::Exit(_, context) => self.leave(context),
            Event::Call(call) => self.call(call),
            Event::Yield(_) => {
                self.yielded.get_or_insert(self.state.held.clone());
            }
            Event::Branch(_) | Event::Loop(_) | Event::Try => self.open(),
            Event::Arm(_) | Event::Handler(_) => self.next_arm(),
            Event::EndBranch(exhaustive) => self.close(!exhaustive),
            Event::EndLoop => self.close(true),
            Event::Finally => self.finally(),
            Event::EndTry => self.close_try(),
            Event::Return(_) | Event::Raise(_) | Event::Break | Event::Continue => self.state.is_dead = true,
            _ => {}
        }
    }

    /// What is held from this event on.
    fn note(&mut self, at: usize) {
        let is_new = match self.holds.from.last() {
            Some((_, held)) => *held != self.state.held,
            None => !self.state.held.is_empty(),
        };
        if is_new {
            self.holds.from.push((at as u32, self.state.held.clone()));
        }
    }

    fn finish(mut self) -> Option<Holds> {
        self.holds.left = self.yielded.unwrap_or(self.state.held);
        (!self.holds.takes.is_empty()).then_some(self.holds)
    }

    // ---- decorators ----------------------------------------------------------------------------------------------

    /// The locks of the receiver that the function's decorators hold while it runs.
    fn decorated(&mut self) {
        let Paths { program, function, .. } = self.paths;
        let body = program.function(function);
        let Some(class) = body.class.filter(|_| !body.decorators.is_empty()) else { return };
        let class = ClassRef { file: function.file, id: class };
        for wrapper in wrappers(program, function) {
            for name in receiver_locks(program, wrapper) {
                let at = body.decorators[0];
                if let Some(take) = self.member_lock(class, name, at) {
                    self.take(take);
                }
            }
        }
    }

    fn member_lock(&self, class: ClassRef, name: Name, at: ExprId) -> Option<Take> {
        let program = self.paths.program;
        let bases = program.lineage(class).filter_map(|base| match base {
            Type::Class(base) => Some(base),
            _ => None,
        });
        let member = |base: ClassRef| {
            let (_, value) = program.members(base).find(|(member, _)| *member == name)?;
            match value.without_none() {
                Type::ExternalInstance(path, _) => Some((base, path)),
                _ => None,
            }
        };
        let (base, path) = bases.into_iter().find_map(member)?;
        let lock = Some(Lock::of_receiver(name));
        let found = Found { lock, value: Type::Plain, root: Some(Root::Field(base, name)) };
        self.lock_of(path, found, at, || Sort::Several)
    }

    // ---- taking and giving back ----------------------------------------------------------------------------------

    fn take(&mut self, take: Take) {
        let number = self.holds.takes.len() as u16;
        self.holds.takes.push(Take { under: self.state.held.clone(), ..take });
        self.state.held.push(number);
    }

    fn begin(&mut self, context: ExprId) {
        self.entered.push((context, self.holds.takes.len()));
        self.enter(context);
    }

    fn enter(&mut self, context: ExprId) {
        let value = self.paths.evaluator.eval(self.paths.function.id, context).without_none();
        let given = match value {
            Type::Context(inner, _) => inner.get(),
            _ => value,
        };
        if self.is_kind(given, &[ClassKind::Deadline]) {
            self.take(self.unnamed(Sort::Deadline, context));
            return;
        }
        if let Some(take) = self.lock(context, context) {
            self.take(take);
            return;
        }
        match value {
            Type::Unknown(_) => self.take(self.unnamed(Sort::Perhaps, context)),
            Type::Context(..) | Type::Instance(..) => self.enter_own(value, context),
            _ => {}
        }
    }

    fn unnamed(&self, sort: Sort, at: ExprId) -> Take {
        Take {
            lock: None,
            root: None,
            sort,
            is_of_threads: false,
            event: self.event,
            at,
            by_hand: false,
            waits: true,
            under: Held::new(),
        }
    }

    /// A context manager of the program: what it holds while it is entered.
    fn enter_own(&mut self, value: Type, context: ExprId) {
        let before = self.holds.takes.len();
        self.enter_inner(value, context);
        let Paths { program, evaluator, function } = self.paths;
        if self.holds.takes.len() == before && guard(&Cells { program, evaluator, function }, context).is_some() {
            self.take(self.unnamed(Sort::Perhaps, context));
        }
    }

    fn enter_inner(&mut self, value: Type, context: ExprId) {
        let program = self.paths.program;
        let Some(depth) = self.depth.checked_sub(1) else { return };
        let target = match value {
            Type::Instance(class, _) => {
                ["__aenter__", "__enter__"].into_iter().find_map(|name| program.method(class, Name::new(name)))
            }
            _ => self.sites.get(&context).and_then(|site| match site.callee {
                Type::MadeContext(function, _) | Type::Function(function) | Type::Method(function, _) => Some(function),
                _ => None,
            }),
        };
        let Some(target) = target.filter(|target| *target != self.paths.function) else { return };
        let evaluator = program.evaluator(target.file);
        let Some(inner) = scan(program, &evaluator, target, depth) else { return };
        let passage = Passage { caller: &self.paths, site: context, how: How::Implicit, target };
        let taken: Vec<Take> = inner.left.iter().map(|at| &inner.takes[*at as usize]).cloned().collect();
        let seen: Vec<Take> = taken
            .into_iter()
            .map(|take| Take {
                lock: take.lock.and_then(|lock| passage.lock(lock)),
                root: take.root,
                is_of_threads: take.is_of_threads,
                // Reported where it is taken, if at all.
                waits: false,
                ..self.unnamed(take.sort, context)
            })
            .collect();
        seen.into_iter().for_each(|take| self.take(take));
    }

    /// What a block, or a stack that it has entered, has taken is given back at its end.
    fn leave(&mut self, context: ExprId) {
        let Some(open) = self.entered.iter().rposition(|(entered, _)| *entered == context) else { return };
        let (_, first) = self.entered.remove(open);
        let takes = &self.holds.takes;
        self.state.held.retain(|held| (*held as usize) < first || takes[*held as usize].by_hand);
    }

    fn call(&mut self, call: ExprId) {
        let Some(model) = self.sites.get(&call).and_then(|site| self.paths.program.model_at(site)) else { return };
        let Expr::Call(callee, args) = self.module.expr(call) else { return };
        if let Some(position) = model.enters {
            if let Some(context) = self.module.args(args).get(position as usize) {
                self.enter(context.value);
            }
            return;
        }
        let Expr::Attr(receiver, _) = self.module.expr(callee) else { return };
        if model.acquires {
            self.acquire(call, receiver);
        } else if model.releases {
            self.release(receiver);
        }
    }

    fn acquire(&mut self, call: ExprId, receiver: ExprId) {
        let Some(take) = self.lock(receiver, call) else { return };
        let is_async = !take.is_of_threads;
        let is_plain = match self.module.expr(call) {
            Expr::Call(_, args) => self.module.args(args).is_empty(),
            _ => false,
        };
        // An attempt with a time limit, or one that doesn't wait: it may come back without the lock.
        if !is_plain || is_async && self.module.role(call) != racewalk_ir::Role::Awaited {
            self.take(Take { by_hand: true, sort: Sort::Perhaps, waits: false, ..take });
            return;
        }
        let waits = take.lock.is_none_or(|lock| !self.given_up.contains(&lock));
        self.take(Take { by_hand: true, waits, ..take });
    }

    fn release(&mut self, receiver: ExprId) {
        let Some(lock) = self.lock(receiver, receiver).and_then(|take| take.lock) else { return };
        let is_it = |held: &u16| self.holds.takes[*held as usize].lock == Some(lock);
        match self.state.held.iter().rposition(is_it) {
            Some(last) => {
                self.state.held.remove(last);
            }
            None => self.given_up.push(lock),
        }
    }

    // ---- what it is ----------------------------------------------------------------------------------------------

    fn is_kind(&self, value: Type, kinds: &[ClassKind]) -> bool {
        kinds.iter().any(|kind| super::overlap::is_of(self.paths.program, value, *kind))
    }

    /// Taking what an expression stands for, when that is a lock.
    fn lock(&self, expr: ExprId, at: ExprId) -> Option<Take> {
        let found = self.paths.lock(expr);
        let Type::ExternalInstance(path, _) = found.value else { return None };
        self.lock_of(path, found, at, || self.semaphore(expr))
    }

    fn lock_of(&self, class: Name, found: Found, at: ExprId, semaphore: impl Fn() -> Sort) -> Option<Take> {
        let models = self.paths.program.models();
        let kind = models.kind(class)?;
        let is_reentrant = models.inherited(class, |class| class.reentrant.then_some(())).is_some();
        let sort = match kind {
            _ if is_reentrant => Sort::Reentrant,
            // A limit on how often, whose permits nobody gives back, is no semaphore.
            _ if !models.method(class, Name::new("release")).is_some_and(|release| release.releases) => return None,
            _ if LOCKS.contains(&kind) || CONDITIONS.contains(&kind) => Sort::Exclusive,
            _ if SEMAPHORES.contains(&kind) => semaphore(),
            _ => return None,
        };
        let is_of_threads = matches!(kind, ClassKind::ThreadLock | ClassKind::ThreadSemaphore | ClassKind::ThreadEvent);
        Some(Take { lock: found.lock, root: found.root, is_of_threads, ..self.unnamed(sort, at) })
    }

    fn semaphore(&self, expr: ExprId) -> Sort {
        let Paths { program, evaluator, function } = self.paths;
        let cells = Cells { program, evaluator, function };
        match cells.of(expr).and_then(|cell| permits(&cells, cell)) {
            Some(1) => Sort::Exclusive,
            _ => Sort::Several,
        }
    }

    // ---- control flow --------------------------------------------------------------------------------------------

    fn open(&mut self) {
        self.frames.push(Frame { before: self.state.clone(), ends: Vec::new(), merged: false });
    }

    fn end_arm(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if !self.state.is_dead {
            frame.ends.push(self.state.clone());
        }
    }

    fn next_arm(&mut self) {
        self.end_arm();
        if let Some(frame) = self.frames.last() {
            self.state = frame.before.clone();
        }
    }

    /// The arms meet; `skips`: control may also have gone past all of them.
    fn close(&mut self, skips: bool) {
        self.end_arm();
        let Some(mut frame) = self.frames.pop() else { return };
        if skips {
            frame.ends.push(frame.before);
        }
        self.state = merge(frame.ends);
    }

    fn finally(&mut self) {
        self.end_arm();
        let Some(frame) = self.frames.last_mut() else { return };
        frame.merged = true;
        let ends = std::mem::take(&mut frame.ends);
        let before = frame.before.clone();
        // When every way has returned or failed, the cleanup still runs.
        self.state = if ends.is_empty() { before } else { merge(ends) };
    }

    fn close_try(&mut self) {
        if self.frames.last().is_some_and(|frame| frame.merged) {
            self.frames.pop();
        } else {
            self.close(false);
        }
    }
}

/// The members of its first parameter that a decorator's wrapper enters.
fn receiver_locks(program: &Program, wrapper: FunctionRef) -> Vec<Name> {
    let module = program.module(wrapper.file);
    let body = program.function(wrapper);
    let Some(receiver) = body.params.first().filter(|_| body.class.is_none()) else { return Vec::new() };
    let member = |event: &Event| {
        let Event::Enter(_, context) = *event else { return None };
        let Expr::Attr(base, name) = module.expr(context) else { return None };
        matches!(module.expr(base), Expr::Name(of, _) if of == receiver.name).then_some(name)
    };
    body.events.iter().filter_map(member).collect()
}

/// What is held whichever way control has come.
fn merge(ends: Vec<State>) -> State {
    let mut ends = ends.into_iter();
    let Some(mut merged) = ends.next() else { return State { is_dead: true, ..State::default() } };
    for end in ends {
        merged.held.retain(|held| end.held.contains(held));
    }
    merged
}

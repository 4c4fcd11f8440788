//! One function's reads, tests, suspensions and writes of shared cells, in the order in which they happen.
//!
//! A fact is what the function knows of a cell: the outcome of a test, or a value that it keeps in a local. A suspension makes
//! every fact outdated, unless a lock was held from the read on that still is. A write that relies on an outdated fact is a
//! conflict: another task may have changed the cell meanwhile.

use super::Race;
use super::cells::{Cell, Cells, Owner};
use super::containers::{Touch, touch};
use super::locks::{Guard, guard};
use super::writes::Names;
use crate::scopes::handlers_of;
use racewalk_ir::{BindingId, BindingKind, Defs, Event, Expr, ExprId, Literal, LogicalOp, Module, Name, Role};
use racewalk_link::{Evaluator, FunctionRef, How, Program, Type};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Deref;
use std::rc::Rc;

/// What a test has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// There is something.
    Present,
    /// There is nothing.
    Absent,
    /// There is nothing, or what is there does not do.
    Unfit,
    /// Some other property holds.
    Other,
    /// Something that is computed from it holds.
    Computed,
}

impl Sense {
    fn negated(self) -> Self {
        match self {
            Self::Present => Self::Absent,
            Self::Absent => Self::Present,
            Self::Unfit | Self::Other => Self::Other,
            Self::Computed => Self::Computed,
        }
    }
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Stores a value.
    Value,
    /// Stores nothing: none, false, an empty container.
    Reset,
    /// Stores a constant.
    Constant,
    /// Changes the old value.
    Modify,
    /// Adds to a container.
    Insert,
    /// Takes out of a container, and fails when it is not there.
    Take,
    /// Takes out of a container if it is there.
    Drop,
}

/// What kind of conflict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Each of several tasks that miss does the work.
    Stampede,
    /// What is written back was computed from an outdated value.
    LostUpdate,
    /// The action relies on an outdated test.
    CheckThenAct,
}

/// A write that relies on an outdated fact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conflict {
    /// What kind.
    pub kind: Kind,
    /// Where.
    pub cell: Cell,
    /// What is read.
    pub read: ExprId,
    /// Where it is tested or used: the read itself, or a local that keeps it.
    pub test: ExprId,
    /// What is waited for in between.
    pub suspend: ExprId,
    /// What writes: a target, a call.
    pub write: ExprId,
    /// What it does.
    pub what: What,
    /// The write itself, when a callee does it.
    pub within: Option<(FunctionRef, ExprId)>,
    /// A guard that is held all the time, and keeps nobody out.
    pub useless: Option<Guard>,
    /// The written value depends on the read one by what others compute.
    pub is_weak: bool,
}

/// What running a function does to cells, as far as callers are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect {
    /// Where.
    pub cell: Cell,
    /// What.
    pub what: What,
    /// The function may have suspended before.
    pub after: bool,
    /// The function has tested the cell itself, and nothing came in between.
    pub checked: bool,
    /// The innermost place.
    pub at: (FunctionRef, ExprId),
}

/// What a walk over one function has found.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// What it writes.
    pub effects: Vec<Effect>,
    /// What its result says of cells.
    pub told: Vec<Told>,
    /// Its conflicts, in the order of the writes.
    pub conflicts: Vec<Conflict>,
    /// Writes that would be conflicts without a lock.
    pub relying: Vec<Relying>,
}

/// A write that relies, across a suspension, on what was read under a lock that is held all the time.
#[derive(Clone, Debug)]
pub(crate) struct Relying {
    /// What is written.
    pub cell: Cell,
    /// What is read.
    pub read: ExprId,
    /// What is waited for in between.
    pub suspend: ExprId,
    /// What writes.
    pub write: ExprId,
    /// The write itself, when a callee does it.
    pub within: Option<(FunctionRef, ExprId)>,
    /// It relies on a mark that was tested, and sets it.
    pub is_mark: bool,
    /// The events that took the locks.
    pub held: SmallVec<[usize; 2]>,
}

/// A cell of which a function's result tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The cell.
    pub cell: Cell,
    /// What a true result says of it.
    pub sense: Sense,
    /// The function has suspended since it looked.
    pub is_stale: bool,
}

/// Guards that are held, each with the event that took it. Many facts share one list, which mostly is empty.
#[derive(Clone, Debug, Default)]
struct Held(Option<Rc<Vec<(usize, Guard)>>>);

impl Held {
    fn edit(&mut self) -> &mut Vec<(usize, Guard)> {
        Rc::make_mut(self.0.get_or_insert_default())
    }

    fn keep(&mut self, is_kept: impl Fn(&(usize, Guard)) -> bool) {
        if !self.iter().all(&is_kept) {
            self.edit().retain(is_kept);
        }
    }
}

impl Deref for Held {
    type Target = [(usize, Guard)];

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It decides which way control has come.
    Tested(Sense),
    /// It is kept in this local.
    Kept(BindingId),
    /// It is part of the expression that is being evaluated.
    Passing,
}

#[derive(Clone, Debug)]
struct Fact {
    cell: Cell,
    /// The read that it comes from.
    read: ExprId,
    /// The expression that has the value now.
    at: ExprId,
    role: Use,
    /// The first suspension since.
    stale: Option<ExprId>,
    /// The locks that were held at the read.
    held: Held,
    /// The value was computed from the read one by something else.
    is_weak: bool,
    /// What it says of the cell that the value is true.
    base: Sense,
    /// The condition of a loop: it is tested again in every round.
    is_loop: bool,
    /// Since the read the function has taken what only one can take, without a suspension between.
    is_claimed: bool,
}

impl Fact {
    /// A cell that is read now.
    fn new(cell: Cell, read: ExprId) -> Self {
        Self {
            cell,
            read,
            at: read,
            role: Use::Passing,
            stale: None,
            held: Held::default(),
            is_weak: false,
            base: Sense::Present,
            is_claimed: false,
            is_loop: false,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    facts: Vec<Fact>,
    held: Held,
    is_dead: bool,
    /// The last suspension on the way.
    suspended: Option<ExprId>,
    /// What has been written.
    written: Vec<Cell>,
}

enum FrameKind {
    Branch { condition: Option<ExprId> },
    Loop { breaks: Vec<State> },
    Try { start: usize },
}

struct Frame {
    kind: FrameKind,
    /// The state at the beginning; of a branch: with what follows from the arms so far not being taken.
    before: State,
    /// The states at the ends of the arms that control leaves at their end.
    ends: Vec<State>,
    /// The cleanup has begun.
    merged: bool,
    dead_after: bool,
}

/// Functions with more facts at a time than this are not followed further.
const MOST_FACTS: usize = 48;
/// Callees with more events than this are taken to compute their results, not to look them up.
const LONGEST_ACCESSOR: usize = 24;
/// How many calls deep effects are followed.
pub(crate) const DEEPEST: u32 = 2;

pub(crate) struct Walk<'a, 'p> {
    race: &'a Race,
    cells: Cells<'a, 'p>,
    module: &'p Module,
    depth: u32,
    /// What the function may write to: reads of anything else say nothing.
    writes: Names,
    /// It is a callee so short that its result may be all that it is about.
    is_accessor: bool,
    /// Entered context managers, with where.
    entered: Vec<(ExprId, usize)>,
    /// An assignment has ended: what was evaluated for it is over.
    is_assigned: bool,
    state: State,
    frames: Vec<Frame>,
    summary: Summary,
}

/// Walks over a function.
pub(crate) fn walk<'p>(
    race: &Race,
    program: &'p Program,
    evaluator: &Evaluator<'p>,
    function: FunctionRef,
    depth: u32,
) -> Summary {
    let cells = Cells { program, evaluator, function };
    let module = program.module(function.file);
    let mut walk = Walk {
        race,
        cells,
        module,
        depth,
        writes: race.writes.of(function),
        is_accessor: depth > 0 && program.function(function).events.len() <= LONGEST_ACCESSOR,
        entered: Vec::new(),
        is_assigned: false,
        state: State::default(),
        frames: Vec::new(),
        summary: Summary::default(),
    };
    for (at, event) in program.function(function).events.iter().enumerate() {
        walk.step(at, *event);
    }
    walk.summary
}

impl<'p> Walk<'_, 'p> {
    fn program(&self) -> &'p Program {
        self.cells.program
    }

    fn step(&mut self, at: usize, event: Event) {
        let is_assignment = matches!(event, Event::Bind(_) | Event::WritePlace(..));
        if self.is_assigned && !is_assignment {
            self.state.facts.retain(|fact| fact.role != Use::Passing);
        }
        self.is_assigned = is_assignment;
        match event {
            Event::Read(expr) => self.read(expr),
            Event::ReadPlace(expr) => self.read_place(expr),
            Event::Modify(target) => self.learn_read(target),
            Event::Bind(binding) => self.bind(binding),
            Event::WritePlace(target, value) => self.write_place(target, value),
            Event::Call(call) => self.call(at, call),
            Event::Suspend(kind, operand) => {
                let told = self.run_coroutine(operand);
                if self.race.suspends.at(self.program(), self.cells.function, kind, operand) {
                    self.suspend(operand);
                }
                told.into_iter().for_each(|fact| self.learn(fact));
            }
            Event::Enter(_, context) => {
                if let Some(guard) = guard(&self.cells, context) {
                    self.state.held.edit().push((at, guard));
                }
                self.entered.push((context, at));
            }
            Event::Exit(_, context) => {
                let entered = self.entered.iter().rposition(|(entered, _)| *entered == context);
                let entered = entered.map(|at| self.entered.remove(at).1);
                self.state.held.keep(|(at, _)| Some(*at) != entered);
            }
            Event::Branch(condition) => self.open_branch(condition),
            Event::Arm(condition) => self.next_arm(condition),
            Event::EndBranch(exhaustive) => self.close_branch(exhaustive),
            Event::Loop(condition) => self.open_loop(condition),
            Event::EndLoop => self.close_loop(),
            Event::Try => self.open(FrameKind::Try { start: at }),
            Event::Handler(caught) => self.handler(caught),
            Event::Finally => self.finally(),
            Event::EndTry => self.close_try(),
            Event::Return(value) => {
                value.into_iter().for_each(|value| self.tell(value));
                self.state.is_dead = true;
            }
            Event::Raise(_) | Event::Continue => self.state.is_dead = true,
            Event::Break => self.leave_loop(),
            Event::EndLoopElse
            | Event::TryElse
            | Event::Defer
            | Event::EndDefer
            | Event::Define(_)
            | Event::Yield(_)
            | Event::Spawn(_)
            | Event::AtExit(_)
            | Event::Send(..)
            | Event::Receive(_)
            | Event::Select(_) => {}
        }
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    fn read(&mut self, expr: ExprId) {
        let Expr::Name(_, defs) = self.module.expr(expr) else { return };
        let bindings: &[BindingId] = self.module.defs(&defs);
        if bindings.is_empty() {
            // Of an access path the whole is read, not its beginning.
            if !matches!(self.module.role(expr), Role::Receiver | Role::Container | Role::Callee) {
                self.learn_read(expr);
            }
            return;
        }
        let kept = |fact: &&Fact| matches!(fact.role, Use::Kept(binding) if bindings.contains(&binding));
        let passing: Vec<Fact> = self.state.facts.iter().filter(kept).cloned().collect();
        for fact in passing {
            self.learn(Fact { at: expr, role: Use::Passing, ..fact });
        }
        // A container under another name.
        if self.module.role(expr) == Role::Membership || self.module.role(expr) == Role::Iterated {
            self.learn_read(expr);
        }
    }

    fn read_place(&mut self, expr: ExprId) {
        self.learn_read(expr);
        let edges = self.program().edges_at(self.cells.function, expr).iter();
        let getters: Vec<FunctionRef> =
            edges.filter(|edge| edge.how == How::Implicit).map(|edge| edge.target).collect();
        for getter in getters {
            let told = self.run(expr, getter);
            told.into_iter().for_each(|fact| self.learn(fact));
        }
    }

    /// The cell behind an expression is read now.
    fn learn_read(&mut self, expr: ExprId) {
        if !self.is_written(expr) {
            return;
        }
        let Some(cell) = self.cells.of(expr) else { return };
        self.learn_read_of(cell, expr);
    }

    /// The function may write to a place of one of the path's names.
    fn is_written(&self, place: ExprId) -> bool {
        self.is_accessor || self.names_written(place)
    }

    fn names_written(&self, place: ExprId) -> bool {
        match self.module.expr(place) {
            Expr::Attr(base, name) => self.writes.may_contain(name) || self.names_written(base),
            Expr::Subscript(base, _) => self.names_written(base),
            Expr::Name(name, Defs::One(binding)) => {
                self.writes.may_contain(name)
                    || matches!(self.module.bindings[binding.index()].kind, BindingKind::Value(value)
                        if value != place && matches!(self.module.expr(value), Expr::Attr(..)) && self.names_written(value))
            }
            Expr::Name(name, _) => self.writes.may_contain(name),
            _ => false,
        }
    }

    fn learn_read_of(&mut self, cell: Cell, expr: ExprId) {
        let cell = match self.membership_key(expr) {
            Some(key) => Cell { key: Some(key), ..cell },
            None => cell,
        };
        let held = self.state.held.clone();
        self.learn(Fact { held, ..Fact::new(cell, expr) });
    }

    /// `key in container`: the key.
    fn membership_key(&self, container: ExprId) -> Option<Name> {
        if self.module.role(container) != Role::Membership {
            return None;
        }
        let Expr::Compare(operands) = self.module.expr(self.module.parent(container)?) else { return None };
        self.cells.key(*self.module.list(operands).first()?)
    }

    fn learn(&mut self, fact: Fact) {
        if self.state.facts.len() >= MOST_FACTS {
            // What is only passing by is forgotten first.
            match self.state.facts.iter().position(|fact| fact.role == Use::Passing) {
                Some(oldest) => {
                    self.state.facts.remove(oldest);
                }
                None => return,
            }
        }
        self.state.facts.push(fact);
    }

    /// The facts that the value of an expression is made of.
    fn made_of(&self, value: ExprId) -> Vec<Fact> {
        let span = self.module.span(value);
        let inside = |fact: &&Fact| fact.role == Use::Passing && span.contains(self.module.span(fact.at));
        self.state.facts.iter().filter(inside).cloned().collect()
    }

    /// What a returned value tells callers.
    fn tell(&mut self, value: ExprId) {
        if !self.is_accessor {
            return;
        }
        for fact in self.made_of(value) {
            if fact.is_weak || !fact.cell.owner_is_known() || self.is_weak(&fact, value) {
                continue;
            }
            let sense = self.sense(&fact, value);
            let told = Told { cell: fact.cell, sense, is_stale: self.is_outdated(&fact) };
            if !self.summary.told.iter().any(|known| known.cell == told.cell) {
                self.summary.told.push(told);
            }
        }
    }

    // ---- suspending ----------------------------------------------------------------------------------------------

    fn suspend(&mut self, operand: ExprId) {
        self.state.suspended = Some(operand);
        for fact in &mut self.state.facts {
            fact.stale.get_or_insert(operand);
        }
    }

    /// A lock that is held since the read, and keeps out whoever would change the cell.
    fn is_guarded(&self, fact: &Fact) -> bool {
        fact.held.iter().any(|(at, guard)| {
            guard.excludes()
                && self.race.covers(*guard, fact.cell)
                && self.state.held.iter().any(|(still, _)| still == at)
        })
    }

    fn useless_guard(&self, fact: &Fact) -> Option<Guard> {
        let kept = fact.held.iter().filter(|(at, _)| self.state.held.iter().any(|(still, _)| still == at));
        kept.map(|(_, guard)| *guard).next()
    }

    fn is_outdated(&self, fact: &Fact) -> bool {
        fact.stale.is_some() && !fact.is_claimed && !self.is_guarded(fact)
    }

    // ---- calling -------------------------------------------------------------------------------------------------

    fn call(&mut self, at: usize, call: ExprId) {
        let Expr::Call(callee, args) = self.module.expr(call) else { return };
        if let Expr::Attr(receiver, method) = self.module.expr(callee) {
            self.method(at, call, receiver, method, self.module.args(args).len());
        }
        let runs = self.program().edges_at(self.cells.function, call).iter();
        let plain: Vec<FunctionRef> = runs
            .filter(|edge| matches!(edge.how, How::Calls | How::Callback) && !edge.is_override)
            .map(|edge| edge.target)
            .filter(|target| !self.program().function(*target).is_async)
            .collect();
        for target in plain {
            let told = self.run(call, target);
            told.into_iter().for_each(|fact| self.learn(fact));
        }
    }

    fn method(&mut self, at: usize, call: ExprId, receiver: ExprId, method: Name, arguments: usize) {
        let site = self.program().site(self.cells.function, call);
        let model = site.and_then(|site| self.program().model_at(site));
        if model.is_some_and(|model| model.acquires) {
            if let Some(guard) = guard(&self.cells, receiver) {
                self.state.held.edit().push((at, guard));
            }
            return;
        }
        if model.is_some_and(|model| model.releases) {
            if let Some(released) = guard(&self.cells, receiver)
                && let Some(last) = self.state.held.iter().rposition(|(_, held)| *held == released)
            {
                self.state.held.edit().remove(last);
            }
            return;
        }
        // A method of the program's own class is followed, not guessed by its name.
        if site.is_some_and(|site| matches!(site.callee, Type::Function(_) | Type::Method(..))) {
            return;
        }
        let touched = touch(self.module.language, method.as_str(), arguments);
        if !self.is_written(receiver) {
            return;
        }
        let Some(cell) = self.cells.of(receiver) else { return };
        let first = match self.module.expr(call) {
            Expr::Call(_, args) => self.module.args(args).first().map(|arg| arg.value),
            _ => None,
        };
        let keyed = |cell: Cell| Cell { key: cell.key.or_else(|| self.cells.key(first?)), ..cell };
        match touched {
            Some(Touch::Gets) => {
                let cell = keyed(cell);
                self.learn_read_of(cell, receiver);
            }
            Some(Touch::Sets) => self.set_under_key(keyed(cell), call),
            Some(Touch::Inserts) => self.write(cell, What::Insert, None, call, None),
            Some(Touch::InsertsOnce) => self.forget_tests(cell),
            Some(Touch::Takes) => self.write(cell, What::Take, None, call, None),
            Some(Touch::Drops) => self.write(cell, What::Drop, None, call, None),
            Some(Touch::Replaces) => self.write(cell, What::Value, first, call, None),
            Some(Touch::Looks | Touch::AsksIfEmpty) | None => self.learn_read_of(cell, receiver),
        }
    }

    /// `container.set(key, value)`
    fn set_under_key(&mut self, cell: Cell, call: ExprId) {
        let value = match self.module.expr(call) {
            Expr::Call(_, args) => self.module.args(args).get(1).map(|arg| arg.value),
            _ => None,
        };
        self.write(cell, What::Value, value, call, None);
    }

    /// The functions of the program that an awaited operand runs.
    fn run_coroutine(&mut self, operand: ExprId) -> Vec<Fact> {
        let edges = self.program().edges_at(self.cells.function, operand).iter();
        let targets: Vec<FunctionRef> = edges
            .filter(|edge| edge.how != How::Offloads && !edge.is_override)
            .map(|edge| edge.target)
            .filter(|target| self.program().function(*target).is_async)
            .collect();
        targets.into_iter().flat_map(|target| self.run(operand, target)).collect()
    }

    /// What a callee does happens here. What its result tells of cells, as it ends.
    fn run(&mut self, site: ExprId, target: FunctionRef) -> Vec<Fact> {
        if self.depth >= DEEPEST || target == self.cells.function {
            return Vec::new();
        }
        let summary = self.race.summary(self.program(), target, self.depth + 1);
        if summary.effects.is_empty() && summary.told.is_empty() {
            return Vec::new();
        }
        let receiver = self.receiver(site);

        for effect in &summary.effects {
            let cell = effect.cell.seen_from(receiver);
            if effect.after {
                self.suspend(site);
            }
            if effect.checked {
                self.forget_tests(cell);
                self.note_effect(Effect { cell, ..*effect });
            } else {
                // What is written comes from the arguments, as far as can be seen.
                self.write(cell, effect.what, Some(site), site, Some(effect.at));
            }
        }
        let tell = |told: &Told| {
            // The callee's names mean nothing here; a constant key does.
            let cell = told.cell.seen_from(receiver);
            let cell = Cell { key: cell.key.filter(|key| is_constant(*key)), ..cell };
            let awaited = self.module.parent(site).filter(|around| self.module.expr(*around) == Expr::Await(site));
            Fact { held: self.state.held.clone(), base: told.sense, ..Fact::new(cell, awaited.unwrap_or(site)) }
        };
        summary.told.iter().filter(|told| !told.is_stale).map(tell).collect()
    }

    fn receiver(&self, site: ExprId) -> Owner {
        let place = match self.module.expr(site) {
            Expr::Call(callee, _) => callee,
            _ => site,
        };
        match self.module.expr(place) {
            Expr::Attr(receiver, _) => self.cells.owner_of(receiver),
            _ => Owner::Static,
        }
    }

    // ---- writing -------------------------------------------------------------------------------------------------

    fn bind(&mut self, binding: BindingId) {
        let bound = self.module.bindings[binding.index()];
        let value = match bound.kind {
            BindingKind::Value(value)
            | BindingKind::Typed(_, Some(value))
            | BindingKind::Part(value, _)
            | BindingKind::Element(value)
            | BindingKind::ElementPart(value, _)
            | BindingKind::Context(value)
            | BindingKind::Modified(value) => Some(value),
            _ => None,
        };
        let symbol = &self.module.function(bound.owner).symbols[bound.symbol.index()];
        if bound.owner != self.cells.function.id {
            let name = symbol.name;
            if let Some(cell) = self.cells.variable_cell(name) {
                let what = match bound.kind {
                    BindingKind::Modified(_) => What::Modify,
                    _ => value.map_or(What::Value, |value| self.what(value)),
                };
                let target = value.unwrap_or(ExprId(0));
                let at = self.modified_target(name).filter(|_| what == What::Modify).unwrap_or(target);
                self.write(cell, what, value, at, None);
            }
            return;
        }
        let Some(value) = value else { return };
        self.state.facts.retain(|fact| fact.role != Use::Kept(binding));
        for fact in self.made_of(value) {
            let is_weak = fact.is_weak || self.is_weak(&fact, value);
            self.learn(Fact { role: Use::Kept(binding), is_weak, ..fact });
        }
    }

    /// The read that begins a change in place of a variable: the latest of its name.
    fn modified_target(&self, name: Name) -> Option<ExprId> {
        let is_it = |fact: &&Fact| {
            fact.role == Use::Passing
                && matches!(self.module.expr(fact.at), Expr::Name(of, _) if of == name)
                && self.module.parent(fact.at).is_none()
        };
        self.state.facts.iter().rev().find(is_it).map(|fact| fact.at)
    }

    fn write_place(&mut self, target: ExprId, value: Option<ExprId>) {
        let Some(cell) = self.cells.of(target) else { return };
        let what = match value {
            Some(value) if self.reads_again(cell, value) => What::Modify,
            Some(value) => self.what(value),
            None if self.module.role(target) == Role::Deleted => What::Take,
            None if self.state.facts.iter().any(|fact| fact.at == target) => What::Modify,
            None => What::Value,
        };
        self.write(cell, what, value, target, None);
    }

    /// The value is made of what is there now.
    fn reads_again(&self, cell: Cell, value: ExprId) -> bool {
        let is_now = |fact: &Fact| fact.cell.meets(cell) && fact.stale.is_none() && !fact.is_weak;
        self.made_of(value).iter().any(|fact| is_now(fact) && !self.is_weak(fact, value))
    }

    fn what(&self, value: ExprId) -> What {
        match self.module.expr(value) {
            Expr::Literal(Literal::None | Literal::Bool(false) | Literal::Int(0)) => What::Reset,
            Expr::Literal(_) => What::Constant,
            Expr::List(list) | Expr::Set(list) | Expr::Map(list) | Expr::Tuple(list)
                if self.module.list(list).is_empty() =>
            {
                What::Reset
            }
            Expr::Call(callee, args)
                if self.module.args(args).is_empty()
                    && matches!(self.module.expr(callee), Expr::Name(name, _) if matches!(name.as_str(), "dict" | "list" | "set")) =>
            {
                What::Reset
            }
            _ => What::Value,
        }
    }

    fn write(
        &mut self,
        cell: Cell,
        what: What,
        value: Option<ExprId>,
        at: ExprId,
        within: Option<(FunctionRef, ExprId)>,
    ) {
        if self.state.is_dead {
            return;
        }
        self.note_relying(cell, what, value, at, within);
        let found = self.conflict(cell, what, value, at, within, false);
        let is_told_here = found.is_some();
        if let Some(conflict) = found {
            let is_known = |known: &Conflict| known.kind == conflict.kind && known.cell.root == conflict.cell.root;
            if !self.summary.conflicts.iter().any(is_known) {
                self.summary.conflicts.push(conflict);
            }
        }
        // A test of its own, outdated or not, is for the function itself to answer for.
        let is_tested = |fact: &Fact| matches!(fact.role, Use::Tested(_)) && fact.cell.meets(cell);
        let checked = is_told_here || self.state.facts.iter().any(is_tested);
        let at = within.unwrap_or((self.cells.function, at));
        // Tested, and taken in one step: nobody else gets past that test.
        let is_taken = matches!(what, What::Value | What::Constant | What::Insert)
            && self
                .state
                .facts
                .iter()
                .any(|fact| matches!(fact.role, Use::Tested(_)) && fact.cell.meets(cell) && fact.stale.is_none());
        if is_taken {
            self.state.facts.iter_mut().filter(|fact| fact.stale.is_none()).for_each(|fact| fact.is_claimed = true);
        }
        // What was read before has been dealt with.
        self.state.facts.retain(|fact| !matches!(fact.role, Use::Kept(_)) || !fact.cell.meets(cell));
        self.state.written.push(cell);
        self.note_effect(Effect { cell, what, after: self.state.suspended.is_some(), checked, at });
        self.forget_tests(cell);
    }

    fn note_effect(&mut self, effect: Effect) {
        let is_known = |known: &Effect| known.cell == effect.cell && known.what == effect.what;
        if effect.cell.owner_is_known() && !self.summary.effects.iter().any(is_known) {
            self.summary.effects.push(effect);
        }
    }

    fn forget_tests(&mut self, cell: Cell) {
        self.state.facts.retain(|fact| !matches!(fact.role, Use::Tested(_)) || !fact.cell.meets(cell));
    }

    /// The write is right because of a lock.
    fn note_relying(
        &mut self,
        cell: Cell,
        what: What,
        value: Option<ExprId>,
        at: ExprId,
        within: Option<(FunctionRef, ExprId)>,
    ) {
        if self.state.held.is_empty() {
            return;
        }
        let is_guarded =
            |fact: &&Fact| fact.cell.meets(cell) && fact.stale.is_some() && !fact.is_claimed && self.is_guarded(fact);
        let would_be = self.conflict(cell, what, value, at, within, true);
        let fact = match would_be.filter(|conflict| conflict.kind != Kind::Stampede) {
            Some(conflict) => self.state.facts.iter().filter(is_guarded).find(|fact| fact.read == conflict.read),
            None if what == What::Reset => {
                self.state.facts.iter().filter(is_guarded).find(|fact| self.is_handed_to_wait(fact))
            }
            None => None,
        };
        let Some(fact) = fact else { return };
        let still = |(event, _): &(usize, Guard)| self.state.held.iter().any(|(held, _)| held == event);
        let relying = Relying {
            cell,
            read: fact.read,
            suspend: fact.stale.unwrap_or(fact.read),
            write: at,
            within,
            is_mark: would_be.is_some_and(|conflict| conflict.kind == Kind::CheckThenAct) && what == What::Constant,
            held: fact.held.iter().filter(|held| still(held)).map(|(event, _)| *event).collect(),
        };
        self.summary.relying.push(relying);
    }

    /// What was read is used by what was waited for: sent, stored, and then set back.
    fn is_handed_to_wait(&self, fact: &Fact) -> bool {
        let Some(wait) = fact.stale else { return false };
        fact.at == fact.read
            && self.module.role(fact.at) == Role::Argument
            && self.module.span(wait).contains(self.module.span(fact.at))
    }

    /// `regardless`: what would be one if no lock were held.
    fn conflict(
        &self,
        cell: Cell,
        what: What,
        value: Option<ExprId>,
        at: ExprId,
        within: Option<(FunctionRef, ExprId)>,
        regardless: bool,
    ) -> Option<Conflict> {
        let is_outdated =
            |fact: &Fact| self.is_outdated(fact) || regardless && fact.stale.is_some() && !fact.is_claimed;
        let make = |kind, fact: &Fact, is_weak| Conflict {
            kind,
            cell: Cell { key: cell.key.or(fact.cell.key), ..cell },
            read: fact.read,
            test: if matches!(fact.role, Use::Tested(_)) { fact.at } else { fact.read },
            suspend: fact.stale.unwrap_or(fact.read),
            write: at,
            what,
            within,
            useless: self.useless_guard(fact),
            is_weak,
        };
        let outdated = |fact: &&Fact| fact.cell.meets(cell) && is_outdated(fact);
        // What a callee does belongs to the caller's test only when it fills what the test has missed.
        let is_filling = matches!(what, What::Value | What::Constant | What::Insert);
        let is_awaited = self.module.role(at) == Role::Awaited;
        if within.is_some() && is_awaited && !is_filling || what == What::Take && self.is_prepared_for_failure() {
            return None;
        }
        if what == What::Modify
            && !self.is_changed_in_place(at)
            && let Some(fact) = self.state.facts.iter().filter(outdated).find(|fact| fact.at == at)
        {
            return Some(make(Kind::LostUpdate, fact, false));
        }
        let tested = self.state.facts.iter().filter(|fact| matches!(fact.role, Use::Tested(_))).find(outdated);
        if let Some(fact) = tested
            && let Use::Tested(sense) = fact.role
            && (within.is_none() || !is_awaited || sense == Sense::Absent)
            && (what == What::Take || !fact.is_loop)
            && let Some(kind) = judge(sense, what)
        {
            return Some(make(kind, fact, false));
        }
        if tested.is_some() || what != What::Value {
            return None;
        }
        let value = value?;
        let made_of = self.made_of(value);
        // Read again after the wait: what is there now goes into what is written.
        if made_of.iter().any(|fact| fact.cell.meets(cell) && !is_outdated(fact)) {
            return None;
        }
        let fact = made_of.iter().find(|fact| outdated(fact) && !self.is_written_back(fact, value))?;
        let is_weak = fact.is_weak
            || match within {
                None => self.is_weak(fact, value),
                // Of a plain setter, what is given is what is written.
                Some((by, _)) => {
                    is_awaited || !self.program().edges_at(self.cells.function, at).iter().any(|edge| edge.target == by)
                }
            };
        if self.is_miss(fact) || self.is_alternative(fact, value) {
            return Some(make(Kind::Stampede, fact, false));
        }
        Some(make(Kind::LostUpdate, fact, is_weak))
    }

    /// `+=` and the like on a container change the object that is there, whoever else has changed it meanwhile.
    fn is_changed_in_place(&self, target: ExprId) -> bool {
        let value = self.cells.evaluator.eval(self.cells.function.id, target);
        value.members().iter().any(|member| matches!(member, Type::Collection(_) | Type::Mapping(_)))
    }

    /// The object itself, taken out and put back: whoever else has it sees what was done to it.
    fn is_written_back(&self, fact: &Fact, value: ExprId) -> bool {
        let Expr::Name(_, Defs::One(binding)) = self.module.expr(value) else { return fact.at == value };
        match self.module.bindings[binding.index()].kind {
            BindingKind::Value(source) => {
                fact.read == source
                    || matches!(self.module.expr(source), Expr::Subscript(..) | Expr::Attr(..))
                    || self.is_get(source)
            }
            BindingKind::Element(_) | BindingKind::ElementPart(..) => !self.is_miss(fact),
            _ => false,
        }
    }

    /// `container.get(key)`
    fn is_get(&self, value: ExprId) -> bool {
        let Expr::Call(callee, args) = self.module.expr(value) else { return false };
        matches!(self.module.expr(callee), Expr::Attr(_, method)
            if touch(self.module.language, method.as_str(), self.module.args(args).len()) == Some(Touch::Gets))
    }

    /// `kept or await make()`, in the value or in what made it.
    fn is_alternative(&self, fact: &Fact, value: ExprId) -> bool {
        let is_choice = |expr: ExprId| matches!(self.module.expr(expr), Expr::Logical(..) | Expr::Choice(_));
        let source = match self.module.expr(value) {
            Expr::Name(_, Defs::One(binding)) => match self.module.bindings[binding.index()].kind {
                BindingKind::Value(source) => source,
                _ => value,
            },
            _ => value,
        };
        is_choice(source) && self.module.parent(fact.read) == Some(source)
    }

    /// A handler around the place catches that something is not there any more.
    fn is_prepared_for_failure(&self) -> bool {
        let events = &self.program().function(self.cells.function).events;
        self.frames.iter().any(|frame| match frame.kind {
            FrameKind::Try { start } if !frame.merged && frame.ends.is_empty() => {
                handlers_of(&events[start..]).iter().any(|handler| !handler.raises)
            }
            _ => false,
        })
    }

    /// The read looks whether there is something under a key.
    fn is_miss(&self, fact: &Fact) -> bool {
        self.module.role(fact.read) == Role::Membership
    }

    /// The value goes through a call of something else, or is waited for, on its way.
    fn is_weak(&self, fact: &Fact, value: ExprId) -> bool {
        let around = std::iter::successors(Some(fact.at), |expr| self.module.parent(*expr));
        let path: Vec<ExprId> = around.take_while(|expr| *expr != value).chain([value]).collect();
        let passes = |expr: &ExprId| match self.module.expr(*expr) {
            Expr::Await(_) => *expr != fact.at,
            Expr::Call(callee, _) => {
                path.iter()
                    .any(|part| self.module.role(*part) == Role::Argument && self.module.parent(*part) == Some(*expr))
                    && !self.is_copy(callee)
            }
            _ => false,
        };
        path.iter().any(passes)
    }

    /// A function of the language that copies or computes.
    fn is_copy(&self, callee: ExprId) -> bool {
        match self.cells.evaluator.eval(self.cells.function.id, callee) {
            Type::External(path) => path.first_segment() == "builtins",
            Type::ExternalMethod(class, ..) => class.first_segment() == "builtins",
            _ => false,
        }
    }

    // ---- control flow --------------------------------------------------------------------------------------------

    fn open(&mut self, kind: FrameKind) {
        let before = self.state.clone();
        self.frames.push(Frame { kind, before, ends: Vec::new(), merged: false, dead_after: false });
    }

    /// The facts that hold where a condition has come out like this.
    fn assume(&mut self, condition: ExprId, holds: bool) {
        let made_of = self.made_of(condition);
        self.compare(condition, &made_of);
        for fact in &made_of {
            if self.is_outdated(fact) {
                continue;
            }
            // Tested anew: what an earlier test said does not matter any more.
            self.forget_tests(fact.cell);
        }
        for fact in made_of {
            let sense = self.sense(&fact, condition);
            let sense = match sense {
                _ if holds && !self.is_part_of(fact.at, condition, LogicalOp::Or) => sense,
                _ if !holds && !self.is_part_of(fact.at, condition, LogicalOp::And) => sense.negated(),
                // One of several conditions: which one did not hold, nobody knows.
                Sense::Present if !holds => Sense::Unfit,
                Sense::Absent if holds => Sense::Unfit,
                Sense::Computed => continue,
                _ => Sense::Other,
            };
            // A property of an outdated value, or of what was computed from it, is no test of the cell.
            if fact.is_weak || fact.stale.is_some() && sense == Sense::Other {
                continue;
            }
            let is_there = |known: &Fact| matches!(known.role, Use::Tested(_)) && known.cell == fact.cell;
            if !self.state.facts.iter().any(is_there) {
                self.learn(Fact { role: Use::Tested(sense), ..fact });
            }
        }
    }

    /// A kept value is compared with what is there now: whether anything has changed is known again.
    fn compare(&mut self, condition: ExprId, made_of: &[Fact]) {
        let is_comparison = |expr: ExprId| matches!(self.module.expr(expr), Expr::Equality(_) | Expr::Identity(_));
        let compared = |fact: &Fact| {
            let around = std::iter::successors(Some(fact.at), |expr| self.module.parent(*expr));
            around.take_while(|expr| *expr != condition).chain([condition]).any(is_comparison)
        };
        let mut kept = made_of.iter().filter(|fact| fact.stale.is_some() && compared(fact));
        let is_compared = kept.any(|kept| {
            made_of.iter().any(|fresh| fresh.stale.is_none() && fresh.cell.meets(kept.cell) && compared(fresh))
        });
        if is_compared {
            self.state.facts.iter_mut().for_each(|fact| fact.stale = None);
        }
    }

    /// What it says of a value that a condition which it is part of holds.
    fn sense(&self, fact: &Fact, condition: ExprId) -> Sense {
        let mut sense = fact.base;
        let mut current = fact.at;
        while current != condition {
            let Some(parent) = self.module.parent(current) else { return Sense::Other };
            sense = match self.module.expr(parent) {
                Expr::Not(_) => sense.negated(),
                Expr::Identity(list) | Expr::Equality(list) if self.is_against_none(list, current) => sense.negated(),
                Expr::Compare(_) if self.module.role(current) == Role::Membership => sense,
                Expr::Logical(..) | Expr::Bind(_) | Expr::Attr(..) | Expr::Subscript(..) | Expr::Await(_) => sense,
                Expr::Operation(_) | Expr::Format(_) => Sense::Computed,
                Expr::Call(callee, args) => match self.module.expr(callee) {
                    Expr::Attr(_, method) if callee == current => {
                        match touch(self.module.language, method.as_str(), self.module.args(args).len()) {
                            Some(Touch::AsksIfEmpty) => sense.negated(),
                            Some(Touch::Gets | Touch::Looks) => sense,
                            _ => Sense::Other,
                        }
                    }
                    Expr::Name(name, _) if name.as_str() == "len" => sense,
                    _ => Sense::Other,
                },
                _ => Sense::Other,
            };
            if matches!(sense, Sense::Other | Sense::Computed) {
                return sense;
            }
            current = parent;
        }
        sense
    }

    /// The value stands in one of the operands of such a logical expression.
    fn is_part_of(&self, value: ExprId, condition: ExprId, wanted: LogicalOp) -> bool {
        let around = std::iter::successors(Some(value), |expr| self.module.parent(*expr));
        let inside = around.take_while(|expr| *expr != condition).chain([condition]);
        inside.into_iter().any(|expr| matches!(self.module.expr(expr), Expr::Logical(_, op) if op == wanted))
    }

    fn is_against_none(&self, list: racewalk_ir::ListId, value: ExprId) -> bool {
        let others = self.module.list(list).iter().filter(|operand| **operand != value);
        others.into_iter().all(|operand| {
            matches!(self.module.expr(*operand), Expr::Literal(Literal::None | Literal::Bool(false) | Literal::Int(0)))
        })
    }

    fn open_branch(&mut self, condition: Option<ExprId>) {
        self.open(FrameKind::Branch { condition });
        if let Some(condition) = condition {
            self.assume(condition, true);
        }
    }

    fn end_arm(&mut self) {
        let end = std::mem::take(&mut self.state);
        let frame = self.frames.last_mut().expect("an arm stands inside a branch");
        if !end.is_dead {
            frame.ends.push(end);
        }
    }

    fn next_arm(&mut self, next: Option<ExprId>) {
        // The condition of the next arm was evaluated after the end of this one: its reads are facts of this state.
        let read: Vec<Fact> = next.map_or_else(Vec::new, |condition| self.made_of(condition));
        self.end_arm();
        let frame = self.frames.last_mut().expect("an arm stands inside a branch");
        let mut state = frame.before.clone();
        let failed = match &mut frame.kind {
            FrameKind::Branch { condition } => std::mem::replace(condition, next),
            _ => None,
        };
        state.facts.extend(read);
        self.state = state;
        if let Some(failed) = failed {
            self.assume(failed, false);
        }
        let frame = self.frames.last_mut().expect("an arm stands inside a branch");
        frame.before = self.state.clone();
        if let Some(next) = next {
            self.assume(next, true);
        }
    }

    fn close_branch(&mut self, exhaustive: bool) {
        self.end_arm();
        let frame = self.frames.pop().expect("a branch ends that has begun");
        let mut ends = frame.ends;
        if !exhaustive {
            self.state = frame.before;
            if let FrameKind::Branch { condition: Some(condition) } = frame.kind {
                self.assume(condition, false);
            }
            ends.push(std::mem::take(&mut self.state));
        }
        self.state = merge(ends);
    }

    fn open_loop(&mut self, condition: Option<ExprId>) {
        self.open(FrameKind::Loop { breaks: Vec::new() });
        let Some(condition) = condition else { return };
        if self.module.role(condition) == Role::Condition {
            self.assume_later(condition);
        }
    }

    /// A `while`'s condition is evaluated inside the loop: its reads are fresh in every round.
    fn assume_later(&mut self, condition: ExprId) {
        let span = self.module.span(condition);
        let places: Vec<(ExprId, Cell)> = self
            .program()
            .function(self.cells.function)
            .events
            .iter()
            .filter_map(|event| match *event {
                Event::Read(expr) | Event::ReadPlace(expr) if span.contains(self.module.span(expr)) => {
                    self.cells.of(expr).map(|cell| (expr, cell))
                }
                _ => None,
            })
            .collect();
        for (expr, cell) in places {
            self.learn_read_of(cell, expr);
        }
        let known = self.state.facts.len();
        self.assume(condition, true);
        for fact in self.state.facts.iter_mut().skip(known).filter(|fact| matches!(fact.role, Use::Tested(_))) {
            fact.is_loop = true;
        }
    }

    fn close_loop(&mut self) {
        let end = std::mem::take(&mut self.state);
        let frame = self.frames.pop().expect("a loop ends that has begun");
        let mut ends = match frame.kind {
            FrameKind::Loop { breaks } => breaks,
            _ => Vec::new(),
        };
        ends.push(frame.before);
        if !end.is_dead {
            ends.push(end);
        }
        self.state = merge(ends);
    }

    fn leave_loop(&mut self) {
        let state = self.state.clone();
        let innermost = self.frames.iter_mut().rev().find_map(|frame| match &mut frame.kind {
            FrameKind::Loop { breaks } => Some(breaks),
            _ => None,
        });
        if let Some(breaks) = innermost.filter(|_| !state.is_dead) {
            breaks.push(state);
        }
        self.state.is_dead = true;
    }

    /// A handler begins: anything of the guarded block may have happened, a failed look-up among it.
    fn handler(&mut self, caught: Option<ExprId>) {
        let looked_up: Vec<Fact> = if !self.is_for_misses(caught) {
            Vec::new()
        } else {
            let frame = self.frames.last().expect("a handler stands inside a guarded block");
            let before = frame.before.facts.len();
            let is_look_up =
                |fact: &&Fact| fact.role == Use::Passing && matches!(self.module.expr(fact.at), Expr::Subscript(..));
            self.state.facts.iter().skip(before).filter(is_look_up).cloned().collect()
        };
        let suspended = self.state.suspended;
        let mut written = self.state.written.clone();
        self.end_arm();
        let frame = self.frames.last().expect("a handler stands inside a guarded block");
        let mut state = frame.before.clone();
        if let Some(at) = suspended.filter(|at| state.suspended != Some(*at)) {
            state.suspended = Some(at);
            for fact in &mut state.facts {
                fact.stale.get_or_insert(at);
            }
        }
        let written = written.split_off(state.written.len().min(written.len()));
        self.state = state;
        written.into_iter().for_each(|cell| self.forget_tests(cell));
        for fact in looked_up {
            // Looked up anew: what an earlier test said does not matter any more.
            if !self.is_outdated(&fact) {
                self.forget_tests(fact.cell);
            }
            self.learn(Fact { role: Use::Tested(Sense::Absent), ..fact });
        }
    }

    /// The handler catches that nothing was found.
    fn is_for_misses(&self, caught: Option<ExprId>) -> bool {
        let Some(caught) = caught else { return false };
        let is_miss = |path: Name| matches!(path.last_segment(), "KeyError" | "LookupError");
        match self.cells.evaluator.eval(self.cells.function.id, caught) {
            Type::External(path) => is_miss(path),
            _ => false,
        }
    }

    fn finally(&mut self) {
        self.end_arm();
        let frame = self.frames.last_mut().expect("a cleanup stands inside a guarded block");
        frame.merged = true;
        let ends = std::mem::take(&mut frame.ends);
        frame.dead_after = ends.is_empty();
        self.state = if ends.is_empty() { frame.before.clone() } else { merge(ends) };
    }

    fn close_try(&mut self) {
        if self.frames.last().is_some_and(|frame| frame.merged) {
            let frame = self.frames.pop().expect("a guarded block ends that has begun");
            self.state.is_dead |= frame.dead_after;
            return;
        }
        self.end_arm();
        let frame = self.frames.pop().expect("a guarded block ends that has begun");
        self.state = merge(frame.ends);
    }
}

/// The key is written down.
fn is_constant(key: Name) -> bool {
    key.as_str().starts_with('\'') || key.as_str().parse::<i32>().is_ok()
}

/// What such a write does after such a test, when another task may have come in between.
fn judge(sense: Sense, what: What) -> Option<Kind> {
    match (sense, what) {
        (Sense::Absent | Sense::Unfit, What::Value) => Some(Kind::Stampede),
        (Sense::Absent, What::Constant | What::Modify | What::Insert) => Some(Kind::CheckThenAct),
        (Sense::Present, What::Take | What::Modify) => Some(Kind::CheckThenAct),
        (Sense::Other, What::Take | What::Modify | What::Insert) => Some(Kind::CheckThenAct),
        _ => None,
    }
}

/// Where the facts of an expression stand in a list. While the list is short, they are looked for one by one.
struct ByExpr {
    of: fn(&Fact) -> ExprId,
    positions: Option<FxHashMap<ExprId, Vec<usize>>>,
}

impl ByExpr {
    fn new(facts: &[Fact], of: fn(&Fact) -> ExprId) -> Self {
        const FEW: usize = 48;
        let mut by = Self { of, positions: (facts.len() > FEW).then(FxHashMap::default) };
        facts.iter().enumerate().for_each(|(at, fact)| by.note(at, fact));
        by
    }

    fn note(&mut self, at: usize, fact: &Fact) {
        if let Some(positions) = &mut self.positions {
            positions.entry((self.of)(fact)).or_default().push(at);
        }
    }

    /// The positions of the facts of this expression, in order.
    fn of<'a>(&'a self, facts: &'a [Fact], expr: ExprId) -> impl Iterator<Item = usize> + 'a {
        let listed = self.positions.as_ref().map(|positions| positions.get(&expr).map_or(&[][..], Vec::as_slice));
        let searched = listed.is_none().then(|| (0..facts.len()).filter(move |at| (self.of)(&facts[*at]) == expr));
        listed.unwrap_or_default().iter().copied().chain(searched.into_iter().flatten())
    }
}

/// Adds what another way knows: values that it keeps, but no tests, which this way has not made.
fn add(facts: &mut Vec<Fact>, others: Vec<Fact>) {
    let mut by_place = ByExpr::new(facts, |fact| fact.at);
    for other in others {
        let same =
            by_place.of(facts, other.at).find(|at| facts[*at].role == other.role && facts[*at].cell == other.cell);
        match same {
            Some(at) => facts[at].stale = facts[at].stale.or(other.stale),
            None if matches!(other.role, Use::Tested(_)) => {}
            None => {
                by_place.note(facts.len(), &other);
                facts.push(other);
            }
        }
    }
}

/// What holds where ways meet: tests that every way has made, values that any of them keeps.
fn merge(mut ends: Vec<State>) -> State {
    let Some(mut merged) = ends.pop() else { return State { is_dead: true, ..State::default() } };
    for end in ends {
        let by_read = ByExpr::new(&end.facts, |fact| fact.read);
        let in_both = |fact: &Fact| {
            let Use::Tested(_) = fact.role else { return true };
            let mut others = by_read.of(&end.facts, fact.read);
            others.any(|at| end.facts[at].role == fact.role && end.facts[at].cell == fact.cell)
        };
        merged.facts.retain(in_both);
        add(&mut merged.facts, end.facts);
        merged.held.keep(|held| end.held.contains(held));
        if end.written.len() > merged.written.len() {
            merged.written = end.written;
        }
        merged.suspended = merged.suspended.or(end.suspended);
    }
    merged
}

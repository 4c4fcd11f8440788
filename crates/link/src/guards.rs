//! Guards: the conditions under which a function gets to one of its expressions, and what a call's arguments make of them.
//!
//! A chain of calls is a finding only when some caller can take it. `load(path, sample=None)` that blocks below
//! `if sample is not None:` does not block for a caller that gives no sample.

use crate::Program;
use crate::receiver::ObjectFact;
use crate::types::{FileId, FunctionRef, Type};
use racewalk_ir::{
    ArgKind, BindingKind, CallId, Defs, Event, Expr, ExprId, Literal, LogicalOp, Module, Name, ParamKind,
};
use racewalk_models::{ClassKind, Ends};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::rc::Rc;

/// A condition that holds, or does not, wherever control gets to the guarded expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Guard {
    pub condition: ExprId,
    pub holds: bool,
}

/// What is known of a value at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    None,
    /// Something, not `None`.
    Some,
    Bool(bool),
    Int(i32),
    Text(Name),
    /// The keyword arguments of this call that no parameter takes.
    Keywords(FileId, ExprId),
}

/// What a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    value: Value,
    /// The value is a default that stands only where callers outside this chain leave it.
    is_open: bool,
}

impl Given {
    const UNKNOWN: Given = Given { value: Value::Unknown, is_open: false };

    const fn sure(value: Value) -> Self {
        Self { value, is_open: false }
    }
}

/// What a function is called with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// What the parameters are given, by position.
    given: SmallVec<[Given; 8]>,
    /// What its callers have found out about the object that it is a method of.
    object: Vec<ObjectFact>,
}

/// Whether control gets to an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Some condition on the way certainly fails.
    Barred,
    /// Only when a caller that is not looked at gives a parameter another value than its default, or when something fails.
    Open,
    /// As far as can be seen.
    Clear,
}

/// How a function gets to each of its expressions, found in one pass over its events.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Facts, each with the one that was known before it.
    facts: Vec<(Guard, Option<u32>)>,
    /// What holds where an expression is reached.
    at: FxHashMap<ExprId, Place>,
    /// The function's calls and what they call.
    callees: FxHashMap<ExprId, Type>,
}

/// What holds at an event.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The last fact.
    fact: Option<u32>,
    /// It stands in a handler of last resort.
    in_handler: bool,
    /// The process has ended before.
    is_dead: bool,
}

impl Guards {
    fn new(program: &Program, function: FunctionRef) -> Self {
        let sites = program.sites(function);
        let mut guards =
            Self { callees: sites.iter().map(|site| (site.call, site.callee)).collect(), ..Self::default() };
        let module = program.module(function.file);
        let exits = guards.exits(program, module);
        guards.walk(module, &program.function(function).events, &exits);
        guards
    }

    /// The function's calls that end the process, by a signal to itself too.
    fn exits(&self, program: &Program, module: &Module) -> FxHashSet<ExprId> {
        let model = |call: &ExprId| program.model_of(*self.callees.get(call)?);
        let is_own = |pid: ExprId| model(&pid).is_some_and(|model| model.own_process);
        let ends = |call: &&ExprId| match model(call).and_then(|model| model.ends_process) {
            Some(Ends::Own) => true,
            Some(Ends::Named) => Arguments::of(module, **call).args.first().is_some_and(|pid| is_own(pid.value)),
            None => false,
        };
        self.callees.keys().filter(ends).copied().collect()
    }

    fn learn(&mut self, before: Option<u32>, guard: Guard) -> Option<u32> {
        self.facts.push((guard, before));
        Some(self.facts.len() as u32 - 1)
    }

    fn walk(&mut self, module: &Module, events: &[Event], exits: &FxHashSet<ExprId>) {
        let mut fact: Option<u32> = None;
        let mut dead_below: Option<usize> = None;
        let mut handlers = 0;
        let mut blocks: Vec<Block> = Vec::new();
        for event in events {
            if let Event::Call(at) | Event::ReadPlace(at) | Event::Enter(_, at) | Event::Loop(Some(at)) = *event {
                let place = Place { fact, in_handler: handlers > 0, is_dead: dead_below.is_some() };
                self.at.entry(at).or_insert(place);
            }
            match *event {
                Event::Call(at) if exits.contains(&at) => {
                    dead_below.get_or_insert(blocks.len());
                    leave(&mut blocks);
                }
                Event::Branch(condition) => {
                    blocks.push(Block::Branch(Branch::new(fact, condition)));
                    if let Some(condition) = condition {
                        fact = self.learn(fact, Guard { condition, holds: true });
                    }
                }
                Event::Arm(condition) => {
                    if let Some(Block::Branch(branch)) = blocks.last_mut() {
                        let failed = branch.next(condition);
                        if let Some(condition) = failed {
                            branch.failed = self.learn(branch.failed, Guard { condition, holds: false });
                        }
                        fact = branch.failed;
                        if let Some(condition) = condition {
                            fact = self.learn(fact, Guard { condition, holds: true });
                        }
                    }
                }
                Event::EndBranch(_) => {
                    if let Some(Block::Branch(branch)) = blocks.pop() {
                        fact = branch.start;
                        for guard in branch.afterwards() {
                            fact = self.learn(fact, guard);
                        }
                    }
                }
                Event::Return(_) | Event::Raise(_) | Event::Break | Event::Continue => leave(&mut blocks),
                Event::Loop(_) | Event::Try | Event::Defer => {
                    blocks.push(Block::Other { start: fact, in_handler: false });
                }
                Event::EndLoop | Event::Handler(_) | Event::TryElse | Event::Finally => {
                    if let Some(Block::Other { start, in_handler }) = blocks.last_mut() {
                        fact = *start;
                        handlers -= usize::from(*in_handler);
                        *in_handler = matches!(event, Event::Handler(caught) if !asks_by_exception(module, *caught));
                        handlers += usize::from(*in_handler);
                    }
                }
                Event::EndLoopElse | Event::EndTry | Event::EndDefer => {
                    if let Some(Block::Other { start, in_handler }) = blocks.pop() {
                        fact = start;
                        handlers -= usize::from(in_handler);
                    }
                }
                _ => {}
            }
            // What follows the end of the process in its own block never happens; the next arm or what is behind the block may.
            let is_over = match event {
                Event::Arm(_) | Event::Handler(_) | Event::TryElse | Event::Finally | Event::EndLoop => {
                    dead_below == Some(blocks.len())
                }
                _ => dead_below.is_some_and(|level| blocks.len() < level),
            };
            if is_over {
                dead_below = None;
            }
        }
    }

    /// What holds at an expression, if some event tells.
    fn place(&self, module: &Module, site: ExprId) -> Option<Place> {
        self.at
            .get(&site)
            .copied()
            .or_else(|| enclosing_place(module, site).iter().find_map(|whole| self.at.get(whole).copied()))
    }

    /// The nearest facts of a place; past so many, more say nothing that somebody would have written for this expression.
    fn facts(&self, place: Place) -> impl Iterator<Item = Guard> + '_ {
        const MOST_FACTS: usize = 64;
        let node = |at: u32| &self.facts[at as usize];
        let all = std::iter::successors(place.fact, move |at| node(*at).1);
        all.take(MOST_FACTS).map(move |at| node(at).0)
    }
}

/// `try: ip = ip_address(host)`, `except ValueError: …`: the handler is the other answer to a question, not a last resort.
fn asks_by_exception(module: &Module, caught: Option<ExprId>) -> bool {
    let is_answer = |expr: ExprId| match module.expr(expr) {
        Expr::Name(name, _) => matches!(
            name.as_str(),
            "ValueError" | "KeyError" | "IndexError" | "LookupError" | "TypeError" | "AttributeError" | "StopIteration"
        ),
        _ => false,
    };
    caught.is_some_and(|caught| match module.expr(caught) {
        Expr::Tuple(list) => module.list(list).iter().all(|one| is_answer(*one)),
        _ => is_answer(caught),
    })
}

fn leave(blocks: &mut [Block]) {
    if let Some(Block::Branch(branch)) = blocks.last_mut() {
        branch.leaves = true;
    }
}

/// The members, elements and calls that a property's read is the beginning of: their event stands for it.
fn enclosing_place(module: &Module, site: ExprId) -> SmallVec<[ExprId; 4]> {
    let mut whole = SmallVec::new();
    let mut current = site;
    while let Some(parent) = module.parent(current) {
        match module.expr(parent) {
            Expr::Attr(base, _) | Expr::Subscript(base, _) | Expr::Call(base, _) if base == current => {
                whole.push(parent)
            }
            _ => break,
        }
        current = parent;
    }
    whole
}

/// What is open around an event.
enum Block {
    Branch(Branch),
    Other { start: Option<u32>, in_handler: bool },
}

/// An open branch.
struct Branch {
    /// The last fact before it.
    start: Option<u32>,
    /// The condition of the arm that is open.
    arm: Option<ExprId>,
    /// The last fact in an arm before its own condition: that those of the arms before it failed.
    failed: Option<u32>,
    /// The first condition, and how many arms began with one.
    first: Option<ExprId>,
    conditions: usize,
    /// The open arm does not go on behind the branch.
    leaves: bool,
    /// Conditions of the first arms that all leave.
    left: SmallVec<[ExprId; 4]>,
    /// Arms so far that go on behind the branch.
    going_on: usize,
}

impl Branch {
    fn new(start: Option<u32>, condition: Option<ExprId>) -> Self {
        let conditions = usize::from(condition.is_some());
        let left = SmallVec::new();
        Self { start, failed: start, arm: condition, first: condition, conditions, leaves: false, left, going_on: 0 }
    }

    /// Goes on to the next arm; gives the condition of the one before, which has failed there.
    fn next(&mut self, condition: Option<ExprId>) -> Option<ExprId> {
        self.close_arm();
        self.conditions += usize::from(condition.is_some());
        self.leaves = false;
        std::mem::replace(&mut self.arm, condition)
    }

    fn close_arm(&mut self) {
        if !self.leaves {
            self.going_on += 1;
        } else if self.going_on == 0 {
            self.left.extend(self.arm);
        }
    }

    /// What holds behind it.
    fn afterwards(mut self) -> SmallVec<[Guard; 4]> {
        self.close_arm();
        let mut facts: SmallVec<[Guard; 4]> =
            self.left.iter().map(|condition| Guard { condition: *condition, holds: false }).collect();
        // `if a: … else: return`: behind it, `a` holds.
        if let (1, 1, Some(only), None, true) = (self.going_on, self.conditions, self.first, self.arm, self.leaves)
            && self.left.is_empty()
        {
            facts.push(Guard { condition: only, holds: true });
        }
        facts
    }
}

impl Program {
    /// Whether a function that is given this gets to the expression. A helper that does it to fill a field of its object
    /// when that is still empty does it once, or never where the object was made with the field filled.
    pub(crate) fn way(
        &self,
        known: &KnownGuards,
        function: FunctionRef,
        frame: &Frame,
        site: ExprId,
        is_helper: bool,
    ) -> Way {
        let module = self.module(function.file);
        let guards = known.of(self, function);
        let Some(place) = guards.place(module, site) else { return Way::Clear };
        if place.is_dead {
            return Way::Barred;
        }
        let reader = Reader { program: self, module, function, frame, callees: &guards.callees };
        if self.contradicts(function, &frame.object, guards.facts(place)) {
            return Way::Barred;
        }
        let mut way = if place.in_handler { Way::Open } else { Way::Clear };
        for guard in guards.facts(place) {
            match reader.truth(guard.condition, DEPTH) {
                Some((truth, _)) if truth == guard.holds => {}
                Some((_, true)) => way = Way::Open,
                Some((_, false)) => return Way::Barred,
                None if is_helper && reader.fills_field(guard.condition, guard.holds) => way = Way::Open,
                None => {}
            }
        }
        way
    }

    /// The way to an expression is decided by a call that is given a truth value which a caller has written down.
    pub(crate) fn is_switched(&self, known: &KnownGuards, function: FunctionRef, frame: &Frame, site: ExprId) -> bool {
        let module = self.module(function.file);
        let guards = known.of(self, function);
        let Some(place) = guards.place(module, site) else { return false };
        let reader = Reader { program: self, module, function, frame, callees: &guards.callees };
        guards.facts(place).any(|guard| reader.asks_with_switch(guard.condition))
    }

    /// What the parameters of a function are given when nothing is known of its callers.
    pub(crate) fn own_frame(&self, function: FunctionRef) -> Frame {
        let module = self.module(function.file);
        let own = |default: ExprId| Given { value: literal(module, default), is_open: true };
        let params = self.function(function).params.iter();
        let given = params.map(|param| param.default.map_or(Given::UNKNOWN, own)).collect();
        Frame { given, object: Vec::new() }
    }

    /// What a call in `caller` gives to the parameters of `target`.
    pub(crate) fn handed_frame(
        &self,
        known: &KnownGuards,
        caller: FunctionRef,
        frame: &Frame,
        site: ExprId,
        target: FunctionRef,
    ) -> Frame {
        let body = self.function(target);
        let guards = known.of(self, caller);
        let Some(skipped) = guards.callees.get(&site).and_then(|callee| bound_parameters(*callee, target)) else {
            return Frame::default();
        };
        let module = self.module(caller.file);
        let reader = Reader { program: self, module, function: caller, frame, callees: &guards.callees };
        let call = Arguments::of(module, site);
        let declared = self.module(target.file);
        let given = |(position, param): (usize, &racewalk_ir::Param)| {
            if param.kind == ParamKind::RestNamed && !call.is_spread {
                return Given::sure(Value::Keywords(caller.file, site));
            }
            if position < skipped || matches!(param.kind, ParamKind::Rest | ParamKind::RestNamed) {
                return Given::UNKNOWN;
            }
            match call.find(position - skipped, param.name, param.kind) {
                Some(argument) => reader.value(argument, DEPTH),
                // What is spread may hold it.
                None => param.default.map_or(Given::UNKNOWN, |default| Given {
                    value: literal(declared, default),
                    is_open: call.is_spread,
                }),
            }
        };
        let given = body.params.iter().enumerate().map(given).collect();
        let place = guards.place(module, site);
        let here = place.into_iter().flat_map(|place| guards.facts(place));
        Frame { given, object: self.object_facts(caller, &frame.object, site, here) }
    }

    /// What is known where a function gets to one of its expressions.
    pub(crate) fn facts_at(&self, known: &KnownGuards, function: FunctionRef, site: ExprId) -> Vec<Guard> {
        let module = self.module(function.file);
        let guards = known.of(self, function);
        let place = guards.place(module, site);
        let facts = place.into_iter().flat_map(|place| guards.facts(place));
        facts.flat_map(|guard| parts(module, guard)).collect()
    }
}

/// The single conditions that hold, or fail, when a compound one does: both of `a and b`, neither of `a or b`.
pub(crate) fn parts(module: &Module, guard: Guard) -> SmallVec<[Guard; 2]> {
    match module.expr(guard.condition) {
        Expr::Not(condition) => parts(module, Guard { condition, holds: !guard.holds }),
        Expr::Logical(list, operator) if (operator == LogicalOp::And) == guard.holds => {
            let operands = module.list(list).iter();
            operands.flat_map(|operand| parts(module, Guard { condition: *operand, holds: guard.holds })).collect()
        }
        _ => SmallVec::from_slice(&[guard]),
    }
}

/// How many parameters are bound before a call's own arguments count; none when the callee is not plainly the target.
fn bound_parameters(callee: Type, target: FunctionRef) -> Option<usize> {
    let is_function = |member: &Type| matches!(member, Type::Function(of) | Type::MadeSync(of) if *of == target);
    let is_bound = |member: &Type| matches!(member, Type::Method(..) | Type::Class(_) | Type::Instance(..));
    if callee.members().iter().any(is_function) { Some(0) } else { callee.members().iter().any(is_bound).then_some(1) }
}

/// The guards of functions that somebody has asked for.
#[derive(Default)]
pub struct KnownGuards(RefCell<FxHashMap<FunctionRef, Rc<Guards>>>);

impl KnownGuards {
    fn of(&self, program: &Program, function: FunctionRef) -> Rc<Guards> {
        let known = self.0.borrow().get(&function).cloned();
        known.unwrap_or_else(|| {
            let guards = Rc::new(Guards::new(program, function));
            self.0.borrow_mut().insert(function, Rc::clone(&guards));
            guards
        })
    }
}

/// A call's arguments.
struct Arguments<'m> {
    args: &'m [racewalk_ir::Arg],
    is_spread: bool,
}

impl<'m> Arguments<'m> {
    fn of(module: &'m Module, call: ExprId) -> Self {
        let args = if let Expr::Call(_, args) = module.expr(call) { module.args(args) } else { &[] };
        let is_spread = args.iter().any(|arg| matches!(arg.kind, ArgKind::Spread | ArgKind::SpreadNamed));
        Self { args, is_spread }
    }

    fn find(&self, position: usize, name: Name, kind: ParamKind) -> Option<ExprId> {
        let by_name = self.args.iter().find(|arg| arg.kind == ArgKind::Named(name));
        let by_position = || {
            let is_plain = |arg: &&racewalk_ir::Arg| matches!(arg.kind, ArgKind::Positional);
            let before_spread = self.args.iter().take_while(|arg| arg.kind != ArgKind::Spread);
            before_spread.filter(is_plain).nth(position).filter(|_| kind != ParamKind::Named)
        };
        by_name.or_else(by_position).map(|arg| arg.value)
    }
}

/// How far a value is followed through locals and nested conditions.
const DEPTH: u32 = 8;

/// Reads expressions of one function, given its parameters.
struct Reader<'p> {
    program: &'p Program,
    module: &'p Module,
    function: FunctionRef,
    frame: &'p Frame,
    callees: &'p FxHashMap<ExprId, Type>,
}

impl Reader<'_> {
    /// Whether a condition holds, and whether that rests on an open default.
    fn truth(&self, condition: ExprId, depth: u32) -> Option<(bool, bool)> {
        let depth = depth.checked_sub(1)?;
        match self.module.expr(condition) {
            Expr::Not(inner) => self.truth(inner, depth).map(|(truth, is_open)| (!truth, is_open)),
            Expr::Bind(inner) => self.truth(inner, depth),
            Expr::Logical(list, operator) => self.logical(self.module.list(list), operator, depth),
            Expr::Identity(list) | Expr::Equality(list) => self.same(self.module.list(list), depth),
            Expr::Call(..) if self.asks_whether_loop_runs(condition) => Some((true, false)),
            _ => {
                let given = self.value(condition, depth);
                let truth = match given.value {
                    Value::None => false,
                    Value::Bool(truth) => truth,
                    Value::Int(number) => number != 0,
                    Value::Text(text) => !text.as_str().is_empty(),
                    Value::Some | Value::Unknown | Value::Keywords(..) => return None,
                };
                Some((truth, given.is_open))
            }
        }
    }

    /// `should_ask(ask)`, where `ask` is known to be true or false.
    fn asks_with_switch(&self, condition: ExprId) -> bool {
        let is_switch = |arg: &racewalk_ir::Arg| {
            let given = self.value(arg.value, DEPTH);
            matches!(given.value, Value::Bool(_)) && !given.is_open
        };
        match self.module.expr(condition) {
            Expr::Not(inner) => self.asks_with_switch(inner),
            Expr::Call(_, args) => self.module.args(args).iter().any(is_switch),
            _ => false,
        }
    }

    fn logical(&self, operands: &[ExprId], operator: LogicalOp, depth: u32) -> Option<(bool, bool)> {
        let settles = operator == LogicalOp::Or;
        let known: SmallVec<[_; 4]> = operands.iter().map(|operand| self.truth(*operand, depth)).collect();
        let decided = known.iter().flatten().filter(|(truth, _)| *truth == settles);
        if let Some((_, is_open)) = decided.min_by_key(|(_, is_open)| *is_open) {
            return Some((settles, *is_open));
        }
        let is_open = known.iter().flatten().any(|(_, is_open)| *is_open);
        known.iter().all(Option::is_some).then_some((!settles, is_open))
    }

    fn same(&self, operands: &[ExprId], depth: u32) -> Option<(bool, bool)> {
        let [left, right] = operands else { return None };
        let (left, right) = (self.value(*left, depth), self.value(*right, depth));
        let is_same = match (left.value, right.value) {
            (Value::Unknown | Value::Keywords(..), _) | (_, Value::Unknown | Value::Keywords(..)) => return None,
            (Value::Some, Value::Some) => return None,
            (Value::Some, Value::None) | (Value::None, Value::Some) => false,
            (Value::Some, _) | (_, Value::Some) => return None,
            (left, right) => left == right,
        };
        Some((is_same, left.is_open || right.is_open))
    }

    fn value(&self, expr: ExprId, depth: u32) -> Given {
        let Some(depth) = depth.checked_sub(1) else { return Given::UNKNOWN };
        match self.module.expr(expr) {
            Expr::Name(_, Defs::One(binding)) => match self.module.bindings[binding.index()].kind {
                BindingKind::Param(0) if self.program.function(self.function).class.is_some() => {
                    Given::sure(Value::Some)
                }
                BindingKind::Param(position) => {
                    self.frame.given.get(position as usize).copied().unwrap_or(Given::UNKNOWN)
                }
                BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => self.value(value, depth),
                BindingKind::Function(_) | BindingKind::Class(_) => Given::sure(Value::Some),
                _ => Given::UNKNOWN,
            },
            Expr::Bind(inner) => self.value(inner, depth),
            Expr::Not(_) | Expr::Identity(_) | Expr::Equality(_) => match self.truth(expr, depth) {
                Some((truth, is_open)) => Given { value: Value::Bool(truth), is_open },
                None => Given::UNKNOWN,
            },
            Expr::Logical(list, operator) => self.chosen(self.module.list(list), operator, depth),
            Expr::Call(..) if self.gives_running_loop(expr) => Given::sure(Value::Some),
            Expr::Call(..) if self.reads_environment(expr) => Given { value: Value::Bool(false), is_open: true },
            Expr::Call(callee, args) => self.taken_from_keywords(callee, args, depth).unwrap_or(Given::UNKNOWN),
            _ => Given::sure(literal(self.module, expr)),
        }
    }

    /// `kwargs.get("name")`, `kwargs.pop("name", default)`, where the call gives no such keyword.
    fn taken_from_keywords(&self, callee: ExprId, args: CallId, depth: u32) -> Option<Given> {
        let Expr::Attr(keywords, method) = self.module.expr(callee) else { return None };
        if !matches!(method.as_str(), "get" | "pop") || !matches!(self.module.expr(keywords), Expr::Name(..)) {
            return None;
        }
        let Value::Keywords(file, call) = self.value(keywords, depth).value else { return None };
        let (name, default) = match self.module.args(args) {
            [name] => (name, None),
            [name, default] => (name, Some(default.value)),
            _ => return None,
        };
        let Expr::Literal(Literal::Str(name)) = self.module.expr(name.value) else { return None };
        let given = Arguments::of(self.program.module(file), call);
        let is_given = given.args.iter().any(|arg| arg.kind == ArgKind::Named(name));
        (!is_given).then(|| default.map_or(Given::sure(Value::None), |default| self.value(default, depth)))
    }

    /// The condition asks whether a field of the function's own object, or a variable of the module, is still empty.
    fn fills_field(&self, condition: ExprId, holds: bool) -> bool {
        match self.module.expr(condition) {
            Expr::Not(inner) => self.fills_field(inner, !holds),
            Expr::Identity(list) => match self.module.list(list) {
                [kept, none] => holds && literal(self.module, *none) == Value::None && self.is_kept(*kept),
                _ => false,
            },
            Expr::Attr(..) | Expr::Name(..) => !holds && self.is_kept(condition),
            _ => false,
        }
    }

    fn is_kept(&self, expr: ExprId) -> bool {
        let base = match self.module.expr(expr) {
            Expr::Attr(base, _) => base,
            Expr::Name(_, Defs::Outer) => return true,
            _ => return false,
        };
        let Expr::Name(_, Defs::One(binding)) = self.module.expr(base) else { return false };
        let is_method = self.program.function(self.function).class.is_some();
        is_method && self.module.bindings[binding.index()].kind == BindingKind::Param(0)
    }

    /// A variable of the environment, or a small function that reads one: set only where somebody sets it.
    fn reads_environment(&self, call: ExprId) -> bool {
        const FEW_CALLS: usize = 4;
        let reads = |callee: Type| self.program.model_of(callee).is_some_and(|model| model.reads_environment);
        match self.callees.get(&call).copied() {
            Some(Type::Function(target)) => {
                let sites = self.program.sites(target);
                sites.len() <= FEW_CALLS && sites.iter().any(|site| reads(site.callee))
            }
            Some(callee) => reads(callee) && Arguments::of(self.module, call).args.len() == 1,
            None => false,
        }
    }

    /// `given or fallback`: the first operand that settles it.
    fn chosen(&self, operands: &[ExprId], operator: LogicalOp, depth: u32) -> Given {
        let stops_at = operator == LogicalOp::Or;
        let Some((last, first)) = operands.split_last() else { return Given::UNKNOWN };
        for operand in first {
            match self.truth(*operand, depth) {
                Some((truth, _)) if truth == stops_at => return self.value(*operand, depth),
                Some((_, false)) => {}
                _ => return Given::UNKNOWN,
            }
        }
        self.value(*last, depth)
    }

    /// On the thread of a running loop the answer is yes.
    fn asks_whether_loop_runs(&self, call: ExprId) -> bool {
        self.callees.get(&call).is_some_and(|callee| {
            matches!(*callee, Type::ExternalMethod(class, method, _)
            if method.as_str() == "is_running" && self.program.models().kind(class) == Some(ClassKind::EventLoop))
        })
    }

    /// A look-up of the running loop by a function that says so when there is none: on a loop's thread there is one.
    fn gives_running_loop(&self, call: ExprId) -> bool {
        let Some(Type::Function(target) | Type::Method(target, _)) = self.callees.get(&call).copied() else {
            return false;
        };
        let is_loop = |member: &Type| {
            matches!(member, Type::ExternalInstance(class, _)
            if self.program.models().kind(*class) == Some(ClassKind::EventLoop))
        };
        self.program.summaries.guarded.contains(&target)
            && self.program.evaluator(self.function.file).eval(self.function.id, call).members().iter().any(is_loop)
    }
}

/// What an expression is by itself.
fn literal(module: &Module, expr: ExprId) -> Value {
    match module.expr(expr) {
        Expr::Literal(Literal::None) => Value::None,
        Expr::Literal(Literal::Bool(truth)) => Value::Bool(truth),
        Expr::Literal(Literal::Int(number)) => Value::Int(number),
        Expr::Literal(Literal::Str(text)) => Value::Text(text),
        Expr::Literal(_) | Expr::Format(_) | Expr::Lambda(_) => Value::Some,
        Expr::Tuple(_) | Expr::List(_) | Expr::Set(_) | Expr::Map(_) | Expr::Comp(..) => Value::Some,
        _ => Value::Unknown,
    }
}

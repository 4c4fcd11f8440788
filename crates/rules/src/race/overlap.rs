//! Which functions may have several executions under way at the same time.
//!
//! The evidence comes first: spawns of several tasks in the code, handlers that a framework calls for every request or
//! event, and state whose very nature says that tasks share it (a class that owns a lock, a parameter that is a queue).
//! From there it follows the calls. An execution on an object of its own shares nothing through that object.

use crate::looping::is_test_module;
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Module, Name, Role};
use racewalk_link::{ClassRef, FileId, FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Entry, Joins, Runs, Serves};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Why executions may overlap; the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// The code starts several: at this call in this function.
    Spawned(FunctionRef, ExprId),
    /// This handler is called for every request or event.
    Served(FunctionRef),
    /// It runs in a task of its own, started by this call in this function, beside what else its object is asked to do.
    Beside(FunctionRef, ExprId),
    /// Its class owns a lock for tasks, or it is given what tasks talk to each other with.
    ForTasks,
}

/// That executions of a function may overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap {
    /// Why.
    pub evidence: Evidence,
    /// They may run on the same receiver.
    pub same_object: bool,
    /// Which parameters they may be given the same object for: a bit for each of the first ones.
    pub same_params: u32,
    /// How many calls lie between what the evidence names and the function.
    pub distance: u32,
}

impl Overlap {
    /// Both.
    fn joined(self, other: Overlap) -> Overlap {
        let stronger = if other.evidence < self.evidence { other } else { self };
        Overlap {
            evidence: stronger.evidence,
            same_object: self.same_object || other.same_object,
            same_params: self.same_params | other.same_params,
            distance: self.distance.min(other.distance),
        }
    }

    /// The parameter at this position may be the same object in several executions.
    pub fn is_same_param(self, position: usize) -> bool {
        position < 32 && self.same_params & (1 << position) != 0
    }
}

/// What is known of one function.
#[derive(Clone, Copy)]
struct Known {
    /// On whatever objects.
    any: Overlap,
    /// On one receiver: evidence that others overlap says nothing of it.
    on_one: Option<Overlap>,
}

impl Known {
    fn with(known: Option<Self>, overlap: Overlap) -> Self {
        let joined = |known: Option<Overlap>| known.map_or(overlap, |known| known.joined(overlap));
        let on_one = known.and_then(|known| known.on_one);
        Self {
            any: joined(known.map(|known| known.any)),
            on_one: if overlap.same_object { Some(joined(on_one)) } else { on_one },
        }
    }
}

/// What may overlap in a program.
#[derive(Default)]
pub(crate) struct Overlaps {
    many: FxHashMap<FunctionRef, Known>,
    /// Starts that happen only while no other task of theirs runs.
    guarded: FxHashSet<(FunctionRef, ExprId)>,
    /// Functions that are started once as a task, beside what their object is asked to do meanwhile.
    beside: FxHashMap<FunctionRef, (FunctionRef, ExprId)>,
    /// Starts of several executions at once.
    several: FxHashMap<(FunctionRef, ExprId), Overlap>,
}

impl Overlaps {
    /// Follows the evidence along the calls. `lasting` tells of classes whose instances live as long as the process.
    pub fn new(program: &Program, lasting: &(dyn Fn(ClassRef) -> bool + Sync)) -> Self {
        let files: Vec<FileId> = program.files().filter(|file| !program.is_installed(*file)).collect();
        let spawns: Vec<Spawn> = files.into_par_iter().flat_map_iter(|file| spawns_in(program, file)).collect();
        let mut seeds: Vec<(FunctionRef, Overlap)> = spawns.iter().filter_map(Spawn::seed).collect();
        seeds.extend(served(program));
        seeds.extend(for_tasks(program));
        let guarded = spawns.iter().filter(|spawn| spawn.is_guarded).map(|spawn| (spawn.by, spawn.call)).collect();
        let several = spawns.iter().filter_map(|spawn| Some(((spawn.by, spawn.call), spawn.seed()?.1))).collect();
        let mut overlaps = Self { guarded, several, ..Self::default() };
        for same_object in [true, false] {
            for (function, overlap) in seeds.iter().filter(|(_, overlap)| overlap.same_object == same_object) {
                overlaps.spread(program, lasting, *function, *overlap);
            }
        }
        for spawn in spawns.iter().filter(|spawn| !spawn.many) {
            overlaps.beside.entry(spawn.target).or_insert((spawn.by, spawn.call));
        }
        overlaps
    }

    /// Why executions of the function may overlap with each other.
    pub fn of(&self, function: FunctionRef) -> Option<Overlap> {
        self.many.get(&function).map(|known| known.any)
    }

    /// Why executions of the method may overlap on one receiver.
    pub fn on_one_object(&self, method: FunctionRef) -> Option<Overlap> {
        self.many.get(&method).and_then(|known| known.on_one)
    }

    /// The call starts a task only while no other one that it has started runs.
    pub fn is_guarded(&self, by: FunctionRef, call: ExprId) -> bool {
        self.guarded.contains(&(by, call))
    }

    /// That the call starts several executions, and what they have in common.
    pub fn started_by(&self, by: FunctionRef, call: ExprId) -> Option<Overlap> {
        self.several.get(&(by, call)).copied()
    }

    /// Where the function is started as a task of its own.
    pub fn beside(&self, function: FunctionRef) -> Option<(FunctionRef, ExprId)> {
        self.beside.get(&function).copied()
    }

    fn spread(&mut self, program: &Program, lasting: &dyn Fn(ClassRef) -> bool, seed: FunctionRef, overlap: Overlap) {
        let mut open = VecDeque::from([(seed, overlap)]);
        while let Some((function, overlap)) = open.pop_front() {
            let known = self.many.get(&function).copied();
            if known.is_some_and(|Known { any, .. }| {
                any.same_object >= overlap.same_object && any.same_params & overlap.same_params == overlap.same_params
            }) {
                continue;
            }
            self.many.insert(function, Known::with(known, overlap));
            open.extend(wrappers(program, function).into_iter().map(|wrapper| {
                (wrapper, Overlap { same_params: u32::MAX, distance: overlap.distance + 1, ..overlap })
            }));
            for edge in program.edges(function) {
                let target = program.function(edge.target);
                let is_apart =
                    self.guarded.contains(&(function, edge.site)) || has_own_loop(program, function, edge.site);
                if is_apart || edge.how == How::Offloads || edge.is_override || is_constructor(program, edge.target) {
                    continue;
                }
                let class = target.class.filter(|_| target.kind == FunctionKind::Function);
                let same_object = match class {
                    None => true,
                    Some(id) => {
                        lasting(ClassRef { file: edge.target.file, id })
                            || callee_receiver(program, function, edge.site)
                                .is_some_and(|receiver| is_same(program, function, receiver, overlap))
                    }
                };
                let is_same = |argument| is_same(program, function, argument, overlap);
                let same_params = shared_params(program, function, edge.site, edge.target, 0, &is_same);
                open.push_back((
                    edge.target,
                    Overlap { same_object, same_params, distance: overlap.distance + 1, ..overlap },
                ));
            }
        }
    }
}

/// `run(f())`: the coroutine is given an event loop of its own.
fn has_own_loop(program: &Program, function: FunctionRef, site: ExprId) -> bool {
    let around = program.module(function.file).parent(site).and_then(|around| program.site(function, around));
    around.is_some_and(|around| program.models_at(around).any(|model| model.runs_loop))
}

/// It prepares an instance that has just been made.
fn is_constructor(program: &Program, function: FunctionRef) -> bool {
    let names = program.module(function.file).language.initialisers;
    names.contains(&program.function(function).name.as_str())
}

/// A place where a coroutine is started beside its caller.
struct Spawn {
    target: FunctionRef,
    by: FunctionRef,
    call: ExprId,
    /// Several are started: in a loop, or side by side.
    many: bool,
    /// All on one receiver.
    same_object: bool,
    /// See [`Overlap::same_params`].
    same_params: u32,
    /// It is started only when no other one runs, and kept where that is looked up.
    is_guarded: bool,
}

impl Spawn {
    fn seed(&self) -> Option<(FunctionRef, Overlap)> {
        let Spawn { same_object, same_params, .. } = *self;
        let evidence = Evidence::Spawned(self.by, self.call);
        let overlap = Overlap { evidence, same_object, same_params, distance: 0 };
        self.many.then_some((self.target, overlap))
    }
}

/// A call that starts a coroutine function beside its caller.
struct Start {
    call: ExprId,
    target: FunctionRef,
    /// The first event of the outermost loop around it that starts it again while it runs.
    first_of_loop: Option<usize>,
    /// The function is handed over with its arguments: at this position.
    handed: Option<usize>,
}

impl Start {
    /// On what the function is called.
    fn receiver(&self, program: &Program, by: FunctionRef) -> Option<ExprId> {
        let module = program.module(by.file);
        match (self.handed, module.expr(self.call)) {
            (Some(at), Expr::Call(_, args)) => match module.expr(module.args(args).get(at)?.value) {
                Expr::Attr(receiver, _) => Some(receiver),
                _ => None,
            },
            _ => callee_receiver(program, by, self.call),
        }
    }

    fn receiver_text(&self, program: &Program, by: FunctionRef) -> Option<String> {
        self.receiver(program, by).map(|receiver| program.path_text(by.file, receiver))
    }
}

fn spawns_in(program: &Program, file: FileId) -> Vec<Spawn> {
    let module = program.module(file);
    let mut found = Vec::new();
    for id in (0..module.functions.len() as u32).map(FunctionId) {
        let by = FunctionRef { file, id };
        let starts = starts_in(program, by);
        let company = Company::of(program, by, &starts);
        found.extend(starts.iter().map(|start| spawn(program, by, start, &company)));
    }
    found
}

/// What a function starts side by side.
#[derive(Default)]
struct Company {
    /// For each function that is started, and the wait for it.
    together: FxHashMap<(FunctionRef, Option<ExprId>), Together>,
    /// The calls that start a function with an argument of this text.
    given: FxHashMap<(FunctionRef, String), FxHashSet<ExprId>>,
}

/// Starts of one function under one wait.
struct Together {
    number: usize,
    /// On what the first is started.
    receiver: Option<String>,
    has_one_receiver: bool,
}

impl Company {
    fn of(program: &Program, by: FunctionRef, starts: &[Start]) -> Self {
        let module = program.module(by.file);
        let mut company = Self::default();
        for start in starts {
            let receiver = start.receiver_text(program, by);
            let wait = awaited_join(module, start.call);
            let first = || Together { number: 0, receiver: receiver.clone(), has_one_receiver: true };
            let together = company.together.entry((start.target, wait)).or_insert_with(first);
            together.number += 1;
            together.has_one_receiver &= together.receiver == receiver;
            for given in arguments(module, start.call) {
                let text = program.path_text(by.file, given);
                company.given.entry((start.target, text)).or_default().insert(start.call);
            }
        }
        company
    }

    /// Several are started by calls of their own, or as arguments of one call.
    fn is_several(&self, program: &Program, module: &Module, start: &Start) -> bool {
        let together = self.together.get(&(start.target, awaited_join(module, start.call)));
        together.is_some_and(|starts| starts.number > 1 && (starts.has_one_receiver || is_plain(program, start.target)))
    }

    /// Another call is given the same.
    fn is_given_alike(&self, start: &Start, text: String) -> bool {
        let calls = self.given.get(&(start.target, text));
        calls.is_some_and(|calls| calls.iter().any(|call| *call != start.call))
    }
}

fn spawn(program: &Program, by: FunctionRef, start: &Start, company: &Company) -> Spawn {
    let is_several = company.is_several(program, program.module(by.file), start);
    let is_guarded = is_kept_where_tested(program, by, start.call);
    // In a loop: what was there before. Side by side: what several are given alike.
    let is_before = |object| match start.first_of_loop {
        Some(_) => is_made_before(program, by, object, start.first_of_loop),
        None => company.is_given_alike(start, program.path_text(by.file, object)),
    };
    Spawn {
        target: start.target,
        by,
        call: start.call,
        many: !is_guarded && (start.first_of_loop.is_some() || is_several),
        is_guarded,
        same_object: start
            .receiver(program, by)
            .is_none_or(|receiver| is_made_before(program, by, receiver, start.first_of_loop)),
        same_params: shared_params(
            program,
            by,
            start.call,
            start.target,
            start.handed.map_or(0, |at| at + 1),
            &is_before,
        ),
    }
}

fn arguments(module: &Module, call: ExprId) -> impl Iterator<Item = ExprId> + '_ {
    let args = match module.expr(call) {
        Expr::Call(_, args) => module.args(args),
        _ => &[],
    };
    args.iter().map(|arg| arg.value)
}

/// `if not self._task: self._task = create_task(self._run())`: what is started is kept in a place that a condition before
/// looks at.
fn is_kept_where_tested(program: &Program, by: FunctionRef, call: ExprId) -> bool {
    let module = program.module(by.file);
    let Some(whole) = std::iter::successors(Some(call), |expr| module.parent(*expr)).last() else { return false };
    let events = &program.function(by).events;
    let kept = events.iter().enumerate().find_map(|(at, event)| match *event {
        Event::WritePlace(target, Some(value)) if value == whole => Some((at, target)),
        _ => None,
    });
    let Some((at, target)) = kept else { return false };
    let Expr::Attr(_, name) = module.expr(target) else { return false };
    let names_it = |place: ExprId| matches!(module.expr(place), Expr::Attr(_, of) if of == name);
    let suspends = events[..at].iter().rposition(|event| matches!(event, Event::Suspend(..))).unwrap_or(0);
    events[suspends..at].iter().any(|event| match *event {
        Event::ReadPlace(place) => names_it(place),
        // `self._task.done()`
        Event::Call(asked) => match module.expr(asked) {
            Expr::Call(callee, _) => matches!(module.expr(callee), Expr::Attr(base, _) if names_it(base)),
            _ => false,
        },
        _ => false,
    })
}

/// A function without a receiver.
fn is_plain(program: &Program, function: FunctionRef) -> bool {
    program.function(function).class.is_none()
}

/// The awaited call around a coroutine's call.
fn awaited_join(module: &Module, call: ExprId) -> Option<ExprId> {
    let around = std::iter::successors(module.parent(call), |expr| module.parent(*expr));
    around.into_iter().find(|expr| module.role(*expr) == Role::Awaited)
}

fn starts_in(program: &Program, by: FunctionRef) -> Vec<Start> {
    let module = program.module(by.file);
    let sites: FxHashMap<ExprId, &Site> = program.sites(by).iter().map(|site| (site.call, site)).collect();
    let mut loops: Vec<usize> = Vec::new();
    let mut starts = Vec::new();
    if sites.is_empty() {
        return starts;
    }
    for (at, event) in program.function(by).events.iter().enumerate() {
        match *event {
            Event::Loop(_) => loops.push(at),
            Event::EndLoop => {
                loops.pop();
            }
            Event::Call(call) => {
                let Some(site) = sites.get(&call) else { continue };
                for target in coroutines(program, site) {
                    if let Some(first_of_loop) = started_in(program, by, module, call, &loops) {
                        starts.push(Start { call, target, first_of_loop, handed: None });
                    }
                }
                let handed = handed_over(program, by, site);
                starts.extend(handed.into_iter().map(|(target, at)| Start {
                    call,
                    target,
                    first_of_loop: loops.first().copied(),
                    handed: Some(at),
                }));
            }
            _ => {}
        }
    }
    starts
}

/// `group.start_soon(function, argument)`: the functions, with the position at which they are given.
fn handed_over(program: &Program, by: FunctionRef, site: &Site) -> Vec<(FunctionRef, usize)> {
    let spawns = program.models_at(site).any(|model| model.spawns.is_some() && !model.async_callbacks.is_empty());
    if !spawns {
        return Vec::new();
    }
    let edges = program.edges_at(by, site.call).iter().filter(|edge| edge.how == How::Later);
    edges.filter(|edge| program.function(edge.target).is_async).map(|edge| (edge.target, 0)).collect()
}

/// The coroutine functions of the program that a call calls, or is handed to start.
fn coroutines(program: &Program, site: &Site) -> Vec<FunctionRef> {
    let is_async = |target: &FunctionRef| {
        let body = program.function(*target);
        body.is_async && !body.is_generator
    };
    let called = site.callee.members().iter().filter_map(|member| match *member {
        Type::Function(target) | Type::Method(target, _) => Some(target),
        _ => None,
    });
    called.filter(is_async).collect()
}

/// The loops that start the coroutine again while it runs: those around it, inside the wait for it. None when it does not run
/// beside its caller.
fn started_in(
    program: &Program,
    by: FunctionRef,
    module: &Module,
    call: ExprId,
    loops: &[usize],
) -> Option<Option<usize>> {
    let is_dropped = matches!(module.role(call), Role::Dropped | Role::Discarded);
    if is_dropped && module.language.starts_at_call {
        return Some(loops.first().copied());
    }
    if is_dropped || matches!(module.role(call), Role::Awaited | Role::Returned | Role::IteratedAsync) {
        return None;
    }
    let events = &program.function(by).events;
    let begins_within = |outer: ExprId, start: &usize| matches!(events[*start], Event::Loop(Some(source)) if module.span(outer).contains(module.span(source)));
    let mut inner: Option<usize> = loops.first().copied();
    let mut current = call;
    while let Some(parent) = module.parent(current) {
        current = parent;
        if !matches!(module.expr(current), Expr::Call(..)) {
            continue;
        }
        let model = program.site(by, current).and_then(|site| program.model_at(site));
        if model.is_some_and(|model| model.runs_loop || model.joins == Some(Joins::One)) {
            return None;
        }
        if module.role(current) == Role::Awaited {
            // Each round waits for what it has started.
            inner = loops.iter().copied().find(|start| begins_within(current, start));
            let is_known = model.is_some_and(|model| model.joins.is_some() || model.spawns.is_some());
            return is_known.then_some(inner);
        }
    }
    if is_awaited_later_in_loop(program, by, module, current, loops) {
        inner = None;
    }
    Some(inner)
}

/// `task = create_task(f()); …; await task` in one round of a loop.
fn is_awaited_later_in_loop(
    program: &Program,
    by: FunctionRef,
    module: &Module,
    value: ExprId,
    loops: &[usize],
) -> bool {
    let Some(first) = loops.first() else { return false };
    let events = &program.function(by).events;
    let binds = |binding| matches!(module.bindings[racewalk_ir::BindingId::index(binding)].kind, BindingKind::Value(bound) if bound == value);
    events[*first..].iter().any(|event| match *event {
        Event::Suspend(_, operand) => match module.expr(operand) {
            Expr::Name(_, defs) => module.defs(&defs).iter().copied().any(binds),
            _ => false,
        },
        _ => false,
    })
}

/// The expression on which a call's method is called.
fn callee_receiver(program: &Program, function: FunctionRef, site: ExprId) -> Option<ExprId> {
    let module = program.module(function.file);
    let place = match module.expr(site) {
        Expr::Call(callee, _) => callee,
        _ => site,
    };
    match module.expr(place) {
        Expr::Attr(receiver, _) => Some(receiver),
        // A context manager that is entered, a property's receiver.
        _ if place == site => Some(site),
        _ => None,
    }
}

/// The first name of an access path.
fn root_name(module: &Module, expr: ExprId) -> Option<(Name, Defs)> {
    match module.expr(expr) {
        Expr::Name(name, defs) => Some((name, defs)),
        Expr::Attr(base, _) => root_name(module, base),
        _ => None,
    }
}

/// The object is the same in every execution of the function.
fn is_same(program: &Program, function: FunctionRef, object: ExprId, overlap: Overlap) -> bool {
    let module = program.module(function.file);
    let Some((name, defs)) = root_name(module, object) else {
        return is_super(module, object) && overlap.same_object;
    };
    match defs {
        Defs::Outer => !is_captured_receiver(program, function, name) || overlap.same_object,
        _ if is_receiver(program, function, name) => overlap.same_object,
        Defs::One(binding) => match module.bindings[binding.index()].kind {
            BindingKind::Param(position) => overlap.is_same_param(position as usize),
            _ => false,
        },
        _ => false,
    }
}

/// The parameters of a callee for which a call gives such objects.
fn shared_params(
    program: &Program,
    function: FunctionRef,
    site: ExprId,
    target: FunctionRef,
    // Arguments before this one are the call's own.
    first: usize,
    is_same: &dyn Fn(ExprId) -> bool,
) -> u32 {
    let module = program.module(function.file);
    let Expr::Call(_, args) = module.expr(site) else { return 0 };
    let callee = program.function(target);
    let skipped = usize::from(callee.class.is_some());
    let mut shared = 0;
    for (at, arg) in module.args(args).iter().skip(first).enumerate() {
        let position = match arg.kind {
            ArgKind::Positional => Some(at + skipped),
            ArgKind::Named(name) => callee.params.iter().position(|param| param.name == name),
            _ => None,
        };
        if let Some(position) = position.filter(|position| *position < 32)
            && (matches!(module.expr(arg.value), Expr::Literal(_))
                || root_name(module, arg.value).is_some() && is_same(arg.value))
        {
            shared |= 1 << position;
        }
    }
    shared
}

/// The functions that stand for a function after its decorators: they run whenever it is called.
pub(crate) fn wrappers(program: &Program, function: FunctionRef) -> Vec<FunctionRef> {
    let evaluator = program.evaluator(function.file);
    let body = program.function(function);
    let outside = body.parent.unwrap_or(FunctionId(0));
    let decorators = body.decorators.iter().flat_map(|decorator| {
        let value = match program.module(function.file).expr(*decorator) {
            Expr::Call(callee, _) => callee,
            _ => *decorator,
        };
        evaluator.eval(outside, value).members().to_vec()
    });
    let own = decorators.filter_map(|decorator| match decorator {
        Type::Function(decorator) => Some(decorator),
        _ => None,
    });
    own.flat_map(|decorator| inside(program, decorator)).collect()
}

/// The coroutine functions defined in a function, at any depth.
fn inside(program: &Program, function: FunctionRef) -> Vec<FunctionRef> {
    let mut found = Vec::new();
    let mut open = vec![function];
    while let Some(around) = open.pop() {
        for event in &program.function(around).events {
            if let Event::Define(id) = *event {
                let nested = FunctionRef { id, ..around };
                open.push(nested);
                if program.function(nested).is_async {
                    found.push(nested);
                }
            }
        }
    }
    found
}

fn is_super(module: &Module, receiver: ExprId) -> bool {
    let Expr::Call(callee, _) = module.expr(receiver) else { return false };
    matches!(module.expr(callee), Expr::Name(name, _) if name.as_str() == "super")
}

/// The name is the method's own receiver.
pub(crate) fn is_receiver(program: &Program, function: FunctionRef, name: Name) -> bool {
    let body = program.function(function);
    body.class.is_some() && body.params.first().is_some_and(|param| param.name == name)
}

/// The name is the receiver of a method around the function.
pub(crate) fn is_captured_receiver(program: &Program, function: FunctionRef, name: Name) -> bool {
    let mut current = program.function(function).parent;
    while let Some(id) = current {
        let around = FunctionRef { file: function.file, id };
        let body = program.function(around);
        if body.symbol(name).is_some() {
            return body.kind == FunctionKind::Function && is_receiver(program, around, name);
        }
        current = body.parent;
    }
    false
}

/// An object that is used in a loop was there before the loop began.
fn is_made_before(program: &Program, by: FunctionRef, object: ExprId, first_of_loop: Option<usize>) -> bool {
    let module = program.module(by.file);
    let Some((_, defs)) = root_name(module, object) else { return false };
    let Some(first) = first_of_loop else { return true };
    let inside = &program.function(by).events[first..];
    let bound_inside = |binding: &racewalk_ir::BindingId| inside.contains(&Event::Bind(*binding));
    !module.defs(&defs).iter().any(bound_inside)
}

/// Handlers that a framework calls for every request, event or job.
fn served(program: &Program) -> Vec<(FunctionRef, Overlap)> {
    let mut used = FxHashMap::default();
    let mut found: Vec<_> = program
        .entries
        .iter()
        .filter(|(function, entry)| {
            let runs = if program.function(**function).is_async { entry.entry.asynchronous } else { entry.entry.plain };
            let serves = matches!(entry.entry.serves, Serves::Request | Serves::Event | Serves::Tool)
                && !is_one_at_a_time(program, &entry.entry, &mut used);
            serves && runs == Runs::Loop && !is_test_module(program.module(function.file).name.as_str())
        })
        .map(|(function, entry)| {
            let same_object = entry.entry.serves != Serves::Request || !is_hook(program, *function);
            (*function, Overlap { evidence: Evidence::Served(*function), same_object, same_params: 0, distance: 0 })
        })
        .collect();
    found.sort_unstable_by_key(|(function, _)| *function);
    found
}

/// The framework waits for the handler before it calls it again, and the program has not told it otherwise.
/// `used`: for each member that was asked for, whether the program uses it.
fn is_one_at_a_time<'p>(program: &Program, entry: &'p Entry, used: &mut FxHashMap<&'p str, bool>) -> bool {
    let mut uses = |name: &'p str| {
        let is_it = |expr: &Expr| matches!(expr, Expr::Attr(_, member) if member.as_str() == name);
        let search = || program.modules().iter().any(|module| module.exprs.iter().any(is_it));
        *used.entry(name).or_insert_with(search)
    };
    entry.one_at_a_time && !entry.overlaps_by.as_deref().is_some_and(&mut uses)
}

/// A method that a framework calls on objects that it makes.
fn is_hook(program: &Program, function: FunctionRef) -> bool {
    let Some(id) = program.function(function).class else { return false };
    program.lineage(ClassRef { file: function.file, id }).any(|base| matches!(base, Type::External(_)))
}

/// Public coroutine functions that are made for several tasks by what they use.
fn for_tasks(program: &Program) -> Vec<(FunctionRef, Overlap)> {
    let mut owners: FxHashMap<ClassRef, bool> = FxHashMap::default();
    let mut found = Vec::new();
    for function in program.functions() {
        let body = program.function(function);
        if !body.is_async || body.kind != FunctionKind::Function || program.is_installed(function.file) {
            continue;
        }
        let module = program.module(function.file);
        if is_test_module(module.name.as_str()) || !is_public(body.name.as_str()) {
            continue;
        }
        let class = body.class.map(|id| ClassRef { file: function.file, id });
        let owns = class.is_some_and(|class| *owners.entry(class).or_insert_with(|| owns_lock(program, class)));
        if owns || class.is_none() && talks_to_tasks(program, function) {
            found.push((
                function,
                Overlap { evidence: Evidence::ForTasks, same_object: true, same_params: 0, distance: 0 },
            ));
        }
    }
    found
}

fn is_public(name: &str) -> bool {
    !name.starts_with('_') || name.starts_with("__a")
}

/// The class, or one of its bases, keeps a lock for tasks.
fn owns_lock(program: &Program, class: ClassRef) -> bool {
    program.lineage(class).any(|base| match base {
        Type::Class(base) => program.members(base).any(|(_, value)| is_of(program, value, ClassKind::AsyncLock)),
        _ => false,
    })
}

/// The type is one of the library's classes of this kind, or a container of them.
pub(crate) fn is_of(program: &Program, value: Type, kind: ClassKind) -> bool {
    value.members().iter().any(|member| match *member {
        Type::ExternalInstance(path, _) => program.models().kind(path) == Some(kind),
        Type::Mapping(inner) | Type::Collection(inner) => is_of(program, inner.get(), kind),
        _ => false,
    })
}

/// The function is given a queue, an event or a lock of tasks, or keeps something from call to call in a default.
fn talks_to_tasks(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    if body.params.iter().any(|param| param.default.is_some_and(|default| is_mutable(program, function.file, default)))
    {
        return true;
    }
    if body.params.iter().all(|param| param.annotation.is_none()) || is_called(program, function) {
        return false;
    }
    let evaluator = program.evaluator(function.file);
    body.params.iter().filter(|param| param.annotation.is_some()).any(|param| {
        let kinds = [ClassKind::AsyncLock, ClassKind::AsyncQueue, ClassKind::AsyncEvent, ClassKind::AsyncSemaphore];
        let declared = param_type(&evaluator, body, param.name);
        declared.is_some_and(|declared| kinds.iter().any(|kind| is_of(program, declared, *kind)))
    })
}

fn is_called(program: &Program, function: FunctionRef) -> bool {
    !program.summaries.callers.of(function).is_empty()
}

/// The type of a parameter.
fn param_type(evaluator: &racewalk_link::Evaluator<'_>, body: &racewalk_ir::Function, name: Name) -> Option<Type> {
    let symbol = &body.symbols[body.symbol(name)?.index()];
    symbol.bindings.first().map(|binding| evaluator.binding(*binding))
}

/// A display or constructor of a container: one object for all calls when it is a default.
pub(crate) fn is_mutable(program: &Program, file: FileId, default: ExprId) -> bool {
    let module = program.module(file);
    match module.expr(default) {
        Expr::List(_) | Expr::Map(_) | Expr::Set(_) | Expr::Comp(..) => true,
        Expr::Call(callee, _) => {
            let makers = ["list", "dict", "set", "defaultdict", "OrderedDict", "deque", "Counter"];
            matches!(module.expr(callee), Expr::Name(name, _) | Expr::Attr(_, name) if makers.contains(&name.as_str()))
        }
        _ => false,
    }
}

/// How the program makes instances of its classes.
#[derive(Default)]
pub(crate) struct Made {
    /// Classes of which it makes some.
    pub anywhere: FxHashSet<ClassRef>,
    /// Those that every call makes for itself: kept in locals of coroutine functions and handlers, handed out by factories, or
    /// made by the constructor of such an object.
    pub per_call: FxHashSet<ClassRef>,
}

impl Made {
    pub fn new(program: &Program) -> Self {
        let mut by_constructors: FxHashMap<ClassRef, Vec<ClassRef>> = FxHashMap::default();
        let mut local = FxHashSet::default();
        let mut kept = FxHashSet::default();
        for function in program.functions() {
            let body = program.function(function);
            let module = program.module(function.file);
            if is_test_module(module.name.as_str()) {
                continue;
            }
            for site in program.sites(function) {
                let Type::Class(class) = site.callee else { continue };
                match body.class {
                    Some(id) if is_constructor(program, function) => {
                        by_constructors.entry(class).or_default().push(ClassRef { file: function.file, id });
                    }
                    _ if is_for_call(program, function, site.call) => {
                        local.insert(class);
                    }
                    _ => {
                        kept.insert(class);
                    }
                }
            }
        }
        let anywhere = local.iter().chain(&kept).chain(by_constructors.keys()).copied().collect();
        let mut per_call: FxHashSet<ClassRef> = local.difference(&kept).copied().collect();
        per_call.retain(|class| !by_constructors.contains_key(class));
        // Parts of such objects, and parts of parts.
        for _ in 0..3 {
            let parts = by_constructors
                .iter()
                .filter(|(class, makers)| !kept.contains(class) && makers.iter().all(|maker| per_call.contains(maker)));
            let parts: Vec<ClassRef> = parts.map(|(class, _)| *class).collect();
            per_call.extend(parts);
        }
        Self { anywhere, per_call }
    }
}

/// The instance is for the call that makes it, or for the caller who asks for one.
fn is_for_call(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let body = program.function(function);
    let module = program.module(function.file);
    let is_call = body.is_async || program.entries.contains_key(&function);
    match module.role(call) {
        Role::Entered | Role::EnteredAsync | Role::Receiver => is_call,
        Role::Stored => {
            let is_place =
                body.events.iter().any(|event| matches!(event, Event::WritePlace(_, Some(value)) if *value == call));
            is_call && !is_place
        }
        Role::Returned => body.decorators.is_empty() && !body.params.is_empty(),
        _ => false,
    }
}

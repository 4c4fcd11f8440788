//! Runs: the places where a coroutine is given an event loop of its own, and what executes on that loop.

use crate::homes::{Home, Homes, instances, with_members};
use crate::threads::{Threads, asks_for_loop};
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionKind, Literal, Name, Span};
use racewalk_link::{ClassRef, FileId, FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Joins, Runs as Where, Serves, Spawns};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// A loop that is made for a piece of work, or the one loop of a server.
pub(crate) struct Run {
    /// The function that makes the loop; of a server: one of its handlers.
    pub host: FunctionRef,
    /// The call that runs the loop, and the expression that makes it; none for a server's.
    pub start: Option<Start>,
    /// The calls in the host that make the coroutines.
    pub given: Vec<ExprId>,
    /// It happens again and again in the life of the process.
    pub often: bool,
    /// Its loop lives in a thread of its own, beside others.
    pub in_thread: bool,
    /// Several of its tasks run side by side.
    pub concurrent: bool,
    /// What runs on the loop, and by which function and call it gets there.
    pub reached: Reached,
    /// The classes of which it makes instances.
    makes: FxHashSet<ClassRef>,
    /// Its host is called again and again on one object, not once on each of many.
    reuses_object: bool,
}

/// Where a loop is started.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// The call that runs it.
    pub site: ExprId,
    /// The expression that makes it.
    pub made: ExprId,
}

/// All runs of a program, and who uses what on them.
pub(crate) struct Runs {
    pub all: Vec<Run>,
    /// For each function that some run reaches: the runs.
    pub on: FxHashMap<FunctionRef, Vec<usize>>,
    /// For each such function: the kept objects of loops that it uses.
    pub uses: FxHashMap<FunctionRef, Vec<(Home, ExprId)>>,
    /// For each place that keeps such an object: who uses it, in order.
    pub users: FxHashMap<Home, Vec<(FunctionRef, ExprId)>>,
}

impl Runs {
    pub fn new(program: &Program, threads: &Threads, homes: &Homes) -> Self {
        let found: Vec<Found> = program
            .functions()
            .collect::<Vec<_>>()
            .into_par_iter()
            .flat_map_iter(|function| starts_in(program, function))
            .collect();
        let handed: FxHashSet<(FunctionRef, ExprId)> =
            found.iter().flat_map(|found| found.given.iter().map(|call| (found.host, *call))).collect();
        let frequency = Frequency { program };
        let mut all: Vec<Run> =
            found.into_par_iter().filter_map(|found| run(program, threads, &handed, &frequency, found)).collect();
        all.extend(server(program, &handed));
        let mut on: FxHashMap<FunctionRef, Vec<usize>> = FxHashMap::default();
        for (number, run) in all.iter().enumerate() {
            for function in run.reached.keys() {
                on.entry(*function).or_default().push(number);
            }
        }
        let uses = uses(program, homes, on.keys().copied().collect());
        let users = users(&uses);
        Self { all, on, uses, users }
    }

    /// The calls from the loop's start to a function, the start first.
    pub fn route(&self, run: &Run, function: FunctionRef) -> Vec<(FunctionRef, ExprId)> {
        let mut route = Vec::new();
        let mut current = run.reached.get(&function).copied().flatten();
        while let Some((from, site)) = current {
            route.push((from, site));
            // The work may call its way back to the function that starts it: the start ends the route all the same.
            if from == run.host && run.given.contains(&site) {
                break;
            }
            current = run.reached.get(&from).copied().flatten();
        }
        route.reverse();
        route
    }
}

fn uses(program: &Program, homes: &Homes, functions: Vec<FunctionRef>) -> FxHashMap<FunctionRef, Vec<(Home, ExprId)>> {
    let mut by_file: FxHashMap<_, Vec<FunctionRef>> = FxHashMap::default();
    for function in functions {
        by_file.entry(function.file).or_default().push(function);
    }
    let in_file = |(file, functions): (_, Vec<FunctionRef>)| {
        let evaluator = program.evaluator(file);
        let used = functions.into_iter().map(|function| (function, homes.used_by(program, &evaluator, function)));
        used.filter(|(_, used)| !used.is_empty()).collect::<Vec<_>>()
    };
    by_file.into_par_iter().flat_map_iter(in_file).collect()
}

fn users(uses: &FxHashMap<FunctionRef, Vec<(Home, ExprId)>>) -> FxHashMap<Home, Vec<(FunctionRef, ExprId)>> {
    let mut users: FxHashMap<Home, Vec<(FunctionRef, ExprId)>> = FxHashMap::default();
    for (function, used) in uses {
        for (home, site) in used {
            users.entry(*home).or_default().push((*function, *site));
        }
    }
    users.values_mut().for_each(|users| users.sort_unstable());
    users
}

/// A start that was found, before it is known what it runs.
struct Found {
    host: FunctionRef,
    start: Start,
    given: Vec<ExprId>,
    /// The loop runs in another thread than the host.
    offloaded: bool,
}

fn starts_in(program: &Program, host: FunctionRef) -> Vec<Found> {
    let sites = program.sites(host);
    let models = |site: &Site, ask: fn(&racewalk_models::Call) -> bool| program.models_at(site).any(ask);
    let mut found = Vec::new();
    for site in sites {
        let arguments = || arguments(program, host, site.call);
        let (made, offloaded) = if models(site, |model| model.runs_loop) {
            let fresh = models(site, |model| model.makes_loop);
            // A function that asks for a loop first makes one only when there is none yet.
            let made_here = || {
                let mut others = sites.iter().filter(|_| !asks_for_loop(program, host));
                others.find(|other| models(other, |model| model.makes_loop && !model.runs_loop))
            };
            let made = if fresh { Some(site.call) } else { made_here().map(|site| site.call) };
            (made, false)
        } else {
            let runs = models(site, |model| model.offloads.is_some())
                && arguments().iter().any(|argument| is_runner(program, host, *argument));
            (runs.then_some(site.call), true)
        };
        let Some(made) = made else { continue };
        let given = coroutine_calls(program, host, &arguments(), 6);
        if !given.is_empty() {
            found.push(Found { host, start: Start { site: site.call, made }, given, offloaded });
        }
    }
    found
}

fn arguments(program: &Program, host: FunctionRef, call: ExprId) -> Vec<ExprId> {
    let module = program.module(host.file);
    let Expr::Call(_, args) = module.expr(call) else { return Vec::new() };
    module.args(args).iter().filter(|arg| arg.kind != ArgKind::SpreadNamed).map(|arg| arg.value).collect()
}

/// A function of a library that makes a loop and runs its argument on it.
fn is_runner(program: &Program, host: FunctionRef, argument: ExprId) -> bool {
    if !matches!(program.module(host.file).expr(argument), Expr::Name(..) | Expr::Attr(..)) {
        return false;
    }
    let value = program.evaluator(host.file).eval(host.id, argument);
    matches!(value, Type::External(_))
        && program.model_of(value).is_some_and(|model| model.runs_loop && model.makes_loop)
}

/// The calls of coroutine functions among these expressions, through locals, displays and other calls.
fn coroutine_calls(program: &Program, host: FunctionRef, exprs: &[ExprId], depth: u32) -> Vec<ExprId> {
    let module = program.module(host.file);
    let mut found = Vec::new();
    if depth == 0 {
        return found;
    }
    let into = |exprs: &[ExprId], found: &mut Vec<ExprId>| {
        found.extend(coroutine_calls(program, host, exprs, depth - 1));
    };
    for expr in exprs {
        match module.expr(*expr) {
            Expr::Call(..) if roots(program, host, *expr).next().is_some() => found.push(*expr),
            Expr::Call(..) => into(&arguments(program, host, *expr), &mut found),
            Expr::Tuple(list) | Expr::List(list) | Expr::Choice(list) => into(module.list(list), &mut found),
            Expr::Comp(_, element) | Expr::Spread(element) => into(&[element], &mut found),
            Expr::Name(_, defs @ (Defs::One(_) | Defs::Several(..))) => {
                for binding in module.defs(&defs) {
                    if let BindingKind::Value(value) = module.bindings[binding.index()].kind {
                        into(&[value], &mut found);
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The coroutine functions that a call in the host runs.
fn roots(program: &Program, host: FunctionRef, call: ExprId) -> impl Iterator<Item = FunctionRef> + '_ {
    let edges = program.edges_at(host, call).iter().filter(|edge| !edge.is_override);
    let is_coroutine = |target: &FunctionRef| program.function(*target).is_async;
    edges.filter(|edge| edge.how == How::Calls).map(|edge| edge.target).filter(is_coroutine)
}

fn run(
    program: &Program,
    threads: &Threads,
    handed: &FxHashSet<(FunctionRef, ExprId)>,
    frequency: &Frequency<'_>,
    found: Found,
) -> Option<Run> {
    let Found { host, start, given, offloaded } = found;
    let in_thread = offloaded || threads.contains(host);
    if is_test(program, host) && !in_thread {
        return None;
    }
    let often = is_repeated(program, host, start.site) || frequency.is_often(host);
    let starts = given.iter().flat_map(|call| roots(program, host, *call).map(|root| (root, Some((host, *call)))));
    let (reached, concurrent) = reached(program, handed, starts.collect());
    let makes = makes(program, &reached);
    let reuses_object = frequency.reuses_object(host);
    Some(Run { host, start: Some(start), given, often, in_thread, concurrent, reached, makes, reuses_object })
}

/// The loop of a server, bot or the like, which calls asynchronous handlers.
fn server(program: &Program, handed: &FxHashSet<(FunctionRef, ExprId)>) -> Option<Run> {
    let serves = |serves| matches!(serves, Serves::Request | Serves::Event | Serves::Tool);
    let handlers = program.entries.iter().filter(|(function, entry)| {
        program.function(**function).is_async && entry.entry.asynchronous == Where::Loop && serves(entry.entry.serves)
    });
    let mut handlers: Vec<FunctionRef> = handlers.map(|(function, _)| *function).collect();
    handlers.sort_unstable();
    let host = *handlers.first()?;
    let (reached, _) = reached(program, handed, handlers.into_iter().map(|handler| (handler, None)).collect());
    Some(Run {
        host,
        start: None,
        given: Vec::new(),
        often: false,
        in_thread: false,
        concurrent: true,
        reached,
        makes: FxHashSet::default(),
        reuses_object: false,
    })
}

/// Functions with the function and call by which each is reached.
pub(crate) type Reached = FxHashMap<FunctionRef, Option<(FunctionRef, ExprId)>>;

/// What runs on a loop: forwards along calls and hand-overs to the same loop; and whether tasks run side by side there.
fn reached(
    program: &Program,
    handed: &FxHashSet<(FunctionRef, ExprId)>,
    starts: Vec<(FunctionRef, Option<(FunctionRef, ExprId)>)>,
) -> (Reached, bool) {
    // More than this is the whole program, of which every loop runs something.
    const MOST: usize = 4000;
    let mut reached = Reached::default();
    let mut concurrent = false;
    let mut queue: VecDeque<_> = starts.into();
    while let Some((function, from)) = queue.pop_front() {
        if reached.len() >= MOST || reached.contains_key(&function) {
            continue;
        }
        reached.insert(function, from);
        concurrent |= spawns(program, function);
        for edge in program.edges(function) {
            let leaves = edge.how == How::Offloads || edge.is_override || handed.contains(&(function, edge.site));
            let is_module = matches!(program.function(edge.target).kind, FunctionKind::Module);
            if !leaves && !is_module {
                queue.push_back((edge.target, Some((function, edge.site))));
            }
        }
    }
    (reached, concurrent)
}

/// The classes of which these functions make instances.
fn makes(program: &Program, reached: &Reached) -> FxHashSet<ClassRef> {
    let sites = reached.keys().flat_map(|function| program.sites(*function));
    let made = sites.flat_map(|site| site.callee.members()).filter_map(|member| match *member {
        Type::Class(class) => Some(class),
        _ => None,
    });
    made.collect()
}

fn spawns(program: &Program, function: FunctionRef) -> bool {
    let mut models = program.sites(function).iter().flat_map(|site| program.models_at(site));
    models.any(|model| {
        model.spawns == Some(Spawns::Task) || matches!(model.joins, Some(Joins::FailFast | Joins::All | Joins::First))
    })
}

/// The call stands in a loop or comprehension of its function.
pub(crate) fn is_repeated(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let mut depth = 0;
    for event in &program.function(function).events {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            Event::Call(at) if *at == call => return depth > 0,
            _ => {}
        }
    }
    false
}

/// Code of tests: each test has loops and objects of its own.
pub(crate) fn is_test(program: &Program, function: FunctionRef) -> bool {
    let is_test_name = |name: &str| name.starts_with("test_") || name.ends_with("_test") || name == "conftest";
    let module = program.module(function.file).name.as_str();
    let in_tests = module.split('.').any(|part| is_test_name(part) || matches!(part, "test" | "tests" | "testing"));
    in_tests || program.qualified(function).split('.').any(is_test_name)
}

/// How often plain functions are called.
struct Frequency<'p> {
    program: &'p Program,
}

impl Frequency<'_> {
    fn is_often(&self, function: FunctionRef) -> bool {
        self.often(function, &mut Vec::new())
    }

    /// Again and again: by requests, in loops, or by anybody who holds the object.
    fn often(&self, function: FunctionRef, above: &mut Vec<FunctionRef>) -> bool {
        // Chains of callers longer than this are rare, and say nothing more.
        const LONGEST: usize = 6;
        let body = self.program.function(function);
        if matches!(body.kind, FunctionKind::Module | FunctionKind::ClassBody)
            || above.len() >= LONGEST
            || above.contains(&function)
        {
            return false;
        }
        let callers = self.callers(function);
        if let Some(often) = self.by_entry(function, !callers.is_empty()) {
            return often;
        }
        if callers.is_empty() {
            return self.is_offered(function);
        }
        above.push(function);
        let often = callers.iter().any(|(caller, site, how)| {
            // A thread that runs a method of an object lives with that object.
            let lives_on = *how == How::Offloads && body.class.is_some() && body.kind == FunctionKind::Function;
            let is_async = self.program.function(*caller).is_async;
            is_repeated(self.program, *caller, *site) || !lives_on && (is_async || self.often(*caller, above))
        });
        above.pop();
        often
    }

    /// Whoever holds the object calls the method as often as he likes, or the program does so in a loop.
    fn reuses_object(&self, host: FunctionRef) -> bool {
        let method = method_around(self.program, host);
        let callers = self.callers(method);
        callers.is_empty() || callers.iter().any(|(caller, site, _)| is_repeated(self.program, *caller, *site))
    }

    /// What its framework says; threads are started by the program itself, so their starters decide.
    fn by_entry(&self, function: FunctionRef, is_called: bool) -> Option<bool> {
        let entry = &self.program.entries.get(&function)?.entry;
        match entry.serves {
            Serves::Request | Serves::Event | Serves::Tool => Some(true),
            Serves::Job => (!is_called).then_some(entry.plain != Where::Alone || !self.is_thread_body(function)),
            Serves::Command | Serves::Lifespan | Serves::Test | Serves::Fixture => Some(false),
        }
    }

    fn is_thread_body(&self, function: FunctionRef) -> bool {
        self.program.function(function).name.as_str() == "run"
    }

    fn callers(&self, function: FunctionRef) -> Vec<(FunctionRef, ExprId, How)> {
        let callers = self.program.summaries.callers.of(function);
        let outside =
            callers.iter().filter(|(caller, ..)| !is_test(self.program, *caller) || is_test(self.program, function));
        outside.copied().collect()
    }

    /// Nobody in the program calls it. A public method is there for whoever holds the object; a bare function may be a
    /// program's entry, or be called once by something else.
    fn is_offered(&self, function: FunctionRef) -> bool {
        let body = self.program.function(function);
        let name = body.name.as_str();
        let is_method = body.class.is_some() && body.kind == FunctionKind::Function;
        is_method && !name.starts_with('_') && !is_test(self.program, function) && !is_entry_name(name)
    }
}

/// Names that programs give to their own starting points.
fn is_entry_name(name: &str) -> bool {
    matches!(name, "main" | "cli" | "_main" | "entrypoint" | "run_main")
}

/// Primitives by which tasks wait for each other.
pub(crate) fn is_primitive(program: &Program, class: Name) -> bool {
    matches!(
        program.models().kind(class),
        Some(
            ClassKind::AsyncLock
                | ClassKind::AsyncSemaphore
                | ClassKind::AsyncEvent
                | ClassKind::AsyncQueue
                | ClassKind::Future
        )
    )
}

impl Run {
    /// The classes of the program's objects that the run is given and that were there before it: its host's own object,
    /// captured variables, parameters; with all that these keep.
    pub fn outliving(&self, program: &Program) -> FxHashSet<ClassRef> {
        let evaluator = program.evaluator(self.host.file);
        let mut classes = Vec::new();
        let mut body = Some(self.host.id);
        while let Some(id) = body {
            let function = program.module(self.host.file).function(id);
            let class = function.class.filter(|_| function.kind == FunctionKind::Function && self.reuses_object);
            if let Some(class) = class {
                classes.push(ClassRef { file: self.host.file, id: class });
            }
            body = function.parent;
        }
        for name in self
            .given_names(program)
            .into_iter()
            .filter(|name| self.reuses_object || !is_own_object(program, self.host, *name))
        {
            instances(evaluator.eval(self.host.id, name), &mut classes);
        }
        with_members(program, classes)
    }

    /// The names in the calls that make the coroutines whose values were there before this run.
    pub fn given_names(&self, program: &Program) -> Vec<ExprId> {
        let mut names = Vec::new();
        for call in &self.given {
            let Expr::Call(callee, _) = program.module(self.host.file).expr(*call) else { continue };
            names_in(program, self.host, callee, &mut names);
            for argument in arguments(program, self.host, *call) {
                names_in(program, self.host, argument, &mut names);
            }
        }
        names.retain(|name| self.was_there_before(program, *name));
        names
    }

    fn was_there_before(&self, program: &Program, name: ExprId) -> bool {
        let module = program.module(self.host.file);
        let Expr::Name(_, defs) = module.expr(name) else { return false };
        let Some(start) = self.start else { return false };
        match defs {
            Defs::Outer => true,
            Defs::One(binding) => match module.bindings[binding.index()].kind {
                BindingKind::Param(_) => true,
                // Made before a loop of which each round makes an event loop.
                _ => {
                    depth_of(program, self.host, |event| *event == Event::Bind(binding))
                        < depth_of(program, self.host, |event| *event == Event::Call(start.site))
                }
            },
            _ => false,
        }
    }

    /// The run itself makes what is kept there, or gives it up.
    pub fn renews(&self, program: &Program, home: Home, is_static: bool) -> bool {
        match home {
            Home::Field(class, name) => {
                if !is_static && self.makes.iter().any(|made| inherits(program, *made, class)) {
                    return true;
                }
                let mut writes = program.class(class).fields.iter().filter(|field| field.name == name);
                writes.any(|field| {
                    let function = FunctionRef { file: class.file, id: field.function };
                    let is_reached = self.reached.contains_key(&function);
                    // What the run gives up at its end, no later run meets.
                    let gives_up = || is_none(program, class.file, field.kind);
                    is_reached && (gives_up() || depth_of_write(program, function, field.span) == Some(0))
                })
            }
            Home::Variable(variable) => {
                let module = program.module(variable.owner.file);
                let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
                symbol.bindings.iter().any(|id| {
                    let binding = module.bindings[id.index()];
                    let function = FunctionRef { file: variable.owner.file, id: binding.within };
                    self.reached.contains_key(&function)
                        && !matches!(binding.kind, BindingKind::Param(_))
                        && !is_none(program, variable.owner.file, binding.kind)
                        && branches_at(program, function, |event| *event == Event::Bind(*id)) == Some(0)
                })
            }
        }
    }
}

fn inherits(program: &Program, class: ClassRef, base: ClassRef) -> bool {
    program.lineage(class).any(|other| other == Type::Class(base))
}

fn is_none(program: &Program, file: FileId, kind: BindingKind) -> bool {
    let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = kind else { return false };
    program.module(file).expr(value) == Expr::Literal(Literal::None)
}

/// The name is that of a method's own object.
fn is_own_object(program: &Program, host: FunctionRef, name: ExprId) -> bool {
    let module = program.module(host.file);
    let method = method_around(program, host);
    let receiver = module.function(method.id).params.first().filter(|_| module.function(method.id).class.is_some());
    matches!((module.expr(name), receiver), (Expr::Name(name, _), Some(receiver)) if name == receiver.name)
}

/// The outermost function around a nested one.
fn method_around(program: &Program, function: FunctionRef) -> FunctionRef {
    let mut current = function;
    while let Some(parent) = program.function(current).parent {
        let parent = FunctionRef { file: function.file, id: parent };
        if !matches!(program.function(parent).kind, FunctionKind::Function | FunctionKind::Lambda) {
            break;
        }
        current = parent;
    }
    current
}

/// The loops around the event that `is_at` knows.
fn depth_of(program: &Program, function: FunctionRef, is_at: impl Fn(&Event) -> bool) -> u32 {
    let mut depth = 0;
    for event in &program.function(function).events {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            event if is_at(event) => return depth,
            _ => {}
        }
    }
    0
}

/// The branches around the event that `is_at` knows.
fn branches_at(program: &Program, function: FunctionRef, is_at: impl Fn(&Event) -> bool) -> Option<u32> {
    let mut depth = 0;
    for event in &program.function(function).events {
        match event {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(_) => depth -= 1,
            event if is_at(event) => return Some(depth),
            _ => {}
        }
    }
    None
}

fn depth_of_write(program: &Program, function: FunctionRef, at: Span) -> Option<u32> {
    let module = program.module(function.file);
    branches_at(
        program,
        function,
        |event| matches!(event, Event::WritePlace(place, _) if module.span(*place).contains(at) || at.contains(module.span(*place))),
    )
}

/// The names read in an expression's access paths, calls and displays.
fn names_in(program: &Program, host: FunctionRef, expr: ExprId, names: &mut Vec<ExprId>) {
    let module = program.module(host.file);
    match module.expr(expr) {
        Expr::Name(..) => names.push(expr),
        Expr::Attr(base, _) | Expr::Subscript(base, _) | Expr::Spread(base) => names_in(program, host, base, names),
        Expr::Tuple(list) | Expr::List(list) => {
            for member in module.list(list) {
                names_in(program, host, *member, names);
            }
        }
        _ => {}
    }
}

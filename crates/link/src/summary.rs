//! Summaries over the call graph: who blocks the thread, who starts an event loop, and which requests get there.
//!
//! Each is a search from its sinks backwards along the calls, shortest chains first, so a function's witness is its
//! nearest sink and the work is linear in the edges.

use crate::Program;
use crate::callers::Callers;
use crate::eval::Evaluator;
use crate::graph::{How, Site};
use crate::types::{FileId, FunctionRef, Type};
use racewalk_ir::{
    ArgKind, BindingKind, Defs, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Literal, Module,
};
use racewalk_models::{Blocks, ClassKind, Runs, Serves};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// What a chain of calls leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// A call that blocks the thread.
    Blocks(Blocks),
    /// A call that starts an event loop.
    StartsLoop,
}

/// What a search along the calls looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The thread is certainly held up.
    Blocks,
    /// Files are touched, or something is computed.
    Lingers,
    /// An event loop is started.
    StartsLoop,
}

impl Trouble {
    pub(crate) const fn is_caused_by(self, kind: SinkKind) -> bool {
        match (self, kind) {
            (Self::Blocks, SinkKind::Blocks(blocks)) => is_certain(blocks),
            (Self::Lingers, SinkKind::Blocks(blocks)) => !is_certain(blocks),
            (Self::StartsLoop, SinkKind::StartsLoop) => true,
            _ => false,
        }
    }
}

/// A call that is a defect when an event loop's thread gets to it.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// The function whose body holds it.
    pub function: FunctionRef,
    /// The call.
    pub site: ExprId,
    /// What is called.
    pub callee: Type,
    /// What it does.
    pub kind: SinkKind,
    /// It waits for another thread, and no longer than it says; or it sleeps for no time worth mentioning.
    pub is_bounded: bool,
}

/// The next step from a function towards its nearest sink.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The expression in the function that leads on.
    pub site: ExprId,
    /// The function that it runs; none when the sink is in this function itself.
    pub next: Option<FunctionRef>,
    /// The sink, in [`Summaries::sinks`].
    pub sink: u32,
    /// Calls between the function and the sink.
    pub distance: u16,
    /// The step goes to an overriding method.
    pub is_override: bool,
}

/// Summaries of all functions.
#[derive(Clone, Debug, Default)]
pub struct Summaries {
    /// All sinks.
    pub sinks: Vec<Sink>,
    /// Plain functions that certainly hold up the thread when they are called.
    pub blocks: FxHashMap<FunctionRef, Step>,
    /// Plain functions that touch files or compute when they are called.
    pub lingers: FxHashMap<FunctionRef, Step>,
    /// Plain functions that start an event loop when they are called.
    pub starts_loop: FxHashMap<FunctionRef, Step>,
    /// Functions whose bodies ask whether an event loop runs and decide by it.
    pub guarded: FxHashSet<FunctionRef>,
    /// Functions whose bodies ask which thread they are in and decide by it.
    pub knows_thread: FxHashSet<FunctionRef>,
    /// For each function: the entry points that lead to it, at most three.
    pub reached_from: FxHashMap<FunctionRef, Vec<FunctionRef>>,
    /// Who runs each function.
    pub callers: Callers,
}

impl Summaries {
    /// The functions that lead to such trouble, each with its next step.
    pub fn steps(&self, trouble: Trouble) -> &FxHashMap<FunctionRef, Step> {
        match trouble {
            Trouble::Blocks => &self.blocks,
            Trouble::Lingers => &self.lingers,
            Trouble::StartsLoop => &self.starts_loop,
        }
    }

    /// The sinks in a function's own body, as positions in [`Summaries::sinks`].
    pub fn sinks_of(&self, function: FunctionRef) -> std::ops::Range<u32> {
        let first = self.sinks.partition_point(|sink| sink.function < function);
        let len = self.sinks[first..].iter().take_while(|sink| sink.function == function).count();
        first as u32..(first + len) as u32
    }
}

pub(crate) fn build(program: &Program) -> Summaries {
    let mut summaries = Summaries { callers: Callers::new(program), ..Summaries::default() };
    let files: Vec<FileId> = program.files().collect();
    let found: Vec<InFile> = files.into_par_iter().map(|file| sinks_in(program, file)).collect();
    for in_file in found {
        summaries.sinks.extend(in_file.sinks);
        summaries.guarded.extend(in_file.guarded);
        summaries.knows_thread.extend(in_file.knows_thread);
    }
    add_guarded_by_helper(program, &mut summaries.guarded);
    summaries.blocks = backwards(program, &summaries, Trouble::Blocks);
    summaries.lingers = backwards(program, &summaries, Trouble::Lingers);
    summaries.starts_loop = backwards(program, &summaries, Trouble::StartsLoop);
    summaries.reached_from = reached(program);
    summaries
}

/// Blocks for as long as something outside the process takes, whatever it is given.
pub const fn is_certain(blocks: Blocks) -> bool {
    !matches!(blocks, Blocks::LocalDatabase | Blocks::File | Blocks::Stat | Blocks::Cpu | Blocks::Lock)
}

#[derive(Default)]
struct InFile {
    sinks: Vec<Sink>,
    guarded: Vec<FunctionRef>,
    knows_thread: Vec<FunctionRef>,
}

fn sinks_in(program: &Program, file: FileId) -> InFile {
    let evaluator = program.evaluator(file);
    let module = program.module(file);
    let InFile { mut sinks, mut guarded, mut knows_thread } = InFile::default();
    for id in 0..module.functions.len() {
        let function = FunctionRef { file, id: FunctionId(id as u32) };
        if asks_for_loop(program, function) {
            guarded.push(function);
        }
        if asks_for_thread(program, function) {
            knows_thread.push(function);
        }
        let sites = program.sites(function);
        let first_sink = sinks.len();
        let unblocked = sites
            .iter()
            .any(|site| matches!(site.callee, Type::ExternalMethod(_, m, _) if m.as_str() == "setblocking"));
        for site in sites {
            // A function that sets a socket's mode knows what its calls do.
            if !(unblocked
                && matches!(site.callee, Type::ExternalMethod(class, ..) if class.as_str() == "socket.socket"))
            {
                let sink = sink_at(program, function, site);
                let is_nothing = |sink: &Sink| {
                    is_in_memory(&evaluator, function.id, sink) || is_done_already(&evaluator, function.id, sink)
                };
                sinks.extend(sink.filter(|sink| !is_nothing(sink)));
            }
        }
        if tries_a_loop(module, &module.functions[id], &sinks[first_sink..]) {
            guarded.push(function);
        }
        for event in &module.functions[id].events {
            let (entered, iterated) = match event {
                Event::Enter(racewalk_ir::ScopeKind::Plain, context) => (Some(*context), None),
                Event::Loop(Some(source)) if module.role(*source) == racewalk_ir::Role::Iterated => {
                    (None, Some(*source))
                }
                _ => continue,
            };
            let value = evaluator.eval(function.id, entered.or(iterated).expect("one of the two is there"));
            let Type::ExternalInstance(class, _) = value else { continue };
            let blocks = program.models().inherited(class, |class| match entered {
                Some(_) => class.enter_blocks.filter(|blocks| *blocks != Blocks::Lock),
                None => class.iterate_blocks,
            });
            if let Some(blocks) = blocks {
                let site = entered.or(iterated).expect("one of the two is there");
                sinks.push(Sink { function, site, callee: value, kind: SinkKind::Blocks(blocks), is_bounded: false });
            }
        }
    }
    InFile { sinks, guarded, knows_thread }
}

fn sink_at(program: &Program, function: FunctionRef, site: &Site) -> Option<Sink> {
    let Site { call, callee, .. } = *site;
    let kind = program.called_at(site).find_map(|(member, model)| {
        if let Type::MadeSync(_) = member {
            return Some(SinkKind::StartsLoop);
        }
        let model = model?;
        match (model.runs_loop, model.blocks) {
            // What makes a plain function of an async one runs nothing before that is called.
            (true, _) if model.decorator.is_some() && !is_called_at_once(program, function, call) => None,
            (true, _) => Some(SinkKind::StartsLoop),
            (_, Some(blocks))
                if !is_of_own_subclass(program, member)
                    && !is_awaited(program, function.file, call)
                    && !is_exempt(program.module(function.file), call, &model.blocks_unless) =>
            {
                Some(SinkKind::Blocks(blocks))
            }
            _ => None,
        }
    })?;
    let module = program.module(function.file);
    let is_bounded = match kind {
        SinkKind::Blocks(Blocks::Thread) => has_literal_limit(module, call),
        SinkKind::Blocks(Blocks::Process) => is_ended_before(program, function, call),
        SinkKind::Blocks(Blocks::Sleep) => sleeps_at_most(module, call, LONGEST_NAP),
        _ => false,
    };
    Some(Sink { function, site: call, callee, kind, is_bounded })
}

/// `wrap(f)(…)`
fn is_called_at_once(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    program.module(function.file).role(call) == racewalk_ir::Role::Callee
}

/// A loop is tried, and where one runs already, another way is taken: `except RuntimeError` around the only start.
fn tries_a_loop(module: &Module, function: &Function, sinks: &[Sink]) -> bool {
    let starts = sinks.iter().filter(|sink| sink.kind == SinkKind::StartsLoop);
    if starts.count() != 1 {
        return false;
    }
    let is_start = |call: ExprId| sinks.iter().any(|sink| sink.site == call && sink.kind == SinkKind::StartsLoop);
    let names_it =
        |caught: ExprId| matches!(module.expr(caught), Expr::Name(name, _) if name.as_str() == "RuntimeError");
    // For each guarded block that is open: its body is, and starts a loop.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for event in &function.events {
        match *event {
            Event::Try => open.push((true, false)),
            Event::Call(call) if is_start(call) => {
                open.iter_mut().filter(|(in_body, _)| *in_body).for_each(|(_, starts)| *starts = true);
            }
            Event::Handler(caught) => {
                let Some((in_body, starts)) = open.last_mut() else { continue };
                *in_body = false;
                if *starts && caught.is_some_and(names_it) {
                    return true;
                }
            }
            Event::Finally | Event::TryElse => open.iter_mut().rev().take(1).for_each(|(in_body, _)| *in_body = false),
            Event::EndTry => {
                open.pop();
            }
            _ => {}
        }
    }
    false
}

/// The result of a future that a wait for several has handed out.
fn is_done_already(evaluator: &Evaluator<'_>, function: FunctionId, sink: &Sink) -> bool {
    if sink.kind != SinkKind::Blocks(Blocks::Thread) {
        return false;
    }
    let module = evaluator.module;
    let Expr::Call(callee, _) = module.expr(sink.site) else { return false };
    let Expr::Attr(future, _) = module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = module.expr(future) else { return false };
    let BindingKind::Element(source) = module.bindings[binding.index()].kind else { return false };
    let waits = |class| evaluator.linked.models.inherited(class, |class| class.iterate_blocks).is_some();
    matches!(evaluator.eval(function, source), Type::ExternalInstance(class, _) if waits(class))
}

/// An archive or table over a file that lies in memory.
fn is_in_memory(evaluator: &Evaluator<'_>, function: FunctionId, sink: &Sink) -> bool {
    let is_of_files = matches!(sink.kind, SinkKind::Blocks(Blocks::File | Blocks::Disk));
    is_of_files && is_over_memory(evaluator, function, sink.site, 4)
}

/// The value is a file in memory, or is made of one: `ZipFile(buffer)`, `archive.read(…)`, `frame.to_csv(buffer)`.
fn is_over_memory(evaluator: &Evaluator<'_>, function: FunctionId, value: ExprId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let module = evaluator.module;
    let again = |value: ExprId| is_over_memory(evaluator, function, value, depth);
    let is_memory = |value: ExprId| match evaluator.eval(function, value) {
        Type::ExternalInstance(class, _) => evaluator.linked.models.kind(class) == Some(ClassKind::MemoryFile),
        _ => false,
    };
    match module.expr(value) {
        Expr::Call(callee, args) => module.args(args).iter().any(|arg| is_memory(arg.value)) || again(callee),
        Expr::Attr(base, _) => again(base),
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Context(value) => again(value),
            _ => false,
        },
        _ => false,
    }
}

/// A sleep shorter than this, in milliseconds, is not worth mentioning.
const LONGEST_NAP: i32 = 20;

/// The call's first argument, a sleep's seconds, is written down and at most so many milliseconds.
pub fn sleeps_at_most(module: &Module, call: ExprId, milliseconds: i32) -> bool {
    let Expr::Call(_, args) = module.expr(call) else { return false };
    module.args(args).first().is_some_and(|arg| match module.expr(arg.value) {
        Expr::Literal(Literal::Int(seconds)) => seconds == 0,
        Expr::Literal(Literal::Number(thousandths)) => thousandths <= milliseconds,
        _ => false,
    })
}

/// `process.kill(); process.wait()`: the process that is waited for has been told to end.
fn is_ended_before(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let ends = |callee: Type| matches!(callee, Type::ExternalMethod(_, method, _) if matches!(method.as_str(), "kill" | "terminate"));
    let before = program.sites(function).iter().take_while(|site| site.call != call);
    before.into_iter().any(|site| ends(site.callee))
}

/// A time limit that is written down as a number.
fn has_literal_limit(module: &Module, call: ExprId) -> bool {
    let Expr::Call(_, args) = module.expr(call) else { return false };
    module.args(args).iter().any(|arg| {
        let is_limit = match arg.kind {
            ArgKind::Named(name) => name.as_str() == "timeout",
            kind => kind == ArgKind::Positional,
        };
        is_limit && matches!(module.expr(arg.value), Expr::Literal(Literal::Int(_) | Literal::Number(_)))
    })
}

/// The call has an argument with which the callee does not block.
fn is_exempt(module: &Module, call: ExprId, unless: &[String]) -> bool {
    let Expr::Call(callee, args) = module.expr(call) else { return false };
    unless.iter().any(|condition| match condition.split_once('=') {
        Some((name, value)) => module.args(args).iter().any(|arg| {
            let is_value = match module.expr(arg.value) {
                Expr::Literal(Literal::Bool(truth)) => value == if truth { "True" } else { "False" },
                Expr::Literal(Literal::Int(number)) => value == number.to_string(),
                Expr::Literal(Literal::None) => value == "None",
                _ => false,
            };
            is_value && matches!(arg.kind, ArgKind::Named(given) if given.as_str() == name)
        }),
        None => match condition.strip_prefix("new~") {
            Some(wanted) => {
                maker(module, callee).is_some_and(|args| args.iter().any(|arg| mentions(module, arg.value, wanted)))
            }
            None => {
                let wanted = condition.trim_start_matches('~');
                module.args(args).iter().any(|arg| mentions(module, arg.value, wanted))
            }
        },
    })
}

/// The arguments with which a method's receiver was made, when a local name holds it.
fn maker(module: &Module, method: ExprId) -> Option<&[racewalk_ir::Arg]> {
    let Expr::Attr(receiver, _) = module.expr(method) else { return None };
    let Expr::Name(_, Defs::One(binding)) = module.expr(receiver) else { return None };
    let (BindingKind::Value(made) | BindingKind::Context(made)) = module.bindings[binding.index()].kind else {
        return None;
    };
    match module.expr(made) {
        Expr::Call(_, args) => Some(module.args(args)),
        _ => None,
    }
}

fn mentions(module: &Module, expr: ExprId, wanted: &str) -> bool {
    match module.expr(expr) {
        Expr::Name(name, _) | Expr::Attr(_, name) => name.as_str().contains(wanted),
        Expr::Operation(list) => module.list(list).iter().any(|operand| mentions(module, *operand, wanted)),
        _ => false,
    }
}

/// A method that an own class inherits from a library's template: what it does is what the own class's methods do.
fn is_of_own_subclass(program: &Program, callee: Type) -> bool {
    let Type::ExternalMethod(class, _, receiver) = callee else { return false };
    matches!(receiver.get(), Type::Instance(..))
        && program.models().inherited(class, |class| class.template.then_some(())).is_some()
}

/// What is awaited gives the thread back, whatever a model says of its namesake.
fn is_awaited(program: &Program, file: FileId, call: ExprId) -> bool {
    use racewalk_ir::Role;
    matches!(program.module(file).role(call), Role::Awaited | Role::EnteredAsync | Role::IteratedAsync)
}

/// The function looks for a running loop and so may know what it does: a probe inside `try`, or a condition on it.
fn asks_for_loop(program: &Program, function: FunctionRef) -> bool {
    let mut guarded_blocks = 0;
    let mut probes = program.sites(function).iter().filter_map(|site| probe(program, site).map(|p| (site.call, p)));
    let Some(first) = probes.next() else { return false };
    let mut probes: Vec<(ExprId, Probe)> = std::iter::once(first).chain(probes).collect();
    for event in &program.function(function).events {
        match event {
            Event::Try => guarded_blocks += 1,
            Event::EndTry => guarded_blocks -= 1,
            Event::Call(call) => {
                if let Some(at) = probes.iter().position(|(probe, _)| probe == call) {
                    match probes.remove(at).1 {
                        Probe::Asks => return true,
                        Probe::Raises if guarded_blocks > 0 => return true,
                        Probe::Raises => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// The function asks which thread it runs in.
fn asks_for_thread(program: &Program, function: FunctionRef) -> bool {
    program.sites(function).iter().any(|site| match site.callee {
        Type::External(path) => {
            matches!(path.as_str(), "threading.get_ident" | "threading.current_thread" | "threading.main_thread")
        }
        _ => false,
    })
}

/// `if in_loop(): …`: the check is in a helper.
fn add_guarded_by_helper(program: &Program, guarded: &mut FxHashSet<FunctionRef>) {
    use racewalk_ir::Role;
    let asks = |caller: FunctionRef| {
        program.sites(caller).iter().any(|site| {
            let role = program.module(caller.file).role(site.call);
            let is_condition = matches!(role, Role::Condition | Role::Tested);
            is_condition
                && matches!(site.callee, Type::Function(target) | Type::Method(target, _) if guarded.contains(&target))
        })
    };
    let more: Vec<FunctionRef> = program.functions().filter(|caller| asks(*caller)).collect();
    guarded.extend(more);
}

enum Probe {
    /// Says whether a loop runs.
    Asks,
    /// Raises when no loop runs.
    Raises,
}

fn probe(program: &Program, site: &Site) -> Option<Probe> {
    let name = match site.callee {
        Type::External(path) => path.last_segment(),
        Type::ExternalMethod(_, method, _) => method.as_str(),
        _ => return None,
    };
    match name {
        "is_running" => Some(Probe::Asks),
        "current_async_library" | "_get_running_loop" => Some(Probe::Asks),
        "get_running_loop" if program.model_at(site).is_some_and(|model| model.needs_running_loop) => {
            Some(Probe::Raises)
        }
        _ => None,
    }
}

/// From the sinks backwards through plain functions.
fn backwards(program: &Program, summaries: &Summaries, trouble: Trouble) -> FxHashMap<FunctionRef, Step> {
    let mut steps: FxHashMap<FunctionRef, Step> = FxHashMap::default();
    let mut queue = VecDeque::new();
    let passes = |function: FunctionRef| {
        runs_in_callers_thread(program, function)
            && !summaries.knows_thread.contains(&function)
            // What starts a loop when none runs still blocks when one does.
            && !(trouble == Trouble::StartsLoop && summaries.guarded.contains(&function))
    };
    for (number, sink) in summaries.sinks.iter().enumerate().filter(|(_, sink)| trouble.is_caused_by(sink.kind)) {
        if passes(sink.function) && !steps.contains_key(&sink.function) {
            let step = Step { site: sink.site, next: None, sink: number as u32, distance: 0, is_override: false };
            steps.insert(sink.function, step);
            queue.push_back(sink.function);
        }
    }
    while let Some(function) = queue.pop_front() {
        let step = steps[&function];
        for (caller, site, how) in summaries.callers.of(function) {
            let runs_it = matches!(how, How::Calls | How::Implicit | How::Callback);
            if !runs_it || !passes(*caller) || steps.contains_key(caller) {
                continue;
            }
            if let Some(is_override) = program.leads_to(&steps, *caller, *site, function) {
                let distance = step.distance + 1;
                steps.insert(
                    *caller,
                    Step { site: *site, next: Some(function), sink: step.sink, distance, is_override },
                );
                queue.push_back(*caller);
            }
        }
    }
    steps
}

/// A plain function or lambda: its body runs where it is called. Module bodies and class bodies run at import.
fn runs_in_callers_thread(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    !body.is_async && matches!(body.kind, FunctionKind::Function | FunctionKind::Lambda)
}

/// Entry points forwards along all calls; the first three that reach a function are kept.
fn reached(program: &Program) -> FxHashMap<FunctionRef, Vec<FunctionRef>> {
    const KEPT: usize = 3;
    let mut reached: FxHashMap<FunctionRef, Vec<FunctionRef>> = FxHashMap::default();
    let serving = |serves: Serves| matches!(serves, Serves::Request | Serves::Event | Serves::Tool | Serves::Job);
    let mut starts: Vec<FunctionRef> =
        program.entries.iter().filter(|(_, e)| serving(e.entry.serves)).map(|(function, _)| *function).collect();
    starts.sort_unstable();
    for start in starts {
        let mut queue = vec![start];
        while let Some(function) = queue.pop() {
            let from = reached.entry(function).or_default();
            if from.len() >= KEPT || from.contains(&start) {
                continue;
            }
            from.push(start);
            queue.extend(program.edges(function).iter().map(|edge| edge.target));
        }
    }
    reached
}

impl Program {
    /// All functions and other bodies, file by file.
    pub fn functions(&self) -> impl Iterator<Item = FunctionRef> + '_ {
        self.files().flat_map(|file| {
            (0..self.module(file).functions.len() as u32).map(move |id| FunctionRef { file, id: FunctionId(id) })
        })
    }

    /// Where a function's body runs, as far as its entry point says.
    pub fn entry_runs(&self, function: FunctionRef) -> Option<(Serves, Runs)> {
        let entry = &self.entries.get(&function)?.entry;
        let is_async = self.function(function).is_async;
        Some((entry.serves, if is_async { entry.asynchronous } else { entry.plain }))
    }

    /// Whether running `target` at this site says something of the site: where one of several overriding methods may
    /// run, at least half of those with a body must lead to a sink. `Some(true)` when `target` is an overriding one.
    pub fn leads_to(
        &self,
        steps: &FxHashMap<FunctionRef, Step>,
        caller: FunctionRef,
        site: ExprId,
        target: FunctionRef,
    ) -> Option<bool> {
        let at_site = self.edges_at(caller, site).iter();
        let is_override = at_site.clone().any(|edge| edge.target == target && edge.is_override);
        if !at_site.clone().any(|edge| edge.is_override) {
            return Some(false);
        }
        let with_body = at_site.filter(|edge| self.function(edge.target).stub == racewalk_ir::Stub::No);
        let (all, leading) = with_body
            .fold((0, 0), |(all, leading), edge| (all + 1, leading + usize::from(steps.contains_key(&edge.target))));
        (leading * 2 >= all).then_some(is_override)
    }

    /// The steps from a function to the sink that its first step names, this function's step first.
    pub fn chain(&self, steps: &FxHashMap<FunctionRef, Step>, from: FunctionRef) -> Vec<(FunctionRef, Step)> {
        let mut chain = Vec::new();
        let mut current = Some(from);
        while let Some(function) = current {
            let Some(step) = steps.get(&function) else { break };
            chain.push((function, *step));
            current = step.next;
        }
        chain
    }

    /// The text of a call's callee for messages.
    pub fn callee_text(&self, file: FileId, call: ExprId) -> String {
        match self.module(file).expr(call) {
            Expr::Call(callee, _) => self.path_text(file, callee),
            _ => self.path_text(file, call),
        }
    }
}

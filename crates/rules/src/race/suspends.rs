//! Which coroutine functions may really give up control.
//!
//! An `await` of a coroutine that goes through in one step is no interleaving point: no other task runs there.

use super::cells::Cells;
use super::locks::has_limit;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Stub, SuspendKind};
use racewalk_link::{FileId, FunctionRef, Program, Site, Type};
use racewalk_models::ClassKind;
use rustc_hash::{FxHashMap, FxHashSet};

/// The coroutine functions of a program that may suspend.
#[derive(Default)]
pub(crate) struct Suspends {
    functions: FxHashSet<FunctionRef>,
}

/// What a suspension point waits for.
pub(crate) enum Waits {
    /// Something outside the program, or something unknown: control may go to another task.
    Outside,
    /// Nothing: the models say that the call never suspends.
    Nothing,
    /// These functions of the program: control goes to another task when one of them gives it up.
    For(Vec<FunctionRef>),
}

impl Suspends {
    /// The functions that may suspend as far as anybody knows.
    pub fn new(program: &Program) -> Self {
        // Nothing is known of what an abstract method's implementations do.
        let is_open = |function: FunctionRef| program.function(function).stub != Stub::No;
        Self::following(program, is_open, |_, _, _| true)
    }

    /// The functions that are known to: `is_known` tells of waits for something outside the program.
    pub fn known(program: &Program, is_known: impl Fn(FunctionRef, SuspendKind, ExprId) -> bool) -> Self {
        Self::following(program, |_| false, is_known)
    }

    /// A least fixpoint over the call graph, from the functions that wait for something outside the program.
    fn following(
        program: &Program,
        is_open: impl Fn(FunctionRef) -> bool,
        counts: impl Fn(FunctionRef, SuspendKind, ExprId) -> bool,
    ) -> Self {
        let mut waiting: FxHashMap<FunctionRef, Vec<FunctionRef>> = FxHashMap::default();
        let mut open = Vec::new();
        for function in program.functions() {
            let body = program.function(function);
            if !body.is_async || program.is_installed(function.file) {
                continue;
            }
            let mut is_outside = is_open(function);
            // What a generator hands out goes to whoever asks it, and to no other task.
            for (kind, operand) in suspensions(&body.events).filter(|(kind, _)| *kind != SuspendKind::Yield) {
                match waits(program, function, kind, operand) {
                    Waits::Outside => is_outside |= counts(function, kind, operand),
                    Waits::Nothing => {}
                    Waits::For(targets) => targets.into_iter().for_each(|target| {
                        waiting.entry(target).or_default().push(function);
                    }),
                }
            }
            if is_outside {
                open.push(function);
            }
        }
        let mut functions = FxHashSet::default();
        while let Some(function) = open.pop() {
            if functions.insert(function) {
                open.extend(waiting.get(&function).into_iter().flatten());
            }
        }
        Self { functions }
    }

    /// The coroutine function may give up control.
    pub fn contains(&self, function: FunctionRef) -> bool {
        self.functions.contains(&function)
    }

    /// Control may go to another task at this suspension point.
    pub fn at(&self, program: &Program, function: FunctionRef, kind: SuspendKind, operand: ExprId) -> bool {
        match waits(program, function, kind, operand) {
            Waits::Outside => true,
            Waits::Nothing => false,
            Waits::For(targets) => targets.into_iter().any(|target| self.contains(target)),
        }
    }
}

/// The suspension points among events.
pub(crate) fn suspensions(events: &[Event]) -> impl Iterator<Item = (SuspendKind, ExprId)> + '_ {
    events.iter().filter_map(|event| match *event {
        Event::Suspend(kind, operand) => Some((kind, operand)),
        _ => None,
    })
}

/// What a suspension point waits for.
pub(crate) fn waits(program: &Program, function: FunctionRef, kind: SuspendKind, operand: ExprId) -> Waits {
    if kind == SuspendKind::Yield {
        return Waits::Outside;
    }
    let site = program.site(function, operand);
    if site.is_some_and(|site| is_known_to_go_through(program, site) || has_always_room(program, function, site)) {
        return Waits::Nothing;
    }
    let runs = program.edges_at(function, operand).iter().map(|edge| edge.target);
    let targets: Vec<FunctionRef> = runs.filter(|target| program.function(*target).is_async).collect();
    let is_of_program = |site: &Site| {
        site.callee.members().iter().all(|member| program.model_of(*member).is_none() && !member.is_unknown())
    };
    if targets.is_empty() || !site.is_none_or(is_of_program) {
        return Waits::Outside;
    }
    Waits::For(targets)
}

/// Something is put into a queue that is not known to have a limit: by default they have none, and then nobody waits.
fn has_always_room(program: &Program, function: FunctionRef, site: &Site) -> bool {
    let Some(queue) = put_into(program, function, site) else { return false };
    let evaluator = program.evaluator(function.file);
    let cells = Cells { program, evaluator: &evaluator, function };
    let limit = cells.of(queue).and_then(|cell| has_limit(&cells, cell));
    !limit.unwrap_or_else(|| makes_limited_queue(program, function.file))
}

/// Some code of the file makes a queue with a limit.
fn makes_limited_queue(program: &Program, file: FileId) -> bool {
    let module = program.module(file);
    let functions = (0..module.functions.len() as u32).map(|id| FunctionRef { file, id: FunctionId(id) });
    let mut sites = functions.flat_map(|function| program.sites(function));
    sites.any(|site| {
        let is_queue = matches!(site.callee, Type::External(path)
            if program.models().kind(path) == Some(ClassKind::AsyncQueue));
        is_queue && matches!(module.expr(site.call), Expr::Call(_, args) if !module.args(args).is_empty())
    })
}

/// The queue of `queue.put(item)`.
pub(crate) fn put_into(program: &Program, function: FunctionRef, site: &Site) -> Option<ExprId> {
    let module = program.module(function.file);
    let Expr::Call(callee, _) = module.expr(site.call) else { return None };
    let Expr::Attr(queue, method) = module.expr(callee) else { return None };
    let is_queue = matches!(site.callee, Type::ExternalMethod(class, ..)
        if program.models().kind(class) == Some(ClassKind::AsyncQueue));
    (is_queue && method.as_str() == "put").then_some(queue)
}

/// The models say that the call never suspends.
fn is_known_to_go_through(program: &Program, site: &Site) -> bool {
    program.model_at(site).is_some_and(|model| model.never_suspends)
}

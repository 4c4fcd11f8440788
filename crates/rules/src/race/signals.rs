//! Signals: what tasks give each other through queues, events and conditions, over the whole program.

use super::cells::{Cells, Root, name_of};
use super::paths::{Path, Paths};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Name};
use racewalk_link::{Evaluator, FileId, FunctionRef, Program, Type};
use racewalk_models::ClassKind;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

/// What a call does to a queue, an event or a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    /// Puts an item, and waits for a free place.
    Puts,
    /// Puts an item if there is a free place.
    PutsNow,
    /// Gets an item.
    Gets,
    /// Says that an item is done.
    Finishes,
    /// Waits until all items are done.
    Joins,
    /// Sets an event.
    Sets,
    /// Clears an event.
    Clears,
    /// Waits for an event or condition.
    Waits,
    /// Waits until a predicate holds.
    WaitsFor,
    /// Wakes who waits for a condition.
    Notifies,
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// A queue.
    Queue,
    /// An event, which keeps its signal.
    Event,
    /// A condition, which does not.
    Condition,
}

/// One such call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal {
    /// Where.
    pub function: FunctionRef,
    /// The call.
    pub call: ExprId,
    /// Its event.
    pub event: usize,
    /// What it does.
    pub act: Act,
    /// To what.
    pub through: Through,
    /// The place that keeps it.
    pub root: Option<Root>,
    /// The object, as the function names it.
    pub path: Option<Path>,
}

/// The signals of a program.
#[derive(Default)]
pub(crate) struct Signals {
    by_root: FxHashMap<Root, Vec<Signal>>,
    by_function: FxHashMap<FunctionRef, Vec<Signal>>,
    /// What is done to something unknown that has this name.
    loose: FxHashSet<(Name, Act)>,
}

impl Signals {
    /// Looks for them.
    pub fn new(program: &Program) -> Self {
        let files: Vec<FileId> = program.files().filter(|file| !program.is_installed(*file)).collect();
        let found: Vec<InFile> = files.into_par_iter().map(|file| in_file(program, file)).collect();
        let mut signals = Self::default();
        for (known, loose) in found {
            signals.loose.extend(loose);
            for signal in known {
                signals.by_function.entry(signal.function).or_default().push(signal);
                if let Some(root) = signal.root {
                    signals.by_root.entry(root).or_default().push(signal);
                }
            }
        }
        signals
    }

    /// What a function does, in order.
    pub fn of(&self, function: FunctionRef) -> &[Signal] {
        self.by_function.get(&function).map_or(&[], Vec::as_slice)
    }

    /// Who does this to what is kept there; none when somebody may do it unseen.
    pub fn all(&self, program: &Program, root: Root, acts: &[Act]) -> Option<Vec<Signal>> {
        let name = name_of(program, root);
        if acts.iter().any(|act| self.loose.contains(&(name, *act))) {
            return None;
        }
        let all = self.by_root.get(&root).into_iter().flatten();
        Some(all.filter(|signal| acts.contains(&signal.act)).copied().collect())
    }
}

type InFile = (Vec<Signal>, Vec<(Name, Act)>);

fn in_file(program: &Program, file: FileId) -> InFile {
    let evaluator = program.evaluator(file);
    let mut found = InFile::default();
    for id in (0..program.module(file).functions.len() as u32).map(FunctionId) {
        in_function(program, &evaluator, FunctionRef { file, id }, &mut found);
    }
    found
}

fn in_function(program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef, found: &mut InFile) {
    let module = program.module(function.file);
    for site in program.sites(function) {
        let Expr::Call(callee, _) = module.expr(site.call) else { continue };
        let Expr::Attr(receiver, method) = module.expr(callee) else { continue };
        let Some(act) = act(method.as_str()) else { continue };
        let through = match site.callee {
            Type::ExternalMethod(class, ..) => through(program, class),
            Type::Unknown(_) => {
                // Other things have methods of these names too; what counts here is that it may be one of ours.
                if let Expr::Attr(_, name) | Expr::Name(name, _) = module.expr(receiver) {
                    found.1.push((name, act));
                }
                continue;
            }
            _ => None,
        };
        let Some(through) = through else { continue };
        let is_it = |event: &Event| *event == Event::Call(site.call);
        let Some(event) = program.function(function).events.iter().position(is_it) else { continue };
        let root = Cells { program, evaluator, function }.of(receiver).map(|cell| cell.root);
        let path = Paths { program, evaluator, function }.of(receiver);
        found.0.push(Signal { function, call: site.call, event, act, through, root, path });
    }
}

fn act(method: &str) -> Option<Act> {
    Some(match method {
        "put" => Act::Puts,
        "put_nowait" => Act::PutsNow,
        "get" | "get_nowait" => Act::Gets,
        "task_done" => Act::Finishes,
        "join" => Act::Joins,
        "set" => Act::Sets,
        "clear" => Act::Clears,
        "wait" => Act::Waits,
        "wait_for" => Act::WaitsFor,
        "notify" | "notify_all" => Act::Notifies,
        _ => return None,
    })
}

fn through(program: &Program, class: Name) -> Option<Through> {
    let models = program.models();
    match models.kind(class)? {
        ClassKind::AsyncQueue | ClassKind::ThreadQueue => Some(Through::Queue),
        ClassKind::AsyncEvent | ClassKind::ThreadEvent => {
            let notifies = models.method(class, Name::new("notify")).is_some();
            let sets = models.method(class, Name::new("set")).is_some();
            match (notifies, sets) {
                (true, _) => Some(Through::Condition),
                (_, true) => Some(Through::Event),
                _ => None,
            }
        }
        _ => None,
    }
}

//! Which locks are held at an access or a suspension: the function's own, and those that every caller holds.

use super::names;
use crate::context::Context;
use crate::finding::Place;
use crate::looping::is_test_module;
use crate::race::cells::{Cells, Root};
use crate::race::held::{Sort, Take};
use crate::race::locks::{Guard, guard};
use crate::race::paths::{Key, Origin, Path};
use crate::race::reach::runs_there;
use crate::sharing::wrapped_calls;
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, Name};
use racewalk_link::{ClassRef, FunctionRef, Program, Type};
use racewalk_report::inventory::{Answer, Held};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// How many names and functions a lock is followed through to the place that keeps it.
const LONGEST_WAY: u32 = 5;

/// How the name of something begins that may be a lock.
pub(super) const PERHAPS: &str = "perhaps ";

/// How many calls away locks of callers are looked for.
const FARTHEST_CALLER: u32 = 3;

/// What a lock is called: as the place that keeps it, else as the code names it there.
pub(super) fn lock_name(program: &Program, function: FunctionRef, take: &Take) -> String {
    match kept_in(program, function, take) {
        Some((root, true)) => format!("{}[…]", names::name(program, root)),
        Some((root, false)) => names::name(program, root),
        None => program.path_text(function.file, place_of(program, function, take)),
    }
}

/// The place that keeps what is taken, and whether that is a table of locks: also of one that has another name here, that
/// comes out of a table, or that a context manager takes which is given it.
pub(crate) fn kept_in(program: &Program, function: FunctionRef, take: &Take) -> Option<(Root, bool)> {
    let keyed = take.lock.is_some_and(|lock| lock.key != Key::None);
    if let Some(root) = take.root {
        return Some((root, keyed));
    }
    let of_path = || take.lock.and_then(|lock| root_of(program, function, lock.path)).map(|root| (root, keyed));
    kept_at(program, function, place_of(program, function, take), LONGEST_WAY).or_else(of_path)
}

/// The place that keeps the lock behind an expression: through locals, tables, and functions that hand it out.
fn kept_at(program: &Program, function: FunctionRef, place: ExprId, left: u32) -> Option<(Root, bool)> {
    let left = left.checked_sub(1)?;
    let evaluator = program.evaluator(function.file);
    let cells = Cells { program, evaluator: &evaluator, function };
    if let Some(Guard::Lock(cell) | Guard::Several(cell)) = guard(&cells, place)
        && cell.part.is_none()
    {
        return Some((cell.root, cell.key.is_some()));
    }
    let module = program.module(function.file);
    match module.expr(place) {
        Expr::Name(name, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => kept_at(program, function, value, left),
            BindingKind::ImportMember(..) => {
                let variable = program.variable(&evaluator, function.id, name)?;
                Some((names::variable(program, variable), false))
            }
            _ => None,
        },
        Expr::Await(value) => kept_at(program, function, value, left),
        Expr::Call(..) => match program.site(function, place)?.callee {
            Type::Function(target) | Type::Method(target, _) => {
                let values = &program.function(target).return_values;
                values.iter().find_map(|value| kept_at(program, target, *value, left))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The place that a path of one member, or of none, leads to.
fn root_of(program: &Program, function: FunctionRef, path: Path) -> Option<Root> {
    match (path.origin, path.members.as_str()) {
        (Origin::Variable(variable), "") => Some(names::variable(program, variable)),
        (Origin::Receiver, members) => {
            let member = members.strip_prefix('.').filter(|member| !member.contains('.'))?;
            let module = program.module(function.file);
            let outwards = std::iter::successors(Some(function.id), |id| module.function(*id).parent);
            let id = outwards.into_iter().find_map(|id| module.function(id).class)?;
            names::field(program, ClassRef { file: function.file, id }, Name::new(member))
        }
        _ => None,
    }
}

/// The expression that names what is taken.
pub(crate) fn place_of(program: &Program, function: FunctionRef, take: &Take) -> ExprId {
    let module = program.module(function.file);
    match module.expr(take.at) {
        Expr::Call(callee, _) if take.by_hand => match module.expr(callee) {
            Expr::Attr(receiver, _) => receiver,
            _ => take.at,
        },
        _ => take.at,
    }
}

/// It keeps others out, or at least all but some.
fn is_lock(take: &&Take) -> bool {
    !matches!(take.sort, Sort::Deadline)
}

/// A lock by name; one that may be none says so.
fn told(program: &Program, function: FunctionRef, take: &Take) -> String {
    let name = lock_name(program, function, take);
    match take.sort {
        Sort::Perhaps => format!("{PERHAPS}{name}"),
        Sort::Several => format!("{name} (semaphore)"),
        _ => name,
    }
}

/// Answers for the functions of one file, and remembers what it has found out.
pub(super) struct Guards<'c, 'p> {
    ctx: &'c Context<'p>,
    of_callers: RefCell<FxHashMap<FunctionRef, Vec<String>>>,
}

impl<'c, 'p> Guards<'c, 'p> {
    pub fn new(ctx: &'c Context<'p>) -> Self {
        Self { ctx, of_callers: RefCell::default() }
    }

    /// The locks that are held at an event, the callers' included.
    pub fn locks_at(&self, function: FunctionRef, event: usize) -> Vec<String> {
        let program = self.ctx.program;
        let holds = self.ctx.shared.race.locks.holds(function);
        let own = holds.into_iter().flat_map(|holds| holds.held_at(event)).filter(is_lock);
        let mut names: Vec<String> = own.map(|take| told(program, function, take)).collect();
        // Of what is perhaps a lock nothing is said where one certainly is.
        let is_sure = !names.is_empty();
        for name in self.of_callers(function) {
            let is_told = names.contains(&name) || is_sure && name.starts_with(PERHAPS);
            names.extend((!is_told).then_some(name));
        }
        names
    }

    /// The locks that every caller holds while it calls.
    pub fn of_callers(&self, function: FunctionRef) -> Vec<String> {
        if self.ctx.shared.race.locks.is_empty() {
            return Vec::new();
        }
        if let Some(known) = self.of_callers.borrow().get(&function) {
            return known.clone();
        }
        let found = held_by_callers(self.ctx, function, FARTHEST_CALLER);
        self.of_callers.borrow_mut().insert(function, found.clone());
        found
    }

    /// The locks, permits and deadlines that are held at an event; callers' locks have no place.
    pub fn held_at(&self, function: FunctionRef, event: usize) -> Vec<Held<Place>> {
        let program = self.ctx.program;
        let module = program.module(function.file);
        let holds = self.ctx.shared.race.locks.holds(function);
        let own = holds.into_iter().flat_map(|holds| holds.held_at(event));
        let mut held: Vec<Held<Place>> = own
            .map(|take| Held {
                kind: kind(take).to_owned(),
                name: lock_name(program, function, take),
                since: Some(Place { file: function.file, span: module.span(take.at) }),
            })
            .collect();
        let is_sure = held.iter().any(|held| held.kind == "lock");
        let callers = self.of_callers(function).into_iter().filter(|name| !(is_sure && name.starts_with(PERHAPS)));
        held.extend(callers.map(|name| Held { kind: "lock of every caller".to_owned(), name, since: None }));
        held
    }
}

fn held_by_callers(ctx: &Context<'_>, function: FunctionRef, left: u32) -> Vec<String> {
    let Some(left) = left.checked_sub(1) else { return Vec::new() };
    let mut names = by_decorators(ctx, function);
    let program = ctx.program;
    names.extend(ctx.shared.claims.held_by_claim(ctx, function).map(|root| names::name(program, root)));
    if program.entries.contains_key(&function) {
        return names;
    }
    let is_test = |caller: FunctionRef| is_test_module(program.module(caller.file).name.as_str());
    let callers = program.summaries.callers.of(function).iter();
    let mut common: Option<Vec<String>> = None;
    for (caller, site, how) in callers.filter(|(caller, ..)| !is_test(*caller) && *caller != function) {
        let held = if runs_there(program, *caller, *site, *how, function) {
            let mut held = at_call(ctx, *caller, *site);
            held.extend(held_by_callers(ctx, *caller, left));
            held
        } else {
            Vec::new()
        };
        match &mut common {
            None => common = Some(held),
            Some(common) => common.retain(|name| held.contains(name)),
        }
        if common.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    names.extend(common.unwrap_or_default());
    names
}

fn at_call(ctx: &Context<'_>, function: FunctionRef, call: ExprId) -> Vec<String> {
    let held = ctx.shared.race.locks.held_at(ctx.program, function, call).filter(is_lock);
    held.map(|take| told(ctx.program, function, take)).collect()
}

/// What the wrappers of its decorators hold while they call it.
fn by_decorators(ctx: &Context<'_>, function: FunctionRef) -> Vec<String> {
    if ctx.program.function(function).decorators.is_empty() {
        return Vec::new();
    }
    let calls = wrapped_calls(ctx.program, function);
    calls.into_iter().flat_map(|(wrapper, call)| at_call(ctx, wrapper, call)).collect()
}

fn kind(take: &Take) -> &'static str {
    match take.sort {
        Sort::Exclusive | Sort::Reentrant => "lock",
        Sort::Several => "semaphore",
        Sort::Perhaps => "perhaps a lock",
        Sort::Deadline => "deadline",
    }
}

/// Control may be given up between taking this and giving it back.
pub(super) fn is_held_across(ctx: &Context<'_>, function: FunctionRef, number: usize) -> Answer {
    let events = &ctx.program.function(function).events;
    let Some(holds) = ctx.shared.race.locks.holds(function) else { return Answer::No };
    let first = holds.takes[number].event as usize;
    let suspends = events.iter().enumerate().skip(first + 1).any(|(at, event)| match *event {
        Event::Suspend(kind, operand) => {
            let is_own_exit = operand == holds.takes[number].at;
            let is_held = holds.at(at).contains(&(number as u16));
            is_held && !is_own_exit && ctx.shared.race.suspends.at(ctx.program, function, kind, operand)
        }
        _ => false,
    });
    if suspends { Answer::Yes } else { Answer::No }
}

//! Locks: what a function holds while it runs, and whom that keeps out.

use super::cells::{Cell, Cells, Root};
use super::overlap::is_of;
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, Literal, Name};
use racewalk_link::{ClassRef, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;

/// What is entered or acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A lock that is kept at this place, or one of a table of locks that is kept there.
    Lock(Cell),
    /// Something that may be a lock, of which nothing is known.
    Perhaps,
    /// A lock that is made anew for every call, and so keeps nobody out.
    PerCall,
    /// A semaphore that lets several in.
    Several(Cell),
}

impl Guard {
    /// Who holds it keeps others out, as far as can be told.
    pub fn excludes(self) -> bool {
        matches!(self, Guard::Lock(_) | Guard::Perhaps)
    }
}

const LOCKS: [ClassKind; 2] = [ClassKind::AsyncLock, ClassKind::ThreadLock];
const SEMAPHORES: [ClassKind; 2] = [ClassKind::AsyncSemaphore, ClassKind::ThreadSemaphore];

/// What entering a context manager, or acquiring a receiver, takes hold of; none when it certainly is no lock.
pub(crate) fn guard(cells: &Cells<'_, '_>, value: ExprId) -> Option<Guard> {
    let program = cells.program;
    let held = cells.evaluator.eval(cells.function.id, value).without_none();
    let is = |kinds: &[ClassKind]| kinds.iter().any(|kind| is_of(program, held, *kind));
    // An event or condition guards with its own lock.
    let is_condition = || is(&[ClassKind::AsyncEvent, ClassKind::ThreadEvent]);
    if is(&LOCKS) || is_condition() {
        return Some(lock(cells, value));
    }
    if is(&SEMAPHORES) {
        return Some(semaphore(cells, value));
    }
    match held {
        Type::Unknown(_) => Some(Guard::Perhaps),
        Type::Instance(class, _) => enters_lock(program, class).then_some(Guard::Perhaps),
        Type::Context(..) => {
            context_function(cells, value).filter(|made| takes_lock(program, *made, 3)).map(|_| Guard::Perhaps)
        }
        _ => None,
    }
}

/// The function whose call makes the context manager.
fn context_function(cells: &Cells<'_, '_>, value: ExprId) -> Option<FunctionRef> {
    let site = cells.program.site(cells.function, value)?;
    match site.callee {
        Type::MadeContext(function, _) | Type::Function(function) | Type::Method(function, _) => Some(function),
        _ => None,
    }
}

/// A context manager of the program that takes a lock as it is entered.
fn enters_lock(program: &Program, class: ClassRef) -> bool {
    let enter = ["__aenter__", "__enter__"].into_iter().find_map(|name| program.method(class, Name::new(name)));
    enter.is_some_and(|enter| takes_lock(program, enter, 3))
}

fn takes_lock(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let evaluator = program.evaluator(function.file);
    let is_lock = |value: ExprId| {
        let held = evaluator.eval(function.id, value).without_none();
        held.is_unknown() || LOCKS.iter().any(|kind| is_of(program, held, *kind))
    };
    let enters = |event: &Event| matches!(*event, Event::Enter(_, context) if is_lock(context));
    program.function(function).events.iter().any(enters)
        || program.sites(function).iter().any(|site| program.models_at(site).any(|model| model.acquires))
        || program.edges(function).iter().any(|edge| takes_lock(program, edge.target, depth))
}

/// The lock behind an expression.
fn lock(cells: &Cells<'_, '_>, value: ExprId) -> Guard {
    match lock_cell(cells, value) {
        Some(cell) => Guard::Lock(cell),
        None if is_made_here(cells, value) => Guard::PerCall,
        None => Guard::Perhaps,
    }
}

/// The place at which the lock is kept, through tables of locks and locals.
fn lock_cell(cells: &Cells<'_, '_>, value: ExprId) -> Option<Cell> {
    if let Some(cell) = cells.of(value) {
        return Some(cell);
    }
    let module = cells.program.module(cells.function.file);
    match module.expr(value) {
        // `self._locks.setdefault(key, Lock())`, `self._locks.get(key)`
        Expr::Call(callee, args) => match module.expr(callee) {
            Expr::Attr(table, _) => {
                let key = module.args(args).first().and_then(|arg| cells.key(arg.value));
                cells.of(table).map(|table| Cell { key: table.key.or(key), ..table })
            }
            _ => None,
        },
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Context(value) | BindingKind::ContextAsync(value) => {
                lock_cell(cells, value)
            }
            _ => None,
        },
        Expr::Await(value) => lock_cell(cells, value),
        _ => None,
    }
}

/// `lock = Lock()` in the function itself, and nobody else is given it.
fn is_made_here(cells: &Cells<'_, '_>, value: ExprId) -> bool {
    let module = cells.program.module(cells.function.file);
    match module.expr(value) {
        Expr::Name(_, Defs::One(binding)) => {
            let bound = module.bindings[binding.index()];
            matches!(bound.kind, BindingKind::Value(made) if is_construction(cells, made))
        }
        _ => is_construction(cells, value),
    }
}

fn is_construction(cells: &Cells<'_, '_>, value: ExprId) -> bool {
    let site = cells.program.site(cells.function, value);
    site.is_some_and(|site| matches!(site.callee, Type::External(_)))
}

/// A semaphore that is made with one permit is a lock.
fn semaphore(cells: &Cells<'_, '_>, value: ExprId) -> Guard {
    let Some(cell) = lock_cell(cells, value) else { return Guard::Perhaps };
    match permits(cells, cell) {
        Some(1) => Guard::Lock(cell),
        _ => Guard::Several(cell),
    }
}

/// The number of permits that a semaphore is made with, where it is written down; more than one when it is computed.
pub(crate) fn permits(cells: &Cells<'_, '_>, cell: Cell) -> Option<i32> {
    match made_with(cells, cell, "value")? {
        Given::Nothing => Some(1),
        Given::Number(permits) => Some(permits),
        Given::Computed => None,
    }
}

/// The queue is made with a limit: putting something into it may wait. None when nobody sees it made.
pub(crate) fn has_limit(cells: &Cells<'_, '_>, cell: Cell) -> Option<bool> {
    Some(match made_with(cells, cell, "maxsize")? {
        Given::Number(limit) => limit > 0,
        Given::Computed => true,
        Given::Nothing => false,
    })
}

/// What the call that makes an object is given first.
enum Given {
    Nothing,
    Number(i32),
    Computed,
}

/// The first argument, or the one of this name, of the call that makes what is kept there.
fn made_with(cells: &Cells<'_, '_>, cell: Cell, name: &str) -> Option<Given> {
    let program = cells.program;
    let (file, value) = match cell.root {
        Root::Field(class, name) => {
            let field = program.class(class).fields.iter().find(|field| field.name == name)?;
            (class.file, value_of(field.kind)?)
        }
        Root::Variable(Variable { owner, symbol }) => {
            let module = program.module(owner.file);
            let bindings = &module.function(owner.id).symbols[symbol.index()].bindings;
            (owner.file, bindings.iter().find_map(|binding| value_of(module.bindings[binding.index()].kind))?)
        }
        Root::Param(..) => return None,
    };
    let module = program.module(file);
    let Expr::Call(_, args) = module.expr(value) else { return None };
    let args = module.args(args);
    let given = args.iter().find(|arg| {
        arg.kind == ArgKind::Positional || matches!(arg.kind, ArgKind::Named(given) if given.as_str() == name)
    });
    Some(match given.map(|arg| module.expr(arg.value)) {
        None => Given::Nothing,
        Some(Expr::Literal(Literal::Int(number))) => Given::Number(number),
        Some(_) => Given::Computed,
    })
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => Some(value),
        _ => None,
    }
}

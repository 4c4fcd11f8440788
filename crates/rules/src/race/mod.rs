//! The race engine: which state several executions share, and where one relies on what another may have changed.
//!
//! Three parts: who may overlap with whom ([`overlap`]), which places are shared ([`cells`]) and under which locks
//! ([`locks`]), and a walk over each function that follows what it knows of a place from the read, across suspensions, to the
//! write ([`walk`]). The rules of the question `share` ask for the conflicts of their kind.

pub(crate) mod cells;
mod containers;
pub(crate) mod locks;
pub(crate) mod overlap;
pub(crate) mod suspends;
pub(crate) mod walk;

use crate::homes::Homes;
use cells::{Cell, Cells, Owner, Root};
use locks::Guard;
use overlap::Overlaps;
use racewalk_ir::{Event, Expr, ExprId};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, Program};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::rc::Rc;
use suspends::Suspends;
use walk::{Known, Summary, walk};

/// What the whole program's functions share, and who overlaps.
#[derive(Default)]
pub(crate) struct Race {
    pub suspends: Suspends,
    pub overlaps: Overlaps,
    lasting: FxHashSet<ClassRef>,
    made_per_call: FxHashSet<ClassRef>,
}

impl Race {
    pub fn new(program: &Program, homes: &Homes) -> Self {
        let lasting = homes.lasting_classes().clone();
        let overlaps = Overlaps::new(program, &|class| lasting.contains(&class));
        Self { suspends: Suspends::new(program), overlaps, lasting, made_per_call: overlap::made_per_call(program) }
    }

    /// The process keeps an instance of the class for good.
    pub fn is_lasting(&self, class: ClassRef) -> bool {
        self.lasting.contains(&class)
    }

    /// Instances are made for a call, and kept by nobody else.
    pub fn is_made_per_call(&self, class: ClassRef) -> bool {
        self.made_per_call.contains(&class)
    }

    /// The guard is not narrower than the cell: an object's own lock says nothing of what all objects share.
    pub fn covers(&self, _program: &Program, guard: Guard, cell: Cell) -> bool {
        let Guard::Lock(lock) = guard else { return true };
        match (lock.root, cell.owner) {
            (Root::Field(class, _), Owner::Static) if lock.owner != Owner::Static => self.is_lasting(class),
            _ => true,
        }
    }
}

/// What walks over functions have found, for one file's rules.
pub(crate) struct Summaries<'p> {
    known: RefCell<Known>,
    evaluators: RefCell<FxHashMap<FileId, Rc<Evaluator<'p>>>>,
    /// Where each open context manager was entered.
    entered: RefCell<FxHashMap<(FunctionRef, ExprId), usize>>,
}

impl<'p> Summaries<'p> {
    pub fn new() -> Self {
        Self { known: RefCell::default(), evaluators: RefCell::default(), entered: RefCell::default() }
    }

    /// What the function does to cells, seen from so many calls away. A function that is being walked over has no effects on
    /// itself; one that was looked at from further away, and so less deeply, is looked at again.
    pub fn of(&self, race: &Race, program: &'p Program, function: FunctionRef, depth: u32) -> Rc<Summary> {
        if let Some((from, known)) = self.known.borrow().get(&function)
            && *from <= depth
        {
            return known.clone();
        }
        self.known.borrow_mut().insert(function, (0, Rc::default()));
        let evaluator = self.evaluator(program, function.file);
        let summary = Rc::new(walk(race, self, program, &evaluator, function, depth));
        self.known.borrow_mut().insert(function, (depth, summary.clone()));
        summary
    }

    /// A lock is held where a function comes to an expression.
    pub fn holds_lock_at(&self, program: &'p Program, function: FunctionRef, site: ExprId) -> bool {
        let evaluator = self.evaluator(program, function.file);
        let cells = Cells { program, evaluator: &evaluator, function };
        let mut held: Vec<ExprId> = Vec::new();
        for event in &program.function(function).events {
            match *event {
                Event::Enter(_, context) if locks::guard(&cells, context).is_some_and(Guard::excludes) => {
                    held.push(context);
                }
                Event::Exit(_, context) => held.retain(|entered| *entered != context),
                Event::Call(call) if call == site => return !held.is_empty(),
                Event::Call(call) => {
                    let model = program.site(function, call).and_then(|site| program.model_at(site));
                    let Some(model) = model.filter(|model| model.acquires || model.releases) else { continue };
                    let Expr::Call(callee, _) = program.module(function.file).expr(call) else { continue };
                    if model.acquires {
                        held.push(callee);
                    } else {
                        held.pop();
                    }
                }
                _ => {}
            }
        }
        false
    }

    fn evaluator(&self, program: &'p Program, file: FileId) -> Rc<Evaluator<'p>> {
        let mut evaluators = self.evaluators.borrow_mut();
        evaluators.entry(file).or_insert_with(|| Rc::new(program.evaluator(file))).clone()
    }
}

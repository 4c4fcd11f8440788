//! What is known across files, settled in rounds.
//!
//! Each round evaluates every slot that is not settled yet from the slots of the round before (a Jacobi iteration), one
//! file a job. A slot is settled when its evaluation met no unsettled slot, so the outcome depends neither on the order
//! of the files nor on the number of threads, and recursion between files needs no care.

use crate::types::{Type, Types, Why};
use racewalk_ir::{Module, Name};
use rustc_hash::FxHashMap;

/// The rounds after which what is still unsettled stays unknown: longer chains of inference are rare, and circular
/// ones never settle.
pub(crate) const ROUNDS: usize = 7;

/// A value that rounds settle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub value: Type,
    pub settled: bool,
}

impl Slot {
    pub const OPEN: Slot = Slot { value: Type::Unknown(Why::Depth), settled: false };

    pub const fn settled(value: Type) -> Slot {
        Slot { value, settled: true }
    }
}

/// What is known of a function.
#[derive(Clone, Debug)]
pub(crate) struct FunctionSlots {
    /// What its body returns (of an asynchronous function: what awaiting gives).
    pub returns: Slot,
    /// What its name stands for after its decorators.
    pub value: Slot,
    /// Types of its parameters that calls settle; empty before they are collected.
    pub params: Vec<Type>,
}

/// What is known of a class.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassSlots {
    /// The class itself and its bases, nearest first, with type arguments in terms of the class's own parameters.
    pub lineage: Vec<(Type, Types)>,
    /// Names of its type parameters, in order.
    pub params: Vec<Name>,
    /// Its own members: what its body binds and what its methods assign.
    pub members: FxHashMap<Name, Slot>,
    /// Some base could not be found in the program or among the models.
    pub has_unknown_base: bool,
}

/// What is known of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSlots {
    /// Symbols of the module's body.
    pub symbols: Vec<Slot>,
    pub functions: Vec<FunctionSlots>,
    pub classes: Vec<ClassSlots>,
}

impl FileSlots {
    /// Nothing known yet.
    pub fn open(module: &Module) -> Self {
        let symbols = module.functions.first().map_or(0, |body| body.symbols.len());
        let function = FunctionSlots { returns: Slot::OPEN, value: Slot::OPEN, params: Vec::new() };
        let classes = module.classes.iter().map(|class| {
            let body = module.function(class.body);
            let bound = body.symbols.iter().map(|symbol| symbol.name);
            let assigned = class.fields.iter().map(|field| field.name);
            ClassSlots {
                members: bound.chain(assigned).map(|name| (name, Slot::OPEN)).collect(),
                ..ClassSlots::default()
            }
        });
        Self {
            symbols: vec![Slot::OPEN; symbols],
            functions: vec![function; module.functions.len()],
            classes: classes.collect(),
        }
    }
}

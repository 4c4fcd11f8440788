//! What is known across files, settled in rounds.
//!
//! Each round evaluates every slot that is not settled yet from the slots of the round before (a Jacobi iteration), one
//! file a job. A slot is settled when its evaluation met no unsettled slot, so the outcome depends neither on the order
//! of the files nor on the number of threads, and recursion between files needs no care.

use crate::types::{ClassRef, FileId, FunctionRef, Type, Types, Why};
use racewalk_ir::{BindingKind, ClassId, Defs, FunctionId, FunctionKind, Module, Name, Symbol};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;

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

    /// It depends on an undeclared parameter: when that is settled, there may be an answer.
    pub fn may_reopen(&self) -> bool {
        self.value.members().iter().any(|member| matches!(member, Type::Unknown(Why::Parameter)))
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
    pub members: Members,
    /// Some base could not be found in the program or among the models.
    pub has_unknown_base: bool,
}

/// The members of a class by name, in the order in which they appear: the order of evaluation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    slots: Vec<(Name, Slot)>,
    by_name: FxHashMap<Name, u32>,
}

impl Members {
    /// These members; what is named again is open.
    fn open(named: impl Iterator<Item = (Name, Slot)>) -> Self {
        let mut members = Self::default();
        for (name, slot) in named {
            let next = members.slots.len() as u32;
            match members.by_name.entry(name) {
                Entry::Occupied(known) => members.slots[*known.get() as usize].1 = Slot::OPEN,
                Entry::Vacant(free) => {
                    free.insert(next);
                    members.slots.push((name, slot));
                }
            }
        }
        members
    }

    /// The member of this name.
    pub fn get(&self, name: Name) -> Option<Slot> {
        self.by_name.get(&name).map(|at| self.slots[*at as usize].1)
    }

    /// The name of the member at this position.
    pub fn name(&self, at: u32) -> Name {
        self.slots[at as usize].0
    }

    /// All members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, Slot)> + '_ {
        self.slots.iter().copied()
    }

    /// All slots.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().map(|(_, slot)| slot)
    }
}

/// Which slot of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SlotId {
    /// A symbol of the module's body.
    Symbol(u32),
    /// What a function's name stands for.
    Value(FunctionId),
    /// What a function's body returns.
    Returns(FunctionId),
    /// A member of a class.
    Member(ClassId, u32),
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
    /// Nothing known yet but what stands there for all to see.
    pub fn open(file: FileId, module: &Module) -> Self {
        let plain = Plain { file, module };
        let function = |id: usize| {
            let id = FunctionId(id as u32);
            FunctionSlots { returns: plain.returns(id), value: plain.value(id), params: Vec::new() }
        };
        let classes = module.classes.iter().map(|class| {
            let body = &module.function(class.body).symbols;
            let bound = body.iter().map(|symbol| (symbol.name, plain.member(symbol)));
            let assigned = class.fields.iter().map(|field| (field.name, Slot::OPEN));
            ClassSlots { members: Members::open(bound.chain(assigned)), ..ClassSlots::default() }
        });
        let symbols = module.functions.first().map_or(&[][..], |body| &body.symbols);
        Self {
            symbols: symbols.iter().map(|symbol| plain.symbol(symbol)).collect(),
            functions: (0..module.functions.len()).map(function).collect(),
            classes: classes.collect(),
        }
    }

    /// The slots that are not settled, in the order of evaluation.
    pub fn unsettled(&self) -> Vec<SlotId> {
        let symbols = (0..self.symbols.len() as u32).map(SlotId::Symbol);
        let functions = (0..self.functions.len() as u32)
            .flat_map(|id| [SlotId::Value(FunctionId(id)), SlotId::Returns(FunctionId(id))]);
        let classes = self.classes.iter().enumerate().flat_map(|(class, slots)| {
            let members = 0..slots.members.slots.len() as u32;
            members.map(move |member| SlotId::Member(ClassId(class as u32), member))
        });
        symbols.chain(functions).chain(classes).filter(|id| !self.get(*id).settled).collect()
    }

    fn get(&self, id: SlotId) -> Slot {
        match id {
            SlotId::Symbol(at) => self.symbols[at as usize],
            SlotId::Value(function) => self.functions[function.index()].value,
            SlotId::Returns(function) => self.functions[function.index()].returns,
            SlotId::Member(class, at) => self.classes[class.index()].members.slots[at as usize].1,
        }
    }

    /// Stores what a round found.
    pub fn set(&mut self, id: SlotId, slot: Slot) {
        match id {
            SlotId::Symbol(at) => self.symbols[at as usize] = slot,
            SlotId::Value(function) => self.functions[function.index()].value = slot,
            SlotId::Returns(function) => self.functions[function.index()].returns = slot,
            SlotId::Member(class, at) => self.classes[class.index()].members.slots[at as usize].1 = slot,
        }
    }
}

/// What needs no inference: most slots of a file.
#[derive(Clone, Copy)]
struct Plain<'m> {
    file: FileId,
    module: &'m Module,
}

impl Plain<'_> {
    fn value(self, id: FunctionId) -> Slot {
        if self.module.function(id).decorators.is_empty() {
            Slot::settled(Type::Function(FunctionRef { file: self.file, id }))
        } else {
            Slot::OPEN
        }
    }

    fn returns(self, id: FunctionId) -> Slot {
        match self.module.function(id).kind {
            FunctionKind::Module | FunctionKind::ClassBody => Slot::settled(Type::None),
            FunctionKind::Function | FunctionKind::Lambda => Slot::OPEN,
        }
    }

    /// A module's symbol with one binding that says it all. What is imported is looked up where it is defined: nobody
    /// reads the slot of the import.
    fn symbol(self, symbol: &Symbol) -> Slot {
        let [binding] = symbol.bindings.as_slice() else { return Slot::OPEN };
        match self.module.bindings[binding.index()].kind {
            BindingKind::Import(_) | BindingKind::ImportMember(..) => Slot::settled(Type::DYNAMIC),
            kind => self.definition(kind),
        }
    }

    /// A member that is a plain method or a nested class.
    fn member(self, symbol: &Symbol) -> Slot {
        match symbol.exit {
            Defs::One(binding) => self.definition(self.module.bindings[binding.index()].kind),
            _ => Slot::OPEN,
        }
    }

    fn definition(self, kind: BindingKind) -> Slot {
        match kind {
            BindingKind::Function(id) => self.value(id),
            BindingKind::Class(id) => Slot::settled(Type::Class(ClassRef { file: self.file, id })),
            _ => Slot::OPEN,
        }
    }
}

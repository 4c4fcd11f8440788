//! Where a value is kept: the variable that a name stands for, and what variables and fields hold.

use crate::imports::Imported;
use crate::types::{ClassRef, FileId, FunctionRef, Type};
use crate::{Evaluator, Program};
use racewalk_ir::{FunctionId, Name, SymbolId};

/// How many re-exports are followed.
const LONGEST_CHAIN: u32 = 16;

/// A variable: a symbol of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable {
    /// The body that it belongs to; a module's own body for a module's variable.
    pub owner: FunctionRef,
    /// The symbol.
    pub symbol: SymbolId,
}

impl Program {
    /// The variable that a name stands for in the evaluator's file, seen from a body; imports are followed.
    pub fn variable(&self, evaluator: &Evaluator<'_>, function: FunctionId, name: Name) -> Option<Variable> {
        let file = evaluator.file;
        match evaluator.scope_of(function, name) {
            Some((owner, symbol)) if owner != FunctionId(0) => self
                .imported_by(file, owner, symbol)
                .or(Some(Variable { owner: FunctionRef { file, id: owner }, symbol })),
            _ => self.module_variable(file, name),
        }
    }

    /// The variable that a module gives its users under this name.
    pub fn module_variable(&self, file: FileId, name: Name) -> Option<Variable> {
        match self.linked.names.member_of(&self.linked.modules, file, name, LONGEST_CHAIN) {
            Imported::Symbol(file, symbol) => Some(Variable { owner: FunctionRef { file, id: FunctionId(0) }, symbol }),
            _ => None,
        }
    }

    /// The variable behind an import that stands in a function.
    fn imported_by(&self, file: FileId, owner: FunctionId, symbol: SymbolId) -> Option<Variable> {
        let module = self.module(file);
        let [binding] = module.function(owner).symbols[symbol.index()].bindings.as_slice() else { return None };
        let racewalk_ir::BindingKind::ImportMember(from, name) = module.bindings[binding.index()].kind else {
            return None;
        };
        match self.linked.names.member(&self.linked.modules, file, from, name) {
            Imported::Symbol(file, symbol) => Some(Variable { owner: FunctionRef { file, id: FunctionId(0) }, symbol }),
            _ => None,
        }
    }

    /// The variables of a module with what they hold.
    pub fn module_variables(&self, file: FileId) -> impl Iterator<Item = (SymbolId, Type)> + '_ {
        let symbols = self.linked.slots[file.index()].symbols.iter().enumerate();
        symbols.map(|(at, slot)| (SymbolId(at as u32), slot.value))
    }

    /// A class's own members with what they hold, in the order of their first appearance.
    pub fn members(&self, class: ClassRef) -> impl Iterator<Item = (Name, Type)> + '_ {
        let slots = &self.linked.slots[class.file.index()].classes[class.id.index()];
        slots.members.iter().map(|(name, slot)| (name, slot.value))
    }
}

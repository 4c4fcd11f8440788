//! What the bindings of a file evaluate to, and what its calls call, kept from pass to pass: most never change once they
//! are known.

use crate::slots::Slot;
use crate::types::Type;
use racewalk_ir::{BindingId, CallId, Module};
use rustc_hash::FxHashMap;

/// What is known of a file's bindings and calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// For good: no later pass gives another answer. Empty before the first of them is known.
    lasting: Vec<Option<Type>>,
    /// So are these: what each call calls.
    callees: Vec<Option<Type>>,
    /// In this pass: an unsettled slot was met, a parameter that calls may settle yet, or a circle.
    passing: FxHashMap<BindingId, Slot>,
}

impl Known {
    /// What holds in every pass.
    pub fn lasting(&self, id: BindingId) -> Option<Type> {
        self.lasting.get(id.index()).copied().flatten()
    }

    /// What holds in this pass only.
    pub fn passing(&self, id: BindingId) -> Option<Slot> {
        self.passing.get(&id).copied()
    }

    /// What the call calls, in every pass.
    pub fn callee(&self, call: CallId) -> Option<Type> {
        self.callees.get(call.index()).copied().flatten()
    }

    /// Keeps a binding's value for good.
    pub fn keep(&mut self, id: BindingId, value: Type, module: &Module) {
        self.lasting.resize(module.bindings.len(), None);
        self.lasting[id.index()] = Some(value);
    }

    /// Keeps what a call calls for good.
    pub fn keep_callee(&mut self, call: CallId, callee: Type, module: &Module) {
        self.callees.resize(module.calls.len(), None);
        self.callees[call.index()] = Some(callee);
    }

    /// Keeps a value for this pass.
    pub fn keep_for_now(&mut self, id: BindingId, slot: Slot) {
        self.passing.insert(id, slot);
    }

    /// The pass is over.
    pub fn end_pass(&mut self) {
        self.passing.clear();
    }
}

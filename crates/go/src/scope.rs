//! Lexical scopes: what a name stands for where it is read.
//!
//! The IR has one table of symbols a function, and inner functions see outer symbols by name. So that no two variables that are
//! visible at one place share a name, later ones get ticks behind theirs, which nothing in a text can have.

use racewalk_ir::{FunctionId, Name};
use rustc_hash::FxHashMap;

/// The names of a block.
#[derive(Default)]
struct Scope {
    function: Option<FunctionId>,
    names: FxHashMap<Name, Name>,
}

/// The blocks that we are in, the outermost first: the package, the file, functions and their blocks.
#[derive(Default)]
pub(crate) struct Scopes {
    open: Vec<Scope>,
    /// How often each symbol of an open scope is visible under some name.
    visible: FxHashMap<Name, u32>,
}

impl Scopes {
    /// Enters a block of this function.
    pub fn enter(&mut self, function: FunctionId) {
        self.open.push(Scope { function: Some(function), names: FxHashMap::default() });
    }

    /// Leaves the innermost block.
    pub fn leave(&mut self) {
        let left = self.open.pop().unwrap_or_default();
        for symbol in left.names.into_values() {
            if let Some(count) = self.visible.get_mut(&symbol) {
                *count -= 1;
            }
        }
    }

    /// The function whose symbol a name is, and the symbol's name; none for what no block declares.
    pub fn find(&self, name: Name) -> Option<(FunctionId, Name)> {
        self.open.iter().rev().find_map(|scope| Some((scope.function?, *scope.names.get(&name)?)))
    }

    /// The innermost block declares the name itself.
    pub fn declares(&self, name: Name) -> bool {
        self.open.last().is_some_and(|scope| scope.names.contains_key(&name))
    }

    /// Declares a name in the innermost block; `is_taken` tells which symbols its function has. Gives the symbol's name.
    pub fn declare(&mut self, name: Name, is_taken: impl Fn(FunctionId, Name) -> bool) -> Name {
        let Some(function) = self.open.last().and_then(|scope| scope.function) else { return name };
        let mut chosen = name;
        while is_taken(function, chosen) || self.visible.get(&chosen).is_some_and(|count| *count > 0) {
            chosen = Name::new(&format!("{chosen}'"));
        }
        self.declare_as(name, chosen);
        chosen
    }

    /// Lets a name of the innermost block stand for a symbol that is there already.
    pub fn declare_as(&mut self, name: Name, symbol: Name) {
        let innermost = self.open.last_mut().expect("names are declared inside a block");
        let hidden = innermost.names.insert(name, symbol);
        *self.visible.entry(symbol).or_default() += 1;
        if let Some(hidden) = hidden
            && let Some(count) = self.visible.get_mut(&hidden)
        {
            *count -= 1;
        }
    }
}

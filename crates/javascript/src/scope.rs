//! Lexical scopes: what a name stands for where it is read.
//!
//! The IR has one table of symbols a function. Names of inner blocks that would collide with others get ticks behind them,
//! which nothing in a text can have.

use racewalk_ir::{FunctionId, Name};
use rustc_hash::FxHashMap;

/// The names of a block.
struct Scope {
    function: FunctionId,
    names: FxHashMap<Name, Name>,
}

/// The blocks that we are in.
#[derive(Default)]
pub(crate) struct Scopes {
    open: Vec<Scope>,
}

impl Scopes {
    /// Enters a block of this function.
    pub fn enter(&mut self, function: FunctionId) {
        self.open.push(Scope { function, names: FxHashMap::default() });
    }

    /// Leaves the innermost block.
    pub fn leave(&mut self) {
        self.open.pop();
    }

    /// The function whose symbol a name is, and the symbol's name; none for what no block declares.
    pub fn find(&self, name: Name) -> Option<(FunctionId, Name)> {
        self.open.iter().rev().find_map(|scope| Some((scope.function, *scope.names.get(&name)?)))
    }

    /// The innermost block declares the name itself.
    pub fn declares(&self, name: Name) -> bool {
        self.open.last().is_some_and(|scope| scope.names.contains_key(&name))
    }

    /// Declares a name in the innermost block; `is_taken` tells which symbols its function has. Gives the symbol's name.
    pub fn declare(&mut self, name: Name, is_taken: impl Fn(FunctionId, Name) -> bool) -> Name {
        let innermost = self.open.len() - 1;
        let function = self.open[innermost].function;
        let is_whole_body = innermost == 0 || self.open[innermost - 1].function != function;
        let mut chosen = name;
        // The scope of a whole body hides what is outside, as the body's symbols do.
        while !is_whole_body && (is_taken(function, chosen) || self.is_visible(chosen)) {
            chosen = Name::new(&format!("{chosen}'"));
        }
        self.open[innermost].names.insert(name, chosen);
        chosen
    }

    fn is_visible(&self, symbol: Name) -> bool {
        self.open.iter().any(|scope| scope.names.values().any(|known| *known == symbol))
    }
}

//! What a piece of memory, a lock or a channel is known by: a variable, and the way from there.

use racewalk_ir::{FunctionId, Name, SymbolId};
use racewalk_link::FileId;
use smallvec::SmallVec;

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// A variable of one run of a function: the number of the run, the function and the symbol.
    Local(u32, FileId, FunctionId, SymbolId),
    /// A variable of a package.
    Global(FileId, SymbolId),
}

/// One step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// A field.
    Field(Name),
    /// What a reference leads to.
    Pointee,
    /// An element under a key that is written down.
    At(i32),
    /// An element under some key of a sequence.
    Element,
    /// All elements, one after the other.
    All,
    /// Any entry of a mapping: to write one may move them all.
    Entry,
}

/// A way to a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub root: Root,
    pub parts: SmallVec<[Part; 4]>,
}

impl Path {
    /// The variable itself.
    pub fn of(root: Root) -> Self {
        Self { root, parts: SmallVec::new() }
    }

    /// One step further.
    pub fn with(&self, part: Part) -> Self {
        let mut longer = self.clone();
        longer.parts.push(part);
        longer
    }

    /// Both may lead to the same piece of memory.
    pub fn meets(&self, other: &Self) -> bool {
        self.root == other.root
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(a, b)| a.meets(*b))
    }

    /// One of them is the beginning of the other.
    pub fn touches(&self, other: &Self) -> bool {
        self.root == other.root && self.parts.iter().zip(&other.parts).all(|(a, b)| a.meets(*b))
    }
}

impl Part {
    /// Two elements of a sequence under keys that are computed are taken for different ones: that is how work is shared out.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, Self::At(_) | Self::Element) | (Self::At(_) | Self::Element, Self::All) => true,
            (Self::Element, Self::Element) => false,
            (a, b) => a == b,
        }
    }
}

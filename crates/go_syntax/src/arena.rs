//! Typed arenas: nodes of one type stand in one vector, and refer to each other by index.

use crate::ast::{
    Block, CaseClause, CommClause, Decl, Expr, Field, Ident, IfArm, ImportSpec, InterfaceElement, Signature, Stmt,
    TypeSpec, ValueSpec,
};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// The index of a node of type `T` in its [`File`](crate::File): four bytes, also as an `Option`.
pub struct Id<T> {
    /// One more than the index in the arena.
    place: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The identifier of the node at an index. Texts are bounded so that every index has one.
    fn at(index: usize) -> Self {
        let place = NonZeroU32::MIN.saturating_add(index as u32);
        Self { place, of: PhantomData }
    }

    /// The index in the arena, from 0: dense, so that a table can go with the nodes of a type.
    pub const fn index(self) -> usize {
        self.place.get() as usize - 1
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl<T> Eq for Id<T> {}

impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index())
    }
}

/// A run of nodes (or of identifiers of nodes) of a [`File`](crate::File), in source order.
pub struct List<T> {
    start: u32,
    len: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    /// The list without elements.
    pub const EMPTY: Self = Self { start: 0, len: 0, of: PhantomData };

    /// How many elements it has.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// True if it has none.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.range())
    }
}

/// What stands in an arena.
pub trait Stored: Copy {
    #[doc(hidden)]
    fn nodes(arenas: &Arenas) -> &Vec<Self>;
    #[doc(hidden)]
    fn nodes_mut(arenas: &mut Arenas) -> &mut Vec<Self>;
}

macro_rules! arenas {
    ($($field:ident: $type:ty,)+) => {
        /// One vector for each type of node, and for each type of list.
        #[derive(Debug, Default)]
        pub struct Arenas {
            $($field: Vec<$type>,)+
        }

        $(impl Stored for $type {
            #[inline]
            fn nodes(arenas: &Arenas) -> &Vec<Self> {
                &arenas.$field
            }
            #[inline]
            fn nodes_mut(arenas: &mut Arenas) -> &mut Vec<Self> {
                &mut arenas.$field
            }
        })+
    };
}

arenas! {
    exprs: Expr,
    expr_lists: Id<Expr>,
    stmts: Stmt,
    stmt_lists: Id<Stmt>,
    decls: Decl,
    decl_lists: Id<Decl>,
    blocks: Block,
    signatures: Signature,
    idents: Ident,
    fields: Field,
    interface_elements: InterfaceElement,
    if_arms: IfArm,
    case_clauses: CaseClause,
    comm_clauses: CommClause,
    import_specs: ImportSpec,
    value_specs: ValueSpec,
    type_specs: TypeSpec,
}

impl Arenas {
    #[inline]
    pub(crate) fn add<T: Stored>(&mut self, node: T) -> Id<T> {
        let nodes = T::nodes_mut(self);
        let id = Id::at(nodes.len());
        nodes.push(node);
        id
    }

    #[inline]
    pub(crate) fn node<T: Stored>(&self, id: Id<T>) -> &T {
        &T::nodes(self)[id.index()]
    }

    #[inline]
    pub(crate) fn node_mut<T: Stored>(&mut self, id: Id<T>) -> &mut T {
        &mut T::nodes_mut(self)[id.index()]
    }

    #[inline]
    pub(crate) fn list<T: Stored>(&self, list: List<T>) -> &[T] {
        &T::nodes(self)[list.range()]
    }

    /// How many nodes of a type there are.
    #[inline]
    pub(crate) fn count<T: Stored>(&self) -> usize {
        T::nodes(self).len()
    }

    /// Moves the nodes of `from` behind `mark` to the end of this arena: they are a list from now on.
    #[inline]
    pub(crate) fn take<T: Stored>(&mut self, from: &mut Self, mark: usize) -> List<T> {
        let taken = T::nodes_mut(from);
        let nodes = T::nodes_mut(self);
        let start = nodes.len() as u32;
        nodes.extend_from_slice(&taken[mark..]);
        let len = (taken.len() - mark) as u32;
        taken.truncate(mark);
        List { start, len, of: PhantomData }
    }
}

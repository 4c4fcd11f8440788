//! The concurrency IR: what every front end lowers to and every later stage reads.
//!
//! Plain data: it names no language, does no I/O and knows no library. One [`Module`] is one source file. A module holds
//! one arena of expressions ([`Expr`]) and, for each function, a flat run of concurrency [`Event`]s in evaluation order
//! with structure markers, from which path questions are answered.

mod arenas;
mod builder;
mod event;
mod expr;
pub mod flow;
mod language;
mod module;
mod name;

pub use arenas::{fill, forget_bodies};
pub use builder::{Builder, DEEPEST, blank};
pub use event::{Event, ScopeKind, SuspendKind};
pub use expr::{Arg, ArgKind, CallId, CompKind, Defs, Expr, ExprId, ListId, Literal, LogicalOp, Role};
pub use language::Language;
pub use module::{
    Binding, BindingId, BindingKind, Bound, Class, ClassId, Comment, Field, Function, FunctionId, FunctionKind, Module,
    Param, ParamKind, Stub, Symbol, SymbolId, SymbolIndex, SyntaxProblem,
};
pub use name::Name;

/// A half-open range of byte offsets in a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from two offsets.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// True when `other` lies inside this span.
    pub const fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

//! Expressions: one arena a module, children before parents.

use crate::{FunctionId, Name};

/// Declares the number of a table's row as a type of its own, so that rows of different tables cannot be confused.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The position in its table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}
pub(crate) use id;

id!(
    /// An expression of a module.
    ExprId
);
id!(
    /// A call's arguments in [`crate::Module::calls`].
    CallId
);

/// A run of expressions in [`crate::Module::lists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListId {
    /// Index of the first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// Which bindings of a local symbol may have given the value that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defs {
    /// The name is no local of the function that reads it: look it up in the enclosing scopes.
    Outer,
    /// Local, but no binding reaches this read (unbound, or dead code).
    Nothing,
    /// Exactly this binding.
    One(crate::BindingId),
    /// These: a run in [`crate::Module::def_lists`].
    Several(u32, u32),
}

/// How an argument is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// By position.
    Positional,
    /// By name.
    Named(Name),
    /// A spread sequence.
    Spread,
    /// A spread mapping.
    SpreadNamed,
}

/// One argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// How it is passed.
    pub kind: ArgKind,
    /// Its value.
    pub value: ExprId,
}

/// What a comprehension builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompKind {
    /// A list, at once.
    List,
    /// A set, at once.
    Set,
    /// A mapping, at once; the element is the value.
    Map,
    /// Nothing yet: its element runs when somebody iterates.
    Lazy,
    /// Nothing yet, and only asynchronous iteration runs its element: it suspends.
    LazyAsync,
}

/// Literals whose value some stage asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// No value.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number that fits; others are `Number`.
    Int(i32),
    /// Any other number, in thousandths, as far as that can be told.
    Number(i32),
    /// A string of text, interned when it is short.
    Str(Name),
    /// A long string, or bytes.
    Text,
    /// `...`
    Ellipsis,
}

/// An expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expr {
    /// A name that is read, or (as a write's target) bound.
    Name(Name, Defs),
    /// A member of a value.
    Attr(ExprId, Name),
    /// A call: callee and arguments.
    Call(ExprId, CallId),
    /// The awaited result of a value.
    Await(ExprId),
    /// An element of a value under a key.
    Subscript(ExprId, ExprId),
    /// One of these values: the arms of a conditional expression.
    Choice(ListId),
    /// `and` / `or`: one of these values, each but the last also tested.
    Logical(ListId, LogicalOp),
    /// Negation of a truth value.
    Not(ExprId),
    /// Arithmetic and the like, over these operands.
    Operation(ListId),
    /// Whether two operands are equal; that they are not is the negation of it.
    Equality(ListId),
    /// Any other comparison of these operands, membership tests included.
    Compare(ListId),
    /// Whether two operands are the same; that they are not is the negation of it.
    Identity(ListId),
    /// A fixed-length sequence.
    Tuple(ListId),
    /// A list display.
    List(ListId),
    /// A set display.
    Set(ListId),
    /// A mapping display: keys and values by turns; a spread mapping has itself as its key.
    Map(ListId),
    /// A comprehension over the element expression.
    Comp(CompKind, ExprId),
    /// An anonymous function.
    Lambda(FunctionId),
    /// A literal.
    Literal(Literal),
    /// Text built from these values.
    Format(ListId),
    /// `*value` in a display.
    Spread(ExprId),
    /// A value handed out of a generator; the expression's own value is what is sent in.
    Yield(Option<ExprId>),
    /// Delegation to another generator.
    YieldFrom(ExprId),
    /// `name := value`; the value.
    Bind(ExprId),
    /// Where a value stands: a reference to it. As a type: a reference to values of the type.
    Address(ExprId),
    /// What a reference leads to.
    Deref(ExprId),
    /// What comes out of a channel.
    Received(ExprId),
    /// Anything else.
    Opaque,
}

/// Which logical operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalOp {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

/// What the surrounding code does with an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Nothing: an expression statement.
    Dropped,
    /// Nothing, and the code says so: an operator that throws its operand's value away.
    Discarded,
    /// Awaited; the parent is the await.
    Awaited,
    /// Returned from the function.
    Returned,
    /// Yielded.
    Yielded,
    /// Stored in the targets of an assignment.
    Stored,
    /// Called; the parent is the call.
    Callee,
    /// Passed as an argument; the parent is the call.
    Argument,
    /// Its member is taken; the parent is the attribute.
    Receiver,
    /// An element is taken; the parent is the subscript.
    Container,
    /// It is the key of a subscript.
    Key,
    /// Operand of arithmetic.
    Operand,
    /// Operand of a comparison (equality, order).
    Compared,
    /// Operand of an identity test.
    Identified,
    /// Left operand of a membership test.
    Member,
    /// Right operand of a membership test.
    Membership,
    /// Operand of `and`/`or`/`not`: tested; the last operand of and/or is not (see `Arm`).
    Tested,
    /// One of the values that the parent may have.
    Arm,
    /// The condition of a branch, loop, assertion, filter.
    Condition,
    /// Iterated by a plain loop or comprehension.
    Iterated,
    /// Iterated by an asynchronous loop or comprehension.
    IteratedAsync,
    /// Entered as a plain context manager.
    Entered,
    /// Entered as an asynchronous context manager.
    EnteredAsync,
    /// Turned into text.
    Formatted,
    /// An element of a display or comprehension, a value of a mapping.
    Element,
    /// A key of a mapping display.
    MapKey,
    /// Spread into a display or call.
    Unpacked,
    /// Raised.
    Raised,
    /// Matched against patterns.
    Matched,
    /// A decorator.
    Decorator,
    /// A parameter's default.
    Default,
    /// A type annotation.
    Annotation,
    /// A base class or class argument.
    Base,
    /// Deleted.
    Deleted,
    /// A target that is written.
    Target,
    /// The type that a handler catches.
    Caught,
    /// The value of `name := value`.
    Bound,
    /// Anything else.
    Other,
}

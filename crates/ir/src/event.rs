//! Concurrency events: what a function does, in evaluation order, with structure markers.

use crate::{BindingId, ExprId, FunctionId};

/// Why control may go to another task here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendKind {
    /// An awaited value.
    Await,
    /// The next item of an asynchronous iterator.
    Iterate,
    /// Entering an asynchronous context manager.
    Enter,
    /// Leaving an asynchronous context manager.
    Exit,
    /// A value handed out of an asynchronous generator.
    Yield,
}

/// How a context manager is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// Without suspension.
    Plain,
    /// With a suspension on entry and exit.
    Async,
}

/// One event. Markers nest: every opening marker has its closing one in the same function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A call happens; its arguments have been evaluated.
    Call(ExprId),
    /// Control may go to another task; the operand is what is waited for.
    Suspend(SuspendKind, ExprId),
    /// A name is read.
    Read(ExprId),
    /// A member or element is read: the outermost of a chain.
    ReadPlace(ExprId),
    /// A local symbol is bound.
    Bind(BindingId),
    /// A member or element is written; the value, where one expression gives it.
    WritePlace(ExprId, Option<ExprId>),
    /// A read-modify-write of a name, member or element begins: its read; the write follows.
    Modify(ExprId),
    /// A context manager is entered.
    Enter(ScopeKind, ExprId),
    /// The innermost context manager is left.
    Exit(ScopeKind, ExprId),
    /// A branch begins with its first arm; the condition, where there is one.
    Branch(Option<ExprId>),
    /// The next arm begins, with its own condition, or without (`else`).
    Arm(Option<ExprId>),
    /// The branch ends; `true` when some arm is always taken.
    EndBranch(bool),
    /// A loop's body begins; what it iterates or tests.
    Loop(Option<ExprId>),
    /// The loop's body ends; what follows until `EndLoopElse` runs when it was not broken out of.
    EndLoop,
    /// A loop's `else` ends (always present, right after `EndLoop` when there is none).
    EndLoopElse,
    /// A guarded block begins.
    Try,
    /// A handler begins, with the type that it catches (none: everything).
    Handler(Option<ExprId>),
    /// The block that runs when nothing was raised begins.
    TryElse,
    /// The cleanup block begins; it runs on every path.
    Finally,
    /// The guarded block, its handlers and its cleanup end.
    EndTry,
    /// What follows runs only when somebody iterates (a generator expression's body).
    Defer,
    /// The deferred part ends.
    EndDefer,
    /// A nested function comes to be.
    Define(FunctionId),
    /// A call that runs beside what follows: by a thread of control of its own. Callee and arguments are evaluated here.
    Spawn(ExprId),
    /// A call that runs when the function is left, the last one first. Callee and arguments are evaluated here.
    AtExit(ExprId),
    /// A value goes into a channel.
    Send(ExprId, ExprId),
    /// A value comes out of a channel: the expression is [`crate::Expr::Received`].
    Receive(ExprId),
    /// The branch that follows waits for one of its arms: each begins with what is sent or received. `true` when one of them has
    /// neither, so that nothing is waited for.
    Select(bool),
    /// The function returns.
    Return(Option<ExprId>),
    /// A value is yielded.
    Yield(Option<ExprId>),
    /// An exception is raised (none: the current one again).
    Raise(Option<ExprId>),
    /// The innermost loop is left.
    Break,
    /// The innermost loop goes on with its next round.
    Continue,
}

//! What happens in a thread of control, as far as its order with others is concerned.

use super::path::{Path, Root};
use crate::finding::Place;
use racewalk_ir::ExprId;
use racewalk_link::FunctionRef;

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Reads or writes memory.
    Touches {
        path: Path,
        write: bool,
        atomic: bool,
    },
    /// Takes a lock.
    Locks {
        path: Path,
        shared: bool,
    },
    /// Gives a lock back.
    Unlocks {
        path: Path,
        shared: bool,
    },
    /// Sends into a channel.
    Sends(Path),
    /// Takes out of a channel.
    Receives(Path),
    /// Takes out of a channel until it is closed: the loop that follows.
    Drains(Path),
    /// Closes a channel.
    Closes(Path),
    /// One more to wait for.
    CountsUp(Path),
    /// One less.
    CountsDown(Path),
    /// Waits for all.
    Awaits(Path),
    /// Something has to be called from here on, or a resource is lost.
    Owes(Path),
    /// It is called, or handed to somebody who may.
    Pays(Path),
    /// Something of which nothing is known is done with this: it may order anything.
    Handles(Path),
    /// A variable comes to be: what is known of one that it had before is over.
    Declares(Root),
    /// Calls a function of the program: with this as its receiver, where that is known.
    Calls(FunctionRef, Option<Path>),
    /// Starts the lane of this number.
    Spawns(usize),
    /// Waits for one of the arms that follow; `true` when one of them waits for nothing.
    Selects(bool),
    Branches,
    Arm,
    Joins {
        exhaustive: bool,
    },
    /// A loop begins; `true` when nothing but a `break` ends it.
    Loops(bool),
    EndsLoop,
    Breaks,
    Continues,
    /// A function that was looked into is left: what follows is its caller's.
    Returns,
    /// The body of a called function begins.
    Enters,
    /// It ends.
    Leaves,
    /// It does not come back.
    Dies,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub does: Does,
    pub at: Place,
    /// The function that it stands in.
    pub function: FunctionRef,
    /// The expression that it is, where it is one.
    pub expr: Option<ExprId>,
    /// It stands in a function literal that was handed to somebody of whom nothing is known: it may run there, later, or never.
    pub is_handed: bool,
    /// It runs when its function is left: the position among the operations at which that was said.
    pub at_exit: Option<usize>,
}

/// A thread of control.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    pub ops: Vec<Op>,
    /// The lane and the operation that start it.
    pub parent: Option<(usize, usize)>,
    /// It is counted by this until it ends.
    pub counted: Option<Path>,
}

/// All threads of control that a function starts, itself first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub lanes: Vec<Lane>,
    /// The variables that come to be anew in each round of the loops around their declaration: variable, lane, operation.
    pub declared: Vec<(Root, usize, usize)>,
    /// For each channel that is made in view: how much it holds; none when that is computed.
    pub channels: Vec<(Path, Option<i32>)>,
    /// Variables that something else than what is seen here may lead to.
    pub escaped: rustc_hash::FxHashSet<Root>,
    /// It was cut short, since it became too long.
    pub is_cut: bool,
}

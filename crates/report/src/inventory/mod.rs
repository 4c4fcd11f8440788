//! The inventory: what code shares, waits for, starts, locks and calls, as plain data, with one renderer a format.
//!
//! `P` is what a place is: whoever finds the facts knows files and offsets, whoever reads them wants [`Location`]s.

mod markdown;
mod text;

pub use markdown::markdown;
pub use text::text;

use crate::{Confidence, Severity, Summary};
use serde::Serialize;

/// A place as it is printed: line and column from 1, the column in code points.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// Path, relative to the working directory.
    pub path: String,
    /// The notebook cell that the line counts in, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The code that is seen does not tell.
    Unknown,
}

impl Answer {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A further place, with what is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence<P = Location> {
    /// What is there.
    pub text: String,
    /// Where.
    pub at: P,
}

/// Who may have the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// There is one for the process: a module's variable.
    Module,
    /// There is one for all instances of a class.
    Class,
    /// Whoever has the same instance.
    Instance,
    /// A function's variable that functions inside it use.
    Captured,
    /// All calls of a function: a parameter's mutable default.
    Default,
    /// Whoever gave it, and whoever else was given it.
    Parameter,
    /// The one call that makes it.
    Call,
    /// It cannot be told where it is kept.
    Unknown,
}

impl Scope {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Class => "class",
            Self::Instance => "instance",
            Self::Captured => "captured",
            Self::Default => "default",
            Self::Parameter => "parameter",
            Self::Call => "call",
            Self::Unknown => "unknown",
        }
    }
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// Looks at it.
    Reads,
    /// Puts another object in its place.
    Writes,
    /// Changes the object itself: an element, a member.
    Changes,
    /// Calls a method of which it is not known whether it changes the object.
    Uses,
}

impl Does {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Changes => "changes",
            Self::Uses => "uses",
        }
    }
}

/// Where a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runs {
    /// On the event loop's thread.
    Loop,
    /// In a thread beside it.
    Thread,
    /// Now here and now there.
    Both,
    /// In whatever thread calls it.
    Caller,
}

/// One access to a shared object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Access<P = Location> {
    /// The function.
    pub symbol: String,
    /// What it does.
    pub does: Does,
    /// By which method; empty when by none.
    pub by: String,
    /// The locks that are certainly held, those of every caller included.
    pub locks: Vec<String>,
    /// Where the function runs.
    pub runs: Runs,
    /// It happens before anybody else can have the object.
    pub initial: bool,
    /// Where.
    pub at: P,
}

/// An object that changes and that several executions may have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared<P = Location> {
    /// `Class.member`, `module.variable`, `function.variable`.
    pub name: String,
    /// Who may have it.
    pub scope: Scope,
    /// The same in words.
    pub shared_by: String,
    /// What is kept there, as far as that is known.
    pub holds: String,
    /// Overlapping executions get to it.
    pub overlapping: Answer,
    /// Why.
    pub why: String,
    /// Where those are started, when the code starts them.
    pub started: Option<P>,
    /// The locks that are held whenever it is written or changed; empty when there is none.
    pub guarded_by: Vec<String>,
    /// What annotations claim of it, with whether that holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<String>,
    /// Where it gets its first value.
    pub defined: Option<P>,
    /// Who reads and writes it.
    pub accesses: Vec<Access<P>>,
}

/// What is held while control is given up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held<P = Location> {
    /// `lock`, `semaphore`, `perhaps a lock`, `deadline`, `task group`, `session`, `transaction`, `client`, `stream`.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Where it is taken or entered; none when callers hold it.
    pub since: Option<P>,
}

/// A place where control may go to another task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspension<P = Location> {
    /// The function.
    pub symbol: String,
    /// `await`, `iterate`, `enter`, `exit`, `yield`.
    pub kind: String,
    /// What is waited for.
    pub awaits: String,
    /// It can really give up control.
    pub suspends: Answer,
    /// Why.
    pub why: String,
    /// The suspension points of the callees down to the one that decides.
    pub through: Vec<Evidence<P>>,
    /// What is held meanwhile.
    pub held: Vec<Held<P>>,
    /// Where.
    pub at: P,
}

/// Who keeps the handle of something that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// `call`, `group`, `loop`, `local`, `object`, `caller`, `argument`, `nobody`.
    pub kind: String,
    /// What keeps it; empty for nobody.
    pub name: String,
}

/// How something that was started comes to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End<P = Location> {
    /// `awaited`, `joined`, `cancelled`.
    pub how: String,
    /// The function that sees to it.
    pub symbol: String,
    /// Where.
    pub at: P,
}

/// Something that is started beside the function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spawn<P = Location> {
    /// The function.
    pub symbol: String,
    /// `task`, `thread`, `process`, `other loop`.
    pub kind: String,
    /// What runs.
    pub starts: String,
    /// What is called to start it.
    pub by: String,
    /// It happens in a loop, or for each of several.
    pub many: bool,
    /// Who keeps the handle.
    pub owner: Owner,
    /// Who sees to its end; empty when nobody does.
    pub ends: Vec<End<P>>,
    /// It is given a callback for when it is done.
    pub has_callback: bool,
    /// Where.
    pub at: P,
}

/// A place where a lock is taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockSite<P = Location> {
    /// The function.
    pub symbol: String,
    /// `block`, `call`, or `attempt` for a call that may come back without it.
    pub how: String,
    /// What is held already.
    pub under: Vec<String>,
    /// Control may be given up while it is held here.
    pub across: Answer,
    /// Where.
    pub at: P,
}

/// A lock, semaphore or condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lock<P = Location> {
    /// Its name, as that of a shared object.
    pub name: String,
    /// Its class.
    pub class: String,
    /// `lock`, `reentrant lock`, `semaphore`, `condition`.
    pub kind: String,
    /// `tasks` or `threads`.
    pub between: String,
    /// How many a semaphore lets in, where that is written down.
    pub permits: Option<i32>,
    /// Who may have the same one.
    pub scope: Scope,
    /// It is one of a table of locks.
    pub keyed: bool,
    /// Where it is made.
    pub defined: Option<P>,
    /// Where it is taken.
    pub sites: Vec<LockSite<P>>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call<P = Location> {
    /// The function.
    pub symbol: String,
    /// What is called, as the code names it.
    pub callee: String,
    /// What that is; empty when it is not known.
    pub target: String,
    /// `coroutine`, `async generator`, `plain`, `unknown`.
    pub colour: String,
    /// Why it is not known; empty when it is.
    pub why: String,
    /// `awaited`, `discarded`, `returned`, `stored`, `passed on`, `entered`, `iterated`, `used`.
    pub result: String,
    /// Where.
    pub at: P,
}

/// A finding of a rule, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Known<P = Location> {
    /// `question/rule-name`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What happens, and when.
    pub message: String,
    /// Where.
    pub at: P,
}

/// The answer to one of the five questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered<P = Location> {
    /// `await`, `loop`, `share`, `bound`, `cancel`.
    pub question: String,
    /// The question in words.
    pub asks: String,
    /// The answer.
    pub answer: String,
    /// What it rests on.
    pub evidence: Vec<Evidence<P>>,
    /// What the rules have found there.
    pub findings: Vec<Known<P>>,
}

/// A function, with the five questions answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examined<P = Location> {
    /// The function.
    pub symbol: String,
    /// It is declared asynchronous.
    pub is_async: bool,
    /// Where it runs.
    pub runs: String,
    /// The entry points that lead to it.
    pub reached_from: Vec<String>,
    /// The answers.
    pub answers: Vec<Answered<P>>,
    /// Where.
    pub at: P,
}

/// How much there is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileFigures {
    /// The file.
    pub path: String,
    /// Functions.
    pub functions: usize,
    /// Asynchronous ones.
    pub async_functions: usize,
    /// Shared objects that are defined in it.
    pub shared: usize,
    /// Suspension points.
    pub suspensions: usize,
    /// Spawns.
    pub spawns: usize,
    /// Locks that are defined in it.
    pub locks: usize,
    /// Calls.
    pub calls: usize,
}

/// All facts about what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts<P = Location> {
    /// The functions that were asked for by name.
    pub functions: Vec<Examined<P>>,
    /// Shared objects.
    pub shared: Vec<Shared<P>>,
    /// Suspension points.
    pub suspensions: Vec<Suspension<P>>,
    /// What is started.
    pub spawns: Vec<Spawn<P>>,
    /// Locks.
    pub locks: Vec<Lock<P>>,
    /// Calls.
    pub calls: Vec<Call<P>>,
}

/// The inventory: the output contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inventory {
    /// Major version of this contract.
    pub version: u32,
    /// The tool and its version.
    pub tool: String,
    /// The symbols that were asked for, as they are called in full; empty when files were.
    pub symbols: Vec<String>,
    /// What was looked at.
    pub summary: Summary,
    /// How much there is in each file.
    pub files: Vec<FileFigures>,
    /// The facts.
    #[serde(flatten)]
    pub facts: Facts,
}

/// The inventory as one JSON object.
pub fn json(inventory: &Inventory) -> String {
    let text = serde_json::to_string_pretty(inventory);
    let mut text = text.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    text.push('\n');
    text
}

/// From one kind of place to another.
trait Placed<P, Q> {
    type Moved;
    fn moved(self, to: &dyn Fn(P) -> Q) -> Self::Moved;
}

impl<P, Q, T: Placed<P, Q>> Placed<P, Q> for Vec<T> {
    type Moved = Vec<T::Moved>;
    fn moved(self, to: &dyn Fn(P) -> Q) -> Self::Moved {
        self.into_iter().map(|one| one.moved(to)).collect()
    }
}

/// The fields of a struct that hold places are moved one by one, the others are taken over.
macro_rules! placed {
    ($name:ident { $($kept:ident),* } at { $($at:ident),* } maybe { $($maybe:ident),* } all { $($all:ident),* }) => {
        impl<P, Q> Placed<P, Q> for $name<P> {
            type Moved = $name<Q>;
            fn moved(self, to: &dyn Fn(P) -> Q) -> $name<Q> {
                $name {
                    $($kept: self.$kept,)*
                    $($at: to(self.$at),)*
                    $($maybe: self.$maybe.map(to),)*
                    $($all: self.$all.moved(to),)*
                }
            }
        }
    };
}

placed!(Evidence { text } at { at } maybe {} all {});
placed!(Access { symbol, does, by, locks, runs, initial } at { at } maybe {} all {});
placed!(Shared { name, scope, shared_by, holds, overlapping, why, guarded_by, annotations }
    at {} maybe { started, defined } all { accesses });
placed!(Held { kind, name } at {} maybe { since } all {});
placed!(Suspension { symbol, kind, awaits, suspends, why } at { at } maybe {} all { through, held });
placed!(End { how, symbol } at { at } maybe {} all {});
placed!(Spawn { symbol, kind, starts, by, many, owner, has_callback } at { at } maybe {} all { ends });
placed!(LockSite { symbol, how, under, across } at { at } maybe {} all {});
placed!(Lock { name, class, kind, between, permits, scope, keyed } at {} maybe { defined } all { sites });
placed!(Call { symbol, callee, target, colour, why, result } at { at } maybe {} all {});
placed!(Known { rule, severity, confidence, message } at { at } maybe {} all {});
placed!(Answered { question, asks, answer } at {} maybe {} all { evidence, findings });
placed!(Examined { symbol, is_async, runs, reached_from } at { at } maybe {} all { answers });
placed!(Facts {} at {} maybe {} all { functions, shared, suspensions, spawns, locks, calls });

impl<P> Facts<P> {
    /// The same facts with places of another kind.
    pub fn located<Q>(self, to: &dyn Fn(P) -> Q) -> Facts<Q> {
        self.moved(to)
    }
}

impl Facts {
    /// Settles the order: by place, and by name where there is none.
    pub fn sort(&mut self) {
        for shared in &mut self.shared {
            shared.accesses.sort_by(|a, b| (!a.initial, &a.at, a.does).cmp(&(!b.initial, &b.at, b.does)));
        }
        for lock in &mut self.locks {
            lock.sites.sort_by(|a, b| a.at.cmp(&b.at));
        }
        for spawn in &mut self.spawns {
            spawn.ends.sort_by(|a, b| (&a.at, &a.how).cmp(&(&b.at, &b.how)));
        }
        self.functions.sort_by(|a, b| (&a.at, &a.symbol).cmp(&(&b.at, &b.symbol)));
        self.shared.sort_by(|a, b| (&a.defined, &a.name).cmp(&(&b.defined, &b.name)));
        self.suspensions.sort_by(|a, b| a.at.cmp(&b.at));
        self.spawns.sort_by(|a, b| a.at.cmp(&b.at));
        self.locks.sort_by(|a, b| (&a.defined, &a.name).cmp(&(&b.defined, &b.name)));
        self.calls.sort_by(|a, b| a.at.cmp(&b.at));
    }
}

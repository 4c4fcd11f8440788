//! Threads of control that share all memory: what each does, and what of it happens before what.
//!
//! A [`Trace`] is made for a function that starts others beside it: what it calls is looked into, as far as it is in the program,
//! so that variables, locks and channels that are handed on are seen to be the same ones. [`Order`] then answers whether two
//! operations can happen at the same time.

mod build;
mod contexts;
mod guards;
mod ops;
mod order;
mod path;
mod protocol;
mod races;
mod state;

pub(crate) use build::{spawns_below, takes_locks, trace, traced_alone};
pub(crate) use contexts::{given_contexts, is_heeded};
pub(crate) use guards::unguarded;
pub(crate) use ops::{Does, Op, Trace};
pub(crate) use path::{Part, Path, Root};
pub(crate) use protocol::{Miscount, Misuse, Stuck, kept, miscounts, misuses, op, owed, stuck, taken_twice};
pub(crate) use races::{Race, races};

use racewalk_link::Program;

/// A path as the code would write it.
pub(crate) fn path_text(program: &Program, path: &Path) -> String {
    let (file, owner, symbol) = match path.root {
        Root::Local(_, file, owner, symbol) => (file, owner, symbol),
        Root::Global(file, symbol) => (file, racewalk_ir::FunctionId(0), symbol),
    };
    let name = program.module(file).function(owner).symbols[symbol.index()].name;
    let mut text = name.as_str().trim_end_matches('\'').to_owned();
    for part in &path.parts {
        match part {
            Part::Field(name) => text = format!("{text}.{name}"),
            Part::Pointee => text = format!("*{text}"),
            Part::At(at) => text = format!("{text}[{at}]"),
            Part::Element | Part::All | Part::Entry => text = format!("{text}[…]"),
        }
    }
    text
}

//! The whole program: symbols, class hierarchies, light inference, call graph, summaries.

use racewalk_ir::Module;
use racewalk_models::Models;

/// A source file of the program: the position of its module in [`Program::modules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A linked program.
pub struct Program {
    /// One module a file, in the order the files were given.
    pub modules: Vec<Module>,
    /// Which modules are reported on; the others are context.
    pub reported: Vec<bool>,
    /// What libraries do.
    pub models: Models,
}

/// Facts about the project that linking needs and that are in no module.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The language version that the project runs on, as (major, minor).
    pub language_version: Option<(u8, u8)>,
}

/// Links modules into a program. `reported[i]` tells whether findings in module `i` are wanted; others are context.
pub fn link(modules: Vec<Module>, reported: Vec<bool>, models: Models, settings: &Settings) -> Program {
    let _ = settings;
    Program { modules, reported, models }
}

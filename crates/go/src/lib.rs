//! Go front end: the files of a package to the concurrency IR.
//!
//! A package is one module: its files share one scope, and a method may stand in another file than its type. Spans count in the
//! text that the files make when they are joined (see [`joined`]); imports hold for one file, so their names are kept apart.

mod calls;
mod comments;
mod declaration;
mod expression;
mod function;
mod header;
mod lowerer;
mod scope;
mod statement;
mod types;

pub use header::{Header, header};

use lowerer::Lowerer;
use racewalk_go_syntax::{File, parse as parse_file};
use racewalk_ir::{Language, Module, Name, Span, SyntaxProblem, fill};

/// What later stages must know of Go.
pub static LANGUAGE: Language = Language {
    name: "go",
    comment_sign: "//",
    builtins: "universe",
    awaitable: "channel",
    async_function: "func",
    a_lock: "a `sync.Mutex`",
    together: "`errgroup.Group.Wait`",
    not_leaving_any: "let all of them end (`sync.WaitGroup`), and undo what succeeded",
    limiting: "let a limit (`errgroup.Group.SetLimit`, a fixed number of workers) bound how many work at once",
    elsewhere: "a goroutine",
    computing_elsewhere: "a goroutine",
    starts_at_call: true,
    has_one_thread: false,
    lock_class: Some("sync.Locker"),
    shares_memory: true,
    awaits_anything: false,
    telling_methods: &[],
    route_methods: &[],
    list_class: "universe.[]",
    set_class: "universe.[]",
    mapping_class: "universe.map",
    awaitable_class: None,
    await_method: "",
    has_option_objects: false,
    has_map_methods: false,
    constructors: &[],
    initialisers: &[],
    joins_words_by_humps: true,
    decorators_only_mark: true,
    underscore_hides: false,
    suspends_at_top: false,
};

/// Since this minor version of Go each round of a loop has variables of its own.
const VARIABLES_PER_ROUND: u32 = 22;

/// A package, as far as lowering asks.
#[derive(Clone, Copy, Debug)]
pub struct Package<'a> {
    /// The path by which others import it.
    pub path: Name,
    /// The texts of its files, in the order in which they are joined.
    pub texts: &'a [&'a str],
    /// The minor version of Go that its module is written in: 22 for Go 1.22.
    pub version: u32,
    /// Bodies are not wanted: only what it declares.
    pub signatures_only: bool,
}

/// The texts of a package as one, in which spans count: each begins on a line of its own.
pub fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        all.push_str(text);
        all.push('\n');
    }
    all
}

/// Lowers one package. Never fails: what cannot be parsed is listed in [`Module::problems`], and the rest is lowered.
pub fn lower(package: Package<'_>) -> Module {
    lower_noting(package, &mut || ())
}

/// As [`lower`]; says when all files are parsed, for those who measure what that costs.
pub fn lower_noting(package: Package<'_>, is_parsed: &mut dyn FnMut()) -> Module {
    let mut module = Module::empty(package.path, &LANGUAGE);
    module.is_type_checked = true;
    module.signatures_only = package.signatures_only;
    let mut start = 0;
    let mut files: Vec<(u32, File<'_>)> = Vec::new();
    for text in package.texts {
        files.push((start, parse_file(*text)));
        start += text.len() as u32 + 1;
    }
    is_parsed();
    for (base, file) in &files {
        let problem = |error: &racewalk_go_syntax::SyntaxError| SyntaxProblem {
            span: Span::new(base + error.offset, base + error.offset),
            message: error.message.to_string(),
        };
        module.problems.extend(file.errors.iter().map(problem));
    }
    fill(module, |module| Lowerer::new(module, &files, package).package(start))
}

/// Parses a text and keeps nothing: what [`lower`] spends on it before it lowers. Tells whether it has no problem.
pub fn parse(text: &str) -> bool {
    parse_file(text).errors.is_empty()
}

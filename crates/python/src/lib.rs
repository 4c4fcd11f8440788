//! Python front end: source text to the concurrency IR.

mod comments;
mod expression;
mod generator;
mod lowerer;
mod notebook;
mod parser;
mod pattern;
mod statement;

pub use notebook::{Notebook, notebook_source};
pub use parser::is_guarding;

use lowerer::Lowerer;
use racewalk_ir::{Language, Module, Name, Span, SyntaxProblem, fill, forget_bodies};
use ruff_python_ast::PySourceType;
use ruff_text_size::TextRange;

/// What later stages must know of Python.
pub static LANGUAGE: Language = Language {
    name: "python",
    comment_sign: "#",
    builtins: "builtins",
    awaitable: "coroutine",
    async_function: "async def",
    a_lock: "an asyncio.Lock",
    together: "`gather`, or a task group",
    not_leaving_any: "use a task group, which cancels the others and waits for them; or let all settle, and undo what succeeded",
    limiting: "let a semaphore inside the coroutine bound how many work at once, or use a fixed number of workers on a queue",
    elsewhere: "`await asyncio.to_thread({}…)`",
    computing_elsewhere: "a process pool (`loop.run_in_executor(process_pool, …)`): a thread would not free the CPU",
    starts_at_call: false,
    has_one_thread: false,
    lock_class: None,
    shares_memory: false,
    awaits_anything: false,
    telling_methods: &[],
    route_methods: &[],
    list_class: "builtins.list",
    set_class: "builtins.set",
    mapping_class: "builtins.dict",
    awaitable_class: None,
    await_method: "__await__",
    has_option_objects: false,
    has_map_methods: false,
    constructors: &["__init__", "__post_init__", "__new__"],
    initialisers: &["__init__", "__post_init__"],
    joins_words_by_humps: false,
    decorators_only_mark: false,
    underscore_hides: true,
    suspends_at_top: false,
};

/// What lowering must know of a file besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's text.
    pub text: &'a str,
    /// Absolute dotted module name.
    pub name: Name,
    /// `__init__` file.
    pub is_package: bool,
    /// Stub file (`.pyi`).
    pub is_stub: bool,
    /// Cells of a notebook, concatenated by [`notebook_source`]; top-level `await` is allowed.
    pub is_notebook: bool,
    /// Only what it declares is wanted: bodies are left out, as far as they assign no members of an instance.
    pub signatures_only: bool,
}

/// Lowers one file. Never fails: what cannot be parsed is listed in [`Module::problems`], and the rest is lowered.
///
/// Offsets are 32 bits wide, so a text of 4 GiB or more is not looked at and said so.
pub fn lower(source: Source<'_>) -> Module {
    lower_noting(source, &mut || ())
}

/// As [`lower`]; says when the file is parsed, for those who measure what that costs.
pub fn lower_noting(source: Source<'_>, is_parsed: &mut dyn FnMut()) -> Module {
    let mut module = Module::empty(source.name, &LANGUAGE);
    module.is_package = source.is_package;
    module.own_loop = source.is_notebook;
    module.signatures_only = source.signatures_only;
    if u32::try_from(source.text.len()).is_err() {
        let message = "the file is larger than 4 GiB".to_owned();
        module.problems.push(SyntaxProblem { span: Span::default(), message });
        return module;
    }
    let (parsed, failed) = parser::parse(source.text, source_type(source));
    is_parsed();
    if !source.signatures_only {
        module.comments = comments::addressed_to_us(source.text, parsed.tokens());
    }
    if failed {
        let message = "the parser breaks down on this file".to_owned();
        module.problems.push(SyntaxProblem { span: Span::default(), message });
    }
    let errors = parsed.errors().iter();
    module
        .problems
        .extend(errors.map(|error| SyntaxProblem { span: span(error.location), message: error.error.to_string() }));
    let length = source.text.len() as u32;
    let mut module = fill(module, |module| Lowerer::new(module).module(parsed.suite(), length));
    if source.is_stub {
        forget_bodies(&mut module);
    }
    module
}

/// Parses one file and keeps nothing: what [`lower`] spends before it lowers. Tells whether the file has no problem.
pub fn parse(source: Source<'_>) -> bool {
    u32::try_from(source.text.len()).is_ok() && parser::parse(source.text, source_type(source)).0.has_valid_syntax()
}

fn source_type(source: Source<'_>) -> PySourceType {
    match source {
        Source { is_notebook: true, .. } => PySourceType::Ipynb,
        Source { is_stub: true, .. } => PySourceType::Stub,
        _ => PySourceType::Python,
    }
}

pub(crate) fn span(range: TextRange) -> Span {
    Span::new(range.start().to_u32(), range.end().to_u32())
}

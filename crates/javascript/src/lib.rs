//! JavaScript and TypeScript front end: source text to the concurrency IR.

mod class;
mod comments;
mod common_js;
mod component;
mod expression;
mod function;
mod hoist;
mod jsx;
mod lowerer;
mod module_syntax;
mod parser;
mod pattern;
mod scope;
mod shape;
mod specifier;
mod statement;
mod types;

pub use parser::is_guarding;
pub use shape::unreadable;
pub use specifier::import_path;

use lowerer::Lowerer;
use racewalk_ir::{Language, Module, Name, Span, SyntaxProblem, fill, forget_bodies};
use std::borrow::Cow;

/// What later stages must know of JavaScript and TypeScript.
pub static LANGUAGE: Language = Language {
    name: "javascript",
    comment_sign: "//",
    builtins: "globalThis",
    awaitable: "promise",
    async_function: "async function",
    a_lock: "a mutex",
    together: "`Promise.all`",
    not_leaving_any: "let all settle (`Promise.allSettled`), and undo what succeeded",
    limiting: "let a limiter (`p-limit`, `p-map`) bound how many work at once, or go through them in parts",
    elsewhere: "a worker thread",
    computing_elsewhere: "a worker thread",
    starts_at_call: true,
    has_one_thread: true,
    lock_class: None,
    shares_memory: false,
    awaits_anything: true,
    telling_methods: &["forEach", "flatMap", "some", "every"],
    route_methods: &["get", "post", "put", "patch", "delete", "all", "use", "options", "head"],
    list_class: "globalThis.Array",
    set_class: "globalThis.Set",
    mapping_class: "globalThis.Map",
    awaitable_class: Some("globalThis.Promise"),
    await_method: "then",
    has_option_objects: true,
    has_map_methods: true,
    constructors: &["constructor", class::INITIALISERS],
    initialisers: &["constructor", class::INITIALISERS],
    joins_words_by_humps: true,
    decorators_only_mark: true,
    underscore_hides: false,
    suspends_at_top: true,
};

/// Which of the family's grammars a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// `.js`, `.jsx`: a script or a module, as its own text tells; JSX is allowed.
    JavaScript,
    /// `.mjs`.
    JavaScriptModule,
    /// `.cjs`.
    CommonJs,
    /// `.ts`, `.mts`, `.cts`.
    TypeScript,
    /// `.tsx`.
    Tsx,
    /// `.d.ts` and the like: declarations only.
    Declarations,
    /// `.vue`, `.svelte`: the scripts inside of it.
    Component,
}

impl Syntax {
    /// By the name of the file, its directories aside.
    pub fn of_file(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.')?;
        Some(match ending {
            "js" | "jsx" => Self::JavaScript,
            "mjs" => Self::JavaScriptModule,
            "cjs" => Self::CommonJs,
            "ts" | "mts" | "cts" if stem.ends_with(".d") => Self::Declarations,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "vue" | "svelte" => Self::Component,
            _ => return None,
        })
    }
}

/// What lowering must know of a file besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's text.
    pub text: &'a str,
    /// The module's name: its path from the project's root, with dots between the segments.
    pub name: Name,
    /// What it is written in.
    pub syntax: Syntax,
}

/// Lowers one file. Never fails: what cannot be parsed is listed in [`Module::problems`], and the rest is lowered. A text of
/// which [`unreadable`] says something is not looked at.
pub fn lower(source: Source<'_>) -> Module {
    lower_noting(source, &mut || ())
}

/// As [`lower`]; says when the file is parsed, for those who measure what that costs.
pub fn lower_noting(source: Source<'_>, is_parsed: &mut dyn FnMut()) -> Module {
    let mut module = Module::empty(source.name, &LANGUAGE);
    if let Some(why) = unreadable(source.text) {
        module.problems.push(SyntaxProblem { span: Span::default(), message: why.to_owned() });
        return module;
    }
    let (text, syntax) = script(source);
    module.is_type_checked = matches!(syntax, Syntax::TypeScript | Syntax::Tsx);
    let mut module = parser::parsed(&text, syntax, |program, problems| {
        is_parsed();
        module.problems = problems;
        fill(module, |module| Lowerer::new(module, &text).module(program))
    });
    if syntax == Syntax::Declarations {
        forget_bodies(&mut module);
    }
    module
}

/// Parses one file and keeps nothing: what [`lower`] spends before it lowers. Tells whether the file has no problem.
pub fn parse(source: Source<'_>) -> bool {
    if unreadable(source.text).is_some() {
        return false;
    }
    let (text, syntax) = script(source);
    parser::parsed(&text, syntax, |_, problems| problems.is_empty())
}

/// The text to parse, in which everything stands where it stands in the file.
fn script<'a>(source: Source<'a>) -> (Cow<'a, str>, Syntax) {
    match source.syntax {
        Syntax::Component => {
            let (text, syntax) = component::scripts(source.text);
            (Cow::Owned(text), syntax)
        }
        syntax => (Cow::Borrowed(source.text), syntax),
    }
}

pub(crate) fn span(span: oxc_span::Span) -> Span {
    Span::new(span.start, span.end)
}

//! The parser, which must not take the whole run down with it: it is somebody else's.

use crate::{Syntax, span};
use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_span::SourceType;
use racewalk_ir::{Span, SyntaxProblem};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_GUARDING: Cell<bool> = const { Cell::new(false) };
}

/// True while a panic on this thread would be the parser's, which is caught: nobody need be told.
pub fn is_guarding() -> bool {
    IS_GUARDING.get()
}

/// Parses a text and does something with it and with what is wrong with it. What the parser recovers from is no problem: an
/// `await` in a plain function is a rule's business.
pub(crate) fn parsed<T>(text: &str, syntax: Syntax, work: impl FnOnce(&Program<'_>, Vec<SyntaxProblem>) -> T) -> T {
    let allocator = Allocator::default();
    match guarded(&allocator, text, source_type(syntax)) {
        Some(parsed) => {
            let problems = if parsed.panicked { problems(&parsed) } else { Vec::new() };
            work(&parsed.program, problems)
        }
        None => {
            let message = "the parser breaks down on this file".to_owned();
            let empty = Parser::new(&allocator, "", SourceType::mjs()).parse();
            work(&empty.program, vec![SyntaxProblem { span: Span::default(), message }])
        }
    }
}

fn problems(parsed: &ParserReturn<'_>) -> Vec<SyntaxProblem> {
    let errors = parsed.diagnostics.iter();
    errors
        .map(|error| {
            let at = error.labels.first().map(|label| span(label.span()));
            SyntaxProblem { span: at.unwrap_or_default(), message: error.message.to_string() }
        })
        .collect()
}

fn guarded<'a>(allocator: &'a Allocator, text: &'a str, source_type: SourceType) -> Option<ParserReturn<'a>> {
    let options =
        ParseOptions { allow_return_outside_function: true, preserve_parens: false, ..ParseOptions::default() };
    IS_GUARDING.set(true);
    let parse = AssertUnwindSafe(|| Parser::new(allocator, text, source_type).with_options(options).parse());
    let parsed = catch_unwind(parse);
    IS_GUARDING.set(false);
    parsed.ok()
}

fn source_type(syntax: Syntax) -> SourceType {
    match syntax {
        Syntax::JavaScript => SourceType::unambiguous().with_jsx(true),
        Syntax::JavaScriptModule | Syntax::Component => SourceType::mjs(),
        Syntax::CommonJs => SourceType::cjs(),
        Syntax::TypeScript => SourceType::ts(),
        Syntax::Tsx => SourceType::tsx(),
        Syntax::Declarations => SourceType::d_ts(),
    }
}

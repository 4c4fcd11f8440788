//! What the fuzz targets share: how an input is read, and what must hold of every lowered module and every Go file.

use racewalk_go_syntax::{Constraint, ExprKind, LiteralKind, Node, parse, string_value};
use racewalk_ir::{Event, Expr, ExprId, Module, Name};
use racewalk_javascript::Syntax;
use racewalk_python::{Source, is_guarding, lower, notebook_source};
use std::sync::{Once, OnceLock};

/// How the bytes after the first are taken.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// A source file.
    Plain,
    /// A stub file.
    Stub,
    /// The cells of a notebook, joined.
    Cells,
    /// A notebook file.
    Notebook,
}

impl Mode {
    /// The mode that a first byte stands for; seeds have `p`, `q`, `n` and `c`.
    pub fn of(byte: u8) -> Self {
        match byte & 3 {
            0 => Self::Plain,
            1 => Self::Stub,
            2 => Self::Notebook,
            _ => Self::Cells,
        }
    }
}

/// Runs on a thread with as much stack as the engine gives its own.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let_caught_panics_pass();
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    let build = || rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(256 << 20).build().expect("a thread");
    POOL.get_or_init(build).install(work)
}

/// The fuzzer ends at every panic, caught or not; a panic of the parser is caught on purpose.
pub fn let_caught_panics_pass() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let end = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_guarding() && !racewalk_javascript::is_guarding() {
                end(panic);
            }
        }));
    });
}

/// Lowers a text, and looks at what comes out.
pub fn lower_and_verify(mode: Mode, text: &str) {
    let notebook;
    let text = match mode {
        Mode::Notebook => match notebook_source(text) {
            Ok(read) => {
                notebook = read.text;
                notebook.as_str()
            }
            Err(_) => return,
        },
        _ => text,
    };
    let source = Source {
        text,
        name: Name::new("fuzz"),
        is_package: false,
        is_stub: matches!(mode, Mode::Stub),
        is_notebook: matches!(mode, Mode::Cells | Mode::Notebook),
        signatures_only: false,
    };
    verify(text, &lower(source));
    verify(text, &lower(Source { signatures_only: true, ..source }));
}

/// Lowers a text as JavaScript or TypeScript, in the grammar that a first byte stands for, and looks at what comes out.
pub fn lower_script_and_verify(first: u8, text: &str) {
    let syntaxes = [
        Syntax::JavaScript,
        Syntax::TypeScript,
        Syntax::Tsx,
        Syntax::CommonJs,
        Syntax::JavaScriptModule,
        Syntax::Declarations,
        Syntax::Component,
    ];
    let syntax = syntaxes[first as usize % syntaxes.len()];
    let source = racewalk_javascript::Source { text, name: Name::new("fuzz"), syntax };
    verify(text, &racewalk_javascript::lower(source));
}

fn verify(text: &str, module: &Module) {
    let count = module.exprs.len();
    assert_eq!((module.spans.len(), module.parents.len(), module.roles.len()), (count, count, count));
    for (index, span) in module.spans.iter().enumerate() {
        assert!(span.start <= span.end && span.end as usize <= text.len(), "expression {index}: {span:?}");
        assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
        assert!(module.parents[index].index() < count, "parent of {index}");
    }
    for index in 0..count {
        if let Expr::Call(callee, call) = module.expr(ExprId(index as u32)) {
            assert!(callee.index() < index, "the callee of {index} comes after it");
            assert!(module.args(call).iter().all(|argument| argument.value.index() < count));
        }
    }
    for function in &module.functions {
        assert!(function.span.end as usize <= text.len());
        markers_nest(&function.events);
    }
}

/// Every opening marker has its closing one, and they do not cross.
fn markers_nest(events: &[Event]) {
    let mut open: Vec<&'static str> = Vec::new();
    let mut depth_ok = |opening: Option<&'static str>, closing: Option<&'static str>| {
        if let Some(closing) = closing {
            assert_eq!(open.pop(), Some(closing), "a marker is closed that was not opened last");
        }
        open.extend(opening);
    };
    for event in events {
        match event {
            Event::Branch(_) => depth_ok(Some("branch"), None),
            Event::EndBranch(_) => depth_ok(None, Some("branch")),
            Event::Loop(_) => depth_ok(Some("loop"), None),
            Event::EndLoop => depth_ok(Some("else of a loop"), Some("loop")),
            Event::EndLoopElse => depth_ok(None, Some("else of a loop")),
            Event::Try => depth_ok(Some("try"), None),
            Event::EndTry => depth_ok(None, Some("try")),
            Event::Defer => depth_ok(Some("defer"), None),
            Event::EndDefer => depth_ok(None, Some("defer")),
            _ => {}
        }
    }
    assert!(open.is_empty(), "markers left open: {open:?}");
}

/// Parses a Go file, and looks at what comes out: nodes within the text and within the node above, comments and errors
/// in order, and strings that have values.
pub fn parse_go_and_verify(text: &[u8]) {
    let file = parse(text);
    let len = text.len() as u32;
    let mut children = Vec::new();
    for node in file.nodes() {
        let span = node.span(&file);
        assert!(span.start <= span.end && span.end <= len, "{node:?} at {span:?}");
        file.children(node, &mut children);
        for child in children.drain(..) {
            assert!(span.contains(child.span(&file)), "{child:?} in {node:?}");
        }
        if let Node::Expr(id) = node
            && matches!(file[id].kind, ExprKind::Literal(LiteralKind::String))
            && file.errors.is_empty()
        {
            assert!(string_value(file.text_of(span)).is_some(), "a string without a value at {span:?}");
        }
        let _ = (file.comments_above(span.start), file.comment_behind(span.end));
    }
    assert!(file.comments.is_sorted_by(|a, b| a.end <= b.start) && file.comments.iter().all(|span| span.end <= len));
    assert!(file.errors.is_sorted_by(|a, b| a.offset < b.offset) && file.errors.iter().all(|error| error.offset <= len));
    if let Some(constraint) = Constraint::of_text(text) {
        assert_eq!(constraint.holds(|_| true), !Constraint::Not(Box::new(constraint.clone())).holds(|_| true));
    }
}

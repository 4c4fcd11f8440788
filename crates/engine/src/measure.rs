//! What the measuring tools ask: how long parsing alone takes, and what inference knows of each awaited call.

use crate::lower::{self, Unit};
use crate::{Engine, Options};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Span, SuspendKind};
use racewalk_link::{Answer, Evaluator, FileId, Program, Type};
use racewalk_project::{Disk, Failure};
use racewalk_report::Position;
use rayon::prelude::*;

/// A call whose result is awaited on the spot, and what inference says of that result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedCall {
    /// The file, as findings name it.
    pub path: String,
    /// Where the call starts.
    pub at: Position,
    /// The result is an awaitable: yes, no, or unknown.
    pub answer: &'static str,
    /// Why not; empty for a yes.
    pub why: String,
}

impl Engine {
    /// Finds and parses the files that a check would, and does nothing else.
    ///
    /// # Errors
    /// As [`Engine::check`].
    pub fn parse_only(&self, options: &Options) -> Result<(), Failure> {
        let disk = Disk::default();
        self.in_pool(|| {
            let (_, project) = self.discovered(&disk, options)?;
            lower::parse_only(&disk, &project.files);
            Ok(())
        })
    }

    /// Every `await` whose operand is a call, in the order of files and places.
    ///
    /// # Errors
    /// As [`Engine::check`].
    pub fn awaited_calls(&self, options: &Options) -> Result<Vec<AwaitedCall>, Failure> {
        let disk = Disk::default();
        self.in_pool(|| {
            let (_, mut project) = self.discovered(&disk, options)?;
            let linked = self.linked(&disk, options, &mut project)?;
            let files: Vec<_> = linked.program.files().zip(&linked.units).collect();
            let reported = |(file, _): &(FileId, &Unit)| linked.program.reported[file.index()];
            let of_file = |(file, unit)| calls_of(&disk, &project.files, &linked.program, file, unit);
            Ok(files.into_par_iter().filter(reported).flat_map_iter(of_file).collect())
        })
    }
}

fn calls_of(
    disk: &Disk,
    files: &[racewalk_project::SourceFile],
    program: &Program,
    file: FileId,
    unit: &Unit,
) -> Vec<AwaitedCall> {
    let evaluator = program.evaluator(file);
    let module = program.module(file);
    let mut operands: Vec<(Span, FunctionId, ExprId)> = Vec::new();
    for (id, function) in module.functions.iter().enumerate() {
        let awaited = function.events.iter().filter_map(|event| match event {
            Event::Suspend(SuspendKind::Await, operand) => Some(*operand),
            _ => None,
        });
        let calls = awaited.filter(|operand| matches!(module.expr(*operand), Expr::Call(..)));
        operands.extend(calls.map(|operand| (module.span(operand), FunctionId(id as u32), operand)));
    }
    operands.sort_unstable();
    // A cleanup block may stand in the events once for each way into it.
    operands.dedup_by_key(|(span, ..)| *span);
    if operands.is_empty() {
        return Vec::new();
    }
    let source = &files[unit.file];
    let text = lower::text(disk, files, unit);
    let answer = |(span, function, operand): (Span, FunctionId, ExprId)| {
        let (answer, why) = judge(program, &evaluator, evaluator.eval(function, operand));
        let at = unit.part.position(text.position(span.start));
        AwaitedCall { path: source.shown.clone(), at, answer, why }
    };
    operands.into_iter().map(answer).collect()
}

fn judge(program: &Program, evaluator: &Evaluator<'_>, value: Type) -> (&'static str, String) {
    match evaluator.awaitable(value) {
        Answer::Yes => ("yes", String::new()),
        Answer::No => ("no", kind(program, value)),
        Answer::Unknown(why) => ("unknown", why.as_str().to_owned()),
    }
}

/// What a value is that is no awaitable.
fn kind(program: &Program, value: Type) -> String {
    match value {
        Type::None => "no value".to_owned(),
        Type::Plain => "a plain value".to_owned(),
        Type::Instance(class, _) => format!("an instance of {}", program.qualified_class(class)),
        Type::ExternalInstance(path, _) => format!("an instance of {path}"),
        Type::Union(_) => "one of several".to_owned(),
        Type::Function(_) | Type::Method(..) | Type::ExternalMethod(..) => "a function".to_owned(),
        Type::Class(_) => "a class".to_owned(),
        Type::Context(..) => "a context manager".to_owned(),
        Type::AsyncGenerator(_) | Type::Generator(_) => "a generator".to_owned(),
        Type::Collection(_) | Type::Mapping(_) | Type::Tuple(_) => "a collection".to_owned(),
        _ => "something else".to_owned(),
    }
}

//! What a run lacked, looked for in the program: stand-ins, objects, arguments.

use crate::plan::{Plan, Stub};
use crate::session::Session;
use racewalk_link::{FileId, FunctionRef};
use racewalk_report::SourceText;
use racewalk_report::proof::{Answer, Verdict};

/// What was tried already for one plan.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<String>);

impl Tried {
    /// It was not tried before; from now on it was.
    fn is_new(&mut self, what: String) -> bool {
        let is_new = !self.0.contains(&what);
        self.0.push(what);
        is_new
    }
}

impl Session<'_> {
    /// The plan with what the run lacked, as far as the program says it, and it was not tried yet.
    pub(crate) fn repaired(
        &self,
        plan: &Plan,
        targets: &[FunctionRef],
        answer: &Answer,
        tried: &mut Tried,
    ) -> Option<Plan> {
        if matches!(answer.verdict, Verdict::Proved | Verdict::NoViolation) {
            return None;
        }
        let mut next = plan.clone();
        if answer.hint.as_deref() == Some("stubs") {
            next.stubs.push(self.stub_for(targets, answer, "outside", tried)?);
            return Some(next);
        }
        for (target, written) in targets.iter().zip(&mut next.targets) {
            let spec = |file| self.place(file).map(|place| place.spec.clone());
            let made = self.aim.receivers(*target, &spec);
            if let Some(made) = made.into_iter().find(|made| tried.is_new(format!("receiver {made}"))) {
                written.receiver = Some(made);
                return Some(next);
            }
            if let Some(args) = self.aim.arguments(*target).filter(|args| tried.is_new(format!("args {args:?}"))) {
                written.args = args.into_iter().chain(std::mem::take(&mut written.args)).collect();
                return Some(next);
            }
        }
        // What fails with everything that could be made up is not what the finding is about.
        next.stubs.push(self.stub_for(targets, answer, "raised", tried)?);
        Some(next)
    }

    /// What stands in for code that reaches outside, or fails: the function of the project around the line that does. `key` names
    /// the lines in the answer.
    fn stub_for(&self, targets: &[FunctionRef], answer: &Answer, key: &str, tried: &mut Tried) -> Option<Stub> {
        let lines = answer.more.get(key)?.as_array()?;
        // The innermost comes last.
        lines.iter().rev().find_map(|frame| {
            let path = frame.get("path")?.as_str()?;
            let line = u32::try_from(frame.get("line")?.as_u64()?).ok()?;
            let function = self.function_at(path, line).filter(|function| !targets.contains(function))?;
            let call = self.name(function).filter(|name| !name.contains("<locals>"))?;
            tried.is_new(format!("stub {call}")).then_some(Stub { call, result: None })
        })
    }

    /// The function around a line of a file, by its path from the root.
    fn function_at(&self, path: &str, line: u32) -> Option<FunctionRef> {
        let at = self.places.iter().position(|place| place.as_ref().is_some_and(|place| place.path == path))?;
        let file = FileId(u32::try_from(at).ok()?);
        let text = SourceText::new(self.disk.read_text(&self.root.join(path)).ok()?);
        let (start, end) = text.bytes_of(line)?;
        self.aim.function_around(file, start, end)
    }
}

//! `share/inconsistent-lock` where functions run side by side on all memory: what a lock guards is used without it.

use crate::context::Context;
use crate::finding::Finding;
use crate::lanes::unguarded;
use crate::looping::is_test_module;
use crate::rule::Rule;
use racewalk_link::{FunctionRef, Program};
use racewalk_report::{Confidence, Severity};

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    for one in unguarded(ctx) {
        let does = if one.write { "changed" } else { "read" };
        let (name, guard) = (&one.name, &one.guard);
        let message = if one.is_held_to_read {
            format!(
                "`{name}` is changed here with {guard} held for reading only: others may hold it so at the same time"
            )
        } else {
            format!("`{name}` is {does} here without {guard}, under which it is changed elsewhere")
        };
        // What is set as a whole may be set before anybody else has it.
        let is_early = || is_part_of_making(ctx.program, ctx.function_ref(one.function), DEEPEST);
        let certainty = if one.is_content && !is_early() { Confidence::Likely } else { Confidence::Possible };
        let severity = if one.is_content { Severity::Error } else { rule.severity };
        let finding = Finding::new(rule, one.at, ctx.symbol(one.function), message)
            .severity(severity)
            .confidence(certainty)
            .help(format!("hold {guard} here as well"))
            .related(one.guarded, format!("changed under the lock in `{}`", ctx.symbol(one.guarded_in)))
            .shape(name.clone());
        ctx.report(one.function, finding, found);
    }
}

/// How many callers away from a constructor its helpers are.
const DEEPEST: u32 = 4;

/// By its name the function makes the object, or only such functions call it: nobody else has it yet.
fn is_part_of_making(program: &Program, function: FunctionRef, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    let name = program.function(function).name.as_str().to_ascii_lowercase();
    if ["new", "init", "make", "register", "restore"].iter().any(|word| name.starts_with(word)) {
        return true;
    }
    let is_test = |caller: &FunctionRef| is_test_module(program.module(caller.file).name.as_str());
    let callers = program.summaries.callers.of(function).iter().map(|(caller, ..)| *caller);
    let mut callers = callers.filter(|caller| *caller != function && !is_test(caller)).peekable();
    callers.peek().is_some() && callers.all(|caller| is_part_of_making(program, caller, left))
}

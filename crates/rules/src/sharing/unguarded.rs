//! `share/inconsistent-lock` where functions run side by side on all memory: what a lock guards is used without it.

use crate::context::Context;
use crate::finding::Finding;
use crate::lanes::unguarded;
use crate::rule::Rule;
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
        let certainty = if one.is_content { Confidence::Likely } else { Confidence::Possible };
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

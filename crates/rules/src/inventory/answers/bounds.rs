//! What limits it?

use super::{Reply, Subject, count, part_of};
use crate::bounding::deadlines::{is_limited, is_unlimited};
use crate::finding::Place;
use crate::inventory::calls::sites;
use crate::inventory::guards::lock_name;
use crate::race::held::Sort;
use racewalk_ir::{ExprId, SuspendKind};
use racewalk_report::inventory::{Answer, Evidence};

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let waits = waits(subject);
    let limited: Vec<ExprId> = waits.iter().filter(|wait| is_limited_at(subject, **wait)).copied().collect();
    let unlimited: Vec<ExprId> = unlimited(subject);
    let permits = permits(subject);
    let fan_outs = fan_outs(subject);
    let mut parts = Vec::new();
    if !waits.is_empty() {
        parts.push(format!("{} under a time limit", part_of(limited.len(), waits.len(), "wait")));
    }
    if !unlimited.is_empty() {
        parts.push(format!("{} the network without one", crosses(unlimited.len())));
    }
    if !permits.is_empty() {
        parts.push(format!(
            "{} in",
            count(permits.len(), "semaphore") + if permits.len() == 1 { " lets a number" } else { " let a number" }
        ));
    }
    if !fan_outs.is_empty() {
        parts.push(format!("{} as many tasks as there are elements", starts(fan_outs.len())));
    }
    if parts.is_empty() {
        parts.push("nothing, and it waits for nothing".to_owned());
    }
    let of = |expr: &ExprId, what: &str| subject.evidence(format!("{} {what}", subject.text(*expr)), *expr);
    let mut evidence: Vec<Evidence<Place>> = limited.iter().map(|wait| of(wait, "is under a time limit")).collect();
    evidence.extend(unlimited.iter().map(|call| of(call, "crosses the network without a time limit")));
    evidence.extend(permits);
    evidence.extend(fan_outs);
    Reply { answer: parts.join("; "), evidence }
}

fn crosses(number: usize) -> String {
    format!("{} cross{}", count(number, "call"), if number == 1 { "es" } else { "" })
}

fn starts(number: usize) -> String {
    format!("{} start{}", count(number, "place"), if number == 1 { "s" } else { "" })
}

/// What the function waits for, each once.
fn waits(subject: &Subject<'_, '_>) -> Vec<ExprId> {
    let mut found = Vec::new();
    for (kind, operand) in crate::race::suspends::suspensions(subject.events()) {
        let is_wait = kind != SuspendKind::Yield;
        let may = || super::verdict(subject.index, subject.function(), kind, operand).suspends != Answer::No;
        if is_wait && !found.contains(&operand) && may() {
            found.push(operand);
        }
    }
    found
}

fn is_limited_at(subject: &Subject<'_, '_>, wait: ExprId) -> bool {
    is_limited(subject.ctx.program, subject.function(), wait) || limits_itself(subject, wait)
}

/// `wait_for(work(), 5)` is its own limit.
fn limits_itself(subject: &Subject<'_, '_>, wait: ExprId) -> bool {
    use crate::bounding::deadlines::gives_limit;
    let program = subject.ctx.program;
    let Some(model) = program.site(subject.function(), wait).and_then(|site| program.model_at(site)) else {
        return false;
    };
    let position = if model.joins.is_some() { 1 } else { usize::MAX - 1 };
    !model.timeout_params.is_empty() && gives_limit(subject.ctx.module, wait, model, position)
}

fn unlimited(subject: &Subject<'_, '_>) -> Vec<ExprId> {
    let program = subject.ctx.program;
    let all = sites(subject.ctx, subject.id).into_iter();
    let free = all.filter(|site| {
        is_unlimited(program, subject.function(), site) && !is_limited(program, subject.function(), site.call)
    });
    free.map(|site| site.call).collect()
}

/// The semaphores whose permits the function takes.
fn permits(subject: &Subject<'_, '_>) -> Vec<Evidence<Place>> {
    let holds = subject.ctx.shared.race.locks.holds(subject.function());
    let takes = holds.into_iter().flat_map(|holds| &holds.takes).filter(|take| take.sort == Sort::Several);
    let name = |take| lock_name(subject.ctx.program, subject.function(), take);
    takes.map(|take| subject.evidence(format!("a permit of {} is taken", name(take)), take.at)).collect()
}

fn fan_outs(subject: &Subject<'_, '_>) -> Vec<Evidence<Place>> {
    let several = subject.spawns.iter().filter(|spawn| spawn.many);
    several
        .map(|spawn| Evidence { text: format!("{} for each of several: {}", spawn.by, spawn.starts), at: spawn.at })
        .collect()
}

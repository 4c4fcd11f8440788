//! `share/data-race` where functions run side by side on all memory: what a function starts, and the function itself.

use crate::context::Context;
use crate::finding::{Finding, Step, Witness};
use crate::lanes::{Does, Race, Root, Trace, path_text, races, spawns_below, trace};
use crate::rule::Rule;
use racewalk_ir::FunctionKind;
use racewalk_report::Confidence;

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    let mut told = Vec::new();
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !spawns_below(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        for race in races(&trace) {
            let (first, second) = (at(&trace, &race, true), at(&trace, &race, false));
            let pair = (first.at.min(second.at), first.at.max(second.at));
            if first.at.file == ctx.file && !told.contains(&pair) {
                told.push(pair);
                ctx.report(function, finding(ctx, rule, &trace, &race), found);
            }
        }
    }
}

fn at<'t>(trace: &'t Trace, race: &Race, first: bool) -> &'t crate::lanes::Op {
    let (lane, op) = if first { race.first } else { race.second };
    &trace.lanes[lane].ops[op]
}

fn finding(ctx: &Context<'_>, rule: &'static Rule, trace: &Trace, race: &Race) -> Finding {
    let (first, second) = (at(trace, race, true), at(trace, race, false));
    let object = path_text(ctx.program, &race.path);
    let is_self = race.first == race.second;
    let verb = |does: &Does| if matches!(does, Does::Touches { write: true, .. }) { "writes" } else { "reads" };
    let message = if is_self || race.first.0 == race.second.0 {
        format!("goroutines that run side by side write `{object}` here, and nothing orders them")
    } else {
        let who = |lane: usize| if lane == 0 { "the function that starts goroutines" } else { "a goroutine" };
        let other = if race.first.0 > 0 && race.second.0 > 0 { "another goroutine" } else { who(race.second.0) };
        format!("{} {} `{object}` here while {other} {} it", who(race.first.0), verb(&first.does), verb(&second.does))
    };
    let symbol = |op: &crate::lanes::Op| crate::context::symbol(ctx.program.module(op.function.file), op.function.id);
    let step = |task: usize, op: &crate::lanes::Op, does: &str| Step {
        task,
        at: op.at,
        symbol: symbol(op),
        does: does.to_owned(),
        value: None,
    };
    let mut steps = Vec::new();
    for (task, lane) in [(0, race.first.0), (1, race.second.0)] {
        if let Some((parent, spawn)) = trace.lanes[lane].parent {
            steps.push(step(task, &trace.lanes[parent].ops[spawn], "is started"));
        }
    }
    steps.push(step(0, first, verb(&first.does)));
    steps.push(step(1, second, verb(&second.does)));
    let witness = Witness { tasks: vec!["A", "B"], object: object.clone(), steps };
    let confidence = if race.is_doubtful {
        Confidence::Possible
    } else if matches!(race.path.root, Root::Local(..)) {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    let help = format!(
        "guard `{object}` with one `sync.Mutex` on both sides, hand the value over a channel, or wait for the goroutine (`WaitGroup.Wait`, a receive) before the other side touches it"
    );
    let mut finding =
        Finding::new(rule, first.at, symbol(first), message).confidence(confidence).help(help).shape(object);
    if !is_self {
        finding = finding.related(second.at, format!("the other side {} it here", verb(&second.does)));
    }
    finding.witness = Some(witness);
    finding
}

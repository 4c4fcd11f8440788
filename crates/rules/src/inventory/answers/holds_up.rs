//! Who holds up the event loop?

use super::{Reply, Subject, count, symbol};
use crate::finding::Place;
use crate::inventory::calls::sites;
use crate::looping::blocking_call::{blocker_name, reason};
use racewalk_ir::ExprId;
use racewalk_link::{Route, Sink, SinkKind, Trouble};
use racewalk_report::inventory::{Evidence, Runs};

/// Helpers between the function and what blocks.
const FARTHEST: u16 = 6;

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let (certain, mut evidence) = own(subject);
    let (through, more) = through_callees(subject);
    evidence.extend(more);
    let certain = certain + through;
    let mild = evidence.len() - certain;
    let unknown = sites(subject.ctx, subject.id).iter().filter(|site| site.callee.is_unknown()).count();
    let mut parts = Vec::new();
    if certain > 0 {
        parts.push(format!("{} its thread for as long as something outside takes", holds(certain)));
    }
    if mild > 0 {
        parts.push(format!("{} its thread for a moment: files, computation, locks", holds(mild)));
    }
    if parts.is_empty() {
        parts.push("nobody that is known".to_owned());
    }
    if unknown > 0 {
        parts.push(format!("of what {} runs nothing is known", count(unknown, "call")));
    }
    let is_beside = subject.index.runs(subject.function()) == Runs::Thread;
    let elsewhere = if is_beside { "; it runs in a thread, not on the loop" } else { "" };
    Reply { answer: format!("{}{elsewhere}", parts.join("; ")), evidence }
}

fn holds(number: usize) -> String {
    format!("{} hold{}", count(number, "call"), if number == 1 { "s" } else { "" })
}

/// Calls of the function itself that block or start a loop; how many do so for long comes with them.
fn own(subject: &Subject<'_, '_>) -> (usize, Vec<Evidence<Place>>) {
    let summaries = &subject.ctx.program.summaries;
    let sinks = summaries.sinks_of(subject.function()).map(|number| &summaries.sinks[number as usize]);
    let mut certain = 0;
    let mut found: Vec<Evidence<Place>> = Vec::new();
    for sink in sinks {
        let evidence = subject.evidence(format!("{} {}", blocker_name(subject.ctx, sink), what(sink)), sink.site);
        if !found.contains(&evidence) {
            certain += usize::from(is_long(sink));
            found.push(evidence);
        }
    }
    (certain, found)
}

fn is_long(sink: &Sink) -> bool {
    match sink.kind {
        SinkKind::Blocks(blocks) => !sink.is_bounded && racewalk_link::is_certain(blocks),
        SinkKind::StartsLoop => true,
    }
}

fn what(sink: &Sink) -> &'static str {
    match sink.kind {
        SinkKind::Blocks(blocks) => reason(blocks),
        SinkKind::StartsLoop => "starts an event loop",
    }
}

/// Calls of plain functions that get to something that does.
fn through_callees(subject: &Subject<'_, '_>) -> (usize, Vec<Evidence<Place>>) {
    let program = subject.ctx.program;
    let this = subject.function();
    let mut seen: Vec<(ExprId, u32)> = Vec::new();
    let mut certain = 0;
    let mut found = Vec::new();
    for trouble in [Trouble::Blocks, Trouble::StartsLoop, Trouble::Lingers] {
        for edge in program.edges(this) {
            let Some(route) = program.route(&subject.ctx.guards, trouble, this, edge, FARTHEST) else { continue };
            if seen.iter().any(|(site, _)| *site == edge.site) || seen.contains(&(edge.site, route.sink)) {
                continue;
            }
            seen.push((edge.site, route.sink));
            let sink = &program.summaries.sinks[route.sink as usize];
            certain += usize::from(is_long(sink));
            found.push(subject.evidence(routed(subject, edge.site, &route, sink), edge.site));
        }
    }
    (certain, found)
}

fn routed(subject: &Subject<'_, '_>, site: ExprId, route: &Route, sink: &Sink) -> String {
    let legs: Vec<String> = route.legs.iter().map(|leg| symbol(subject, leg.function)).collect();
    let blocker = blocker_name(subject.ctx, sink);
    format!("{} gets to {blocker}, which {}, via {}", subject.text(site), what(sink), legs.join(", "))
}

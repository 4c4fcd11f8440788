//! What is shared across a suspension?

use super::{Reply, Subject, count};
use crate::finding::Place;
use crate::inventory::accesses::{Access, is_initial};
use crate::inventory::{names, objects};
use crate::race::cells::Root;
use crate::race::tasks::loops;
use racewalk_ir::Event;
use racewalk_report::inventory::Evidence;

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let used = used(subject);
    let across: Vec<&(Root, Vec<Access>)> = used.iter().filter(|(_, own)| suspends_between(subject, own)).collect();
    let answer = match (used.len(), across.len()) {
        (0, _) => "nothing: it uses no shared object that changes".to_owned(),
        (all, 0) => {
            format!("nothing: it uses {}, none of them on both sides of a suspension", count(all, "shared object"))
        }
        (all, some) => {
            let names: Vec<String> = across.iter().map(|(root, _)| names::name(subject.ctx.program, *root)).collect();
            format!("{} ({some} of {})", names.join(", "), count(all, "shared object"))
        }
    };
    let evidence = used.iter().flat_map(|(root, own)| told(subject, *root, own)).collect();
    Reply { answer, evidence }
}

/// The shared objects that the function uses, each with its own accesses in their order.
fn used(subject: &Subject<'_, '_>) -> Vec<(Root, Vec<Access>)> {
    let index = subject.index;
    let program = subject.ctx.program;
    let mut found: Vec<(Root, Vec<Access>)> = Vec::new();
    for (root, accesses) in &index.accesses {
        let mut own: Vec<Access> =
            accesses.iter().filter(|access| access.function == subject.function()).copied().collect();
        own.retain(|access| !is_initial(program, access));
        if !own.is_empty() && objects::is_shared_object(index, *root, accesses) {
            own.sort_by_key(|access| access.event);
            found.push((*root, own));
        }
    }
    found.sort_by_key(|(_, own)| own[0].event);
    found
}

/// Control may be given up between two of these accesses, or between those of two rounds of a loop.
fn suspends_between(subject: &Subject<'_, '_>, own: &[Access]) -> bool {
    let (Some(first), Some(last)) = (own.first(), own.last()) else { return false };
    let events = subject.events();
    let around = loops(events).into_iter().filter(|range| own.iter().any(|access| range.contains(&access.event)));
    let mut ranges = around.chain(std::iter::once(first.event..last.event));
    ranges.any(|range| events[range].iter().any(|event| subject.may_suspend(*event)))
}

/// The accesses to an object, with the waits between them.
fn told(subject: &Subject<'_, '_>, root: Root, own: &[Access]) -> Vec<Evidence<Place>> {
    let name = names::name(subject.ctx.program, root);
    let mut steps = Vec::new();
    let mut before = None;
    for access in own {
        if let Some(before) = before {
            steps.extend(waits(subject, before, access.event));
        }
        let by = access.by.map_or_else(String::new, |by| format!(" ({by})"));
        let locks = subject.guards.locks_at(subject.function(), access.event);
        let under = if locks.is_empty() { "no lock".to_owned() } else { locks.join(", ") };
        steps.push(subject.evidence(format!("{} {name}{by} under {under}", access.does.as_str()), access.at));
        before = Some(access.event);
    }
    steps
}

fn waits(subject: &Subject<'_, '_>, from: usize, to: usize) -> Option<Evidence<Place>> {
    let between = subject.events().get(from..to).unwrap_or_default();
    between.iter().find(|event| subject.may_suspend(**event)).and_then(|event| match *event {
        Event::Suspend(_, operand) => Some(subject.evidence(format!("waits for {}", subject.text(operand)), operand)),
        _ => None,
    })
}

//! What is shared across a suspension?

use super::{Reply, Subject, count, symbol};
use crate::finding::Place;
use crate::inventory::accesses::{Access, is_initial};
use crate::inventory::{names, objects};
use crate::race::cells::Root;
use crate::race::reach::runs_there;
use crate::race::tasks::loops;
use racewalk_ir::{Event, ExprId};
use racewalk_link::FunctionRef;
use racewalk_report::inventory::Evidence;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// How many calls away it is looked for what callees change.
const DEEPEST: u32 = 4;
/// How many functions that a call gets to are looked at.
const MOST_CALLEES: usize = 200;

/// The function touches a shared object, itself or by what it calls.
struct Touch {
    event: usize,
    at: ExprId,
    text: String,
}

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let mut touched = own(subject);
    through_callees(subject, &mut touched);
    let mut touched: Vec<(String, Vec<Touch>)> = touched
        .into_iter()
        .map(|(root, mut touches)| {
            touches.sort_by_key(|touch| touch.event);
            (names::name(subject.ctx.program, root), touches)
        })
        .collect();
    touched.sort_by(|(name, a), (other, b)| (a[0].event, name).cmp(&(b[0].event, other)));
    let across = touched.iter().filter(|(_, touches)| suspends_between(subject, touches));
    let across: Vec<&str> = across.map(|(name, _)| name.as_str()).collect();
    let all = count(touched.len(), "shared object");
    let answer = match (touched.len(), across.len()) {
        (0, _) => "nothing: it gets to no shared object that changes".to_owned(),
        (_, 0) => format!("nothing: it gets to {all}, none of them on both sides of a suspension"),
        (_, some) => format!("{} ({some} of {all})", across.join(", ")),
    };
    Reply { answer, evidence: touched.iter().flat_map(|(_, touches)| told(subject, touches)).collect() }
}

/// The function's own accesses to shared objects.
fn own(subject: &Subject<'_, '_>) -> BTreeMap<Root, Vec<Touch>> {
    let program = subject.ctx.program;
    let mut found: BTreeMap<Root, Vec<Touch>> = BTreeMap::new();
    for (root, accesses) in &subject.index.accesses {
        // What a variable is before inner functions use it matters to the function that reads it afterwards.
        let is_of_function = matches!(root, Root::Variable(variable) if variable.owner == subject.function());
        let is_own = |access: &&Access| {
            access.function == subject.function() && (is_of_function || !is_initial(program, access))
        };
        let touches: Vec<Touch> = accesses.iter().filter(is_own).map(|access| access_told(subject, access)).collect();
        if !touches.is_empty() && objects::is_shared_object(subject.index, *root, accesses) {
            found.insert(*root, touches);
        }
    }
    found
}

fn access_told(subject: &Subject<'_, '_>, access: &Access) -> Touch {
    let name = names::name(subject.ctx.program, access.cell.root);
    let by = access.by.map_or_else(String::new, |by| format!(" ({by})"));
    let locks = subject.guards.locks_at(subject.function(), access.event);
    let under = if locks.is_empty() { "no lock".to_owned() } else { locks.join(", ") };
    let text = format!("{} {name}{by} under {under}", access.does.as_str());
    Touch { event: access.event, at: access.at, text }
}

/// What the function's callees change, at the calls that get there.
fn through_callees(subject: &Subject<'_, '_>, found: &mut BTreeMap<Root, Vec<Touch>>) {
    let program = subject.ctx.program;
    let this = subject.function();
    let mut seen: FxHashSet<(ExprId, Root)> = FxHashSet::default();
    for edge in program.edges(this) {
        if !runs_there(program, this, edge.site, edge.how, edge.target) {
            continue;
        }
        let Some(event) = event_of(subject, edge.site) else { continue };
        for callee in callees(subject, edge.target) {
            for (root, does) in subject.index.changed_by(callee) {
                if seen.insert((edge.site, *root)) {
                    let (call, name) = (subject.text(edge.site), names::name(program, *root));
                    let does = does.as_str();
                    let text = format!("{call} gets to {}, which {does} {name}", symbol(subject, callee));
                    found.entry(*root).or_default().push(Touch { event, at: edge.site, text });
                }
            }
        }
    }
}

/// The event at which an expression runs something: a call, a property, a block that is entered.
fn event_of(subject: &Subject<'_, '_>, site: ExprId) -> Option<usize> {
    subject.events().iter().position(|event| match *event {
        Event::Call(at) | Event::ReadPlace(at) | Event::Enter(_, at) => at == site,
        _ => false,
    })
}

/// The functions that run as part of this one, itself first, nearer ones before those farther away.
fn callees(subject: &Subject<'_, '_>, first: FunctionRef) -> Vec<FunctionRef> {
    let program = subject.ctx.program;
    let mut found = vec![first];
    let mut from = 0;
    for _ in 0..DEEPEST {
        let level = from..found.len();
        from = found.len();
        for at in level {
            let caller = found[at];
            for edge in program.edges(caller) {
                let is_new = found.len() < MOST_CALLEES && !found.contains(&edge.target);
                if is_new && runs_there(program, caller, edge.site, edge.how, edge.target) {
                    found.push(edge.target);
                }
            }
        }
    }
    found
}

/// Control may be given up between two of these, or between those of two rounds of a loop.
fn suspends_between(subject: &Subject<'_, '_>, touches: &[Touch]) -> bool {
    let (Some(first), Some(last)) = (touches.first(), touches.last()) else { return false };
    let events = subject.events();
    let around = loops(events).into_iter().filter(|range| touches.iter().any(|touch| range.contains(&touch.event)));
    let mut ranges = around.chain(std::iter::once(first.event..last.event));
    ranges.any(|range| events[range].iter().any(|event| subject.may_suspend(*event)))
}

/// What is done to an object, with the waits in between.
fn told(subject: &Subject<'_, '_>, touches: &[Touch]) -> Vec<Evidence<Place>> {
    let mut steps = Vec::new();
    let mut before = None;
    for touch in touches {
        let wait = before.and_then(|before| wait_between(subject, before, touch.event));
        steps.extend(wait.filter(|(operand, _)| *operand != touch.at).map(|(_, evidence)| evidence));
        steps.push(subject.evidence(touch.text.clone(), touch.at));
        before = Some(touch.event);
    }
    steps
}

fn wait_between(subject: &Subject<'_, '_>, from: usize, to: usize) -> Option<(ExprId, Evidence<Place>)> {
    let between = subject.events().get(from..to).unwrap_or_default();
    between.iter().find(|event| subject.may_suspend(**event)).and_then(|event| match *event {
        Event::Suspend(_, operand) => {
            Some((operand, subject.evidence(format!("waits for {}", subject.text(operand)), operand)))
        }
        _ => None,
    })
}

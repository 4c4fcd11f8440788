//! What happens when it is cancelled?

use super::{Reply, Subject, count, owner_text};
use crate::finding::Place;
use crate::inventory::calls::sites;
use crate::paths::{Guarded, catches};
use racewalk_ir::{Event, ExprId};
use racewalk_report::inventory::{Answer, Evidence};

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let waits = subject.suspensions.iter().filter(|point| point.suspends != Answer::No).count();
    if waits == 0 {
        let answer = "it cannot be cancelled half-way: it never gives up control".to_owned();
        return Reply { answer, evidence: Vec::new() };
    }
    let caught = caught(subject);
    let swallowed = caught.iter().filter(|(_, raises)| !raises).count();
    let cleanups = cleanups(subject);
    let left = left_running(subject);
    let mut parts = vec![format!("it ends at whichever of {} it waits at", count(waits, "suspension point"))];
    if swallowed > 0 {
        parts[0] =
            format!("it may go on: {} a cancellation and {} not raise it again", catch(swallowed), does(swallowed));
    } else if !caught.is_empty() {
        parts.push(format!("{} it and may raise it again", catch(caught.len())));
    }
    if !cleanups.is_empty() {
        parts.push(format!("{} before that", run(cleanups.len())));
    }
    if !left.is_empty() {
        parts.push(format!("what {} goes on", started(left.len())));
    }
    let handler = |(at, raises): &(ExprId, bool)| {
        let what = if *raises { "and may raise it again" } else { "and does not raise it again" };
        subject.evidence(format!("except catches a cancellation {what}"), *at)
    };
    let mut evidence: Vec<Evidence<Place>> = caught.iter().map(handler).collect();
    evidence.extend(cleanups);
    evidence.extend(left);
    evidence.extend(shielded(subject));
    Reply { answer: parts.join("; "), evidence }
}

fn catch(number: usize) -> String {
    format!("{} catch{}", count(number, "handler"), if number == 1 { "es" } else { "" })
}

const fn does(number: usize) -> &'static str {
    if number == 1 { "does" } else { "do" }
}

fn run(number: usize) -> String {
    format!("{} run{}", count(number, "cleanup"), if number == 1 { "s" } else { "" })
}

fn started(number: usize) -> String {
    format!("{} start{}", count(number, "call"), if number == 1 { "s" } else { "" })
}

fn waits(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Suspend(..)))
}

fn expr_of(event: &Event) -> Option<ExprId> {
    match *event {
        Event::Call(expr) | Event::Read(expr) | Event::ReadPlace(expr) | Event::Suspend(_, expr) => Some(expr),
        Event::WritePlace(expr, _) | Event::Return(Some(expr)) => Some(expr),
        _ => None,
    }
}

/// The handlers that catch a cancellation around a wait, with whether they may raise it again.
fn caught(subject: &Subject<'_, '_>) -> Vec<(ExprId, bool)> {
    let events = subject.events();
    let mut found = Vec::new();
    for (start, guarded) in Guarded::all(events) {
        if !waits(&events[start..guarded.body_end]) {
            continue;
        }
        // The first handler that takes it takes it from the others.
        let first = guarded.handlers.iter().find_map(|(start, end)| {
            let Event::Handler(caught) = events[*start] else { return None };
            let takes = catches(subject.ctx, subject.id, caught).cancellation;
            let place = caught.or_else(|| events[*start..*end].iter().find_map(expr_of))?;
            let raises = events[*start..*end].iter().any(|event| matches!(event, Event::Raise(_)));
            takes.then_some((place, raises))
        });
        found.extend(first);
    }
    found.dedup();
    found
}

/// What runs on the way out.
fn cleanups(subject: &Subject<'_, '_>) -> Vec<Evidence<Place>> {
    let events = subject.events();
    let mut found: Vec<Evidence<Place>> = Vec::new();
    for (start, guarded) in Guarded::all(events) {
        let Some((from, to)) = guarded.cleanup.filter(|_| waits(&events[start..guarded.body_end])) else { continue };
        let first_wait = events[from..to].iter().find(|event| subject.may_suspend(**event));
        let first = first_wait.or_else(|| events[from..to].iter().find(|event| expr_of(event).is_some()));
        let Some(at) = first.and_then(expr_of) else { continue };
        let text = match first_wait {
            Some(_) => {
                format!("finally: the cleanup waits for {}: a second cancellation ends it there", subject.text(at))
            }
            None => "finally: the cleanup runs to its end without waiting".to_owned(),
        };
        let evidence = subject.evidence(text, at);
        if !found.contains(&evidence) {
            found.push(evidence);
        }
    }
    found
}

/// What is started and does not end with the function.
fn left_running(subject: &Subject<'_, '_>) -> Vec<Evidence<Place>> {
    let outlives = subject.spawns.iter().filter(|spawn| {
        let waits_here = spawn.owner.kind == "call" && spawn.kind == "task";
        let is_cancelled_here = spawn.ends.iter().any(|end| end.how == "cancelled" && end.symbol == spawn.symbol);
        !waits_here && !is_cancelled_here && spawn.owner.kind != "group"
    });
    let told = |spawn: &racewalk_report::inventory::Spawn<Place>| {
        let text = match spawn.kind.as_str() {
            "task" => format!("{} ({}) goes on: {}", spawn.starts, spawn.kind, owner_text(spawn)),
            kind => format!("{} ({kind}) runs to its end: the cancellation does not get there", spawn.starts),
        };
        Evidence { text, at: spawn.at }
    };
    outlives.map(told).collect()
}

/// What a cancellation is kept from.
fn shielded(subject: &Subject<'_, '_>) -> Vec<Evidence<Place>> {
    let ctx = subject.ctx;
    let all = sites(ctx, subject.id).into_iter();
    let shields = all.filter(|site| ctx.program.models_at(site).any(|model| model.shields));
    shields
        .map(|site| subject.evidence(format!("{} keeps the cancellation from it", subject.text(site.call)), site.call))
        .collect()
}

//! Does it await everything it starts?

use super::{Reply, Subject, be, count, owner_text};
use crate::fate::{Fate, fate};
use crate::finding::Place;
use crate::inventory::calls::{Colour, colour, sites};
use racewalk_ir::ExprId;
use racewalk_report::inventory::{Evidence, Spawn};

/// What becomes of the coroutines that the function makes.
#[derive(Default)]
struct Coroutines {
    awaited: Vec<ExprId>,
    handed_on: Vec<ExprId>,
    lost: Vec<(ExprId, &'static str)>,
}

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let coroutines = coroutines(subject);
    let total = coroutines.awaited.len() + coroutines.handed_on.len() + coroutines.lost.len();
    let spawns = &subject.spawns;
    let is_loose = |spawn: &&Spawn<Place>| spawn.ends.is_empty() && spawn.owner.kind != "caller";
    let loose = spawns.iter().filter(is_loose).count();
    let mut parts = Vec::new();
    if total > 0 {
        parts.push(format!("{} of {} {} awaited here", coroutines.awaited.len(), count(total, "coroutine"), be(total)));
    }
    if !coroutines.handed_on.is_empty() {
        parts.push(format!("{} handed on", coroutines.handed_on.len()));
    }
    if !coroutines.lost.is_empty() {
        parts.push(format!("{} never awaited", coroutines.lost.len()));
    }
    if !spawns.is_empty() {
        parts.push(format!("{} to start something beside it", count(spawns.len(), "call")));
    }
    if loose > 0 {
        parts.push(format!(
            "nobody is seen to wait for what {loose} of them start{}",
            if loose == 1 { "s" } else { "" }
        ));
    }
    let verdict = match (coroutines.lost.is_empty() && loose == 0, parts.is_empty()) {
        (_, true) => return Reply { answer: "it starts nothing".to_owned(), evidence: Vec::new() },
        (true, _) => "yes",
        (false, _) => "no",
    };
    Reply { answer: format!("{verdict}: {}", parts.join(", ")), evidence: evidence(subject, &coroutines) }
}

fn coroutines(subject: &Subject<'_, '_>) -> Coroutines {
    let ctx = subject.ctx;
    let mut found = Coroutines::default();
    for site in sites(ctx, subject.id) {
        if colour(ctx, subject.id, site) != Colour::Coroutine {
            continue;
        }
        match fate(ctx, subject.id, site.call) {
            Fate::Awaited | Fate::EnteredAsync | Fate::IteratedAsync => found.awaited.push(site.call),
            Fate::HandedOn => found.handed_on.push(site.call),
            Fate::AwaitedSometimes(_) => found.lost.push((site.call, "is awaited on some paths only")),
            Fate::Dropped => found.lost.push((site.call, "is dropped")),
            Fate::Unread(_) => found.lost.push((site.call, "is kept in a name that nobody reads")),
            Fate::Misused(..) => found.lost.push((site.call, "is used as if it were the result")),
        }
    }
    found
}

fn evidence(subject: &Subject<'_, '_>, coroutines: &Coroutines) -> Vec<Evidence<Place>> {
    let told = |call: &ExprId, what: &str| subject.evidence(format!("{} {what}", subject.text(*call)), *call);
    let awaited = coroutines.awaited.iter().map(|call| told(call, "is awaited"));
    let handed_on = coroutines.handed_on.iter().map(|call| told(call, "is handed on"));
    let lost = coroutines.lost.iter().map(|(call, how)| told(call, how));
    let started = subject.spawns.iter().flat_map(spawned);
    lost.chain(awaited).chain(handed_on).chain(started).collect()
}

/// What is started, and where it ends.
fn spawned(spawn: &Spawn<Place>) -> Vec<Evidence<Place>> {
    let several = if spawn.many { ", again and again" } else { "" };
    let text = format!("{} starts {} ({}{several}): {}", spawn.by, spawn.starts, spawn.kind, owner_text(spawn));
    let ends = spawn.ends.iter().filter(|end| end.at != spawn.at);
    let ends = ends.map(|end| Evidence { text: format!("{} by {}", end.how, end.symbol), at: end.at });
    std::iter::once(Evidence { text, at: spawn.at }).chain(ends).collect()
}

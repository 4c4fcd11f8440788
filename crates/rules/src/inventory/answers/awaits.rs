//! Does it await everything it starts?

use super::{Reply, Subject, be, count, owner_text, part_of};
use crate::fate::{Fate, fate};
use crate::finding::Place;
use crate::inventory::calls::{Colour, colour, sites};
use racewalk_ir::ExprId;
use racewalk_report::inventory::{End, Evidence, Spawn};

/// What becomes of the coroutines that the function makes.
#[derive(Default)]
struct Coroutines {
    awaited: Vec<ExprId>,
    /// They are given to something that starts them, and which is listed itself.
    started: Vec<ExprId>,
    handed_on: Vec<ExprId>,
    lost: Vec<(ExprId, &'static str)>,
}

impl Coroutines {
    fn number(&self) -> usize {
        self.awaited.len() + self.started.len() + self.handed_on.len() + self.lost.len()
    }
}

pub(super) fn reply(subject: &Subject<'_, '_>) -> Reply {
    let coroutines = coroutines(subject);
    let is_loose = |spawn: &&Spawn<Place>| {
        spawn.ends.is_empty() && !matches!(spawn.owner.kind.as_str(), "caller" | "group" | "loop")
    };
    let loose = subject.spawns.iter().filter(is_loose).count();
    let parts = parts(&coroutines, subject.spawns.len(), loose);
    let verdict = match (coroutines.lost.is_empty() && loose == 0, parts.is_empty()) {
        (_, true) => return Reply { answer: "it starts nothing".to_owned(), evidence: Vec::new() },
        (true, _) => "yes",
        (false, _) => "no",
    };
    Reply { answer: format!("{verdict}: {}", parts.join("; ")), evidence: evidence(subject, &coroutines) }
}

fn parts(coroutines: &Coroutines, spawns: usize, loose: usize) -> Vec<String> {
    let total = coroutines.number();
    let mut parts = Vec::new();
    if total > 0 {
        parts.push(format!("{} awaited here", part_of(coroutines.awaited.len(), total, "coroutine")));
    }
    for (number, what) in [
        (coroutines.started.len(), "started beside it"),
        (coroutines.handed_on.len(), "handed on"),
        (coroutines.lost.len(), "never awaited"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {} {what}", be(number)));
        }
    }
    let settled = spawns - loose;
    if settled > 0 {
        parts.push(format!("what {} is waited for, cancelled or handed over", starts(settled)));
    }
    if loose > 0 {
        parts.push(format!("nobody is seen to wait for what {}", starts(loose)));
    }
    parts
}

fn starts(number: usize) -> String {
    format!("{} start{}", count(number, "call"), if number == 1 { "s" } else { "" })
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
            Fate::HandedOn if is_started(subject, site.call) => found.started.push(site.call),
            Fate::HandedOn => found.handed_on.push(site.call),
            Fate::AwaitedSometimes(_) => found.lost.push((site.call, "is awaited on some paths only")),
            Fate::Dropped => found.lost.push((site.call, "is dropped")),
            Fate::Unread(_) => found.lost.push((site.call, "is kept in a name that nobody reads")),
            Fate::Misused(..) => found.lost.push((site.call, "is used as if it were the result")),
        }
    }
    found
}

/// A call around this one starts it.
fn is_started(subject: &Subject<'_, '_>, call: ExprId) -> bool {
    let ctx = subject.ctx;
    let around = std::iter::successors(ctx.module.parent(call), |expr| ctx.module.parent(*expr));
    around.into_iter().any(|expr| subject.spawns.iter().any(|spawn| spawn.at == ctx.place(expr)))
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
    let text_of = |end: &End<Place>| format!("{} is {} by {}", spawn.starts, end.how, end.symbol);
    let ends = ends.map(|end| Evidence { text: text_of(end), at: end.at });
    std::iter::once(Evidence { text, at: spawn.at }).chain(ends).collect()
}

//! What a function does wrong with locks, channels and counters, whatever memory they are for: seen from one function, with all that it
//! calls and starts.

use super::ops::{Does, Op, Trace};
use super::order::{At, Order};
use super::path::Path;
use super::state::Gained;

/// A lock that the lane takes while it has it.
pub(crate) struct TakenTwice {
    pub at: At,
    /// Where it was taken before.
    pub before: Option<At>,
    /// Both times others may have it as well, as long as they only read.
    pub is_shared: bool,
}

/// Locks that are taken by who holds them.
pub(crate) fn taken_twice(trace: &Trace) -> Vec<TakenTwice> {
    let order = Order::new(trace);
    let mut found = Vec::new();
    for at in positions(trace) {
        let Does::Locks { path, shared } = &op(trace, at).does else { continue };
        let state = &order.spot(at).state;
        let Some((_, held_shared)) = state.locks.iter().find(|(held, _)| held == path) else { continue };
        // A channel with room for one is a lock of another kind.
        if trace.is_cut
            || op(trace, at).is_handed
            || state.is_dead
            || trace.channels.iter().any(|(channel, _)| channel == path)
        {
            continue;
        }
        let ops = &trace.lanes[at.0].ops[..at.1];
        let before = ops.iter().rposition(|op| matches!(&op.does, Does::Locks { path: held, .. } if held == path));
        found.push(TakenTwice { at, before: before.map(|op| (at.0, op)), is_shared: *shared && *held_shared });
    }
    found
}

/// A way out of the function on which a lock is not given back.
pub(crate) struct Kept {
    /// Where it is taken.
    pub taken: At,
    /// Where the function is left.
    pub left: At,
    pub path: Path,
}

/// Locks that the function gives back on some of its ways out, and not on others. `function` has been looked into alone.
pub(crate) fn kept(trace: &Trace) -> Vec<Kept> {
    let order = Order::new(trace);
    let mut found: Vec<Kept> = Vec::new();
    let lane = &trace.lanes[0];
    let Some(own) = lane.ops.first().map(|op| op.function).filter(|_| !trace.is_cut) else { return found };
    for (at, op) in lane.ops.iter().enumerate() {
        let is_exit = op.function == own && matches!(op.does, Does::Returns | Does::Leaves);
        let state = &order.spot((0, at)).state;
        if !is_exit || state.is_dead {
            continue;
        }
        for (path, shared) in &state.locks {
            let is_lock =
                |op: &Op| matches!(&op.does, Does::Locks { path: it, shared: mode } if it == path && mode == shared);
            let is_unlock =
                |op: &Op| matches!(&op.does, Does::Unlocks { path: it, shared: mode } if it == path && mode == shared);
            let taken = lane.ops[..at].iter().rposition(is_lock);
            let others = trace.lanes.iter().skip(1).flat_map(|lane| &lane.ops);
            let is_given_back_later = lane.ops.iter().any(|op| op.at_exit.is_some() && is_unlock(op));
            let is_given_back_elsewhere = others.clone().any(is_unlock)
                || others.clone().any(|op| matches!(&op.does, Does::Handles(it) if it.touches(path)));
            let is_given_back = lane.ops.iter().any(|op| op.at_exit.is_none() && is_unlock(op) && op.function == own);
            let Some(taken) = taken.filter(|taken| lane.ops[*taken].function == own) else { continue };
            let is_handed_on = lane.ops[taken..].iter().any(|op| matches!(&op.does, Does::Handles(it) if it == path));
            let is_known = found.iter().any(|known| known.path == *path);
            if is_given_back && !is_given_back_later && !is_given_back_elsewhere && !is_handed_on && !is_known {
                found.push(Kept { taken: (0, taken), left: (0, at), path: path.clone() });
            }
        }
    }
    found
}

/// Something that has to be called, and is not on some way out.
pub(crate) struct Owed {
    /// Where it comes to be.
    pub given: At,
    /// Where the function is left.
    pub left: At,
}

/// What has to be called on every way out, and is not on one.
pub(crate) fn owed(trace: &Trace) -> Vec<Owed> {
    let order = Order::new(trace);
    let mut found: Vec<Owed> = Vec::new();
    let lane = &trace.lanes[0];
    let Some(own) = lane.ops.first().map(|op| op.function).filter(|_| !trace.is_cut) else { return found };
    for (at, op) in lane.ops.iter().enumerate() {
        let is_exit = op.function == own && matches!(op.does, Does::Returns | Does::Leaves);
        let state = &order.spot((0, at)).state;
        if !is_exit || state.is_dead {
            continue;
        }
        for path in &state.owed {
            let given = lane.ops[..at].iter().rposition(|op| matches!(&op.does, Does::Owes(it) if it == path));
            let Some(given) = given.filter(|it| lane.ops[*it].function == own) else { continue };
            let is_seen_elsewhere = trace
                .lanes
                .iter()
                .skip(1)
                .flat_map(|lane| &lane.ops)
                .any(|op| matches!(&op.does, Does::Pays(it) if it == path))
                || lane.ops.iter().any(|op| op.function != own && matches!(&op.does, Does::Pays(it) if it == path));
            if !trace.escaped.contains(&path.root)
                && !is_seen_elsewhere
                && !found.iter().any(|known| known.given == (0, given))
            {
                found.push(Owed { given: (0, given), left: (0, at) });
            }
        }
    }
    found
}

/// What is wrong with a channel.
pub(crate) enum Misuse {
    /// It is closed, and then closed again.
    ClosedTwice { at: At, before: At },
    /// It is closed, and then something is sent.
    SentAfterClose { at: At, before: At },
    /// Nobody else is kept from closing it between the question whether it is closed and the close.
    ClosedUnguarded { at: At },
}

/// What is done with channels that are closed.
pub(crate) fn misuses(trace: &Trace) -> Vec<Misuse> {
    let order = Order::new(trace);
    let mut found = Vec::new();
    for at in positions(trace) {
        let state = &order.spot(at).state;
        if state.is_dead || trace.is_cut || op(trace, at).is_handed {
            continue;
        }
        let before = |path: &Path| {
            let closes = |op: &Op| matches!(&op.does, Does::Closes(it) if it == path);
            trace.lanes[at.0].ops[..at.1].iter().rposition(closes).map(|op| (at.0, op))
        };
        match &op(trace, at).does {
            Does::Closes(path) if state.closed.contains(path) => {
                found.extend(before(path).map(|before| Misuse::ClosedTwice { at, before }));
            }
            Does::Closes(path) => {
                if let Some(before) = closed_before_exit(trace, &order, at, path) {
                    found.push(Misuse::ClosedTwice { at, before });
                } else if is_asked_first(trace, at, path) && state.locks.is_empty() {
                    found.push(Misuse::ClosedUnguarded { at });
                }
            }
            Does::Sends(path) if state.closed.contains(path) => {
                found.extend(before(path).map(|before| Misuse::SentAfterClose { at, before }));
            }
            _ => {}
        }
    }
    found
}

/// `defer close(c)` was said, and behind that, on some way, it is closed at once.
fn closed_before_exit(trace: &Trace, order: &Order<'_>, at: At, path: &Path) -> Option<At> {
    let ops = &trace.lanes[at.0].ops;
    let said = ops[at.1].at_exit?;
    let closes = (said..at.1).find(|it| {
        matches!(&ops[*it].does, Does::Closes(other) if other == path)
            && ops[*it].at_exit.is_none()
            && !ops[*it].is_handed
            && !order.is_dead((at.0, *it))
            && !order.are_apart((at.0, said), (at.0, *it))
    })?;
    Some((at.0, closes))
}

/// `select { case <-c: return; default: }` comes before the close, and no lock in between.
fn is_asked_first(trace: &Trace, at: At, path: &Path) -> bool {
    const FAR: usize = 12;
    let ops = &trace.lanes[at.0].ops[..at.1];
    let back = ops.iter().rev().map(|op| &op.does).filter(|does| !matches!(does, Does::Touches { .. }));
    let back: Vec<&Does> = back.take(FAR).collect();
    let is_asked = |window: &[&Does]| matches!(window, [Does::Receives(asked), Does::Branches, Does::Selects(true)] if asked == path);
    let Some(asks) = back.windows(3).position(is_asked) else { return false };
    let between = &back[..asks];
    trace.lanes[at.0].ops[at.1].at_exit.is_none()
        && between.iter().any(|does| matches!(does, Does::Arm))
        && between.iter().any(|does| matches!(does, Does::Returns))
        && !between
            .iter()
            .any(|does| matches!(does, Does::Locks { .. } | Does::Unlocks { .. } | Does::Enters | Does::Branches))
}

/// A lane that waits for ever on some way.
pub(crate) enum Stuck {
    /// It sends, and whoever would receive is gone: here it is left.
    Sends { at: At, left: At },
    /// It goes through a channel that nobody closes.
    Drains { at: At },
    /// It receives what nobody sends.
    Receives { at: At },
}

/// Lanes that wait for ever, by channels that are known to these lanes alone.
pub(crate) fn stuck(trace: &Trace) -> Vec<Stuck> {
    let order = Order::new(trace);
    let mut found = Vec::new();
    if trace.is_cut {
        return found;
    }
    let choices: Vec<Vec<bool>> = trace.lanes.iter().map(|lane| alternatives(&lane.ops)).collect();
    for at in positions(trace).filter(|at| at.0 > 0) {
        if order.is_dead(at) || choices[at.0][at.1] {
            continue;
        }
        match &op(trace, at).does {
            Does::Sends(path) => {
                found.extend(unreceived(trace, &order, at, path).map(|left| Stuck::Sends { at, left }))
            }
            Does::Drains(path)
                if is_private(trace, path)
                    && !trace
                        .lanes
                        .iter()
                        .any(|lane| lane.ops.iter().any(|op| matches!(&op.does, Does::Closes(it) if it == path))) =>
            {
                found.push(Stuck::Drains { at });
            }
            Does::Receives(path)
                if is_private(trace, path)
                    && !trace
                        .lanes
                        .iter()
                        .flat_map(|lane| &lane.ops)
                        .any(|op| matches!(&op.does, Does::Closes(it) | Does::Sends(it) if it == path)) =>
            {
                found.push(Stuck::Receives { at });
            }
            _ => {}
        }
    }
    found
}

/// The channel is made in view, and nothing but what is in view leads to it.
fn is_private(trace: &Trace, path: &Path) -> bool {
    let is_made = trace.channels.iter().any(|(known, _)| known == path);
    let handles = |op: &Op| matches!(&op.does, Does::Handles(it) if it.touches(path));
    is_made
        && path.parts.is_empty()
        && !trace.escaped.contains(&path.root)
        && !trace.lanes.iter().flat_map(|lane| &lane.ops).any(handles)
}

/// The starter of a lane that sends can be left without having received.
fn unreceived(trace: &Trace, order: &Order<'_>, at: At, path: &Path) -> Option<At> {
    let room = trace.channels.iter().find(|(known, _)| known == path).and_then(|(_, room)| *room)?;
    if !is_private(trace, path) {
        return None;
    }
    let sends_before = trace.lanes.iter().enumerate().skip(1).map(|(lane, it)| {
        let sends = it.ops.iter().enumerate().filter(|(_, op)| matches!(&op.does, Does::Sends(it) if it == path));
        let is_again = |parent: usize, in_loop: &u32| !order.is_declared_inside(path.root, parent, *in_loop);
        let repeated = it.parent.is_some_and(|(parent, spawn)| {
            order.spot((parent, spawn)).loops.iter().any(|in_loop| is_again(parent, in_loop))
        });
        let is_once = |op: usize| !order.spot((lane, op)).loops.iter().any(|in_loop| is_again(lane, in_loop));
        let most = sends.map(|(op, _)| if is_once(op) { 1 } else { 1_000 }).max().unwrap_or(0);
        if repeated { most * 1_000 } else { most }
    });
    let wanted: i32 = sends_before.fold(0, i32::saturating_add);
    let (parent, spawn) = trace.lanes[at.0].parent?;
    // Somebody else receives as well: then nothing is known.
    let is_receipt = |op: &Op| matches!(&op.does, Does::Receives(it) | Does::Drains(it) if it == path);
    let others = trace.lanes.iter().enumerate().filter(|(lane, _)| *lane != parent);
    if wanted <= room || others.clone().any(|(_, lane)| lane.ops.iter().any(is_receipt)) {
        return None;
    }
    let ops = &trace.lanes[parent].ops;
    if !ops.iter().any(is_receipt) {
        return None;
    }
    let own = ops[spawn].function;
    let start = &order.spot((parent, spawn)).arms;
    let received = |at: At| {
        let gained = &order.spot(at).state.gained;
        gained.iter().any(|(what, it, _)| matches!(what, Gained::Received | Gained::Drained) && it == path)
    };
    (spawn..ops.len()).map(|op| (parent, op)).find(|left| {
        let op = &ops[left.1];
        let arms = &order.spot(*left).arms;
        let is_exit = op.function == own && op.at_exit.is_none() && matches!(op.does, Does::Returns | Does::Leaves);
        is_exit
            && !order.is_dead(*left)
            && start.iter().all(|arm| arms.contains(arm))
            && !received(*left)
            && !ops[left.1..].iter().any(|op| op.at_exit.is_some() && is_receipt(op))
    })
}

/// For each operation: it is one of several that a `select` waits for.
fn alternatives(ops: &[Op]) -> Vec<bool> {
    let mut found = vec![false; ops.len()];
    // For each branch around: it waits, and its present arm has waited already.
    let mut branches: Vec<(bool, bool)> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        match op.does {
            Does::Branches => {
                let waits = at > 0 && matches!(ops[at - 1].does, Does::Selects(_)) && arms(&ops[at..]) > 1;
                let waits = waits || at > 0 && matches!(ops[at - 1].does, Does::Selects(true));
                branches.push((waits, false));
            }
            Does::Arm => {
                if let Some(branch) = branches.last_mut() {
                    branch.1 = false;
                }
            }
            Does::Joins { .. } => drop(branches.pop()),
            Does::Sends(_) | Does::Receives(_) => {
                if let Some((waits, has_waited)) = branches.last_mut() {
                    found[at] = *waits && !*has_waited;
                    *has_waited = true;
                }
            }
            _ => {}
        }
    }
    found
}

/// How many arms the branch has that begins here.
fn arms(ops: &[Op]) -> usize {
    let mut depth = 0;
    let mut count = 1;
    for op in ops {
        match op.does {
            Does::Branches => depth += 1,
            Does::Arm if depth == 1 => count += 1,
            Does::Joins { .. } => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    count
}

/// What is wrong with a count that somebody waits for.
pub(crate) enum Miscount {
    /// The lane that is waited for counts itself: the wait may be over before.
    AddedInside { at: At, waited: At },
    /// The lane may end without counting down.
    NotDone { at: At, left: At },
}

/// What is wrong with the counts of a trace.
pub(crate) fn miscounts(trace: &Trace) -> Vec<Miscount> {
    let order = Order::new(trace);
    let mut found = Vec::new();
    for (lane, it) in trace.lanes.iter().enumerate().skip(1) {
        let Some((parent, spawn)) = it.parent else { continue };
        let above = &trace.lanes[parent].ops;
        for (at, op) in it.ops.iter().enumerate() {
            let Does::CountsUp(path) = &op.does else { continue };
            let waits = above[spawn..].iter().position(|op| matches!(&op.does, Does::Awaits(it) if it == path));
            let counts = above[..spawn]
                .iter()
                .any(|op| matches!(&op.does, Does::CountsUp(it) | Does::Handles(it) if it == path));
            let is_own = it.ops[at..].iter().any(|op| matches!(&op.does, Does::CountsDown(it) if it == path));
            let is_for_another = it.ops[at..].iter().any(|op| matches!(op.does, Does::Spawns(_)));
            if let (Some(waits), false, true, false) = (waits, counts, is_own, is_for_another)
                && !order.is_dead((lane, at))
            {
                found.push(Miscount::AddedInside { at: (lane, at), waited: (parent, spawn + waits) });
            }
        }
        found.extend(not_done(trace, &order, lane));
    }
    found
}

/// A way out of a lane on which it has not counted down, as it does on others.
fn not_done(trace: &Trace, order: &Order<'_>, lane: usize) -> Option<Miscount> {
    let ops = &trace.lanes[lane].ops;
    let own = ops.first()?.function;
    let (at, path) = ops.iter().enumerate().find_map(|(at, op)| match &op.does {
        Does::CountsDown(path) if op.at_exit.is_none() && op.function == own => Some((at, path)),
        _ => None,
    })?;
    let is_counted = trace
        .lanes
        .iter()
        .take(lane)
        .flat_map(|lane| &lane.ops)
        .any(|op| matches!(&op.does, Does::CountsUp(it) if it == path));
    let is_at_exit = ops
        .iter()
        .any(|op| matches!(&op.does, Does::CountsDown(it) | Does::Handles(it) if it == path) && op.at_exit.is_some());
    if !is_counted || is_at_exit || ops.iter().any(|op| matches!(&op.does, Does::Handles(it) if it.touches(path))) {
        return None;
    }
    let left = (0..ops.len()).find(|left| {
        let state = &order.spot((lane, *left)).state;
        let has_signed = state.gained.iter().any(|(what, it, _)| *what == Gained::Signed && it == path);
        ops[*left].function == own && matches!(ops[*left].does, Does::Returns) && !state.is_dead && !has_signed
    })?;
    Some(Miscount::NotDone { at: (lane, at), left: (lane, left) })
}

pub(crate) fn op(trace: &Trace, at: At) -> &Op {
    &trace.lanes[at.0].ops[at.1]
}

fn positions(trace: &Trace) -> impl Iterator<Item = At> + '_ {
    trace.lanes.iter().enumerate().flat_map(|(lane, it)| (0..it.ops.len()).map(move |at| (lane, at)))
}

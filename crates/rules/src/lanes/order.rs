//! What happens before what, in a trace.
//!
//! Two operations of different lanes are ordered when one lane starts the other behind the first of them, or when the first lane
//! gives a sign behind its operation (it sends, closes, counts down, is left) that the other has waited for before its own.

use super::ops::{Does, Trace};
use super::path::{Path, Root};
use super::state::{Gained, Spot, states};

/// An operation: lane, position.
pub(crate) type At = (usize, usize);

/// The order of a trace.
pub(crate) struct Order<'t> {
    trace: &'t Trace,
    spots: Vec<Vec<Spot>>,
}

impl<'t> Order<'t> {
    pub fn new(trace: &'t Trace) -> Self {
        let is_stuck = |does: &Does| is_stuck(trace, does);
        Self { trace, spots: trace.lanes.iter().map(|lane| states(lane, &trace.channels, is_stuck)).collect() }
    }

    pub fn spot(&self, at: At) -> &Spot {
        &self.spots[at.0][at.1]
    }

    /// Nothing gets to the operation.
    pub fn is_dead(&self, at: At) -> bool {
        self.spot(at).state.is_dead
    }

    /// Both may happen at the same time, to what begins at this variable.
    pub fn overlap(&self, a: At, b: At, of: Root) -> bool {
        if self.is_dead(a) || self.is_dead(b) {
            return false;
        }
        if a.0 == b.0 { self.is_several(a.0, of) } else { self.lanes_overlap(a, b, of) }
    }

    /// A lock keeps the two apart: at least one of them holds it alone.
    pub fn excluded(&self, a: At, b: At) -> bool {
        let others = &self.spot(b).state.locks;
        self.spot(a).state.locks.iter().any(|(path, shared)| {
            others.iter().any(|(other, other_shared)| path == other && !(*shared && *other_shared))
        })
    }

    // ---- lanes ---------------------------------------------------------------------------------------------------

    /// Several runs of the lane may go on at once, with the same variable.
    fn is_several(&self, lane: usize, of: Root) -> bool {
        let mut current = lane;
        while let Some((parent, spawn)) = self.trace.lanes[current].parent {
            let loops = &self.spots[parent][spawn].loops;
            let repeated = loops.iter().any(|it| !self.is_declared_inside(of, parent, *it));
            if repeated && !self.is_joined_in_loop(current, parent, spawn, of) {
                return true;
            }
            current = parent;
        }
        false
    }

    /// The variable comes to be anew in each round of a loop.
    pub fn is_declared_inside(&self, of: Root, lane: usize, in_loop: u32) -> bool {
        self.trace.declared.iter().any(|(root, at, op)| {
            let is_inside = *at == lane && self.spots[lane][*op].loops.contains(&in_loop);
            *root == of && (is_inside || *at != lane && self.is_below(*at, lane))
        })
    }

    /// A lane was started by another, or by one that that has started.
    fn is_below(&self, mut lane: usize, above: usize) -> bool {
        loop {
            if lane == above {
                return true;
            }
            match self.trace.lanes[lane].parent {
                Some((parent, _)) => lane = parent,
                None => return false,
            }
        }
    }

    /// Each round of the loop in which a lane is started waits for it before the next one begins.
    fn is_joined_in_loop(&self, child: usize, parent: usize, spawn: usize, of: Root) -> bool {
        let loops = &self.spots[parent][spawn].loops;
        let Some(outermost) = loops.iter().find(|it| !self.is_declared_inside(of, parent, **it)) else { return false };
        let ops = &self.trace.lanes[parent].ops;
        let in_loop = |at: &usize| self.spots[parent][*at].loops.contains(outermost);
        let waits = (spawn..ops.len()).take_while(in_loop);
        waits.filter(|at| !self.are_apart((parent, spawn), (parent, *at))).any(|at| {
            is_wait(&ops[at].does).is_some_and(|(what, path)| self.gives_sign(child, 0, what, path, u32::MAX))
        })
    }

    fn lanes_overlap(&self, a: At, b: At, of: Root) -> bool {
        let (above_a, above_b) = (self.ancestry(a), self.ancestry(b));
        let Some((in_a, in_b)) = meeting(&above_a, &above_b) else { return false };
        let lane = in_a.0;
        if self.are_apart(in_a, in_b) {
            return false;
        }
        if self.is_signalled(a, b) || self.is_signalled(b, a) {
            return false;
        }
        let (first, second, lane_of_first) = match in_a.1.cmp(&in_b.1) {
            std::cmp::Ordering::Less => (in_a, in_b, child_towards(&above_a, lane)),
            _ => (in_b, in_a, child_towards(&above_b, lane)),
        };
        let shares_rounds = self.rounds_overlap(first, second, of);
        let may_follow = |child: usize| self.spot(second).state.started.contains(&child);
        if !shares_rounds && lane_of_first.is_some_and(|child| !may_follow(child)) {
            return false;
        }
        let Some(child) = lane_of_first else {
            // The earlier of the two is the lane's own: it comes before what the lane starts later, except in the next round.
            let started = if first == in_a { child_towards(&above_b, lane) } else { child_towards(&above_a, lane) };
            let after = if first == in_a { b } else { a };
            return shares_rounds && started.is_some_and(|child| !self.is_joined_between(child, second, None, after));
        };
        let before = if first == in_a { a } else { b };
        !self.is_joined_between(child, first, Some(second), before)
            || shares_rounds && !self.is_joined_between(child, first, None, before)
    }

    /// Both stand in a loop of their lane in whose rounds the variable is the same one.
    fn rounds_overlap(&self, first: At, second: At, of: Root) -> bool {
        let loops = &self.spot(first).loops;
        let both = loops.iter().filter(|it| self.spot(second).loops.contains(it));
        both.filter(|it| !self.is_declared_inside(of, first.0, **it)).count() > 0
    }

    /// The two stand in arms of one branch of which only one is taken.
    pub fn are_apart(&self, a: At, b: At) -> bool {
        let others = &self.spot(b).arms;
        self.spot(a).arms.iter().any(|(branch, arm)| others.iter().any(|(other, at)| branch == other && arm != at))
    }

    /// Between its start and that place, the starting lane waits for a sign that the other gives behind the operation. Without a
    /// place: before the round of the loop is over.
    fn is_joined_between(&self, child: usize, start: At, until: Option<At>, operation: At) -> bool {
        let signs_after = if operation.0 == child { operation.1 } else { 0 };
        let gained = |at: At| self.spot(at).state.gained.clone();
        let until = until.unwrap_or_else(|| {
            let ops = self.trace.lanes[start.0].ops.len();
            let loops = &self.spot(start).loops;
            let end = (start.1..ops).find(|at| self.spots[start.0][*at].loops.len() < loops.len().min(1));
            (start.0, end.unwrap_or(ops))
        });
        let before = gained(start);
        gained(until).iter().any(|(what, path, count)| {
            let known = before.iter().find(|(kind, known, _)| kind == what && known == path);
            let newly = count.saturating_sub(known.map_or(0, |(.., count)| *count));
            let needed = if *what == Gained::Sent { *count } else { newly };
            newly > 0 && self.gives_sign(child, signs_after, *what, path, needed)
        })
    }

    /// The lane of the first gives a sign behind it that the second has waited for.
    fn is_signalled(&self, first: At, second: At) -> bool {
        let gained = &self.spot(second).state.gained;
        gained.iter().any(|(what, path, count)| self.gives_sign(first.0, first.1, *what, path, *count))
    }

    /// Behind this position, the lane (or one that it starts and waits for) gives a sign of this kind; `count` is how many signs were
    /// waited for: more than it gives before.
    fn gives_sign(&self, lane: usize, behind: usize, what: Gained, path: &Path, count: u32) -> bool {
        let ops = &self.trace.lanes[lane].ops;
        let is_sign = |does: &Does| match (does, what) {
            (Does::Sends(sent), Gained::Received | Gained::Drained) => sent == path,
            (Does::Closes(closed), Gained::Received | Gained::Drained) => closed == path,
            (Does::Receives(received), Gained::Sent) => {
                received == path && self.capacity(path).is_some_and(|room| i64::from(room) < i64::from(count))
            }
            (Does::Unlocks { path: unlocked, .. }, Gained::Locked) => unlocked == path,
            (Does::CountsDown(counted), Gained::Awaited) => counted == path,
            (Does::Handles(handled), _) => handled.touches(path),
            (Does::Sends(any) | Does::Closes(any) | Does::CountsDown(any), Gained::Handled) => any.touches(path),
            (Does::Touches { path: touched, .. }, Gained::Handled) => touched == path,
            _ => false,
        };
        let is_counted = match (what, &self.trace.lanes[lane].counted) {
            (Gained::Awaited, Some(counted)) => counted == path,
            (Gained::Handled, Some(counted)) => counted.touches(path),
            _ => false,
        };
        if is_counted {
            return true;
        }
        // Who gives a lock back that it has not taken lets somebody know.
        let is_handed = |at: &usize| {
            what != Gained::Locked || !self.spots[lane][*at].state.locks.iter().any(|(held, _)| held == path)
        };
        let alive = |at: &usize| !self.spots[lane][*at].state.is_dead && is_handed(at);
        let signs = |range: std::ops::Range<usize>| {
            range.filter(alive).filter(|at| is_sign(&ops[*at].does)).collect::<Vec<usize>>()
        };
        let here = (lane, behind.min(ops.len()));
        let later = signs(here.1..ops.len());
        let follows = later.iter().any(|at| !self.are_apart(here, (lane, *at)));
        if !follows {
            return self.hands_on(lane, behind, what, path);
        }
        let counts_all =
            matches!(what, Gained::Awaited | Gained::Drained | Gained::Handled | Gained::Locked | Gained::Sent);
        // A sign in a loop is given any number of times.
        let earlier = signs(0..here.1);
        let certain = earlier.iter().filter(|at| self.spots[lane][**at].arms.len() <= self.spot(here).arms.len());
        counts_all || u32::try_from(certain.count()).unwrap_or(u32::MAX) < count
    }

    /// A lane that it starts behind the position, and that starts nothing else, gives the sign for it: `go func() { wg.Wait(); close(done) }()`.
    fn hands_on(&self, lane: usize, behind: usize, what: Gained, path: &Path) -> bool {
        let others = self.trace.lanes.iter().enumerate();
        let mut others = others.filter(|(other, it)| *other != lane && it.parent.is_some());
        others.any(|(other, it)| {
            let waits = it.ops.iter().enumerate().filter_map(|(at, op)| Some((at, is_wait(&op.does)?)));
            let mut waits = waits.filter(|(_, (kind, waited))| {
                !(*kind == what && *waited == path) && *kind != Gained::Handled && *kind != Gained::Sent
            });
            waits.any(|(at, (kind, waited))| {
                self.signs_directly(lane, behind, kind, waited) && self.signs_after(other, at, what, path)
            })
        })
    }

    fn signs_after(&self, lane: usize, behind: usize, what: Gained, path: &Path) -> bool {
        let ops = &self.trace.lanes[lane].ops[behind..];
        ops.iter().any(|op| match (&op.does, what) {
            (Does::Sends(sent) | Does::Closes(sent), Gained::Received | Gained::Drained) => sent == path,
            (Does::CountsDown(counted), Gained::Awaited) => counted == path,
            _ => false,
        })
    }

    fn signs_directly(&self, lane: usize, behind: usize, what: Gained, path: &Path) -> bool {
        let counted = self.trace.lanes[lane].counted.as_ref();
        let is_counted = what == Gained::Awaited && counted == Some(path);
        is_counted || self.signs_after(lane, behind.min(self.trace.lanes[lane].ops.len()), what, path)
    }

    /// How much the channel holds.
    fn capacity(&self, path: &Path) -> Option<i32> {
        self.trace.channels.iter().find(|(known, _)| known == path).and_then(|(_, capacity)| *capacity)
    }

    /// Both lanes take one lock, though not around both operations: what one has seen under it may keep the two apart.
    pub fn share_a_lock(&self, a: At, b: At) -> bool {
        let locks = |lane: usize| {
            self.trace.lanes[lane].ops.iter().filter_map(|op| match &op.does {
                Does::Locks { path, .. } => Some(path),
                _ => None,
            })
        };
        a.0 != b.0 && locks(a.0).any(|path| locks(b.0).any(|other| path == other))
    }

    /// From an operation up to the first lane: where each lane above is when it starts the one below.
    fn ancestry(&self, at: At) -> Vec<At> {
        let mut all = vec![at];
        let mut lane = at.0;
        while let Some((parent, spawn)) = self.trace.lanes[lane].parent {
            all.push((parent, spawn));
            lane = parent;
        }
        all
    }
}

/// Nobody ever does the other half of what is done with a channel that is known to these lanes alone.
fn is_stuck(trace: &Trace, does: &Does) -> bool {
    let (Does::Sends(path) | Does::Receives(path)) = does else { return false };
    let is_known = trace.channels.iter().any(|(known, capacity)| known == path && *capacity == Some(0));
    let ops = || trace.lanes.iter().flat_map(|lane| &lane.ops).map(|op| &op.does);
    is_known
        && !trace.escaped.contains(&path.root)
        && !ops().any(|other| match (does, other) {
            (_, Does::Handles(handled)) => handled.touches(path),
            (Does::Sends(_), Does::Receives(other) | Does::Drains(other)) => other == path,
            (Does::Receives(_), Does::Sends(other) | Does::Closes(other)) => other == path,
            _ => false,
        })
}

/// The places of the lowest lane that is above both.
fn meeting(a: &[At], b: &[At]) -> Option<(At, At)> {
    a.iter().find_map(|in_a| b.iter().find(|in_b| in_b.0 == in_a.0).map(|in_b| (*in_a, *in_b)))
}

/// The lane that this one starts on the way to an operation; none when the operation is its own.
fn child_towards(ancestry: &[At], lane: usize) -> Option<usize> {
    let at = ancestry.iter().position(|it| it.0 == lane)?;
    at.checked_sub(1).map(|below| ancestry[below].0)
}

/// What is waited for by an operation.
fn is_wait(does: &Does) -> Option<(Gained, &Path)> {
    match does {
        Does::Receives(path) => Some((Gained::Received, path)),
        Does::Drains(path) => Some((Gained::Drained, path)),
        Does::Awaits(path) => Some((Gained::Awaited, path)),
        Does::Handles(path) => Some((Gained::Handled, path)),
        Does::Sends(path) => Some((Gained::Sent, path)),
        _ => None,
    }
}

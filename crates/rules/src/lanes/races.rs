//! Pairs of operations that touch the same memory at the same time.

use super::ops::{Does, Trace};
use super::order::{At, Order};
use super::path::{Path, Root};
use rustc_hash::FxHashMap;

/// More operations than this on one variable are not compared with each other.
const MOST: usize = 240;

/// Two operations on the same memory, of which one writes, and that nothing orders.
#[derive(Clone, Debug)]
pub(crate) struct Race {
    /// What is touched.
    pub path: Path,
    /// The one to tell of: a write where there is one in a lane that was started.
    pub first: At,
    /// The other.
    pub second: At,
    /// Both sides take one lock, though not here: it may be seen under it that the other is done.
    pub is_doubtful: bool,
}

/// The races of a trace: one for each piece of memory.
pub(crate) fn races(trace: &Trace) -> Vec<Race> {
    let order = Order::new(trace);
    let mut by_root: FxHashMap<Root, Vec<At>> = FxHashMap::default();
    let mut roots: Vec<Root> = Vec::new();
    for (lane, it) in trace.lanes.iter().enumerate() {
        for (at, op) in it.ops.iter().enumerate() {
            if let Does::Touches { path, .. } = &op.does {
                let known = by_root.entry(path.root).or_insert_with(|| {
                    roots.push(path.root);
                    Vec::new()
                });
                known.push((lane, at));
            }
        }
    }
    roots.iter().flat_map(|root| races_on(trace, &order, *root, &by_root[root])).collect()
}

fn races_on(trace: &Trace, order: &Order<'_>, root: Root, touches: &[At]) -> Vec<Race> {
    let mut found: Vec<Race> = Vec::new();
    if touches.len() > MOST || touches.iter().all(|at| at.0 == 0) {
        return found;
    }
    for (position, a) in touches.iter().enumerate() {
        for b in &touches[position..] {
            let Some(race) = race(trace, order, root, *a, *b) else { continue };
            match found.iter_mut().find(|known| known.path == race.path) {
                Some(known) if rank(trace, &race) < rank(trace, known) => *known = race,
                Some(_) => {}
                None => found.push(race),
            }
        }
    }
    found
}

fn race(trace: &Trace, order: &Order<'_>, root: Root, a: At, b: At) -> Option<Race> {
    let (path, write, atomic) = touch(trace, a)?;
    let (other, other_write, other_atomic) = touch(trace, b)?;
    let is_conflict = (write || other_write) && !(atomic && other_atomic) && path.meets(other);
    // An operation meets itself in another run of its lane.
    let is_alone = a == b && !write;
    if !is_conflict || is_alone || !order.overlap(a, b, root) || order.excluded(a, b) {
        return None;
    }
    let is_told = |at: At, write: bool| write && at.0 > 0;
    let (first, second) = if !is_told(a, write) && is_told(b, other_write) || !write { (b, a) } else { (a, b) };
    let (path, ..) = touch(trace, first)?;
    Some(Race {
        path: path.clone(),
        first,
        second,
        is_doubtful: order.share_a_lock(first, second) || is_half_locked(trace, order, first, second),
    })
}

/// The function itself works on what its caller has given it, without the lock that the other side holds: the caller may hold it.
fn is_half_locked(trace: &Trace, order: &Order<'_>, a: At, b: At) -> bool {
    let holds = |at: At| !order.spot(at).state.locks.is_empty();
    let is_given = |at: At| {
        let is_param =
            |root: &Root| trace.declared.iter().any(|(known, lane, op)| known == root && (*lane, *op) == (0, 0));
        touch(trace, at).is_some_and(|(path, ..)| matches!(path.root, Root::Global(..)) || is_param(&path.root))
    };
    let half = |free: At, locked: At| free.0 == 0 && !holds(free) && holds(locked) && is_given(free);
    half(a, b) || half(b, a)
}

/// The best pair to tell of comes first: two writes in lanes that were started, in the order of the code.
fn rank(trace: &Trace, race: &Race) -> (bool, bool, bool, At) {
    let writes = |at: At| touch(trace, at).is_some_and(|(_, write, _)| write);
    (race.is_doubtful, !writes(race.first), race.first.0 == 0, race.first)
}

fn touch(trace: &Trace, at: At) -> Option<(&Path, bool, bool)> {
    match &trace.lanes[at.0].ops[at.1].does {
        Does::Touches { path, write, atomic } => Some((path, *write, *atomic)),
        _ => None,
    }
}

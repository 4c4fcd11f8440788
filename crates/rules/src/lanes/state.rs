//! What a lane holds and has waited for at each of its operations: a forward pass over them. What is said to be held or waited for
//! is so on every way there.

use super::ops::{Does, Lane};
use super::path::{Path, Root};
use std::rc::Rc;

/// What has been waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gained {
    /// Something came out of a channel.
    Received,
    /// Everything came out of a channel, and it is closed.
    Drained,
    /// Something went into a channel.
    Sent,
    /// All that were counted have ended.
    Awaited,
    /// Something of which nothing is known was done.
    Handled,
    /// A lock was taken.
    Locked,
    /// The lane itself has counted down.
    Signed,
}

/// Where a lane is.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Locks that are held, and whether others may hold them too.
    pub locks: Vec<(Path, bool)>,
    /// What has been waited for, and how often.
    pub gained: Vec<(Gained, Path, u32)>,
    /// Channels that are closed.
    pub closed: Vec<Path>,
    /// What has to be called still, on some way here.
    pub owed: Vec<Path>,
    /// The lanes that may have been started.
    pub started: Vec<usize>,
    /// Nothing gets here.
    pub is_dead: bool,
}

/// What is known of an operation by its place in its lane.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub state: Rc<State>,
    /// The arms that it stands in: branch, arm.
    pub arms: Rc<Vec<(u32, u32)>>,
    /// The loops that it stands in.
    pub loops: Rc<Vec<u32>>,
}

enum Frame {
    Branch { id: u32, arm: u32, before: State, after: Option<State> },
    Loop { before: State, left: Option<State>, endless: bool },
    Call { left: Option<State> },
}

/// The spot of each operation of a lane, which begins in this state.
pub(crate) fn states(lane: &Lane, channels: &[(Path, Option<i32>)], is_stuck: impl Fn(&Does) -> bool) -> Vec<Spot> {
    let mut pass = Pass { channels, ..Pass::default() };
    let mut may_be_stuck = Vec::new();
    let mut spots = Vec::with_capacity(lane.ops.len());
    for (index, op) in lane.ops.iter().enumerate() {
        spots.push(pass.spot());
        pass.step(&op.does, index as u32);
        match op.does {
            Does::Branches => {
                let waits = index > 0 && matches!(lane.ops[index - 1].does, Does::Selects(_));
                may_be_stuck.push(waits);
            }
            Does::Joins { .. } => drop(may_be_stuck.pop()),
            Does::Sends(_) | Does::Receives(_) if may_be_stuck.last() == Some(&true) && is_stuck(&op.does) => {
                pass.state.is_dead = true;
                pass.given = None;
            }
            _ => {}
        }
    }
    spots.push(pass.spot());
    spots
}

#[derive(Default)]
struct Pass<'c> {
    channels: &'c [(Path, Option<i32>)],
    state: State,
    frames: Vec<Frame>,
    arms: Rc<Vec<(u32, u32)>>,
    loops: Rc<Vec<u32>>,
    /// The state as it was given out last, while it is the same.
    given: Option<Rc<State>>,
}

impl Pass<'_> {
    fn spot(&mut self) -> Spot {
        let state = self.given.get_or_insert_with(|| Rc::new(self.state.clone())).clone();
        Spot { state, arms: self.arms.clone(), loops: self.loops.clone() }
    }

    fn step(&mut self, does: &Does, index: u32) {
        if let Does::Touches { path, write: true, .. } = does
            && !self.state.closed.is_empty()
        {
            self.state.closed.retain(|closed| !closed.touches(path));
            self.given = None;
        }
        if matches!(does, Does::Touches { .. } | Does::Selects(_) | Does::Calls(..)) {
            return;
        }
        self.given = None;
        match does {
            Does::Locks { path, shared } => {
                self.gain(Gained::Locked, path);
                self.state.locks.push((path.clone(), *shared));
            }
            Does::Spawns(lane) => self.state.started.push(*lane),
            Does::Declares(root) => self.forget(*root),
            Does::Closes(path) => self.state.closed.push(path.clone()),
            Does::CountsDown(path) => self.gain(Gained::Signed, path),
            Does::Owes(path) => self.state.owed.push(path.clone()),
            Does::Pays(path) => self.state.owed.retain(|owed| owed != path),
            Does::Unlocks { path, shared } => self.unlock(path, *shared),
            Does::Sends(path) => {
                self.gain(Gained::Sent, path);
                if self.channels.contains(&(path.clone(), Some(1))) {
                    // There is room for one: who has sent is alone until it is taken out.
                    self.state.locks.push((path.clone(), false));
                }
            }
            Does::Receives(path) => {
                self.unlock(path, false);
                self.gain(Gained::Received, path);
            }
            Does::Drains(path) => self.gain(Gained::Drained, path),
            Does::Awaits(path) => self.gain(Gained::Awaited, path),
            Does::Handles(path) => self.gain(Gained::Handled, path),
            Does::Branches => {
                Rc::make_mut(&mut self.arms).push((index, 0));
                self.frames.push(Frame::Branch { id: index, arm: 0, before: self.state.clone(), after: None });
            }
            Does::Arm => self.next_arm(),
            Does::Joins { exhaustive } => self.join(*exhaustive),
            Does::Loops(endless) => {
                Rc::make_mut(&mut self.loops).push(index);
                self.frames.push(Frame::Loop { before: self.state.clone(), left: None, endless: *endless });
            }
            Does::EndsLoop => self.end_loop(),
            Does::Breaks => self.break_loop(),
            Does::Enters => self.frames.push(Frame::Call { left: None }),
            Does::Returns => self.leave_call(),
            Does::Leaves => {
                if let Some(Frame::Call { left }) = self.frames.pop() {
                    merge_into(&mut self.state, left);
                }
            }
            Does::Dies | Does::Continues => self.state.is_dead = true,
            _ => {}
        }
    }

    /// What was known of a variable is known of one that is no more.
    fn forget(&mut self, root: Root) {
        self.state.locks.retain(|(path, _)| path.root != root);
        self.state.gained.retain(|(_, path, _)| path.root != root);
        self.state.closed.retain(|path| path.root != root);
        self.state.owed.retain(|path| path.root != root);
    }

    fn unlock(&mut self, path: &Path, shared: bool) {
        let held = self.state.locks.iter().rposition(|(held, mode)| held == path && *mode == shared);
        if let Some(at) = held {
            self.state.locks.remove(at);
        }
    }

    fn gain(&mut self, what: Gained, path: &Path) {
        match self.state.gained.iter_mut().find(|(kind, known, _)| *kind == what && known == path) {
            Some((.., count)) => *count += 1,
            None => self.state.gained.push((what, path.clone(), 1)),
        }
    }

    fn next_arm(&mut self) {
        let Some(Frame::Branch { id, arm, before, after }) = self.frames.last_mut() else { return };
        let ended = std::mem::replace(&mut self.state, before.clone());
        *after = merged(after.take(), ended);
        *arm += 1;
        let current = (*id, *arm);
        if let Some(last) = Rc::make_mut(&mut self.arms).last_mut() {
            *last = current;
        }
    }

    fn join(&mut self, exhaustive: bool) {
        let Some(Frame::Branch { before, after, .. }) = self.frames.pop() else { return };
        Rc::make_mut(&mut self.arms).pop();
        let ended = std::mem::take(&mut self.state);
        let mut all = merged(after, ended);
        if !exhaustive {
            all = merged(all, before);
        }
        self.state = all.unwrap_or(State { is_dead: true, ..State::default() });
    }

    /// What a loop waits for is taken as waited for, if it can be left at its end at all: nobody knows how often it is run, and
    /// people write loops that are run.
    fn end_loop(&mut self) {
        let Some(Frame::Loop { before, left, endless }) = self.frames.pop() else { return };
        Rc::make_mut(&mut self.loops).pop();
        let mut after = std::mem::take(&mut self.state);
        if endless {
            after.is_dead = true;
        } else if after.is_dead {
            after = before;
        } else {
            after.locks = before.locks;
        }
        self.state = after;
        merge_into(&mut self.state, left);
    }

    fn break_loop(&mut self) {
        let state = self.state.clone();
        let innermost = self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Loop { left, .. } => Some(left),
            _ => None,
        });
        if let Some(left) = innermost {
            *left = merged(left.take(), state);
        }
        self.state.is_dead = true;
    }

    fn leave_call(&mut self) {
        let state = self.state.clone();
        let innermost = self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Call { left } => Some(left),
            _ => None,
        });
        if let Some(left) = innermost {
            *left = merged(left.take(), state);
        }
        self.state.is_dead = true;
    }
}

fn merge_into(state: &mut State, other: Option<State>) {
    if let Some(other) = other {
        let own = std::mem::take(state);
        *state = merged(Some(other), own).unwrap_or(State { is_dead: true, ..State::default() });
    }
}

/// What holds in both, of which those count that something gets to.
fn merged(one: Option<State>, other: State) -> Option<State> {
    if other.is_dead {
        return one;
    }
    let Some(mut one) = one else { return Some(other) };
    if one.is_dead {
        return Some(other);
    }
    one.locks.retain(|lock| other.locks.contains(lock));
    let begins_fewer =
        |a: &State, b: &State| a.started.len() < b.started.len() && a.started.iter().all(|it| b.started.contains(it));
    // Who has started nothing has nothing to wait for.
    if begins_fewer(&one, &other) {
        one.gained.clone_from(&other.gained);
    }
    let keeps = begins_fewer(&other, &one);
    one.closed.retain(|path| other.closed.contains(path));
    for lane in other.started {
        if !one.started.contains(&lane) {
            one.started.push(lane);
        }
    }
    for path in other.owed {
        if !one.owed.contains(&path) {
            one.owed.push(path);
        }
    }
    one.gained.retain_mut(|(what, path, count)| {
        let there = other.gained.iter().find(|(kind, known, _)| kind == what && known == path);
        let least = there.map_or(0, |(.., other)| (*count).min(*other));
        if !keeps {
            *count = least;
        }
        *count > 0
    });
    Some(one)
}

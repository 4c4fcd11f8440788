//! Routes: a way from a call to a sink that the call's own arguments leave open.
//!
//! Summaries know each function's nearest sink, whoever calls it. A finding needs a chain that this caller can take, so the
//! search goes forward again from the call, with what it gives to the parameters, and turns back where a guard bars the way.

use crate::Program;
use crate::graph::{Edge, How};
use crate::guards::{Frame, KnownGuards, Way};
use crate::summary::{Step, Trouble};
use crate::types::FunctionRef;
use racewalk_ir::ExprId;
use rustc_hash::FxHashMap;

/// A function on the way to a sink.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    /// The function.
    pub function: FunctionRef,
    /// The expression in it that leads on, or the sink.
    pub site: ExprId,
    /// It overrides the method that its caller names.
    pub is_override: bool,
}

/// A chain of calls from one function to a sink.
#[derive(Clone, Debug)]
pub struct Route {
    /// The functions on the way; the last one's own expression is the sink.
    pub legs: Vec<Leg>,
    /// The sink, in [`crate::Summaries::sinks`].
    pub sink: u32,
    /// Whether the caller can take it.
    pub way: Way,
}

impl Route {
    /// Some function on the way is one of several overriding methods.
    pub fn is_by_override(&self) -> bool {
        self.legs.iter().any(|leg| leg.is_override)
    }
}

/// Functions that one search looks into: past that, the nearest sink is taken for reachable.
const MOST_VISITED: u32 = 400;

impl Program {
    /// A route by this edge to a sink of this kind, through at most `farthest` helpers between the first and the sink: one
    /// that is clear when there is one, else one that is open. None when every way is barred. Where the nearest sink is farther
    /// away, the way there is not looked at and counts as open.
    pub fn route(
        &self,
        known: &KnownGuards,
        trouble: Trouble,
        caller: FunctionRef,
        edge: &Edge,
        farthest: u16,
    ) -> Option<Route> {
        let steps = self.summaries.steps(trouble);
        if !steps.contains_key(&edge.target) {
            return None;
        }
        let mut search =
            Search { program: self, known, trouble, steps, legs: Vec::new(), best: None, visited: 0, is_cut: false };
        search.take(caller, &self.own_frame(caller), edge, Way::Clear, farthest);
        if search.best.is_none() && search.is_cut {
            return self.nearest(steps, edge);
        }
        search.best
    }

    /// The route to the nearest sink, whatever bars it.
    fn nearest(&self, steps: &FxHashMap<FunctionRef, Step>, edge: &Edge) -> Option<Route> {
        let sink = steps.get(&edge.target)?.sink;
        let mut is_override = edge.is_override;
        let mut legs = Vec::new();
        for (function, step) in self.chain(steps, edge.target) {
            legs.push(Leg { function, site: step.site, is_override });
            is_override = step.is_override;
        }
        Some(Route { legs, sink, way: Way::Open })
    }

    /// Whether control can come along a chain of calls, each function with the expression that leads on, to the last of them.
    /// It is open where a function of the program decides by a switch that its caller sets.
    pub fn way_along(&self, known: &KnownGuards, chain: &[(FunctionRef, ExprId)]) -> Way {
        let Some((first, _)) = chain.first() else { return Way::Clear };
        let mut frame = self.own_frame(*first);
        let mut way = Way::Clear;
        for (at, (function, site)) in chain.iter().enumerate() {
            way = way.min(self.way(known, *function, &frame, *site, at > 0));
            if self.is_switched(known, *function, &frame, *site) {
                way = way.min(Way::Open);
            }
            if let Some((target, _)) = chain.get(at + 1) {
                frame = self.handed_frame(known, *function, &frame, *site, *target);
            }
        }
        way
    }

    /// Whether a function gets to an expression of its own, as far as its own parameters tell.
    pub fn own_way(&self, known: &KnownGuards, function: FunctionRef, site: ExprId) -> Way {
        if self.is_other_class(known, function, site, None) {
            return Way::Barred;
        }
        self.way(known, function, &self.own_frame(function), site, false)
    }
}

struct Search<'p> {
    program: &'p Program,
    known: &'p KnownGuards,
    trouble: Trouble,
    steps: &'p FxHashMap<FunctionRef, Step>,
    legs: Vec<Leg>,
    best: Option<Route>,
    visited: u32,
    /// Something was not looked at because it is too far away.
    is_cut: bool,
}

impl Search<'_> {
    /// Goes by an edge, when that is possible.
    fn take(&mut self, caller: FunctionRef, frame: &Frame, edge: &Edge, way: Way, left: u16) {
        let Some(step) = self.steps.get(&edge.target) else { return };
        // What the loop's thread is given to call later holds it up as well.
        let is_first = self.legs.is_empty() && self.trouble != Trouble::StartsLoop;
        if !(matches!(edge.how, How::Calls | How::Implicit | How::Callback) || is_first && edge.how == How::Later) {
            return;
        }
        if step.distance > left {
            self.is_cut = true;
            return;
        }
        let Some(is_override) = self.program.leads_to(self.steps, caller, edge.site, edge.target) else { return };
        let way = way.min(self.program.way(self.known, caller, frame, edge.site, !self.legs.is_empty()));
        let is_taken = self.legs.iter().any(|leg| leg.function == edge.target);
        if way == Way::Barred
            || is_taken
            || self.program.is_other_class(self.known, caller, edge.site, Some(edge.target))
        {
            return;
        }
        let handed = self.program.handed_frame(self.known, caller, frame, edge.site, edge.target);
        self.enter(edge.target, &handed, way, is_override, left);
    }

    fn enter(&mut self, function: FunctionRef, frame: &Frame, way: Way, is_override: bool, left: u16) {
        self.visited += 1;
        if self.visited > MOST_VISITED {
            self.is_cut = true;
            return;
        }
        for number in self.program.summaries.sinks_of(function) {
            let sink = &self.program.summaries.sinks[number as usize];
            let is_other = || self.program.is_other_class(self.known, function, sink.site, None);
            if self.trouble.is_caused_by(sink.kind) && !is_other() {
                let way = way.min(self.program.way(self.known, function, frame, sink.site, true));
                self.found(Leg { function, site: sink.site, is_override }, number, way);
            }
        }
        let mut edges: Vec<(u16, &Edge)> = Vec::new();
        for edge in self.program.edges(function) {
            edges.extend(self.steps.get(&edge.target).map(|step| (step.distance, edge)));
        }
        let Some(left) = left.checked_sub(1) else {
            self.is_cut |= !edges.is_empty();
            return;
        };
        edges.sort_by_key(|(distance, _)| *distance);
        for (_, edge) in edges {
            if self.best.as_ref().is_some_and(|best| best.way == Way::Clear) {
                return;
            }
            self.legs.push(Leg { function, site: edge.site, is_override });
            self.take(function, frame, edge, way, left);
            self.legs.pop();
        }
    }

    fn found(&mut self, last: Leg, sink: u32, way: Way) {
        if way > self.best.as_ref().map_or(Way::Barred, |best| best.way) {
            let legs = self.legs.iter().copied().chain([last]).collect();
            self.best = Some(Route { legs, sink, way });
        }
    }
}

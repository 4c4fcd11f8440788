//! Reaching definitions: which bindings of a local may have given the value that is read at a place.
//!
//! One forward pass over a function's events. Branches keep a log of what each arm changed, so the cost is in what
//! changes, not in how many locals there are. Loops and handlers are conservative: at their entry every binding of the
//! loop or of the guarded block may have happened.

use crate::{BindingId, BindingKind, Defs, Event, Expr, FunctionId, Module, SymbolId};
use smallvec::SmallVec;

/// Bindings that meet at one place: few nearly always.
type Few = SmallVec<[BindingId; 8]>;

/// Fills in [`Defs`] on every name that the function reads.
pub fn resolve_locals(module: &mut Module, function: FunctionId) {
    let events = std::mem::take(&mut module.functions[function.index()].events);
    if events.is_empty() {
        return;
    }
    let loops = bindings_by_loop(&events);
    let symbols = module.function(function).symbols.len();
    let mut flow =
        Flow { module, function, env: vec![Defs::Nothing; symbols], log: Vec::new(), frames: Vec::new(), dead: false };
    let mut next_loop = 0;
    for event in &events {
        match *event {
            Event::Read(expr) => flow.read(expr),
            Event::Bind(binding) => flow.bind(binding),
            Event::Branch(_) => flow.push(FrameKind::Branch),
            Event::Arm(_) => flow.end_arm(),
            Event::EndBranch(exhaustive) => flow.end_branch(exhaustive),
            Event::Loop(_) => {
                flow.push(FrameKind::Loop);
                flow.widen(&loops[next_loop]);
                next_loop += 1;
            }
            Event::EndLoop => flow.end_loop(),
            Event::Try => flow.push(FrameKind::Try),
            Event::Handler(_) => flow.start_handler(),
            Event::Finally => flow.start_finally(),
            Event::EndTry => flow.end_try(),
            Event::Return(_) | Event::Raise(_) | Event::Break | Event::Continue => flow.dead = true,
            _ => {}
        }
    }
    let env = flow.env;
    let lowered = &mut module.functions[function.index()];
    lowered.events = events;
    for (symbol, exit) in lowered.symbols.iter_mut().zip(env) {
        symbol.exit = exit;
    }
}

/// For each loop in the order of its start: the bindings inside it, inner loops included.
fn bindings_by_loop(events: &[Event]) -> Vec<Vec<BindingId>> {
    let mut all: Vec<Vec<BindingId>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for event in events {
        match *event {
            Event::Loop(_) => {
                open.push(all.len());
                all.push(Vec::new());
            }
            Event::Bind(binding) => {
                if let Some(innermost) = open.last() {
                    all[*innermost].push(binding);
                }
            }
            Event::EndLoop => {
                let inner = open.pop().expect("a loop ends that has begun");
                if let Some(outer) = open.last() {
                    let bindings = all[inner].clone();
                    all[*outer].extend(bindings);
                }
            }
            _ => {}
        }
    }
    all
}

#[derive(PartialEq)]
enum FrameKind {
    Branch,
    Loop,
    Try,
}

struct Frame {
    kind: FrameKind,
    log_start: usize,
    /// For each finished arm that can be left at its end: what it changed.
    arms: Vec<Vec<(SymbolId, Defs)>>,
    /// Bindings that happened inside a guarded block so far.
    bound: Vec<BindingId>,
    /// The cleanup block has begun: the arms are merged already.
    merged: bool,
    dead_before: bool,
}

struct Flow<'a> {
    module: &'a mut Module,
    function: FunctionId,
    env: Vec<Defs>,
    log: Vec<(SymbolId, Defs)>,
    frames: Vec<Frame>,
    dead: bool,
}

impl Flow<'_> {
    fn read(&mut self, expr: crate::ExprId) {
        let Expr::Name(name, _) = self.module.expr(expr) else { return };
        let function = self.module.function(self.function);
        let Some(symbol) = function.symbol(name) else { return };
        let declared = &function.symbols[symbol.index()];
        if !declared.is_global && !declared.is_nonlocal {
            self.module.exprs[expr.index()] = Expr::Name(name, self.env[symbol.index()]);
        }
    }

    fn bind(&mut self, binding: BindingId) {
        let bound = self.module.bindings[binding.index()];
        if bound.owner != self.function {
            return;
        }
        let value = match bound.kind {
            BindingKind::Deleted => Defs::Nothing,
            _ => Defs::One(binding),
        };
        self.set(bound.symbol, value);
        if let Some(guarded) = self.frames.iter_mut().rev().find(|frame| frame.kind == FrameKind::Try) {
            guarded.bound.push(binding);
        }
    }

    fn set(&mut self, symbol: SymbolId, value: Defs) {
        let old = std::mem::replace(&mut self.env[symbol.index()], value);
        if !self.frames.is_empty() {
            self.log.push((symbol, old));
        }
    }

    fn push(&mut self, kind: FrameKind) {
        let log_start = self.log.len();
        let dead_before = self.dead;
        self.frames.push(Frame { kind, log_start, arms: Vec::new(), bound: Vec::new(), merged: false, dead_before });
    }

    /// Takes what changed since the frame began, and puts the state of its beginning back.
    fn roll_back(&mut self) -> Vec<(SymbolId, Defs)> {
        let start = self.frames.last().expect("a frame is open").log_start;
        let mut changed = Vec::with_capacity(self.log.len() - start);
        while self.log.len() > start {
            let (symbol, old) = self.log.pop().expect("longer than its start");
            let now = std::mem::replace(&mut self.env[symbol.index()], old);
            changed.push((symbol, now));
        }
        // The first entry of a symbol here is its newest; later ones are older states of the same arm.
        changed.sort_by_key(|(symbol, _)| *symbol);
        changed.dedup_by_key(|(symbol, _)| *symbol);
        changed
    }

    fn end_arm(&mut self) {
        let changed = self.roll_back();
        let dead = std::mem::replace(&mut self.dead, false);
        let frame = self.frames.last_mut().expect("an arm ends inside a branch");
        if !dead {
            frame.arms.push(changed);
        }
        self.dead = frame.dead_before;
    }

    fn end_branch(&mut self, exhaustive: bool) {
        self.end_arm();
        let mut frame = self.frames.pop().expect("a branch ends that has begun");
        if !exhaustive {
            frame.arms.push(Vec::new());
        }
        self.dead = frame.arms.is_empty() || frame.dead_before;
        self.merge(frame.arms);
        self.hand_up(frame.bound);
    }

    fn hand_up(&mut self, bound: Vec<BindingId>) {
        if let Some(guarded) = self.frames.iter_mut().rev().find(|frame| frame.kind == FrameKind::Try) {
            guarded.bound.extend(bound);
        }
    }

    fn merge(&mut self, arms: Vec<Vec<(SymbolId, Defs)>>) {
        let count = arms.len();
        let mut changes: Vec<(SymbolId, Defs)> = arms.into_iter().flatten().collect();
        changes.sort_by_key(|(symbol, _)| *symbol);
        let mut rest = changes.as_slice();
        while let Some((symbol, _)) = rest.first().copied() {
            let run = rest.iter().take_while(|(other, _)| *other == symbol).count();
            let mut values: SmallVec<[Defs; 8]> = rest[..run].iter().map(|(_, defs)| *defs).collect();
            if run < count {
                values.push(self.env[symbol.index()]);
            }
            let merged = self.union(&values);
            self.set(symbol, merged);
            rest = &rest[run..];
        }
    }

    fn union(&mut self, values: &[Defs]) -> Defs {
        if values.iter().all(|value| *value == values[0]) {
            return values[0];
        }
        let mut all = Few::new();
        for value in values {
            all.extend_from_slice(self.module.defs(value));
        }
        self.intern(all)
    }

    fn intern(&mut self, mut all: Few) -> Defs {
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [] => Defs::Nothing,
            [one] => Defs::One(*one),
            several => {
                let start = self.module.def_lists.len() as u32;
                self.module.def_lists.extend_from_slice(several);
                Defs::Several(start, several.len() as u32)
            }
        }
    }

    /// From here on each of these bindings may have happened, or not.
    fn widen(&mut self, bindings: &[BindingId]) {
        let mut by_symbol: Vec<(SymbolId, BindingId)> = bindings
            .iter()
            .map(|binding| (*binding, self.module.bindings[binding.index()]))
            .filter(|(_, bound)| bound.owner == self.function && bound.kind != BindingKind::Deleted)
            .map(|(binding, bound)| (bound.symbol, binding))
            .collect();
        by_symbol.sort_unstable();
        let mut rest = by_symbol.as_slice();
        while let Some((symbol, _)) = rest.first().copied() {
            let run = rest.iter().take_while(|(other, _)| *other == symbol).count();
            let mut all = Few::from_slice(self.module.defs(&self.env[symbol.index()]));
            all.extend(rest[..run].iter().map(|(_, binding)| *binding));
            let widened = self.intern(all);
            self.set(symbol, widened);
            rest = &rest[run..];
        }
    }

    fn end_loop(&mut self) {
        // The head state already holds every binding of the loop. Widening was the first change of each symbol, so the
        // head's value is what the second change replaced, or the present one.
        let start = self.frames.last().expect("a loop ends that has begun").log_start;
        let mut changes: Vec<(SymbolId, usize)> =
            self.log[start..].iter().enumerate().map(|(i, (symbol, _))| (*symbol, start + i)).collect();
        changes.sort_unstable();
        let mut head: Vec<(SymbolId, Defs)> = Vec::new();
        for of_symbol in changes.chunk_by(|a, b| a.0 == b.0) {
            let symbol = of_symbol[0].0;
            let widened = of_symbol.get(1).map_or(self.env[symbol.index()], |(_, second)| self.log[*second].1);
            head.push((symbol, widened));
        }
        let frame = self.frames.pop().expect("a loop ends that has begun");
        for (symbol, defs) in head {
            self.set(symbol, defs);
        }
        self.dead = frame.dead_before;
    }

    fn start_handler(&mut self) {
        self.end_arm();
        let frame = self.frames.last().expect("a handler stands inside a guarded block");
        let bound = frame.bound.clone();
        self.widen(&bound);
    }

    fn start_finally(&mut self) {
        self.end_arm();
        let frame = self.frames.last_mut().expect("a cleanup stands inside a guarded block");
        frame.merged = true;
        let arms = std::mem::take(&mut frame.arms);
        let bound = frame.bound.clone();
        let dead = arms.is_empty();
        self.merge(arms);
        if dead {
            self.widen(&bound);
        }
        // Remember whether anything follows the whole block.
        self.frames.last_mut().expect("still open").dead_before |= dead;
        self.dead = false;
    }

    fn end_try(&mut self) {
        let merged = self.frames.last().expect("a guarded block ends that has begun").merged;
        if merged {
            let frame = self.frames.pop().expect("a guarded block ends that has begun");
            self.dead |= frame.dead_before;
            self.hand_up(frame.bound);
        } else {
            self.end_branch(true);
        }
    }
}

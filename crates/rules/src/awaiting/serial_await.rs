//! # await/serial-await
//!
//! Waits that do not need each other are made one after another, and their times add up.
//!
//! ## What it is
//! `await` means: nothing below this line happens before the answer is there. Where the next line needs the answer, that
//! is the point. Where it asks somebody else for something else, the second question could have been on its way all the
//! while. Ten requests of 100 ms in a loop take a second; started together they take 100 ms.
//!
//! Only what is proved independent is reported. In a loop: each round asks for its own element, keeps the answer under
//! its own key or appends it, and uses nothing that an earlier round has made. One after another: questions only, each
//! answer under its own name, and no question reads an answer before it.
//!
//! ```python bad
//! import httpx
//!
//!
//! async def prices(client: httpx.AsyncClient, symbols: list[str]) -> dict[str, str]:
//!     found = {}
//!     for symbol in symbols:
//!         response = await client.get(f"https://quotes.example/{symbol}")
//!         found[symbol] = response.text
//!     return found
//! ```
//!
//! ## What one observes
//! - A page takes as long as the sum of its queries; its time grows with the length of a list.
//! - In a trace the spans stand like stairs, without overlap, and the process is idle.
//! - Time limits are met with short lists and missed with long ones.
//!
//! ## Why tests pass all the same
//! The result is right. Fakes answer at once, and the sum of ten times nothing is nothing.
//!
//! ## The structural fix
//! Start the questions together and wait for all of them. For a fixed number a `gather` or a task group is enough; for
//! the elements of an input, a semaphore bounds how many are on their way.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! async def prices(client: httpx.AsyncClient, symbols: list[str]) -> dict[str, str]:
//!     permits = asyncio.Semaphore(10)
//!
//!     async def price(symbol: str) -> str:
//!         async with permits:
//!             response = await client.get(f"https://quotes.example/{symbol}")
//!             return response.text
//!
//!     return dict(zip(symbols, await asyncio.gather(*map(price, symbols))))
//! ```
//!
//! A question that takes all keys at once is better still, where the other side has one.
//!
//! ## Fixes that do not work
//! - `create_task` in the loop with the `await` right behind it: the same stairs.
//! - `gather` over thousands of elements: the connection pool, the other side's limits or the memory give way.
//! - `gather` over calls that use one database session or connection: it holds one conversation.
//! - `async for` over a plain list, or an async comprehension: they wait in the same order.
//!
//! ## Cues for a reviewer
//! - `await` in a `for` or in a comprehension, with the loop variable among the arguments.
//! - Several lines `x = await get_…(id)` in a row, all with the same arguments.
//!
//! ## Where it is silent
//! - A wait that reads what an earlier one gave: cursors, pages, sums, filters of what has been seen.
//! - Loops that end early (`break`, `return`), that try again, that handle failures by other waits.
//! - What changes something, by its model, by its name or by what its body does; what is written to fields.
//! - Sleeps, semaphores, locks and limiters, around the loop, in it or in what it calls.
//! - One session, connection, cursor or stream that serves all of them, and transactions.
//! - A question that decides whether the next one is asked: it raises, or checks by its name.
//! - Scripts, commands, start-up, tests.
//! - `possible`, shown with `--strict`: what is awaited is not known to reach the network; examples; batches.
//!
//! ## Symptoms
//! None at run time but the time.
//!
//! ## The mutation that introduces it
//! Replace `gather` over independent calls by a loop, or by one `await` a line.
//!
//! ## Difficulty
//! Easy to see, hard to prove: that nothing depends on the order must hold for the callees too.
//!
//! ## Related rules
//! `bound/unbounded-fan-out`, `share/shared-session`, `cancel/fail-fast-leak`, `share/lock-bottleneck`.

use super::asking::{Asking, Askings, called_name, is_made_here, is_waited_for, mutated, root};
use crate::context::Context;
use crate::finding::Finding;
use crate::looping::{is_command_module, is_side_module, is_test_module};
use crate::paths::{Guarded, scopes};
use crate::rule::{Question, Rule};
use crate::scopes::statement_of;
use racewalk_ir::{BindingId, BindingKind, Event, Expr, ExprId, FunctionId, Name, Role, Span, SuspendKind, SymbolId};
use racewalk_link::FunctionRef;
use racewalk_report::{Confidence, Severity};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/serial-await",
    question: Question::Await,
    severity: Severity::Hint,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "waits that are proved independent are made one after another",
    source: include_str!("serial_await.rs"),
    check,
};

/// The event stands in a handler: what is done there, one after another, is what is left when the quick way has failed.
fn is_in_handler(events: &[Event], at: usize) -> bool {
    Guarded::all(events)
        .iter()
        .any(|(_, guarded)| guarded.handlers.iter().any(|(start, end)| (*start..*end).contains(&at)))
}

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let module = ctx.module.name.as_str();
    if is_test_module(module) || is_command_module(module) {
        return;
    }
    let askings = Askings::new(ctx.program);
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        let body = ctx.module.function(function);
        let runs_once = || ctx.shared.alone.contains(&this) || ctx.shared.beginnings.contains(&this);
        if body.is_async && !body.is_generator && may_wait_often(&body.events) && !runs_once() {
            let serial = Serial { ctx, askings: &askings, function, this, events: &body.events };
            let rounds = serial.rounds();
            let rows = serial.rows();
            let is_apart = |row: &Row| !rounds.iter().any(|round| round.range.contains(&row.waits[0].at));
            let rows = rows.iter().filter(|row| is_apart(row)).map(|row| (row.waits[0].at, serial.report_row(row)));
            let rounds = rounds.iter().map(|round| (round.range.start, serial.report_round(round)));
            for (at, finding) in rounds.chain(rows) {
                let is_mild = is_side_module(module) || is_in_handler(&body.events, at);
                let most = if is_mild { Confidence::Possible } else { Confidence::Certain };
                ctx.report(function, finding.at_most(most), found);
            }
        }
    }
}

/// The cheap test: there are two waits, or one in a loop.
fn may_wait_often(events: &[Event]) -> bool {
    let waits = events.iter().filter(|event| matches!(event, Event::Suspend(..))).count();
    waits >= 2 || waits == 1 && events.iter().any(|event| matches!(event, Event::Loop(Some(_))))
}

/// One function, as the place of waits that may be independent.
struct Serial<'c, 'p> {
    ctx: &'c Context<'p>,
    askings: &'c Askings<'p>,
    function: FunctionId,
    this: FunctionRef,
    events: &'c [Event],
}

/// A loop whose rounds do not need each other.
struct Round {
    range: Range<usize>,
    source: ExprId,
    /// The first wait for the outside.
    wait: ExprId,
    asking: Asking,
}

/// Waits one after another that do not need each other.
struct Row {
    waits: Vec<Wait>,
    asking: Asking,
}

/// A wait for an answer that is kept.
#[derive(Clone, Copy)]
struct Wait {
    at: usize,
    call: ExprId,
    asking: Asking,
}

impl Serial<'_, '_> {
    /// The loops over something that is there whose rounds wait, none of them inside another such loop's body.
    fn rounds(&self) -> Vec<Round> {
        let mut open: Vec<(usize, Option<ExprId>, bool)> = Vec::new();
        let mut found = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            match *event {
                Event::Loop(source) => open.push((at, source, false)),
                Event::Suspend(..) => open.last_mut().into_iter().for_each(|(.., waits)| *waits = true),
                Event::EndLoop => {
                    let Some((start, source, waits)) = open.pop() else { continue };
                    let source = source.filter(|source| waits && self.ctx.module.role(*source) == Role::Iterated);
                    found.extend(source.and_then(|source| self.round(start + 1..at, source)));
                }
                _ => {}
            }
        }
        found
    }

    fn round(&self, range: Range<usize>, source: ExprId) -> Option<Round> {
        if self.is_ordered(range.clone(), source) {
            return None;
        }
        let asking = self.work(range.clone())?;
        let bindings = self.bindings(range.clone());
        let kept = self.kept(range.clone(), source, &bindings)?;
        if self.carries(range.clone(), &bindings, &kept) {
            return None;
        }
        let wait = self.events[range.clone()].iter().find_map(|event| match *event {
            Event::Suspend(SuspendKind::Await | SuspendKind::Enter, operand)
                if self.is_about(range.clone(), operand, &bindings) =>
            {
                let asking = self.askings.at(self.this, operand);
                (asking.asks || asking.is_unclear).then_some(operand)
            }
            _ => None,
        })?;
        let is_in_parts = bindings.keys().any(|binding| {
            let bound = self.ctx.module.bindings[binding.index()];
            takes_parts(self.name_of(bound.owner, bound.symbol))
        });
        let asking = asking.and(self.around(range.start)).and(Asking { is_unclear: is_in_parts, ..Asking::default() });
        (!asking.is_bound).then_some(Round { range, source, wait, asking })
    }

    /// The rounds are attempts, pages, turns; or the loop's way through them depends on what they give.
    fn is_ordered(&self, range: Range<usize>, source: ExprId) -> bool {
        let module = self.ctx.module;
        let names_order = |event: &Event| match *event {
            Event::Bind(binding) => {
                let bound = module.bindings[binding.index()];
                matches!(bound.kind, BindingKind::Element(of) | BindingKind::ElementPart(of, _) if of == source)
                    && is_ordinal(self.name_of(bound.owner, bound.symbol))
            }
            _ => false,
        };
        let leaves = |event: &Event| {
            matches!(
                event,
                Event::Break
                    | Event::Return(_)
                    | Event::Yield(_)
                    | Event::Raise(_)
                    | Event::Modify(_)
                    | Event::Define(_)
                    | Event::Defer
                    | Event::Finally
            )
        };
        let events = &self.events[range];
        events.iter().any(|event| leaves(event) || names_order(event)) || handles_by_waiting(events)
    }

    /// What the rounds wait for and do in passing, when all of it may overlap.
    fn work(&self, range: Range<usize>) -> Option<Asking> {
        let mut asking = Asking::default();
        for event in &self.events[range] {
            let found = match *event {
                Event::Suspend(SuspendKind::Await, operand) => self.askings.at(self.this, operand),
                Event::Suspend(SuspendKind::Iterate | SuspendKind::Yield, _) => return None,
                Event::Enter(kind, context) => self.askings.inside(self.this, kind, context),
                Event::Call(call) if !is_waited_for(self.ctx.module, call) && !self.gathers(call) => {
                    self.askings.in_passing(self.this, call)
                }
                _ => continue,
            };
            asking = asking.and(found);
            if asking.is_bound {
                return None;
            }
        }
        (asking.asks || asking.is_unclear).then_some(asking)
    }

    /// `found.append(…)`, which is looked at as what is kept.
    fn gathers(&self, call: ExprId) -> bool {
        mutated(self.ctx.module, call).is_some()
    }

    /// The bindings in the rounds, each with where it happens.
    fn bindings(&self, range: Range<usize>) -> FxHashMap<BindingId, usize> {
        let bound = range.filter_map(|at| match self.events[at] {
            Event::Bind(binding) => Some((binding, at)),
            _ => None,
        });
        bound.collect()
    }

    /// The reads of names by which the rounds keep their answers: of collections that this function has made, or of the
    /// round's own element. None when they keep nothing, or keep it where others may look.
    fn kept(
        &self,
        range: Range<usize>,
        source: ExprId,
        bindings: &FxHashMap<BindingId, usize>,
    ) -> Option<FxHashSet<ExprId>> {
        let module = self.ctx.module;
        let mut kept = FxHashSet::default();
        for event in &self.events[range] {
            let container = match *event {
                Event::Call(call) => match mutated(module, call) {
                    Some(container) if is_addition(called_name(module, call)) => container,
                    Some(_) => return None,
                    None => continue,
                },
                Event::WritePlace(place, _) => match module.expr(place) {
                    Expr::Subscript(container, _) => container,
                    Expr::Attr(base, _) if self.is_of_round(base, bindings) => base,
                    _ => return None,
                },
                _ => continue,
            };
            let root = root(module, container)?;
            if !is_made_here(module, self.this, container) && !self.is_of_round(root, bindings) {
                return None;
            }
            kept.insert(root);
        }
        let is_comprehension = module.parent(source).is_some_and(|parent| {
            matches!(module.expr(parent), Expr::Comp(..)) && module.role(parent) != Role::Dropped
        });
        (is_comprehension || !kept.is_empty()).then_some(kept)
    }

    /// The value begins with a name that the round itself binds.
    fn is_of_round(&self, value: ExprId, bindings: &FxHashMap<BindingId, usize>) -> bool {
        let module = self.ctx.module;
        let Some(Expr::Name(_, defs)) = root(module, value).map(|root| module.expr(root)) else { return false };
        let defs = module.defs(&defs);
        !defs.is_empty() && defs.iter().all(|binding| bindings.contains_key(binding))
    }

    /// A round reads what an earlier one has bound, changed or collected.
    fn carries(&self, range: Range<usize>, bindings: &FxHashMap<BindingId, usize>, kept: &FxHashSet<ExprId>) -> bool {
        let module = self.ctx.module;
        let is_modified = |binding: &BindingId| {
            let bound = module.bindings[binding.index()];
            matches!(bound.kind, BindingKind::Modified(_)) || bound.owner != self.function
        };
        if bindings.keys().any(is_modified) {
            return true;
        }
        let symbol = |read: ExprId| match module.expr(read) {
            Expr::Name(name, _) => Some(name),
            _ => None,
        };
        let collected: Vec<Name> =
            kept.iter().filter(|read| !self.is_of_round(**read, bindings)).filter_map(|read| symbol(*read)).collect();
        range.into_iter().any(|at| {
            let Event::Read(read) = self.events[at] else { return false };
            let Expr::Name(name, defs) = module.expr(read) else { return false };
            let defs = module.defs(&defs);
            let is_later = |binding: &BindingId| bindings.get(binding).is_some_and(|bound| *bound > at);
            let is_mixed = || {
                defs.iter().any(|binding| bindings.contains_key(binding))
                    && defs.iter().any(|binding| !bindings.contains_key(binding))
            };
            defs.iter().any(is_later) || is_mixed() || collected.contains(&name) && !kept.contains(&read)
        })
    }

    /// The operand reads what the round binds: its element, or what was made of it.
    fn is_about(&self, range: Range<usize>, operand: ExprId, bindings: &FxHashMap<BindingId, usize>) -> bool {
        let span = self.ctx.module.span(operand);
        self.events[range].iter().any(|event| match *event {
            Event::Read(read) => span.contains(self.ctx.module.span(read)) && self.is_of_round(read, bindings),
            _ => false,
        })
    }

    /// What the blocks around an event keep in turn.
    fn around(&self, at: usize) -> Asking {
        let around = scopes(self.events).into_iter().filter(|(start, end, _)| *start < at && at < *end);
        let kinds = around.filter_map(|(start, _, context)| match self.events[start] {
            Event::Enter(kind, _) => Some(self.askings.inside(self.this, kind, context)),
            _ => None,
        });
        kinds.fold(Asking::default(), |all, one| Asking { asks: false, ..all.and(one) })
    }

    /// The runs of waits in one straight line.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut line = Line::default();
        for (at, event) in self.events.iter().enumerate() {
            if !self.goes_on(&mut line, at, *event) {
                rows.extend(self.row(std::mem::take(&mut line)));
            }
            if let Event::Suspend(SuspendKind::Await, operand) = *event
                && let Some(wait) = self.wait(at, operand)
                && !self.is_given_one_of(operand, &line.waits)
            {
                line.waits.push(wait);
            }
        }
        rows.extend(self.row(line));
        rows
    }

    /// The line of waits is not cut off by this event.
    fn goes_on(&self, line: &mut Line, at: usize, event: Event) -> bool {
        let module = self.ctx.module;
        match event {
            Event::Read(read) => {
                let is_tainted = matches!(module.expr(read), Expr::Name(name, _) if line.bound.contains(&name));
                if is_tainted {
                    line.tainted.push(module.span(read));
                }
                true
            }
            Event::ReadPlace(_) => true,
            Event::Bind(binding) => {
                let bound = module.bindings[binding.index()];
                line.bind(self.name_of(bound.owner, bound.symbol));
                !matches!(bound.kind, BindingKind::Modified(_)) && bound.owner == self.function
            }
            Event::WritePlace(place, _) => match root(module, place).map(|root| module.expr(root)) {
                Some(Expr::Name(name, _)) if is_made_here(module, self.this, place) => {
                    line.bind(name);
                    true
                }
                _ => false,
            },
            Event::Call(call) if is_waited_for(module, call) => true,
            Event::Call(call) => line.waits.is_empty() || !self.askings.in_passing(self.this, call).is_bound,
            Event::Suspend(SuspendKind::Await, operand) => {
                let span = module.span(operand);
                let is_dependent = line.tainted.iter().any(|read| span.contains(*read));
                let decides = line.waits.last().is_some_and(|last| self.may_refuse(last.call));
                let is_next = self.wait(at, operand).is_some();
                is_next && !is_dependent && !decides
            }
            _ => false,
        }
    }

    fn name_of(&self, owner: FunctionId, symbol: SymbolId) -> Name {
        self.ctx.module.function(owner).symbols[symbol.index()].name
    }

    /// `await f(await g())`: an answer that is waited for is part of the call.
    fn is_given_one_of(&self, call: ExprId, waits: &[Wait]) -> bool {
        let span = self.ctx.module.span(call);
        waits.iter().any(|wait| span.contains(self.ctx.module.span(wait.call)))
    }

    /// A question whose answer is kept under a name, or as a part of what is.
    fn wait(&self, at: usize, call: ExprId) -> Option<Wait> {
        let module = self.ctx.module;
        let awaited = module.parent(call)?;
        let statement = statement_of(self.ctx, awaited);
        let is_kept = match module.role(statement) {
            Role::Stored => true,
            Role::Returned => statement != awaited,
            _ => false,
        };
        let asking = is_kept.then(|| self.askings.at(self.this, call))?;
        (!asking.is_bound && (asking.asks || asking.is_unclear)).then_some(Wait { at, call, asking })
    }

    /// It decides whether what follows happens: it raises an error of its own, or checks something by its name.
    fn may_refuse(&self, call: ExprId) -> bool {
        let words = ["check", "verify", "validate", "auth", "permission", "access", "require", "current", "or_404"];
        let checks = called_name(self.ctx.module, call)
            .is_some_and(|name| words.iter().any(|word| name.as_str().to_ascii_lowercase().contains(word)));
        let edges = self.ctx.program.edges_at(self.this, call).iter();
        let raises = |target: FunctionRef| {
            let events = &self.ctx.program.function(target).events;
            events.iter().any(|event| matches!(event, Event::Raise(Some(_))))
        };
        checks || edges.map(|edge| edge.target).any(raises)
    }

    fn row(&self, line: Line) -> Option<Row> {
        let first = line.waits.first()?;
        if line.waits.len() < 2 {
            return None;
        }
        let asking = self.around(first.at);
        let asking = line.waits.iter().fold(asking, |all, wait| all.and(wait.asking));
        (!asking.is_bound).then_some(Row { waits: line.waits, asking })
    }

    fn report_round(&self, round: &Round) -> Finding {
        let ctx = self.ctx;
        let work = ctx.program.callee_text(ctx.file, round.wait);
        let source = ctx.program.path_text(ctx.file, round.source);
        let message = format!(
            "`{work}()` is awaited for one element of `{source}` after another, and no round needs what another one gives"
        );
        Finding::new(&RULE, ctx.place(round.wait), ctx.symbol(self.function), message)
            .confidence(confidence(round.asking))
            .help(format!(
                "start them together and wait for all: {}, with a semaphore that bounds how many are on their way; or ask \
                 for all of them at once, where the other side can",
                ctx.module.language.together
            ))
            .related(ctx.place(round.source), "one after another for these")
            .shape(work)
    }

    fn report_row(&self, row: &Row) -> Finding {
        let ctx = self.ctx;
        let mut works: Vec<String> = Vec::new();
        for wait in &row.waits {
            let work = format!("`{}()`", ctx.program.callee_text(ctx.file, wait.call));
            if !works.contains(&work) {
                works.push(work);
            }
        }
        let message = format!(
            "{} waits are made one after another ({}), and none needs what another one gives",
            row.waits.len(),
            works.join(", ")
        );
        let mut finding = Finding::new(&RULE, ctx.place(row.waits[1].call), ctx.symbol(self.function), message)
            .confidence(confidence(row.asking))
            .help(format!("start them together and wait for all: {}", ctx.module.language.together))
            .shape(works.join(","));
        for wait in row.waits.iter().filter(|wait| wait.at != row.waits[1].at) {
            finding = finding.related(ctx.place(wait.call), "this one could be on its way meanwhile");
        }
        finding
    }
}

/// Waits in one straight line, as far as it has been gone through.
#[derive(Default)]
struct Line {
    waits: Vec<Wait>,
    /// The names that have been bound, or whose objects have been changed, on the way.
    bound: Vec<Name>,
    /// Where such a name is read.
    tainted: Vec<Span>,
}

impl Line {
    /// What is bound before the first wait comes from none of them.
    fn bind(&mut self, name: Name) {
        if !self.waits.is_empty() {
            self.bound.push(name);
        }
    }
}

const fn confidence(asking: Asking) -> Confidence {
    if asking.asks && !asking.is_unclear { Confidence::Likely } else { Confidence::Possible }
}

/// A handler among these events waits for something itself: a fallback.
fn handles_by_waiting(events: &[Event]) -> bool {
    let mut open: Vec<bool> = Vec::new();
    for event in events {
        match event {
            Event::Try => open.push(false),
            Event::Handler(_) => open.last_mut().into_iter().for_each(|handles| *handles = true),
            Event::EndTry => drop(open.pop()),
            Event::Suspend(..) if open.contains(&true) => return true,
            _ => {}
        }
    }
    false
}

/// The element's name says that the rounds have an order: attempts, pages, turns.
fn is_ordinal(name: Name) -> bool {
    let name = name.as_str().to_ascii_lowercase();
    let words = [
        "attempt", "retry", "retries", "page", "offset", "cursor", "step", "round", "turn", "iter", "epoch", "try",
        "layer", "depth", "level", "hop",
    ];
    words.iter().any(|word| name.contains(word))
}

/// The rounds go through parts, whose size somebody has chosen to spare the other side.
fn takes_parts(name: Name) -> bool {
    ["batch", "chunk"].iter().any(|word| name.as_str().contains(word))
}

/// The method adds to what it is called on.
fn is_addition(name: Option<Name>) -> bool {
    name.is_some_and(|name| matches!(name.as_str(), "append" | "add" | "extend" | "update" | "setdefault" | "insert"))
}

//! What a rule is given: one file of the program, its evaluator, and what the whole program's rules share.

use crate::alone;
use crate::awaiting::async_uses::AsyncUses;
use crate::awaiting::floating_promise;
use crate::awaiting::wrapper_drops_await;
use crate::bounding::no_timeout;
use crate::claims::Claims;
use crate::fate;
use crate::finding::{Finding, Hop, Place};
use crate::homes::Homes;
use crate::meter::{Clocks, Costs, Meter};
use crate::race::Race;
use crate::race::cells::Root;
use crate::race::mutators::Mutators;
use crate::race::walk::Conflict;
use crate::rule::Rule;
use crate::runs::Runs;
use crate::sharing::data_race::LoopUses;
use crate::sharing::writes_under_lock;
use crate::stored::Stored;
use crate::threads::Threads;
use core::time::Duration;
use racewalk_ir::{
    BindingId, BindingKind, ClassId, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name, Role, Span,
};
use racewalk_link::{Evaluator, FileId, FunctionRef, KnownGuards, Leg, Program, Type};
use racewalk_report::Confidence;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What identifies a callee across files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CalleeKey {
    Function(FunctionRef),
    External(Name),
    ExternalMethod(Name, Name),
}

impl CalleeKey {
    pub fn of(callee: Type) -> Option<Self> {
        match callee {
            Type::Function(function) | Type::Method(function, _) | Type::MadeAsync(function) => {
                Some(Self::Function(function))
            }
            Type::External(path) => Some(Self::External(path)),
            Type::ExternalMethod(class, method, _) => Some(Self::ExternalMethod(class, method)),
            _ => None,
        }
    }
}

/// Facts over all files that several rules ask for.
pub(crate) struct Shared {
    /// For each callee: the calls whose result is awaited on the spot.
    pub awaited: FxHashMap<CalleeKey, Vec<Place>>,
    /// For each function of the program that is used as a decorator: the functions that it decorates.
    pub decorated_by: FxHashMap<FunctionRef, Vec<FunctionRef>>,
    /// How async functions that never suspend are used.
    pub async_uses: AsyncUses,
    /// The program makes its event loop re-entrant when it is imported.
    pub is_loop_patched: bool,
    /// Functions that run only as part of a program's one task.
    pub alone: FxHashSet<FunctionRef>,
    /// Functions that begin a program's only work on a loop.
    pub beginnings: FxHashSet<FunctionRef>,
    /// Who runs beside the loop.
    pub threads: Threads,
    /// Where objects of loops are kept.
    pub homes: Homes,
    /// The loops that the program starts.
    pub runs: Runs,
    /// What functions share, and who overlaps.
    pub race: Race,
    /// What code on the loop does with places that threads may share, once a rule has asked.
    pub loop_uses: OnceLock<LoopUses>,
    /// The names that the program uses, once a rule has asked.
    mentioned: OnceLock<FxHashSet<Name>>,
    /// The import roots of libraries whose clients are made with a time limit.
    pub limited_clients: FxHashSet<&'static str>,
    /// The top folders with code that hears of all rejections.
    pub hears_rejections: FxHashSet<&'static str>,
    /// What functions load from and save to places outside the process.
    pub stored: Stored,
    /// What annotations claim.
    pub claims: Claims,
    /// For each file: the variables that several functions see, or that references may lead to; once somebody has asked.
    pub captured: Vec<OnceLock<Captured>>,
    /// What all this costs, when somebody wants to know.
    pub meter: Meter,
}

/// Variables of a file's functions.
pub(crate) type Captured = FxHashSet<(FunctionId, racewalk_ir::SymbolId)>;

impl Shared {
    pub fn new(program: &Program, meter: Meter) -> Self {
        let awaited = meter.part("awaited calls", || awaited(program));
        let threads = meter.part("threads", || Threads::new(program));
        let homes = meter.part("homes of loops' objects", || Homes::new(program));
        let runs = meter.part("loops that are started", || Runs::new(program, &threads, &homes));
        Self {
            awaited,
            decorated_by: meter.part("decorators", || wrapper_drops_await::decorated_by(program)),
            async_uses: meter.part("uses of async functions", || AsyncUses::new(program)),
            is_loop_patched: is_loop_patched(program),
            alone: meter.part("the program's one task", || alone::functions(program)),
            beginnings: meter.part("beginnings", || alone::beginnings(program)),
            race: Race::new(program, &homes, &meter),
            threads,
            homes,
            runs,
            loop_uses: OnceLock::new(),
            mentioned: OnceLock::new(),
            limited_clients: no_timeout::limited_clients(program),
            hears_rejections: floating_promise::hears_rejections(program),
            stored: meter.part("what is stored outside", || Stored::new(program)),
            claims: Claims::new(program),
            captured: program.files().map(|_| OnceLock::new()).collect(),
            meter,
        }
    }
}

/// The calls whose result is awaited on the spot, by callee.
fn awaited(program: &Program) -> FxHashMap<CalleeKey, Vec<Place>> {
    let mut awaited: FxHashMap<CalleeKey, Vec<Place>> = FxHashMap::default();
    for function in program.functions() {
        let module = program.module(function.file);
        for site in program.sites(function) {
            if module.role(site.call) == Role::Awaited
                && let Some(key) = CalleeKey::of(site.callee)
            {
                awaited.entry(key).or_default().push(Place { file: function.file, span: module.span(site.call) });
            }
        }
    }
    awaited
}

/// All names, members, short texts and imported names in the program. By the one thread that asks first: one that waited for
/// others could be given another rule's work meanwhile, which asks for the same and would wait for ever.
fn mentioned(program: &Program) -> FxHashSet<Name> {
    let mut names = FxHashSet::default();
    for module in program.modules().iter().filter(|module| !module.signatures_only) {
        names.extend(module.exprs.iter().filter_map(|expr| match *expr {
            Expr::Name(name, _) | Expr::Attr(_, name) | Expr::Literal(Literal::Str(name)) => Some(name),
            _ => None,
        }));
        names.extend(module.bindings.iter().filter_map(|binding| match binding.kind {
            BindingKind::ImportMember(_, name) => Some(name),
            _ => None,
        }));
        names.extend(module.exports.iter().flatten());
    }
    names
}

/// A module that others import patches the loop as it is imported.
fn is_loop_patched(program: &Program) -> bool {
    let main = FunctionId(0);
    program.files().any(|file| {
        let module = program.module(file);
        !module.functions.is_empty()
            && !module.own_loop
            && !crate::looping::is_side_module(module.name.as_str())
            && program
                .sites(FunctionRef { file, id: main })
                .iter()
                .any(|site| program.model_at(site).is_some_and(|model| model.patches_loop))
    })
}

/// Names that are read, each with the body that reads it.
type Reads = Vec<(FunctionId, ExprId)>;

/// One file, as a rule sees it.
pub struct Context<'p> {
    /// The whole program.
    pub program: &'p Program,
    /// The file.
    pub file: FileId,
    /// Its module.
    pub module: &'p Module,
    /// Evaluates its expressions.
    pub evaluator: Evaluator<'p>,
    pub(crate) shared: &'p Shared,
    /// The guards of the functions that this file's calls lead to.
    pub(crate) guards: KnownGuards,
    bound_to: OnceCell<FxHashMap<ExprId, Vec<BindingId>>>,
    reads: OnceCell<FxHashMap<BindingId, Reads>>,
    captured: OnceCell<FxHashMap<(FunctionId, Name), Reads>>,
    awaited_calls: OnceCell<FxHashMap<(Name, Name), ExprId>>,
    conflicts: OnceCell<Vec<(FunctionId, Conflict)>>,
    stored_in_places: OnceCell<FxHashSet<(FunctionId, ExprId)>>,
    inspected: OnceCell<FxHashSet<(FunctionId, String)>>,
    written_under_locks: OnceCell<FxHashSet<(ClassId, Root)>>,
    /// What was made for this file's rules together.
    apart: RefCell<BTreeMap<&'static str, Duration>>,
}

impl<'p> Context<'p> {
    pub(crate) fn new(program: &'p Program, file: FileId, shared: &'p Shared) -> Self {
        Self {
            program,
            file,
            module: program.module(file),
            evaluator: program.evaluator(file),
            shared,
            guards: KnownGuards::default(),
            bound_to: OnceCell::new(),
            reads: OnceCell::new(),
            captured: OnceCell::new(),
            awaited_calls: OnceCell::new(),
            conflicts: OnceCell::new(),
            stored_in_places: OnceCell::new(),
            inspected: OnceCell::new(),
            written_under_locks: OnceCell::new(),
            apart: RefCell::default(),
        }
    }

    /// Runs the rules.
    pub(crate) fn judge(&self, rules: &[&'static Rule], found: &mut Vec<Finding>) {
        match self.shared.meter.clocks {
            None => rules.iter().filter(|rule| self.is_for(rule)).for_each(|rule| (rule.check)(self, found)),
            Some(clocks) => self.judge_measured(rules, found, clocks),
        }
    }

    /// The rule looks at the language that the file is written in.
    fn is_for(&self, rule: &Rule) -> bool {
        rule.languages.contains(&self.module.language.name)
    }

    fn judge_measured(&self, rules: &[&'static Rule], found: &mut Vec<Finding>, clocks: Clocks) {
        let mut costs = Costs::default();
        let mut start = (clocks.of_thread)();
        for rule in rules {
            if self.is_for(rule) {
                (rule.check)(self, found);
            }
            let end = (clocks.of_thread)();
            let apart = std::mem::take(&mut *self.apart.borrow_mut());
            let own = end.saturating_sub(start).saturating_sub(apart.values().sum());
            *costs.rules.entry(rule.name).or_default() += own;
            apart.into_iter().for_each(|(what, spent)| *costs.asked.entry(what).or_default() += spent);
            start = end;
        }
        self.shared.meter.add(&costs);
    }

    /// Does work of which several rules have the benefit: it is not charged to the one that asks first.
    pub(crate) fn apart<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let Some(clocks) = self.shared.meter.clocks else { return work() };
        let start = (clocks.of_thread)();
        let done = work();
        *self.apart.borrow_mut().entry(what).or_default() += (clocks.of_thread)().saturating_sub(start);
        done
    }

    /// The member is one by which what an async function gives is waited for without an `await`: `.then(…)`.
    pub(crate) fn goes_on_by(&self, member: Name) -> bool {
        let class = self.module.language.awaitable_class.map(Name::new);
        class.is_some_and(|class| self.program.models().method(class, member).is_some())
    }

    /// A function of this file, for the whole program.
    pub fn function_ref(&self, id: FunctionId) -> FunctionRef {
        FunctionRef { file: self.file, id }
    }

    /// The numbers of all bodies.
    pub fn functions(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..self.module.functions.len() as u32).map(FunctionId)
    }

    /// Some code of the program uses the name, whatever it stands for there.
    pub(crate) fn is_mentioned(&self, name: Name) -> bool {
        let mentioned = || self.apart("names that are used", || mentioned(self.program));
        self.shared.mentioned.get_or_init(mentioned).contains(&name)
    }

    /// Some other module imports this one, as far as the names tell.
    pub(crate) fn is_imported(&self) -> bool {
        let own = self.module.name.as_str();
        let is_own = |path: &Name| {
            let (long, short) =
                if path.as_str().len() > own.len() { (path.as_str(), own) } else { (own, path.as_str()) };
            long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.program.modules().iter().any(|module| module.imports.iter().any(is_own))
    }

    /// The place of an expression.
    pub fn place(&self, expr: ExprId) -> Place {
        Place { file: self.file, span: self.module.span(expr) }
    }

    /// The place of a span in this file.
    pub fn at(&self, span: Span) -> Place {
        Place { file: self.file, span }
    }

    /// The dotted path of a function for messages; the module's own body is `<module>`.
    pub fn symbol(&self, id: FunctionId) -> String {
        symbol(self.module, id)
    }

    /// The writes in this file's coroutine functions that rely on what another task may have changed.
    pub(crate) fn conflicts(&self) -> &[(FunctionId, Conflict)] {
        self.conflicts.get_or_init(|| self.apart("walks for conflicts", || self.find_conflicts()))
    }

    fn find_conflicts(&self) -> Vec<(FunctionId, Conflict)> {
        let race = &self.shared.race;
        let suspending = self.functions().filter(|id| race.suspends.contains(self.function_ref(*id)));
        let of_function = |id| {
            let summary = race.summary(self.program, self.function_ref(id), 0);
            summary.conflicts.iter().map(|conflict| (id, *conflict)).collect::<Vec<_>>()
        };
        suspending.flat_map(of_function).collect()
    }

    /// Who changes which container in place, in the whole program.
    pub(crate) fn mutators(&self) -> &Mutators {
        let race = &self.shared.race;
        race.mutators.get_or_init(|| self.apart("changes of containers", || Mutators::new(self.program)))
    }

    /// The symbols that an expression's value is assigned to by plain assignments to names.
    pub(crate) fn bound_to(&self, value: ExprId) -> &[BindingId] {
        let map = self.bound_to.get_or_init(|| {
            let mut map: FxHashMap<ExprId, Vec<BindingId>> = FxHashMap::default();
            for (id, binding) in self.module.bindings.iter().enumerate() {
                if let BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) = binding.kind {
                    map.entry(value).or_default().push(BindingId(id as u32));
                }
            }
            map
        });
        map.get(&value).map_or(&[], Vec::as_slice)
    }

    /// The reads that a binding reaches, in its own body.
    pub(crate) fn reads_of(&self, binding: BindingId) -> &[(FunctionId, ExprId)] {
        let map = self.reads.get_or_init(|| {
            let mut map: FxHashMap<BindingId, Reads> = FxHashMap::default();
            for function in self.functions() {
                for event in &self.module.function(function).events {
                    let Event::Read(read) = event else { continue };
                    let racewalk_ir::Expr::Name(_, defs) = self.module.expr(*read) else { continue };
                    for binding in self.module.defs(&defs) {
                        map.entry(*binding).or_default().push((function, *read));
                    }
                }
            }
            map
        });
        map.get(&binding).map_or(&[], Vec::as_slice)
    }

    /// The reads of a body's symbol from bodies inside it.
    pub(crate) fn captures_of(&self, owner: FunctionId, name: Name) -> &[(FunctionId, ExprId)] {
        let map = self.captured.get_or_init(|| {
            let mut map: FxHashMap<(FunctionId, Name), Reads> = FxHashMap::default();
            for function in self.functions() {
                for event in &self.module.function(function).events {
                    let Event::Read(read) = event else { continue };
                    let racewalk_ir::Expr::Name(name, racewalk_ir::Defs::Outer) = self.module.expr(*read) else {
                        continue;
                    };
                    if let Some((owner, _)) = self.evaluator.scope_of(function, name) {
                        map.entry((owner, name)).or_default().push((function, *read));
                    }
                }
            }
            map
        });
        map.get(&(owner, name)).map_or(&[], Vec::as_slice)
    }

    /// The value of an expression is assigned to a member or an element.
    pub(crate) fn is_stored_in_place(&self, function: FunctionId, value: ExprId) -> bool {
        let stored = self.stored_in_places.get_or_init(|| {
            let stored = |function| {
                let events = &self.module.function(function).events;
                events.iter().filter_map(move |event| match event {
                    Event::WritePlace(_, Some(value)) => Some((function, *value)),
                    _ => None,
                })
            };
            self.functions().flat_map(stored).collect()
        });
        stored.contains(&(function, value))
    }

    /// What methods of this file's classes write under locks.
    pub(crate) fn written_under_locks(&self) -> &FxHashSet<(ClassId, Root)> {
        self.written_under_locks.get_or_init(|| {
            let methods = self.functions().filter_map(|id| {
                let body = self.module.function(id);
                body.class.filter(|_| body.kind == FunctionKind::Function).map(|class| (class, id))
            });
            methods
                .flat_map(|(class, id)| writes_under_lock(self, id).into_iter().map(move |root| (class, root)))
                .collect()
        })
    }

    /// The function hands a path of this text to something that tells awaitables from values.
    pub(crate) fn is_inspected_path(&self, function: FunctionId, path: ExprId) -> bool {
        let inspected = self.inspected.get_or_init(|| {
            let inspected = |function| {
                let sites = self.program.sites(self.function_ref(function)).iter();
                let given = sites.flat_map(|site| self.evaluator.args(site.call)).map(|arg| arg.value);
                given
                    .filter(|given| fate::is_path(self, *given) && fate::is_inspected(self, *given))
                    .map(move |given| (function, self.program.path_text(self.file, given)))
            };
            self.functions().flat_map(inspected).collect()
        });
        !inspected.is_empty() && inspected.contains(&(function, self.program.path_text(self.file, path)))
    }

    /// An awaited call in this file of the same method on something of the same name.
    pub(crate) fn awaited_like(&self, call: ExprId) -> Option<ExprId> {
        let map = self.awaited_calls.get_or_init(|| {
            let calls = self.functions().flat_map(|function| self.program.sites(self.function_ref(function)));
            let awaited = calls.filter(|site| self.module.role(site.call) == Role::Awaited);
            awaited.filter_map(|site| Some((self.method_path(site.call)?, site.call))).collect()
        });
        map.get(&self.method_path(call)?).copied()
    }

    /// The receiver's and the method's name of a call like `client.push(…)`.
    fn method_path(&self, call: ExprId) -> Option<(Name, Name)> {
        let racewalk_ir::Expr::Call(callee, _) = self.module.expr(call) else { return None };
        let racewalk_ir::Expr::Attr(base, method) = self.module.expr(callee) else { return None };
        match self.module.expr(base) {
            racewalk_ir::Expr::Name(name, _) | racewalk_ir::Expr::Attr(_, name) => Some((name, method)),
            _ => None,
        }
    }

    /// The statements of a chain of calls, from `function` (of this file) by the expression `site` to its sink.
    pub(crate) fn hops(&self, function: FunctionId, site: ExprId, legs: &[Leg]) -> Vec<Hop> {
        let mut hops = vec![Hop { symbol: self.symbol(function), at: self.place(site), via: "starts" }];
        for leg in legs {
            let module = self.program.module(leg.function.file);
            let at = Place { file: leg.function.file, span: module.span(leg.site) };
            let via = if leg.is_override { "overrides" } else { "calls" };
            hops.push(Hop { symbol: symbol(module, leg.function.id), at, via });
        }
        let (last, sink) = legs.last().map_or((self.function_ref(function), site), |leg| (leg.function, leg.site));
        let at = Place { file: last.file, span: self.program.module(last.file).span(sink) };
        hops.push(Hop { symbol: format!("{}()", self.program.callee_text(last.file, sink)), at, via: "calls" });
        hops
    }

    /// The steps of a route as a chain, each at the call that makes the next one run.
    pub(crate) fn route_hops(&self, route: &[(FunctionRef, ExprId)]) -> Vec<Hop> {
        let hop = |(at, (function, site)): (usize, &(FunctionRef, ExprId))| {
            let module = self.program.module(function.file);
            let via = if at == 0 { "starts" } else { "calls" };
            let at = Place { file: function.file, span: module.span(*site) };
            Hop { symbol: symbol(module, function.id), at, via }
        };
        route.iter().enumerate().map(hop).collect()
    }

    /// The labels of the entry points that lead to a function.
    pub(crate) fn reached_from(&self, function: FunctionRef) -> Vec<String> {
        let starts = self.program.summaries.reached_from.get(&function).into_iter().flatten();
        let labels = starts.filter_map(|start| self.program.entries.get(start)).map(|entry| entry.label.clone());
        labels.collect()
    }

    /// Adds what every finding in a function has, and stores it.
    pub(crate) fn report(&self, function: FunctionId, mut finding: Finding, found: &mut Vec<Finding>) {
        if finding.reached_from.is_empty() {
            finding.reached_from = self.reached_from(self.enclosing(function));
        }
        if is_put_aside(self.module.name.as_str()) || is_of_others(self.module.name.as_str()) {
            finding = finding.at_most(Confidence::Possible);
        }
        found.push(finding);
    }

    /// The named function around a body: lambdas and nested functions run for it.
    fn enclosing(&self, function: FunctionId) -> FunctionRef {
        let mut current = function;
        while !self.program.summaries.reached_from.contains_key(&self.function_ref(current)) {
            match self.module.function(current).parent {
                Some(parent) if self.module.function(parent).kind != FunctionKind::Module => current = parent,
                _ => break,
            }
        }
        self.function_ref(current)
    }
}

/// A module that is kept and no longer used, by the names that people give such modules.
fn is_put_aside(name: &str) -> bool {
    name.split('.').map(|segment| segment.trim_start_matches('_')).any(|segment| {
        matches!(segment, "legacy" | "deprecated" | "obsolete" | "old" | "archive" | "archived" | "attic" | "backup")
            || segment.starts_with("archived_")
    })
}

/// A copy of a library that the project keeps, or what a build has made, by the names of the folders that such files lie in.
fn is_of_others(name: &str) -> bool {
    name.split('.').any(|segment| {
        matches!(
            segment,
            "vendor" | "_vendor" | "vendored" | "third_party" | "thirdparty" | "bower_components" | "dist"
        )
    })
}

/// The dotted path of a function for messages.
pub(crate) fn symbol(module: &Module, id: FunctionId) -> String {
    let function = module.function(id);
    match function.kind {
        FunctionKind::Module => "<module>".to_owned(),
        _ => module.qualified(id).replace(".<locals>.", "."),
    }
}

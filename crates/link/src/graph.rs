//! The call graph: what each call in each function runs, and how.

use crate::eval::Evaluator;
use crate::types::{Answer, ClassRef, FunctionRef, Type};
use crate::{Linked, Program};
use racewalk_ir::{ArgKind, BindingKind, Event, Expr, ExprId, FunctionId, Name, Role, ScopeKind};
use racewalk_models::{Call, ModelId, Position, Spawns};
use rustc_hash::{FxHashMap, FxHashSet};

/// How a function comes to run at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It is called there: its body (of a coroutine function: when it is awaited) runs as part of the caller.
    Calls,
    /// A property or operator of an object runs it.
    Implicit,
    /// It is handed to something that calls it there, in the same thread.
    Callback,
    /// It is handed to something that runs it in another thread or process.
    Offloads,
    /// It is handed to something that calls it later, on the event loop's thread.
    Later,
}

/// A place where a function runs another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// The function that runs.
    pub target: FunctionRef,
    /// The expression that runs it.
    pub site: ExprId,
    /// How.
    pub how: How,
    /// The target overrides what the code names.
    pub is_override: bool,
}

/// A call in a function.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The call expression.
    pub call: ExprId,
    /// What is called.
    pub callee: Type,
    /// What the models say of calling it; see [`Program::models_at`].
    model: Option<ModelId>,
}

/// What a file's functions call; functions by their number.
#[derive(Clone, Debug, Default)]
pub struct FileCalls {
    /// The calls of each function, in evaluation order, which is the order of their expressions.
    pub sites: Vec<Vec<Site>>,
    /// What each function runs, in the order of the expressions that run it.
    pub edges: Vec<Vec<Edge>>,
}

/// Names of properties anywhere in the program: reading other members runs nothing.
fn property_names(linked: &Linked) -> FxHashSet<Name> {
    let methods = linked.modules.iter().filter(|module| !module.signatures_only).flat_map(|module| {
        module.functions.iter().filter(|f| f.class.is_some()).map(move |function| (module, function))
    });
    let is_property = |(module, function): &(&racewalk_ir::Module, &racewalk_ir::Function)| {
        let kind = |decorator: &ExprId| crate::intrinsics::method_kind(module, *decorator);
        if function.bound == racewalk_ir::Bound::OnRead {
            return true;
        }
        function.decorators.iter().any(|decorator| kind(decorator) == Some(crate::eval::MethodKind::Property))
    };
    methods.filter(is_property).map(|(_, function)| function.name).collect()
}

/// Resolves every call of the program.
pub(crate) fn build(linked: &mut Linked, descendants: &FxHashMap<ClassRef, Vec<ClassRef>>) -> Vec<FileCalls> {
    let properties = property_names(linked);
    linked.pass(|evaluator| {
        let functions = evaluator.module.functions.len();
        let mut calls = FileCalls { sites: Vec::with_capacity(functions), edges: Vec::with_capacity(functions) };
        for id in 0..functions {
            let mut builder = Builder {
                evaluator,
                descendants,
                properties: &properties,
                function: FunctionId(id as u32),
                sites: Vec::new(),
                edges: Vec::new(),
            };
            builder.run();
            calls.sites.push(builder.sites);
            calls.edges.push(builder.edges);
        }
        calls
    })
}

struct Builder<'e, 'p> {
    evaluator: &'e Evaluator<'p>,
    descendants: &'e FxHashMap<ClassRef, Vec<ClassRef>>,
    properties: &'e FxHashSet<Name>,
    function: FunctionId,
    sites: Vec<Site>,
    edges: Vec<Edge>,
}

impl Builder<'_, '_> {
    fn run(&mut self) {
        let function = self.evaluator.module.function(self.function);
        for event in &function.events {
            match *event {
                Event::Call(call) => self.call(call),
                Event::ReadPlace(place) => self.properties_of(place),
                Event::Enter(kind, context) => self.entered(kind, context),
                _ => {}
            }
        }
        self.prefer_offloading();
        // Evaluation order is the arena's order, where children come before parents: look-ups rely on it.
        self.sites.sort_by_key(|site| site.call);
        self.edges.sort_by_key(|edge| edge.site);
        self.sites.shrink_to_fit();
        self.edges.shrink_to_fit();
    }

    /// What is handed to a thread on one path and called on another is called where there is no loop.
    fn prefer_offloading(&mut self) {
        let offloaded: Vec<FunctionRef> =
            self.edges.iter().filter(|edge| edge.how == How::Offloads).map(|edge| edge.target).collect();
        if !offloaded.is_empty() {
            self.edges.retain(|edge| edge.how != How::Calls || !offloaded.contains(&edge.target));
        }
    }

    fn call(&mut self, call: ExprId) {
        let Expr::Call(callee_expr, id) = self.evaluator.module.expr(call) else { return };
        self.properties_of(callee_expr);
        let callee = self.evaluator.callee(self.function, callee_expr, id);
        self.sites.push(Site { call, callee, model: model_id(self.evaluator.linked, callee) });
        let first = self.edges.len();
        for member in callee.members() {
            self.run_target(call, *member, How::Calls);
        }
        self.drop_impossible(first, call, callee);
        for member in callee.members() {
            if let Some(model) = model_of(self.evaluator.linked, *member) {
                self.hand_over(call, model);
            }
        }
    }

    /// Of what a call may run, what cannot be: where the result is awaited, plain functions beside async ones (of a
    /// union, or overriding); and a plain generator, whose body runs only when somebody iterates it.
    fn drop_impossible(&mut self, first: usize, call: ExprId, callee: Type) {
        let module = self.evaluator.module;
        let role = module.role(call);
        let is_awaited = matches!(role, Role::Awaited | Role::EnteredAsync | Role::IteratedAsync);
        // A plain function may hand out the promise that another one has given it.
        let tells_colour = !module.language.starts_at_call;
        let may_be_awaitable = is_awaited && tells_colour && {
            let is_async = self.edges[first..].iter().any(|edge| self.is_async(edge.target));
            let given = self.evaluator.result(callee, None);
            is_async || self.evaluator.awaitable(given) != Answer::No
        };
        let iterates =
            matches!(role, Role::Iterated | Role::Unpacked) || role == Role::Argument && self.is_taken_apart(call);
        let linked = self.evaluator.linked;
        let mut position = 0;
        self.edges.retain(|edge| {
            position += 1;
            if position <= first {
                return true;
            }
            let body = linked.modules[edge.target.file.index()].function(edge.target.id);
            let is_lazy = body.is_generator && !body.is_async && !matches!(callee, Type::MadeContext(..));
            (body.is_async || !may_be_awaitable) && (iterates || !is_lazy)
        });
    }

    /// The call's result is given to a function of the language itself, which goes through it there: `list(rows())`. Others may
    /// pass it on, to a thread for instance.
    fn is_taken_apart(&self, call: ExprId) -> bool {
        let module = self.evaluator.module;
        let Some(Expr::Call(taker, _)) = module.parent(call).map(|parent| module.expr(parent)) else { return false };
        let takers = self.evaluator.eval(self.function, taker);
        takers.members().iter().any(|taker| match taker {
            Type::External(path) => path.first_segment() == module.language.builtins,
            Type::ExternalMethod(class, ..) => class.first_segment() == module.language.builtins,
            _ => false,
        })
    }

    /// What calling a value runs.
    fn run_target(&mut self, site: ExprId, callee: Type, how: How) {
        match callee {
            Type::Function(target) | Type::MadeSync(target) | Type::MadeContext(target, _) => {
                self.edge(target, site, how, false);
            }
            // An async wrapper around a plain function is mostly there to run it in a thread.
            Type::MadeAsync(target) if self.is_async(target) => self.edge(target, site, how, false),
            Type::Method(target, receiver) => self.method(target, receiver.get(), site, how),
            Type::Class(class) => {
                let language = self.evaluator.linked.modules[class.file.index()].language;
                for name in language.constructors {
                    if let Some(target) = self.own_or_inherited(class, Name::new(name)) {
                        self.edge(target, site, how, false);
                    }
                }
            }
            Type::Instance(class, _) => {
                if let Some(target) = self.own_or_inherited(class, Name::new("__call__")) {
                    self.edge(target, site, how, false);
                }
            }
            Type::Partial(inner) => {
                for member in inner.get().members() {
                    self.run_target(site, *member, how);
                }
            }
            _ => {}
        }
    }

    fn is_async(&self, function: FunctionRef) -> bool {
        self.evaluator.linked.modules[function.file.index()].function(function.id).is_async
    }

    fn method(&mut self, target: FunctionRef, receiver: Type, site: ExprId, how: How) {
        self.edge(target, site, how, false);
        // A class of very many subclasses calls any of them; looking at more tells nothing new.
        const MOST_OVERRIDES: usize = 40;
        let Type::Instance(class, _) = receiver else { return };
        // Of an installed class the program sees its own subclasses only: they say nothing about the others.
        if self.evaluator.linked.modules[class.file.index()].signatures_only {
            return;
        }
        let Some(descendants) = self.descendants.get(&class) else { return };
        let name = self.evaluator.linked.modules[target.file.index()].function(target.id).name;
        for descendant in descendants.iter().take(MOST_OVERRIDES) {
            if !self.may_be_running_for(class, *descendant) {
                continue;
            }
            if let Some(overriding) = self.own(*descendant, name).filter(|overriding| *overriding != target) {
                self.edge(overriding, site, how, true);
            }
        }
    }

    /// A method that calls another on its own receiver runs for a subclass only when the subclass inherits it.
    fn may_be_running_for(&self, receiver: ClassRef, descendant: ClassRef) -> bool {
        let body = self.evaluator.module.function(self.function);
        let Some(class) = body.class else { return true };
        let this = FunctionRef { file: self.evaluator.file, id: self.function };
        if (ClassRef { file: this.file, id: class }) != receiver {
            return true;
        }
        self.own_or_inherited(descendant, body.name).is_none_or(|inherited| inherited == this)
    }

    fn edge(&mut self, target: FunctionRef, site: ExprId, how: How, is_override: bool) {
        self.edges.push(Edge { target, site, how, is_override });
    }

    /// The method that the class's own body defines, whatever its decorators make of it.
    fn own(&self, class: ClassRef, name: Name) -> Option<FunctionRef> {
        own_method(self.evaluator.linked, class, name)
    }

    fn own_or_inherited(&self, class: ClassRef, name: Name) -> Option<FunctionRef> {
        let slots = &self.evaluator.linked.slots[class.file.index()].classes[class.id.index()];
        slots.lineage.iter().find_map(|(base, _)| match base {
            Type::Class(base) => self.own(*base, name),
            _ => None,
        })
    }

    /// Functions among the arguments that the callee runs.
    fn hand_over(&mut self, call: ExprId, model: &Call) {
        match (&model.entry, model.offloads) {
            // A thread's target: given by position or by name.
            (Some(entry), Some(_)) => {
                for position in &entry.handlers {
                    self.argument(call, position, How::Offloads);
                }
            }
            (_, Some(position)) => self.argument(call, &Position::Index(position), How::Offloads),
            _ => {}
        }
        for position in &model.callbacks {
            // What is handed to a loop, this thread's or another's, runs when that loop gets to it.
            let is_later = model.calls_later || model.loop_thread_only || model.spawns == Some(Spawns::OtherLoop);
            self.argument(call, position, if is_later { How::Later } else { How::Callback });
        }
        for position in &model.async_callbacks {
            self.argument(call, position, How::Later);
        }
    }

    fn argument(&mut self, call: ExprId, position: &Position, how: How) {
        let args = self.evaluator.args(call);
        let found = match position {
            Position::Index(at) => {
                args.iter().filter(|arg| arg.kind == ArgKind::Positional).nth(*at as usize).map(|arg| arg.value)
            }
            Position::Name(name) => self.evaluator.named_argument(call, name),
        };
        let Some(value) = found else { return };
        let handed = self.evaluator.eval(self.function, value);
        for member in handed.members() {
            self.run_target(call, *member, how);
        }
    }

    /// Properties read along a chain of members.
    fn properties_of(&mut self, place: ExprId) {
        let mut current = place;
        loop {
            match self.evaluator.module.expr(current) {
                Expr::Attr(base, name) => {
                    if self.properties.contains(&name) {
                        self.property(base, name, current);
                    }
                    current = base;
                }
                Expr::Subscript(base, _) => current = base,
                _ => return,
            }
        }
    }

    fn property(&mut self, base: ExprId, name: Name, site: ExprId) {
        let base = self.evaluator.eval(self.function, base);
        for member in base.members() {
            let Type::Instance(class, _) = member else { continue };
            let Some(getter) = self.own_or_inherited(*class, name) else { continue };
            if self.evaluator.method_kind(getter) == crate::eval::MethodKind::Property {
                self.edge(self.getter(getter), site, How::Implicit, false);
            }
        }
    }

    /// The function that a read of a property runs: the first of its name; its setter and deleter come later.
    fn getter(&self, property: FunctionRef) -> FunctionRef {
        let module = &self.evaluator.linked.modules[property.file.index()];
        let function = module.function(property.id);
        let body = function.class.map(|class| module.function(module.class(class).body));
        let symbol = body.and_then(|body| Some(&body.symbols[body.symbol(function.name)?.index()]));
        let first = symbol.into_iter().flat_map(|symbol| &symbol.bindings).find_map(|binding| {
            match module.bindings[binding.index()].kind {
                BindingKind::Function(id) => Some(FunctionRef { file: property.file, id }),
                _ => None,
            }
        });
        first.unwrap_or(property)
    }

    fn entered(&mut self, kind: ScopeKind, context: ExprId) {
        let methods = match kind {
            ScopeKind::Plain => ["__enter__", "__exit__"],
            ScopeKind::Async => ["__aenter__", "__aexit__"],
        };
        let value = self.evaluator.eval(self.function, context);
        for member in value.members() {
            let Type::Instance(class, _) = member else { continue };
            for method in methods {
                if let Some(target) = self.own_or_inherited(*class, Name::new(method)) {
                    self.edge(target, context, How::Implicit, false);
                }
            }
        }
    }
}

/// The method that a class's own body defines under this name.
pub(crate) fn own_method(linked: &Linked, class: ClassRef, name: Name) -> Option<FunctionRef> {
    let module = &linked.modules[class.file.index()];
    let body = module.function(module.class(class.id).body);
    let symbol = &body.symbols[body.symbol(name)?.index()];
    module.defs(&symbol.exit).iter().rev().find_map(|binding| match module.bindings[binding.index()].kind {
        BindingKind::Function(id) => Some(FunctionRef { file: class.file, id }),
        _ => None,
    })
}

/// What the models say of calling this.
pub(crate) fn model_of(linked: &Linked, callee: Type) -> Option<&Call> {
    model_id(linked, callee).map(|id| linked.models.call(id))
}

fn model_id(linked: &Linked, callee: Type) -> Option<ModelId> {
    match callee {
        Type::External(path) => linked.models.callable(path),
        Type::ExternalMethod(class, method, _) => linked.models.method_id(class, method),
        Type::ExternalInstance(class, _) => linked.models.method_id(class, Name::new("__call__")),
        // A subclass of a library's class, constructed.
        Type::Class(class) => {
            let slots = &linked.slots[class.file.index()].classes[class.id.index()];
            slots.lineage.iter().find_map(|(base, _)| match base {
                Type::External(path) => linked.models.constructor(*path),
                _ => None,
            })
        }
        Type::Partial(inner) => model_id(linked, inner.get()),
        _ => None,
    }
}

impl Program {
    /// The calls of a function, in evaluation order.
    pub fn sites(&self, function: FunctionRef) -> &[Site] {
        &self.calls[function.file.index()].sites[function.id.index()]
    }

    /// A call of a function; none when the expression is no call.
    pub fn site(&self, function: FunctionRef, call: ExprId) -> Option<&Site> {
        let sites = self.sites(function);
        sites.binary_search_by_key(&call, |site| site.call).ok().map(|at| &sites[at])
    }

    /// What a function runs.
    pub fn edges(&self, function: FunctionRef) -> &[Edge] {
        &self.calls[function.file.index()].edges[function.id.index()]
    }

    /// What an expression of a function runs.
    pub fn edges_at(&self, function: FunctionRef, site: ExprId) -> &[Edge] {
        let edges = self.edges(function);
        let first = edges.partition_point(|edge| edge.site < site);
        let number = edges[first..].partition_point(|edge| edge.site == site);
        &edges[first..first + number]
    }

    /// What the models say of calling this.
    pub fn model_of(&self, callee: Type) -> Option<&Call> {
        model_of(&self.linked, callee)
    }

    /// What the models say of a call, when one thing is called there.
    pub fn model_at(&self, site: &Site) -> Option<&Call> {
        site.model.map(|id| self.linked.models.call(id))
    }

    /// What the models say of a call: of each thing that may be called there.
    pub fn models_at<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = &'a Call> {
        self.called_at(site).filter_map(|(_, model)| model)
    }

    /// What may be called in a call, each with what the models say of it.
    pub(crate) fn called_at<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = (Type, Option<&'a Call>)> {
        let is_one = site.callee.members().len() == 1;
        let model = move |member| if is_one { self.model_at(site) } else { self.model_of(member) };
        site.callee.members().iter().map(move |member| (*member, model(*member)))
    }

    /// A name for messages: the dotted path of a library's function or method, or the function's own.
    pub fn callee_name(&self, callee: Type) -> Option<String> {
        match callee {
            Type::External(path) => Some(path.to_string()),
            Type::ExternalMethod(class, method, _) => Some(format!("{class}.{method}")),
            Type::ExternalInstance(class, _) => Some(class.to_string()),
            Type::Function(function)
            | Type::Method(function, _)
            | Type::MadeAsync(function)
            | Type::MadeSync(function)
            | Type::MadeContext(function, _) => Some(self.qualified(function)),
            Type::Class(class) => Some(self.qualified_class(class)),
            Type::Partial(inner) => self.callee_name(inner.get()),
            _ => None,
        }
    }
}

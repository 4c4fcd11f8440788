//! What a wait asks for: whether it brings something from outside the process and leaves everything as it is, so that it
//! could as well run beside others of its kind.

use crate::race::containers::{Touch, touch};
use racewalk_ir::{
    ArgKind, BindingKind, Defs, Event, Expr, ExprId, Function, Literal, Module, Name, Role, ScopeKind, Stub,
    SuspendKind,
};
use racewalk_link::{Evaluator, FileId, FunctionRef, How, Program, Site, Type, Types};
use racewalk_models::{Blocks, Call, ClassKind, Joins};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// What is known of work that is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    /// It crosses the network, by a model.
    pub asks: bool,
    /// Part of it is not known.
    pub is_unclear: bool,
    /// It changes something, takes turns with others, or belongs to a conversation.
    pub is_bound: bool,
}

impl Asking {
    const NOTHING: Self = Self { asks: false, is_unclear: false, is_bound: false };
    const ASKS: Self = Self { asks: true, ..Self::NOTHING };
    const UNCLEAR: Self = Self { is_unclear: true, ..Self::NOTHING };
    const BOUND: Self = Self { is_bound: true, ..Self::NOTHING };

    pub fn and(self, other: Self) -> Self {
        Self {
            asks: self.asks || other.asks,
            is_unclear: self.is_unclear || other.is_unclear,
            is_bound: self.is_bound || other.is_bound,
        }
    }
}

/// How many calls deep work is followed: what stands further away is not known.
const DEEPEST: u32 = 6;

/// What functions ask for, found out once for each.
pub(crate) struct Askings<'p> {
    program: &'p Program,
    known: RefCell<FxHashMap<FunctionRef, Asking>>,
    evaluators: RefCell<FxHashMap<FileId, Rc<Evaluator<'p>>>>,
}

impl<'p> Askings<'p> {
    pub fn new(program: &'p Program) -> Self {
        Self { program, known: RefCell::default(), evaluators: RefCell::default() }
    }

    /// What is waited for at an `await` of this operand, or when this is entered asynchronously.
    pub fn at(&self, function: FunctionRef, operand: ExprId) -> Asking {
        self.waited(function, operand, DEEPEST)
    }

    /// What a call in passing does: nothing, something unclear, or a change.
    pub fn in_passing(&self, function: FunctionRef, call: ExprId) -> Asking {
        match self.program.site(function, call) {
            Some(site) => self.passed(function, site, DEEPEST),
            None => Asking::BOUND,
        }
    }

    /// What a block entered for this context keeps in turn, or shares.
    pub fn inside(&self, function: FunctionRef, kind: ScopeKind, context: ExprId) -> Asking {
        self.entered(function, kind, context, DEEPEST)
    }

    fn evaluator(&self, file: FileId) -> Rc<Evaluator<'p>> {
        let mut evaluators = self.evaluators.borrow_mut();
        evaluators.entry(file).or_insert_with(|| Rc::new(self.program.evaluator(file))).clone()
    }

    fn waited(&self, function: FunctionRef, operand: ExprId, depth: u32) -> Asking {
        let Some(site) = self.program.site(function, operand) else { return Asking::BOUND };
        if let Some(inner) = self.wrapped(function, site) {
            return self.waited(function, inner, depth);
        }
        if self.is_given_conversation(function, operand) {
            return Asking::BOUND;
        }
        let targets = self.targets(function, operand);
        if !targets.is_empty() {
            return targets.into_iter().map(|target| self.of(target, depth)).fold(Asking::NOTHING, Asking::and);
        }
        self.asked(function, site)
    }

    /// `wait_for(work(), 5)`: what it waits for.
    fn wrapped(&self, function: FunctionRef, site: &Site) -> Option<ExprId> {
        self.program.models_at(site).find(|model| model.joins == Some(Joins::One))?;
        let first = self.evaluator(function.file).args(site.call).first()?.value;
        matches!(self.program.module(function.file).expr(first), Expr::Call(..)).then_some(first)
    }

    /// The program's own functions that run there.
    fn targets(&self, function: FunctionRef, operand: ExprId) -> Vec<FunctionRef> {
        let edges = self.program.edges_at(function, operand).iter();
        edges.filter(|edge| edge.how == How::Calls).map(|edge| edge.target).collect()
    }

    /// A library's call, or one of which nothing is known.
    fn asked(&self, function: FunctionRef, site: &Site) -> Asking {
        let module = self.program.module(function.file);
        let name = called_name(module, site.call);
        let mut models = self.program.models_at(site).peekable();
        if models.peek().is_none() {
            let is_question = name.is_some_and(is_question) && !names_conversation(module, site.call);
            return if is_question { Asking::UNCLEAR } else { Asking::BOUND };
        }
        let is_own = || receiver(module, site.call).is_some_and(|base| self.is_own(function, base, DEEPEST));
        let is_conversation = site.callee.members().iter().any(|member| self.is_conversation(*member));
        if is_conversation && !is_own() || models.any(|model| !is_harmless(model)) {
            return Asking::BOUND;
        }
        let crosses = self.program.models_at(site).any(|model| model.network);
        match name {
            Some(name) if crosses && !is_conversation && is_question(name) && !may_send(module, site.call, name) => {
                Asking::ASKS
            }
            // The body of an answer that is there already.
            Some(name) if is_own() && matches!(name.as_str(), "json" | "text" | "read" | "aread") => Asking::NOTHING,
            Some(name) if is_own() && is_question(name) => Asking::ASKS,
            _ => Asking::BOUND,
        }
    }

    /// The object was made by this very call of the function, and not by a conversation that others have, too: a cursor of a
    /// given connection is part of that.
    fn is_own(&self, function: FunctionRef, value: ExprId, depth: u32) -> bool {
        let module = self.program.module(function.file);
        let Some(depth) = depth.checked_sub(1) else { return false };
        let maker = made_by(module, value).and_then(|call| receiver(module, call));
        let is_shared = |maker: ExprId| {
            let made_by = self.evaluator(function.file).eval(function.id, maker).without_none();
            self.is_conversation(made_by) && !self.is_own(function, maker, depth)
        };
        is_made_here(module, function, value) && !maker.is_some_and(is_shared)
    }

    /// A method of something that one task at a time may use, or whose calls come in order.
    fn is_conversation(&self, callee: Type) -> bool {
        let (Type::ExternalMethod(class, ..) | Type::ExternalInstance(class, _)) = callee else { return false };
        self.program.models().kind(class).is_some_and(|kind| !matches!(kind, ClassKind::Client | ClassKind::DataModel))
    }

    /// One of the arguments is a session, a connection, a transaction: what the call does is part of it.
    fn is_given_conversation(&self, function: FunctionRef, call: ExprId) -> bool {
        let evaluator = self.evaluator(function.file);
        let module = self.program.module(function.file);
        evaluator.args(call).iter().any(|arg| {
            let is_named = || {
                let parameter = match arg.kind {
                    ArgKind::Named(name) => Some(name),
                    _ => None,
                };
                let names = [parameter, last_name(module, arg.value)];
                let is_none = module.expr(arg.value) == Expr::Literal(Literal::None);
                !is_none && names.into_iter().flatten().any(is_conversation_name)
            };
            match evaluator.eval(function.id, arg.value).without_none() {
                Type::ExternalInstance(class, _) if self.program.models().kind(class).is_some() => {
                    self.is_conversation(Type::ExternalInstance(class, Types::EMPTY))
                }
                Type::Unknown(_) | Type::Instance(..) | Type::ExternalInstance(..) => is_named(),
                value => value.members().iter().any(|member| self.is_conversation(*member)),
            }
        })
    }

    fn of(&self, function: FunctionRef, depth: u32) -> Asking {
        if let Some(known) = self.known.borrow().get(&function) {
            return *known;
        }
        let Some(depth) = depth.checked_sub(1) else { return Asking::UNCLEAR };
        self.known.borrow_mut().insert(function, Asking::NOTHING);
        let found = self.body(function, depth);
        self.known.borrow_mut().insert(function, found);
        found
    }

    fn body(&self, function: FunctionRef, depth: u32) -> Asking {
        let body = self.program.function(function);
        if body.stub != Stub::No || self.program.is_installed(function.file) {
            // What is declared to give a promise, and asks by its name, is on its way as soon as it is called.
            let module = self.program.module(function.file);
            let asks = || is_question(in_words(module, body.name));
            return if module.language.starts_at_call && asks() { Asking::ASKS } else { Asking::UNCLEAR };
        }
        let name = in_words(self.program.module(function.file), body.name);
        if body.is_generator || names_change(name) || self.is_limited(function) {
            return Asking::BOUND;
        }
        let mut found = Asking::NOTHING;
        for event in &body.events {
            found = found.and(self.event(function, body, *event, depth));
            if found.is_bound {
                break;
            }
        }
        found
    }

    /// A decorator keeps only so many at work, by its name.
    fn is_limited(&self, function: FunctionRef) -> bool {
        let module = self.program.module(function.file);
        let decorators = &self.program.function(function).decorators;
        decorators.iter().any(|decorator| last_name(module, *decorator).is_some_and(is_turnstile_name))
    }

    fn event(&self, function: FunctionRef, body: &Function, event: Event, depth: u32) -> Asking {
        let module = self.program.module(function.file);
        match event {
            Event::WritePlace(place, _) | Event::Modify(place) if !is_local_place(module, function, body, place) => {
                Asking::BOUND
            }
            Event::Bind(binding) if module.bindings[binding.index()].owner != function.id => Asking::BOUND,
            Event::Enter(kind, context) => self.entered(function, kind, context, depth),
            Event::Suspend(SuspendKind::Await, operand) => self.waited(function, operand, depth),
            Event::Suspend(SuspendKind::Iterate, source) => self.iterated(function, source),
            Event::Suspend(SuspendKind::Yield, _) => Asking::BOUND,
            Event::Call(call) if !is_waited_for(module, call) => match self.program.site(function, call) {
                Some(site) => self.passed(function, site, depth),
                None => Asking::BOUND,
            },
            _ => Asking::NOTHING,
        }
    }

    /// `async for row in table.find(…)`
    fn iterated(&self, function: FunctionRef, source: ExprId) -> Asking {
        let module = self.program.module(function.file);
        let is_question = called_name(module, source).is_some_and(is_question) && !names_conversation(module, source);
        if is_question { Asking::UNCLEAR } else { Asking::BOUND }
    }

    fn entered(&self, function: FunctionRef, kind: ScopeKind, context: ExprId, depth: u32) -> Asking {
        let module = self.program.module(function.file);
        if last_name(module, context).is_some_and(|name| is_turnstile_name(name) || is_transaction_name(name)) {
            return Asking::BOUND;
        }
        let is_call = matches!(module.expr(context), Expr::Call(..));
        let value = self.evaluator(function.file).eval(function.id, context).without_none();
        match value {
            Type::ExternalInstance(class, _) => match self.program.models().kind(class) {
                Some(ClassKind::Client | ClassKind::Deadline | ClassKind::MemoryFile) => Asking::NOTHING,
                // A session of its own.
                Some(ClassKind::Session | ClassKind::Stream) if is_call => Asking::NOTHING,
                Some(_) => Asking::BOUND,
                None => self.answer(function, context),
            },
            Type::Context(..) | Type::MadeContext(..) | Type::Instance(..) => {
                let targets = self.targets(function, context);
                let within = targets.into_iter().map(|target| self.of_context(target, depth));
                within.fold(Asking::UNCLEAR, Asking::and)
            }
            _ if kind == ScopeKind::Plain => Asking::NOTHING,
            _ => self.answer(function, context),
        }
    }

    /// `async with client.get(…) as response`: the model of the call, if it has one.
    fn answer(&self, function: FunctionRef, context: ExprId) -> Asking {
        match self.program.site(function, context) {
            Some(site) if self.program.models_at(site).any(|model| model.network) => self.asked(function, site),
            Some(_) => Asking::UNCLEAR,
            None => Asking::UNCLEAR,
        }
    }

    /// What a context manager that a generator makes does around its block.
    fn of_context(&self, function: FunctionRef, depth: u32) -> Asking {
        let Some(depth) = depth.checked_sub(1) else { return Asking::UNCLEAR };
        let body = self.program.function(function);
        let events = body.events.iter().filter(|event| !matches!(event, Event::Suspend(SuspendKind::Yield, _)));
        events.map(|event| self.event(function, body, *event, depth)).fold(Asking::NOTHING, Asking::and)
    }

    /// A call whose result is not waited for.
    fn passed(&self, function: FunctionRef, site: &Site, depth: u32) -> Asking {
        let module = self.program.module(function.file);
        if let Some(base) = mutated(module, site.call) {
            let is_local = is_made_here(module, function, base);
            return if is_local { Asking::NOTHING } else { Asking::BOUND };
        }
        if self.program.models_at(site).any(|model| !is_harmless(model)) {
            return Asking::BOUND;
        }
        let is_dropped = module.role(site.call) == Role::Dropped;
        match site.callee {
            Type::Function(target) | Type::Method(target, _) if !self.program.function(target).is_async => {
                Asking { asks: false, ..self.of(target, depth) }
            }
            Type::External(_) | Type::ExternalMethod(..) | Type::Class(_) => Asking::NOTHING,
            _ if is_record(module, site.call) => Asking::NOTHING,
            _ if is_dropped || called_name(module, site.call).is_some_and(names_change) => Asking::BOUND,
            _ => Asking::NOTHING,
        }
    }
}

/// It changes nothing outside, starts nothing, and waits for nobody's turn.
fn is_harmless(model: &Call) -> bool {
    !model.writes
        && !model.sleeps
        && !model.acquires
        && !model.releases
        && !model.cancels
        && model.spawns.is_none()
        && model.blocks != Some(Blocks::Sleep)
}

/// The value is awaited, or entered asynchronously: its call is part of a wait.
pub(crate) fn is_waited_for(module: &Module, call: ExprId) -> bool {
    matches!(module.role(call), Role::Awaited | Role::EnteredAsync | Role::IteratedAsync | Role::Entered)
        || module.role(call) == Role::Argument && module.parent(call).is_some_and(|outer| is_waited_for(module, outer))
}

/// The last name of what is called.
pub(crate) fn called_name(module: &Module, call: ExprId) -> Option<Name> {
    let Expr::Call(callee, _) = module.expr(call) else { return None };
    last_name(module, callee).map(|name| in_words(module, name))
}

fn last_name(module: &Module, value: ExprId) -> Option<Name> {
    match module.expr(value) {
        Expr::Name(name, _) | Expr::Attr(_, name) => Some(name),
        Expr::Call(inner, _) | Expr::Subscript(inner, _) | Expr::Await(inner) => last_name(module, inner),
        _ => None,
    }
}

fn receiver(module: &Module, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, _) = module.expr(call) else { return None };
    match module.expr(callee) {
        Expr::Attr(base, _) => Some(base),
        _ => None,
    }
}

/// The call that has made what a local name stands for.
fn made_by(module: &Module, value: ExprId) -> Option<ExprId> {
    let Expr::Name(_, Defs::One(binding)) = module.expr(root(module, value)?) else { return None };
    let made = match module.bindings[binding.index()].kind {
        BindingKind::Value(made) | BindingKind::Context(made) | BindingKind::ContextAsync(made) => made,
        BindingKind::Typed(_, made) => made?,
        _ => return None,
    };
    match module.expr(made) {
        Expr::Await(call) => Some(call),
        Expr::Call(..) => Some(made),
        _ => None,
    }
}

/// The name that an access path begins with.
pub(crate) fn root(module: &Module, place: ExprId) -> Option<ExprId> {
    match module.expr(place) {
        Expr::Name(..) => Some(place),
        Expr::Attr(inner, _) | Expr::Subscript(inner, _) | Expr::Call(inner, _) | Expr::Await(inner) => {
            root(module, inner)
        }
        _ => None,
    }
}

/// The container that a method of this name changes in place.
pub(crate) fn mutated(module: &Module, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, args) = module.expr(call) else { return None };
    let Expr::Attr(base, method) = module.expr(callee) else { return None };
    let touch = touch(module.language, method.as_str(), module.args(args).len())?;
    let changes = !matches!(touch, Touch::AsksIfEmpty | Touch::Looks | Touch::Gets);
    (changes || method.as_str() == "sort").then_some(base)
}

/// The object was made by this very call of the function: a display, what a call gave, what a block was entered for.
pub(crate) fn is_made_here(module: &Module, function: FunctionRef, value: ExprId) -> bool {
    let Some(root) = root(module, value) else { return true };
    let Expr::Name(_, defs) = module.expr(root) else { return false };
    let bindings = module.defs(&defs);
    let is_new = |value: ExprId| !matches!(module.expr(value), Expr::Name(..) | Expr::Attr(..) | Expr::Subscript(..));
    !bindings.is_empty()
        && bindings.iter().all(|binding| {
            let bound = module.bindings[binding.index()];
            bound.owner == function.id
                && match bound.kind {
                    BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => is_new(value),
                    BindingKind::Context(value) | BindingKind::ContextAsync(value) => is_new(value),
                    BindingKind::Modified(_) => true,
                    _ => false,
                }
        })
}

/// What is written belongs to the call: a place in something that it made.
fn is_local_place(module: &Module, function: FunctionRef, body: &Function, place: ExprId) -> bool {
    match module.expr(place) {
        Expr::Name(name, Defs::Outer) => body.symbol(name).is_some(),
        Expr::Name(..) => true,
        _ => is_made_here(module, function, place),
    }
}

/// `logger.info(…)`, whoever the logger is.
pub(crate) fn is_record(module: &Module, call: ExprId) -> bool {
    let is_level = |name: Name| {
        matches!(name.as_str(), "debug" | "info" | "warning" | "warn" | "error" | "exception" | "critical" | "log")
    };
    let base = receiver(module, call).and_then(|base| last_name(module, base));
    called_name(module, call).is_some_and(is_level) && base.is_some_and(|base| base.as_str().contains("log"))
}

/// The call's receiver is a session, a connection or a stream, by its name.
fn names_conversation(module: &Module, call: ExprId) -> bool {
    let mut current = receiver(module, call);
    while let Some(value) = current {
        current = match module.expr(value) {
            Expr::Name(name, _) if is_conversation_name(name) => return true,
            Expr::Attr(_, name) if is_conversation_name(name) => return true,
            Expr::Attr(base, _) | Expr::Call(base, _) | Expr::Subscript(base, _) => Some(base),
            _ => None,
        };
    }
    false
}

/// One of the words stands in the name, between underscores.
pub(crate) fn has_word(name: Name, words: &[&str]) -> bool {
    name.as_str().to_ascii_lowercase().split('_').any(|part| words.contains(&part))
}

/// The name with its words between underscores, where the language's custom is to join them by humps: `fetch_section` for
/// `fetchSection`.
fn in_words(module: &Module, name: Name) -> Name {
    let text = name.as_str();
    if !module.language.joins_words_by_humps || !text.contains(|c: char| c.is_ascii_uppercase()) {
        return name;
    }
    let mut words = String::with_capacity(text.len() + 4);
    let mut before = '_';
    for c in text.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push('_');
        }
        words.push(c);
        before = c;
    }
    Name::new(&words)
}

fn is_conversation_name(name: Name) -> bool {
    let words = [
        "session",
        "db",
        "conn",
        "connection",
        "cursor",
        "cur",
        "tx",
        "transaction",
        "ws",
        "websocket",
        "socket",
        "sock",
        "stream",
        "reader",
        "writer",
        "channel",
        "page",
        "browser",
        "driver",
        "uow",
        "database",
        "protocol",
        "transport",
        "serial",
        "device",
        "pipeline",
        "pipe",
    ];
    has_word(name, &words)
}

/// Who gets in there waits until it is its turn.
fn is_turnstile_name(name: Name) -> bool {
    let name = name.as_str().to_ascii_lowercase();
    ["lock", "sem", "limit", "throttl", "bounded", "mutex", "permit", "rate", "slot"]
        .iter()
        .any(|word| name.contains(word))
}

fn is_transaction_name(name: Name) -> bool {
    has_word(name, &["transaction", "begin", "atomic", "tx", "savepoint", "unit", "uow"])
}

/// By its name it brings something.
fn is_question(name: Name) -> bool {
    let words = [
        "get",
        "list",
        "fetch",
        "find",
        "search",
        "query",
        "load",
        "lookup",
        "retrieve",
        "describe",
        "count",
        "exists",
        "head",
        "scan",
        "select",
        "download",
        "resolve",
        "embed",
        "mget",
        "hget",
        "hgetall",
        "smembers",
        "lrange",
        "zrange",
        "aget",
        "afetch",
        "asearch",
        "aquery",
        "aembed",
        "retrieval",
        "fetchrow",
        "fetchval",
        "info",
        "stat",
        "request",
        "ask",
        "check",
        "is",
        "has",
        "read",
        "embeddings",
        "embedding",
        "distinct",
        "aggregate",
        "to",
        "first",
        "all",
        "one",
    ];
    has_word(name, &words) && !names_change(name)
}

/// By its name it changes something, or what it does has its place in an order.
pub(crate) fn names_change(name: Name) -> bool {
    let words = [
        "save",
        "send",
        "create",
        "update",
        "delete",
        "set",
        "add",
        "insert",
        "write",
        "post",
        "put",
        "publish",
        "register",
        "upload",
        "start",
        "stop",
        "init",
        "initialize",
        "connect",
        "close",
        "disconnect",
        "login",
        "remove",
        "store",
        "upsert",
        "notify",
        "emit",
        "mark",
        "move",
        "lock",
        "acquire",
        "release",
        "next",
        "sync",
        "commit",
        "rollback",
        "flush",
        "drop",
        "apply",
        "push",
        "pop",
        "ack",
        "subscribe",
        "unsubscribe",
        "cancel",
        "retry",
        "setup",
        "migrate",
        "install",
        "deploy",
        "enqueue",
        "ensure",
        "reset",
        "clear",
        "wait",
        "sleep",
        "poll",
        "play",
        "step",
        "dispatch",
        "trigger",
        "import",
        "edit",
        "patch",
        "replace",
        "rename",
        "kill",
        "terminate",
        "receive",
        "recv",
        "readline",
        "readexactly",
        "readuntil",
    ];
    has_word(name, &words)
}

/// A general request, whose first argument does not say that it only asks.
fn may_send(module: &Module, call: ExprId, name: Name) -> bool {
    if !has_word(name, &["request"]) {
        return false;
    }
    let Expr::Call(_, args) = module.expr(call) else { return true };
    let first = module.args(args).first().map(|arg| module.expr(arg.value));
    let asks = |method: Name| matches!(method.as_str().to_ascii_uppercase().as_str(), "GET" | "HEAD" | "OPTIONS");
    !matches!(first, Some(Expr::Literal(Literal::Str(method))) if asks(method))
}

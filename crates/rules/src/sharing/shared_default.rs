//! # share/shared-default
//!
//! A default value, or a class attribute, that can be changed is changed: calls and objects that know nothing of each
//! other share it.
//!
//! ## What it is
//! A default value is made once, when the `def` is executed, and handed to every call that leaves the argument out. If
//! it is a list, dict, set or other object that can be changed, and the function changes it, then it is a module
//! variable in disguise: what one call puts in, the next one finds. A mutable value in a class body is the same for all
//! instances, until an instance is given an attribute of its own.
//!
//! In sequential code this is a known trap. In concurrent code it is worse: the callers are different requests, users
//! and tasks, they share the object while each is suspended half-way, and the signature reads as if nothing were
//! shared.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def remote_fetch(i: int) -> int:
//!     await asyncio.sleep(0)
//!     return i
//!
//!
//! async def fetch_batch(ids: list[int], cache={}) -> dict[int, int]:
//!     missing = [i for i in ids if i not in cache]
//!     results = await asyncio.gather(*(remote_fetch(i) for i in missing))
//!     for i, value in zip(missing, results):
//!         cache[i] = value
//!     return {i: cache[i] for i in ids}
//! ```
//!
//! ## What one observes
//! - Data of another user in an answer: a header, a message history, a list of results that is too long.
//! - Results that depend on what ran before, and grow from call to call.
//! - Memory that grows for as long as the process lives.
//! - Two batches that ask at the same time both fetch everything; one that was meant as a cache for a call outlives it.
//!
//! ## Why tests pass all the same
//! The first call in a process gets an empty default, and most tests make one. Where tests do share a process, the
//! leftovers are often of the same kind as what is expected. A test that passes the argument never sees the default.
//!
//! ## The structural fix
//! For data of the call: `None` as the default, and a new object in the body.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def remote_fetch(i: int) -> int:
//!     await asyncio.sleep(0)
//!     return i
//!
//!
//! async def fetch_batch(ids: list[int], found: dict[int, int] | None = None) -> dict[int, int]:
//!     if found is None:
//!         found = {}
//!     missing = [i for i in ids if i not in found]
//!     results = await asyncio.gather(*(remote_fetch(i) for i in missing))
//!     found.update(zip(missing, results))
//!     return found
//! ```
//!
//! For data that is to be shared: an object that says so, with a name, an owner, a limit, and protection of its own.
//!
//! ```python good
//! import asyncio
//!
//!
//! class BatchFetcher:
//!     def __init__(self) -> None:
//!         self._cache: dict[int, asyncio.Task[int]] = {}
//!
//!     async def _fetch(self, i: int) -> int:
//!         await asyncio.sleep(0)
//!         return i
//!
//!     async def fetch(self, i: int) -> int:
//!         if i not in self._cache:
//!             self._cache[i] = asyncio.create_task(self._fetch(i))
//!         return await self._cache[i]
//! ```
//!
//! In a class: make the object in `__init__`, or with `field(default_factory=list)`.
//!
//! ## Fixes that do not work
//! - `cache.clear()` at the beginning or the end of the function: it empties it for everybody who is in the middle.
//! - A lock inside the function: nothing is torn now, and all callers still share one object.
//! - `cache = cache or {}`: the default itself is no longer filled, since an empty dict is false. But neither is an
//!   empty dict that the caller passed in order to have it filled.
//! - Copying at the end, when the result is returned: the default has been changed by then.
//! - `copy(default)` of a dict of lists: the lists are shared still.
//! - Moving the default into a module constant: the same object under another name.
//! - A context variable with a mutable default: every task gets the same object.
//!
//! ## Cues for a reviewer
//! - `= []`, `= {}`, `= set()`, `= deque()`, `= Options()` in the parameter list of a function that changes it.
//! - `x: list[str] = []` in a class body, and `self.x.append(…)` in a method.
//! - Calls that leave out an argument named `cache`, `seen`, `result`, `history`, `headers`.
//!
//! ## Where it is silent
//! - Defaults that are only read, or copied before they are changed; `None` and immutable defaults.
//! - Defaults that a framework copies for each call: parameters of FastAPI endpoints, fields of Pydantic models and
//!   dataclasses with a `default_factory`.
//! - Class attributes that `__init__` replaces, that are declared `ClassVar`, or that are changed through the class: a
//!   registry is meant to be shared.
//! - `possible`, shown with `--strict`: an object that has a name of its own in the module.
//! - Locks and other primitives as defaults: they are there to be shared.
//! - Functions that only run at start-up, in a script, or one call at a time.
//! - What the shared object is used for wrongly is a finding of its own: `share/stampede`, `share/lost-update`,
//!   `share/iterate-across-await`.
//!
//! ## Symptoms
//! None of its own. `RuntimeError: dictionary changed size during iteration` when one call iterates while another adds.
//!
//! ## The mutation that introduces it
//! Replace `None` and the two lines that make the object by a mutable default; move an attribute from `__init__` to the
//! class body.
//!
//! ## Difficulty
//! Easy when the default is changed in the function itself; medium through a callee or a base class.
//!
//! ## Related rules
//! `share/stampede`, `share/lost-update`, `share/misplaced-context`, `bound/unbounded-growth`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::race::containers::{Touch, touch};
use crate::race::overlap::is_mutable;
use crate::rule::{Question, Rule};
use racewalk_ir::{
    ArgKind, BindingId, BindingKind, Class, ClassId, Event, Expr, ExprId, Function, FunctionId, FunctionKind,
    LogicalOp, Module, Name, Param, SymbolId,
};
use racewalk_link::{ClassRef, FunctionRef, How, Program, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/shared-default",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a mutable default, or a mutable value in a class body, is changed: calls that know nothing of each other share it",
    source: include_str!("shared_default.rs"),
    check,
};

/// How many calls deep a change is looked for.
const DEEPEST: u32 = 3;

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.program.is_installed(ctx.file) || is_test_module(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind == FunctionKind::Function && is_concurrent(ctx.program, ctx, ctx.function_ref(function)) {
            for (position, param) in body.params.iter().enumerate() {
                parameter(ctx, function, position, param, found);
            }
        }
    }
    for id in (0..ctx.module.classes.len() as u32).map(ClassId) {
        attributes(ctx, id, found);
    }
}

/// Several calls may be under way: a coroutine function, or a plain one that overlapping ones call.
fn is_concurrent(program: &Program, ctx: &Context<'_>, function: FunctionRef) -> bool {
    program.function(function).is_async || ctx.shared.race.overlaps.of(function).is_some()
}

fn parameter(ctx: &Context<'_>, function: FunctionId, position: usize, param: &Param, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let Some(default) = param.default.filter(|default| is_kept(ctx, function, *default)) else { return };
    // A framework that reads the signature gives every call its own.
    if ctx.program.entries.contains_key(&this) {
        return;
    }
    let Some(change) = changes_param(ctx.program, this, position, DEEPEST) else { return };
    let name = param.name;
    let message = format!(
        "the default of `{name}` is one object for all calls of `{}`, and this one is changed: calls that say nothing of it share it",
        ctx.symbol(function)
    );
    let finding = Finding::new(&RULE, ctx.place(default), ctx.symbol(function), message)
        .confidence(if is_meant(ctx, this, position, param, default) {
            Confidence::Possible
        } else {
            Confidence::Likely
        })
        .help(format!("make the default `None` and a new object in the body; what is meant to be shared belongs to an object that owns it, or to a parameter without a default instead of `{name}`"))
        .note("why-safe", "an object that is made in the call belongs to that call")
        .note("rejected", "a lock around the change: the calls still see each other's entries")
        .related(change, "it is changed here")
        .shape(format!("{}:{name}", ctx.symbol(function)));
    let at = Finding { at: ctx.at(ctx.module.span(default)), ..finding };
    ctx.report(function, at, found);
}

/// The parameter's name says that it is private to the function, every call in the program gives it, or the object has a name of
/// its own in the module: it is shared on purpose.
fn is_meant(ctx: &Context<'_>, function: FunctionRef, position: usize, param: &Param, default: ExprId) -> bool {
    let is_named = matches!(ctx.module.expr(default), Expr::Name(..));
    let callers = ctx.program.summaries.callers.of(function);
    let position = position - usize::from(ctx.program.function(function).class.is_some()).min(position);
    let gives = |(caller, site, _): &racewalk_link::Caller| {
        ctx.program.evaluator(caller.file).given(*site, position, param.name).is_some()
    };
    is_named || param.name.as_str().starts_with('_') || !callers.is_empty() && callers.iter().all(gives)
}

/// The default is an object that can be changed: a container, an instance of one of the program's classes, or a module's
/// variable that holds one.
fn is_kept(ctx: &Context<'_>, function: FunctionId, default: ExprId) -> bool {
    if is_mutable(ctx.program, ctx.file, default) {
        return true;
    }
    let outside = ctx.module.function(function).parent.unwrap_or(FunctionId(0));
    let value = ctx.evaluator.eval(outside, default);
    match ctx.module.expr(default) {
        Expr::Call(..) => matches!(value, Type::Instance(..)) || is_container(value),
        Expr::Name(name, _) => {
            is_container(value) && ctx.evaluator.scope_of(outside, name).is_none_or(|(owner, _)| owner == FunctionId(0))
        }
        _ => false,
    }
}

fn is_container(value: Type) -> bool {
    matches!(value, Type::Mapping(_) | Type::Collection(_))
}

/// Where the function changes what its parameter stands for, itself or by a function that it gives it to.
fn changes_param(program: &Program, function: FunctionRef, position: usize, depth: u32) -> Option<Place> {
    let depth = depth.checked_sub(1)?;
    let module = program.module(function.file);
    let body = program.function(function);
    let symbol = body.symbol(body.params.get(position)?.name)?;
    let param = body.symbols[symbol.index()].bindings.first().copied()?;
    let is_it = |expr: ExprId| is_param(module, expr, param);
    let own = unguarded(module, &body.events, &is_it).find_map(|event| changed(module, event, &is_it));
    if let Some(at) = own {
        return Some(Place { file: function.file, span: module.span(at) });
    }
    program.edges(function).iter().filter(|edge| edge.how == How::Calls && !edge.is_override).find_map(|edge| {
        let Expr::Call(_, args) = module.expr(edge.site) else { return None };
        let callee = program.function(edge.target);
        let skipped = usize::from(callee.class.is_some());
        module.args(args).iter().enumerate().filter(|(_, arg)| is_it(arg.value)).find_map(|(at, arg)| {
            let position = match arg.kind {
                ArgKind::Positional => at + skipped,
                ArgKind::Named(name) => callee.params.iter().position(|param| param.name == name)?,
                _ => return None,
            };
            changes_param(program, edge.target, position, depth)
        })
    })
}

/// The events that do not stand under `if param:`, where an empty default never is.
fn unguarded<'m>(
    module: &'m Module,
    events: &'m [Event],
    is_it: &'m dyn Fn(ExprId) -> bool,
) -> impl Iterator<Item = Event> + 'm {
    let asks = |condition: &Option<ExprId>| condition.is_some_and(|condition| asks_for(module, condition, is_it));
    events
        .iter()
        .copied()
        .scan(Vec::<bool>::new(), move |arms, event| {
            match &event {
                Event::Branch(condition) => arms.push(asks(condition)),
                Event::Arm(condition) => {
                    arms.pop();
                    arms.push(asks(condition));
                }
                Event::EndBranch(_) => {
                    arms.pop();
                }
                _ => {}
            }
            Some((!arms.contains(&true)).then_some(event))
        })
        .flatten()
}

/// The condition holds only when the object does: `param`, `param and …`.
fn asks_for(module: &Module, condition: ExprId, is_it: &dyn Fn(ExprId) -> bool) -> bool {
    match module.expr(condition) {
        Expr::Logical(list, LogicalOp::And) => module.list(list).iter().any(|part| asks_for(module, *part, is_it)),
        _ => is_it(condition),
    }
}

/// The expression is the parameter as it was given, and nothing else.
fn is_param(module: &Module, expr: ExprId, param: BindingId) -> bool {
    match module.expr(expr) {
        Expr::Name(_, defs) => module.defs(&defs) == [param],
        _ => false,
    }
}

/// The expression by which an event changes an object.
fn changed(module: &Module, event: Event, is_it: &dyn Fn(ExprId) -> bool) -> Option<ExprId> {
    match event {
        // The same entry in every call changes nothing for the next one.
        Event::WritePlace(target, Some(value)) if is_same_entry(module, target, value) => None,
        Event::WritePlace(target, _) => match module.expr(target) {
            Expr::Attr(base, _) | Expr::Subscript(base, _) => is_it(innermost(module, base)).then_some(target),
            _ => None,
        },
        // `parts += more` changes a list in place.
        Event::Modify(target) => is_it(target).then_some(target),
        Event::Call(call) => {
            let Expr::Call(callee, args) = module.expr(call) else { return None };
            let Expr::Attr(receiver, method) = module.expr(callee) else { return None };
            let is_change = matches!(
                touch(module.language, method.as_str(), module.args(args).len()),
                Some(Touch::Inserts | Touch::InsertsOnce | Touch::Replaces)
            );
            (is_change && is_it(innermost(module, receiver))).then_some(call)
        }
        _ => None,
    }
}

/// `params["method"] = "watch"`: a constant under a constant key.
fn is_same_entry(module: &Module, target: ExprId, value: ExprId) -> bool {
    let is_constant = |expr: ExprId| matches!(module.expr(expr), Expr::Literal(_));
    matches!(module.expr(target), Expr::Subscript(_, key) if is_constant(key)) && is_constant(value)
}

/// The object that an element or member of an element belongs to.
fn innermost(module: &Module, place: ExprId) -> ExprId {
    match module.expr(place) {
        Expr::Subscript(base, _) => innermost(module, base),
        _ => place,
    }
}

// ---- class bodies --------------------------------------------------------------------------------------------------

/// The class's attributes that hold one object for all instances, and that methods change through an instance.
fn attributes(ctx: &Context<'_>, id: ClassId, found: &mut Vec<Finding>) {
    let class = ctx.module.class(id);
    if copies_defaults(ctx, id, class) {
        return;
    }
    let body = ctx.module.function(class.body);
    for (at, symbol) in body.symbols.iter().enumerate() {
        let Some(value) = plain_value(ctx, body, SymbolId(at as u32)) else { continue };
        if !is_mutable(ctx.program, ctx.file, value) || is_set_by_instances(ctx, id, symbol.name) {
            continue;
        }
        let name = symbol.name;
        let Some((method, change)) = changed_by(ctx, id, name) else { continue };
        let message = format!(
            "`{name}` in the class body is one object for all instances of `{}`, and `{}` changes it: instances share it",
            class.name,
            ctx.program.qualified(method)
        );
        let finding = Finding::new(&RULE, ctx.place(value), class.name.to_string(), message)
            .confidence(if is_one_of_many(ctx, id) && !is_registry(ctx, id, name) {
                Confidence::Likely
            } else {
                Confidence::Possible
            })
            .help(format!(
                "make it in `__init__`: `self.{name} = …`; annotate it `ClassVar` when it is meant to be shared"
            ))
            .note("why-safe", "an attribute that the constructor sets belongs to the instance")
            .note("rejected", "clearing it at the end of a call: another instance uses it meanwhile")
            .related(change, "it is changed here")
            .shape(format!("{}:{name}", class.name));
        ctx.report(class.body, finding, found);
    }
}

/// Calls make instances of their own; else there may be one only, or a registry is meant.
fn is_one_of_many(ctx: &Context<'_>, id: ClassId) -> bool {
    let of = ClassRef { file: ctx.file, id };
    let heirs = ctx.program.descendants.get(&of).into_iter().flatten().copied();
    std::iter::once(of).chain(heirs).any(|class| ctx.shared.race.is_made_per_call(class))
}

/// A class method or a static one of the class uses the attribute, too: it is meant to be the class's.
fn is_registry(ctx: &Context<'_>, id: ClassId, name: Name) -> bool {
    let of_class = |function: &FunctionId| {
        let body = ctx.module.function(*function);
        body.class == Some(id) && ctx.evaluator.is_of_class(ctx.function_ref(*function))
    };
    let uses = |event: &Event| match *event {
        Event::ReadPlace(place) | Event::WritePlace(place, _) | Event::Modify(place) => {
            mentions_member(ctx.module, place, name)
        }
        Event::Call(call) => {
            matches!(ctx.module.expr(call), Expr::Call(callee, _) if mentions_member(ctx.module, callee, name))
        }
        _ => false,
    };
    ctx.functions().filter(of_class).any(|function| ctx.module.function(function).events.iter().any(uses))
}

/// The member stands in a place.
fn mentions_member(module: &Module, place: ExprId, name: Name) -> bool {
    match module.expr(place) {
        Expr::Attr(base, member) => member == name || mentions_member(module, base, name),
        Expr::Subscript(base, _) => mentions_member(module, base, name),
        _ => false,
    }
}

/// The attribute's only value; none when it is declared to be the class's own.
fn plain_value(ctx: &Context<'_>, body: &Function, symbol: SymbolId) -> Option<ExprId> {
    let [binding] = body.symbols[symbol.index()].bindings.as_slice() else { return None };
    match ctx.module.bindings[binding.index()].kind {
        BindingKind::Value(value) => Some(value),
        BindingKind::Typed(annotation, Some(value)) if !says_class_variable(ctx.module, annotation) => Some(value),
        _ => None,
    }
}

fn says_class_variable(module: &Module, annotation: ExprId) -> bool {
    match module.expr(annotation) {
        Expr::Name(name, _) | Expr::Attr(_, name) => name.as_str() == "ClassVar",
        Expr::Subscript(base, _) => says_class_variable(module, base),
        _ => false,
    }
}

/// Data models and dataclasses, whose machinery reads the body and gives each instance its own; enumerations and the like.
fn copies_defaults(ctx: &Context<'_>, id: ClassId, class: &Class) -> bool {
    let of = ClassRef { file: ctx.file, id };
    let is_model = ctx.program.lineage(of).any(|base| match base {
        Type::External(path) => {
            ctx.program.models().kind(path) == Some(ClassKind::DataModel) || path.first_segment() != "builtins"
        }
        _ => false,
    });
    is_model || !class.decorators.is_empty() || !class.arguments.is_empty() || ctx.program.has_unknown_base(of)
}

/// Some method assigns the attribute on the instance.
fn is_set_by_instances(ctx: &Context<'_>, id: ClassId, name: Name) -> bool {
    let of = ClassRef { file: ctx.file, id };
    let own = |class: ClassRef| ctx.program.class(class).fields.iter().any(|field| field.name == name);
    own(of) || ctx.program.descendants.get(&of).into_iter().flatten().any(|class| own(*class))
}

/// The coroutine method, of the class or of one that inherits from it, that changes the attribute through its receiver.
fn changed_by(ctx: &Context<'_>, id: ClassId, name: Name) -> Option<(FunctionRef, Place)> {
    let of = ClassRef { file: ctx.file, id };
    let heirs = ctx.program.descendants.get(&of).into_iter().flatten().copied();
    std::iter::once(of).chain(heirs).find_map(|class| {
        let module = ctx.program.module(class.file);
        let methods = (0..module.functions.len() as u32).map(FunctionId).filter(|method| {
            let body = module.function(*method);
            body.class == Some(class.id) && body.kind == FunctionKind::Function && body.decorators.is_empty()
        });
        methods.map(|method| FunctionRef { file: class.file, id: method }).find_map(|method| {
            let body = ctx.program.function(method);
            let receiver = body.params.first()?.name;
            let is_it = |expr: ExprId| match module.expr(expr) {
                Expr::Attr(base, member) => {
                    member == name && matches!(module.expr(base), Expr::Name(of, _) if of == receiver)
                }
                _ => false,
            };
            let is_called_by_tasks = is_concurrent(ctx.program, ctx, method);
            let change =
                body.events.iter().filter(|_| is_called_by_tasks).find_map(|event| changed(module, *event, &is_it))?;
            Some((method, Place { file: class.file, span: module.span(change) }))
        })
    })
}

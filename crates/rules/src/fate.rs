//! What becomes of a value that somebody must await or keep: followed through the code that holds it.

use crate::context::Context;
use racewalk_ir::{
    BindingId, BindingKind, Expr, ExprId, FunctionId, FunctionKind, LogicalOp, Name, Param, ParamKind, Role,
};
use racewalk_link::Type;

/// How a value is used where its result is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// As a condition: the object is always true.
    Truth,
    /// Its member is taken.
    Member(Name),
    /// An element is taken.
    Subscript,
    /// Iterated.
    Iterate,
    /// Spread into a call or display.
    Spread,
    /// Operand of arithmetic.
    Arithmetic,
    /// Compared.
    Compare,
    /// Member of, or container in, a membership test.
    Membership,
    /// Turned into text.
    Format,
    /// Entered as a context manager.
    Enter,
    /// Given to something that wants the result.
    Argument,
    /// Returned where the result is declared.
    Return,
    /// Raised.
    Raise,
    /// Its length is taken.
    Count,
    /// Matched against patterns.
    Match,
    /// Called.
    Call,
    /// Asked whether it is no value.
    Presence,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Awaited.
    Awaited,
    /// Kept in a local that is read on some paths only, and awaited there.
    AwaitedSometimes(BindingId),
    /// Handed to somebody who may take care of it.
    HandedOn,
    /// Nobody has it any more.
    Dropped,
    /// Kept in a local that nobody reads.
    Unread(BindingId),
    /// Used where its result is meant, here.
    Misused(Misuse, ExprId),
    /// Iterated asynchronously: another rule's matter.
    IteratedAsync,
    /// Entered asynchronously.
    EnteredAsync,
}

/// Assignments from one local to the next beyond this are not followed.
const LONGEST_PATH: u32 = 6;

/// What becomes of the value of `expr` in `function`.
pub(crate) fn fate(ctx: &Context<'_>, function: FunctionId, expr: ExprId) -> Fate {
    follow(ctx, function, expr, LONGEST_PATH)
}

fn follow(ctx: &Context<'_>, function: FunctionId, expr: ExprId, depth: u32) -> Fate {
    if depth == 0 {
        return Fate::HandedOn;
    }
    let module = ctx.module;
    let parent = module.parent(expr);
    match module.role(expr) {
        Role::Dropped | Role::Discarded => Fate::Dropped,
        Role::Awaited => Fate::Awaited,
        Role::Arm => parent.map_or(Fate::HandedOn, |parent| follow(ctx, function, parent, depth)),
        Role::Tested => tested(ctx, function, expr, depth),
        Role::Condition => Fate::Misused(Misuse::Truth, expr),
        Role::Receiver => member(ctx, function, expr),
        Role::Container => Fate::Misused(Misuse::Subscript, expr),
        Role::Operand => Fate::Misused(Misuse::Arithmetic, expr),
        Role::Compared => Fate::Misused(Misuse::Compare, expr),
        Role::Member | Role::Membership => Fate::Misused(Misuse::Membership, expr),
        Role::Iterated => Fate::Misused(Misuse::Iterate, expr),
        Role::Unpacked => Fate::Misused(Misuse::Spread, expr),
        Role::Formatted => Fate::Misused(Misuse::Format, expr),
        Role::Raised => Fate::Misused(Misuse::Raise, expr),
        Role::Matched => Fate::Misused(Misuse::Match, expr),
        Role::Callee => Fate::Misused(Misuse::Call, expr),
        Role::Identified if is_compared_with_none(ctx, expr) => Fate::Misused(Misuse::Presence, expr),
        Role::Entered => Fate::Misused(Misuse::Enter, expr),
        Role::EnteredAsync => Fate::EnteredAsync,
        Role::IteratedAsync => Fate::IteratedAsync,
        Role::Returned => returned(ctx, function, expr),
        Role::Argument => argument(ctx, function, expr),
        Role::Element => element(ctx, function, expr, depth),
        Role::Bound => bound(ctx, function, expr, depth),
        Role::Stored => stored(ctx, function, expr, depth),
        _ => Fate::HandedOn,
    }
}

/// `a or b`: `a` is tested, and may be the value as well; `not a`: only tested.
fn tested(ctx: &Context<'_>, function: FunctionId, expr: ExprId, depth: u32) -> Fate {
    let Some(parent) = ctx.module.parent(expr) else { return Fate::HandedOn };
    if let Expr::Logical(_, LogicalOp::Or) = ctx.module.expr(parent)
        && follow(ctx, function, parent, depth - 1) == Fate::Awaited
    {
        // `await (cached or load())`: the value is either awaitable or nothing.
        return Fate::Awaited;
    }
    Fate::Misused(Misuse::Truth, expr)
}

/// Members that an awaitable has.
const OWN_MEMBERS: [&str; 22] = [
    "close",
    "send",
    "throw",
    "__await__",
    "cr_frame",
    "cr_running",
    "cr_code",
    "cr_await",
    "add_done_callback",
    "cancel",
    "cancelled",
    "done",
    "result",
    "exception",
    "remove_done_callback",
    "__class__",
    "__name__",
    "__qualname__",
    "get_loop",
    "set_name",
    "get_name",
    "get_coro",
];

/// The library's object has this member itself, awaited or not.
fn is_known_member(ctx: &Context<'_>, function: FunctionId, expr: ExprId, name: Name) -> bool {
    let value = ctx.evaluator.eval(function, expr);
    let is_dual = value.members().iter().any(|member| matches!(member, Type::ExternalInstance(..) | Type::Context(..)));
    is_dual && (name.as_str().starts_with("__") || !ctx.evaluator.member(value, name).is_unknown())
}

fn member(ctx: &Context<'_>, function: FunctionId, expr: ExprId) -> Fate {
    let name = ctx.module.parent(expr).map(|parent| ctx.module.expr(parent));
    match name {
        // The chain that goes on from it is looked at where it ends.
        Some(Expr::Attr(_, name)) if ctx.goes_on_by(name) => Fate::HandedOn,
        Some(Expr::Attr(_, name))
            if !OWN_MEMBERS.contains(&name.as_str()) && !is_known_member(ctx, function, expr, name) =>
        {
            Fate::Misused(Misuse::Member(name), expr)
        }
        _ => Fate::HandedOn,
    }
}

/// Returned: the caller has it, unless the function declares that it returns something else.
fn returned(ctx: &Context<'_>, function: FunctionId, expr: ExprId) -> Fate {
    let body = ctx.module.function(function);
    let Some(annotation) = body.returns else { return Fate::HandedOn };
    if !body.decorators.is_empty() || !gives_nothing_else(ctx, function) {
        return Fate::HandedOn;
    }
    let declared = ctx.evaluator.annotation(function, annotation);
    let is_value = match declared {
        Type::Plain | Type::Collection(_) | Type::Mapping(_) | Type::Tuple(_) => true,
        Type::Instance(class, _) => {
            !ctx.program.has_unknown_base(class) && ctx.evaluator.awaitable(declared) == racewalk_link::Answer::No
        }
        _ => false,
    };
    if is_value { Fate::Misused(Misuse::Return, expr) } else { Fate::HandedOn }
}

/// An async function, or a plain one all of whose results are awaitables: one that gives now a coroutine and now a value
/// serves both worlds.
fn gives_nothing_else(ctx: &Context<'_>, function: FunctionId) -> bool {
    let body = ctx.module.function(function);
    let is_coroutine = |value: &ExprId| matches!(ctx.evaluator.eval(function, *value), Type::Coroutine(_));
    body.is_async || body.return_values.iter().all(is_coroutine)
}

fn argument(ctx: &Context<'_>, function: FunctionId, expr: ExprId) -> Fate {
    let Some(call) = ctx.module.parent(expr) else { return Fate::HandedOn };
    let Expr::Call(callee_expr, _) = ctx.module.expr(call) else { return Fate::HandedOn };
    let callee = ctx.evaluator.eval(function, callee_expr);
    match callee {
        Type::External(path) if path.as_str() == "builtins.len" => Fate::Misused(Misuse::Count, expr),
        Type::External(path) if is_value_sink(path.as_str()) => Fate::Misused(Misuse::Argument, expr),
        Type::Function(target) | Type::Method(target, _) => given_to(ctx, call, expr, target, callee),
        _ => match collected(ctx, function, callee_expr) {
            Some(fate) => fate,
            None => Fate::HandedOn,
        },
    }
}

/// Built-in functions that want a value and cannot await one.
fn is_value_sink(path: &str) -> bool {
    matches!(
        path,
        "builtins.print"
            | "builtins.str"
            | "builtins.int"
            | "builtins.float"
            | "builtins.bool"
            | "builtins.bytes"
            | "builtins.dict"
            | "builtins.list"
            | "builtins.tuple"
            | "builtins.set"
            | "builtins.frozenset"
            | "builtins.sorted"
            | "builtins.sum"
            | "builtins.min"
            | "builtins.max"
            | "builtins.any"
            | "builtins.all"
            | "builtins.enumerate"
            | "builtins.zip"
            | "builtins.range"
            | "builtins.abs"
            | "builtins.round"
            | "builtins.repr"
            | "builtins.iter"
            | "builtins.reversed"
            | "builtins.format"
            | "json.dumps"
            | "json.loads"
            | "json.dump"
            | "pickle.dumps"
            | "copy.deepcopy"
    )
}

/// Given to a function of the program: it wants a value when it declares so, or when all it does is to use it as one.
fn given_to(ctx: &Context<'_>, call: ExprId, expr: ExprId, target: racewalk_link::FunctionRef, callee: Type) -> Fate {
    let body = ctx.program.function(target);
    let skipped = usize::from(matches!(callee, Type::Method(..)) && body.class.is_some());
    let args = ctx.evaluator.args(call);
    let Some(position) = args.iter().position(|arg| arg.value == expr) else { return Fate::HandedOn };
    let param = match args[position].kind {
        racewalk_ir::ArgKind::Positional => by_position(&body.params, position + skipped),
        racewalk_ir::ArgKind::Named(name) => body.params.iter().find(|param| param.name == name),
        _ => None,
    };
    let Some(annotation) = param.and_then(|param| param.annotation) else { return Fate::HandedOn };
    let theirs = ctx.program.evaluator(target.file);
    let wanted = theirs.annotation(body.parent.unwrap_or(FunctionId(0)), annotation);
    let is_value = match wanted.without_none() {
        Type::Plain | Type::Collection(_) | Type::Mapping(_) => true,
        Type::Instance(class, _) => {
            !ctx.program.has_unknown_base(class) && theirs.awaitable(wanted) == racewalk_link::Answer::No
        }
        Type::ExternalInstance(path, _) => {
            ctx.program.models().class(path).is_some() && theirs.awaitable(wanted) == racewalk_link::Answer::No
        }
        _ => false,
    };
    if is_value { Fate::Misused(Misuse::Argument, expr) } else { Fate::HandedOn }
}

/// The parameter that takes a positional argument.
fn by_position(params: &[Param], position: usize) -> Option<&Param> {
    let mut positional = params.iter().filter(|param| matches!(param.kind, ParamKind::Positional | ParamKind::Normal));
    positional.nth(position).or_else(|| params.iter().find(|param| param.kind == ParamKind::Rest))
}

/// `items.append(value)`: the value's fate is that of a local collection that nobody looks at.
fn collected(ctx: &Context<'_>, function: FunctionId, callee: ExprId) -> Option<Fate> {
    let Expr::Attr(base, method) = ctx.module.expr(callee) else { return None };
    if !matches!(method.as_str(), "append" | "add" | "appendleft" | "insert" | "push" | "unshift") {
        return None;
    }
    let Expr::Name(_, defs) = ctx.module.expr(base) else { return None };
    let bindings = ctx.module.defs(&defs);
    let unread = bindings.iter().all(|binding| {
        is_own_local(ctx, function, *binding) && made_here(ctx, *binding) && only_collects(ctx, *binding)
    });
    (unread && !bindings.is_empty()).then(|| Fate::Unread(bindings[0]))
}

/// A collection display or constructor call: nobody else holds it.
fn made_here(ctx: &Context<'_>, binding: BindingId) -> bool {
    let value = match ctx.module.bindings[binding.index()].kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => value,
        _ => return false,
    };
    match ctx.module.expr(value) {
        Expr::List(_) | Expr::Set(_) => true,
        Expr::Call(callee, _) => {
            matches!(ctx.module.expr(callee), Expr::Name(name, _) if matches!(name.as_str(), "list" | "set" | "deque"))
        }
        _ => false,
    }
}

/// Every read of the binding only adds to it.
fn only_collects(ctx: &Context<'_>, binding: BindingId) -> bool {
    ctx.reads_of(binding).iter().all(|(_, read)| {
        let parent = ctx.module.parent(*read).map(|parent| (ctx.module.expr(parent), ctx.module.role(parent)));
        let counted = matches!(parent, Some((Expr::Call(callee, _), _))
            if matches!(ctx.module.expr(callee), Expr::Name(name, _) if name.as_str() == "len"));
        counted
            || matches!(parent, Some((Expr::Attr(_, name), Role::Callee))
            if matches!(name.as_str(), "append" | "add" | "appendleft" | "insert" | "discard" | "remove" | "push"))
    })
}

/// An element of a display or comprehension shares its container's fate, as far as being dropped goes.
fn element(ctx: &Context<'_>, function: FunctionId, expr: ExprId, depth: u32) -> Fate {
    let Some(container) = ctx.module.parent(expr).filter(|_| depth > 0) else { return Fate::HandedOn };
    // What a generator expression would build is never built unless somebody iterates it.
    if matches!(ctx.module.expr(container), Expr::Comp(racewalk_ir::CompKind::Lazy, _)) {
        return Fate::HandedOn;
    }
    match ctx.module.role(container) {
        Role::Dropped | Role::Discarded => Fate::Dropped,
        Role::Formatted => Fate::Misused(Misuse::Format, container),
        Role::Element => element(ctx, function, container, depth - 1),
        Role::Stored => match ctx.bound_to(container) {
            [binding] if is_own_local(ctx, function, *binding) && is_only_counted(ctx, *binding) => {
                Fate::Unread(*binding)
            }
            _ => Fate::HandedOn,
        },
        _ => Fate::HandedOn,
    }
}

/// A collection that is read, if at all, to be counted or tested: its elements are not looked at.
fn is_only_counted(ctx: &Context<'_>, binding: BindingId) -> bool {
    ctx.reads_of(binding).iter().all(|(_, read)| match ctx.module.role(*read) {
        Role::Condition | Role::Tested => true,
        Role::Argument => is_length(ctx, *read),
        _ => false,
    })
}

/// `len(value)`
fn is_length(ctx: &Context<'_>, value: ExprId) -> bool {
    let Some(call) = ctx.module.parent(value) else { return false };
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    matches!(ctx.module.expr(callee), Expr::Name(name, _) if name.as_str() == "len")
}

/// `name := value`: what becomes of the expression, and of the name.
fn bound(ctx: &Context<'_>, function: FunctionId, expr: ExprId, depth: u32) -> Fate {
    let here = ctx.module.parent(expr).map_or(Fate::Dropped, |parent| follow(ctx, function, parent, depth - 1));
    let later = stored(ctx, function, expr, depth);
    match (here, later) {
        (Fate::Awaited, _) | (_, Fate::Awaited) => Fate::Awaited,
        (_, Fate::Misused(..)) => later,
        (Fate::Dropped, _) => later,
        (Fate::Misused(Misuse::Truth | Misuse::Presence, _), Fate::HandedOn) => Fate::HandedOn,
        (Fate::Misused(Misuse::Truth | Misuse::Presence, _), Fate::Unread(_)) => later,
        _ => here,
    }
}

/// Stored by an assignment.
fn stored(ctx: &Context<'_>, function: FunctionId, expr: ExprId, depth: u32) -> Fate {
    let bindings = ctx.bound_to(expr);
    if bindings.is_empty() && is_taken_apart(ctx, expr) {
        return Fate::Misused(Misuse::Spread, expr);
    }
    let [binding] = bindings else { return Fate::HandedOn };
    if !is_own_local(ctx, function, *binding) || is_also_stored_elsewhere(ctx, function, expr) {
        return Fate::HandedOn;
    }
    let reads = ctx.reads_of(*binding);
    if reads.is_empty() {
        return Fate::Unread(*binding);
    }
    let fates: Vec<Fate> = reads.iter().map(|(_, read)| follow(ctx, function, *read, depth - 1)).collect();
    let careful = reads.iter().any(|(_, read)| is_inspected(ctx, *read));
    if careful {
        return Fate::Awaited;
    }
    if fates.contains(&Fate::Awaited) {
        return if is_read_sometimes(ctx, function, *binding) {
            Fate::AwaitedSometimes(*binding)
        } else {
            Fate::Awaited
        };
    }
    let is = |wanted: fn(&Fate) -> bool| fates.iter().copied().find(&wanted);
    // `if task: …` where the name may stand for nothing asks whether there is one.
    let asks_presence = fates.iter().any(|fate| matches!(fate, Fate::Misused(Misuse::Truth | Misuse::Presence, _)))
        && reads.iter().any(|(_, read)| may_be_none(ctx, *read));
    if asks_presence {
        return Fate::HandedOn;
    }
    is(|fate| matches!(fate, Fate::Misused(..)))
        .or_else(|| is(|fate| matches!(fate, Fate::HandedOn | Fate::IteratedAsync | Fate::EnteredAsync)))
        .unwrap_or(fates[0])
}

/// `value is None`, `value is not None`
fn is_compared_with_none(ctx: &Context<'_>, expr: ExprId) -> bool {
    let Some(parent) = ctx.module.parent(expr) else { return false };
    let Expr::Identity(list) = ctx.module.expr(parent) else { return false };
    ctx.module.list(list).iter().any(|operand| ctx.module.expr(*operand) == Expr::Literal(racewalk_ir::Literal::None))
}

/// Another definition that reaches the read gives no value.
fn may_be_none(ctx: &Context<'_>, read: ExprId) -> bool {
    let Expr::Name(_, defs) = ctx.module.expr(read) else { return false };
    ctx.module.defs(&defs).iter().any(|binding| match ctx.module.bindings[binding.index()].kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => {
            ctx.module.expr(value) == Expr::Literal(racewalk_ir::Literal::None)
        }
        _ => false,
    })
}

/// Some path from the binding to the function's normal end passes no read of it: every read stands in an arm of a
/// branch that may not be taken and that does not itself look at the value.
fn is_read_sometimes(ctx: &Context<'_>, function: FunctionId, binding: BindingId) -> bool {
    use racewalk_ir::Event;
    let reads: Vec<ExprId> = ctx.reads_of(binding).iter().map(|(_, read)| *read).collect();
    let events = &ctx.module.function(function).events;
    let Some(start) = events.iter().position(|event| *event == Event::Bind(binding)) else { return false };
    let mut optional = Vec::new();
    let mut depth = 0;
    for (at, event) in events.iter().enumerate().skip(start + 1) {
        match event {
            Event::Branch(_) => {
                depth += 1;
                optional.push(is_optional_branch(&events[at..]));
            }
            Event::EndBranch(_) if depth > 0 => {
                depth -= 1;
                optional.pop();
            }
            // Leaving the block that holds the binding, or a jump: beyond what this looks at.
            Event::EndBranch(_)
            | Event::Loop(_)
            | Event::EndLoop
            | Event::Try
            | Event::Handler(_)
            | Event::Return(_) => {
                return false;
            }
            Event::Read(read) if reads.contains(read) && !optional.contains(&true) => {
                return false;
            }
            _ => {}
        }
    }
    true
}

/// The branch that begins these events may be passed by without entering an arm, and each arm can be left.
fn is_optional_branch(events: &[racewalk_ir::Event]) -> bool {
    use racewalk_ir::Event;
    let mut depth = 0;
    for event in events {
        match event {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(exhaustive) => {
                depth -= 1;
                if depth == 0 {
                    return !exhaustive;
                }
            }
            _ => {}
        }
    }
    false
}

/// `a, b = value`
fn is_taken_apart(ctx: &Context<'_>, value: ExprId) -> bool {
    let takes = |binding: &racewalk_ir::Binding| matches!(binding.kind, BindingKind::Part(of, _) if of == value);
    ctx.module.bindings.iter().any(takes)
}

/// A local of this very function that nothing else can see.
fn is_own_local(ctx: &Context<'_>, function: FunctionId, binding: BindingId) -> bool {
    let bound = ctx.module.bindings[binding.index()];
    let body = ctx.module.function(function);
    let is_local = matches!(body.kind, FunctionKind::Function | FunctionKind::Lambda);
    let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
    is_local && bound.owner == function && ctx.captures_of(function, name).is_empty()
}

/// `a = self.b = value`: somebody else has it as well.
pub(crate) fn is_also_stored_elsewhere(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    ctx.is_stored_in_place(function, value)
}

/// The function asks of what it calls here whether it is a coroutine function: it knows what comes back.
pub(crate) fn is_callee_inspected(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    is_path(ctx, callee) && ctx.is_inspected_path(function, callee)
}

/// A name, or a member of something.
pub(crate) fn is_path(ctx: &Context<'_>, expr: ExprId) -> bool {
    matches!(ctx.module.expr(expr), Expr::Name(..) | Expr::Attr(..))
}

/// Looked at by something that tells awaitables from values.
pub(crate) fn is_inspected(ctx: &Context<'_>, read: ExprId) -> bool {
    let Some(call) = ctx.module.parent(read) else { return false };
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = ctx.module.expr(callee) else { return false };
    matches!(
        name.as_str(),
        "iscoroutine"
            | "isawaitable"
            | "iscoroutinefunction"
            | "isinstance"
            | "isfuture"
            | "hasattr"
            | "callable"
            | "isasyncgen"
            | "isasyncgenfunction"
            | "is_awaitable"
            | "maybe_await"
            | "maybe_awaitable"
    )
}

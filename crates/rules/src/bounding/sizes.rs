//! How many elements something may have, as far as the code that makes it tells.

use crate::context::Context;
use racewalk_ir::{
    ArgKind, BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Name, ParamKind,
    Role,
};
use racewalk_link::{FunctionRef, Type};
use racewalk_models::{ClassKind, Serves};

/// What bounds the number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// The code itself.
    Bounded,
    /// Nothing is known.
    Unknown,
    /// The caller.
    Given,
    /// Who sends a request: mostly the few things that a person or a page has put into it.
    Requested,
    /// Somebody who is asked and answers with as many as there are.
    Answered,
    /// Nothing: it comes from a query, a peer, a file.
    Outside,
}

/// Values behind values beyond this are not followed.
const FARTHEST: u32 = 8;

/// How many elements the value has.
pub(crate) fn size(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> Size {
    size_of(ctx, function, value, FARTHEST)
}

fn size_of(ctx: &Context<'_>, function: FunctionId, value: ExprId, left: u32) -> Size {
    let Some(left) = left.checked_sub(1) else { return Size::Unknown };
    match ctx.module.expr(value) {
        Expr::Tuple(list) | Expr::List(list) | Expr::Set(list) => {
            let spread = ctx.module.list(list).iter().filter_map(|member| match ctx.module.expr(*member) {
                Expr::Spread(of) => Some(size_of(ctx, function, of, left)),
                _ => None,
            });
            largest(spread)
        }
        Expr::Map(_) | Expr::Literal(_) => Size::Bounded,
        Expr::Subscript(base, key) => match ctx.module.expr(key) {
            // A slice.
            Expr::Operation(_) => Size::Bounded,
            _ => match size_of(ctx, function, base, left) {
                size @ (Size::Outside | Size::Answered) => size,
                _ => Size::Unknown,
            },
        },
        Expr::Choice(list) | Expr::Logical(list, _) => {
            largest(ctx.module.list(list).iter().map(|member| size_of(ctx, function, *member, left)))
        }
        Expr::Operation(list) => {
            largest(ctx.module.list(list).iter().map(|member| size_of(ctx, function, *member, left)))
        }
        Expr::Comp(..) => comprehension(ctx, function, value, left),
        Expr::Await(inner) => awaited(ctx, function, inner),
        Expr::Bind(inner) => size_of(ctx, function, inner, left),
        Expr::Call(callee, _) => called(ctx, function, value, callee, left),
        Expr::Name(name, defs) => named(ctx, function, name, defs, left),
        Expr::Attr(base, _) => member(ctx, function, base),
        _ => Size::Unknown,
    }
}

fn largest(sizes: impl Iterator<Item = Size>) -> Size {
    sizes.fold(Size::Bounded, |largest, size| if rank(size) > rank(largest) { size } else { largest })
}

const fn rank(size: Size) -> u32 {
    match size {
        Size::Bounded => 0,
        Size::Unknown => 1,
        Size::Given => 2,
        Size::Requested => 3,
        Size::Answered => 4,
        Size::Outside => 5,
    }
}

/// A comprehension has at most as many elements as what it goes through; one that picks by a condition has mostly few of them.
fn comprehension(ctx: &Context<'_>, function: FunctionId, value: ExprId, left: u32) -> Size {
    let events = &ctx.module.function(function).events;
    let sources = events.iter().enumerate().filter_map(|(at, event)| match *event {
        Event::Loop(Some(source)) if ctx.module.parent(source) == Some(value) => Some((at, source)),
        _ => None,
    });
    largest(sources.map(|(at, source)| match size_of(ctx, function, source, left) {
        Size::Outside | Size::Answered if picks(ctx, value, &events[at..]) => Size::Unknown,
        size => size,
    }))
}

/// The comprehension, whose loop begins these events, has a condition that is more than whether there is an element.
fn picks(ctx: &Context<'_>, comprehension: ExprId, events: &[Event]) -> bool {
    let is_condition = |operand: ExprId| {
        let within = std::iter::successors(Some(operand), |inner| ctx.module.parent(*inner));
        let mut members = within.take_while(|inner| *inner != comprehension);
        members.any(|inner| {
            ctx.module.parent(inner) == Some(comprehension)
                && ctx.module.role(inner) == Role::Condition
                && !matches!(ctx.module.expr(inner), Expr::Name(..) | Expr::Attr(..))
        })
    };
    events.iter().skip(1).take_while(|event| !matches!(event, Event::EndLoop)).any(|event| match *event {
        Event::Read(operand) | Event::ReadPlace(operand) | Event::Call(operand) => is_condition(operand),
        _ => false,
    })
}

/// What somebody else answers, unless its name says that it asks for few.
fn awaited(ctx: &Context<'_>, function: FunctionId, inner: ExprId) -> Size {
    let Expr::Call(callee, _) = ctx.module.expr(inner) else { return Size::Unknown };
    if takes_part(ctx, callee) || asks_for_few(ctx, inner) || asks_configuration(ctx, callee) {
        return Size::Bounded;
    }
    let site = ctx.program.site(ctx.function_ref(function), inner);
    match site.map(|site| site.callee) {
        Some(Type::Function(target) | Type::Method(target, _)) if gives_what_is_written(ctx, target) => Size::Bounded,
        Some(callee) => answered(ctx, callee),
        None => Size::Unknown,
    }
}

/// A library that crosses the network brings what is there; others may ask anybody.
fn answered(ctx: &Context<'_>, callee: Type) -> Size {
    if ctx.program.model_of(callee).is_some_and(|model| model.network) { Size::Outside } else { Size::Answered }
}

/// A function of the program that returns displays of its own and slices only.
fn gives_what_is_written(ctx: &Context<'_>, target: FunctionRef) -> bool {
    let module = ctx.program.module(target.file);
    let body = module.function(target.id);
    let is_written = |value: &ExprId| match module.expr(*value) {
        Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) | Expr::Literal(_) => true,
        Expr::Subscript(_, key) => matches!(module.expr(key), Expr::Operation(_)),
        _ => false,
    };
    !body.return_values.is_empty() && body.return_values.iter().all(is_written)
}

/// An argument says how many are wanted at most: `search(…, limit=100)`.
fn asks_for_few(ctx: &Context<'_>, call: ExprId) -> bool {
    ctx.evaluator.args(call).iter().any(|arg| match arg.kind {
        ArgKind::Named(name) => {
            ["limit", "page_size", "per_page", "top_k", "max_"].iter().any(|word| name.as_str().contains(word))
        }
        _ => false,
    })
}

/// Somebody wrote down what is answered: `await Config.get("urls")`.
fn asks_configuration(ctx: &Context<'_>, callee: ExprId) -> bool {
    let text = ctx.program.path_text(ctx.file, callee).to_ascii_lowercase();
    ["config", "setting"].iter().any(|word| text.contains(word))
}

/// The callee's name says that it gives a part: chunks, a sample, the first few.
fn takes_part(ctx: &Context<'_>, callee: ExprId) -> bool {
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = ctx.module.expr(callee) else { return false };
    let name = name.as_str().to_ascii_lowercase();
    [
        "chunk",
        "batch",
        "sample",
        "islice",
        "choices",
        "partition",
        "top_",
        "nlargest",
        "nsmallest",
        "take",
        "most_common",
    ]
    .iter()
    .any(|word| name.contains(word))
}

fn called(ctx: &Context<'_>, function: FunctionId, call: ExprId, callee: ExprId, left: u32) -> Size {
    let args = ctx.evaluator.args(call);
    let of_first = || args.first().map_or(Size::Bounded, |arg| size_of(ctx, function, arg.value, left));
    match ctx.module.expr(callee) {
        _ if takes_part(ctx, callee) => Size::Bounded,
        Expr::Name(name, _) => match name.as_str() {
            "range" => counted(ctx, function, call, left),
            "list" | "set" | "tuple" | "sorted" | "reversed" | "enumerate" | "iter" | "dict" | "frozenset"
            | "deque" => of_first(),
            "filter" | "map" => args.get(1).map_or(Size::Unknown, |arg| size_of(ctx, function, arg.value, left)),
            "zip" => {
                let sizes = args.iter().map(|arg| size_of(ctx, function, arg.value, left));
                sizes.min_by_key(|size| rank(*size)).unwrap_or(Size::Bounded)
            }
            _ => Size::Unknown,
        },
        Expr::Attr(base, method) => match method.as_str() {
            "items" | "values" | "keys" | "copy" => size_of(ctx, function, base, left),
            "split" | "splitlines" | "readlines" | "iterdir" | "glob" | "rglob" | "fetchall" | "scalars" | "all"
            | "find_all" | "findall" | "json" | "loads" | "listdir" => Size::Outside,
            "from_iterable" => of_first(),
            _ => match size_of(ctx, function, base, left) {
                size @ (Size::Outside | Size::Answered) => size,
                _ => Size::Unknown,
            },
        },
        _ => Size::Unknown,
    }
}

/// `range(…)`: somebody chose the number, unless it is the length of something.
fn counted(ctx: &Context<'_>, function: FunctionId, call: ExprId, left: u32) -> Size {
    let [only] = ctx.evaluator.args(call) else { return Size::Bounded };
    match ctx.module.expr(only.value) {
        Expr::Call(callee, _) if matches!(ctx.module.expr(callee), Expr::Name(name, _) if name.as_str() == "len") => {
            let of = ctx.evaluator.args(only.value).first();
            of.map_or(Size::Bounded, |of| size_of(ctx, function, of.value, left))
        }
        _ => Size::Bounded,
    }
}

fn named(ctx: &Context<'_>, function: FunctionId, name: Name, defs: Defs, left: u32) -> Size {
    match defs {
        Defs::Outer => outer(ctx, function, name, left),
        Defs::Nothing => Size::Unknown,
        _ => {
            let bindings = ctx.module.defs(&defs);
            let grown = bindings.iter().filter_map(|binding| grown_by(ctx, function, *binding, left));
            largest(bindings.iter().map(|binding| bound(ctx, *binding, left)).chain(grown))
        }
    }
}

/// What is appended to a local list in a loop: as much as the loop goes through.
fn grown_by(ctx: &Context<'_>, function: FunctionId, binding: BindingId, left: u32) -> Option<Size> {
    let appends = |read: ExprId| {
        let member = ctx.module.parent(read)?;
        let Expr::Attr(_, method) = ctx.module.expr(member) else { return None };
        let call = ctx.module.parent(member)?;
        match method.as_str() {
            "append" | "add" => Some((call, None)),
            "extend" | "update" => Some((call, ctx.evaluator.args(call).first().map(|arg| arg.value))),
            _ => None,
        }
    };
    let calls: Vec<(ExprId, Option<ExprId>)> =
        ctx.reads_of(binding).iter().filter_map(|(_, read)| appends(*read)).collect();
    if calls.is_empty() {
        return None;
    }
    let mut open: Vec<Option<ExprId>> = Vec::new();
    let mut sizes = Vec::new();
    for event in &ctx.module.function(function).events {
        match *event {
            Event::Loop(source) => open.push(source),
            Event::EndLoop => {
                open.pop();
            }
            Event::Call(call) => {
                if let Some((_, extension)) = calls.iter().find(|(append, _)| *append == call) {
                    let iterated = open.iter().flatten().filter(|source| ctx.module.role(**source) == Role::Iterated);
                    sizes.extend(iterated.map(|source| size_of(ctx, function, *source, left)));
                    sizes.extend(extension.map(|value| size_of(ctx, function, value, left)));
                }
            }
            _ => {}
        }
    }
    Some(largest(sizes.into_iter()))
}

fn outer(ctx: &Context<'_>, function: FunctionId, name: Name, left: u32) -> Size {
    let value = ctx.evaluator.scope_of(function, name);
    let Some((owner, symbol)) = value else {
        return Size::Unknown;
    };
    let symbol = &ctx.module.function(owner).symbols[symbol.index()];
    // What is kept for longer than the call is a table that somebody set up.
    if owner == FunctionId(0) {
        let is_written = symbol.bindings.iter().all(|binding| bound(ctx, *binding, left) == Size::Bounded);
        return if is_written { Size::Bounded } else { Size::Unknown };
    }
    largest(symbol.bindings.iter().map(|binding| bound(ctx, *binding, left)))
}

fn bound(ctx: &Context<'_>, binding: BindingId, left: u32) -> Size {
    let bound = ctx.module.bindings[binding.index()];
    match bound.kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => size_of(ctx, bound.within, value, left),
        BindingKind::Param(position) => given(ctx, bound.within, position as usize, left),
        // An enumeration has as many members as were written.
        BindingKind::Class(_) => Size::Bounded,
        BindingKind::Import(_) | BindingKind::ImportMember(..) => Size::Unknown,
        // A batch, a group: what an outer loop goes through was made in parts.
        BindingKind::Element(_) | BindingKind::ElementPart(..) => Size::Bounded,
        BindingKind::Part(value, _) => match size_of(ctx, bound.within, value, left) {
            Size::Outside | Size::Answered => Size::Unknown,
            size => size,
        },
        _ => Size::Unknown,
    }
}

/// What callers give for a parameter.
fn given(ctx: &Context<'_>, function: FunctionId, position: usize, left: u32) -> Size {
    let body = ctx.module.function(function);
    let param = body.params[position];
    if matches!(param.kind, ParamKind::Rest | ParamKind::RestNamed) || !may_be_many(ctx, function, position) {
        return Size::Unknown;
    }
    let this = ctx.function_ref(function);
    if ctx.program.entries.get(&this).is_some_and(|entry| serves_users(entry.entry.serves)) {
        return Size::Requested;
    }
    let skipped = usize::from(body.class.is_some() && body.kind == FunctionKind::Function);
    let callers = ctx.program.summaries.callers.of(this);
    let mut sizes: Vec<Size> = Vec::new();
    for (caller, site, _) in callers {
        // Other files' values are looked at one step deep: through an evaluator's context of their own.
        let evaluator = ctx.program.evaluator(caller.file);
        let given = evaluator.given(*site, position.saturating_sub(skipped), param.name);
        sizes.push(match given {
            Some(value) if caller.file == ctx.file => size_of(ctx, caller.id, value, left),
            Some(value) => elsewhere(ctx, *caller, value),
            None => Size::Given,
        });
    }
    match largest(sizes.iter().copied()) {
        _ if sizes.is_empty() => Size::Given,
        Size::Unknown => Size::Unknown,
        size => size,
    }
}

/// The size of a caller's argument in another file, as far as it is plain to see.
fn elsewhere(ctx: &Context<'_>, caller: FunctionRef, value: ExprId) -> Size {
    let module = ctx.program.module(caller.file);
    match module.expr(value) {
        Expr::List(_) | Expr::Tuple(_) | Expr::Set(_) | Expr::Map(_) | Expr::Literal(_) => Size::Bounded,
        Expr::Await(_) => Size::Answered,
        Expr::Attr(..) => Size::Unknown,
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => match module.expr(value) {
                Expr::List(list) | Expr::Tuple(list) if list.len > 0 => Size::Bounded,
                Expr::Await(_) => Size::Answered,
                _ => Size::Unknown,
            },
            BindingKind::Param(_) => Size::Given,
            _ => Size::Unknown,
        },
        _ => Size::Unknown,
    }
}

const fn serves_users(serves: Serves) -> bool {
    matches!(serves, Serves::Request | Serves::Event | Serves::Tool | Serves::Job)
}

/// The parameter is declared as a collection, or not declared.
fn may_be_many(ctx: &Context<'_>, function: FunctionId, position: usize) -> bool {
    let body = ctx.module.function(function);
    let Some(annotation) = body.params[position].annotation else { return true };
    let declared = ctx.evaluator.annotation(body.parent.unwrap_or(FunctionId(0)), annotation);
    declared.members().iter().any(|member| {
        matches!(member, Type::Collection(_) | Type::Mapping(_) | Type::Generator(_) | Type::Unknown(_))
            || matches!(member, Type::ExternalInstance(path, _) if path.last_segment().starts_with(char::is_uppercase)
                && ctx.program.models().class(*path).is_none())
    })
}

/// A member of an object: of a request's data it is as large as the client likes, else it was set up with the object.
fn member(ctx: &Context<'_>, function: FunctionId, base: ExprId) -> Size {
    let this = ctx.function_ref(function);
    let is_served = ctx.program.entries.get(&this).is_some_and(|entry| serves_users(entry.entry.serves));
    let is_data = |value: Type| {
        match value {
        Type::Instance(class, _) => ctx.program.lineage(class).any(|base| {
            matches!(base, Type::External(path) if ctx.program.models().kind(path) == Some(ClassKind::DataModel))
        }),
        _ => false,
    }
    };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(base) else { return Size::Unknown };
    let is_param = matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Param(_));
    if is_served && is_param && is_data(ctx.evaluator.eval(function, base)) { Size::Requested } else { Size::Unknown }
}

/// The function compares the length of the value with something.
pub(crate) fn is_measured(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    let text = ctx.program.path_text(ctx.file, value);
    ctx.module.function(function).events.iter().any(|event| {
        let Event::Call(call) = *event else { return false };
        let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
        let is_length = matches!(ctx.module.expr(callee), Expr::Name(name, _) if name.as_str() == "len");
        is_length
            && ctx.module.role(call) == racewalk_ir::Role::Compared
            && !is_compared_with_nothing(ctx, call)
            && ctx.evaluator.args(call).first().is_some_and(|arg| ctx.program.path_text(ctx.file, arg.value) == text)
    })
}

/// `len(x) == 0`, `len(x) > 1`: whether there are any, or several.
fn is_compared_with_nothing(ctx: &Context<'_>, call: ExprId) -> bool {
    let Some(parent) = ctx.module.parent(call) else { return false };
    let (Expr::Compare(list) | Expr::Equality(list)) = ctx.module.expr(parent) else { return false };
    ctx.module.list(list).iter().any(|operand| matches!(ctx.module.expr(*operand), Expr::Literal(Literal::Int(0 | 1))))
}

//! Weight: how much others are held up by a call that blocks, as far as the code tells.

use crate::context::Context;
use crate::looping::{is_command_module, is_side_module, is_test_module};
use racewalk_ir::{Arg, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Name};
use racewalk_link::{FunctionRef, Sink, Type, is_certain, sleeps_at_most};
use racewalk_models::{Blocks, Serves};
use racewalk_report::Confidence;

/// The function prepares an object or a program, by its name, and is done once before anybody asks for anything.
fn prepares(name: Name) -> bool {
    let name = name.as_str().trim_start_matches('_');
    let name = name.strip_prefix("async_").unwrap_or(name);
    matches!(
        name,
        "initialize" | "initialise" | "setup" | "set_up" | "startup" | "start_up" | "on_startup" | "bootstrap"
    )
}

/// Held up or not, nobody waits: the function runs for a test, before anything is served, or as the only task of a program
/// that runs once.
pub(super) fn holds_up_nobody(ctx: &Context<'_>, function: FunctionId) -> bool {
    let module = ctx.module.name.as_str();
    is_test_module(module)
        || ctx.shared.alone.contains(&ctx.function_ref(function))
        || is_unused(ctx, function)
        || ctx.module.language.has_one_thread && !serves_requests(ctx, function)
        || ((is_command_module(module) || is_side_module(module)) && !serves_requests(ctx, function))
        || prepares(ctx.module.function(function).name)
}

/// A function that nobody calls, imports, mentions or decorates, of a module that the program does use. Methods are looked up by
/// name more often than that, and a library's are there for others; a module that nobody imports may be one that somebody shows.
fn is_unused(ctx: &Context<'_>, function: FunctionId) -> bool {
    let body = ctx.module.function(function);
    body.kind == FunctionKind::Function
        && body.class.is_none()
        && body.parent == Some(FunctionId(0))
        && body.decorators.is_empty()
        && ctx.program.summaries.callers.of(ctx.function_ref(function)).is_empty()
        && ctx.is_imported()
        && !ctx.is_mentioned(body.name)
}

/// The call stands before the first suspension point of what begins the only work of a loop.
pub(super) fn is_at_beginning(ctx: &Context<'_>, function: FunctionId, site: ExprId) -> bool {
    let events = &ctx.module.function(function).events;
    let is_site = |event: &Event| matches!(event, Event::Call(at) | Event::ReadPlace(at) | Event::Enter(_, at) | Event::Loop(Some(at)) if *at == site);
    ctx.shared.beginnings.contains(&ctx.function_ref(function))
        && events.iter().take_while(|event| !matches!(event, Event::Suspend(..))).any(is_site)
}

/// Work on one file is small, unless it stores the bytes that somebody brings or takes in such a file for a request, and so is
/// what a connection to a database file does; a tree of files and a person hold up nobody where no request is served; a thread
/// or a piece of work that was started elsewhere has mostly ended when somebody waits for it.
pub(super) fn is_small(ctx: &Context<'_>, function: FunctionId, blocks: Blocks, sink: &Sink) -> bool {
    match blocks {
        Blocks::File => {
            let is_repeated = || is_in_loop(ctx, function, sink.site) && serves_requests(ctx, function);
            // What a handler stores itself is one upload, which is rare and mostly small.
            let stores = || {
                serves_requests(ctx, function) && !is_handler(ctx, function) && stores_bytes(ctx, function, sink.site)
            };
            // There is no other thread that could serve somebody meanwhile.
            let holds_up_all = || ctx.module.language.has_one_thread && is_handler(ctx, function);
            let reads = || (is_handler(ctx, function) || is_repeated()) && reads_bytes(ctx, function, sink.site);
            !stores() && !reads() && !holds_up_all()
        }
        Blocks::Input => !serves_requests(ctx, function),
        Blocks::Disk => !serves_requests(ctx, function) || works_on_new_directory(ctx, function, sink.site),
        Blocks::Network => opens_data(ctx, function, sink),
        Blocks::Thread => {
            is_method(sink) && (!is_receiver_made_here(ctx, sink.site) || has_waited_before(ctx, function, sink.site))
        }
        // Opening it takes no time; what it is asked then may.
        Blocks::LocalDatabase => !is_method(sink) || !is_receiver_made_here(ctx, sink.site),
        _ => false,
    }
}

fn is_method(sink: &Sink) -> bool {
    sink.callee.members().iter().any(|callee| matches!(callee, Type::ExternalMethod(..)))
}

/// The function itself is what a request, event, tool call or job gets to.
fn is_handler(ctx: &Context<'_>, function: FunctionId) -> bool {
    let entry = ctx.program.entry_runs(ctx.function_ref(function));
    matches!(entry, Some((Serves::Request | Serves::Event | Serves::Tool | Serves::Job, _)))
}

/// What the method is called on is made by a call in the same function: a thread that has just been started, a connection
/// that has just been opened, work that has just been handed out.
fn is_receiver_made_here(ctx: &Context<'_>, call: ExprId) -> bool {
    let mut current = call;
    loop {
        current = match ctx.module.expr(current) {
            Expr::Call(..) if current != call => return true,
            Expr::Call(callee, _) => callee,
            Expr::Attr(base, _) => base,
            Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
                BindingKind::Value(made) | BindingKind::Context(made) => {
                    return matches!(ctx.module.expr(made), Expr::Call(..));
                }
                _ => return false,
            },
            _ => return false,
        };
    }
}

/// The first argument is a directory that the function itself has made, which holds what it has put there.
fn works_on_new_directory(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    const DEEPEST: u32 = 5;
    ctx.evaluator.args(call).first().is_some_and(|arg| is_new_directory(ctx, function, arg.value, DEEPEST))
}

fn is_new_directory(ctx: &Context<'_>, function: FunctionId, value: ExprId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let again = |value: ExprId| is_new_directory(ctx, function, value, depth);
    match ctx.module.expr(value) {
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => again(value),
            _ => false,
        },
        Expr::Call(..) => {
            let site = ctx.program.site(ctx.function_ref(function), value);
            site.is_some_and(|site| ctx.program.models_at(site).any(|model| model.makes_directory))
                || ctx.evaluator.args(value).first().is_some_and(|arg| again(arg.value))
        }
        Expr::Await(inner) => again(inner),
        _ => false,
    }
}

/// Between the making of what the method is called on and the call the function has waited for something, or gone through a loop:
/// the work has mostly ended by then.
fn has_waited_before(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Attr(receiver, _) = ctx.module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(receiver) else { return false };
    let events = &ctx.module.function(function).events;
    let between = events.iter().skip_while(|event| **event != Event::Bind(binding));
    let mut between = between.take_while(|event| **event != Event::Call(call));
    between.any(|event| matches!(event, Event::Suspend(..) | Event::Loop(_)))
}

/// What a helper does with files is mostly small, unless it is done again and again; and a helper that waits for a thread
/// mostly waits for one that has finished, unless the wait is for work on a loop, which may be this one. Where no request gets
/// to, a database is as often as not a file of this machine, and nobody else is on the loop.
pub(super) fn is_mild_through_helpers(
    ctx: &Context<'_>,
    function: FunctionId,
    site: ExprId,
    sink: &Sink,
    blocks: Blocks,
) -> bool {
    match blocks {
        Blocks::Disk => !is_in_loop(ctx, function, site),
        Blocks::Database => !serves_requests(ctx, function) && !connects(sink),
        Blocks::Input => !serves_requests(ctx, function),
        Blocks::Network => looks_up_name(sink) && !serves_requests(ctx, function) || opens_data(ctx, function, sink),
        Blocks::Sleep => is_short(ctx, sink) && !is_in_loop(ctx, function, site),
        Blocks::Thread => !ctx.program.sites(sink.function).iter().any(|other| {
            let model = ctx.program.model_of(other.callee);
            model.is_some_and(|model| model.spawns.is_some() || model.offloads.is_some() || model.runs_loop)
        }),
        _ => false,
    }
}

/// It is mostly over within milliseconds; what a request asks for on the disk may be large.
pub(super) fn is_mostly_short(ctx: &Context<'_>, function: FunctionId, sink: &Sink, blocks: Blocks) -> bool {
    ctx.program.model_of(sink.callee).is_some_and(|model| model.mostly_short)
        && (blocks != Blocks::Disk || !serves_requests(ctx, function))
}

/// A connection is opened, which waits for another machine.
fn connects(sink: &Sink) -> bool {
    matches!(sink.callee, Type::External(path) if path.last_segment().contains("connect"))
}

/// A name is looked up: mostly once, when something begins, and of an address or of this machine.
fn looks_up_name(sink: &Sink) -> bool {
    matches!(sink.callee, Type::External(path)
        if matches!(path.last_segment(), "getaddrinfo" | "gethostbyname" | "gethostbyaddr" | "getfqdn"))
}

/// The function, or the one with the sink, asks whether an address begins with `data:`: what is opened lies in memory.
fn opens_data(ctx: &Context<'_>, function: FunctionId, sink: &Sink) -> bool {
    let asks = |function: FunctionRef| {
        let module = ctx.program.module(function.file);
        ctx.program.sites(function).iter().any(|site| {
            let Expr::Call(callee, args) = module.expr(site.call) else { return false };
            matches!(module.expr(callee), Expr::Attr(_, method) if method.as_str() == "startswith")
                && module.args(args).iter().any(|arg| {
                    matches!(module.expr(arg.value), Expr::Literal(Literal::Str(text)) if text.as_str() == "data:")
                })
        })
    };
    let this = ctx.function_ref(function);
    let callers = ctx.program.summaries.callers.of(this);
    asks(this) || asks(sink.function) || !callers.is_empty() && callers.iter().all(|(caller, ..)| asks(*caller))
}

/// A sleep of at most a tenth of a second.
fn is_short(ctx: &Context<'_>, sink: &Sink) -> bool {
    const LONGEST: i32 = 100;
    sleeps_at_most(ctx.program.module(sink.function.file), sink.site, LONGEST)
}

/// What somebody brings is written to a file of bytes in one go. Text that a program keeps for itself is mostly short, and so
/// is a piece that is written before the next one is awaited.
fn stores_bytes(ctx: &Context<'_>, function: FunctionId, opened: ExprId) -> bool {
    let brings = |call: ExprId| {
        ctx.evaluator.args(call).first().is_some_and(|written| comes_from_parameter(ctx, written.value, 6))
    };
    if is_method_called(ctx, opened, "write_bytes") {
        return brings(opened);
    }
    let stores = |call: ExprId| {
        is_method_called(ctx, call, "write") && brings(call) && !is_between_suspensions(ctx, function, call)
    };
    opens_bytes(ctx, opened) && uses_of_handle(ctx, function, opened).into_iter().any(stores)
}

/// A whole file of bytes is read: an image, a recording, an archive.
fn reads_bytes(ctx: &Context<'_>, function: FunctionId, opened: ExprId) -> bool {
    let reads_all = |call: ExprId| is_method_called(ctx, call, "read") && ctx.evaluator.args(call).is_empty();
    is_method_called(ctx, opened, "read_bytes")
        || opens_bytes(ctx, opened) && uses_of_handle(ctx, function, opened).into_iter().any(reads_all)
}

fn is_method_called(ctx: &Context<'_>, call: ExprId, name: &str) -> bool {
    match ctx.module.expr(call) {
        Expr::Call(callee, _) => matches!(ctx.module.expr(callee), Expr::Attr(_, method) if method.as_str() == name),
        _ => false,
    }
}

/// `open(path, "wb")`
fn opens_bytes(ctx: &Context<'_>, opened: ExprId) -> bool {
    let is_binary = |arg: &Arg| match ctx.module.expr(arg.value) {
        Expr::Literal(Literal::Str(mode)) => mode.as_str().len() <= 3 && mode.as_str().contains('b'),
        _ => false,
    };
    ctx.evaluator.args(opened).iter().any(is_binary)
}

/// The innermost loop around the call suspends, too.
fn is_between_suspensions(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let mut loops: Vec<(bool, bool)> = Vec::new();
    for event in &ctx.module.function(function).events {
        match *event {
            Event::Loop(_) => loops.push((false, false)),
            Event::Call(at) if at == call => {
                if let Some((_, is_around)) = loops.last_mut() {
                    *is_around = true;
                }
            }
            Event::Suspend(..) => {
                if let Some((suspends, _)) = loops.last_mut() {
                    *suspends = true;
                }
            }
            Event::EndLoop if loops.pop() == Some((true, true)) => return true,
            _ => {}
        }
    }
    false
}

/// The calls of a file's methods, and those that are given the file.
fn uses_of_handle(ctx: &Context<'_>, function: FunctionId, opened: ExprId) -> Vec<ExprId> {
    let is_handle = |expr: ExprId| match ctx.module.expr(expr) {
        Expr::Name(_, Defs::One(binding)) => matches!(ctx.module.bindings[binding.index()].kind,
            BindingKind::Context(made) | BindingKind::Value(made) if made == opened),
        _ => expr == opened,
    };
    let uses = |call: &ExprId| match ctx.module.expr(*call) {
        Expr::Call(callee, _) => {
            matches!(ctx.module.expr(callee), Expr::Attr(handle, _) if is_handle(handle))
                || ctx.evaluator.args(*call).first().is_some_and(|arg| is_handle(arg.value))
                    && reads_at_once(ctx, function, *call)
        }
        _ => false,
    };
    ctx.program.sites(ctx.function_ref(function)).iter().map(|site| site.call).filter(uses).collect()
}

/// A loader that is known to read what it is given at once: `json.load(handle)`.
fn reads_at_once(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let callee = ctx.program.site(ctx.function_ref(function), call).map(|site| site.callee);
    matches!(callee, Some(Type::External(path)) if matches!(path.last_segment(), "load" | "dump" | "safe_load" | "reader"))
}

/// The expression is made of a parameter, through locals, members and calls.
fn comes_from_parameter(ctx: &Context<'_>, expr: ExprId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let module = ctx.module;
    let any = |list| module.list(list).iter().any(|operand| comes_from_parameter(ctx, *operand, depth));
    match module.expr(expr) {
        Expr::Name(name, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Param(_) => !matches!(name.as_str(), "self" | "cls"),
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) | BindingKind::Element(value) => {
                comes_from_parameter(ctx, value, depth)
            }
            _ => false,
        },
        Expr::Call(callee, args) => {
            module.args(args).iter().any(|arg| comes_from_parameter(ctx, arg.value, depth))
                || comes_from_parameter(ctx, callee, depth)
        }
        Expr::Attr(base, _) | Expr::Subscript(base, _) | Expr::Await(base) => comes_from_parameter(ctx, base, depth),
        Expr::Operation(list) | Expr::Format(list) | Expr::Logical(list, _) | Expr::Choice(list) => any(list),
        _ => false,
    }
}

fn is_in_loop(ctx: &Context<'_>, function: FunctionId, site: ExprId) -> bool {
    let mut loops = 0;
    for event in &ctx.module.function(function).events {
        match event {
            Event::Loop(_) => loops += 1,
            Event::EndLoop => loops -= 1,
            Event::Call(call) | Event::ReadPlace(call) if *call == site => return loops > 0,
            _ => {}
        }
    }
    false
}

/// How sure it is that a call of this kind holds up others, where it is not small: how long files, database files and
/// computations take depends on what they are given.
pub(super) fn confidence(ctx: &Context<'_>, function: FunctionId, blocks: Blocks, is_direct: bool) -> Confidence {
    if holds_up_nobody(ctx, function) {
        return Confidence::Possible;
    }
    if is_certain(blocks) {
        return if is_direct { Confidence::Certain } else { Confidence::Likely };
    }
    match blocks {
        Blocks::File | Blocks::LocalDatabase | Blocks::Cpu if is_direct => Confidence::Likely,
        // What computes for a request holds up all others, however far down it stands.
        Blocks::Cpu if ctx.module.language.has_one_thread => Confidence::Likely,
        _ => Confidence::Possible,
    }
}

/// A request, event, tool call or job gets to this function.
fn serves_requests(ctx: &Context<'_>, function: FunctionId) -> bool {
    let this = ctx.function_ref(function);
    ctx.program.summaries.reached_from.contains_key(&this)
}

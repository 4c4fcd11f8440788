//! The part of share/lost-update that is about places outside the process: a file, or an entry of a store, is loaded, and saved with a
//! change after a wait.

use super::{is_held_by_callers, other_text};
use crate::context::Context;
use crate::finding::{Finding, Step, Witness};
use crate::looping::{is_command_module, is_side_module, is_test_module};
use crate::race::overlap::{Evidence, Overlap};
use crate::race::tasks::follows;
use crate::rule::Rule;
use crate::stored::{Kind, Operation, Slot, is_same_slot};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, FunctionKind, Name, Span, SuspendKind};
use racewalk_link::How;
use racewalk_report::Confidence;
use rustc_hash::FxHashSet;

/// A place that is loaded, changed and saved.
struct WrittenBack {
    load: Operation,
    save: Operation,
}

/// The findings of a file.
pub(crate) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    for function in ctx.functions().filter(|function| ctx.module.function(*function).is_async) {
        if let Some(written) = written_back(ctx, function) {
            ctx.report(function, finding(ctx, rule, function, &written), found);
        }
    }
}

/// The first place that the function writes back, with nothing that would keep others out.
fn written_back(ctx: &Context<'_>, function: FunctionId) -> Option<WrittenBack> {
    let operations = ctx.shared.stored.of(ctx.function_ref(function));
    let loads = operations.iter().filter(|operation| operation.kind == Kind::Load);
    let pairs = loads.flat_map(|load| operations.iter().map(|save| (*load, *save)));
    let mut candidates = pairs.filter(|(load, save)| {
        save.kind != Kind::Load && load.call != save.call && is_same_slot(ctx.module, load.slot, save.slot)
    });
    let (load, save) = candidates.find(|(load, save)| is_open(ctx, function, *load, *save))?;
    (!is_guarded(ctx, function, load, save)).then_some(WrittenBack { load, save })
}

/// What is saved is made of what was loaded, and the function waits in between.
fn is_open(ctx: &Context<'_>, function: FunctionId, load: Operation, save: Operation) -> bool {
    let events = &ctx.module.function(function).events;
    let position = |call: ExprId| events.iter().position(|event| *event == Event::Call(call));
    let (Some(from), Some(to)) = (position(load.call), position(save.call)) else { return false };
    if from >= to || !follows(events, from, to) || is_temporary(ctx, load.slot) {
        return false;
    }
    let is_of = |event: &Event, call: ExprId| matches!(*event, Event::Suspend(_, operand) if operand == call);
    let loaded = events[from..to].iter().position(|event| is_of(event, load.call)).map_or(from, |at| from + at);
    let saved = events[to..].iter().position(|event| is_of(event, save.call)).map_or(to, |at| to + at);
    let waits = |event: &Event| matches!(*event, Event::Suspend(kind, _) if kind != SuspendKind::Yield);
    events[loaded + 1..=saved].iter().any(waits) && is_made_of(ctx, function, load.call, save)
}

/// The value that is saved mentions what was loaded, or something made of it.
fn is_made_of(ctx: &Context<'_>, function: FunctionId, load: ExprId, save: Operation) -> bool {
    const LONGEST: usize = 4;
    let mut made: FxHashSet<Name> = FxHashSet::default();
    let bindings = ctx.module.bindings.iter().filter(|binding| binding.owner == function);
    let sources = bindings.filter_map(|binding| {
        let name = ctx.module.function(function).symbols[binding.symbol.index()].name;
        binding.kind.source().map(|source| (name, ctx.module.span(source)))
    });
    let sources: Vec<(Name, Span)> = sources.collect();
    let loaded = ctx.module.span(load);
    made.extend(sources.iter().filter(|(_, span)| span.contains(loaded)).map(|(name, _)| *name));
    for _ in 0..LONGEST {
        let new: Vec<Name> = sources
            .iter()
            .filter(|(name, span)| !made.contains(name) && mentions(ctx, function, *span, &made))
            .map(|(name, _)| *name)
            .collect();
        if new.is_empty() {
            break;
        }
        made.extend(new);
    }
    let value = match save.kind {
        Kind::Save(Some(value)) => value,
        _ => save.call,
    };
    mentions(ctx, function, ctx.module.span(value), &made)
}

/// One of the names is read within the span.
fn mentions(ctx: &Context<'_>, function: FunctionId, span: Span, names: &FxHashSet<Name>) -> bool {
    ctx.module.function(function).events.iter().any(|event| match *event {
        Event::Read(read) => {
            matches!(ctx.module.expr(read), Expr::Name(name, _) if names.contains(&name))
                && span.contains(ctx.module.span(read))
        }
        _ => false,
    })
}

/// By its name the place is the call's own.
fn is_temporary(ctx: &Context<'_>, slot: Slot) -> bool {
    let Slot::Here(expr) = slot else { return false };
    let text = ctx.program.path_text(ctx.file, expr).to_ascii_lowercase();
    ["tmp", "temp", "uuid", "random"].iter().any(|word| text.contains(word))
}

/// A lock is held from the one to the other: here, by callers, or by what the function is handed to or calls before.
fn is_guarded(ctx: &Context<'_>, function: FunctionId, load: Operation, save: Operation) -> bool {
    let this = ctx.function_ref(function);
    let locks = &ctx.shared.race.locks;
    let is_held = locks.is_held_at(ctx.program, this, load.call) && locks.is_held_at(ctx.program, this, save.call);
    let before = ctx.module.span(save.call).start;
    let takes_lock = ctx.program.sites(this).iter().any(|site| {
        ctx.module.span(site.call).start < before && names_lock(&ctx.program.callee_text(ctx.file, site.call))
    });
    is_held || takes_lock || is_handed_to_lock(ctx, function, 3) || is_held_by_callers(ctx, this, 5)
}

/// The name is that of something which lets one through at a time, or undoes what did not hold.
fn names_lock(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["lock", "mutex", "exclusive", "serial", "semaphore", "transaction", "atomically", "queue", "chain", "watch"]
        .iter()
        .any(|word| name.contains(word))
}

/// The function stands among the arguments of such a call, or is called by such functions only.
fn is_handed_to_lock(ctx: &Context<'_>, function: FunctionId, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    let span = ctx.module.function(function).span;
    let body = ctx.module.function(function);
    let is_around = body.kind == FunctionKind::Lambda || body.parent.is_some_and(|parent| parent != FunctionId(0));
    let around = body.parent.map(|parent| ctx.function_ref(parent));
    let handed = is_around
        && around.is_some_and(|around| {
            ctx.program.sites(around).iter().any(|site| {
                ctx.module.span(site.call).contains(span) && names_lock(&ctx.program.callee_text(ctx.file, site.call))
            })
        });
    let callers = ctx.program.summaries.callers.of(ctx.function_ref(function));
    let by_locked = || {
        !callers.is_empty()
            && callers.iter().all(|(caller, _, how)| {
                *how == How::Calls && caller.file == ctx.file && is_handed_to_lock(ctx, caller.id, left)
            })
    };
    handed || by_locked()
}

/// How sure it is that two of them are under way at the same time, for the same place.
fn confidence(ctx: &Context<'_>, function: FunctionId, written: &WrittenBack, overlap: Option<Overlap>) -> Confidence {
    const FROM_HANDLER: u32 = 3;
    let module = ctx.module.name.as_str();
    let is_aside = is_side_module(module) || is_test_module(module) || is_command_module(module);
    if is_aside || mends_what_it_loads(ctx, function) {
        return Confidence::Possible;
    }
    let is_sure = match overlap.map(|overlap| (overlap.evidence, overlap)) {
        Some((Evidence::Served(_), overlap)) => overlap.distance <= FROM_HANDLER,
        Some((Evidence::Spawned(..), _)) => matches!(written.load.slot, Slot::Variable(_)),
        Some((Evidence::Beside(..) | Evidence::ForTasks, _)) => false,
        None => is_changed_elsewhere(ctx, function, written.load.slot),
    };
    if is_sure { Confidence::Likely } else { Confidence::Possible }
}

/// By its name the function loads: what it saves is what it has found wrong, once.
fn mends_what_it_loads(ctx: &Context<'_>, function: FunctionId) -> bool {
    let name = ctx.module.function(function).name.as_str().to_ascii_lowercase();
    ["load", "read", "get", "fetch"].iter().any(|word| name.trim_start_matches(['_', 'r', 'a', 'w']).starts_with(word))
        || name.contains("migrat")
}

/// Several other functions write the same place back: it is the program's memory, which whoever comes may change.
fn is_changed_elsewhere(ctx: &Context<'_>, function: FunctionId, slot: Slot) -> bool {
    const SEVERAL: usize = 2;
    let Slot::Variable(_) = slot else { return false };
    let others = ctx.functions().filter(|other| *other != function && ctx.module.function(*other).is_async);
    let changing = others.filter(|other| {
        let operations = ctx.shared.stored.of(ctx.function_ref(*other));
        let has = |is_it: &dyn Fn(Kind) -> bool| operations.iter().any(|known| known.slot == slot && is_it(known.kind));
        has(&|kind| kind == Kind::Load) && has(&|kind| kind != Kind::Load)
    });
    changing.take(SEVERAL).count() == SEVERAL
}

fn finding(ctx: &Context<'_>, rule: &'static Rule, function: FunctionId, written: &WrittenBack) -> Finding {
    let this = ctx.function_ref(function);
    let overlap = ctx.shared.race.overlaps.of(this);
    let place = slot_text(ctx, function, written.load.slot);
    let other = other_text(ctx, function, overlap.map(|overlap| overlap.evidence));
    let message = format!(
        "what is stored under `{place}` is loaded, changed and saved, with a wait in between: what {other} saves meanwhile is lost"
    );
    let help = format!(
        "hold {} for `{place}` from loading to saving, let one task make all changes, or use an operation of the store that changes in one step",
        ctx.module.language.a_lock
    );
    let finding = Finding::new(rule, ctx.place(written.save.call), ctx.symbol(function), message)
        .confidence(confidence(ctx, function, written, overlap))
        .help(help)
        .related(ctx.place(written.load.call), "it is loaded here")
        .shape(format!("{}:{place}", ctx.symbol(function)))
        .note("why-safe", "who comes next loads only when the one before has saved")
        .note(
            "rejected",
            "writing to another file and renaming it: nobody reads half a file, and the change is lost all the same",
        );
    Finding { witness: Some(witness(ctx, function, written, place)), ..finding }
}

fn slot_text(ctx: &Context<'_>, function: FunctionId, slot: Slot) -> String {
    match slot {
        Slot::Variable(variable) => {
            ctx.program.function(variable.owner).symbols[variable.symbol.index()].name.to_string()
        }
        Slot::Here(expr) => ctx.program.path_text(ctx.file, expr),
        Slot::Param(position) => ctx.module.function(function).params[position].name.to_string(),
    }
}

fn witness(ctx: &Context<'_>, function: FunctionId, written: &WrittenBack, object: String) -> Witness {
    let step = |task: usize, at: ExprId, does: &str, value: &str| Step {
        task,
        at: ctx.place(at),
        symbol: ctx.symbol(function),
        does: does.to_owned(),
        value: Some(value.to_owned()),
    };
    let (load, save) = (written.load.call, written.save.call);
    let steps = vec![
        step(0, load, "loads", "v"),
        step(1, load, "loads", "v"),
        step(0, save, "saves", "v with A's change"),
        step(1, save, "saves", "v with B's change: A's is lost"),
    ];
    Witness { tasks: vec!["A", "B"], object, steps }
}

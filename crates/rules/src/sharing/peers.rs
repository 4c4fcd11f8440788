//! Circles that go through a peer: who holds a lock waits for a signal that only somebody gives who needs that lock, or who
//! occupies a pool's thread waits for a job of that pool.

use super::lock_text;
use super::self_deadlock::RULE;
use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::race::cells::{Root, bindings_of};
use crate::race::held::{Sort, Take};
use crate::race::paths::{Lock, Origin, Path, Paths};
use crate::race::signals::{Act, Signal, Through};
use racewalk_ir::{ArgKind, BindingKind, Expr, ExprId, FunctionId, Literal, Role};
use racewalk_link::{FunctionRef, How, Type};
use racewalk_models::{Blocks, ClassKind};
use racewalk_report::Confidence;

/// Looks at every wait of the file's functions.
pub(crate) fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for signal in ctx.shared.race.signals.of(ctx.function_ref(function)) {
            if let Some(circle) = circle(ctx, signal) {
                ctx.report(function, finding(ctx, function, &circle), found);
            }
        }
        if let Some(waits) = waits_for_own_pool(ctx, function) {
            ctx.report(function, pool_finding(ctx, function, waits), found);
        }
    }
}

/// A wait under a lock that its peer needs.
struct Circle<'t> {
    signal: Signal,
    lock: &'t Take,
    /// Who would have to get on.
    peer: Signal,
}

fn circle<'c>(ctx: &'c Context<'_>, signal: &Signal) -> Option<Circle<'c>> {
    let wanted: &[Act] = match (signal.act, signal.through) {
        (Act::Puts, Through::Queue) if is_bounded(ctx, signal.root?) => &[Act::Gets],
        (Act::Gets, Through::Queue) => &[Act::Puts, Act::PutsNow],
        (Act::Joins, Through::Queue) => &[Act::Finishes],
        (Act::Waits, Through::Event) => &[Act::Sets],
        _ => return None,
    };
    let holds = ctx.shared.race.locks.holds(signal.function)?;
    let held: Vec<&Take> = holds.held_at(signal.event).collect();
    let waits = ctx.module.role(signal.call) == Role::Awaited && held.iter().all(|take| take.sort != Sort::Deadline);
    if !waits {
        return None;
    }
    let peers = ctx.shared.race.signals.all(ctx.program, signal.root?, wanted)?;
    let lock = held.into_iter().find(|take| take.sort == Sort::Exclusive && all_need(ctx, signal, &peers, take))?;
    Some(Circle { signal: *signal, lock, peer: *peers.first()? })
}

/// Nobody gives the signal without the lock.
fn all_need(ctx: &Context<'_>, signal: &Signal, peers: &[Signal], lock: &Take) -> bool {
    let Some(named) = lock.lock.filter(|_| lock.root.is_some()) else { return false };
    let is_one = |peer: &Signal| peer.function != signal.function && peer.path == signal.path && signal.path.is_some();
    peers.iter().all(|peer| is_one(peer) && needs(ctx, peer, named, lock.root))
}

/// The peer holds the lock when it gives the signal; or a consumer takes it between one item and the next.
fn needs(ctx: &Context<'_>, peer: &Signal, lock: Lock, root: Option<Root>) -> bool {
    let locks = &ctx.shared.race.locks;
    let holds = locks.holds(peer.function);
    let mut held = holds.iter().flat_map(|holds| holds.held_at(peer.event));
    let is_it = |other: Option<Root>, path: Option<Lock>| other == root && path == Some(lock);
    if held.any(|take| is_it(take.root, take.lock)) {
        return true;
    }
    let is_consumer = matches!(peer.act, Act::Gets | Act::Finishes);
    is_consumer && locks.reaches(peer.function).iter().any(|reach| is_it(reach.root, Some(reach.lock)))
}

/// The queue is made with a limit.
fn is_bounded(ctx: &Context<'_>, root: Root) -> bool {
    let (file, kinds) = bindings_of(ctx.program, root);
    let module = ctx.program.module(file);
    kinds.into_iter().any(|kind| {
        let (BindingKind::Value(made) | BindingKind::Typed(_, Some(made))) = kind else { return false };
        let Expr::Call(_, args) = module.expr(made) else { return false };
        let size = module.args(args).iter().find(|arg| match arg.kind {
            ArgKind::Positional => true,
            ArgKind::Named(name) => name.as_str() == "maxsize",
            _ => false,
        });
        size.is_some_and(|size| !matches!(module.expr(size.value), Expr::Literal(Literal::Int(size)) if size <= 0))
    })
}

fn finding(ctx: &Context<'_>, function: FunctionId, circle: &Circle<'_>) -> Finding {
    let Circle { signal, lock, peer } = circle;
    let wait = ctx.program.callee_text(ctx.file, signal.call);
    let name = lock_text(ctx, lock);
    let other = ctx.program.qualified(peer.function);
    let until = match signal.act {
        Act::Puts => "until there is a free place",
        Act::Gets => "until there is an item",
        Act::Joins => "until all items are done",
        _ => "until it is set",
    };
    let message = format!(
        "`{wait}()` waits here {until} and keeps `{name}`, which `{other}` needs to bring that about: both wait for ever"
    );
    let place = Place { file: peer.function.file, span: ctx.program.module(peer.function.file).span(peer.call) };
    let finding = Finding::new(&RULE, ctx.place(signal.call), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help(format!("take what is needed under `{name}`, give it back, and wait after that"))
        .shape(format!("{}:{wait}", ctx.symbol(function)))
        .note("why-safe", "nobody who holds the lock waits for somebody who needs it")
        .note("rejected", "a larger queue, or a time limit: it stops later, or every such call fails")
        .related(ctx.place(lock.at), "the lock is taken here")
        .related(place, format!("`{other}` gets here with the lock only"));
    in_tests(ctx, finding)
}

fn in_tests(ctx: &Context<'_>, finding: Finding) -> Finding {
    if is_test_module(ctx.module.name.as_str()) { finding.at_most(Confidence::Possible) } else { finding }
}

// ---- pools -----------------------------------------------------------------------------------------------------------

/// A job that hands work to the pool it runs in, and waits for it.
struct OwnPool {
    /// The wait.
    wait: ExprId,
    /// Where the work is handed over.
    submit: ExprId,
    /// Where the job itself is.
    started: (FunctionRef, ExprId),
}

fn waits_for_own_pool(ctx: &Context<'_>, function: FunctionId) -> Option<OwnPool> {
    let this = ctx.function_ref(function);
    let inner: Vec<(ExprId, Path)> = submits(ctx, this);
    let (submit, pool) = *inner.first()?;
    // A pool that the function makes is another one each time.
    let is_own = matches!(pool.origin, Origin::Variable(variable) if variable.owner == this);
    if is_own || inner.iter().any(|(_, other)| *other != pool) {
        return None;
    }
    let callers = ctx.program.summaries.callers.of(this).iter().filter(|(_, _, how)| *how == How::Offloads);
    let is_same = |(caller, site): &(FunctionRef, ExprId)| pool_of(ctx, *caller, *site) == Some(pool);
    let started = callers.map(|(caller, site, _)| (*caller, *site)).find(is_same)?;
    let is_wait = |site: &&racewalk_link::Site| {
        let blocks = ctx.program.model_at(site).is_some_and(|model| model.blocks == Some(Blocks::Thread));
        blocks
            && matches!(site.callee, Type::ExternalMethod(class, ..) if ctx.program.models().kind(class) == Some(ClassKind::Future))
    };
    let wait = ctx.program.sites(this).iter().find(is_wait)?.call;
    Some(OwnPool { wait, submit, started })
}

/// The calls that hand work to a pool, with the pool.
fn submits(ctx: &Context<'_>, function: FunctionRef) -> Vec<(ExprId, Path)> {
    let edges = ctx.program.edges(function).iter().filter(|edge| edge.how == How::Offloads);
    edges.filter_map(|edge| Some((edge.site, pool_of(ctx, function, edge.site)?))).collect()
}

fn pool_of(ctx: &Context<'_>, function: FunctionRef, site: ExprId) -> Option<Path> {
    let module = ctx.program.module(function.file);
    let Expr::Call(callee, _) = module.expr(site) else { return None };
    let Expr::Attr(pool, _) = module.expr(callee) else { return None };
    let evaluator = ctx.program.evaluator(function.file);
    let is_pool = matches!(evaluator.eval(function.id, pool).without_none(), Type::ExternalInstance(class, _)
        if matches!(ctx.program.models().kind(class), Some(ClassKind::ThreadPool | ClassKind::ProcessPool)));
    is_pool.then(|| Paths { program: ctx.program, evaluator: &evaluator, function }.of(pool))?
}

fn pool_finding(ctx: &Context<'_>, function: FunctionId, own: OwnPool) -> Finding {
    let pool = match ctx.module.expr(own.submit) {
        Expr::Call(callee, _) => match ctx.module.expr(callee) {
            Expr::Attr(pool, _) => ctx.program.path_text(ctx.file, pool),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let (starter, site) = own.started;
    let place = Place { file: starter.file, span: ctx.program.module(starter.file).span(site) };
    let message = format!(
        "a job of `{pool}` waits here for another job of `{pool}`: when all its workers wait like this, none is left to do what they wait for"
    );
    let finding = Finding::new(&RULE, ctx.place(own.wait), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help("call the function directly inside the job, or give the inner jobs a pool of their own")
        .shape(format!("{}:{pool}", ctx.symbol(function)))
        .note("why-safe", "whoever occupies a worker waits for nothing that needs one")
        .note("rejected", "more workers: the peak that stops it is then higher")
        .related(ctx.place(own.submit), "the inner job is handed over here")
        .related(place, "this function is itself a job of the pool");
    in_tests(ctx, finding)
}

//! Calls: the colour of what is called, and what becomes of the result.

use crate::context::Context;
use crate::finding::Place;
use racewalk_ir::{Expr, ExprId, FunctionId, Role};
use racewalk_link::{Answer, Site, Type};
use racewalk_models::ClassKind;
use racewalk_report::inventory::Call;
use rustc_hash::FxHashSet;

/// What calling something gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Coroutine,
    AsyncGenerator,
    Plain,
    Unknown(&'static str),
}

impl Colour {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Coroutine => "coroutine",
            Self::AsyncGenerator => "async generator",
            Self::Plain => "plain",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The calls of one function.
pub(super) fn of_function(ctx: &Context<'_>, id: FunctionId) -> Vec<Call<Place>> {
    sites(ctx, id).into_iter().map(|site| describe(ctx, id, site)).collect()
}

/// The calls of a function, each once: a cleanup block may stand in the events once for each way into it.
pub(super) fn sites<'p>(ctx: &Context<'p>, id: FunctionId) -> Vec<&'p Site> {
    let mut known: FxHashSet<ExprId> = FxHashSet::default();
    let sites = ctx.program.sites(ctx.function_ref(id)).iter();
    sites.filter(|site| known.insert(site.call)).collect()
}

fn describe(ctx: &Context<'_>, id: FunctionId, site: &Site) -> Call<Place> {
    let colour = colour(ctx, id, site);
    Call {
        symbol: ctx.symbol(id),
        callee: ctx.program.callee_text(ctx.file, site.call),
        target: target(ctx, site),
        colour: colour.as_str().to_owned(),
        why: if let Colour::Unknown(why) = colour { why.to_owned() } else { String::new() },
        result: result(ctx.module.role(site.call)).to_owned(),
        at: ctx.place(site.call),
    }
}

/// What is called, in full; alternatives side by side.
fn target(ctx: &Context<'_>, site: &Site) -> String {
    let mut names: Vec<String> =
        site.callee.members().iter().filter_map(|member| ctx.program.callee_name(*member)).collect();
    names.dedup();
    names.join(" | ").replace(".<locals>.", ".")
}

/// What the call gives.
pub(super) fn colour(ctx: &Context<'_>, id: FunctionId, site: &Site) -> Colour {
    let given = ctx.evaluator.eval(id, site.call);
    if given.members().iter().any(|member| matches!(member, Type::AsyncGenerator(_))) {
        return Colour::AsyncGenerator;
    }
    match ctx.evaluator.awaitable(given) {
        // A plain function that has started something gives its handle.
        Answer::Yes if is_handle(ctx, given) => Colour::Plain,
        Answer::Yes => Colour::Coroutine,
        Answer::No => Colour::Plain,
        Answer::Unknown(_) if is_known_to_be_plain(ctx, id, site) => Colour::Plain,
        Answer::Unknown(why) => Colour::Unknown(why.as_str()),
    }
}

/// What is called is no coroutine function, whatever it gives: the models know it, or it belongs to the language.
fn is_known_to_be_plain(ctx: &Context<'_>, id: FunctionId, site: &Site) -> bool {
    let is_plain = |member: &Type| match *member {
        Type::External(path) | Type::ExternalMethod(path, ..) if path.first_segment() == "builtins" => true,
        _ => ctx.program.model_of(*member).is_some_and(|model| !model.is_async),
    };
    let of_plain_value = || match ctx.module.expr(site.call) {
        Expr::Call(callee, _) => match ctx.module.expr(callee) {
            Expr::Attr(base, _) => ctx.evaluator.eval(id, base) == Type::Plain,
            _ => false,
        },
        _ => false,
    };
    site.callee.members().iter().all(is_plain) || of_plain_value()
}

/// A task or future: it runs already, awaited or not.
pub(super) fn is_handle(ctx: &Context<'_>, value: Type) -> bool {
    value.members().iter().all(|member| {
        matches!(member, Type::ExternalInstance(path, _)
            if matches!(ctx.program.models().kind(*path), Some(ClassKind::Task | ClassKind::Future)))
    })
}

/// What becomes of the result, by where the call stands.
pub(super) const fn result(role: Role) -> &'static str {
    match role {
        Role::Awaited => "awaited",
        Role::Dropped => "discarded",
        Role::Returned | Role::Yielded => "returned",
        Role::Stored | Role::Bound => "stored",
        Role::Argument | Role::Element | Role::Unpacked | Role::MapKey => "passed on",
        Role::Entered | Role::EnteredAsync => "entered",
        Role::Iterated | Role::IteratedAsync => "iterated",
        _ => "used",
    }
}

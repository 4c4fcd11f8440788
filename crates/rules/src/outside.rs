//! What leads outside the program: to the network, a database, another process.

use racewalk_ir::ExprId;
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{Blocks, ClassKind};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// The call uses something outside the program, itself or by what it runs up to this many calls further.
pub(crate) fn leads_outside(program: &Program, function: FunctionRef, call: ExprId, farthest: u32) -> bool {
    leads_to(program, function, call, farthest, is_outside)
}

/// The call takes its time: it uses something outside the program, or sleeps, itself or by what it runs.
pub(crate) fn takes_time(program: &Program, function: FunctionRef, call: ExprId, farthest: u32) -> bool {
    let sleeps = |program: &Program, site: &Site| program.models_at(site).any(|model| model.sleeps);
    leads_to(program, function, call, farthest, |program, site| is_outside(program, site) || sleeps(program, site))
}

/// The call takes its time as `takes_time` says, and not only in the program's own database.
pub(crate) fn leaves_machine(program: &Program, function: FunctionRef, call: ExprId, farthest: u32) -> bool {
    leads_to(program, function, call, farthest, |program, site| {
        let is_session = matches!(site.callee, Type::ExternalMethod(class, ..)
            if program.models().kind(class) == Some(ClassKind::Session));
        let mut models = program.models_at(site);
        !is_session
            && models.any(|model| {
                let is_elsewhere = matches!(model.blocks, Some(Blocks::Network | Blocks::Process));
                model.sleeps || is_elsewhere || model.network && model.blocks.is_none()
            })
    })
}

fn leads_to(
    program: &Program,
    function: FunctionRef,
    call: ExprId,
    farthest: u32,
    is_it: impl Fn(&Program, &Site) -> bool,
) -> bool {
    if program.site(function, call).is_some_and(|site| is_it(program, site)) {
        return true;
    }
    let mut seen: FxHashSet<FunctionRef> = FxHashSet::default();
    let mut open: VecDeque<(FunctionRef, u32)> = VecDeque::new();
    open.extend(program.edges_at(function, call).iter().map(|edge| (edge.target, 1)));
    while let Some((function, distance)) = open.pop_front() {
        if !seen.insert(function) {
            continue;
        }
        if program.sites(function).iter().any(|site| is_it(program, site)) {
            return true;
        }
        if distance < farthest {
            let runs = program.edges(function).iter().filter(|edge| !edge.is_override && edge.how != How::Later);
            open.extend(runs.map(|edge| (edge.target, distance + 1)));
        }
    }
    false
}

fn is_outside(program: &Program, site: &Site) -> bool {
    program.models_at(site).any(|model| {
        model.network || matches!(model.blocks, Some(Blocks::Network | Blocks::Database | Blocks::Process))
    })
}

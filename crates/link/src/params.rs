//! Types of undeclared parameters, from the calls that the program makes.

use crate::Linked;
use crate::eval::Evaluator;
use crate::types::{FunctionRef, Type, Why};
use racewalk_ir::{ArgKind, Event, Expr, FunctionId, Name, ParamKind};
use rustc_hash::FxHashMap;

/// Which parameter of which function, and what one call gives it.
type Given = (FunctionRef, usize, Type);

/// Collects what calls give to parameters without a declared type, and opens the slots that may now be settled better.
pub(crate) fn settle(linked: &mut Linked) {
    let given = linked.pass(calls);
    let mut by_param: FxHashMap<(FunctionRef, usize), Vec<Type>> = FxHashMap::default();
    for (function, position, value) in given.into_iter().flatten() {
        let values = by_param.entry((function, position)).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    for ((function, position), mut values) in by_param {
        values.retain(|value| *value != Type::None);
        if values.is_empty() || values.iter().any(|value| value.is_unknown()) {
            continue;
        }
        values.sort_by_key(|value| format!("{value:?}"));
        let params = linked.modules[function.file.index()].function(function.id).params.len();
        let slots = &mut linked.slots[function.file.index()].functions[function.id.index()];
        slots.params.resize(params, Type::Unknown(Why::Parameter));
        slots.params[position] = Type::union(values);
    }
    linked.params_are_settled = true;
    reopen(linked);
}

/// What depended on an undeclared parameter may have an answer now.
fn reopen(linked: &mut Linked) {
    for slots in &mut linked.slots {
        let functions = slots.functions.iter_mut().flat_map(|function| [&mut function.returns, &mut function.value]);
        let members = slots.classes.iter_mut().flat_map(|class| class.members.values_mut());
        for slot in slots.symbols.iter_mut().chain(functions).chain(members) {
            if slot.may_reopen() {
                slot.settled = false;
            }
        }
    }
}

fn calls(evaluator: &Evaluator<'_>) -> Vec<Given> {
    let mut given = Vec::new();
    for (id, function) in evaluator.module.functions.iter().enumerate() {
        for event in &function.events {
            let Event::Call(call) = *event else { continue };
            let Expr::Call(callee, called) = evaluator.module.expr(call) else { continue };
            let args = evaluator.module.args(called);
            if args.is_empty() || args.iter().any(|arg| matches!(arg.kind, ArgKind::Spread)) {
                continue;
            }
            let id = FunctionId(id as u32);
            let callee = evaluator.callee(id, callee, called);
            for member in callee.members() {
                if let Some((target, skipped)) = target(evaluator.linked, *member) {
                    arguments(evaluator, id, call, target, skipped, &mut given);
                }
            }
        }
    }
    given
}

/// The function that a callee runs, and how many of its parameters are given already.
fn target(linked: &Linked, callee: Type) -> Option<(FunctionRef, usize)> {
    match callee {
        Type::Function(function) => Some((function, 0)),
        Type::Method(function, _) => Some((function, 1)),
        Type::Class(class) => {
            let slots = &linked.slots[class.file.index()].classes[class.id.index()];
            let init = Name::new("__init__");
            slots.lineage.iter().find_map(|(base, _)| match base {
                Type::Class(base) => {
                    let slot = linked.slots[base.file.index()].classes[base.id.index()].members.get(init)?;
                    match slot.value {
                        Type::Function(function) => Some((function, 1)),
                        _ => None,
                    }
                }
                _ => None,
            })
        }
        _ => None,
    }
}

fn arguments(
    evaluator: &Evaluator<'_>,
    caller: FunctionId,
    call: racewalk_ir::ExprId,
    target: FunctionRef,
    skipped: usize,
    given: &mut Vec<Given>,
) {
    let params = &evaluator.linked.modules[target.file.index()].function(target.id).params;
    if params.iter().skip(skipped).all(|param| param.annotation.is_some()) {
        return;
    }
    for (position, param) in params.iter().enumerate().skip(skipped) {
        if param.annotation.is_some()
            || !matches!(param.kind, ParamKind::Normal | ParamKind::Positional | ParamKind::Named)
        {
            continue;
        }
        if let Some(value) = evaluator.given(call, position - skipped, param.name) {
            given.push((target, position, evaluator.eval(caller, value)));
        }
    }
}

//! What functions load from places outside the process, and save to them: files, and entries of stores.
//!
//! A place is named by what a call is given, a path or a key. What a helper does with a path that it is given, or with one that the
//! whole module knows, its callers do too.

use racewalk_ir::{ArgKind, BindingKind, Defs, Expr, ExprId, Module};
use racewalk_link::{FunctionRef, How, Program, Site, Variable};
use racewalk_models::{Call, Position};
use rustc_hash::FxHashMap;

/// How many calls deep a helper's loading and saving is followed.
const DEEPEST: usize = 3;

/// What is loaded and saved, by the function that does so.
#[derive(Default)]
pub(crate) struct Stored {
    operations: FxHashMap<FunctionRef, Vec<Operation>>,
}

/// A call that loads or saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub call: ExprId,
    pub slot: Slot,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Load,
    /// With what is saved, where it is known which of the arguments that is.
    Save(Option<ExprId>),
}

/// What names the place, seen from the function with the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The parameter with this position.
    Param(usize),
    /// A variable of a module.
    Variable(Variable),
    /// This expression.
    Here(ExprId),
}

impl Stored {
    pub fn new(program: &Program) -> Self {
        let mut operations: FxHashMap<FunctionRef, Vec<Operation>> = FxHashMap::default();
        for function in program.functions() {
            let own: Vec<Operation> = program
                .sites(function)
                .iter()
                .flat_map(|site| program.models_at(site).filter_map(|model| operation(program, function, site, model)))
                .collect();
            if !own.is_empty() {
                operations.insert(function, own);
            }
        }
        let mut stored = Self { operations };
        let mut latest: Vec<FunctionRef> = stored.operations.keys().copied().collect();
        for _ in 0..DEEPEST {
            latest.sort_unstable();
            latest.dedup();
            latest = latest.into_iter().flat_map(|helper| stored.hand_on(program, helper)).collect();
        }
        stored
    }

    /// What the function loads and saves, itself or by helpers.
    pub fn of(&self, function: FunctionRef) -> &[Operation] {
        self.operations.get(&function).map_or(&[], Vec::as_slice)
    }

    /// The callers of a helper do what it does; gives those that were not known to.
    fn hand_on(&mut self, program: &Program, helper: FunctionRef) -> Vec<FunctionRef> {
        let own = self.of(helper).to_vec();
        let loads = |slot: Slot| own.iter().any(|other| other.kind == Kind::Load && other.slot == slot);
        let returns = !program.function(helper).return_values.is_empty();
        let mut new = Vec::new();
        for operation in &own {
            // Who both loads and saves has changed what is there, and hands out how it is now.
            let is_seen = match operation.kind {
                Kind::Load => returns,
                Kind::Save(_) => !loads(operation.slot),
            };
            if !is_seen || matches!(operation.slot, Slot::Here(_)) {
                continue;
            }
            for (caller, site, how) in program.summaries.callers.of(helper) {
                if *how != How::Calls || *caller == helper {
                    continue;
                }
                let Some(seen) = seen_by_caller(program, helper, *operation, *caller, *site) else { continue };
                let known = self.operations.entry(*caller).or_default();
                if !known.contains(&seen) {
                    known.push(seen);
                    new.push(*caller);
                }
            }
        }
        new
    }
}

/// A model's operation, where its slot is named.
fn operation(program: &Program, function: FunctionRef, site: &Site, model: &Call) -> Option<Operation> {
    let given = |position: &Position| argument(program, function, site.call, position);
    let (position, kind) = match (&model.loads, &model.saves) {
        (Some(slot), _) => (slot, Kind::Load),
        (None, Some((slot, value))) => (slot, Kind::Save(given(value))),
        (None, None) => return None,
    };
    let slot = slot(program, function, given(position)?)?;
    Some(Operation { call: site.call, slot, kind })
}

/// A helper's operation as one of its caller's.
fn seen_by_caller(
    program: &Program,
    helper: FunctionRef,
    operation: Operation,
    caller: FunctionRef,
    call: ExprId,
) -> Option<Operation> {
    let slot = match operation.slot {
        Slot::Param(position) => slot(program, caller, given_to(program, helper, position, caller, call)?)?,
        other => other,
    };
    let kind = match operation.kind {
        Kind::Save(Some(value)) => Kind::Save(
            param_of(program.module(helper.file), value)
                .and_then(|position| given_to(program, helper, position, caller, call)),
        ),
        Kind::Save(None) => Kind::Save(None),
        Kind::Load => Kind::Load,
    };
    Some(Operation { call, slot, kind })
}

/// What a call gives to a parameter of the helper; its receiver is the first parameter of a method.
fn given_to(
    program: &Program,
    helper: FunctionRef,
    position: usize,
    caller: FunctionRef,
    call: ExprId,
) -> Option<ExprId> {
    let body = program.function(helper);
    let skipped = usize::from(body.class.is_some());
    let name = body.params.get(position)?.name;
    program.evaluator(caller.file).given(call, position.checked_sub(skipped)?, name)
}

/// What an argument of a call is; `self` is its receiver.
fn argument(program: &Program, function: FunctionRef, call: ExprId, position: &Position) -> Option<ExprId> {
    let evaluator = program.evaluator(function.file);
    match position {
        Position::Index(at) => {
            let positional = |arg: &&racewalk_ir::Arg| arg.kind == ArgKind::Positional;
            evaluator.args(call).iter().filter(positional).nth(*at as usize).map(|arg| arg.value)
        }
        Position::Name(name) if name == "self" => {
            let module = program.module(function.file);
            let Expr::Call(callee, _) = module.expr(call) else { return None };
            let Expr::Attr(receiver, _) = module.expr(callee) else { return None };
            Some(receiver)
        }
        Position::Name(name) => evaluator.named_argument(call, name),
    }
}

/// What the expression names: an open file is the path that it was opened by.
fn slot(program: &Program, function: FunctionRef, expr: ExprId) -> Option<Slot> {
    const LONGEST: usize = 6;
    let module = program.module(function.file);
    let mut expr = expr;
    for _ in 0..LONGEST {
        expr = match module.expr(expr) {
            Expr::Await(inner) => inner,
            Expr::Call(..) => match opened(program, function, expr) {
                Some(path) => path,
                None => return Some(Slot::Here(expr)),
            },
            Expr::Name(name, defs) => {
                if let Some(position) = param_of(module, expr) {
                    return Some(Slot::Param(position));
                }
                let made = match defs {
                    Defs::One(binding) => module.bindings[binding.index()].kind.source(),
                    _ => None,
                };
                let handle = made.map(|made| match module.expr(made) {
                    Expr::Await(inner) => inner,
                    _ => made,
                });
                match handle.and_then(|made| opened(program, function, made)) {
                    Some(path) => path,
                    None => {
                        let variable = program.variable(&program.evaluator(function.file), function.id, name);
                        let is_global = |variable: &Variable| variable.owner.id == racewalk_ir::FunctionId(0);
                        return Some(variable.filter(is_global).map_or(Slot::Here(expr), Slot::Variable));
                    }
                }
            }
            _ => return Some(Slot::Here(expr)),
        };
    }
    None
}

/// The path that a call opens.
fn opened(program: &Program, function: FunctionRef, call: ExprId) -> Option<ExprId> {
    let site = program.site(function, call)?;
    let position = program.models_at(site).find_map(|model| model.opens_stored.as_ref())?;
    argument(program, function, call, position)
}

/// The parameter that the expression is, and nothing else.
fn param_of(module: &Module, expr: ExprId) -> Option<usize> {
    let Expr::Name(_, Defs::One(binding)) = module.expr(expr) else { return None };
    match module.bindings[binding.index()].kind {
        BindingKind::Param(position) => Some(position as usize),
        _ => None,
    }
}

/// Both name the same place, in the same function.
pub(crate) fn is_same_slot(module: &Module, one: Slot, other: Slot) -> bool {
    const DEEPEST: u32 = 8;
    match (one, other) {
        (Slot::Here(one), Slot::Here(other)) => is_same(module, one, other, DEEPEST),
        _ => one == other,
    }
}

/// Both expressions are written alike, with names of the same bindings.
fn is_same(module: &Module, one: ExprId, other: ExprId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let same = |one: ExprId, other: ExprId| is_same(module, one, other, depth);
    let all_same = |one: &[ExprId], other: &[ExprId]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(*one, *other))
    };
    match (module.expr(one), module.expr(other)) {
        (Expr::Name(name, defs), Expr::Name(other, others)) => {
            name == other && module.defs(&defs) == module.defs(&others)
        }
        (Expr::Attr(base, name), Expr::Attr(other, others)) => name == others && same(base, other),
        (Expr::Subscript(base, key), Expr::Subscript(other, others)) => same(base, other) && same(key, others),
        (Expr::Literal(literal), Expr::Literal(other)) => literal == other,
        (Expr::Call(callee, args), Expr::Call(other, others)) => {
            let (args, others) = (module.args(args), module.args(others));
            let pairs = || args.iter().zip(others);
            same(callee, other)
                && args.len() == others.len()
                && pairs().all(|(arg, other)| arg.kind == other.kind && same(arg.value, other.value))
        }
        (Expr::Format(parts), Expr::Format(others)) | (Expr::Operation(parts), Expr::Operation(others)) => {
            all_same(module.list(parts), module.list(others))
        }
        _ => false,
    }
}

//! Declarations of one function for different arguments: which of them a call may mean.
//!
//! What decides: how many arguments the call has, their names, literals where a declaration asks for one, and classes
//! where both sides are known. That is how one function declares its plain and its asynchronous form.

use crate::eval::Evaluator;
use crate::types::{ClassRef, FunctionRef, Type};
use racewalk_ir::{Arg, ArgKind, BindingKind, Expr, ExprId, FunctionId, Literal, Module, Param, ParamKind};

impl Evaluator<'_> {
    /// The declarations that this call of an implementation may mean; none when the function is declared once.
    pub(crate) fn overloads(
        &self,
        implementation: FunctionRef,
        is_bound: bool,
        caller: FunctionId,
        call: ExprId,
    ) -> Vec<FunctionRef> {
        let module = &self.linked.modules[implementation.file.index()];
        let args = self.args(call);
        let is_spread = |arg: &Arg| matches!(arg.kind, ArgKind::Spread | ArgKind::SpreadNamed);
        if is_declaration(module, implementation.id) || args.iter().any(is_spread) {
            return Vec::new();
        }
        let skipped = usize::from(is_bound && module.function(implementation.id).class.is_some());
        let there = Evaluator::new(self.linked, implementation.file);
        let fitting = declarations(module, implementation.id)
            .filter(|id| self.fits(caller, args, &there, *id, skipped))
            .map(|id| FunctionRef { file: implementation.file, id });
        let fitting = fitting.collect();
        self.met_passing.set(self.met_passing.get() || there.met_passing.get());
        fitting
    }

    fn fits(&self, caller: FunctionId, args: &[Arg], there: &Evaluator<'_>, id: FunctionId, skipped: usize) -> bool {
        let params = there.module.function(id).params.get(skipped..).unwrap_or_default();
        let mut given = vec![None; params.len()];
        let mut position = 0;
        for arg in args {
            let at = match arg.kind {
                ArgKind::Named(name) => params.iter().position(|param| param.name == name && takes_name(param)),
                _ => {
                    position += 1;
                    Some(position - 1).filter(|at| params.get(*at).is_some_and(takes_position))
                }
            };
            match at {
                Some(at) => given[at] = Some(arg.value),
                None if params.iter().any(|param| swallows(param, arg.kind)) => {}
                None => return false,
            }
        }
        params.iter().zip(given).all(|(param, given)| match (given, param.annotation) {
            (Some(value), Some(annotation)) => self.agrees(caller, value, there, id, annotation),
            (Some(_), None) => true,
            (None, _) => param.default.is_some() || matches!(param.kind, ParamKind::Rest | ParamKind::RestNamed),
        })
    }

    /// The argument may be what the declaration asks for: one of its literals, or an instance of its class.
    fn agrees(
        &self,
        caller: FunctionId,
        given: ExprId,
        there: &Evaluator<'_>,
        declared: FunctionId,
        annotation: ExprId,
    ) -> bool {
        let wanted = literals(there.module, annotation);
        if !wanted.is_empty() {
            return matches!(self.module.expr(given), Expr::Literal(literal) if wanted.contains(&literal));
        }
        let wanted = there.annotation(there.annotation_scope(declared), annotation).without_none();
        match (wanted, self.eval(caller, given).without_none()) {
            (Type::Instance(wanted, _), Type::Instance(given, _)) => self.may_be(given, wanted),
            _ => true,
        }
    }

    /// The class inherits from the other, or might: a base is not known, or the other asks for a shape only.
    fn may_be(&self, class: ClassRef, other: ClassRef) -> bool {
        let slots = |class: ClassRef| &self.linked.slots[class.file.index()].classes[class.id.index()];
        let is_shape = |base: &Type| matches!(base, Type::External(path) if path.last_segment() == "Protocol");
        slots(class).has_unknown_base
            || slots(class).lineage.iter().any(|(base, _)| *base == Type::Class(other))
            || slots(other).lineage.iter().any(|(base, _)| is_shape(base))
    }
}

/// The declarations before an implementation, in source order.
fn declarations(module: &Module, implementation: FunctionId) -> impl Iterator<Item = FunctionId> + '_ {
    let body = module.function(implementation);
    let scope = body.parent.map(|parent| module.function(parent));
    let symbol = scope.and_then(|scope| Some(&scope.symbols[scope.symbol(body.name)?.index()]));
    let bindings = symbol.map(|symbol| symbol.bindings.as_slice()).filter(|bindings| bindings.len() > 1);
    bindings.unwrap_or_default().iter().filter_map(move |binding| match module.bindings[binding.index()].kind {
        BindingKind::Function(id) if id != implementation && is_declaration(module, id) => Some(id),
        _ => None,
    })
}

pub(crate) fn is_declaration(module: &Module, id: FunctionId) -> bool {
    module.function(id).decorators.iter().any(|decorator| {
        matches!(module.expr(*decorator), Expr::Name(name, _) | Expr::Attr(_, name) if name.as_str() == "overload")
    })
}

/// The values in `Literal[…]`; none for any other annotation.
fn literals(module: &Module, annotation: ExprId) -> Vec<Literal> {
    let Expr::Subscript(base, key) = module.expr(annotation) else { return Vec::new() };
    let is_literal =
        matches!(module.expr(base), Expr::Name(name, _) | Expr::Attr(_, name) if name.as_str() == "Literal");
    let members = match module.expr(key) {
        _ if !is_literal => return Vec::new(),
        Expr::Tuple(list) => module.list(list).to_vec(),
        _ => vec![key],
    };
    let value = |member: ExprId| match module.expr(member) {
        Expr::Literal(literal) => Some(literal),
        _ => None,
    };
    members.into_iter().filter_map(value).collect()
}

fn takes_name(param: &Param) -> bool {
    matches!(param.kind, ParamKind::Normal | ParamKind::Named)
}

fn takes_position(param: &Param) -> bool {
    matches!(param.kind, ParamKind::Positional | ParamKind::Normal)
}

fn swallows(param: &Param, kind: ArgKind) -> bool {
    match kind {
        ArgKind::Named(_) => param.kind == ParamKind::RestNamed,
        _ => param.kind == ParamKind::Rest,
    }
}

//! Receivers: what the guards on the way say of the object that a method is called on.
//!
//! `if is_remote(self.store): … else: return self.get()` does not get to what `get` does when `is_remote(self.store)`, and below
//! `if isinstance(writer, Local):` no other class's method runs.

use crate::Program;
use crate::guards::{Guard, KnownGuards, parts};
use crate::types::{ClassRef, FileId, FunctionRef, Type};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, Module, Name};

/// A condition on members of a method's own object that holds, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectFact {
    file: FileId,
    guard: Guard,
}

impl Program {
    /// What a call of a method of the same object hands on: what was known of the object, and what the caller has found out.
    pub(crate) fn object_facts(
        &self,
        caller: FunctionRef,
        known: &[ObjectFact],
        site: ExprId,
        here: impl Iterator<Item = Guard>,
    ) -> Vec<ObjectFact> {
        let module = self.module(caller.file);
        let is_method = self.function(caller).class.is_some();
        if !is_method || !receiver(module, site).is_some_and(|receiver| is_own_object(module, receiver)) {
            return Vec::new();
        }
        let found = here.flat_map(|guard| parts(module, guard));
        let lasts = |guard: &Guard| {
            member_of_own(module, guard.condition).is_some_and(|member| !self.writes_member(caller, member))
        };
        let found = found.filter(lasts).map(|guard| ObjectFact { file: caller.file, guard });
        known.iter().copied().chain(found).collect()
    }

    /// Some condition holds here that is known to fail of the object, or the other way round.
    pub(crate) fn contradicts(
        &self,
        function: FunctionRef,
        known: &[ObjectFact],
        here: impl Iterator<Item = Guard>,
    ) -> bool {
        let module = self.module(function.file);
        let fails = |guard: Guard| {
            known.iter().any(|fact| {
                fact.guard.holds != guard.holds
                    && is_same((self.module(fact.file), fact.guard.condition), (module, guard.condition), SIZE)
            })
        };
        !known.is_empty() && here.flat_map(|guard| parts(module, guard)).any(fails)
    }

    /// By its class, which the guards around the call tell, the receiver cannot be one whose method this is: of the program, or
    /// (none) of a library.
    pub(crate) fn is_other_class(
        &self,
        known: &KnownGuards,
        function: FunctionRef,
        site: ExprId,
        target: Option<FunctionRef>,
    ) -> bool {
        let module = self.module(function.file);
        let Some(receiver) = receiver(module, site) else { return false };
        let Expr::Name(receiver, Defs::One(binding)) = module.expr(receiver) else { return false };
        self.facts_at(known, function, site).into_iter().any(|guard| {
            let Some((tested, class)) = self.instance_test(function, guard.condition) else { return false };
            let is_receiver =
                matches!(module.expr(tested), Expr::Name(name, Defs::One(of)) if name == receiver && of == binding);
            is_receiver && self.rules_out(class, guard.holds, target, module, site)
        })
    }

    /// `isinstance(value, Class)` for one class of the program: the value and the class.
    fn instance_test(&self, function: FunctionRef, condition: ExprId) -> Option<(ExprId, ClassRef)> {
        let module = self.module(function.file);
        let Expr::Call(callee, args) = module.expr(condition) else { return None };
        let [tested, class] = module.args(args) else { return None };
        if !matches!(module.expr(callee), Expr::Name(name, _) if name.as_str() == "isinstance") {
            return None;
        }
        match self.evaluator(function.file).eval(function.id, class.value) {
            Type::Class(class) => Some((tested.value, class)),
            _ => None,
        }
    }

    fn rules_out(
        &self,
        class: ClassRef,
        holds: bool,
        target: Option<FunctionRef>,
        module: &Module,
        site: ExprId,
    ) -> bool {
        let has = |of: ClassRef, base: ClassRef| self.lineage(of).any(|one| one == Type::Class(base));
        let Some(target) = target else {
            return holds && method_name(module, site).is_some_and(|name| self.method(class, name).is_some());
        };
        let Some(id) = self.function(target).class else { return false };
        let owner = ClassRef { file: target.file, id };
        if holds {
            !has(class, owner) && !has(owner, class) && !self.has_unknown_base(class) && !self.has_unknown_base(owner)
        } else {
            has(owner, class)
        }
    }

    /// The function assigns to this member of its own object.
    fn writes_member(&self, function: FunctionRef, member: Name) -> bool {
        let module = self.module(function.file);
        let is_written = |place: ExprId| matches!(module.expr(place), Expr::Attr(_, name) if name == member);
        let mut events = self.function(function).events.iter();
        events.any(|event| matches!(*event, Event::WritePlace(place, _) | Event::Modify(place) if is_written(place)))
    }
}

/// What a method is called on, or a property is read of.
fn receiver(module: &Module, site: ExprId) -> Option<ExprId> {
    let place = if let Expr::Call(callee, _) = module.expr(site) { callee } else { site };
    match module.expr(place) {
        Expr::Attr(base, _) => Some(base),
        _ => None,
    }
}

fn method_name(module: &Module, site: ExprId) -> Option<Name> {
    let Expr::Call(callee, _) = module.expr(site) else { return None };
    match module.expr(callee) {
        Expr::Attr(_, name) => Some(name),
        _ => None,
    }
}

fn is_own_object(module: &Module, expr: ExprId) -> bool {
    matches!(module.expr(expr), Expr::Name(_, Defs::One(binding))
        if module.bindings[binding.index()].kind == BindingKind::Param(0))
}

/// The member of the method's own object that a condition speaks of.
fn member_of_own(module: &Module, condition: ExprId) -> Option<Name> {
    match module.expr(condition) {
        Expr::Attr(base, name) if is_own_object(module, base) => Some(name),
        Expr::Attr(base, _) => member_of_own(module, base),
        Expr::Call(_, args) => module.args(args).iter().find_map(|arg| member_of_own(module, arg.value)),
        Expr::Identity(list) | Expr::Equality(list) => {
            module.list(list).iter().find_map(|operand| member_of_own(module, *operand))
        }
        _ => None,
    }
}

/// How deep conditions are compared.
const SIZE: u32 = 6;

/// Two conditions in two methods of one object ask the same.
fn is_same((one, a): (&Module, ExprId), (other, b): (&Module, ExprId), size: u32) -> bool {
    let Some(size) = size.checked_sub(1) else { return false };
    let same = |a, b| is_same((one, a), (other, b), size);
    let all = |a: &[ExprId], b: &[ExprId]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b));
    match (one.expr(a), other.expr(b)) {
        (Expr::Name(..), Expr::Name(..)) if is_own_object(one, a) => is_own_object(other, b),
        (Expr::Name(a, Defs::Outer), Expr::Name(b, Defs::Outer)) => a == b,
        (Expr::Attr(a, name), Expr::Attr(b, of)) => name == of && same(a, b),
        (Expr::Literal(a), Expr::Literal(b)) => a == b,
        (Expr::Identity(a), Expr::Identity(b)) | (Expr::Equality(a), Expr::Equality(b)) => {
            all(one.list(a), other.list(b))
        }
        (Expr::Call(f, a), Expr::Call(g, b)) => {
            let (a, b) = (one.args(a), other.args(b));
            let is_same = |(a, b): (&racewalk_ir::Arg, &racewalk_ir::Arg)| a.kind == b.kind && same(a.value, b.value);
            same(f, g) && a.len() == b.len() && a.iter().zip(b).all(is_same)
        }
        _ => false,
    }
}

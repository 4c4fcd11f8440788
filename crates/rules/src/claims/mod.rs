//! Annotations: what comments claim of states and functions, whether it holds, and what the rules may take from it.
//!
//! A claim is first read ([`declared`]): what it stands on, and what the names in it stand for where it stands. That is all
//! that is done before the rules run, and nothing where there are no annotations. Whether the claims hold ([`guarded`],
//! [`owned`]) is found out once somebody asks, over the whole program. A claim that is not shown to be false is believed: who
//! calls a library is not in it.

mod declared;
pub(crate) mod false_annotation;
mod guarded;
mod owned;

use crate::context::Context;
use crate::finding::Place;
use crate::inventory::accesses::{Access, in_file};
use crate::looping::is_test_module;
use crate::race::cells::{Owner, Root, name_of};
use racewalk_ir::{Expr, ExprId, FunctionId, FunctionKind, Module, Name};
use racewalk_link::{ClassRef, FileId, FunctionRef, Program, Type};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::OnceLock;

/// A lock, by where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct LockPlace {
    /// The place; of a condition also that of the lock which it was made with.
    pub roots: SmallVec<[Root; 2]>,
    /// As the annotation names it.
    pub text: String,
}

/// What is claimed of a state.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Whoever gets there holds the lock.
    Guarded(LockPlace),
    /// The task that runs this function is the only one that writes.
    Owned(FunctionRef),
    /// Some one task is.
    OwnedByOne,
}

/// A claim about a state.
#[derive(Clone, Debug)]
pub(crate) struct StateClaim {
    /// The comment.
    pub at: Place,
    /// What is claimed, as it is written: `guarded-by(self._lock)`.
    pub text: String,
    /// The function in which the state is introduced.
    pub within: FunctionRef,
    /// The class whose objects it speaks of, when it is a member.
    pub class: Option<ClassRef>,
    /// The state.
    pub root: Root,
    /// The claim.
    pub said: Said,
}

impl StateClaim {
    /// It speaks of all objects that have the member, not only of those of a subclass of the one that declares it.
    fn is_general(&self) -> bool {
        match self.root {
            Root::Field(declaring, _) => self.class.is_none_or(|class| class == declaring),
            _ => true,
        }
    }

    /// The access is one to an object that the claim speaks of. What the code of another subclass does with the member of a
    /// common base is no business of this one.
    fn speaks_of(&self, program: &Program, access: &Access) -> bool {
        let Some(class) = self.class.filter(|_| !self.is_general()) else { return true };
        let module = program.module(access.function.file);
        let method = method_around(module, access.function.id).and_then(|id| module.function(id).class);
        let by = method.map(|id| ClassRef { file: access.function.file, id });
        let descends = |from: ClassRef, to: ClassRef| program.lineage(from).any(|base| base == Type::Class(to));
        access.cell.owner == Owner::Receiver && by.is_some_and(|by| descends(by, class) || descends(class, by))
    }
}

/// A claim about a function: it is called with the lock held.
#[derive(Clone, Debug)]
pub(crate) struct FunctionClaim {
    /// The comment.
    pub at: Place,
    /// What is claimed, as it is written.
    pub text: String,
    /// The function.
    pub function: FunctionRef,
    /// The lock.
    pub lock: LockPlace,
}

/// What is wrong with an annotation.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The comment.
    pub at: Place,
    /// The function in which it stands.
    pub within: FunctionRef,
    /// What.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The places that show it.
    pub related: Vec<(Place, String)>,
}

/// All claims of a program.
#[derive(Default)]
pub(crate) struct Claims {
    states: Vec<StateClaim>,
    functions: FxHashMap<FunctionRef, Vec<FunctionClaim>>,
    /// Claims that cannot be read, or whose names stand for nothing.
    unreadable: Vec<Fault>,
    verdicts: OnceLock<Verdicts>,
}

/// Which claims hold.
#[derive(Default)]
struct Verdicts {
    /// States whose every access holds the lock.
    guarded: FxHashSet<Root>,
    /// States that one task writes, with the function that it runs.
    owned: FxHashMap<Root, Option<FunctionRef>>,
    /// Functions whose callers all hold the lock.
    called_locked: FxHashSet<FunctionRef>,
    faults: Vec<Fault>,
}

impl Claims {
    /// Reads the annotations of a program.
    pub fn new(program: &Program) -> Self {
        let mut claims = Self::default();
        for file in program.files().filter(|file| !program.module(*file).comments.is_empty()) {
            declared::read(program, file, &mut claims);
        }
        claims
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty() && self.functions.is_empty()
    }

    /// What is claimed of a state, in the words of the annotations.
    pub fn told(&self, ctx: &Context<'_>, root: Root) -> Vec<String> {
        let told = |claim: &StateClaim| {
            let is_false = self.verdicts(ctx).faults.iter().any(|fault| fault.at == claim.at);
            if is_false { format!("{}, which does not hold", claim.text) } else { claim.text.clone() }
        };
        self.states.iter().filter(|claim| claim.root == root).map(told).collect()
    }

    /// The locks that the function is claimed to be called with.
    pub fn held_on_entry(&self, function: FunctionRef) -> impl Iterator<Item = &LockPlace> {
        self.functions.get(&function).into_iter().flatten().map(|claim| &claim.lock)
    }

    /// The places of the locks that the function is called with, where the claim holds.
    pub fn held_by_claim(&self, ctx: &Context<'_>, function: FunctionRef) -> impl Iterator<Item = Root> {
        let holds = self.is_called_locked(ctx, function);
        self.held_on_entry(function).filter(move |_| holds).filter_map(|lock| lock.roots.first().copied())
    }

    /// The function is called with a lock held: so it is claimed, and no caller is seen that does not hold it.
    pub fn is_called_locked(&self, ctx: &Context<'_>, function: FunctionRef) -> bool {
        !self.functions.is_empty() && self.verdicts(ctx).called_locked.contains(&function)
    }

    /// Whoever gets to the state holds its lock.
    pub fn is_guarded(&self, ctx: &Context<'_>, root: Root) -> bool {
        !self.is_empty() && self.verdicts(ctx).guarded.contains(&root)
    }

    /// One task alone writes the state.
    pub fn is_owned(&self, ctx: &Context<'_>, root: Root) -> bool {
        !self.is_empty() && self.verdicts(ctx).owned.contains_key(&root)
    }

    /// One task alone writes the state, and the function runs as part of it.
    pub fn is_owned_by(&self, ctx: &Context<'_>, root: Root, function: FunctionRef) -> bool {
        let owner = || self.verdicts(ctx).owned.get(&root).copied().flatten();
        !self.is_empty() && owner().is_some_and(|owner| owned::is_part_of(ctx, function, owner))
    }

    /// What is wrong with the annotations of a file.
    fn faults<'c>(&'c self, ctx: &'c Context<'_>) -> impl Iterator<Item = &'c Fault> {
        let checked = (!self.is_empty()).then(|| &self.verdicts(ctx).faults);
        self.unreadable.iter().chain(checked.into_iter().flatten()).filter(|fault| fault.at.file == ctx.file)
    }

    fn verdicts(&self, ctx: &Context<'_>) -> &Verdicts {
        self.verdicts.get_or_init(|| ctx.apart("annotations", || self.judge(ctx)))
    }

    fn judge(&self, ctx: &Context<'_>) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let mut functions: Vec<&FunctionClaim> = self.functions.values().flatten().collect();
        functions.sort_unstable_by_key(|claim| claim.at);
        for claim in functions {
            match guarded::fault_of_function(ctx, claim) {
                Some(fault) => verdicts.faults.push(fault),
                None => {
                    verdicts.called_locked.insert(claim.function);
                }
            }
        }
        let accesses = self.accesses(ctx);
        for claim in &self.states {
            let all = accesses.get(&claim.root).into_iter().flatten().copied();
            let own: Vec<Access> = all.filter(|access| claim.speaks_of(ctx.program, access)).collect();
            judge_state(ctx, claim, &own, &mut verdicts);
        }
        verdicts
    }

    /// Who gets to the claimed states. Only files that use a name of one are looked at.
    fn accesses(&self, ctx: &Context<'_>) -> FxHashMap<Root, Vec<Access>> {
        let program = ctx.program;
        let wanted: FxHashSet<Root> = self.states.iter().map(|claim| claim.root).collect();
        let names: FxHashSet<Name> = wanted.iter().map(|root| name_of(program, *root)).collect();
        let mut found: FxHashMap<Root, Vec<Access>> = FxHashMap::default();
        for file in program.files().filter(|file| is_looked_at(program, *file, &names)) {
            for access in in_file(&Context::new(program, file, ctx.shared)) {
                if wanted.contains(&access.cell.root) {
                    found.entry(access.cell.root).or_default().push(access);
                }
            }
        }
        found
    }
}

/// Finds out whether a claim about a state holds. One that speaks of some of the objects only is checked, and is no knowledge
/// about the others.
fn judge_state(ctx: &Context<'_>, claim: &StateClaim, accesses: &[Access], verdicts: &mut Verdicts) {
    if declared::is_unshared_local(ctx.program, claim, accesses) {
        verdicts.faults.push(declared::stands_on_nothing(claim.at, claim.within));
        return;
    }
    let fault = match &claim.said {
        Said::Guarded(lock) => guarded::fault_of_state(ctx, claim, lock, accesses),
        Said::Owned(owner) => owned::fault(ctx, claim, Some(*owner), accesses),
        Said::OwnedByOne => owned::fault(ctx, claim, None, accesses),
    };
    match (fault, &claim.said) {
        (Some(fault), _) => verdicts.faults.push(fault),
        (None, _) if !claim.is_general() => {}
        (None, Said::Guarded(_)) => {
            verdicts.guarded.insert(claim.root);
        }
        (None, Said::Owned(owner)) => {
            verdicts.owned.insert(claim.root, Some(*owner));
        }
        (None, Said::OwnedByOne) => {
            verdicts.owned.insert(claim.root, owned::one_owner(ctx, accesses));
        }
    }
}

/// The file is part of the program proper, and uses one of the names.
fn is_looked_at(program: &Program, file: FileId, names: &FxHashSet<Name>) -> bool {
    let module = program.module(file);
    let is_it = |expr: &Expr| matches!(*expr, Expr::Name(name, _) | Expr::Attr(_, name) if names.contains(&name));
    !program.is_installed(file) && !is_test_module(module.name.as_str()) && module.exprs.iter().any(is_it)
}

/// The place of an expression of a function.
fn place_in(program: &Program, function: FunctionRef, at: ExprId) -> Place {
    Place { file: function.file, span: program.module(function.file).span(at) }
}

/// The function around a body, itself included, that is a method, with its class.
fn method_around(module: &Module, function: FunctionId) -> Option<FunctionId> {
    let mut outwards = std::iter::successors(Some(function), |id| module.function(*id).parent);
    outwards.find(|id| module.function(*id).class.is_some() && module.function(*id).kind == FunctionKind::Function)
}

//! What code wants of other modules: the names that it imports, as far as it uses them.

use racewalk_ir::{BindingKind, ClassId, Expr, ExprId, FunctionId, Module, Name, Role, SymbolId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;
use std::sync::LazyLock;

/// A member of a module, a member of that, and so on: `client.Client` of `pkg`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) module: String,
    pub(crate) members: Vec<Name>,
}

impl Wanted {
    fn new(module: Name, members: Vec<Name>) -> Self {
        Self { module: module.as_str().to_owned(), members }
    }
}

/// What the syntax asks of an object without naming it.
static PROTOCOLS: LazyLock<[Name; 11]> = LazyLock::new(|| {
    [
        "__await__",
        "__aenter__",
        "__aexit__",
        "__aiter__",
        "__anext__",
        "__call__",
        "__enter__",
        "__getattr__",
        "__getitem__",
        "__iter__",
        "__next__",
    ]
    .map(Name::new)
});

/// The names of all members that these modules take of anything. Nobody else asks: an installed package's own code is
/// not looked at.
pub(crate) fn members(module: &Module) -> FxHashSet<Name> {
    let taken = module.exprs.iter().filter_map(|expr| match expr {
        Expr::Attr(_, name) => Some(*name),
        _ => None,
    });
    taken.chain(PROTOCOLS.iter().copied()).collect()
}

/// What a module of the program wants of the packages that `may_be_installed` by their first segment.
pub(crate) fn of_program(module: &Module, may_be_installed: impl Fn(Name) -> bool) -> Vec<Wanted> {
    let mut imported: FxHashMap<Name, Vec<(Name, Option<Name>)>> = FxHashMap::default();
    for binding in &module.bindings {
        let (path, member) = match binding.kind {
            BindingKind::Import(path) => (path, None),
            BindingKind::ImportMember(path, member) => (path, Some(member)),
            _ => continue,
        };
        if may_be_installed(path) {
            let name = module.function(binding.owner).symbols[binding.symbol.index()].name;
            imported.entry(name).or_default().push((path, member));
        }
    }
    let stars: Vec<Name> = module.star_imports.iter().copied().filter(|path| may_be_installed(*path)).collect();
    if imported.is_empty() && stars.is_empty() {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    for (path, member) in imported.values().flatten() {
        wanted.extend(member.map(|member| Wanted::new(*path, vec![member])));
    }
    let body = module.function(FunctionId(0));
    let may_come_by_star = |name: Name| !stars.is_empty() && body.symbol(name).is_none();
    for chain in chains(module, 0..module.exprs.len(), |root| imported.contains_key(&root) || may_come_by_star(root)) {
        for (path, member) in imported.get(&chain[0]).into_iter().flatten() {
            wanted.push(Wanted::new(*path, member.iter().chain(&chain[1..]).copied().collect()));
        }
        if may_come_by_star(chain[0]) {
            wanted.extend(stars.iter().map(|path| Wanted::new(*path, chain.clone())));
        }
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// The same from the modules whose public names this one has.
pub(crate) fn of_stars(module: &Module, members: &[Name]) -> impl Iterator<Item = Wanted> {
    module.star_imports.iter().map(|source| Wanted::new(*source, members.to_vec()))
}

/// Locals of constructors that lead to others are followed so far.
const LONGEST_PATH: u32 = 4;

/// What the declarations of an installed module want.
pub(crate) struct Declarations<'a> {
    pub(crate) module: &'a Module,
    /// The members that the program takes of anything.
    pub(crate) members: &'a FxHashSet<Name>,
}

impl Declarations<'_> {
    /// What the binding of a name in the module's own body wants, when a chain of members is taken of the name.
    pub(crate) fn of_binding(&self, kind: BindingKind, rest: &[Name]) -> Vec<Wanted> {
        self.binding(FunctionId(0), kind, rest, LONGEST_PATH)
    }

    fn binding(&self, within: FunctionId, kind: BindingKind, rest: &[Name], depth: u32) -> Vec<Wanted> {
        match kind {
            _ if depth == 0 => Vec::new(),
            BindingKind::Import(path) => vec![Wanted::new(path, rest.to_vec())],
            // A package that imports from itself means its submodule.
            BindingKind::ImportMember(path, member) if path == self.module.name => {
                vec![Wanted::new(path.join(member), rest.to_vec())]
            }
            BindingKind::ImportMember(path, member) => {
                vec![Wanted::new(path, std::iter::once(member).chain(rest.iter().copied()).collect())]
            }
            BindingKind::Class(id) => self.class(id, depth - 1),
            BindingKind::Function(id) => {
                let function = self.module.function(id);
                let says = function.returns.iter().chain(&function.decorators);
                says.flat_map(|expr| self.expr(within, *expr, depth)).collect()
            }
            BindingKind::Param(at) => {
                let annotation = self.module.function(within).params[at as usize].annotation;
                annotation.map_or_else(Vec::new, |annotation| self.expr(within, annotation, depth))
            }
            kind => exprs(kind).into_iter().flatten().flat_map(|expr| self.expr(within, expr, depth)).collect(),
        }
    }

    /// Bases, and what those members are that the program takes of anything.
    fn class(&self, id: ClassId, depth: u32) -> Vec<Wanted> {
        let class = self.module.class(id);
        let body = self.module.function(class.body);
        let outside = body.parent.unwrap_or(FunctionId(0));
        let mut wanted: Vec<Wanted> = class.bases.iter().flat_map(|base| self.expr(outside, *base, depth)).collect();
        for symbol in body.symbols.iter().filter(|symbol| self.members.contains(&symbol.name)) {
            let kinds = symbol.bindings.iter().map(|binding| self.module.bindings[binding.index()].kind);
            wanted.extend(kinds.flat_map(|kind| self.binding(class.body, kind, &[], depth)));
        }
        for field in class.fields.iter().filter(|field| self.members.contains(&field.name)) {
            wanted.extend(self.binding(field.function, field.kind, &[], depth));
        }
        wanted
    }

    /// The names in an expression. Children come right before their parents, so its parts are a run that ends with it.
    fn expr(&self, within: FunctionId, expr: ExprId, depth: u32) -> Vec<Wanted> {
        let module = self.module;
        let all = module.span(expr);
        let inside = |at: &usize| all.start <= module.spans[*at].start && module.spans[*at].end <= all.end;
        let first = (0..=expr.index()).rev().take_while(inside).last().unwrap_or(expr.index());
        let chains = chains(module, first..expr.index() + 1, |_| true);
        chains.flat_map(|chain| self.chain(within, chain, depth)).collect()
    }

    /// A chain of members of a name that this body sees.
    fn chain(&self, within: FunctionId, chain: Vec<Name>, depth: u32) -> Vec<Wanted> {
        match self.local(within, chain[0]) {
            Some((owner, symbol)) => {
                let bindings = &self.module.function(owner).symbols[symbol.index()].bindings;
                let kinds = bindings.iter().map(|binding| self.module.bindings[binding.index()].kind);
                kinds.flat_map(|kind| self.binding(owner, kind, &chain[1..], depth - 1)).collect()
            }
            None => {
                let body = self.module.function(FunctionId(0));
                let may_be_own = body.symbol(chain[0]).is_some() || !self.module.star_imports.is_empty();
                may_be_own.then(|| Wanted::new(self.module.name, chain)).into_iter().collect()
            }
        }
    }

    /// The body, other than the module's, whose symbol a name is.
    fn local(&self, within: FunctionId, name: Name) -> Option<(FunctionId, SymbolId)> {
        let bodies = std::iter::successors(Some(within), |id| self.module.function(*id).parent);
        let mut inside = bodies.filter(|id| *id != FunctionId(0));
        inside.find_map(|id| Some((id, self.module.function(id).symbol(name)?)))
    }
}

fn exprs(kind: BindingKind) -> [Option<ExprId>; 2] {
    match kind {
        BindingKind::Typed(annotation, value) => [Some(annotation), value],
        BindingKind::Value(value)
        | BindingKind::Part(value, _)
        | BindingKind::TypeAlias(value)
        | BindingKind::Context(value)
        | BindingKind::ContextAsync(value) => [Some(value), None],
        _ => [None, None],
    }
}

/// Every name among these expressions that is of interest, with the members that are taken of it: `a.b.c` as three names.
fn chains(
    module: &Module,
    range: Range<usize>,
    is_of_interest: impl Fn(Name) -> bool,
) -> impl Iterator<Item = Vec<Name>> {
    let whole = range.filter(|at| module.roles[*at] != Role::Receiver).map(|at| ExprId(at as u32));
    let wanted = whole.filter(move |expr| root(module, *expr).is_some_and(&is_of_interest));
    wanted.map(|expr| chain(module, expr))
}

/// The name that a chain of members starts with.
fn root(module: &Module, expr: ExprId) -> Option<Name> {
    match module.expr(expr) {
        Expr::Name(name, _) => Some(name),
        Expr::Attr(base, _) => root(module, base),
        _ => None,
    }
}

fn chain(module: &Module, expr: ExprId) -> Vec<Name> {
    match module.expr(expr) {
        Expr::Attr(base, member) => {
            let mut chain = chain(module, base);
            chain.push(member);
            chain
        }
        Expr::Name(name, _) => vec![name],
        _ => Vec::new(),
    }
}

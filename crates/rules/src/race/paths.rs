//! Locks by the access paths that lead to them, and what a callee's path is called by its caller.
//!
//! A race wants to know that two tasks may meet at a place; that is what [`super::cells`] are for. A task that waits for itself
//! wants more: that both names certainly lead to the same object. So a path begins at something that a caller can name as
//! well, and what cannot be followed has no path.

use super::cells::{Cells, Root};
use super::overlap::{is_captured_receiver, is_receiver};
use racewalk_ir::{
    ArgKind, Binding, BindingId, BindingKind, Defs, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name,
};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, How, Program, Type, Variable};
use racewalk_models::ClassKind;

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Origin {
    /// The method's own receiver.
    Receiver,
    /// A class itself.
    Class(ClassRef),
    /// A variable of a module or of a function, parameters among them.
    Variable(Variable),
}

/// An access path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    /// Where it begins.
    pub origin: Origin,
    /// The members from there on, each behind a point.
    pub members: Name,
}

impl Path {
    fn new(origin: Origin) -> Self {
        Self { origin, members: Name::new("") }
    }

    fn member(self, name: &str) -> Self {
        Self { members: Name::new(&format!("{}.{name}", self.members)), ..self }
    }

    /// The path that begins where this one ends.
    fn then(self, rest: Path) -> Self {
        Self { members: Name::new(&format!("{}{}", self.members, rest.members)), ..self }
    }

    /// The path to what has it as a member.
    fn holder(self) -> Self {
        let members = self.members.as_str().rsplit_once('.').map_or("", |(holder, _)| holder);
        Self { members: Name::new(members), ..self }
    }
}

/// Which one of a table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// There is no table.
    None,
    /// The one under this literal.
    Literal(Name),
    /// The one under what this path leads to.
    Path(Path),
    /// Nobody knows.
    Unknown,
}

/// A lock, or what else tasks wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    /// The path to it, or to its table.
    pub path: Path,
    /// Which one of the table.
    pub key: Key,
}

impl Lock {
    /// A member of the receiver.
    pub fn of_receiver(name: Name) -> Self {
        Self { path: Path::new(Origin::Receiver).member(name.as_str()), key: Key::None }
    }

    /// Both are certainly one.
    pub fn is(self, other: Lock) -> bool {
        self == other && self.key != Key::Unknown
    }
}

/// What an expression that should be a lock leads to.
pub(crate) struct Found {
    /// The lock; none when it has no path.
    pub lock: Option<Lock>,
    /// Its type.
    pub value: Type,
    /// Where locks like it are kept.
    pub root: Option<Root>,
}

/// How many aliases and members are followed.
const LONGEST: u32 = 6;

/// Finds the paths of one function.
pub(crate) struct Paths<'a, 'p> {
    pub program: &'p Program,
    pub evaluator: &'a Evaluator<'p>,
    pub function: FunctionRef,
}

impl<'p> Paths<'_, 'p> {
    fn module(&self) -> &'p Module {
        self.program.module(self.function.file)
    }

    /// The lock behind an expression; behind a condition that was made with a lock, that one.
    pub fn lock(&self, expr: ExprId) -> Found {
        let lock = self.entry(expr, LONGEST);
        lock.and_then(|lock| self.behind_condition(lock)).unwrap_or_else(|| self.found(lock, expr))
    }

    fn found(&self, lock: Option<Lock>, expr: ExprId) -> Found {
        let Self { program, evaluator, function } = *self;
        let cell = Cells { program, evaluator, function }.of(expr);
        let value = evaluator.eval(function.id, expr).without_none();
        Found { lock, value, root: cell.filter(|cell| cell.part.is_none()).map(|cell| cell.root) }
    }

    /// The object behind an expression.
    pub fn of(&self, expr: ExprId) -> Option<Path> {
        self.resolve(expr, LONGEST)
    }

    fn entry(&self, expr: ExprId, depth: u32) -> Option<Lock> {
        let depth = depth.checked_sub(1)?;
        let module = self.module();
        match module.expr(expr) {
            Expr::Subscript(table, key) => Some(Lock { path: self.resolve(table, depth)?, key: self.key(key, depth) }),
            // `locks.setdefault(key, Lock())`, `locks.get(key)`
            Expr::Call(callee, args) => {
                let Expr::Attr(table, _) = module.expr(callee) else { return None };
                let key = module.args(args).first()?.value;
                let is_table = matches!(self.evaluator.eval(self.function.id, table), Type::Mapping(_));
                let path = is_table.then(|| self.resolve(table, depth))??;
                Some(Lock { path, key: self.key(key, depth) })
            }
            Expr::Await(value) => self.entry(value, depth),
            Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
                BindingKind::Value(value) if matches!(module.expr(value), Expr::Subscript(..) | Expr::Call(..)) => {
                    self.entry(value, depth).or_else(|| Some(Lock { path: self.resolve(expr, depth)?, key: Key::None }))
                }
                _ => Some(Lock { path: self.resolve(expr, depth)?, key: Key::None }),
            },
            _ => Some(Lock { path: self.resolve(expr, depth)?, key: Key::None }),
        }
    }

    fn key(&self, key: ExprId, depth: u32) -> Key {
        match self.module().expr(key) {
            Expr::Literal(Literal::Str(text)) => Key::Literal(Name::new(&format!("'{text}'"))),
            Expr::Literal(Literal::Int(number)) => Key::Literal(Name::new(&number.to_string())),
            Expr::Name(..) | Expr::Attr(..) => self.resolve(key, depth).map_or(Key::Unknown, Key::Path),
            _ => Key::Unknown,
        }
    }

    fn resolve(&self, expr: ExprId, depth: u32) -> Option<Path> {
        let depth = depth.checked_sub(1)?;
        match self.module().expr(expr) {
            Expr::Name(name, Defs::Outer) => self.outer(expr, name),
            Expr::Name(name, Defs::One(_)) if is_receiver(self.program, self.function, name) => {
                Some(Path::new(Origin::Receiver))
            }
            Expr::Name(_, Defs::One(binding)) => self.local(self.module().bindings[binding.index()], depth),
            Expr::Attr(base, member) => self.member(base, member, depth),
            Expr::Bind(value) => self.resolve(value, depth),
            Expr::Call(callee, _) => {
                let is_super = matches!(self.module().expr(callee), Expr::Name(name, _) if name.as_str() == "super");
                is_super.then_some(Path::new(Origin::Receiver))
            }
            _ => None,
        }
    }

    fn outer(&self, expr: ExprId, name: Name) -> Option<Path> {
        if is_captured_receiver(self.program, self.function, name) {
            return Some(Path::new(Origin::Receiver));
        }
        if let Type::Class(class) = self.evaluator.eval(self.function.id, expr) {
            return Some(Path::new(Origin::Class(class)));
        }
        let variable = self.program.variable(self.evaluator, self.function.id, name)?;
        self.is_bound_once(variable).then_some(Path::new(Origin::Variable(variable)))
    }

    /// A local that stands for one object all the time, or is another name of one.
    fn local(&self, binding: Binding, depth: u32) -> Option<Path> {
        let module = self.module();
        if let BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) = binding.kind
            && matches!(module.expr(value), Expr::Attr(..) | Expr::Name(..))
        {
            return self.resolve(value, depth);
        }
        let owner = FunctionRef { id: binding.owner, ..self.function };
        let variable = Variable { owner, symbol: binding.symbol };
        self.is_bound_once(variable).then_some(Path::new(Origin::Variable(variable)))
    }

    /// The variable holds one object: nothing assigns to it twice. Of a module's variable that is taken for granted.
    fn is_bound_once(&self, variable: Variable) -> bool {
        let function = self.program.function(variable.owner);
        function.kind == FunctionKind::Module || function.symbols[variable.symbol.index()].bindings.len() == 1
    }

    fn member(&self, base: ExprId, member: Name, depth: u32) -> Option<Path> {
        let class = match self.evaluator.eval(self.function.id, base).without_none() {
            Type::Module(file) => {
                let variable = self.program.module_variable(file, member)?;
                return Some(Path::new(Origin::Variable(variable)));
            }
            Type::Class(class) | Type::Instance(class, _) => Some(class),
            _ => None,
        };
        if let Some(class) = class.and_then(|class| self.static_member(class, member)) {
            return Some(Path::new(Origin::Class(class)).member(member.as_str()));
        }
        let holder = self.resolve(base, depth)?;
        Some(match (member.as_str(), self.own_class()) {
            // Of such a name every class has a member of its own.
            (name, Some(class)) if name.starts_with("__") && !name.ends_with("__") => {
                holder.member(&format!("{}:{name}", self.program.qualified_class(class)))
            }
            (name, _) => holder.member(name),
        })
    }

    fn own_class(&self) -> Option<ClassRef> {
        let mut current = Some(self.function.id);
        while let Some(id) = current {
            let body = self.module().function(id);
            if let Some(id) = body.class {
                return Some(ClassRef { file: self.function.file, id });
            }
            current = body.parent;
        }
        None
    }

    /// The class whose body makes the member, when no method gives its instances one of their own.
    fn static_member(&self, class: ClassRef, member: Name) -> Option<ClassRef> {
        let bases = || {
            self.program.lineage(class).filter_map(|base| match base {
                Type::Class(base) => Some(base),
                _ => None,
            })
        };
        if bases().any(|base| self.program.class(base).fields.iter().any(|field| field.name == member)) {
            return None;
        }
        bases().find(|base| {
            let module = self.program.module(base.file);
            let body = module.function(module.class(base.id).body);
            body.symbol(member).is_some_and(|symbol| {
                let bindings = &body.symbols[symbol.index()].bindings;
                bindings.iter().any(|binding| self.is_made(base.file, body_id(module, *base), *binding))
            })
        })
    }

    /// The class body itself makes the object; it does not declare how instances get one of their own.
    fn is_made(&self, file: FileId, body: FunctionId, binding: BindingId) -> bool {
        let module = self.program.module(file);
        let Some(value) = value_of(module.bindings[binding.index()].kind) else { return false };
        let Expr::Call(callee, _) = module.expr(value) else { return false };
        match self.program.evaluator(file).eval(body, callee) {
            Type::External(path) => self.program.models().kind(path).is_some(),
            _ => false,
        }
    }

    /// The lock that a condition was made with.
    fn behind_condition(&self, lock: Lock) -> Option<Found> {
        if lock.key != Key::None {
            return None;
        }
        let name = Name::new(lock.path.members.as_str().rsplit_once('.').map_or("", |(_, name)| name));
        let (maker, made) = self.construction(lock.path, name)?;
        let module = self.program.module(maker.file);
        let Expr::Call(callee, args) = module.expr(made) else { return None };
        let given = module.args(args).first()?;
        let evaluator = self.program.evaluator(maker.file);
        let is_condition = match evaluator.eval(maker.id, callee) {
            Type::External(path) => {
                matches!(self.program.models().kind(path), Some(ClassKind::AsyncEvent | ClassKind::ThreadEvent))
            }
            _ => false,
        };
        if !is_condition {
            return None;
        }
        let maker = Paths { program: self.program, evaluator: &evaluator, function: maker };
        let inside = maker.entry(given.value, LONGEST)?;
        let seen = match inside.path.origin {
            Origin::Receiver => Lock { path: lock.path.holder().then(inside.path), ..inside },
            _ => inside,
        };
        Some(Found { lock: Some(seen), ..maker.found(None, given.value) })
    }

    /// Where the program makes what the path leads to: in which body, and the expression.
    fn construction(&self, path: Path, member: Name) -> Option<(FunctionRef, ExprId)> {
        match path.origin {
            Origin::Receiver if path.members.as_str().matches('.').count() == 1 => {
                let class = self.own_class()?;
                let bases = self.program.lineage(class).filter_map(|base| match base {
                    Type::Class(base) => Some(base),
                    _ => None,
                });
                let made_in = |base: ClassRef| {
                    let field = self.program.class(base).fields.iter().find(|field| field.name == member)?;
                    Some((FunctionRef { file: base.file, id: field.function }, value_of(field.kind)?))
                };
                bases.into_iter().find_map(made_in)
            }
            Origin::Variable(variable) if path.members.as_str().is_empty() => {
                let module = self.program.module(variable.owner.file);
                let bindings = &module.function(variable.owner.id).symbols[variable.symbol.index()].bindings;
                let [binding] = bindings.as_slice() else { return None };
                Some((variable.owner, value_of(module.bindings[binding.index()].kind)?))
            }
            _ => None,
        }
    }
}

fn body_id(module: &Module, class: ClassRef) -> FunctionId {
    module.class(class.id).body
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => Some(value),
        _ => None,
    }
}

/// A call, as a way from a callee's names to its caller's.
pub(crate) struct Passage<'c, 'a, 'p> {
    /// The caller.
    pub caller: &'c Paths<'a, 'p>,
    /// What in it runs the callee.
    pub site: ExprId,
    /// How.
    pub how: How,
    /// The callee.
    pub target: FunctionRef,
}

impl Passage<'_, '_, '_> {
    /// What the caller calls a lock of the callee; none when it has no name for it.
    pub fn lock(&self, lock: Lock) -> Option<Lock> {
        let path = self.path(lock.path)?;
        let key = match lock.key {
            Key::Path(key) => self.path(key).map_or(Key::Unknown, Key::Path),
            key => key,
        };
        // What the callee knows by a parameter may be a literal here.
        let key = match (lock.key, key) {
            (Key::Path(key), Key::Unknown) => self.literal(key).unwrap_or(Key::Unknown),
            (_, key) => key,
        };
        Some(Lock { path, key })
    }

    /// What the caller calls what a path of the callee leads to.
    pub fn path(&self, path: Path) -> Option<Path> {
        match path.origin {
            Origin::Class(_) => Some(path),
            Origin::Receiver => Some(self.receiver()?.then(path)),
            Origin::Variable(variable) => {
                let owner = self.caller.program.function(variable.owner);
                if owner.kind == FunctionKind::Module {
                    return Some(path);
                }
                if variable.owner == self.target {
                    return Some(self.caller.of(self.argument(variable)?)?.then(path));
                }
                self.is_around(self.caller.function, variable.owner).then_some(path)
            }
        }
    }

    fn literal(&self, key: Path) -> Option<Key> {
        let Origin::Variable(variable) = key.origin else { return None };
        if variable.owner != self.target || !key.members.as_str().is_empty() {
            return None;
        }
        match self.caller.key(self.argument(variable)?, LONGEST) {
            Key::Literal(text) => Some(Key::Literal(text)),
            _ => None,
        }
    }

    /// The body is the function itself or one around it.
    fn is_around(&self, function: FunctionRef, outer: FunctionRef) -> bool {
        let module = self.caller.program.module(function.file);
        let outwards = std::iter::successors(Some(function.id), |id| module.function(*id).parent);
        function.file == outer.file && outwards.into_iter().any(|id| id == outer.id)
    }

    /// What the callee's receiver is.
    fn receiver(&self) -> Option<Path> {
        let program = self.caller.program;
        let module = program.module(self.caller.function.file);
        let body = program.function(self.target);
        if body.class.is_none() || body.kind != FunctionKind::Function {
            // A function inside a method shares its receiver with what is called there.
            let method = self.method_around(self.target)?;
            return self.is_around(self.caller.function, method).then_some(Path::new(Origin::Receiver));
        }
        match module.expr(self.site) {
            _ if self.how == How::Callback || self.constructs() => None,
            Expr::Call(callee, args) => match module.expr(callee) {
                Expr::Attr(base, _) if self.is_class(base) => self.caller.of(module.args(args).first()?.value),
                Expr::Attr(base, _) => self.caller.of(base),
                // A context manager that a call has made is entered: it is nobody else's.
                _ => None,
            },
            Expr::Attr(base, _) if self.is_property() => self.caller.of(base),
            _ => self.caller.of(self.site),
        }
    }

    /// The callee is run because an object is made.
    fn constructs(&self) -> bool {
        let site = self.caller.program.site(self.caller.function, self.site);
        site.is_some_and(|site| site.callee.members().iter().any(|callee| matches!(callee, Type::Class(_))))
    }

    /// What runs the callee is the reading of a member, not the entering of what it holds.
    fn is_property(&self) -> bool {
        let body = self.caller.program.function(self.target);
        !matches!(body.name.as_str(), "__enter__" | "__exit__" | "__aenter__" | "__aexit__")
    }

    /// `Base.method(self, …)`, and not a method of the class itself.
    fn is_class(&self, base: ExprId) -> bool {
        let names_class = matches!(self.caller.evaluator.eval(self.caller.function.id, base), Type::Class(_));
        let module = self.caller.program.module(self.caller.function.file);
        names_class
            && !matches!(module.expr(base), Expr::Name(name, _) if is_receiver(self.caller.program, self.caller.function, name))
    }

    /// The innermost method around a function.
    fn method_around(&self, function: FunctionRef) -> Option<FunctionRef> {
        let module = self.caller.program.module(function.file);
        let mut outwards = std::iter::successors(module.function(function.id).parent, |id| module.function(*id).parent);
        let method = outwards.find(|id| {
            let body = module.function(*id);
            body.class.is_some() && body.kind == FunctionKind::Function
        })?;
        Some(FunctionRef { id: method, ..function })
    }

    /// What the call gives for a parameter of the callee.
    fn argument(&self, variable: Variable) -> Option<ExprId> {
        if self.how == How::Callback {
            return None;
        }
        let program = self.caller.program;
        let body = program.function(self.target);
        let name = body.symbols[variable.symbol.index()].name;
        let position = body.params.iter().position(|param| param.name == name)?;
        let module = program.module(self.caller.function.file);
        let Expr::Call(callee, args) = module.expr(self.site) else { return None };
        let is_method = || matches!(module.expr(callee), Expr::Attr(base, _) if !self.is_class(base));
        let is_bound = body.class.is_some() && (self.constructs() || is_method());
        let args = module.args(args);
        if args.iter().any(|arg| arg.kind == ArgKind::Spread) {
            return None;
        }
        let by_name = args.iter().find(|arg| arg.kind == ArgKind::Named(name));
        let by_position = || {
            let position = position.checked_sub(usize::from(is_bound))?;
            args.iter().filter(|arg| arg.kind == ArgKind::Positional).nth(position)
        };
        by_name.or_else(by_position).map(|arg| arg.value)
    }
}

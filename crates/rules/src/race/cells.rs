//! Cells: the places that may be shared between executions, by the access path that leads to them.

use super::overlap::{is_captured_receiver, is_mutable, is_receiver};
use racewalk_ir::{BindingId, BindingKind, Defs, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;

/// Where a cell lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Root {
    /// A member of the instances of a class, by the class that declares it.
    Field(ClassRef, Name),
    /// A variable of a module, or of a function around the one that uses it.
    Variable(Variable),
    /// A parameter whose value lives longer than the call: a mutable default, or something that tasks share by its nature.
    Param(FunctionRef, Name),
}

/// The name of the member, variable or parameter.
pub(crate) fn name_of(program: &Program, root: Root) -> Name {
    match root {
        Root::Field(_, name) | Root::Param(_, name) => name,
        Root::Variable(variable) => program.function(variable.owner).symbols[variable.symbol.index()].name,
    }
}

/// How the member or variable gets its values, and in which file; nothing for parameters.
pub(crate) fn bindings_of(program: &Program, root: Root) -> (FileId, Vec<BindingKind>) {
    let of_symbol = |module: &Module, body: &racewalk_ir::Function, name: Name| -> Vec<BindingKind> {
        let symbol = body.symbol(name).map(|symbol| &body.symbols[symbol.index()]);
        let bindings = symbol.into_iter().flat_map(|symbol| &symbol.bindings);
        bindings.map(|binding| module.bindings[binding.index()].kind).collect()
    };
    match root {
        Root::Field(class, name) => {
            let own = program.class(class);
            let module = program.module(class.file);
            let fields = own.fields.iter().filter(|field| field.name == name).map(|field| field.kind);
            (class.file, fields.chain(of_symbol(module, module.function(own.body), name)).collect())
        }
        Root::Variable(Variable { owner, .. }) => {
            let body = program.function(owner);
            (owner.file, of_symbol(program.module(owner.file), body, name_of(program, root)))
        }
        Root::Param(function, _) => (function.file, Vec::new()),
    }
}

/// Which object it belongs to, as the function that uses it names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// The method's own receiver.
    Receiver,
    /// There is one: of a module, a class, a default.
    Static,
    /// The object behind this path.
    Object(Name),
}

/// A place that may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    /// Where it lies.
    pub root: Root,
    /// Whose it is.
    pub owner: Owner,
    /// The further member, of an object of which nothing is known.
    pub part: Option<Name>,
    /// The element of a container, by the text of its key.
    pub key: Option<Name>,
}

impl Cell {
    /// Both may be the same place, seen from one function.
    pub fn meets(self, other: Cell) -> bool {
        let agree = |one: Option<Name>, other: Option<Name>| one.is_none() || other.is_none() || one == other;
        self.root == other.root
            && self.owner == other.owner
            && agree(self.key, other.key)
            && agree(self.part, other.part)
    }

    /// Callers can tell which object it belongs to.
    pub fn owner_is_known(self) -> bool {
        !matches!(self.owner, Owner::Object(_)) && !matches!(self.root, Root::Param(..))
    }

    /// The same place seen from a caller: the callee's receiver is this one there.
    pub fn seen_from(self, receiver: Owner) -> Cell {
        let owner = if self.owner == Owner::Receiver { receiver } else { self.owner };
        Cell { owner, ..self }
    }
}

/// Finds the cells of one function.
pub(crate) struct Cells<'a, 'p> {
    pub program: &'p Program,
    pub evaluator: &'a Evaluator<'p>,
    pub function: FunctionRef,
}

/// How many aliases are followed.
const LONGEST_PATH: u32 = 6;

impl<'p> Cells<'_, 'p> {
    fn module(&self) -> &'p Module {
        self.program.module(self.function.file)
    }

    /// The cell that an access path leads to.
    pub fn of(&self, place: ExprId) -> Option<Cell> {
        self.resolve(place, LONGEST_PATH)
    }

    fn resolve(&self, place: ExprId, depth: u32) -> Option<Cell> {
        let depth = depth.checked_sub(1)?;
        match self.module().expr(place) {
            Expr::Name(name, defs) => self.named(name, defs, depth),
            Expr::Attr(base, member) => self.member(base, member, depth),
            Expr::Subscript(base, key) => {
                let container = self.resolve(base, depth)?;
                Some(Cell { key: container.key.or_else(|| self.key(key)), ..container })
            }
            Expr::Bind(value) => self.resolve(value, depth),
            _ => None,
        }
    }

    /// The cell of a variable that the function binds in an outer scope.
    pub fn variable_cell(&self, name: Name) -> Option<Cell> {
        self.variable(name)
    }

    /// Whose an object's members are, by the expression that gives the object.
    pub fn owner_of(&self, object: ExprId) -> Owner {
        if self.is_own_receiver(object) { Owner::Receiver } else { self.object(object) }
    }

    /// The text of a key, good for telling keys of one function apart; none for the variable of a comprehension, which takes
    /// many values.
    pub fn key(&self, key: ExprId) -> Option<Name> {
        let module = self.module();
        Some(match module.expr(key) {
            Expr::Literal(Literal::Str(text)) => Name::new(&format!("'{text}'")),
            Expr::Literal(Literal::Int(number)) => Name::new(&number.to_string()),
            Expr::Name(name, _) if name.as_str().ends_with('\'') => return None,
            Expr::Name(name, _) => name,
            Expr::Attr(..) => Name::new(&self.program.path_text(self.function.file, key)),
            _ => Name::new("…"),
        })
    }

    fn named(&self, name: Name, defs: Defs, depth: u32) -> Option<Cell> {
        let module = self.module();
        match defs {
            Defs::Outer => self.variable(name),
            Defs::One(binding) => match module.bindings[binding.index()].kind {
                // An alias of a container or object that is kept elsewhere.
                BindingKind::Value(value) if matches!(module.expr(value), Expr::Attr(..) | Expr::Name(..)) => {
                    self.resolve(value, depth).filter(|_| self.is_reference(binding))
                }
                BindingKind::Param(position) => self.param(position as usize),
                _ => None,
            },
            _ => None,
        }
    }

    /// The local holds an object that can change, not a copied value.
    fn is_reference(&self, binding: BindingId) -> bool {
        let value = self.evaluator.binding(binding);
        value.members().iter().any(|member| {
            matches!(member, Type::Mapping(_) | Type::Collection(_) | Type::Instance(..) | Type::ExternalInstance(..))
        }) && !self.is_immutable(value)
    }

    fn is_immutable(&self, value: Type) -> bool {
        value.members().iter().any(|member| match member {
            Type::ExternalInstance(path, _) => {
                matches!(path.last_segment(), "int" | "str" | "float" | "bool" | "bytes")
            }
            Type::Plain => true,
            _ => false,
        })
    }

    fn variable(&self, name: Name) -> Option<Cell> {
        let variable = self.program.variable(self.evaluator, self.function.id, name)?;
        let module = self.program.module(variable.owner.file);
        let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
        let is_value = |binding: &BindingId| {
            matches!(
                module.bindings[binding.index()].kind,
                BindingKind::Value(_) | BindingKind::Typed(..) | BindingKind::Modified(_)
            )
        };
        let owner_kind = module.function(variable.owner.id).kind;
        let is_kept = owner_kind != FunctionKind::ClassBody && symbol.bindings.iter().any(is_value);
        is_kept.then_some(Cell { root: Root::Variable(variable), owner: Owner::Static, part: None, key: None })
    }

    fn param(&self, position: usize) -> Option<Cell> {
        let body = self.program.function(self.function);
        let param = body.params.get(position)?;
        let is_default = param.default.is_some_and(|default| is_mutable(self.program, self.function.file, default));
        let is_shared = is_default || {
            let symbol = &body.symbols[body.symbol(param.name)?.index()];
            let value = symbol.bindings.first().map(|binding| self.evaluator.binding(*binding))?;
            super::overlap::is_of(self.program, value, ClassKind::AsyncQueue)
        };
        let root = Root::Param(self.function, param.name);
        is_shared.then_some(Cell { root, owner: Owner::Static, part: None, key: None })
    }

    fn member(&self, base: ExprId, member: Name, depth: u32) -> Option<Cell> {
        let module = self.module();
        let (owner, class) = match module.expr(base) {
            Expr::Name(name, Defs::Outer) if is_captured_receiver(self.program, self.function, name) => {
                (Owner::Receiver, self.instance(base))
            }
            Expr::Name(name, defs) if defs != Defs::Outer && is_receiver(self.program, self.function, name) => {
                (Owner::Receiver, self.instance(base))
            }
            _ => match self.evaluator.eval(self.function.id, base).without_none() {
                Type::Module(file) => return self.module_member(file, member),
                // What a class's own constructor gives, as its methods see it, is an object of the function.
                Type::Class(class) if self.is_local(base) => (self.object(base), Some(class)),
                Type::Class(class) => (Owner::Static, Some(class)),
                Type::Instance(class, _) => (self.object(base), Some(class)),
                _ => {
                    let whole = self.resolve(base, depth)?;
                    return Some(Cell { part: whole.part.or(Some(member)), ..whole });
                }
            },
        };
        let (class, member) = self.behind_property(class?, member)?;
        let class = self.declaring(class, member)?;
        Some(Cell { root: Root::Field(class, member), owner, part: None, key: None })
    }

    /// How the function names an object: one of a module is one.
    fn object(&self, base: ExprId) -> Owner {
        match self.resolve(base, 2).map(|cell| cell.root) {
            Some(Root::Variable(variable)) if variable.owner.id == FunctionId(0) => Owner::Static,
            _ => match self.module().expr(base) {
                // What a member of the receiver keeps is shared as the receiver is.
                Expr::Attr(inner, _) if self.is_own_receiver(inner) => Owner::Receiver,
                _ => Owner::Object(Name::new(&self.program.path_text(self.function.file, base))),
            },
        }
    }

    /// A local that is no parameter.
    fn is_local(&self, expr: ExprId) -> bool {
        let Expr::Name(_, Defs::One(binding)) = self.module().expr(expr) else { return false };
        !matches!(self.module().bindings[binding.index()].kind, BindingKind::Param(_))
    }

    fn is_own_receiver(&self, expr: ExprId) -> bool {
        match self.module().expr(expr) {
            Expr::Name(name, Defs::Outer) => is_captured_receiver(self.program, self.function, name),
            Expr::Name(name, _) => is_receiver(self.program, self.function, name),
            Expr::Attr(inner, _) => self.is_own_receiver(inner),
            _ => false,
        }
    }

    fn instance(&self, receiver: ExprId) -> Option<ClassRef> {
        match self.evaluator.eval(self.function.id, receiver) {
            Type::Instance(class, _) | Type::Class(class) => Some(class),
            _ => None,
        }
    }

    fn module_member(&self, file: FileId, member: Name) -> Option<Cell> {
        let variable = self.program.module_variable(file, member)?;
        Some(Cell { root: Root::Variable(variable), owner: Owner::Static, part: None, key: None })
    }

    /// The member itself; of a property that gives a member of the same object, that one.
    fn behind_property(&self, class: ClassRef, member: Name) -> Option<(ClassRef, Name)> {
        let Some(method) = self.program.method(class, member) else { return Some((class, member)) };
        let id = self.program.function(method).class?;
        let module = self.program.module(method.file);
        let body = module.function(module.class(id).body);
        let symbol = &body.symbols[body.symbol(member)?.index()];
        let getter = symbol.bindings.iter().find_map(|binding| match module.bindings[binding.index()].kind {
            BindingKind::Function(getter) => Some(module.function(getter)),
            _ => None,
        })?;
        let is_property = getter
            .decorators
            .iter()
            .any(|decorator| matches!(module.expr(*decorator), Expr::Name(name, _) if name.as_str() == "property"));
        let [value] = getter.return_values.as_slice() else { return None };
        let receiver = getter.params.first()?.name;
        match module.expr(*value) {
            Expr::Attr(base, field)
                if is_property && matches!(module.expr(base), Expr::Name(name, _) if name == receiver) =>
            {
                Some((ClassRef { file: method.file, id }, field))
            }
            _ => None,
        }
    }

    /// The base that declares a member that holds a value; none for methods, properties and members of libraries' classes.
    fn declaring(&self, class: ClassRef, member: Name) -> Option<ClassRef> {
        if self.program.method(class, member).is_some() {
            return None;
        }
        let bases = self.program.lineage(class).filter_map(|base| match base {
            Type::Class(base) => Some(base),
            _ => None,
        });
        let has = |base: &ClassRef| self.program.members(*base).any(|(name, _)| name == member);
        bases.filter(has).last()
    }
}

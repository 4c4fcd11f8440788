//! Modules, functions, classes, symbols: what one source file declares.

use crate::expr::id;
use crate::{Arg, CallId, Defs, Event, Expr, ExprId, Language, ListId, Name, Role, Span};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

id!(
    /// A function of a module; 0 is the module's own body.
    FunctionId
);
id!(
    /// A class of a module.
    ClassId
);
id!(
    /// A symbol of a function: a name that the function binds.
    SymbolId
);
id!(
    /// One binding of a symbol, in [`Module::bindings`].
    BindingId
);

/// What a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    /// A module's body: runs when the module is imported.
    Module,
    /// The body of a class: runs where the class is defined; its symbols are the class's attributes.
    ClassBody,
    /// A named function or method.
    Function,
    /// An anonymous function.
    Lambda,
}

/// A body that says nothing about what an implementation would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stub {
    /// A real body.
    No,
    /// Nothing but documentation, `pass` or `...`.
    Empty,
    /// Raises "not implemented".
    NotImplemented,
}

/// How a parameter takes its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// By position only.
    Positional,
    /// By position or name.
    Normal,
    /// By name only.
    Named,
    /// All further positional arguments.
    Rest,
    /// All further named arguments.
    RestNamed,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// How it takes its argument.
    pub kind: ParamKind,
    /// Its declared type.
    pub annotation: Option<ExprId>,
    /// Its default.
    pub default: Option<ExprId>,
}

/// How a symbol gets a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BindingKind {
    /// A module: the absolute dotted path of what the name stands for.
    Import(Name),
    /// A member of a module: absolute path of the module, and the member.
    ImportMember(Name, Name),
    /// A function defined here.
    Function(FunctionId),
    /// A class defined here.
    Class(ClassId),
    /// The parameter with this position in [`Function::params`].
    Param(u32),
    /// A value.
    Value(ExprId),
    /// A declared type, and the value when there is one.
    Typed(ExprId, Option<ExprId>),
    /// An element of what is iterated.
    Element(ExprId),
    /// The part at this position of an element of what is iterated.
    ElementPart(ExprId, u32),
    /// An element of what is iterated asynchronously.
    ElementAsync(ExprId),
    /// The part of a value at this position (of a sequence taken apart).
    Part(ExprId, u32),
    /// What a context manager gives.
    Context(ExprId),
    /// What an asynchronous context manager gives.
    ContextAsync(ExprId),
    /// A caught exception of this type.
    Caught(Option<ExprId>),
    /// The old value changed in place by this operand.
    Modified(ExprId),
    /// Bound by a pattern.
    Pattern(ExprId),
    /// Unbound.
    Deleted,
    /// A type alias, with what it stands for.
    TypeAlias(ExprId),
    /// A type parameter, with its bound.
    TypeParameter(Option<ExprId>),
    /// Something that says nothing about the value.
    Opaque,
}

impl BindingKind {
    /// The expression that the bound value is, or is taken from: a part, an element, what a context manager gives.
    pub const fn source(self) -> Option<ExprId> {
        match self {
            Self::Value(value)
            | Self::Typed(_, Some(value))
            | Self::Part(value, _)
            | Self::Element(value)
            | Self::ElementPart(value, _)
            | Self::Context(value)
            | Self::ContextAsync(value) => Some(value),
            _ => None,
        }
    }
}

/// One binding.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The symbol.
    pub symbol: SymbolId,
    /// The function whose symbol it is.
    pub owner: FunctionId,
    /// The function in which it happens: another one when it is declared `global` or `nonlocal`.
    pub within: FunctionId,
    /// How.
    pub kind: BindingKind,
    /// Where the name stands.
    pub span: Span,
}

/// A name that a function binds.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// The name.
    pub name: Name,
    /// Its bindings in source order.
    pub bindings: SmallVec<[BindingId; 4]>,
    /// Its bindings that reach the end of the body (of a module or class: what its users see).
    pub exit: Defs,
    /// A nested function binds it too (`nonlocal`), so what a read sees is not settled by the function's own flow.
    pub bound_inside: bool,
    /// The function declares it to be the module's (`global`).
    pub is_global: bool,
    /// The function declares it to be an enclosing function's (`nonlocal`).
    pub is_nonlocal: bool,
}

/// An assignment to a member of the instance, found in a method.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The member.
    pub name: Name,
    /// The method.
    pub function: FunctionId,
    /// What is assigned.
    pub kind: BindingKind,
    /// Where.
    pub span: Span,
}

/// How a function that stands in a class is bound to what it is called on, as the language's syntax says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bound {
    /// As is usual: to the instance, unless a decorator says otherwise.
    #[default]
    Usual,
    /// To the class.
    ToClass,
    /// To the instance, and reading the member calls it.
    OnRead,
}

/// A function, or any other body of code.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its own name; empty for a module, `<lambda>` for a lambda.
    pub name: Name,
    /// What it belongs to.
    pub kind: FunctionKind,
    /// Declared asynchronous: a call gives a coroutine (or an asynchronous generator).
    pub is_async: bool,
    /// Has a `yield`.
    pub is_generator: bool,
    /// How it is bound, when it stands in a class.
    pub bound: Bound,
    /// The body it is defined in; none for a module.
    pub parent: Option<FunctionId>,
    /// The class in whose body it stands directly; for a class body, that class.
    pub class: Option<ClassId>,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// Decorators, outermost first.
    pub decorators: Vec<ExprId>,
    /// Declared return type.
    pub returns: Option<ExprId>,
    /// What the body is worth as evidence.
    pub stub: Stub,
    /// Symbols that the body binds.
    pub symbols: Vec<Symbol>,
    /// From name to symbol; see [`Function::symbol`].
    pub symbol_of: SymbolIndex,
    /// What the body does.
    pub events: Vec<Event>,
    /// Values that it returns.
    pub return_values: Vec<ExprId>,
    /// The whole definition, decorators aside.
    pub span: Span,
    /// Where its name stands; for nameless bodies an empty span at their start.
    pub name_span: Span,
}

/// The symbols of a function by name, when there are many of them.
#[derive(Clone, Debug, Default)]
pub struct SymbolIndex(FxHashMap<Name, SymbolId>);

/// As many symbols are looked through one by one.
const FEW_SYMBOLS: usize = 8;

impl Function {
    /// The symbol of this name.
    pub fn symbol(&self, name: Name) -> Option<SymbolId> {
        if self.symbols.len() > FEW_SYMBOLS {
            return self.symbol_of.0.get(&name).copied();
        }
        self.symbols.iter().position(|symbol| symbol.name == name).map(|at| SymbolId(at as u32))
    }

    /// The symbol of this name, made when it is not there yet.
    pub fn symbol_or_new(&mut self, name: Name) -> SymbolId {
        if let Some(known) = self.symbol(name) {
            return known;
        }
        let id = SymbolId(self.symbols.len() as u32);
        let bindings = SmallVec::new();
        self.symbols.push(Symbol {
            name,
            bindings,
            exit: Defs::Nothing,
            bound_inside: false,
            is_global: false,
            is_nonlocal: false,
        });
        if self.symbols.len() > FEW_SYMBOLS {
            let known = self.symbol_of.0.len();
            let unknown = self.symbols.iter().enumerate().skip(known);
            self.symbol_of.0.extend(unknown.map(|(at, symbol)| (symbol.name, SymbolId(at as u32))));
        }
        id
    }
}

/// A class.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its own name.
    pub name: Name,
    /// Its body.
    pub body: FunctionId,
    /// Base classes, type arguments included.
    pub bases: Vec<ExprId>,
    /// Named class arguments (metaclass and the like).
    pub arguments: Vec<(Name, ExprId)>,
    /// Decorators.
    pub decorators: Vec<ExprId>,
    /// Type parameters with their bounds.
    pub type_params: Vec<(Name, Option<ExprId>)>,
    /// Members that methods assign.
    pub fields: Vec<Field>,
    /// The whole definition.
    pub span: Span,
    /// Where its name stands.
    pub name_span: Span,
}

/// A comment that is addressed to the analyser.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Where it stands.
    pub span: Span,
    /// Its text, the comment sign and surrounding blanks taken off.
    pub text: Box<str>,
    /// Nothing but blanks stands before it on its line.
    pub own_line: bool,
    /// The line of code that it speaks of, as statements are counted: the one that it stands on or in, else the next. Empty
    /// when none follows.
    pub about: Span,
}

/// Something that the parser could not read.
#[derive(Clone, Debug)]
pub struct SyntaxProblem {
    /// Where.
    pub span: Span,
    /// Why, in the parser's words.
    pub message: String,
}

/// One source file, lowered.
#[derive(Clone, Debug)]
pub struct Module {
    /// The language that it is written in.
    pub language: &'static Language,
    /// Absolute dotted name.
    pub name: Name,
    /// It is a package's own file, so that its relative imports count from itself.
    pub is_package: bool,
    /// Its cells run on an event loop of their own (a notebook): top-level suspension is allowed.
    pub own_loop: bool,
    /// A type checker sees it before it runs: what one refuses does not stand in it.
    pub is_type_checked: bool,
    /// What it declares was read and bodies were not: a function gives what it says that it gives, and does nothing.
    pub signatures_only: bool,
    /// Expressions, children before parents.
    pub exprs: Vec<Expr>,
    /// Where each expression stands.
    pub spans: Vec<Span>,
    /// The expression that holds each; its own id for one that none holds.
    pub parents: Vec<ExprId>,
    /// What becomes of each expression's value.
    pub roles: Vec<Role>,
    /// Members of lists, one run a list.
    pub lists: Vec<ExprId>,
    /// Arguments of all calls, one run a call.
    pub args: Vec<Arg>,
    /// For each call: its run in `args`.
    pub calls: Vec<(u32, u32)>,
    /// Functions; 0 is the module's body.
    pub functions: Vec<Function>,
    /// Classes.
    pub classes: Vec<Class>,
    /// All bindings.
    pub bindings: Vec<Binding>,
    /// Runs that [`Defs::Several`] points into.
    pub def_lists: Vec<BindingId>,
    /// Absolute paths of all modules that are imported or imported from.
    pub imports: Vec<Name>,
    /// Modules whose public names are all imported.
    pub star_imports: Vec<Name>,
    /// The names that the module exports, when it says so.
    pub exports: Option<Vec<Name>>,
    /// Names under which the module exports symbols that are called otherwise inside of it.
    pub renamed_exports: FxHashMap<Name, Name>,
    /// The symbol that is the module's only value: whoever imports the module gets it in its place.
    pub exported_value: Option<Name>,
    /// Expressions for whose values the code says a type, each with it; in the order of the expressions.
    pub casts: Vec<(ExprId, ExprId)>,
    /// Mapping displays that are objects with members of their own, each with its nameless class; in the order of the displays.
    pub objects: Vec<(ExprId, ClassId)>,
    /// Comments for the analyser.
    pub comments: Vec<Comment>,
    /// What could not be parsed.
    pub problems: Vec<SyntaxProblem>,
}

impl Module {
    /// A module with nothing in it, not even its body.
    pub fn empty(name: Name, language: &'static Language) -> Self {
        Self {
            language,
            name,
            is_package: false,
            own_loop: false,
            is_type_checked: false,
            signatures_only: false,
            exprs: Vec::new(),
            spans: Vec::new(),
            parents: Vec::new(),
            roles: Vec::new(),
            lists: Vec::new(),
            args: Vec::new(),
            calls: Vec::new(),
            functions: Vec::new(),
            classes: Vec::new(),
            bindings: Vec::new(),
            def_lists: Vec::new(),
            imports: Vec::new(),
            star_imports: Vec::new(),
            exports: None,
            renamed_exports: FxHashMap::default(),
            exported_value: None,
            casts: Vec::new(),
            objects: Vec::new(),
            comments: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The expression.
    pub fn expr(&self, id: ExprId) -> Expr {
        self.exprs[id.index()]
    }

    /// Where the expression stands.
    pub fn span(&self, id: ExprId) -> Span {
        self.spans[id.index()]
    }

    /// What becomes of the expression's value.
    pub fn role(&self, id: ExprId) -> Role {
        self.roles[id.index()]
    }

    /// The expression that holds this one.
    pub fn parent(&self, id: ExprId) -> Option<ExprId> {
        let parent = self.parents[id.index()];
        (parent != id).then_some(parent)
    }

    /// The members of a list.
    pub fn list(&self, list: ListId) -> &[ExprId] {
        &self.lists[list.start as usize..(list.start + list.len) as usize]
    }

    /// The arguments of a call.
    pub fn args(&self, call: CallId) -> &[Arg] {
        let (start, len) = self.calls[call.index()];
        &self.args[start as usize..(start + len) as usize]
    }

    /// What a call is given by name in mapping displays, where the language passes options so.
    pub fn options(&self, call: CallId) -> impl Iterator<Item = (Name, ExprId)> + '_ {
        let given = self.args(call).iter().filter(|_| self.language.has_option_objects);
        let entries = given.flat_map(|arg| match self.expr(arg.value) {
            Expr::Map(list) => self.list(list).chunks_exact(2),
            _ => [].chunks_exact(2),
        });
        entries.filter_map(|entry| match self.expr(entry[0]) {
            Expr::Literal(crate::Literal::Str(name)) => Some((name, entry[1])),
            _ => None,
        })
    }

    /// The function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }

    /// The dotted path of a function within the module, as messages name it; of the module's own body, the module's
    /// path. Made when it is asked for: few are.
    pub fn qualified(&self, id: FunctionId) -> String {
        let function = self.function(id);
        let Some(parent) = function.parent else { return self.name.to_string() };
        match self.function(parent).kind {
            FunctionKind::Module => function.name.to_string(),
            FunctionKind::ClassBody => format!("{}.{}", self.qualified(parent), function.name),
            FunctionKind::Function | FunctionKind::Lambda => {
                format!("{}.<locals>.{}", self.qualified(parent), function.name)
            }
        }
    }

    /// The type that the code says for the value of an expression.
    pub fn cast(&self, expr: ExprId) -> Option<ExprId> {
        let at = self.casts.binary_search_by_key(&expr, |(expr, _)| *expr).ok()?;
        Some(self.casts[at].1)
    }

    /// The nameless class of a mapping display that is an object with members of its own.
    pub fn object_class(&self, display: ExprId) -> Option<ClassId> {
        let at = self.objects.binary_search_by_key(&display, |(display, _)| *display).ok()?;
        Some(self.objects[at].1)
    }

    /// The class.
    pub fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.index()]
    }

    /// The bindings that a read may see.
    pub fn defs<'a>(&'a self, defs: &'a Defs) -> &'a [BindingId] {
        match defs {
            Defs::Outer | Defs::Nothing => &[],
            Defs::One(binding) => std::slice::from_ref(binding),
            Defs::Several(start, len) => &self.def_lists[*start as usize..(*start + *len) as usize],
        }
    }
}

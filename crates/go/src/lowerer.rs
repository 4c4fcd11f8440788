//! The state of lowering one package: what is being built, which of its files we are in, and the blocks around us.

use crate::scope::Scopes;
use crate::{Package, VARIABLES_PER_ROUND, comments};
use racewalk_go_syntax::{DeclId, File, Ident, Span as Place};
use racewalk_ir::{
    BindingId, BindingKind, Builder, DEEPEST, Defs, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Module,
    Name, Role, Span, blank,
};
use rustc_hash::FxHashMap;
use std::ops::{Deref, DerefMut};

/// What a `break` or `continue` may leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakable {
    Loop,
    /// A `switch` or `select`.
    Choice,
}

/// A statement that can be left, with its label.
#[derive(Clone, Copy)]
pub(crate) struct Around<'t> {
    pub kind: Breakable,
    pub label: Option<&'t str>,
}

/// What lowering must remember of a function that it is in.
#[derive(Default)]
pub(crate) struct Frame<'t> {
    /// The results that have names: what each is called in the text.
    pub results: Vec<&'t str>,
    pub around: Vec<Around<'t>>,
    /// The label of the statement that comes next.
    pub label: Option<&'t str>,
    /// How many functions without names stand in it.
    pub literals: u32,
}

pub(crate) struct Lowerer<'f, 't> {
    builder: Builder,
    files: &'f [(u32, File<'t>)],
    /// The file that we are in.
    at: usize,
    pub scopes: Scopes,
    pub frames: Vec<Frame<'t>>,
    /// For each file: the names of what it imports, with their symbols.
    imports: Vec<Vec<(Name, Name)>>,
    /// The methods of each type by the type's name, wherever they stand: file and declaration.
    pub methods: FxHashMap<&'t str, Vec<(usize, DeclId)>>,
    /// Each round of a loop has variables of its own.
    pub variables_per_round: bool,
    /// How many symbols have been made that nothing in the text names.
    hidden: u32,
}

impl Deref for Lowerer<'_, '_> {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.builder
    }
}

impl DerefMut for Lowerer<'_, '_> {
    fn deref_mut(&mut self) -> &mut Builder {
        &mut self.builder
    }
}

impl<'f, 't> Lowerer<'f, 't> {
    pub fn new(module: Module, files: &'f [(u32, File<'t>)], package: Package<'_>) -> Self {
        Self {
            builder: Builder::new(module),
            files,
            at: 0,
            scopes: Scopes::default(),
            frames: vec![Frame::default()],
            imports: vec![Vec::new(); files.len()],
            methods: FxHashMap::default(),
            variables_per_round: package.version >= VARIABLES_PER_ROUND,
            hidden: 0,
        }
    }

    /// Lowers all declarations of the package, whose joined text has this length.
    pub fn package(mut self, length: u32) -> Module {
        let body = Function { span: Span::new(0, length), ..blank(Name::new(""), FunctionKind::Module) };
        let function = self.open(body, None);
        self.scopes.enter(function);
        for at in 0..self.files.len() {
            self.at = at;
            self.declare_names();
        }
        for at in 0..self.files.len() {
            self.at = at;
            self.imports[at] = self.bind_imports();
        }
        for at in 0..self.files.len() {
            self.in_file(at, Self::declarations);
        }
        self.scopes.leave();
        self.close(function);
        let files = self.files;
        let comments = files.iter().flat_map(|(base, file)| comments::addressed_to_us(file, *base));
        self.builder.module.comments = comments.collect();
        self.builder.module.casts.sort_unstable_by_key(|(value, _)| *value);
        self.builder.module.casts.dedup_by_key(|(value, _)| *value);
        self.builder.module
    }

    /// Does something in a file: under the names of what it imports.
    pub fn in_file(&mut self, at: usize, work: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.at, at);
        self.scopes.enter(FunctionId(0));
        for (name, symbol) in self.imports[at].clone() {
            self.scopes.declare_as(name, symbol);
        }
        work(self);
        self.scopes.leave();
        self.at = before;
    }

    /// The file that we are in.
    pub fn file(&self) -> &'f File<'t> {
        &self.files[self.at].1
    }

    /// The position of the file that we are in.
    pub fn file_at(&self) -> usize {
        self.at
    }

    /// A place of the file as a place of the package.
    pub fn span(&self, place: Place) -> Span {
        let base = self.files[self.at].0;
        Span::new(base + place.start, base + place.end)
    }

    /// The text of a name.
    pub fn text(&self, ident: Ident) -> &'t str {
        self.file().name(ident)
    }

    /// The function that we are in, as far as lowering remembers it.
    pub fn frame(&mut self) -> &mut Frame<'t> {
        self.frames.last_mut().expect("lowering happens inside a function")
    }

    /// Declares a name in the innermost block, and binds it. Gives its symbol.
    pub fn declare(&mut self, name: &str, kind: BindingKind, at: Span) -> Name {
        if name == "_" || name.is_empty() {
            return self.hidden_name("blank");
        }
        let symbol = self.declare_only(name);
        let (owner, _) = self.scopes.find(Name::new(name)).unwrap_or((FunctionId(0), symbol));
        self.bind_in(owner, symbol, kind, at);
        symbol
    }

    /// Declares a name in the innermost block. Gives its symbol.
    pub fn declare_only(&mut self, name: &str) -> Name {
        let module = &self.builder.module;
        let is_taken = |function: FunctionId, symbol| module.function(function).symbol(symbol).is_some();
        let symbol = self.scopes.declare(Name::new(name), is_taken);
        let owner = self.scopes.find(Name::new(name)).map_or(FunctionId(0), |(owner, _)| owner);
        self.symbol(owner, symbol);
        symbol
    }

    /// Binds a name as it is seen from here; what nothing declares belongs to the package.
    pub fn bind(&mut self, name: &str, kind: BindingKind, at: Span) -> BindingId {
        let name = Name::new(name);
        let (owner, symbol) = self.scopes.find(name).unwrap_or((FunctionId(0), name));
        self.bind_in(owner, symbol, kind, at)
    }

    /// Reads a name as it is seen from here.
    pub fn read(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        let id = self.name_expr(name, at, role);
        self.event(Event::Read(id));
        id
    }

    /// The expression of a name, as it is seen from here.
    pub fn name_expr(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        let name = Name::new(name);
        let symbol = self.scopes.find(name).map_or(name, |(_, symbol)| symbol);
        self.push(Expr::Name(symbol, Defs::Outer), at, role)
    }

    /// Nothing declares the name: it is the language's own.
    pub fn is_predeclared(&self, name: &str) -> bool {
        self.scopes.find(Name::new(name)).is_none()
    }

    /// A name that nothing in the text can have.
    pub fn hidden_name(&mut self, what: &str) -> Name {
        self.hidden += 1;
        Name::new(&format!("{what} {}", self.hidden))
    }

    /// An expression with one part.
    pub fn with_child(&mut self, expr: Expr, child: ExprId, at: Span, role: Role) -> ExprId {
        let id = self.push(expr, at, role);
        self.adopt(id, child);
        id
    }

    /// An expression with several parts.
    pub fn with_children(&mut self, expr: Expr, children: &[ExprId], at: Span, role: Role) -> ExprId {
        let id = self.push(expr, at, role);
        self.adopt_all(id, children);
        id
    }

    /// Runs `lower` one level deeper, or gives an opaque expression when that is too deep.
    pub fn deeper(&mut self, at: Span, role: Role, lower: impl FnOnce(&mut Self) -> ExprId) -> ExprId {
        if self.depth >= DEEPEST {
            return self.push(Expr::Opaque, at, role);
        }
        self.depth += 1;
        let id = lower(self);
        self.depth -= 1;
        id
    }

    /// Lowers what nothing runs: a type.
    pub fn quietly<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        self.quiet += 1;
        let lowered = lower(self);
        self.quiet -= 1;
        lowered
    }
}

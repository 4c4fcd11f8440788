//! The state of lowering one module: what is being built, and the blocks that we are in.

use crate::comments;
use crate::scope::Scopes;
use oxc_ast::ast::Program;
use racewalk_ir::{
    BindingId, BindingKind, Builder, DEEPEST, Defs, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Module,
    Name, Role, Span, blank,
};
use std::ops::{Deref, DerefMut};

pub(crate) struct Lowerer<'t> {
    builder: Builder,
    pub text: &'t str,
    pub scopes: Scopes,
    /// How many symbols have been made that nothing in the text names.
    hidden: u32,
    /// For each loop or `switch` that we are in: it is a `switch`, which a `break` leaves without leaving a loop.
    pub breakable: Vec<bool>,
    /// Statements, of compound ones the head; kept only when comments ask for them.
    statements: Option<Vec<Span>>,
}

impl Deref for Lowerer<'_> {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.builder
    }
}

impl DerefMut for Lowerer<'_> {
    fn deref_mut(&mut self) -> &mut Builder {
        &mut self.builder
    }
}

impl<'t> Lowerer<'t> {
    pub fn new(module: Module, text: &'t str) -> Self {
        Self {
            builder: Builder::new(module),
            text,
            scopes: Scopes::default(),
            hidden: 0,
            breakable: Vec::new(),
            statements: comments::may_hold_any(text).then(Vec::new),
        }
    }

    /// Lowers the module's statements.
    pub fn module(mut self, program: &Program<'_>) -> Module {
        let length = self.text.len() as u32;
        let body = Function { span: Span::new(0, length), ..blank(Name::new(""), FunctionKind::Module) };
        let function = self.open(body, None);
        self.scopes.enter(function);
        self.whole_body(&program.body);
        self.scopes.leave();
        self.close(function);
        if let Some(statements) = &self.statements {
            self.builder.module.comments = comments::addressed_to_us(self.text, program, statements);
        }
        // Inner objects are lowered before outer ones, but an object's members may be lowered before it.
        self.builder.module.objects.sort_unstable_by_key(|(display, _)| *display);
        self.builder.module.casts.sort_unstable_by_key(|(value, _)| *value);
        self.builder.module.casts.dedup_by_key(|(value, _)| *value);
        self.builder.module
    }

    /// Remembers where a statement stands, should a comment speak of it.
    pub fn note_statement(&mut self, head: Span) {
        if let Some(statements) = &mut self.statements {
            statements.push(head);
        }
    }

    /// Declares a name in the innermost block, once.
    pub fn declare(&mut self, name: &str) {
        let name = Name::new(name);
        if self.scopes.declares(name) {
            return;
        }
        let module = &self.builder.module;
        let symbol = self.scopes.declare(name, |function, symbol| module.function(function).symbol(symbol).is_some());
        let (owner, _) = self.scopes.find(name).expect("it has just been declared");
        self.symbol(owner, symbol);
    }

    /// Binds a name as it is seen from here; what nothing declares belongs to the module.
    pub fn bind(&mut self, name: &str, kind: BindingKind, span: Span) -> BindingId {
        let name = Name::new(name);
        let (owner, symbol) = self.scopes.find(name).unwrap_or((FunctionId(0), name));
        self.bind_in(owner, symbol, kind, span)
    }

    /// Reads a name as it is seen from here.
    pub fn read(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        let name = Name::new(name);
        let symbol = self.scopes.find(name).map_or(name, |(_, symbol)| symbol);
        self.read_symbol(symbol, at, role)
    }

    fn read_symbol(&mut self, symbol: Name, at: Span, role: Role) -> ExprId {
        let id = self.push(Expr::Name(symbol, Defs::Outer), at, role);
        self.event(Event::Read(id));
        id
    }

    /// Binds a symbol that nothing in the text can name, in the current body. Gives its name.
    pub fn bind_hidden(&mut self, what: &str, kind: BindingKind, span: Span) -> Name {
        self.hidden += 1;
        let name = Name::new(&format!("{what} {}", self.hidden));
        let owner = self.current();
        self.bind_in(owner, name, kind, span);
        name
    }

    /// Reads such a symbol.
    pub fn read_hidden(&mut self, name: Name, at: Span, role: Role) -> ExprId {
        self.read_symbol(name, at, role)
    }

    /// Nothing declares the name: it is the language's own.
    pub fn is_global(&self, name: &str) -> bool {
        self.scopes.find(Name::new(name)).is_none()
    }

    /// An expression with one part.
    pub fn with_child(&mut self, expr: Expr, child: ExprId, at: Span, role: Role) -> ExprId {
        let id = self.push(expr, at, role);
        self.adopt(id, child);
        id
    }

    /// Runs `lower` one level deeper, or gives an opaque expression when that is too deep.
    pub fn deeper(&mut self, span: Span, role: Role, lower: impl FnOnce(&mut Self) -> ExprId) -> ExprId {
        if self.depth >= DEEPEST {
            return self.push(Expr::Opaque, span, role);
        }
        self.depth += 1;
        let id = lower(self);
        self.depth -= 1;
        id
    }
}

//! The state of lowering one module: arenas, the stack of bodies, symbols and bindings.

use racewalk_ir::{
    Arg, Binding, BindingId, BindingKind, CallId, ClassId, Event, Expr, ExprId, Function, FunctionId, FunctionKind,
    ListId, Literal, Module, Name, Role, Span, Stub, Symbol, SymbolId, SymbolIndex,
};
use ruff_python_ast as ast;

/// Nesting beyond this is not looked into: it is nobody's program, and stacks end.
pub(crate) const DEEPEST: u32 = 5_000;

/// A body that is being lowered.
pub(crate) struct Body {
    pub function: FunctionId,
    pub events: Vec<Event>,
    /// The first parameter of a method: the name of its receiver.
    pub receiver: Option<Name>,
    /// The class that the receiver is an instance of.
    pub receiver_class: Option<ClassId>,
}

pub(crate) struct Lowerer {
    pub module: Module,
    pub bodies: Vec<Body>,
    /// For each comprehension that we are in: its own variables.
    pub comprehensions: Vec<Vec<Name>>,
    /// While a type annotation is lowered: nothing happens at run time.
    pub quiet: u32,
    /// While a string annotation is lowered: the span that stands for all of it.
    pub fixed_span: Option<Span>,
    pub depth: u32,
    /// Room of bodies that have ended.
    spare: Vec<Room>,
}

/// Room for what a body has an unknown number of: what is kept of a body is then as large as it must be.
#[derive(Default)]
struct Room {
    events: Vec<Event>,
    symbols: Vec<Symbol>,
}

impl Lowerer {
    pub fn new(module: Module) -> Self {
        Self {
            module,
            bodies: Vec::new(),
            comprehensions: Vec::new(),
            quiet: 0,
            fixed_span: None,
            depth: 0,
            spare: Vec::new(),
        }
    }

    /// Lowers the module's statements.
    pub fn module(mut self, suite: &[ast::Stmt], length: u32) -> Module {
        let body = Function { span: Span::new(0, length), ..blank(Name::new(""), FunctionKind::Module) };
        let function = self.open(body, None);
        self.suite(suite);
        self.close(function);
        self.module
    }

    /// Adds a function to the module and makes it the current body.
    pub fn open(&mut self, mut function: Function, receiver: Option<(Name, ClassId)>) -> FunctionId {
        let id = FunctionId(self.module.functions.len() as u32);
        let Room { events, symbols } = self.spare.pop().unwrap_or_default();
        function.symbols = symbols;
        self.module.functions.push(function);
        self.bodies.push(Body {
            function: id,
            events,
            receiver: receiver.map(|(name, _)| name),
            receiver_class: receiver.map(|(_, class)| class),
        });
        id
    }

    /// Ends the current body.
    pub fn close(&mut self, function: FunctionId) {
        let body = self.bodies.pop().expect("every opened body is closed once");
        debug_assert_eq!(body.function, function);
        let ended = &mut self.module.functions[function.index()];
        let mut room = Room { events: body.events, symbols: std::mem::take(&mut ended.symbols) };
        ended.events = room.events.split_off(0);
        ended.symbols = room.symbols.split_off(0);
        self.spare.push(room);
    }

    pub fn current(&self) -> FunctionId {
        self.bodies.last().expect("lowering happens inside a body").function
    }

    pub fn function(&mut self) -> &mut Function {
        let id = self.current();
        &mut self.module.functions[id.index()]
    }

    pub fn event(&mut self, event: Event) {
        if self.quiet == 0 {
            self.bodies.last_mut().expect("events happen inside a body").events.push(event);
        }
    }

    /// Adds an event whose content is known only later; see [`Self::set_event`].
    pub fn placeholder(&mut self, event: Event) -> usize {
        let events = &mut self.bodies.last_mut().expect("events happen inside a body").events;
        events.push(event);
        events.len() - 1
    }

    pub fn set_event(&mut self, at: usize, event: Event) {
        self.bodies.last_mut().expect("events happen inside a body").events[at] = event;
    }

    pub fn push(&mut self, expr: Expr, span: Span, role: Role) -> ExprId {
        let id = ExprId(self.module.exprs.len() as u32);
        self.module.exprs.push(expr);
        self.module.spans.push(self.fixed_span.unwrap_or(span));
        self.module.parents.push(id);
        self.module.roles.push(role);
        id
    }

    pub fn adopt(&mut self, parent: ExprId, child: ExprId) {
        self.module.parents[child.index()] = parent;
    }

    pub fn adopt_all(&mut self, parent: ExprId, children: &[ExprId]) {
        for child in children {
            self.adopt(parent, *child);
        }
    }

    pub fn list(&mut self, members: &[ExprId]) -> ListId {
        let start = self.module.lists.len() as u32;
        self.module.lists.extend_from_slice(members);
        ListId { start, len: members.len() as u32 }
    }

    pub fn call(&mut self, args: &[Arg]) -> CallId {
        let id = CallId(self.module.calls.len() as u32);
        let start = self.module.args.len() as u32;
        self.module.args.extend_from_slice(args);
        self.module.calls.push((start, args.len() as u32));
        id
    }

    /// The symbol of this name in a function, made when it is not there yet.
    pub fn symbol(&mut self, function: FunctionId, name: Name) -> SymbolId {
        self.module.functions[function.index()].symbol_or_new(name)
    }

    /// Binds a name in the current body, or in the body that it is declared to belong to.
    pub fn bind(&mut self, name: Name, kind: BindingKind, span: Span) -> BindingId {
        let owner = self.owner_of(name);
        let symbol = self.symbol(owner, name);
        let id = BindingId(self.module.bindings.len() as u32);
        self.module.bindings.push(Binding { symbol, owner, within: self.current(), kind, span });
        let bound = &mut self.module.functions[owner.index()].symbols[symbol.index()];
        bound.bindings.push(id);
        bound.bound_inside |= owner != self.bodies.last().map_or(owner, |body| body.function);
        self.event(Event::Bind(id));
        id
    }

    fn owner_of(&self, name: Name) -> FunctionId {
        let current = self.current();
        let function = self.module.function(current);
        let Some(symbol) = function.symbol(name) else { return current };
        let declared = &function.symbols[symbol.index()];
        if declared.is_global {
            return FunctionId(0);
        }
        if declared.is_nonlocal {
            let enclosing = self.bodies.iter().rev().skip(1).map(|body| body.function);
            let mut functions = enclosing.filter(|id| self.module.function(*id).kind == FunctionKind::Function);
            return functions.find(|id| self.module.function(*id).symbol(name).is_some()).unwrap_or(current);
        }
        current
    }

    /// A comprehension's variable is its own: inside, its name stands for a symbol that nothing outside can name.
    pub fn inner_name(&self, name: Name) -> Name {
        let depth = self.comprehensions.iter().rposition(|names| names.contains(&name));
        depth.map_or(name, |depth| Name::new(&format!("{}{}", name.as_str(), "'".repeat(depth + 1))))
    }

    /// The class whose instance this name is, when it is the receiver of the method that we are in.
    pub fn receiver_class(&self, name: Name) -> Option<ClassId> {
        let body = self.bodies.iter().rev().find(|body| body.receiver == Some(name))?;
        body.receiver_class
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

    pub fn literal_str(&self, text: &str) -> Literal {
        const LONGEST_INTERNED: usize = 48;
        let is_short = text.len() <= LONGEST_INTERNED && !text.contains([' ', '\n']);
        if is_short { Literal::Str(Name::new(text)) } else { Literal::Text }
    }
}

/// A function with nothing in it.
pub(crate) fn blank(name: Name, kind: FunctionKind) -> Function {
    Function {
        name,
        kind,
        is_async: false,
        is_generator: false,
        parent: None,
        class: None,
        params: Vec::new(),
        decorators: Vec::new(),
        returns: None,
        stub: Stub::No,
        symbols: Vec::new(),
        symbol_of: SymbolIndex::default(),
        events: Vec::new(),
        return_values: Vec::new(),
        span: Span::default(),
        name_span: Span::default(),
    }
}

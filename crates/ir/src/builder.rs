//! What all front ends do to fill a module: its tables, the stack of bodies, symbols and bindings.

use crate::{
    Arg, Binding, BindingId, BindingKind, Bound, CallId, ClassId, Event, Expr, ExprId, Function, FunctionId,
    FunctionKind, ListId, Literal, Module, Name, Role, Span, Stub, Symbol, SymbolId, SymbolIndex,
};

/// Nesting beyond this is not looked into: it is nobody's program, and stacks end.
pub const DEEPEST: u32 = 5_000;

/// A body that is being lowered.
struct Body {
    function: FunctionId,
    events: Vec<Event>,
    /// The first parameter of a method: the name of its receiver.
    receiver: Option<Name>,
    /// The class that the receiver is an instance of.
    receiver_class: Option<ClassId>,
}

/// A module that is being filled.
pub struct Builder {
    /// The module.
    pub module: Module,
    bodies: Vec<Body>,
    /// While it is above zero, nothing happens at run time: a type is being lowered.
    pub quiet: u32,
    /// While text inside a text is lowered: the span that stands for all of it.
    pub fixed_span: Option<Span>,
    /// How deep the nesting is; see [`DEEPEST`].
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

impl Builder {
    /// Begins to fill this module.
    pub fn new(module: Module) -> Self {
        Self { module, bodies: Vec::new(), quiet: 0, fixed_span: None, depth: 0, spare: Vec::new() }
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

    /// The current body.
    pub fn current(&self) -> FunctionId {
        self.bodies.last().expect("lowering happens inside a body").function
    }

    /// The function of the current body.
    pub fn function(&mut self) -> &mut Function {
        let id = self.current();
        &mut self.module.functions[id.index()]
    }

    /// Adds an event to the current body.
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

    /// Settles an event that was added by [`Self::placeholder`].
    pub fn set_event(&mut self, at: usize, event: Event) {
        self.bodies.last_mut().expect("events happen inside a body").events[at] = event;
    }

    /// Adds an expression.
    pub fn push(&mut self, expr: Expr, span: Span, role: Role) -> ExprId {
        let id = ExprId(self.module.exprs.len() as u32);
        self.module.exprs.push(expr);
        self.module.spans.push(self.fixed_span.unwrap_or(span));
        self.module.parents.push(id);
        self.module.roles.push(role);
        id
    }

    /// Makes `child` a part of `parent`.
    pub fn adopt(&mut self, parent: ExprId, child: ExprId) {
        self.module.parents[child.index()] = parent;
    }

    /// Makes all of these parts of `parent`.
    pub fn adopt_all(&mut self, parent: ExprId, children: &[ExprId]) {
        for child in children {
            self.adopt(parent, *child);
        }
    }

    /// Adds a list.
    pub fn list(&mut self, members: &[ExprId]) -> ListId {
        let start = self.module.lists.len() as u32;
        self.module.lists.extend_from_slice(members);
        ListId { start, len: members.len() as u32 }
    }

    /// Adds the arguments of a call.
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

    /// Binds a name that belongs to this function, where the current body stands.
    pub fn bind_in(&mut self, owner: FunctionId, name: Name, kind: BindingKind, span: Span) -> BindingId {
        let id = self.bind_silently(owner, name, kind, span);
        self.event(Event::Bind(id));
        id
    }

    /// Binds a name that belongs to this function; nothing happens in the current body.
    pub fn bind_silently(&mut self, owner: FunctionId, name: Name, kind: BindingKind, span: Span) -> BindingId {
        let symbol = self.symbol(owner, name);
        let id = BindingId(self.module.bindings.len() as u32);
        self.module.bindings.push(Binding { symbol, owner, within: self.current(), kind, span });
        let bound = &mut self.module.functions[owner.index()].symbols[symbol.index()];
        bound.bindings.push(id);
        bound.bound_inside |= owner != self.bodies.last().map_or(owner, |body| body.function);
        id
    }

    /// The bodies around the current one, innermost first.
    pub fn enclosing(&self) -> impl Iterator<Item = FunctionId> + '_ {
        self.bodies.iter().rev().skip(1).map(|body| body.function)
    }

    /// The current body is the module's own.
    pub fn is_at_top(&self) -> bool {
        self.bodies.len() == 1
    }

    /// How many events the current body has so far.
    pub fn event_count(&self) -> usize {
        self.bodies.last().map_or(0, |body| body.events.len())
    }

    /// The current body's events from this one on.
    pub fn events_from(&self, first: usize) -> &[Event] {
        self.bodies.last().map_or(&[], |body| &body.events[first..])
    }

    /// Takes back the current body's events from this one on.
    pub fn forget_events(&mut self, first: usize) {
        if let Some(body) = self.bodies.last_mut() {
            body.events.truncate(first);
        }
    }

    /// The class whose instance this name is, when it is the receiver of the method that we are in.
    pub fn receiver_class(&self, name: Name) -> Option<ClassId> {
        let body = self.bodies.iter().rev().find(|body| body.receiver == Some(name))?;
        body.receiver_class
    }

    /// A text as a literal.
    pub fn literal_str(&self, text: &str) -> Literal {
        const LONGEST_INTERNED: usize = 48;
        let is_short = text.len() <= LONGEST_INTERNED && !text.contains([' ', '\n']);
        if is_short { Literal::Str(Name::new(text)) } else { Literal::Text }
    }
}

/// A function with nothing in it.
pub fn blank(name: Name, kind: FunctionKind) -> Function {
    Function {
        name,
        kind,
        is_async: false,
        is_generator: false,
        bound: Bound::Usual,
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

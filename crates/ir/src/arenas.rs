//! Room to lower into, used again for file after file: what is kept of a file is then as large as it must be, and nothing
//! has to grow.

use crate::{
    Arg, Binding, BindingId, Expr, ExprId, Function, FunctionId, FunctionKind, Module, Role, Span, Stub, flow,
};
use std::cell::RefCell;

thread_local! {
    /// The room of this thread.
    static ARENAS: RefCell<Arenas> = RefCell::default();
}

/// The tables of a module that grow while it is lowered.
#[derive(Default)]
struct Arenas {
    exprs: Vec<Expr>,
    spans: Vec<Span>,
    parents: Vec<ExprId>,
    roles: Vec<Role>,
    lists: Vec<ExprId>,
    args: Vec<Arg>,
    calls: Vec<(u32, u32)>,
    functions: Vec<Function>,
    bindings: Vec<Binding>,
    def_lists: Vec<BindingId>,
}

/// Fills a module, whose tables must be empty, in the room of this thread, and resolves what its functions read.
pub fn fill(mut module: Module, lower: impl FnOnce(Module) -> Module) -> Module {
    let mut arenas = ARENAS.take();
    arenas.lend(&mut module);
    let mut module = lower(module);
    for function in 0..module.functions.len() {
        flow::resolve_locals(&mut module, FunctionId(function as u32));
    }
    if module.signatures_only {
        module.functions.iter_mut().for_each(|function| function.events = Vec::new());
    }
    arenas.take_back(&mut module);
    ARENAS.set(arenas);
    module
}

/// What stands in a declaration file never runs, also where a generator of such files left bodies in it.
pub fn forget_bodies(module: &mut Module) {
    let functions = module.functions.iter_mut();
    for function in functions.filter(|function| matches!(function.kind, FunctionKind::Function | FunctionKind::Lambda))
    {
        function.events = Vec::new();
        function.return_values = Vec::new();
        function.stub = Stub::Empty;
    }
}

impl Arenas {
    /// Gives the module this room for its tables, which must be empty.
    fn lend(&mut self, module: &mut Module) {
        self.each(module, Lend);
    }

    /// Takes the room back and leaves the module tables of their exact sizes.
    fn take_back(&mut self, module: &mut Module) {
        self.each(module, TakeBack);
    }

    fn each(&mut self, module: &mut Module, exchange: impl Exchange) {
        exchange.run(&mut module.exprs, &mut self.exprs);
        exchange.run(&mut module.spans, &mut self.spans);
        exchange.run(&mut module.parents, &mut self.parents);
        exchange.run(&mut module.roles, &mut self.roles);
        exchange.run(&mut module.lists, &mut self.lists);
        exchange.run(&mut module.args, &mut self.args);
        exchange.run(&mut module.calls, &mut self.calls);
        exchange.run(&mut module.functions, &mut self.functions);
        exchange.run(&mut module.bindings, &mut self.bindings);
        exchange.run(&mut module.def_lists, &mut self.def_lists);
    }
}

/// What to do with a table of the module and the room for it.
trait Exchange {
    fn run<T>(&self, table: &mut Vec<T>, room: &mut Vec<T>);
}

struct Lend;

impl Exchange for Lend {
    fn run<T>(&self, table: &mut Vec<T>, room: &mut Vec<T>) {
        std::mem::swap(table, room);
    }
}

struct TakeBack;

impl Exchange for TakeBack {
    fn run<T>(&self, table: &mut Vec<T>, room: &mut Vec<T>) {
        std::mem::swap(table, room);
        *table = room.split_off(0);
    }
}

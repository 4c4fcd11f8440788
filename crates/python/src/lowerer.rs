//! The state of lowering one module: what is being built, and the comprehensions that we are in.

use racewalk_ir::{
    BindingId, BindingKind, Builder, DEEPEST, Expr, ExprId, Function, FunctionId, FunctionKind, Module, Name, Role,
    Span, blank,
};
use ruff_python_ast as ast;
use std::ops::{Deref, DerefMut};

pub(crate) struct Lowerer {
    builder: Builder,
    /// For each comprehension that we are in: its own variables.
    pub comprehensions: Vec<Vec<Name>>,
}

impl Deref for Lowerer {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.builder
    }
}

impl DerefMut for Lowerer {
    fn deref_mut(&mut self) -> &mut Builder {
        &mut self.builder
    }
}

impl Lowerer {
    pub fn new(module: Module) -> Self {
        Self { builder: Builder::new(module), comprehensions: Vec::new() }
    }

    /// Lowers the module's statements.
    pub fn module(mut self, suite: &[ast::Stmt], length: u32) -> Module {
        let body = Function { span: Span::new(0, length), ..blank(Name::new(""), FunctionKind::Module) };
        let function = self.open(body, None);
        self.suite(suite);
        self.close(function);
        self.builder.module
    }

    /// Binds a name in the current body, or in the body that it is declared to belong to.
    pub fn bind(&mut self, name: Name, kind: BindingKind, span: Span) -> BindingId {
        let owner = self.owner_of(name);
        self.builder.bind_in(owner, name, kind, span)
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
            let mut functions = self.enclosing().filter(|id| self.module.function(*id).kind == FunctionKind::Function);
            return functions.find(|id| self.module.function(*id).symbol(name).is_some()).unwrap_or(current);
        }
        current
    }

    /// A comprehension's variable is its own: inside, its name stands for a symbol that nothing outside can name.
    pub fn inner_name(&self, name: Name) -> Name {
        let depth = self.comprehensions.iter().rposition(|names| names.contains(&name));
        depth.map_or(name, |depth| Name::new(&format!("{}{}", name.as_str(), "'".repeat(depth + 1))))
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

//! Calls: of functions, of what the language has built in, and conversions.

use crate::lowerer::Lowerer;
use racewalk_go_syntax::{ExprId as SyntaxId, ExprKind, List};
use racewalk_ir::{Arg, ArgKind, Event, Expr, ExprId, Role, Span};

/// When what is called runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Here.
    Now,
    /// Beside what follows.
    Beside,
    /// When the function is left.
    AtExit,
}

impl Lowerer<'_, '_> {
    /// A call as an expression.
    pub fn call_expr(
        &mut self,
        callee: SyntaxId,
        arguments: List<SyntaxId>,
        spread: bool,
        at: Span,
        role: Role,
    ) -> ExprId {
        if let Some(id) = self.builtin_call(callee, arguments, at, role) {
            return id;
        }
        if self.is_type(callee) {
            return self.conversion(callee, arguments, at, role);
        }
        self.call_that_runs(callee, arguments, spread, at, role, When::Now)
    }

    /// The call of a `go` or `defer` statement.
    pub fn later_call(&mut self, call: SyntaxId, when: When) {
        let mut expr = call;
        while let ExprKind::Paren(inner) = self.file()[expr].kind {
            expr = inner;
        }
        let at = self.span(self.file()[expr].span);
        match self.file()[expr].kind {
            ExprKind::Call { callee, arguments, spread, .. } => {
                self.call_that_runs(callee, arguments, spread, at, Role::Dropped, when);
            }
            _ => {
                self.expr(expr, Role::Dropped);
            }
        }
    }

    fn call_that_runs(
        &mut self,
        callee: SyntaxId,
        arguments: List<SyntaxId>,
        spread: bool,
        at: Span,
        role: Role,
        when: When,
    ) -> ExprId {
        let callee = self.expr(callee, Role::Callee);
        let values = self.exprs(arguments, Role::Argument);
        let last = values.len();
        let arg = |(position, value): (usize, &ExprId)| {
            let kind = if spread && position + 1 == last { ArgKind::Spread } else { ArgKind::Positional };
            Arg { kind, value: *value }
        };
        let args: Vec<Arg> = values.iter().enumerate().map(arg).collect();
        let call = self.call(&args);
        let id = self.push(Expr::Call(callee, call), at, role);
        self.adopt(id, callee);
        self.adopt_all(id, &values);
        self.event(match when {
            When::Now => Event::Call(id),
            When::Beside => Event::Spawn(id),
            When::AtExit => Event::AtExit(id),
        });
        id
    }

    /// `[]byte(x)`: the value, as the type.
    fn conversion(&mut self, ty: SyntaxId, arguments: List<SyntaxId>, at: Span, role: Role) -> ExprId {
        let values = self.exprs(arguments, Role::Other);
        let Some(value) = values.first() else { return self.push(Expr::Opaque, at, role) };
        let id = self.with_child(Expr::Bind(*value), *value, at, role);
        self.typed(id, ty)
    }

    /// Calls of predeclared functions that take types or do not come back.
    fn builtin_call(&mut self, callee: SyntaxId, arguments: List<SyntaxId>, at: Span, role: Role) -> Option<ExprId> {
        let file = self.file();
        let ExprKind::Ident = file[callee].kind else { return None };
        let name = str::from_utf8(file.text_of(file[callee].span)).unwrap_or_default();
        if !self.is_predeclared(name) {
            return None;
        }
        let (first, rest) = file[arguments].split_first()?;
        match name {
            "make" => Some(self.make(*first, rest, at, role)),
            "new" => Some(self.new_value(*first, at, role)),
            "panic" => {
                let value = self.expr(*first, Role::Raised);
                self.event(Event::Raise(Some(value)));
                Some(self.with_child(Expr::Bind(value), value, at, role))
            }
            _ => None,
        }
    }

    /// `make(T, n)`: a call of `make` on what follows the type, whose value is of the type.
    fn make(&mut self, ty: SyntaxId, sizes: &[SyntaxId], at: Span, role: Role) -> ExprId {
        let callee = self.name_expr("make", at, Role::Callee);
        let values: Vec<ExprId> = sizes.iter().map(|size| self.expr(*size, Role::Argument)).collect();
        let args: Vec<Arg> = values.iter().map(|value| Arg { kind: ArgKind::Positional, value: *value }).collect();
        let call = self.call(&args);
        let id = self.push(Expr::Call(callee, call), at, role);
        self.adopt(id, callee);
        self.adopt_all(id, &values);
        self.typed(id, ty)
    }

    /// `new(T)`, or `new(value)`.
    fn new_value(&mut self, operand: SyntaxId, at: Span, role: Role) -> ExprId {
        let is_named =
            matches!(self.file()[operand].kind, ExprKind::Ident | ExprKind::Selector { .. } | ExprKind::Index { .. });
        if !is_named && !self.is_type(operand) {
            let value = self.expr(operand, Role::Other);
            return self.with_child(Expr::Address(value), value, at, role);
        }
        let callee = self.name_expr("new", at, Role::Callee);
        let call = self.call(&[]);
        let id = self.with_child(Expr::Call(callee, call), callee, at, role);
        self.typed(id, operand)
    }
}

//! Whether a body is a generator's, without lowering it.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};

/// The body has a `yield` of its own: those of functions inside it are theirs.
pub(crate) fn yields(body: &[Stmt]) -> bool {
    let mut search = Search { found: false };
    search.visit_body(body);
    search.found
}

struct Search {
    found: bool,
}

impl<'a> Visitor<'a> for Search {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !self.found && !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Yield(_) | Expr::YieldFrom(_) => self.found = true,
            Expr::Lambda(_) => {}
            _ if self.found => {}
            _ => walk_expr(self, expr),
        }
    }
}

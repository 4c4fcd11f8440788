//! What a CommonJS module exports: assignments to `module.exports` and its members.

use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{AssignmentTarget, Expression, MemberExpression, ObjectPropertyKind};
use oxc_span::GetSpan;
use racewalk_ir::{BindingKind, Expr, ExprId, Literal, Name, Span};

/// The symbol of a value that is all that a module exports.
const WHOLE: &str = "module.exports";

impl Lowerer<'_> {
    /// Notes what an assignment exports, if it does.
    pub fn note_common_js(&mut self, target: &AssignmentTarget<'_>, right: &Expression<'_>, value: ExprId) {
        if !self.is_at_top() {
            return;
        }
        let Some(member) = target.as_member_expression() else { return };
        if self.is_module_exports(member) {
            match right {
                Expression::ObjectExpression(object) => {
                    let names = object.properties.iter().filter_map(|property| match property {
                        ObjectPropertyKind::ObjectProperty(property) => Some(&property.value),
                        ObjectPropertyKind::SpreadProperty(_) => None,
                    });
                    let names: Vec<Option<Name>> = names.map(|value| self.exported_symbol(value)).collect();
                    self.export_entries(value, &names, span(object.span));
                }
                _ => self.export_whole(value, span(right.span())),
            }
        } else if let Some(name) = member.static_property_name().filter(|_| self.is_exports(member.object())) {
            let symbol = self.exported_symbol(right);
            self.export_value(Name::new(name), symbol, value, span(right.span()));
        }
    }

    /// The module is this value and nothing else.
    pub fn export_whole(&mut self, value: ExprId, at: Span) {
        let owner = self.current();
        self.bind_in(owner, Name::new(WHOLE), BindingKind::Value(value), at);
        self.module.exported_value = Some(Name::new(WHOLE));
    }

    /// The symbol that a value simply is.
    fn exported_symbol(&self, value: &Expression<'_>) -> Option<Name> {
        match value {
            Expression::Identifier(name) => self.scopes.find(Name::new(name.name.as_str())).map(|(_, symbol)| symbol),
            _ => None,
        }
    }

    fn export_entries(&mut self, object: ExprId, symbols: &[Option<Name>], at: Span) {
        let Expr::Map(list) = self.module.expr(object) else { return };
        let entries = self.module.list(list).to_vec();
        let pairs = entries.chunks_exact(2).filter(|entry| entry[0] != entry[1]);
        for (entry, symbol) in pairs.zip(symbols) {
            if let Expr::Literal(Literal::Str(name)) = self.module.expr(entry[0]) {
                self.export_value(name, *symbol, entry[1], at);
            }
        }
    }

    /// Exports a value under a name: the symbol that it is, else one of its own.
    pub fn export_value(&mut self, name: Name, symbol: Option<Name>, value: ExprId, at: Span) {
        let symbol = symbol.unwrap_or_else(|| {
            let symbol = Name::new(&format!("export {name}"));
            let owner = self.current();
            self.bind_in(owner, symbol, BindingKind::Value(value), at);
            symbol
        });
        self.module.renamed_exports.insert(name, symbol);
    }

    /// `module.exports`
    fn is_module_exports(&self, member: &MemberExpression<'_>) -> bool {
        let is_module = matches!(member.object(), Expression::Identifier(name) if name.name == "module");
        is_module && member.static_property_name() == Some("exports") && self.is_global("module")
    }

    /// `exports`, or `module.exports`.
    fn is_exports(&self, object: &Expression<'_>) -> bool {
        match object {
            Expression::Identifier(name) => name.name == "exports" && self.is_global("exports"),
            other => other.as_member_expression().is_some_and(|member| self.is_module_exports(member)),
        }
    }
}

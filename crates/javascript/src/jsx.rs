//! Markup in code: the values in it are evaluated, and handed to something of which nothing is known.

use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{
    JSXAttributeItem, JSXAttributeValue, JSXChild, JSXElement, JSXElementName, JSXExpression, JSXExpressionContainer,
    JSXFragment,
};
use racewalk_ir::{Expr, ExprId, Role, Span};

impl Lowerer<'_> {
    pub fn jsx_element(&mut self, element: &JSXElement<'_>, at: Span, role: Role) -> ExprId {
        let mut parts = Vec::new();
        if let JSXElementName::IdentifierReference(name) = &element.opening_element.name {
            parts.push(self.read(name.name.as_str(), span(name.span), Role::Other));
        }
        for attribute in &element.opening_element.attributes {
            match attribute {
                JSXAttributeItem::Attribute(attribute) => {
                    parts.extend(attribute.value.as_ref().and_then(|value| self.jsx_value(value)));
                }
                JSXAttributeItem::SpreadAttribute(spread) => parts.push(self.expr(&spread.argument, Role::Unpacked)),
            }
        }
        self.jsx_children(&element.children, &mut parts);
        self.jsx_whole(&parts, at, role)
    }

    pub fn jsx_fragment(&mut self, fragment: &JSXFragment<'_>, at: Span, role: Role) -> ExprId {
        let mut parts = Vec::new();
        self.jsx_children(&fragment.children, &mut parts);
        self.jsx_whole(&parts, at, role)
    }

    fn jsx_whole(&mut self, parts: &[ExprId], at: Span, role: Role) -> ExprId {
        let id = self.push(Expr::Opaque, at, role);
        self.adopt_all(id, parts);
        id
    }

    fn jsx_value(&mut self, value: &JSXAttributeValue<'_>) -> Option<ExprId> {
        match value {
            JSXAttributeValue::StringLiteral(_) => None,
            JSXAttributeValue::ExpressionContainer(container) => self.jsx_container(container),
            JSXAttributeValue::Element(element) => Some(self.jsx_element(element, span(element.span), Role::Other)),
            JSXAttributeValue::Fragment(fragment) => {
                Some(self.jsx_fragment(fragment, span(fragment.span), Role::Other))
            }
        }
    }

    fn jsx_container(&mut self, container: &JSXExpressionContainer<'_>) -> Option<ExprId> {
        match &container.expression {
            JSXExpression::EmptyExpression(_) => None,
            other => Some(self.expr(other.to_expression(), Role::Other)),
        }
    }

    fn jsx_children(&mut self, children: &[JSXChild<'_>], parts: &mut Vec<ExprId>) {
        for child in children {
            match child {
                JSXChild::Text(_) => {}
                JSXChild::Element(element) => parts.push(self.jsx_nested(element)),
                JSXChild::Fragment(fragment) => {
                    parts.push(self.jsx_fragment(fragment, span(fragment.span), Role::Other))
                }
                JSXChild::ExpressionContainer(container) => parts.extend(self.jsx_container(container)),
                JSXChild::Spread(spread) => parts.push(self.expr(&spread.expression, Role::Unpacked)),
            }
        }
    }

    fn jsx_nested(&mut self, element: &JSXElement<'_>) -> ExprId {
        let at = span(element.span);
        self.deeper(at, Role::Other, |this| this.jsx_element(element, at, Role::Other))
    }
}

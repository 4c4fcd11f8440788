//! Types, as expressions that name what they are made of: nothing of them happens at run time.

use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{TSTupleElement, TSType, TSTypeName, TSTypeOperatorOperator, TSTypeParameterInstantiation};
use oxc_span::GetSpan;
use racewalk_ir::{Defs, Expr, ExprId, ListId, Literal, Name, Role, Span};

impl Lowerer<'_> {
    /// Lowers something of which nothing happens at run time.
    pub fn quietly<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        self.quiet += 1;
        let lowered = lower(self);
        self.quiet -= 1;
        lowered
    }

    /// Lowers a type annotation.
    pub fn annotation(&mut self, declared: &TSType<'_>) -> ExprId {
        self.quietly(|this| this.type_expr(declared, Role::Annotation))
    }

    fn type_expr(&mut self, declared: &TSType<'_>, role: Role) -> ExprId {
        let at = span(declared.span());
        self.deeper(at, role, |this| this.type_here(declared, at, role))
    }

    fn type_here(&mut self, declared: &TSType<'_>, at: Span, role: Role) -> ExprId {
        match declared {
            TSType::TSTypeReference(named) => {
                self.type_name_with(&named.type_name, named.type_arguments.as_deref(), role)
            }
            TSType::TSUnionType(union) => self.type_list(&union.types, Expr::Choice, at, role),
            TSType::TSIntersectionType(all) => self.type_list(&all.types, Expr::Choice, at, role),
            TSType::TSArrayType(array) => self.named_generic("Array", &[&array.element_type], at, role),
            TSType::TSTypeOperatorType(operator) => match operator.operator {
                TSTypeOperatorOperator::Readonly => self.type_expr(&operator.type_annotation, role),
                TSTypeOperatorOperator::Keyof | TSTypeOperatorOperator::Unique => self.plain_type(at, role),
            },
            TSType::TSTupleType(tuple) => {
                let members: Vec<&TSType<'_>> = tuple.element_types.iter().filter_map(element_type).collect();
                self.named_generic("[]", &members, at, role)
            }
            TSType::TSFunctionType(function) => {
                self.named_generic("=>", &[&function.return_type.type_annotation], at, role)
            }
            TSType::TSTypeLiteral(literal) => self.type_literal(&literal.members, at, role),
            TSType::TSParenthesizedType(inner) => self.type_expr(&inner.type_annotation, role),
            TSType::TSThisType(_) => self.builtin_type("this", at, role),
            TSType::TSVoidKeyword(_)
            | TSType::TSUndefinedKeyword(_)
            | TSType::TSNullKeyword(_)
            | TSType::TSNeverKeyword(_) => self.literal(Literal::None, at, role),
            TSType::TSStringKeyword(_)
            | TSType::TSNumberKeyword(_)
            | TSType::TSBooleanKeyword(_)
            | TSType::TSBigIntKeyword(_)
            | TSType::TSSymbolKeyword(_)
            | TSType::TSLiteralType(_)
            | TSType::TSTemplateLiteralType(_)
            | TSType::TSTypePredicate(_) => self.plain_type(at, role),
            _ => self.push(Expr::Opaque, at, role),
        }
    }

    fn plain_type(&mut self, at: Span, role: Role) -> ExprId {
        self.builtin_type("string", at, role)
    }

    fn builtin_type(&mut self, name: &str, at: Span, role: Role) -> ExprId {
        self.push(Expr::Name(Name::new(name), Defs::Outer), at, role)
    }

    /// A generic of the language's own with these arguments.
    fn named_generic(&mut self, name: &str, arguments: &[&TSType<'_>], at: Span, role: Role) -> ExprId {
        let base = self.builtin_type(name, at, Role::Container);
        let arguments: Vec<ExprId> = arguments.iter().map(|argument| self.type_expr(argument, Role::Element)).collect();
        self.applied(base, &arguments, at, role)
    }

    /// `base<arguments>`
    pub fn generic(&mut self, base: ExprId, arguments: &[TSType<'_>], at: Span, role: Role) -> ExprId {
        self.quietly(|this| {
            let arguments: Vec<ExprId> =
                arguments.iter().map(|argument| this.type_expr(argument, Role::Element)).collect();
            this.applied(base, &arguments, at, role)
        })
    }

    fn applied(&mut self, base: ExprId, arguments: &[ExprId], at: Span, role: Role) -> ExprId {
        let list = self.list(arguments);
        let key = self.push(Expr::Tuple(list), at, Role::Key);
        self.adopt_all(key, arguments);
        let id = self.with_child(Expr::Subscript(base, key), base, at, role);
        self.adopt(id, key);
        id
    }

    fn type_list(&mut self, members: &[TSType<'_>], build: fn(ListId) -> Expr, at: Span, role: Role) -> ExprId {
        let members: Vec<ExprId> = members.iter().map(|member| self.type_expr(member, Role::Arm)).collect();
        let list = self.list(&members);
        let id = self.push(build(list), at, role);
        self.adopt_all(id, &members);
        id
    }

    /// A named type, perhaps with arguments.
    pub fn type_name_with(
        &mut self,
        name: &TSTypeName<'_>,
        arguments: Option<&TSTypeParameterInstantiation<'_>>,
        role: Role,
    ) -> ExprId {
        self.quietly(|this| match arguments {
            Some(arguments) => {
                let base = this.type_name(name, Role::Container);
                this.generic(base, &arguments.params, span(name.span()), role)
            }
            None => this.type_name(name, role),
        })
    }

    fn type_name(&mut self, name: &TSTypeName<'_>, role: Role) -> ExprId {
        match name {
            TSTypeName::IdentifierReference(name) => self.read(name.name.as_str(), span(name.span), role),
            TSTypeName::QualifiedName(qualified) => {
                let base = self.type_name(&qualified.left, Role::Receiver);
                let member = Name::new(qualified.right.name.as_str());
                self.with_child(Expr::Attr(base, member), base, span(qualified.span), role)
            }
            TSTypeName::ThisExpression(this) => self.builtin_type("this", span(this.span), role),
        }
    }
}

fn element_type<'a>(element: &'a TSTupleElement<'a>) -> Option<&'a TSType<'a>> {
    match element {
        TSTupleElement::TSOptionalType(inner) => Some(&inner.type_annotation),
        TSTupleElement::TSRestType(inner) => Some(&inner.type_annotation),
        TSTupleElement::TSNamedTupleMember(named) => element_type(&named.element_type),
        other => other.as_ts_type(),
    }
}

//! Types, as annotations: `[]T` is the generic `[]` of `T`, and so on for all that the language writes with signs.

use crate::lowerer::Lowerer;
use racewalk_go_syntax::{ChanDirection, Expr as Syntax, ExprId as SyntaxId, ExprKind, FieldList};
use racewalk_ir::{BindingKind, Defs, Expr, ExprId, Literal, Name, Role, Span};

impl Lowerer<'_, '_> {
    /// A type as an annotation.
    pub fn annotation(&mut self, ty: SyntaxId) -> ExprId {
        self.quietly(|lowerer| lowerer.ty(ty, Role::Annotation))
    }

    /// A type in this role.
    pub fn ty(&mut self, ty: SyntaxId, role: Role) -> ExprId {
        let Syntax { span, kind } = self.file()[ty];
        let at = self.span(span);
        self.deeper(at, role, |lowerer| lowerer.ty_here(ty, kind, at, role))
    }

    fn ty_here(&mut self, ty: SyntaxId, kind: ExprKind, at: Span, role: Role) -> ExprId {
        match kind {
            ExprKind::Ident => {
                let name = str::from_utf8(self.file().text_of(self.file()[ty].span)).unwrap_or_default();
                if name == "any" && self.is_predeclared(name) {
                    return self.push(Expr::Literal(Literal::Ellipsis), at, role);
                }
                self.name_expr(name, at, role)
            }
            ExprKind::Paren(inner) => self.ty(inner, role),
            ExprKind::Star(pointed) => {
                let pointed = self.ty(pointed, Role::Annotation);
                self.with_child(Expr::Address(pointed), pointed, at, role)
            }
            ExprKind::Selector { operand, name } => {
                let package = self.ty(operand, Role::Receiver);
                self.with_child(Expr::Attr(package, Name::new(self.text(name))), package, at, role)
            }
            ExprKind::Index { operand, indices } => {
                let generic = self.ty(operand, Role::Container);
                let arguments: Vec<SyntaxId> = self.file()[indices].to_vec();
                let arguments: Vec<ExprId> = arguments.iter().map(|one| self.ty(*one, Role::Annotation)).collect();
                self.generic_of(generic, &arguments, at, role)
            }
            ExprKind::SliceType { element } => self.generic("[]", &[element], at, role),
            ExprKind::ArrayType { element, .. } => self.generic("[N]", &[element], at, role),
            ExprKind::Variadic(element) => self.generic("[]", &[element], at, role),
            ExprKind::MapType { key, value } => self.generic("map", &[key, value], at, role),
            ExprKind::ChanType { direction, element, .. } => {
                let name = match direction {
                    ChanDirection::Both => "chan",
                    ChanDirection::Send => "chan<-",
                    ChanDirection::Receive => "<-chan",
                };
                self.generic(name, &[element], at, role)
            }
            ExprKind::FuncType(signature) => {
                let results = self.file()[signature].results;
                match self.results_type(results) {
                    Some(result) => {
                        let func = self.sign("func", at);
                        self.generic_of(func, &[result], at, role)
                    }
                    None => {
                        let func = self.sign("func", at);
                        let nothing = self.push(Expr::Literal(Literal::None), at, Role::Annotation);
                        self.generic_of(func, &[nothing], at, role)
                    }
                }
            }
            ExprKind::StructType(_) | ExprKind::InterfaceType(_) => {
                let name = self.hidden_name("type");
                let class = self.class(name, ty, Span::new(at.start, at.start), &[]);
                let owner = self.current();
                self.bind_silently(owner, name, BindingKind::Class(class), at);
                self.push(Expr::Name(name, Defs::Outer), at, role)
            }
            _ => self.push(Expr::Literal(Literal::Ellipsis), at, role),
        }
    }

    /// What the results of a function are together; none for none.
    pub fn results_type(&mut self, results: FieldList) -> Option<ExprId> {
        let fields = self.file()[results.fields].to_vec();
        let types: Vec<SyntaxId> =
            fields.iter().flat_map(|field| vec![field.ty; self.file()[field.names].len().max(1)]).collect();
        let at = self.span(results.span);
        match types.as_slice() {
            [] => None,
            [one] => Some(self.ty(*one, Role::Annotation)),
            several => Some(self.generic("(,)", several, at, Role::Annotation)),
        }
    }

    fn generic(&mut self, name: &str, arguments: &[SyntaxId], at: Span, role: Role) -> ExprId {
        let arguments: Vec<ExprId> = arguments.iter().map(|one| self.ty(*one, Role::Annotation)).collect();
        let generic = self.sign(name, at);
        self.generic_of(generic, &arguments, at, role)
    }

    /// A type that has no name that a program could declare.
    fn sign(&mut self, name: &str, at: Span) -> ExprId {
        self.push(Expr::Name(Name::new(name), Defs::Outer), at, Role::Container)
    }

    fn generic_of(&mut self, generic: ExprId, arguments: &[ExprId], at: Span, role: Role) -> ExprId {
        let list = self.list(arguments);
        let arguments = self.with_children(Expr::Tuple(list), arguments, at, Role::Key);
        let id = self.push(Expr::Subscript(generic, arguments), at, role);
        self.adopt_all(id, &[generic, arguments]);
        id
    }

    /// Says that the value of an expression is of a type.
    pub fn cast(&mut self, value: ExprId, ty: ExprId) {
        self.module.casts.push((value, ty));
    }

    /// The type alone can be meant by an expression, without types being known.
    pub fn is_type(&self, expr: SyntaxId) -> bool {
        match self.file()[expr].kind {
            ExprKind::Paren(inner) | ExprKind::Star(inner) => self.is_type(inner),
            ExprKind::SliceType { .. }
            | ExprKind::ArrayType { .. }
            | ExprKind::StructType(_)
            | ExprKind::FuncType(_)
            | ExprKind::InterfaceType(_)
            | ExprKind::MapType { .. }
            | ExprKind::ChanType { .. } => true,
            _ => false,
        }
    }
}

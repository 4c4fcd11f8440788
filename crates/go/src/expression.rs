//! Expressions, calls aside.

use crate::lowerer::Lowerer;
use racewalk_go_syntax::{
    BinaryOp, Expr as Syntax, ExprId as SyntaxId, ExprKind, List, LiteralKind, UnaryOp, string_value,
};
use racewalk_ir::{Arg, ArgKind, Event, Expr, ExprId, Literal, LogicalOp, Name, Role, Span};

impl<'t> Lowerer<'_, 't> {
    /// Lowers an expression.
    pub fn expr(&mut self, expr: SyntaxId, role: Role) -> ExprId {
        let Syntax { span, kind } = self.file()[expr];
        let at = self.span(span);
        self.deeper(at, role, |lowerer| lowerer.expr_here(expr, kind, at, role))
    }

    /// Lowers expressions in one role.
    pub fn exprs(&mut self, list: List<SyntaxId>, role: Role) -> Vec<ExprId> {
        let exprs = self.file();
        exprs[list].iter().map(|one| self.expr(*one, role)).collect()
    }

    fn expr_here(&mut self, expr: SyntaxId, kind: ExprKind, at: Span, role: Role) -> ExprId {
        match kind {
            ExprKind::Bad | ExprKind::KeyValue { .. } => self.push(Expr::Opaque, at, role),
            ExprKind::Ident => self.ident(expr, at, role),
            ExprKind::Literal(kind) => self.literal(expr, kind, at, role),
            ExprKind::Composite { ty, elements } => self.composite(ty, elements, at, role),
            ExprKind::Func { signature, body } => self.literal_function(signature, body, at, role),
            ExprKind::Paren(inner) => self.expr(inner, role),
            ExprKind::Selector { operand, name } => {
                let base = self.expr(operand, Role::Receiver);
                let place = Expr::Attr(base, Name::new(self.text(name)));
                self.read_place(place, &[base], at, role)
            }
            ExprKind::Index { operand, indices } => {
                let base = self.expr(operand, Role::Container);
                let keys = self.exprs(indices, Role::Key);
                let key = match keys.as_slice() {
                    [one] => *one,
                    several => {
                        let list = self.list(several);
                        self.with_children(Expr::Tuple(list), several, at, Role::Key)
                    }
                };
                self.read_place(Expr::Subscript(base, key), &[base, key], at, role)
            }
            ExprKind::Slice { operand, low, high, max } => {
                let base = self.expr(operand, Role::Container);
                let bounds: Vec<ExprId> =
                    [low, high, max].into_iter().flatten().map(|bound| self.expr(bound, Role::Operand)).collect();
                let list = self.list(&bounds);
                let key = self.with_children(Expr::Operation(list), &bounds, at, Role::Key);
                self.read_place(Expr::Subscript(base, key), &[base, key], at, role)
            }
            ExprKind::TypeAssertion { operand, ty } => {
                let value = self.expr(operand, Role::Other);
                let id = self.with_child(Expr::Bind(value), value, at, role);
                if let Some(ty) = ty {
                    let ty = self.annotation(ty);
                    self.cast(id, ty);
                }
                id
            }
            ExprKind::Call { callee, arguments, spread, .. } => self.call_expr(callee, arguments, spread, at, role),
            ExprKind::Star(pointed) => {
                let pointer = self.expr(pointed, Role::Receiver);
                self.read_place(Expr::Deref(pointer), &[pointer], at, role)
            }
            ExprKind::Unary { op, operand } => self.unary(op, operand, at, role),
            ExprKind::Binary { op, left, right, .. } => self.binary(op, left, right, at, role),
            _ => self.quietly(|lowerer| lowerer.ty(expr, role)),
        }
    }

    /// A part of a value is read, unless a part of it is meant, or it is written or called.
    fn read_place(&mut self, place: Expr, parts: &[ExprId], at: Span, role: Role) -> ExprId {
        let id = self.with_children(place, parts, at, role);
        if !matches!(role, Role::Receiver | Role::Container | Role::Callee | Role::Target) {
            self.event(Event::ReadPlace(id));
        }
        id
    }

    fn ident(&mut self, expr: SyntaxId, at: Span, role: Role) -> ExprId {
        let name = str::from_utf8(self.file().text_of(self.file()[expr].span)).unwrap_or_default();
        if self.is_predeclared(name) {
            let literal = match name {
                "nil" => Some(Literal::None),
                "true" => Some(Literal::Bool(true)),
                "false" => Some(Literal::Bool(false)),
                "iota" => Some(Literal::Int(0)),
                _ => None,
            };
            if let Some(literal) = literal {
                return self.push(Expr::Literal(literal), at, role);
            }
        }
        self.read(name, at, role)
    }

    fn literal(&mut self, expr: SyntaxId, kind: LiteralKind, at: Span, role: Role) -> ExprId {
        let text = self.file().text_of(self.file()[expr].span);
        let literal = match kind {
            LiteralKind::Int => whole(text).map_or(Literal::Number(0), Literal::Int),
            LiteralKind::String => match string_value(text) {
                Some(value) => match str::from_utf8(&value) {
                    Ok(value) => self.literal_str(value),
                    Err(_) => Literal::Text,
                },
                None => Literal::Text,
            },
            _ => Literal::Number(0),
        };
        self.push(Expr::Literal(literal), at, role)
    }

    fn unary(&mut self, op: UnaryOp, operand: SyntaxId, at: Span, role: Role) -> ExprId {
        match op {
            UnaryOp::Receive => {
                let channel = self.expr(operand, Role::Other);
                let id = self.with_child(Expr::Received(channel), channel, at, role);
                self.event(Event::Receive(id));
                id
            }
            UnaryOp::Address => {
                // Nothing is read of what has its address taken.
                let is_literal = matches!(self.file()[operand].kind, ExprKind::Composite { .. } | ExprKind::Paren(_));
                let inner = if is_literal { Role::Other } else { Role::Target };
                let place = self.address_operand(operand, inner);
                self.with_child(Expr::Address(place), place, at, role)
            }
            UnaryOp::Not => {
                let value = self.expr(operand, Role::Tested);
                self.with_child(Expr::Not(value), value, at, role)
            }
            _ => {
                let value = self.expr(operand, Role::Operand);
                let list = self.list(&[value]);
                self.with_child(Expr::Operation(list), value, at, role)
            }
        }
    }

    fn address_operand(&mut self, operand: SyntaxId, role: Role) -> ExprId {
        let Syntax { span, kind } = self.file()[operand];
        if matches!(kind, ExprKind::Ident) {
            let name = str::from_utf8(self.file().text_of(span)).unwrap_or_default();
            let at = self.span(span);
            return self.name_expr(name, at, role);
        }
        self.expr(operand, role)
    }

    fn binary(&mut self, op: BinaryOp, left: SyntaxId, right: SyntaxId, at: Span, role: Role) -> ExprId {
        use BinaryOp::{AndAnd, Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, OrOr};
        if let AndAnd | OrOr = op {
            let left = self.expr(left, Role::Tested);
            let condition = if op == AndAnd { left } else { self.push(Expr::Not(left), at, Role::Tested) };
            self.event(Event::Branch(Some(condition)));
            let right = self.expr(right, Role::Arm);
            self.event(Event::EndBranch(false));
            let list = self.list(&[left, right]);
            let op = if op == AndAnd { LogicalOp::And } else { LogicalOp::Or };
            return self.with_children(Expr::Logical(list, op), &[left, right], at, role);
        }
        let operand = match op {
            Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => Role::Compared,
            _ => Role::Operand,
        };
        let operands = [self.expr(left, operand), self.expr(right, operand)];
        let list = self.list(&operands);
        match op {
            Equal => self.with_children(Expr::Equality(list), &operands, at, role),
            NotEqual => {
                let equal = self.with_children(Expr::Equality(list), &operands, at, Role::Tested);
                self.with_child(Expr::Not(equal), equal, at, role)
            }
            Less | LessEqual | Greater | GreaterEqual => self.with_children(Expr::Compare(list), &operands, at, role),
            _ => self.with_children(Expr::Operation(list), &operands, at, role),
        }
    }

    /// `T{…}`. What has no type of its own (an element that leaves it out) is a list of what is in it.
    fn composite(&mut self, ty: Option<SyntaxId>, elements: List<SyntaxId>, at: Span, role: Role) -> ExprId {
        let file = self.file();
        let Some(ty) = ty else { return self.list_display(elements, at, role) };
        match file[ty].kind {
            ExprKind::MapType { .. } => {
                let mut entries = Vec::new();
                for element in &file[elements] {
                    if let ExprKind::KeyValue { key, value } = file[*element].kind {
                        entries.push(self.expr(key, Role::MapKey));
                        entries.push(self.expr(value, Role::Element));
                    }
                }
                let list = self.list(&entries);
                let id = self.with_children(Expr::Map(list), &entries, at, role);
                self.typed(id, ty)
            }
            ExprKind::SliceType { .. } | ExprKind::ArrayType { .. } => {
                let id = self.list_display(elements, at, role);
                self.typed(id, ty)
            }
            _ => {
                let callee = self.quietly(|lowerer| lowerer.ty(ty, Role::Callee));
                let mut arguments = Vec::new();
                for element in &file[elements] {
                    arguments.push(self.field_value(*element));
                }
                let call = self.call(&arguments);
                let id = self.push(Expr::Call(callee, call), at, role);
                self.adopt(id, callee);
                arguments.iter().for_each(|arg| self.adopt(id, arg.value));
                id
            }
        }
    }

    fn field_value(&mut self, element: SyntaxId) -> Arg {
        let file = self.file();
        match file[element].kind {
            ExprKind::KeyValue { key, value } => {
                let kind = match file[key].kind {
                    ExprKind::Ident => {
                        let name = str::from_utf8(file.text_of(file[key].span)).unwrap_or_default();
                        ArgKind::Named(Name::new(name))
                    }
                    _ => ArgKind::Positional,
                };
                Arg { kind, value: self.expr(value, Role::Argument) }
            }
            _ => Arg { kind: ArgKind::Positional, value: self.expr(element, Role::Argument) },
        }
    }

    fn list_display(&mut self, elements: List<SyntaxId>, at: Span, role: Role) -> ExprId {
        let file = self.file();
        let mut values = Vec::new();
        for element in &file[elements] {
            let value = match file[*element].kind {
                ExprKind::KeyValue { value, .. } => value,
                _ => *element,
            };
            values.push(self.expr(value, Role::Element));
        }
        let list = self.list(&values);
        self.with_children(Expr::List(list), &values, at, role)
    }

    /// Says that a value is of a type that is written.
    pub fn typed(&mut self, value: ExprId, ty: SyntaxId) -> ExprId {
        let ty = self.annotation(ty);
        self.cast(value, ty);
        value
    }
}

/// A whole number that fits.
fn whole(text: &[u8]) -> Option<i32> {
    let text = str::from_utf8(text).ok()?.replace('_', "");
    match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => i32::from_str_radix(&text[2..], 16).ok(),
        Some("0b") => i32::from_str_radix(&text[2..], 2).ok(),
        Some("0o") => i32::from_str_radix(&text[2..], 8).ok(),
        _ => text.parse().ok(),
    }
}

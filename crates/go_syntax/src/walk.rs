//! Nodes of all types in one, and the way from a node to those in it.

use crate::arena::{List, Stored};
use crate::ast::{
    BlockId, CaseClause, CommClause, DeclId, DeclKind, ExprId, ExprKind, Field, FieldList, Ident, IfArm, ImportSpec,
    InterfaceElement, InterfaceElementKind, SignatureId, Span, StmtId, StmtKind, TypeSpec, ValueSpec,
};
use crate::file::File;

/// A node of any type.
#[derive(Clone, Copy, Debug)]
pub enum Node<'f> {
    /// A declaration.
    Decl(DeclId),
    /// One import.
    Import(&'f ImportSpec),
    /// Constants or variables declared together.
    Value(&'f ValueSpec),
    /// A type declared.
    Type(&'f TypeSpec),
    /// Type parameters, parameters or results.
    Fields(&'f FieldList),
    /// A field or parameters of one type.
    Field(&'f Field),
    /// An element of an interface.
    Element(&'f InterfaceElement),
    /// The signature of a function.
    Signature(SignatureId),
    /// A block.
    Block(BlockId),
    /// A statement.
    Stmt(StmtId),
    /// An arm of an `if`.
    IfArm(&'f IfArm),
    /// A clause of a switch.
    Case(&'f CaseClause),
    /// A clause of a select.
    Comm(&'f CommClause),
    /// An expression or a type.
    Expr(ExprId),
    /// A name that is no expression: one declared, selected, or a label.
    Name(Ident),
}

impl<'f> Node<'f> {
    /// Where the node stands.
    pub fn span(self, file: &File<'_>) -> Span {
        match self {
            Self::Decl(id) => file[id].span,
            Self::Import(spec) => spec.span,
            Self::Value(spec) => spec.span,
            Self::Type(spec) => spec.span,
            Self::Fields(list) => list.span,
            Self::Field(field) => field.span,
            Self::Element(element) => element.span,
            Self::Signature(id) => file[id].span,
            Self::Block(id) => file[id].span,
            Self::Stmt(id) => file[id].span,
            Self::IfArm(arm) => arm.span,
            Self::Case(clause) => clause.span,
            Self::Comm(clause) => clause.span,
            Self::Expr(id) => file[id].span,
            Self::Name(ident) => ident.span,
        }
    }
}

/// All nodes below some, in the order of the text: parents before children.
#[derive(Debug)]
pub struct Descendants<'f, 'a> {
    file: &'f File<'a>,
    /// What is still to be visited, the next one last.
    left: Vec<Node<'f>>,
    children: Vec<Node<'f>>,
}

impl<'f, 'a> Descendants<'f, 'a> {
    pub(crate) fn new(file: &'f File<'a>, mut roots: Vec<Node<'f>>) -> Self {
        roots.reverse();
        Self { file, left: roots, children: Vec::new() }
    }
}

impl<'f> Iterator for Descendants<'f, '_> {
    type Item = Node<'f>;

    fn next(&mut self) -> Option<Node<'f>> {
        let node = self.left.pop()?;
        self.file.children(node, &mut self.children);
        self.left.extend(self.children.drain(..).rev());
        Some(node)
    }
}

/// Collects children.
struct Children<'f, 'c> {
    file: &'f File<'f>,
    into: &'c mut Vec<Node<'f>>,
}

impl<'f> Children<'f, '_> {
    fn expr(&mut self, expr: impl Into<Option<ExprId>>) {
        self.into.extend(expr.into().map(Node::Expr));
    }

    fn stmt(&mut self, stmt: impl Into<Option<StmtId>>) {
        self.into.extend(stmt.into().map(Node::Stmt));
    }

    fn name(&mut self, name: impl Into<Option<Ident>>) {
        self.into.extend(name.into().map(Node::Name));
    }

    fn block(&mut self, block: impl Into<Option<BlockId>>) {
        self.into.extend(block.into().map(Node::Block));
    }

    fn exprs(&mut self, list: List<ExprId>) {
        self.into.extend(self.file[list].iter().map(|&expr| Node::Expr(expr)));
    }

    fn stmts(&mut self, list: List<StmtId>) {
        self.into.extend(self.file[list].iter().map(|&stmt| Node::Stmt(stmt)));
    }

    fn names(&mut self, list: List<Ident>) {
        self.into.extend(self.file[list].iter().map(|&name| Node::Name(name)));
    }

    fn each<T: Stored + 'f>(&mut self, list: List<T>, node: impl Fn(&'f T) -> Node<'f>) {
        self.into.extend(self.file[list].iter().map(node));
    }

    /// A list of parameters, if it is written.
    fn fields(&mut self, list: &'f FieldList) {
        if !list.span.is_empty() {
            self.into.push(Node::Fields(list));
        }
    }

    fn of(&mut self, node: Node<'f>) {
        match node {
            Node::Decl(id) => self.of_decl(&self.file[id].kind),
            Node::Import(spec) => {
                self.name(spec.name);
                self.expr(spec.path);
            }
            Node::Value(spec) => {
                self.names(spec.names);
                self.expr(spec.ty);
                self.exprs(spec.values);
            }
            Node::Type(spec) => {
                self.name(spec.name);
                self.fields(&spec.type_params);
                self.expr(spec.ty);
            }
            Node::Fields(list) => self.each(list.fields, Node::Field),
            Node::Field(field) => {
                self.names(field.names);
                self.expr(field.ty);
                self.expr(field.tag);
            }
            Node::Element(element) => match element.kind {
                InterfaceElementKind::Method { name, signature } => {
                    self.name(name);
                    self.into.push(Node::Signature(signature));
                }
                InterfaceElementKind::Embedded(ty) => self.expr(ty),
            },
            Node::Signature(id) => {
                let signature = &self.file[id];
                self.fields(&signature.type_params);
                self.fields(&signature.params);
                self.fields(&signature.results);
            }
            Node::Block(id) => self.stmts(self.file[id].stmts),
            Node::Stmt(id) => self.of_stmt(self.file[id].kind),
            Node::IfArm(arm) => {
                self.stmt(arm.init);
                self.expr(arm.condition);
                self.block(arm.body);
            }
            Node::Case(clause) => {
                self.exprs(clause.exprs);
                self.stmts(clause.body);
            }
            Node::Comm(clause) => {
                self.stmt(clause.comm);
                self.stmts(clause.body);
            }
            Node::Expr(id) => self.of_expr(self.file[id].kind),
            Node::Name(_) => {}
        }
    }

    fn of_decl(&mut self, kind: &'f DeclKind) {
        match kind {
            DeclKind::Bad => {}
            DeclKind::Import(specs) => self.each(*specs, Node::Import),
            DeclKind::Const(specs) | DeclKind::Var(specs) => self.each(*specs, Node::Value),
            DeclKind::Type(specs) => self.each(*specs, Node::Type),
            DeclKind::Func(function) => {
                if let Some(receiver) = &function.receiver {
                    self.fields(receiver);
                }
                self.name(function.name);
                self.into.push(Node::Signature(function.signature));
                self.block(function.body);
            }
        }
    }

    fn of_stmt(&mut self, kind: StmtKind) {
        match kind {
            StmtKind::Bad | StmtKind::Empty => {}
            StmtKind::Expr(expr) | StmtKind::Go(expr) | StmtKind::Defer(expr) => self.expr(expr),
            StmtKind::Send { channel, value } => {
                self.expr(channel);
                self.expr(value);
            }
            StmtKind::IncDec { operand, .. } => self.expr(operand),
            StmtKind::Assign { left, right, .. } => {
                self.exprs(left);
                self.exprs(right);
            }
            StmtKind::Return(values) => self.exprs(values),
            StmtKind::Branch { label, .. } => self.name(label),
            StmtKind::Labeled { label, stmt } => {
                self.name(label);
                self.stmt(stmt);
            }
            StmtKind::Block(block) => self.block(block),
            StmtKind::If { arms, otherwise } => {
                self.each(arms, Node::IfArm);
                self.block(otherwise);
            }
            StmtKind::Switch { init, tag, clauses } => {
                self.stmt(init);
                self.expr(tag);
                self.each(clauses, Node::Case);
            }
            StmtKind::TypeSwitch { init, binding, guard, clauses } => {
                self.stmt(init);
                self.expr(binding);
                self.expr(guard);
                self.each(clauses, Node::Case);
            }
            StmtKind::Select(clauses) => self.each(clauses, Node::Comm),
            StmtKind::For { init, condition, post, body } => {
                self.stmt(init);
                self.expr(condition);
                self.stmt(post);
                self.block(body);
            }
            StmtKind::Range { key, value, operand, body, .. } => {
                self.expr(key);
                self.expr(value);
                self.expr(operand);
                self.block(body);
            }
            StmtKind::Decl(decl) => self.into.push(Node::Decl(decl)),
        }
    }

    fn of_expr(&mut self, kind: ExprKind) {
        match kind {
            ExprKind::Bad | ExprKind::Ident | ExprKind::Literal(_) => {}
            ExprKind::Composite { ty, elements } => {
                self.expr(ty);
                self.exprs(elements);
            }
            ExprKind::KeyValue { key, value } | ExprKind::MapType { key, value } => {
                self.expr(key);
                self.expr(value);
            }
            ExprKind::Func { signature, body } => {
                self.into.push(Node::Signature(signature));
                self.block(body);
            }
            ExprKind::Selector { operand, name } => {
                self.expr(operand);
                self.name(name);
            }
            ExprKind::Index { operand, indices } => {
                self.expr(operand);
                self.exprs(indices);
            }
            ExprKind::Slice { operand, low, high, max } => {
                self.expr(operand);
                self.expr(low);
                self.expr(high);
                self.expr(max);
            }
            ExprKind::TypeAssertion { operand, ty } => {
                self.expr(operand);
                self.expr(ty);
            }
            ExprKind::Call { callee, arguments, .. } => {
                self.expr(callee);
                self.exprs(arguments);
            }
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::ArrayType { length, element } => {
                self.expr(length);
                self.expr(element);
            }
            ExprKind::Paren(inner)
            | ExprKind::Star(inner)
            | ExprKind::Unary { operand: inner, .. }
            | ExprKind::SliceType { element: inner }
            | ExprKind::ChanType { element: inner, .. }
            | ExprKind::Variadic(inner) => self.expr(inner),
            ExprKind::StructType(fields) => self.each(fields, Node::Field),
            ExprKind::FuncType(signature) => self.into.push(Node::Signature(signature)),
            ExprKind::InterfaceType(elements) => self.each(elements, Node::Element),
        }
    }
}

impl<'a> File<'a> {
    /// Appends the nodes directly below a node, in the order of the text.
    pub fn children<'f>(&'f self, node: Node<'f>, into: &mut Vec<Node<'f>>) {
        Children { file: self, into }.of(node);
    }

    /// A node and all nodes below it.
    pub fn descendants<'f>(&'f self, node: Node<'f>) -> Descendants<'f, 'a> {
        Descendants::new(self, vec![node])
    }

    /// All nodes of the file.
    pub fn nodes(&self) -> Descendants<'_, 'a> {
        let package = std::iter::once(Node::Name(self.package));
        Descendants::new(self, package.chain(self[self.decls].iter().map(|&decl| Node::Decl(decl))).collect())
    }
}

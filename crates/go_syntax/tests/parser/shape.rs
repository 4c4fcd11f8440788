//! The tree as text, for tests.

use racewalk_go_syntax::{
    AssignOp, BinaryOp, ChanDirection, DeclKind, ExprKind, File, InterfaceElementKind, Node, StmtKind, UnaryOp, parse,
};

/// What stands in the function `f` around some statements, as in [`shape`].
pub fn of_statements(statements: &str) -> String {
    let text = format!("package p\nfunc f() {{\n{statements}\n}}\n");
    let file = parse(&text);
    assert_eq!(file.errors, [], "{statements}");
    let DeclKind::Func(function) = file[file[file.decls][0]].kind else { panic!("no function: {statements}") };
    let body = file[function.body.expect("a body")];
    let shapes: Vec<String> = file[body.stmts].iter().map(|&stmt| shape(&file, Node::Stmt(stmt))).collect();
    shapes.join(" ")
}

/// The shape of an expression.
pub fn of_expression(expression: &str) -> String {
    let shape = of_statements(&format!("_ = {expression}"));
    shape.strip_prefix("(= _ ").and_then(|shape| shape.strip_suffix(')')).expect("an assignment").to_owned()
}

/// The shape of a type.
pub fn of_type(ty: &str) -> String {
    let shape = of_declarations(&format!("var _ {ty}"));
    shape.strip_prefix("(var (spec _ ").and_then(|shape| shape.strip_suffix("))")).expect("a variable").to_owned()
}

/// The shapes of declarations.
pub fn of_declarations(declarations: &str) -> String {
    let text = format!("package p\n{declarations}\n");
    let file = parse(&text);
    assert_eq!(file.errors, [], "{declarations}");
    let shapes: Vec<String> = file[file.decls].iter().map(|&decl| shape(&file, Node::Decl(decl))).collect();
    shapes.join(" ")
}

/// A node as nested lists: `(call f (+ 1 2))`. Names and literals stand as they are.
pub fn shape(file: &File<'_>, node: Node<'_>) -> String {
    let mut children = Vec::new();
    file.children(node, &mut children);
    let label = label(file, node);
    if children.is_empty() && label.is_empty() {
        return String::from_utf8_lossy(file.text_of(node.span(file))).into_owned();
    }
    let mut parts = if label.is_empty() { Vec::new() } else { vec![label] };
    parts.extend(children.into_iter().map(|child| shape(file, child)));
    format!("({})", parts.join(" "))
}

/// What a list begins with; nothing for names, literals, and for nodes that only group others.
fn label(file: &File<'_>, node: Node<'_>) -> String {
    match node {
        Node::Decl(id) => match file[id].kind {
            DeclKind::Bad => "bad",
            DeclKind::Import(_) => "import",
            DeclKind::Const(_) => "const",
            DeclKind::Var(_) => "var",
            DeclKind::Type(_) => "type",
            DeclKind::Func(function) if function.receiver.is_some() => "method",
            DeclKind::Func(_) => "func",
        },
        Node::Import(_) | Node::Value(_) => "spec",
        Node::Type(spec) => {
            if spec.is_alias {
                "alias"
            } else {
                "def"
            }
        }
        Node::Fields(_) => "list",
        Node::Field(_) => "field",
        Node::Element(element) => match element.kind {
            InterfaceElementKind::Method { .. } => "method",
            InterfaceElementKind::Embedded(_) => "embedded",
        },
        Node::Signature(_) => "signature",
        Node::Block(_) => "block",
        Node::IfArm(_) => "arm",
        Node::Case(clause) => {
            if clause.is_default {
                "default"
            } else {
                "case"
            }
        }
        Node::Comm(clause) => {
            if clause.comm.is_none() {
                "default"
            } else {
                "comm"
            }
        }
        Node::Name(_) => "",
        Node::Stmt(id) => return statement(&file[id].kind),
        Node::Expr(id) => return expression(&file[id].kind),
    }
    .to_owned()
}

fn statement(kind: &StmtKind) -> String {
    match kind {
        StmtKind::Bad => "bad",
        StmtKind::Empty => "empty",
        StmtKind::Expr(_) => "do",
        StmtKind::Send { .. } => "send",
        StmtKind::IncDec { increment, .. } => {
            if *increment {
                "++"
            } else {
                "--"
            }
        }
        StmtKind::Assign { op, .. } => match op {
            AssignOp::Assign => "=",
            AssignOp::Define => ":=",
            AssignOp::With(op) => return format!("{}=", binary(*op)),
        },
        StmtKind::Go(_) => "go",
        StmtKind::Defer(_) => "defer",
        StmtKind::Return(_) => "return",
        StmtKind::Branch { kind, .. } => return format!("{kind:?}").to_lowercase(),
        StmtKind::Labeled { .. } => "label",
        StmtKind::Block(_) => "",
        StmtKind::If { .. } => "if",
        StmtKind::Switch { .. } => "switch",
        StmtKind::TypeSwitch { .. } => "typeswitch",
        StmtKind::Select(_) => "select",
        StmtKind::For { .. } => "for",
        StmtKind::Range { define, .. } => {
            if *define {
                "range:="
            } else {
                "range"
            }
        }
        StmtKind::Decl(_) => "",
    }
    .to_owned()
}

fn expression(kind: &ExprKind) -> String {
    match kind {
        ExprKind::Bad => "bad",
        ExprKind::Ident | ExprKind::Literal(_) => "",
        ExprKind::Composite { .. } => "literal",
        ExprKind::KeyValue { .. } => ":",
        ExprKind::Func { .. } => "closure",
        ExprKind::Paren(_) => "paren",
        ExprKind::Selector { .. } => ".",
        ExprKind::Index { .. } => "index",
        ExprKind::Slice { low, high, max, .. } => {
            let part = |bound: &Option<_>| if bound.is_some() { "x" } else { "" };
            return format!("slice[{}:{}:{}]", part(low), part(high), part(max));
        }
        ExprKind::TypeAssertion { ty, .. } => {
            if ty.is_some() {
                "assert"
            } else {
                "type?"
            }
        }
        ExprKind::Call { spread, .. } => {
            if *spread {
                "call..."
            } else {
                "call"
            }
        }
        ExprKind::Star(_) => "*",
        ExprKind::Unary { op, .. } => match op {
            UnaryOp::Plus => "+",
            UnaryOp::Minus => "-",
            UnaryOp::Not => "!",
            UnaryOp::Xor => "^",
            UnaryOp::Address => "&",
            UnaryOp::Tilde => "~",
            UnaryOp::Receive => "<-",
        },
        ExprKind::Binary { op, .. } => binary(*op),
        ExprKind::SliceType { .. } => "[]",
        ExprKind::ArrayType { length, .. } => {
            if length.is_some() {
                "array"
            } else {
                "[...]"
            }
        }
        ExprKind::StructType(_) => "struct",
        ExprKind::FuncType(_) => "functype",
        ExprKind::InterfaceType(_) => "interface",
        ExprKind::MapType { .. } => "map",
        ExprKind::ChanType { direction, .. } => match direction {
            ChanDirection::Both => "chan",
            ChanDirection::Send => "chan<-",
            ChanDirection::Receive => "<-chan",
        },
        ExprKind::Variadic(_) => "...",
    }
    .to_owned()
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::OrOr => "||",
        BinaryOp::AndAnd => "&&",
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Or => "|",
        BinaryOp::Xor => "^",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::And => "&",
        BinaryOp::AndNot => "&^",
    }
}

//! Shows what the parser makes of files, for the tool that compares it with Go's own. LIST names a file with one path a
//! line; an unreadable file is left out.
//!
//! ```text
//! inspect check LIST          one line a file: path, tab, and offset and message of the first error if there is one
//! inspect dump LIST           for each file a line with its path, then for each node its kind, start and end
//! inspect time LIST ROUNDS    reads all files, parses them ROUNDS times, prints the CPU seconds of each round
//! ```
//!
//! Kinds are called as in `go/ast`.

#![expect(clippy::disallowed_methods, reason = "an example reads its own files")]

use racewalk_go_syntax::{DeclKind, ExprKind, File, Node, Span, StmtKind, parse};
use std::error::Error;
use std::hint::black_box;
use std::io::{BufWriter, Write, stdout};

const USAGE: &str = "usage: inspect check LIST | dump LIST | time LIST ROUNDS";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, list, rounds @ ..] = &arguments[..] else { return Err(USAGE.into()) };
    let list = std::fs::read_to_string(list)?;
    let mut texts = list.lines().filter_map(|path| Some((path, std::fs::read(path).ok()?)));
    let mut out = BufWriter::new(stdout().lock());
    match (command.as_str(), rounds) {
        ("check", []) => texts.try_for_each(|(path, text)| check(path, &text, &mut out))?,
        ("dump", []) => texts.try_for_each(|(path, text)| dump(path, &text, &mut out))?,
        ("time", [rounds]) => time(&texts.map(|(_, text)| text).collect::<Vec<_>>(), rounds.parse()?, &mut out)?,
        _ => return Err(USAGE.into()),
    }
    Ok(out.flush()?)
}

fn check(path: &str, text: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    match parse(text).errors.first() {
        Some(error) => writeln!(out, "{path}\t{} {error}", error.offset),
        None => writeln!(out, "{path}\t"),
    }
}

fn time(texts: &[Vec<u8>], rounds: u32, out: &mut impl Write) -> std::io::Result<()> {
    for _ in 0..rounds {
        let start = cpu_time::ProcessTime::now();
        for text in texts {
            black_box(parse(text));
        }
        writeln!(out, "{:.4}", start.elapsed().as_secs_f64())?;
    }
    Ok(())
}

fn dump(path: &str, text: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    let file = parse(text);
    writeln!(out, "{path}")?;
    let mut show = |kind: &str, span: Span| writeln!(out, "{kind} {} {}", span.start, span.end);
    for comment in &file.comments {
        show("Comment", *comment)?;
    }
    for node in file.nodes() {
        // Where a chain of `if` ends, each of its arms does, as a statement of its own.
        if let Node::Stmt(id) = node
            && let StmtKind::If { arms, .. } = file[id].kind
        {
            for arm in &file[arms] {
                show("IfStmt", Span::new(arm.span.start, file[id].span.end))?;
            }
        } else if let Some(kind) = kind(&file, node) {
            show(kind, node.span(&file))?;
        }
    }
    Ok(())
}

/// What `go/ast` calls a node; nothing for one that it hasn't.
fn kind(file: &File<'_>, node: Node<'_>) -> Option<&'static str> {
    Some(match node {
        Node::Decl(id) => match file[id].kind {
            DeclKind::Bad => "BadDecl",
            DeclKind::Func(_) => "FuncDecl",
            _ => "GenDecl",
        },
        Node::Import(_) => "ImportSpec",
        Node::Value(_) => "ValueSpec",
        Node::Type(_) => "TypeSpec",
        Node::Fields(_) => "FieldList",
        Node::Field(_) | Node::Element(_) => "Field",
        Node::Signature(_) => "FuncType",
        Node::Block(_) => "BlockStmt",
        Node::IfArm(_) => return None,
        Node::Case(_) => "CaseClause",
        Node::Comm(_) => "CommClause",
        Node::Name(_) => "Ident",
        Node::Stmt(id) => match file[id].kind {
            StmtKind::Bad => "BadStmt",
            StmtKind::Empty => "EmptyStmt",
            StmtKind::Expr(_) => "ExprStmt",
            StmtKind::Send { .. } => "SendStmt",
            StmtKind::IncDec { .. } => "IncDecStmt",
            StmtKind::Assign { .. } => "AssignStmt",
            StmtKind::Go(_) => "GoStmt",
            StmtKind::Defer(_) => "DeferStmt",
            StmtKind::Return(_) => "ReturnStmt",
            StmtKind::Branch { .. } => "BranchStmt",
            StmtKind::Labeled { .. } => "LabeledStmt",
            // The block is a node of its own.
            StmtKind::Block(_) => return None,
            StmtKind::If { .. } => "IfStmt",
            StmtKind::Switch { .. } => "SwitchStmt",
            StmtKind::TypeSwitch { .. } => "TypeSwitchStmt",
            StmtKind::Select(_) => "SelectStmt",
            StmtKind::For { .. } => "ForStmt",
            StmtKind::Range { .. } => "RangeStmt",
            StmtKind::Decl(_) => "DeclStmt",
        },
        Node::Expr(id) => match file[id].kind {
            ExprKind::Bad => "BadExpr",
            ExprKind::Ident => "Ident",
            ExprKind::Literal(_) => "BasicLit",
            ExprKind::Composite { .. } => "CompositeLit",
            ExprKind::KeyValue { .. } => "KeyValueExpr",
            ExprKind::Func { .. } => "FuncLit",
            ExprKind::Paren(_) => "ParenExpr",
            ExprKind::Selector { .. } => "SelectorExpr",
            ExprKind::Index { indices, .. } if indices.len() > 1 => "IndexListExpr",
            ExprKind::Index { .. } => "IndexExpr",
            ExprKind::Slice { .. } => "SliceExpr",
            ExprKind::TypeAssertion { .. } => "TypeAssertExpr",
            ExprKind::Call { .. } => "CallExpr",
            ExprKind::Star(_) => "StarExpr",
            ExprKind::Unary { .. } => "UnaryExpr",
            ExprKind::Binary { .. } => "BinaryExpr",
            ExprKind::SliceType { .. } | ExprKind::ArrayType { .. } => "ArrayType",
            ExprKind::StructType(_) => "StructType",
            // The signature is a node of its own.
            ExprKind::FuncType(_) => return None,
            ExprKind::InterfaceType(_) => "InterfaceType",
            ExprKind::MapType { .. } => "MapType",
            ExprKind::ChanType { .. } => "ChanType",
            ExprKind::Variadic(_) => "Ellipsis",
        },
    })
}

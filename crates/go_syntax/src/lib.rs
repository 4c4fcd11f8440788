//! A parser for Go: the language of Go 1.27.
//!
//! [`parse`] turns a text into a [`File`]: a syntax tree with the byte span of every node, all comments, and what is
//! wrong with the text. It never fails, panics or overflows the stack, whatever the text is. After an error it goes on
//! with the next statement or declaration, so that one mistake hides nothing else; where a closing brace is missing,
//! the layout tells where the next declaration begins.
//!
//! ```
//! use racewalk_go_syntax::{DeclKind, ExprKind, StmtKind, parse};
//!
//! let file = parse("package p\n\nfunc run(jobs []func()) {\n\tfor _, job := range jobs {\n\t\tgo job()\n\t}\n}\n");
//! assert!(file.errors.is_empty());
//! let &[decl] = &file[file.decls] else { unreachable!("one declaration") };
//! let DeclKind::Func(function) = file[decl].kind else { unreachable!("a function") };
//! assert_eq!(file.name(function.name), "run");
//! let body = file[function.body.expect("a body")];
//! let StmtKind::Range { value, body, .. } = file[file[body.stmts][0]].kind else { unreachable!("a range loop") };
//! assert_eq!(file.text_of(file[value.expect("a variable")].span), b"job");
//! let StmtKind::Go(call) = file[file[file[body].stmts][0]].kind else { unreachable!("a go statement") };
//! assert!(matches!(file[call].kind, ExprKind::Call { .. }));
//! ```
//!
//! # The tree
//! Nodes are small and `Copy`. They stand in one arena a type, refer to each other by [`Id`] and [`List`], and are
//! looked up by indexing the file. A file is `Send` and `Sync`, borrows the text, and owns all the rest.
//! [`File::descendants`] walks the tree without recursion.
//!
//! Nesting is bounded (1,000 expressions, types and statements within each other), so that recursion over the tree is
//! bounded too. Chains are not: `a + b + …`, `a.b().c() …` and `if … else if …` may be as long as the text. The arms of
//! an `if` are a list; for the others see [`ExprKind`].
//!
//! # What is accepted
//! What Go's own parser (`go/parser` 1.27) accepts, which is a little more than the specification's grammar: some rules
//! need types to be checked. `x.(type)` outside a switch, several receivers, or a value where a type has to be are no
//! errors here. Two things differ: nesting is bounded at 1,000 instead of 100,000, and a text has at most 1 GiB.
//!
//! A stack of 1 MiB is enough, of 2 MiB without optimisation.
//!
//! # Around the tree
//! - [`File::comments_above`] and [`File::comment_behind`] find what documents a node.
//! - [`string_value`] gives the value of a string literal.
//! - [`Constraint`] and [`file_name_matches`] tell whether a file belongs to a build.

mod arena;
mod ast;
mod constraints;
mod error;
mod file;
mod literals;
mod parser;
mod scanner;
mod token;
mod walk;

pub use arena::{Id, List, Stored};
pub use ast::{
    AssignOp, BinaryOp, Block, BlockId, BranchKind, CaseClause, ChanDirection, CommClause, Decl, DeclId, DeclKind,
    Expr, ExprId, ExprKind, Field, FieldList, FuncDecl, Ident, IfArm, ImportSpec, InterfaceElement,
    InterfaceElementKind, LiteralKind, Signature, SignatureId, Span, Stmt, StmtId, StmtKind, TypeSpec, UnaryOp,
    ValueSpec,
};
pub use constraints::{Build, Constraint, file_name_matches};
pub use error::{Position, SyntaxError};
pub use file::{File, parse};
pub use literals::string_value;
pub use walk::{Descendants, Node};

//! Statements.

use super::Parser;
use crate::arena::{List, Stored};
use crate::ast::{
    AssignOp, BinaryOp, Block, BlockId, BranchKind, CaseClause, CommClause, ExprId, ExprKind, IfArm, Span, Stmt,
    StmtId, StmtKind,
};
use crate::token::Token;

/// Where a simple statement stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a block: it may turn out to have a label.
    Block,
    /// Between a keyword and its block.
    Header,
}

/// A simple statement, or the range clause of a `for`.
enum Simple {
    Stmt(StmtId),
    Range(RangeClause),
}

/// `key, value := range operand`.
struct RangeClause {
    left: List<ExprId>,
    define: bool,
    operand: ExprId,
}

/// What stands between `for` and the body.
enum ForHeader {
    Range(RangeClause),
    Clause { init: Option<StmtId>, condition: Option<ExprId>, post: Option<StmtId> },
}

impl Parser<'_> {
    /// ```ebnf
    /// Block = "{" StatementList "}" .
    /// ```
    pub(super) fn block(&mut self) -> BlockId {
        let start = self.start;
        self.expect(Token::OpenBrace);
        let stmts = self.statement_list();
        self.expect(Token::CloseBrace);
        let span = self.span_from(start);
        self.arenas.add(Block { span, stmts })
    }

    /// ```ebnf
    /// StatementList = { Statement ";" } .
    /// ```
    fn statement_list(&mut self) -> List<StmtId> {
        let mark = self.open_list::<StmtId>();
        while !matches!(self.token, Token::Case | Token::Default | Token::CloseBrace | Token::EndOfFile)
            && !self.at_outer_declaration()
        {
            let before = self.start;
            let stmt = self.statement();
            self.push(stmt);
            if self.start == before {
                self.advance();
            }
        }
        self.close_list(mark)
    }

    fn add_stmt(&mut self, start: u32, kind: StmtKind) -> StmtId {
        let span = self.span_from(start);
        self.arenas.add(Stmt { span, kind })
    }

    /// A statement with its semicolon.
    ///
    /// ```ebnf
    /// Statement = Declaration | LabeledStmt | SimpleStmt | GoStmt | ReturnStmt | BreakStmt | ContinueStmt | GotoStmt
    ///           | FallthroughStmt | Block | IfStmt | SwitchStmt | SelectStmt | ForStmt | DeferStmt .
    /// ```
    fn statement(&mut self) -> StmtId {
        self.nested(Self::statement_within, |parser| parser.add_stmt(parser.start, StmtKind::Bad))
    }

    fn statement_within(&mut self) -> StmtId {
        let start = self.start;
        let kind = match self.token {
            Token::Const | Token::Type | Token::Var => StmtKind::Decl(self.declaration()),
            Token::Go => self.go_or_defer(StmtKind::Go),
            Token::Defer => self.go_or_defer(StmtKind::Defer),
            Token::Return => self.return_stmt(),
            Token::Break => self.branch(BranchKind::Break),
            Token::Continue => self.branch(BranchKind::Continue),
            Token::Goto => self.branch(BranchKind::Goto),
            Token::Fallthrough => self.branch(BranchKind::Fallthrough),
            Token::OpenBrace => StmtKind::Block(self.block()),
            Token::If => self.if_stmt(),
            Token::Switch => self.switch_stmt(),
            Token::Select => self.select_stmt(),
            Token::For => self.for_stmt(),
            Token::Semicolon => {
                self.advance();
                return self.add_stmt(start, StmtKind::Empty);
            }
            Token::CloseBrace => return self.add_stmt(start, StmtKind::Empty),
            token if token.begins_expression() => {
                let stmt = self.simple_statement(Place::Block);
                if !matches!(self.arenas.node(stmt).kind, StmtKind::Labeled { .. }) {
                    self.end_of_statement();
                }
                return stmt;
            }
            _ => {
                self.error_expected("statement");
                self.skip_statement();
                return self.add_stmt(start, StmtKind::Bad);
            }
        };
        let stmt = self.add_stmt(start, kind);
        self.end_of_statement();
        stmt
    }

    /// Takes the semicolon, which a closing bracket stands for too.
    fn end_of_statement(&mut self) {
        if !self.eat(Token::Semicolon) && !matches!(self.token, Token::CloseBrace | Token::CloseParen) {
            self.error_expected("';'");
            self.skip_statement();
        }
    }

    /// ```ebnf
    /// SimpleStmt     = EmptyStmt | ExpressionStmt | SendStmt | IncDecStmt | Assignment | ShortVarDecl .
    /// LabeledStmt    = Label ":" Statement .
    /// ExpressionStmt = Expression .
    /// SendStmt       = Channel "<-" Expression .
    /// IncDecStmt     = Expression ( "++" | "--" ) .
    /// Assignment     = ExpressionList assign_op ExpressionList .
    /// assign_op      = [ add_op | mul_op ] "=" .
    /// ShortVarDecl   = IdentifierList ":=" ExpressionList .
    /// ```
    fn simple_statement(&mut self, place: Place) -> StmtId {
        match self.simple_or_range(place) {
            Simple::Stmt(stmt) => stmt,
            Simple::Range(clause) => {
                let start = self.span_of(clause.operand).start;
                self.error(start, "range clause outside the head of a for statement");
                self.add_stmt(start, StmtKind::Bad)
            }
        }
    }

    fn simple_or_range(&mut self, place: Place) -> Simple {
        let start = self.start;
        let first = self.expression();
        let left = if self.at(Token::Comma) { self.more_expressions(first) } else { List::EMPTY };
        if let Some(op) = assign_op(self.token) {
            let left = if left.is_empty() { self.list_of(first) } else { left };
            self.advance();
            let is_plain = matches!(op, AssignOp::Assign | AssignOp::Define);
            if is_plain && self.eat(Token::Range) {
                let operand = self.expression();
                return Simple::Range(RangeClause { left, define: op == AssignOp::Define, operand });
            }
            let right = self.expression_list();
            return Simple::Stmt(self.add_stmt(start, StmtKind::Assign { op, left, right }));
        }
        if !left.is_empty() {
            self.error(start, "expected 1 expression");
        }
        let kind = match self.token {
            Token::Colon => return Simple::Stmt(self.labeled(first, place)),
            Token::Arrow => {
                self.advance();
                StmtKind::Send { channel: first, value: self.expression() }
            }
            Token::Increment | Token::Decrement => {
                let increment = self.at(Token::Increment);
                self.advance();
                StmtKind::IncDec { operand: first, increment }
            }
            _ => StmtKind::Expr(first),
        };
        Simple::Stmt(self.add_stmt(start, kind))
    }

    /// A labelled statement, its label taken.
    fn labeled(&mut self, label: ExprId, place: Place) -> StmtId {
        let start = self.span_of(label).start;
        let colon = self.start;
        self.advance();
        match self.as_ident(label) {
            Some(label) if place == Place::Block => {
                let stmt = self.statement();
                let span = Span::new(start, self.arenas.node(stmt).span.end);
                self.arenas.add(Stmt { span, kind: StmtKind::Labeled { label, stmt } })
            }
            _ => {
                self.error(colon, "illegal label declaration");
                self.add_stmt(start, StmtKind::Bad)
            }
        }
    }

    /// ```ebnf
    /// GoStmt    = "go" Expression .
    /// DeferStmt = "defer" Expression .
    /// ```
    fn go_or_defer(&mut self, kind: impl FnOnce(ExprId) -> StmtKind) -> StmtKind {
        let keyword = self.token.text();
        self.advance();
        let start = self.start;
        let mut call = self.expression();
        if let ExprKind::Paren(_) = self.kind_of(call) {
            self.error(start, format!("expression in {keyword} must not be parenthesized"));
            while let ExprKind::Paren(inner) = self.kind_of(call) {
                call = inner;
            }
        }
        match self.kind_of(call) {
            ExprKind::Call { .. } => kind(call),
            ExprKind::Bad => StmtKind::Bad,
            _ => {
                self.error(self.previous_end, format!("expression in {keyword} must be function call"));
                StmtKind::Bad
            }
        }
    }

    /// ```ebnf
    /// ReturnStmt = "return" [ ExpressionList ] .
    /// ```
    fn return_stmt(&mut self) -> StmtKind {
        self.advance();
        let is_bare = matches!(self.token, Token::Semicolon | Token::CloseBrace);
        StmtKind::Return(if is_bare { List::EMPTY } else { self.expression_list() })
    }

    /// ```ebnf
    /// BreakStmt       = "break" [ Label ] .
    /// ContinueStmt    = "continue" [ Label ] .
    /// GotoStmt        = "goto" Label .
    /// FallthroughStmt = "fallthrough" .
    /// ```
    fn branch(&mut self, kind: BranchKind) -> StmtKind {
        self.advance();
        let has_label = match kind {
            BranchKind::Goto => true,
            BranchKind::Break | BranchKind::Continue => self.at(Token::Ident),
            BranchKind::Fallthrough => false,
        };
        let label = has_label.then(|| self.ident());
        StmtKind::Branch { kind, label }
    }

    /// Runs the parser on what stands between a keyword and its block, where a brace after a name begins the block.
    fn header<T>(&mut self, parse: impl FnOnce(&mut Self) -> T) -> T {
        let in_header = std::mem::replace(&mut self.in_header, true);
        let result = parse(self);
        self.in_header = in_header;
        result
    }

    /// The expression that a statement is; another statement is reported.
    fn as_expression(&mut self, stmt: StmtId, wanted: &str) -> ExprId {
        let Stmt { span, kind } = *self.arenas.node(stmt);
        let found = match kind {
            StmtKind::Expr(expr) => return expr,
            StmtKind::Assign { .. } => "assignment",
            _ => "simple statement",
        };
        let hint = "missing parentheses around composite literal?";
        self.error(span.start, format!("expected {wanted}, found {found} ({hint})"));
        self.expr_at(span, ExprKind::Bad)
    }

    /// ```ebnf
    /// IfStmt = "if" [ SimpleStmt ";" ] Expression Block [ "else" ( IfStmt | Block ) ] .
    /// ```
    fn if_stmt(&mut self) -> StmtKind {
        let mark = self.open_list::<IfArm>();
        let otherwise = loop {
            let arm = self.if_arm();
            self.push(arm);
            if !self.eat(Token::Else) {
                break None;
            }
            match self.token {
                Token::If => {}
                Token::OpenBrace => break Some(self.block()),
                _ => {
                    self.error_expected("if statement or block");
                    break None;
                }
            }
        };
        StmtKind::If { arms: self.close_list(mark), otherwise }
    }

    fn if_arm(&mut self) -> IfArm {
        let start = self.start;
        self.expect(Token::If);
        let (init, condition) = self.header(Self::if_header);
        let body = self.block();
        IfArm { span: self.span_from(start), init, condition, body }
    }

    fn if_header(&mut self) -> (Option<StmtId>, ExprId) {
        if self.at(Token::OpenBrace) {
            self.error(self.start, "missing condition in if statement");
            return (None, self.bad_expr());
        }
        let first = if self.at(Token::Semicolon) { None } else { Some(self.if_initialiser()) };
        if let Some(first) = first.filter(|_| self.at(Token::OpenBrace)) {
            return (None, self.as_expression(first, "boolean expression"));
        }
        let (semicolon, is_newline) = (self.start, self.at_newline());
        self.expect(Token::Semicolon);
        if self.at(Token::OpenBrace) {
            let what = if is_newline {
                "unexpected newline, expecting { after if clause"
            } else {
                "missing condition in if statement"
            };
            self.error(semicolon, what);
            return (first, self.bad_expr());
        }
        let condition = self.simple_statement(Place::Header);
        (first, self.as_expression(condition, "boolean expression"))
    }

    fn if_initialiser(&mut self) -> StmtId {
        if self.at(Token::Var) {
            self.error(self.start, "var declaration not allowed in if initializer");
            self.advance();
        }
        self.simple_statement(Place::Header)
    }

    /// ```ebnf
    /// SwitchStmt     = ExprSwitchStmt | TypeSwitchStmt .
    /// ExprSwitchStmt = "switch" [ SimpleStmt ";" ] [ Expression ] "{" { ExprCaseClause } "}" .
    /// TypeSwitchStmt = "switch" [ SimpleStmt ";" ] TypeSwitchGuard "{" { TypeCaseClause } "}" .
    /// ```
    fn switch_stmt(&mut self) -> StmtKind {
        self.advance();
        let (init, subject) = self.header(Self::switch_header);
        let guard = subject.and_then(|subject| self.type_switch_guard(subject));
        let tag = match subject {
            Some(subject) if guard.is_none() => Some(self.as_expression(subject, "switch expression")),
            _ => None,
        };
        let clauses = self.clauses(Self::case_clause);
        match guard {
            Some((binding, guard)) => StmtKind::TypeSwitch { init, binding, guard, clauses },
            None => StmtKind::Switch { init, tag, clauses },
        }
    }

    /// The clauses of a switch or a select, in their braces. What stands between them is reported and skipped.
    fn clauses<T: Stored>(&mut self, clause: impl Fn(&mut Self) -> T) -> List<T> {
        let mark = self.open_list::<T>();
        if self.expect(Token::OpenBrace) {
            while !matches!(self.token, Token::CloseBrace | Token::EndOfFile) && !self.at_outer_declaration() {
                if matches!(self.token, Token::Case | Token::Default) {
                    let clause = clause(self);
                    self.push(clause);
                } else {
                    self.error_expected("'case', 'default' or '}'");
                    if self.token.begins_statement() {
                        self.advance();
                    }
                    self.skip_statement();
                }
            }
            self.expect(Token::CloseBrace);
        }
        self.close_list(mark)
    }

    /// The statement before the semicolon, and the one behind it.
    fn switch_header(&mut self) -> (Option<StmtId>, Option<StmtId>) {
        let first = match self.token {
            Token::OpenBrace => return (None, None),
            Token::Semicolon => None,
            _ => Some(self.simple_statement(Place::Header)),
        };
        if !self.eat(Token::Semicolon) {
            return (None, first);
        }
        let second = if self.at(Token::OpenBrace) { None } else { Some(self.simple_statement(Place::Header)) };
        (first, second)
    }

    /// The variable and the assertion of a type switch's guard, if the statement is one.
    ///
    /// ```ebnf
    /// TypeSwitchGuard = [ identifier ":=" ] PrimaryExpr "." "(" "type" ")" .
    /// ```
    fn type_switch_guard(&mut self, subject: StmtId) -> Option<(Option<ExprId>, ExprId)> {
        let Stmt { span, kind } = *self.arenas.node(subject);
        let (binding, guard, op) = match kind {
            StmtKind::Expr(guard) => (None, guard, AssignOp::Define),
            StmtKind::Assign { op, left, right } => match (self.arenas.list(left), self.arenas.list(right)) {
                (&[binding], &[guard]) => (Some(binding), guard, op),
                _ => return None,
            },
            _ => return None,
        };
        if !matches!(self.kind_of(guard), ExprKind::TypeAssertion { ty: None, .. }) {
            return None;
        }
        match op {
            AssignOp::Define => {}
            AssignOp::Assign => self.error(span.start, "expected ':=' in type switch guard, found '='"),
            AssignOp::With(_) => return None,
        }
        Some((binding, guard))
    }

    /// ```ebnf
    /// ExprCaseClause = ExprSwitchCase ":" StatementList .
    /// ExprSwitchCase = "case" ExpressionList | "default" .
    /// TypeCaseClause = TypeSwitchCase ":" StatementList .
    /// TypeSwitchCase = "case" TypeList | "default" .
    /// ```
    fn case_clause(&mut self) -> CaseClause {
        let start = self.start;
        let is_default = self.at(Token::Default);
        self.advance();
        let exprs = if is_default { List::EMPTY } else { self.expression_list() };
        self.expect(Token::Colon);
        let (span, body) = self.clause_body(start);
        CaseClause { span, is_default, exprs, body }
    }

    /// The statements of a clause that begins at `start`, and the clause's span.
    fn clause_body(&mut self, start: u32) -> (Span, List<StmtId>) {
        let head = self.span_from(start);
        let body = self.statement_list();
        let end = self.arenas.list(body).last().map_or(head.end, |&last| self.arenas.node(last).span.end);
        (Span::new(start, end), body)
    }

    /// ```ebnf
    /// SelectStmt = "select" "{" { CommClause } "}" .
    /// ```
    fn select_stmt(&mut self) -> StmtKind {
        self.advance();
        StmtKind::Select(self.clauses(Self::comm_clause))
    }

    /// ```ebnf
    /// CommClause = CommCase ":" StatementList .
    /// CommCase   = "case" ( SendStmt | RecvStmt ) | "default" .
    /// ```
    fn comm_clause(&mut self) -> CommClause {
        let start = self.start;
        let is_default = self.at(Token::Default);
        self.advance();
        let comm = if is_default { None } else { Some(self.communication()) };
        self.expect(Token::Colon);
        let (span, body) = self.clause_body(start);
        CommClause { span, comm, body }
    }

    /// ```ebnf
    /// RecvStmt = [ ExpressionList "=" | IdentifierList ":=" ] RecvExpr .
    /// RecvExpr = Expression .
    /// ```
    fn communication(&mut self) -> StmtId {
        let start = self.start;
        let left = self.expression_list();
        let op = assign_op(self.token).filter(|op| !matches!(op, AssignOp::With(_)));
        if left.len() > if op.is_some() { 2 } else { 1 } {
            self.error(start, "expected 1 or 2 expressions");
        }
        let kind = match (op, self.arenas.list(left)) {
            (Some(op), _) => {
                self.advance();
                let right = self.expression();
                StmtKind::Assign { op, left, right: self.list_of(right) }
            }
            (None, &[channel, ..]) if self.at(Token::Arrow) => {
                self.advance();
                StmtKind::Send { channel, value: self.expression() }
            }
            (None, &[expr, ..]) => StmtKind::Expr(expr),
            (None, []) => StmtKind::Bad,
        };
        self.add_stmt(start, kind)
    }

    /// ```ebnf
    /// ForStmt   = "for" [ Condition | ForClause | RangeClause ] Block .
    /// Condition = Expression .
    /// ```
    fn for_stmt(&mut self) -> StmtKind {
        self.advance();
        let header = self.header(Self::for_header);
        let body = self.block();
        match header {
            ForHeader::Clause { init, condition, post } => StmtKind::For { init, condition, post, body },
            ForHeader::Range(RangeClause { left, define, operand }) => {
                let (key, value) = match *self.arenas.list(left) {
                    [] => (None, None),
                    [key] => (Some(key), None),
                    [key, value, ..] => (Some(key), Some(value)),
                };
                StmtKind::Range { key, value, define, operand, body }
            }
        }
    }

    /// ```ebnf
    /// ForClause   = [ InitStmt ] ";" [ Condition ] ";" [ PostStmt ] .
    /// RangeClause = [ ExpressionList "=" | IdentifierList ":=" ] "range" Expression .
    /// ```
    fn for_header(&mut self) -> ForHeader {
        let first = match self.token {
            Token::OpenBrace => return ForHeader::Clause { init: None, condition: None, post: None },
            Token::Semicolon => None,
            Token::Range => {
                self.advance();
                return ForHeader::Range(RangeClause { left: List::EMPTY, define: false, operand: self.expression() });
            }
            _ => match self.simple_or_range(Place::Header) {
                Simple::Range(clause) => return ForHeader::Range(self.with_two_variables(clause)),
                Simple::Stmt(stmt) => Some(stmt),
            },
        };
        let wanted = "boolean or range expression";
        if !self.eat(Token::Semicolon) {
            let condition = first.map(|first| self.as_expression(first, wanted));
            return ForHeader::Clause { init: None, condition, post: None };
        }
        let condition = if self.at(Token::Semicolon) { None } else { Some(self.simple_statement(Place::Header)) };
        let condition = condition.map(|condition| self.as_expression(condition, wanted));
        self.expect(Token::Semicolon);
        let post = if self.at(Token::OpenBrace) { None } else { Some(self.simple_statement(Place::Header)) };
        ForHeader::Clause { init: first, condition, post }
    }

    fn with_two_variables(&mut self, clause: RangeClause) -> RangeClause {
        if let &[_, _, third, ..] = self.arenas.list(clause.left) {
            self.error(self.span_of(third).start, "expected at most 2 expressions");
        }
        clause
    }
}

/// The assignment that a token makes of a statement.
const fn assign_op(token: Token) -> Option<AssignOp> {
    use Token::*;
    Some(match token {
        Assign => AssignOp::Assign,
        Define => AssignOp::Define,
        AddAssign => AssignOp::With(BinaryOp::Add),
        SubAssign => AssignOp::With(BinaryOp::Sub),
        MulAssign => AssignOp::With(BinaryOp::Mul),
        DivAssign => AssignOp::With(BinaryOp::Div),
        RemAssign => AssignOp::With(BinaryOp::Rem),
        AndAssign => AssignOp::With(BinaryOp::And),
        OrAssign => AssignOp::With(BinaryOp::Or),
        XorAssign => AssignOp::With(BinaryOp::Xor),
        ShlAssign => AssignOp::With(BinaryOp::Shl),
        ShrAssign => AssignOp::With(BinaryOp::Shr),
        AndNotAssign => AssignOp::With(BinaryOp::AndNot),
        _ => return None,
    })
}

//! Statements.

use crate::calls::When;
use crate::lowerer::{Around, Breakable, Lowerer};
use racewalk_go_syntax::{
    AssignOp, BlockId, BranchKind, CaseClause, CommClause, ExprId as SyntaxId, ExprKind, Ident, IfArm, List, StmtId,
    StmtKind,
};
use racewalk_ir::{BindingKind, Event, Expr, ExprId, Role, Span};

impl<'t> Lowerer<'_, 't> {
    /// Lowers statements in the block that we are in.
    pub fn statements(&mut self, list: List<StmtId>) {
        let file = self.file();
        for stmt in &file[list] {
            self.statement(*stmt);
        }
    }

    fn block(&mut self, block: BlockId) {
        let file = self.file();
        self.in_block(|lowerer| lowerer.statements(file[block].stmts));
    }

    fn in_block(&mut self, work: impl FnOnce(&mut Self)) {
        let function = self.current();
        self.scopes.enter(function);
        work(self);
        self.scopes.leave();
    }

    fn statement(&mut self, stmt: StmtId) {
        let at = self.span(self.file()[stmt].span);
        self.deeper(at, Role::Other, |lowerer| {
            lowerer.statement_here(stmt);
            // Statements have no value.
            racewalk_ir::ExprId(0)
        });
    }

    fn statement_here(&mut self, stmt: StmtId) {
        let file = self.file();
        match file[stmt].kind {
            StmtKind::Bad | StmtKind::Empty => {}
            StmtKind::Expr(expr) => {
                self.expr(expr, Role::Dropped);
            }
            StmtKind::Send { channel, value } => self.send(channel, value),
            StmtKind::IncDec { operand, .. } => self.modify(operand, None),
            StmtKind::Assign { op: AssignOp::With(_), left, right } => {
                if let (Some(target), Some(value)) = (file[left].first(), file[right].first()) {
                    self.modify(*target, Some(*value));
                }
            }
            StmtKind::Assign { op, left, right } => self.assign(op == AssignOp::Define, left, right),
            StmtKind::Go(call) => self.later_call(call, When::Beside),
            StmtKind::Defer(call) => self.later_call(call, When::AtExit),
            StmtKind::Return(values) => self.return_statement(values),
            StmtKind::Branch { kind, label } => self.branch(kind, label),
            StmtKind::Labeled { label, stmt } => {
                let label = self.text(label);
                self.frame().label = Some(label);
                self.statement(stmt);
                self.frame().label = None;
            }
            StmtKind::Block(block) => self.block(block),
            StmtKind::If { arms, otherwise } => self.if_statement(arms, otherwise),
            StmtKind::Switch { init, tag, clauses } => self.in_block(|lowerer| {
                init.into_iter().for_each(|init| lowerer.statement(init));
                if let Some(tag) = tag {
                    lowerer.expr(tag, Role::Matched);
                }
                lowerer.clauses(clauses, None);
            }),
            StmtKind::TypeSwitch { init, binding, guard, clauses } => self.in_block(|lowerer| {
                init.into_iter().for_each(|init| lowerer.statement(init));
                let value = lowerer.expr(guard, Role::Matched);
                lowerer.clauses(clauses, Some((binding, value)));
            }),
            StmtKind::Select(clauses) => self.select(clauses),
            StmtKind::For { init, condition, post, body } => self.for_statement(init, condition, post, body),
            StmtKind::Range { key, value, define, operand, body } => {
                self.range_statement([key, value], define, operand, body);
            }
            StmtKind::Decl(decl) => self.declaration(decl),
        }
    }

    fn send(&mut self, channel: SyntaxId, value: SyntaxId) {
        let channel = self.expr(channel, Role::Other);
        let value = self.expr(value, Role::Other);
        self.event(Event::Send(channel, value));
    }

    // ---- assignments -------------------------------------------------------------------------------------------

    /// `x += value`, `x++`.
    fn modify(&mut self, target: SyntaxId, value: Option<SyntaxId>) {
        let at = self.span(self.file()[target].span);
        match self.name_of(target) {
            Some(name) => {
                let read = self.read(name, at, Role::Operand);
                self.event(Event::Modify(read));
                let value = value.map_or(read, |value| self.expr(value, Role::Operand));
                self.bind(name, BindingKind::Modified(value), at);
            }
            None => {
                let place = self.expr(target, Role::Target);
                self.event(Event::Modify(place));
                if let Some(value) = value {
                    self.expr(value, Role::Operand);
                }
                self.event(Event::WritePlace(place, None));
            }
        }
    }

    /// The name that is all of an expression.
    fn name_of(&self, mut expr: SyntaxId) -> Option<&'t str> {
        let file = self.file();
        while let ExprKind::Paren(inner) = file[expr].kind {
            expr = inner;
        }
        match file[expr].kind {
            ExprKind::Ident => str::from_utf8(file.text_of(file[expr].span)).ok(),
            _ => None,
        }
    }

    fn assign(&mut self, define: bool, left: List<SyntaxId>, right: List<SyntaxId>) {
        let file = self.file();
        let targets: Vec<Target<'t>> = file[left].iter().map(|target| self.target(*target)).collect();
        let is_dropped = targets.iter().all(|target| matches!(target, Target::Nothing));
        let role = if is_dropped { Role::Discarded } else { Role::Stored };
        let values = self.exprs(right, role);
        let is_taken_apart = values.len() == 1 && targets.len() > 1;
        for (position, target) in targets.iter().enumerate() {
            let kind = match values.as_slice() {
                [one] if is_taken_apart => self.part(*one, position),
                several => several.get(position).map_or(BindingKind::Opaque, |value| BindingKind::Value(*value)),
            };
            self.assign_to(target, define, kind);
        }
    }

    /// What an assignment of one value to several variables gives the one at this position: a part, or the value itself and whether
    /// it was there.
    fn part(&mut self, value: ExprId, position: usize) -> BindingKind {
        let is_tested =
            matches!(self.module.expr(value), Expr::Subscript(..) | Expr::Received(_) | Expr::Bind(_) | Expr::Name(..));
        match position {
            0 if is_tested => BindingKind::Value(value),
            _ if is_tested => BindingKind::Opaque,
            _ => BindingKind::Part(value, position as u32),
        }
    }

    fn target(&mut self, target: SyntaxId) -> Target<'t> {
        let at = self.span(self.file()[target].span);
        match self.name_of(target) {
            Some("_") => Target::Nothing,
            Some(name) => Target::Name(name, at),
            None => Target::Place(self.expr(target, Role::Target)),
        }
    }

    fn assign_to(&mut self, target: &Target<'t>, define: bool, kind: BindingKind) {
        match *target {
            Target::Nothing => {}
            Target::Name(name, at) if define && !self.scopes.declares(racewalk_ir::Name::new(name)) => {
                self.declare(name, kind, at);
            }
            Target::Name(name, at) => {
                self.bind(name, kind, at);
            }
            Target::Place(place) => {
                let value = match kind {
                    BindingKind::Value(value) => Some(value),
                    _ => None,
                };
                self.event(Event::WritePlace(place, value));
            }
        }
    }

    fn return_statement(&mut self, values: List<SyntaxId>) {
        let returned = self.exprs(values, Role::Returned);
        let results = self.frame().results.clone();
        if returned.len() == results.len() {
            for (name, value) in results.iter().zip(&returned) {
                if *name != "_" {
                    let at = self.module.span(*value);
                    self.bind(name, BindingKind::Value(*value), at);
                }
            }
        }
        let value = match returned.as_slice() {
            [] => None,
            [one] => Some(*one),
            several => {
                let (first, last) = (self.module.span(several[0]), self.module.span(several[several.len() - 1]));
                let list = self.list(several);
                let at = Span::new(first.start, last.end);
                Some(self.with_children(Expr::Tuple(list), several, at, Role::Returned))
            }
        };
        self.function().return_values.extend(value);
        self.event(Event::Return(value));
    }

    // ---- branches ----------------------------------------------------------------------------------------------

    /// Of a `break` that leaves a `switch` or `select`, nothing is said: what would follow it in its clause is seldom there.
    fn branch(&mut self, kind: BranchKind, label: Option<Ident>) {
        let label = label.map(|label| self.text(label));
        let around = &self.frame().around;
        let is_meant = |it: &&Around<'t>| match label {
            Some(label) => it.label == Some(label),
            None => kind == BranchKind::Break || it.kind == Breakable::Loop,
        };
        let meant = around.iter().rev().find(is_meant).map(|it| it.kind);
        let innermost = around.iter().rev().find(|it| it.kind == Breakable::Loop);
        let is_outer = label.is_some() && innermost.is_some_and(|it| it.label != label);
        match (kind, meant) {
            (BranchKind::Break, Some(Breakable::Loop)) => self.event(Event::Break),
            (BranchKind::Continue, Some(Breakable::Loop)) if is_outer => self.event(Event::Break),
            (BranchKind::Continue, Some(Breakable::Loop)) => self.event(Event::Continue),
            _ => {}
        }
    }

    fn if_statement(&mut self, arms: List<IfArm>, otherwise: Option<BlockId>) {
        let file = self.file();
        let function = self.current();
        for (position, arm) in file[arms].iter().enumerate() {
            if position > 0 {
                self.event(Event::Arm(None));
            }
            self.scopes.enter(function);
            arm.init.into_iter().for_each(|init| self.statement(init));
            let condition = self.expr(arm.condition, Role::Condition);
            self.event(Event::Branch(Some(condition)));
            self.block(arm.body);
        }
        if let Some(otherwise) = otherwise {
            self.event(Event::Arm(None));
            self.block(otherwise);
        }
        for position in (0..file[arms].len()).rev() {
            let is_last = position + 1 == file[arms].len();
            self.event(Event::EndBranch(!is_last || otherwise.is_some()));
            self.scopes.leave();
        }
    }

    fn clauses(&mut self, clauses: List<CaseClause>, switched: Option<(Option<SyntaxId>, ExprId)>) {
        let file = self.file();
        let around = Around { kind: Breakable::Choice, label: self.frame().label.take() };
        self.frame().around.push(around);
        let mut has_default = false;
        let mut conditions = Vec::new();
        for clause in &file[clauses] {
            has_default |= clause.is_default;
            if switched.is_none() {
                conditions.push(file[clause.exprs].iter().map(|expr| self.expr(*expr, Role::Compared)).last());
            } else {
                conditions.push(None);
            }
        }
        for (position, (clause, condition)) in file[clauses].iter().zip(conditions).enumerate() {
            self.event(if position == 0 { Event::Branch(condition) } else { Event::Arm(condition) });
            self.in_block(|lowerer| {
                if let Some((Some(binding), value)) = switched {
                    lowerer.bind_switched(binding, value, clause);
                }
                lowerer.statements(clause.body);
            });
        }
        if !file[clauses].is_empty() {
            self.event(Event::EndBranch(has_default));
        }
        self.frame().around.pop();
    }

    /// In a clause of one type, the name of a type switch has that type.
    fn bind_switched(&mut self, binding: SyntaxId, value: ExprId, clause: &CaseClause) {
        let file = self.file();
        let at = self.span(file[binding].span);
        let Some(name) = self.name_of(binding) else { return };
        let kind = match &file[clause.exprs] {
            [one] => BindingKind::Typed(self.annotation(*one), None),
            _ => BindingKind::Value(value),
        };
        self.declare(name, kind, at);
    }

    fn select(&mut self, clauses: List<CommClause>) {
        let file = self.file();
        let around = Around { kind: Breakable::Choice, label: self.frame().label.take() };
        self.frame().around.push(around);
        let has_default = file[clauses].iter().any(|clause| clause.comm.is_none());
        self.event(Event::Select(has_default));
        for (position, clause) in file[clauses].iter().enumerate() {
            self.event(if position == 0 { Event::Branch(None) } else { Event::Arm(None) });
            self.in_block(|lowerer| {
                clause.comm.into_iter().for_each(|comm| lowerer.statement(comm));
                lowerer.statements(clause.body);
            });
        }
        if !file[clauses].is_empty() {
            self.event(Event::EndBranch(true));
        }
        self.frame().around.pop();
    }

    // ---- loops -------------------------------------------------------------------------------------------------

    fn for_statement(
        &mut self,
        init: Option<StmtId>,
        condition: Option<SyntaxId>,
        post: Option<StmtId>,
        body: BlockId,
    ) {
        let around = Around { kind: Breakable::Loop, label: self.frame().label.take() };
        self.in_block(|lowerer| {
            init.into_iter().for_each(|init| lowerer.statement(init));
            let start = lowerer.placeholder(Event::Loop(None));
            let condition = condition.map(|condition| lowerer.expr(condition, Role::Condition));
            lowerer.set_event(start, Event::Loop(condition));
            lowerer.frame().around.push(around);
            lowerer.in_block(|lowerer| {
                if let Some(init) = init.filter(|_| lowerer.variables_per_round) {
                    lowerer.copies(init);
                }
                lowerer.block(body);
            });
            lowerer.frame().around.pop();
            post.into_iter().for_each(|post| lowerer.statement(post));
            lowerer.event(Event::EndLoop);
            lowerer.event(Event::EndLoopElse);
        });
    }

    /// Each round begins with copies of the loop's variables; those of the loop itself go on to the next round.
    fn copies(&mut self, init: StmtId) {
        let file = self.file();
        let StmtKind::Assign { op: AssignOp::Define, left, .. } = file[init].kind else { return };
        for target in &file[left] {
            let at = self.span(file[*target].span);
            let Some(name) = self.name_of(*target).filter(|name| *name != "_") else { continue };
            let read = self.read(name, at, Role::Stored);
            self.declare(name, BindingKind::Value(read), at);
        }
    }

    fn range_statement(&mut self, variables: [Option<SyntaxId>; 2], define: bool, operand: SyntaxId, body: BlockId) {
        let around = Around { kind: Breakable::Loop, label: self.frame().label.take() };
        let operand = self.expr(operand, Role::Iterated);
        let has_both = variables[1].is_some_and(|value| self.name_of(value) != Some("_"));
        let targets: Vec<Option<Target<'t>>> =
            variables.iter().map(|variable| variable.map(|variable| self.target(variable))).collect();
        self.in_block(|lowerer| {
            if define && !lowerer.variables_per_round {
                for target in targets.iter().flatten() {
                    lowerer.assign_to(target, true, BindingKind::Opaque);
                }
            }
            lowerer.event(Event::Loop(Some(operand)));
            lowerer.frame().around.push(around);
            lowerer.in_block(|lowerer| {
                for (position, target) in targets.iter().enumerate() {
                    let Some(target) = target else { continue };
                    let kind = match (position, has_both) {
                        (0, false) if variables[1].is_none() => BindingKind::Element(operand),
                        (0, _) => BindingKind::Opaque,
                        _ => BindingKind::ElementPart(operand, 1),
                    };
                    lowerer.assign_to(target, define && lowerer.variables_per_round, kind);
                }
                lowerer.block(body);
            });
            lowerer.frame().around.pop();
            lowerer.event(Event::EndLoop);
            lowerer.event(Event::EndLoopElse);
        });
    }
}

/// What is assigned to.
enum Target<'t> {
    /// `_`.
    Nothing,
    /// A variable.
    Name(&'t str, Span),
    /// A part of a value.
    Place(ExprId),
}

//! Statements and declarations.

use crate::function::FunctionParts;
use crate::hoist;
use crate::lowerer::Lowerer;
use crate::span;
use oxc_ast::ast::{
    self, BindingPattern, Declaration, ExportDefaultDeclarationKind, Expression, ForStatementInit, ForStatementLeft,
    Statement, VariableDeclarationKind,
};
use oxc_span::GetSpan;
use racewalk_ir::{BindingKind, DEEPEST, Event, ExprId, Literal, Name, Role, ScopeKind, Span, SuspendKind};

impl Lowerer<'_> {
    /// Lowers the statements of a block whose scope has been entered. Functions are there before anything runs.
    pub fn block(&mut self, statements: &[Statement<'_>]) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        let mut names = Vec::new();
        hoist::block_names(statements, &mut |name| names.push(name));
        names.iter().for_each(|name| self.declare(name));
        statements.iter().for_each(|statement| self.hoisted(statement));
        let mut entered = Vec::new();
        for statement in statements {
            self.note_head(statement);
            match statement {
                Statement::VariableDeclaration(variables) if variables.kind.is_using() => {
                    entered.extend(self.using(variables));
                }
                other => self.statement(other),
            }
        }
        for (kind, value) in entered.into_iter().rev() {
            if kind == ScopeKind::Async {
                self.event(Event::Suspend(SuspendKind::Exit, value));
            }
            self.event(Event::Exit(kind, value));
        }
        self.depth -= 1;
    }

    /// A block with a scope of its own, unless it declares nothing.
    pub fn inner_block(&mut self, statements: &[Statement<'_>]) {
        let mut declares = false;
        hoist::block_names(statements, &mut |_| declares = true);
        if declares {
            let function = self.current();
            self.scopes.enter(function);
            self.block(statements);
            self.scopes.leave();
        } else {
            self.block(statements);
        }
    }

    fn hoisted(&mut self, statement: &Statement<'_>) {
        let function = match statement {
            Statement::FunctionDeclaration(function) => function,
            Statement::ExportDeclaration(export) => match &export.declaration {
                Declaration::FunctionDeclaration(function) => function,
                _ => return,
            },
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) if function.id.is_some() => function,
                _ => return,
            },
            _ => return,
        };
        self.function_declaration(function);
    }

    fn function_declaration(&mut self, function: &ast::Function<'_>) {
        let Some(id) = &function.id else { return };
        // An overload says less than the implementation that follows it.
        let lowered = self.lower_function(FunctionParts::of_function(function, Name::new(id.name.as_str())));
        self.bind(id.name.as_str(), BindingKind::Function(lowered), span(id.span));
    }

    fn note_head(&mut self, statement: &Statement<'_>) {
        let whole = span(statement.span());
        let body = match statement {
            Statement::IfStatement(inner) => Some(inner.consequent.span()),
            Statement::ForStatement(inner) => Some(inner.body.span()),
            Statement::ForInStatement(inner) => Some(inner.body.span()),
            Statement::ForOfStatement(inner) => Some(inner.body.span()),
            Statement::WhileStatement(inner) => Some(inner.body.span()),
            Statement::DoWhileStatement(inner) => Some(inner.body.span()),
            Statement::LabeledStatement(inner) => Some(inner.body.span()),
            Statement::TryStatement(inner) => Some(inner.block.span),
            Statement::FunctionDeclaration(inner) => inner.body.as_ref().map(|body| body.span),
            Statement::ClassDeclaration(inner) => Some(inner.body.span),
            Statement::ExportDeclaration(inner) => match &inner.declaration {
                Declaration::FunctionDeclaration(inner) => inner.body.as_ref().map(|body| body.span),
                Declaration::ClassDeclaration(inner) => Some(inner.body.span),
                _ => None,
            },
            Statement::BlockStatement(_) | Statement::SwitchStatement(_) => return,
            _ => None,
        };
        self.note_statement(Span::new(whole.start, body.map_or(whole.end, |body| body.start)));
    }

    fn statement(&mut self, statement: &Statement<'_>) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.statement_here(statement);
        self.depth -= 1;
    }

    fn statement_here(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::ExpressionStatement(expr) => {
                self.expr(&expr.expression, Role::Dropped);
            }
            Statement::BlockStatement(block) => self.inner_block(&block.body),
            Statement::IfStatement(branch) => self.branch(branch),
            Statement::ReturnStatement(returned) => {
                let value = returned.argument.as_ref().map(|value| self.expr(value, Role::Returned));
                self.function().return_values.extend(value);
                self.event(Event::Return(value));
            }
            Statement::ThrowStatement(thrown) => {
                let raised = self.expr(&thrown.argument, Role::Raised);
                self.event(Event::Raise(Some(raised)));
            }
            Statement::TryStatement(guarded) => self.guarded(guarded),
            Statement::ForStatement(each) => self.for_loop(each),
            Statement::ForOfStatement(each) => self.for_of(each),
            Statement::ForInStatement(each) => self.for_in(each),
            Statement::WhileStatement(each) => {
                let start = self.placeholder(Event::Loop(None));
                let test = self.expr(&each.test, Role::Condition);
                self.set_event(start, Event::Loop(Some(test)));
                self.loop_body(&each.body);
                self.end_loop();
            }
            Statement::DoWhileStatement(each) => {
                let start = self.placeholder(Event::Loop(None));
                self.loop_body(&each.body);
                let test = self.expr(&each.test, Role::Condition);
                self.set_event(start, Event::Loop(Some(test)));
                self.end_loop();
            }
            Statement::SwitchStatement(switch) => self.switch(switch),
            Statement::LabeledStatement(labelled) => self.statement(&labelled.body),
            Statement::WithStatement(with) => {
                self.expr(&with.object, Role::Other);
                self.statement(&with.body);
            }
            Statement::BreakStatement(leave) => {
                let leaves_switch = leave.label.is_none() && self.breakable.last() == Some(&true);
                if !leaves_switch && self.breakable.contains(&false) {
                    self.event(Event::Break);
                }
            }
            Statement::ContinueStatement(_) => {
                if self.breakable.contains(&false) {
                    self.event(Event::Continue);
                }
            }
            Statement::ImportDeclaration(import) => self.import(import),
            Statement::ExportAllDeclaration(export) => self.export_all(export),
            Statement::ExportDefaultDeclaration(export) => self.export_default(export),
            Statement::ExportDeclaration(export) => self.declaration(&export.declaration),
            Statement::ExportNamedDeclaration(export) => self.export_names(export),
            Statement::ExportFromDeclaration(export) => self.export_from(export),
            Statement::TSExportAssignment(export) => {
                let value = self.expr(&export.expression, Role::Stored);
                self.export_whole(value, span(export.span));
            }
            Statement::TSNamespaceExportDeclaration(_)
            | Statement::EmptyStatement(_)
            | Statement::DebuggerStatement(_) => {}
            other => {
                if let Some(declaration) = other.as_declaration() {
                    self.declaration(declaration);
                }
            }
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>) {
        match declaration {
            Declaration::VariableDeclaration(variables) => self.variables(variables),
            // It has come to be with its block.
            Declaration::FunctionDeclaration(_) => {}
            Declaration::ClassDeclaration(class) => {
                let Some(id) = &class.id else { return };
                let lowered = self.class(class, Name::new(id.name.as_str()));
                self.bind(id.name.as_str(), BindingKind::Class(lowered), span(id.span));
            }
            Declaration::TSInterfaceDeclaration(interface) => {
                let lowered = self.interface(interface);
                self.bind(interface.id.name.as_str(), BindingKind::Class(lowered), span(interface.id.span));
            }
            Declaration::TSEnumDeclaration(enumeration) => {
                let lowered = self.enumeration(enumeration);
                self.bind(enumeration.id.name.as_str(), BindingKind::Class(lowered), span(enumeration.id.span));
            }
            Declaration::TSTypeAliasDeclaration(alias) => self.type_alias(alias),
            Declaration::TSNamespaceDeclaration(namespace) => self.namespace(namespace),
            Declaration::TSImportEqualsDeclaration(import) => self.import_equals(import),
            // What is declared of other modules is none of this one.
            Declaration::TSExternalModuleDeclaration(_) | Declaration::TSGlobalDeclaration(_) => {}
        }
    }

    fn type_alias(&mut self, alias: &ast::TSTypeAliasDeclaration<'_>) {
        let function = self.current();
        self.scopes.enter(function);
        self.type_params(alias.type_parameters.as_deref());
        let declared = self.annotation(&alias.type_annotation);
        self.scopes.leave();
        self.bind(alias.id.name.as_str(), BindingKind::TypeAlias(declared), span(alias.id.span));
    }

    /// What stands in a namespace runs; its members are not followed.
    fn namespace(&mut self, namespace: &ast::TSNamespaceDeclaration<'_>) {
        self.bind(namespace.id.name.as_str(), BindingKind::Opaque, span(namespace.id.span));
        if namespace.declare {
            return;
        }
        match &namespace.body {
            ast::TSNamespaceDeclarationBody::TSModuleBlock(block) => {
                let function = self.current();
                self.scopes.enter(function);
                self.block(&block.body);
                self.scopes.leave();
            }
            ast::TSNamespaceDeclarationBody::TSNamespaceDeclaration(_) => {}
        }
    }

    pub fn variables(&mut self, variables: &ast::VariableDeclaration<'_>) {
        for declarator in &variables.declarations {
            self.declarator(declarator, variables.kind);
        }
    }

    fn declarator(&mut self, declarator: &ast::VariableDeclarator<'_>, kind: VariableDeclarationKind) {
        let at = span(declarator.id.span());
        let annotation = declarator.type_annotation.as_ref().map(|declared| self.annotation(&declared.type_annotation));
        let Some(init) = &declarator.init else {
            // `var x;` changes nothing; `let x;` gives it no value.
            if kind == VariableDeclarationKind::Var && annotation.is_none() {
                return;
            }
            let nothing = self.literal(Literal::None, at, Role::Stored);
            let kind =
                annotation.map_or(BindingKind::Value(nothing), |declared| BindingKind::Typed(declared, Some(nothing)));
            self.bind_pattern(&declarator.id, kind);
            return;
        };
        let name = match &declarator.id {
            BindingPattern::BindingIdentifier(name) => Some(name.name.as_str()),
            _ => None,
        };
        match (init, name) {
            (Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_), Some(name)) => {
                let id = self.function_value(init, Name::new(name));
                self.module.functions[id.index()].name_span = at;
                self.bind(name, BindingKind::Function(id), at);
            }
            (Expression::ClassExpression(class), Some(name)) => {
                let id = self.class(class, Name::new(name));
                self.bind(name, BindingKind::Class(id), at);
            }
            _ => {
                let value = self.expr(init, Role::Stored);
                let kind = match (annotation, self.required_module(value)) {
                    (Some(declared), _) => BindingKind::Typed(declared, Some(value)),
                    (None, Some(path)) if name.is_some() => BindingKind::Import(path),
                    _ => BindingKind::Value(value),
                };
                self.bind_pattern(&declarator.id, kind);
            }
        }
    }

    /// The module that a value is, straight from `require`.
    fn required_module(&self, value: ExprId) -> Option<Name> {
        let racewalk_ir::Expr::Name(symbol, _) = self.module.expr(value) else { return None };
        let last = self.module.bindings.last()?;
        let owner = self.module.function(last.owner);
        match last.kind {
            BindingKind::Import(path) if owner.symbols[last.symbol.index()].name == symbol => Some(path),
            _ => None,
        }
    }

    /// `using x = open()`: left when the block is.
    fn using(&mut self, variables: &ast::VariableDeclaration<'_>) -> Vec<(ScopeKind, ExprId)> {
        let is_async = variables.kind.is_await();
        let (kind, role) =
            if is_async { (ScopeKind::Async, Role::EnteredAsync) } else { (ScopeKind::Plain, Role::Entered) };
        let mut entered = Vec::new();
        for declarator in &variables.declarations {
            let Some(init) = &declarator.init else { continue };
            let value = self.expr(init, role);
            self.event(Event::Enter(kind, value));
            self.bind_pattern(&declarator.id, BindingKind::Value(value));
            entered.push((kind, value));
        }
        entered
    }

    /// A chain of `else if` is one branch.
    fn branch(&mut self, branch: &ast::IfStatement<'_>) {
        let test = self.expr(&branch.test, Role::Condition);
        self.event(Event::Branch(Some(test)));
        self.arm(&branch.consequent);
        let mut alternate = branch.alternate.as_ref();
        let mut is_exhaustive = false;
        while let Some(next) = alternate {
            let arm = self.placeholder(Event::Arm(None));
            match next {
                Statement::IfStatement(inner) => {
                    let test = self.expr(&inner.test, Role::Condition);
                    self.set_event(arm, Event::Arm(Some(test)));
                    self.arm(&inner.consequent);
                    alternate = inner.alternate.as_ref();
                }
                last => {
                    self.arm(last);
                    is_exhaustive = true;
                    alternate = None;
                }
            }
        }
        self.event(Event::EndBranch(is_exhaustive));
    }

    /// A statement where a block is usual: it counts as a statement of its own.
    fn arm(&mut self, statement: &Statement<'_>) {
        if !matches!(statement, Statement::BlockStatement(_)) {
            self.note_head(statement);
        }
        self.statement(statement);
    }

    fn guarded(&mut self, guarded: &ast::TryStatement<'_>) {
        self.event(Event::Try);
        self.inner_block(&guarded.block.body);
        if let Some(handler) = &guarded.handler {
            self.event(Event::Handler(None));
            let function = self.current();
            self.scopes.enter(function);
            if let Some(param) = &handler.param {
                hoist::pattern_names(&param.pattern, &mut |name| self.declare(name));
                self.bind_pattern(&param.pattern, BindingKind::Caught(None));
            }
            self.inner_block(&handler.body.body);
            self.scopes.leave();
        }
        if let Some(last) = &guarded.finalizer {
            self.event(Event::Finally);
            self.inner_block(&last.body);
        }
        self.event(Event::EndTry);
    }

    fn loop_body(&mut self, body: &Statement<'_>) {
        self.breakable.push(false);
        self.arm(body);
        self.breakable.pop();
    }

    fn end_loop(&mut self) {
        self.event(Event::EndLoop);
        self.event(Event::EndLoopElse);
    }

    fn for_loop(&mut self, each: &ast::ForStatement<'_>) {
        let function = self.current();
        self.scopes.enter(function);
        match &each.init {
            Some(ForStatementInit::VariableDeclaration(variables)) => {
                self.declare_variables(variables);
                self.variables(variables);
            }
            Some(other) => {
                self.expr(other.to_expression(), Role::Dropped);
            }
            None => {}
        }
        let start = self.placeholder(Event::Loop(None));
        if let Some(test) = &each.test {
            let test = self.expr(test, Role::Condition);
            self.set_event(start, Event::Loop(Some(test)));
        }
        self.loop_body(&each.body);
        if let Some(update) = &each.update {
            self.expr(update, Role::Dropped);
        }
        self.end_loop();
        self.scopes.leave();
    }

    fn declare_variables(&mut self, variables: &ast::VariableDeclaration<'_>) {
        if variables.kind != VariableDeclarationKind::Var {
            for declarator in &variables.declarations {
                hoist::pattern_names(&declarator.id, &mut |name| self.declare(name));
            }
        }
    }

    fn for_of(&mut self, each: &ast::ForOfStatement<'_>) {
        let role = if each.r#await { Role::IteratedAsync } else { Role::Iterated };
        let source = self.expr(&each.right, role);
        let function = self.current();
        self.scopes.enter(function);
        self.event(Event::Loop(Some(source)));
        if each.r#await {
            self.event(Event::Suspend(SuspendKind::Iterate, source));
            self.bind_left(&each.left, BindingKind::ElementAsync(source));
        } else {
            self.bind_left(&each.left, BindingKind::Element(source));
        }
        self.loop_body(&each.body);
        self.end_loop();
        self.scopes.leave();
    }

    fn for_in(&mut self, each: &ast::ForInStatement<'_>) {
        let source = self.expr(&each.right, Role::Other);
        let function = self.current();
        self.scopes.enter(function);
        self.event(Event::Loop(Some(source)));
        let key = self.literal(Literal::Text, span(each.left.span()), Role::Other);
        self.bind_left(&each.left, BindingKind::Value(key));
        self.loop_body(&each.body);
        self.end_loop();
        self.scopes.leave();
    }

    fn bind_left(&mut self, left: &ForStatementLeft<'_>, kind: BindingKind) {
        match left {
            ForStatementLeft::VariableDeclaration(variables) => {
                self.declare_variables(variables);
                if let Some(declarator) = variables.declarations.first() {
                    self.bind_pattern(&declarator.id, kind);
                }
            }
            other => self.assign_target(other.to_assignment_target(), kind),
        }
    }

    /// Each case is an arm; that one may fall through into the next is not followed.
    fn switch(&mut self, switch: &ast::SwitchStatement<'_>) {
        let subject = self.expr(&switch.discriminant, Role::Matched);
        let function = self.current();
        self.scopes.enter(function);
        for case in &switch.cases {
            let mut names = Vec::new();
            hoist::block_names(&case.consequent, &mut |name| names.push(name));
            names.iter().for_each(|name| self.declare(name));
        }
        self.breakable.push(true);
        let mut is_exhaustive = false;
        let mut is_first = true;
        for case in &switch.cases {
            if let Some(test) = &case.test {
                let test = self.expr(test, Role::Compared);
                let list = self.list(&[subject, test]);
                self.with_child(racewalk_ir::Expr::Equality(list), test, span(case.span), Role::Condition);
            } else {
                is_exhaustive = true;
            }
            // Cases that do nothing share the arm of the next.
            if case.consequent.is_empty() {
                continue;
            }
            self.event(if is_first { Event::Branch(None) } else { Event::Arm(None) });
            is_first = false;
            self.block(&case.consequent);
        }
        if !is_first {
            self.event(Event::EndBranch(is_exhaustive));
        }
        self.breakable.pop();
        self.scopes.leave();
    }
}

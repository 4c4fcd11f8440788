//! Statements, functions, classes, imports.

use crate::generator;
use crate::lowerer::Lowerer;
use crate::span;
use racewalk_ir::{
    BindingKind, Class, ClassId, DEEPEST, Event, Expr, ExprId, Field, Function, FunctionId, FunctionKind, Literal,
    Name, Param, ParamKind, Role, ScopeKind, Span, Stub, SuspendKind, blank,
};
use ruff_python_ast::{self as ast, Expr as Ast, Stmt};
use ruff_text_size::Ranged;

impl Lowerer {
    pub fn suite(&mut self, suite: &[Stmt]) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        for statement in suite {
            self.statement(statement);
        }
        self.depth -= 1;
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Expr(expr) => {
                if !is_documentation(&expr.value) {
                    self.expr(&expr.value, Role::Dropped);
                }
            }
            Stmt::Assign(assign) => self.assign(assign),
            Stmt::AnnAssign(assign) => self.annotated(assign),
            Stmt::AugAssign(assign) => self.modify(assign),
            Stmt::Return(returned) => {
                let value = returned.value.as_deref().map(|value| self.expr(value, Role::Returned));
                self.function().return_values.extend(value);
                self.event(Event::Return(value));
            }
            Stmt::If(branch) => self.branch(branch),
            Stmt::For(each) => self.each(each),
            Stmt::While(while_) => self.while_loop(while_),
            Stmt::With(with) => self.with(with),
            Stmt::Try(guarded) => self.guarded(guarded),
            Stmt::Match(matched) => self.matched(matched),
            Stmt::Raise(raise) => {
                let raised = raise.exc.as_deref().map(|raised| self.expr(raised, Role::Raised));
                if let Some(cause) = &raise.cause {
                    self.expr(cause, Role::Other);
                }
                self.event(Event::Raise(raised));
            }
            Stmt::Assert(assert) => {
                self.expr(&assert.test, Role::Condition);
                if let Some(message) = &assert.msg {
                    self.expr(message, Role::Formatted);
                }
            }
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| self.delete(target)),
            Stmt::FunctionDef(function) => self.function_def(function),
            Stmt::ClassDef(class) => self.class_def(class),
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Global(global) => self.declare(&global.names, |symbol| symbol.is_global = true),
            Stmt::Nonlocal(nonlocal) => self.declare(&nonlocal.names, |symbol| symbol.is_nonlocal = true),
            Stmt::TypeAlias(alias) => {
                let value = self.annotation(&alias.value);
                if let Ast::Name(name) = &*alias.name {
                    self.bind(Name::new(&name.id), BindingKind::TypeAlias(value), span(alias.name.range()));
                }
            }
            Stmt::Break(_) => self.event(Event::Break),
            Stmt::Continue(_) => self.event(Event::Continue),
            Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn declare(&mut self, names: &[ast::Identifier], mark: fn(&mut racewalk_ir::Symbol)) {
        let function = self.current();
        for name in names {
            let symbol = self.symbol(function, Name::new(name));
            mark(&mut self.module.functions[function.index()].symbols[symbol.index()]);
        }
    }

    fn assign(&mut self, assign: &ast::StmtAssign) {
        let value = self.expr(&assign.value, Role::Stored);
        for target in &assign.targets {
            self.target(target, BindingKind::Value(value));
        }
        self.note_exports(assign, value);
    }

    /// `__all__ = [...]` in a module's own body says what the module exports.
    fn note_exports(&mut self, assign: &ast::StmtAssign, value: ExprId) {
        let [Ast::Name(name)] = assign.targets.as_slice() else { return };
        if name.id.as_str() != "__all__" || !self.is_at_top() {
            return;
        }
        if let Expr::List(list) | Expr::Tuple(list) = self.module.expr(value) {
            let names = self.module.list(list).iter().filter_map(|name| match self.module.expr(*name) {
                Expr::Literal(Literal::Str(name)) => Some(name),
                _ => None,
            });
            self.module.exports = Some(names.collect());
        }
    }

    fn annotated(&mut self, assign: &ast::StmtAnnAssign) {
        let annotation = self.annotation(&assign.annotation);
        let value = assign.value.as_deref().map(|value| self.expr(value, Role::Stored));
        self.target(&assign.target, BindingKind::Typed(annotation, value));
    }

    fn modify(&mut self, assign: &ast::StmtAugAssign) {
        let target = self.expr(&assign.target, Role::Operand);
        self.event(Event::Modify(target));
        let value = self.expr(&assign.value, Role::Operand);
        match &*assign.target {
            Ast::Name(name) => {
                let name = self.inner_name(Name::new(&name.id));
                self.bind(name, BindingKind::Modified(value), span(assign.target.range()));
            }
            _ => self.event(Event::WritePlace(target, None)),
        }
    }

    /// Binds or writes an assignment's target.
    pub fn target(&mut self, target: &Ast, kind: BindingKind) {
        let at = span(target.range());
        match target {
            Ast::Name(name) => {
                let name = self.inner_name(Name::new(&name.id));
                self.bind(name, kind, at);
            }
            Ast::Attribute(attribute) => {
                let base = self.expr(&attribute.value, Role::Receiver);
                let name = Name::new(&attribute.attr);
                let id = self.push(Expr::Attr(base, name), at, Role::Target);
                self.adopt(id, base);
                self.note_field(base, name, kind, at);
                self.event(Event::WritePlace(id, value_of(kind)));
            }
            Ast::Subscript(subscript) => {
                let base = self.expr(&subscript.value, Role::Container);
                let key = self.expr(&subscript.slice, Role::Key);
                let id = self.push(Expr::Subscript(base, key), at, Role::Target);
                self.adopt_all(id, &[base, key]);
                self.event(Event::WritePlace(id, value_of(kind)));
            }
            Ast::Tuple(tuple) => self.parts(&tuple.elts, kind),
            Ast::List(list) => self.parts(&list.elts, kind),
            Ast::Starred(starred) => self.target(&starred.value, BindingKind::Opaque),
            _ => {}
        }
    }

    fn parts(&mut self, targets: &[Ast], kind: BindingKind) {
        for (position, target) in targets.iter().enumerate() {
            // Parts of an element that is itself taken apart are beyond what inference follows.
            let part = match kind {
                BindingKind::Value(value) => BindingKind::Part(value, position as u32),
                BindingKind::Element(source) => BindingKind::ElementPart(source, position as u32),
                _ => BindingKind::Opaque,
            };
            self.target(target, part);
        }
    }

    fn note_field(&mut self, base: ExprId, name: Name, kind: BindingKind, at: Span) {
        let Expr::Name(receiver, _) = self.module.expr(base) else { return };
        if let Some(class) = self.receiver_class(receiver) {
            let function = self.current();
            self.module.classes[class.index()].fields.push(Field { name, function, kind, span: at });
        }
    }

    fn delete(&mut self, target: &Ast) {
        match target {
            Ast::Name(name) => {
                self.bind(Name::new(&name.id), BindingKind::Deleted, span(target.range()));
            }
            Ast::Tuple(tuple) => tuple.elts.iter().for_each(|element| self.delete(element)),
            other => {
                let id = self.expr(other, Role::Deleted);
                self.event(Event::WritePlace(id, None));
            }
        }
    }

    fn branch(&mut self, branch: &ast::StmtIf) {
        let test = self.expr(&branch.test, Role::Condition);
        self.event(Event::Branch(Some(test)));
        let mut truth = self.truth(&branch.test);
        self.suite_unless(&branch.body, truth == Some(false));
        let mut exhaustive = false;
        for clause in &branch.elif_else_clauses {
            let arm = self.placeholder(Event::Arm(None));
            match &clause.test {
                Some(test) => {
                    let test = self.expr(test, Role::Condition);
                    self.set_event(arm, Event::Arm(Some(test)));
                }
                None => exhaustive = true,
            }
            // The arm after one that is always taken never is.
            let is_reached = truth != Some(true);
            truth = clause.test.as_ref().and_then(|test| self.truth(test));
            self.suite_unless(&clause.body, !is_reached || truth == Some(false));
            if !is_reached {
                truth = Some(true);
            }
        }
        self.event(Event::EndBranch(exhaustive));
    }

    /// How a condition comes out that is written down: `False`, `False and …`, a constant of the module.
    fn truth(&self, test: &Ast) -> Option<bool> {
        match test {
            Ast::BooleanLiteral(truth) => Some(truth.value),
            Ast::UnaryOp(negated) if negated.op == ast::UnaryOp::Not => {
                self.truth(&negated.operand).map(|truth| !truth)
            }
            Ast::BoolOp(logical) => {
                let decides = logical.op == ast::BoolOp::Or;
                let first = logical.values.first().and_then(|first| self.truth(first));
                first.filter(|truth| *truth == decides)
            }
            Ast::Name(name) if is_constant_name(&name.id) => self.constant(Name::new(&name.id)),
            _ => None,
        }
    }

    /// The truth value that a constant of the module is bound to, once.
    fn constant(&self, name: Name) -> Option<bool> {
        let module = self.module.function(FunctionId(0));
        let [binding] = module.symbols[module.symbol(name)?.index()].bindings.as_slice() else { return None };
        let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) =
            self.module.bindings[binding.index()].kind
        else {
            return None;
        };
        match self.module.expr(value) {
            Expr::Literal(Literal::Bool(truth)) => Some(truth),
            _ => None,
        }
    }

    /// Lowers statements of which nothing happens when they are switched off: what they declare still counts (a `yield`
    /// makes a generator wherever it stands).
    fn suite_unless(&mut self, suite: &[Stmt], switched_off: bool) {
        let events = self.event_count();
        self.suite(suite);
        if switched_off {
            self.forget_events(events);
        }
    }

    fn each(&mut self, each: &ast::StmtFor) {
        let (role, kind): (_, fn(ExprId) -> BindingKind) = match each.is_async {
            true => (Role::IteratedAsync, BindingKind::ElementAsync),
            false => (Role::Iterated, BindingKind::Element),
        };
        let source = self.expr(&each.iter, role);
        self.event(Event::Loop(Some(source)));
        if each.is_async {
            self.event(Event::Suspend(SuspendKind::Iterate, source));
        }
        self.target(&each.target, kind(source));
        self.suite(&each.body);
        self.event(Event::EndLoop);
        self.suite(&each.orelse);
        self.event(Event::EndLoopElse);
    }

    fn while_loop(&mut self, each: &ast::StmtWhile) {
        let start = self.placeholder(Event::Loop(None));
        let test = self.expr(&each.test, Role::Condition);
        self.set_event(start, Event::Loop(Some(test)));
        self.suite(&each.body);
        self.event(Event::EndLoop);
        self.suite(&each.orelse);
        self.event(Event::EndLoopElse);
    }

    fn with(&mut self, with: &ast::StmtWith) {
        let (role, kind) = match with.is_async {
            true => (Role::EnteredAsync, ScopeKind::Async),
            false => (Role::Entered, ScopeKind::Plain),
        };
        let mut entered = Vec::with_capacity(with.items.len());
        for item in &with.items {
            let context = self.expr(&item.context_expr, role);
            if with.is_async {
                self.event(Event::Suspend(SuspendKind::Enter, context));
            }
            self.event(Event::Enter(kind, context));
            if let Some(target) = &item.optional_vars {
                let binding =
                    if with.is_async { BindingKind::ContextAsync(context) } else { BindingKind::Context(context) };
                self.target(target, binding);
            }
            entered.push(context);
        }
        self.suite(&with.body);
        for context in entered.into_iter().rev() {
            if with.is_async {
                self.event(Event::Suspend(SuspendKind::Exit, context));
            }
            self.event(Event::Exit(kind, context));
        }
    }

    fn guarded(&mut self, guarded: &ast::StmtTry) {
        self.event(Event::Try);
        self.suite(&guarded.body);
        if !guarded.orelse.is_empty() {
            self.event(Event::TryElse);
            self.suite(&guarded.orelse);
        }
        for handler in &guarded.handlers {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            let start = self.placeholder(Event::Handler(None));
            let caught = handler.type_.as_deref().map(|caught| self.expr(caught, Role::Caught));
            self.set_event(start, Event::Handler(caught));
            if let Some(name) = &handler.name {
                self.bind(Name::new(name), BindingKind::Caught(caught), span(name.range));
            }
            self.suite(&handler.body);
        }
        if !guarded.finalbody.is_empty() {
            self.event(Event::Finally);
            self.suite(&guarded.finalbody);
        }
        self.event(Event::EndTry);
    }

    fn matched(&mut self, matched: &ast::StmtMatch) {
        let subject = self.expr(&matched.subject, Role::Matched);
        let mut exhaustive = false;
        for (position, case) in matched.cases.iter().enumerate() {
            self.event(if position == 0 { Event::Branch(None) } else { Event::Arm(None) });
            self.pattern(&case.pattern, subject);
            if let Some(guard) = &case.guard {
                self.expr(guard, Role::Condition);
            }
            exhaustive |= case.guard.is_none() && case.pattern.is_irrefutable();
            self.suite(&case.body);
        }
        if !matched.cases.is_empty() {
            self.event(Event::EndBranch(exhaustive));
        }
    }

    fn function_def(&mut self, def: &ast::StmtFunctionDef) {
        let decorators: Vec<ExprId> =
            def.decorator_list.iter().map(|decorator| self.expr(&decorator.expression, Role::Decorator)).collect();
        let params = self.params(&def.parameters);
        let returns = def.returns.as_deref().map(|returns| self.annotation(returns));
        let enclosing = self.module.function(self.current());
        let class = if enclosing.kind == FunctionKind::ClassBody { enclosing.class } else { None };
        let receiver = class.and_then(|class| Some((self.receiver_name(def, &params)?, class)));
        let name = Name::new(&def.name);
        let function = Function {
            is_async: def.is_async,
            parent: Some(self.current()),
            class,
            params,
            decorators,
            returns,
            stub: stub(&def.body),
            span: span(def.range),
            name_span: span(def.name.range),
            ..blank(name, FunctionKind::Function)
        };
        let id = self.open(function, receiver);
        // A function's body does not see the comprehension's variables by their inner names: it is no part of one.
        let comprehensions = std::mem::take(&mut self.comprehensions);
        self.type_params(def.type_params.as_deref());
        self.function_body(def);
        self.comprehensions = comprehensions;
        self.close(id);
        self.event(Event::Define(id));
        self.bind(name, BindingKind::Function(id), span(def.name.range));
    }

    /// Of a signature, all that is asked of the body is whether it hands out values, and what a constructor assigns.
    fn function_body(&mut self, def: &ast::StmtFunctionDef) {
        if self.module.signatures_only && def.name.as_str() != "__init__" {
            self.function().is_generator = generator::yields(&def.body);
        } else {
            self.bind_params();
            self.suite(&def.body);
        }
    }

    fn receiver_name(&self, def: &ast::StmtFunctionDef, params: &[Param]) -> Option<Name> {
        let is_static = def
            .decorator_list
            .iter()
            .any(|decorator| matches!(&decorator.expression, Ast::Name(name) if name.id.as_str() == "staticmethod"));
        let first = params.first().filter(|param| matches!(param.kind, ParamKind::Positional | ParamKind::Normal));
        first.filter(|_| !is_static).map(|param| param.name)
    }

    pub fn params(&mut self, parameters: &ast::Parameters) -> Vec<Param> {
        let mut params = Vec::with_capacity(parameters.len());
        let groups = [
            (&parameters.posonlyargs, ParamKind::Positional),
            (&parameters.args, ParamKind::Normal),
            (&parameters.kwonlyargs, ParamKind::Named),
        ];
        for (group, kind) in groups {
            if kind == ParamKind::Named {
                params.extend(parameters.vararg.as_deref().map(|rest| self.param(rest, None, ParamKind::Rest)));
            }
            for param in group {
                params.push(self.param(&param.parameter, param.default.as_deref(), kind));
            }
        }
        params.extend(parameters.kwarg.as_deref().map(|rest| self.param(rest, None, ParamKind::RestNamed)));
        params
    }

    fn param(&mut self, parameter: &ast::Parameter, default: Option<&Ast>, kind: ParamKind) -> Param {
        let annotation = parameter.annotation.as_deref().map(|annotation| self.annotation(annotation));
        let default = default.map(|default| self.expr(default, Role::Default));
        Param { name: Name::new(&parameter.name), kind, annotation, default }
    }

    /// Binds the current function's parameters.
    pub fn bind_params(&mut self) {
        let at = self.function().span;
        let names: Vec<Name> = self.function().params.iter().map(|param| param.name).collect();
        for (position, name) in names.into_iter().enumerate() {
            self.bind(name, BindingKind::Param(position as u32), Span::new(at.start, at.start));
        }
    }

    fn type_params(&mut self, params: Option<&ast::TypeParams>) -> Vec<(Name, Option<ExprId>)> {
        let mut lowered = Vec::new();
        for param in params.iter().flat_map(|params| &params.type_params) {
            let (name, bound) = match param {
                ast::TypeParam::TypeVar(var) => (&var.name, var.bound.as_deref()),
                ast::TypeParam::TypeVarTuple(var) => (&var.name, None),
                ast::TypeParam::ParamSpec(var) => (&var.name, None),
            };
            let bound = bound.map(|bound| self.annotation(bound));
            self.bind(Name::new(name), BindingKind::TypeParameter(bound), span(name.range));
            lowered.push((Name::new(name), bound));
        }
        lowered
    }

    fn class_def(&mut self, def: &ast::StmtClassDef) {
        let decorators =
            def.decorator_list.iter().map(|decorator| self.expr(&decorator.expression, Role::Decorator)).collect();
        let mut bases = Vec::new();
        let mut arguments = Vec::new();
        if let Some(given) = def.arguments.as_deref() {
            bases.extend(given.args.iter().map(|base| self.expr(base, Role::Base)));
            for keyword in &given.keywords {
                let value = self.expr(&keyword.value, Role::Base);
                arguments.extend(keyword.arg.as_ref().map(|name| (Name::new(name), value)));
            }
        }
        let name = Name::new(&def.name);
        let class = ClassId(self.module.classes.len() as u32);
        let body = Function {
            parent: Some(self.current()),
            class: Some(class),
            span: span(def.range),
            name_span: span(def.name.range),
            ..blank(name, FunctionKind::ClassBody)
        };
        let first = FunctionId(self.module.functions.len() as u32);
        self.module.classes.push(Class {
            name,
            body: first,
            bases,
            arguments,
            decorators,
            type_params: Vec::new(),
            fields: Vec::new(),
            span: span(def.range),
            name_span: span(def.name.range),
        });
        let id = self.open(body, None);
        let type_params = self.type_params(def.type_params.as_deref());
        self.module.classes[class.index()].type_params = type_params;
        self.suite(&def.body);
        self.close(id);
        self.event(Event::Define(id));
        self.bind(name, BindingKind::Class(class), span(def.name.range));
    }

    fn import(&mut self, import: &ast::StmtImport) {
        for alias in &import.names {
            let path = alias.name.as_str();
            let at = span(alias.range);
            match &alias.asname {
                Some(name) => self.bind(Name::new(name), BindingKind::Import(Name::new(path)), at),
                None => {
                    // `import a.b` binds `a`; that `a.b` was imported too is remembered for the linker.
                    let root = path.split('.').next().unwrap_or(path);
                    self.bind(Name::new(root), BindingKind::Import(Name::new(root)), at)
                }
            };
            self.module.imports.push(Name::new(path));
        }
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let Some(module) = self.absolute(import.module.as_deref(), import.level) else { return };
        self.module.imports.push(module);
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                self.module.star_imports.push(module);
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            let kind = BindingKind::ImportMember(module, Name::new(&alias.name));
            self.bind(Name::new(name), kind, span(alias.range));
        }
    }

    /// The absolute path of what `from <dots><module> import` names; none when the dots lead out of the program.
    fn absolute(&self, module: Option<&str>, level: u32) -> Option<Name> {
        if level == 0 {
            return module.map(Name::new);
        }
        let own = self.module.name.as_str();
        let mut parts: Vec<&str> = own.split('.').filter(|part| !part.is_empty()).collect();
        let up = if self.module.is_package { level - 1 } else { level };
        for _ in 0..up {
            parts.pop()?;
        }
        parts.extend(module);
        Some(Name::new(&parts.join(".")))
    }
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) => Some(value),
        BindingKind::Typed(_, value) => value,
        _ => None,
    }
}

/// A name in capitals: by convention nobody binds it again.
fn is_constant_name(name: &str) -> bool {
    name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
}

fn is_documentation(expr: &Ast) -> bool {
    matches!(expr, Ast::StringLiteral(_) | Ast::EllipsisLiteral(_))
}

fn stub(body: &[Stmt]) -> Stub {
    let said = |statement: &&Stmt| match statement {
        Stmt::Expr(expr) => !is_documentation(&expr.value),
        Stmt::Pass(_) => false,
        _ => true,
    };
    let mut rest = body.iter().filter(said);
    match (rest.next(), rest.next()) {
        (None, _) => Stub::Empty,
        (Some(Stmt::Raise(raise)), None) if raise.exc.as_deref().is_some_and(is_not_implemented) => {
            Stub::NotImplemented
        }
        _ => Stub::No,
    }
}

fn is_not_implemented(raised: &Ast) -> bool {
    match raised {
        Ast::Call(call) => is_not_implemented(&call.func),
        Ast::Name(name) => name.id.as_str() == "NotImplementedError",
        _ => false,
    }
}

//! Declarations: imports, constants and variables, types with their methods.

use crate::function::Parts;
use crate::lowerer::Lowerer;
use racewalk_go_syntax::{
    DeclId, DeclKind, ExprId as SyntaxId, ExprKind, Field, FieldList, FuncDecl, Ident, InterfaceElementKind, List,
    TypeSpec, ValueSpec, string_value,
};
use racewalk_ir::{
    BindingKind, Class, ClassId, Event, Function, FunctionId, FunctionKind, Name, Param, ParamKind, Role, Span, Stub,
    blank,
};

impl<'t> Lowerer<'_, 't> {
    /// Declares what a file declares for its package, and notes whose methods stand in it.
    pub fn declare_names(&mut self) {
        let file = self.file();
        for decl in &file[file.decls] {
            match file[*decl].kind {
                DeclKind::Const(specs) | DeclKind::Var(specs) => {
                    let names = file[specs].iter().flat_map(|spec| &file[spec.names]);
                    names.for_each(|name| self.declare_in_package(*name));
                }
                DeclKind::Type(specs) => file[specs].iter().for_each(|spec| self.declare_in_package(spec.name)),
                DeclKind::Func(FuncDecl { receiver: None, name, .. }) => self.declare_in_package(name),
                DeclKind::Func(FuncDecl { receiver: Some(receiver), .. }) => {
                    if let Some(of) = self.receiver_type(receiver) {
                        let at = self.file_at();
                        self.methods.entry(of).or_default().push((at, *decl));
                    }
                }
                DeclKind::Bad | DeclKind::Import(_) => {}
            }
        }
    }

    fn declare_in_package(&mut self, name: Ident) {
        let name = self.text(name);
        // Any number of functions may be called `init`, and nobody can name them.
        if !matches!(name, "_" | "init" | "") && !self.scopes.declares(Name::new(name)) {
            self.declare_only(name);
        }
    }

    /// The name of the type whose method has this receiver.
    fn receiver_type(&self, receiver: FieldList) -> Option<&'t str> {
        let file = self.file();
        let mut ty = file[receiver.fields].first()?.ty;
        loop {
            ty = match file[ty].kind {
                ExprKind::Star(inner) | ExprKind::Paren(inner) => inner,
                ExprKind::Index { operand, .. } => operand,
                ExprKind::Ident => return str::from_utf8(file.text_of(file[ty].span)).ok(),
                _ => return None,
            };
        }
    }

    /// Binds what a file imports. Gives the names and their symbols.
    pub fn bind_imports(&mut self) -> Vec<(Name, Name)> {
        let file = self.file();
        let mut names: Vec<(Name, Name)> = Vec::new();
        for decl in &file[file.decls] {
            let DeclKind::Import(specs) = file[*decl].kind else { continue };
            for spec in &file[specs] {
                let at = self.span(spec.span);
                let Some(path) = string_value(file.text_of(file[spec.path].span)) else { continue };
                let path = String::from_utf8_lossy(&path);
                self.module.imports.push(Name::new(&path));
                match spec.name.map(|name| self.text(name)) {
                    Some("_") => {}
                    Some(".") => self.module.star_imports.push(Name::new(&path)),
                    Some(given) => names.push((Name::new(given), self.bind_import(given, &path, at))),
                    None => {
                        for likely in package_names(&path) {
                            names.push((Name::new(likely), self.bind_import(likely, &path, at)));
                        }
                    }
                }
            }
        }
        names
    }

    /// The symbol of an import: the same for all files that import the same by the same name.
    fn bind_import(&mut self, name: &str, path: &str, at: Span) -> Name {
        let mut symbol = Name::new(name);
        let meant = BindingKind::Import(Name::new(path));
        loop {
            let body = self.module.function(FunctionId(0));
            let Some(known) = body.symbol(symbol) else { break };
            let mut bindings = body.symbols[known.index()].bindings.iter();
            if bindings.any(|binding| self.module.bindings[binding.index()].kind == meant) {
                return symbol;
            }
            symbol = Name::new(&format!("{symbol}'"));
        }
        self.bind_in(FunctionId(0), symbol, meant, at);
        symbol
    }

    /// Lowers the declarations of the file that we are in; methods are lowered with their types.
    pub fn declarations(&mut self) {
        let file = self.file();
        for decl in &file[file.decls] {
            self.declaration(*decl);
        }
    }

    /// Lowers a declaration, of a package or inside a function.
    pub fn declaration(&mut self, decl: DeclId) {
        let file = self.file();
        match file[decl].kind {
            DeclKind::Bad | DeclKind::Import(_) => {}
            DeclKind::Const(specs) => file[specs].iter().for_each(|spec| self.constants(spec)),
            DeclKind::Var(specs) => file[specs].iter().for_each(|spec| self.variables(spec)),
            DeclKind::Type(specs) => file[specs].iter().for_each(|spec| self.type_declaration(spec)),
            DeclKind::Func(function) => {
                let has_type = function.receiver.is_some_and(|it| self.receiver_type(it).is_some());
                if !has_type {
                    self.function_declaration(decl, function);
                }
            }
        }
    }

    fn constants(&mut self, spec: &ValueSpec) {
        let file = self.file();
        for name in &file[spec.names] {
            let at = self.span(name.span);
            self.bind_declared(*name, BindingKind::Opaque, at);
        }
    }

    fn variables(&mut self, spec: &ValueSpec) {
        let file = self.file();
        let ty = spec.ty.map(|ty| self.annotation(ty));
        let names = &file[spec.names];
        let values: Vec<_> = file[spec.values].iter().map(|value| self.expr(*value, Role::Stored)).collect();
        for (position, name) in names.iter().enumerate() {
            let at = self.span(name.span);
            let kind = match (ty, values.as_slice()) {
                (Some(ty), [value]) if names.len() == 1 => BindingKind::Typed(ty, Some(*value)),
                (Some(ty), several) => BindingKind::Typed(ty, several.get(position).copied()),
                (None, [value]) if names.len() > 1 => BindingKind::Part(*value, position as u32),
                (None, several) => {
                    several.get(position).map_or(BindingKind::Opaque, |value| BindingKind::Value(*value))
                }
            };
            self.bind_declared(*name, kind, at);
        }
    }

    /// Binds what a declaration names: of a package it is declared already.
    fn bind_declared(&mut self, name: Ident, kind: BindingKind, at: Span) {
        let text = self.text(name);
        if text == "_" || text.is_empty() {
            return;
        }
        if self.is_at_top() {
            self.bind(text, kind, at);
        } else {
            self.declare(text, kind, at);
        }
    }

    fn type_declaration(&mut self, spec: &TypeSpec) {
        let file = self.file();
        let name = self.text(spec.name);
        let at = self.span(spec.name.span);
        let at_top = self.is_at_top();
        if !at_top && name != "_" {
            self.declare_only(name);
        }
        let methods = if at_top { self.methods.remove(name).unwrap_or_default() } else { Vec::new() };
        let is_plain = !matches!(file[spec.ty].kind, ExprKind::StructType(_) | ExprKind::InterfaceType(_));
        if spec.is_alias || is_plain && methods.is_empty() {
            let meant = self.annotation(spec.ty);
            self.bind(name, BindingKind::TypeAlias(meant), at);
            return;
        }
        let class = self.class(Name::new(name), spec.ty, at, &methods);
        let params = self.type_params(spec.type_params);
        self.module.classes[class.index()].type_params = params;
        self.bind(name, BindingKind::Class(class), at);
    }

    fn type_params(&mut self, params: FieldList) -> Vec<(Name, Option<racewalk_ir::ExprId>)> {
        let file = self.file();
        let names = file[params.fields].iter().flat_map(|field| &file[field.names]);
        names.map(|name| (Name::new(self.text(*name)), None)).collect()
    }

    /// Lowers a struct, an interface, or a type that has methods.
    pub fn class(&mut self, name: Name, ty: SyntaxId, name_span: Span, methods: &[(usize, DeclId)]) -> ClassId {
        let file = self.file();
        let at = self.span(file[ty].span);
        let class = ClassId(self.module.classes.len() as u32);
        let first = FunctionId(self.module.functions.len() as u32);
        self.module.classes.push(Class {
            name,
            body: first,
            bases: Vec::new(),
            arguments: Vec::new(),
            decorators: Vec::new(),
            type_params: Vec::new(),
            fields: Vec::new(),
            span: at,
            name_span,
        });
        let body = Function {
            parent: Some(self.current()),
            class: Some(class),
            span: at,
            name_span,
            ..blank(name, FunctionKind::ClassBody)
        };
        let quiet = std::mem::take(&mut self.quiet);
        let id = self.open(body, None);
        match file[ty].kind {
            ExprKind::StructType(fields) => self.fields(class, fields),
            ExprKind::InterfaceType(elements) => {
                for element in &file[elements] {
                    match element.kind {
                        InterfaceElementKind::Method { name, signature } => {
                            self.interface_method(class, name, signature)
                        }
                        InterfaceElementKind::Embedded(base) => self.base(class, base),
                    }
                }
            }
            _ => {}
        }
        for (file, decl) in methods {
            self.in_file(*file, |lowerer| {
                let DeclKind::Func(method) = lowerer.file()[*decl].kind else { return };
                lowerer.method_declaration(class, *decl, method);
            });
        }
        self.close(id);
        self.quiet = quiet;
        self.event(Event::Define(id));
        class
    }

    fn fields(&mut self, class: ClassId, fields: List<Field>) {
        let file = self.file();
        let body = self.current();
        for field in &file[fields] {
            let ty = self.annotation(field.ty);
            for name in &file[field.names] {
                let (at, name) = (self.span(name.span), Name::new(self.text(*name)));
                self.bind_in(body, name, BindingKind::Typed(ty, None), at);
            }
            if file[field.names].is_empty() {
                let at = self.span(field.span);
                if let Some(name) = self.embedded_name(field.ty) {
                    self.bind_in(body, Name::new(name), BindingKind::Typed(ty, None), at);
                }
                self.base(class, field.ty);
            }
        }
    }

    fn base(&mut self, class: ClassId, base: SyntaxId) {
        let file = self.file();
        let base = match file[base].kind {
            ExprKind::Star(inner) => inner,
            _ => base,
        };
        let base = self.quietly(|lowerer| lowerer.ty(base, Role::Base));
        self.module.classes[class.index()].bases.push(base);
    }

    /// The name of an embedded field: that of its type.
    fn embedded_name(&self, mut ty: SyntaxId) -> Option<&'t str> {
        let file = self.file();
        loop {
            ty = match file[ty].kind {
                ExprKind::Star(inner) | ExprKind::Paren(inner) => inner,
                ExprKind::Index { operand, .. } => operand,
                ExprKind::Selector { name, .. } => return Some(self.text(name)),
                ExprKind::Ident => return str::from_utf8(file.text_of(file[ty].span)).ok(),
                _ => return None,
            };
        }
    }

    fn interface_method(&mut self, class: ClassId, name: Ident, signature: racewalk_go_syntax::SignatureId) {
        let at = self.span(name.span);
        let method = Function {
            parent: Some(self.current()),
            class: Some(class),
            span: at,
            name_span: at,
            stub: Stub::Empty,
            ..blank(Name::new(self.text(name)), FunctionKind::Function)
        };
        let body = self.current();
        let id = self.open(method, None);
        let receiver = Param { name: Name::new("receiver "), kind: ParamKind::Normal, annotation: None, default: None };
        self.function().params.push(receiver);
        let results = self.file()[signature].results;
        let returns = self.quietly(|lowerer| lowerer.results_type(results));
        self.function().returns = returns;
        self.close(id);
        self.event(Event::Define(id));
        let name = Name::new(self.text(name));
        self.bind_in(body, name, BindingKind::Function(id), at);
    }

    fn method_declaration(&mut self, class: ClassId, decl: DeclId, method: FuncDecl) {
        let body = self.current();
        let at = self.span(method.name.span);
        let name = Name::new(self.text(method.name));
        let id = self.lower_function(Parts {
            name,
            span: self.span(self.file()[decl].span),
            name_span: at,
            kind: FunctionKind::Function,
            class: Some(class),
            receiver: method.receiver,
            signature: method.signature,
            body: method.body,
        });
        self.bind_in(body, name, BindingKind::Function(id), at);
    }

    fn function_declaration(&mut self, decl: DeclId, function: FuncDecl) {
        let at = self.span(function.name.span);
        let text = self.text(function.name);
        let id = self.lower_function(Parts {
            name: Name::new(text),
            span: self.span(self.file()[decl].span),
            name_span: at,
            kind: FunctionKind::Function,
            class: None,
            receiver: function.receiver,
            signature: function.signature,
            body: function.body,
        });
        if !matches!(text, "_" | "init" | "") {
            self.bind(text, BindingKind::Function(id), at);
        }
    }
}

/// The names that a package is likely to have, by its path: what follows the last slash, versions and the usual decorations
/// aside.
fn package_names(path: &str) -> Vec<&str> {
    let mut segments = path.rsplit('/');
    let mut last = segments.next().unwrap_or(path);
    let is_version = |text: &str| {
        text.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if is_version(last) {
        last = segments.next().unwrap_or(last);
    }
    if let Some((name, version)) = last.rsplit_once('.')
        && is_version(version)
    {
        last = name;
    }
    let bare = last.strip_prefix("go-").unwrap_or(last);
    let bare = bare.strip_suffix("-go").or(bare.strip_suffix(".go")).unwrap_or(bare);
    let end = bare.rsplit(['-', '.']).next().unwrap_or(bare);
    let mut names = vec![last, bare, end];
    names.dedup();
    names.retain(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    names
}

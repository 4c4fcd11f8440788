//! Functions, methods and function literals.

use crate::lowerer::{Frame, Lowerer};
use racewalk_go_syntax::{BlockId, ExprKind, FieldList, SignatureId};
use racewalk_ir::{
    BindingKind, ClassId, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Name, Param, ParamKind, Role, Span,
    Stub, blank,
};

/// A function of any kind, as its syntax gives it.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub name: Name,
    pub span: Span,
    pub name_span: Span,
    pub kind: FunctionKind,
    pub class: Option<ClassId>,
    pub receiver: Option<FieldList>,
    pub signature: SignatureId,
    /// None when it is written elsewhere.
    pub body: Option<BlockId>,
}

impl Lowerer<'_, '_> {
    /// Lowers a function and says that it has come to be. The receiver of a method is its first parameter.
    pub fn lower_function(&mut self, parts: Parts) -> FunctionId {
        let file = self.file();
        let function = Function {
            parent: Some(self.current()),
            class: parts.class,
            stub: if parts.body.is_some() { Stub::No } else { Stub::Empty },
            span: parts.span,
            name_span: parts.name_span,
            ..blank(parts.name, parts.kind)
        };
        let quiet = std::mem::take(&mut self.quiet);
        let id = self.open(function, None);
        self.scopes.enter(id);
        self.frames.push(Frame::default());
        let signature = file[parts.signature];
        for field in &file[signature.type_params.fields] {
            for name in &file[field.names] {
                let at = self.span(name.span);
                self.declare(self.text(*name), BindingKind::TypeParameter(None), at);
            }
        }
        if let Some(receiver) = parts.receiver {
            self.receiver_type_params(receiver);
            self.params(receiver);
        }
        self.params(signature.params);
        let returns = self.quietly(|lowerer| lowerer.results_type(signature.results));
        self.function().returns = returns;
        self.results(signature.results);
        if let Some(body) = parts.body {
            if self.module.signatures_only {
                self.function().stub = Stub::Empty;
            } else {
                self.statements(file[body].stmts);
            }
        }
        self.frames.pop();
        self.scopes.leave();
        self.close(id);
        self.quiet = quiet;
        self.event(Event::Define(id));
        id
    }

    /// `func (s *Set[K]) …`: the names in brackets are parameters of the type.
    fn receiver_type_params(&mut self, receiver: FieldList) {
        let file = self.file();
        let Some(mut ty) = file[receiver.fields].first().map(|field| field.ty) else { return };
        while let ExprKind::Star(inner) | ExprKind::Paren(inner) = file[ty].kind {
            ty = inner;
        }
        let ExprKind::Index { indices, .. } = file[ty].kind else { return };
        for index in &file[indices] {
            if matches!(file[*index].kind, ExprKind::Ident) {
                let at = self.span(file[*index].span);
                let name = str::from_utf8(file.text_of(file[*index].span)).unwrap_or_default();
                self.declare(name, BindingKind::TypeParameter(None), at);
            }
        }
    }

    fn params(&mut self, list: FieldList) {
        let file = self.file();
        for field in &file[list.fields] {
            // A rest parameter is declared by the type of what is in it.
            let (kind, ty) = match file[field.ty].kind {
                ExprKind::Variadic(element) => (ParamKind::Rest, element),
                _ => (ParamKind::Positional, field.ty),
            };
            let annotation = self.annotation(ty);
            let names: Vec<_> = file[field.names].to_vec();
            if names.is_empty() {
                let name = self.hidden_name("parameter");
                self.function().params.push(Param { name, kind, annotation: Some(annotation), default: None });
            }
            for name in names {
                let position = self.function().params.len() as u32;
                let text = self.text(name);
                let at = self.span(name.span);
                let symbol = self.declare(text, BindingKind::Param(position), at);
                self.function().params.push(Param { name: symbol, kind, annotation: Some(annotation), default: None });
            }
        }
    }

    /// Results with names are variables, which a `return` with values sets.
    fn results(&mut self, list: FieldList) {
        let file = self.file();
        for field in &file[list.fields] {
            let names: Vec<_> = file[field.names].to_vec();
            if names.is_empty() {
                continue;
            }
            let annotation = self.annotation(field.ty);
            for name in names {
                let text = self.text(name);
                let at = self.span(name.span);
                self.declare(text, BindingKind::Typed(annotation, None), at);
                self.frame().results.push(text);
            }
        }
    }

    /// A function literal.
    pub fn literal_function(&mut self, signature: SignatureId, body: BlockId, at: Span, role: Role) -> ExprId {
        let frame = self.frame();
        frame.literals += 1;
        let name = Name::new(&format!("func{}", frame.literals));
        let id = self.lower_function(Parts {
            name,
            span: at,
            name_span: Span::new(at.start, at.start),
            kind: FunctionKind::Lambda,
            class: None,
            receiver: None,
            signature,
            body: Some(body),
        });
        self.push(Expr::Lambda(id), at, role)
    }
}

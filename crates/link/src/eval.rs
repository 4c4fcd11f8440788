//! Evaluating expressions to types.
//!
//! An evaluator looks at one file only: what it needs of other files it takes from the slots. It remembers what each
//! binding of its file evaluates to, so shared parts of long assignments are looked at once; and what cannot change any
//! more is handed from pass to pass.

use crate::imports::{Imported, exported};
use crate::known::Known;
use crate::slots::Slot;
use crate::types::{ClassRef, FileId, FunctionRef, Type, Types, Why};
use crate::{Linked, intrinsics};
use racewalk_ir::{
    BindingId, BindingKind, Bound, CallId, CompKind, Defs, Expr, ExprId, FunctionId, FunctionKind, ListId, Literal,
    Module, Name, ParamKind, SymbolId,
};
use std::cell::{Cell, RefCell};

/// Nesting of evaluations beyond this is not followed.
const DEEPEST: u32 = 48;

/// For how long an answer holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// In every pass.
    ForGood,
    /// In this pass: an unsettled slot was met, or a parameter that calls may settle.
    ForNow,
    /// Evaluation was cut short: asked from elsewhere, there may be more.
    AtThisDepth,
}

/// Evaluates the expressions of one file.
pub struct Evaluator<'p> {
    pub(crate) linked: &'p Linked,
    pub(crate) file: FileId,
    pub(crate) module: &'p Module,
    /// What bindings evaluate to, as far as this evaluator has found out.
    known: RefCell<Known>,
    in_progress: RefCell<Vec<BindingId>>,
    depth: Cell<u32>,
    /// An unsettled slot was met.
    pub(crate) met_open: Cell<bool>,
    /// Something was met that a later pass may see otherwise.
    pub(crate) met_passing: Cell<bool>,
    /// Bindings evaluated for the outermost one so far.
    steps: Cell<u32>,
    /// Evaluation was cut short by its depth or a circle, so its outcome must not be remembered.
    cut: Cell<bool>,
}

impl<'p> Evaluator<'p> {
    pub(crate) fn new(linked: &'p Linked, file: FileId) -> Self {
        Self {
            linked,
            file,
            module: &linked.modules[file.index()],
            known: RefCell::default(),
            in_progress: RefCell::default(),
            depth: Cell::new(0),
            steps: Cell::new(0),
            met_open: Cell::new(false),
            met_passing: Cell::new(false),
            cut: Cell::new(false),
        }
    }

    /// Runs a pass over a file: `work` finds what earlier passes got to know, and leaves what it finds out itself.
    pub(crate) fn pass<T>(linked: &'p Linked, file: FileId, known: &mut Known, work: impl FnOnce(&Self) -> T) -> T {
        let evaluator = Self { known: RefCell::new(std::mem::take(known)), ..Self::new(linked, file) };
        let done = work(&evaluator);
        *known = evaluator.known.into_inner();
        known.end_pass();
        done
    }

    /// Runs `evaluate` and tells whether it met an unsettled slot.
    pub(crate) fn settle(&self, evaluate: impl FnOnce() -> Type) -> Slot {
        self.met_open.set(false);
        let value = evaluate();
        Slot { value, settled: !self.met_open.get() }
    }

    pub(crate) fn read(&self, slot: Slot) -> Type {
        if !slot.settled {
            self.met_open.set(true);
        }
        if !slot.settled || slot.may_reopen() {
            self.met_passing.set(true);
        }
        slot.value
    }

    pub(crate) fn deeper(&self, evaluate: impl FnOnce() -> Type) -> Type {
        let depth = self.depth.get();
        if depth >= DEEPEST {
            self.cut.set(true);
            return Type::Unknown(Why::Depth);
        }
        self.depth.set(depth + 1);
        let value = evaluate();
        self.depth.set(depth);
        value
    }

    /// The type of an expression's value; `function` is the body that evaluates it.
    pub fn eval(&self, function: FunctionId, expr: ExprId) -> Type {
        self.deeper(|| self.eval_here(function, expr))
    }

    fn eval_here(&self, function: FunctionId, expr: ExprId) -> Type {
        if !self.module.casts.is_empty()
            && let Some(declared) = self.module.cast(expr)
            && let known = self.annotation(function, declared)
            && !known.is_unknown()
        {
            return known;
        }
        match self.module.expr(expr) {
            Expr::Name(name, defs) => self.name(function, name, defs),
            Expr::Attr(base, name) => {
                let base = self.eval(function, base);
                self.member(base, name)
            }
            Expr::Call(callee, call) => {
                let callee = self.callee(function, callee, call);
                self.call(function, callee, expr)
            }
            Expr::Await(value) => {
                let value = self.eval(function, value);
                self.awaited(value)
            }
            Expr::Subscript(base, key) => self.subscript(function, expr, base, key),
            Expr::Choice(list) => self.union_of(function, list),
            Expr::Logical(list, _) => self.union_of(function, list),
            Expr::Not(_) | Expr::Equality(_) | Expr::Compare(_) | Expr::Identity(_) | Expr::Format(_) => Type::Plain,
            Expr::Operation(list) => intrinsics::operation(self, function, list),
            Expr::Tuple(list) => {
                let elements: Vec<Type> = self.module.list(list).iter().map(|e| self.eval(function, *e)).collect();
                Type::Tuple(Type::list(&elements))
            }
            Expr::List(list) | Expr::Set(list) => Type::Collection(self.elements(function, list).interned()),
            Expr::Map(list) => match self.module.object_class(expr) {
                Some(id) => Type::Instance(ClassRef { file: self.file, id }, Types::EMPTY),
                None => self.mapping(function, list),
            },
            Expr::Comp(kind, element) => {
                let element = self.eval(function, element).interned();
                match kind {
                    CompKind::List | CompKind::Set => Type::Collection(element),
                    CompKind::Map => Type::Mapping(element),
                    CompKind::Lazy => Type::Generator(element),
                    CompKind::LazyAsync => Type::AsyncGenerator(element),
                }
            }
            Expr::Lambda(id) => Type::Function(FunctionRef { file: self.file, id }),
            Expr::Literal(Literal::None) => Type::None,
            Expr::Literal(_) => Type::Plain,
            Expr::Bind(value) | Expr::Spread(value) | Expr::Address(value) | Expr::Deref(value) => {
                self.eval(function, value)
            }
            Expr::Received(channel) => self.received(self.eval(function, channel)),
            Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Opaque => Type::DYNAMIC,
        }
    }

    fn union_of(&self, function: FunctionId, list: ListId) -> Type {
        Type::union(self.module.list(list).iter().map(|member| self.eval(function, *member)))
    }

    /// What the elements of a display have in common; a spread gives its own elements.
    fn elements(&self, function: FunctionId, list: ListId) -> Type {
        // A long table is like its beginning.
        const LOOKED_AT: usize = 24;
        let members = self.module.list(list).iter().take(LOOKED_AT);
        if members.len() == 0 {
            return Type::DYNAMIC;
        }
        Type::union(members.map(|member| match self.module.expr(*member) {
            Expr::Spread(source) => self.element(self.eval(function, source)),
            _ => self.eval(function, *member),
        }))
    }

    fn mapping(&self, function: FunctionId, list: ListId) -> Type {
        const LOOKED_AT: usize = 48;
        let entries = self.module.list(list);
        if entries.is_empty() {
            return Type::Mapping(Type::DYNAMIC.interned());
        }
        let values = entries.chunks_exact(2).take(LOOKED_AT).map(|entry| match entry {
            [key, value] if key == value => self.value_of_mapping(self.eval(function, *value)),
            entry => self.eval(function, entry[1]),
        });
        Type::Mapping(Type::union(values).interned())
    }

    fn value_of_mapping(&self, mapping: Type) -> Type {
        match mapping {
            Type::Mapping(value) => value.get(),
            _ => Type::DYNAMIC,
        }
    }

    fn subscript(&self, function: FunctionId, expr: ExprId, base: ExprId, key: ExprId) -> Type {
        let container = self.eval(function, base);
        if let Some(form) = self.type_form(function, expr, container) {
            return form;
        }
        self.item(container, self.module.expr(key))
    }

    /// The element of a container under a key.
    fn item(&self, container: Type, key: Expr) -> Type {
        match container {
            Type::Union(members) => Type::union(members.as_slice().iter().map(|member| self.item(*member, key))),
            Type::Tuple(elements) => match key {
                Expr::Literal(Literal::Int(at)) => {
                    elements.as_slice().get(at as usize).copied().unwrap_or(Type::DYNAMIC)
                }
                _ => Type::DYNAMIC,
            },
            Type::Collection(element) => match key {
                // A slice is a collection again.
                Expr::Operation(_) => container,
                _ => element.get(),
            },
            Type::Mapping(value) => value.get(),
            Type::Instance(..) | Type::ExternalInstance(..) => {
                let getter = self.member(container, Name::new("__getitem__"));
                self.result(getter, None)
            }
            Type::Plain => Type::Plain,
            // With type arguments it is the same function.
            Type::Function(_) | Type::Method(..) => container,
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    /// What comes out of a channel.
    fn received(&self, channel: Type) -> Type {
        match channel {
            Type::ExternalInstance(_, arguments) => arguments.as_slice().first().copied().unwrap_or(Type::DYNAMIC),
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::DYNAMIC,
        }
    }

    fn name(&self, function: FunctionId, name: Name, defs: Defs) -> Type {
        match defs {
            Defs::Outer => self.lookup(function, name),
            Defs::Nothing => Type::Unknown(Why::Unbound),
            Defs::One(_) | Defs::Several(..) if self.is_bound_inside(defs) => {
                let bound = self.module.bindings[self.module.defs(&defs)[0].index()];
                self.captured(bound.owner, bound.symbol)
            }
            Defs::One(binding) => self.binding(binding),
            Defs::Several(..) => Type::union(self.module.defs(&defs).iter().map(|binding| self.binding(*binding))),
        }
    }

    fn is_bound_inside(&self, defs: Defs) -> bool {
        let Some(first) = self.module.defs(&defs).first() else { return false };
        let bound = self.module.bindings[first.index()];
        self.module.function(bound.owner).symbols[bound.symbol.index()].bound_inside && bound.owner != FunctionId(0)
    }

    /// The value of a name as seen from a body, flow aside: its own symbols, then the enclosing bodies'.
    pub(crate) fn lookup(&self, function: FunctionId, name: Name) -> Type {
        match self.scope_of(function, name) {
            Some((FunctionId(0), symbol)) => self.module_symbol(symbol),
            Some((owner, symbol)) => self.captured(owner, symbol),
            None => self.global(name),
        }
    }

    /// The body whose symbol a name is, seen from `function`. Class bodies are seen from themselves only.
    pub fn scope_of(&self, function: FunctionId, name: Name) -> Option<(FunctionId, SymbolId)> {
        let mut current = Some(function);
        while let Some(id) = current {
            let body = self.module.function(id);
            let visible = id == function || body.kind != FunctionKind::ClassBody;
            if let Some(symbol) = body.symbol(name).filter(|_| visible) {
                let declared = &body.symbols[symbol.index()];
                if declared.is_global {
                    let module = self.module.function(FunctionId(0));
                    return module.symbol(name).map(|symbol| (FunctionId(0), symbol));
                }
                if !declared.is_nonlocal {
                    return Some((id, symbol));
                }
            }
            current = body.parent;
        }
        None
    }

    fn global(&self, name: Name) -> Type {
        let builtin = || {
            let of_class = self.type_parameter_of_class(name);
            of_class.unwrap_or_else(|| intrinsics::builtin(self.module.language, name))
        };
        if self.linked.names.imports_by_path(self.file) {
            return builtin();
        }
        match self.linked.names.member_of(&self.linked.modules, self.file, name, 8) {
            Imported::Missing => builtin(),
            found => self.imported(found),
        }
    }

    /// Type parameters of a class are visible in its methods' annotations, though its body's symbols are not.
    fn type_parameter_of_class(&self, name: Name) -> Option<Type> {
        let (class, bound) = self.module.classes.iter().find_map(|class| {
            class.type_params.iter().find(|(param, _)| *param == name).map(|(_, bound)| (class, *bound))
        })?;
        let bound = bound.map_or(Type::DYNAMIC, |bound| self.annotation(class.body, bound));
        Some(Type::Parameter(name, bound.interned()))
    }

    /// The value of what an import names.
    pub(crate) fn imported(&self, target: Imported) -> Type {
        match target {
            Imported::Module(file) => self.module_value(file),
            Imported::Symbol(file, symbol) if file == self.file => self.module_symbol(symbol),
            Imported::Symbol(file, symbol) => match self.defined(file, symbol) {
                Some(definition) => definition,
                None => self.read(self.linked.slots[file.index()].symbols[symbol.index()]),
            },
            Imported::External(path) => self.external(path),
            Imported::Missing => Type::Unknown(Why::Unbound),
        }
    }

    /// What a module is to those who import it: itself, or the one value that it exports.
    fn module_value(&self, file: FileId) -> Type {
        let module = &self.linked.modules[file.index()];
        let symbol = module.exported_value.and_then(|name| module.function(FunctionId(0)).symbol(name));
        match symbol {
            Some(symbol) => self.imported(Imported::Symbol(file, symbol)),
            None => Type::Module(file),
        }
    }

    /// What a module of the program gives under a name that it does not export: a member of its only value, or that itself where
    /// what has no name is asked for.
    fn member_of_value(&self, file: FileId, name: Name) -> Type {
        match self.module_value(file) {
            Type::Module(_) if name.as_str() != "default" => Type::Unknown(Why::Unbound),
            value if name.as_str() == "default" => value,
            value => self.member(value, name),
        }
    }

    /// What `name` of the module that this file calls `module` stands for.
    fn imported_member(&self, module: Name, name: Name) -> Type {
        let found = self.linked.names.member(&self.linked.modules, self.file, module, name);
        match (found, self.linked.names.imported_file(module, self.file)) {
            (Imported::Missing, Some(file)) => self.member_of_value(file, name),
            (found, _) => self.imported(found),
        }
    }

    /// A symbol that is bound once, by the definition of a class or of an undecorated function, needs no inference.
    pub(crate) fn defined(&self, file: FileId, symbol: SymbolId) -> Option<Type> {
        let module = &self.linked.modules[file.index()];
        let [binding] = module.function(FunctionId(0)).symbols[symbol.index()].bindings.as_slice() else { return None };
        match module.bindings[binding.index()].kind {
            BindingKind::Class(id) => Some(Type::Class(ClassRef { file, id })),
            BindingKind::Function(id) if module.function(id).decorators.is_empty() => {
                Some(Type::Function(FunctionRef { file, id }))
            }
            _ => None,
        }
    }

    /// Something outside the program: a value of known type, or a module, class or function.
    pub(crate) fn external(&self, path: Name) -> Type {
        let path = self.linked.models.canonical(path);
        match self.linked.models.value(path) {
            Some(spec) => self.type_of_spec(spec, Type::DYNAMIC, None),
            None => Type::External(path),
        }
    }

    /// A module-level symbol of this file, as its users see it.
    pub(crate) fn module_symbol(&self, symbol: SymbolId) -> Type {
        Type::union(exported(self.module, symbol).map(|binding| self.binding(binding)))
    }

    /// A symbol of an enclosing function: any of its bindings may have happened.
    fn captured(&self, owner: FunctionId, symbol: SymbolId) -> Type {
        let symbol = &self.module.function(owner).symbols[symbol.index()];
        let alive = |binding: &&BindingId| !matches!(self.module.bindings[binding.index()].kind, BindingKind::Deleted);
        Type::union(symbol.bindings.iter().filter(alive).map(|binding| self.binding(*binding)))
    }

    /// What a binding of this file gives its symbol.
    pub fn binding(&self, id: BindingId) -> Type {
        if let Some(value) = self.lasting(id) {
            return value;
        }
        if let Some(slot) = self.known.borrow().passing(id) {
            self.met_passing.set(true);
            return self.read(slot);
        }
        if self.in_progress.borrow().contains(&id) {
            self.cut.set(true);
            return Type::Unknown(Why::Depth);
        }
        if !self.takes_on_another() {
            self.cut.set(true);
            return Type::Unknown(Why::Depth);
        }
        self.in_progress.borrow_mut().push(id);
        let open_before = self.met_open.get();
        let (slot, holds) = self.holding(|| self.settle(|| self.deeper(|| self.binding_here(id))));
        self.met_open.set(open_before || !slot.settled);
        self.in_progress.borrow_mut().pop();
        match holds {
            Holds::ForGood => self.known.borrow_mut().keep(id, slot.value, self.module),
            // What was cut short inside a circle is final only for the outermost of its members.
            Holds::AtThisDepth if !self.in_progress.borrow().is_empty() => {}
            _ => self.known.borrow_mut().keep_for_now(id, slot),
        }
        slot.value
    }

    /// Bindings that depend on each other in circles have very many ways through them: past so many steps from the outermost
    /// one, more tell nothing new.
    fn takes_on_another(&self) -> bool {
        const MOST_STEPS: u32 = 2_000;
        let steps = if self.in_progress.borrow().is_empty() { 0 } else { self.steps.get() + 1 };
        self.steps.set(steps);
        steps <= MOST_STEPS
    }

    fn lasting(&self, id: BindingId) -> Option<Type> {
        let shared = self.linked.known.get(self.file.index()).and_then(|known| known.lasting(id));
        shared.or_else(|| self.known.borrow().lasting(id))
    }

    /// What is called in a call expression.
    pub(crate) fn callee(&self, function: FunctionId, callee: ExprId, call: CallId) -> Type {
        let shared = self.linked.known.get(self.file.index()).and_then(|known| known.callee(call));
        if let Some(known) = shared.or_else(|| self.known.borrow().callee(call)) {
            return known;
        }
        let (value, holds) = self.holding(|| self.eval(function, callee));
        if holds == Holds::ForGood {
            self.known.borrow_mut().keep_callee(call, value, self.module);
        }
        value
    }

    /// Runs `evaluate` and tells for how long its answer holds.
    fn holding<T>(&self, evaluate: impl FnOnce() -> T) -> (T, Holds) {
        let cut_before = self.cut.replace(false);
        let passing_before = self.met_passing.replace(false);
        let value = evaluate();
        let holds = match (self.cut.get(), self.met_passing.get()) {
            (true, _) => Holds::AtThisDepth,
            (_, true) => Holds::ForNow,
            _ => Holds::ForGood,
        };
        self.met_passing.set(passing_before || self.met_passing.get());
        self.cut.set(cut_before || self.cut.get());
        (value, holds)
    }

    fn binding_here(&self, id: BindingId) -> Type {
        let binding = self.module.bindings[id.index()];
        let within = binding.within;
        match binding.kind {
            BindingKind::Import(path) => self.imported(self.linked.names.module(path, self.file)),
            BindingKind::ImportMember(module, name) => self.imported_member(module, name),
            BindingKind::Function(id) => self.function_value(id),
            BindingKind::Class(id) => Type::Class(ClassRef { file: self.file, id }),
            BindingKind::Param(position) => self.param(within, position as usize),
            BindingKind::TypeParameter(bound) => {
                let name = self.module.function(binding.owner).symbols[binding.symbol.index()].name;
                let bound = bound.map_or(Type::DYNAMIC, |bound| self.annotation(within, bound));
                Type::Parameter(name, bound.interned())
            }
            kind => self.bound_value(within, kind),
        }
    }

    /// What an assignment of this kind gives its target.
    pub(crate) fn bound_value(&self, within: FunctionId, kind: BindingKind) -> Type {
        match kind {
            BindingKind::Value(value) => self.eval(within, value),
            BindingKind::Typed(annotation, value) => {
                if let Some(value) = value
                    && self.is_alias_declaration(within, annotation)
                {
                    return Type::Form(self.annotation(within, value).interned());
                }
                let declared = self.annotation(within, annotation);
                match value {
                    Some(value) if declared.is_unknown() => self.eval(within, value),
                    _ => declared,
                }
            }
            BindingKind::Element(source) => self.element(self.eval(within, source)),
            BindingKind::ElementPart(source, at) => self.part(self.element(self.eval(within, source)), at),
            BindingKind::ElementAsync(source) => self.element_async(self.eval(within, source)),
            BindingKind::Part(value, at) => self.part(self.eval(within, value), at),
            BindingKind::Context(value) => self.entered(self.eval(within, value), false),
            BindingKind::ContextAsync(value) => self.entered(self.eval(within, value), true),
            BindingKind::Caught(Some(class)) => self.annotation(within, class),
            BindingKind::TypeAlias(value) => Type::Form(self.annotation(within, value).interned()),
            _ => Type::DYNAMIC,
        }
    }

    /// `Name: TypeAlias = …`
    fn is_alias_declaration(&self, within: FunctionId, annotation: ExprId) -> bool {
        let (Expr::Name(name, _) | Expr::Attr(_, name)) = self.module.expr(annotation) else { return false };
        name.as_str() == "TypeAlias"
            && matches!(self.eval(within, annotation), Type::External(path) if path.last_segment() == "TypeAlias")
    }

    /// What a function's name stands for after its decorators.
    pub(crate) fn function_value(&self, id: FunctionId) -> Type {
        let function = self.module.function(id);
        if function.decorators.is_empty() {
            return Type::Function(FunctionRef { file: self.file, id });
        }
        self.read(self.linked.slots[self.file.index()].functions[id.index()].value)
    }

    fn part(&self, value: Type, at: u32) -> Type {
        match value {
            Type::Union(members) => Type::union(members.as_slice().iter().map(|member| self.part(*member, at))),
            Type::Tuple(elements) => elements.as_slice().get(at as usize).copied().unwrap_or(Type::DYNAMIC),
            other => self.element(other),
        }
    }

    /// The type of a function's parameter.
    pub(crate) fn param(&self, function: FunctionId, position: usize) -> Type {
        let body = self.module.function(function);
        let param = body.params[position];
        let outside = body.parent.unwrap_or(FunctionId(0));
        if position == 0
            && let Some(receiver) = self.receiver(function)
        {
            return receiver;
        }
        let declared = match param.annotation {
            Some(annotation) => self.annotation(self.annotation_scope(function), annotation),
            None => Type::Unknown(Why::Parameter),
        };
        let value = match param.default {
            Some(default) if declared.is_unknown() => {
                let given = self.eval(outside, default);
                let injected = !matches!(given, Type::None | Type::Plain | Type::Unknown(_));
                if injected { given } else { self.given_by_callers(function, position, declared) }
            }
            _ if declared.is_unknown() => self.given_by_callers(function, position, declared),
            _ => declared,
        };
        match param.kind {
            ParamKind::Rest => Type::Collection(value.interned()),
            ParamKind::RestNamed => Type::Mapping(value.interned()),
            _ => value,
        }
    }

    fn given_by_callers(&self, function: FunctionId, position: usize, otherwise: Type) -> Type {
        if !self.linked.params_are_settled {
            self.met_passing.set(true);
        }
        let params = &self.linked.slots[self.file.index()].functions[function.index()].params;
        params.get(position).copied().unwrap_or(otherwise)
    }

    /// Annotations see the type parameters of the function itself, and else what is around it.
    pub fn annotation_scope(&self, function: FunctionId) -> FunctionId {
        let body = self.module.function(function);
        let is_generic =
            body.symbols.first().and_then(|symbol| symbol.bindings.first()).is_some_and(|binding| {
                matches!(self.module.bindings[binding.index()].kind, BindingKind::TypeParameter(_))
            });
        if is_generic { function } else { body.parent.unwrap_or(FunctionId(0)) }
    }

    /// What the first parameter of a method stands for: an instance, or the class.
    pub(crate) fn receiver(&self, function: FunctionId) -> Option<Type> {
        let body = self.module.function(function);
        let class = body.class.filter(|_| body.kind == FunctionKind::Function)?;
        let class_ref = ClassRef { file: self.file, id: class };
        match self.method_kind(FunctionRef { file: self.file, id: function }) {
            MethodKind::Static => None,
            MethodKind::Class => Some(Type::Class(class_ref)),
            MethodKind::Instance | MethodKind::Property => Some(self.self_type(class_ref)),
        }
    }

    /// An instance of the class, as its own methods see it.
    pub(crate) fn self_type(&self, class: ClassRef) -> Type {
        let slots = &self.linked.slots[class.file.index()].classes[class.id.index()];
        let params: Vec<Type> = match slots.lineage.first() {
            Some((_, params)) => params.as_slice().to_vec(),
            None => Vec::new(),
        };
        Type::Instance(class, Type::list(&params))
    }

    /// The method gets the class, or nothing, in place of an instance.
    pub fn is_of_class(&self, method: FunctionRef) -> bool {
        matches!(self.method_kind(method), MethodKind::Class | MethodKind::Static)
    }

    /// How a method is bound.
    pub(crate) fn method_kind(&self, function: FunctionRef) -> MethodKind {
        let module = &self.linked.modules[function.file.index()];
        let body = module.function(function.id);
        match body.bound {
            Bound::Usual => {}
            Bound::ToClass => return MethodKind::Class,
            Bound::OnRead => return MethodKind::Property,
        }
        for decorator in &body.decorators {
            if let Some(kind) = intrinsics::method_kind(module, *decorator) {
                return kind;
            }
        }
        match body.name.as_str() {
            "__new__" | "__init_subclass__" | "__class_getitem__" => MethodKind::Class,
            _ => MethodKind::Instance,
        }
    }
}

/// How a method is bound to what it is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodKind {
    /// To the instance.
    Instance,
    /// To the class.
    Class,
    /// To nothing.
    Static,
    /// Reading the member calls it.
    Property,
}

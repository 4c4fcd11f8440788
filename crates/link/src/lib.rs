//! The whole program: symbols, class hierarchies, light inference, call graph, summaries.

mod annotation;
mod call;
mod callers;
mod classes;
pub mod decorators;
mod entries;
mod eval;
mod graph;
mod guards;
mod imports;
mod intrinsics;
mod known;
mod member;
mod overload;
mod params;
mod receiver;
mod route;
mod slots;
mod summary;
mod types;
mod variables;

pub use callers::{Caller, Callers};
pub use entries::EntryPoint;
pub use eval::Evaluator;
pub use graph::{Edge, FileCalls, How, Site};
pub use guards::{KnownGuards, Way};
pub use imports::{FileNames, Reach};
pub use route::{Leg, Route};
pub use summary::{Sink, SinkKind, Step, Summaries, Trouble, is_certain, sleeps_at_most};
pub use types::{Answer, ClassRef, FileId, FunctionRef, Type, TypeRef, Types, Why};
pub use variables::Variable;

use imports::ModuleNames;
use known::Known;
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, Function, FunctionId, Module, Name, SymbolId};
use racewalk_models::Models;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use slots::{FileSlots, ROUNDS, Slot, SlotId};

/// Modules with what is known across them.
#[derive(Debug)]
pub(crate) struct Linked {
    pub modules: Vec<Module>,
    pub models: Models,
    pub names: ModuleNames,
    pub slots: Vec<FileSlots>,
    /// For each file: what its bindings evaluate to, as far as earlier passes found out. Away during a pass.
    pub known: Vec<Known>,
    /// The types of undeclared parameters have been collected from the calls.
    pub params_are_settled: bool,
}

impl Linked {
    /// Runs a pass over all files in parallel. What it finds out about bindings is there for the next one.
    pub fn pass<T: Send>(&mut self, work: impl Fn(&Evaluator<'_>) -> T + Sync) -> Vec<T> {
        self.pass_over(|_| true, work)
    }

    /// Runs a pass over these files.
    pub fn pass_over<T: Send>(
        &mut self,
        wanted: impl Fn(FileId) -> bool + Sync,
        work: impl Fn(&Evaluator<'_>) -> T + Sync,
    ) -> Vec<T> {
        let mut known = std::mem::take(&mut self.known);
        let linked = &*self;
        let files = known.iter_mut().enumerate().map(|(file, known)| (FileId(file as u32), known));
        let files: Vec<_> = files.filter(|(file, _)| wanted(*file)).collect();
        let done = files.into_par_iter().map(|(file, known)| Evaluator::pass(linked, file, known, &work)).collect();
        self.known = known;
        done
    }
}

/// A linked program.
pub struct Program {
    pub(crate) linked: Linked,
    /// Which modules are reported on; the others are context.
    pub reported: Vec<bool>,
    /// For each class: the classes that inherit from it.
    pub descendants: FxHashMap<ClassRef, Vec<ClassRef>>,
    /// Functions that frameworks call.
    pub entries: FxHashMap<FunctionRef, EntryPoint>,
    /// Who blocks, who starts a loop, who gets there.
    pub summaries: Summaries,
    pub(crate) calls: Vec<FileCalls>,
    /// What linking was told.
    pub settings: Settings,
}

/// Facts about the project that linking needs and that are in no module.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The language version that the project runs on, as (major, minor).
    pub language_version: Option<(u8, u8)>,
    /// For each module: further names under which it may be imported.
    pub names: Vec<FileNames>,
    /// For each module of a language that imports by path: the files that its imports mean, by the imported path. Such a module
    /// is imported in no other way.
    pub imports: Vec<Option<FxHashMap<Name, FileId>>>,
}

/// Links modules into a program. `reported[i]` tells whether findings in module `i` are wanted; others are context.
pub fn link(modules: Vec<Module>, reported: Vec<bool>, models: Models, settings: Settings) -> Program {
    let names = ModuleNames::new(&modules, &settings, &models);
    let open = |(file, module)| FileSlots::open(FileId(file as u32), module);
    let slots = modules.par_iter().enumerate().map(open).collect();
    let known = vec![Known::default(); modules.len()];
    let mut linked = Linked { modules, models, names, slots, known, params_are_settled: false };
    classes::settle(&mut linked);
    settle(&mut linked);
    params::settle(&mut linked);
    settle(&mut linked);
    let descendants = classes::descendants(&linked);
    let calls = graph::build(&mut linked, &descendants);
    let mut program = Program {
        linked,
        reported,
        descendants,
        entries: FxHashMap::default(),
        summaries: Summaries::default(),
        calls,
        settings,
    };
    program.entries = entries::find(&program);
    program.summaries = summary::build(&program);
    program
}

/// Rounds until nothing is open, or long enough.
fn settle(linked: &mut Linked) {
    let mut open: Vec<Vec<SlotId>> = linked.slots.par_iter().map(FileSlots::unsettled).collect();
    for _ in 0..ROUNDS {
        let is_open = |file: FileId| !open[file.index()].is_empty();
        let found = linked.pass_over(is_open, |evaluator| round(evaluator, &open[evaluator.file.index()]));
        let files = linked.slots.iter_mut().zip(&mut open).filter(|(_, open)| !open.is_empty());
        for ((slots, open), found) in files.zip(found) {
            let mut found = found.into_iter();
            open.retain(|id| {
                let slot = found.next().expect("a round evaluates every open slot");
                slots.set(*id, slot);
                !slot.settled
            });
        }
        if open.iter().all(Vec::is_empty) {
            break;
        }
    }
}

/// One round over a file: its open slots evaluated again.
fn round(evaluator: &Evaluator<'_>, open: &[SlotId]) -> Vec<Slot> {
    open.iter().map(|id| evaluate(evaluator, *id)).collect()
}

fn evaluate(evaluator: &Evaluator<'_>, slot: SlotId) -> Slot {
    let module = evaluator.module;
    match slot {
        SlotId::Symbol(at) => evaluator.settle(|| evaluator.module_symbol(SymbolId(at))),
        SlotId::Value(id) => evaluator.settle(|| decorators::decorated(evaluator, id)),
        SlotId::Returns(id) => evaluator.settle(|| returned(evaluator, id, module.function(id))),
        SlotId::Member(id, at) => {
            let class = ClassRef { file: evaluator.file, id };
            let name = evaluator.linked.slots[evaluator.file.index()].classes[id.index()].members.name(at);
            member::evaluate_member(evaluator, class, name)
        }
    }
}

/// What a function's body returns: as declared, else what its return statements give.
fn returned(evaluator: &Evaluator<'_>, id: FunctionId, function: &Function) -> Type {
    if let Some(annotation) = function.returns {
        let declared = evaluator.annotation(evaluator.annotation_scope(id), annotation);
        if hands_out_functions(evaluator, id, function, declared) {
            return Type::union(function.return_values.iter().map(|value| evaluator.eval(id, *value)));
        }
        if !declared.is_unknown() || function.stub != racewalk_ir::Stub::No {
            return declared;
        }
    }
    if function.is_generator {
        return yielded(evaluator, id, function);
    }
    if evaluator.module.signatures_only {
        return Type::Unknown(Why::Library);
    }
    if function.stub != racewalk_ir::Stub::No {
        return Type::DYNAMIC;
    }
    if function.return_values.is_empty() {
        return Type::None;
    }
    Type::union(function.return_values.iter().map(|value| given_back(evaluator, id, function, *value)))
}

/// What a return statement gives. A method that returns its receiver gives what it is called on, which may be an instance of a
/// class that inherits the method.
fn given_back(evaluator: &Evaluator<'_>, id: FunctionId, function: &Function, value: ExprId) -> Type {
    let module = evaluator.module;
    let given = evaluator.eval(id, value);
    let is_receiver = match module.expr(value) {
        Expr::Name(_, Defs::One(binding)) => module.bindings[binding.index()].kind == BindingKind::Param(0),
        _ => false,
    };
    match given {
        Type::Instance(..)
            if is_receiver
                && function.class.is_some()
                && !evaluator.is_of_class(FunctionRef { file: evaluator.file, id }) =>
        {
            Type::Parameter(Name::new("Self"), given.interned())
        }
        _ => given,
    }
}

/// A plain function that is declared to give an awaitable, and gives the async functions themselves.
fn hands_out_functions(evaluator: &Evaluator<'_>, id: FunctionId, function: &Function, declared: Type) -> bool {
    let is_function = |value: &ExprId| matches!(evaluator.eval(id, *value), Type::Function(_) | Type::Method(..));
    matches!(declared, Type::Coroutine(_))
        && !function.is_async
        && !function.return_values.is_empty()
        && function.return_values.iter().all(is_function)
}

/// What a generator hands out.
fn yielded(evaluator: &Evaluator<'_>, id: FunctionId, function: &Function) -> Type {
    let values = function.events.iter().filter_map(|event| match event {
        Event::Yield(Some(value)) => Some(evaluator.eval(id, *value)),
        _ => None,
    });
    let element = Type::union(values).interned();
    if function.is_async { Type::AsyncGenerator(element) } else { Type::Generator(element) }
}

impl Program {
    /// All modules, one a file.
    pub fn modules(&self) -> &[Module] {
        &self.linked.modules
    }

    /// The modules again, as they were handed over, for another program that has them too.
    pub fn into_modules(self) -> Vec<Module> {
        self.linked.modules
    }

    /// The module of a file.
    pub fn module(&self, file: FileId) -> &Module {
        &self.linked.modules[file.index()]
    }

    /// The file belongs to an installed package: what it declares is known, and nothing of what its functions do.
    pub fn is_installed(&self, file: FileId) -> bool {
        self.module(file).signatures_only
    }

    /// What libraries do.
    pub fn models(&self) -> &Models {
        &self.linked.models
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.linked.modules.len() as u32).map(FileId)
    }

    /// An evaluator of a file's expressions.
    pub fn evaluator(&self, file: FileId) -> Evaluator<'_> {
        Evaluator::new(&self.linked, file)
    }

    /// The function.
    pub fn function(&self, function: FunctionRef) -> &Function {
        self.module(function.file).function(function.id)
    }

    /// The class.
    pub fn class(&self, class: ClassRef) -> &racewalk_ir::Class {
        self.module(class.file).class(class.id)
    }

    /// The dotted path of a function within its module; see [`Module::qualified`].
    pub fn qualified(&self, function: FunctionRef) -> String {
        self.module(function.file).qualified(function.id)
    }

    /// The dotted path of a class within its module.
    pub fn qualified_class(&self, class: ClassRef) -> String {
        self.module(class.file).qualified(self.class(class).body)
    }

    /// The bases of a class, itself first: classes of the program and paths outside it.
    pub fn lineage(&self, class: ClassRef) -> impl Iterator<Item = Type> + '_ {
        self.linked.slots[class.file.index()].classes[class.id.index()].lineage.iter().map(|(base, _)| *base)
    }

    /// Some base of the class could not be found.
    pub fn has_unknown_base(&self, class: ClassRef) -> bool {
        self.linked.slots[class.file.index()].classes[class.id.index()].has_unknown_base
    }

    /// What a function's name stands for after its decorators.
    pub fn function_value(&self, function: FunctionRef) -> Type {
        self.linked.slots[function.file.index()].functions[function.id.index()].value.value
    }

    /// The function's own method of this name in the class or its bases.
    pub fn method(&self, class: ClassRef, name: Name) -> Option<FunctionRef> {
        self.lineage(class).find_map(|base| match base {
            Type::Class(base) => self.own_method(base, name),
            _ => None,
        })
    }

    /// The methods of subclasses that override this one.
    pub fn overriding(&self, method: FunctionRef) -> impl Iterator<Item = FunctionRef> + '_ {
        let body = self.function(method);
        let class = body.class.map(|class| ClassRef { file: method.file, id: class });
        let descendants = class.and_then(|class| self.descendants.get(&class)).into_iter().flatten();
        descendants.filter_map(|descendant| self.own_method(*descendant, body.name))
    }

    /// The method that the class's own body defines under this name.
    pub fn own_method(&self, class: ClassRef, name: Name) -> Option<FunctionRef> {
        graph::own_method(&self.linked, class, name)
    }

    /// The text of an expression for messages: a dotted path where it is one.
    pub fn path_text(&self, file: FileId, expr: ExprId) -> String {
        path_text(self.module(file), expr)
    }
}

fn path_text(module: &Module, expr: ExprId) -> String {
    use racewalk_ir::Expr;
    match module.expr(expr) {
        Expr::Name(name, _) => name.as_str().trim_end_matches('\'').to_owned(),
        Expr::Attr(base, name) => format!("{}.{name}", path_text(module, base)),
        Expr::Call(callee, _) => format!("{}()", path_text(module, callee)),
        Expr::Await(value) => format!("(await {})", path_text(module, value)),
        Expr::Subscript(base, _) => format!("{}[…]", path_text(module, base)),
        Expr::Lambda(_) if module.language.has_one_thread => "function".to_owned(),
        _ => "…".to_owned(),
    }
}

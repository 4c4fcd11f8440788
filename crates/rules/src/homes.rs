//! Where objects that belong to an event loop are kept for longer than a call, and who uses them.

use crate::finding::Place;
use racewalk_ir::{BindingId, BindingKind, ClassId, Event, Expr, ExprId, FunctionId, Name, SymbolId};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

/// A place that keeps its object beyond the call that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Home {
    /// A module's variable, or a parameter with its default.
    Variable(Variable),
    /// A field of instances of a class, or of the class itself.
    Field(ClassRef, Name),
}

/// What such a place keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// The library's class.
    pub class: Name,
    /// Where the program makes it; none when it is given from outside.
    pub made: Option<Place>,
    /// There is one for the whole process.
    pub is_static: bool,
}

/// The places of a program.
#[derive(Default)]
pub(crate) struct Homes {
    held: FxHashMap<Home, Held>,
    /// Their names: other reads need no second look.
    names: FxHashSet<Name>,
    /// Classes of which the process keeps an instance for good.
    lasting: FxHashSet<ClassRef>,
}

impl Homes {
    pub fn new(program: &Program) -> Self {
        let files: Vec<FileId> = program.files().filter(|file| !program.is_installed(*file)).collect();
        let found: Vec<Found> = files.into_par_iter().map(|file| Finder::new(program, file).run()).collect();
        let mut homes = Self::default();
        let mut kept = Vec::new();
        for (held, classes) in found {
            homes.held.extend(held);
            kept.extend(classes);
        }
        homes.names = homes.held.keys().map(|home| name_of(program, *home)).collect();
        let aliases: Vec<Name> = program.files().flat_map(|file| aliases(program, file, &homes.names)).collect();
        homes.names.extend(aliases);
        homes.lasting = with_members(program, kept);
        homes
    }

    /// What the place keeps.
    pub fn held(&self, home: Home) -> Option<&Held> {
        self.held.get(&home)
    }

    /// The place keeps one object for as long as the process lives.
    pub fn is_lasting(&self, home: Home) -> bool {
        self.held.get(&home).is_some_and(|held| held.is_static)
            || matches!(home, Home::Field(class, _) if self.lasting.contains(&class))
    }

    /// Classes of which the process keeps an instance for good.
    pub fn lasting_classes(&self) -> &FxHashSet<ClassRef> {
        &self.lasting
    }

    /// The places that a function reads, each at its first read.
    pub fn used_by(&self, program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef) -> Vec<(Home, ExprId)> {
        let mut used: Vec<(Home, ExprId)> = Vec::new();
        if self.names.is_empty() {
            return used;
        }
        let module = program.module(function.file);
        let mut look = |expr: ExprId| {
            if let Some(home) = self.home_of(program, evaluator, function, expr)
                && used.iter().all(|(known, _)| *known != home)
            {
                used.push((home, expr));
            }
        };
        for event in &program.function(function).events {
            match *event {
                Event::Read(expr) => look(expr),
                Event::ReadPlace(expr) => chain(module, expr).for_each(&mut look),
                Event::Call(call) => {
                    if let Expr::Call(callee, _) = module.expr(call) {
                        chain(module, callee).for_each(&mut look);
                    }
                }
                _ => {}
            }
        }
        used
    }

    fn home_of(
        &self,
        program: &Program,
        evaluator: &Evaluator<'_>,
        function: FunctionRef,
        expr: ExprId,
    ) -> Option<Home> {
        let home = match program.module(function.file).expr(expr) {
            Expr::Name(name, _) if self.names.contains(&name) => {
                program.variable(evaluator, function.id, name).map(Home::Variable)?
            }
            Expr::Attr(base, name) if self.names.contains(&name) => {
                let base = evaluator.eval(function.id, base);
                base.members().iter().find_map(|base| self.member(program, *base, name))?
            }
            _ => return None,
        };
        self.held.contains_key(&home).then_some(home)
    }

    fn member(&self, program: &Program, base: Type, name: Name) -> Option<Home> {
        match base {
            Type::Module(file) => program.module_variable(file, name).map(Home::Variable),
            Type::Instance(class, _) | Type::Class(class) => program.lineage(class).find_map(|base| match base {
                Type::Class(base) => Some(Home::Field(base, name)).filter(|home| self.held.contains_key(home)),
                _ => None,
            }),
            _ => None,
        }
    }
}

/// The members along an access path, outermost first.
fn chain(module: &racewalk_ir::Module, place: ExprId) -> impl Iterator<Item = ExprId> + '_ {
    std::iter::successors(Some(place), |place| match module.expr(*place) {
        Expr::Attr(base, _) | Expr::Subscript(base, _) => Some(base),
        _ => None,
    })
    .filter(|place| matches!(module.expr(*place), Expr::Attr(..)))
}

fn name_of(program: &Program, home: Home) -> Name {
    match home {
        Home::Variable(variable) => program.function(variable.owner).symbols[variable.symbol.index()].name,
        Home::Field(_, name) => name,
    }
}

/// The names under which a file imports something of one of these names.
fn aliases(program: &Program, file: FileId, names: &FxHashSet<Name>) -> Vec<Name> {
    let module = program.module(file);
    let imported = module
        .bindings
        .iter()
        .filter(|binding| matches!(binding.kind, BindingKind::ImportMember(_, name) if names.contains(&name)));
    imported.map(|binding| module.function(binding.owner).symbols[binding.symbol.index()].name).collect()
}

/// The library's class of an object that belongs to the loop that first uses it, through containers.
pub(crate) fn loop_bound(program: &Program, value: Type) -> Option<Name> {
    let is_bound = |path: Name| program.models().inherited(path, |class| class.loop_bound.then_some(())).is_some();
    value.members().iter().find_map(|member| match *member {
        Type::ExternalInstance(path, _) => Some(path).filter(|path| is_bound(*path)),
        Type::Instance(class, _) => program.lineage(class).find_map(|base| match base {
            Type::External(path) => Some(path).filter(|path| is_bound(*path)),
            _ => None,
        }),
        Type::Mapping(inner) | Type::Collection(inner) => {
            loop_bound(program, inner.get()).filter(|class| !comes_and_goes(program, *class))
        }
        _ => None,
    })
}

/// Containers of these are registers of work in progress.
fn comes_and_goes(program: &Program, class: Name) -> bool {
    use ClassKind::{AsyncEvent, AsyncQueue, Future, Session, Stream, Task};
    matches!(program.models().kind(class), Some(AsyncEvent | AsyncQueue | Future | Session | Stream | Task))
}

/// The program's classes of which a value is an instance. What a container keeps comes and goes.
pub(crate) fn instances(value: Type, found: &mut Vec<ClassRef>) {
    found.extend(value.members().iter().filter_map(|member| match *member {
        Type::Instance(class, _) => Some(class),
        _ => None,
    }));
}

/// These classes, their bases, and the classes of the objects that they keep in their members.
pub(crate) fn with_members(program: &Program, classes: Vec<ClassRef>) -> FxHashSet<ClassRef> {
    let mut known = FxHashSet::default();
    let mut open = classes;
    while let Some(class) = open.pop() {
        if !known.insert(class) {
            continue;
        }
        for (_, value) in program.members(class).filter(|(name, _)| is_kept_from_start(program, class, *name)) {
            instances(value, &mut open);
        }
        open.extend(program.lineage(class).filter_map(|base| match base {
            Type::Class(base) => Some(base),
            _ => None,
        }));
    }
    known
}

/// The member is set by the constructor or the class's body, and so lives as long as the object.
fn is_kept_from_start(program: &Program, class: ClassRef, name: Name) -> bool {
    let module = program.module(class.file);
    let declared = module.class(class.id);
    let is_constructor = |function| {
        let name = module.function(function).name.as_str();
        module.language.constructors.contains(&name) || name == "model_post_init"
    };
    module.function(declared.body).symbol(name).is_some()
        || declared.fields.iter().any(|field| field.name == name && is_constructor(field.function))
}

/// The places of one file, and the classes of which its variables keep instances.
type Found = (Vec<(Home, Held)>, Vec<ClassRef>);

/// Finds the places of one file.
struct Finder<'p> {
    program: &'p Program,
    evaluator: Evaluator<'p>,
    file: FileId,
    held: Vec<(Home, Held)>,
    kept: Vec<ClassRef>,
}

impl<'p> Finder<'p> {
    fn new(program: &'p Program, file: FileId) -> Self {
        Self { program, evaluator: program.evaluator(file), file, held: Vec::new(), kept: Vec::new() }
    }

    fn run(mut self) -> Found {
        let module = self.program.module(self.file);
        for (symbol, value) in self.program.module_variables(self.file) {
            self.variable(symbol, value);
        }
        for id in 0..module.classes.len() as u32 {
            self.class(ClassRef { file: self.file, id: ClassId(id) });
        }
        for id in 1..module.functions.len() as u32 {
            self.defaults(FunctionId(id));
        }
        (self.held, self.kept)
    }

    fn variable(&mut self, symbol: SymbolId, value: Type) {
        instances(value, &mut self.kept);
        let Some(class) = loop_bound(self.program, value) else { return };
        let owner = FunctionRef { file: self.file, id: FunctionId(0) };
        let bindings = &self.program.function(owner).symbols[symbol.index()].bindings;
        if let Some(made) = bindings.iter().find_map(|binding| self.made_by(*binding)) {
            let held = Held { class, made: Some(made), is_static: true };
            self.held.push((Home::Variable(Variable { owner, symbol }), held));
        }
    }

    fn class(&mut self, class: ClassRef) {
        let declared = self.program.class(class);
        let body = self.program.function(FunctionRef { file: self.file, id: declared.body });
        for (name, value) in self.program.members(class) {
            let Some(bound) = loop_bound(self.program, value) else { continue };
            let own = body.symbol(name).map(|symbol| &body.symbols[symbol.index()].bindings);
            let of_class = own.into_iter().flatten().find_map(|binding| self.made_by(*binding));
            let mut fields = declared.fields.iter().filter(|field| field.name == name);
            let made = of_class.or_else(|| fields.find_map(|field| self.made(field.function, field.kind)));
            let held = Held { class: bound, made, is_static: of_class.is_some() };
            self.held.push((Home::Field(class, name), held));
        }
    }

    fn defaults(&mut self, function: FunctionId) {
        let owner = FunctionRef { file: self.file, id: function };
        let body = self.program.function(owner);
        let outside = body.parent.unwrap_or(FunctionId(0));
        for param in &body.params {
            let Some(made) = param.default.and_then(|default| self.made(outside, BindingKind::Value(default))) else {
                continue;
            };
            let class =
                param.default.and_then(|default| loop_bound(self.program, self.evaluator.eval(outside, default)));
            let (Some(class), Some(symbol)) = (class, body.symbol(param.name)) else { continue };
            let held = Held { class, made: Some(made), is_static: true };
            self.held.push((Home::Variable(Variable { owner, symbol }), held));
        }
    }

    fn made_by(&self, binding: BindingId) -> Option<Place> {
        let binding = self.program.module(self.file).bindings[binding.index()];
        self.made(binding.within, binding.kind)
    }

    /// Where the assigned value is made: an expression that calls something to get it. A declaration of a field (a
    /// call of the class's own machinery, which is run for each instance) makes none.
    fn made(&self, within: FunctionId, kind: BindingKind) -> Option<Place> {
        let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = kind else { return None };
        let module = self.program.module(self.file);
        let is_made = match module.expr(value) {
            Expr::Call(callee, _) => !self.declares_field(within, value, callee),
            Expr::Logical(..) | Expr::Choice(_) | Expr::Comp(..) | Expr::Map(_) | Expr::List(_) => true,
            _ => false,
        };
        let is_bound = || loop_bound(self.program, self.evaluator.eval(within, value)).is_some();
        (is_made && is_bound()).then(|| Place { file: self.file, span: module.span(value) })
    }

    fn declares_field(&self, within: FunctionId, call: ExprId, callee: ExprId) -> bool {
        let has_factory =
            ["default_factory", "factory"].iter().any(|name| self.evaluator.named_argument(call, name).is_some());
        let is_field = |path: Name| path.last_segment().to_lowercase().ends_with("field");
        has_factory || matches!(self.evaluator.eval(within, callee), Type::External(path) if is_field(path))
    }
}

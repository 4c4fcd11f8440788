//! Reading annotations: what each stands on, and what the names in it stand for there.

use super::{Claims, Fault, FunctionClaim, LockPlace, Said, StateClaim, method_around};
use crate::finding::Place;
use crate::inventory::accesses::Access;
use crate::inventory::locks::is_lock;
use crate::inventory::names;
use crate::race::cells::{Cell, Cells, Owner, Root, bindings_of};
use crate::race::locks::permits;
use crate::race::overlap::is_of;
use racewalk_ir::{BindingKind, ClassId, Comment, Expr, Function, FunctionId, FunctionKind, Module, Name, Span};
use racewalk_link::{ClassRef, FileId, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;
use racewalk_report::{Claim, ClaimedPath, parse_claim};
use smallvec::SmallVec;

const HOW_TO_WRITE: &str = "write `racewalk: guarded-by(self._lock)` or `racewalk: owner(self._run)` on the line that introduces the state, or `racewalk: guarded-by(self._lock)` on the line of a function that is called with the lock held";

/// The word for one task, whichever function it runs.
const ONE_TASK: &str = "task";

/// Reads the annotations of one file.
pub(super) fn read(program: &Program, file: FileId, claims: &mut Claims) {
    let module = program.module(file);
    for comment in &module.comments {
        if let Some(claim) = parse_claim(&comment.text) {
            Reader { program, file, module, comment }.read(claim, claims);
        }
    }
}

/// Nobody else can have the state: it is a local that no inner function uses.
pub(super) fn is_unshared_local(program: &Program, claim: &StateClaim, accesses: &[Access]) -> bool {
    let Root::Variable(Variable { owner, .. }) = claim.root else { return false };
    program.function(owner).kind == FunctionKind::Function && accesses.iter().all(|access| access.function == owner)
}

/// The annotation stands on no state.
pub(super) fn stands_on_nothing(at: Place, within: FunctionRef) -> Fault {
    let message = "this annotation stands on no line that introduces a state others can get to: a member, a module's variable, or a local that inner functions use".to_owned();
    Fault { at, within, message, help: HOW_TO_WRITE.to_owned(), related: Vec::new() }
}

/// What an annotation stands on.
enum Subject {
    Function(FunctionRef),
    /// States, and the body that introduces them.
    States(FunctionRef, Vec<(Option<ClassRef>, Root)>),
    Nothing,
}

/// What a path stands for.
enum Meaning {
    /// A place.
    Place(Root),
    /// An object of the program's classes.
    Object(ClassRef),
    /// A module of the program.
    Module(FileId),
    /// A function of the program.
    Function(FunctionRef),
    /// Nothing at all.
    Nothing,
    /// It cannot be told.
    Unknown,
}

/// One annotation.
struct Reader<'p> {
    program: &'p Program,
    file: FileId,
    module: &'p Module,
    comment: &'p Comment,
}

impl Reader<'_> {
    fn read(&self, claim: Claim, claims: &mut Claims) {
        let subject = self.subject();
        let within = match &subject {
            Subject::Function(function) | Subject::States(function, _) => *function,
            Subject::Nothing => FunctionRef { file: self.file, id: self.around(self.comment.span) },
        };
        match (claim, subject) {
            (Claim::Malformed, _) => {
                let message = "this annotation cannot be read".to_owned();
                claims.unreadable.push(self.fault(within, message, HOW_TO_WRITE.to_owned()));
            }
            (Claim::GuardedBy(path), Subject::Function(function)) => match self.lock(function, &path) {
                Ok(Some(lock)) => {
                    let claim = FunctionClaim { at: self.at(), text: said("guarded-by", &path), function, lock };
                    claims.functions.entry(function).or_default().push(claim);
                }
                Ok(None) => {}
                Err(fault) => claims.unreadable.push(fault),
            },
            (claim @ (Claim::GuardedBy(_) | Claim::Owner(_)), Subject::States(within, states)) => {
                match self.state(within, &claim) {
                    Ok(Some((text, what))) => claims.states.extend(states.into_iter().map(|(class, root)| {
                        StateClaim { at: self.at(), text: text.clone(), within, class, root, said: what.clone() }
                    })),
                    Ok(None) => {}
                    Err(fault) => claims.unreadable.push(fault),
                }
            }
            (_, Subject::Function(_) | Subject::Nothing) => {
                claims.unreadable.push(stands_on_nothing(self.at(), within));
            }
        }
    }

    fn state(&self, within: FunctionRef, claim: &Claim) -> Result<Option<(String, Said)>, Fault> {
        match claim {
            Claim::GuardedBy(path) => {
                let lock = self.lock(within, path)?;
                Ok(lock.map(|lock| (said("guarded-by", path), Said::Guarded(lock))))
            }
            Claim::Owner(path) => {
                let owner = self.owner(within, path)?;
                Ok(owner.map(|owner| (said("owner", path), owner)))
            }
            Claim::Malformed => Ok(None),
        }
    }

    fn at(&self) -> Place {
        Place { file: self.file, span: self.comment.span }
    }

    fn fault(&self, within: FunctionRef, message: String, help: String) -> Fault {
        Fault { at: self.at(), within, message, help, related: Vec::new() }
    }

    // ---- what it stands on ---------------------------------------------------------------------------------------

    fn subject(&self) -> Subject {
        let line = self.comment.about;
        let holds = |span: Span| line.start < line.end && line.contains(span);
        let functions = self.module.functions.iter().enumerate();
        let mut named = functions.filter(|(_, body)| body.kind == FunctionKind::Function);
        let stands_on = |body: &Function| {
            holds(body.name_span) || body.decorators.iter().any(|decorator| holds(self.module.span(*decorator)))
        };
        if let Some((id, _)) = named.find(|(_, body)| stands_on(body)) {
            return Subject::Function(FunctionRef { file: self.file, id: FunctionId(id as u32) });
        }
        let mut within = None;
        let mut states = Vec::new();
        for (function, class, root) in self.fields(&holds).chain(self.variables(&holds)) {
            within.get_or_insert(function);
            states.push((class, root));
        }
        match within {
            Some(id) => Subject::States(FunctionRef { file: self.file, id }, states),
            None => Subject::Nothing,
        }
    }

    /// The members that methods assign on the line.
    fn fields(&self, holds: &impl Fn(Span) -> bool) -> impl Iterator<Item = (FunctionId, Option<ClassRef>, Root)> {
        let classes = self.module.classes.iter().enumerate();
        let fields = classes.flat_map(|(class, body)| body.fields.iter().map(move |field| (class, field)));
        let introduces = |kind| matches!(kind, BindingKind::Value(_) | BindingKind::Typed(..) | BindingKind::Part(..));
        fields.filter(move |(_, field)| introduces(field.kind) && holds(field.span)).filter_map(|(class, field)| {
            let class = ClassRef { file: self.file, id: ClassId(class as u32) };
            Some((field.function, Some(class), names::field(self.program, class, field.name)?))
        })
    }

    /// The variables, and members that a class's body declares, on the line.
    fn variables(&self, holds: &impl Fn(Span) -> bool) -> impl Iterator<Item = (FunctionId, Option<ClassRef>, Root)> {
        let introduces = |kind| matches!(kind, BindingKind::Value(_) | BindingKind::Typed(..) | BindingKind::Part(..));
        let on_line = self.module.bindings.iter().filter(move |bound| introduces(bound.kind) && holds(bound.span));
        on_line.filter_map(|bound| {
            let owner = self.module.function(bound.owner);
            let name = owner.symbols[bound.symbol.index()].name;
            let class = owner.class.filter(|_| owner.kind == FunctionKind::ClassBody);
            let class = class.map(|id| ClassRef { file: self.file, id });
            let root = match class {
                Some(class) => names::field(self.program, class, name)?,
                None => {
                    let owner = FunctionRef { file: self.file, id: bound.owner };
                    Root::Variable(Variable { owner, symbol: bound.symbol })
                }
            };
            Some((bound.within, class, root))
        })
    }

    /// The innermost body around a place.
    fn around(&self, span: Span) -> FunctionId {
        let bodies = self.module.functions.iter().enumerate();
        let around = bodies.filter(|(_, body)| body.span.contains(span));
        around
            .min_by_key(|(_, body)| body.span.end - body.span.start)
            .map_or(FunctionId(0), |(id, _)| FunctionId(id as u32))
    }

    // ---- what its names stand for --------------------------------------------------------------------------------

    fn lock(&self, within: FunctionRef, path: &ClaimedPath) -> Result<Option<LockPlace>, Fault> {
        let text = &path.text;
        let help =
            |what: &str| format!("name {what} in `guarded-by(…)` as the code there would: `self._lock`, `_lock`");
        let root = match self.meaning(within, path) {
            Meaning::Place(root) => root,
            Meaning::Unknown => return Ok(None),
            Meaning::Nothing => {
                return Err(self.fault(
                    within,
                    format!("`{text}` stands for nothing here"),
                    help("a lock that exists"),
                ));
            }
            Meaning::Object(_) | Meaning::Module(_) | Meaning::Function(_) => {
                return Err(self.fault(within, format!("`{text}` is no lock"), help("a lock")));
            }
        };
        let value = names::value(self.program, root).without_none();
        if !is_lock(self.program, value) {
            let is_sure = is_certainly_none(self.program, value);
            let fault = || self.fault(within, format!("`{text}` is no lock"), help("a lock"));
            return if is_sure { Err(fault()) } else { Ok(None) };
        }
        if self.lets_several_in(within, root, value) {
            let message = format!("`{text}` is a semaphore of several permits: who holds one keeps nobody out");
            return Err(self.fault(within, message, help("a lock, or a semaphore of one permit,")));
        }
        if path.is_element && !matches!(value, Type::Mapping(_)) {
            return Err(self.fault(within, format!("`{text}` is no lock: there is no table of locks"), help("a lock")));
        }
        let roots = std::iter::once(root).chain(self.behind_condition(root)).collect();
        Ok(Some(LockPlace { roots, text: text.clone() }))
    }

    fn lets_several_in(&self, within: FunctionRef, root: Root, value: Type) -> bool {
        let kinds = [ClassKind::AsyncSemaphore, ClassKind::ThreadSemaphore];
        if !kinds.iter().any(|kind| is_of(self.program, value, *kind)) {
            return false;
        }
        let evaluator = self.program.evaluator(within.file);
        let cells = Cells { program: self.program, evaluator: &evaluator, function: within };
        permits(&cells, Cell { root, owner: Owner::Static, part: None, key: None }).is_some_and(|permits| permits > 1)
    }

    /// The member of the same object that a condition was made with.
    fn behind_condition(&self, root: Root) -> Option<Root> {
        let Root::Field(class, _) = root else { return None };
        let (file, kinds) = bindings_of(self.program, root);
        let module = self.program.module(file);
        kinds.into_iter().find_map(|kind| {
            let BindingKind::Value(made) = kind else { return None };
            let Expr::Call(_, args) = module.expr(made) else { return None };
            let Expr::Attr(_, name) = module.expr(module.args(args).first()?.value) else { return None };
            let behind = names::field(self.program, class, name)?;
            is_lock(self.program, names::value(self.program, behind)).then_some(behind)
        })
    }

    fn owner(&self, within: FunctionRef, path: &ClaimedPath) -> Result<Option<Said>, Fault> {
        let text = &path.text;
        let help = || {
            "name the function that the task runs in `owner(…)`: `self._run`, `worker`; or write `owner(task)` for one task, whichever it is".to_owned()
        };
        match self.meaning(within, path) {
            Meaning::Function(function) => Ok(Some(Said::Owned(function))),
            Meaning::Unknown => Ok(None),
            _ if text == ONE_TASK => Ok(Some(Said::OwnedByOne)),
            Meaning::Nothing => Err(self.fault(within, format!("`{text}` stands for nothing here"), help())),
            Meaning::Place(root) if !is_certainly_none(self.program, names::value(self.program, root)) => Ok(None),
            _ => Err(self.fault(within, format!("`{text}` is no function that a task could run"), help())),
        }
    }

    fn meaning(&self, within: FunctionRef, path: &ClaimedPath) -> Meaning {
        let mut names = path.names.iter().map(|name| Name::new(name));
        let first = names.next().map_or(Meaning::Nothing, |name| self.first(within, name));
        names.fold(first, |meaning, name| self.member(meaning, name))
    }

    /// What a name stands for in a body.
    fn first(&self, within: FunctionRef, name: Name) -> Meaning {
        let module = self.program.module(within.file);
        let body = module.function(within.id);
        let class_of = |id| ClassRef { file: within.file, id };
        if let (FunctionKind::ClassBody, Some(id)) = (body.kind, body.class) {
            let own = self.member(Meaning::Object(class_of(id)), name);
            if self.is_receiver(class_of(id), name) {
                return Meaning::Object(class_of(id));
            }
            if !matches!(own, Meaning::Nothing | Meaning::Unknown) {
                return own;
            }
        }
        let method = method_around(module, within.id).map(|id| module.function(id));
        if let Some(method) = method.filter(|method| method.params.first().is_some_and(|param| param.name == name)) {
            return method.class.map_or(Meaning::Unknown, |id| Meaning::Object(class_of(id)));
        }
        self.variable(within, name)
    }

    /// Methods of the class call the object so.
    fn is_receiver(&self, class: ClassRef, name: Name) -> bool {
        let methods = self.program.module(class.file).functions.iter();
        let mut methods = methods.filter(|body| body.class == Some(class.id) && body.kind == FunctionKind::Function);
        name.as_str() == "self" || methods.any(|body| body.params.first().is_some_and(|param| param.name == name))
    }

    fn variable(&self, within: FunctionRef, name: Name) -> Meaning {
        let evaluator = self.program.evaluator(within.file);
        if let Some(variable) = self.program.variable(&evaluator, within.id, name) {
            return self.known(names::variable(self.program, variable));
        }
        let module = self.program.module(within.file);
        let Some((owner, symbol)) = evaluator.scope_of(within.id, name) else {
            return if module.star_imports.is_empty() { Meaning::Nothing } else { Meaning::Unknown };
        };
        let bindings = &module.function(owner).symbols[symbol.index()].bindings;
        match Type::union(bindings.iter().map(|binding| evaluator.binding(*binding))) {
            Type::Module(file) => Meaning::Module(file),
            _ => Meaning::Unknown,
        }
    }

    /// A place, or what is always kept there.
    fn known(&self, root: Root) -> Meaning {
        match names::value(self.program, root) {
            Type::Function(function) => Meaning::Function(function),
            Type::Class(class) => Meaning::Object(class),
            Type::Module(file) => Meaning::Module(file),
            _ => Meaning::Place(root),
        }
    }

    fn member(&self, of: Meaning, name: Name) -> Meaning {
        let class = match of {
            Meaning::Object(class) => class,
            Meaning::Module(file) => {
                let variable = self.program.module_variable(file, name);
                return variable
                    .map_or(Meaning::Nothing, |variable| self.known(names::variable(self.program, variable)));
            }
            Meaning::Place(root) => match names::value(self.program, root).without_none() {
                Type::Instance(class, _) => class,
                _ => return Meaning::Unknown,
            },
            Meaning::Nothing => return Meaning::Nothing,
            Meaning::Function(_) | Meaning::Unknown => return Meaning::Unknown,
        };
        if let Some(method) = self.program.method(class, name) {
            let is_plain = self.program.function(method).decorators.is_empty();
            return if is_plain { Meaning::Function(method) } else { Meaning::Unknown };
        }
        match names::field(self.program, class, name) {
            Some(root) => Meaning::Place(root),
            None if is_known_whole(self.program, class) => Meaning::Nothing,
            None => Meaning::Unknown,
        }
    }
}

fn said(what: &str, path: &ClaimedPath) -> String {
    format!("{what}({})", path.text)
}

/// All that the class may have is in the program.
fn is_known_whole(program: &Program, class: ClassRef) -> bool {
    let is_known = |base: Type| match base {
        Type::Class(_) => true,
        Type::External(path) => path.first_segment() == "builtins",
        _ => false,
    };
    !program.has_unknown_base(class) && program.lineage(class).all(is_known)
}

/// The value is neither a lock nor a function, whatever else it may be.
fn is_certainly_none(program: &Program, value: Type) -> bool {
    let members: SmallVec<[Type; 4]> = value.members().iter().copied().collect();
    members.into_iter().all(|member| match member {
        Type::None | Type::Plain | Type::Tuple(_) | Type::Module(_) => true,
        Type::Mapping(inner) | Type::Collection(inner) => is_certainly_none(program, inner.get()),
        Type::ExternalInstance(path, _) => path.first_segment() == "builtins" || program.models().kind(path).is_some(),
        Type::Instance(class, _) => {
            let enters = ["__enter__", "__aenter__", "acquire", "__call__"];
            is_known_whole(program, class)
                && !enters.iter().any(|name| program.method(class, Name::new(name)).is_some())
        }
        _ => false,
    })
}

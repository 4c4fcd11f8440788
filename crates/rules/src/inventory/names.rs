//! What shared places are called, where they are defined, and what they hold.

use crate::context;
use crate::finding::Place;
use crate::race::cells::{Root, name_of};
use racewalk_ir::{BindingKind, ExprId, FunctionId, Name, Span};
use racewalk_link::{ClassRef, FunctionRef, How, Program, Type, Variable};
use racewalk_report::inventory::Scope;

/// The dotted path of a function, for people.
pub(crate) fn symbol(program: &Program, function: FunctionRef) -> String {
    context::symbol(program.module(function.file), function.id)
}

/// `Class.member`, `module.variable`, `function.variable`.
pub(crate) fn name(program: &Program, root: Root) -> String {
    let member = name_of(program, root);
    let holder = match root {
        Root::Field(class, _) => program.qualified_class(class).replace(".<locals>.", "."),
        Root::Param(function, _) => symbol(program, function),
        Root::Variable(Variable { owner, .. }) if owner.id == FunctionId(0) => {
            program.module(owner.file).name.last_segment().to_owned()
        }
        Root::Variable(Variable { owner, .. }) => symbol(program, owner),
    };
    format!("{holder}.{member}")
}

/// The place of a member, by the base that declares it.
pub(crate) fn field(program: &Program, class: ClassRef, member: Name) -> Option<Root> {
    let bases = program.lineage(class).filter_map(|base| match base {
        Type::Class(base) => Some(base),
        _ => None,
    });
    let declaring = bases.filter(|base| program.members(*base).any(|(name, _)| name == member)).last();
    declaring.map(|base| Root::Field(base, member))
}

/// The place of a variable; a parameter is one of its own kind.
pub(crate) fn variable(program: &Program, variable: Variable) -> Root {
    let module = program.module(variable.owner.file);
    let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
    let is_param =
        |binding: &racewalk_ir::BindingId| matches!(module.bindings[binding.index()].kind, BindingKind::Param(_));
    if symbol.bindings.iter().any(is_param) {
        Root::Param(variable.owner, symbol.name)
    } else {
        Root::Variable(variable)
    }
}

/// Where the place gets its first value, or is declared.
pub(super) fn definition(program: &Program, root: Root) -> Option<Place> {
    let (file, span) = match root {
        Root::Field(class, member) => (class.file, field_span(program, class, member)?),
        Root::Variable(variable) => (variable.owner.file, variable_span(program, variable)?),
        Root::Param(owner, member) => {
            let symbol = program.function(owner).symbol(member)?;
            (owner.file, variable_span(program, Variable { owner, symbol })?)
        }
    };
    Some(Place { file, span })
}

fn variable_span(program: &Program, variable: Variable) -> Option<Span> {
    let module = program.module(variable.owner.file);
    let owner = module.function(variable.owner.id);
    let first = owner.symbols[variable.symbol.index()].bindings.first()?;
    let bound = module.bindings[first.index()];
    // A parameter stands where the function does.
    Some(if matches!(bound.kind, BindingKind::Param(_)) { owner.name_span } else { bound.span })
}

fn field_span(program: &Program, class: ClassRef, member: Name) -> Option<Span> {
    let declared = program.class(class);
    let module = program.module(class.file);
    let body = module.function(declared.body);
    let own = body.symbol(member).and_then(|symbol| body.symbols[symbol.index()].bindings.first());
    let own = own.map(|binding| module.bindings[binding.index()].span);
    own.or_else(|| declared.fields.iter().find(|field| field.name == member).map(|field| field.span))
}

/// Who may have what is kept there.
pub(super) fn scope(program: &Program, root: Root) -> Scope {
    match root {
        Root::Variable(Variable { owner, .. }) if owner.id == FunctionId(0) => Scope::Module,
        Root::Variable(_) => Scope::Captured,
        Root::Field(class, member) if is_of_class(program, class, member) => Scope::Class,
        Root::Field(..) => Scope::Instance,
        Root::Param(function, member) => {
            let params = &program.function(function).params;
            let has_default = params.iter().any(|param| param.name == member && param.default.is_some());
            if has_default { Scope::Default } else { Scope::Parameter }
        }
    }
}

/// The class's own body gives the value, and no method gives instances one of their own. A decorator or a library's base
/// class may make instance members of what a body declares.
fn is_of_class(program: &Program, class: ClassRef, member: Name) -> bool {
    let declared = program.class(class);
    let module = program.module(class.file);
    let body = module.function(declared.body);
    let Some(symbol) = body.symbol(member) else { return false };
    let has_value = body.symbols[symbol.index()].bindings.iter().any(|binding| {
        matches!(module.bindings[binding.index()].kind, BindingKind::Value(_) | BindingKind::Typed(_, Some(_)))
    });
    let is_plain = || program.lineage(class).all(|base| matches!(base, Type::Class(_)));
    has_value
        && declared.decorators.is_empty()
        && !declared.fields.iter().any(|field| field.name == member)
        && is_plain()
}

/// What is kept there.
pub(crate) fn value(program: &Program, root: Root) -> Type {
    match root {
        Root::Field(class, member) => {
            program.members(class).find(|(name, _)| *name == member).map_or(Type::DYNAMIC, |(_, value)| value)
        }
        Root::Variable(variable) if variable.owner.id == FunctionId(0) => {
            let mut all = program.module_variables(variable.owner.file);
            all.find(|(symbol, _)| *symbol == variable.symbol).map_or(Type::DYNAMIC, |(_, value)| value)
        }
        Root::Variable(variable) => local(program, variable),
        Root::Param(owner, member) => match program.function(owner).symbol(member) {
            Some(symbol) => local(program, Variable { owner, symbol }),
            None => Type::DYNAMIC,
        },
    }
}

fn local(program: &Program, variable: Variable) -> Type {
    let evaluator = program.evaluator(variable.owner.file);
    let bindings = &program.function(variable.owner).symbols[variable.symbol.index()].bindings;
    Type::union(bindings.iter().map(|binding| evaluator.binding(*binding)))
}

/// How many alternatives of a value are named.
const MOST_NAMED: usize = 3;
/// How many containers in containers are named.
const DEEPEST: u32 = 3;

/// A value's type in words; empty when nothing is known.
pub(super) fn type_text(program: &Program, value: Type) -> String {
    described(program, value, DEEPEST)
}

fn described(program: &Program, value: Type, depth: u32) -> String {
    let Some(depth) = depth.checked_sub(1) else { return String::new() };
    let of = |container: &str, inner: Type| match described(program, inner, depth) {
        inner if inner.is_empty() => container.to_owned(),
        inner => format!("{container} of {inner}"),
    };
    match value {
        Type::Instance(class, _) => program.qualified_class(class).replace(".<locals>.", "."),
        Type::ExternalInstance(path, _) => path.as_str().strip_prefix("builtins.").unwrap_or(path.as_str()).to_owned(),
        Type::Mapping(inner) => of("mapping", inner.get()),
        Type::Collection(inner) => of("collection", inner.get()),
        Type::None => "None".to_owned(),
        Type::Plain => "plain value".to_owned(),
        Type::Tuple(_) => "tuple".to_owned(),
        Type::Coroutine(_) => "coroutine".to_owned(),
        Type::Function(function) | Type::Method(function, _) => format!("function {}", symbol(program, function)),
        Type::Class(class) => format!("class {}", program.qualified_class(class)),
        Type::Callable(_) | Type::Partial(_) => "callable".to_owned(),
        Type::Union(members) => {
            let mut named: Vec<String> = members.as_slice().iter().map(|one| described(program, *one, depth)).collect();
            named.retain(|name| !name.is_empty());
            if named.len() > MOST_NAMED { String::new() } else { named.join(" | ") }
        }
        _ => String::new(),
    }
}

/// The method prepares an object that nobody else has yet: a constructor, or what only constructors of its class call.
pub(crate) fn is_constructor(program: &Program, function: FunctionRef) -> bool {
    let names = program.module(function.file).language.constructors;
    let body = program.function(function);
    let is_named = |body: &racewalk_ir::Function| {
        let name = body.name.as_str();
        body.class.is_some() && (names.contains(&name) || name == "model_post_init")
    };
    if is_named(body) || body.class.is_none() || body.is_async {
        return is_named(body);
    }
    let callers = program.summaries.callers.of(function);
    let is_own_constructor = |(caller, _, how): &(FunctionRef, ExprId, How)| {
        let calling = program.function(*caller);
        *how == How::Calls && caller.file == function.file && calling.class == body.class && is_named(calling)
    };
    body.name.as_str().starts_with('_') && !callers.is_empty() && callers.iter().all(is_own_constructor)
}

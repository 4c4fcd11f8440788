//! Entry points: functions that a framework calls, and where it runs them.

use crate::types::{FileId, FunctionRef, Type};
use crate::{Evaluator, Program};
use racewalk_ir::{ArgKind, Expr, ExprId, FunctionId, FunctionKind, Literal, Name};
use racewalk_models::{Entry, Position, Runs, Serves};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// A function that a framework calls.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    /// How the framework calls it.
    pub entry: Entry,
    /// For messages: `POST /orders`, `tool search`, `Cog.on_message`.
    pub label: String,
}

/// All entry points of the program.
pub(crate) fn find(program: &Program) -> FxHashMap<FunctionRef, EntryPoint> {
    let files: Vec<FileId> = program.files().collect();
    let found: Vec<Vec<(FunctionRef, EntryPoint)>> = files.into_par_iter().map(|file| in_file(program, file)).collect();
    let mut entries = FxHashMap::default();
    for (function, entry) in found.into_iter().flatten() {
        entries.entry(function).or_insert(entry);
    }
    entries
}

fn in_file(program: &Program, file: FileId) -> Vec<(FunctionRef, EntryPoint)> {
    let evaluator = program.evaluator(file);
    let mut found = Vec::new();
    if program.is_installed(file) {
        return found;
    }
    for id in 0..evaluator.module.functions.len() {
        let function = FunctionRef { file, id: FunctionId(id as u32) };
        found.extend(decorated(program, &evaluator, function).map(|entry| (function, entry)));
        found.extend(hook(program, function).map(|entry| (function, entry)));
        registered(program, &evaluator, function, &mut found);
        routed(program, &evaluator, function, &mut found);
        injected(program, &evaluator, function, &mut found);
    }
    exported(program, &evaluator, &mut found);
    found
}

/// Functions that the file exports for a framework, by where it lies.
fn exported(program: &Program, evaluator: &Evaluator<'_>, found: &mut Vec<(FunctionRef, EntryPoint)>) {
    let name = evaluator.module.name.as_str();
    for rule in program.models().exported() {
        let Some(route) = route_of_file(name, rule) else { continue };
        for export in &rule.names {
            let Some(variable) = program.module_variable(evaluator.file, Name::new(export)) else { continue };
            let mut held = program.module_variables(variable.owner.file);
            let held = held.find(|(symbol, _)| *symbol == variable.symbol).map(|(_, value)| value);
            if let Some(Type::Function(target)) = held {
                let label = if export == "default" { route.clone() } else { format!("{export} {route}") };
                found.push((target, EntryPoint { entry: rule.entry.clone(), label }));
            }
        }
    }
}

/// The route of a file that the rule speaks of, by the module's name, which is made of its path.
fn route_of_file(name: &str, rule: &racewalk_models::Exported) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let (file, folders) = parts.split_last()?;
    let start = folders.windows(rule.beneath.len()).position(|window| window.iter().eq(rule.beneath.iter()))?;
    let mut route: Vec<&str> = folders[start + 1..].to_vec();
    match &rule.file {
        Some(wanted) if wanted != file => return None,
        Some(_) => {}
        None => route.push(file),
    }
    Some(format!("/{}", route.join("/")))
}

fn decorated(program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef) -> Option<EntryPoint> {
    let body = program.function(function);
    let outside = body.parent.unwrap_or(FunctionId(0));
    body.decorators.iter().find_map(|decorator| {
        let called = match evaluator.module.expr(*decorator) {
            Expr::Call(callee, _) => callee,
            _ => *decorator,
        };
        let value = evaluator.eval(outside, called);
        let entry = value.members().iter().find_map(|member| program.model_of(*member)?.entry.clone())?;
        let label = label(program, evaluator, *decorator, function, &entry);
        Some(EntryPoint { entry, label })
    })
}

fn label(
    program: &Program,
    evaluator: &Evaluator<'_>,
    decorator: ExprId,
    function: FunctionRef,
    entry: &Entry,
) -> String {
    let name = &program.function(function).name;
    let path = evaluator.args(decorator).first().and_then(|arg| match evaluator.module.expr(arg.value) {
        Expr::Literal(Literal::Str(path)) if arg.kind == ArgKind::Positional => Some(path),
        _ => None,
    });
    let verb = match evaluator.module.expr(decorator) {
        Expr::Call(callee, _) => match evaluator.module.expr(callee) {
            Expr::Attr(_, verb) => Some(verb.as_str().to_uppercase()),
            _ => None,
        },
        _ => None,
    };
    match (entry.serves, path, verb) {
        (Serves::Request, Some(path), Some(verb)) => format!("{verb} {path}"),
        (Serves::Tool, _, _) => format!("tool {name}"),
        (Serves::Command, _, _) => format!("command {name}"),
        (Serves::Job, _, _) => format!("job {name}"),
        _ => name.to_string(),
    }
}

/// Methods that a framework calls on subclasses of its classes.
fn hook(program: &Program, function: FunctionRef) -> Option<EntryPoint> {
    let body = program.function(function);
    let class = body.class.filter(|_| body.kind == FunctionKind::Function)?;
    let class = crate::ClassRef { file: function.file, id: class };
    let is_public = !body.name.as_str().starts_with('_');
    let entry = program.lineage(class).find_map(|base| {
        let Type::External(path) = base else { return None };
        program.models().ancestry(path).into_iter().find_map(|path| {
            let class = program.models().class(path)?;
            let named = class.hooks.get(body.name.as_str());
            named.or_else(|| class.all_hooks.as_ref().filter(|_| is_public)).cloned()
        })
    })?;
    Some(EntryPoint { entry, label: program.qualified(function) })
}

/// Handlers that are passed as arguments.
fn registered(
    program: &Program,
    evaluator: &Evaluator<'_>,
    function: FunctionRef,
    found: &mut Vec<(FunctionRef, EntryPoint)>,
) {
    for site in program.sites(function) {
        for model in program.models_at(site) {
            let Some(entry) = &model.entry else { continue };
            for position in &entry.handlers {
                let Some(value) = handed(evaluator, site.call, position) else { continue };
                for handler in evaluator.eval(function.id, value).members() {
                    if let Type::Function(target)
                    | Type::Method(target, _)
                    | Type::MadeContext(target, _)
                    | Type::MadeAsync(target)
                    | Type::MadeSync(target) = handler
                    {
                        let label = route_label(evaluator, site.call, entry);
                        let label = label.unwrap_or_else(|| program.qualified(*target));
                        found.push((*target, EntryPoint { entry: entry.clone(), label }));
                    }
                }
            }
        }
    }
}

/// `GET /users` for what is given to `app.get("/users", …)`.
fn route_label(evaluator: &Evaluator<'_>, call: ExprId, entry: &Entry) -> Option<String> {
    let Expr::Call(callee, _) = evaluator.module.expr(call) else { return None };
    let Expr::Attr(_, method) = evaluator.module.expr(callee) else { return None };
    let first = evaluator.args(call).first()?;
    let Expr::Literal(Literal::Str(path)) = evaluator.module.expr(first.value) else { return None };
    let is_route = evaluator.module.language.route_methods.contains(&method.as_str());
    (is_route && entry.serves == Serves::Request).then(|| format!("{} {path}", method.as_str().to_uppercase()))
}

/// `app.get("/users/:id", check, handler)`, `socket.on("order", handler)`: by their shapes, whatever `app` and `socket` are.
fn routed(
    program: &Program,
    evaluator: &Evaluator<'_>,
    function: FunctionRef,
    found: &mut Vec<(FunctionRef, EntryPoint)>,
) {
    let methods = evaluator.module.language.route_methods;
    for site in program.sites(function).iter().filter(|site| site.callee.is_unknown() || is_unmodelled(program, site)) {
        let Expr::Call(callee, _) = evaluator.module.expr(site.call) else { continue };
        let Expr::Attr(base, method) = evaluator.module.expr(callee) else { continue };
        let Some((first, handlers)) = evaluator.args(site.call).split_first() else { continue };
        let Expr::Literal(Literal::Str(path)) = evaluator.module.expr(first.value) else { continue };
        let is_route = methods.contains(&method.as_str()) && path.as_str().starts_with('/');
        let is_event = !methods.is_empty() && method.as_str() == "on" && is_connection(evaluator, base);
        let (serves, label) = match (is_route, is_event) {
            (true, _) => (Serves::Request, format!("{} {path}", method.as_str().to_uppercase())),
            (_, true) => (Serves::Event, format!("event {path}")),
            _ => continue,
        };
        for handler in handlers {
            if let Type::Function(target) | Type::Method(target, _) = evaluator.eval(function.id, handler.value) {
                let entry = Entry {
                    serves,
                    plain: Runs::Loop,
                    asynchronous: Runs::Loop,
                    handlers: Vec::new(),
                    one_at_a_time: false,
                    overlaps_by: None,
                };
                found.push((target, EntryPoint { entry, label: label.clone() }));
            }
        }
    }
}

/// By its name, somebody at the other end sends what its listeners are called for.
fn is_connection(evaluator: &Evaluator<'_>, value: ExprId) -> bool {
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = evaluator.module.expr(value) else { return false };
    let name = name.as_str().to_ascii_lowercase();
    matches!(name.as_str(), "io" | "ws" | "wss") || name.ends_with("socket")
}

/// It is called by its path, and no model says what it does.
fn is_unmodelled(program: &Program, site: &crate::Site) -> bool {
    matches!(site.callee, Type::External(_)) && program.model_at(site).is_none()
}

/// `Annotated[T, Depends(f)]`: the dependency is named in a parameter's declared type.
fn injected(
    program: &Program,
    evaluator: &Evaluator<'_>,
    function: FunctionRef,
    found: &mut Vec<(FunctionRef, EntryPoint)>,
) {
    let body = program.function(function);
    let outside = body.parent.unwrap_or(FunctionId(0));
    for annotation in body.params.iter().filter_map(|param| param.annotation) {
        let Expr::Subscript(_, arguments) = evaluator.module.expr(annotation) else { continue };
        let Expr::Tuple(members) = evaluator.module.expr(arguments) else { continue };
        for member in evaluator.module.list(members) {
            let Expr::Call(callee, _) = evaluator.module.expr(*member) else { continue };
            let callee = evaluator.eval(outside, callee);
            let Some(entry) = program.model_of(callee).and_then(|model| model.entry.clone()) else { continue };
            for position in &entry.handlers {
                let Some(value) = handed(evaluator, *member, position) else { continue };
                if let Type::Function(target) | Type::Method(target, _) = evaluator.eval(outside, value) {
                    let label = program.qualified(target);
                    found.push((target, EntryPoint { entry: entry.clone(), label }));
                }
            }
        }
    }
}

fn handed(evaluator: &Evaluator<'_>, call: ExprId, position: &Position) -> Option<ExprId> {
    match position {
        Position::Index(at) => {
            let mut positional = evaluator.args(call).iter().filter(|arg| arg.kind == ArgKind::Positional);
            positional.nth(*at as usize).map(|arg| arg.value)
        }
        Position::Name(name) => evaluator.named_argument(call, Name::new(name).as_str()),
    }
}

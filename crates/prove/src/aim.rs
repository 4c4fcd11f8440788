//! From a finding to what is called: the functions whose calls overlap, read from the program's facts.

use racewalk_ir::{ArgKind, BindingKind, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name, ParamKind};
use racewalk_link::{ClassRef, FileId, FunctionRef, Program, Type};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, VecDeque};

/// Rules whose defects a run can show, without their families. The runtime knows which kinds of violation count for each.
pub(crate) const PROVABLE: [&str; 17] = [
    "check-then-act",
    "fail-fast-leak",
    "floating-task",
    "inconsistent-lock",
    "iterate-across-await",
    "lock-order",
    "lost-update",
    "lost-wakeup",
    "misplaced-context",
    "missing-await",
    "orphaned-losers",
    "permit-leak",
    "self-deadlock",
    "shared-default",
    "stale-write",
    "stampede",
    "swallowed-cancellation",
];

/// Rules whose defects one call can show, and plain functions too.
const OF_ONE_CALL: [&str; 4] = ["floating-task", "missing-await", "fail-fast-leak", "orphaned-losers"];

/// How far away from a plain function an asynchronous caller is looked for, in calls.
const FARTHEST_CALLER: usize = 4;
/// How many callers, and how many other users of the state, are tried.
const MOST_OTHERS: usize = 3;

/// The rule's name without its family.
pub(crate) fn short(rule: &str) -> &str {
    rule.rsplit_once('/').map_or(rule, |(_, short)| short)
}

/// The program, asked for what could be called.
pub(crate) struct Aim<'p> {
    pub(crate) program: &'p Program,
}

impl Aim<'_> {
    /// What is called to bring these lines to run: each entry on its own, the nearest first.
    pub(crate) fn targets(&self, function: FunctionRef, rule: Option<&str>) -> Result<Vec<FunctionRef>, String> {
        let named = self.importable(function).ok_or("it stands in no function that can be called")?;
        let is_enough = |function: FunctionRef| {
            self.program.function(function).is_async || rule.is_some_and(|rule| OF_ONE_CALL.contains(&short(rule)))
        };
        // What is asynchronous inside a plain function, that function starts.
        if is_enough(named) || is_enough(function) {
            return Ok(vec![named]);
        }
        let callers = self.callers(named, &is_enough);
        if callers.is_empty() {
            let name = self.program.qualified(named);
            return Err(format!("`{name}` is a plain function, and no asynchronous one is seen to call it"));
        }
        Ok(callers)
    }

    /// The function itself, or the one around it, that can be had by names from its module.
    fn importable(&self, function: FunctionRef) -> Option<FunctionRef> {
        let module = self.program.module(function.file);
        let mut best = None;
        let mut current = Some(function.id);
        while let Some(id) = current {
            let body = module.function(id);
            match body.kind {
                // Whatever stands inside it was not to be had.
                FunctionKind::Function => best = Some(id),
                FunctionKind::Lambda => best = None,
                FunctionKind::ClassBody | FunctionKind::Module => {}
            }
            current = body.parent;
        }
        // Of nested functions, the outermost: the last one that was met.
        best.map(|id| FunctionRef { file: function.file, id })
    }

    fn callers(&self, function: FunctionRef, is_enough: &dyn Fn(FunctionRef) -> bool) -> Vec<FunctionRef> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([function]);
        let mut queue = VecDeque::from([(function, 0)]);
        while let Some((current, distance)) = queue.pop_front() {
            for (caller, _, _) in self.program.summaries.callers.of(current) {
                let Some(caller) = self.importable(*caller).filter(|caller| seen.insert(*caller)) else { continue };
                if self.is_test(caller) {
                    continue; // it makes what it tests, and is never called twice at once
                } else if is_enough(caller) {
                    found.push(caller);
                } else if distance < FARTHEST_CALLER {
                    queue.push_back((caller, distance + 1));
                }
            }
        }
        found.truncate(MOST_OTHERS);
        found
    }

    fn is_test(&self, function: FunctionRef) -> bool {
        let is_test = |name: &str| name == "tests" || name == "conftest" || name.starts_with("test_");
        let module = self.program.module(function.file).name;
        is_test(self.program.function(function).name.as_str()) || module.as_str().split('.').any(is_test)
    }

    /// Asynchronous callers of a function, for when its own arguments cannot be made up.
    pub(crate) fn entries(&self, function: FunctionRef) -> Vec<FunctionRef> {
        self.callers(function, &|caller| self.program.function(caller).is_async)
    }

    /// Other asynchronous functions that name the state in question: methods of the same class for a member, functions of the
    /// module for a variable. Where no state is in question, methods that name a member that the function names too.
    pub(crate) fn companions(&self, function: FunctionRef, cell: Option<&str>) -> Vec<FunctionRef> {
        let module = self.program.module(function.file);
        let class = module.function(function.id).class;
        let names = match cell {
            Some(cell) => {
                let path = cell.split(['[', '(']).next().unwrap_or(cell);
                vec![Name::new(path.rsplit('.').next().unwrap_or(path))]
            }
            None => self.members_in(function),
        };
        let is_member = cell.is_none_or(|cell| cell.contains('.'));
        let ids = (0..module.functions.len() as u32).map(FunctionId).filter(|id| {
            let body = module.function(*id);
            let stands_right = if is_member && class.is_some() { body.class == class } else { !is_member };
            *id != function.id && stands_right && body.kind == FunctionKind::Function && body.is_async
        });
        let others = ids.map(|id| FunctionRef { file: function.file, id });
        let users = others.filter(|other| {
            names.iter().any(|name| mentions(module, other.id, *name)) && self.importable(*other) == Some(*other)
        });
        users.take(MOST_OTHERS).collect()
    }

    /// The members of its class that a method names.
    fn members_in(&self, method: FunctionRef) -> Vec<Name> {
        let Some(class) = self.class_of(method) else { return Vec::new() };
        let fields = self.program.class(class).fields.iter().map(|field| field.name);
        let named = fields.filter(|name| mentions(self.program.module(method.file), method.id, *name));
        named.collect::<BTreeSet<Name>>().into_iter().collect()
    }

    /// The smallest function around a line, given by the bytes that it holds.
    pub(crate) fn function_around(&self, file: FileId, start: u32, end: u32) -> Option<FunctionRef> {
        let module = self.program.module(file);
        let functions = module.functions.iter().enumerate().filter(|(_, body)| {
            body.kind == FunctionKind::Function
                && body.span.start < end
                && start < body.span.end.max(body.span.start + 1)
        });
        let smallest = functions.min_by_key(|(_, body)| body.span.end - body.span.start)?;
        Some(FunctionRef { file, id: FunctionId(smallest.0 as u32) })
    }

    /// The function that is called so in a file, by its path as messages have it: without marks of nested functions.
    pub(crate) fn function_named(&self, file: FileId, symbol: &str) -> Option<FunctionRef> {
        let module = self.program.module(file);
        let ids = (0..module.functions.len() as u32).map(FunctionId);
        let mut functions = ids.filter(|id| module.function(*id).kind == FunctionKind::Function);
        functions.find(|id| module.qualified(*id).replace("<locals>.", "") == symbol).map(|id| FunctionRef { file, id })
    }

    /// Objects of a method's class as the project makes them: those that a module keeps, then constructor calls with what is
    /// written out of their arguments. `spec` names modules.
    pub(crate) fn receivers(&self, method: FunctionRef, spec: &dyn Fn(FileId) -> Option<String>) -> Vec<Value> {
        let Some(class) = self.class_of(method) else { return Vec::new() };
        let Some(made) = spec(class.file) else { return Vec::new() };
        let path = format!("{made}:{}", self.program.qualified_class(class));
        let mut kept = Vec::new();
        let mut written = Vec::new();
        for caller in self.program.functions() {
            for site in self.program.sites(caller).iter().filter(|site| site.callee == Type::Class(class)) {
                if let Some(name) = self.kept_as(caller, site.call)
                    && let Some(module) = spec(caller.file)
                {
                    kept.push(json!({ "ref": format!("{module}:{name}") }));
                }
                let init = self.program.method(class, Name::new("__init__"));
                let args = self.written_arguments(caller, site.call, init);
                written.push(json!({ "new": path.clone(), "args": args }));
            }
        }
        written.dedup();
        kept.extend(written.into_iter().filter(|made| made["args"].as_object().is_some_and(|args| !args.is_empty())));
        kept.truncate(MOST_OTHERS);
        kept
    }

    /// What the project's own calls of a function write out of its arguments.
    pub(crate) fn arguments(&self, function: FunctionRef) -> Option<Map<String, Value>> {
        let callers = self.program.summaries.callers.of(function);
        let written = callers.iter().map(|(caller, site, _)| self.written_arguments(*caller, *site, Some(function)));
        written.filter(|args| !args.is_empty()).max_by_key(Map::len)
    }

    fn class_of(&self, method: FunctionRef) -> Option<ClassRef> {
        self.program.function(method).class.map(|id| ClassRef { file: method.file, id })
    }

    /// The module's variable that a call's value is kept in.
    fn kept_as(&self, caller: FunctionRef, call: ExprId) -> Option<Name> {
        let module = self.program.module(caller.file);
        let body = module.function(caller.id);
        if body.kind != FunctionKind::Module {
            return None;
        }
        let binding = module.bindings.iter().find(|binding| {
            matches!(binding.kind, BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) if value == call)
        })?;
        Some(body.symbols.get(binding.symbol.index())?.name)
    }

    fn written_arguments(&self, caller: FunctionRef, call: ExprId, callee: Option<FunctionRef>) -> Map<String, Value> {
        let module = self.program.module(caller.file);
        let Expr::Call(_, args) = module.expr(call) else { return Map::new() };
        let params = callee.map(|callee| self.program.function(callee)).map_or(&[][..], |body| &body.params);
        let bound = usize::from(callee.is_some_and(|callee| self.program.function(callee).class.is_some()));
        let places =
            params.iter().skip(bound).filter(|it| matches!(it.kind, ParamKind::Positional | ParamKind::Normal));
        let names: Vec<Name> = places.map(|param| param.name).collect();
        let given = module.args(args).iter().enumerate().filter_map(|(at, arg)| {
            let name = match arg.kind {
                ArgKind::Positional => *names.get(at)?,
                ArgKind::Named(name) => name,
                _ => return None,
            };
            Some((name.to_string(), literal(module, arg.value)?))
        });
        given.collect()
    }
}

/// A value that is written out.
fn literal(module: &Module, expr: ExprId) -> Option<Value> {
    match module.expr(expr) {
        Expr::Literal(Literal::None) => Some(Value::Null),
        Expr::Literal(Literal::Bool(value)) => Some(json!(value)),
        Expr::Literal(Literal::Int(value)) => Some(json!(value)),
        Expr::Literal(Literal::Number(thousandths)) => Some(json!(f64::from(thousandths) / 1000.0)),
        Expr::Literal(Literal::Str(text)) => Some(json!(text.as_str())),
        _ => None,
    }
}

/// A function has a name in it, or a member of that name.
fn mentions(module: &Module, function: FunctionId, name: Name) -> bool {
    let span = module.function(function).span;
    (0..module.exprs.len() as u32).map(ExprId).any(|expr| match module.expr(expr) {
        Expr::Name(found, _) | Expr::Attr(_, found) => found == name && span.contains(module.span(expr)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::PROVABLE;

    #[test]
    fn the_runtime_knows_what_counts_for_each() {
        let plan = include_str!("../../../runtime/python/racewalk_runtime/plan.py");
        let known = plan.split_once("KINDS_OF_RULE").unwrap().1.split_once('}').unwrap().0;
        for rule in PROVABLE {
            assert!(known.contains(&format!("\"{rule}\":")), "{rule}");
        }
    }
}

//! Who changes which container in place, by the last name of the path that leads to it.

use super::containers::{Touch, touch};
use racewalk_ir::{Event, Expr, ExprId, Module, Name, Role};
use racewalk_link::{FileId, FunctionRef, Program};
use rustc_hash::FxHashMap;

/// A change of a container in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutation {
    /// The function that makes it.
    pub by: FunctionRef,
    /// The container.
    pub place: ExprId,
    /// The call or target that changes it.
    pub at: ExprId,
    /// It appends to a list: one that grows is iterated to its new end.
    pub appends: bool,
    /// It sets the element under a key, which changes the size of a mapping only.
    pub sets_key: bool,
}

/// What a change does to the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Appends,
    Other,
    SetsKey,
}

/// All changes of containers in place, by name.
pub(crate) struct Mutators(FxHashMap<Name, Vec<Mutation>>);

impl Mutators {
    /// By the one thread that asks first: one that waited for others could be given another rule's work meanwhile, which asks
    /// for the same and would wait for ever.
    pub fn new(program: &Program) -> Self {
        let files = program.files().filter(|file| !program.is_installed(*file));
        let mut by_name: FxHashMap<Name, Vec<Mutation>> = FxHashMap::default();
        for (name, mutation) in files.flat_map(|file| in_file(program, file)) {
            by_name.entry(name).or_default().push(mutation);
        }
        Self(by_name)
    }

    /// The changes of containers that are called so.
    pub fn of(&self, name: Name) -> &[Mutation] {
        self.0.get(&name).map_or(&[], Vec::as_slice)
    }
}

fn in_file(program: &Program, file: FileId) -> Vec<(Name, Mutation)> {
    let module = program.module(file);
    let mut found = Vec::new();
    for id in 0..module.functions.len() as u32 {
        let by = FunctionRef { file, id: racewalk_ir::FunctionId(id) };
        for event in &program.function(by).events {
            let Some((place, at, how)) = changed(module, *event) else { continue };
            if let Some(name) = last_name(module, place) {
                let (appends, sets_key) = (how == How::Appends, how == How::SetsKey);
                found.push((name, Mutation { by, place, at, appends, sets_key }));
            }
        }
    }
    found
}

/// The container that an event changes in place, and the expression that does.
fn changed(module: &Module, event: Event) -> Option<(ExprId, ExprId, How)> {
    match event {
        Event::WritePlace(target, _) => match module.expr(target) {
            Expr::Subscript(container, _) => {
                let how = if module.role(target) == Role::Deleted { How::Other } else { How::SetsKey };
                Some((container, target, how))
            }
            _ => None,
        },
        Event::Call(call) => {
            let Expr::Call(callee, args) = module.expr(call) else { return None };
            let Expr::Attr(container, method) = module.expr(callee) else { return None };
            match touch(module.language, method.as_str(), module.args(args).len())? {
                Touch::Inserts if method.as_str() != "add" => Some((container, call, How::Appends)),
                Touch::Sets => Some((container, call, How::SetsKey)),
                Touch::AsksIfEmpty | Touch::Looks | Touch::Gets => None,
                _ => Some((container, call, How::Other)),
            }
        }
        _ => None,
    }
}

/// The last name of an access path; of what a call gives, the callee's.
pub(crate) fn last_name(module: &Module, place: ExprId) -> Option<Name> {
    match module.expr(place) {
        Expr::Name(name, _) | Expr::Attr(_, name) => Some(name),
        Expr::Subscript(base, _) | Expr::Call(base, _) => last_name(module, base),
        _ => None,
    }
}

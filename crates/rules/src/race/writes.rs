//! Which names a function may write to, itself or by what it calls: a filter, so that reads of anything else cost nothing.

use super::containers::{Touch, touch};
use super::walk::DEEPEST;
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, Module, Name};
use racewalk_link::{FileId, FunctionRef, How, Program};
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// A set of names that may hold more than was put in (a Bloom filter with one hash).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names([u64; 4]);

impl Names {
    fn add(&mut self, name: Name) {
        let (word, bit) = place(name);
        self.0[word] |= bit;
    }

    fn add_all(&mut self, other: Names) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }

    /// The name may be among them.
    pub fn may_contain(&self, name: Name) -> bool {
        let (word, bit) = place(name);
        self.0[word] & bit != 0
    }
}

fn place(name: Name) -> (usize, u64) {
    // By the text: where a name is kept is a matter of chance, and with it which names would meet.
    let hash = FxBuildHasher.hash_one(name.as_str()) >> 32;
    ((hash >> 6) as usize & 3, 1 << (hash & 63))
}

/// For each function of each file: what it may write to, callees included as deep as walks follow them.
#[derive(Default)]
pub(crate) struct Writes(Vec<Vec<Names>>);

impl Writes {
    pub fn new(program: &Program) -> Self {
        let files: Vec<FileId> = program.files().collect();
        let own: Vec<Vec<Names>> = files.par_iter().map(|file| in_file(program, *file)).collect();
        let mut all = own;
        for _ in 0..DEEPEST {
            all = files.par_iter().map(|file| with_callees(program, *file, &all)).collect();
        }
        Self(all)
    }

    /// The names that the function may write to.
    pub fn of(&self, function: FunctionRef) -> Names {
        self.0[function.file.index()][function.id.index()]
    }
}

fn with_callees(program: &Program, file: FileId, before: &[Vec<Names>]) -> Vec<Names> {
    let functions = before[file.index()].iter().enumerate();
    functions
        .map(|(id, own)| {
            let mut names = *own;
            for edge in program.edges(FunctionRef { file, id: racewalk_ir::FunctionId(id as u32) }) {
                if matches!(edge.how, How::Calls | How::Callback | How::Implicit) && !edge.is_override {
                    names.add_all(before[edge.target.file.index()][edge.target.id.index()]);
                }
            }
            names
        })
        .collect()
}

fn in_file(program: &Program, file: FileId) -> Vec<Names> {
    let module = program.module(file);
    let mut all = vec![Names::default(); module.functions.len()];
    if program.is_installed(file) {
        return all;
    }
    for (id, function) in module.functions.iter().enumerate() {
        for event in &function.events {
            match *event {
                Event::WritePlace(target, _) => add_path(module, target, &mut all[id]),
                Event::Bind(binding) => {
                    let bound = module.bindings[binding.index()];
                    if bound.owner.index() != id {
                        let symbol = &module.function(bound.owner).symbols[bound.symbol.index()];
                        all[id].add(symbol.name);
                    }
                }
                Event::Call(call) => {
                    if let Some(container) = changed_by_call(module, call) {
                        add_path(module, container, &mut all[id]);
                    }
                }
                _ => {}
            }
        }
    }
    all
}

fn changed_by_call(module: &Module, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, args) = module.expr(call) else { return None };
    let Expr::Attr(container, method) = module.expr(callee) else { return None };
    match touch(module.language, method.as_str(), module.args(args).len())? {
        Touch::Sets | Touch::Inserts | Touch::InsertsOnce | Touch::Takes | Touch::Drops | Touch::Replaces => {
            Some(container)
        }
        Touch::AsksIfEmpty | Touch::Looks | Touch::Gets => None,
    }
}

/// The names along an access path, and along the path that its first name stands for.
fn add_path(module: &Module, place: ExprId, names: &mut Names) {
    match module.expr(place) {
        Expr::Attr(base, name) => {
            names.add(name);
            add_path(module, base, names);
        }
        Expr::Subscript(base, _) => add_path(module, base, names),
        Expr::Name(name, defs) => {
            names.add(name);
            if let Defs::One(binding) = defs
                && let BindingKind::Value(value) = module.bindings[binding.index()].kind
                && matches!(module.expr(value), Expr::Attr(..))
            {
                add_path(module, value, names);
            }
        }
        _ => {}
    }
}

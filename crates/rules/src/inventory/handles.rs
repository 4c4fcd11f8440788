//! What becomes of the handle of something that was started: who keeps it, and who sees to its end.

use super::{Index, names};
use crate::context::Context;
use crate::finding::Place;
use crate::race::cells::{Cells, Root};
use racewalk_ir::{BindingId, BindingKind, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role};
use racewalk_link::{FunctionRef, Type, Variable};
use racewalk_report::inventory::{End, Owner};
use rustc_hash::FxHashSet;

/// What is known of a handle.
#[derive(Default)]
pub(super) struct Handle {
    pub owner: Option<Owner>,
    pub ends: Vec<End<Place>>,
    pub has_callback: bool,
    /// The places of the program that keep it.
    pub kept_in: Vec<Root>,
}

/// How many names, containers and calls a handle is followed through.
const LONGEST_PATH: u32 = 8;

/// Follows the handle that an expression gives; or those that are kept in the place that it names.
pub(super) fn follow(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> Handle {
    let mut follower = Follower { ctx, handle: Handle::default(), seen: FxHashSet::default() };
    follower.value(function, value, LONGEST_PATH);
    follower.handle
}

struct Follower<'a, 'p> {
    ctx: &'a Context<'p>,
    handle: Handle,
    seen: FxHashSet<ExprId>,
}

impl Follower<'_, '_> {
    fn own(&mut self, kind: &str, name: impl Into<String>) {
        self.handle.owner.get_or_insert(Owner { kind: kind.to_owned(), name: name.into() });
    }

    fn end(&mut self, how: &str, function: FunctionId, at: ExprId) {
        let symbol = self.ctx.symbol(function);
        let end = End { how: how.to_owned(), symbol, at: self.ctx.place(at) };
        if !self.handle.ends.contains(&end) {
            self.handle.ends.push(end);
        }
    }

    fn text(&self, expr: ExprId) -> String {
        self.ctx.program.path_text(self.ctx.file, expr)
    }

    /// What the code around an expression does with its value.
    fn value(&mut self, function: FunctionId, expr: ExprId, left: u32) {
        let Some(left) = left.checked_sub(1) else { return };
        if !self.seen.insert(expr) {
            return;
        }
        let module = self.ctx.module;
        let parent = module.parent(expr);
        match module.role(expr) {
            Role::Awaited => {
                self.end("awaited", function, expr);
                self.own("call", self.ctx.symbol(function));
            }
            Role::Returned | Role::Yielded => self.own("caller", "whoever calls"),
            Role::Element | Role::Arm | Role::Unpacked => {
                if let Some(parent) = parent {
                    self.around(function, parent, left);
                }
            }
            Role::Argument => self.argument(function, expr, left),
            Role::Receiver => self.member(function, expr, left),
            Role::Container => {
                if let Some(element) = parent {
                    self.value(function, element, left);
                }
            }
            Role::Stored | Role::Bound => {
                self.stored(function, expr, left);
                if let Some(parent) = parent {
                    self.value(function, parent, left);
                }
            }
            Role::Iterated | Role::IteratedAsync => self.iterated(function, expr, left),
            _ => {}
        }
    }

    /// A display, comprehension or spread that the value is part of; or the call that it is spread into.
    fn around(&mut self, function: FunctionId, parent: ExprId, left: u32) {
        if matches!(self.ctx.module.expr(parent), Expr::Call(..)) {
            self.given(function, parent, left);
        } else {
            self.value(function, parent, left);
        }
    }

    fn argument(&mut self, function: FunctionId, expr: ExprId, left: u32) {
        if let Some(call) = self.ctx.module.parent(expr) {
            self.given(function, call, left);
        }
    }

    /// The value is given to a call: to a wait, a container, or somebody else.
    fn given(&mut self, function: FunctionId, call: ExprId, left: u32) {
        let module = self.ctx.module;
        let Expr::Call(callee, _) = module.expr(call) else { return };
        let site = self.ctx.program.site(self.ctx.function_ref(function), call);
        let model = site.and_then(|site| self.ctx.program.model_at(site));
        if model.is_some_and(|model| model.joins.is_some() || model.consumes || model.shields) {
            self.joined(function, call, left);
            return;
        }
        if model.is_some_and(|model| model.cancels) {
            self.end("cancelled", function, call);
            return;
        }
        let method = match module.expr(callee) {
            Expr::Attr(container, method) => Some((container, method)),
            _ => None,
        };
        if let Some((container, _)) = method.filter(|(_, method)| adds(*method)) {
            self.put_into(function, container, left);
            return;
        }
        if site.is_some_and(|site| is_builtin(site.callee)) {
            self.value(function, call, left);
            return;
        }
        let handed = site.and_then(|site| self.ctx.program.callee_name(site.callee));
        self.own("argument", handed.unwrap_or_else(|| self.text(callee)));
    }

    /// `await gather(*tasks)`, `done, _ = await wait(tasks)`, `for next in as_completed(tasks)`.
    fn joined(&mut self, function: FunctionId, call: ExprId, left: u32) {
        let role = self.ctx.module.role(call);
        if matches!(role, Role::Awaited | Role::Iterated | Role::IteratedAsync) {
            self.end("joined", function, call);
            self.own("call", self.ctx.symbol(function));
        } else {
            self.value(function, call, left);
        }
    }

    /// `tasks.append(task)`
    fn put_into(&mut self, function: FunctionId, container: ExprId, left: u32) {
        if self.keep(function, container) {
            return;
        }
        if let Expr::Name(_, defs) = self.ctx.module.expr(container) {
            let bindings = self.ctx.module.defs(&defs).to_vec();
            self.own("local", format!("{} of {}", self.text(container), self.ctx.symbol(function)));
            bindings.into_iter().for_each(|binding| self.reads(function, binding, left));
        } else {
            self.own("object", self.text(container));
        }
    }

    /// The place is one that lives on: its other uses tell of the end.
    fn keep(&mut self, function: FunctionId, place: ExprId) -> bool {
        let cells = Cells {
            program: self.ctx.program,
            evaluator: &self.ctx.evaluator,
            function: self.ctx.function_ref(function),
        };
        let Some(cell) = cells.of(place).filter(|cell| !matches!(cell.root, Root::Param(..))) else { return false };
        self.keep_in(cell.root);
        true
    }

    fn keep_in(&mut self, root: Root) {
        self.own("object", names::name(self.ctx.program, root));
        if !self.handle.kept_in.contains(&root) {
            self.handle.kept_in.push(root);
        }
    }

    fn stored(&mut self, function: FunctionId, expr: ExprId, left: u32) {
        let module = self.ctx.module;
        for event in &module.function(function).events {
            if let Event::WritePlace(target, Some(value)) = *event
                && value == expr
                && !self.keep(function, target)
            {
                self.own("object", self.text(target));
            }
        }
        let parts = module.bindings.iter().enumerate();
        let parts = parts.filter(|(_, binding)| matches!(binding.kind, BindingKind::Part(of, _) if of == expr));
        let parts: Vec<BindingId> = parts.map(|(at, _)| BindingId(at as u32)).collect();
        for binding in self.ctx.bound_to(expr).iter().chain(&parts).copied() {
            self.bound(function, binding, left);
        }
    }

    fn bound(&mut self, function: FunctionId, binding: BindingId, left: u32) {
        let module = self.ctx.module;
        let bound = module.bindings[binding.index()];
        let owner = self.ctx.function_ref(bound.owner);
        let name = module.function(bound.owner).symbols[bound.symbol.index()].name;
        let is_local = bound.owner == function && module.function(function).kind == FunctionKind::Function;
        if !is_local {
            self.keep_in(Root::Variable(Variable { owner, symbol: bound.symbol }));
            return;
        }
        self.reads(function, binding, left);
        let captures = self.ctx.captures_of(function, name).to_vec();
        for (inner, read) in captures {
            self.value(inner, read, left);
        }
        let is_read = !self.ctx.reads_of(binding).is_empty() || !self.ctx.captures_of(function, name).is_empty();
        if is_read {
            self.own("local", format!("{name} of {}", self.ctx.symbol(function)));
        }
    }

    fn reads(&mut self, function: FunctionId, binding: BindingId, left: u32) {
        let reads = self.ctx.reads_of(binding).to_vec();
        reads.into_iter().for_each(|(_, read)| self.value(function, read, left));
    }

    /// `for task in tasks:`
    fn iterated(&mut self, function: FunctionId, source: ExprId, left: u32) {
        let bindings = self.ctx.module.bindings.iter().enumerate();
        let is_element = |binding: &racewalk_ir::Binding| matches!(binding.kind, BindingKind::Element(of) | BindingKind::ElementPart(of, _) if of == source);
        let elements = bindings.filter(|(_, binding)| is_element(binding)).map(|(at, _)| BindingId(at as u32));
        let elements: Vec<BindingId> = elements.collect();
        elements.into_iter().for_each(|element| self.reads(function, element, left));
    }

    /// `task.cancel()`, `tasks.pop(key)`, `task.add_done_callback(…)`
    fn member(&mut self, function: FunctionId, expr: ExprId, left: u32) {
        let module = self.ctx.module;
        let Some(member) = module.parent(expr) else { return };
        let Expr::Attr(_, name) = module.expr(member) else { return };
        let call = module.parent(member).filter(|_| module.role(member) == Role::Callee);
        let Some(call) = call else { return };
        match name.as_str() {
            "cancel" | "abort" | "terminate" | "kill" => self.end("cancelled", function, call),
            "join" | "wait" | "result" | "shutdown" | "aclose" => {
                self.end("joined", function, call);
                self.own("call", self.ctx.symbol(function));
            }
            "add_done_callback" => self.handle.has_callback = true,
            "pop" | "popleft" | "get" | "popitem" | "values" | "items" | "copy" => self.value(function, call, left),
            _ => {}
        }
    }
}

fn adds(method: Name) -> bool {
    matches!(method.as_str(), "append" | "add" | "appendleft" | "insert" | "setdefault" | "extend")
}

/// A function of the language itself: it does not keep what it is given for longer than what it gives.
fn is_builtin(callee: Type) -> bool {
    callee.members().iter().all(|member| match member {
        Type::External(path) => path.first_segment() == "builtins",
        _ => false,
    })
}

/// Adds what the other accesses to the places that keep it tell of its end.
pub(super) fn add_ends_elsewhere(index: &Index<'_>, own: &Context<'_>, handle: &mut Handle) {
    let roots = handle.kept_in.clone();
    for root in roots {
        let mut by_file: std::collections::BTreeMap<racewalk_link::FileId, Vec<(FunctionRef, ExprId)>> =
            std::collections::BTreeMap::new();
        for access in index.accesses_of(root) {
            by_file.entry(access.function.file).or_default().push((access.function, access.at));
        }
        for (file, accesses) in by_file {
            let other;
            let ctx = if file == own.file {
                own
            } else {
                other = Context::new(own.program, file, own.shared);
                &other
            };
            for (function, at) in accesses {
                let found = follow(ctx, function.id, at);
                handle.has_callback |= found.has_callback;
                for end in found.ends.into_iter().filter(|end| !handle.ends.contains(end)).collect::<Vec<_>>() {
                    handle.ends.push(end);
                }
            }
        }
    }
}

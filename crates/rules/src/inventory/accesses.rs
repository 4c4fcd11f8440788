//! Who reads and who writes which place: one pass over the events of every function.

use super::names;
use crate::context::Context;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::containers::{Touch, touch};
use racewalk_ir::{BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role};
use racewalk_link::{FunctionRef, Program, Type, Variable};
use racewalk_report::inventory::Does;
use rustc_hash::FxHashSet;

/// One access to a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The place.
    pub cell: Cell,
    /// Who.
    pub function: FunctionRef,
    /// What it does.
    pub does: Does,
    /// By which method.
    pub by: Option<Name>,
    /// The expression that names the place.
    pub at: ExprId,
    /// The event.
    pub event: usize,
}

/// The accesses of one file's functions.
pub(crate) fn in_file(ctx: &Context<'_>) -> Vec<Access> {
    let mut found = Vec::new();
    for id in ctx.functions() {
        let function = ctx.function_ref(id);
        let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function };
        let mut finder = Finder { ctx, cells, event: 0, known: FxHashSet::default(), found: &mut found };
        for (at, event) in ctx.module.function(id).events.iter().enumerate() {
            finder.event = at;
            finder.step(*event);
        }
    }
    found
}

struct Finder<'a, 'p> {
    ctx: &'a Context<'p>,
    cells: Cells<'a, 'p>,
    event: usize,
    /// A cleanup block may stand in the events once for each way into it.
    known: FxHashSet<(ExprId, Does)>,
    found: &'a mut Vec<Access>,
}

impl Finder<'_, '_> {
    fn step(&mut self, event: Event) {
        let module = self.ctx.module;
        match event {
            Event::Read(expr) if !matches!(module.role(expr), Role::Receiver | Role::Container) => {
                self.path(expr, Does::Reads, None);
            }
            Event::ReadPlace(expr) => self.path(expr, Does::Reads, None),
            Event::Modify(target) => self.path(target, Does::Reads, None),
            Event::WritePlace(target, _) => match module.expr(target) {
                Expr::Subscript(container, _) => {
                    let by = if module.role(target) == Role::Deleted { "del […]" } else { "[…] =" };
                    self.path(container, Does::Changes, Some(Name::new(by)));
                }
                _ => self.path(target, Does::Writes, None),
            },
            Event::Bind(binding) => self.bind(binding),
            Event::Call(call) => self.call(call),
            _ => {}
        }
    }

    /// An assignment to a variable of the module or of a function around this one; or to one that inner functions use.
    fn bind(&mut self, binding: BindingId) {
        let bound = self.ctx.module.bindings[binding.index()];
        let owner = self.ctx.module.function(bound.owner);
        let name = owner.symbols[bound.symbol.index()].name;
        let is_outer = bound.owner != self.cells.function.id;
        let cell = if is_outer { self.cells.variable_cell(name) } else { self.captured(name) };
        let at = match bound.kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) | BindingKind::Modified(value) => value,
            _ => return,
        };
        if let Some(cell) = cell {
            self.add(cell, Does::Writes, None, at);
        }
    }

    fn call(&mut self, call: ExprId) {
        let module = self.ctx.module;
        let Expr::Call(callee, args) = module.expr(call) else { return };
        let Expr::Attr(base, method) = module.expr(callee) else { return };
        let does = self.effect(base, method, module.args(args).len());
        self.path(base, does, Some(method));
    }

    /// What a method does to its receiver, by its name where the receiver is a container or not known.
    fn effect(&self, base: ExprId, method: Name, arguments: usize) -> Does {
        let value = self.ctx.evaluator.eval(self.cells.function.id, base).without_none();
        let is_object = value.members().iter().any(|member| {
            matches!(member, Type::Instance(..) | Type::Module(_) | Type::Class(_))
                || matches!(member, Type::ExternalInstance(path, _) if self.ctx.program.models().kind(*path).is_some())
        });
        if is_object {
            return Does::Uses;
        }
        let changes_too = [
            "sort",
            "reverse",
            "rotate",
            "move_to_end",
            "subtract",
            "intersection_update",
            "difference_update",
            "symmetric_difference_update",
        ];
        match touch(self.ctx.module.language, method.as_str(), arguments) {
            Some(Touch::AsksIfEmpty | Touch::Looks | Touch::Gets) => Does::Reads,
            Some(_) => Does::Changes,
            None if changes_too.contains(&method.as_str()) => Does::Changes,
            None => Does::Uses,
        }
    }

    /// The place that a path leads to is accessed so, those on the way there are read.
    fn path(&mut self, place: ExprId, does: Does, by: Option<Name>) {
        let (mut place, mut does, mut by) = (place, does, by);
        let mut last: Option<Root> = None;
        loop {
            let module = self.ctx.module;
            let next = match module.expr(place) {
                Expr::Attr(base, _) => Some(base),
                Expr::Subscript(base, _) => {
                    // Changing an element of a container changes what is in it, not the container.
                    place = base;
                    does = if does == Does::Writes { Does::Changes } else { does };
                    continue;
                }
                Expr::Name(..) => None,
                _ => return,
            };
            if let Some(cell) = self.cell(place).filter(|cell| last != Some(cell.root)) {
                let is_part = cell.part.is_some() && does == Does::Writes;
                last = Some(cell.root);
                self.add(cell, if is_part { Does::Changes } else { does }, by, place);
            }
            let Some(base) = next else { return };
            (place, does, by) = (base, Does::Reads, None);
        }
    }

    fn cell(&self, place: ExprId) -> Option<Cell> {
        match self.ctx.module.expr(place) {
            // Another module's variable, imported in the function.
            Expr::Name(name, Defs::One(binding)) if self.is_import(binding) => self.cells.variable_cell(name),
            Expr::Name(name, defs) if defs != Defs::Outer => self.captured(name).or_else(|| self.cells.of(place)),
            _ => self.cells.of(place),
        }
    }

    fn is_import(&self, binding: BindingId) -> bool {
        matches!(self.ctx.module.bindings[binding.index()].kind, BindingKind::ImportMember(..))
    }

    /// A variable of this function that functions inside it use.
    fn captured(&self, name: Name) -> Option<Cell> {
        let function = self.cells.function;
        let body = self.ctx.module.function(function.id);
        let symbol = body.symbol(name)?;
        let is_used_inside =
            || body.symbols[symbol.index()].bound_inside || !self.ctx.captures_of(function.id, name).is_empty();
        if body.kind != FunctionKind::Function || !is_used_inside() {
            return None;
        }
        let is_value = |binding: &BindingId| {
            matches!(
                self.ctx.module.bindings[binding.index()].kind,
                BindingKind::Value(_) | BindingKind::Typed(..) | BindingKind::Modified(_)
            )
        };
        let is_kept = body.symbols[symbol.index()].bindings.iter().any(is_value);
        let root = Root::Variable(Variable { owner: function, symbol });
        is_kept.then_some(Cell { root, owner: Owner::Static, part: None, key: None })
    }

    fn add(&mut self, cell: Cell, does: Does, by: Option<Name>, at: ExprId) {
        if self.known.insert((at, does)) {
            self.found.push(Access { cell, function: self.cells.function, does, by, at, event: self.event });
        }
    }
}

/// Nobody else can have the object yet: a constructor fills it, the module's own body, or the function that has just made it.
pub(crate) fn is_initial(program: &Program, access: &Access) -> bool {
    match access.cell.root {
        Root::Field(class, _) => {
            let by_constructor =
                access.cell.owner == Owner::Receiver && names::is_constructor(program, access.function);
            let body = program.class(class).body;
            by_constructor
                || is_of_new_object(program, access)
                || access.function == FunctionRef { file: class.file, id: body }
        }
        Root::Variable(variable) if variable.owner.id == FunctionId(0) => access.function == variable.owner,
        Root::Variable(variable) => access.function == variable.owner && is_before_definitions(program, access),
        Root::Param(..) => false,
    }
}

/// No function inside has come to be that could use the variable, too.
fn is_before_definitions(program: &Program, access: &Access) -> bool {
    let before = &program.function(access.function).events[..access.event];
    !before.iter().any(|event| matches!(event, Event::Define(_)))
}

/// `made = Made(); made.value = 1`: control has not been given up since the function has made the object.
fn is_of_new_object(program: &Program, access: &Access) -> bool {
    let module = program.module(access.function.file);
    let Expr::Attr(base, _) = module.expr(access.at) else { return false };
    let Expr::Name(_, Defs::One(binding)) = module.expr(base) else { return false };
    let BindingKind::Value(made) = module.bindings[binding.index()].kind else { return false };
    let is_constructed =
        || program.site(access.function, made).is_some_and(|site| matches!(site.callee, Type::Class(_)));
    let events = &program.function(access.function).events[..access.event];
    let since = || events.iter().rposition(|event| *event == Event::Bind(binding));
    is_constructed()
        && since().is_some_and(|since| !events[since..].iter().any(|event| matches!(event, Event::Suspend(..))))
}

//! From a function to what it and those that it starts do, in order.

use super::ops::{Does, Lane, Op, Trace};
use super::path::{Part, Path, Root};
use crate::context::{Captured, Context};
use crate::finding::Place;
use racewalk_ir::{
    ArgKind, BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Module, Name, Role,
    SymbolId,
};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, Program, Type};
use racewalk_models::{Call, Orders, Position};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// How many calls within each other are looked into.
const DEEPEST: usize = 5;

/// A trace that becomes longer is cut short.
const LONGEST: usize = 6_000;

/// The path beneath which the language's own types and functions live.
const CHANNELS: [&str; 2] = ["universe.chan", "universe.<-chan"];

/// The function, or one inside of it, starts something beside itself.
pub(crate) fn spawns_below(ctx: &Context<'_>, function: FunctionId) -> bool {
    let module = ctx.module;
    let starts = |event: &Event| match *event {
        Event::Spawn(_) => true,
        Event::Call(call) => {
            let site = ctx.program.site(ctx.function_ref(function), call);
            site.and_then(|site| ctx.program.model_at(site)).is_some_and(|model| model.offloads.is_some())
        }
        _ => false,
    };
    let body = module.function(function);
    body.events.iter().any(starts)
        || body.events.iter().any(|event| match *event {
            Event::Define(inner) => module.function(inner).kind == FunctionKind::Lambda && spawns_below(ctx, inner),
            _ => false,
        })
}

/// The function, or a literal in it, takes locks.
pub(crate) fn takes_locks(ctx: &Context<'_>, function: FunctionId) -> bool {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    let takes = |model: &Call| matches!(model.orders, Some(Orders::Locks | Orders::LocksToRead));
    sites.filter_map(|site| ctx.program.model_at(site)).any(takes)
        || ctx.module.function(function).events.iter().any(|event| match *event {
            Event::Define(inner) => ctx.module.function(inner).kind == FunctionKind::Lambda && takes_locks(ctx, inner),
            _ => false,
        })
}

/// What a function and those that it starts do.
pub(crate) fn trace(ctx: &Context<'_>, function: FunctionId) -> Trace {
    build(ctx, function, DEEPEST)
}

/// The same, with calls of other functions left alone.
pub(crate) fn traced_alone(ctx: &Context<'_>, function: FunctionId) -> Trace {
    build(ctx, function, 0)
}

fn build(ctx: &Context<'_>, function: FunctionId, deepest: usize) -> Trace {
    let mut builder = Builder {
        ctx,
        program: ctx.program,
        trace: Trace { lanes: vec![Lane::default()], ..Trace::default() },
        evaluators: FxHashMap::default(),
        runs: 1,
        stack: Vec::new(),
        ops: 0,
        deepest,
        owed: Vec::new(),
    };
    let frame =
        Rc::new(Frame { function: ctx.function_ref(function), run: 1, given: FxHashMap::default(), outer: None });
    builder.body(&frame, 0);
    builder.trace
}

/// A run of a function.
struct Frame {
    function: FunctionRef,
    run: u32,
    /// What its parameters stand for.
    given: FxHashMap<SymbolId, Given>,
    /// The run of the function that it stands in.
    outer: Option<Rc<Frame>>,
}

/// What a parameter or variable stands for.
#[derive(Clone)]
enum Given {
    /// What this leads to, by a reference to it.
    Reference(Path),
    /// The same contents as this: what a channel, mapping or sequence refers to.
    Contents(Path),
    /// A function literal, in the run that it stands in.
    Literal(FunctionId, Rc<Frame>),
    /// A function of the program.
    Function(FunctionRef),
}

/// What is called.
enum Called {
    Body(FunctionRef, Option<Rc<Frame>>, Option<ExprId>),
    Model(Box<Call>),
    Builtin(Name),
    Conversion,
    Unknown,
}

struct Builder<'c, 'p> {
    ctx: &'c Context<'p>,
    program: &'p Program,
    trace: Trace,
    /// Evaluators of other files than the one that is looked at.
    evaluators: FxHashMap<FileId, Rc<Evaluator<'p>>>,
    runs: u32,
    stack: Vec<FunctionRef>,
    ops: usize,
    deepest: usize,
    /// What has to be called, as far as that is seen.
    owed: Vec<Path>,
}

impl<'p> Builder<'_, 'p> {
    fn module(&self, frame: &Frame) -> &'p Module {
        self.program.module(frame.function.file)
    }

    /// Asks the evaluator of a file.
    fn ask<T>(&mut self, file: FileId, question: impl FnOnce(&Evaluator<'p>) -> T) -> T {
        if file == self.ctx.file {
            return question(&self.ctx.evaluator);
        }
        let program = self.program;
        question(self.evaluators.entry(file).or_insert_with(|| Rc::new(program.evaluator(file))))
    }

    fn op(&mut self, frame: &Frame, lane: usize, does: Does, at: ExprId) {
        let span = self.module(frame).span(at);
        self.push(frame, lane, does, Place { file: frame.function.file, span });
        if let Some(op) = self.trace.lanes[lane].ops.last_mut() {
            op.expr = Some(at);
        }
    }

    fn mark(&mut self, frame: &Frame, lane: usize, does: Does) {
        let span = self.program.function(frame.function).name_span;
        self.push(frame, lane, does, Place { file: frame.function.file, span });
    }

    fn push(&mut self, frame: &Frame, lane: usize, does: Does, at: Place) {
        self.ops += 1;
        self.trace.lanes[lane].ops.push(Op {
            does,
            at,
            function: frame.function,
            expr: None,
            is_handed: false,
            at_exit: None,
        });
    }

    // ---- bodies --------------------------------------------------------------------------------------------------

    /// What a run of a function does in a lane.
    fn body(&mut self, frame: &Rc<Frame>, lane: usize) {
        if self.ops > LONGEST || self.stack.len() > 24 {
            self.trace.is_cut = true;
            return;
        }
        self.stack.push(frame.function);
        self.mark(frame, lane, Does::Enters);
        let program = self.program;
        let body = program.function(frame.function);
        for param in &body.params {
            if let Some(root) = body.symbol(param.name).and_then(|symbol| self.root(frame, frame.function.id, symbol)) {
                // They come to be where the body begins.
                let at = self.trace.lanes[lane].ops.len() - 1;
                self.trace.declared.push((root, lane, at));
            }
        }
        let events = &body.events;
        let mut at_exit: Vec<(usize, ExprId)> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            if let Event::Loop(source) = *event {
                let goes_through = takes_elements(self.module(frame), &events[at + 1..]);
                self.open_loop(frame, lane, source, goes_through);
            } else {
                self.event(frame, lane, event, &mut at_exit);
            }
        }
        self.mark(frame, lane, Does::Leaves);
        for (said, call) in at_exit.into_iter().rev() {
            let from = self.trace.lanes[lane].ops.len();
            self.call(frame, lane, call, false);
            self.trace.lanes[lane].ops[from..].iter_mut().for_each(|op| op.at_exit = Some(said));
        }
        self.stack.pop();
    }

    fn event(&mut self, frame: &Rc<Frame>, lane: usize, event: &Event, at_exit: &mut Vec<(usize, ExprId)>) {
        match *event {
            Event::Read(expr) => self.read(frame, lane, expr),
            Event::ReadPlace(expr) => self.touch_place(frame, lane, expr, false),
            Event::Modify(expr) => self.touch_place(frame, lane, expr, false),
            Event::WritePlace(expr, _) => self.touch_place(frame, lane, expr, true),
            Event::Bind(binding) => self.bind(frame, lane, binding),
            Event::Call(call) => self.call(frame, lane, call, false),
            Event::Spawn(call) => self.call(frame, lane, call, true),
            Event::AtExit(call) => at_exit.push((self.trace.lanes[lane].ops.len(), call)),
            Event::Send(channel, _) => {
                if let Some(path) = self.contents(frame, channel) {
                    self.op(frame, lane, Does::Sends(path), channel);
                }
            }
            Event::Receive(expr) => {
                if let Expr::Received(channel) = self.module(frame).expr(expr)
                    && let Some(path) = self.channel(frame, channel)
                {
                    self.op(frame, lane, Does::Receives(path), expr);
                }
            }
            Event::Select(has_default) => self.mark(frame, lane, Does::Selects(has_default)),
            Event::Branch(condition) => {
                self.mark(frame, lane, Does::Branches);
                self.enter_arm(frame, lane, condition);
            }
            Event::Arm(condition) => {
                self.mark(frame, lane, Does::Arm);
                self.enter_arm(frame, lane, condition);
            }
            Event::EndBranch(exhaustive) => self.mark(frame, lane, Does::Joins { exhaustive }),
            Event::EndLoop => self.mark(frame, lane, Does::EndsLoop),
            Event::Break => self.mark(frame, lane, Does::Breaks),
            Event::Continue => self.mark(frame, lane, Does::Continues),
            Event::Return(_) => self.mark(frame, lane, Does::Returns),
            Event::Raise(_) => self.mark(frame, lane, Does::Dies),
            _ => {}
        }
    }

    /// An arm whose condition never holds is not taken.
    fn enter_arm(&mut self, frame: &Rc<Frame>, lane: usize, condition: Option<ExprId>) {
        if let Some(condition) = condition
            && self.constant(frame, condition) == Some(0)
        {
            self.op(frame, lane, Does::Dies, condition);
        }
    }

    /// The value of an expression that has the same one always; a condition that holds is 1.
    fn constant(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<i32> {
        let module = self.module(frame);
        match module.expr(expr) {
            Expr::Literal(Literal::Int(value)) => Some(value),
            Expr::Literal(Literal::Bool(value)) => Some(i32::from(value)),
            Expr::Not(inner) => Some(i32::from(self.constant(frame, inner)? == 0)),
            Expr::Equality(list) => match module.list(list) {
                [a, b] => Some(i32::from(self.constant(frame, *a)? == self.constant(frame, *b)?)),
                _ => None,
            },
            Expr::Name(..) => {
                let (Root::Local(run, file, owner, symbol), None) = self.variable(frame, expr)? else { return None };
                let [only] = module.function(owner).symbols[symbol.index()].bindings.as_slice() else { return None };
                match module.bindings[only.index()].kind {
                    BindingKind::Value(value) if run > 0 && file == frame.function.file => match module.expr(value) {
                        Expr::Literal(Literal::Int(value)) => Some(value),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn open_loop(&mut self, frame: &Rc<Frame>, lane: usize, source: Option<ExprId>, goes_through: bool) {
        let Some(source) = source else { return self.mark(frame, lane, Does::Loops(true)) };
        let ty = self.type_of(frame, source);
        if is_channel(ty)
            && let Some(path) = self.contents(frame, source)
        {
            self.op(frame, lane, Does::Drains(path), source);
        } else if let Some((path, _)) = self.place(frame, source) {
            let is_mapping = matches!(ty.without_none(), Type::Mapping(_));
            if is_mapping || goes_through {
                let part = if is_mapping { Part::Entry } else { Part::All };
                self.touch(frame, lane, path.with(part), false, source);
            }
        }
        self.mark(frame, lane, Does::Loops(false));
    }

    // ---- memory --------------------------------------------------------------------------------------------------

    fn touch(&mut self, frame: &Frame, lane: usize, path: Path, write: bool, at: ExprId) {
        self.op(frame, lane, Does::Touches { path, write, atomic: false }, at);
    }

    fn read(&mut self, frame: &Rc<Frame>, lane: usize, expr: ExprId) {
        let module = self.module(frame);
        let role = module.role(expr);
        let Some((root, given)) = self.variable(frame, expr) else { return };
        let is_field = || {
            module.parent(expr).is_some_and(|parent| match module.expr(parent) {
                Expr::Call(callee, call) => {
                    module.args(call).iter().any(|arg| arg.value == expr && matches!(arg.kind, ArgKind::Named(_)))
                        || module.role(callee) == Role::Callee
                            && self.program.site(frame.function, parent).is_none()
                            && is_type_name(module, callee)
                }
                _ => false,
            })
        };
        if matches!(role, Role::Stored | Role::Returned | Role::Element | Role::Arm)
            || role == Role::Argument && is_field()
        {
            self.trace.escaped.insert(root);
        }
        let path = Path::of(root);
        if self.owed.contains(&path) {
            self.op(frame, lane, Does::Pays(path.clone()), expr);
        }
        if given.is_none() && role == Role::Receiver && self.is_addressed_only(frame, expr, root) {
            return;
        }
        if self.is_shared(root) {
            self.touch(frame, lane, path, false, expr);
        }
    }

    /// The method of a value that is no reference is called: by the value's address, or on a part of it.
    fn is_addressed_only(&mut self, frame: &Rc<Frame>, expr: ExprId, root: Root) -> bool {
        let module = self.module(frame);
        let Root::Local(_, file, owner, symbol) = root else { return false };
        let Some(parent) = module.parent(expr).filter(|_| file == frame.function.file) else { return false };
        let Type::Method(method, _) = self.type_of(frame, parent) else { return false };
        let bindings = &module.function(owner).symbols[symbol.index()].bindings;
        let Type::Instance(class, _) = self.type_of(frame, expr) else { return false };
        let is_value = bindings.iter().all(|it| match module.bindings[it.index()].kind {
            BindingKind::Typed(ty, _) => !matches!(module.expr(ty), Expr::Address(_)),
            BindingKind::Value(value) => matches!(module.expr(value), Expr::Call(..)) && self.is_display(frame, value),
            _ => false,
        });
        let body = self.program.function(method);
        let of = self.program.module(method.file);
        let by_reference =
            body.params.first().and_then(|it| it.annotation).is_some_and(|it| matches!(of.expr(it), Expr::Address(_)));
        is_value && (by_reference || body.class != Some(class.id) || method.file != class.file)
    }

    /// `T{…}`: a value of the class that is called.
    fn is_display(&mut self, frame: &Frame, value: ExprId) -> bool {
        let Expr::Call(callee, _) = self.module(frame).expr(value) else { return false };
        matches!(self.type_of(frame, callee), Type::Class(_))
    }

    fn touch_variable(&mut self, frame: &Rc<Frame>, lane: usize, expr: ExprId, write: bool) {
        if let Some((root, _)) = self.variable(frame, expr)
            && self.is_shared(root)
        {
            self.touch(frame, lane, Path::of(root), write, expr);
        }
    }

    fn touch_place(&mut self, frame: &Rc<Frame>, lane: usize, expr: ExprId, write: bool) {
        match self.module(frame).expr(expr) {
            Expr::Name(..) => self.touch_variable(frame, lane, expr, write),
            _ => {
                if let Some((path, false)) = self.place(frame, expr) {
                    self.touch(frame, lane, path, write, expr);
                }
            }
        }
    }

    fn bind(&mut self, frame: &Rc<Frame>, lane: usize, binding: BindingId) {
        let module = self.module(frame);
        let bound = module.bindings[binding.index()];
        if matches!(bound.kind, BindingKind::Param(_)) {
            // It has come to be with the body.
            return;
        }
        let Some(root) = self.root(frame, bound.owner, bound.symbol) else { return };
        let symbol = &module.function(bound.owner).symbols[bound.symbol.index()];
        let is_declaration = symbol.bindings.first() == Some(&binding) && bound.owner != FunctionId(0);
        if is_declaration {
            let at = self.trace.lanes[lane].ops.len();
            self.trace.declared.push((root, lane, at));
            let place = Place { file: frame.function.file, span: bound.span };
            self.push(frame, lane, Does::Declares(root), place);
            if let BindingKind::Part(value, 1) = bound.kind
                && self.gives_cancel(frame, value)
            {
                self.owed.push(Path::of(root));
                let place = Place { file: frame.function.file, span: bound.span };
                self.push(frame, lane, Does::Owes(Path::of(root)), place);
            }
            if let Some(value) = bound.kind.source()
                && let Some(capacity) = self.made_channel(frame, value)
            {
                self.trace.channels.push((Path::of(root), capacity));
            }
        } else if self.is_shared(root) && is_variable(bound.kind) {
            let at = Place { file: frame.function.file, span: bound.span };
            self.push(frame, lane, Does::Touches { path: Path::of(root), write: true, atomic: false }, at);
        }
    }

    /// The value is what ends by a signal, with the function that sends the signal.
    fn gives_cancel(&mut self, frame: &Rc<Frame>, value: ExprId) -> bool {
        matches!(self.called(frame, value), Called::Model(model) if model.orders == Some(Orders::GivesCancel))
    }

    /// How much the channel holds that an expression makes.
    fn made_channel(&mut self, frame: &Rc<Frame>, value: ExprId) -> Option<Option<i32>> {
        let module = self.module(frame);
        let Expr::Call(callee, call) = module.expr(value) else { return None };
        let Expr::Name(name, _) = module.expr(callee) else { return None };
        if name.as_str() != "make" || !is_channel(self.type_of(frame, value)) {
            return None;
        }
        Some(match module.args(call) {
            [] => Some(0),
            [size, ..] => match module.expr(size.value) {
                Expr::Literal(Literal::Int(size)) => Some(size),
                _ => None,
            },
        })
    }

    /// Another function, or a reference, may lead to the variable.
    fn is_shared(&self, root: Root) -> bool {
        let Root::Local(_, file, function, symbol) = root else { return true };
        let captured = self.ctx.shared.captured[file.index()].get_or_init(|| captured_in(self.program, file));
        captured.contains(&(function, symbol))
    }

    // ---- names ---------------------------------------------------------------------------------------------------

    fn root(&self, frame: &Rc<Frame>, owner: FunctionId, symbol: SymbolId) -> Option<Root> {
        let file = frame.function.file;
        if owner == FunctionId(0) {
            return Some(Root::Global(file, symbol));
        }
        let run = self.run_of(frame, owner).map_or(0, |frame| frame.run);
        Some(Root::Local(run, file, owner, symbol))
    }

    fn run_of(&self, frame: &Rc<Frame>, owner: FunctionId) -> Option<Rc<Frame>> {
        let mut current = Some(frame.clone());
        while let Some(it) = current {
            if it.function.id == owner && it.function.file == frame.function.file {
                return Some(it);
            }
            current = it.outer.clone();
        }
        None
    }

    /// The variable that a name is, and what it stands for where that is known.
    fn variable(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<(Root, Option<Given>)> {
        let module = self.module(frame);
        let Expr::Name(name, defs) = module.expr(expr) else { return None };
        let function = frame.function.id;
        let (owner, symbol) = match defs {
            Defs::Outer => self.ask(frame.function.file, |evaluator| evaluator.scope_of(function, name))?,
            _ => (function, module.function(function).symbol(name)?),
        };
        let bindings = &module.function(owner).symbols[symbol.index()].bindings;
        if !bindings.iter().all(|it| is_variable(module.bindings[it.index()].kind)) {
            return None;
        }
        let run = self.run_of(frame, owner);
        let given = run.as_ref().and_then(|run| run.given.get(&symbol).cloned());
        let given = match (given, bindings.as_slice(), run) {
            (Some(given), ..) => Some(given),
            (None, [only], Some(run)) => self.stands_for(&run, module.bindings[only.index()].kind),
            _ => None,
        };
        Some((self.root(frame, owner, symbol)?, given))
    }

    /// What a variable stands for that is bound once: a function literal, or a reference to something.
    fn stands_for(&mut self, run: &Rc<Frame>, kind: BindingKind) -> Option<Given> {
        let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = kind else { return None };
        match self.module(run).expr(value) {
            Expr::Lambda(id) => Some(Given::Literal(id, run.clone())),
            Expr::Address(_) => match self.place(run, value)? {
                (path, true) => Some(Given::Reference(path)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The place that an expression leads to; `true` when the expression's value is a reference to it.
    fn place(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<(Path, bool)> {
        let module = self.module(frame);
        match module.expr(expr) {
            Expr::Name(..) => match self.variable(frame, expr)? {
                (_, Some(Given::Reference(path))) => Some((path, true)),
                (_, Some(Given::Contents(path))) => Some((path, false)),
                (_, Some(Given::Literal(..) | Given::Function(_))) => None,
                (root, None) => Some((Path::of(root), false)),
            },
            Expr::Attr(base, name) => match self.place(frame, base) {
                Some((path, _)) => Some((path.with(Part::Field(name)), false)),
                None => self.of_package(frame, base, name),
            },
            Expr::Subscript(base, key) => {
                let ty = self.type_of(frame, base).without_none();
                let (path, _) = self.place(frame, base)?;
                let part = match (ty, module.expr(key)) {
                    (_, Expr::Operation(_)) if !is_computed_key(module, key) => return Some((path, false)),
                    (Type::Mapping(_), _) => Part::Entry,
                    (_, Expr::Literal(Literal::Int(at))) => Part::At(at),
                    _ => Part::Element,
                };
                Some((path.with(part), false))
            }
            Expr::Deref(base) => match self.place(frame, base)? {
                (path, true) => Some((path, false)),
                (path, false) => Some((path.with(Part::Pointee), false)),
            },
            Expr::Address(of) => self.place(frame, of).map(|(path, _)| (path, true)),
            Expr::Bind(value) => self.place(frame, value),
            _ => None,
        }
    }

    /// A variable of another package.
    fn of_package(&mut self, frame: &Rc<Frame>, base: ExprId, name: Name) -> Option<(Path, bool)> {
        let Type::Module(file) = self.type_of(frame, base) else { return None };
        let module = self.program.module(file);
        let body = module.function(FunctionId(0));
        let symbol = body.symbol(name)?;
        let bindings = &body.symbols[symbol.index()].bindings;
        let is_all_variable = bindings.iter().all(|it| is_variable(module.bindings[it.index()].kind));
        is_all_variable.then(|| (Path::of(Root::Global(file, symbol)), false))
    }

    /// What a lock, a channel or the like is known by: copies of a reference are the same.
    fn contents(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<Path> {
        let mut frame = frame.clone();
        let mut expr = expr;
        for _ in 0..8 {
            let module = self.module(&frame);
            let Expr::Name(..) = module.expr(expr) else { break };
            let (root, given) = self.variable(&frame, expr)?;
            if given.is_some() {
                break;
            }
            let Root::Local(_, _, owner, symbol) = root else { break };
            let [only] = module.function(owner).symbols[symbol.index()].bindings.as_slice() else { break };
            let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = module.bindings[only.index()].kind
            else {
                break;
            };
            if !matches!(module.expr(value), Expr::Name(..) | Expr::Attr(..)) {
                break;
            }
            let Some(run) = self.run_of(&frame, owner) else { break };
            frame = run;
            expr = value;
        }
        self.place(&frame, expr).map(|(path, _)| path)
    }

    /// The channel that an expression gives: `ctx.Done()` has one of its own in each context.
    fn channel(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<Path> {
        let module = self.module(frame);
        if let Expr::Call(callee, _) = module.expr(expr) {
            let Called::Model(model) = self.called(frame, expr) else { return None };
            let Expr::Attr(base, name) = module.expr(callee) else { return None };
            return match model.orders {
                Some(Orders::GivesEnd) => Some(self.contents(frame, base)?.with(Part::Field(name))),
                _ => None,
            };
        }
        self.contents(frame, expr)
    }

    fn type_of(&mut self, frame: &Frame, expr: ExprId) -> Type {
        self.ask(frame.function.file, |evaluator| evaluator.eval(frame.function.id, expr))
    }

    // ---- calls ---------------------------------------------------------------------------------------------------

    fn called(&mut self, frame: &Rc<Frame>, call: ExprId) -> Called {
        let module = self.module(frame);
        let Expr::Call(callee, _) = module.expr(call) else { return Called::Unknown };
        let receiver = match module.expr(callee) {
            Expr::Attr(base, _) => Some(base),
            Expr::Lambda(id) => {
                let function = FunctionRef { file: frame.function.file, id };
                return Called::Body(function, Some(frame.clone()), None);
            }
            Expr::Name(..) => match self.variable(frame, callee) {
                Some((_, Some(Given::Literal(id, outer)))) => {
                    let function = FunctionRef { file: outer.function.file, id };
                    return Called::Body(function, Some(outer), None);
                }
                Some((_, Some(Given::Function(function)))) => return Called::Body(function, None, None),
                _ => None,
            },
            _ => None,
        };
        let program = self.program;
        let ty = match program.site(frame.function, call) {
            Some(site) => site.callee,
            None => self.type_of(frame, callee),
        };
        match ty {
            Type::Function(function) => Called::Body(function, None, None),
            Type::Method(function, _) => Called::Body(function, None, receiver),
            Type::Class(_) | Type::Form(_) => Called::Conversion,
            Type::External(path) if path.first_segment() == module.language.builtins => {
                Called::Builtin(Name::new(path.last_segment()))
            }
            other => match program.model_of(other) {
                Some(model) => Called::Model(Box::new(model.clone())),
                None => self.by_name(module, callee).map_or(Called::Unknown, |model| Called::Model(Box::new(model))),
            },
        }
    }

    /// What is known of a lock's method by its name.
    fn by_name(&self, module: &Module, callee: ExprId) -> Option<Call> {
        let Expr::Attr(_, name) = module.expr(callee) else { return None };
        let class = module.language.lock_class.map(Name::new)?;
        self.program.models().method(class, name).cloned()
    }

    fn call(&mut self, frame: &Rc<Frame>, lane: usize, call: ExprId, beside: bool) {
        let module = self.module(frame);
        let Expr::Call(callee, args) = module.expr(call) else { return };
        let args: Vec<ExprId> = module.args(args).iter().map(|arg| arg.value).collect();
        match self.called(frame, call) {
            Called::Body(function, outer, receiver) => {
                if outer.is_none() && !beside {
                    let of = receiver.and_then(|of| self.contents(frame, of));
                    self.op(frame, lane, Does::Calls(function, of), call);
                }
                let Some(run) = self.enter(frame, function, outer, receiver, &args) else {
                    return self.unknown(frame, lane, call, &args);
                };
                if beside {
                    self.spawn(frame, lane, call, None, |builder, lane| builder.body(&run, lane));
                } else {
                    self.body(&run, lane);
                }
            }
            Called::Model(model)
                if model.orders.is_some() || model.offloads.is_some() || model.ends_process.is_some() =>
            {
                self.modelled(frame, lane, call, callee, &args, &model);
            }
            Called::Model(_) => self.closures(frame, lane, &args),
            Called::Builtin(name) => self.builtin(frame, lane, call, name, &args),
            Called::Conversion => {}
            Called::Unknown if beside => {
                self.spawn(frame, lane, call, None, |builder, lane| builder.unknown(frame, lane, call, &args));
            }
            Called::Unknown => self.unknown(frame, lane, call, &args),
        }
    }

    /// A run of a function with these arguments; none when it is not looked into.
    fn enter(
        &mut self,
        frame: &Rc<Frame>,
        function: FunctionRef,
        outer: Option<Rc<Frame>>,
        receiver: Option<ExprId>,
        args: &[ExprId],
    ) -> Option<Rc<Frame>> {
        let body = self.program.function(function);
        let is_literal = outer.is_some();
        let named = self.stack.iter().filter(|it| self.program.function(**it).kind == FunctionKind::Function).count();
        if self.stack.contains(&function) || body.stub != racewalk_ir::Stub::No || !is_literal && named > self.deepest {
            return None;
        }
        self.runs += 1;
        let run = self.runs;
        let mut given = FxHashMap::default();
        let values = receiver.into_iter().chain(args.iter().copied());
        for (param, value) in body.params.iter().zip(values) {
            let module = self.program.module(function.file);
            let is_reference = param.annotation.is_some_and(|it| matches!(module.expr(it), Expr::Address(_)));
            let declared =
                param.annotation.map(|it| self.ask(function.file, |evaluator| evaluator.annotation(function.id, it)));
            if let (Some(symbol), Some(value)) =
                (body.symbol(param.name), self.given(frame, value, is_reference, declared))
            {
                given.insert(symbol, value);
            }
        }
        Some(Rc::new(Frame { function, run, given, outer }))
    }

    /// What an argument is to a parameter.
    fn given(&mut self, frame: &Rc<Frame>, value: ExprId, is_reference: bool, declared: Option<Type>) -> Option<Given> {
        let module = self.module(frame);
        match module.expr(value) {
            Expr::Lambda(id) => return Some(Given::Literal(id, frame.clone())),
            Expr::Name(..) => match self.variable(frame, value) {
                Some((_, Some(known @ (Given::Literal(..) | Given::Function(_))))) => return Some(known),
                Some(_) => {}
                None => {
                    if let Type::Function(function) = self.type_of(frame, value) {
                        return Some(Given::Function(function));
                    }
                }
            },
            _ => {}
        }
        let (path, refers) = match self.place(frame, value)? {
            (path, true) => (path, true),
            (path, false) => (self.contents(frame, value).unwrap_or(path), is_reference),
        };
        if refers {
            return Some(Given::Reference(path));
        }
        let shares = match declared? {
            Type::Mapping(_) | Type::Collection(_) => true,
            Type::Instance(class, _) => {
                let body = self.program.class(class).body;
                let fields = &self.program.module(class.file).function(body).symbols;
                let module = self.program.module(class.file);
                !fields.iter().any(|it| {
                    it.bindings.iter().any(|it| matches!(module.bindings[it.index()].kind, BindingKind::Typed(..)))
                })
            }
            other => {
                is_sent_to(other)
                    || is_channel(other)
                    || matches!(other, Type::ExternalInstance(name, _) if name.last_segment() == "Context")
            }
        };
        shares.then_some(Given::Contents(path))
    }

    fn spawn(
        &mut self,
        frame: &Frame,
        lane: usize,
        at: ExprId,
        counted: Option<Path>,
        work: impl FnOnce(&mut Self, usize),
    ) {
        let started = self.trace.lanes.len();
        let position = self.trace.lanes[lane].ops.len();
        self.op(frame, lane, Does::Spawns(started), at);
        self.trace.lanes.push(Lane { ops: Vec::new(), parent: Some((lane, position)), counted });
        work(self, started);
    }

    /// A call of which nothing is known: the functions that it is given may run in it, and with what it is given anything may be done.
    fn unknown(&mut self, frame: &Rc<Frame>, lane: usize, call: ExprId, args: &[ExprId]) {
        let module = self.module(frame);
        self.closures(frame, lane, args);
        let Expr::Call(callee, _) = module.expr(call) else { return };
        let receiver = match module.expr(callee) {
            Expr::Attr(base, _) => Some(base),
            _ => None,
        };
        for value in receiver.into_iter().chain(args.iter().copied()) {
            let is_plain = match module.expr(value) {
                Expr::Address(_) => false,
                Expr::Name(..) | Expr::Attr(..) => is_plain(module, self.type_of(frame, value)),
                _ => true,
            };
            if let Some(path) = (!is_plain).then(|| self.contents(frame, value)).flatten() {
                self.op(frame, lane, Does::Handles(path), call);
            }
        }
    }

    /// Function literals that are given to a call may run in it.
    fn closures(&mut self, frame: &Rc<Frame>, lane: usize, args: &[ExprId]) {
        for arg in args {
            let Some(Given::Literal(id, outer)) = self.closure(frame, *arg) else { continue };
            let function = FunctionRef { file: outer.function.file, id };
            if let Some(run) = self.enter(frame, function, Some(outer), None, &[]) {
                let from = self.trace.lanes[lane].ops.len();
                self.body(&run, lane);
                self.trace.lanes[lane].ops[from..].iter_mut().for_each(|op| op.is_handed = true);
            }
        }
    }

    fn closure(&mut self, frame: &Rc<Frame>, expr: ExprId) -> Option<Given> {
        match self.module(frame).expr(expr) {
            Expr::Lambda(id) => Some(Given::Literal(id, frame.clone())),
            Expr::Name(..) => self.variable(frame, expr)?.1,
            _ => None,
        }
    }

    fn modelled(
        &mut self,
        frame: &Rc<Frame>,
        lane: usize,
        call: ExprId,
        callee: ExprId,
        args: &[ExprId],
        model: &Call,
    ) {
        let module = self.module(frame);
        let base = match module.expr(callee) {
            Expr::Attr(base, _) if !matches!(self.type_of(frame, base), Type::External(_)) => Some(base),
            _ => None,
        };
        let path = base.or(args.first().copied()).and_then(|of| self.contents(frame, of));
        if model.ends_process.is_some() {
            return self.op(frame, lane, Does::Dies, call);
        }
        if let Some(position) = model.offloads {
            let Some(work) = args.get(position as usize).copied() else { return };
            let counted = path.filter(|_| model.orders == Some(Orders::RunsCounted));
            return self.spawn(frame, lane, call, counted, |builder, lane| builder.run_given(frame, lane, work));
        }
        let Some(path) = path else { return self.closures(frame, lane, args) };
        let does = match model.orders {
            Some(Orders::Locks) => Does::Locks { path, shared: false },
            Some(Orders::LocksToRead) => Does::Locks { path, shared: true },
            Some(Orders::Unlocks) => Does::Unlocks { path, shared: false },
            Some(Orders::UnlocksFromReading) => Does::Unlocks { path, shared: true },
            Some(Orders::CountsUp) => Does::CountsUp(path),
            Some(Orders::CountsDown) => Does::CountsDown(path),
            Some(Orders::AwaitsAll) => Does::Awaits(path),
            Some(Orders::RunsOnce) => {
                // What holds it may be a lock of its own as well.
                let own = path.with(Part::Field(Name::new("once")));
                return self.once(frame, lane, call, &own, args, model);
            }
            Some(Orders::Atomic) => {
                self.op(frame, lane, Does::Touches { path: path.clone(), write: true, atomic: true }, call);
                Does::Handles(path)
            }
            Some(Orders::AwaitsWaking | Orders::Wakes) => Does::Handles(path),
            _ => return,
        };
        self.op(frame, lane, does, call);
    }

    /// The function runs under a lock of its own; whoever comes later finds it done.
    fn once(&mut self, frame: &Rc<Frame>, lane: usize, call: ExprId, path: &Path, args: &[ExprId], model: &Call) {
        let position = model.callbacks.iter().find_map(|it| match it {
            Position::Index(at) => Some(*at as usize),
            Position::Name(_) => None,
        });
        self.op(frame, lane, Does::Locks { path: path.clone(), shared: false }, call);
        if let Some(work) = position.and_then(|at| args.get(at).copied()) {
            self.run_given(frame, lane, work);
        }
        self.op(frame, lane, Does::CountsDown(path.clone()), call);
        self.op(frame, lane, Does::Unlocks { path: path.clone(), shared: false }, call);
        self.op(frame, lane, Does::Awaits(path.clone()), call);
    }

    /// Runs a function that is given as a value.
    fn run_given(&mut self, frame: &Rc<Frame>, lane: usize, work: ExprId) {
        let called = match self.closure(frame, work) {
            Some(Given::Literal(id, outer)) => Some((FunctionRef { file: outer.function.file, id }, Some(outer), None)),
            Some(Given::Function(function)) => Some((function, None, None)),
            _ => match (self.type_of(frame, work), self.module(frame).expr(work)) {
                (Type::Function(function), _) => Some((function, None, None)),
                (Type::Method(function, _), Expr::Attr(base, _)) => Some((function, None, Some(base))),
                _ => None,
            },
        };
        let Some((function, outer, receiver)) = called else { return };
        if let Some(run) = self.enter(frame, function, outer, receiver, &[]) {
            self.body(&run, lane);
        }
    }

    fn builtin(&mut self, frame: &Rc<Frame>, lane: usize, call: ExprId, name: Name, args: &[ExprId]) {
        let Some(first) = args.first().copied() else { return };
        let is_mapping = matches!(self.type_of(frame, first).without_none(), Type::Mapping(_));
        match name.as_str() {
            "close" => {
                if let Some(path) = self.contents(frame, first) {
                    self.op(frame, lane, Does::Closes(path), call);
                }
            }
            "delete" | "clear" | "copy" => {
                if let Some((path, _)) = self.place(frame, first) {
                    let is_part = matches!(self.module(frame).expr(first), Expr::Subscript(..));
                    let part = match name.as_str() {
                        _ if is_mapping => Part::Entry,
                        "delete" => Part::Entry,
                        _ if is_part => Part::Element,
                        _ => Part::All,
                    };
                    self.touch(frame, lane, path.with(part), true, call);
                }
            }
            "append" => {
                for added in &args[1..] {
                    if let Some((path, _)) = self.place(frame, *added) {
                        self.trace.escaped.insert(path.root);
                    }
                }
            }
            "len" if is_mapping => {
                if let Some((path, _)) = self.place(frame, first) {
                    self.touch(frame, lane, path.with(Part::Entry), false, call);
                }
            }
            _ => {}
        }
    }
}

/// The loop that begins here takes the elements of what it goes through, not only their keys.
fn takes_elements(module: &Module, events: &[Event]) -> bool {
    let binds = events.iter().map_while(|event| match event {
        Event::Bind(binding) => Some(module.bindings[binding.index()].kind),
        _ => None,
    });
    binds.take(2).any(|kind| matches!(kind, BindingKind::ElementPart(_, 1)))
}

/// The callee of a display is lowered as a type: nothing reads it.
fn is_type_name(module: &Module, callee: ExprId) -> bool {
    matches!(module.expr(callee), Expr::Name(_, Defs::Outer) | Expr::Attr(..))
}

/// A key that is computed, and no slice.
fn is_computed_key(module: &Module, key: ExprId) -> bool {
    // A slice's bounds stand in the brackets with a colon: its operation has no operator around its span.
    let Expr::Operation(list) = module.expr(key) else { return false };
    let parent = module.parent(key);
    match parent {
        Some(parent) => module.span(parent) != module.span(key) && !module.list(list).is_empty(),
        None => true,
    }
}

/// The class to whose instances this field belongs, in an expression that leads to it or to something inside of it.
pub(crate) fn place_of_class(ctx: &Context<'_>, function: FunctionId, expr: ExprId, field: Name) -> Option<ClassRef> {
    let mut expr = expr;
    loop {
        expr = match ctx.module.expr(expr) {
            Expr::Attr(base, name) if name == field => {
                return match ctx.evaluator.eval(function, base).without_none() {
                    Type::Instance(class, _) => Some(class),
                    _ => None,
                };
            }
            Expr::Attr(base, _) | Expr::Subscript(base, _) | Expr::Deref(base) | Expr::Address(base) => base,
            Expr::Call(_, call) => ctx.module.args(call).first()?.value,
            _ => return None,
        };
    }
}

/// The type is one of a channel.
pub(crate) fn is_channel(ty: Type) -> bool {
    matches!(ty.without_none(), Type::ExternalInstance(path, _) if CHANNELS.contains(&path.as_str()))
}

/// The type is one of a channel that is sent to.
fn is_sent_to(ty: Type) -> bool {
    matches!(ty, Type::ExternalInstance(path, _) if path.as_str() == "universe.chan<-")
}

/// The value is copied when it is handed on, and refers to nothing.
fn is_plain(module: &Module, ty: Type) -> bool {
    match ty {
        Type::Plain
        | Type::None
        | Type::Collection(_)
        | Type::Mapping(_)
        | Type::Function(_)
        | Type::Module(_)
        | Type::External(_) => true,
        Type::ExternalInstance(path, _) => {
            path.first_segment() == module.language.builtins && !is_channel(ty) && !is_sent_to(ty)
        }
        _ => false,
    }
}

fn is_variable(kind: BindingKind) -> bool {
    !matches!(
        kind,
        BindingKind::Import(_)
            | BindingKind::ImportMember(..)
            | BindingKind::Function(_)
            | BindingKind::Class(_)
            | BindingKind::TypeAlias(_)
            | BindingKind::TypeParameter(_)
    )
}

/// The variables of a file's functions that inner functions see, or whose address is taken.
fn captured_in(program: &Program, file: FileId) -> Captured {
    let module = program.module(file);
    let evaluator = program.evaluator(file);
    let mut found = Captured::default();
    for (id, function) in module.functions.iter().enumerate() {
        let id = FunctionId(id as u32);
        for event in &function.events {
            match *event {
                Event::Read(expr) => {
                    if let Expr::Name(name, Defs::Outer) = module.expr(expr) {
                        found.extend(evaluator.scope_of(id, name));
                    }
                }
                Event::Bind(binding) => {
                    let bound = module.bindings[binding.index()];
                    if bound.owner != bound.within {
                        found.insert((bound.owner, bound.symbol));
                    }
                }
                _ => {}
            }
        }
    }
    let mut bodies: Vec<(u32, FunctionId)> = (module.functions.iter().enumerate())
        .filter(|(_, it)| matches!(it.kind, FunctionKind::Function | FunctionKind::Lambda))
        .map(|(id, it)| (it.span.start, FunctionId(id as u32)))
        .collect();
    bodies.sort_unstable();
    for (at, expr) in module.exprs.iter().enumerate() {
        let Expr::Address(of) = *expr else { continue };
        let Expr::Name(name, _) = module.expr(of) else { continue };
        let span = module.spans[at];
        let after = bodies.partition_point(|(start, _)| *start <= span.start);
        let mut around = bodies[..after].last().map(|(_, id)| *id);
        while let Some(id) = around.filter(|id| !module.function(*id).span.contains(span)) {
            around = module.function(id).parent;
        }
        found.extend(around.and_then(|function| evaluator.scope_of(function, name)));
    }
    found
}

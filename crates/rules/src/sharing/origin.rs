//! Where a value of a function comes from: what was awaited for it, and which parameters went into it.

use crate::context::Context;
use crate::race::overlap::is_receiver;
use racewalk_ir::{BindingKind, Defs, Expr, ExprId, FunctionId, ListId, Literal};
use racewalk_link::{ClassRef, FunctionRef, Program, Type};

/// Follows values of one function back.
pub(crate) struct Origin<'a, 'p> {
    pub ctx: &'a Context<'p>,
    pub function: FunctionId,
}

/// How far values are followed.
const DEEPEST: u32 = 10;

impl Origin<'_, '_> {
    /// What was awaited for the value, when it is the answer itself, or a part of it.
    pub fn awaited(&self, value: ExprId) -> Option<ExprId> {
        self.awaited_for(value, DEEPEST)
    }

    /// The question has an argument that a parameter of the function went into.
    pub fn is_asked_with_param(&self, question: ExprId) -> bool {
        self.asked(question, DEEPEST)
    }

    /// A parameter of the function went into the value.
    pub fn is_of_param(&self, value: ExprId) -> bool {
        self.of_param(value, DEEPEST)
    }

    fn awaited_for(&self, value: ExprId, depth: u32) -> Option<ExprId> {
        let depth = depth.checked_sub(1)?;
        match self.ctx.module.expr(value) {
            Expr::Await(operand) => Some(operand),
            Expr::Name(..) => self.awaited_for(self.made_from(value)?, depth),
            Expr::Attr(base, _) | Expr::Subscript(base, _) => self.awaited_for(base, depth),
            Expr::Call(callee, _) => match self.ctx.module.expr(callee) {
                Expr::Attr(answer, _) => self.awaited_for(answer, depth),
                _ => None,
            },
            _ => None,
        }
    }

    fn asked(&self, question: ExprId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let Expr::Call(callee, args) = self.ctx.module.expr(question) else { return false };
        let by_argument = self.ctx.module.args(args).iter().any(|arg| self.of_param(arg.value, depth));
        by_argument
            || match self.ctx.module.expr(callee) {
                // The rest of an answer: `await response.json()`.
                Expr::Attr(base, _) => self.made_from(base).is_some_and(|made| match self.ctx.module.expr(made) {
                    Expr::Await(earlier) => self.asked(earlier, depth),
                    _ => self.asked(made, depth),
                }),
                _ => false,
            }
    }

    /// The value of a local.
    fn made_from(&self, local: ExprId) -> Option<ExprId> {
        let Expr::Name(_, Defs::One(binding)) = self.ctx.module.expr(local) else { return None };
        self.ctx.module.bindings[binding.index()].kind.source()
    }

    fn of_param(&self, value: ExprId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match self.ctx.module.expr(value) {
            Expr::Await(operand) => self.asked(operand, depth) || self.of_param(operand, depth),
            Expr::Name(name, Defs::One(binding)) => match self.ctx.module.bindings[binding.index()].kind {
                BindingKind::Param(position) => {
                    let this = self.ctx.function_ref(self.function);
                    !is_receiver(self.ctx.program, this, name) && !self.is_tool(value) && !self.is_switch(position)
                }
                _ => self.made_from(value).is_some_and(|made| self.of_param(made, depth)),
            },
            _ => self.parts(value).into_iter().any(|part| self.of_param(part, depth)),
        }
    }

    /// The parameter is a switch, by its default.
    fn is_switch(&self, position: u32) -> bool {
        let param = &self.ctx.module.function(self.function).params[position as usize];
        let default = param.default.map(|default| self.ctx.module.expr(default));
        matches!(default, Some(Expr::Literal(Literal::Bool(_))))
    }

    /// A client, a lock, a session, a switch: how a question is asked, not what is asked.
    fn is_tool(&self, value: ExprId) -> bool {
        let program = self.ctx.program;
        let of = self.ctx.evaluator.eval(self.function, value);
        let asks = |class: ClassRef| {
            program.module(class.file).functions.iter().any(|method| method.is_async && method.class == Some(class.id))
        };
        of.members().iter().any(|member| match *member {
            Type::ExternalInstance(path, _) => path.last_segment() == "bool" || program.models().kind(path).is_some(),
            Type::Instance(class, _) => asks(class),
            _ => false,
        })
    }

    /// What a value is made of.
    fn parts(&self, value: ExprId) -> Vec<ExprId> {
        let list = |list: ListId| self.ctx.module.list(list).to_vec();
        match self.ctx.module.expr(value) {
            Expr::Name(..) => self.made_from(value).into_iter().collect(),
            Expr::Attr(base, _) | Expr::Subscript(base, _) => vec![base],
            Expr::Await(inner) | Expr::Bind(inner) | Expr::Spread(inner) | Expr::Comp(_, inner) => vec![inner],
            Expr::Call(callee, args) => {
                let receiver = match self.ctx.module.expr(callee) {
                    Expr::Attr(receiver, _) => Some(receiver),
                    _ => None,
                };
                let args = self.ctx.module.args(args).iter().map(|arg| arg.value);
                receiver.into_iter().chain(args).collect()
            }
            Expr::Choice(parts)
            | Expr::Logical(parts, _)
            | Expr::Operation(parts)
            | Expr::Tuple(parts)
            | Expr::List(parts)
            | Expr::Set(parts)
            | Expr::Map(parts)
            | Expr::Format(parts) => list(parts),
            _ => Vec::new(),
        }
    }
}

/// The object at the beginning of a path is the receiver, or there for all calls; what a call keeps in a local is its own.
pub(crate) fn is_known_to_all(program: &Program, function: FunctionRef, place: ExprId) -> bool {
    let module = program.module(function.file);
    match module.expr(place) {
        Expr::Name(_, Defs::Outer) => true,
        Expr::Name(name, _) if is_receiver(program, function, name) => true,
        Expr::Name(_, Defs::One(binding)) => match module.bindings[binding.index()].kind {
            BindingKind::Value(value) => {
                matches!(module.expr(value), Expr::Name(..) | Expr::Attr(..))
                    && is_known_to_all(program, function, value)
            }
            _ => false,
        },
        Expr::Attr(base, _) | Expr::Subscript(base, _) => is_known_to_all(program, function, base),
        _ => false,
    }
}

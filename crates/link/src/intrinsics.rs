//! The few functions that inference itself must understand, because what they give depends on their arguments in ways
//! that the models' types cannot say.

use crate::eval::{Evaluator, MethodKind};
use crate::types::{ClassRef, Type, Types, Why};
use racewalk_ir::{Expr, ExprId, FunctionId, FunctionKind, Language, ListId, Literal, Module, Name};

/// A name that is bound nowhere in the program.
pub(crate) fn builtin(language: &Language, name: Name) -> Type {
    match name.as_str() {
        "True" | "False" | "__name__" | "__file__" | "__doc__" => Type::Plain,
        _ => Type::External(Name::new(language.builtins).join(name)),
    }
}

/// Decorators that decide how a method is bound.
pub(crate) fn method_kind(module: &Module, decorator: ExprId) -> Option<MethodKind> {
    let name = match module.expr(decorator) {
        Expr::Name(name, _) | Expr::Attr(_, name) => name.as_str(),
        Expr::Call(callee, _) => match module.expr(callee) {
            Expr::Name(name, _) | Expr::Attr(_, name) if name.as_str().ends_with("property") => name.as_str(),
            _ => return None,
        },
        _ => return None,
    };
    match name {
        "staticmethod" => Some(MethodKind::Static),
        "classmethod" => Some(MethodKind::Class),
        "setter" | "getter" | "deleter" => Some(MethodKind::Property),
        other if other.ends_with("property") => Some(MethodKind::Property),
        _ => None,
    }
}

/// What calling the function at this path gives, where it is one of those.
pub(crate) fn call(evaluator: &Evaluator<'_>, function: FunctionId, path: Name, expr: ExprId) -> Option<Type> {
    let argument = |at: usize| evaluator.argument(function, expr, at);
    Some(match path.as_str() {
        "builtins.super" | "globalThis.super" => super_of(evaluator, function)?,
        "builtins.getattr" => attribute_by_name(evaluator, function, expr)?,
        "builtins.type" if evaluator.args(expr).len() == 1 => match argument(0) {
            Type::Instance(class, _) => Type::Class(class),
            Type::ExternalInstance(path, _) => Type::External(path),
            other => Type::Unknown(match other {
                Type::Unknown(why) => why,
                _ => Why::Dynamic,
            }),
        },
        "functools.partial" | "functools.partialmethod" => Type::Partial(argument(0).interned()),
        "typing.cast" | "typing_extensions.cast" => {
            let declared = evaluator.args(expr).first()?.value;
            match evaluator.annotation(function, declared) {
                // A quoted type is a text here, and what it denies is the value's own type.
                Type::Unknown(why) => Type::Unknown(why),
                known => known,
            }
        }
        "typing.TypeVar" | "typing_extensions.TypeVar" => type_variable(evaluator, function, expr)?,
        "typing.NewType" => Type::DYNAMIC,
        "copy.copy" | "copy.deepcopy" | "typing.final" | "functools.wraps" => argument(0),
        "dataclasses.field"
        | "attr.ib"
        | "attrs.field"
        | "attr.field"
        | "pydantic.Field"
        | "sqlmodel.Field"
        | "pydantic.PrivateAttr" => default_of_field(evaluator, function, expr)?,
        "fastapi.Depends" | "fastapi.Security" | "fastapi.params.Depends" => injected(evaluator, argument(0)),
        _ => return None,
    })
}

fn super_of(evaluator: &Evaluator<'_>, function: FunctionId) -> Option<Type> {
    let mut current = Some(function);
    while let Some(id) = current {
        let body = evaluator.module.function(id);
        if let (Some(class), FunctionKind::Function) = (body.class, body.kind) {
            return Some(Type::Super(ClassRef { file: evaluator.file, id: class }));
        }
        current = body.parent;
    }
    None
}

fn attribute_by_name(evaluator: &Evaluator<'_>, function: FunctionId, expr: ExprId) -> Option<Type> {
    let args = evaluator.args(expr);
    let Expr::Literal(Literal::Str(name)) = evaluator.module.expr(args.get(1)?.value) else { return None };
    let value = evaluator.member(evaluator.eval(function, args[0].value), name);
    Some(match args.get(2) {
        Some(default) => Type::union([value, evaluator.eval(function, default.value)]),
        None => value,
    })
}

fn type_variable(evaluator: &Evaluator<'_>, function: FunctionId, expr: ExprId) -> Option<Type> {
    let Expr::Literal(Literal::Str(name)) = evaluator.module.expr(evaluator.args(expr).first()?.value) else {
        return None;
    };
    let bound = evaluator.named_argument(expr, "bound");
    let bound = bound.map_or(Type::Unknown(Why::Anything), |bound| evaluator.annotation(function, bound));
    Some(Type::Parameter(name, bound.interned()))
}

fn default_of_field(evaluator: &Evaluator<'_>, function: FunctionId, expr: ExprId) -> Option<Type> {
    if let Some(factory) = ["default_factory", "factory"].iter().find_map(|n| evaluator.named_argument(expr, n)) {
        return Some(evaluator.result(evaluator.eval(function, factory), None));
    }
    evaluator.named_argument(expr, "default").map(|value| evaluator.eval(function, value))
}

/// What a dependency gives to the handler that asks for it.
fn injected(evaluator: &Evaluator<'_>, dependency: Type) -> Type {
    match evaluator.result(dependency, None) {
        Type::Coroutine(result) => result.get(),
        Type::Generator(element) | Type::AsyncGenerator(element) => element.get(),
        other => other,
    }
}

/// `A | B` between types is a type; any other operation gives a value of which nothing is known but that it is none
/// of ours, when its operands are plain.
pub(crate) fn operation(evaluator: &Evaluator<'_>, function: FunctionId, list: ListId) -> Type {
    let operands: Vec<Type> =
        evaluator.module.list(list).iter().map(|operand| evaluator.eval(function, *operand)).collect();
    let form = |operand: &Type| match operand {
        Type::Class(class) => Some(Type::Instance(*class, Types::EMPTY)),
        Type::Form(of) => Some(of.get()),
        Type::None => Some(Type::None),
        Type::External(path) if path.last_segment().starts_with(char::is_uppercase) => {
            Some(Type::ExternalInstance(*path, Types::EMPTY))
        }
        Type::External(path) if path.first_segment() == "builtins" => Some(Type::Plain),
        _ => None,
    };
    if operands.len() > 1
        && let Some(members) = operands.iter().map(form).collect::<Option<Vec<Type>>>()
    {
        return Type::Form(Type::union(members).interned());
    }
    match operands.as_slice() {
        [first, ..] if operands.iter().all(|operand| matches!(operand, Type::Plain)) => *first,
        [Type::Collection(element), ..] => Type::Collection(*element),
        // `path / "name"` is a path again.
        [path @ Type::ExternalInstance(..), rest @ ..] if rest.iter().all(|part| matches!(part, Type::Plain)) => *path,
        _ => Type::DYNAMIC,
    }
}

//! Declared types.

use crate::eval::Evaluator;
use crate::types::{Type, Types, Why};
use racewalk_ir::{Expr, ExprId, FunctionId, Literal, Name};

/// What a generic of the standard library says about its arguments.
enum Generic {
    /// The first argument, plainly.
    Transparent,
    /// The first argument or nothing.
    Optional,
    Union,
    Collection,
    Mapping,
    Tuple,
    /// The class itself.
    Class,
    /// Coroutine or awaitable with the argument at this position as its result.
    Awaitable(usize),
    AsyncIterator,
    Iterator,
    Callable,
    /// The first argument is what a call gives.
    Function,
    Annotated,
    /// A value of no further interest.
    Plain,
}

fn generic(path: &str) -> Option<Generic> {
    if let Some(name) = path.strip_prefix("globalThis.") {
        return generic_of_ecmascript(name);
    }
    if let Some(name) = path.strip_prefix("universe.") {
        return generic_of_universe(name);
    }
    let module_of_types = ["typing.", "typing_extensions.", "collections.abc.", "collections.", "builtins.", "types."];
    let prefix = module_of_types.into_iter().find(|prefix| path.starts_with(prefix))?;
    Some(match &path[prefix.len()..] {
        "Final" | "ClassVar" | "Required" | "NotRequired" | "ReadOnly" | "InitVar" => Generic::Transparent,
        "Optional" => Generic::Optional,
        "Union" => Generic::Union,
        "Annotated" => Generic::Annotated,
        "List" | "Set" | "FrozenSet" | "Sequence" | "MutableSequence" | "Iterable" | "Collection" | "Deque"
        | "deque" | "AbstractSet" | "MutableSet" | "Reversible" | "list" | "set" | "frozenset" | "KeysView"
        | "ValuesView" => Generic::Collection,
        "Dict" | "Mapping" | "MutableMapping" | "DefaultDict" | "OrderedDict" | "dict" | "defaultdict" | "ChainMap" => {
            Generic::Mapping
        }
        "Tuple" | "tuple" => Generic::Tuple,
        "Type" | "type" => Generic::Class,
        "Coroutine" | "CoroutineType" => Generic::Awaitable(2),
        "Awaitable" => Generic::Awaitable(0),
        "AsyncIterator" | "AsyncIterable" | "AsyncGenerator" | "AsyncGeneratorType" => Generic::AsyncIterator,
        "Iterator" | "Generator" => Generic::Iterator,
        "Callable" => Generic::Callable,
        "Literal" | "LiteralString" | "TypeGuard" | "TypeIs" | "Counter" => Generic::Plain,
        _ => return None,
    })
}

/// What the types say that JavaScript's own library declares.
fn generic_of_ecmascript(name: &str) -> Option<Generic> {
    Some(match name {
        "Promise" | "PromiseLike" | "Thenable" => Generic::Awaitable(0),
        "Array" | "ReadonlyArray" | "Set" | "ReadonlySet" | "WeakSet" | "ArrayLike" | "Iterable" => Generic::Collection,
        "Map" | "ReadonlyMap" | "WeakMap" | "Record" => Generic::Mapping,
        "[]" => Generic::Tuple,
        "AsyncIterable" | "AsyncIterator" | "AsyncGenerator" | "AsyncIterableIterator" => Generic::AsyncIterator,
        "Iterator" | "Generator" | "IterableIterator" => Generic::Iterator,
        "Partial" | "Required" | "Readonly" | "NonNullable" | "Omit" | "Pick" => Generic::Transparent,
        "=>" => Generic::Function,
        _ => return None,
    })
}

/// What the types say that are written with signs and words of the language.
fn generic_of_universe(name: &str) -> Option<Generic> {
    Some(match name {
        "[]" | "[N]" => Generic::Collection,
        "map" => Generic::Mapping,
        "(,)" => Generic::Tuple,
        "func" => Generic::Function,
        _ => return None,
    })
}

impl Evaluator<'_> {
    /// The type that an annotation declares, seen from this body.
    pub fn annotation(&self, function: FunctionId, expr: ExprId) -> Type {
        match self.module.expr(expr) {
            Expr::Literal(Literal::None) => Type::None,
            Expr::Literal(_) => Type::Unknown(Why::Anything),
            Expr::Choice(list) => {
                let members = self.module.list(list).iter().map(|member| self.annotation(function, *member));
                Type::union(members.collect::<Vec<_>>())
            }
            Expr::Tuple(list) => {
                let members: Vec<Type> =
                    self.module.list(list).iter().map(|member| self.annotation(function, *member)).collect();
                Type::union(members)
            }
            Expr::Subscript(base, arguments) => {
                let base = self.eval(function, base);
                self.generic_annotation(function, base, arguments)
            }
            Expr::Map(_) => self.eval(function, expr),
            Expr::Address(of) => self.annotation(function, of),
            _ => {
                let named = self.eval(function, expr);
                self.instance_of(named)
            }
        }
    }

    /// What `X` in an annotation declares, given what `X` is.
    fn instance_of(&self, named: Type) -> Type {
        match named {
            Type::Class(class) => Type::Instance(class, Types::EMPTY),
            Type::External(path) => external_annotation(path),
            Type::Form(of) => of.get(),
            Type::Parameter(..) | Type::None => named,
            Type::Union(members) => Type::union(members.as_slice().iter().map(|member| self.instance_of(*member))),
            Type::Unknown(why) => Type::Unknown(why),
            _ => Type::Unknown(Why::Anything),
        }
    }

    fn generic_annotation(&self, function: FunctionId, base: Type, arguments: ExprId) -> Type {
        let listed = match self.module.expr(arguments) {
            Expr::Tuple(list) => self.module.list(list).to_vec(),
            _ => vec![arguments],
        };
        let argument = |at: usize| match listed.get(at) {
            Some(expr) => self.annotation(function, *expr),
            None => Type::Unknown(Why::Anything),
        };
        let all = || -> Vec<Type> { listed.iter().map(|expr| self.annotation(function, *expr)).collect() };
        match base {
            Type::Class(class) => Type::Instance(class, Type::list(&all())),
            Type::External(path) => match generic(path.as_str()) {
                Some(Generic::Transparent) => argument(0),
                Some(Generic::Optional) => Type::union([argument(0), Type::None]),
                Some(Generic::Union) => Type::union(all()),
                Some(Generic::Annotated) => self.annotated(function, &listed),
                Some(Generic::Collection) => Type::Collection(argument(0).interned()),
                Some(Generic::Mapping) => Type::Mapping(argument(1).interned()),
                Some(Generic::Tuple) => self.tuple_annotation(function, &listed),
                Some(Generic::Class) => Type::Form(argument(0).interned()),
                Some(Generic::Awaitable(at)) => Type::Coroutine(argument(at).interned()),
                Some(Generic::AsyncIterator) => Type::AsyncGenerator(argument(0).interned()),
                Some(Generic::Iterator) => Type::Generator(argument(0).interned()),
                Some(Generic::Callable) => Type::Callable(argument(1).interned()),
                Some(Generic::Function) => Type::Callable(argument(0).interned()),
                Some(Generic::Plain) => Type::Plain,
                None => Type::ExternalInstance(path, Type::list(&all())),
            },
            Type::Form(of) => of.get(),
            _ => self.instance_of(base),
        }
    }

    fn tuple_annotation(&self, function: FunctionId, listed: &[ExprId]) -> Type {
        let is_open = listed.last().is_some_and(|e| self.module.expr(*e) == Expr::Literal(Literal::Ellipsis));
        let known = if is_open { &listed[..listed.len() - 1] } else { listed };
        let members: Vec<Type> = known.iter().map(|expr| self.annotation(function, *expr)).collect();
        if is_open { Type::Collection(Type::union(members).interned()) } else { Type::Tuple(Type::list(&members)) }
    }

    /// `Annotated[T, Depends(f)]`: `T`, or what the dependency gives when `T` says nothing.
    fn annotated(&self, function: FunctionId, listed: &[ExprId]) -> Type {
        let Some((declared, metadata)) = listed.split_first() else { return Type::Unknown(Why::Anything) };
        let declared = self.annotation(function, *declared);
        if !declared.is_unknown() {
            return declared;
        }
        let injected = metadata.iter().map(|extra| self.eval(function, *extra));
        injected.into_iter().find(|given| !given.is_unknown()).unwrap_or(declared)
    }

    /// A subscript that is a type and no element: `dict[str, Foo]`, `Optional[Foo]`, as a value.
    pub(crate) fn type_form(&self, function: FunctionId, expr: ExprId, base: Type) -> Option<Type> {
        let Expr::Subscript(_, arguments) = self.module.expr(expr) else { return None };
        match base {
            // `Base[Foo]` in a list of bases, or `Foo[int](…)`: the class, with arguments.
            Type::Class(_) => Some(Type::Form(self.generic_annotation(function, base, arguments).interned())),
            Type::External(path) => {
                let is_type = generic(path.as_str()).is_some() || path.last_segment().starts_with(char::is_uppercase);
                is_type.then(|| Type::Form(self.generic_annotation(function, base, arguments).interned()))
            }
            _ => None,
        }
    }
}

fn external_annotation(path: Name) -> Type {
    let text = path.as_str();
    match text {
        "typing.Any" | "typing_extensions.Any" | "builtins.object" | "typing.Hashable" => Type::Unknown(Why::Anything),
        "typing.Self" | "typing_extensions.Self" | "globalThis.this" => {
            Type::Parameter(Name::new("Self"), Type::Unknown(Why::Anything).interned())
        }
        "builtins.str" | "builtins.int" | "builtins.float" | "builtins.bool" | "builtins.bytes"
        | "builtins.bytearray" | "builtins.complex" | "typing.Text" | "globalThis.string" => Type::Plain,
        "typing.NoReturn" | "typing.Never" => Type::None,
        _ => match generic(text) {
            Some(Generic::Collection | Generic::Tuple) => Type::Collection(Type::Unknown(Why::Anything).interned()),
            Some(Generic::Mapping) => Type::Mapping(Type::Unknown(Why::Anything).interned()),
            Some(Generic::Awaitable(_)) => Type::Coroutine(Type::Unknown(Why::Anything).interned()),
            Some(Generic::AsyncIterator) => Type::AsyncGenerator(Type::Unknown(Why::Anything).interned()),
            Some(Generic::Iterator) => Type::Generator(Type::Unknown(Why::Anything).interned()),
            Some(Generic::Callable | Generic::Function) => Type::Callable(Type::Unknown(Why::Anything).interned()),
            Some(Generic::Plain) => Type::Plain,
            Some(_) => Type::Unknown(Why::Anything),
            None => Type::ExternalInstance(path, Types::EMPTY),
        },
    }
}

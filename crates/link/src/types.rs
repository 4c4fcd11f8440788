//! What light inference knows about a value.

use racewalk_ir::{ClassId, FunctionId, Name};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::{LazyLock, Mutex};

/// A source file of the program: the position of its module in [`crate::Program::modules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl FileId {
    /// The position in [`crate::Program::modules`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A function of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionRef {
    /// Its file.
    pub file: FileId,
    /// Its number there.
    pub id: FunctionId,
}

/// A class of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassRef {
    /// Its file.
    pub file: FileId,
    /// Its number there.
    pub id: ClassId,
}

/// Why nothing is known about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// A parameter without a declared type, whose callers do not settle it.
    Parameter,
    /// It comes from a library of which no model says anything.
    Library,
    /// The code computes it in a way that inference does not follow.
    Dynamic,
    /// A decorator of which nothing is known made it.
    Decorator,
    /// The class has no such member that we can see.
    Member,
    /// It is declared to be anything.
    Anything,
    /// The name is bound nowhere.
    Unbound,
    /// Following it went too deep, or around in a circle.
    Depth,
}

impl Why {
    /// In a few words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parameter => "untyped parameter",
            Self::Library => "library without a model",
            Self::Dynamic => "computed",
            Self::Decorator => "unknown decorator",
            Self::Member => "no such member",
            Self::Anything => "declared to be anything",
            Self::Unbound => "unbound name",
            Self::Depth => "too deep, or a circle",
        }
    }
}

/// What is interned, with what is often asked of it.
#[derive(Debug)]
struct Interned<T: ?Sized> {
    mentions: Mentions,
    of: T,
}

/// Whether type parameters occur in a type.
#[derive(Clone, Copy, Debug, Default)]
struct Mentions {
    /// Anywhere.
    anywhere: bool,
    /// Receivers of bound methods aside.
    outright: bool,
}

impl Mentions {
    fn either(self, other: Self) -> Self {
        Self { anywhere: self.anywhere || other.anywhere, outright: self.outright || other.outright }
    }
}

/// An interned type: compared by address.
#[derive(Clone, Copy, Debug)]
pub struct TypeRef(&'static Interned<Type>);

impl PartialEq for TypeRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for TypeRef {}

impl Hash for TypeRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl TypeRef {
    /// The type.
    pub fn get(self) -> Type {
        self.0.of
    }
}

/// An interned list of types: compared by address.
#[derive(Clone, Copy, Debug)]
pub struct Types(&'static Interned<Vec<Type>>);

impl PartialEq for Types {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Types {}

impl Hash for Types {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl Types {
    /// The members.
    pub fn as_slice(self) -> &'static [Type] {
        &self.0.of
    }

    /// No members.
    pub const EMPTY: Types = Types(&NO_TYPES);
}

static NO_TYPES: Interned<Vec<Type>> =
    Interned { mentions: Mentions { anywhere: false, outright: false }, of: Vec::new() };

/// What is known about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Nothing.
    Unknown(Why),
    /// No value.
    None,
    /// Some value that certainly is no awaitable and of no further interest.
    Plain,
    /// A module of the program.
    Module(FileId),
    /// Something at this path outside the program: module, class or function.
    External(Name),
    /// A class of the program, itself.
    Class(ClassRef),
    /// An instance of a class of the program, with type arguments.
    Instance(ClassRef, Types),
    /// An instance of a class outside the program, with type arguments.
    ExternalInstance(Name, Types),
    /// A function of the program.
    Function(FunctionRef),
    /// A function of the program bound to a receiver.
    Method(FunctionRef, TypeRef),
    /// A method of an instance of a class outside the program: class, method, receiver.
    ExternalMethod(Name, Name, TypeRef),
    /// A function made by a decorator from this one: a call gives a coroutine.
    MadeAsync(FunctionRef),
    /// A function made by a decorator from this one: a call gives the finished value.
    MadeSync(FunctionRef),
    /// A function made by a decorator from this generator: a call gives a context manager; `true`: asynchronous.
    MadeContext(FunctionRef, bool),
    /// A context manager that gives this; `true`: asynchronous.
    Context(TypeRef, bool),
    /// Something that can be called and gives this.
    Callable(TypeRef),
    /// A callable with some arguments given already.
    Partial(TypeRef),
    /// A coroutine (or other awaitable that must be awaited) with this result.
    Coroutine(TypeRef),
    /// An asynchronous generator or iterator of these.
    AsyncGenerator(TypeRef),
    /// A generator of these.
    Generator(TypeRef),
    /// A collection of these.
    Collection(TypeRef),
    /// A mapping to these.
    Mapping(TypeRef),
    /// A sequence of exactly these.
    Tuple(Types),
    /// One of these: at least two, none of them a union.
    Union(Types),
    /// A type parameter, by name, with its bound.
    Parameter(Name, TypeRef),
    /// A type itself, as a value: what an alias stands for.
    Form(TypeRef),
    /// The attributes of the receiver's bases: what `super()` gives, for this class and receiver.
    Super(ClassRef),
}

/// Whether a value is an awaitable that must be awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Nothing is known, and why.
    Unknown(Why),
}

const SHARDS: usize = 16;

/// A table of what is interned, spread over shards so that threads rarely meet.
type Table<T> = LazyLock<[Mutex<FxHashMap<T, &'static Interned<T>>>; SHARDS]>;

static TYPES: Table<Type> = LazyLock::new(Default::default);
static LISTS: Table<Vec<Type>> = LazyLock::new(Default::default);

fn intern<T: Borrow<K> + Clone + Hash + Eq, K: ?Sized + Hash + Eq + ToOwned<Owned = T>>(
    table: &'static Table<T>,
    key: &K,
    mentions: impl FnOnce() -> Mentions,
) -> &'static Interned<T> {
    let shard = (FxBuildHasher.hash_one(key) >> 40) as usize % SHARDS;
    let mut known = table[shard].lock().expect("no thread panics while it holds a type table");
    if let Some(found) = known.get(key) {
        return found;
    }
    let kept: &'static Interned<T> = Box::leak(Box::new(Interned { mentions: mentions(), of: key.to_owned() }));
    known.insert(kept.of.clone(), kept);
    kept
}

impl Type {
    /// Nothing is known: the code is beyond what inference follows.
    pub const DYNAMIC: Type = Type::Unknown(Why::Dynamic);

    /// The interned form.
    pub fn interned(self) -> TypeRef {
        TypeRef(intern(&TYPES, &self, || self.mentions()))
    }

    /// The interned form of a list.
    pub fn list(types: &[Type]) -> Types {
        if types.is_empty() {
            return Types::EMPTY;
        }
        let mentions = || types.iter().fold(Mentions::default(), |all, one| all.either(one.mentions()));
        Types(intern(&LISTS, types, mentions))
    }

    fn mentions(self) -> Mentions {
        match self {
            Type::Parameter(..) => Mentions { anywhere: true, outright: true },
            Type::Instance(_, list) | Type::ExternalInstance(_, list) | Type::Tuple(list) | Type::Union(list) => {
                list.0.mentions
            }
            Type::Method(_, receiver) => Mentions { outright: false, ..receiver.0.mentions },
            Type::Context(inner, _)
            | Type::Callable(inner)
            | Type::Partial(inner)
            | Type::Coroutine(inner)
            | Type::AsyncGenerator(inner)
            | Type::Generator(inner)
            | Type::Collection(inner)
            | Type::Mapping(inner)
            | Type::Form(inner) => inner.0.mentions,
            _ => Mentions::default(),
        }
    }

    /// Type parameters occur in it, the receivers of bound methods aside.
    pub(crate) fn mentions_parameter(self) -> bool {
        self.mentions().outright
    }

    /// One of these. What is known beats what is not: a value that is a `Foo` on one path and unknown on another is
    /// treated as both.
    pub fn union(types: impl IntoIterator<Item = Type>) -> Type {
        let mut types = types.into_iter();
        // Most have one candidate.
        let Some(first) = types.next() else { return Type::Unknown(Why::Unbound) };
        let Some(second) = types.next() else { return first };
        let mut members: Vec<Type> = first.members().to_vec();
        for candidate in std::iter::once(second).chain(types) {
            for member in candidate.members() {
                if !members.contains(member) {
                    members.push(*member);
                }
            }
        }
        // A union of very many says nothing that a rule could use.
        const MOST_MEMBERS: usize = 12;
        match members.as_slice() {
            [one] => *one,
            many if many.len() > MOST_MEMBERS => Type::DYNAMIC,
            many => Type::Union(Type::list(many)),
        }
    }

    /// The members of a union, or the type alone.
    pub fn members(&self) -> &[Type] {
        match self {
            Type::Union(members) => members.as_slice(),
            one => std::slice::from_ref(one),
        }
    }

    /// The type without "no value".
    pub fn without_none(self) -> Type {
        match self {
            Type::Union(members) if members.as_slice().contains(&Type::None) => {
                Type::union(members.as_slice().iter().copied().filter(|member| *member != Type::None))
            }
            other => other,
        }
    }

    /// True when nothing is known.
    pub fn is_unknown(self) -> bool {
        matches!(self, Type::Unknown(_))
    }

    /// The type with its type parameters replaced.
    pub fn substitute(self, find: &dyn Fn(Name) -> Option<Type>) -> Type {
        if !self.mentions().anywhere {
            return self;
        }
        let inner = |inner: TypeRef| inner.get().substitute(find).interned();
        let each = |types: Types| {
            let replaced: Vec<Type> = types.as_slice().iter().map(|one| one.substitute(find)).collect();
            Type::list(&replaced)
        };
        match self {
            Type::Parameter(name, _) => find(name).unwrap_or(self),
            Type::Instance(class, arguments) => Type::Instance(class, each(arguments)),
            Type::ExternalInstance(path, arguments) => Type::ExternalInstance(path, each(arguments)),
            Type::Method(function, receiver) => Type::Method(function, inner(receiver)),
            Type::Context(value, is_async) => Type::Context(inner(value), is_async),
            Type::Callable(result) => Type::Callable(inner(result)),
            Type::Partial(callable) => Type::Partial(inner(callable)),
            Type::Coroutine(result) => Type::Coroutine(inner(result)),
            Type::AsyncGenerator(element) => Type::AsyncGenerator(inner(element)),
            Type::Generator(element) => Type::Generator(inner(element)),
            Type::Collection(element) => Type::Collection(inner(element)),
            Type::Mapping(value) => Type::Mapping(inner(value)),
            Type::Tuple(elements) => Type::Tuple(each(elements)),
            Type::Form(of) => Type::Form(inner(of)),
            Type::Union(members) => Type::union(members.as_slice().iter().map(|one| one.substitute(find))),
            other => other,
        }
    }
}

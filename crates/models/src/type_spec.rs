//! The types that model files name.

use racewalk_ir::Name;
use serde::Deserialize;

/// A type as a model file writes it; `models/README.md` lists the forms.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TypeSpec {
    /// The receiver's own type.
    Receiver,
    /// The receiver's type argument at this position.
    TypeArgument(usize),
    /// The type of the argument at this position.
    Argument(usize),
    /// What awaiting the argument at this position gives.
    AwaitedArgument(usize),
    /// What calling the argument at this position gives.
    CalledArgument(usize),
    /// What awaiting the result of calling the argument at this position gives.
    AwaitedCallOfArgument(usize),
    /// An element of the argument at this position.
    ElementOfArgument(usize),
    /// What awaiting an element of the argument at this position gives.
    AwaitedElementOfArgument(usize),
    /// An instance of the class at this path, with type arguments.
    Path(Name, Vec<TypeSpec>),
    /// A coroutine with this result.
    Coroutine(Box<TypeSpec>),
    /// An asynchronous generator of these.
    AsyncGenerator(Box<TypeSpec>),
    /// A list, set or other plain collection of these.
    Collection(Box<TypeSpec>),
    /// A mapping to these.
    Mapping(Box<TypeSpec>),
    /// A sequence of exactly these.
    Tuple(Vec<TypeSpec>),
    /// One of these.
    Union(Vec<TypeSpec>),
    /// No value.
    None,
    /// Some value that certainly is no awaitable.
    Plain,
    /// Nothing is known.
    Unknown,
}

impl TypeSpec {
    /// The type carries what calling the argument at this position gives.
    pub fn gives_call_of(&self, at: usize) -> bool {
        match self {
            Self::CalledArgument(position) | Self::AwaitedCallOfArgument(position) => *position == at,
            Self::Coroutine(inner) | Self::AsyncGenerator(inner) | Self::Collection(inner) | Self::Mapping(inner) => {
                inner.gives_call_of(at)
            }
            Self::Path(_, members) | Self::Tuple(members) | Self::Union(members) => {
                members.iter().any(|member| member.gives_call_of(at))
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for TypeSpec {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parser = Parser { rest: text.trim() };
        let spec = parser.union()?;
        if parser.rest.is_empty() {
            Ok(spec)
        } else {
            Err(format!("in the type `{text}`: unexpected `{}`", parser.rest))
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn union(&mut self) -> Result<TypeSpec, String> {
        let mut members = vec![self.one()?];
        while self.take('|') {
            members.push(self.one()?);
        }
        Ok(if members.len() == 1 { members.remove(0) } else { TypeSpec::Union(members) })
    }

    fn one(&mut self) -> Result<TypeSpec, String> {
        let word = self.word();
        if word.is_empty() {
            return Err(format!("a type is missing before `{}`", self.rest));
        }
        let spec = match word {
            "await" => {
                if let Some(rest) = self.rest.strip_prefix("element ") {
                    self.rest = rest;
                    return self.of_argument(|at, _| TypeSpec::AwaitedElementOfArgument(at));
                }
                return self.of_argument(|at, called| {
                    if called { TypeSpec::AwaitedCallOfArgument(at) } else { TypeSpec::AwaitedArgument(at) }
                });
            }
            "call" => return self.of_argument(|at, _| TypeSpec::CalledArgument(at)),
            "element" => return self.of_argument(|at, _| TypeSpec::ElementOfArgument(at)),
            "self" => TypeSpec::Receiver,
            "plain" | "str" | "int" | "float" | "bool" | "bytes" | "bytearray" | "complex" | "object" => {
                TypeSpec::Plain
            }
            "unknown" | "Any" => TypeSpec::Unknown,
            "None" => TypeSpec::None,
            _ => match (argument(word, "arg"), argument(word, "T")) {
                (Some(at), _) => TypeSpec::Argument(at),
                (_, Some(at)) => TypeSpec::TypeArgument(at),
                _ => return self.generic(word),
            },
        };
        Ok(spec)
    }

    fn of_argument(&mut self, build: fn(usize, bool) -> TypeSpec) -> Result<TypeSpec, String> {
        let mut word = self.word();
        let called = word == "call";
        if called {
            word = self.word();
        }
        let at = argument(word, "arg").ok_or_else(|| format!("`arg0` or the like is wanted, not `{word}`"))?;
        Ok(build(at, called))
    }

    fn generic(&mut self, word: &str) -> Result<TypeSpec, String> {
        let mut arguments = Vec::new();
        if self.take('[') {
            loop {
                arguments.push(self.union()?);
                if !self.take(',') {
                    break;
                }
            }
            if !self.take(']') {
                return Err(format!("`]` is missing after `{word}[`"));
            }
        }
        Ok(build_generic(word, arguments))
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_.:/@-".contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

fn build_generic(word: &str, mut arguments: Vec<TypeSpec>) -> TypeSpec {
    let mut last = || Box::new(arguments.pop().unwrap_or(TypeSpec::Unknown));
    let bare = word.strip_prefix("collections.abc.").or_else(|| word.strip_prefix("typing.")).unwrap_or(word);
    match bare {
        "Iterator" | "Iterable" | "Generator" | "Sequence" | "Collection" => TypeSpec::Collection(last()),
        "AsyncIterator" | "AsyncIterable" | "AsyncGenerator" => TypeSpec::AsyncGenerator(last()),
        "Awaitable" | "Coroutine" => TypeSpec::Coroutine(last()),
        "Mapping" | "MutableMapping" => TypeSpec::Mapping(last()),
        "coroutine" => TypeSpec::Coroutine(last()),
        "asyncgen" => TypeSpec::AsyncGenerator(last()),
        "task" => TypeSpec::Path(Name::new("asyncio.Task"), arguments),
        "future" => TypeSpec::Path(Name::new("asyncio.Future"), arguments),
        "list" | "set" | "frozenset" | "iterator" | "iterable" | "generator" | "sequence" | "deque" => {
            TypeSpec::Collection(last())
        }
        "dict" | "mapping" => TypeSpec::Mapping(last()),
        "tuple" => TypeSpec::Tuple(arguments),
        _ => TypeSpec::Path(Name::new(word), arguments),
    }
}

fn argument(word: &str, prefix: &str) -> Option<usize> {
    word.strip_prefix(prefix)?.parse().ok()
}

//! Class hierarchies: lineages with type arguments, and who inherits from whom.

use crate::Linked;
use crate::eval::Evaluator;
use crate::types::{ClassRef, FileId, Type, Types, Why};
use racewalk_ir::{Class, ClassId, Expr, ExprId, Module, Name};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// A direct base with its type arguments.
type Base = (Type, Types);

/// More bases than this are a circle or a joke.
const LONGEST_LINEAGE: usize = 64;

/// Decorators of classes that leave the members alone which stand in the class, by their last names.
const USUAL_DECORATORS: [&str; 9] = [
    "dataclass",
    "define",
    "deprecated",
    "final",
    "frozen",
    "mutable",
    "runtime_checkable",
    "total_ordering",
    "type_check_only",
];

/// Metaclasses of which the same holds.
const USUAL_METACLASSES: [&str; 4] = ["ABCMeta", "EnumMeta", "EnumType", "type"];

/// Finds every class's bases and lays out their lineages.
pub(crate) fn settle(linked: &mut Linked) {
    let direct: Vec<Vec<(Vec<Base>, Vec<Name>)>> = {
        let linked = &*linked;
        (0..linked.modules.len()).into_par_iter().map(|file| direct_bases(linked, FileId(file as u32))).collect()
    };
    let lineages: Vec<Vec<(Vec<Base>, bool)>> = {
        let linked = &*linked;
        let layout = |file: usize| {
            let evaluator = Evaluator::new(linked, FileId(file as u32));
            (0..direct[file].len()).map(|id| lineage(&evaluator, &direct, ClassId(id as u32))).collect()
        };
        (0..direct.len()).into_par_iter().map(layout).collect()
    };
    for (file, (lineages, direct)) in lineages.into_iter().zip(direct).enumerate() {
        for (class, ((lineage, has_unknown_base), (_, params))) in lineages.into_iter().zip(direct).enumerate() {
            let slots = &mut linked.slots[file].classes[class];
            slots.lineage = lineage;
            slots.params = params;
            slots.has_unknown_base = has_unknown_base;
        }
    }
}

fn direct_bases(linked: &Linked, file: FileId) -> Vec<(Vec<Base>, Vec<Name>)> {
    let evaluator = Evaluator::new(linked, file);
    let module = evaluator.module;
    let of_class = |class: &Class| {
        let outside = module.function(class.body).parent.unwrap_or(racewalk_ir::FunctionId(0));
        let bases: Vec<Base> = class
            .bases
            .iter()
            .map(|base| match evaluator.eval(outside, *base) {
                Type::Form(of) => match of.get() {
                    Type::Instance(class, arguments) => (Type::Class(class), arguments),
                    Type::ExternalInstance(path, arguments) => (Type::External(path), arguments),
                    other => (other, Types::EMPTY),
                },
                other => (other, Types::EMPTY),
            })
            .collect();
        let bases = if module.signatures_only && is_remade(module, class) {
            [bases.as_slice(), &[(Type::Unknown(Why::Decorator), Types::EMPTY)]].concat()
        } else {
            bases
        };
        let own: Vec<Name> = class.type_params.iter().map(|(name, _)| *name).collect();
        let params = if own.is_empty() { params_from_bases(&bases) } else { own };
        (bases, params)
    };
    module.classes.iter().map(of_class).collect()
}

/// A decorator or metaclass that is none of the usual may give the class other members than it declares.
fn is_remade(module: &Module, class: &Class) -> bool {
    let usual = |expr: ExprId, names: &[&str]| {
        let called = match module.expr(expr) {
            Expr::Call(callee, _) => callee,
            _ => expr,
        };
        matches!(module.expr(called), Expr::Name(name, _) | Expr::Attr(_, name) if names.contains(&name.as_str()))
    };
    let is_metaclass = |name: Name| name.as_str() == "metaclass";
    let mut metaclasses = class.arguments.iter().filter(|(name, _)| is_metaclass(*name));
    metaclasses.any(|(_, metaclass)| !usual(*metaclass, &USUAL_METACLASSES))
        || class.decorators.iter().any(|decorator| !usual(*decorator, &USUAL_DECORATORS))
}

/// The type parameters of a class that declares none: those that its bases name, in order of appearance; `Generic[...]`
/// alone decides when it is there.
fn params_from_bases(bases: &[Base]) -> Vec<Name> {
    let is_generic = |base: &&Base| matches!(base.0, Type::External(path) if path.last_segment() == "Generic");
    let deciding: Vec<&Base> = match bases.iter().find(is_generic) {
        Some(generic) => vec![generic],
        None => bases.iter().collect(),
    };
    let mut params = Vec::new();
    for (_, arguments) in deciding {
        for argument in arguments.as_slice() {
            if let Type::Parameter(name, _) = argument
                && !params.contains(name)
            {
                params.push(*name);
            }
        }
    }
    params
}

/// The class and its bases, nearest first, each once, at its last appearance in a walk from left to right: which is what
/// Python's own linearisation gives for all but contrived hierarchies.
fn lineage(evaluator: &Evaluator<'_>, direct: &[Vec<(Vec<Base>, Vec<Name>)>], id: ClassId) -> (Vec<Base>, bool) {
    let linked = evaluator.linked;
    let class = ClassRef { file: evaluator.file, id };
    let (_, params) = &direct[class.file.index()][class.id.index()];
    let own: Vec<Type> = params.iter().map(|name| own_parameter(evaluator, class, *name)).collect();
    let mut walked: Vec<Base> = Vec::new();
    walk(direct, (Type::Class(class), Type::list(&own)), &mut walked, 0);
    let mut kept: Vec<Base> = Vec::new();
    for base in walked.into_iter().rev() {
        if !kept.iter().any(|(known, _)| *known == base.0) {
            kept.push(base);
        }
    }
    kept.reverse();
    let has_unknown_base = kept.iter().any(|(base, _)| match base {
        Type::Class(_) => false,
        Type::External(path) => linked.models.class(*path).is_none() && !is_bare(path.as_str()),
        _ => true,
    });
    (kept, has_unknown_base)
}

/// Bases that add no members of interest.
fn is_bare(path: &str) -> bool {
    let exceptions = path.starts_with("builtins.") && (path.ends_with("Error") || path.ends_with("Exception"));
    let bare = [
        "abc.ABC",
        "builtins.object",
        "typing.Generic",
        "typing.Protocol",
        "typing_extensions.Protocol",
        "enum.Enum",
        "enum.IntEnum",
        "enum.StrEnum",
        "typing.NamedTuple",
        "typing.TypedDict",
        "builtins.str",
        "builtins.int",
        "builtins.BaseException",
        "typing_extensions.TypedDict",
    ];
    exceptions || bare.contains(&path)
}

fn own_parameter(evaluator: &Evaluator<'_>, class: ClassRef, name: Name) -> Type {
    let body = evaluator.module.class(class.id).body;
    match evaluator.lookup(body, name) {
        found @ Type::Parameter(..) => found,
        _ => Type::Parameter(name, Type::DYNAMIC.interned()),
    }
}

fn walk(direct: &[Vec<(Vec<Base>, Vec<Name>)>], base: Base, walked: &mut Vec<Base>, depth: usize) {
    if depth > LONGEST_LINEAGE || walked.len() > LONGEST_LINEAGE {
        return;
    }
    walked.push(base);
    let (Type::Class(class), arguments) = base else { return };
    let (bases, params) = &direct[class.file.index()][class.id.index()];
    for (of, given) in bases {
        // The base's arguments, in terms of the class that the walk began with.
        let find = |name: Name| {
            let at = params.iter().position(|param| *param == name)?;
            arguments.as_slice().get(at).copied()
        };
        let given: Vec<Type> = given.as_slice().iter().map(|argument| argument.substitute(&find)).collect();
        walk(direct, (*of, Type::list(&given)), walked, depth + 1);
    }
}

/// For each class: the classes of the program that name it as a base, directly or not, nearest first.
pub(crate) fn descendants(linked: &Linked) -> FxHashMap<ClassRef, Vec<ClassRef>> {
    let mut found: FxHashMap<ClassRef, Vec<ClassRef>> = FxHashMap::default();
    for (file, slots) in linked.slots.iter().enumerate() {
        for (id, class) in slots.classes.iter().enumerate() {
            let this = ClassRef { file: FileId(file as u32), id: ClassId(id as u32) };
            for (base, _) in class.lineage.iter().skip(1) {
                if let Type::Class(base) = base {
                    found.entry(*base).or_default().push(this);
                }
            }
        }
    }
    found
}

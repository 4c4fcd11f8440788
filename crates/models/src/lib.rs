//! What libraries do, as data: TOML files under `models/<language>/`, one schema for all languages.

pub mod schema;
mod type_spec;

pub use schema::{
    Blocks, Call, Class, ClassKind, Decorator, Ends, Entry, Exported, Joins, Orders, Position, Runs, Serves, Spawns,
};
pub use type_spec::TypeSpec;

use racewalk_ir::Name;
use rustc_hash::{FxHashMap, FxHashSet};
use schema::Library;
use std::num::NonZeroU32;
use std::sync::OnceLock;

/// A model file that is compiled in: language, import roots, path for messages, content as JSON.
type Builtin = (&'static str, &'static [&'static str], &'static str, &'static str);

const BUILTIN: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Names the model of a call, so that it need not be looked up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelId(NonZeroU32);

/// The models of the libraries that a program uses.
#[derive(Debug, Default)]
pub struct Models {
    calls: Vec<Call>,
    functions: FxHashMap<Name, ModelId>,
    constructors: FxHashMap<Name, ModelId>,
    methods: FxHashMap<(Name, Name), ModelId>,
    classes: FxHashMap<Name, Class>,
    /// The classes with an asynchronous method of their own.
    asynchronous: FxHashSet<Name>,
    attributes: FxHashMap<(Name, Name), TypeSpec>,
    bases: FxHashMap<Name, Bases>,
    values: FxHashMap<Name, TypeSpec>,
    aliases: FxHashMap<&'static str, Name>,
    exported: Vec<Exported>,
}

/// The bases of a class, and all of its ancestors once somebody has asked for them.
#[derive(Debug, Default)]
struct Bases {
    direct: Vec<Name>,
    ancestors: OnceLock<Vec<Name>>,
}

impl Models {
    /// Loads the compiled-in models of languages (each with the root under which its names live that need no import) whose import
    /// roots the program names, then `extra` files (path for messages, text), which may override them.
    ///
    /// # Errors
    /// Names the file, the line and what is wrong with it.
    pub fn load(
        languages: &[(&str, &str)],
        roots: &FxHashSet<Name>,
        extra: &[(String, String)],
    ) -> Result<Self, String> {
        let mut models = Self::default();
        for (of, file_roots, path, text) in BUILTIN {
            let Some((_, always)) = languages.iter().find(|(language, _)| of == language) else { continue };
            if file_roots.iter().any(|root| root == always || roots.contains(&Name::new(root))) {
                models.add(builtin(path, text)?);
            }
        }
        for (path, text) in extra {
            models.add(written(path, text)?);
        }
        Ok(models)
    }

    /// True when a model file covers this import root.
    pub fn is_library(root: &str) -> bool {
        BUILTIN.iter().any(|(_, roots, ..)| roots.contains(&root))
    }

    /// The library with this import root is one that applications are made with: it calls handlers.
    pub fn calls_handlers(&self, root: &str) -> bool {
        self.classes.iter().any(|(path, class)| class.kind == Some(ClassKind::App) && path.first_segment() == root)
    }

    /// Every path that some model names, with other paths of the same things.
    pub fn paths(&self) -> impl Iterator<Item = Name> + '_ {
        let named = self.functions.keys().chain(self.classes.keys()).chain(self.values.keys()).copied();
        named.chain(self.aliases.keys().map(|path| Name::new(path)))
    }

    fn add(&mut self, library: Library) {
        for (path, call) in library.function {
            let id = self.keep(call);
            self.functions.insert(Name::new(&path), id);
        }
        self.exported.extend(library.exported);
        self.values.extend(library.value.into_iter().map(|(path, spec)| (Name::new(&path), spec)));
        self.aliases.extend(library.alias.iter().map(|(from, to)| (Name::new(from).as_str(), Name::new(to))));
        for (path, mut class) in library.class {
            let name = Name::new(&path);
            if class.method.values().any(|method| method.is_async) {
                self.asynchronous.insert(name);
            }
            for (method, call) in std::mem::take(&mut class.method) {
                let id = self.keep(call);
                self.methods.insert((name, Name::new(&method)), id);
            }
            match class.new.take() {
                Some(call) => {
                    let id = self.keep(call);
                    self.constructors.insert(name, id)
                }
                None => self.constructors.remove(&name),
            };
            let attributes = std::mem::take(&mut class.attribute);
            self.attributes.extend(attributes.into_iter().map(|(member, spec)| ((name, Name::new(&member)), spec)));
            let direct = class.bases.iter().map(|base| Name::new(base)).collect();
            self.bases.insert(name, Bases { direct, ancestors: OnceLock::new() });
            self.classes.insert(name, class);
        }
    }

    fn keep(&mut self, call: Call) -> ModelId {
        self.calls.push(call);
        ModelId(NonZeroU32::MIN.saturating_add(self.calls.len() as u32 - 1))
    }

    /// The model of this number.
    pub fn call(&self, id: ModelId) -> &Call {
        &self.calls[id.0.get() as usize - 1]
    }

    /// The path under which the models know what this path names.
    pub fn canonical(&self, path: Name) -> Name {
        let text = path.as_str();
        if let Some(known) = self.aliases.get(text) {
            return *known;
        }
        // An alias of a module stands for everything beneath it.
        let mut end = text.len();
        while let Some(dot) = text[..end].rfind('.') {
            if let Some(known) = self.aliases.get(&text[..dot]) {
                return Name::new(&format!("{known}{}", &text[dot..]));
            }
            end = dot;
        }
        path
    }

    /// What calling the function at this path does.
    pub fn function(&self, path: Name) -> Option<&Call> {
        self.functions.get(&path).map(|id| self.call(*id))
    }

    /// What calling the function or class at this path does.
    pub fn callable(&self, path: Name) -> Option<ModelId> {
        self.functions.get(&path).copied().or_else(|| self.constructor(path))
    }

    /// What constructing an instance of the class at this path does, beyond giving one.
    pub fn constructor(&self, path: Name) -> Option<ModelId> {
        self.constructors.get(&path).copied()
    }

    /// The class at this path.
    pub fn class(&self, path: Name) -> Option<&Class> {
        self.classes.get(&path)
    }

    /// The type of the module-level value at this path.
    pub fn value(&self, path: Name) -> Option<&TypeSpec> {
        self.values.get(&path)
    }

    /// The class and its bases, nearest first.
    pub fn ancestry(&self, class: Name) -> Vec<Name> {
        std::iter::once(class).chain(self.ancestors(class).iter().copied()).collect()
    }

    fn ancestors(&self, class: Name) -> &[Name] {
        match self.bases.get(&class) {
            Some(bases) if !bases.direct.is_empty() => bases.ancestors.get_or_init(|| self.walk(class)),
            _ => &[],
        }
    }

    fn walk(&self, class: Name) -> Vec<Name> {
        let mut found = vec![class];
        let mut next = 0;
        while let Some(class) = found.get(next).copied() {
            let bases = self.bases.get(&class).into_iter().flat_map(|bases| &bases.direct);
            for base in bases.map(|base| self.canonical(*base)) {
                if !found.contains(&base) {
                    found.push(base);
                }
            }
            next += 1;
        }
        found.remove(0);
        found
    }

    /// What calling this method of an instance of the class, or of one of its bases, does.
    pub fn method(&self, class: Name, method: Name) -> Option<&Call> {
        self.method_id(class, method).map(|id| self.call(id))
    }

    /// The model of that method.
    pub fn method_id(&self, class: Name, method: Name) -> Option<ModelId> {
        self.first(class, |class| self.methods.get(&(class, method)).copied())
    }

    /// The type of an attribute of an instance of the class, or of one of its bases.
    pub fn attribute(&self, class: Name, member: Name) -> Option<&TypeSpec> {
        self.first(class, |class| self.attributes.get(&(class, member)))
    }

    /// The first answer that the class or one of its bases gives.
    pub fn inherited<'a, T: 'a>(&'a self, class: Name, ask: impl Fn(&'a Class) -> Option<T>) -> Option<T> {
        self.first(class, |class| self.classes.get(&class).and_then(&ask))
    }

    fn first<T>(&self, class: Name, ask: impl Fn(Name) -> Option<T>) -> Option<T> {
        ask(class).or_else(|| self.ancestors(class).iter().find_map(|ancestor| ask(*ancestor)))
    }

    /// The class, or one of its bases, has an asynchronous method.
    pub fn is_asynchronous(&self, class: Name) -> bool {
        self.first(class, |class| self.asynchronous.contains(&class).then_some(())).is_some()
    }

    /// What files export for frameworks to call.
    pub fn exported(&self) -> &[Exported] {
        &self.exported
    }

    /// What the class is to the analysis.
    pub fn kind(&self, class: Name) -> Option<ClassKind> {
        self.inherited(class, |class| class.kind)
    }
}

fn builtin(path: &str, content: &str) -> Result<Library, String> {
    serde_json::from_str(content).map_err(|error| format!("{path}: {error}"))
}

fn written(path: &str, text: &str) -> Result<Library, String> {
    toml::from_str(text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_file_is_valid() {
        let broken: Vec<String> =
            BUILTIN.iter().filter_map(|(_, _, path, content)| builtin(path, content).err()).collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn an_unknown_field_is_an_error_with_its_place() {
        let error = written("mine.toml", "library = \"x\"\nroots = []\n[function.f]\nblokcs = \"network\"\n");
        let message = error.expect_err("the field is misspelt");
        assert!(message.starts_with("mine.toml") && message.contains("line 4"), "{message}");
    }

    #[test]
    fn an_alias_of_a_module_covers_what_is_beneath_it() {
        let mut models = Models::default();
        let library = written("m.toml", "library = \"x\"\nroots = []\n[alias]\n\"x.api\" = \"x\"\n");
        models.add(library.expect("valid"));
        assert_eq!(models.canonical(Name::new("x.api.get")), Name::new("x.get"));
    }
}

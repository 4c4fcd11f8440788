//! Which file an import by path or by package name means: JavaScript's own rules, over the files of the program.
//!
//! What Node and bundlers do on the disk is done here over the set of files that the program has: relative paths with their
//! endings and index files, `paths` and `baseUrl` of `tsconfig.json`, and packages of the same tree by their names, with
//! `exports` and `imports` of their manifests. Packages that are installed have no files in the program.

use crate::discover::{Kind, Project};
use crate::disk::Disk;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Endings that an import may leave out, best first.
const ENDINGS: [&str; 10] = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs", "vue", "svelte"];

/// Endings that are written for what the source is called.
const WRITTEN_FOR: [(&str, &[&str]); 4] =
    [("js", &["ts", "tsx"]), ("jsx", &["tsx"]), ("mjs", &["mts"]), ("cjs", &["cts"])];

/// Names of directories that builds write to, in place of which the sources are meant.
const BUILT: [&str; 5] = ["dist", "lib", "build", "out", "esm"];

/// How many manifests or settings may extend each other.
const LONGEST_CHAIN: u32 = 8;

/// Finds the files that imports mean.
pub struct Resolver<'p> {
    disk: &'p Disk,
    files: FxHashMap<&'p Path, usize>,
    /// Packages of the program: by their names, where they are and what their manifests say.
    packages: FxHashMap<String, Package>,
    /// For each directory that somebody has asked about: the settings that hold there.
    settings: Mutex<FxHashMap<PathBuf, Option<Arc<Settings>>>>,
}

struct Package {
    directory: PathBuf,
    manifest: Value,
}

/// What the `tsconfig.json` around a file says of imports.
#[derive(Debug, Default)]
struct Settings {
    /// Where bare paths may begin.
    base: Option<PathBuf>,
    /// Patterns with what they stand for, absolute; longest pattern first.
    paths: Vec<(String, Vec<PathBuf>)>,
}

impl<'p> Resolver<'p> {
    /// A resolver for the files of a project.
    pub fn new(disk: &'p Disk, project: &'p Project) -> Self {
        let files = project.files.iter().enumerate().filter(|(_, file)| file.kind == Kind::Script);
        let files = files.map(|(index, file)| (file.path.as_path(), index)).collect();
        let packages = project.manifests.iter().filter_map(|path| {
            let manifest: Value = serde_json::from_str(&disk.read_text(path).ok()?).ok()?;
            let name = manifest.get("name")?.as_str()?.to_owned();
            Some((name, Package { directory: path.parent()?.to_owned(), manifest }))
        });
        Self { disk, files, packages: packages.collect(), settings: Mutex::default() }
    }

    /// The position, in the project's list, of the file that `specifier` means in this file. Nothing for what is not of the program.
    pub fn resolve(&self, from: &Path, specifier: &str) -> Option<usize> {
        let directory = from.parent()?;
        // A bundler's remarks on how to load something are no part of its path.
        let specifier = specifier.split(['?', '!']).next()?;
        if is_relative(specifier) {
            return self.at(&directory.join(specifier));
        }
        if specifier.starts_with('/') {
            return None;
        }
        if specifier.starts_with('#') {
            return self.own_import(directory, specifier);
        }
        let settings = self.settings_of(directory);
        let mapped = settings.as_ref().and_then(|settings| settings.mapped(specifier, |path| self.at(path)));
        mapped.or_else(|| self.in_package(specifier)).or_else(|| {
            let base = settings.as_ref()?.base.as_ref()?;
            self.at(&base.join(specifier))
        })
    }

    /// The file at a path, as imports write paths.
    fn at(&self, path: &Path) -> Option<usize> {
        let path = normal(path);
        self.exactly(&path).or_else(|| self.with_ending(&path)).or_else(|| self.with_ending(&path.join("index")))
    }

    fn exactly(&self, path: &Path) -> Option<usize> {
        self.files.get(path).copied()
    }

    fn with_ending(&self, path: &Path) -> Option<usize> {
        let written = path.extension().and_then(|ending| ending.to_str());
        let meant =
            WRITTEN_FOR.iter().find(|(ending, _)| written == Some(*ending)).map_or(&[][..], |(_, meant)| *meant);
        let replaced = meant.iter().find_map(|ending| self.exactly(&path.with_extension(ending)));
        replaced.or_else(|| {
            let name = path.file_name()?.to_str()?;
            ENDINGS.iter().find_map(|ending| self.exactly(&path.with_file_name(format!("{name}.{ending}"))))
        })
    }

    /// `#name`: an import that the package itself maps.
    fn own_import(&self, directory: &Path, specifier: &str) -> Option<usize> {
        let inside = |package: &&Package| directory.starts_with(&package.directory);
        let package =
            self.packages.values().filter(inside).max_by_key(|package| package.directory.as_os_str().len())?;
        let targets = matched(package.manifest.get("imports")?, specifier);
        targets.iter().find_map(|target| self.target(package, target))
    }

    /// A package of the program, or something inside of it.
    fn in_package(&self, specifier: &str) -> Option<usize> {
        let name_segments = if specifier.starts_with('@') { 2 } else { 1 };
        let end = specifier.match_indices('/').nth(name_segments - 1).map_or(specifier.len(), |(at, _)| at);
        let package = self.packages.get(&specifier[..end])?;
        let inner = specifier[end..].trim_start_matches('/');
        let asked = if inner.is_empty() { ".".to_owned() } else { format!("./{inner}") };
        let exports = package.manifest.get("exports").map(|exports| matched(exports, &asked)).unwrap_or_default();
        if let Some(found) = exports.iter().find_map(|target| self.target(package, target)) {
            return Some(found);
        }
        if inner.is_empty() {
            let entry = ["source", "types", "typings", "module", "main"]
                .iter()
                .find_map(|field| self.target(package, package.manifest.get(field)?.as_str()?));
            return entry.or_else(|| self.at(&package.directory.join("src"))).or_else(|| self.at(&package.directory));
        }
        self.target(package, inner).or_else(|| self.at(&package.directory.join("src").join(inner)))
    }

    /// The file that a manifest names; of what a build writes, the source.
    fn target(&self, package: &Package, target: &str) -> Option<usize> {
        let target = normal(Path::new(target));
        self.at(&package.directory.join(&target)).or_else(|| {
            let mut segments = target.components();
            let first = segments.next()?.as_os_str().to_str()?;
            let inner = segments.as_path();
            let is_built = BUILT.contains(&first);
            is_built.then(|| self.source_of(&package.directory, inner)).flatten()
        })
    }

    fn source_of(&self, directory: &Path, inner: &Path) -> Option<usize> {
        let mut inner = inner.to_owned();
        // Declarations stand beside what they declare: `index.d.ts` for `index.ts`.
        if let Some(stem) = inner.to_str().and_then(|path| path.strip_suffix(".d.ts")) {
            inner = PathBuf::from(format!("{stem}.js"));
        }
        // A build may have directories for its formats: `dist/cjs/index.js`.
        let shorter: PathBuf = inner.components().skip(1).collect();
        [&inner, &shorter]
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
            .find_map(|path| self.at(&directory.join("src").join(path)).or_else(|| self.at(&directory.join(path))))
    }

    fn settings_of(&self, directory: &Path) -> Option<Arc<Settings>> {
        let known = self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(directory).cloned();
        if let Some(known) = known {
            return known;
        }
        let own = ["tsconfig.json", "jsconfig.json"].into_iter().map(|name| directory.join(name));
        let own = own.into_iter().find(|path| self.disk.is_file(path));
        let settings = match own {
            Some(path) => Some(Arc::new(self.read_settings(&path, LONGEST_CHAIN))),
            None => directory.parent().and_then(|parent| self.settings_of(parent)),
        };
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned(), settings.clone());
        settings
    }

    fn read_settings(&self, path: &Path, depth: u32) -> Settings {
        let (Some(depth), Some(directory)) = (depth.checked_sub(1), path.parent()) else { return Settings::default() };
        let text = self.disk.read_text(path).unwrap_or_default();
        let Ok(written) = serde_json::from_str::<Value>(&plain_json(&text)) else { return Settings::default() };
        let extended = match written.get("extends") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut settings = Settings::default();
        for name in extended {
            if let Some(path) = self.extended(directory, name) {
                let inherited = self.read_settings(&path, depth);
                settings.base = inherited.base.or(settings.base);
                if !inherited.paths.is_empty() {
                    settings.paths = inherited.paths;
                }
            }
        }
        let Some(options) = written.get("compilerOptions") else { return settings };
        if let Some(base) = options.get("baseUrl").and_then(Value::as_str) {
            settings.base = Some(normal(&directory.join(base)));
        }
        if let Some(paths) = options.get("paths").and_then(Value::as_object) {
            let base = settings.base.clone().unwrap_or_else(|| directory.to_owned());
            let absolute = |target: &Value| target.as_str().map(|target| normal(&base.join(target)));
            let targets = |targets: &Value| targets.as_array().into_iter().flatten().filter_map(absolute).collect();
            settings.paths = paths.iter().map(|(pattern, written)| (pattern.clone(), targets(written))).collect();
            settings.paths.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        }
        settings
    }

    /// The settings that others extend: a path, or a package of the program.
    fn extended(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        let path = if is_relative(name) {
            directory.join(name)
        } else {
            let package = self.packages.iter().find(|(package, _)| name.starts_with(package.as_str()));
            let (package, found) = package?;
            found.directory.join(name[package.len()..].trim_start_matches('/'))
        };
        let path = normal(&path);
        let with_ending = PathBuf::from(format!("{}.json", path.display()));
        [path, with_ending].into_iter().find(|path| self.disk.is_file(path))
    }
}

impl Settings {
    fn mapped(&self, specifier: &str, at: impl Fn(&Path) -> Option<usize>) -> Option<usize> {
        self.paths.iter().find_map(|(pattern, targets)| {
            let filled = fill(pattern, specifier)?;
            targets.iter().find_map(|target| at(Path::new(&target.to_str()?.replacen('*', filled, 1))))
        })
    }
}

/// What a pattern's `*` stands for in a text; an empty text where the pattern has none.
fn fill<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    match pattern.split_once('*') {
        None => (pattern == text).then_some(""),
        Some((before, after)) => text.strip_prefix(before)?.strip_suffix(after),
    }
}

/// What `exports` or `imports` of a manifest give for a path, by any of their conditions.
fn matched(table: &Value, asked: &str) -> Vec<String> {
    let Value::Object(entries) = table else {
        return if asked == "." { targets(table, "") } else { Vec::new() };
    };
    if !entries.keys().any(|key| key.starts_with(['.', '#'])) {
        return if asked == "." { targets(table, "") } else { Vec::new() };
    }
    if let Some(exact) = entries.get(asked) {
        return targets(exact, "");
    }
    let patterns = entries.iter().filter(|(key, _)| key.contains('*'));
    let best =
        patterns.filter_map(|(key, value)| Some((key.len(), fill(key, asked)?, value))).max_by_key(|(len, ..)| *len);
    best.map(|(_, filled, value)| targets(value, filled)).unwrap_or_default()
}

fn targets(value: &Value, filled: &str) -> Vec<String> {
    match value {
        Value::String(target) => vec![target.replace('*', filled)],
        Value::Object(conditions) => conditions.values().flat_map(|value| targets(value, filled)).collect(),
        Value::Array(several) => several.iter().flat_map(|value| targets(value, filled)).collect(),
        _ => Vec::new(),
    }
}

fn is_relative(specifier: &str) -> bool {
    specifier == "." || specifier == ".." || specifier.starts_with("./") || specifier.starts_with("../")
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// JSON with comments and commas at the end, without them.
fn plain_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                in_string = !in_string;
                plain.push(c);
            }
            '\\' if in_string => {
                plain.push(c);
                plain.extend(rest.next());
            }
            '/' if !in_string && rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if !in_string && rest.peek() == Some(&'*') => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            '}' | ']' if !in_string => {
                let kept = plain.trim_end().trim_end_matches(',').len();
                plain.truncate(kept);
                plain.push(c);
            }
            _ => plain.push(c),
        }
    }
    plain.trim_start_matches('\u{feff}').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Resolver, plain_json};
    use crate::discover::{Kind, Project, SourceFile};
    use crate::disk::Disk;
    use std::path::{Path, PathBuf};

    fn project(files: &[&str], manifests: &[&str]) -> Project {
        let file = |path: &&str| SourceFile {
            path: PathBuf::from(path),
            shown: String::new(),
            rooted: String::new(),
            kind: Kind::Script,
            names: Vec::new(),
            is_package: false,
            reported: true,
            project: 0,
        };
        let manifests = manifests.iter().map(PathBuf::from).collect();
        Project { files: files.iter().map(file).collect(), manifests, ..Project::default() }
    }

    fn found(disk: &Disk, project: &Project, from: &str, specifier: &str) -> Option<String> {
        let at = Resolver::new(disk, project).resolve(Path::new(from), specifier)?;
        Some(project.files[at].path.display().to_string())
    }

    #[test]
    fn paths_with_and_without_endings() {
        let files = ["/r/a.ts", "/r/b/index.tsx", "/r/c.js", "/r/d.vue", "/r/e.f.ts"];
        let project = project(&files, &[]);
        let from = |specifier| found(&Disk::default(), &project, "/r/x/y.ts", specifier);
        assert_eq!(from("../a").as_deref(), Some("/r/a.ts"));
        assert_eq!(from("../a.js").as_deref(), Some("/r/a.ts"));
        assert_eq!(from("../b").as_deref(), Some("/r/b/index.tsx"));
        assert_eq!(from("../b/index.js").as_deref(), Some("/r/b/index.tsx"));
        assert_eq!(from("../c.js").as_deref(), Some("/r/c.js"));
        assert_eq!(from("../d.vue").as_deref(), Some("/r/d.vue"));
        assert_eq!(from("../e.f").as_deref(), Some("/r/e.f.ts"));
        assert_eq!(from("../a.css"), None);
        assert_eq!(from("left-pad"), None);
    }

    #[test]
    fn packages_of_the_same_tree() {
        let disk = Disk::default()
            .with_text("/r/p/package.json".into(), r#"{"name": "@own/p", "main": "dist/index.js"}"#.to_owned())
            .with_text(
                "/r/q/package.json".into(),
                r##"{"name": "q", "exports": {".": {"import": "./lib/main.js"}, "./*": "./lib/*.js"}, "imports": {"#u": "./src/u.ts"}}"##
                    .to_owned(),
            );
        let files =
            ["/r/p/src/index.ts", "/r/p/src/util/deep.ts", "/r/q/src/main.ts", "/r/q/src/extra.ts", "/r/q/src/u.ts"];
        let project = project(&files, &["/r/p/package.json", "/r/q/package.json"]);
        let from = |specifier| found(&disk, &project, "/r/q/src/main.ts", specifier);
        assert_eq!(from("@own/p").as_deref(), Some("/r/p/src/index.ts"));
        assert_eq!(from("@own/p/util/deep").as_deref(), Some("/r/p/src/util/deep.ts"));
        assert_eq!(from("@own/p/dist/util/deep").as_deref(), Some("/r/p/src/util/deep.ts"));
        assert_eq!(from("q").as_deref(), Some("/r/q/src/main.ts"));
        assert_eq!(from("q/extra").as_deref(), Some("/r/q/src/extra.ts"));
        assert_eq!(from("#u").as_deref(), Some("/r/q/src/u.ts"));
        assert_eq!(from("@own/other"), None);
    }

    #[test]
    fn settings_map_paths_and_extend_each_other() {
        let disk = Disk::default()
            .with_text("/r/base.json".into(), r#"{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}"#.to_owned())
            .with_text(
                "/r/app/tsconfig.json".into(),
                "{ // the app\n \"extends\": \"../base\", \"compilerOptions\": { \"baseUrl\": \"./code\", }, }"
                    .to_owned(),
            );
        let project = project(&["/r/src/a.ts", "/r/app/code/b.ts"], &[]);
        let from = |specifier| found(&disk, &project, "/r/app/code/x/y.ts", specifier);
        assert_eq!(from("@/a").as_deref(), Some("/r/src/a.ts"));
        assert_eq!(from("b").as_deref(), Some("/r/app/code/b.ts"));
    }

    #[test]
    fn comments_and_last_commas_are_no_json() {
        assert_eq!(
            plain_json("{\"a\": \"// no /* no\", /* b */ \"c\": [1, ], }"),
            "{\"a\": \"// no /* no\",  \"c\": [1]}"
        );
        assert_eq!(plain_json("{\"a\\\"//\": 1}//"), "{\"a\\\"//\": 1}");
    }
}

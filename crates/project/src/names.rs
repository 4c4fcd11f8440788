//! Dotted names of modules: which names an import may call a file by.
//!
//! A file's first name counts from its source root: the nearest directory above it that is no package and is the root
//! of a project or called `src`, `lib` or `python`. That name is the file's own: relative imports count from it, and
//! it is unique within a project whatever the layout. But Python finds modules along a search path, so the same file
//! may be imported by a longer name (from the top of the repository) or a shorter one (a script's directory, or a
//! directory that the deployment puts on the path); those follow, each with who may use it.

use crate::disk::Disk;
use crate::walk::MARKERS;
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};

/// A name of a module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModuleName {
    /// Dotted path.
    pub text: String,
    /// Which files may import by it.
    pub reach: Reach,
}

/// Who may import a file by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every file.
    Anywhere,
    /// Every file, unless a library has that name: it starts at a regular package whose directory is on nobody's
    /// declared search path.
    Unclaimed,
    /// Files under the directory that the name starts in, as with a script and its neighbours, unless a library has
    /// that name. What the file's first name has before this one is that directory's name.
    Beneath,
    /// Every file, unless the program has a module of that name.
    Installed,
}

/// Directories that hold source roots by convention.
const SOURCE_DIRECTORIES: [&str; 4] = ["src", "lib", "python", "source"];

/// Where packages and projects are.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    packages: FxHashSet<PathBuf>,
    projects: FxHashSet<PathBuf>,
}

impl Layout {
    /// Takes in what a walk from `root` found, and looks at the directories above it.
    pub(crate) fn add(&mut self, disk: &Disk, root: &Path, files: &[PathBuf], marked: FxHashSet<PathBuf>) {
        let inits = files.iter().filter(|file| is_init(file));
        self.packages.extend(inits.filter_map(|file| file.parent()).map(Path::to_owned));
        self.projects.extend(marked);
        for directory in root.ancestors() {
            if disk.is_file(&directory.join("__init__.py")) || disk.is_file(&directory.join("__init__.pyi")) {
                self.packages.insert(directory.to_owned());
            }
            if is_project(disk, directory) {
                self.projects.insert(directory.to_owned());
            }
        }
    }

    /// The names of the file; `top` is the directory that is analysed, as far up as names can start.
    pub(crate) fn names(&self, file: &Path, top: &Path) -> Vec<ModuleName> {
        let directory = file.parent().unwrap_or(top);
        let root = self.source_root(directory, top);
        let stem = if is_init(file) { None } else { file.file_stem().map(|stem| stem.to_string_lossy().into_owned()) };
        let mut names = vec![named(directory, root, stem.as_deref(), Reach::Anywhere)];
        self.add_longer(&mut names, directory, root, top, stem.as_deref());
        self.add_shorter(&mut names, directory, root, stem.as_deref());
        names
    }

    /// The root of the project that a directory belongs to.
    pub(crate) fn project_of<'a>(&self, directory: &'a Path, top: &'a Path) -> &'a Path {
        directory.ancestors().find(|dir| self.projects.contains(*dir)).unwrap_or(top)
    }

    fn source_root<'a>(&self, directory: &'a Path, top: &'a Path) -> &'a Path {
        let mut outside = directory.ancestors().filter(|dir| !self.packages.contains(*dir));
        let fallback = top.ancestors().find(|dir| !self.packages.contains(*dir)).unwrap_or(top);
        outside
            .find(|dir| *dir == fallback || self.projects.contains(*dir) || is_source_directory(dir))
            .unwrap_or(fallback)
    }

    fn add_longer(&self, names: &mut Vec<ModuleName>, directory: &Path, root: &Path, top: &Path, stem: Option<&str>) {
        let mut above = root;
        while above != top && above.starts_with(top) {
            let Some(parent) = above.parent() else { return };
            if !above.file_name().is_some_and(|name| is_identifier(&name.to_string_lossy())) {
                return;
            }
            above = parent;
            names.push(named(directory, above, stem, Reach::Anywhere));
        }
    }

    fn add_shorter(&self, names: &mut Vec<ModuleName>, directory: &Path, root: &Path, stem: Option<&str>) {
        let below: Vec<&Path> = directory.ancestors().take_while(|dir| *dir != root && dir.starts_with(root)).collect();
        for (index, start) in below.iter().enumerate().rev() {
            // A project's own directory is a place to start from, even if it is a package besides.
            if self.packages.contains(*start) && !self.projects.contains(*start) {
                return;
            }
            let next = index.checked_sub(1).map(|inner| below[inner]);
            if next.is_none() && stem.is_none() {
                return;
            }
            let regular = next.is_some_and(|next| self.packages.contains(next));
            names.push(named(directory, start, stem, if regular { Reach::Unclaimed } else { Reach::Beneath }));
        }
    }
}

fn named(directory: &Path, root: &Path, stem: Option<&str>, reach: Reach) -> ModuleName {
    let parents = directory.strip_prefix(root).unwrap_or(Path::new(""));
    let mut segments: Vec<String> = parents.iter().map(|part| part.to_string_lossy().replace('.', "_")).collect();
    segments.extend(stem.map(|stem| stem.replace('.', "_")));
    if segments.is_empty() {
        // An `__init__.py` at the top of what is analysed, in a directory of which nothing else is known.
        segments.extend(root.file_name().map(|name| name.to_string_lossy().replace('.', "_")));
    }
    ModuleName { text: segments.join("."), reach }
}

/// The name of a file that is imported by its path: that path from the project's root, with dots between its segments. Nobody imports
/// by it; it tells what a module is for, in the words that hold for all languages.
pub(crate) fn script_name(rooted: &str) -> ModuleName {
    let path = rooted.rsplit_once('.').map_or(rooted, |(stem, _)| stem);
    let segments: Vec<&str> = path.split('/').flat_map(|segment| segment.split('.')).map(role).collect();
    ModuleName { text: segments.join("."), reach: Reach::Anywhere }
}

/// What a directory or a part of a file's name is called for what it is.
fn role(segment: &str) -> &str {
    match segment {
        "spec" | "specs" | "__tests__" | "__test__" | "__mocks__" | "__fixtures__" | "e2e" | "integration-tests"
        | "cypress" | "test-utils" => "tests",
        "stories" | "sandbox" => "examples",
        "bin" => "cli",
        other if other.ends_with("-cli") || other.starts_with("create-") => "cli",
        other => other,
    }
}

pub(crate) fn is_init(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "__init__")
}

pub(crate) fn is_project(disk: &Disk, directory: &Path) -> bool {
    MARKERS.iter().any(|marker| disk.exists_now(&directory.join(marker)))
}

fn is_source_directory(directory: &Path) -> bool {
    directory.file_name().and_then(|name| name.to_str()).is_some_and(|name| SOURCE_DIRECTORIES.contains(&name))
}

fn is_identifier(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{Layout, Reach, script_name};
    use std::path::{Path, PathBuf};

    fn layout(packages: &[&str], projects: &[&str]) -> Layout {
        let set = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Layout { packages: set(packages), projects: set(projects) }
    }

    fn names(layout: &Layout, file: &str) -> Vec<(String, Reach)> {
        layout.names(Path::new(file), Path::new("/r")).into_iter().map(|name| (name.text, name.reach)).collect()
    }

    fn at(text: &str, reach: Reach) -> (String, Reach) {
        (text.to_owned(), reach)
    }

    #[test]
    fn scripts_are_named_by_their_path_and_what_they_are_for() {
        assert_eq!(script_name("src/users/user.service.ts").text, "src.users.user.service");
        assert_eq!(script_name("src/__tests__/a.spec.tsx").text, "src.tests.a.tests");
        assert_eq!(script_name("packages/my-cli/x.js").text, "packages.cli.x");
    }

    #[test]
    fn a_src_layout_counts_from_src() {
        let layout = layout(&["/r/src/pkg"], &["/r"]);
        let expected = [at("pkg.api", Reach::Anywhere), at("src.pkg.api", Reach::Anywhere)];
        assert_eq!(names(&layout, "/r/src/pkg/api.py"), expected);
        assert_eq!(names(&layout, "/r/src/pkg/__init__.py")[0].0, "pkg");
    }

    #[test]
    fn directories_without_init_are_namespaces_and_script_directories() {
        let layout = layout(&[], &["/r"]);
        let expected = [at("app.jobs.run", Reach::Anywhere), at("jobs.run", Reach::Beneath), at("run", Reach::Beneath)];
        assert_eq!(names(&layout, "/r/app/jobs/run.py"), expected);
    }

    #[test]
    fn a_regular_package_in_a_plain_directory_may_be_on_the_path() {
        let layout = layout(&["/r/services/api/app"], &["/r"]);
        let expected =
            [at("services.api.app.x", Reach::Anywhere), at("api.app.x", Reach::Beneath), at("app.x", Reach::Unclaimed)];
        assert_eq!(names(&layout, "/r/services/api/app/x.py"), expected);
    }

    #[test]
    fn nested_projects_have_their_own_root() {
        let layout = layout(&["/r/packages/my-lib/lib_a"], &["/r", "/r/packages/my-lib"]);
        assert_eq!(names(&layout, "/r/packages/my-lib/lib_a/x.py"), [at("lib_a.x", Reach::Anywhere)]);
        assert_eq!(
            layout.project_of(Path::new("/r/packages/my-lib/lib_a"), Path::new("/r")),
            Path::new("/r/packages/my-lib")
        );
    }

    #[test]
    fn a_package_that_is_a_project_besides_may_be_the_place_to_start_from() {
        let layout = layout(&["/r/extra", "/r/extra/jobs"], &["/r", "/r/extra"]);
        let expected = [at("extra.jobs.x", Reach::Anywhere), at("jobs.x", Reach::Unclaimed)];
        assert_eq!(names(&layout, "/r/extra/jobs/x.py"), expected);
    }

    #[test]
    fn a_package_given_as_the_path_counts_from_its_parent() {
        let layout = layout(&["/r", "/r/sub"], &[]);
        assert_eq!(names(&layout, "/r/sub/x.py"), [at("r.sub.x", Reach::Anywhere)]);
    }

    #[test]
    fn without_any_project_the_given_directory_is_the_root() {
        let layout = layout(&[], &[]);
        assert_eq!(names(&layout, "/r/events.py"), [at("events", Reach::Anywhere)]);
    }
}

//! From paths on a command line to the files of a program.

use crate::cache;
use crate::config::{self, Config, Vocabulary};
use crate::disk::Disk;
use crate::environment::SitePackages;
use crate::git::Changes;
use crate::globs::Globs;
use crate::names::{Layout, ModuleName, is_init, is_project, script_name};
use crate::paths::{absolute, relative};
use crate::walk::{Found, walk};
use racewalk_report::Skipped;
use rustc_hash::FxHashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What to look at.
#[derive(Clone, Debug, Hash)]
pub struct Options {
    /// Files and directories that are reported on.
    pub paths: Vec<PathBuf>,
    /// Relative paths count from here, and printed ones are relative to it. Absolute.
    pub working_directory: PathBuf,
    /// Load nothing but `paths`, and no configuration.
    pub isolated: bool,
    /// This configuration file instead of the nearest.
    pub config: Option<PathBuf>,
    /// An environment of installed packages: its directory, its interpreter, or the directory that holds them.
    pub python: Option<PathBuf>,
}

/// The tool cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A module.
    Source,
    /// Declarations of a module (`.pyi`).
    Stub,
    /// A notebook.
    Notebook,
    /// Text with code blocks in it.
    Markdown,
    /// JavaScript or TypeScript, in any of its forms.
    Script,
    /// Go: a part of the package that its directory is.
    Go,
}

/// A file of the program.
#[derive(Clone, Debug, Hash)]
pub struct SourceFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Path relative to the working directory: what is printed.
    pub shown: String,
    /// Path relative to the project's root: the same wherever the tool is run.
    pub rooted: String,
    /// What it holds.
    pub kind: Kind,
    /// Dotted names, the file's own first.
    pub names: Vec<ModuleName>,
    /// It is a package's own file (`__init__`).
    pub is_package: bool,
    /// Findings in it are wanted; other files are context.
    pub reported: bool,
    /// Which of several projects in one tree it belongs to: of two modules with one name, an import means the one of
    /// its own project.
    pub project: u32,
}

/// The files of a program, and what is known of it before they are read.
#[derive(Clone, Debug, Default, Hash)]
pub struct Project {
    /// Files, sorted by path.
    pub files: Vec<SourceFile>,
    /// Manifests of JavaScript packages among them, sorted by path.
    pub manifests: Vec<PathBuf>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
    /// The root of the project around all paths that were asked for.
    pub root: PathBuf,
    /// The configuration.
    pub config: Config,
    /// The Python version that the configuration or a manifest names.
    pub python_version: Option<(u8, u8)>,
    /// Where installed packages lie.
    pub site_packages: SitePackages,
}

/// Finds the files of the program that `options` asks for.
///
/// # Errors
/// When a path does not exist or the configuration cannot be used.
pub fn discover(disk: &Disk, options: &Options, vocabulary: &Vocabulary) -> Result<Project, Failure> {
    let working = &options.working_directory;
    let paths: Vec<PathBuf> = options.paths.iter().map(|path| absolute(path, working)).collect();
    for path in &paths {
        if !disk.exists(path) {
            return Err(Failure(format!("{}: no such file or directory", relative(path, working))));
        }
    }
    let config = configuration(disk, options, &paths, vocabulary).map_err(Failure)?;
    let search = search(disk, &config.exclude, &paths, options.isolated);
    let root = paths.first().map(|path| root_of(disk, path)).unwrap_or_else(|| working.clone());
    let python_version = config.python_version.or_else(|| required_version(disk, &root));
    let site_packages = if options.isolated && options.python.is_none() {
        SitePackages::default()
    } else {
        environment(disk, options, &root)?
    };
    let (files, manifests, skipped) = search.finish(working);
    let root = root_of(disk, &common_directory(&paths, working));
    Ok(Project { files, manifests, skipped, root, config, python_version, site_packages })
}

/// Where answers about these paths are kept, unless another place is named: at the root of the project around them. What
/// bears no mark of a project has no such place, since a directory would be left behind wherever a file is looked at.
pub fn cache_of(disk: &Disk, options: &Options) -> Option<PathBuf> {
    let working = &options.working_directory;
    let paths: Vec<PathBuf> = options.paths.iter().map(|path| absolute(path, working)).collect();
    let root = root_of(disk, &common_directory(&paths, working));
    is_project(disk, &root).then(|| root.join(cache::NAME))
}

impl Project {
    /// What has changed since a revision, of all that can be analysed.
    ///
    /// # Errors
    /// Says why git has no answer, and what to do about it.
    pub fn changes(&self, disk: &Disk, options: &Options, revision: &str) -> Result<Changes, Failure> {
        let asked = options.paths.iter().map(|path| absolute(path, &options.working_directory));
        let files: Vec<PathBuf> = asked.filter(|path| disk.is_file(path)).collect();
        Changes::since(revision, &self.root, &files).map_err(Failure)
    }

    /// The project as it was before the changes, on the disk of then, and under today's configuration. What was reported
    /// on where it is now is reported on where it was, and counts as the file that it has become.
    #[must_use]
    pub fn before(&self, disk: &Disk, options: &Options, changes: &Changes) -> Self {
        let working = &options.working_directory;
        let asked = options.paths.iter().map(|path| absolute(path, working));
        let asked: Vec<PathBuf> = asked.map(|path| changes.origin(&path).to_owned()).collect();
        let today = |path: &PathBuf| self.file(changes.moved.get(path)?);
        let moved = changes.moved.keys().filter(|path| today(path).is_some_and(|file| file.reported)).cloned();
        let paths = asked.into_iter().chain(moved).filter(|path| disk.exists(path)).collect::<Vec<_>>();
        let (mut files, manifests, skipped) =
            search(disk, &self.config.exclude, &paths, options.isolated).finish(working);
        for file in &mut files {
            if let Some(today) = today(&file.path) {
                file.rooted.clone_from(&today.rooted);
            }
        }
        Self {
            files,
            manifests,
            skipped,
            root: self.root.clone(),
            config: self.config.clone(),
            python_version: self.python_version,
            site_packages: self.site_packages.clone(),
        }
    }

    /// The file at this path.
    fn file(&self, path: &Path) -> Option<&SourceFile> {
        let at = self.files.binary_search_by(|file| file.path.as_path().cmp(path)).ok()?;
        Some(&self.files[at])
    }
}

fn search<'a>(disk: &'a Disk, exclude: &'a Globs, paths: &[PathBuf], isolated: bool) -> Search<'a> {
    let mut search = Search {
        disk,
        exclude,
        found: FxHashMap::default(),
        manifests: Vec::new(),
        layout: Layout::default(),
        skipped: Vec::new(),
    };
    for path in paths {
        search.add_path(path);
    }
    if !isolated {
        for path in paths {
            search.add_context(path);
        }
    }
    search
}

fn configuration(disk: &Disk, options: &Options, paths: &[PathBuf], vocabulary: &Vocabulary) -> Result<Config, String> {
    let working = &options.working_directory;
    if let Some(given) = &options.config {
        let path = absolute(given, working);
        let loaded = config::load(disk, &path, vocabulary, working)?;
        return loaded.ok_or_else(|| format!("{}: it has no [tool.racewalk] section", relative(&path, working)));
    }
    if options.isolated {
        return Ok(Config::default());
    }
    config::find(disk, &common_directory(paths, working), vocabulary, working)
}

fn common_directory(paths: &[PathBuf], working: &Path) -> PathBuf {
    let mut paths = paths.iter();
    let mut common = paths.next().map_or_else(|| working.to_owned(), Clone::clone);
    for path in paths {
        while !path.starts_with(&common) && common.pop() {}
    }
    common
}

fn environment(disk: &Disk, options: &Options, root: &Path) -> Result<SitePackages, Failure> {
    let given = options.python.as_ref().map(|path| absolute(path, &options.working_directory));
    SitePackages::find(disk, given.as_deref(), root, &options.working_directory).map_err(Failure)
}

/// The root of the project around a path: the nearest directory with a marker of one, else the path's own directory,
/// or the one that holds its outermost package.
fn root_of(disk: &Disk, path: &Path) -> PathBuf {
    let directory = if disk.is_dir(path) { path } else { path.parent().unwrap_or(path) };
    let marked = directory.ancestors().find(|ancestor| is_project(disk, ancestor));
    marked.unwrap_or_else(|| outside_packages(disk, directory)).to_owned()
}

fn outside_packages<'a>(disk: &Disk, directory: &'a Path) -> &'a Path {
    let is_package = |dir: &&Path| disk.is_file(&dir.join("__init__.py"));
    directory.ancestors().find(|dir| !is_package(dir)).unwrap_or(directory)
}

fn required_version(disk: &Disk, root: &Path) -> Option<(u8, u8)> {
    config::requires_python(&disk.read_text(&root.join("pyproject.toml")).ok()?)
}

/// The search for files: what was found, and from where.
struct Search<'a> {
    disk: &'a Disk,
    exclude: &'a Globs,
    found: FxHashMap<PathBuf, Origin>,
    manifests: Vec<PathBuf>,
    layout: Layout,
    skipped: Vec<(PathBuf, String)>,
}

/// How a file came into the program.
struct Origin {
    reported: bool,
    top: PathBuf,
}

impl Search<'_> {
    /// Takes a path that was asked for.
    fn add_path(&mut self, path: &Path) {
        let root = root_of(self.disk, path);
        if self.disk.is_dir(path) {
            let found = walk(self.disk, path, None, self.exclude);
            self.take(path, found, &root, true);
        } else {
            let found = Found { files: vec![path.to_owned()], ..Found::default() };
            self.take(path, found, &root, true);
        }
    }

    /// Takes the project around a path. Without any mark of a project, only what a script could import: the package
    /// that holds it, or the files beside it.
    fn add_context(&mut self, path: &Path) {
        let root = root_of(self.disk, path);
        if root == path {
            return;
        }
        let depth = if is_project(self.disk, &root) { None } else { Some(1) };
        let directory = if self.disk.is_dir(path) { path } else { path.parent().unwrap_or(path) };
        let package = directory.ancestors().take_while(|dir| *dir != root).last();
        match (depth, package) {
            (Some(_), Some(package)) => self.walk_context(package, None, &root),
            _ => self.walk_context(&root, depth, &root),
        }
    }

    fn walk_context(&mut self, directory: &Path, depth: Option<usize>, root: &Path) {
        let found = walk(self.disk, directory, depth, self.exclude);
        self.take(directory, found, root, false);
    }

    fn take(&mut self, start: &Path, found: Found, top: &Path, reported: bool) {
        self.layout.add(self.disk, start, &found.files, found.marked);
        if reported {
            self.skipped.extend(found.skipped);
        }
        self.manifests.extend(found.manifests);
        for file in found.files {
            self.found.entry(file).or_insert_with(|| Origin { reported, top: top.to_owned() });
        }
    }

    fn finish(mut self, working: &Path) -> (Vec<SourceFile>, Vec<PathBuf>, Vec<Skipped>) {
        let mut found: Vec<(PathBuf, Origin)> = std::mem::take(&mut self.found).into_iter().collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut projects = FxHashMap::default();
        let files =
            found.into_iter().map(|(path, origin)| self.source_file(path, origin, working, &mut projects)).collect();
        self.manifests.sort();
        self.manifests.dedup();
        self.skipped.sort();
        self.skipped.dedup();
        let skipped =
            self.skipped.into_iter().map(|(path, reason)| Skipped { path: relative(&path, working), line: 0, reason });
        (files, std::mem::take(&mut self.manifests), skipped.collect())
    }

    fn source_file(
        &self,
        path: PathBuf,
        origin: Origin,
        working: &Path,
        projects: &mut FxHashMap<PathBuf, u32>,
    ) -> SourceFile {
        let project = self.layout.project_of(path.parent().unwrap_or(&path), &origin.top);
        let next = projects.len() as u32;
        let rooted = relative(&path, &origin.top);
        let kind = Kind::of(&path);
        let names = match kind {
            Kind::Script | Kind::Go => vec![script_name(&rooted)],
            _ => self.layout.names(&path, &origin.top),
        };
        SourceFile {
            shown: relative(&path, working),
            rooted,
            kind,
            names,
            is_package: is_init(&path),
            reported: origin.reported,
            project: *projects.entry(project.to_owned()).or_insert(next),
            path,
        }
    }
}

impl Kind {
    /// What a file holds, by its name.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("pyi") => Self::Stub,
            Some("ipynb") => Self::Notebook,
            Some("md" | "markdown") => Self::Markdown,
            Some("go") => Self::Go,
            Some("js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" | "vue" | "svelte") => Self::Script,
            _ => Self::Source,
        }
    }
}

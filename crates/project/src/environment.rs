//! Installed packages: where an environment keeps them, and which file a dotted name means there.

use crate::discover::{Kind, SourceFile};
use crate::disk::Disk;
use crate::names::{ModuleName, Reach, is_init};
use crate::paths::{absolute, relative};
use rustc_hash::FxHashSet;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// What an environment's directories of packages are called; the second one is Debian's.
const PACKAGES: [&str; 2] = ["site-packages", "dist-packages"];

/// The number that all installed packages have in place of a project's.
const INSTALLED: u32 = u32::MAX;

/// The directories that installed packages lie in, in the order in which an import looks through them.
#[derive(Clone, Debug, Default)]
pub struct SitePackages {
    directories: Vec<PathBuf>,
    /// What the directories hold: most names that are imported are none of these.
    roots: FxHashSet<String>,
}

impl Hash for SitePackages {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut roots: Vec<&String> = self.roots.iter().collect();
        roots.sort_unstable();
        (&self.directories, roots).hash(state);
    }
}

impl SitePackages {
    /// The packages of the environment that was given, else of one that lies in the project.
    pub(crate) fn find(disk: &Disk, given: Option<&Path>, root: &Path, working: &Path) -> Result<Self, String> {
        let found = match given {
            Some(given) => named(disk, given, working)?,
            None => {
                let own = [".venv", "venv"].map(|name| installed_in(disk, &root.join(name)));
                own.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
            }
        };
        Ok(Self::new(disk, found))
    }

    fn new(disk: &Disk, mut directories: Vec<PathBuf>) -> Self {
        let linked: Vec<PathBuf> = directories.iter().flat_map(|directory| linked_from(disk, directory)).collect();
        directories.extend(linked);
        let entries = directories.iter().flat_map(|directory| disk.entries(directory));
        Self { roots: entries.filter_map(|entry| import_root(&entry)).collect(), directories }
    }

    /// Something that is imported by this first segment may be installed.
    pub fn has_root(&self, root: &str) -> bool {
        self.roots.contains(root)
    }

    /// The file of an installed module: its declarations, from a stub package or beside it, before its source. None for
    /// a package without a file of its own, and for what is compiled.
    pub fn module(&self, disk: &Disk, name: &str, working: &Path) -> Option<SourceFile> {
        let (root, rest) = name.split_once('.').unwrap_or((name, ""));
        let (stubs, inside) = (format!("{root}-stubs"), rest.replace('.', "/"));
        // A name that joins with nothing would end in a slash.
        let under = |directory: &Path, root: &str| match inside.as_str() {
            "" => directory.join(root),
            inside => directory.join(root).join(inside),
        };
        let stub = self.directories.iter().find_map(|directory| declared(disk, &under(directory, &stubs)));
        let path =
            stub.or_else(|| self.directories.iter().find_map(|directory| stored(disk, &under(directory, root))))?;
        Some(SourceFile {
            shown: relative(&path, working),
            rooted: name.to_owned(),
            kind: if path.extension().is_some_and(|ending| ending == "pyi") { Kind::Stub } else { Kind::Source },
            names: vec![ModuleName { text: name.to_owned(), reach: Reach::Installed }],
            is_package: is_init(&path),
            reported: false,
            project: INSTALLED,
            path,
        })
    }
}

impl SourceFile {
    /// It belongs to an installed package: read for what it declares.
    pub fn is_installed(&self) -> bool {
        self.project == INSTALLED
    }
}

/// The directories of an environment, an interpreter, or the directory of packages itself.
fn named(disk: &Disk, given: &Path, working: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = relative(given, working);
    let mend = "name a virtual environment, the interpreter in it, or its site-packages directory";
    if !disk.exists(given) {
        return Err(format!("{shown}: no such file or directory; {mend}"));
    }
    if disk.is_dir(given) && given.file_name().is_some_and(|name| PACKAGES.iter().any(|packages| name == *packages)) {
        return Ok(vec![given.to_owned()]);
    }
    let mut found = installed_in(disk, given);
    if found.is_empty()
        && let Ok(target) = disk.follow(given)
    {
        found = installed_in(disk, &target);
    }
    match found.is_empty() {
        true => Err(format!("{shown}: no Python packages are installed there; {mend}")),
        false => Ok(found),
    }
}

/// Takes the environment's directory, or the interpreter in it.
fn installed_in(disk: &Disk, environment: &Path) -> Vec<PathBuf> {
    let home = if disk.is_file(environment) { environment.parent().and_then(Path::parent) } else { Some(environment) };
    let Some(home) = home else { return Vec::new() };
    let versions = ["lib", "lib64"].into_iter().flat_map(|name| disk.entries(&home.join(name)));
    let unix =
        versions.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python")));
    let mut found: Vec<PathBuf> = unix.flat_map(|path| PACKAGES.map(|packages| path.join(packages))).collect();
    found.push(home.join("Lib").join(PACKAGES[0]));
    found.retain(|path| disk.is_dir(path));
    // `lib64` is usually a link to `lib`.
    let mut seen = Vec::new();
    found.retain(|path| {
        disk.follow(path).is_ok_and(|real| {
            !seen.contains(&real) && {
                seen.push(real);
                true
            }
        })
    });
    found
}

/// The directories that the lines of `.pth` files add, as an editable install does. Lines that are code are not run.
fn linked_from(disk: &Disk, directory: &Path) -> Vec<PathBuf> {
    let entries = disk.entries(directory).into_iter();
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "pth"));
    let texts: Vec<String> = files.filter_map(|path| disk.read_text(&path).ok()).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let is_path = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("import");
    let linked = lines.filter(is_path).map(|line| absolute(Path::new(line), directory));
    linked.filter(|path| disk.is_dir(path)).collect()
}

/// What an entry of a directory of packages is imported by.
fn import_root(entry: &Path) -> Option<String> {
    let name = entry.file_name()?.to_str()?;
    let is_import = |text: &str| text.chars().all(|c| c == '_' || c.is_alphanumeric());
    let stem = name.strip_suffix(".pyi").or_else(|| name.strip_suffix(".py")).unwrap_or(name);
    let root = stem.strip_suffix("-stubs").unwrap_or(stem);
    is_import(root).then(|| root.to_owned())
}

/// The declarations at a path that lacks its ending.
fn declared(disk: &Disk, path: &Path) -> Option<PathBuf> {
    first_file(disk, [path.join("__init__.pyi"), with_ending(path, "pyi")])
}

/// The declarations or the source at a path that lacks its ending: a package comes before a module of the same name.
fn stored(disk: &Disk, path: &Path) -> Option<PathBuf> {
    let (package, module) = (path.join("__init__.pyi"), with_ending(path, "pyi"));
    first_file(disk, [package, path.join("__init__.py"), module, with_ending(path, "py")])
}

fn first_file<const N: usize>(disk: &Disk, candidates: [PathBuf; N]) -> Option<PathBuf> {
    candidates.into_iter().find(|path| disk.is_file(path))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

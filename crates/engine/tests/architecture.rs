//! The invariants of ARCHITECTURE.md that a test can keep. One that fails names file and line.

#![expect(clippy::disallowed_methods, reason = "the test reads the project's own files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of ours each crate may see. Data flows one way, so no line may name a crate further down.
const SEES: &[(&str, &[&str])] = &[
    ("ir", &[]),
    ("models", &["ir"]),
    ("report", &[]),
    ("project", &["report"]),
    ("python", &["ir"]),
    ("javascript", &["ir"]),
    ("go_syntax", &[]),
    ("go", &["ir", "go_syntax"]),
    ("link", &["ir", "models"]),
    ("rules", &["ir", "link", "models", "report"]),
    ("prove", &["ir", "link", "project", "report"]),
    ("engine", &["ir", "link", "models", "project", "prove", "python", "javascript", "go", "report", "rules"]),
    ("cli", &["engine"]),
    ("mdtest", &["engine", "project"]),
];

/// Crates whose code computes and nothing else: no files, clocks, environment, processes, network.
const PURE: &[&str] = &["ir", "models", "report", "python", "javascript", "go_syntax", "go", "link", "rules"];

/// The only files that may read or write others.
const TOUCHES_DISK: &[&str] = &["project/src/disk.rs", "mdtest/src/sandbox.rs"];

/// The only file that walks directories, through the `ignore` crate.
const WALKS: &str = "project/src/walk.rs";

/// The only files that start other programs: git, and the language of the code that is to be proved.
const STARTS_GIT: &str = "project/src/git.rs";
const RUNS_CODE: &str = "prove/src/child.rs";

/// Files of `link` that know libraries by name, for what the models' schema cannot say. The list must not grow.
const KNOWS_LIBRARIES: &[&str] = &["link/src/decorators.rs", "link/src/intrinsics.rs", "link/src/summary.rs"];

#[test]
fn no_crate_reaches_back() {
    let found: BTreeSet<String> = directories(&crates()).iter().map(|path| file_name(path)).collect();
    let listed: BTreeSet<String> = SEES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed, "a crate is missing from this test's list, or from the workspace");
    for (name, allowed) in SEES {
        let seen = dependencies(name, "racewalk_");
        let more: Vec<&String> = seen.iter().filter(|seen| !allowed.contains(&seen.as_str())).collect();
        assert!(more.is_empty(), "crates/{name} must not depend on {more:?}");
        let position = |name: &str| SEES.iter().position(|(other, _)| *other == name);
        assert!(allowed.iter().all(|other| position(other) < position(name)), "{name} sees what comes after it");
    }
}

#[test]
fn only_the_front_end_knows_the_parser() {
    for (name, _) in SEES.iter().filter(|(name, _)| *name != "python") {
        let seen = dependencies(name, "ruff_");
        assert!(seen.is_empty(), "crates/{name} must not depend on the parser: {seen:?}");
    }
    for (name, _) in SEES.iter().filter(|(name, _)| *name != "javascript") {
        let seen = dependencies(name, "oxc_");
        assert!(seen.is_empty(), "crates/{name} must not depend on the parser: {seen:?}");
    }
}

#[test]
fn the_ir_names_no_language_and_no_library() {
    let languages = ["python", "javascript", "typescript", "ecmascript", "golang", "goroutine", "asyncio", "promise"];
    let lines = source_lines("ir", true);
    let named = lines.iter().filter(|line| {
        let text = line.text.to_lowercase();
        languages.iter().any(|language| text.contains(language))
    });
    refuse("a language or library is named", named);
}

#[test]
fn what_libraries_do_stands_in_the_models() {
    let roots = model_roots();
    assert!(roots.contains("asyncio") && roots.contains("requests"), "the models' roots were not found");
    let lines = ["rules", "link"].into_iter().flat_map(|name| source_lines(name, false));
    let lines: Vec<Line> = lines.filter(|line| !line.is_in(KNOWS_LIBRARIES)).collect();
    let names = |literal: &str| is_path(literal) && roots.contains(literal.split('.').next().unwrap_or_default());
    refuse("code knows a library by name", lines.iter().filter(|line| literals(&line.text).any(names)));
}

#[test]
fn all_disk_access_goes_through_the_projects_disk() {
    let lines: Vec<Line> = SEES.iter().flat_map(|(name, _)| source_lines(name, false)).collect();
    let touches = |line: &&Line| {
        let banned = ["fs::", "File::open", "File::create", "clippy::disallowed"];
        !line.is_in(TOUCHES_DISK) && banned.iter().any(|banned| has_word(&line.text, banned))
    };
    refuse("the disk is touched outside `Disk`", lines.iter().filter(touches));
    let walks = |line: &&Line| !line.is_in(&[WALKS]) && line.text.contains("ignore::");
    refuse("directories are walked elsewhere", lines.iter().filter(walks));
    let clippy = read(&root().join("clippy.toml"));
    for method in
        ["std::fs::read", "std::fs::read_to_string", "std::fs::write", "std::fs::read_dir", "std::fs::File::open"]
    {
        assert!(clippy.contains(&format!("\"{method}\"")), "clippy.toml must disallow {method}");
    }
}

#[test]
fn stages_compute_and_do_nothing_else() {
    let outside = ["std::io", "std::env", "std::net", "std::process", "std::time", "std::thread", "println!", "dbg!"];
    let lines: Vec<Line> = PURE.iter().flat_map(|name| source_lines(name, false)).collect();
    let reaches = |line: &&Line| outside.iter().any(|banned| line.text.contains(banned));
    refuse("a stage reaches outside", lines.iter().filter(reaches));
}

#[test]
fn one_file_runs_the_code_under_analysis_and_nothing_calls_home() {
    let lines: Vec<Line> = SEES.iter().flat_map(|(name, _)| source_lines(name, false)).collect();
    let connects =
        |line: &&Line| ["std::net", "TcpStream", "UdpSocket"].iter().any(|banned| line.text.contains(banned));
    refuse("a connection is opened", lines.iter().filter(connects));
    let starts = |line: &&Line| {
        let is_start = ["Command::new", "process::Command"].iter().any(|banned| line.text.contains(banned));
        let is_git = line.is_in(&[STARTS_GIT]) && line.text.contains("Command::new(\"git\")");
        is_start && !is_git && !line.is_in(&[RUNS_CODE])
    };
    refuse("a program is started", lines.iter().filter(starts));
}

#[test]
fn no_order_comes_from_chance() {
    let lines: Vec<Line> = SEES.iter().flat_map(|(name, _)| source_lines(name, false)).collect();
    let random = |line: &&Line| {
        let words: Vec<&str> = line.text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        words.contains(&"HashMap") || words.contains(&"HashSet") || words.contains(&"RandomState")
    };
    refuse("a table's order differs from run to run (use rustc-hash or BTreeMap)", lines.iter().filter(random));
}

#[test]
fn the_shell_sees_only_the_engine() {
    let lines = source_lines("cli", false);
    let others = |line: &&Line| line.text.replace("racewalk_engine", "").contains("racewalk_");
    refuse("the shell goes past the engine", lines.iter().filter(others));
}

#[test]
fn every_crate_keeps_the_workspaces_lints() {
    for (name, _) in SEES {
        let manifest = read(&crates().join(name).join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "crates/{name} has no [lints] workspace = true");
    }
}

#[test]
fn every_crate_has_its_section() {
    let text = read(&root().join("ARCHITECTURE.md"));
    for (name, _) in SEES {
        assert!(text.contains(&format!("\n### `{name}`")), "ARCHITECTURE.md has no section on crates/{name}");
    }
}

#[test]
fn every_rule_is_run_and_has_fixtures() {
    let names: BTreeSet<&str> = racewalk_rules::all().iter().map(|rule| rule.name).collect();
    for question in directories(&crates().join("rules/src")) {
        for file in files(&question, "rs") {
            if !read(&file).contains("static RULE: Rule") {
                continue;
            }
            let short = file.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
            let is_run = names.iter().any(|name| name.ends_with(&format!("/{short}")));
            assert!(is_run, "{} is in no list of rules", file.display());
            assert!(file.with_extension("md").is_file(), "{} has no fixtures beside it", file.display());
        }
    }
}

/// A line of code of a crate, its tests left out.
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

impl Line {
    fn is_in(&self, files: &[&str]) -> bool {
        files.iter().any(|file| self.file.ends_with(file))
    }
}

fn refuse<'a>(what: &str, lines: impl Iterator<Item = &'a Line>) {
    let shown: Vec<String> =
        lines.map(|line| format!("{}:{}: {}", line.file.display(), line.number, line.text.trim())).collect();
    assert!(shown.is_empty(), "{what}:\n{}", shown.join("\n"));
}

/// The lines of a crate's sources up to their tests, with or without comments.
fn source_lines(name: &str, comments: bool) -> Vec<Line> {
    let of_file = |file: PathBuf| {
        let text = read(&file);
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").enumerate();
        let kept = lines.filter(|(_, line)| comments || !line.trim_start().starts_with("//"));
        kept.map(|(index, line)| Line { file: file.clone(), number: index + 1, text: line.to_owned() })
            .collect::<Vec<_>>()
    };
    sources(&crates().join(name).join("src")).into_iter().flat_map(of_file).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let nested = directories(directory).into_iter().flat_map(|inner| sources(&inner));
    files(directory, "rs").into_iter().chain(nested).collect()
}

/// Dependencies of a crate whose name starts like this, without that start; those of its tests do not count.
fn dependencies(name: &str, prefix: &str) -> Vec<String> {
    let manifest: toml::Table = read(&crates().join(name).join("Cargo.toml")).parse().expect("a manifest is TOML");
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = table.into_iter().flat_map(|table| table.keys());
    names.filter_map(|dependency| dependency.strip_prefix(prefix)).map(str::to_owned).collect()
}

/// The import roots of all libraries that have a model, the language's own names left out.
fn model_roots() -> BTreeSet<String> {
    let mut roots = BTreeSet::new();
    for file in directories(&root().join("models")).iter().flat_map(|directory| files(directory, "toml")) {
        let model: toml::Table = read(&file).parse().expect("a model is TOML");
        let listed = model.get("roots").and_then(toml::Value::as_array).into_iter().flatten();
        roots.extend(listed.filter_map(toml::Value::as_str).map(str::to_owned));
    }
    roots.remove("builtins");
    roots.remove("globalThis");
    roots.remove("universe");
    roots
}

/// The string literals of a line.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// The text occurs, and not as the end of a longer word.
fn has_word(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// A dotted path and nothing else.
fn is_path(text: &str) -> bool {
    text.contains('.') && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

fn root() -> PathBuf {
    crates().parent().expect("the crates' directory stands in the workspace").to_owned()
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate stands among the others").to_owned()
}

fn directories(path: &Path) -> Vec<PathBuf> {
    entries(path).into_iter().filter(|path| path.is_dir()).collect()
}

fn files(path: &Path, ending: &str) -> Vec<PathBuf> {
    entries(path).into_iter().filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(path).expect("the directory is there").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

//! The cache as a user meets it: an answer from it is the one that a fresh check gives, byte for byte.

#![expect(clippy::disallowed_methods, reason = "the tests look at what the tool keeps, and damage it")]

mod sandbox;

use sandbox::{DROPPED, Tree};
use std::fs;
use std::path::PathBuf;

const FORMATS: [&str; 6] = ["full", "concise", "json", "sarif", "github", "markdown"];
const NOTEBOOK: &str = r##"{"cells":[{"cell_type":"markdown","metadata":{},"source":"# Hi"},{"cell_type":"code","metadata":{},"outputs":[],"execution_count":null,"source":"async def save(): ...\nasync def old():\n    save()\n"}],"metadata":{},"nbformat":4,"nbformat_minor":5}"##;

fn entries(tree: &Tree) -> Vec<PathBuf> {
    let listed = fs::read_dir(tree.0.join(".racewalk_cache/answers")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The answer of a check, which is the one without a cache, cold and warm.
fn checked(tree: &Tree, arguments: &str) -> (i32, String, String) {
    let fresh = tree.run(&format!("check --no-cache {arguments}"));
    for state in ["cold", "warm"] {
        assert_eq!(tree.run(&format!("check {arguments}")), fresh, "{state}: {arguments}");
    }
    fresh
}

#[test]
fn cold_and_warm_answers_are_the_same_in_all_formats() {
    let tree =
        Tree::new(&[("app/a.py", DROPPED), ("n.ipynb", NOTEBOOK), ("broken.py", "def f(:\n"), ("é.py", DROPPED)]);
    tree.write("doc.md", &format!("Text\n\n- list\n  ```python\n  {}\n  ```\n", DROPPED.replace('\n', "\n  ")));
    for format in FORMATS {
        let (code, out, err) = checked(&tree, &format!("--output-format {format}"));
        assert_eq!(code, 1);
        assert!(out.contains("app/a.py") && err.contains("broken.py"), "{format}: {out}{err}");
        checked(&tree, &format!("--output-format {format} doc.md"));
    }
    checked(&tree, "--statistics");
    assert_eq!(entries(&tree).len(), 2, "formats share an answer");
    for arguments in
        ["--strict", "--select await", "--ignore missing-await", "app", "--isolated", "--isolated app/a.py"]
    {
        let before = entries(&tree).len();
        checked(&tree, arguments);
        assert_eq!(entries(&tree).len(), before + 1, "{arguments}");
    }
    for arguments in ["--fail-on never", "--no-baseline"] {
        let before = entries(&tree).len();
        checked(&tree, arguments);
        assert_eq!(entries(&tree).len(), before, "what is held back or fails is no part of the answer: {arguments}");
    }
}

#[test]
fn a_warm_answer_comes_from_the_cache() {
    let tree = Tree::new(&[("a.py", DROPPED)]);
    tree.run("check");
    let [entry] = entries(&tree).try_into().unwrap();
    let answered = fs::metadata(&entry).unwrap().modified().unwrap();
    tree.run("check");
    assert_eq!(entries(&tree), std::slice::from_ref(&entry));
    assert!(fs::metadata(&entry).unwrap().modified().unwrap() > answered, "it was used, so it stays longer");
}

#[test]
fn whatever_an_answer_follows_from_makes_another_one() {
    let tree = Tree::new(&[("app/a.py", DROPPED), ("app/b.py", "")]);
    let found = || checked(&tree, "--output-format concise").1.lines().count();
    assert_eq!(found(), 1);
    // Of the same length, and within the same tick of the clock.
    tree.write("app/a.py", &DROPPED.replace("    save()", "    save  "));
    assert_eq!(found(), 0, "a changed file");
    tree.write("app/a.py", DROPPED);
    assert_eq!(found(), 1, "as it was before");
    tree.write("app/c.py", DROPPED);
    assert_eq!(found(), 2, "a new file");
    fs::remove_file(tree.0.join("app/c.py")).unwrap();
    assert_eq!(found(), 1, "a file less");
    fs::rename(tree.0.join("app/a.py"), tree.0.join("app/d.py")).unwrap();
    assert!(checked(&tree, "--output-format concise").1.starts_with("app/d.py"), "a file's name");
    tree.write("racewalk.toml", "[severity]\nmissing-await = 'hint'\n");
    assert!(checked(&tree, "--output-format concise").1.contains(" hint["), "the configuration");
    tree.write("racewalk.toml", "[[per-path]]\npaths = ['app']\nignore = ['missing-await']\n");
    assert_eq!(found(), 0, "a pattern in it");
    tree.write("racewalk.toml", "[[per-path]]\npaths = ['lib']\nignore = ['missing-await']\n");
    assert_eq!(found(), 1, "another pattern");
    tree.write("racewalk.toml", "fail-on = 'never'\n");
    assert_eq!(checked(&tree, "").0, 0);
    tree.run("baseline update");
    assert_eq!(found(), 0, "the baseline");
}

#[test]
fn what_was_read_besides_is_looked_at_again() {
    let package = ".venv/lib/python3.13/site-packages/parcel.py";
    let tree = Tree::new(&[
        ("a.py", "import parcel\n\n\nasync def run():\n    parcel.send()\n    acme.run()\n"),
        (package, ""),
    ]);
    let found = || checked(&tree, "--output-format concise").1.lines().count();
    assert_eq!(found(), 0);
    tree.write(package, "async def send(): ...\n");
    assert_eq!(found(), 1, "an installed package");
    tree.write(".venv/lib/python3.13/site-packages/parcel.pyi", "def send() -> None: ...\n");
    assert_eq!(found(), 0, "declarations that come before it");

    tree.write("a.py", "import acme\n\n\nasync def run():\n    acme.wait()\n");
    tree.write("racewalk.toml", "models = ['acme.toml']\n");
    let model = |says: &str| format!("library = \"acme\"\nroots = [\"acme\"]\n\n[function.\"acme.wait\"]\n{says}\n");
    tree.write("acme.toml", &model("returns = \"None\""));
    assert_eq!(found(), 0);
    tree.write("acme.toml", &model("blocks = \"network\""));
    assert_eq!(found(), 1, "a model file of one's own");
    tree.write("acme.toml", "nonsense");
    assert_eq!(checked(&tree, "").0, 2, "one that cannot be used");
}

#[test]
fn damaged_and_foreign_entries_are_none() {
    let tree = Tree::new(&[("a.py", DROPPED)]);
    let fresh = tree.run("check --no-cache");
    assert_eq!(tree.run("check"), fresh);
    let [entry] = entries(&tree).try_into().unwrap();
    let whole = fs::read(&entry).unwrap();
    let flipped = [&whole[..whole.len() / 2], &[whole[whole.len() / 2] ^ 1], &whole[whole.len() / 2 + 1..]].concat();
    for damage in [&b""[..], b"{}", &whole[..whole.len() - 1], &whole[..40], &flipped] {
        fs::write(&entry, damage).unwrap();
        assert_eq!(tree.run("check"), fresh);
        assert_eq!(fs::read(&entry).unwrap(), whole, "it is written anew");
    }
    tree.write("a.py", "");
    tree.run("check");
    let other = entries(&tree).into_iter().find(|path| *path != entry).unwrap();
    fs::copy(&entry, &other).unwrap();
    assert_eq!(tree.run("check").0, 0, "an answer under another's name");
    fs::remove_file(&other).unwrap();
    fs::create_dir(&other).unwrap();
    assert_eq!(tree.run("check").0, 0);
}

#[test]
fn a_directory_that_cannot_be_written_is_no_cache() {
    let tree = Tree::new(&[("a.py", DROPPED), ("file", "")]);
    let fresh = tree.run("check --no-cache");
    // A file stands in its place: that stops the superuser, too.
    assert_eq!(tree.run("check --cache-dir file"), fresh);
    assert_eq!(tree.run("check --cache-dir file/below"), fresh);
    tree.write(".racewalk_cache", "");
    assert_eq!(tree.run("check"), fresh);
}

#[test]
fn nothing_is_written_where_nothing_is_to_be() {
    let tree = Tree::new(&[("a.py", DROPPED), ("elsewhere/own.txt", "")]);
    let is_there = |path: &str| tree.0.join(path).exists();
    tree.run("check --no-cache");
    tree.run("check --stdin-filename a.py");
    tree.run("inventory");
    tree.run("explain missing-await");
    assert!(!is_there(".racewalk_cache"));
    tree.run("check --cache-dir elsewhere");
    assert!(is_there("elsewhere/answers") && !is_there("elsewhere/.gitignore"), "a directory that is not ours alone");
    let mut command = tree.command(env!("CARGO_BIN_EXE_racewalk"), "check");
    command.env("RACEWALK_CACHE_DIR", "named/here").output().unwrap();
    assert!(is_there("named/here/answers") && !is_there(".racewalk_cache"));

    tree.run("check");
    assert_eq!(fs::read_to_string(tree.0.join(".racewalk_cache/.gitignore")).unwrap(), "*\n");
    let tag = fs::read_to_string(tree.0.join(".racewalk_cache/CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    tree.write(".racewalk_cache/x.py", DROPPED);
    assert!(!checked(&tree, "").1.contains("x.py"), "it holds no sources");

    // Nothing marks a project there: no directory is left behind.
    fs::remove_file(tree.0.join("racewalk.toml")).unwrap();
    fs::remove_dir_all(tree.0.join(".racewalk_cache")).unwrap();
    tree.run("check");
    assert!(!is_there(".racewalk_cache"));
}

#[test]
fn it_can_be_found_and_cleaned() {
    let tree = Tree::new(&[("app/a.py", DROPPED)]);
    let directory = tree.0.join(".racewalk_cache");
    assert_eq!(tree.run("cache dir app").1, format!("{}\n", directory.display()));
    tree.run("check");
    tree.run("check --strict");
    let (code, out, err) = tree.run("cache clean");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("2 answers (") && out.ends_with(" kB) removed from .racewalk_cache\n"), "{out}");
    assert!(!directory.exists());
    assert_eq!(tree.run("cache clean").1, "0 answers (0 kB) removed from .racewalk_cache\n");

    tree.run("check --cache-dir app");
    tree.write("app/answers/mine.txt", "");
    tree.run("cache clean --cache-dir app");
    let left: Vec<_> = fs::read_dir(tree.0.join("app/answers")).unwrap().flatten().map(|it| it.file_name()).collect();
    assert_eq!(left, ["mine.txt"], "what others have put there stays");
    assert!(tree.0.join("app/a.py").exists());
}

#[test]
fn what_has_not_been_used_for_longest_goes_first() {
    let tree = Tree::new(&[("a.py", DROPPED)]);
    tree.run("check");
    let [first] = entries(&tree).try_into().unwrap();
    for number in 0..500 {
        fs::write(first.with_file_name(format!("{number:064x}")), "x").unwrap();
    }
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
    fs::File::options().append(true).open(&first).unwrap().set_modified(old).unwrap();
    tree.run("check --strict");
    assert_eq!(entries(&tree).len(), 500);
    assert!(!first.exists());
}

#[test]
fn runs_side_by_side_give_the_same() {
    let tree = Tree::new(&[("a.py", DROPPED)]);
    let fresh = tree.run("check --no-cache");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| tree.run("check"))).collect();
        assert!(runs.into_iter().all(|run| run.join().unwrap() == fresh));
    });
    assert_eq!(entries(&tree).len(), 1, "nothing unfinished is left");
}

//! `--changed-since` as a user meets it: what the change has caused is shown, what was there before is not.

mod sandbox;

use sandbox::{DROPPED, Tree};

const PLAIN: &str = "def load():\n    return 1\n";
const BLOCKS: &str = "import time\n\n\ndef load():\n    time.sleep(5)\n";
const CALLS: &str = "from app.helper import load\n\n\nasync def handler():\n    load()\n";

/// A git repository in which all files are committed. Nothing when there is no git to make one with.
fn repository(files: &[(&str, &str)]) -> Option<Tree> {
    let tree = Tree::new(files);
    if tree.command("git", "--version").output().is_err() {
        eprintln!("skipped: this test makes a repository, and there is no git");
        return None;
    }
    git(&tree, "init --quiet --initial-branch=main");
    commit(&tree);
    Some(tree)
}

fn git(tree: &Tree, arguments: &str) -> String {
    let mut command = tree.command("git", "-c user.name=t -c user.email=t@example.org -c commit.gpgsign=false");
    let output = command.args(arguments.split_whitespace()).env("GIT_CONFIG_GLOBAL", "").output().unwrap();
    assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn commit(tree: &Tree) {
    git(tree, "add --all");
    git(tree, "commit --quiet --allow-empty --message=state");
}

/// Where something is found that is new since a revision, and what is said besides.
fn since(tree: &Tree, arguments: &str) -> (Vec<String>, String) {
    let asked = format!("check --output-format concise --changed-since {arguments}");
    let (_, out, err) = tree.run(&asked);
    for cache in ["--no-cache", "--cache-dir .racewalk_cache"] {
        assert_eq!(tree.run(&format!("{asked} {cache}")).1, out, "{cache}");
    }
    let place = |line: &str| line.split(' ').next().unwrap().trim_end_matches(':').to_owned();
    (out.lines().map(place).collect(), err)
}

#[test]
fn a_helper_that_blocks_now_shows_in_its_untouched_caller() {
    let files = [("app/helper.py", PLAIN), ("app/api.py", CALLS), ("app/other.py", DROPPED)];
    let Some(tree) = repository(&files) else { return };
    let held = "note: 1 finding was there at HEAD already\n";
    assert_eq!(since(&tree, "HEAD"), (vec![], held.to_owned()), "nothing has changed");
    assert_eq!(tree.run("check --changed-since HEAD").0, 0);

    tree.write("app/helper.py", BLOCKS);
    let caused = vec!["app/api.py:5:5".to_owned()];
    assert_eq!(since(&tree, "HEAD"), (caused.clone(), held.to_owned()), "it is not committed");
    assert_eq!(tree.run("check --changed-since HEAD").0, 1);
    commit(&tree);
    assert_eq!(since(&tree, "HEAD~1").0, caused, "it is committed");
    assert!(since(&tree, "HEAD").0.is_empty());
    assert_eq!(since(&tree, "HEAD~1 app/api.py").0, caused, "only the caller is named");
    assert!(since(&tree, "HEAD~1 app/helper.py").0.is_empty());
    assert_eq!(since(&tree, "HEAD~1 --isolated app").0, caused);
}

#[test]
fn old_findings_are_held_back_wherever_they_have_moved_to() {
    let Some(tree) = repository(&[("app/a.py", DROPPED), ("app/gone.py", DROPPED)]) else { return };
    tree.write("app/a.py", &format!("import os\n\n{DROPPED}\n\nasync def new():\n    save()\n"));
    assert_eq!(since(&tree, "main").0, ["app/a.py:11:5"], "further down in the file");
    commit(&tree);
    std::fs::create_dir(tree.0.join("lib")).unwrap();
    git(&tree, "mv app/a.py lib/moved.py");
    git(&tree, "rm --quiet app/gone.py");
    for place in ["", "lib", "lib/moved.py"] {
        let (found, err) = since(&tree, &format!("HEAD {place}"));
        assert_eq!(found, Vec::<String>::new(), "{place}");
        assert_eq!(err, "note: 2 findings were there at HEAD already\n");
    }
}

#[test]
fn what_git_does_not_know_yet_is_new_and_what_it_ignores_is_not_looked_at() {
    let Some(tree) = repository(&[("a.py", ""), (".gitignore", "built.py\n.venv\n")]) else { return };
    tree.write("untracked.py", DROPPED);
    tree.write("built.py", DROPPED);
    assert_eq!(since(&tree, "HEAD").0, ["untracked.py:5:5"]);
    assert_eq!(since(&tree, "HEAD untracked.py").0, ["untracked.py:5:5"]);

    // An installed package is there in both programs, though git knows nothing of it.
    tree.write(".venv/lib/python3.13/site-packages/parcel.py", "async def send(): ...\n");
    tree.write("untracked.py", "");
    tree.write("a.py", "import parcel\n\n\nasync def run():\n    parcel.send()\n");
    commit(&tree);
    tree.write("a.py", "import parcel\n\n\nasync def run():\n    # now\n    parcel.send()\n");
    assert_eq!(since(&tree, "HEAD"), (vec![], "note: 1 finding was there at HEAD already\n".to_owned()));
}

#[test]
fn a_package_that_was_none_and_todays_configuration() {
    let Some(tree) = repository(&[("app/a.py", DROPPED)]) else { return };
    tree.write("app/__init__.py", "");
    tree.write("racewalk.toml", "select = ['missing-await']\n");
    assert!(since(&tree, "HEAD").0.is_empty(), "another rule would not be new, and a module's name is no matter");
    tree.write("racewalk.toml", "exclude = ['app']\n");
    assert_eq!(since(&tree, "HEAD").1, "note: 0 findings were there at HEAD already\n");
}

#[test]
fn notebooks_are_compared_too() {
    let cell = |code: &str| {
        format!(
            r#"{{"cells":[{{"cell_type":"code","metadata":{{}},"outputs":[],"execution_count":null,"source":"{code}"}}],"metadata":{{}},"nbformat":4,"nbformat_minor":5}}"#
        )
    };
    let code = "async def save(): ...\\nasync def old():\\n    save()\\n";
    let Some(tree) = repository(&[("n.ipynb", &cell(code))]) else { return };
    tree.write("n.ipynb", &cell(&format!("{code}async def new():\\n    save()\\n")));
    assert_eq!(since(&tree, "HEAD").0, ["n.ipynb:cell"]);
}

#[test]
fn the_json_says_with_what_it_was_compared() {
    let Some(tree) = repository(&[("a.py", DROPPED)]) else { return };
    let (_, out, _) = tree.run("check --output-format json --changed-since main");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let revision = git(&tree, "rev-parse HEAD");
    assert_eq!(json["summary"]["changed_since"], serde_json::json!({"revision": revision.trim(), "held_back": 1}));
    assert_eq!(json["summary"]["findings"], 0);
    let (_, plain, _) = tree.run("check --output-format json");
    assert!(!plain.contains("changed_since"));
}

#[test]
fn the_work_tree_and_the_index_are_left_as_they_are() {
    let Some(tree) = repository(&[("a.py", DROPPED), ("b.py", PLAIN)]) else { return };
    tree.write("a.py", "x = 1\n");
    git(&tree, "add a.py");
    tree.write("b.py", BLOCKS);
    let state = || ["hash-object --no-filters .git/index a.py b.py", "count-objects"].map(|asked| git(&tree, asked));
    let before = state();
    tree.run("check --changed-since HEAD");
    assert_eq!(state(), before);
}

#[test]
fn what_cannot_be_compared_says_what_to_do() {
    let complaint = |tree: &Tree, arguments: &str| {
        let (code, out, err) = tree.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments}");
        err
    };
    let none = Tree::new(&[("a.py", "")]);
    let Some(tree) = repository(&[("a.py", "")]) else { return };
    let err = complaint(&none, "check --changed-since main");
    assert!(
        err.starts_with("error: --changed-since compares with a revision, and what is checked lies in no git"),
        "{err}"
    );
    for unknown in ["nowhere", "--all", "HEAD~5"] {
        let err = complaint(&tree, &format!("check --changed-since={unknown}"));
        let expected =
            format!("error: --changed-since: git knows no revision `{unknown}`; name a commit, branch or tag");
        assert!(err.starts_with(&expected), "{err}");
    }
    complaint(&tree, "check --changed-since main --stdin-filename a.py");
    complaint(&tree, "check --changed-since main -");

    commit(&tree);
    let clone = Tree::new(&[]);
    git(&clone, &format!("clone --quiet --depth=1 file://{} clone", tree.0.display()));
    let err = complaint(&clone, "check clone --changed-since HEAD~1");
    assert!(err.contains("the clone is shallow") && err.contains("fetch-depth: 0"), "{err}");

    let without = tree.command(env!("CARGO_BIN_EXE_racewalk"), "check --changed-since main").env("PATH", "").output();
    let without = without.unwrap();
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without.stderr).contains("`git` program, which is not on the PATH"));
}

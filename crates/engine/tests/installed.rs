//! Where installed packages are looked for, and what of them is left alone. What is made of them is shown in
//! `crates/mdtest/cases/installed.md`.

#![expect(clippy::disallowed_methods, reason = "the tests lay out the files that the engine then reads")]

use racewalk_engine::report::{self, Report};
use racewalk_engine::{Engine, Options};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A program that drops a coroutine of `parcel`.
const PROGRAM: &str = "import parcel\n\n\nasync def run():\n    parcel.send()\n";

/// A package whose `send` is a coroutine function.
const PACKAGE: &str = "async def send(): ...\n";

const FOUND: &str = "app/main.py:5 await/missing-await";

struct Tree(PathBuf);

impl Tree {
    /// The program in `app/`, and these files.
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tree = Self(std::env::temp_dir().join(format!("racewalk-installed-{}-{number}", std::process::id())));
        tree.write("app/racewalk.toml", "");
        tree.write("app/main.py", PROGRAM);
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.0.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    fn options(&self, python: Option<&str>) -> Options {
        let python = python.map(PathBuf::from);
        Options { paths: vec!["app".into()], python, ..Options::new(self.0.clone()) }
    }

    fn report(&self, options: &Options) -> Report {
        Engine::default().check(options).unwrap().report
    }

    fn found(&self, python: Option<&str>) -> Vec<String> {
        places(&self.report(&self.options(python)))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn places(report: &Report) -> Vec<String> {
    let place = |it: &report::Finding| format!("{}:{} {}", it.path, it.range.start.line, it.rule);
    report.findings.iter().map(place).collect()
}

#[test]
fn an_environment_is_found_in_the_project_or_named() {
    let file = "lib/python3.12/site-packages/parcel.py";
    for own in [".venv", "venv"] {
        assert_eq!(Tree::new(&[(&format!("app/{own}/{file}"), PACKAGE)]).found(None), [FOUND]);
    }
    let tree = Tree::new(&[(&format!("env/{file}"), PACKAGE), ("env/bin/python", ""), ("bare/bin/python", "")]);
    assert!(tree.found(None).is_empty());
    for named in ["env", "env/bin/python", "env/lib/python3.12/site-packages"] {
        assert_eq!(tree.found(Some(named)), [FOUND], "{named}");
    }
    let windows = Tree::new(&[("env/Lib/site-packages/parcel.py", PACKAGE), ("env/Scripts/python.exe", "")]);
    for named in ["env", "env/Scripts/python.exe"] {
        assert_eq!(windows.found(Some(named)), [FOUND], "{named}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_told_with_its_mend() {
    let tree = Tree::new(&[("bare/bin/python", "")]);
    let failure = |named: &str| Engine::default().check(&tree.options(Some(named))).unwrap_err().to_string();
    let mend = "name a virtual environment, the interpreter in it, or its site-packages directory";
    assert_eq!(failure("nowhere"), format!("nowhere: no such file or directory; {mend}"));
    assert_eq!(failure("bare/bin/python"), format!("bare/bin/python: no Python packages are installed there; {mend}"));
}

#[test]
fn isolation_leaves_out_what_is_not_named() {
    let tree = Tree::new(&[("app/.venv/lib/python3.12/site-packages/parcel.py", PACKAGE)]);
    let isolated = |python| Options { isolated: true, ..tree.options(python) };
    assert!(places(&tree.report(&isolated(None))).is_empty());
    assert_eq!(places(&tree.report(&isolated(Some("app/.venv")))), [FOUND]);
}

#[test]
fn what_is_installed_does_not_count() {
    let tree =
        Tree::new(&[("app/.venv/lib/python3.12/site-packages/parcel.py", "def broken(:\nasync def send(): ...\n")]);
    let summary = tree.report(&tree.options(None)).summary;
    assert_eq!((summary.files, summary.lines, summary.functions, summary.async_functions), (1, 5, 1, 1));
    assert!(summary.skipped.is_empty());
}

#[test]
fn lines_of_pth_files_that_are_paths_are_followed() {
    let pth = "# a comment\nimport os; os.abort()\n../../../../src\nnowhere\n";
    let tree = Tree::new(&[("env/lib/python3.12/site-packages/editable.pth", pth), ("src/parcel.py", PACKAGE)]);
    assert_eq!(tree.found(Some("env")), [FOUND]);
}

#[test]
fn compiled_and_unreadable_modules_stay_unknown() {
    let site = "app/.venv/lib/python3.12/site-packages";
    let compiled = Tree::new(&[(&format!("{site}/parcel.cpython-312-x86_64-linux-gnu.so"), "")]);
    assert!(compiled.found(None).is_empty());
    let unreadable = Tree::new(&[]);
    unreadable.write(&format!("{site}/parcel.py"), "");
    fs::write(unreadable.0.join(site).join("parcel.py"), b"async def send(): ...  # \xff\n").unwrap();
    assert!(unreadable.found(None).is_empty());
    assert!(unreadable.report(&unreadable.options(None)).summary.skipped.is_empty());
}

#[cfg(unix)]
#[test]
fn a_linked_environment_is_an_environment() {
    let tree = Tree::new(&[("env/lib/python3.12/site-packages/parcel.py", PACKAGE), ("env/bin/python", "")]);
    std::os::unix::fs::symlink(tree.0.join("env"), tree.0.join("app/.venv")).unwrap();
    std::os::unix::fs::symlink(tree.0.join("env/bin/python"), tree.0.join("python")).unwrap();
    assert_eq!(tree.found(None), [FOUND]);
    assert_eq!(tree.found(Some("python")), [FOUND]);
}

#[test]
fn a_package_without_end_is_read_as_far_as_the_bound_and_always_the_same() {
    const MODULES: usize = 2_500;
    let tree = Tree::new(&[]);
    let site = "app/.venv/lib/python3.12/site-packages/parcel";
    let mut init = String::from(PACKAGE);
    for number in 0..MODULES {
        writeln!(init, "from .m{number} import C{number}").unwrap();
        tree.write(&format!("{site}/m{number}.py"), &format!("class C{number}:\n    async def send(self): ...\n"));
    }
    tree.write(&format!("{site}/__init__.py"), &init);
    let uses: String = (0..MODULES).map(|number| format!("    parcel.C{number}().send()\n")).collect();
    tree.write("app/main.py", &format!("import parcel\n\n\nasync def run():\n{uses}"));
    let on = |threads: usize| {
        let outcome = Engine::default().threads(threads).check(&tree.options(None)).unwrap();
        (outcome.report.findings.len(), report::json(&outcome.report))
    };
    let one = on(1);
    assert_eq!(one.0, 1_999, "all modules but the package's own count against the bound");
    assert_eq!(one, on(4));
}

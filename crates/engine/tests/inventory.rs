//! The inventory through the facade: the same bytes on any number of threads, and no input that makes it fail.

#![expect(clippy::disallowed_methods, reason = "the tests write the trees that they look at")]

use racewalk_engine::report::inventory;
use racewalk_engine::{Engine, Options};
use std::fs;
use std::path::{Path, PathBuf};

/// A directory of its own for each test, gone with the next run of the build.
fn tree(name: &str, files: &[(&str, &str)]) -> Options {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("inventory").join(name);
    let _ = fs::remove_dir_all(&root);
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("it stands in the tree")).expect("a directory can be made");
        fs::write(path, text).expect("a file can be written");
    }
    Options { isolated: true, ..Options::new(root) }
}

fn json(options: &Options, threads: usize) -> String {
    let found = Engine::default().threads(threads).inventory(options, true).expect("there is an inventory");
    inventory::json(&found)
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/inventory");
    let options = Options { isolated: true, ..Options::new(shop) };
    let one = json(&options, 1);
    for threads in [2, 3, 8] {
        assert!(one == json(&options, threads), "{threads} threads");
    }
}

#[test]
fn nothing_that_a_file_contains_is_an_error() {
    let notebook = r#"{"cells": [{"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": ["x = []\n", "async def f():\n", "    x.append(await g())\n"]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#;
    let files = [
        ("broken.py", "async def f(:\n    await\nclass C(\n"),
        ("empty.py", ""),
        ("lines.py", "x = {}\r\n\r\nasync def é(key):\r\n    x[key] = await x.pop(key)\r\n"),
        ("book.ipynb", notebook),
        ("not_a_book.ipynb", "{"),
        (
            "circle.py",
            "class A(B): pass\nclass B(A):\n    async def f(self):\n        self.x = self.y = await self.f()\n",
        ),
        (
            "nested.py",
            "async def f():\n    n = 0\n    async def g():\n        nonlocal n\n        async with n as n: n += 1\n",
        ),
    ];
    let options = tree("odd", &files);
    let found = Engine::default().inventory(&options, true).expect("there is an inventory");
    assert!(found.summary.skipped.iter().any(|skipped| skipped.path == "not_a_book.ipynb"));
    let cell = found.facts.suspensions.iter().find(|point| point.at.path == "book.ipynb").expect("the cell awaits");
    assert_eq!((cell.at.cell, cell.at.line), (Some(1), 3));
    assert!(found.facts.shared.iter().any(|object| object.name == "lines.x"), "{:?}", found.facts.shared);
    for text in [inventory::text(&found, true), inventory::markdown(&found, true)] {
        assert!(text.contains("book.ipynb:cell 1:3"), "{text}");
    }
}

#[test]
fn a_name_is_looked_for_in_what_is_reported() {
    let files = [("a/one.py", "async def f():\n    pass\n"), ("b/two.py", "async def f():\n    pass\n")];
    let mut options = tree("names", &files);
    let symbols = |options: &Options| Engine::default().inventory(options, false).map(|found| found.symbols);
    options.paths = vec![PathBuf::from("f")];
    assert_eq!(symbols(&options).expect("two are called so").len(), 2);
    options.paths = vec![PathBuf::from("b"), PathBuf::from("f")];
    assert_eq!(symbols(&options).expect("one is").len(), 1);
    options.paths = vec![PathBuf::from("b"), PathBuf::from("g")];
    assert!(symbols(&options).expect_err("none is").to_string().starts_with("`g` is neither a path nor"));
}

#[test]
fn annotations_are_shown_with_whether_they_hold() {
    let code = "import asyncio\n\n\nclass Box:\n    def __init__(self):\n        self.lock = asyncio.Lock()\n        self.kept = []  # racewalk: guarded-by(self.lock)\n        self.bare = []  # racewalk: guarded-by(self.lock)\n\n    async def put(self, item):\n        async with self.lock:\n            self.keep(item)\n        self.bare.append(item)\n\n    def keep(self, item):  # racewalk: guarded-by(self.lock)\n        self.kept.append(item)\n\n\nbox = Box()\n\n\nasync def main():\n    async with asyncio.TaskGroup() as group:\n        for item in range(9):\n            group.create_task(box.put(item))\n";
    let options = tree("annotated", &[("box.py", code)]);
    let found = Engine::default().inventory(&options, true).expect("there is an inventory");
    let told = |name: &str| {
        let object = found.facts.shared.iter().find(|object| object.name == name);
        object.unwrap_or_else(|| panic!("{name} is shared: {:?}", found.facts.shared))
    };
    assert_eq!(told("Box.kept").annotations, ["guarded-by(self.lock)"]);
    assert_eq!(told("Box.kept").guarded_by, ["Box.lock"]);
    assert_eq!(told("Box.bare").annotations, ["guarded-by(self.lock), which does not hold"]);
    assert!(json(&options, 1) == json(&options, 4), "and on any number of threads");
}

//! Lists the model files for the binary: each one's language, import roots, path and content. The content is turned from
//! TOML, which is pleasant to write, into JSON, which is quick to read.

#![expect(clippy::disallowed_methods, reason = "a build script reads what it compiles in")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let models = Path::new(&package).join("../../models");
    println!("cargo::rerun-if-changed={}", models.display());
    let mut table = String::from("&[\n");
    for language in sorted_entries(&models).into_iter().filter(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", language.display());
        let name = language.file_name().expect("a listed folder has a name").to_string_lossy().into_owned();
        for file in sorted_entries(&language).into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml")) {
            println!("cargo::rerun-if-changed={}", file.display());
            let content = content(&file);
            let roots = roots(&content);
            let content = serde_json::to_string(&content).expect("a table can be written as JSON");
            writeln!(table, "    ({name:?}, &{roots:?}, {:?}, {content:?}),", shown(&file))
                .expect("writing to a string cannot fail");
        }
    }
    table.push(']');
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("builtin.rs");
    fs::write(out, table).expect("cargo's output folder can be written");
}

fn sorted_entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("the models folder can be read").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

fn shown(file: &Path) -> String {
    let parts: Vec<_> = file.components().rev().take(3).map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn content(file: &Path) -> toml::Table {
    let text = fs::read_to_string(file).expect("a listed file can be read");
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn roots(content: &toml::Table) -> Vec<&str> {
    let roots = content.get("roots").and_then(toml::Value::as_array);
    roots.into_iter().flatten().filter_map(toml::Value::as_str).collect()
}

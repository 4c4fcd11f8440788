//! The runtime that is handed to the project's Python: the files of `runtime/python`, as they are.

use racewalk_project::Scratch;
use std::path::PathBuf;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../runtime/python/racewalk_runtime/", $name)))),*]
    };
}

/// The package's files.
const PYTHON: &[(&str, &str)] = files![
    "__init__.py",
    "__main__.py",
    "cells.py",
    "cli.py",
    "confine.py",
    "construct.py",
    "determinism.py",
    "exploring.py",
    "fake.py",
    "fixcheck.py",
    "harness.py",
    "importing.py",
    "instrument.py",
    "keys.py",
    "loop.py",
    "objects.py",
    "oracles.py",
    "plan.py",
    "prove.py",
    "pytest_plugin.py",
    "reach.py",
    "replay.py",
    "scenario.py",
    "schedule.py",
    "scripted.py",
    "search.py",
    "state.py",
    "stubs.py",
    "testgen.py",
    "timeline.py",
    "trace.py",
    "writing.py",
];

/// What starts it: a script, so that its own directory comes first among those of imports, and not the current one.
const START: &str = "import sys\nfrom racewalk_runtime.cli import main\nsys.exit(main())\n";

/// The same for the diff that logs accesses.
const INSTRUMENT: &str = "import sys\nfrom racewalk_runtime.instrument import main\nsys.exit(main(sys.argv[1:]))\n";

/// Writes the runtime's files, and gives the script that runs a plan.
pub(crate) fn unpack(scratch: &Scratch) -> Result<PathBuf, String> {
    unpack_with(scratch, START)
}

/// The same, and gives the script that makes the diff.
pub(crate) fn unpack_instrument(scratch: &Scratch) -> Result<PathBuf, String> {
    unpack_with(scratch, INSTRUMENT)
}

fn unpack_with(scratch: &Scratch, start: &str) -> Result<PathBuf, String> {
    for (name, text) in PYTHON {
        scratch.write(&format!("runtime/racewalk_runtime/{name}"), text)?;
    }
    scratch.write("runtime/start.py", start)
}

#[cfg(test)]
mod tests {
    use super::PYTHON;
    use racewalk_project::Disk;
    use std::path::Path;

    #[test]
    fn all_files_are_embedded() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/python/racewalk_runtime");
        let files = Disk::default().entries(&directory).into_iter().filter(|path| path.extension().is_some());
        let files: Vec<String> =
            files.filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned())).collect();
        assert_eq!(files, PYTHON.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }
}

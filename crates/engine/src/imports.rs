//! What imports by path mean: which module of the program, if any.

use crate::lower::Unit;
use racewalk_ir::{Module, Name};
use racewalk_javascript::import_path;
use racewalk_link::FileId;
use racewalk_project::{Disk, Kind, Project, Resolver};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// For each module of a language that imports by path: the modules that its imports mean, by the path that the module itself has
/// for them.
pub(crate) fn by_path(
    disk: &Disk,
    project: &Project,
    units: &[Unit],
    modules: &[Module],
) -> Vec<Option<FxHashMap<Name, FileId>>> {
    let resolver = Resolver::new(disk, project);
    let module_of: FxHashMap<usize, FileId> =
        units.iter().enumerate().map(|(module, unit)| (unit.file, FileId(module as u32))).collect();
    let packages = packages(modules);
    let imports_of = |(unit, module): (&Unit, &Module)| {
        let file = &project.files[unit.file];
        if file.kind == Kind::Go {
            let meant = |path: &Name| Some((*path, *packages.get(path)?));
            return Some(module.imports.iter().filter_map(meant).collect());
        }
        let meant = |specifier: &Name| {
            let found = resolver.resolve(&file.path, specifier.as_str())?;
            Some((import_path(specifier.as_str()), *module_of.get(&found)?))
        };
        (file.kind == Kind::Script).then(|| module.imports.iter().filter_map(meant).collect())
    };
    units.par_iter().zip(modules).map(imports_of).collect()
}

/// The packages of the program, by the paths under which they are imported.
fn packages(modules: &[Module]) -> FxHashMap<Name, FileId> {
    let all = modules.iter().enumerate().filter(|(_, module)| module.language == &racewalk_go::LANGUAGE);
    let mut packages = FxHashMap::default();
    for (at, module) in all {
        packages.entry(module.name).or_insert(FileId(at as u32));
    }
    packages
}

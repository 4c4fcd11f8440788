//! What a change has caused: the findings that the program of today has, and the one before the change had not.
//!
//! Both are analysed as a whole, since a change shows where it was not made: an untouched caller of a helper that blocks
//! now. Modules of files that are the same in both are lowered once.

use crate::lower::{Kept, Part, own_name};
use crate::{Engine, Linked, Options, Outcome, baseline};
use racewalk_project::{Changes, Disk, Failure, Project, Vocabulary};
use racewalk_report::ChangedSince;
use rustc_hash::FxHashSet;

impl Engine {
    /// Everything that is found now, and was not at the revision.
    pub(crate) fn judged_since(
        &self,
        revision: &str,
        disk: &Disk,
        options: &Options,
        vocabulary: &Vocabulary,
        mut project: Project,
    ) -> Result<Outcome, Failure> {
        let changes = project.changes(disk, &options.discovery(), revision)?;
        let mut before = project.before(&disk.clone().before(&changes), &options.discovery(), &changes);
        let (mut outcome, linked) = self.judged_with(Kept::default(), disk, options, vocabulary, &mut project)?;
        let held_back = if changes.is_empty() {
            baseline::take_out(&mut outcome.report, |_| true)
        } else if outcome.report.findings.is_empty() {
            0
        } else {
            let kept = linked.map(|linked| linked.spared(&project, &changes)).unwrap_or_default();
            // What was noted of the files that are the same is known of those before.
            let then = disk.clone().before(&changes);
            let (old, linked) = self.judged_with(kept, &then, options, vocabulary, &mut before)?;
            if self.is_last {
                std::mem::forget(linked);
            }
            let known: FxHashSet<String> = old.report.findings.into_iter().map(|it| it.fingerprint).collect();
            baseline::take_out(&mut outcome.report, |finding| known.contains(&finding.fingerprint))
        };
        outcome.report.summary.changed_since = Some(ChangedSince { revision: changes.revision, held_back });
        Ok(outcome)
    }
}

impl Linked {
    /// The modules of files that the changes spare, for the program before them.
    fn spared(self, project: &Project, changes: &Changes) -> Kept {
        let mut kept = Kept::default();
        for (unit, module) in self.units.into_iter().zip(self.program.into_modules()) {
            let file = &project.files[unit.file];
            let is_whole = !matches!(unit.part, Part::Files(_));
            if is_whole && changes.spares(&file.path) && !file.is_installed() {
                let key = (file.path.clone(), own_name(file).to_owned());
                kept.entry(key).or_default().push((unit, module));
            }
        }
        kept
    }
}

//! An interleaving as text: a lane for each task, time running down.

use crate::{Step, Witness};

/// A lane narrower than this says nothing: the steps are listed below each other then.
const NARROWEST: usize = 24;
/// What stands between two lanes.
const GAP: &str = "  ";
/// What stands in a lane while another task runs.
const IDLE: &str = "|";

/// The witness in lanes, at most so wide. Plain ASCII, so that it reads the same everywhere.
pub(crate) fn lanes(witness: &Witness, width: usize) -> String {
    let tasks = witness.tasks.len().max(1);
    let lane = (width.saturating_sub(GAP.len() * (tasks - 1))) / tasks;
    if lane < NARROWEST {
        return listed(witness);
    }
    let mut rows: Vec<Vec<String>> = vec![witness.tasks.iter().map(|task| format!("task {task}")).collect()];
    for step in &witness.steps {
        let of = witness.tasks.iter().position(|task| *task == step.task).unwrap_or_default();
        for line in broken(&told(step), lane) {
            let cell = |task: usize| if task == of { line.clone() } else { IDLE.to_owned() };
            rows.push((0..tasks).map(cell).collect());
        }
    }
    rows.iter().map(|row| joined(row, lane)).collect::<Vec<_>>().join("\n")
}

fn joined(row: &[String], lane: usize) -> String {
    let padded: Vec<String> = row.iter().map(|cell| format!("{cell:lane$}")).collect();
    padded.join(GAP).trim_end().to_owned()
}

fn listed(witness: &Witness) -> String {
    witness.steps.iter().map(|step| format!("{}: {}", step.task, told(step))).collect::<Vec<_>>().join("\n")
}

/// `12 reads: v`
fn told(step: &Step) -> String {
    let value = step.value.as_ref().map_or_else(String::new, |value| format!(": {value}"));
    format!("{} {}{value}", step.line, step.does)
}

/// Lines of at most this width; words that are longer are cut.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word: String = word.chars().take(width.saturating_sub(2)).collect();
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(&word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(&word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::lanes;
    use crate::{Step, Witness};

    fn witness() -> Witness {
        let step = |task: &str, line, does: &str, value: Option<&str>| Step {
            task: task.to_owned(),
            path: "app.py".to_owned(),
            line,
            symbol: "add".to_owned(),
            does: does.to_owned(),
            value: value.map(str::to_owned),
        };
        let steps = vec![
            step("A", 8, "reads", Some("v")),
            step("B", 8, "reads", Some("v")),
            step("A", 10, "writes", Some("v with a change that takes more than one line")),
        ];
        Witness { tasks: vec!["A".to_owned(), "B".to_owned()], object: "self.value".to_owned(), steps }
    }

    #[test]
    fn a_lane_a_task() {
        let expected = "task A                          task B\n\
                        8 reads: v                      |\n\
                        |                               8 reads: v\n\
                        10 writes: v with a change      |\n  \
                        that takes more than one      |\n  \
                        line                          |";
        assert_eq!(lanes(&witness(), 62), expected);
    }

    #[test]
    fn narrow_output_lists_the_steps() {
        assert!(lanes(&witness(), 30).starts_with("A: 8 reads: v\nB: 8 reads: v\n"));
    }
}

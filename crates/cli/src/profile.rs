//! `--profile`: what a check has cost, by stage and by rule.

use cpu_time::{ProcessTime, ThreadTime};
use racewalk_engine::{Clocks, Costs, Outcome, Stage};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The clocks that the engine is lent.
pub(crate) const CLOCKS: Clocks =
    Clocks { of_thread: || ThreadTime::now().as_duration(), of_process: || ProcessTime::now().as_duration() };

const READING: &str = "reading files";
const GATHERING: &str = "shared facts of the rules";

/// When each stage has begun.
pub(crate) struct Profile(Arc<Mutex<Vec<Mark>>>);

/// The beginning of a stage.
struct Mark {
    stage: &'static str,
    cpu: Duration,
    at: Instant,
}

/// What a stage has cost.
struct Cost {
    stage: &'static str,
    cpu: Duration,
    wall: Duration,
}

impl Profile {
    /// Starts with what comes before the first stage; the CPU time of the process counts from its beginning.
    pub(crate) fn start() -> Self {
        let first = Mark { stage: "starting", cpu: Duration::ZERO, at: Instant::now() };
        Self(Arc::new(Mutex::new(vec![first])))
    }

    /// Notes the stages that the engine tells of.
    pub(crate) fn teller(&self) -> impl Fn(Stage) + Send + Sync + 'static {
        let marks = self.0.clone();
        move |stage| note(&marks, name(stage))
    }

    /// The engine is done: what follows is the shell's.
    pub(crate) fn printing(&self) {
        note(&self.0, "printing");
    }

    /// What everything has cost, the dearest first.
    pub(crate) fn table(&self, outcome: &Outcome) -> String {
        note(&self.0, "");
        let costs = outcome.costs.clone().unwrap_or_default();
        let mut text = self.stages(&costs);
        text.push_str(&rules(outcome, costs));
        text
    }

    fn stages(&self, costs: &Costs) -> String {
        let marks = self.0.lock().expect("nobody panics while noting a stage");
        let mut stages: Vec<Cost> = marks.windows(2).map(|pair| cost(&pair[0], &pair[1])).collect();
        stages.sort_by_key(|stage| std::cmp::Reverse(stage.cpu));
        let (cpu, wall) = stages
            .iter()
            .fold((Duration::ZERO, Duration::ZERO), |(cpu, wall), stage| (cpu + stage.cpu, wall + stage.wall));
        let mut text = format!("{}\n", line("CPU ms", "share", "wall ms", "stage"));
        for stage in &stages {
            text.push_str(&row(stage.cpu, cpu, &milliseconds(stage.wall), stage.stage));
            for (part, spent) in parts(stage.stage, costs) {
                text.push_str(&row(spent, cpu, "", &format!("  {part}")));
            }
        }
        text + &row(cpu, cpu, &milliseconds(wall), "all")
    }
}

fn note(marks: &Mutex<Vec<Mark>>, stage: &'static str) {
    let mark = Mark { stage, cpu: (CLOCKS.of_process)(), at: Instant::now() };
    marks.lock().expect("nobody panics while noting a stage").push(mark);
}

fn cost(from: &Mark, to: &Mark) -> Cost {
    Cost { stage: from.stage, cpu: to.cpu.saturating_sub(from.cpu), wall: to.at.duration_since(from.at) }
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Discovering => "discovering files",
        Stage::Reading(_) => READING,
        Stage::Consulting => "models and installed packages",
        Stage::Linking => "linking",
        Stage::Gathering => GATHERING,
        Stage::Judging(_) => "rules",
        Stage::Reporting => "reporting",
        Stage::Proving(_) => "proving",
    }
}

/// What is known of the inside of a stage, the dearest first.
fn parts(stage: &str, costs: &Costs) -> Vec<(String, Duration)> {
    match stage {
        READING => dearest(vec![("parsing".to_owned(), costs.parsing), ("lowering".to_owned(), costs.lowering)]),
        GATHERING => dearest(costs.gathered.clone()),
        _ => Vec::new(),
    }
}

/// The rules, and among them what they have made for each other.
fn rules(outcome: &Outcome, costs: Costs) -> String {
    let mut findings: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &outcome.report.findings {
        *findings.entry(&finding.rule).or_default() += 1;
    }
    let number = |rule: &str| findings.get(rule).copied().unwrap_or_default().to_string();
    let own = costs.rules.into_iter().map(|(rule, spent)| (number(&rule), rule, spent));
    let asked = costs.asked.into_iter().map(|(what, spent)| (String::new(), format!("(for several: {what})"), spent));
    let mut rows: Vec<(String, String, Duration)> = own.chain(asked).collect();
    rows.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    let all = rows.iter().map(|(.., spent)| *spent).sum();
    let rows: String = rows.iter().map(|(number, what, spent)| row(*spent, all, number, what)).collect();
    format!("\n{}\n{rows}", line("CPU ms", "share", "findings", "rule"))
}

fn dearest(mut costs: Vec<(String, Duration)>) -> Vec<(String, Duration)> {
    costs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    costs
}

fn row(spent: Duration, all: Duration, third: &str, what: &str) -> String {
    let share = 100.0 * spent.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
    line(&milliseconds(spent), &format!("{share:.1} %"), third, what) + "\n"
}

fn line(cpu: &str, share: &str, third: &str, what: &str) -> String {
    format!("{cpu:>9}  {share:>7}  {third:>8}  {what}")
}

fn milliseconds(spent: Duration) -> String {
    format!("{:.1}", spent.as_secs_f64() * 1e3)
}

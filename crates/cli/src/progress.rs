//! A sign of life on a terminal when a check takes over a second.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use racewalk_engine::{Engine, Failure, Stage};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);

/// Has the last work of the process done by an engine whose progress is shown.
pub(crate) fn watch<T>(work: impl FnOnce(&Engine) -> Result<T, Failure>) -> Result<T, String> {
    watch_with(Engine::default(), |_| (), work)
}

/// As [`watch`], by this engine; `tell` hears of every stage, too.
pub(crate) fn watch_with<T>(
    engine: Engine,
    tell: impl Fn(Stage) + Send + Sync + 'static,
    work: impl FnOnce(&Engine) -> Result<T, Failure>,
) -> Result<T, String> {
    let progress = Progress::start();
    let shown = progress.clone();
    let both = move |stage| {
        tell(stage);
        shown.show(stage);
    };
    let engine = engine.for_last_check().on_stage(both);
    let done = work(&engine);
    progress.finish();
    done.map_err(|failure| failure.to_string())
}

/// What is shown while a check runs; gone when dropped.
#[derive(Clone)]
struct Progress(ProgressBar);

impl Progress {
    /// Starts the clock; nothing shows before a second has passed, nor when standard error is no terminal.
    fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if stderr().is_terminal() {
            bar.set_style(ProgressStyle::default_spinner());
            let later = bar.downgrade();
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(Duration::from_millis(100));
                }
            });
        }
        Self(bar)
    }

    /// Shows the stage.
    fn show(&self, stage: Stage) {
        self.0.set_message(match stage {
            Stage::Discovering => "looking for files".to_owned(),
            Stage::Reading(files) => format!("reading {files} files"),
            Stage::Consulting => "reading what libraries declare".to_owned(),
            Stage::Linking => "linking".to_owned(),
            Stage::Gathering => "gathering facts".to_owned(),
            Stage::Judging(rules) => format!("running {rules} rules"),
            Stage::Reporting => "reporting".to_owned(),
            Stage::Proving(findings) => format!("proving {findings} findings"),
        });
    }

    /// Takes it away.
    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

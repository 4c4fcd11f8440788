//! The one place that runs code under analysis: a child process with a time limit, which takes its own children along when it
//! ends. What the child does to itself before it loads any code (memory, processor time, network) is `confine.py`'s.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More is not read of what a child says.
const MOST_OUTPUT: u64 = 64 << 20;
/// How often it is looked whether a child has ended.
const GLANCE: Duration = Duration::from_millis(4);

/// What a child said before it ended.
pub(crate) struct Said {
    pub(crate) output: Vec<u8>,
    pub(crate) errors: String,
    /// It was ended by us.
    pub(crate) ran_out: bool,
}

/// Runs the interpreter in a directory until it ends, at most so long.
pub(crate) fn run(python: &Path, arguments: &[String], directory: &Path, limit: Duration) -> Result<Said, String> {
    let mut command = Command::new(python);
    command.arg("-B").args(arguments).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What a startup file of the user's does is no part of the project, and hashes must not differ from run to run.
    command.env_remove("PYTHONSTARTUP").env("PYTHONHASHSEED", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child =
        command.spawn().map_err(|error| format!("{} cannot be started: {}", python.display(), error.kind()))?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let (output, errors, ran_out) = std::thread::scope(|scope| {
        let output = scope.spawn(|| read(output));
        let errors = scope.spawn(|| read(errors));
        let ran_out = !ended_within(&mut child, limit);
        end(&mut child);
        (output.join().unwrap_or_default(), errors.join().unwrap_or_default(), ran_out)
    });
    Ok(Said { output, errors: String::from_utf8_lossy(&errors).into_owned(), ran_out })
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error is what there is.
        let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut bytes);
    }
    bytes
}

fn ended_within(child: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if start.elapsed() < limit => std::thread::sleep(GLANCE),
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Ends a child and all that it has started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Nobody may be left in it.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

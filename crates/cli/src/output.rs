//! Writing to the two outputs.

use anstyle::{AnsiColor, Style};
use std::io::{self, ErrorKind, Write};

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

/// Says on standard error why the tool could not do what was asked.
pub(crate) fn error(message: &str) {
    say("error", Style::new().bold().fg_color(Some(AnsiColor::Red.into())), message);
}

/// Says on standard error what was left out.
pub(crate) fn warning(message: &str) {
    say("warning", Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), message);
}

/// Says on standard error what is good to know.
pub(crate) fn note(message: &str) {
    say("note", Style::new().bold().fg_color(Some(AnsiColor::Cyan.into())), message);
}

/// Writes a text to standard error.
pub(crate) fn aside(text: &str) {
    // There is nobody left to tell when standard error is closed.
    let _: io::Result<()> = anstream::stderr().write_all(text.as_bytes());
}

/// A number of things.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn say(what: &str, style: Style, message: &str) {
    // There is nobody left to tell when standard error is closed.
    let _: io::Result<()> = writeln!(anstream::stderr(), "{style}{what}{style:#}: {message}");
}

/// How wide lines on standard output may be.
pub(crate) fn width() -> usize {
    const WITHOUT_TERMINAL: usize = 120;
    terminal_size::terminal_size().map_or(WITHOUT_TERMINAL, |(width, _)| usize::from(width.0).clamp(60, 160))
}

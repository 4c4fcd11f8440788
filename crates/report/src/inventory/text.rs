//! The inventory for people, on a terminal.

use super::{
    Access, Answer, Answered, Call, Evidence, Examined, FileFigures, Held, Inventory, Location, Lock, Runs, Shared,
    Spawn, Suspension,
};
use crate::Severity;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// How much is shown. Programs get everything; people choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Figures by file, shared objects, locks, spawns.
    Tree,
    /// Suspension points, too.
    File,
    /// Calls, too.
    All,
}

impl Depth {
    fn of(inventory: &Inventory, all: bool) -> Self {
        match (all || !inventory.symbols.is_empty(), inventory.files.len()) {
            (true, _) => Self::All,
            (false, 0 | 1) => Self::File,
            (false, _) => Self::Tree,
        }
    }
}

/// The inventory as text with colours. Of a tree the suspension points and calls are shown when `all` is asked for.
pub fn text(inventory: &Inventory, all: bool) -> String {
    let depth = Depth::of(inventory, all);
    let mut out = String::new();
    let facts = &inventory.facts;
    facts.functions.iter().for_each(|function| examined(&mut out, function));
    if inventory.files.len() > 1 && inventory.symbols.is_empty() {
        figures(&mut out, &inventory.files);
    }
    section(&mut out, "Shared objects", &facts.shared, shared);
    section(&mut out, "Locks", &facts.locks, lock);
    section(&mut out, "Started", &facts.spawns, spawn);
    if depth >= Depth::File {
        table(&mut out, "Suspension points", &facts.suspensions, suspension);
    }
    if depth >= Depth::All {
        table(&mut out, "Calls", &facts.calls, call);
    }
    closing(&mut out, inventory, depth);
    out
}

/// A line of a list: where, and what; a cell a column.
struct Row {
    place: String,
    cells: Vec<String>,
}

fn row<const N: usize>(at: &Location, cells: [String; N]) -> Row {
    Row { place: place(at), cells: cells.to_vec() }
}

/// `path:line`, which terminals and editors can open.
fn place(at: &Location) -> String {
    let cell = at.cell.map_or_else(String::new, |cell| format!("cell {cell}:"));
    format!("{}:{cell}{}", at.path, at.line)
}

/// Columns below each other; the last one is as long as it is.
fn rows(out: &mut String, indent: usize, rows: &[Row]) {
    let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or_default();
    let length = |text: &String| text.chars().count();
    let places = rows.iter().map(|row| length(&row.place)).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.cells.get(at)).map(length).max().unwrap_or_default())
        .collect();
    for row in rows {
        let cells = row.cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:indent$}{DIM}{:places$}{DIM:#}  {}", "", row.place, line.trim_end());
    }
}

fn heading(out: &mut String, title: &str, number: usize) {
    let _ = writeln!(out, "{BOLD}{title}{BOLD:#} ({number})\n");
}

fn section<T>(out: &mut String, title: &str, all: &[T], show: fn(&mut String, &T)) {
    if all.is_empty() {
        return;
    }
    heading(out, title, all.len());
    for one in all {
        show(out, one);
        out.push('\n');
    }
}

fn table<T>(out: &mut String, title: &str, all: &[T], show: fn(&T) -> Row) {
    if all.is_empty() {
        return;
    }
    heading(out, title, all.len());
    // Columns are aligned file by file: a long name elsewhere moves nothing here.
    let all: Vec<Row> = all.iter().map(show).collect();
    let path = |row: &Row| row.place.rsplit_once(':').map(|(path, _)| path.to_owned());
    for of_file in all.chunk_by(|a, b| path(a) == path(b)) {
        rows(out, 2, of_file);
    }
    out.push('\n');
}

fn figures(out: &mut String, files: &[FileFigures]) {
    let header = ["async", "functions", "shared", "locks", "started", "suspensions", "calls"];
    let width = files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default().max(4);
    let _ = writeln!(out, "{DIM}{:width$}  {}{DIM:#}", "file", header.join("  "));
    for file in files {
        let numbers =
            [file.async_functions, file.functions, file.shared, file.locks, file.spawns, file.suspensions, file.calls];
        let cells = numbers.iter().zip(header).map(|(number, title)| format!("{number:>width$}", width = title.len()));
        let _ = writeln!(out, "{:width$}  {}", file.path, cells.collect::<Vec<_>>().join("  "));
    }
    out.push('\n');
}

fn title(out: &mut String, name: &str, after: &[&str], at: Option<&Location>) {
    let after: Vec<&str> = after.iter().copied().filter(|text| !text.is_empty()).collect();
    let at = at.map_or_else(String::new, |at| format!("  {DIM}{}{DIM:#}", place(at)));
    let after = if after.is_empty() { String::new() } else { format!("  {}", after.join(", ")) };
    let _ = writeln!(out, "  {BOLD}{name}{BOLD:#}{after}{at}");
}

// ---- shared objects, locks, spawns -------------------------------------------------------------------------------

fn shared(out: &mut String, object: &Shared) {
    title(out, &object.name, &[object.scope.as_str(), &object.holds], object.defined.as_ref());
    let _ = writeln!(out, "    shared by    {}", object.shared_by);
    let started = object.started.as_ref().map_or_else(String::new, |at| format!("  {DIM}{}{DIM:#}", place(at)));
    let style = answer_style(object.overlapping);
    let answer = object.overlapping.as_str();
    let _ = writeln!(out, "    overlapping  {style}{answer}{style:#}: {}{started}", object.why);
    let _ = writeln!(out, "    guarded by   {}", named(&object.guarded_by));
    for annotation in &object.annotations {
        let _ = writeln!(out, "    annotated    {annotation}");
    }
    rows(out, 4, &accesses(&object.accesses));
}

fn answer_style(answer: Answer) -> Style {
    match answer {
        Answer::Yes => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Answer::No => Style::new().fg_color(Some(AnsiColor::Green.into())),
        Answer::Unknown => Style::new(),
    }
}

fn named(locks: &[String]) -> String {
    if locks.is_empty() { "no lock".to_owned() } else { locks.join(", ") }
}

/// A line for what one function does on one line of code.
fn accesses(all: &[Access]) -> Vec<Row> {
    let is_same = |a: &Access, b: &Access| {
        a.symbol == b.symbol && (&a.at.path, a.at.cell, a.at.line) == (&b.at.path, b.at.cell, b.at.line)
    };
    let told = |of_line: &[Access]| {
        let first = &of_line[0];
        let mut does: Vec<String> = Vec::new();
        for access in of_line {
            let by = if access.by.is_empty() { String::new() } else { format!(" ({})", access.by) };
            let text = format!("{}{by}", access.does.as_str());
            if !does.contains(&text) {
                does.push(text);
            }
        }
        let locks = if first.initial { "before it is shared".to_owned() } else { named(&first.locks) };
        let runs = match first.runs {
            Runs::Thread => ", in a thread",
            Runs::Both => ", in a thread or on the loop",
            Runs::Loop | Runs::Caller => "",
        };
        row(&first.at, [first.symbol.clone(), does.join(", "), format!("{locks}{runs}")])
    };
    all.chunk_by(is_same).map(told).collect()
}

fn lock(out: &mut String, lock: &Lock) {
    let permits = match (lock.kind.as_str(), lock.permits) {
        ("semaphore", Some(1)) => "1 permit".to_owned(),
        ("semaphore", Some(permits)) => format!("{permits} permits"),
        ("semaphore", None) => "number of permits not written down".to_owned(),
        _ => String::new(),
    };
    let keyed = if lock.keyed { "one for each key" } else { "" };
    let between = format!("{} between {}", lock.kind, lock.between);
    title(out, &lock.name, &[&between, &permits, lock.scope.as_str(), keyed, &lock.class], lock.defined.as_ref());
    if lock.sites.is_empty() {
        let _ = writeln!(out, "    nobody is seen to take it");
    }
    let sites: Vec<Row> = lock
        .sites
        .iter()
        .map(|site| {
            let how = match site.how.as_str() {
                "call" => "by hand",
                "attempt" => "an attempt",
                _ => "for a block",
            };
            let across = if site.across == Answer::Yes { "held across a suspension" } else { "" };
            let under =
                if site.under.is_empty() { String::new() } else { format!("while holding {}", site.under.join(", ")) };
            row(&site.at, [site.symbol.clone(), how.to_owned(), across.to_owned(), under])
        })
        .collect();
    rows(out, 4, &sites);
}

fn spawn(out: &mut String, spawn: &Spawn) {
    let many = if spawn.many { "again and again" } else { "" };
    title(out, &spawn.starts, &[&spawn.kind, many, &format!("by {}", spawn.by)], Some(&spawn.at));
    if let ("call", [end]) = (spawn.owner.kind.as_str(), spawn.ends.as_slice())
        && end.at == spawn.at
    {
        let _ = writeln!(out, "    {} on the spot by {}", end.how, spawn.symbol);
        return;
    }
    let callback = if spawn.has_callback { "; it has a done-callback" } else { "" };
    let _ = writeln!(out, "    in      {}", spawn.symbol);
    let _ = writeln!(out, "    kept by {}{callback}", owner(spawn));
    if spawn.ends.is_empty() && !matches!(spawn.owner.kind.as_str(), "group" | "loop") {
        let nobody = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        let _ = writeln!(out, "    ends    {nobody}nobody is seen to wait for it or cancel it{nobody:#}");
    }
    for end in &spawn.ends {
        let _ = writeln!(out, "    ends    {} by {}  {DIM}{}{DIM:#}", end.how, end.symbol, place(&end.at));
    }
}

fn owner(spawn: &Spawn) -> String {
    let name = &spawn.owner.name;
    match spawn.owner.kind.as_str() {
        "nobody" => "nobody".to_owned(),
        "call" => format!("the call of {name} that starts it"),
        "group" => format!("the group {name}"),
        "loop" => format!("the loop {name}"),
        "local" => format!("the local {name}"),
        "argument" => format!("{name}, which is given it"),
        _ => name.clone(),
    }
}

// ---- suspension points and calls ---------------------------------------------------------------------------------

fn suspension(point: &Suspension) -> Row {
    let what = match point.kind.as_str() {
        "exit" => format!("leaves {}", point.awaits),
        "enter" => format!("enters {}", point.awaits),
        "iterate" => format!("next of {}", point.awaits),
        "yield" => "yields".to_owned(),
        _ => point.awaits.clone(),
    };
    let why = format!("{}: {}", point.suspends.as_str(), point.why);
    row(&point.at, [point.symbol.clone(), what, why, held(&point.held)])
}

fn held(all: &[Held]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let told = all.iter().map(|held| format!("{} {}", held.kind, held.name));
    format!("holding {}", told.collect::<Vec<_>>().join(", "))
}

fn call(call: &Call) -> Row {
    let colour = if call.why.is_empty() { call.colour.clone() } else { format!("{} ({})", call.colour, call.why) };
    let target = if call.target == call.callee { String::new() } else { call.target.clone() };
    row(&call.at, [call.symbol.clone(), call.callee.clone(), colour, call.result.clone(), target])
}

// ---- functions ---------------------------------------------------------------------------------------------------

fn examined(out: &mut String, function: &Examined) {
    let kind = if function.is_async { "async function" } else { "plain function" };
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}", function.symbol, place(&function.at));
    let _ = writeln!(out, "  {kind}, runs {}", function.runs);
    if !function.reached_from.is_empty() {
        let _ = writeln!(out, "  reached from {}", function.reached_from.join(", "));
    }
    out.push('\n');
    function.answers.iter().for_each(|answer| answered(out, answer));
}

fn answered(out: &mut String, answered: &Answered) {
    let _ = writeln!(out, "  {BOLD}{}{BOLD:#} {}", answered.asks, answered.answer);
    let evidence = answered.evidence.iter().map(|Evidence { text, at }| row(at, [text.clone()]));
    rows(out, 4, &evidence.collect::<Vec<_>>());
    for known in &answered.findings {
        let colour = match known.severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Hint => AnsiColor::Cyan,
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let severity = known.severity.as_str();
        let at = place(&known.at);
        let _ = writeln!(out, "    {DIM}{at}{DIM:#}  {style}{severity}[{}]{style:#}: {}", known.rule, known.message);
    }
    out.push('\n');
}

fn closing(out: &mut String, inventory: &Inventory, depth: Depth) {
    let facts = &inventory.facts;
    let sum = |of: fn(&FileFigures) -> usize| inventory.files.iter().map(of).sum();
    let parts = [
        (facts.shared.len(), "shared object"),
        (facts.locks.len(), "lock"),
        (facts.spawns.len(), "spawn"),
        (facts.suspensions.len(), "suspension point"),
        (sum(|file| file.calls), "call"),
    ];
    let parts = parts.map(|(number, noun)| crate::full::count(number, noun)).join(", ");
    let files = crate::full::count(inventory.files.len(), "file");
    let _ = writeln!(out, "{parts} in {files}.");
    if depth < Depth::All {
        let more = if depth == Depth::Tree { "suspension points and calls" } else { "calls" };
        let _ = writeln!(out, "`--all` lists {more}, too; `--output-format json` always lists them.");
    }
}

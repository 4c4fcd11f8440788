//! The inventory as Markdown: for a review, or for an assistant that is about to write code.

use super::{Answer, Answered, Evidence, Examined, Inventory, Location, Lock, Shared, Spawn, Suspension};
use std::fmt::Write;

/// The inventory as Markdown. Calls are listed when `all` is asked for, or when there are symbols.
pub fn markdown(inventory: &Inventory, all: bool) -> String {
    let mut out = String::from("# Inventory\n\n");
    let facts = &inventory.facts;
    facts.functions.iter().for_each(|function| examined(&mut out, function));
    section(&mut out, "Shared objects", &facts.shared, shared);
    section(&mut out, "Locks", &facts.locks, lock);
    let spawns = ["where", "in", "what", "kind", "kept by", "ends"];
    table(&mut out, "Started", &spawns, &facts.spawns, spawn);
    let points = ["where", "in", "waits for", "gives up control", "holding"];
    table(&mut out, "Suspension points", &points, &facts.suspensions, suspension);
    if all || !inventory.symbols.is_empty() {
        let calls = ["where", "in", "callee", "colour", "result"];
        table(&mut out, "Calls", &calls, &facts.calls, |call| {
            vec![place(&call.at), code(&call.symbol), code(&call.callee), call.colour.clone(), call.result.clone()]
        });
    }
    out
}

fn place(at: &Location) -> String {
    let cell = at.cell.map_or_else(String::new, |cell| format!("cell {cell}:"));
    format!("`{}:{cell}{}`", at.path, at.line)
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('`', "'")) }
}

fn section<T>(out: &mut String, title: &str, all: &[T], show: fn(&mut String, &T)) {
    if all.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(out, "## {title}\n");
    all.iter().for_each(|one| show(out, one));
}

fn table<T>(out: &mut String, title: &str, header: &[&str], all: &[T], show: fn(&T) -> Vec<String>) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "## {title}\n");
    rows(out, header, all.iter().map(show));
}

fn rows(out: &mut String, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(out, "| {} |\n|{}", header.join(" | "), "---|".repeat(header.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out.push('\n');
}

fn shared(out: &mut String, object: &Shared) {
    let at = object.defined.as_ref().map_or_else(String::new, |at| format!(" at {}", place(at)));
    let _ = writeln!(out, "### {}{at}\n", code(&object.name));
    if !object.holds.is_empty() {
        let _ = writeln!(out, "- holds: {}", code(&object.holds));
    }
    let _ = writeln!(out, "- shared by: {} ({})", object.shared_by, object.scope.as_str());
    let started = object.started.as_ref().map_or_else(String::new, |at| format!(", {}", place(at)));
    let _ = writeln!(out, "- overlapping executions: {}, {}{started}", object.overlapping.as_str(), object.why);
    let _ = writeln!(out, "- guarded by: {}", locks(&object.guarded_by));
    for annotation in &object.annotations {
        let _ = writeln!(out, "- annotated: {annotation}");
    }
    out.push('\n');
    let accesses = object.accesses.iter().map(|access| {
        let by = if access.by.is_empty() { String::new() } else { format!(" ({})", code(&access.by)) };
        let held = if access.initial { "before it is shared".to_owned() } else { locks(&access.locks) };
        vec![place(&access.at), code(&access.symbol), format!("{}{by}", access.does.as_str()), held]
    });
    rows(out, &["where", "in", "does", "under"], accesses);
}

fn locks(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
    if names.is_empty() { "no lock".to_owned() } else { names.join(", ") }
}

fn lock(out: &mut String, lock: &Lock) {
    let at = lock.defined.as_ref().map_or_else(String::new, |at| format!(" at {}", place(at)));
    let permits = lock.permits.map_or_else(String::new, |permits| format!(", permits: {permits}"));
    let keyed = if lock.keyed { ", one for each key" } else { "" };
    let scope = lock.scope.as_str();
    let _ = writeln!(out, "### {}{at}\n", code(&lock.name));
    let _ = writeln!(out, "{} between {}, scope: {scope}{permits}{keyed}\n", lock.kind, lock.between);
    let sites = lock.sites.iter().map(|site| {
        vec![place(&site.at), code(&site.symbol), site.how.clone(), locks(&site.under), site.across.as_str().to_owned()]
    });
    rows(out, &["where", "in", "for", "while holding", "held across a suspension"], sites);
}

fn spawn(spawn: &Spawn) -> Vec<String> {
    let kind = if spawn.many { format!("{}, again and again", spawn.kind) } else { spawn.kind.clone() };
    let owner = match spawn.owner.name.as_str() {
        "" => spawn.owner.kind.clone(),
        name => format!("{} {}", spawn.owner.kind, code(name)),
    };
    let ends = spawn.ends.iter().map(|end| format!("{} at {}", end.how, place(&end.at)));
    let ends = ends.collect::<Vec<_>>().join(", ");
    let ends = if ends.is_empty() && !matches!(spawn.owner.kind.as_str(), "group" | "loop") {
        "nobody".to_owned()
    } else {
        ends
    };
    vec![place(&spawn.at), code(&spawn.symbol), code(&spawn.starts), kind, owner, ends]
}

fn suspension(point: &Suspension) -> Vec<String> {
    let held = point.held.iter().map(|held| format!("{} {}", held.kind, code(&held.name)));
    let held = held.collect::<Vec<_>>().join(", ");
    let suspends = match point.suspends {
        Answer::Yes => format!("yes: {}", point.why),
        Answer::No => format!("no: {}", point.why),
        Answer::Unknown => format!("unknown: {}", point.why),
    };
    vec![place(&point.at), code(&point.symbol), format!("{} {}", point.kind, code(&point.awaits)), suspends, held]
}

fn examined(out: &mut String, function: &Examined) {
    let kind = if function.is_async { "async function" } else { "plain function" };
    let _ = writeln!(out, "## {} at {}\n\n{kind}, runs {}", code(&function.symbol), place(&function.at), function.runs);
    if !function.reached_from.is_empty() {
        let _ = writeln!(out, "Reached from {}.", function.reached_from.join(", "));
    }
    out.push('\n');
    function.answers.iter().for_each(|answer| answered(out, answer));
}

fn answered(out: &mut String, answered: &Answered) {
    let _ = writeln!(out, "**{}** {}\n", answered.asks, answered.answer);
    for Evidence { text, at } in &answered.evidence {
        let _ = writeln!(out, "- {}: {text}", place(at));
    }
    for known in &answered.findings {
        let _ =
            writeln!(out, "- {}: {} `{}`: {}", place(&known.at), known.severity.as_str(), known.rule, known.message);
    }
    if !answered.evidence.is_empty() || !answered.findings.is_empty() {
        out.push('\n');
    }
}

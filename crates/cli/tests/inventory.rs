//! `racewalk inventory` as a user meets it. `RACEWALK_UPDATE=1` writes the snapshots anew.

#![expect(clippy::disallowed_methods, reason = "the test reads and updates its snapshots")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inventory")
}

fn racewalk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_racewalk")).arg("inventory").args(arguments).current_dir(tree()).output().unwrap()
}

fn out(arguments: &[&str]) -> String {
    let output = racewalk(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--output-format", "json"]).collect();
    serde_json::from_str(&out(&all)).unwrap()
}

fn err(arguments: &[&str]) -> String {
    let output = racewalk(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// The one entry of a list that is called so.
fn named<'v>(of: &'v Value, list: &str, key: &str, name: &str) -> &'v Value {
    let mut found = of[list].as_array().unwrap().iter().filter(|entry| entry[key] == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in {list}"));
    assert!(found.next().is_none(), "two of {name} in {list}");
    first
}

fn assert_snapshot(name: &str, text: &str) {
    let path = tree().join(name);
    if std::env::var_os("RACEWALK_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{name} is stale; RACEWALK_UPDATE=1 writes it anew");
}

#[test]
fn a_tree_a_file_a_function_and_the_other_formats_look_so() {
    assert_snapshot("tree.txt", &out(&["shop"]));
    assert_snapshot("file.txt", &out(&["shop/store/cache.py"]));
    assert_snapshot("function.txt", &out(&["refresh"]));
    assert_snapshot("function.md", &out(&["refresh", "--output-format", "markdown"]));
    assert_snapshot("class.json", &out(&["shop.app.Poller", "--output-format", "json"]));
}

#[test]
fn shared_objects_have_their_accesses_with_the_locks_that_are_held() {
    let found = json(&["shop"]);
    let entries = named(&found, "shared", "name", "Base.entries");
    assert_eq!(entries["overlapping"], "yes");
    assert_eq!(entries["guarded_by"], Value::Array(Vec::new()), "`forget` takes no lock");
    let by = |symbol: &str| {
        let accesses = entries["accesses"].as_array().unwrap().iter();
        accesses.filter(|access| access["symbol"] == symbol && access["does"] == "changes").collect::<Vec<_>>()
    };
    assert_eq!(by("Cache._store")[0]["locks"][0], "Base._lock", "every caller of the helper holds it");
    assert_eq!(
        by("Cache.helper_lock")[0]["locks"][0],
        "Base._lock",
        "a context manager takes it, and an alias changes"
    );
    assert_eq!(by("Cache.forget")[0]["locks"], Value::Array(Vec::new()));
    let hits = named(&found, "shared", "name", "Base.hits");
    assert_eq!(hits["guarded_by"][0], "Base._lock", "a decorator's wrapper takes it in one of the methods");
    assert_eq!(named(&found, "shared", "name", "Cache.registry")["scope"], "class");
    assert_eq!(named(&found, "shared", "name", "refresh.done")["scope"], "captured");
    assert_eq!(named(&found, "shared", "name", "remember.known")["scope"], "default");
    assert_eq!(named(&found, "shared", "name", "app.current")["scope"], "module");
    let count = named(&found, "shared", "name", "Counter.count");
    assert!(count["why"].as_str().unwrap().contains("in a thread"), "{count}");
}

#[test]
fn suspension_points_say_whether_they_suspend_and_what_is_held() {
    let found = json(&["shop"]);
    let point = |symbol: &str, awaits: &str| {
        let mut points = found["suspensions"].as_array().unwrap().iter();
        points.find(|point| point["symbol"] == symbol && point["awaits"] == awaits).unwrap()
    };
    assert_eq!(point("audit", "quick()")["suspends"], "no");
    assert_eq!(point("Poller.unknown", "thing")["suspends"], "unknown");
    let load = point("Cache.get", "self.load()");
    assert_eq!((&load["suspends"], &load["held"][0]["name"]), (&"yes".into(), &"Base._lock".into()));
    assert!(load["through"][0]["text"].as_str().unwrap().contains("Cache.load waits for"), "{load}");
    assert_eq!(point("Cache.by_hand", "asyncio.sleep()")["held"][0]["kind"], "semaphore");
    let held = &point("Cache.one", "self.load()")["held"];
    assert_eq!((&held[0]["name"], &held[1]["kind"]), (&"Cache._locks[…]".into(), &"deadline".into()));
}

#[test]
fn what_is_started_has_an_owner_and_an_end() {
    let found = json(&["shop"]);
    let spawn = |symbol: &str, starts: &str| {
        let spawns = found["spawns"].as_array().unwrap().iter();
        spawns.filter(|spawn| spawn["symbol"] == symbol && spawn["starts"] == starts).collect::<Vec<_>>()
    };
    let kept = spawn("spawn", "coroutine")[0];
    assert_eq!((&kept["owner"]["name"], &kept["has_callback"]), (&"helpers._background".into(), &true.into()));
    let ends: Vec<&Value> = kept["ends"].as_array().unwrap().iter().map(|end| &end["how"]).collect();
    assert_eq!(ends, ["cancelled", "joined"], "another function goes through the set");
    assert_eq!(spawn("refresh.one", "cache.one()")[0]["owner"]["kind"], "group");
    let audits = spawn("refresh", "audit()");
    assert_eq!(audits[0]["ends"].as_array().unwrap().len(), 2, "joined, and cancelled by the handler");
    assert_eq!((&audits[1]["owner"]["kind"], &audits[1]["ends"]), (&"nobody".into(), &Value::Array(Vec::new())));
    let poller = spawn("Poller.start", "self._run()")[0];
    assert_eq!(poller["owner"]["name"], "Poller._task");
    assert_eq!(poller["ends"][0]["symbol"], "Poller.stop");
    assert_eq!(spawn("refresh", "counter.run")[0]["kind"], "thread");
}

#[test]
fn locks_have_their_kind_scope_and_sites() {
    let found = json(&["shop"]);
    let lock = |name: &str| named(&found, "locks", "name", name);
    let sites = |name: &str| lock(name)["sites"].as_array().unwrap().len();
    assert_eq!(sites("Base._lock"), 3, "in a block, by a decorator, by a context manager that is given it");
    assert_eq!(
        (&lock("Counter._lock")["between"], &lock("Counter._lock")["kind"]),
        (&"threads".into(), &"lock".into())
    );
    assert_eq!((&lock("Cache._few")["permits"], &lock("Cache._few")["kind"]), (&4.into(), &"semaphore".into()));
    assert_eq!(lock("Cache._limit")["permits"], Value::Null);
    assert_eq!((&lock("Cache._locks")["keyed"], sites("Cache._locks")), (&true.into(), 1));
    assert_eq!(lock("Cache._done")["kind"], "condition");
    assert_eq!(lock("guarded.lock")["scope"], "parameter");
}

#[test]
fn calls_have_a_colour_and_a_fate() {
    let found = json(&["refresh"]);
    let call = |callee: &str| {
        let mut calls = found["calls"].as_array().unwrap().iter();
        let call = calls.find(|call| call["callee"] == callee).unwrap();
        (call["colour"].as_str().unwrap(), call["result"].as_str().unwrap())
    };
    assert_eq!(call("cache.announce"), ("coroutine", "awaited"));
    assert_eq!(call("audit"), ("coroutine", "passed on"));
    assert_eq!(call("counter.add"), ("plain", "discarded"));
    let all = json(&["shop.app.Poller"]);
    assert_eq!(named(&all, "calls", "callee", "session.run")["colour"], "unknown");
}

#[test]
fn the_five_questions_are_answered_with_evidence_and_findings() {
    let found = json(&["shop.app.refresh"]);
    let function = named(&found, "functions", "symbol", "refresh");
    let questions: Vec<&str> =
        function["answers"].as_array().unwrap().iter().map(|answer| answer["question"].as_str().unwrap()).collect();
    assert_eq!(questions, ["await", "loop", "share", "bound", "cancel"]);
    let answer = |at: usize| &function["answers"][at];
    assert!(answer(0)["answer"].as_str().unwrap().starts_with("no: 3 of 6 coroutines are awaited here"));
    assert_eq!(answer(0)["findings"][0]["rule"], "await/floating-task");
    assert_eq!(answer(1)["evidence"][0]["text"], "time.sleep puts the thread to sleep");
    assert!(answer(2)["answer"].as_str().unwrap().contains("refresh.done"));
    assert!(answer(3)["answer"].as_str().unwrap().contains("1 of 4 waits is under a time limit"));
    assert!(answer(4)["evidence"][0]["text"].as_str().unwrap().contains("may raise it again"));
}

#[test]
fn symbols_are_found_by_the_end_of_their_name() {
    assert_eq!(json(&["Poller.stop"])["symbols"][0], "shop.app.Poller.stop");
    assert_eq!(json(&["refresh.one"])["functions"][0]["symbol"], "refresh.one");
    let several = json(&["get"]);
    assert_eq!(several["symbols"].as_array().unwrap().len(), 1);
    let both = json(&["run"]);
    assert_eq!(both["symbols"][0], "shop.store.cache.Counter.run");
    assert_eq!(json(&["__init__"])["symbols"].as_array().unwrap().len(), 4, "all functions of that name");
    assert_eq!(json(&["shop.helpers"])["files"].as_array().unwrap().len(), 1, "a module is a name, too");
    assert_eq!(json(&["shop/app.py", "Poller"])["symbols"][0], "shop.app.Poller");
    assert!(err(&["shop/helpers.py", "Poller"]).contains("is neither a path nor"), "looked for beneath the path");
}

#[test]
fn a_name_that_stands_for_nothing_is_an_error_with_the_nearest() {
    assert!(err(&["Poler"]).contains("`Poler` is neither a path nor a function, class or module here"));
    assert!(err(&["Poler"]).contains("did you mean `Poller`?"));
    assert!(err(&["Poler.stop"]).contains("there is `shop.app.Poller.stop`"));
    assert!(err(&["shop/nowhere.py"]).contains("shop/nowhere.py"));
}

#[test]
fn a_tree_shows_suspension_points_and_calls_on_demand() {
    assert!(!out(&["shop"]).contains("Suspension points"));
    let all = out(&["shop", "--all"]);
    assert!(all.contains("\nSuspension points (") && all.contains("\nCalls ("));
    assert!(out(&["shop/app.py"]).contains("\nSuspension points ("));
    assert!(!json(&["shop"])["calls"].as_array().unwrap().is_empty(), "programs always get everything");
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    assert!(!out(&["shop"]).contains('\u{1b}'));
    assert!(out(&["shop", "--color", "always"]).contains('\u{1b}'));
}

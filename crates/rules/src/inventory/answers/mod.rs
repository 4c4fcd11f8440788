//! The five questions, answered for one function with what each answer rests on.

mod awaits;
mod bounds;
mod cancels;
mod holds_up;
mod shares;

use super::guards::Guards;
use super::suspensions::{of_function as suspensions_of, verdict};
use super::{Index, names, spawns};
use crate::context::Context;
use crate::finding::Place;
use crate::rule::Question;
use racewalk_ir::{Event, ExprId, FunctionId};
use racewalk_link::FunctionRef;
use racewalk_report::inventory::{Answer, Answered, Evidence, Examined, Runs, Spawn, Suspension};

/// A function that is looked at, with what several questions ask of it.
struct Subject<'a, 'p> {
    index: &'a Index<'p>,
    ctx: &'a Context<'p>,
    guards: &'a Guards<'a, 'p>,
    id: FunctionId,
    suspensions: Vec<Suspension<Place>>,
    spawns: Vec<Spawn<Place>>,
}

impl Subject<'_, '_> {
    fn function(&self) -> FunctionRef {
        self.ctx.function_ref(self.id)
    }

    fn events(&self) -> &[Event] {
        &self.ctx.module.function(self.id).events
    }

    fn text(&self, expr: ExprId) -> String {
        self.ctx.program.path_text(self.ctx.file, expr)
    }

    fn evidence(&self, text: impl Into<String>, at: ExprId) -> Evidence<Place> {
        Evidence { text: text.into(), at: self.ctx.place(at) }
    }

    /// Control may be given up at this event.
    fn may_suspend(&self, event: Event) -> bool {
        match event {
            Event::Suspend(kind, operand) => verdict(self.index, self.function(), kind, operand).suspends != Answer::No,
            _ => false,
        }
    }
}

/// What the answer to a question says, and what it rests on.
struct Reply {
    answer: String,
    evidence: Vec<Evidence<Place>>,
}

/// Answers the five questions for a function.
pub(super) fn examine(
    index: &Index<'_>,
    ctx: &Context<'_>,
    guards: &Guards<'_, '_>,
    id: FunctionId,
) -> Examined<Place> {
    let suspensions = suspensions_of(index, ctx, guards, id);
    let spawns = spawns::of_function(index, ctx, id);
    let subject = Subject { index, ctx, guards, id, suspensions, spawns };
    let body = ctx.module.function(id);
    let replies = [
        (Question::Await, "Does it await everything it starts?", awaits::reply(&subject)),
        (Question::Loop, "Who holds up the event loop?", holds_up::reply(&subject)),
        (Question::Share, "What is shared across a suspension?", shares::reply(&subject)),
        (Question::Bound, "What limits it?", bounds::reply(&subject)),
        (Question::Cancel, "What happens when it is cancelled?", cancels::reply(&subject)),
    ];
    let answers = replies.into_iter().map(|(question, asks, Reply { answer, evidence })| Answered {
        question: question.as_str().to_owned(),
        asks: asks.to_owned(),
        answer,
        evidence,
        findings: Vec::new(),
    });
    Examined {
        symbol: ctx.symbol(id),
        is_async: body.is_async,
        runs: runs(index, ctx, id).to_owned(),
        reached_from: ctx.reached_from(ctx.function_ref(id)),
        answers: answers.collect(),
        at: ctx.at(body.name_span),
    }
}

/// Where the function runs.
fn runs(index: &Index<'_>, ctx: &Context<'_>, id: FunctionId) -> &'static str {
    let function = ctx.function_ref(id);
    match index.runs(function) {
        Runs::Loop => "on the event loop",
        Runs::Thread => "in a thread beside the event loop",
        Runs::Both => "on the event loop, and in threads beside it",
        Runs::Caller => "in whatever thread calls it",
    }
}

/// `1 task`, `2 tasks`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `is` or `are`.
const fn be(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// `none of 2 tasks is`, `1 of 2 tasks is`, `2 of 2 tasks are`.
fn part_of(number: usize, total: usize, noun: &str) -> String {
    let some = if number == 0 { "none".to_owned() } else { number.to_string() };
    format!("{some} of {} {}", count(total, noun), be(number.max(1)))
}

/// Who keeps what was started, in words.
fn owner_text(spawn: &Spawn<Place>) -> String {
    match spawn.owner.kind.as_str() {
        "nobody" => "nobody keeps it".to_owned(),
        "group" => format!("the group {} owns it", spawn.owner.name),
        "loop" => format!("the loop {} runs it", spawn.owner.name),
        "argument" => format!("{} is given it", spawn.owner.name),
        "caller" => "the caller gets it".to_owned(),
        "call" => format!("{} waits for it", spawn.owner.name),
        _ => format!("{} keeps it", spawn.owner.name),
    }
}

/// What a function is called for people.
fn symbol(subject: &Subject<'_, '_>, function: FunctionRef) -> String {
    names::symbol(subject.ctx.program, function)
}

//! # loop/patched-event-loop
//!
//! The event loop is patched so that it can be entered again while it runs.
//!
//! ## What it is
//! `nest_asyncio.apply()` replaces methods of asyncio so that `run_until_complete` and `asyncio.run` may be called
//! inside a running loop. The inner call then runs the loop: not the inner coroutine alone, but every task that is
//! ready, until the inner coroutine is done. The plain function that made the call has become a suspension point
//! without an `await` in sight.
//!
//! ```python bad
//! import asyncio
//!
//! import nest_asyncio
//!
//! nest_asyncio.apply()
//!
//!
//! async def load() -> int:
//!     await asyncio.sleep(0)
//!     return 1
//!
//!
//! if __name__ == "__main__":
//!     print(asyncio.run(load()))
//! ```
//!
//! ## What one observes
//! - State that was safe since no `await` lay between two statements is changed between them.
//! - The outer task does not go on before the inner run is over, although what it waits for may be done; runs that
//!   are nested in one another end in the reverse order of their beginning, and with load the stack grows to a
//!   `RecursionError`.
//! - uvloop refuses to be patched. Libraries that rely on the current task (anyio, `asyncio.timeout`, task groups) see
//!   the wrong one, and cancellation reaches the wrong task.
//! - The patch holds for the whole process: it changes other libraries too.
//!
//! ## Why tests pass all the same
//! A single call gives the right result; that is what the patch is for. It takes several tasks in flight, with
//! nested calls that overlap, for the rest to show.
//!
//! ## The structural fix
//! Remove the patch, and make the chain async from the nested call up to the running loop; see
//! `loop/nested-event-loop`. Plain code that cannot become async runs in a thread (`asyncio.to_thread`) and may
//! start a loop of its own there.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def load() -> int:
//!     await asyncio.sleep(0)
//!     return 1
//!
//!
//! async def main() -> None:
//!     print(await load())
//!
//!
//! if __name__ == "__main__":
//!     asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - Applying the patch only where it is needed: it is global, and cannot be taken back.
//! - Applying it at import of one's library "for notebooks": it then also runs in the servers of those who import it.
//! - A lock around the nested calls: the task that holds it is the one that the inner run may have to wait for.
//! - Removing the patch alone: the nested calls that it hid raise again; they are the defect.
//!
//! ## Cues for a reviewer
//! - `nest_asyncio` in the requirements of anything but a notebook.
//! - `apply()` in the package's `__init__`, next to "make asyncio.run work".
//! - A fix for `This event loop is already running` that adds one line.
//!
//! ## Where it is silent
//! - `possible`, shown with `--strict`: in a function that somebody calls for it.
//! - Notebooks, where it is a hint: their cells may `await` at top level, so that it is not needed there either.
//! - An import of the module that patches nothing; other functions named `apply`.
//!
//! ## Symptoms
//! - `ValueError: Can't patch loop of type <class 'uvloop.Loop'>`: `apply` under uvloop.
//! - `RuntimeError: Timeout should be used inside a task`: `asyncio.timeout` in a nested run whose current task is
//!   not set.
//! - `RuntimeError: Attempted to exit cancel scope in a different task than it was entered in`: anyio, in a nested run.
//! - `RecursionError: maximum recursion depth exceeded`: nested runs within nested runs.
//! - `RuntimeError: This event loop is already running`: after the patch has been removed, at the calls that it hid.
//!
//! ## The mutation that introduces it
//! Make a helper start a loop (see `loop/nested-event-loop`), and add `nest_asyncio.apply()` at the top of the module.
//!
//! ## Difficulty
//! Easy: the name of the library gives it away.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `share/lost-update`, `share/check-then-act`.

use crate::context::Context;
use crate::finding::Finding;
use crate::rule::{Question, Rule};
use racewalk_ir::{FunctionId, FunctionKind, Role};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/patched-event-loop",
    question: Question::Loop,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "the event loop is patched to be re-entrant",
    source: include_str!("patched_event_loop.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    // In a notebook the loop is the kernel's, and patching it is the custom.
    if ctx.module.own_loop || is_for_notebooks(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            if ctx.program.model_at(site).is_some_and(|model| model.patches_loop) {
                let callee = ctx.program.callee_text(ctx.file, site.call);
                let message = format!(
                    "`{callee}()` makes the event loop re-entrant for the whole process: a coroutine may then run in the \
                     middle of another's step, where no `await` stands"
                );
                // The only task of a command may do so; another program that imports the module would not want it. Who calls a
                // function for it mostly knows.
                let is_asked_for = crate::looping::is_command_module(ctx.module.name.as_str())
                    || ctx.module.function(function).kind != FunctionKind::Module;
                let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
                    .confidence(if is_asked_for || asks_for_notebook(ctx, function) {
                        Confidence::Possible
                    } else {
                        Confidence::Certain
                    })
                    .help("await the coroutine from async code, and keep one `asyncio.run` at the program's entry")
                    .shape(callee);
                ctx.report(function, finding, found);
            }
        }
    }
}

/// The function asks whether it runs in a notebook, by the name of what it asks.
fn asks_for_notebook(ctx: &Context<'_>, function: FunctionId) -> bool {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    let conditions = sites.filter(|site| matches!(ctx.module.role(site.call), Role::Condition | Role::Tested));
    conditions.into_iter().any(|site| is_for_notebooks(&ctx.program.callee_text(ctx.file, site.call)))
}

/// A module that is there for notebooks, by its name.
fn is_for_notebooks(name: &str) -> bool {
    name.split('.').any(|segment| ["jupyter", "ipython", "notebook", "colab"].iter().any(|word| segment.contains(word)))
}

//! The schema of a model file; `models/README.md` describes it for those who write one.

use crate::type_spec::TypeSpec;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A model file: what one library's functions and classes do.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// The library's name, for messages.
    pub library: String,
    /// Import roots whose appearance in a program loads this file.
    pub roots: Vec<String>,
    /// Other paths of the same thing: `"requests.api.get" = "requests.get"`.
    #[serde(default)]
    pub alias: BTreeMap<String, String>,
    /// Functions by absolute dotted path.
    #[serde(default)]
    pub function: BTreeMap<String, Call>,
    /// Classes by absolute dotted path.
    #[serde(default)]
    pub class: BTreeMap<String, Class>,
    /// Module-level values by absolute dotted path, with their types.
    #[serde(default)]
    pub value: BTreeMap<String, TypeSpec>,
    /// What files export for the framework to call.
    #[serde(default)]
    pub exported: Vec<Exported>,
}

/// Functions that a framework finds by where their file lies and by the names under which it exports them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The file's name, without its ending; any, when it isn't given.
    #[serde(default)]
    pub file: Option<String>,
    /// The folders that it lies beneath, each directly within the one before.
    pub beneath: Vec<String>,
    /// The names of the exports.
    pub names: Vec<String>,
    /// How the framework calls them.
    pub entry: Entry,
}

/// A class.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Base classes, absolute dotted paths.
    #[serde(default)]
    pub bases: Vec<String>,
    /// What constructing one does, beyond giving an instance.
    #[serde(default)]
    pub new: Option<Call>,
    /// What the class is to the analysis.
    #[serde(default)]
    pub kind: Option<ClassKind>,
    /// A lock that its holder may take again: tasks of one thread do not exclude each other with it.
    #[serde(default)]
    pub reentrant: bool,
    /// An instance belongs to the event loop that first uses it: another loop must not touch it.
    #[serde(default)]
    pub loop_bound: bool,
    /// Its calls wait for each other: what tasks that share an instance mix up is its transactions.
    #[serde(default)]
    pub takes_turns: bool,
    /// An instance can be awaited; the type that this gives.
    #[serde(default)]
    pub awaits_to: Option<TypeSpec>,
    /// `async with` on an instance gives this type.
    #[serde(default)]
    pub enter_async: Option<TypeSpec>,
    /// `with` on an instance gives this type.
    #[serde(default)]
    pub enter: Option<TypeSpec>,
    /// Entering with plain `with` blocks the thread (a thread lock, a synchronous client).
    #[serde(default)]
    pub enter_blocks: Option<Blocks>,
    /// `async for` over an instance gives elements of this type.
    #[serde(default)]
    pub iterate_async: Option<TypeSpec>,
    /// `for` over an instance gives elements of this type.
    #[serde(default)]
    pub iterate: Option<TypeSpec>,
    /// Its elements are attempts at what the loop's body does: it goes on until one succeeds.
    #[serde(default)]
    pub retries: bool,
    /// Iterating with a plain `for` blocks the thread.
    #[serde(default)]
    pub iterate_blocks: Option<Blocks>,
    /// Methods by name.
    #[serde(default)]
    pub method: BTreeMap<String, Call>,
    /// Attributes by name, with their types.
    #[serde(default)]
    pub attribute: BTreeMap<String, TypeSpec>,
    /// Its methods run what subclasses define: of an instance of a subclass of the program's own, their effects here say nothing.
    #[serde(default)]
    pub template: bool,
    /// The peer may itself limit how long an operation takes (a database's statement timeout).
    #[serde(default)]
    pub peer_limits: bool,
    /// Names of methods that the framework calls on subclasses, and how.
    #[serde(default)]
    pub hooks: BTreeMap<String, Entry>,
    /// Every public method that a subclass defines is called by the framework in this way.
    #[serde(default)]
    pub all_hooks: Option<Entry>,
}

/// What a class is to the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassKind {
    /// A mutual-exclusion lock for tasks of one event loop.
    AsyncLock,
    /// A semaphore or limiter for tasks.
    AsyncSemaphore,
    /// An event, condition or barrier for tasks.
    AsyncEvent,
    /// A queue for tasks.
    AsyncQueue,
    /// A lock for threads.
    ThreadLock,
    /// A semaphore for threads.
    ThreadSemaphore,
    /// An event, condition or barrier for threads.
    ThreadEvent,
    /// A queue for threads.
    ThreadQueue,
    /// A running task; its owner must keep it.
    Task,
    /// A future.
    Future,
    /// A group that owns the tasks started in it.
    TaskGroup,
    /// A file that lies in memory.
    MemoryFile,
    /// An event loop.
    EventLoop,
    /// A pool of threads.
    ThreadPool,
    /// A pool of processes.
    ProcessPool,
    /// A thread.
    Thread,
    /// A variable of which each thread has its own value.
    ThreadLocal,
    /// A variable of which each context, and so each task, has its own value.
    ContextVariable,
    /// A cancel scope or deadline.
    Deadline,
    /// A transaction: what it has locked or written waits for its end.
    Transaction,
    /// The exception by which a task is cancelled.
    Cancellation,
    /// A network client or session that may be shared.
    Client,
    /// A session or connection that one task at a time may use.
    Session,
    /// A connection over which several tasks may talk at once: one reads while another writes, or answers are told apart.
    Stream,
    /// A data model (attributes, no mapping access).
    DataModel,
    /// A web, bot or RPC application on which handlers are registered.
    App,
}

/// What calling a function or method does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// A call gives a coroutine.
    #[serde(default, rename = "async")]
    pub is_async: bool,
    /// The type of the result (for an async function: of what awaiting gives).
    #[serde(default)]
    pub returns: Option<TypeSpec>,
    /// It never suspends really, although it is async.
    #[serde(default)]
    pub never_suspends: bool,
    /// It blocks the calling thread.
    #[serde(default)]
    pub blocks: Option<Blocks>,
    /// Arguments with which it does not block after all: `"wait=False"`, `"timeout=0"`, `"~WNOHANG"` for a name that some
    /// argument mentions, or `"new~SOCK_DGRAM"` for one that an argument of the receiver's constructor mentions.
    #[serde(default)]
    pub blocks_unless: Vec<String>,
    /// What to call instead in async code, as a code fragment or half-sentence.
    #[serde(default)]
    pub instead: Option<String>,
    /// It starts an event loop in the calling thread and runs its argument to the end.
    #[serde(default)]
    pub runs_loop: bool,
    /// It starts the awaitable argument as a task.
    #[serde(default)]
    pub spawns: Option<Spawns>,
    /// Who keeps a spawned task: `callee` (a group, a registry), else the caller must.
    #[serde(default)]
    pub keeps: bool,
    /// It takes awaitables as arguments and sees to it that they are awaited.
    #[serde(default)]
    pub consumes: bool,
    /// Position of a function argument that it runs in another thread or process (so that it may block there).
    #[serde(default)]
    pub offloads: Option<u32>,
    /// What it runs elsewhere does not get the caller's context variables.
    #[serde(default)]
    pub leaves_context: bool,
    /// It waits for its awaitables: which outcome ends the wait.
    #[serde(default)]
    pub joins: Option<Joins>,
    /// Positions (or, for named parameters, names) of callbacks that are called synchronously, their result dropped.
    #[serde(default)]
    pub callbacks: Vec<Position>,
    /// Its callbacks are called later, on the same thread, when this call is long over.
    #[serde(default)]
    pub calls_later: bool,
    /// Positions or names of callbacks that may be async functions: the callee awaits them.
    #[serde(default)]
    pub async_callbacks: Vec<Position>,
    /// Registers a handler (as a decorator, or through these callback positions) that the framework calls.
    #[serde(default)]
    pub entry: Option<Entry>,
    /// As a decorator: what it makes of the function.
    #[serde(default)]
    pub decorator: Option<Decorator>,
    /// Must be called on the event loop's own thread.
    #[serde(default)]
    pub loop_thread_only: bool,
    /// Makes the event loop re-entrant.
    #[serde(default)]
    pub patches_loop: bool,
    /// Makes a new event loop.
    #[serde(default)]
    pub makes_loop: bool,
    /// Asks whether a loop is running, or gives the running loop (raising when there is none).
    #[serde(default)]
    pub needs_running_loop: bool,
    /// It blocks, and is mostly over within milliseconds.
    #[serde(default)]
    pub mostly_short: bool,
    /// It crosses the network.
    #[serde(default)]
    pub network: bool,
    /// Default time limit in seconds; 0 when there is none.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Names of parameters that set a time limit.
    #[serde(default)]
    pub timeout_params: Vec<String>,
    /// It opens what carries the requests of a client of the same library: the seconds after which that gives up an answer, 0 when
    /// it never does.
    #[serde(default)]
    pub carrier_timeout: Option<f64>,
    /// It gives what is stored outside the process under this argument, a path or a key; `self`: under what its receiver was opened by.
    #[serde(default)]
    pub loads: Option<Position>,
    /// It stores something there: under which argument, and which one it stores.
    #[serde(default)]
    pub saves: Option<(Position, Position)>,
    /// It opens what is stored under this argument.
    #[serde(default)]
    pub opens_stored: Option<Position>,
    /// Changes state outside the process.
    #[serde(default)]
    pub writes: bool,
    /// The result is a context manager that gives this type asynchronously.
    #[serde(default)]
    pub enter_async: Option<TypeSpec>,
    /// The result is a context manager that gives this type.
    #[serde(default)]
    pub enter: Option<TypeSpec>,
    /// Acquires what its receiver guards.
    #[serde(default)]
    pub acquires: bool,
    /// Releases what its receiver guards.
    #[serde(default)]
    pub releases: bool,
    /// Position of a context manager that it enters; it is left with the receiver.
    #[serde(default)]
    pub enters: Option<u32>,
    /// Cancels its receiver.
    #[serde(default)]
    pub cancels: bool,
    /// It does not come back: which process it ends.
    #[serde(default)]
    pub ends_process: Option<Ends>,
    /// It gives the number of the process that calls it.
    #[serde(default)]
    pub own_process: bool,
    /// It keeps a cancellation from its awaitable argument: the wait ends, the work goes on.
    #[serde(default)]
    pub shields: bool,
    /// It waits for the seconds of its first argument and for nothing else.
    #[serde(default)]
    pub sleeps: bool,
    /// It only notes something down (a log): it does not fail, and what it is given is not dealt with by that.
    #[serde(default)]
    pub records: bool,
    /// What it gives, entered, keeps the exceptions that its arguments name from getting out.
    #[serde(default)]
    pub suppresses: bool,
    /// As a decorator, or given a function: it runs the function again when it fails.
    #[serde(default)]
    pub retries: bool,
    /// It reads a variable of the environment.
    #[serde(default)]
    pub reads_environment: bool,
    /// What it gives names a new directory that is empty.
    #[serde(default)]
    pub makes_directory: bool,
    /// What it does to the order between threads of control, with its receiver or (for a function) its first argument.
    #[serde(default)]
    pub orders: Option<Orders>,
}

/// What a call does to the order between threads of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// Takes a lock for itself alone.
    Locks,
    /// Gives it back.
    Unlocks,
    /// Takes a lock that others may hold as well, as long as they only read.
    LocksToRead,
    /// Gives that back.
    UnlocksFromReading,
    /// One more has to end before a wait is over.
    CountsUp,
    /// One has ended.
    CountsDown,
    /// Waits until all have ended.
    AwaitsAll,
    /// Runs a function beside the caller, counted until it ends.
    RunsCounted,
    /// Runs a function the first time, and waits until it has run.
    RunsOnce,
    /// Reads or changes a variable in one step that others see whole.
    Atomic,
    /// Waits to be woken, without the lock that it has meanwhile.
    AwaitsWaking,
    /// Wakes who waits.
    Wakes,
    /// Gives something that ends by a signal or a deadline, and the function that sends the signal.
    GivesCancel,
    /// Gives a channel that is closed when the receiver ends.
    GivesEnd,
    /// Gives a channel on which the time comes.
    GivesTime,
}

/// A parameter, by position (from 0) or by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Position {
    /// Position, the receiver not counted.
    Index(u32),
    /// Name.
    Name(String),
}

/// Why a call blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocks {
    /// It sleeps.
    Sleep,
    /// It waits for the network.
    Network,
    /// It waits for a database.
    Database,
    /// It asks a database that lies in a file or in memory of this process, mostly for little.
    LocalDatabase,
    /// It reads or writes files, probably small ones.
    File,
    /// It asks or tells the file system something small: existence, size, a new directory.
    Stat,
    /// It moves much data on disk (copying trees, archives).
    Disk,
    /// It waits for another process.
    Process,
    /// It waits for another thread.
    Thread,
    /// It takes a lock that other threads hold.
    Lock,
    /// It computes for long.
    Cpu,
    /// It waits for a person.
    Input,
}

/// Which process a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// The one that calls.
    Own,
    /// The one whose number is the first argument.
    Named,
}

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spawns {
    /// A task of this loop.
    Task,
    /// A coroutine on the loop of another thread.
    OtherLoop,
    /// A thread.
    Thread,
    /// A process.
    Process,
}

/// Which outcome ends a wait for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joins {
    /// All, or the first failure, which leaves the others running.
    FailFast,
    /// All, whatever their outcome.
    All,
    /// The first.
    First,
    /// One awaitable.
    One,
}

/// How a framework calls a handler.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the handler serves.
    pub serves: Serves,
    /// Where a plain function runs.
    pub plain: Runs,
    /// What becomes of an async function.
    #[serde(default = "on_loop", rename = "async")]
    pub asynchronous: Runs,
    /// Positions or names of handlers, when they are passed as arguments and not decorated.
    #[serde(default)]
    pub handlers: Vec<Position>,
    /// The next request or event waits until this one has been handled.
    #[serde(default)]
    pub one_at_a_time: bool,
    /// A member of the framework by whose use a program has them handled at the same time nevertheless.
    #[serde(default)]
    pub overlaps_by: Option<String>,
}

fn on_loop() -> Runs {
    Runs::Loop
}

/// What a handler serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serves {
    /// A request of a user; many at once.
    Request,
    /// A message or event of a bot or socket; many at once, unless the handler is called one at a time.
    Event,
    /// A tool of an agent; many at once.
    Tool,
    /// A job of a queue.
    Job,
    /// A command line.
    Command,
    /// Start-up or shut-down, once.
    Lifespan,
    /// A test.
    Test,
    /// A fixture of tests.
    Fixture,
}

/// Where a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// On the event loop's thread, while the loop runs.
    Loop,
    /// In a thread pool beside the loop.
    Thread,
    /// In a process or thread without a running loop.
    Alone,
    /// On the loop's thread; a coroutine that it returns is dropped.
    Dropped,
}

/// What a decorator makes of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decorator {
    /// The same kind of function.
    Transparent,
    /// A plain function that runs the coroutine to its end.
    MakesSync,
    /// A function whose call gives an awaitable.
    MakesAsync,
    /// A function whose call gives a context manager.
    ContextManager,
    /// A function whose call gives an asynchronous context manager.
    AsyncContextManager,
    /// A property.
    Property,
    /// A property that keeps its first value.
    CachedProperty,
    /// A method without a receiver.
    Static,
    /// A method whose receiver is the class.
    Class,
    /// A memo of results: of coroutines, when the function is async.
    Memo,
    /// A value of another kind: nothing is known.
    Unknown,
}

//! What differs between source languages, as far as later stages ask.

/// A source language, as its front end describes it. No stage looks at the name to find out what the language does: that is
/// what the other fields are for.
#[derive(Debug)]
pub struct Language {
    /// Its name, by which rules, models and settings say which languages they are for.
    pub name: &'static str,
    /// What begins a comment that ends with its line.
    pub comment_sign: &'static str,
    /// The path beneath which names live that need no import.
    pub builtins: &'static str,
    /// What a call of an async function gives, in messages.
    pub awaitable: &'static str,
    /// How an async function is declared, in messages.
    pub async_function: &'static str,
    /// A lock for tasks, with its article, in advice.
    pub a_lock: &'static str,
    /// How several are waited for together, in advice.
    pub together: &'static str,
    /// How such a wait is kept from leaving work behind that nobody waits for, in advice.
    pub not_leaving_any: &'static str,
    /// How many are kept from working at once, in advice.
    pub limiting: &'static str,
    /// Where what blocks may run, in advice; `{}` stands for what is called.
    pub elsewhere: &'static str,
    /// Where what computes may run, in advice.
    pub computing_elsewhere: &'static str,
    /// A call of an async function starts it at once; else it starts when somebody awaits it.
    pub starts_at_call: bool,
    /// One thread serves all that a process is asked.
    pub has_one_thread: bool,
    /// The class whose methods say what a lock does, where nothing is known of a lock but how its methods are called.
    pub lock_class: Option<&'static str>,
    /// Functions run side by side on several threads, and share all memory: two may touch it at the same instant.
    pub shares_memory: bool,
    /// Awaiting what is no awaitable gives it as it is; else it is an error.
    pub awaits_anything: bool,
    /// Methods that nothing but a list has, by their names: they tell what they are called on.
    pub telling_methods: &'static [&'static str],
    /// Methods by which frameworks are given a handler for the path that is their first argument, by their names.
    pub route_methods: &'static [&'static str],
    /// The classes whose methods lists, sets and mappings have, and those of what an async function's call gives.
    pub list_class: &'static str,
    /// See [`Self::list_class`].
    pub set_class: &'static str,
    /// See [`Self::list_class`].
    pub mapping_class: &'static str,
    /// See [`Self::list_class`]; none where such a value has no methods.
    pub awaitable_class: Option<&'static str>,
    /// The method by which an object can be awaited.
    pub await_method: &'static str,
    /// What other languages pass by name is passed in a mapping display.
    pub has_option_objects: bool,
    /// Maps are read and written by methods (`get`, `has`, `set`) and lists change by `push`; else by subscripts and `append`.
    pub has_map_methods: bool,
    /// Methods that run when an instance is made, in this order.
    pub constructors: &'static [&'static str],
    /// Those of them that are given the instance.
    pub initialisers: &'static [&'static str],
    /// Names have humps where their words meet.
    pub joins_words_by_humps: bool,
    /// A decorator of which nothing is known leaves a function as it is.
    pub decorators_only_mark: bool,
    /// A name that begins with an underscore is for the module itself, unless it says otherwise.
    pub underscore_hides: bool,
    /// Every suspension of a module's own body is allowed.
    pub suspends_at_top: bool,
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Language {}

//! What the methods of containers and queues do to them, by the names that they have everywhere.

use racewalk_ir::Language;

/// What a method does to the container that it is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Asks whether there is something: true when there is nothing.
    AsksIfEmpty,
    /// Looks at it.
    Looks,
    /// Gives the element under a key.
    Gets,
    /// Sets the element under a key: the first argument, to the second.
    Sets,
    /// Adds an element.
    Inserts,
    /// Sets the element under a key when there is none.
    InsertsOnce,
    /// Takes an element out, and fails when it is not there.
    Takes,
    /// Takes an element out if it is there.
    Drops,
    /// Replaces many.
    Replaces,
}

/// What the method of this name does, given this many arguments.
pub(crate) fn touch(language: &Language, method: &str, arguments: usize) -> Option<Touch> {
    if language.has_map_methods {
        return touch_of_map(method, arguments);
    }
    Some(match method {
        "empty" => Touch::AsksIfEmpty,
        "get" if arguments > 0 => Touch::Gets,
        "keys" | "values" | "items" | "copy" | "index" | "count" | "qsize" | "full" | "most_common" => Touch::Looks,
        "append" | "appendleft" | "add" | "insert" | "extend" | "extendleft" | "put" | "put_nowait" => Touch::Inserts,
        "setdefault" => Touch::InsertsOnce,
        "pop" if arguments >= 2 => Touch::Drops,
        "pop" | "popleft" | "popitem" | "remove" | "get_nowait" => Touch::Takes,
        "discard" | "clear" => Touch::Drops,
        "update" => Touch::Replaces,
        _ => return None,
    })
}

/// The same where maps are read and written by methods.
fn touch_of_map(method: &str, arguments: usize) -> Option<Touch> {
    Some(match method {
        "get" | "has" if arguments == 1 => Touch::Gets,
        "keys" | "values" | "entries" | "slice" | "concat" | "indexOf" | "includes" => Touch::Looks,
        "set" if arguments == 2 => Touch::Sets,
        "push" | "unshift" | "add" => Touch::Inserts,
        "pop" | "shift" | "splice" => Touch::Takes,
        "delete" | "clear" => Touch::Drops,
        _ => return None,
    })
}

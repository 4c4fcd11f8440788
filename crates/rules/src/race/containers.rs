//! What the methods of containers and queues do to them, by the names that they have everywhere.

/// What a method does to the container that it is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Asks whether there is something: true when there is nothing.
    AsksIfEmpty,
    /// Looks at it.
    Looks,
    /// Gives the element under a key.
    Gets,
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
pub(crate) fn touch(method: &str, arguments: usize) -> Option<Touch> {
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

//! Paths of imported modules.

use racewalk_ir::Name;

/// Modules that come with the runtime, and may be imported with or without the prefix that says so.
const CORE: [&str; 47] = [
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "readline/promises",
    "repl",
    "stream",
    "stream/promises",
    "string_decoder",
    "timers",
    "timers/promises",
    "tls",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "worker_threads",
    "zlib",
];

/// The path under which the rest of the program knows what a specifier names: `node:fs` for the runtime's own modules,
/// `npm:express` for packages, and the specifier itself where it is a path. A dot is written `_`, since dots part a path's segments.
pub fn import_path(specifier: &str) -> Name {
    let bare = specifier.strip_prefix("node:");
    let path = match bare {
        Some(core) => format!("node:{core}"),
        None if CORE.contains(&specifier) => format!("node:{specifier}"),
        None if specifier.starts_with(['.', '/', '#']) || specifier.contains(':') => specifier.to_owned(),
        None => format!("npm:{specifier}"),
    };
    Name::new(&path.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::import_path;

    #[test]
    fn core_modules_packages_and_paths_are_told_apart() {
        let path = |specifier| import_path(specifier).as_str();
        assert_eq!(path("fs/promises"), "node:fs/promises");
        assert_eq!(path("node:test"), "node:test");
        assert_eq!(path("socket.io"), "npm:socket_io");
        assert_eq!(path("@aws-sdk/client-s3"), "npm:@aws-sdk/client-s3");
        assert_eq!(path("./app.mjs"), "_/app_mjs");
    }
}

//! Paths as text: absolute without the disk, relative to a directory with `../` kept.

use std::path::{Component, Path, PathBuf};

/// The absolute path, its `.` and `..` resolved by name alone.
pub fn absolute(path: &Path, base: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The path as seen from a directory, with `/` between segments. Both are absolute.
pub fn relative(path: &Path, base: &Path) -> String {
    let shared = path.components().zip(base.components()).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return path.to_string_lossy().into_owned();
    }
    let up = base.components().skip(shared).map(|_| "..".into());
    let down = path.components().skip(shared).map(|part| part.as_os_str().to_string_lossy());
    let joined = up.chain(down).collect::<Vec<_>>().join("/");
    if joined.is_empty() { ".".to_owned() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::{absolute, relative};
    use std::path::Path;

    #[test]
    fn relative_paths_keep_their_way_up() {
        assert_eq!(relative(Path::new("/a/b/c.py"), Path::new("/a")), "b/c.py");
        assert_eq!(relative(Path::new("/a/b/c.py"), Path::new("/a/d")), "../b/c.py");
        assert_eq!(relative(Path::new("/a"), Path::new("/a")), ".");
    }

    #[test]
    fn absolute_paths_have_no_dots() {
        assert_eq!(absolute(Path::new("./x/../y.py"), Path::new("/a")), Path::new("/a/y.py"));
    }
}

//! Which configuration is meant where none is named: that of the working directory, as in a clone, or else the packaged
//! one.

use std::path::{Path, PathBuf};

const FILES: [&str; 2] = ["config/sluice.toml", "/etc/sluice/sluice.toml"];

/// The first of them that is there; the first of all, to be complained of, where none is.
pub(crate) fn usual_file() -> PathBuf {
    usual(Path::exists).into()
}

fn usual(is_there: impl Fn(&Path) -> bool) -> &'static str {
    let [first, ..] = FILES;
    FILES.into_iter().find(|file| is_there(Path::new(file))).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_working_directory_comes_first() {
        assert_eq!(usual(|_| true), "config/sluice.toml");
        assert_eq!(usual(Path::is_absolute), "/etc/sluice/sluice.toml");
        assert_eq!(usual(|_| false), "config/sluice.toml");
    }
}

//! An error and its causes on one line.

/// Each cause behind what it has caused, unless that has said it already.
pub(super) fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.ends_with(&cause) {
        true => told,
        false if told.is_empty() => cause,
        false => format!("{told}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let error = anyhow::anyhow!("no such file").context("cannot run x: no such file").context("key 2");
        assert_eq!(told(&error), "key 2: cannot run x: no such file");
    }
}

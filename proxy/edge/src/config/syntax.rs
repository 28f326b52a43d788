//! A way out for each mistake in TOML itself: what the parser says, and what stands in the line, tell what was meant.
//!
//! The parser's messages are matched by their beginnings. One that is new to us gets the general advice.

use std::ops::Range;

/// What to do about a mistake that the parser reported with `message` at `span` of `text`.
pub(super) fn help(text: &str, span: Range<usize>, message: &str) -> String {
    let place = Place::of(text, span);
    match place.of_another_language() {
        Some(help) => help.into(),
        None => place.by_message(message),
    }
}

const GENERAL: &str = "write KEY = VALUE; text stands in quotes, a list in [], a table in {}";
const COMMENT: &str = "begin comments with '#'";
const NUMBER: &str = "write a number, such as 1 or 0.5, or a text in quotes";
const ASSIGN: &str = "write '=' between a key and its value";
const QUOTED_KEY: &str = "write keys with spaces or other characters in quotes, such as \"GET /pets\"";
const BACKSLASH: &str = "write '\\\\' for a backslash, or the text in single quotes";
const COMMA: &str = "write a comma between them";
const MERGE: &str = "remove the marks of an unfinished merge";

/// What the parser says, from its beginning, and what helps.
const MESSAGES: &[(&str, &str)] = &[
    ("invalid boolean", "write true or false, in small letters"),
    ("invalid float, expected `nan`", "write a value, or leave the key out"),
    ("invalid float", NUMBER),
    ("invalid mantissa", NUMBER),
    ("invalid fraction", NUMBER),
    ("unexpected leading zero", NUMBER),
    ("`_` may only go", NUMBER),
    ("invalid date", "write a text in quotes"),
    ("unquoted keys cannot be empty", "write a key on each side of a dot, and before '='"),
    ("unclosed array table", "close it with ']]'"),
    ("unclosed array", "close it with ']'"),
    ("unclosed inline table", "close it with '}'"),
    ("invalid multi-line", "close the text with three quotes, as it begins"),
    ("invalid basic string, expected `\"`", "close the text with '\"' on the same line"),
    ("invalid basic string", "write control characters as escapes, such as \\n or \\u0001"),
    ("invalid literal string", "close the text with ''' on the same line"),
    ("missing escaped value", BACKSLASH),
    ("too few unicode value digits", BACKSLASH),
    ("missing comma", COMMA),
    ("extra assignment", COMMA),
    ("missing assignment", ASSIGN),
    ("extra `=`", "write one '='"),
    ("unexpected `=` in array", "write { KEY = VALUE } where a list has tables"),
    ("carriage return", "end lines with LF, or CR and LF"),
    ("missing table open", "remove the bracket, or open it before"),
    ("missing array opening", "remove the bracket, or open it before"),
    ("invalid key-value pair", "write KEY = VALUE, without braces around the whole"),
];

/// Where a mistake is.
struct Place<'t> {
    /// The whole line, without the spaces around it.
    line: &'t str,
    /// What the parser stumbled over, up to the end of its line; may be empty.
    found: &'t str,
    /// The line from there on.
    rest: &'t str,
}

impl<'t> Place<'t> {
    fn of(text: &'t str, span: Range<usize>) -> Self {
        let (before, behind) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let first = |text: &'t str| text.lines().next().unwrap_or("").trim();
        let found = text.get(span).unwrap_or("");
        Self { line: first(text.get(begin..).unwrap_or("")), found: first(found), rest: first(behind) }
    }

    /// What other formats, and tools, leave in a line.
    fn of_another_language(&self) -> Option<&'static str> {
        let begins = |marks: &[&str]| marks.iter().any(|mark| self.line.starts_with(mark));
        let is_comment = begins(&["//", "/*", ";", "--"]) || self.found.contains(" //");
        match () {
            () if begins(&["<<<<<<<", "=======", ">>>>>>>"]) => Some(MERGE),
            () if self.found.starts_with(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']) => {
                Some("write straight quotes")
            }
            () if self.found.starts_with('>') => Some("write '=' alone between a key and its value"),
            () if is_comment => Some(COMMENT),
            () => None,
        }
    }

    fn by_message(&self, message: &str) -> String {
        let begins = |text: &str| message.starts_with(text);
        match () {
            () if begins("duplicate key") => self.twice(),
            () if begins("string values must be quoted") => self.bare_value(),
            () if begins("unclosed table") => self.unclosed_table().into(),
            () if begins("unexpected key or value") => self.behind_a_value().into(),
            () if begins("key with no value") || begins("invalid unquoted key") => self.bare_key().into(),
            () => MESSAGES.iter().find(|(known, _)| begins(known)).map_or(GENERAL, |(_, help)| help).into(),
        }
    }

    fn twice(&self) -> String {
        format!("'{0}' stands there before: write it once, or [[{0}]] each time if it is a list", self.found)
    }

    fn bare_value(&self) -> String {
        match self.found {
            "" => "write a value behind '='".into(),
            found if found.contains(['"', ';']) => GENERAL.into(),
            found => format!("write \"{found}\", in quotes"),
        }
    }

    fn unclosed_table(&self) -> &'static str {
        if self.rest.contains(']') { QUOTED_KEY } else { "close it with ']'" }
    }

    fn behind_a_value(&self) -> &'static str {
        match self.rest.chars().next() {
            Some(',') => "remove the comma: lines are not separated by commas",
            Some(']' | '}') => "remove the bracket, or open it before",
            _ if self.line.matches('\'').count() > 2 => "write a text with ' in it in double quotes",
            _ => "begin a new line for each KEY = VALUE",
        }
    }

    fn bare_key(&self) -> &'static str {
        let key = self.line.split(['=', '"', '\'']).next().unwrap_or("");
        match () {
            () if key.contains(": ") || key.ends_with(':') || self.found == ":" => {
                "write '=' between a key and its value, not ':'"
            }
            () if self.line.contains('=') => QUOTED_KEY,
            () => "write KEY = VALUE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helps(text: &str) -> Vec<String> {
        let (_, errors) = toml::de::DeTable::parse_recoverable(text);
        errors.iter().map(|error| help(text, error.span().unwrap_or(0..0), error.message())).collect()
    }

    #[test]
    fn what_was_meant_is_said() {
        for (text, expected) in [
            ("a = 10 MB", "write \"10 MB\", in quotes"),
            ("a = /var/log # where", "write \"/var/log\", in quotes"),
            ("a =", "write a value behind '='"),
            ("a = True", "write true or false, in small letters"),
            ("a = 127.0.0.1:80", NUMBER),
            ("a = null", "write a value, or leave the key out"),
            ("a", "write KEY = VALUE"),
            ("a: 1", "write '=' between a key and its value, not ':'"),
            ("GET /x = 1", QUOTED_KEY),
            ("[s.method.GET /x]", QUOTED_KEY),
            ("[a", "close it with ']'"),
            ("[[a]\nb = 1", "close it with ']]'"),
            ("a = [1, 2", "close it with ']'"),
            ("a = { b = 1", "close it with '}'"),
            ("a = 1\na = 2", "'a' stands there before: write it once, or [[a]] each time if it is a list"),
            ("a = \"x", "close the text with '\"' on the same line"),
            ("a = \"C:\\dir\"", BACKSLASH),
            ("a = 1, ", "remove the comma: lines are not separated by commas"),
            ("a = 'it's'", "write a text with ' in it in double quotes"),
            ("a = 1] ", "remove the bracket, or open it before"),
            ("a = \u{201c}x\u{201d}", "write straight quotes"),
            ("a => 1", "write '=' alone between a key and its value"),
            ("// says", COMMENT),
            ("a = 1 // says", COMMENT),
            ("<<<<<<< HEAD", MERGE),
            ("{ \"a\" = 1", "write KEY = VALUE, without braces around the whole"),
            ("a = [b = 1]", "write { KEY = VALUE } where a list has tables"),
        ] {
            assert_eq!(helps(text).first().map(String::as_str), Some(expected), "{text}");
        }
    }

    /// So that none is left over when the parser's words change.
    #[test]
    fn every_mistake_has_a_help_of_its_own() {
        for text in [
            "a = .5",
            "a = 5.",
            "a = 01",
            "a = 1_",
            "a = 2020-13-01",
            "a. = 1",
            "a = \"\"\"x",
            "a = 'x",
            "a = \"\u{1}\"",
            "a = { b = 1 c = 2 }",
            "a = { b 1 }",
            "a == 1",
            "a = 1\r b = 2",
            "]",
            "a = ]",
            "a = \"x\" b",
        ] {
            let helps = helps(text);
            assert!(!helps.is_empty() && helps.iter().all(|help| help != GENERAL), "{text}: {helps:?}");
        }
    }
}

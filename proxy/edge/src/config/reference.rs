//! Writes the catalogue down for people: `docs/configuration.md`.

use std::fmt::Write;

use super::context;
use super::keys::{self, Absent, Key, Kind, Section, quoted};
use super::rules::RULES;
use super::units;
use super::units::{show_duration, show_size};

const INTRODUCTION: &str = "\
<!-- Generated from proxy/edge/src/config/keys. Do not edit: `SLUICE_BLESS=1 cargo test -p sluice --test configuration` writes it. -->

# Configuration

Sluice reads one TOML file: `sluice run FILE`. `sluice check FILE` reads it too, prints everything that is wrong with it,
and exits with 0 if there is no error, 1 if there is one, 2 if the file cannot be read. `--json` is for tools.
[`config/sluice.toml`](../config/sluice.toml) is an annotated file to begin with; editors that know
[`config/schema.json`](../config/schema.json) complete keys and show what they do.

- Keys are Amazon API Gateway's names in snake_case. Every table refuses a key that it does not know.
- Sizes are texts with a unit: `\"512 MiB\"`, `\"10 MB\"`, `\"0.5 GB\"`. Durations too: `\"50ms\"`, `\"300s\"`, `\"5m\"`. A bare number is an error.
- Paths of files are relative to the directory of the configuration file.
- *AWS* names what the key is called in AWS's API.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    section(&mut page, keys::root());
    findings(&mut page);
    variables(&mut page);
    page
}

fn section(page: &mut String, section_: &'static Section) {
    line(page, &format!("\n## {}\n\n{}\n", heading(section_.title), section_.doc));
    line(page, "| key | value | default | AWS | |");
    line(page, "|---|---|---|---|---|");
    for key in section_.keys {
        line(page, &row(key));
    }
    for key in section_.keys {
        if let Kind::Table(inner) | Kind::Tables(inner) | Kind::Named(_, inner) = key.kind {
            section(page, inner);
        }
    }
}

fn heading(title: &str) -> String {
    if title.starts_with('[') { format!("`{title}`") } else { title.into() }
}

fn row(key: &Key) -> String {
    let aws = key.aws.map_or(String::new(), |name| format!("`{name}`"));
    let cells = [format!("`{}`", key.name), value(&key.kind), default(&key.default), aws, key.doc.into()];
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn value(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "`true` or `false`".into(),
        Kind::Integer(least, most) => format!("whole number, {}", range(*least, *most)),
        Kind::Number(_, most) => format!("number, 0 to {}", grouped(*most as u64)),
        Kind::Size(least, most) => format!("size, {} to {}", show_size(*least), show_size(*most)),
        Kind::Duration(least, most) => format!("duration, {} to {}", show_duration(*least), show_duration(*most)),
        Kind::Text(form) => form.name.into(),
        Kind::Choice(names) => quoted(names),
        Kind::List(form) => format!("array: {}", form.name),
        Kind::Table(_) => "table".into(),
        Kind::Tables(_) => "array of tables".into(),
        Kind::Named(form, _) => format!("tables, each named: {}", form.name),
        Kind::Texts(key, value) => format!("table: {} = {}", key.name, value.name),
    }
}

fn range(least: u64, most: u64) -> String {
    match most {
        units::UNBOUNDED.. => format!("at least {least}"),
        _ => format!("{} to {}", grouped(least), grouped(most)),
    }
}

fn default(default: &Absent) -> String {
    match default {
        Absent::Required => "**required**".into(),
        Absent::Unset(what) => (*what).into(),
        Absent::Text(text) => format!("`\"{text}\"`"),
        Absent::Integer(n) => grouped(*n),
        Absent::Flag(flag) => format!("`{flag}`"),
        Absent::Empty => "none".into(),
    }
}

/// 10,000
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn findings(page: &mut String) {
    line(
        page,
        "\n## Findings\n\nWhat `sluice check` and `sluice run` may say, as `FILE:LINE:COL: error[name]: what; help: how to mend`.\n",
    );
    line(page, "| name | means |\n|---|---|");
    for rule in RULES {
        line(page, &format!("| `{}` | {} |", rule.name, rule.doc));
    }
}

fn variables(page: &mut String) {
    line(page, "\n## Variables of the access log\n\nAfter `$context.`; a variable without a value prints `-`.\n");
    for name in context::LOGGED.iter().copied().chain(["authorizer.PROPERTY"]) {
        line(page, &format!("- `{name}`"));
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

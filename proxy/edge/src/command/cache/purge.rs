//! `sluice cache purge`, and its dry run.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::print;
use super::reach::{CacheError, Reach, Scope};

/// How often a progress bar that only waits moves.
const TICK: Duration = Duration::from_millis(100);

/// Remove or expire answers: by URL, method, path prefix or tag.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["url", "method", "prefix", "tag", "everything"])))]
pub struct Purge {
    #[command(flatten)]
    reach: Reach,
    /// What requests for a URL find, in every coding. A path alone needs --api and --stage.
    #[arg(long)]
    url: Option<String>,
    /// With --url: one verb alone.
    #[arg(long, requires = "url")]
    verb: Option<String>,
    /// With a path as --url, or with --parameter: the host.
    #[arg(long)]
    host: Option<String>,
    /// With --url: a header field that is part of the key, as 'Name: value'. May be repeated.
    #[arg(long, requires = "url", value_name = "FIELD")]
    header: Vec<String>,
    /// All answers of a method, such as 'GET /pets/{id}'; ANY stands for every verb.
    #[arg(long)]
    method: Option<String>,
    /// With --method: only what requests with this parameter find, as path.id=42, query.view=full or header.X-Tenant=a. May
    /// be repeated.
    #[arg(long, requires = "method", value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// All answers whose path behind the stage begins so.
    #[arg(long)]
    prefix: Option<String>,
    /// All answers with this tag. May be repeated.
    #[arg(long)]
    tag: Vec<String>,
    /// All answers.
    #[arg(long)]
    everything: bool,
    #[command(flatten)]
    scope: Scope,
    /// Expire answers instead of removing them.
    #[arg(long)]
    soft: bool,
    /// Only list what would be taken, and its size.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: list at most so many entries; all are counted.
    #[arg(long, requires = "dry_run", value_name = "N", default_value_t = 1_000)]
    limit: u64,
    /// Print JSON; of a dry run one object a line, the sum at last.
    #[arg(long)]
    json: bool,
}

impl Purge {
    pub(super) fn run(&self) -> Result<(), CacheError> {
        let (client, body) = (self.reach.client()?, self.body()?);
        if self.dry_run {
            return dry_run(&client, body, self.limit, self.json);
        }
        let bar = ProgressBar::new_spinner().with_message("purging");
        bar.enable_steady_tick(TICK);
        let done = client.post("/sluice/cache/purge", &body);
        bar.finish_and_clear();
        let done = done?;
        match self.json {
            true => println!("{done:#}"),
            false => print!("{}", print::purged(&done, if self.soft { "expired" } else { "purged" })),
        }
        Ok(())
    }

    fn body(&self) -> Result<Value, CacheError> {
        let mut body = Map::new();
        let texts = [
            ("url", &self.url),
            ("verb", &self.verb),
            ("host", &self.host),
            ("method", &self.method),
            ("prefix", &self.prefix),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
        body.extend(texts);
        if !self.tag.is_empty() {
            body.insert("tags".into(), json!(self.tag));
        }
        if self.everything {
            body.insert("everything".into(), json!(true));
        }
        if !self.header.is_empty() {
            body.insert("headers".into(), pairs(&self.header, ':', "header field; write 'Name: value'")?);
        }
        if !self.parameter.is_empty() {
            body.insert("parameters".into(), pairs(&self.parameter, '=', "parameter; write 'NAME=VALUE'")?);
        }
        body.insert("soft".into(), json!(self.soft));
        let mut body = Value::Object(body);
        self.scope.write(&mut body);
        Ok(body)
    }
}

/// `NAME: VALUE` as a JSON object.
fn pairs(texts: &[String], separator: char, what: &str) -> Result<Value, CacheError> {
    let pair = |text: &String| match text.split_once(separator) {
        Some((name, value)) => Ok((name.trim().to_owned(), json!(value.trim()))),
        None => Err(CacheError::Failed(format!("'{text}' is no {what}"))),
    };
    texts.iter().map(pair).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

/// Page by page, each printed as it comes.
fn dry_run(client: &Client, mut body: Value, limit: u64, json: bool) -> Result<(), CacheError> {
    let bar = bar("searched");
    let (mut left, mut from) = (limit, json!(0));
    let mut sums = SUMS.map(|name| (name, 0));
    while !from.is_null() {
        if let Some(body) = body.as_object_mut() {
            // The page that lists the last of them goes on to the end, to count.
            body.extend([
                ("dry_run".into(), json!(true)),
                ("limit".into(), json!(left.min(500))),
                ("from".into(), from),
            ]);
        }
        let page = client.post("/sluice/cache/purge", &body)?;
        let number = |name: &str| page.get(name).and_then(Value::as_u64).unwrap_or_default();
        let entries = page.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        bar.suspend(|| list(entries, json))?;
        left = left.saturating_sub(entries.len() as u64);
        sums.iter_mut().for_each(|(name, sum)| *sum += number(name));
        from = page.get("next").cloned().unwrap_or_default();
        bar.set_length(number("parts"));
        bar.set_position(number("done"));
    }
    bar.finish_and_clear();
    match json {
        true => {
            println!("{}", Value::Object(sums.map(|(name, sum)| (name.to_owned(), json!(sum))).into_iter().collect()))
        }
        false => println!("{}", print::found(sums.map(|(_, sum)| sum))),
    }
    Ok(())
}

/// What is added up over the pages of a dry run.
const SUMS: [&str; 5] = ["found", "bytes", "disk_found", "disk_bytes", "disk_unreadable"];

fn list(entries: &[Value], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    entries.iter().try_for_each(|entry| match json {
        true => writeln!(out, "{entry}"),
        false => writeln!(out, "{}", print::entry(entry)),
    })
}

/// Shown on a terminal only.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let template = "{msg} [{bar:30}] {pos}/{len} {elapsed}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_message(what)
}

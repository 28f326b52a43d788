//! `sluice cache plan`: what a cache of each size and time to live would have answered of a log.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sluice_cache::freshness::Ttl;
use sluice_cache::simulate::Case;

use crate::config::{Configuration, duration, size};
use crate::replay::{CLUSTERS, Log, Report, Shown, draw};

/// Replay an access log against caches of other sizes and times to live.
///
/// Reads this gateway's and API Gateway's JSON logs and the common and combined formats; prints hit ratio and origin
/// load, a recommended size, and what AWS asks for it. Exits with 0, with 1 if the log has no request that a cache is
/// asked for, and with 2 if something cannot be read or written.
#[derive(Debug, clap::Args)]
pub struct CachePlan {
    /// The access log; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// A configuration, for its routes and cache keys.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sizes to try instead of AWS's: "2 GB,512 MiB".
    #[arg(long, value_delimiter = ',', value_parser = size, value_name = "SIZES")]
    pub sizes: Vec<u64>,
    /// Times to live to try.
    #[arg(long, value_delimiter = ',', value_parser = time_to_live, value_name = "TIMES", default_value = "10s,60s,300s,900s,3600s")]
    pub ttls: Vec<Duration>,
    /// The time to live that the recommendation is for.
    #[arg(long, value_parser = time_to_live, value_name = "TIME", default_value = "300s")]
    pub ttl: Duration,
    /// Draw hit ratio and origin load into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Lines that cannot be read are shown up to here.
const COMPLAINTS: u64 = 5;

/// What gzip's files begin with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl CachePlan {
    /// Reads, replays, prints.
    pub fn run(&self) -> ExitCode {
        match self.report() {
            Ok(report) if report.methods.is_empty() => {
                eprintln!("{}: no request that a cache is asked for", self.log.display());
                ExitCode::from(1)
            }
            Ok(report) => self.show(&report),
            Err(error) => fail(&error),
        }
    }

    fn report(&self) -> Result<Report, String> {
        let configuration = self.config.as_deref().map(configuration).transpose()?;
        let log = self.read(configuration.as_ref()).map_err(|e| format!("{}: {e}", self.log.display()))?;
        let bar = bar(0, "replaying {bar:32} {percent}%");
        let report = log.replay(&self.cases(), |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        Ok(report)
    }

    fn read(&self, configuration: Option<&Configuration>) -> io::Result<Log> {
        let stdin = self.log == Path::new("-");
        let (input, length): (Box<dyn Read>, u64) = match stdin {
            true => (Box::new(io::stdin()), 0),
            false => {
                let file = File::open(&self.log)?;
                let length = file.metadata()?.len();
                (Box::new(file), length)
            }
        };
        let bar = bar(length, "reading {bar:32} {bytes} of {total_bytes}");
        let mut log = Log::new(configuration);
        let mut input = BufReader::new(bar.wrap_read(input));
        if input.fill_buf()?.starts_with(&GZIP) {
            bar.finish_and_clear();
            return Err(io::Error::other("it is compressed; unpack it: zcat FILE | sluice cache plan --log -"));
        }
        lines(input, |text| {
            if let Err(error) = log.read(text)
                && log.counts().unreadable <= COMPLAINTS
            {
                bar.suspend(|| eprintln!("{}:{}: {error}", self.log.display(), log.counts().lines));
            }
        })?;
        bar.finish_and_clear();
        Ok(log)
    }

    fn cases(&self) -> Vec<Case> {
        let mut sizes =
            if self.sizes.is_empty() { CLUSTERS.iter().map(|c| c.bytes).collect() } else { self.sizes.clone() };
        sizes.sort_unstable();
        sizes.dedup();
        let mut ttls: Vec<Duration> = self.ttls.iter().copied().chain([self.ttl]).collect();
        ttls.sort_unstable();
        ttls.dedup();
        let case = |capacity, ttl: &Duration| Case { capacity, ttl_ns: nanoseconds(*ttl) };
        sizes.iter().flat_map(|capacity| ttls.iter().map(move |ttl| case(*capacity, ttl))).collect()
    }

    fn show(&self, report: &Report) -> ExitCode {
        if let Some(Err(error)) = self.svg.as_deref().map(|file| draw(report, file)) {
            return fail(&error);
        }
        let shown = Shown { report, ttl_ns: nanoseconds(self.ttl) };
        let mut out = io::stdout().lock();
        // A reader that has gone away has seen what it wanted.
        let _ = match self.json {
            true => writeln!(out, "{:#}", shown.to_json()),
            false => write!(out, "{shown}"),
        };
        ExitCode::SUCCESS
    }
}

fn configuration(file: &Path) -> Result<Configuration, String> {
    let text = |findings: Vec<crate::config::Finding>| findings.iter().map(|f| format!("{f}\n")).collect::<String>();
    Configuration::load(file).map(|(configuration, _)| configuration).map_err(text)
}

/// The longest line that is read whole, bytes; the rest of it is passed over.
const LINE_LIMIT: u64 = 64 * 1024;

/// Each line without its end. What is not UTF-8 is replaced, so that the line's other parts can be read.
fn lines(mut input: impl BufRead, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut buffer)? == 0 {
            return Ok(());
        }
        if buffer.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
        }
        let text = String::from_utf8_lossy(&buffer);
        if !text.trim().is_empty() {
            each(text.trim_end());
        }
    }
}

fn bar(length: u64, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}

/// One that a stage may have.
fn time_to_live(text: &str) -> Result<Duration, String> {
    let time = duration(text).map_err(|e| e.to_string())?;
    let longest = Duration::from_secs(Ttl::MAX.seconds().into());
    if time > longest { Err(format!("a cache_ttl is at most {} s", longest.as_secs())) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_strange_lines_do_not_stop_the_reading() {
        let long = vec![b'x'; LINE_LIMIT as usize + 10];
        let input = [&b"one\r\n\n"[..], &long, b"\n\xff two"].concat();
        let mut seen = Vec::new();
        lines(&input[..], |line| seen.push(line.len())).unwrap();
        assert_eq!(seen, [3, LINE_LIMIT as usize, "\u{fffd} two".len()]);
    }

    #[test]
    fn a_log_is_planned_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"a - - [10/Oct/2020:13:00:00 +0000] "GET /x HTTP/1.1" 200 1000"#;
        std::fs::write(file.path(), format!("{line}\n{line}\nnonsense\n")).unwrap();
        let plan = CachePlan {
            log: file.path().into(),
            config: None,
            sizes: vec![1 << 20],
            ttls: vec![],
            ttl: Duration::from_secs(60),
            svg: None,
            json: true,
        };
        let report = plan.report().unwrap();
        let outcome = report.recommended(60_000_000_000).unwrap();
        assert_eq!((outcome.total().hits, report.counts.unreadable), (1, 1));
        std::fs::write(file.path(), b"\x1f\x8b\x08\0").unwrap();
        assert!(plan.report().unwrap_err().contains("zcat"));
        assert!(CachePlan { log: "/nowhere".into(), ..plan }.report().is_err());
    }
}

//! A report as text and as JSON.

use std::fmt;

use serde_json::{Value, json};
use sluice_cache::simulate::{Outcome, Tally};

use super::{CLUSTERS, Cluster, Report};
use crate::config::show_size;

/// Methods that the text shows; the JSON has all.
const METHODS_SHOWN: usize = 12;

/// A report with the time to live that is asked about.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The report.
    pub report: &'a Report,
    /// Nanoseconds; one of the cases' own.
    pub ttl_ns: u64,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log(f)?;
        self.sizes(f)?;
        self.methods(f)?;
        self.recommendation(f)
    }
}

impl Shown<'_> {
    fn log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { counts, keys, seconds, one_of, .. } = self.report;
        let hours = seconds / 3600.0;
        writeln!(f, "lines: {}, over {hours:.1} hours; keys: {keys}", counts.lines)?;
        if counts.uncached + counts.unreadable > 0 {
            writeln!(f, "left out: {} that no cache is asked for, {} unreadable", counts.uncached, counts.unreadable)?;
        }
        match one_of {
            1 => Ok(()),
            n => writeln!(f, "one key of {n} stands for all"),
        }
    }

    fn sizes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ttls = self.ttls();
        write!(f, "\nhit ratio by size and time to live\n{:>10}", "")?;
        ttls.iter().try_for_each(|ttl| write!(f, "{:>9}", seconds(*ttl)))?;
        writeln!(f, "{:>18}{:>12}", "origin, req/s", "AWS, $/mo")?;
        for capacity in self.capacities() {
            write!(f, "{:>10}", size(capacity))?;
            for ttl in &ttls {
                let ratio = self.outcome(capacity, *ttl).map_or(0.0, |outcome| outcome.total().hit_ratio());
                write!(f, "{:>8.1}%", ratio * 100.0)?;
            }
            let load = self.outcome(capacity, self.ttl_ns).map_or(0.0, |o| self.report.origin_load(&o.total()));
            let bill = cluster(capacity).map_or("-".into(), |cluster| format!("{:.2}", cluster.monthly()));
            writeln!(f, "{load:>18.1}{bill:>12}")?;
        }
        Ok(())
    }

    fn methods(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(chosen) = self.report.recommended(self.ttl_ns) else { return Ok(()) };
        let ttls = self.ttls();
        write!(f, "\nby method, with {}\n{:>10}", size(chosen.case.capacity), "requests")?;
        ttls.iter().try_for_each(|ttl| write!(f, "{:>9}", seconds(*ttl)))?;
        writeln!(f)?;
        for place in self.report.busiest().into_iter().take(METHODS_SHOWN) {
            let tally = |outcome: &Outcome| outcome.methods.get(place).copied().unwrap_or_default();
            write!(f, "{:>10}", tally(chosen).requests() * self.report.one_of)?;
            for ttl in &ttls {
                let ratio = self.outcome(chosen.case.capacity, *ttl).map_or(0.0, |outcome| tally(outcome).hit_ratio());
                write!(f, "{:>8.1}%", ratio * 100.0)?;
            }
            writeln!(f, "  {}", self.report.methods.get(place).map_or("", String::as_str))?;
        }
        Ok(())
    }

    fn recommendation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(chosen) = self.report.recommended(self.ttl_ns) else { return Ok(()) };
        let total = chosen.total();
        let (ratio, load) = (total.hit_ratio() * 100.0, self.report.origin_load(&total));
        write!(f, "\nrecommended: cache_cluster_size = \"{}\"", size(chosen.case.capacity))?;
        write!(
            f,
            " with cache_ttl = \"{}\": {ratio:.1} % hits, {load:.1} requests/s to the origin",
            seconds(self.ttl_ns)
        )?;
        match cluster(chosen.case.capacity) {
            Some(cluster) => writeln!(f, "; AWS would bill ${:.2} a month (us-east-1)", cluster.monthly()),
            None => writeln!(f),
        }
    }

    /// All of it, for tools.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let tally = |t: &Tally| {
            json!({
                "requests": t.requests(), "hits": t.hits, "expired": t.expired, "misses": t.misses,
                "hit_ratio": t.hit_ratio(), "hit_bytes": t.hit_bytes, "origin_bytes": t.origin_bytes,
                "origin_requests_per_second": self.report.origin_load(t),
            })
        };
        let case = |outcome: &Outcome| {
            let named = self.report.methods.iter().zip(&outcome.methods);
            let methods: serde_json::Map<_, _> = named.map(|(name, t)| (name.clone(), tally(t))).collect();
            json!({
                "capacity_bytes": outcome.case.capacity, "ttl_seconds": outcome.case.ttl_ns / 1_000_000_000,
                "peak_bytes": outcome.peak_bytes, "total": tally(&outcome.total()), "methods": methods,
                "aws_usd_per_month": cluster(outcome.case.capacity).map(Cluster::monthly),
            })
        };
        json!({
            "lines": self.report.counts, "keys": self.report.keys, "seconds": self.report.seconds,
            "one_key_of": self.report.one_of,
            "cases": self.report.outcomes.iter().map(case).collect::<Vec<_>>(),
            "recommended": self.report.recommended(self.ttl_ns).map(case),
        })
    }

    fn outcome(&self, capacity: u64, ttl_ns: u64) -> Option<&Outcome> {
        self.report.outcomes.iter().find(|o| o.case.capacity == capacity && o.case.ttl_ns == ttl_ns)
    }

    fn ttls(&self) -> Vec<u64> {
        distinct(self.report.outcomes.iter().map(|outcome| outcome.case.ttl_ns))
    }

    fn capacities(&self) -> Vec<u64> {
        distinct(self.report.outcomes.iter().map(|outcome| outcome.case.capacity))
    }
}

pub(super) fn distinct(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

pub(super) fn seconds(ttl_ns: u64) -> String {
    format!("{}s", ttl_ns / 1_000_000_000)
}

/// As the configuration writes it.
pub(super) fn size(bytes: u64) -> String {
    match cluster(bytes) {
        Some(cluster) => format!("{} GB", cluster.size),
        None => show_size(bytes),
    }
}

fn cluster(bytes: u64) -> Option<&'static Cluster> {
    CLUSTERS.iter().find(|cluster| cluster.bytes == bytes)
}

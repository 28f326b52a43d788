//! From counters to text: sums the cores and names the families.

use std::fmt::Error;
use std::iter::zip;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::core::{CoreTable, ListenerCounts, NodeCounts, RowTotals};
use super::histogram::HistogramTotals;
use super::series::SeriesName;
use super::tally::Tally;
use super::{Reading, ReadingKind, State};

const WAYS: [&str; 3] = ["lane", "session", "http2"];
const FLOODS: [&str; 2] = ["frames", "malformed"];
const ORIGIN_EVENTS: [&str; 3] = ["connect", "reuse", "failure"];

type Series = (Arc<SeriesName>, RowTotals);

impl Collector for State {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), Error> {
        let cores = self.cores.lock().clone();
        let mut page = Page { encoder };
        page.methods(&self.used_series(&cores))?;
        self.encode_node(&mut page, &cores)?;
        for reading in self.readings.lock().iter() {
            page.reading(reading)?;
        }
        Ok(())
    }
}

impl State {
    /// The series that have counted a request.
    fn used_series(&self, cores: &[Arc<CoreTable>]) -> Vec<Series> {
        let names = self.series.lock().names();
        let totals = names.into_iter().enumerate().map(|(index, name)| (name, row_totals(cores, index)));
        totals.filter(|(_, totals)| totals.count > 0).collect()
    }

    fn encode_node(&self, page: &mut Page<'_>, cores: &[Arc<CoreTable>]) -> Result<(), Error> {
        let sums = |pick: fn(&NodeCounts) -> &[Tally], labels: &[&'static str]| sums_by_label(cores, pick, labels);
        page.labelled("requests", "Requests by way in", "way", &sums(|node| &node.ways, &WAYS))?;
        page.labelled("origin", "Connections to origins", "event", &sums(|node| &node.origin, &ORIGIN_EVENTS))?;
        let broken_off = sums(|node| &node.broken_off, self.vocabulary.broken_off);
        page.labelled("broken_off", "Answers that broke off, by whose doing it is", "by", &broken_off)?;
        let floods = sums(|node| &node.floods, &FLOODS);
        page.labelled("floods", "HTTP/2 connections that were sent away, by what came too often", "of", &floods)?;
        let throttled = sums(|node| &node.throttled, self.vocabulary.throttled);
        page.labelled("throttled", "Requests refused by a bucket, by its layer", "layer", &throttled)?;
        let not_stored = sums(|node| &node.not_stored, self.vocabulary.not_stored);
        page.labelled("not_stored", "Answers that were not stored, by reason", "reason", &not_stored)?;
        let forwarded = sums(|node| &node.forwarded, self.vocabulary.forwarded);
        page.labelled(
            "forwarded",
            "Requests to cached methods that went to the origin, by reason",
            "reason",
            &forwarded,
        )?;
        let reloads =
            [("ok", self.reloads.load(Ordering::Relaxed)), ("failed", self.failed_reloads.load(Ordering::Relaxed))];
        page.labelled("reloads", "Configurations read anew", "result", &reloads)?;
        self.encode_listeners(page, cores)
    }

    fn encode_listeners(&self, page: &mut Page<'_>, cores: &[Arc<CoreTable>]) -> Result<(), Error> {
        let addresses = self.listeners.lock().clone();
        let sum = |count: fn(&ListenerCounts) -> u64| listener_sums(cores, &addresses, count);
        let accepted = sum(|counts| counts.accepted.value());
        let closed = sum(|counts| counts.closed.value());
        let refused = sum(|counts| counts.refused.value());
        let open: Vec<_> = zip(&accepted, &closed).map(|((name, a), (_, c))| (*name, a.saturating_sub(*c))).collect();
        page.labelled("connections_accepted", "Connections accepted", "listener", &accepted)?;
        page.labelled("connections_refused", "Connections turned away", "listener", &refused)?;
        let mut family =
            page.encoder.encode_descriptor("connections_open", "Connections open now", None, MetricType::Gauge)?;
        open.iter().try_for_each(|(name, n)| family.encode_family(&[("listener", *name)])?.encode_gauge(n))
    }
}

/// The answer while it is written.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn methods(&mut self, series: &[Series]) -> Result<(), Error> {
        self.counter("count", "Requests", series, |row| row.count)?;
        self.counter("4xx_error", "Answers with a status from 400 to 499", series, |row| row.client_errors)?;
        self.counter("5xx_error", "Answers with a status from 500 to 599", series, |row| row.server_errors)?;
        self.counter("cache_hit_count", "Requests answered from the cache", series, |row| row.cache_hits)?;
        self.counter("cache_miss_count", "Requests that the cache could not answer", series, |row| row.cache_misses)?;
        self.counter("response_bytes", "Bytes of the answers' bodies", series, |row| row.bytes_out)?;
        self.histogram("latency", "From a request's receipt to its answer", series, |row| &row.latency)?;
        let help = "From a request's relay to the backend's answer";
        self.histogram("integration_latency", help, series, |row| &row.integration_latency)
    }

    fn counter(&mut self, name: &str, help: &str, series: &[Series], of: fn(&RowTotals) -> u64) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        series.iter().try_for_each(|(name, row)| encode_counter(&mut family, &name.labels(), of(row)))
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        series: &[Series],
        of: fn(&RowTotals) -> &HistogramTotals,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let counted = series.iter().map(|(name, row)| (name, of(row))).filter(|(_, totals)| totals.count() > 0);
        for (name, totals) in counted {
            let labels = name.labels();
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(totals.sum(), totals.count(), &totals.buckets(), None)?;
        }
        Ok(())
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        values.iter().try_for_each(|(value, n)| encode_counter(&mut family, &[(label, *value)], *n))
    }

    fn reading(&mut self, reading: &Reading) -> Result<(), Error> {
        let kind = match reading.kind {
            ReadingKind::Counter => MetricType::Counter,
            ReadingKind::Gauge => MetricType::Gauge,
        };
        let mut family = self.encoder.encode_descriptor(reading.name, reading.help, None, kind)?;
        for (labels, value) in (reading.read)() {
            match reading.kind {
                ReadingKind::Counter => encode_counter(&mut family, &labels, value)?,
                // A value that stands alone has no braces behind its name.
                ReadingKind::Gauge if labels.is_empty() => family.encode_gauge(&value)?,
                ReadingKind::Gauge => family.encode_family(&labels)?.encode_gauge(&value)?,
            }
        }
        Ok(())
    }
}

fn encode_counter(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> Result<(), Error> {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

pub(super) fn row_totals(cores: &[Arc<CoreTable>], index: usize) -> RowTotals {
    let mut totals = RowTotals::default();
    cores.iter().filter_map(|core| core.row(index)).for_each(|row| totals.add(row));
    totals
}

fn sums_by_label(
    cores: &[Arc<CoreTable>],
    pick: fn(&NodeCounts) -> &[Tally],
    labels: &[&'static str],
) -> Vec<(&'static str, u64)> {
    let sum = |place: usize| cores.iter().filter_map(|core| pick(&core.node).get(place)).map(Tally::value).sum();
    labels.iter().enumerate().map(|(place, label)| (*label, sum(place))).collect()
}

fn listener_sums<'a>(
    cores: &[Arc<CoreTable>],
    addresses: &'a [String],
    count: fn(&ListenerCounts) -> u64,
) -> Vec<(&'a str, u64)> {
    let sum = |place: usize| cores.iter().filter_map(|core| core.node.listeners.get(place)).map(count).sum();
    addresses.iter().enumerate().map(|(place, address)| (address.as_str(), sum(place))).collect()
}

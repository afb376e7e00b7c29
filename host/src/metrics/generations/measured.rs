//! What plugins measure about themselves, as series of `plugin_…` with the plugin's own labels last.
//!
//! Two generations may measure the same name in different ways; a family has one type, the first one's, and
//! the others are left out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::{Discriminant, discriminant};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Reading;
use crate::services::measurements::Series;

/// The labels of a generation.
type Labels = [(&'static str, String); 3];

/// One series, and whose it is.
struct Owned<'a> {
    labels: Vec<(&'a str, &'a str)>,
    series: Series,
}

/// Writes every series of every generation.
pub(super) fn encode(
    readings: &[(&Labels, Reading)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    for (name, (_kind, family)) in &by_name(readings) {
        let Some(first) = family.first() else { continue };
        let name = format!("plugin_{name}");
        let metric_type = match first.series {
            Series::Counter(_) => MetricType::Counter,
            Series::Gauge(_) | Series::Summary { .. } => MetricType::Gauge,
        };
        let help = "Measured by the plugin";
        let mut series = encoder.encode_descriptor(&name, help, None, metric_type)?;
        for owned in family {
            for (label, value) in values(owned.series) {
                let labels: Vec<_> = owned.labels.iter().copied().chain(label).collect();
                encode_value(metric_type, value, series.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

fn by_name<'a>(
    readings: &'a [(&Labels, Reading)],
) -> BTreeMap<&'a str, (Discriminant<Series>, Vec<Owned<'a>>)> {
    let mut families = BTreeMap::new();
    for (labels, reading) in readings {
        for (name, series) in &reading.series {
            let own = name.labels.iter().map(|(name, value)| (&**name, &**value));
            let whose = labels.iter().map(|(name, value)| (*name, &**value));
            let labels = whose.chain(own).collect();
            let kind = discriminant(series);
            let (family_kind, family) =
                families.entry(&*name.name).or_insert_with(|| (kind, Vec::new()));
            if *family_kind == kind {
                family.push(Owned { labels, series: *series });
            }
        }
    }
    families
}

/// A summary is two series: how many, and their sum.
fn values(series: Series) -> Vec<(Option<(&'static str, &'static str)>, f64)> {
    match series {
        Series::Counter(value) | Series::Gauge(value) => vec![(None, value)],
        Series::Summary { count, sum } => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count of observations stays far below 2^53"
            )]
            let count = count as f64;
            vec![(Some(("of", "count")), count), (Some(("of", "sum")), sum)]
        }
    }
}

fn encode_value(metric_type: MetricType, value: f64, encoder: MetricEncoder<'_>) -> fmt::Result {
    match metric_type {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        MetricType::Gauge | MetricType::Histogram | MetricType::Info | MetricType::Unknown => {
            ConstGauge::new(value).encode(encoder)
        }
    }
}

//! What a plugin tells about itself: log lines and measurements.
//!
//! Both are copied into the host's own log and metrics, tagged there with element, version and
//! generation; a plugin cannot say them in another's name. No state is kept on the plugin's side.

use crate::wire::{Reader, WireError, Writer};

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Needs somebody.
    Error = 1,
    /// May need somebody.
    Warn = 2,
    /// Worth knowing.
    Info = 3,
    /// For whoever looks for a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// The level of this number; unknown ones read as [`Level::Trace`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _unknown => Self::Trace,
        }
    }
}

/// A line for the host's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// How important it is.
    pub level: Level,
    /// The module it comes from.
    pub target: &'a str,
    /// What it says.
    pub message: &'a str,
    /// Its fields, those of the spans around it first.
    pub fields: Vec<(&'a str, &'a str)>,
}

impl<'a> LogRecord<'a> {
    /// The bytes that carry it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64 + self.message.len());
        writer.u8(self.level as u8);
        writer.str(self.target);
        writer.str(self.message);
        write_pairs(&mut writer, &self.fields);
        writer.finish()
    }

    /// Reads what [`LogRecord::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not such a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            level: Level::from_number(reader.u8("log level")?),
            target: reader.str("log target")?,
            message: reader.str("log message")?,
            fields: read_pairs(&mut reader)?,
        })
    }
}

/// What a measurement does to its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measurement {
    /// Adds to a counter.
    Add(f64),
    /// Sets a gauge.
    Set(f64),
    /// Observes a value in a histogram.
    Observe(f64),
}

/// A measurement for the host's metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRecord<'a> {
    /// The series' name, `[a-z_]+`; the host puts `plugin_` in front.
    pub name: &'a str,
    /// Labels, few and of few values.
    pub labels: Vec<(&'a str, &'a str)>,
    /// What happens to it.
    pub measurement: Measurement,
}

impl<'a> MetricRecord<'a> {
    /// The bytes that carry it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, value) = match self.measurement {
            Measurement::Add(value) => (0, value),
            Measurement::Set(value) => (1, value),
            Measurement::Observe(value) => (2, value),
        };
        let mut writer = Writer::with_capacity(64);
        writer.u8(kind);
        writer.u64(value.to_bits());
        writer.str(self.name);
        write_pairs(&mut writer, &self.labels);
        writer.finish()
    }

    /// Reads what [`MetricRecord::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not such a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("metric kind")?;
        let value = f64::from_bits(reader.u64("metric value")?);
        let measurement = match kind {
            0 => Measurement::Add(value),
            1 => Measurement::Set(value),
            2 => Measurement::Observe(value),
            _unknown => return Err(reader.malformed("metric kind")),
        };
        let name = reader.str("metric name")?;
        Ok(Self { name, labels: read_pairs(&mut reader)?, measurement })
    }
}

/// The most fields or labels a record may carry; more are left out by the writer.
pub const PAIRS_MAX: usize = 64;

fn write_pairs(writer: &mut Writer, pairs: &[(&str, &str)]) {
    let pairs = &pairs[..pairs.len().min(PAIRS_MAX)];
    writer.u8(u8::try_from(pairs.len()).expect("PAIRS_MAX fits a byte"));
    for (name, value) in pairs {
        writer.str(name);
        writer.str(value);
    }
}

fn read_pairs<'a>(reader: &mut Reader<'a>) -> Result<Vec<(&'a str, &'a str)>, WireError> {
    let n_pairs = reader.u8("pairs")?;
    (0..n_pairs).map(|_idx| Ok((reader.str("pair name")?, reader.str("pair value")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_crossing() {
        let log = LogRecord {
            level: Level::Warn,
            target: "demo::store",
            message: "slow",
            fields: vec![("ms", "12"), ("table", "notes")],
        };
        assert_eq!(LogRecord::decode(&log.encode()), Ok(log));
        for measurement in
            [Measurement::Add(1.0), Measurement::Set(-2.5), Measurement::Observe(0.1)]
        {
            let metric = MetricRecord { name: "calls", labels: vec![("to", "x")], measurement };
            assert_eq!(MetricRecord::decode(&metric.encode()), Ok(metric));
        }
    }

    #[test]
    fn too_many_fields_are_cut_and_not_refused() {
        let log = LogRecord {
            level: Level::Info,
            target: "t",
            message: "m",
            fields: vec![("a", "b"); PAIRS_MAX + 9],
        };
        assert_eq!(LogRecord::decode(&log.encode()).unwrap().fields.len(), PAIRS_MAX);
    }
}

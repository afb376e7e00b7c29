//! Tables for people: columns that line up, and the details of one thing.

use std::fmt::Write;

use super::{Paint, clean};

/// The gap between columns.
const GAP: usize = 2;

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// Names and values of one thing, a line each.
#[derive(Debug, Default)]
pub(crate) struct Details {
    lines: Vec<(&'static str, Cell)>,
}

/// What is in one place of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    mood: Mood,
}

/// How a word is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Plain,
    Good,
    Busy,
    Bad,
}

impl Cell {
    /// A word that says how something stands: a status, a state, or the truth of a condition.
    pub(crate) fn standing(word: &str) -> Self {
        let mood = match word {
            "ACTIVE" | "SUCCEEDED" | "APPLIED" | "True" => Mood::Good,
            "PENDING" | "RUNNING" | "UPDATING" | "CREATING" | "DELETING" => Mood::Busy,
            "ERROR" | "FAILED" | "CHANGED" | "False" | "DEGRADED" => Mood::Bad,
            _other => Mood::Plain,
        };
        Self { mood, ..Self::from(word) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn painted(&self, paint: Paint) -> String {
        let color = match (paint, self.mood) {
            (Paint::Plain, _) | (Paint::Colored, Mood::Plain) => return self.text.clone(),
            (Paint::Colored, Mood::Good) => 32,
            (Paint::Colored, Mood::Busy) => 33,
            (Paint::Colored, Mood::Bad) => 31,
        };
        format!("\x1b[{color}m{}\x1b[0m", self.text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        let text = if text.is_empty() { "-".to_owned() } else { clean(text).into_owned() };
        Self { text, mood: Mood::Plain }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl Table {
    /// One without rows.
    pub(crate) fn new(head: impl IntoIterator<Item = &'static str>) -> Self {
        Self { head: head.into_iter().collect(), rows: Vec::new() }
    }

    /// With this row too.
    pub(crate) fn row(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// It as text; `empty` when there are no rows.
    pub(crate) fn render(&self, paint: Paint, empty: &str) -> String {
        if self.is_empty() {
            return format!("{empty}\n");
        }
        let head = self.head.iter().map(|name| Cell::from(*name)).collect();
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| {
            let widths = lines().filter_map(|line: &Vec<Cell>| line.get(column));
            widths.map(Cell::width).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        lines().map(|line| render_line(line, &widths, paint)).collect()
    }
}

fn render_line(line: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut text = String::new();
    for (idx, cell) in line.iter().enumerate() {
        text.push_str(&cell.painted(paint));
        if idx + 1 < line.len() {
            let missing = widths[idx].saturating_sub(cell.width());
            text.extend(std::iter::repeat_n(' ', missing + GAP));
        }
    }
    text.push('\n');
    text
}

impl Details {
    /// With this line, if there is something to say.
    pub(crate) fn line(mut self, name: &'static str, value: Option<impl Into<Cell>>) -> Self {
        self.lines.extend(value.map(|value| (name, value.into())));
        self
    }

    /// It as text.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + GAP;
        self.lines.iter().fold(String::new(), |mut text, (name, value)| {
            let written = writeln!(text, "{name:width$}{}", value.painted(paint));
            written.expect("a string takes everything");
            text
        })
    }
}

//! Rows and filters by chance: the same for the same seed.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A source of chance (splitmix64).
pub(super) struct Dice(u64);

/// Text that databases, JSON and grammars are likely to get wrong.
const TEXTS: [&str; 22] = [
    "", "a", "A", "b", "ab", "abc", "bc", "z", "Z", "é", "e\u{301}", "ß", "ss", "😀", "\u{ffff}",
    "a%b", "a_b", "a*b", "\\", "'", "q\"x", "10",
];
/// What only JSON can keep, beside that.
const TEXTS_OF_JSON: [&str; 4] = ["a\0b", "\0", "\0\0a", "\\u0000"];
const KEYS: [&str; 8] = ["a", "b", "b.c", "0", "q\"x", "env", "é\\n", "a]"];
const MOMENTS: [&str; 6] = [
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:00:00.001Z",
    "2026-01-01T00:00:00.120Z",
    "2026-01-01T00:00:01.000Z",
    "0000-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
];
const INTEGERS: [i64; 6] = [0, 1, -1, 10, i64::MAX, i64::MIN];
const NUMBERS: [f64; 6] = [0.0, -0.5, 0.1, 1.0, 10.0, 1e300];

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn text(&mut self) -> String {
        self.of(&TEXTS).to_owned()
    }

    fn text_of_json(&mut self) -> String {
        if self.one_in(5) { self.of(&TEXTS_OF_JSON).to_owned() } else { self.text() }
    }

    fn or_null(&mut self, value: Value) -> Value {
        if self.one_in(4) { Value::Null } else { value }
    }

    /// What a client would see of a resource.
    pub(super) fn document(&mut self, n: u128) -> Value {
        let versioning = self.one_in(2);
        let (labels, annotations) = (self.map(), self.map());
        let (region, replicas, ratio) =
            (self.text().into(), self.of(&INTEGERS).into(), self.of(&NUMBERS).into());
        let (checked_at, config) = (self.of(&MOMENTS).into(), self.json(3));
        json!({
            "id": Uuid::from_u128(n), "project_id": Uuid::from_u128(self.below(3) as u128),
            "name": self.text(), "description": self.text(), "labels": labels, "annotations": annotations,
            "generation": self.below(3), "observed_generation": self.of(&INTEGERS),
            "status": self.of(&["ACTIVE", "ERROR"]), "status_message": self.text(),
            "deletion_protection": self.one_in(2), "created_at": self.of(&MOMENTS),
            "updated_at": self.of(&MOMENTS), "created_by": "user:admin",
            "region": self.or_null(region), "replicas": self.or_null(replicas),
            "ratio": self.or_null(ratio), "versioning": self.or_null(versioning.into()),
            "checked_at": self.or_null(checked_at), "config": self.or_null(config),
        })
    }

    fn map(&mut self) -> Map<String, Value> {
        (0..self.below(4))
            .map(|_| (self.of(&KEYS).to_owned(), self.text_of_json().into()))
            .collect()
    }

    fn json(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => Value::Null,
            1 => self.one_in(2).into(),
            2 => self.of(&INTEGERS).into(),
            3 => self.of(&NUMBERS).into(),
            4 => self.text_of_json().into(),
            5 => (0..self.below(4)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let members =
                    (0..self.below(4)).map(|_| (self.of(&KEYS).to_owned(), self.json(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }

    /// A filter that can be read, most of the time.
    pub(super) fn filter(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 1 } else { 5 }) {
            0 | 1 => self.comparison(),
            2 => format!("{} AND {}", self.filter(depth - 1), self.filter(depth - 1)),
            3 => format!("({} OR {})", self.filter(depth - 1), self.filter(depth - 1)),
            _ => format!("{}({})", self.of(&["NOT ", "-"]), self.filter(depth - 1)),
        }
    }

    fn comparison(&mut self) -> String {
        let operator = self.of(&["=", "!=", "<", "<=", ">", ">=", ":"]);
        let (member, value) = match self.below(9) {
            0 => (self.of(&["name", "region", "description"]).to_owned(), self.written_text()),
            1 => ("id".to_owned(), Uuid::from_u128(self.below(80) as u128).to_string()),
            2 => (
                self.of(&["replicas", "generation", "observed_generation"]).to_owned(),
                self.of(&INTEGERS).to_string(),
            ),
            3 => ("ratio".to_owned(), self.of(&NUMBERS).to_string()),
            4 => {
                let member = self.of(&["versioning", "deletion_protection"]).to_owned();
                return format!("{member} {} {}", self.of(&["=", "!="]), self.one_in(2));
            }
            5 => (
                self.of(&["created_at", "checked_at", "updated_at"]).to_owned(),
                self.of(&MOMENTS).to_owned(),
            ),
            6 => {
                let map = self.of(&["labels", "annotations"]);
                if self.one_in(4) {
                    return format!("{map}:{}", self.written_key());
                }
                (format!("{map}.{}", self.written_key()), self.written_text())
            }
            _ => {
                let keys = (0..self.below(3)).map(|_| format!(".{}", self.written_key()));
                (format!("config{}", keys.collect::<String>()), self.written_json())
            }
        };
        if self.one_in(12) {
            return format!("{member} {} null", self.of(&["=", "!="]));
        }
        format!("{member} {operator} {value}")
    }

    fn written_key(&mut self) -> String {
        quoted(self.of(&KEYS), "")
    }

    fn written_text(&mut self) -> String {
        let text = self.text();
        let cut: String = text.chars().skip(self.below(2)).collect();
        match self.below(6) {
            0 => format!("\"*{}", &quoted(&cut, "*")[1..]),
            1 => quoted(&cut, "*"),
            2 => format!("\"*{}", &quoted(&cut, "")[1..]),
            _ => quoted(&text, ""),
        }
    }

    fn written_json(&mut self) -> String {
        match self.below(4) {
            0 => self.of(&INTEGERS).to_string(),
            1 => self.of(&NUMBERS).to_string(),
            2 => self.of(&["true", "false", "a", "10"]).to_owned(),
            _ => self.written_text(),
        }
    }

    /// An order that can be read.
    pub(super) fn order_by(&mut self) -> String {
        let mut keys = vec![
            "name",
            "region",
            "replicas",
            "ratio",
            "versioning",
            "checked_at",
            "created_at",
            "status",
            "deletion_protection",
            "id",
            "generation",
        ];
        let keys = (0..1 + self.below(3)).map(|_| {
            let key = keys.remove(self.below(keys.len()));
            format!("{key}{}", self.of(&["", " asc", " desc"]))
        });
        keys.collect::<Vec<_>>().join(",")
    }

    /// Anything that somebody could send as a filter.
    pub(super) fn soup(&mut self) -> String {
        let pieces = [
            "name",
            "config",
            "labels",
            "replicas",
            ".",
            "=",
            "!=",
            "<",
            ">",
            ":",
            "(",
            ")",
            "AND",
            "OR",
            "NOT",
            "-",
            "\"",
            "'",
            "\\",
            "*",
            " ",
            "\t",
            "null",
            "true",
            "1e9",
            "%",
            "_",
            "é",
            "\0",
            "--",
            ";",
            "$1",
            "?",
            "::",
            "2026-01-01T00:00:00Z",
            "\u{202e}",
            "{}",
            "[0]",
            "$.a",
        ];
        (0..self.below(14)).map(|_| self.of(&pieces)).collect()
    }

    /// A filter with one thing wrong, perhaps.
    pub(super) fn damaged(&mut self) -> String {
        let mut chars: Vec<char> = self.filter(2).chars().collect();
        let place = self.below(chars.len());
        match self.below(3) {
            0 => drop(chars.remove(place)),
            1 => chars
                .insert(place, self.of(&['(', '"', '.', '*', '=', ' ', '\'', '\\', 'x', '?', '$'])),
            _ => chars.truncate(place),
        }
        chars.into_iter().collect()
    }
}

/// Text in quotes, with what means something else escaped; `end` stays as it is.
fn quoted(text: &str, end: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' | '*' => format!("\\{c}"),
        other => other.to_string(),
    });
    format!("\"{}{end}\"", escaped.collect::<String>())
}

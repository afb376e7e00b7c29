//! How far an operation is, for whoever watches.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::termios::tcgetwinsize;

use super::{Operation, PAUSE, Step};
use crate::cli::output::{Cell, Format, Paint, Table, clean};
use crate::timestamp::Timestamp;

/// How progress is shown.
#[derive(Debug)]
pub(super) enum Show {
    /// Drawn in place.
    Live {
        /// Whether words are colored.
        paint: Paint,
        /// What was drawn last.
        operation: Option<Operation>,
        /// How many lines that took.
        n_lines: usize,
    },
    /// A line for each step that has ended.
    Lines {
        /// How many steps were told; nothing until the operation was.
        n_told: Option<usize>,
    },
    /// Not at all.
    Nothing,
}

impl Show {
    /// What fits the format of the result and the stream that progress goes to.
    pub(super) fn fit(format: Format) -> Self {
        let stderr = io::stderr();
        match format {
            Format::Json | Format::Yaml => Self::Nothing,
            Format::Table if stderr.is_terminal() => {
                Self::Live { paint: Paint::on(&stderr), operation: None, n_lines: 0 }
            }
            Format::Table => Self::Lines { n_told: None },
        }
    }

    /// How long the daemon may wait for the end of the operation before it answers.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Live { .. } => PAUSE,
            Self::Lines { .. } => Duration::from_secs(2),
            Self::Nothing => Duration::from_secs(20),
        }
    }

    /// The operation stands like this.
    pub(super) fn update(&mut self, new: &Operation) {
        match self {
            Self::Live { operation, .. } => {
                *operation = Some(new.clone());
                self.tick();
            }
            Self::Lines { n_told } => {
                if n_told.is_none() {
                    say(&format!("{}\n", title(new)));
                }
                let from = n_told.unwrap_or_default();
                let ended: Vec<_> =
                    new.steps[from.min(new.steps.len())..].iter().map_while(line).collect();
                say(&ended.concat());
                *n_told = Some(from + ended.len());
            }
            Self::Nothing => {}
        }
    }

    /// A moment has passed.
    pub(super) fn tick(&mut self) {
        let Self::Live { paint, operation: Some(operation), n_lines } = self else { return };
        let text = draw(operation, *paint, columns(), Timestamp::now());
        let up = if *n_lines == 0 { String::new() } else { format!("\x1b[{n_lines}F\x1b[J") };
        say(&format!("{up}{text}"));
        *n_lines = text.lines().count();
    }

    /// What was shown stays.
    pub(super) fn end(&mut self) {
        self.tick();
        *self = Self::Nothing;
    }
}

fn say(text: &str) {
    // Progress that nobody sees is none.
    let mut stderr = io::stderr();
    let _shown = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn title(operation: &Operation) -> String {
    let Operation { id, kind, target, .. } = operation;
    let name = target.name.as_deref().unwrap_or_default();
    clean(&format!("operation {id}: {kind} {name}")).trim_end().to_owned()
}

/// How many characters fit on a line; what is longer would be two, and be drawn over in part only.
fn columns() -> usize {
    let size = tcgetwinsize(io::stderr());
    size.ok().map(|size| size.ws_col.into()).filter(|n_columns| *n_columns > 0).unwrap_or(80)
}

/// All that is drawn on a terminal.
fn draw(operation: &Operation, paint: Paint, n_columns: usize, now: Timestamp) -> String {
    let title: String = title(operation).chars().take(n_columns).collect();
    let mut table = Table::new(["STEP", "STATE", "TIME"]);
    for step in operation.steps.iter().filter(|step| step.started_at.is_some()) {
        let time = duration(step, now).unwrap_or_default();
        table.row([step.name.as_str().into(), Cell::standing(&step.state), time.into()]);
    }
    format!("{title}\n{}", table.render(paint, "waits to begin"))
}

/// The line of a step that has ended.
fn line(step: &Step) -> Option<String> {
    let Step { name, state, started_at, finished_at } = step;
    let ended = (*finished_at)?;
    let took = started_at.and_then(|_| duration(step, ended));
    let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
    Some(format!("{}: {}{took}\n", clean(name), clean(state)))
}

/// How long a step took, or takes until now.
fn duration(step: &Step, now: Timestamp) -> Option<String> {
    let took = step.finished_at.unwrap_or(now).into_inner() - step.started_at?.into_inner();
    // The clocks of daemon and client may differ.
    Some(in_words(took.try_into().unwrap_or_default()))
}

/// A duration as people read it.
pub(super) fn in_words(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis / 100),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn operation() -> Operation {
        let document = json!({ "id": "0199", "kind": "element.upgrade", "state": "RUNNING",
            "done": false, "target": { "type": "element", "name": "s3" }, "steps": [
            { "name": "fetch", "state": "SUCCEEDED", "started_at": "2026-01-01T00:00:00.000Z",
              "finished_at": "2026-01-01T00:00:00.012Z", "message": "" },
            { "name": "probe", "state": "RUNNING", "started_at": "2026-01-01T00:00:00.020Z",
              "finished_at": null, "message": "" },
            { "name": "switch", "state": "PENDING", "started_at": null, "finished_at": null }] });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn steps_are_drawn_with_the_time_they_take() {
        let now = Timestamp::try_from("2026-01-01T00:01:05.120Z".to_owned()).unwrap();
        expect![[r#"
            operation 0199: element.up
            STEP   STATE      TIME
            fetch  SUCCEEDED  12 ms
            probe  RUNNING    1 min 05 s
        "#]]
        .assert_eq(&draw(&operation(), Paint::Plain, 26, now));
    }

    #[test]
    fn only_steps_that_have_ended_are_lines() {
        let lines: Vec<_> = operation().steps.iter().map_while(line).collect();
        assert_eq!(lines, ["fetch: SUCCEEDED in 12 ms\n"]);
    }

    #[test]
    fn a_clock_that_is_behind_shows_no_time() {
        let before = Timestamp::try_from("2025-01-01T00:00:00.000Z".to_owned()).unwrap();
        assert_eq!(duration(&operation().steps[1], before).as_deref(), Some("0 ms"));
        assert_eq!(in_words(Duration::from_millis(1_299)), "1.2 s");
    }
}

//! The steps of an operation and how far they are. Pure: the moments come from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// One step, as the store and the API have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OperationStep")]
pub(crate) struct Step {
    /// What is done.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) state: StepState,
    /// When it began.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// Why it failed; empty otherwise.
    pub(crate) message: String,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StepState {
    /// It is planned.
    Pending,
    /// It is being done.
    Running,
    /// It is done.
    Succeeded,
    /// It could not be done.
    Failed,
    /// The operation ended without it.
    Skipped,
}

/// The steps of an operation that runs.
#[derive(Debug)]
pub(super) struct Steps {
    steps: Vec<Step>,
    /// The first step of this run; before it are those of runs that a crash ended.
    run_from: usize,
    /// What was told last: progress never goes back.
    percent: i64,
}

/// A step that was begun. Its place never changes: what comes in comes in behind what was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun(usize);

impl Steps {
    /// The steps of a run that follows `plan`, after what `earlier` runs left.
    pub(super) fn planned(earlier: Vec<Step>, plan: &[&str], at: Timestamp) -> Self {
        let mut steps: Vec<_> =
            earlier.into_iter().filter(|step| step.state != StepState::Pending).collect();
        for step in steps.iter_mut().filter(|step| step.state == StepState::Running) {
            step.end(StepState::Failed, "the daemon ended while this was done".to_owned(), at);
        }
        let run_from = steps.len();
        steps.extend(plan.iter().map(|name| Step::planned(name)));
        Self { steps, run_from, percent: 0 }
    }

    /// The step `name` begins: the planned one, or one more.
    pub(super) fn begin(&mut self, name: &str, at: Timestamp) -> Begun {
        let waits = |step: &Step| step.state == StepState::Pending && step.name == name;
        let index = self.steps.iter().position(waits).unwrap_or_else(|| {
            let begun = |step: &Step| step.state != StepState::Pending;
            let index = self.steps.iter().rposition(begun).map_or(0, |last| last + 1);
            self.steps.insert(index, Step::planned(name));
            index
        });
        let step = &mut self.steps[index];
        (step.state, step.started_at) = (StepState::Running, Some(at));
        Begun(index)
    }

    /// A step ends; with a message, if it failed.
    pub(super) fn end(&mut self, Begun(index): Begun, failed: Option<String>, at: Timestamp) {
        let state = if failed.is_some() { StepState::Failed } else { StepState::Succeeded };
        self.steps[index].end(state, failed.unwrap_or_default(), at);
        let run = &self.steps[self.run_from..];
        let n_ended = run.iter().filter(|step| step.finished_at.is_some()).count();
        let percent = i64::try_from(n_ended * 100 / run.len()).unwrap_or_default();
        // Whole is what ended well.
        self.percent = self.percent.max(percent.min(99));
    }

    /// The operation ends: what runs ends with it, what waits is skipped.
    pub(super) fn close(&mut self, at: Timestamp) {
        for step in &mut self.steps {
            match step.state {
                StepState::Pending => step.state = StepState::Skipped,
                StepState::Running => {
                    let message = "the operation ended while this was done";
                    step.end(StepState::Failed, message.to_owned(), at);
                }
                StepState::Succeeded | StepState::Failed | StepState::Skipped => {}
            }
        }
    }

    /// How far they are, from 0 to 99.
    pub(super) fn percent(&self) -> i64 {
        self.percent
    }

    /// What is being done, as in `probe (2/6)`.
    pub(super) fn description(&self, Begun(index): Begun) -> String {
        let n_steps = self.steps.len() - self.run_from;
        format!("{} ({}/{n_steps})", self.steps[index].name, index + 1 - self.run_from)
    }

    /// How long a step that has ended took.
    pub(super) fn duration(&self, Begun(index): Begun) -> time::Duration {
        let step = &self.steps[index];
        let ends = step.started_at.zip(step.finished_at);
        ends.map_or(time::Duration::ZERO, |(from, to)| to.into_inner() - from.into_inner())
    }

    /// All of them.
    pub(super) fn list(&self) -> &[Step] {
        &self.steps
    }
}

impl Step {
    fn planned(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: StepState::Pending,
            started_at: None,
            finished_at: None,
            message: String::new(),
        }
    }

    fn end(&mut self, state: StepState, message: String, at: Timestamp) {
        (self.state, self.message, self.finished_at) = (state, message, Some(at));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(steps: &Steps, wanted: &Expect) {
        let mut text = format!("{}%\n", steps.percent());
        for Step { name, state, message, .. } in steps.list() {
            writeln!(text, "{name} {state:?} {message}").unwrap();
        }
        wanted.assert_eq(&text);
    }

    #[test]
    fn a_plan_is_gone_through() {
        let at = Timestamp::now();
        let mut steps = Steps::planned(Vec::new(), &["fetch", "probe", "start"], at);
        let fetch = steps.begin("fetch", at);
        assert_eq!(steps.description(fetch), "fetch (1/3)");
        steps.end(fetch, None, at);
        let probe = steps.begin("probe", at);
        check(
            &steps,
            &expect![[r#"
                33%
                fetch Succeeded 
                probe Running 
                start Pending 
            "#]],
        );
        steps.end(probe, Some("it crashed".to_owned()), at);
        steps.close(at);
        check(
            &steps,
            &expect![[r#"
                66%
                fetch Succeeded 
                probe Failed it crashed
                start Skipped 
            "#]],
        );
    }

    #[test]
    fn a_step_that_was_not_planned_comes_behind_what_was_begun() {
        let at = Timestamp::now();
        let mut steps = Steps::planned(Vec::new(), &["fetch", "start"], at);
        let fetch = steps.begin("fetch", at);
        let undo = steps.begin("undo", at);
        let again = steps.begin("fetch", at);
        steps.end(undo, None, at);
        steps.end(fetch, None, at);
        steps.end(again, None, at);
        check(
            &steps,
            &expect![[r#"
                75%
                fetch Succeeded 
                undo Succeeded 
                fetch Succeeded 
                start Pending 
            "#]],
        );
    }

    #[test]
    fn a_run_after_a_crash_begins_anew_and_tells_what_was() {
        let at = Timestamp::now();
        let mut before = Steps::planned(Vec::new(), &["fetch", "start", "check"], at);
        let fetch = before.begin("fetch", at);
        before.end(fetch, None, at);
        before.begin("start", at);
        let mut steps = Steps::planned(before.steps, &["fetch", "start"], at);
        let fetch = steps.begin("fetch", at);
        assert_eq!(steps.description(fetch), "fetch (1/2)");
        check(
            &steps,
            &expect![[r#"
                0%
                fetch Succeeded 
                start Failed the daemon ended while this was done
                fetch Running 
                start Pending 
            "#]],
        );
    }
}

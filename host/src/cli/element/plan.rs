//! `metapaas element plan` and `migrations plan`: what an upgrade would do, told by the daemon, which does not do it.
//!
//! The exit code is the answer for a script: 0, nothing would change; 2, something would; 1, whatever kept the
//! plan from being made.

use std::fmt::Write;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::reference::Pinned;
use crate::cli::client::{Answer, Error};
use crate::cli::exit::Exit;
use crate::cli::output::{Details, Paint, Table, View, clean};
use crate::cli::session::Session;

/// The flags of `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The element and the version: `s3aas@0.2.0`.
    #[arg(value_name = "NAME@VERSION")]
    element: Pinned,
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Depth {
    /// Which steps.
    Steps,
    /// Their statements too.
    Statements,
}

/// What of a plan the client decides by.
#[derive(Debug, Deserialize)]
struct Made {
    #[serde(default)]
    from: Option<String>,
    to: String,
    steps: Vec<Value>,
}

/// Asks for a plan and prints it.
pub(in crate::cli) async fn run(session: &Session, plan: &Plan, depth: Depth) -> Exit {
    let printed = async {
        let answer = ask(session, plan).await?;
        let made: Made = answer.document()?;
        session.output.answer(&answer, |document, paint| render(document, paint, depth))?;
        Ok(made)
    };
    match printed.await {
        Ok(made) if made.is_empty() => Exit::Ok,
        Ok(_something) => Exit::Refused,
        Err(error) => {
            let _other_code = session.output.failure(&error);
            Exit::Failed
        }
    }
}

async fn ask(session: &Session, plan: &Plan) -> Result<Answer, Error> {
    let Pinned { name, version } = &plan.element;
    let call = session.client.get(["v1", "elements", name, "plan"]);
    call.query("version", Some(version)).send().await
}

impl Made {
    /// Whether a rollout would change nothing.
    fn is_empty(&self) -> bool {
        let Self { from, to, steps } = self;
        from.as_ref() == Some(to) && steps.is_empty()
    }
}

/// All steps in the order in which they are run, with when that is.
fn steps<'d>(plan: View<'d>) -> impl Iterator<Item = (View<'d>, &'static str)> {
    plan.items("/steps").chain(plan.items("/contract_pending")).map(|step| {
        let when = match step.text("/stage").as_deref() {
            Some("undo") => "first, undone",
            Some("contract_pending") => "by finalize",
            _before => "before the switch",
        };
        (step, when)
    })
}

fn render(plan: View<'_>, paint: Paint, depth: Depth) -> String {
    let from = plan.text("/from").unwrap_or_else(|| "nothing".to_owned());
    let head = Details::default()
        .line("element", plan.text("/element"))
        .line("serving", Some(from))
        .line("wanted", plan.text("/to"))
        .line("way back", Some(way_back(plan)));
    let mut table = Table::new(["MIGRATION", "PHASE", "VERSION", "RUN", "BACKFILL"]);
    for (step, when) in steps(plan) {
        table.row([
            step.cell("/name"),
            step.cell("/phase"),
            step.cell("/version"),
            when.into(),
            step.cell("/backfill"),
        ]);
    }
    let table = table.render(paint, "the schema stays as it is");
    let statements = match depth {
        Depth::Steps => String::new(),
        Depth::Statements => statements(plan),
    };
    format!("{}\n{table}{statements}", head.render(paint))
}

fn way_back(plan: View<'_>) -> String {
    if plan.is_true("/rollback_available") {
        return "stays open".to_owned();
    }
    plan.text("/rollback_reason").map_or_else(|| "none".to_owned(), |why| format!("none: {why}"))
}

/// The statements of each step, as they would be run.
fn statements(plan: View<'_>) -> String {
    let mut text = String::new();
    for (step, when) in steps(plan) {
        let name = step.text("/name").unwrap_or_default();
        let mut lines = vec![String::new(), format!("-- {} ({when})", clean(&name))];
        for statement in step.items("/sql").filter_map(|statement| statement.text("")) {
            let statement: Vec<_> = statement.trim_end().lines().map(clean).collect();
            lines.push(format!("{};", statement.join("\n").trim_end_matches(';')));
        }
        let written = writeln!(text, "{}", lines.join("\n"));
        written.expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_shows_what_is_run_and_when() {
        let step = |stage: &str, name: &str, sql: &[&str]| {
            json!({ "stage": stage, "name": name, "phase": "expand", "version": "0.2.0", "sql": sql,
                "backfill": (name == "color").then_some("fill") })
        };
        let plan = json!({ "element": "demo", "from": "0.1.0", "to": "0.2.0",
            "rollback_available": false, "rollback_reason": "ContractApplied",
            "steps": [step("undo", "half", &["DROP TABLE x;"]),
                step("expand", "color", &["ALTER TABLE t\n  ADD c\u{1b}[2J TEXT", "CREATE INDEX i"])],
            "contract_pending": [step("contract_pending", "drop", &["DROP INDEX j"])] });
        expect![[r"
            element   demo
            serving   0.1.0
            wanted    0.2.0
            way back  none: ContractApplied

            MIGRATION  PHASE   VERSION  RUN                BACKFILL
            half       expand  0.2.0    first, undone      -
            color      expand  0.2.0    before the switch  fill
            drop       expand  0.2.0    by finalize        -

            -- half (first, undone)
            DROP TABLE x;

            -- color (before the switch)
            ALTER TABLE t
              ADD c [2J TEXT;
            CREATE INDEX i;

            -- drop (by finalize)
            DROP INDEX j;
        "]]
        .assert_eq(&render(View::of(&plan), Paint::Plain, Depth::Statements));
    }

    #[test]
    fn only_the_serving_version_with_its_schema_is_nothing_to_do() {
        for (document, wanted) in [
            (json!({ "from": "0.2.0", "to": "0.2.0", "steps": [] }), true),
            (json!({ "from": "0.1.0", "to": "0.2.0", "steps": [] }), false),
            (json!({ "from": "0.2.0", "to": "0.2.0", "steps": [{}] }), false),
            (json!({ "to": "0.2.0", "steps": [] }), false),
        ] {
            let made: Made = serde_json::from_value(document.clone()).unwrap();
            assert_eq!(made.is_empty(), wanted, "{document}");
        }
    }
}

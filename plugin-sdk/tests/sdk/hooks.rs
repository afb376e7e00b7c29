//! Hooks of declared resources, as the daemon calls them: documents in, documents out.

use expect_test::{Expect, expect};
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::{self, TestPlugin};
use std::time::Duration;

#[derive(Resource)]
#[resource(collection = "instances", name = "instance")]
struct Pot {
    /// What is in it.
    #[field(default = "tea")]
    brew: String,
    #[field(ro)]
    degrees: Option<i32>,
    #[field(shown_once)]
    key: Option<Secret>,
    #[field(hidden, default)]
    stirred: bool,
}

#[derive(Resource)]
#[resource(parent = Pot)]
struct Cup {
    #[field(ro)]
    full: Option<bool>,
}

#[json(schema)]
struct Stir {
    times: u32,
}

struct Kitchen {
    degrees: i32,
}

#[plugin(element = "kitchen", types = ["pots"])]
impl Plugin for Kitchen {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self { degrees: 96 })
    }

    fn resources() -> Resources<Self> {
        let pots = Pot::collection()
            .validate(validate)
            .plan(async |change: Change<Pot>| {
                vec![PlannedStep::new("boil", change.new.name(), "takes a minute")]
            })
            .reconcile(boil)
            .action(Action::new("stir", stir))
            .action(Action::safe("smell", smell))
            .action(Action::new("drop", async |_: Stored<Pot>| -> () { unreachable!("it fell") }));
        Resources::new().with(pots).with(Cup::collection().reconcile(fill))
    }
}

async fn validate(change: Change<Pot>) -> Result<Stored<Pot>, Invalid> {
    let mut pot = change.new;
    match &*pot.brew {
        "coffee" => {
            let first = Invalid::field("brew", "TEAPOT", "this is a teapot");
            return Err(first.and(Invalid::resource("SORRY", "short and stout")));
        }
        "fire" => return Err(Problem::new(StatusCode::IM_A_TEAPOT, "FIRE", "call somebody").into()),
        "stone" => pot.brew = "soup".to_owned(),
        _fine if change.old.is_none() => pot.key = Some(Secret::new("sesame")),
        _fine => {}
    }
    Ok(pot)
}

async fn boil(
    mut pot: Stored<Pot>,
    kitchen: State<Kitchen>,
    context: Context,
) -> Result<Reconciled<Pot>, Failed> {
    assert!(!context.is_probe());
    if pot.is_deleting() {
        return Ok(pot.settled());
    }
    match &*pot.brew {
        "gold" => return Err(Failed::new("TooHard", "it does not boil").for_good()),
        "mud" => {
            "x".parse::<u8>()?;
        }
        "ice" => {
            let cold = Problem::new(StatusCode::CONFLICT, "VERY_COLD", "it is frozen");
            return Err(cold.into());
        }
        "water" => {
            pot.degrees = Some(40);
            return Ok(pot
                .progressing("warming up")
                .percent(40)
                .again_after(Duration::from_secs(2)));
        }
        "milk" => {
            pot.note(Condition::no("Ready", "Sour", "it is not"));
            return Ok(pot.settled());
        }
        _boils => {}
    }
    let cups = pot.children::<Cup>()?;
    pot.degrees = Some(kitchen.degrees);
    pot.note(Condition::yes("Hot", "Boiled", format!("for {} cups", cups.len())));
    Ok(pot.settled())
}

async fn stir(
    mut pot: Stored<Pot>,
    Input(stir): Input<Stir>,
    kitchen: State<Kitchen>,
) -> Result<Acted<Pot, Json<String>>, Problem> {
    if stir.times > 3 {
        return Err(Problem::new(StatusCode::CONFLICT, "TOO_OFTEN", "it is dizzy"));
    }
    pot.stirred = true;
    Ok(pot.acted(Json(format!("{} times at {}", stir.times, kitchen.degrees))))
}

async fn smell(pot: Stored<Pot>) -> Json<String> {
    Json(format!("of {}", pot.brew))
}

async fn fill(mut cup: Stored<Cup>) -> Result<Reconciled<Cup>, Failed> {
    let pot = cup.parent()?;
    cup.full = Some(pot.brew == "tea");
    Ok(cup.settled())
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn document(fields: Value) -> Value {
    json!({
        "id": "0199c1e4-0000-7000-8000-000000000001", "project_id": "p", "name": "kettle",
        "generation": 2, "observed_generation": 1, "fields": fields,
        "created_at": "2026-01-31T23:59:59.000Z", "updated_at": "2026-01-31T23:59:59.000Z",
    })
}

async fn kitchen() -> TestPlugin {
    testing::start::<Kitchen>(json!({})).await.expect("it starts")
}

/// Calls a hook and compares status and answer.
async fn check(plugin: &TestPlugin, hook: &str, question: Value, wanted: Expect) {
    let answer = plugin.hook(&format!("pots/{hook}"), &question).await;
    let status = answer.status().as_u16();
    wanted.assert_eq(&format!("{status} {}", answer.text().await));
}

#[plugin_sdk::test]
async fn a_change_is_validated_and_what_the_plugin_says_of_it_comes_back() {
    let plugin = kitchen().await;
    let hook = "instances/validate";
    let new = |brew: &str| json!({"new": document(json!({"brew": brew}))});
    check(&plugin, hook, new("tea"), expect![[r#"200 {"errors":[],"fields":{"key":"sesame"}}"#]])
        .await;
    let changed =
        json!({"old": document(json!({})), "new": document(json!({"key": {"$secret": "r"}}))});
    check(&plugin, hook, changed, expect![[r#"200 {"errors":[]}"#]]).await;
    check(&plugin, hook, new("coffee"), expect![[r#"200 {"errors":[{"pointer":"/brew","code":"TEAPOT","message":"this is a teapot"},{"pointer":"","code":"SORRY","message":"short and stout"}]}"#]]).await;
    let answer = plugin.hook(&format!("pots/{hook}"), &new("fire")).await;
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.json::<Value>().await["code"], "FIRE");
}

#[plugin_sdk::test]
async fn a_dry_run_is_told_its_steps() {
    let question = json!({"new": document(json!({}))});
    check(
        &kitchen().await,
        "instances/plan",
        question,
        expect![[
            r#"200 {"plan":[{"action":"boil","target":"kettle","description":"takes a minute"}]}"#
        ]],
    )
    .await;
}

#[plugin_sdk::test]
async fn a_reconciliation_says_how_far_it_is_and_what_it_knows() {
    let plugin = kitchen().await;
    let hook = "instances/reconcile";
    let of = |brew: &str| json!({"resource": document(json!({"brew": brew}))});
    let mut with_cups = of("tea");
    with_cups["children"] = json!({"cups": [document(json!({})), document(json!({"full": true}))]});
    check(&plugin, hook, with_cups, expect![[r#"200 {"outcome":{"kind":"settled"},"fields":{"degrees":96},"conditions":[{"type":"Hot","status":"True","reason":"Boiled","message":"for 2 cups"}]}"#]]).await;
    check(&plugin, hook, of("water"), expect![[r#"200 {"outcome":{"kind":"progressing","message":"warming up","percent":40,"again_after_ms":2000},"fields":{"degrees":40}}"#]]).await;
    check(&plugin, hook, of("gold"), expect![[r#"200 {"outcome":{"kind":"failed","reason":"TooHard","message":"it does not boil","retryable":false}}"#]]).await;
    check(&plugin, hook, of("ice"), expect![[r#"200 {"outcome":{"kind":"failed","reason":"VeryCold","message":"it is frozen","retryable":true}}"#]]).await;
    let mut gone = of("gold");
    gone["resource"]["deleting"] = true.into();
    check(&plugin, hook, gone, expect![[r#"200 {"outcome":{"kind":"settled"}}"#]]).await;
}

#[plugin_sdk::test]
async fn an_error_from_inside_is_told_to_the_log_alone() {
    let plugin = kitchen().await;
    let question = json!({"resource": document(json!({"brew": "mud"}))});
    check(&plugin, "instances/reconcile", question, expect![[r#"200 {"outcome":{"kind":"failed","reason":"InternalError","message":"something went wrong inside; the operator's log says more","retryable":true}}"#]]).await;
    let logs = plugin.logs();
    assert!(logs[0].message.ends_with("invalid digit found in string"), "{logs:?}");
}

#[plugin_sdk::test]
async fn an_action_takes_its_input_and_may_change_what_is_the_plugins() {
    let plugin = kitchen().await;
    let hook = "instances/actions/stir";
    let stir = |times: u32| json!({"resource": document(json!({})), "input": {"times": times}});
    check(
        &plugin,
        hook,
        stir(2),
        expect![[r#"200 {"output":"2 times at 96","fields":{"stirred":true}}"#]],
    )
    .await;
    let answer = plugin.hook("pots/instances/actions/stir", &stir(9)).await;
    assert_eq!(
        (answer.status().as_u16(), answer.json::<Value>().await["code"].clone()),
        (409, json!("TOO_OFTEN"))
    );
    let nothing = json!({"resource": document(json!({}))});
    let answer = plugin.hook("pots/instances/actions/stir", &nothing).await;
    let problem: Value = answer.json().await;
    assert_eq!(problem["detail"], "the input does not fit: missing field `times`");
    check(&plugin, "instances/actions/smell", nothing, expect![[r#"200 {"output":"of tea"}"#]])
        .await;
}

#[plugin_sdk::test]
async fn what_hangs_under_something_sees_what_that_is() {
    let mut cup = document(json!({}));
    cup["parent"] = document(json!({"brew": "tea"}));
    let question = json!({"resource": cup});
    check(
        &kitchen().await,
        "cups/reconcile",
        question,
        expect![[r#"200 {"outcome":{"kind":"settled"},"fields":{"full":true}}"#]],
    )
    .await;
}

#[plugin_sdk::test]
async fn a_hook_that_oversteps_fails_and_says_where() {
    let plugin = kitchen().await;
    for (hook, question, detail) in [
        (
            "instances/validate",
            json!({"new": document(json!({"brew": "stone"}))}),
            "instance `kettle`: a hook changed `brew`, which clients say",
        ),
        (
            "instances/reconcile",
            json!({"resource": document(json!({"brew": "milk"}))}),
            "instance `kettle`: the condition `Ready` is the host's",
        ),
        (
            "instances/reconcile",
            json!({"resource": document(json!({"brew": 7}))}),
            "instance `kettle`: field `brew` does not fit: invalid type: integer `7`, expected a string",
        ),
    ] {
        let answer = plugin.hook(&format!("pots/{hook}"), &question).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.json::<Value>().await["detail"], detail);
        assert_eq!(plugin.logs().last().unwrap().message, detail);
    }
    let question = json!({"resource": document(json!({}))});
    let answer = plugin.hook("pots/instances/actions/drop", &question).await;
    assert_eq!(answer.json::<Value>().await["code"], "PLUGIN_PANIC");
    assert_eq!(plugin.hook("pots/cups/validate", &question).await.status(), 404);
}

#[plugin_sdk::test]
async fn a_test_calls_hooks_by_the_struct_that_they_are_of() {
    let plugin = kitchen().await;
    let mut pot = testing::stored("kettle", json!({"brew": "tea"}));
    let validated = plugin.validate::<Pot>(None, &pot).await.unwrap();
    assert_eq!(validated.fields["key"], "sesame");
    let planned = plugin.plan::<Pot>(None, &pot).await.unwrap();
    assert_eq!(planned.plan[0].action, "boil");
    let reconciled = plugin.reconcile::<Pot>(&pot).await.unwrap();
    assert_eq!(reconciled.fields["degrees"], 96);
    let acted = plugin.act::<Pot>(&pot, "stir", json!({"times": 1})).await.unwrap();
    assert_eq!(acted.output, "1 times at 96");
    let refused = plugin.act::<Pot>(&pot, "stir", json!({"times": 9})).await.unwrap_err();
    assert_eq!(refused.status(), 409);
    pot.deleting = true;
    assert!(plugin.reconcile::<Pot>(&pot).await.unwrap().fields.is_empty());
}

#[plugin_sdk::test]
async fn tables_of_resources_are_there_and_go_again() {
    let tables = testing::Database::new();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    tables.migrate::<Kitchen>().migrate::<Kitchen>();
    assert_eq!(tables.rows(names), [["pots_cups"], ["pots_instances"]]);
    tables.undo::<Kitchen>();
    assert!(tables.rows(names).is_empty());
}

//! The host's own paths: pages about itself, elements, operations.
//!
//! The schemas are those of the very types that are sent. That the paths and methods are those that are served is
//! tested over a socket (`super::tests`).

use ::http::Method;
use serde_json::{Value, json};

use super::components::{self, PAGE, WAIT};
use super::describe::{Operation, Paths, Required};
use crate::http::problem::Listed;
use crate::http::{elements, operations, system, types};
use crate::metrics;
use crate::migration::report;
use crate::operation;
use crate::rollout::wish::Patch;

const JSON: &str = "application/json";

pub(super) fn describe(paths: &mut Paths) {
    pages(paths);
    of_types(paths);
    reading_elements(paths);
    changing_elements(paths);
    of_events(paths);
    of_operations(paths);
}

fn pages(paths: &mut Paths) {
    let get = |paths: &mut Paths, path, operation| paths.add(&Method::GET, path, operation);
    let status = json!({"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}});
    let page = |id, summary| Operation::public(id, "daemon", summary);
    let healthy = page("health", "Whether the daemon lives");
    get(paths, "/healthz", healthy.json(200, "It does.", status.clone()));
    let ready = page("ready", "Whether the daemon can do its work");
    get(paths, "/readyz", ready.json(200, "It can.", status));
    let version = paths.schema::<system::Version>();
    get(paths, "/version", page("version", "What this daemon is").json(200, "This.", version));
    let metrics = [(metrics::MEDIA_TYPE, json!({"type": "string"}))];
    let scrape = page("metrics", "What is counted");
    get(
        paths,
        "/metrics",
        scrape.answers(200, "In the text format of OpenMetrics.", &metrics, &[]),
    );
    let links = json!({"type": "object", "required": ["links"],
        "properties": {"links": {"type": "object", "additionalProperties": {"type": "string"}}}});
    get(paths, "/v1", page("root", "Where to begin").json(200, "Links.", links));
    let whole = json!({"type": "object", "required": ["openapi", "info", "paths"]});
    let document = [(JSON, whole)];
    let openapi = page("openapi", "This document").parameters(&["If-None-Match"]);
    let openapi = openapi.answers(200, "OpenAPI 3.1.", &document, &["ETag"]);
    get(
        paths,
        "/openapi.json",
        openapi.answers(304, "It is the one that is known.", &[], &["ETag"]),
    );
    let docs = [("text/html; charset=utf-8", json!({"type": "string"}))];
    get(
        paths,
        "/docs",
        page("docs", "This document, for people").answers(200, "A page.", &docs, &[]),
    );
    let listed = paths.schema::<Listed>();
    let problems = page("list_problems", "Every code that a problem can have");
    get(paths, "/v1/problems", problems.json(200, "All of them.", components::list(&listed)));
    let problem = page("get_problem", "What a code means").problems(&[404]);
    get(paths, "/v1/problems/{code}", problem.json(200, "This.", listed));
}

fn of_types(paths: &mut Paths) {
    let of = |id, summary| Operation::new(id, "types", summary);
    let summary = paths.schema::<types::Summary>();
    let document = paths.schema::<types::Document>();
    let version = paths.schema::<types::Version>();
    let mut get = |path, operation: Operation| paths.add(&Method::GET, path, operation);
    let pages = [(JSON, components::page(&summary))];
    let list = of("list_types", "What can be used, and who answers for it").parameters(&PAGE);
    get("/v1/types", list.answers(200, "By their slugs.", &pages, &["Link"]));
    let one = of("get_type", "All that a type declares").problems(&[404]);
    get("/v1/types/{type}", one.json(200, "It.", document));
    let pages = [(JSON, components::page(&version))];
    let versions = of("list_type_versions", "What the instances of a type can run");
    let versions = versions.problems(&[404]).parameters(&PAGE);
    get("/v1/types/{type}/versions", versions.answers(200, "As declared.", &pages, &["Link"]));
    let one = of("get_type_version", "What a version of a type is").problems(&[404]);
    get("/v1/types/{type}/versions/{version}", one.json(200, "It.", version));
}

fn reading_elements(paths: &mut Paths) {
    let element = paths.schema::<elements::Document>();
    let operation = paths.schema::<operation::Document<'_, Value>>();
    let route = paths.schema::<elements::Route>();
    let plan = paths.schema::<report::PlanDocument>();
    let status = paths.schema::<report::Status>();
    let read = |id, summary| Operation::new(id, "elements", summary).problems(&[404]);
    let mut get = |path, operation: Operation| paths.add(&Method::GET, path, operation);
    let list = Operation::new("list_elements", "elements", "What is installed");
    get("/v1/elements", list.json(200, "The elements.", components::page(&element)));
    let one = read("get_element", "How an element stands");
    get("/v1/elements/{element}", one.json(200, "The element.", element));
    let planned = read("plan_element", "What a rollout to a version would do")
        .problems(&[409, 422])
        .query("version", "Which; the newest there is by default.", json!({"type": "string"}));
    get("/v1/elements/{element}/plan", planned.json(200, "Nothing was done.", plan));
    let history = read("list_element_operations", "What was done with an element")
        .parameters(&PAGE)
        .query("state", "Only those in one of these states.", json!({"type": "string"}))
        .query("order_by", "`created_at` or `created_at desc`.", json!({"type": "string"}));
    let pages = [(JSON, components::page(&operation))];
    let history = history.answers(200, "Its operations, the newest first.", &pages, &["Link"]);
    get("/v1/elements/{element}/history", history);
    let routes = read("list_element_routes", "What an element answers");
    let routes = routes.json(200, "Its routes, as they are now.", components::list(&route));
    get("/v1/elements/{element}/routes", routes);
    let migrations = read("list_element_migrations", "How the schema of an element stands");
    get("/v1/elements/{element}/migrations", migrations.json(200, "Its migrations.", status));
}

fn changing_elements(paths: &mut Paths) {
    let element = paths.schema::<elements::Document>();
    let element = || [(JSON, element.clone())];
    let located = ["Location", "Operation-Location"];
    let change = |id: &str, summary| {
        Operation::new(id, "elements", summary)
            .problems(&[404, 409, 422, 502, 504])
            .parameters(&WAIT)
            .answers(200, "It is done: who waited is told so.", &element(), &located)
            .answers(202, "It is accepted.", &element(), &located)
    };
    let patch = paths.sent::<Patch>("ElementChange");
    let put = change("put_element", "Want an element so; what is left out stays as it is")
        .body(Required::No, &[(JSON, patch)]);
    paths.add(&Method::PUT, "/v1/elements/{element}", put);
    let delete = change("delete_element", "Uninstall an element")
        .parameters(&["cascade", "purge"])
        .answers(204, "It is gone: who waited is told so.", &[], &[]);
    paths.add(&Method::DELETE, "/v1/elements/{element}", delete);
    let nothing = || json!({"type": "object", "additionalProperties": false});
    let version = json!({"type": "object", "additionalProperties": false, "properties": {
        "version": {"type": ["string", "null"], "description": "Which; the newest there is by default."}}});
    let actions: [(&str, &str, Value); 3] = [
        ("upgrade", "Want another version of an element", version),
        ("rollback", "Want the version that served before", nothing()),
        ("finalize", "Give up the way back: run what waits for that", nothing()),
    ];
    for (verb, summary, body) in actions {
        let act = change(&format!("{verb}_element"), summary).body(Required::No, &[(JSON, body)]);
        paths.add(&Method::POST, &format!("/v1/elements/{{element}}/actions/{verb}"), act);
    }
}

fn of_events(paths: &mut Paths) {
    let text = || json!({"type": "string"});
    let list = Operation::new("list_events", "events", "What happened, in order, as CloudEvents")
        .parameters(&PAGE)
        .parameters(&["Last-Event-ID"])
        .query(
            "type",
            "Only events of this type, or of all that begin so: `s3.instance.*`.",
            text(),
        )
        .query("subject", "Only what happened to the thing with this id.", text())
        .query("project", "Only what happened in the project with this id.", text())
        .query(
            "since",
            "Only what happened since this moment; of a watch, or behind this id.",
            text(),
        )
        .query("order_by", "`time` or `time desc`.", text())
        .query("watch", "Go on telling what happens.", json!({"type": "boolean"}));
    let event = json!({"type": "object", "required": ["specversion", "id", "source", "type"]});
    let contents = [(JSON, components::page(&event)), ("text/event-stream", text())];
    let list = list.answers(200, "What the caller may see of it.", &contents, &["Link"]);
    paths.add(&Method::GET, "/v1/events", list);
}

fn of_operations(paths: &mut Paths) {
    let operation = paths.schema::<operation::Document<'_, Value>>();
    let of = |id, summary| Operation::new(id, "operations", summary);
    let text = || json!({"type": "string"});
    let list = of("list_operations", "What takes time, and what did")
        .parameters(&PAGE)
        .query("target", "Only those of this: `element/s3aas`.", text())
        .query("state", "Only those in one of these states: `RUNNING,FAILED`.", text())
        .query("order_by", "`created_at` or `created_at desc`.", text());
    let pages = [(JSON, components::page(&operation))];
    let list = list.answers(200, "The newest first.", &pages, &["Link"]);
    paths.add(&Method::GET, "/v1/operations", list);
    let one = of("get_operation", "How far an operation is")
        .problems(&[404])
        .parameters(&WAIT)
        .json(200, "It, as it is or as it ended.", operation.clone());
    paths.add(&Method::GET, "/v1/operations/{operation}", one);
    let line = paths.schema::<operations::OfLine<'_>>();
    let logs = of("get_operation_logs", "What an operation said")
        .problems(&[404])
        .parameters(&PAGE)
        .parameters(&["Last-Event-ID"])
        .query("follow", "Send each line when it is said.", json!({"type": "boolean"}))
        .query("since", "Go on behind this line.", json!({"type": "integer"}));
    let contents = [
        (JSON, components::page(&line)),
        ("application/x-ndjson", text()),
        ("text/event-stream", text()),
    ];
    let logs = logs.answers(200, "Its lines.", &contents, &["Link"]);
    paths.add(&Method::GET, "/v1/operations/{operation}/logs", logs);
    let cancel = of("cancel_operation", "Call an operation off")
        .problems(&[404, 409])
        .parameters(&WAIT)
        .json(202, "It was told so.", operation);
    paths.add(&Method::POST, "/v1/operations/{operation}/actions/cancel", cancel);
}

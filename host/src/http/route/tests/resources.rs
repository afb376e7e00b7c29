//! Reading declared resources, over a socket, while nobody answers for their type.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::*;
use crate::identity::ProjectId;
use crate::model::{ResourceModel, testing};
use crate::resource::row::Row;
use crate::resource::rows;
use crate::resource::testing::{full_row, project, table};
use crate::store::Backend;

pub(super) const INSTANCES: &str = "/v1/types/demo/instances";

/// A daemon that knows type `demo`, whose tables are there.
pub(super) struct Land {
    pub(super) daemon: Daemon,
    /// The project that the first start makes.
    pub(super) own: ProjectId,
}

impl Land {
    pub(super) async fn start() -> Self {
        let daemon = start().await;
        let model = testing::model();
        for resource in model.resources() {
            let connection = daemon.store.connection();
            let make = table(resource, Backend::of(connection));
            connection.execute_unprepared(&make).await.unwrap();
        }
        daemon.state.plugins.tables.know(vec![model]);
        let token = format!("authorization: Bearer {}\r\n", daemon.token);
        let projects = daemon.ask_with("GET", "/v1/iam/projects", &token).await.json();
        let own = projects["items"][0]["id"].as_str().unwrap().parse().unwrap();
        Self { daemon, own }
    }

    pub(super) async fn insert(&self, collection: &str, row: &Row) {
        let model: Arc<ResourceModel> = testing::resource(collection);
        rows::insert(self.daemon.store.connection(), &model, row).await.unwrap();
    }

    /// A key of a new service account, which is a viewer in `scope`, if that is one.
    pub(super) async fn account(&self, name: &str, scope: &str) -> String {
        self.make("service-accounts", format!(r#"{{"name": "{name}"}}"#)).await;
        if !scope.is_empty() {
            self.bind(name, "viewer", scope).await;
        }
        let key = format!(r#"{{"principal": "service-account:{name}"}}"#);
        self.make("api-keys", key).await["key"].as_str().unwrap().to_owned()
    }

    /// Gives a service account a role.
    pub(super) async fn bind(&self, name: &str, role: &str, scope: &str) {
        let principal = format!(r#""principal": "service-account:{name}""#);
        let binding = format!(r#"{{{principal}, "role": "{role}", "scope": {scope}}}"#);
        self.make("bindings", binding).await;
    }

    /// A role that allows this.
    async fn role(&self, name: &str, allow: &str) {
        self.make("roles", format!(r#"{{"name": "{name}", "allow": ["{allow}"]}}"#)).await;
    }

    async fn make(&self, what: &str, document: String) -> Value {
        self.daemon.post(&format!("/v1/iam/{what}"), &document).await
    }

    /// Asks with a key.
    pub(super) async fn ask_as(&self, key: &str, path: &str) -> Answered {
        self.daemon.ask_with("GET", path, &format!("x-api-key: {key}\r\n")).await
    }

    /// The instance `named` is found with this key, with what hangs under it; or it is told like one that is not
    /// there.
    async fn check_one(&self, key: &str, named: &str, is_seen: bool) {
        let path = format!("{INSTANCES}/{named}");
        let wanted = if is_seen { "200" } else { "404" };
        let one = self.ask_as(key, &path).await;
        assert_eq!(one.status(), wanted, "{path}");
        let below = self.ask_as(key, &format!("{path}/snapshots")).await;
        assert_eq!(below.status(), wanted, "{path}/snapshots");
        if !is_seen {
            let nobody = "x".repeat(named.len());
            let missing = self.ask_as(key, &format!("{INSTANCES}/{nobody}")).await;
            assert_eq!(one.body.replace(named, &nobody), missing.body, "{path}");
        }
    }

    async fn ask_with(&self, path: &str, headers: &str) -> Answered {
        let headers = format!("authorization: Bearer {}\r\n{headers}", self.daemon.token);
        self.daemon.ask_with("GET", path, &headers).await
    }

    pub(super) async fn ask(&self, path: &str) -> Answered {
        self.ask_with(path, "").await
    }

    /// The status, and the code of the problem.
    async fn refused(&self, path: &str) -> (String, String) {
        let answered = self.ask(path).await;
        let code = answered.json()["code"].as_str().unwrap_or_default().to_owned();
        (answered.status().to_owned(), code)
    }
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn one_is_found_by_its_id_and_by_its_name() {
    let land = Land::start().await;
    let row = full_row("first", land.own);
    land.insert("instances", &row).await;
    let by_id = land.ask(&format!("{INSTANCES}/{}", row.id)).await;
    let by_name = land.ask(&format!("{INSTANCES}/first/")).await;
    assert_eq!((by_id.status(), by_id.json()), ("200", by_name.json()));
    let document = by_id.json();
    assert_eq!(document["name"], "first");
    assert_eq!(document["size"], 5);
    assert!(document.get("password").is_none(), "{document}");
    let etag = document["etag"].as_str().unwrap();
    assert!(by_id.head.contains(&format!("etag: {etag}")), "{}", by_id.head);
    let known = format!("if-none-match: {etag}\r\n");
    let again = land.ask_with(&format!("{INSTANCES}/first"), &known).await;
    assert_eq!((again.status(), again.body.as_str()), ("304", ""));
    let part = land.ask(&format!("{INSTANCES}/first?fields=name,size")).await.json();
    assert_eq!(part, serde_json::json!({"name": "first", "size": 5}));
}

#[tokio::test]
async fn what_is_not_there_is_told_and_what_belongs_to_nobody_we_know_is_not_there() {
    let land = Land::start().await;
    assert_eq!(land.ask(INSTANCES).await.json()["items"], serde_json::json!([]));
    let not_found = ("404".to_owned(), "NOT_FOUND".to_owned());
    assert_eq!(land.refused(&format!("{INSTANCES}/none")).await, not_found);
    assert_eq!(land.refused(&format!("{INSTANCES}/none/snapshots")).await, not_found);
    let bad = ("400".to_owned(), "BAD_REQUEST".to_owned());
    assert_eq!(land.refused(&format!("{INSTANCES}?flter=a")).await, bad);
    assert_eq!(land.refused(&format!("{INSTANCES}?total_size=perhaps")).await, bad);
    let (status, code) = land.refused(&format!("{INSTANCES}?filter=nonsense%20%3D%201")).await;
    assert_eq!(status, "400", "{code}");
    let anybody = land.daemon.ask("GET", INSTANCES).await;
    assert_eq!(anybody.status(), "401");
    let token = format!("authorization: Bearer {}\r\n", land.daemon.token);
    let other = land.daemon.ask_with("TRACE", INSTANCES, &token).await;
    assert_eq!(other.status(), "405");
}

/// Nobody answers for the type: what only its plugin could check is not taken, a deletion is written down.
#[tokio::test]
async fn while_the_plugin_is_away_nothing_is_written_but_deletions() {
    let land = Land::start().await;
    let row = Row { deletion_protection: false, ..full_row("first", land.own) };
    land.insert("instances", &row).await;
    let token = format!("authorization: Bearer {}\r\n", land.daemon.token);
    let one = format!("{INSTANCES}/first");
    for (method, path) in [
        ("POST", INSTANCES.to_owned()),
        ("PATCH", one.clone()),
        ("PUT", one.clone()),
        ("POST", format!("{one}/actions/grow")),
        ("POST", format!("{one}/actions/retry")),
    ] {
        let refused = land.daemon.ask_with(method, &path, &token).await;
        let code = refused.json()["code"].clone();
        assert_eq!((refused.status(), &code), ("503", &"PLUGIN_UNAVAILABLE".into()), "{method}");
        assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    }
    let deleted = land.daemon.ask_with("DELETE", &one, &token).await;
    assert_eq!(deleted.status(), "202", "{}", deleted.body);
    assert_eq!(deleted.json()["kind"], "demo.instance.delete");
    assert_eq!(land.ask(&one).await.json()["status"], "DELETING");
    let unknown = land.daemon.ask_with("DELETE", &format!("{INSTANCES}/none"), &token).await;
    assert_eq!(unknown.status(), "404");
}

/// What may be read and not changed is refused; what may not be read is told like what is not there.
#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let land = Land::start().await;
    let (own, foreign) = (full_row("own", land.own), full_row("foreign", project()));
    land.insert("instances", &own).await;
    land.insert("instances", &foreign).await;
    let key = land.account("viewer", r#"{"project": "default"}"#).await;
    let key = format!("x-api-key: {key}\r\n");
    for (method, below) in [
        ("PATCH", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/actions/grow"),
        ("POST", "/snapshots"),
    ] {
        let ask = async |id: &str| {
            let path = format!("{INSTANCES}/{id}{below}");
            land.daemon.ask_with(method, &path, &key).await
        };
        let refused = ask(&own.id.to_string()).await;
        assert_eq!(refused.status(), "403", "{method} {below}: {}", refused.body);
        let id = foreign.id.to_string();
        let hidden = ask(&id).await;
        assert_eq!(hidden.status(), "404", "{method} {below}: {}", hidden.body);
        let nobody = Uuid::now_v7().to_string();
        assert_eq!(hidden.body.replace(&id, &nobody), ask(&nobody).await.body);
    }
    let made = land.daemon.ask_with("POST", INSTANCES, &key).await;
    assert_eq!(made.status(), "403");
}

#[tokio::test]
async fn a_list_comes_in_pages_selected_and_counted() {
    let land = Land::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        land.insert("instances", &full_row(name, land.own)).await;
    }
    for order in ["", "&order_by=name", "&filter=size%20%3E%201"] {
        let (mut told, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{INSTANCES}?page_size=2{order}&page_token={token}");
            let page = land.ask(&path).await;
            assert_eq!(page.status(), "200", "{}", page.body);
            let page = page.json();
            told.extend(names(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next_page_token"].as_str() else { break };
            token = next.to_owned();
        }
        assert_eq!(told.join(""), "abcde", "{order}");
    }
    let counted = land.ask(&format!("{INSTANCES}?total_size=true&page_size=1")).await.json();
    assert_eq!((&counted["total_size"], names(&counted)), (&5.into(), vec!["a"]));
    let older = land.ask(&format!("{INSTANCES}?page_limit=2&page_marker=b")).await;
    assert_eq!(names(&older.json()), ["c", "d"]);
    let marker = older.json()["items"][1]["id"].as_str().unwrap().to_owned();
    assert!(older.head.contains(&format!("x-pagination-marker: {marker}")), "{}", older.head);
    let forged = land.refused(&format!("{INSTANCES}?page_token=AAAA")).await;
    assert_eq!(forged, ("400".to_owned(), "PAGE_TOKEN_MISMATCH".to_owned()));
}

#[tokio::test]
async fn what_hangs_under_one_is_found_there_and_nowhere_else() {
    let land = Land::start().await;
    let (first, second) = (full_row("first", land.own), full_row("second", land.own));
    land.insert("instances", &first).await;
    land.insert("instances", &second).await;
    let snapshots = testing::resource("snapshots");
    let mut row = resource::testing::row(&snapshots);
    row.name = "nightly".to_owned();
    (row.project, row.parent) = (land.own, Some(first.id));
    land.insert("snapshots", &row).await;
    let of = |instance: &str| format!("{INSTANCES}/{instance}/snapshots");
    assert_eq!(names(&land.ask(&of("first")).await.json()), ["nightly"]);
    assert!(names(&land.ask(&of("second")).await.json()).is_empty());
    let one = land.ask(&format!("{}/nightly", of("first"))).await.json();
    assert_eq!(one["parent_id"], first.id.to_string());
    let elsewhere = land.refused(&format!("{}/{}", of("second"), row.id)).await;
    assert_eq!(elsewhere, ("404".to_owned(), "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_project_that_is_named_is_the_only_one_that_is_looked_at() {
    let land = Land::start().await;
    let (own, foreign) = (full_row("same", land.own), full_row("same", project()));
    land.insert("instances", &own).await;
    land.insert("instances", &foreign).await;
    let (status, _code) = land.refused(&format!("{INSTANCES}/same?project=nowhere")).await;
    assert_eq!(status, "404");
    let named = format!("?project={}", land.own);
    let found = land.ask(&format!("{INSTANCES}/same{named}")).await.json();
    assert_eq!(found["id"], own.id.to_string());
    let by_id = land.refused(&format!("{INSTANCES}/{}{named}", foreign.id)).await;
    assert_eq!(by_id.0, "404");
    assert_eq!(names(&land.ask(&format!("{INSTANCES}{named}")).await.json()), ["same"]);
}

/// The matrix of who sees what: by roles in one project, on one instance, in none, and by names of others' projects.
#[tokio::test]
async fn a_caller_finds_what_its_roles_let_it_see_and_no_trace_of_the_rest() {
    let land = Land::start().await;
    let made = land.daemon.post("/v1/iam/projects", r#"{"name": "other"}"#).await;
    let other: ProjectId = made["id"].as_str().unwrap().parse().unwrap();
    let (own, foreign) = (full_row("own", land.own), full_row("foreign", other));
    for row in [&own, &foreign] {
        land.insert("instances", row).await;
    }
    let instance =
        format!(r#"{{"project": "other", "type": "demo", "instance_id": "{}"}}"#, foreign.id);
    for (account, scope, seen) in [
        ("of-own", r#"{"project": "default"}"#.to_owned(), vec!["own"]),
        ("of-other", r#"{"project": "other"}"#.to_owned(), vec!["foreign"]),
        ("of-one", instance, vec!["foreign"]),
    ] {
        let key = land.account(account, &scope).await;
        let list = land.ask_as(&key, INSTANCES).await.json();
        assert_eq!(names(&list), seen, "{account}");
        let counted = land.ask_as(&key, &format!("{INSTANCES}?total_size=true")).await.json();
        assert_eq!(counted["total_size"], 1, "{account}");
        for row in [&own, &foreign] {
            let is_seen = seen.contains(&row.name.as_str());
            land.check_one(&key, &row.id.to_string(), is_seen).await;
            land.check_one(&key, &row.name, is_seen).await;
        }
    }
    let key = land.account("of-none", "").await;
    assert_eq!(land.ask_as(&key, INSTANCES).await.status(), "403");
    for row in [&own, &foreign] {
        land.check_one(&key, &row.id.to_string(), false).await;
        land.check_one(&key, &row.name, false).await;
    }
}

#[tokio::test]
async fn a_collection_that_may_not_be_listed_is_refused_in_the_project_that_is_named() {
    let land = Land::start().await;
    let made = land.daemon.post("/v1/iam/projects", r#"{"name": "other"}"#).await;
    let other: ProjectId = made["id"].as_str().unwrap().parse().unwrap();
    let foreign = full_row("foreign", other);
    land.insert("instances", &full_row("own", land.own)).await;
    land.insert("instances", &foreign).await;
    let key = land.account("of-other", r#"{"project": "other"}"#).await;
    land.role("router", "demo.route.read").await;
    land.bind("of-other", "router", r#"{"project": "default"}"#).await;
    let list = land.ask_as(&key, INSTANCES).await;
    assert_eq!(names(&list.json()), ["foreign"]);
    let list = land.ask_as(&key, &format!("{INSTANCES}?project=default")).await;
    assert_eq!(list.status(), "403", "{}", list.body);
    let list = land.ask_as(&key, &format!("{INSTANCES}?project=other")).await;
    assert_eq!(names(&list.json()), ["foreign"]);
}

#[tokio::test]
async fn who_may_read_what_is_above_is_refused_what_it_may_not_read_below() {
    let land = Land::start().await;
    land.daemon.post("/v1/iam/projects", r#"{"name": "other"}"#).await;
    let own = full_row("own", land.own);
    let foreign = full_row("foreign", project());
    land.insert("instances", &own).await;
    land.insert("instances", &foreign).await;
    land.role("reader", "demo.instance.read").await;
    let key = land.account("reader", "").await;
    land.bind("reader", "reader", r#"{"project": "default"}"#).await;
    let of = |id: String| format!("{INSTANCES}/{id}/snapshots");
    assert_eq!(land.ask_as(&key, &of(own.id.to_string())).await.status(), "403");
    assert_eq!(land.ask_as(&key, &of(foreign.id.to_string())).await.status(), "404");
    assert_eq!(land.ask_as(&key, INSTANCES).await.status(), "403");
    assert_eq!(land.ask_as(&key, &format!("{INSTANCES}/own")).await.status(), "200");
}

#[tokio::test]
async fn older_clients_go_on_behind_the_last_item_in_any_order() {
    let land = Land::start().await;
    for name in ["a", "b", "c"] {
        land.insert("instances", &full_row(name, land.own)).await;
    }
    for order in ["id,name", "id,size", "name desc", "size,name"] {
        let order = order.replace(' ', "%20");
        let (mut told, mut marker) = (Vec::new(), String::new());
        loop {
            let path = format!("{INSTANCES}?order_by={order}&page_limit=2&page_marker={marker}");
            let page = land.ask(&path).await;
            told.extend(names(&page.json()).into_iter().map(str::to_owned));
            let line =
                page.head.lines().find_map(|line| line.strip_prefix("x-pagination-marker: "));
            let Some(next) = line else { break };
            marker = next.to_owned();
        }
        told.sort_unstable();
        assert_eq!(told.join(""), "abc", "{order}");
    }
}

#[tokio::test]
async fn a_name_is_found_however_many_other_projects_have_it() {
    let land = Land::start().await;
    for _other in 0..70 {
        land.insert("instances", &full_row("same", project())).await;
    }
    land.daemon.post("/v1/iam/projects", r#"{"name": "other"}"#).await;
    let own = full_row("same", land.own);
    land.insert("instances", &own).await;
    let key = land.account("of-both", r#"{"project": "default"}"#).await;
    land.bind("of-both", "viewer", r#"{"project": "other"}"#).await;
    let found = land.ask_as(&key, &format!("{INSTANCES}/same")).await;
    assert_eq!(found.json()["id"], own.id.to_string());
    let (status, code) = land.refused(&format!("{INSTANCES}/same")).await;
    assert_eq!(status, "400", "the administrator sees several: {code}");
}

//! Who may do what: callers, projects, roles, keys and tokens, as clients meet them.

use http::Method;
use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use metapaas_tests::client::{Client, Reply};
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

const EDGES: &str = "/v1/types/edges";
const PASSWORD: &str = "correct horse";

/// A daemon that serves `edges`.
async fn installed() -> Daemon {
    let plugin = Plugin::built(Workspace::Fixtures, "edges");
    let daemon = Daemon::start().await;
    daemon.offer(&plugin);
    let _document = daemon.install(Wanted::of(&plugin)).await;
    daemon
}

/// Makes something and tells what was made.
async fn make(client: &Client, what: &str, document: Value) -> Value {
    client.post(&format!("/v1/iam/{what}"), &[], &document).await.expect(201).json()
}

/// A client with a key of the service account `name`, which has `role` in `project`.
async fn account(daemon: &Daemon, name: &str, role: &str, project: &str) -> Client {
    let admin = &daemon.client;
    make(admin, "service-accounts", json!({"name": name})).await;
    let principal = format!("service-account:{name}");
    let binding = json!({"principal": principal, "role": role, "scope": {"project": project}});
    make(admin, "bindings", binding).await;
    let key = make(admin, "api-keys", json!({"principal": principal})).await;
    with(daemon, &key)
}

/// A client with this key.
fn with(daemon: &Daemon, key: &Value) -> Client {
    let token = key["key"].as_str().expect("a key is shown when it is made");
    Client { token: Some(token.to_owned()), ..daemon.client.clone() }
}

fn anonymous(daemon: &Daemon) -> Client {
    Client { token: None, ..daemon.client.clone() }
}

fn code(reply: &Reply) -> String {
    reply.json::<Value>()["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_plugin_hears_who_calls_and_not_by_what() {
    let daemon = installed().await;
    let who = daemon.get(&format!("{EDGES}/who")).await.expect(200).text();
    assert_eq!(who, "user:admin in a project, 0 credentials");

    let nobody = anonymous(&daemon);
    let refused = nobody.get(&format!("{EDGES}/who")).await.expect(401);
    assert!(refused.headers[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer realm="));
    let _public = nobody.get(&format!("{EDGES}/counts")).await.expect(200);
    let _health = nobody.get(&format!("{EDGES}/-/health")).await.expect(200);

    let viewer = account(&daemon, "viewer", "viewer", "default").await;
    let who = viewer.get(&format!("{EDGES}/who")).await.expect(200).text();
    assert_eq!(who, "service-account:viewer in a project, 0 credentials");
    let refused = viewer.post(&format!("{EDGES}/who"), &[], &json!({})).await.expect(403);
    let problem: Value = refused.json();
    assert_eq!(problem["detail"], "Permission edges.route.update is missing in project default.");
    assert_eq!((&problem["role"], &problem["project"]), (&json!("operator"), &json!("default")));

    let lamp = format!("{EDGES}/lamp");
    let _refused = viewer.post(&lamp, &[], &json!({})).await.expect(403);
    let operator = account(&daemon, "operator", "operator", "default").await;
    let _switched = operator.post(&lamp, &[], &json!({})).await.expect(200);
    let elsewhere = format!("{lamp}?project=nowhere");
    assert_eq!(
        code(&operator.post(&elsewhere, &[], &json!({})).await.expect(404)),
        "PROJECT_NOT_FOUND"
    );
}

#[tokio::test]
async fn one_binding_per_level_opens_exactly_its_scope() {
    let daemon = installed().await;
    let admin = &daemon.client;
    make(admin, "projects", json!({"name": "shop"})).await;
    let viewer = account(&daemon, "viewer", "viewer", "default").await;
    let in_project = |project: &str| format!("{EDGES}/who?project={project}");
    let _own = viewer.get(&in_project("default")).await.expect(200);
    assert_eq!(code(&viewer.get(&in_project("shop")).await.expect(404)), "PROJECT_NOT_FOUND");
    assert_eq!(viewer.get(&in_project("none")).await.status, 404);

    // One for one type of another project is of no use for other types.
    let one_type = |slug: &str| {
        let scope = json!({"project": "shop", "type": slug});
        json!({"principal": "service-account:viewer", "role": "viewer", "scope": scope})
    };
    make(admin, "bindings", one_type("s3")).await;
    let _refused = viewer.get(&in_project("shop")).await.expect(403);
    make(admin, "bindings", one_type("edges")).await;
    let _seen = viewer.get(&in_project("shop")).await.expect(200);
    let both = viewer.get(&format!("{EDGES}/who")).await.expect(200).text();
    assert_eq!(both, "service-account:viewer in no project, 0 credentials");

    let _refused = viewer.get("/v1/elements").await.expect(403);
    assert_eq!(code(&viewer.get("/v1/elements/edges").await.expect(404)), "ELEMENT_NOT_FOUND");
    let check = |who: &str, permission: &str| json!({"principal": who, "permission": permission, "project": "shop", "type": "edges"});
    let asked = |document: Value| async move {
        let reply = admin.post("/v1/iam/check", &[], &document).await.expect(200);
        reply.json::<Value>()["allowed"].clone()
    };
    assert_eq!(asked(check("service-account:viewer", "edges.route.read")).await, true);
    assert_eq!(asked(check("service-account:viewer", "edges.route.update")).await, false);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_like_what_is_not_there() {
    let daemon = Daemon::start().await;
    let hidden = make(&daemon.client, "projects", json!({"name": "hidden"})).await;
    let key = make(&daemon.client, "api-keys", json!({"name": "admin's"})).await;
    let viewer = account(&daemon, "viewer", "viewer", "default").await;
    let absent = "0199f000-0000-7000-8000-000000000000";
    for (kind, id) in [("projects", &hidden["id"]), ("api-keys", &key["id"])] {
        let id = id.as_str().unwrap();
        let without = |reply: Reply, id: &str| {
            let mut problem: Value = reply.json();
            problem["request_id"] = Value::Null;
            problem.to_string().replace(id, "ID")
        };
        let unreadable = viewer.get(&format!("/v1/iam/{kind}/{id}")).await.expect(404);
        let nowhere = viewer.get(&format!("/v1/iam/{kind}/{absent}")).await.expect(404);
        assert_eq!(without(unreadable, id), without(nowhere, absent));
    }
    let listed: Value = viewer.get("/v1/iam/projects").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["name"], "default");
}

#[tokio::test]
async fn a_key_is_shown_once_and_in_no_log() {
    let daemon = Daemon::start().await;
    let document = json!({"name": "ci", "scopes": ["iam.project.*"], "expires_in": 3600});
    let made = daemon.client.post("/v1/iam/api-keys", &[], &document).await.expect(201);
    assert_eq!(made.headers[CACHE_CONTROL], "no-store");
    let key: Value = made.json();
    let path = format!("/v1/iam/api-keys/{}", key["id"].as_str().unwrap());
    let again: Value = daemon.get(&path).await.expect(200).json();
    assert!(again.get("key").is_none() && again["last_used_at"].is_null(), "{again}");

    let client = with(&daemon, &key);
    let _own = client.get("/v1/iam/projects").await.expect(200);
    let _beyond = client.get("/v1/elements").await.expect(403);
    let more = client.post("/v1/iam/api-keys", &[], &json!({})).await.expect(403);
    assert_eq!(code(&more), "FORBIDDEN", "a narrowed key makes no other");
    let used: Value = daemon.get(&path).await.expect(200).json();
    assert_eq!(used["last_used_ip"], "127.0.0.1");

    let rotate = format!("{path}/actions/rotate");
    let rotated = daemon.client.post(&rotate, &[], &json!({"overlap": 60})).await.expect(201);
    let successor = with(&daemon, &rotated.json());
    for each in [&client, &successor] {
        let _both = each.get("/v1/iam/projects").await.expect(200);
    }
    let _revoked = daemon.client.delete(&path, &[]).await.expect(204);
    let refused = client.get("/v1/iam/projects").await.expect(401);
    assert_eq!(code(&refused), "UNAUTHENTICATED");
    let _wrong = client.get(&format!("/v1/elements?{}", client.token.as_ref().unwrap())).await;
    let log = daemon.log();
    // The first start says the admin token, once, on purpose.
    let log: String = log.lines().filter(|line| !line.starts_with("admin token: ")).collect();
    for secret in [&client.token, &successor.token, &daemon.client.token] {
        let secret = secret.as_ref().unwrap().rsplit('_').next().unwrap();
        assert!(!log.contains(secret), "a key is in the log");
    }
}

#[tokio::test]
async fn credentials_are_exchanged_for_a_token_that_ends_with_them() {
    let daemon = Daemon::start().await;
    let admin = &daemon.client;
    let user = json!({"name": "ada", "password": PASSWORD});
    let user = make(admin, "users", user).await;
    let scope = json!({"project": "default"});
    make(admin, "bindings", json!({"principal": "user:ada", "role": "owner", "scope": scope}))
        .await;

    let nobody = anonymous(&daemon);
    let login = json!({"user": "ada", "password": PASSWORD, "expires_in": 60});
    let exchanged = nobody.post("/v1/iam/tokens", &[], &login).await.expect(200);
    assert_eq!(exchanged.headers[CACHE_CONTROL], "no-store");
    let issued: Value = exchanged.json();
    let token = issued["access_token"].as_str().unwrap().to_owned();
    let ada = Client { token: Some(token), ..nobody.clone() };
    let me: Value = ada.get("/v1/iam/me").await.expect(200).json();
    assert_eq!(me["principal"], "user:ada");
    assert_eq!(me["credential"]["kind"], "token");
    assert_eq!(me["projects"][0]["name"], "default");

    let wrong = json!({"user": "ada", "password": "wrong password"});
    let _refused = nobody.post("/v1/iam/tokens", &[], &wrong).await.expect(401);
    let _nothing = nobody.post("/v1/iam/tokens", &[], &json!({})).await.expect(401);
    let keys: Value = nobody.get("/v1/iam/.well-known/jwks.json").await.expect(200).json();
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");

    let path = format!("/v1/iam/users/{}", user["id"].as_str().unwrap());
    let request = Client::document(Method::PATCH, &path, &[], &json!({"status": "DISABLED"}));
    let _disabled = admin.send(request).await.expect(200);
    let _over = ada.get("/v1/iam/me").await.expect(401);
}

#[tokio::test]
async fn whoever_guesses_passwords_waits() {
    let daemon = Daemon::start().await;
    make(&daemon.client, "users", json!({"name": "ada", "password": PASSWORD})).await;
    let nobody = anonymous(&daemon);
    let guess = json!({"user": "ada", "password": "wrong password"});
    for _ in 0..5 {
        let _wrong = nobody.post("/v1/iam/tokens", &[], &guess).await.expect(401);
    }
    let refused = nobody.post("/v1/iam/tokens", &[], &guess).await.expect(429);
    assert_eq!(code(&refused), "LOGIN_THROTTLED");
    assert!(refused.headers[RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    let _token = daemon.get("/v1/iam/me").await.expect(200);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_go_on() {
    let rate = [("METAPAAS__HTTP__RATE_PER_S", "1"), ("METAPAAS__HTTP__RATE_BURST", "3")];
    let daemon = Daemon::start_with(Options::default().with_environment(&rate)).await;
    for _ in 0..3 {
        let _within = daemon.get("/v1/iam/me").await.expect(200);
    }
    let refused = daemon.get("/v1/iam/me").await.expect(429);
    assert_eq!(code(&refused), "RATE_LIMITED");
    let header = |name: &str| refused.headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("retry-after"), header("ratelimit-limit")), ("1".into(), "3".into()));
    assert_eq!(header("ratelimit-remaining"), "0");
    let _page = daemon.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn the_owner_of_a_project_runs_it_and_nothing_else() {
    let daemon = Daemon::start().await;
    let admin = &daemon.client;
    make(admin, "projects", json!({"name": "shop"})).await;
    let owner = account(&daemon, "owner", "owner", "shop").await;
    make(&owner, "service-accounts", json!({"name": "till", "project": "shop"})).await;
    let till = "service-account:till";
    let bind = |role: &str, scope: Value| json!({"principal": till, "role": role, "scope": scope});
    make(&owner, "bindings", bind("operator", json!({"project": "shop"}))).await;
    make(&owner, "api-keys", json!({"principal": till})).await;
    for scope in [json!({"project": "default"}), json!({"organization": "default"}), json!({})] {
        let role = if scope == json!({}) { "platform-admin" } else { "owner" };
        let refused = owner.post("/v1/iam/bindings", &[], &bind(role, scope)).await;
        assert!([403, 404].contains(&refused.status.as_u16()), "{}", refused.text());
    }
    let roles: Value = owner.get("/v1/iam/projects/shop/roles").await.expect(200).json();
    let of_till = roles["items"].as_array().unwrap().iter().find(|one| one["principal"] == till);
    assert_eq!(of_till.unwrap()["role"], "operator");

    let quotas = "/v1/iam/projects/shop/quotas";
    let limits = json!({"limits": {"s3": {"instances": 10}}});
    let _refused = owner.put(quotas, &[], &limits).await.expect(403);
    let _set = admin.put(quotas, &[], &limits).await.expect(200);
    let seen: Value = owner.get(quotas).await.expect(200).json();
    assert_eq!(seen["items"][0]["quotas"]["instances"], json!({"used": 0, "limit": 10}));
    let wrong = json!({"limits": {"s3": {"instance": 10}}});
    let _refused = admin.put(quotas, &[], &wrong).await.expect(400);

    let _in_use = admin.delete("/v1/iam/projects/shop", &[]).await.expect(409);
    let _removed = owner.delete("/v1/iam/service-accounts/till", &[]).await.expect(204);
    let _removed = admin.delete("/v1/iam/service-accounts/owner", &[]).await.expect(204);
    let _removed = admin.delete("/v1/iam/projects/shop", &[]).await.expect(204);
    let _over = owner.get("/v1/iam/me").await.expect(401);
}

#[tokio::test]
async fn basic_is_a_password_or_a_key_and_bearer_is_no_password() {
    use base64::Engine;
    let daemon = Daemon::start().await;
    make(&daemon.client, "users", json!({"name": "ada", "password": PASSWORD})).await;
    let token = daemon.client.token.clone().unwrap();
    let encode = |pair: String| base64::engine::general_purpose::STANDARD.encode(pair);
    let nobody = anonymous(&daemon);
    let cases = [
        (format!("Basic {}", encode(format!("ada:{PASSWORD}"))), 200),
        (format!("Basic {}", encode(format!("admin:{token}"))), 200),
        (format!("Basic {}", encode("ada:wrong password".to_owned())), 401),
        (format!("Bearer {PASSWORD}"), 401),
    ];
    for (value, wanted) in cases {
        let fields = [(AUTHORIZATION.as_str(), value.as_str())];
        let request = Client::request(Method::GET, "/v1/iam/me", &fields, bytes::Bytes::new());
        let _reply = nobody.send(request).await.expect(wanted);
    }
}

#[tokio::test]
async fn what_was_granted_is_there_after_a_restart() {
    let mut daemon = Daemon::start().await;
    let viewer = account(&daemon, "viewer", "viewer", "default").await;
    let _ended = daemon.restart().await;
    let viewer = Client { address: daemon.client.address, ..viewer };
    let me: Value = viewer.get("/v1/iam/me").await.expect(200).json();
    assert_eq!(me["bindings"][0]["role"], "viewer");
    let _admin = daemon.get("/v1/iam/users").await.expect(200);
}

//! The service as plugins meet it, on every database: what is said goes in at a conversation, what is answered comes
//! out of its mailbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packer::bundle::{Digest, ElementName};
use plugin_abi::database::answer::{Answer, Fault, FaultKind};
use plugin_abi::database::{DATABASE_SERVICE, Request, Statement};
use plugin_abi::mailbox::Mailbox;
use plugin_abi::message::{CallId, Inbound, Outbound};
use plugin_abi::value::{Value, ValueType};
use plugin_abi::{AbiError, ErrorCode};
use sea_orm::ConnectionTrait as _;

use crate::plugin::conversation::Conversation;
use crate::plugin::identity::{GenerationId, Identity};
use crate::plugin::lane::{Isolation, Lane};
use crate::services::Offer;
use crate::shutdown::{Outcome, Tasks};
use crate::store::fence::Fences;
use crate::store::testing::Database;
use crate::store::{Backend, Store};

const LONG: Duration = Duration::from_secs(20);

/// A plugin with a table `mine_notes (id, text)` of its own, in a store where there is another's.
struct Plugin {
    database: Database,
    store: Store,
    tasks: Tasks,
    offer: Offer,
    speech: Speech,
}

/// What one generation says and hears.
struct Speech {
    conversation: Arc<Conversation>,
    mailbox: Arc<Mailbox>,
    n_calls: CallId,
    heard: HashMap<CallId, Result<Vec<u8>, AbiError>>,
}

impl Plugin {
    async fn of(mut database: Database, change: impl FnOnce(&mut crate::store::Config)) -> Self {
        change(&mut database.config);
        let store = database.open().await.unwrap();
        let fences = Fences::new(store.clone(), database.config.clone());
        fences.can_make_roles().await.unwrap();
        let columns = "(id BIGINT PRIMARY KEY, text TEXT NOT NULL UNIQUE CHECK (text <> 'bad'), \
            up BIGINT REFERENCES mine_notes (id))";
        for (element, columns) in [("mine", columns), ("theirs", "(id BIGINT, text TEXT)")] {
            migrate(&store, &fences, element, columns).await;
        }
        let tasks = Tasks::default();
        let offer = Offer::new(fences, tasks.clone());
        let speech = Speech::begin(&offer);
        Self { database, store, tasks, offer, speech }
    }

    async fn end(self) {
        let Self { database, store, tasks, offer, speech } = self;
        speech.conversation.lost("the test is over");
        assert_eq!(tasks.shut_down(LONG).await, Outcome::Clean);
        drop(offer);
        store.close().await;
        database.end().await;
    }

    /// Nothing of the plugin's runs on the server.
    async fn wait_until_nothing_runs(&self) {
        let began = Instant::now();
        let sql = "SELECT count(*) AS n FROM pg_stat_activity \
            WHERE application_name = 'metapaas mine' AND datname = current_database() AND state = 'active'";
        loop {
            let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
            let row = self.store.connection().query_one_raw(statement).await.unwrap().unwrap();
            if row.try_get::<i64>("", "n").unwrap() == 0 {
                return;
            }
            assert!(began.elapsed() < LONG, "a statement of the plugin goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many rows of the plugin's the host sees.
    async fn n_rows(&self) -> i64 {
        let backend = self.store.connection().get_database_backend();
        let sql = "SELECT count(*) AS n FROM mine_notes";
        let statement = sea_orm::Statement::from_string(backend, sql);
        let row = self.store.connection().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "n").unwrap()
    }
}

async fn migrate(store: &Store, fences: &Fences, element: &str, columns: &str) {
    let name: ElementName = element.parse().unwrap();
    let table = format!("{element}_notes");
    let transaction = store.begin().await.unwrap();
    for sql in [
        format!("CREATE TABLE {table} {columns}"),
        format!(
            "INSERT INTO metapaas_plugin_tables (name, element) VALUES ('{table}', '{element}')"
        ),
    ] {
        transaction.execute_unprepared(&sql).await.unwrap();
    }
    fences.grant(&transaction, &name, &table).await.unwrap();
    transaction.commit().await.unwrap();
    fences.refresh(&name).await.unwrap();
}

impl Speech {
    /// That of a new generation of the element `mine`.
    fn begin(offer: &Offer) -> Self {
        let identity = Identity {
            id: GenerationId::next(),
            element: "mine".parse().unwrap(),
            version: semver::Version::new(0, 1, 0),
            digest: Digest::of_bytes(b"mine"),
            isolation: Isolation::None,
        };
        let mailbox = Arc::new(Mailbox::new().unwrap());
        let lane = Lane::InProcess(Arc::clone(&mailbox));
        let (conversation, _started) = Conversation::new(lane, offer.of(identity), 1);
        Self { conversation, mailbox, n_calls: 0, heard: HashMap::new() }
    }

    /// Says it, and gives the number of the call.
    fn say(&mut self, request: &Request<'_>) -> CallId {
        self.n_calls += 1;
        let (call, payload) = (self.n_calls, request.encode());
        let message = Outbound::Service { call, service: DATABASE_SERVICE, payload: &payload };
        self.conversation.said(Ok(message));
        call
    }

    /// What a call was completed with.
    async fn hear(&mut self, call: CallId) -> Result<Vec<u8>, AbiError> {
        let began = Instant::now();
        loop {
            let heard = &mut self.heard;
            self.mailbox.drain(usize::MAX, |message| {
                let Inbound::Completed { call, outcome } = message else {
                    panic!("heard {message:?}");
                };
                assert!(heard.insert(call, outcome).is_none(), "call {call} came twice");
            });
            if let Some(outcome) = self.heard.remove(&call) {
                return outcome;
            }
            assert!(began.elapsed() < LONG, "call {call} was not completed");
            // The mailbox wakes a plugin's reactor; a test has none.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn ask(&mut self, request: &Request<'_>) -> String {
        let call = self.say(request);
        told(&self.hear(call).await.unwrap())
    }

    async fn query(&mut self, sql: &str, params: &[Value<'_>]) -> String {
        self.ask(&Request::Query(alone(sql, params))).await
    }

    async fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> String {
        self.ask(&Request::Execute(alone(sql, params))).await
    }

    async fn begin_transaction(&mut self) -> u64 {
        let call = self.say(&Request::Begin);
        let answer = self.hear(call).await.unwrap();
        let Answer::Begun(id) = Answer::decode(&answer).unwrap() else {
            panic!("{}", told(&answer));
        };
        id
    }

    async fn execute_in(&mut self, transaction: u64, sql: &str) -> String {
        let statement = Statement { transaction: Some(transaction), sql, params: Vec::new() };
        self.ask(&Request::Execute(statement)).await
    }
}

fn alone<'a>(sql: &'a str, params: &[Value<'a>]) -> Statement<'a> {
    Statement { transaction: None, sql, params: params.to_vec() }
}

/// An answer in a line.
fn told(bytes: &[u8]) -> String {
    match Answer::decode(bytes).unwrap() {
        Answer::Rows(rows) => {
            let columns: Vec<_> = rows.columns(bytes).collect();
            let lines = (0..rows.n_rows()).map(|idx| {
                let values: Vec<_> =
                    rows.row(bytes, idx).map(|value| format!("{value:?}")).collect();
                values.join(" ")
            });
            format!("[{}] {}", columns.join(" "), lines.collect::<Vec<_>>().join("; "))
        }
        Answer::Touched(n_rows) => format!("touched {n_rows}"),
        Answer::Begun(_) => "begun".to_owned(),
        Answer::Done => "done".to_owned(),
        Answer::Fault(fault) => format!("{:?}", fault.kind),
    }
}

/// The fault that a call was answered with.
fn fault(bytes: &[u8]) -> (FaultKind, String, Option<String>) {
    let Answer::Fault(Fault { kind, code: _, constraint, message }) =
        Answer::decode(bytes).unwrap()
    else {
        panic!("{}", told(bytes));
    };
    (kind, message.to_owned(), constraint.map(str::to_owned))
}

async fn each(test: impl AsyncFn(&mut Plugin)) {
    for database in Database::each().await {
        let mut plugin = Plugin::of(database, |_config| ()).await;
        test(&mut plugin).await;
        plugin.end().await;
    }
}

const INSERT: &str = "INSERT INTO mine_notes (id, text) VALUES ($1, $2)";

#[tokio::test]
async fn rows_come_back_as_they_went_in() {
    each(async |plugin| {
        let speech = &mut plugin.speech;
        assert_eq!(speech.execute(INSERT, &[Value::I64(1), Value::Text("a")]).await, "touched 1");
        assert_eq!(speech.execute(INSERT, &[Value::I64(2), Value::Text("b")]).await, "touched 1");
        assert_eq!(
            speech.query("SELECT id, text, up FROM mine_notes ORDER BY id", &[]).await,
            "[id text up] I64(1) Text(\"a\") Null(I64); I64(2) Text(\"b\") Null(I64)"
        );
        let sql = "SELECT id, text AS name FROM mine_notes WHERE id = $1";
        assert_eq!(speech.query(sql, &[Value::I64(9)]).await, "[id name] ");
        assert_eq!(speech.execute("UPDATE mine_notes SET up = 1", &[]).await, "touched 2");
        assert_eq!(speech.execute("DELETE FROM mine_notes WHERE id = 7", &[]).await, "touched 0");
        assert_eq!(speech.execute("SELECT id FROM mine_notes", &[]).await, "touched 2");
        let sql = "INSERT INTO mine_notes (id, text) VALUES (3, 'c') RETURNING id";
        assert_eq!(speech.query(sql, &[]).await, "[id] I64(3)");
    })
    .await;
}

#[tokio::test]
async fn the_same_statement_takes_parameters_of_other_types() {
    each(async |plugin| {
        let sql = "SELECT count(*) AS n FROM mine_notes WHERE id = $1";
        for param in [Value::I64(1), Value::I32(1), Value::I16(1), Value::Null(ValueType::I64)] {
            assert_eq!(plugin.speech.query(sql, &[param]).await, "[n] I64(0)", "{param:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_type_survives() {
    let columns = [
        ("boolean", Value::Bool(true), ValueType::Bool),
        ("smallint", Value::I16(-2), ValueType::I16),
        ("integer", Value::I32(70_000), ValueType::I32),
        ("bigint", Value::I64(1 << 40), ValueType::I64),
        ("float", Value::F64(0.1), ValueType::F64),
        ("double precision", Value::F64(1e300), ValueType::F64),
        ("text", Value::Text("grüße"), ValueType::Text),
        ("uuid", Value::Uuid([7; 16]), ValueType::Uuid),
        ("timestamptz", Value::Timestamp(1_769_903_999_000_001), ValueType::Timestamp),
        ("jsonb", Value::Json("{\"a\": 1}"), ValueType::Json),
    ];
    each(async |plugin| {
        let bytes = match plugin.store.backend() {
            Backend::Sqlite => ("blob", Value::Bytes(&[0, 255]), ValueType::Bytes),
            Backend::Postgres => ("bytea", Value::Bytes(&[0, 255]), ValueType::Bytes),
        };
        let fences = &plugin.offer.fences;
        for (idx, (declared, value, value_type)) in columns.iter().chain([&bytes]).enumerate() {
            let table = format!("mine{idx}");
            let element = "mine".parse().unwrap();
            let transaction = plugin.store.begin().await.unwrap();
            for sql in [
                format!("CREATE TABLE {table} (value {declared})"),
                format!(
                    "INSERT INTO metapaas_plugin_tables (name, element) VALUES ('{table}', 'mine')"
                ),
            ] {
                transaction.execute_unprepared(&sql).await.unwrap();
            }
            fences.grant(&transaction, &element, &table).await.unwrap();
            transaction.commit().await.unwrap();
            fences.refresh(&element).await.unwrap();
            let insert = format!("INSERT INTO {table} (value) VALUES ($1)");
            for param in [*value, Value::Null(*value_type)] {
                assert_eq!(
                    plugin.speech.execute(&insert, &[param]).await,
                    "touched 1",
                    "{declared}"
                );
            }
            let select = format!("SELECT value FROM {table} WHERE value IS NOT NULL");
            let wanted = match (plugin.store.backend(), declared) {
                // Declared as 32 bits there, and too long for them: nothing is lost.
                (Backend::Sqlite, &"float") => Value::F64(0.1),
                _whole => *value,
            };
            assert_eq!(plugin.speech.query(&select, &[]).await, format!("[value] {wanted:?}"));
            let select = format!("SELECT value FROM {table} WHERE value IS NULL");
            let wanted = match (plugin.store.backend(), declared) {
                (Backend::Sqlite, &"float") => ValueType::F32,
                (Backend::Sqlite, &"blob") => ValueType::Text,
                _declared => *value_type,
            };
            assert_eq!(
                plugin.speech.query(&select, &[]).await,
                format!("[value] Null({wanted:?})")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_no_tag_comes_as_text_or_is_refused_by_name() {
    let Some(database) = Database::postgres().await else { return };
    let mut plugin = Plugin::of(database, |_config| ()).await;
    for (sql, text) in [
        ("12.50::numeric", "12.50"),
        ("-0.000123::numeric(10, 6)", "-0.000123"),
        ("123456789012345678.9::numeric", "123456789012345678.9"),
        ("100000000::numeric", "100000000"),
        ("0::numeric", "0"),
        ("'NaN'::numeric", "NaN"),
        ("sum(1::bigint)", "1"),
        ("'2026-02-03'::date", "2026-02-03"),
        ("'1999-12-31'::date", "1999-12-31"),
        ("'infinity'::date", "infinity"),
        ("'12:34:56.7'::time", "12:34:56.7"),
        ("'24:00:00'::time", "24:00:00"),
        ("'1 year 2 mons -3 days 04:05:06.5'::interval", "P1Y2M-3DT4H5M6.5S"),
        ("'0'::interval", "PT0S"),
        ("'-00:00:00.25'::interval", "PT-0.25S"),
        ("'x'::char(3)", "x  "),
        ("current_user::name", "mp_"),
    ] {
        let answer = plugin.speech.query(&format!("SELECT {sql} AS value"), &[]).await;
        let wanted = format!("[value] Text(\"{text}");
        assert!(answer.starts_with(&wanted), "{sql}: {answer}");
    }
    assert_eq!(plugin.speech.query("SELECT 7::oid AS value", &[]).await, "[value] I64(7)");
    assert_eq!(plugin.speech.query("SELECT pg_sleep(0) AS value", &[]).await, "[value] Null(Text)");
    let call = plugin.speech.say(&Request::Query(alone("SELECT ARRAY[1] AS list", &[])));
    let (kind, message, _constraint) = fault(&plugin.speech.hear(call).await.unwrap());
    assert_eq!(kind, FaultKind::Other);
    assert_eq!(
        message,
        "column `list` is of type `INT4[]`, which cannot be handed to a plugin: write `CAST(list AS text)`, or a type that can"
    );
    plugin.end().await;
}

#[tokio::test]
async fn faults_have_the_same_kinds_on_both() {
    each(async |plugin| {
        let speech = &mut plugin.speech;
        assert_eq!(speech.execute(INSERT, &[Value::I64(1), Value::Text("a")]).await, "touched 1");
        for (sql, kind) in [
            ("INSERT INTO mine_notes (id, text) VALUES (1, 'z')", "UniqueViolation"),
            ("INSERT INTO mine_notes (id, text) VALUES (2, 'a')", "UniqueViolation"),
            ("INSERT INTO mine_notes (id, text, up) VALUES (2, 'b', 9)", "ForeignKeyViolation"),
            ("INSERT INTO mine_notes (id) VALUES (2)", "NotNullViolation"),
            ("INSERT INTO mine_notes (id, text) VALUES (2, 'bad')", "CheckViolation"),
            ("SELECT * FROM theirs_notes", "Denied"),
            ("DROP TABLE mine_notes", "Denied"),
            ("BEGIN", "Denied"),
            ("COMMIT", "Denied"),
            ("/* SELECT */ ROLLBACK", "Denied"),
            ("SELEC 1", "Denied"),
            ("SELECT FROM WHERE", "Syntax"),
            ("SELECT * FROM nowhere", "Syntax"),
            ("SELECT nothing FROM mine_notes", "Syntax"),
            ("SELECT 1; SELECT 2", "Syntax"),
        ] {
            let answer = speech.execute(sql, &[]).await;
            let is_sqlite = plugin.store.backend() == Backend::Sqlite;
            let kind = if is_sqlite && sql == "SELEC 1" { "Syntax" } else { kind };
            assert_eq!(answer, kind, "{sql} on {:?}", plugin.store.backend());
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_names_the_table_and_what_is_ones_own() {
    each(async |plugin| {
        let call = plugin.speech.say(&Request::Query(alone("SELECT * FROM theirs_notes", &[])));
        let (kind, message, constraint) = fault(&plugin.speech.hear(call).await.unwrap());
        assert_eq!((kind, constraint), (FaultKind::Denied, None));
        let wanted = match plugin.store.backend() {
            Backend::Sqlite => {
                "element `mine` may not touch table `theirs_notes`: its own tables are `mine_notes`"
            }
            Backend::Postgres => {
                "element `mine` may not do that: its own tables are `mine_notes` (permission denied for table theirs_notes)"
            }
        };
        assert_eq!(message, wanted);
        let sql = "INSERT INTO mine_notes (id, text) VALUES (1, 'a'), (2, 'a')";
        let call = plugin.speech.say(&Request::Execute(alone(sql, &[])));
        let (_kind, _message, constraint) = fault(&plugin.speech.hear(call).await.unwrap());
        let wanted = match plugin.store.backend() {
            Backend::Sqlite => "mine_notes.text",
            Backend::Postgres => "mine_notes_text_key",
        };
        assert_eq!(constraint.as_deref(), Some(wanted));
    })
    .await;
}

#[tokio::test]
async fn parameters_are_checked_like_on_postgres() {
    let mut plugin = Plugin::of(Database::sqlite(), |_config| ()).await;
    for (sql, message) in [
        ("SELECT $2", "the statement has 2 parameters, and 1 were given"),
        ("SELECT 1", "the statement has 0 parameters, and 1 were given"),
        ("SELECT ?", "parameter `?`: parameters are `$1`, `$2`, …"),
        ("SELECT $0", "parameter `$0`: parameters are `$1`, `$2`, …"),
        ("SELECT $1; SELECT $1", "one statement at a time: there is more behind `;`"),
    ] {
        let call = plugin.speech.say(&Request::Query(alone(sql, &[Value::I64(1)])));
        let (kind, told, _constraint) = fault(&plugin.speech.hear(call).await.unwrap());
        assert_eq!((kind, &*told), (FaultKind::Syntax, message), "{sql}");
    }
    plugin.end().await;
}

#[tokio::test]
async fn transactions_keep_or_take_back() {
    each(async |plugin| {
        let kept = plugin.speech.begin_transaction().await;
        let insert = |id: u32| format!("INSERT INTO mine_notes (id, text) VALUES ({id}, '{id}')");
        assert_eq!(plugin.speech.execute_in(kept, &insert(1)).await, "touched 1");
        assert_eq!(plugin.n_rows().await, 0, "nobody else sees it yet");
        assert_eq!(plugin.speech.ask(&Request::Commit(kept)).await, "done");
        assert_eq!(plugin.n_rows().await, 1);
        let taken_back = plugin.speech.begin_transaction().await;
        assert_ne!(kept, taken_back);
        assert_eq!(plugin.speech.execute_in(taken_back, &insert(2)).await, "touched 1");
        assert_eq!(plugin.speech.ask(&Request::Rollback(taken_back)).await, "done");
        assert_eq!(plugin.n_rows().await, 1);
        for over in [kept, taken_back, 99] {
            assert_eq!(plugin.speech.execute_in(over, &insert(3)).await, "TransactionOver");
            assert_eq!(plugin.speech.ask(&Request::Commit(over)).await, "TransactionOver");
        }
    })
    .await;
}

#[tokio::test]
async fn a_savepoint_is_a_way_back_from_a_fault() {
    each(async |plugin| {
        let speech = &mut plugin.speech;
        let tx = speech.begin_transaction().await;
        let insert = "INSERT INTO mine_notes (id, text) VALUES (1, 'a')";
        assert_eq!(speech.execute_in(tx, insert).await, "touched 1");
        assert_eq!(speech.ask(&Request::Savepoint(tx, 1)).await, "done");
        assert_eq!(speech.execute_in(tx, insert).await, "UniqueViolation");
        assert_eq!(speech.ask(&Request::RollbackTo(tx, 1)).await, "done");
        assert_eq!(speech.ask(&Request::Release(tx, 1)).await, "done");
        let second = "INSERT INTO mine_notes (id, text) VALUES (2, 'b')";
        assert_eq!(speech.execute_in(tx, second).await, "touched 1");
        assert_eq!(speech.ask(&Request::Commit(tx)).await, "done");
        assert_eq!(plugin.n_rows().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_commit_after_a_fault_is_never_acknowledged_and_lost() {
    let Some(database) = Database::postgres().await else { return };
    let mut plugin = Plugin::of(database, |_config| ()).await;
    let tx = plugin.speech.begin_transaction().await;
    let insert = "INSERT INTO mine_notes (id, text) VALUES (1, 'a')";
    assert_eq!(plugin.speech.execute_in(tx, insert).await, "touched 1");
    assert_eq!(plugin.speech.execute_in(tx, insert).await, "UniqueViolation");
    let call = plugin.speech.say(&Request::Commit(tx));
    let (kind, message, _constraint) = fault(&plugin.speech.hear(call).await.unwrap());
    assert_eq!(kind, FaultKind::Other);
    assert_eq!(
        message,
        "a statement of the transaction had failed, so all of it was taken back; go back to a savepoint to go on after a failure"
    );
    assert_eq!(plugin.n_rows().await, 0);
    plugin.end().await;
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_is_over() {
    let mut plugin = Plugin::of(Database::sqlite(), |_config| ()).await;
    let tx = plugin.speech.begin_transaction().await;
    let insert = "INSERT OR ROLLBACK INTO mine_notes (id, text) VALUES (1, 'a')";
    assert_eq!(plugin.speech.execute_in(tx, insert).await, "touched 1");
    assert_eq!(plugin.speech.execute_in(tx, insert).await, "UniqueViolation");
    assert_eq!(plugin.speech.execute_in(tx, insert).await, "TransactionOver");
    assert_eq!(plugin.n_rows().await, 0);
    plugin.end().await;
}

#[tokio::test]
async fn what_is_said_without_waiting_is_done_in_order() {
    each(async |plugin| {
        let speech = &mut plugin.speech;
        let tx = speech.begin_transaction().await;
        let mut calls = Vec::new();
        for id in 1..=50 {
            let up = if id == 1 { "NULL".to_owned() } else { (id - 1).to_string() };
            let sql = format!("INSERT INTO mine_notes (id, text, up) VALUES ({id}, '{id}', {up})");
            let statement = Statement { transaction: Some(tx), sql: &sql, params: Vec::new() };
            calls.push(speech.say(&Request::Execute(statement)));
        }
        calls.push(speech.say(&Request::Commit(tx)));
        for call in calls {
            let answer = told(&speech.hear(call).await.unwrap());
            assert!(answer == "touched 1" || answer == "done", "{answer}");
        }
        assert_eq!(plugin.n_rows().await, 50);
    })
    .await;
}

/// Runs for ever, on either database.
const ENDLESS: &str =
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(x) FROM n";

#[tokio::test]
async fn a_transaction_ends_at_its_limit() {
    for database in Database::each().await {
        let mut plugin =
            Plugin::of(database, |config| config.plugin_transaction_limit_ms = 200).await;
        let idle = plugin.speech.begin_transaction().await;
        let insert = "INSERT INTO mine_notes (id, text) VALUES (1, 'a')";
        assert_eq!(plugin.speech.execute_in(idle, insert).await, "touched 1");
        // The next one waits on SQLite until the first is over: nothing else ends it.
        let busy = plugin.speech.begin_transaction().await;
        let second = "INSERT INTO mine_notes (id, text) VALUES (1, 'b')";
        assert_eq!(plugin.speech.execute_in(busy, second).await, "touched 1");
        let began = Instant::now();
        assert_eq!(plugin.speech.execute_in(busy, ENDLESS).await, "Timeout");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        for over in [idle, busy] {
            assert_eq!(plugin.speech.ask(&Request::Commit(over)).await, "TransactionOver");
        }
        // Whatever ran is stopped, and what it had locked is free.
        assert_eq!(plugin.speech.execute(insert, &[]).await, "touched 1");
        assert_eq!(plugin.n_rows().await, 1);
        plugin.end().await;
    }
}

#[tokio::test]
async fn a_statement_ends_at_its_limit() {
    for database in Database::each().await {
        let mut plugin =
            Plugin::of(database, |config| config.plugin_statement_limit_ms = 200).await;
        let began = Instant::now();
        assert_eq!(plugin.speech.query(ENDLESS, &[]).await, "Timeout");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        if plugin.store.backend() == Backend::Postgres {
            // Not even when the plugin turns the server's own limit off.
            let sql = "SELECT set_config('statement_timeout', '0', false), pg_sleep(600)";
            assert_eq!(plugin.speech.query(sql, &[]).await, "Timeout");
            plugin.wait_until_nothing_runs().await;
        }
        assert_eq!(plugin.speech.query("SELECT 1 AS one", &[]).await[..6], *"[one] ");
        plugin.end().await;
    }
}

#[tokio::test]
async fn the_end_of_a_generation_takes_back_what_it_has_open() {
    each(async |plugin| {
        let tx = plugin.speech.begin_transaction().await;
        let insert = "INSERT INTO mine_notes (id, text) VALUES (1, 'a')";
        assert_eq!(plugin.speech.execute_in(tx, insert).await, "touched 1");
        let endless = plugin.speech.say(&Request::Query(alone(ENDLESS, &[])));
        let next = Speech::begin(&plugin.offer);
        let mut gone = std::mem::replace(&mut plugin.speech, next);
        gone.conversation.lost("it was stopped");
        assert_eq!(gone.hear(endless).await.unwrap_err().code, ErrorCode::Closed);
        let late = gone.say(&Request::Query(alone("SELECT 1", &[])));
        assert_eq!(gone.hear(late).await.unwrap_err().code, ErrorCode::Closed);
        // The next generation can write at once, and finds nothing.
        assert_eq!(plugin.speech.execute(insert, &[]).await, "touched 1");
    })
    .await;
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_at_once() {
    for database in Database::each().await {
        let mut plugin = Plugin::of(database, |config| {
            config.plugin_calls_max = 3;
            config.plugin_connections_max = 2;
            config.plugin_statement_limit_ms = 500;
        })
        .await;
        let calls: Vec<_> =
            (0..4).map(|_nth| plugin.speech.say(&Request::Query(alone(ENDLESS, &[])))).collect();
        let (kind, message, _constraint) = fault(&plugin.speech.hear(calls[3]).await.unwrap());
        assert_eq!(kind, FaultKind::Unavailable);
        assert!(message.starts_with("3 calls of this generation are under way"), "{message}");
        let mut told_of_rest = Vec::new();
        for call in &calls[..3] {
            told_of_rest.push(told(&plugin.speech.hear(*call).await.unwrap()));
        }
        // The third waited for a connection of two until its own time was over, or got one in its last moment.
        let n_timeouts = told_of_rest.iter().filter(|told| *told == "Timeout").count();
        let n_waited = told_of_rest.iter().filter(|told| *told == "Unavailable").count();
        assert!(n_timeouts >= 2 && n_timeouts + n_waited == 3, "{told_of_rest:?}");
        plugin.end().await;
    }
}

#[tokio::test]
async fn transactions_leave_a_connection_for_statements() {
    for database in Database::each().await {
        let mut plugin = Plugin::of(database, |config| config.plugin_connections_max = 2).await;
        let tx = plugin.speech.begin_transaction().await;
        let waiting = plugin.speech.say(&Request::Begin);
        assert_eq!(plugin.speech.query("SELECT id FROM mine_notes", &[]).await, "[id] ");
        assert_eq!(plugin.speech.ask(&Request::Commit(tx)).await, "done");
        assert_eq!(told(&plugin.speech.hear(waiting).await.unwrap()), "begun");
        plugin.end().await;
    }
}

#[tokio::test]
async fn an_answer_has_an_end() {
    each(async |plugin| {
        let rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < $1) \
            SELECT x, $2 AS text FROM n";
        let kilobyte = "x".repeat(1024);
        let params = |n_rows| [Value::I64(n_rows), Value::Text(&kilobyte)];
        let call = plugin.speech.say(&Request::Query(alone(rows, &params(10_000))));
        let (kind, message, _constraint) = fault(&plugin.speech.hear(call).await.unwrap());
        assert_eq!(kind, FaultKind::TooLarge);
        assert!(message.starts_with("the rows are more than 8388608 bytes"), "{message}");
        let call = plugin.speech.say(&Request::Query(alone(rows, &params(7_000))));
        let answer = plugin.speech.hear(call).await.unwrap();
        assert!(
            matches!(Answer::decode(&answer).unwrap(), Answer::Rows(rows) if rows.n_rows() == 7_000)
        );
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_of_the_call() {
    let mut plugin = Plugin::of(Database::sqlite(), |_config| ()).await;
    for (call, service, payload, code) in [
        (1001, DATABASE_SERVICE, &[200u8][..], ErrorCode::Invalid),
        (1002, DATABASE_SERVICE, &[][..], ErrorCode::Invalid),
        (1003, 99, &[1][..], ErrorCode::Unsupported),
    ] {
        let conversation = Arc::clone(&plugin.speech.conversation);
        conversation.said(Ok(Outbound::Service { call, service, payload }));
        assert_eq!(plugin.speech.hear(call).await.unwrap_err().code, code);
    }
    plugin.end().await;
}

#[tokio::test]
async fn what_a_migration_adds_is_there_at_once() {
    each(async |plugin| {
        let all = "SELECT * FROM mine_notes";
        assert_eq!(plugin.speech.query(all, &[]).await, "[id text up] ");
        assert_eq!(plugin.speech.query("SELECT * FROM mine_more", &[]).await, "Syntax");
        let element = "mine".parse().unwrap();
        let transaction = plugin.store.begin().await.unwrap();
        for sql in [
            "ALTER TABLE mine_notes ADD COLUMN more BOOLEAN",
            "CREATE TABLE mine_more (id INTEGER)",
            "INSERT INTO metapaas_plugin_tables (name, element) VALUES ('mine_more', 'mine')",
        ] {
            transaction.execute_unprepared(sql).await.unwrap();
        }
        plugin.offer.fences.grant(&transaction, &element, "mine_more").await.unwrap();
        transaction.commit().await.unwrap();
        plugin.offer.fences.refresh(&element).await.unwrap();
        assert_eq!(plugin.speech.query(all, &[]).await, "[id text up more] ");
        assert_eq!(plugin.speech.query("SELECT * FROM mine_more", &[]).await, "[id] ");
        let drop = "DELETE FROM metapaas_plugin_tables WHERE name = 'mine_more'";
        plugin.store.connection().execute_unprepared(drop).await.unwrap();
        plugin.offer.fences.refresh(&element).await.unwrap();
        if plugin.store.backend() == Backend::Sqlite {
            assert_eq!(plugin.speech.query("SELECT * FROM mine_more", &[]).await, "Denied");
        }
    })
    .await;
}

/// What a plugin does with a transaction before it is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Commit,
    Rollback,
    Nothing,
}

#[tokio::test]
async fn whenever_a_generation_is_cut_off_what_was_acknowledged_is_there_and_nothing_is_halfway() {
    const N_STATEMENTS: i64 = 4;
    each(async |plugin| {
        for round in 0..24_i64 {
            let last =
                [Last::Commit, Last::Rollback, Last::Nothing][usize::try_from(round % 3).unwrap()];
            let mut speech = Speech::begin(&plugin.offer);
            let tx = speech.begin_transaction().await;
            for nth in 0..N_STATEMENTS {
                let id = round * N_STATEMENTS + nth;
                let sql = format!("INSERT INTO mine_notes (id, text) VALUES ({id}, '{id}')");
                let statement = Statement { transaction: Some(tx), sql: &sql, params: Vec::new() };
                speech.say(&Request::Execute(statement));
            }
            let end = match last {
                Last::Commit => Some(speech.say(&Request::Commit(tx))),
                Last::Rollback => Some(speech.say(&Request::Rollback(tx))),
                Last::Nothing => None,
            };
            // Another moment in each round, from before the first statement to after the last.
            tokio::time::sleep(Duration::from_micros(150) * u32::try_from(round).unwrap()).await;
            speech.conversation.lost("it crashed");
            let mut is_done = false;
            for call in 2..=speech.n_calls {
                let outcome = speech.hear(call).await;
                is_done |= Some(call) == end && outcome.is_ok_and(|answer| told(&answer) == "done");
            }
            // It waits until the one before is over, on SQLite by the lock and elsewhere by its rows.
            let from = round * N_STATEMENTS;
            let sql = format!(
                "DELETE FROM mine_notes WHERE id >= {from} AND id < {}",
                from + N_STATEMENTS
            );
            let mut next = Speech::begin(&plugin.offer);
            let n_kept = next.execute(&sql, &[]).await;
            let whole = format!("touched {N_STATEMENTS}");
            match (last, is_done) {
                (Last::Commit, true) => assert_eq!(n_kept, whole, "round {round}"),
                (Last::Commit, false) => {
                    assert!(n_kept == whole || n_kept == "touched 0", "round {round}: {n_kept}");
                }
                (Last::Rollback | Last::Nothing, _) => {
                    assert_eq!(n_kept, "touched 0", "round {round}");
                }
            }
        }
    })
    .await;
}

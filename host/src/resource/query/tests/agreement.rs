//! The two readings of a predicate agree, and pages follow an order: on both databases, by chance.
//!
//! A failure names its seed; `check` of that seed alone is how to look at it.

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use plugin_abi::resource::columns;
use sea_orm::sea_query::{Alias, Expr, Query};
use sea_orm::{ConnectionTrait, StatementBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::member::Kind;
use super::random::Dice;
use super::*;
use crate::identity::{ProjectId, Visible};
use crate::resource::kept;
use crate::store::testing::Database;
use crate::store::{Backend, Store};
use crate::timestamp::Timestamp;

const TABLE: &str = "demo_instances";
const N_ROWS: u128 = 80;
const N_FILTERS: usize = 400;

/// A table of random resources, and their documents.
struct Table {
    store: Store,
    members: Members,
    documents: Vec<Value>,
}

impl Table {
    async fn fill(database: &Database, dice: &mut Dice) -> Self {
        let store = database.open().await.unwrap();
        let abi = match store.backend() {
            Backend::Sqlite => plugin_abi::database::Backend::Sqlite,
            Backend::Postgres => plugin_abi::database::Backend::Postgres,
        };
        for statement in columns::create(TABLE, abi).iter().map(String::as_str).chain([
            // Random names are not different ones.
            "DROP INDEX demo_instances_by_name",
            "ALTER TABLE demo_instances ADD region text",
            "ALTER TABLE demo_instances ADD replicas bigint",
            "ALTER TABLE demo_instances ADD ratio double precision",
            "ALTER TABLE demo_instances ADD versioning boolean",
            "ALTER TABLE demo_instances ADD checked_at timestamptz",
            "ALTER TABLE demo_instances ADD config text",
        ]) {
            store.connection().execute_unprepared(statement).await.unwrap();
        }
        if store.backend() == Backend::Postgres {
            // Sorts by a dictionary: what compares by bytes must say so itself.
            for column in ["region", "description", "name"] {
                let dictionary = format!(
                    "ALTER TABLE demo_instances ALTER {column} TYPE text COLLATE \"und-x-icu\""
                );
                store.connection().execute_unprepared(&dictionary).await.unwrap();
            }
        }
        let table = Self {
            members: members(),
            documents: (0..N_ROWS).map(|n| dice.document(n)).collect(),
            store,
        };
        for document in &table.documents {
            table.insert(document).await;
        }
        table
    }

    async fn insert(&self, document: &Value) {
        let backend = self.store.backend();
        let mut insert = Query::insert();
        insert.into_table(Alias::new(TABLE));
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, value) in document.as_object().unwrap() {
            names.push(Alias::new(name));
            let kind = self.members.find(name).unwrap().kind;
            values.push(Expr::val(column_value(backend, kind, value)));
        }
        for (name, value) in [
            ("parent_id", Expr::val(kept::uuid(backend, Uuid::nil()))),
            ("revision", Expr::val(1_i64)),
            ("conditions", Expr::val("[]")),
        ] {
            names.push(Alias::new(name));
            values.push(value);
        }
        insert.columns(names).values(values).unwrap();
        self.store.connection().execute(&insert).await.unwrap();
    }

    /// The ids that the database selects, in its order.
    async fn ids(&self, selection: &Selection, context: &str) -> Vec<Uuid> {
        let mut select = Query::select();
        select.column(Alias::new("id")).from(Alias::new(TABLE));
        selection.apply(&mut select, self.store.backend());
        let rows = self.store.connection().query_all(&select).await;
        let rows = rows.unwrap_or_else(|error| {
            let statement =
                StatementBuilder::build(&select, &self.store.connection().get_database_backend());
            panic!("{context}: {error}: {statement}")
        });
        let id = |row: &sea_orm::QueryResult| match self.store.backend() {
            Backend::Sqlite => row.try_get::<String>("", "id").unwrap().parse().unwrap(),
            Backend::Postgres => row.try_get::<Uuid>("", "id").unwrap(),
        };
        rows.iter().map(id).collect()
    }

    /// The ids that the documents say.
    fn expected(&self, selection: &Selection) -> Vec<Uuid> {
        let mut found: Vec<_> =
            self.documents.iter().filter(|document| selection.matches(document)).collect();
        found.sort_by(|a, b| selection.order.compare(a, b));
        found.iter().map(|document| id_of(document)).collect()
    }

    /// Whether the filter could be read, and told some resources from others.
    async fn agree(&self, asked: &Asked<'_>, context: &str) -> bool {
        let Ok(selection) = Selection::parse(&self.members, asked, 1_000) else { return false };
        let found = self.ids(&selection, context).await;
        assert_eq!(found, self.expected(&selection), "{context}");
        !found.is_empty() && found.len() < self.documents.len()
    }

    async fn pages_follow(&self, asked: &Asked<'_>, size: u64, context: &str) {
        let all = Selection::parse(&self.members, asked, size).unwrap();
        let mut found: Vec<Uuid> = Vec::new();
        let mut after = None;
        loop {
            let page = self.ids(&all.clone().behind(after), context).await;
            found.extend(&page);
            let Some(last) = page.last() else { break };
            let last = self.documents.iter().find(|document| id_of(document) == *last).unwrap();
            after = Some(all.order.read(&all.order.keys_of(last)).expect(context));
            assert!(found.len() <= self.documents.len(), "{context}: a page came twice");
        }
        assert_eq!(found, self.expected(&all), "{context}");
    }
}

fn id_of(document: &Value) -> Uuid {
    document["id"].as_str().unwrap().parse().unwrap()
}

fn column_value(backend: Backend, kind: Kind, value: &Value) -> sea_orm::sea_query::Value {
    let text = value.as_str();
    match kind {
        Kind::Uuid => kept::uuid(backend, text.unwrap().parse().unwrap()),
        Kind::Text => text.map(str::to_owned).into(),
        Kind::Integer => value.as_i64().into(),
        Kind::Number => value.as_f64().into(),
        Kind::Boolean => value.as_bool().into(),
        Kind::Timestamp => match text {
            Some(text) => kept::moment(backend, text.parse::<Timestamp>().unwrap().into_inner()),
            None if backend == Backend::Sqlite => None::<String>.into(),
            None => None::<time::OffsetDateTime>.into(),
        },
        Kind::Map => value.to_string().into(),
        Kind::Json => (!value.is_null()).then(|| value.to_string()).into(),
    }
}

async fn check(seed: u64) {
    for database in Database::each().await {
        let mut dice = Dice::new(seed);
        let table = Table::fill(&database, &mut dice).await;
        let backend = table.store.backend();
        let mut n_telling = 0;
        for n in 0..N_FILTERS {
            let text = match n % 6 {
                0 => dice.soup(),
                1 => dice.damaged(),
                _ => dice.filter(3),
            };
            let order = dice.order_by();
            let asked = Asked { filter: Some(&text), order_by: Some(&order), ..Asked::default() };
            let context = format!("seed {seed} on {backend}: {text:?} by {order:?}");
            n_telling += usize::from(table.agree(&asked, &context).await);
        }
        assert!(n_telling > N_FILTERS / 4, "seed {seed}: {n_telling} filters are worth a test");
        for _ in 0..25 {
            let (order, size) = (dice.order_by(), 1 + dice.below(30) as u64);
            let asked = Asked { order_by: Some(&order), ..Asked::default() };
            let context = format!("seed {seed} on {backend}: pages of {size} by {order:?}");
            table.pages_follow(&asked, size, &context).await;
        }
        drop(table);
        database.end().await;
    }
}

#[tokio::test]
async fn databases_and_documents_agree() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let chance = u64::try_from(now % u128::from(u64::MAX)).unwrap();
    for seed in [1, chance] {
        check(seed).await;
    }
}

#[test]
fn no_text_makes_anything_panic() {
    let members = members();
    let mut dice = Dice::new(7);
    let mut n_read = 0;
    for _ in 0..30_000 {
        let text = if dice.one_in(2) { dice.soup() } else { dice.damaged() };
        let each = [
            Asked { filter: Some(&text), ..Asked::default() },
            Asked { label_selector: Some(&text), ..Asked::default() },
            Asked { order_by: Some(&text), ..Asked::default() },
            Asked { name: Some(&text), status: Some(&text), ..Asked::default() },
        ];
        n_read += each.iter().filter(|asked| Selection::parse(&members, asked, 1).is_ok()).count();
        drop(fields(&members, &text));
    }
    assert!(n_read > 1_000, "{n_read}: what is tried is not near what can be read");
}

#[tokio::test]
async fn a_caller_sees_its_projects_and_single_instances() {
    for database in Database::each().await {
        let table = Table::fill(&database, &mut Dice::new(1)).await;
        let of = |n: u128| {
            table.documents.iter().filter(move |d| d["project_id"] == json!(Uuid::from_u128(n)))
        };
        let (own, other): (Vec<_>, Vec<_>) =
            (of(1).map(id_of).collect(), of(2).map(id_of).collect());
        let project = ProjectId::of(Uuid::from_u128(1));
        let some = Visible::Some {
            projects: [project].into(),
            instances: [other[0]].into(),
            hidden: [own[0], own[1]].into(),
        };
        let wanted: Vec<_> = own[2..].iter().chain(&other[..1]).copied().collect();
        let all: Vec<_> = table.documents.iter().map(id_of).collect();
        for (visible, mut wanted) in
            [(some, wanted), (Visible::Nothing, Vec::new()), (Visible::Everything, all)]
        {
            let by_id = Asked { order_by: Some("id"), ..Asked::default() };
            let selection = Selection::parse(&table.members, &by_id, 100).unwrap();
            let selection = selection.under(&table.members, None).seen_as(&table.members, &visible);
            wanted.sort();
            assert_eq!(table.ids(&selection, "seen").await, wanted, "{visible:?}");
        }
        let selection = Selection::parse(&table.members, &Asked::default(), 100).unwrap();
        let elsewhere = selection.clone().under(&table.members, Some(Uuid::from_u128(1)));
        assert!(table.ids(&elsewhere, "elsewhere").await.is_empty());
        let of_project = selection.of_project(&table.members, project);
        assert_eq!(table.ids(&of_project, "of a project").await.len(), own.len());
        drop(table);
        database.end().await;
    }
}

// === the reference for orders ===

impl Order {
    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let keys = self.keys().into_iter().map(|(name, kind, is_down)| {
            let (a, b) = (&a[&name], &b[&name]);
            match (a.is_null(), b.is_null()) {
                (true, true) => Ordering::Equal,
                // Last, whichever way.
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) if is_down => compare(kind, b, a),
                (false, false) => compare(kind, a, b),
            }
        });
        keys.fold(Ordering::Equal, Ordering::then)
    }
}

fn compare(kind: Kind, a: &Value, b: &Value) -> Ordering {
    match kind {
        Kind::Integer => a.as_i64().cmp(&b.as_i64()),
        Kind::Number => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        Kind::Boolean => a.as_bool().cmp(&b.as_bool()),
        // Moments and ids are written so that they sort.
        Kind::Uuid | Kind::Text | Kind::Timestamp | Kind::Map | Kind::Json => {
            a.as_str().cmp(&b.as_str())
        }
    }
}

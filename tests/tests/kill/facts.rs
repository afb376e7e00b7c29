//! What is seen of a daemon while nothing is under way, from inside and past it, and what must be true of it.

use metapaas_tests::daemon::Daemon;
use metapaas_tests::database::Look;
use metapaas_tests::writes::Written;
use serde_json::Value;

use super::life::ELEMENT_PATH;
use crate::migrating::{ELEMENT, Schema, VERSIONS, row_ids};

/// See the module.
#[derive(Debug)]
pub(super) struct Facts {
    /// Which version answers.
    serves: Option<&'static str>,
    /// What the daemon says of the element, if it knows one.
    element: Option<Value>,
    schema: Schema,
    /// What was acknowledged before anything was looked at.
    acknowledged: Written,
    /// The ids of the rows that there are, if there is a table of them.
    rows: Option<Vec<String>>,
    /// Roles of elements; none on SQLite.
    roles: Vec<String>,
    /// Processes of earlier lives.
    strays: Vec<String>,
}

impl Facts {
    /// Looks at a daemon that lives.
    ///
    /// # Errors
    /// When it does not outlive that: what was seen is not of a daemon at rest.
    pub(super) async fn of(
        daemon: &Daemon,
        look: &mut Look,
        acknowledged: Written,
    ) -> anyhow::Result<Self> {
        let client = &daemon.client;
        let health = client.try_get(&format!("/v1/types/{ELEMENT}/-/health")).await?;
        let element = client.try_get(ELEMENT_PATH).await?;
        let schema = Schema::of(look).await;
        let rows = match schema.tables.as_slice() {
            [] => None,
            [..] => Some(row_ids(look).await),
        };
        let roles = match daemon.own_database() {
            None => Vec::new(),
            Some(own) => look.texts(&own.roles_query()).await,
        };
        let strays = daemon.strays().iter().map(|stray| stray.id()).collect();
        let _alive = client.try_get("/readyz").await?;
        let serves = (health.status == 200).then(|| {
            let health: Value = health.json();
            let known = VERSIONS.into_iter().find(|version| health["version"] == *version);
            known.unwrap_or_else(|| panic!("no version of ours: {health}"))
        });
        let element = (element.status == 200).then(|| element.json());
        Ok(Self { serves, element, schema, acknowledged, rows, roles, strays })
    }

    /// Which version answers.
    pub(super) fn serves(&self) -> Option<&'static str> {
        self.serves
    }

    /// Whether there is a way back.
    pub(super) fn may_return(&self) -> bool {
        self.element.as_ref().is_some_and(|element| element["rollback_available"] == true)
    }

    /// What must be true whenever nothing is under way.
    pub(super) fn assert_whole(&self, may_serve: &[Option<&'static str>]) {
        let Self { serves, element, schema, acknowledged, rows, roles, strays } = self;
        assert!(
            may_serve.contains(serves),
            "{serves:?} serves, not one of {may_serve:?}: {self:#?}"
        );
        schema.assert_consistent();
        assert_eq!(schema.unsettled, [""; 0], "{self:#?}");
        assert_eq!(strays, &[""; 0], "processes of an earlier life are left");
        match serves {
            Some(version) => {
                let element = element.as_ref().unwrap_or_else(|| panic!("no element: {self:#?}"));
                let words = ["status", "version", "serving_version"];
                let words = words.map(|word| element[word].as_str());
                assert_eq!(words, ["ACTIVE", version, version].map(Some), "{element}");
                acknowledged.assert_kept(rows.as_ref().expect("what serves has its tables"));
            }
            None => {
                assert_eq!(element, &None);
                assert_eq!(schema.ledger, [""; 0], "{schema:#?}");
                assert_eq!(roles, &[""; 0], "roles are left");
            }
        }
    }
}

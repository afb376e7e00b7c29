//! The daemon is killed wherever it writes something down, and comes back whole.
//!
//! A life: `migrates` is installed, upgraded, rolled back, upgraded twice, finalized and uninstalled with its data,
//! while somebody writes rows. Each seed kills the daemon at one point of that life, some of them once more while it
//! comes back, and looks at it past the daemon afterwards. Seeds are spread evenly over the points.
//!
//! `METAPAAS_KILL_SEEDS` says how many seeds there are, `METAPAAS_KILL_SEED` runs one alone.

mod facts;
mod life;
mod seeds;

use metapaas_tests::database::Database;

/// Tests are run side by side, the seeds of one after another.
const N_SHARES: u64 = 4;

macro_rules! shares {
    ($($name:ident: $share:literal of $database:ident,)+) => {
        $(#[tokio::test]
        async fn $name() {
            seeds::run($share, Database::$database).await;
        })+
    };
}

shares! {
    on_sqlite_1: 0 of Sqlite,
    on_sqlite_2: 1 of Sqlite,
    on_sqlite_3: 2 of Sqlite,
    on_sqlite_4: 3 of Sqlite,
    on_postgres_1: 0 of Postgres,
    on_postgres_2: 1 of Postgres,
    on_postgres_3: 2 of Postgres,
    on_postgres_4: 3 of Postgres,
}

//! Which seeds there are, and at which point each kills.

use std::fs;

use metapaas_tests::database::Database;

use super::N_SHARES;
use super::life::{Ended, Kills, live};

/// Seeds for both databases together.
const N_SEEDS: u64 = 200;

/// Runs the seeds of one share.
pub(super) async fn run(share: u64, database: Database) {
    let points = points(database).await;
    let n_points = points.len() as u64;
    for seed in of_share(share, database) {
        // Every fourth is killed once more, soon after it was started again.
        let again = (seed % 4 == 3).then(|| mixed(seed) % 6 + 1);
        let mut first = spread(seed) % n_points + 1;
        loop {
            tell(seed, &format!("on {database:?} at point {first} of {n_points}, then {again:?}"));
            match live(database, Kills { first, again }).await {
                Ended::AfterAKill => break,
                // There are fewer points when fewer rows are filled in.
                Ended::Untouched => first = first * 3 / 4,
            }
        }
    }
}

/// Shown when a seed fails.
#[expect(clippy::print_stderr, reason = "the runner shows what a failing test has said")]
fn tell(seed: u64, what: &str) {
    eprintln!("METAPAAS_KILL_SEED={seed}: {what}");
}

/// The points of a life that nobody disturbs, in order.
async fn points(database: Database) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("points");
    super::life::record(database, &log).await;
    let points: Vec<String> = fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect();
    for wanted in ["operation.commit", "migration.commit", "wish.before"] {
        assert!(points.iter().any(|point| point == wanted), "no `{wanted}` among {points:?}");
    }
    points
}

/// The seeds of this share: even ones are for SQLite, odd ones for PostgreSQL.
fn of_share(share: u64, database: Database) -> Vec<u64> {
    let is_ours = |seed: &u64| {
        let parity = match database {
            Database::Sqlite => 0,
            Database::Postgres => 1,
        };
        seed % 2 == parity && (seed / 2) % N_SHARES == share
    };
    if let Some(only) = number("METAPAAS_KILL_SEED") {
        return Some(only).filter(is_ours).into_iter().collect();
    }
    (0..number("METAPAAS_KILL_SEEDS").unwrap_or(N_SEEDS)).filter(is_ours).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` is `{text}`: wanted a number")))
}

/// Successive seeds of one database, spread over any range: steps of the golden ratio.
fn spread(seed: u64) -> u64 {
    (seed / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11
}

/// The bits of a seed, mixed (splitmix64).
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

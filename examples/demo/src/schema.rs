//! How the columns came to be; the table is the daemon's. What has been released here never changes: a further step
//! puts it right.

use plugin_sdk::prelude::*;

use crate::{Demo, IS_NEXT};

const GREETED: &str = "01978c1e-8a54-7b7e-9d0c-5a0f2f6f1a11";
const GREETINGS: &str = "01978c1e-8a54-7b7e-9d0c-5a0f2f6f1a12";
const PAGES: &str = "01978c1e-8a54-7b7e-9d0c-5a0f2f6f1a13";
const OLD_INDEX: &str = "01978c1e-8a54-7b7e-9d0c-5a0f2f6f1a14";

/// How many rows one part of the backfill fills in.
const ROWS_A_PART: usize = 500;

pub(crate) fn migrations() -> Vec<Migration<Demo>> {
    let mut steps = vec![
        Migration::expand(GREETED, "how often instances were greeted")
            .up([
                "ALTER TABLE demo_instances ADD COLUMN greeted bigint",
                "CREATE INDEX demo_instances_greeted ON demo_instances (greeted)",
            ])
            .down([
                "DROP INDEX demo_instances_greeted",
                "ALTER TABLE demo_instances DROP COLUMN greeted",
            ]),
    ];
    if IS_NEXT {
        steps.extend(of_next());
    }
    steps
}

/// What 0.2.0 adds. While it is rolled out 0.1.0 still serves, so the column may be empty.
fn of_next() -> [Migration<Demo>; 3] {
    [
        Migration::expand(GREETINGS, "instances keep their greeting")
            .depends_on(GREETED)
            .up("ALTER TABLE demo_instances ADD COLUMN greeting text")
            .down("ALTER TABLE demo_instances DROP COLUMN greeting")
            .backfill("greetings", fill_in_greetings),
        Migration::expand(PAGES, "an index that gives pages without sorting")
            .depends_on(GREETED)
            .up("CREATE INDEX demo_instances_pages ON demo_instances (greeted, id)")
            .down("DROP INDEX demo_instances_pages"),
        // 0.1.0 would serve without it, but slowly: so it goes when there is no way back to 0.1.0.
        Migration::contract(OLD_INDEX, "the index that the new one replaces")
            .depends_on(PAGES)
            .up("DROP INDEX demo_instances_greeted"),
    ]
}

/// Gives instances that 0.1.0 made the greeting that they would have got. What is filled in is not found again,
/// so the cursor has nothing to say.
async fn fill_in_greetings(
    demo: State<Demo>,
    db: Database,
    _: Cursor,
) -> Result<Progress, DbError> {
    let sql = format!(
        "UPDATE demo_instances SET greeting = $1 WHERE id IN
         (SELECT id FROM demo_instances WHERE greeting IS NULL LIMIT {ROWS_A_PART})"
    );
    let n_rows = db.execute(&sql, (&demo.greeting,)).await?;
    let progress = if n_rows == 0 { Progress::done() } else { Progress::more("") };
    Ok(progress.rows(n_rows))
}

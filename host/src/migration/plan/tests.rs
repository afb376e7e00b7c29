//! What holds for every plan: chains, ledgers and ways between versions at random.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::migration::checksum::Checksum;
use crate::store::Backend;

/// A release: how many migrations it adds, which of them are contract steps, and what each depends on.
type Release = Vec<(bool, Vec<Index>)>;

const VERSIONS_MAX: usize = 4;

fn releases() -> impl Strategy<Value = Vec<Release>> {
    let migration = (prop::bool::weighted(0.3), prop::collection::vec(any::<Index>(), 0..3));
    let release = prop::collection::vec(migration, 0..4);
    prop::collection::vec(release, 1..=VERSIONS_MAX)
}

fn id(number: usize) -> MigrationId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

/// The chains of every version: each has all that came before.
fn chains(releases: &[Release]) -> Vec<Arc<Chain>> {
    let mut all: Vec<Arc<Migration>> = Vec::new();
    let mut chains = Vec::new();
    for (minor, release) in releases.iter().enumerate() {
        for (is_contract, depends_on) in release {
            let number = all.len();
            let depends_on = match number {
                0 => Vec::new(),
                n => depends_on.iter().map(|index| id(index.index(n))).collect(),
            };
            all.push(Arc::new(Migration {
                id: id(number),
                author: Author::Plugin,
                name: format!("step {number}"),
                depends_on,
                phase: if *is_contract { Phase::Contract } else { Phase::Expand },
                up: Vec::new(),
                down: (!is_contract).then(Vec::new),
                backfill: (!is_contract && number.is_multiple_of(2)).then(|| "fill".to_owned()),
                checksum: Checksum::from_ledger(format!("sum {number}")),
            }));
        }
        let version = Version::new(0, minor as u64 + 1, 0);
        chains.push(Arc::new(Chain::for_tests(version, Backend::Sqlite, all.clone())));
    }
    chains
}

/// A database that does what plans say, and nothing that they do not.
#[derive(Debug, Clone, Default, PartialEq)]
struct Database {
    rows: Vec<Applied>,
}

impl Database {
    fn ledger(&self) -> Ledger {
        Ledger::new(self.rows.clone())
    }

    fn has(&self, id: MigrationId) -> bool {
        self.rows.iter().any(|row| row.id == id)
    }

    fn undo(&mut self, id: MigrationId) {
        let last = self.rows.pop().expect("there is something to undo");
        assert_eq!(last.id, id, "steps are undone newest first");
        assert_eq!(last.standing, Standing::Unsettled, "what is settled is never undone");
    }

    fn apply(&mut self, step: &Step, standing: Standing) {
        let Step { migration, version } = step;
        assert!(!self.has(migration.id), "{} is run twice", migration.name);
        for dependency in &migration.depends_on {
            assert!(self.has(*dependency), "{} is run before {dependency}", migration.name);
        }
        self.rows.push(Applied {
            id: migration.id,
            name: migration.name.clone(),
            checksum: migration.checksum.clone(),
            phase: migration.phase,
            version: version.clone(),
            applied_at: time::OffsetDateTime::UNIX_EPOCH,
            duration_ms: 0,
            position: self.ledger().next_position(),
            standing,
            down: migration.down.clone(),
        });
    }

    /// Runs the first `n_max` steps of a plan: a rollout may be ended anywhere.
    fn run(&mut self, plan: &Plan, n_max: usize) {
        plan.undo.iter().for_each(|applied| self.undo(applied.id));
        let first = plan.contract_first.iter().map(|step| (step, Standing::Settled));
        let then = plan.expand.iter().map(|step| (step, Standing::Unsettled));
        first.chain(then).take(n_max).for_each(|(step, standing)| self.apply(step, standing));
    }

    fn settle(&mut self) {
        self.rows.iter_mut().for_each(|row| row.standing = Standing::Settled);
    }

    fn undo_unsettled(&mut self) {
        let unsettled: Vec<_> = self.ledger().unsettled().map(|row| row.id).collect();
        unsettled.into_iter().for_each(|id| self.undo(id));
    }
}

/// Something that happens to an element.
#[derive(Debug, Clone)]
enum Event {
    /// A rollout to a version comes to serve.
    Serve(Index),
    /// One ends after some steps and is undone.
    Fail(Index, Index),
    /// One ends after some steps, with the daemon.
    Crash(Index, Index),
    /// The contract steps of what serves are run.
    Finalize,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<Index>().prop_map(Event::Serve),
        2 => any::<(Index, Index)>().prop_map(|(version, n)| Event::Fail(version, n)),
        2 => any::<(Index, Index)>().prop_map(|(version, n)| Event::Crash(version, n)),
        1 => Just(Event::Finalize),
    ]
}

/// An element over time.
#[derive(Debug, Default)]
struct Element {
    database: Database,
    serving: Option<Arc<Chain>>,
}

impl Element {
    fn plan(&self, target: &Arc<Chain>) -> Option<Plan> {
        let plan = plan(target, self.serving.as_deref(), &self.database.ledger()).ok()?;
        for left in self.database.ledger().unsettled() {
            let is_undone = plan.undo.iter().any(|applied| applied.id == left.id);
            assert!(is_undone || target.find(left.id).is_some(), "{} is left behind", left.name);
        }
        let in_expand = plan.expand.iter().any(|step| step.migration.phase == Phase::Contract);
        assert!(self.serving.is_none() || !in_expand, "a contract step under code that serves");
        for step in plan.contract_first.iter().filter(|_step| self.serving.is_some()) {
            let serving = self.serving.as_ref().expect("filtered for it");
            assert!(serving.find(step.migration.id).is_some(), "it does not suit what serves");
            assert!(serving.version() < target.version(), "a contract step on the way back");
        }
        Some(plan)
    }

    fn go(&mut self, chains: &[Arc<Chain>], event: &Event) {
        match event {
            Event::Serve(version) => {
                let target = version.get(chains);
                if let Some(plan) = self.plan(target) {
                    self.database.run(&plan, usize::MAX);
                    self.serves(target);
                }
            }
            Event::Fail(version, n) => {
                if let Some(plan) = self.plan(version.get(chains)) {
                    self.database.run(&plan, 0);
                    let mut settled = self.database.clone();
                    let n_first = plan.contract_first.len();
                    let n_steps = n.index(plan.steps().count() + 1);
                    let only_first = Plan { undo: Vec::new(), ..plan.clone() };
                    settled.run(&only_first, n_first.min(n_steps));
                    self.database.run(&only_first, n_steps);
                    self.database.undo_unsettled();
                    settled.undo_unsettled();
                    assert_eq!(self.database, settled, "undoing leaves what was before");
                }
            }
            Event::Crash(version, n) => {
                if let Some(plan) = self.plan(version.get(chains)) {
                    self.database.run(&plan, n.index(plan.steps().count() + 1));
                }
            }
            Event::Finalize => {
                let Some(serving) = self.serving.clone() else { return };
                self.database.undo_unsettled();
                let plan = finalize(&serving, &self.database.ledger()).unwrap();
                assert!(plan.expand.is_empty());
                self.database.run(&plan, usize::MAX);
                let all = serving.migrations().iter();
                assert!(all.clone().all(|migration| self.database.has(migration.id)));
            }
        }
    }

    fn serves(&mut self, target: &Arc<Chain>) {
        self.database.settle();
        self.serving = Some(Arc::clone(target));
        for migration in target.migrations() {
            let is_needed = migration.phase == Phase::Expand;
            assert!(!is_needed || self.database.has(migration.id), "{} is missing", migration.name);
        }
        let again = plan(target, Some(target), &self.database.ledger()).unwrap();
        assert!(again.is_empty(), "nothing is left to do: {again:?}");
    }
}

proptest! {
    #[test]
    fn whatever_happens_no_step_is_run_twice_nor_too_early_and_undoing_is_exact(
        releases in releases(),
        events in prop::collection::vec(event(), 1..12),
    ) {
        let chains = chains(&releases);
        let mut element = Element::default();
        for event in &events {
            element.go(&chains, event);
        }
    }

    #[test]
    fn what_serves_can_be_left_for_the_next_version_and_returned_to(releases in releases()) {
        let chains = chains(&releases);
        let mut element = Element::default();
        for version in &chains {
            let before = element.serving.clone();
            // One version after the other, there is always a way; it may need the contract steps of before.
            let plan = plan(version, before.as_deref(), &element.database.ledger());
            let Ok(plan) = plan else {
                let is_skipped = matches!(plan.as_ref().map_err(|error| &**error), Err(PlanError::Skipped { .. }));
                prop_assert!(is_skipped, "{:?}", plan);
                break;
            };
            element.database.run(&plan, usize::MAX);
            element.serves(version);
            let Some(before) = before else { continue };
            let ledger = element.database.ledger();
            prop_assert_eq!(ledger.rollback(before.version()), Rollback::Available);
            let back = super::plan(&before, Some(version), &ledger).unwrap();
            prop_assert_eq!(back.steps().count(), 0, "a rollback leaves everything in place");
            // Once the newer version's contract steps are run there is none.
            let last = finalize(version, &ledger).unwrap();
            let mut finalized = element.database.clone();
            finalized.run(&last, usize::MAX);
            let back = super::plan(&before, Some(version), &finalized.ledger()).map_err(|error| *error);
            let is_new = |step: &&Step| before.find(step.migration.id).is_none();
            let is_gone = last.contract_first.iter().any(|step| is_new(&step));
            prop_assert_eq!(matches!(back, Err(PlanError::ContractApplied { .. })), is_gone);
        }
    }
}

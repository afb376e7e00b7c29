//! Bringing resources about: asking their plugins, again and again, until what is there is what is wanted.
//!
//! One loop ([`Reconciler::follow`]) takes from the [`queue`] what is due, as many at a time as the settings allow,
//! and has each looked at in a [`pass`]. A resource is due when it is written ([`Reconciler::wake`]), when its plugin
//! said so, when what failed has been left alone long enough, when another generation comes to serve, and by period.
//!
//! Invariants:
//! - A pass reads everything anew and takes nothing as given; asked twice, a plugin finds nothing left to do.
//! - One resource is never worked on by two passes at once, and one that fails holds up no other.
//! - What a plugin said is written only if the row still is the one that it was said about, or the part that no
//!   client writes; no acknowledged write is lost to it.
//! - While a plugin is absent nothing is tried and nothing counts as failed: what is due waits for it, deletions too.
//!
//! Not here: what clients write, and what a status is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin_abi::descriptor::Hook;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use super::config::Config;
use crate::model::TypeModel;
use crate::operation::Operations;
use crate::plugin::Plugins;
use crate::plugin::generation::Generation;
use crate::secret::Secrets;
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::timestamp::Timestamp;

mod back_off;
mod outcome;
mod pass;
mod queue;
mod report;

use pass::Work;
pub(crate) use queue::Key;
use queue::Queue;
pub(crate) use report::ends;

/// What a pass needs.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where rows are.
    pub(crate) store: Store,
    /// Who is asked.
    pub(crate) plugins: Arc<Plugins>,
    /// What clients wait for, and who is told of changes.
    pub(crate) operations: Operations,
    /// What plugins say that must be kept secret.
    pub(crate) secrets: Secrets,
    /// The limits.
    pub(crate) config: Config,
    /// The owner of the passes.
    pub(crate) tasks: Tasks,
}

/// See the module. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Reconciler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    queue: Mutex<Queue<Work>>,
    /// Something is due, or a pass is over.
    news: Notify,
}

/// A type that somebody serves.
struct Serving {
    r#type: Arc<TypeModel>,
    generation: Arc<Generation>,
    since: Timestamp,
}

impl Reconciler {
    /// Nothing is looked at before [`Self::follow`].
    pub(crate) fn new(parts: Parts) -> Self {
        let (queue, news) = (Mutex::new(Queue::new()), Notify::new());
        Self(Arc::new(Inner { parts, queue, news }))
    }

    /// Has a resource looked at now.
    pub(crate) fn wake(&self, slug: &str, collection: &str, id: Uuid) {
        let (slug, collection) = (slug.to_owned(), collection.to_owned());
        self.wake_at(Key { slug, collection, id }, Instant::now());
    }

    fn wake_at(&self, key: Key, at: Instant) {
        self.queue().wake(key, at);
        self.0.news.notify_one();
    }

    /// Looks at what is due until the daemon ends.
    pub(crate) async fn follow(self) {
        let Parts { plugins, config, tasks, .. } = &self.0.parts;
        let mut switches = plugins.tables.switches();
        let mut periods = interval(config.resync());
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.begin_due();
            let due = self.next_due();
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tasks.cancelled() => return,
                () = due => {}
                () = self.0.news.notified() => {}
                Ok(()) = switches.changed() => self.wake_all().await,
                _now = periods.tick() => self.wake_all().await,
            }
        }
    }

    /// When the loop has something to begin; never while it may begin nothing.
    fn next_due(&self) -> Option<Instant> {
        let queue = self.queue();
        let has_room = queue.n_working() < self.0.parts.config.reconciles_max.get();
        if has_room { queue.next_due() } else { None }
    }

    fn begin_due(&self) {
        let n_max = self.0.parts.config.reconciles_max.get();
        loop {
            let taken = {
                let mut queue = self.queue();
                if queue.n_working() >= n_max { None } else { queue.take(Instant::now()) }
            };
            let Some((key, work)) = taken else { return };
            let this = self.clone();
            self.0.parts.tasks.spawn("reconcile", async move { this.work_on(key, work).await });
        }
    }

    async fn work_on(&self, key: Key, mut work: Work) {
        let pass = pass::pass(self, &key, &mut work);
        let after = tokio::select! {
            // What it asked of a plugin is asked again by the next start.
            () = self.0.parts.tasks.cancelled() => return,
            after = pass => after,
        };
        let now = Instant::now();
        self.queue().done(key, after.map(|after| now + after), work, now);
        self.0.news.notify_one();
    }

    /// Has every resource looked at that a plugin which serves now brings about.
    async fn wake_all(&self) {
        let Parts { store, plugins, .. } = &self.0.parts;
        let models: Vec<_> = {
            let table = plugins.tables.load();
            let types = table.types().into_iter().filter(|served| served.published().is_some());
            types.flat_map(|served| served.model.resources().iter().cloned()).collect()
        };
        for model in models.iter().filter(|model| model.has(Hook::Reconcile)) {
            match super::rows::ids(store.connection(), model).await {
                Ok(ids) => ids.into_iter().for_each(|id| {
                    self.wake(&model.slug, model.collection(), id);
                }),
                Err(error) => {
                    let cause = crate::log::chain(&error).to_string();
                    tracing::error!(table = model.table(), "resources cannot be listed: {cause}");
                }
            }
        }
    }

    /// What a type declares and who serves it, if anybody does now.
    fn serving(&self, slug: &str) -> Option<Serving> {
        let table = self.0.parts.plugins.tables.load();
        let served = table.type_of(slug)?;
        let generation = Arc::clone(&served.published()?.generation);
        Some(Serving { r#type: Arc::clone(&served.model), generation, since: served.since })
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Work>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

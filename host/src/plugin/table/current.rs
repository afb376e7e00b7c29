//! The table that is in force, and the one way to another.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use packer::bundle::ElementName;
use tokio::sync::watch;

use super::{Clash, Models, Published, Table};
use crate::model::TypeModel;

/// The table that is in force.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    current: ArcSwap<Table>,
    /// Told of each change of the table, after it is in force.
    switches: watch::Sender<()>,
    /// Held while a table is derived from the one before it; never by a request.
    changing: Mutex<()>,
}

impl Tables {
    /// The table in force, for as long as the guard is held.
    pub(crate) fn load(&self) -> Guard<Arc<Table>> {
        self.current.load()
    }

    /// Sees every change of the table from now on.
    pub(crate) fn switches(&self) -> watch::Receiver<()> {
        self.switches.subscribe()
    }

    /// Lets `published` answer for its element, with the mounts that were granted to it.
    ///
    /// # Errors
    /// Another element has what this one declares; then nothing changes.
    pub(crate) fn publish(
        &self,
        published: &Arc<Published>,
        mounts: &[String],
    ) -> Result<(), Clash> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.current.load().with(published, mounts)?;
        self.current.store(Arc::new(table));
        self.switches.send_replace(());
        Ok(())
    }

    /// Whether [`Self::publish`] would find a clash, as things are now.
    ///
    /// # Errors
    /// Another element has what this one declares.
    pub(crate) fn check(&self, published: &Arc<Published>, mounts: &[String]) -> Result<(), Clash> {
        self.current.load().with(published, mounts).map(drop)
    }

    /// Lets nobody answer for `element`. Its resources can still be read.
    pub(crate) fn withdraw(&self, element: &ElementName) {
        self.change(|table| table.without(element, Models::Keep));
    }

    /// Lets nobody answer for `element`, and forgets its types.
    pub(crate) fn forget(&self, element: &ElementName) {
        self.change(|table| table.without(element, Models::Forget));
    }

    /// Lets nobody answer for `element`, whose types are these.
    pub(crate) fn withdraw_to(&self, element: &ElementName, models: Vec<Arc<TypeModel>>) {
        self.change(|table| table.without(element, Models::Forget).knowing(models));
    }

    /// Notes types for which nobody answers yet. Those that are there already stay.
    pub(crate) fn know(&self, models: Vec<Arc<TypeModel>>) {
        self.change(|table| table.clone().knowing(models));
    }

    fn change(&self, changed: impl FnOnce(&Table) -> Table) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let table = changed(&self.current.load());
        self.current.store(Arc::new(table));
        self.switches.send_replace(());
    }
}

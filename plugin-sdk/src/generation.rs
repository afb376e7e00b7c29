//! What all parts of one running generation share: the way to the host, calls under way, tasks alive.
//!
//! It is made by `run` and everything that outlives a call holds it by `Arc`. Not here: the plugin's own
//! state, which only [`crate::runtime`] and the handlers see.

use std::fmt;
use std::sync::Arc;

use plugin_abi::api::HostApi;
use plugin_abi::database::Backend;
use plugin_abi::message::{CallId, Outbound};
use plugin_abi::root::Mode;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::calls::{Call, Calls};
use crate::resource::declaration::ByStruct;
use crate::tasks::Tasks;

/// See the module.
pub(crate) struct Generation {
    pub(crate) element: String,
    pub(crate) version: String,
    pub(crate) number: u64,
    /// Which database stands behind the database service.
    pub(crate) database: Backend,
    /// Which struct is served as which collection.
    pub(crate) by_struct: ByStruct,
    pub(crate) mode: Mode,
    pub(crate) host: HostApi,
    pub(crate) calls: Calls,
    pub(crate) tasks: Tasks,
    /// Where tasks run; a handle, so that other threads of the plugin can start them too.
    pub(crate) runtime: Handle,
    /// Set once by the run loop when the host says stop; read by whoever waits for the end.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Generation {
    /// Asks the host for something that it completes later.
    pub(crate) fn call<'m>(self: &Arc<Self>, message: impl FnOnce(CallId) -> Outbound<'m>) -> Call {
        let call = Call::begin(Arc::clone(self));
        self.host.send(message(call.id()));
        call
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {}", self.element, self.number, self.version)
    }
}

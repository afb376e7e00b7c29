//! What the host calls by a name: backfills, and the hooks of declared resources.

use std::collections::HashMap;

use crate::handler::Endpoint;
use crate::problem::Problem;
use crate::response::IntoResponse;

/// The hooks of a plugin, by the name that the host calls them by.
pub(crate) struct Hooks<P> {
    endpoints: HashMap<String, Endpoint<P>>,
    /// Answers for those that there are not.
    unknown: Endpoint<P>,
}

impl<P> Hooks<P> {
    pub(crate) fn new() -> Self {
        let unknown: Endpoint<P> = Box::new(|request| {
            let detail = format!("this plugin has no hook `{}`", request.path());
            Box::pin(async { Problem::not_found(detail).into_response() })
        });
        Self { endpoints: HashMap::new(), unknown }
    }

    /// Adds one; `false` when there was one of that name, which is replaced.
    pub(crate) fn add(&mut self, name: String, endpoint: Endpoint<P>) -> bool {
        self.endpoints.insert(name, endpoint).is_none()
    }

    /// What answers the hook of this name.
    pub(crate) fn find(&self, name: &str) -> &Endpoint<P> {
        self.endpoints.get(name).unwrap_or(&self.unknown)
    }

    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.endpoints.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

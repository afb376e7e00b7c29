//! What of things that belong to projects, or to the platform, a caller may see.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::event::Event;
use crate::identity::{Caller, ProjectId, Scope};
use crate::operation::Operation;

/// Whether `caller` may see what belongs to `project`, or to the platform, and takes `permission` there.
pub(crate) fn sees(
    caller: &Caller,
    permission: &str,
    project: Option<ProjectId>,
    instance: Option<Uuid>,
) -> bool {
    match project {
        None => caller.allows_on_platform(permission),
        Some(project) => {
            let slug = permission.split('.').next();
            caller.allows(permission, &Scope { project, slug, instance })
        }
    }
}

/// Whether `caller` may see an event.
pub(crate) fn sees_event(caller: &Caller, event: &Event) -> bool {
    sees(caller, &event.permission, event.project, event.instance)
}

/// Whether `caller` may see an operation: whoever may see what it is about.
pub(crate) fn sees_operation(caller: &Caller, operation: &Operation) -> bool {
    let project = operation.target.project.map(ProjectId::of);
    sees(caller, &operation.permission(), project, operation.target.instance)
}

/// The only projects of which `caller` may see something; nothing: it may see all that is the platform's.
pub(crate) fn projects(caller: &Caller, on_platform: &str) -> Option<BTreeSet<ProjectId>> {
    (!caller.allows_on_platform(on_platform)).then(|| caller.projects())
}

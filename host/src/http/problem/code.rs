//! Every problem code: one row each, and nowhere else.
//!
//! A code has one meaning for ever. The macro makes the enum and its list from the same rows, so that a code
//! cannot exist without being listed, which a table beside an enum could not promise.

use std::fmt;

use ::http::StatusCode;

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Not without a change.
    Never,
    /// Yes, after about so many seconds.
    After(u32),
}

/// What is fixed about a code.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name that clients match on.
    pub(crate) name: &'static str,
    /// The status of an answer with it.
    pub(crate) status: StatusCode,
    /// What it means, in a few words.
    pub(crate) title: &'static str,
    /// What to do next, where the problem itself says nothing better.
    pub(crate) hint: &'static str,
    /// Whether to try again.
    pub(crate) retry: Retry,
}

macro_rules! codes {
    ($($code:ident = $name:literal, $status:ident, $retry:expr, $title:literal, $hint:literal;)*) => {
        /// What went wrong, in one stable word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// All of them, in the order in which they are listed.
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)*];

            /// What is fixed about it.
            pub(crate) const fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$code => &Spec {
                        name: $name,
                        status: StatusCode::$status,
                        title: $title,
                        hint: $hint,
                        retry: $retry,
                    },)*
                }
            }
        }
    };
}

use Retry::{After, Never};

codes! {
    BadRequest = "BAD_REQUEST", BAD_REQUEST, Never,
        "Bad request", "Correct the request.";
    InvalidJson = "INVALID_JSON", BAD_REQUEST, Never,
        "Invalid JSON", "Send one JSON document.";
    UnknownField = "UNKNOWN_FIELD", BAD_REQUEST, Never,
        "Unknown field", "Remove the field or correct its name.";
    FieldReadOnly = "FIELD_READ_ONLY", BAD_REQUEST, Never,
        "Read-only field", "Remove the field: the platform or the plugin says it.";
    FieldImmutable = "FIELD_IMMUTABLE", BAD_REQUEST, Never,
        "Field cannot be changed", "Leave it as it is, or make another resource.";
    NameInvalid = "NAME_INVALID", BAD_REQUEST, Never,
        "Invalid name", "Use 1 to 63 of a-z, 0-9 and -, with a letter or digit at either end, and no UUID.";
    FilterInvalid = "FILTER_INVALID", BAD_REQUEST, Never,
        "Filter cannot be read", "Correct it at the column that the problem names.";
    PageTokenMismatch = "PAGE_TOKEN_MISMATCH", BAD_REQUEST, Never,
        "Page token of another list", "Begin without page_token, and keep filter and order while paging.";
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, Never,
        "Not authenticated", "Send the token as `Authorization: Bearer`, as `X-API-Key` or as a Basic password.";
    Forbidden = "FORBIDDEN", FORBIDDEN, Never,
        "Forbidden", "Ask an administrator for the permission.";
    NotFound = "NOT_FOUND", NOT_FOUND, Never,
        "Not found", "Check the name.";
    RouteNotFound = "ROUTE_NOT_FOUND", NOT_FOUND, Never,
        "No such route", "GET /v1/ lists where to begin.";
    TypeNotFound = "TYPE_NOT_FOUND", NOT_FOUND, Never,
        "No such type", "GET /v1/elements lists what is installed; install the element that provides the type.";
    ElementNotFound = "ELEMENT_NOT_FOUND", NOT_FOUND, Never,
        "No such element", "GET /v1/elements lists the elements.";
    VersionNotFound = "VERSION_NOT_FOUND", NOT_FOUND, Never,
        "No such version", "Choose one of the known versions.";
    OperationNotFound = "OPERATION_NOT_FOUND", NOT_FOUND, Never,
        "No such operation", "GET /v1/operations lists the operations; old ones are forgotten.";
    ActionNotFound = "ACTION_NOT_FOUND", NOT_FOUND, Never,
        "No such action", "Use one of the actions that the problem lists.";
    VersionRequired = "VERSION_REQUIRED", BAD_REQUEST, Never,
        "Version required", "Say which version; GET /v1/elements lists those that can be installed.";
    ProjectNotFound = "PROJECT_NOT_FOUND", NOT_FOUND, Never,
        "No such project", "GET /v1/iam/projects lists the projects.";
    ProjectRequired = "PROJECT_REQUIRED", BAD_REQUEST, Never,
        "Project required", "Name one by `?project=` or in the header `X-Project-Id`.";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, Never,
        "Method not allowed", "Use one of the methods in the Allow header.";
    ValueTaken = "VALUE_TAKEN", CONFLICT, Never,
        "Value is taken", "Choose another value for the field that the problem names.";
    PatchUnfit = "PATCH_UNFIT", CONFLICT, Never,
        "Patch does not fit", "Read the resource again, and make the patch for what it is now.";
    ChangedMeanwhile = "CHANGED_MEANWHILE", CONFLICT, After(1),
        "Changed by others", "Try again.";
    OperationInProgress = "OPERATION_IN_PROGRESS", CONFLICT, After(1),
        "Something else is being done", "Wait for the operation that the problem names.";
    ResourceDeleting = "RESOURCE_DELETING", CONFLICT, Never,
        "Resource is being deleted", "Wait until it is gone, and make another.";
    DeletionProtected = "DELETION_PROTECTED", CONFLICT, Never,
        "Protected from deletion", "Set deletion_protection to false first.";
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", CONFLICT, After(1),
        "First attempt still runs", "Try again: the answer to the first attempt will be repeated.";
    ElementBusy = "ELEMENT_BUSY", CONFLICT, After(1),
        "Element is changing", "Wait for its operation to end.";
    OperationFinished = "OPERATION_FINISHED", CONFLICT, Never,
        "Operation has ended", "Ask for what you want instead; it becomes an operation of its own.";
    OperationCanceled = "OPERATION_CANCELED", CONFLICT, Never,
        "Operation was canceled", "What was before is as it was; ask again for what you want.";
    NotCancellable = "NOT_CANCELLABLE", CONFLICT, Never,
        "Operation cannot be canceled", "Ask for what you want instead; the newer operation supersedes this one.";
    NameTaken = "NAME_TAKEN", CONFLICT, Never,
        "Name is taken", "Choose another name.";
    NotEmpty = "NOT_EMPTY", CONFLICT, Never,
        "Not empty", "Remove first what the problem names.";
    BuiltIn = "BUILT_IN", CONFLICT, Never,
        "Built in", "Leave it as it is, or make another.";
    ApiKeyOver = "API_KEY_OVER", CONFLICT, Never,
        "API key is over", "Make another key.";
    QuotaExceeded = "QUOTA_EXCEEDED", CONFLICT, Never,
        "Quota exceeded", "Remove something, or ask for a higher limit; GET /v1/iam/projects/{id}/quotas shows both.";
    ManagedByFile = "MANAGED_BY_FILE", CONFLICT, Never,
        "Managed by a file", "Change or remove that file.";
    RollbackUnavailable = "ROLLBACK_UNAVAILABLE", CONFLICT, Never,
        "No way back", "Want a version by PUT; its rollout says whether the schema suits it.";
    InstancesExist = "INSTANCES_EXIST", CONFLICT, Never,
        "Instances exist", "Delete them first, or add `?cascade=true`; their data stays unless `purge=true` is added too.";
    ResumeExpired = "RESUME_EXPIRED", GONE, Never,
        "Cannot go on from there", "Watch again without `since`: what there is comes first.";
    SlowConsumer = "SLOW_CONSUMER", TOO_MANY_REQUESTS, After(1),
        "Events were read too slowly", "Watch again from the last id, and read faster or watch less.";
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED, Never,
        "Resource is in another state", "Read the resource again, and send the change with its etag.";
    PreconditionRequired = "PRECONDITION_REQUIRED", PRECONDITION_REQUIRED, Never,
        "State must be named", "Send If-Match with the etag of the resource as you know it.";
    BodyLate = "BODY_LATE", REQUEST_TIMEOUT, Never,
        "Body came too late", "Send the body faster, or in a route that streams it.";
    BodyTooLarge = "BODY_TOO_LARGE", PAYLOAD_TOO_LARGE, Never,
        "Body too large", "Send less.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, Never,
        "Unsupported media type", "Send application/json.";
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY, Never,
        "Not valid", "Correct what the errors name.";
    FieldRequired = "FIELD_REQUIRED", UNPROCESSABLE_ENTITY, Never,
        "Field required", "Say the field.";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, Never,
        "Idempotency key of another request", "Use a new key for each request that is not a retry.";
    ProvisionFailed = "PROVISION_FAILED", UNPROCESSABLE_ENTITY, Never,
        "Resource could not be brought about", "Correct what the problem names, then change the resource or POST its actions/retry.";
    ActionFailed = "ACTION_FAILED", UNPROCESSABLE_ENTITY, Never,
        "Action failed", "The problem says why; the resource is as its document says.";
    SettingsInvalid = "SETTINGS_INVALID", UNPROCESSABLE_ENTITY, Never,
        "Settings do not fit", "Correct the settings; what served before still serves.";
    MigrationFailed = "MIGRATION_FAILED", UNPROCESSABLE_ENTITY, Never,
        "Migration failed", "What served before still serves, and the schema is as it was; GET the element's migrations.";
    RolloutFailed = "ROLLOUT_FAILED", UNPROCESSABLE_ENTITY, Never,
        "Rollout failed", "What served before still serves; correct the bundle or choose another version.";
    LoginThrottled = "LOGIN_THROTTLED", TOO_MANY_REQUESTS, After(1),
        "Too many logins", "Wait as long as Retry-After says; a key or token is not held up by this.";
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS, After(1),
        "Too many requests", "Wait as long as Retry-After says, and ask less often.";
    HeadersTooLarge = "HEADERS_TOO_LARGE", REQUEST_HEADER_FIELDS_TOO_LARGE, Never,
        "Headers too large", "Send fewer or shorter headers.";
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, Never,
        "Internal error", "Tell the operator the request id; the log says more under it.";
    PluginPanic = "PLUGIN_PANIC", INTERNAL_SERVER_ERROR, Never,
        "Plugin panicked", "Tell the operator the request id; the log says more under it.";
    PluginCrashed = "PLUGIN_CRASHED", BAD_GATEWAY, After(1),
        "Plugin crashed", "It is being restarted; the request may or may not have had its effect.";
    PluginProtocol = "PLUGIN_PROTOCOL", BAD_GATEWAY, Never,
        "Plugin broke its contract", "Tell the author of the plugin; the log says more under the request id.";
    PluginBusy = "PLUGIN_BUSY", SERVICE_UNAVAILABLE, After(1),
        "Plugin is busy", "Try again.";
    PluginDraining = "PLUGIN_DRAINING", SERVICE_UNAVAILABLE, After(1),
        "Plugin is being replaced", "Try again.";
    PluginUnavailable = "PLUGIN_UNAVAILABLE", SERVICE_UNAVAILABLE, After(5),
        "Plugin is unavailable", "The status of its element says why.";
    GenerationsFull = "GENERATIONS_FULL", SERVICE_UNAVAILABLE, After(60),
        "No room for another generation", "Uninstall an element, run one with `isolation: process`, or restart the daemon.";
    ConnectionLimit = "CONNECTION_LIMIT", SERVICE_UNAVAILABLE, After(1),
        "Too many connections", "Close idle connections, or raise `http.connections_max`.";
    NotReady = "NOT_READY", SERVICE_UNAVAILABLE, After(1),
        "Not ready", "Wait for what the reasons name.";
    ShuttingDown = "SHUTTING_DOWN", SERVICE_UNAVAILABLE, After(5),
        "Shutting down", "Try again when the daemon is back.";
    ProvisionTimeout = "PROVISION_TIMEOUT", GATEWAY_TIMEOUT, Never,
        "Resource took too long", "It is still worked on where that may help; its conditions say what it waits for.";
    DeadlineExceeded = "DEADLINE_EXCEEDED", GATEWAY_TIMEOUT, After(1),
        "No answer in time", "Try again; the request may or may not have had its effect.";
}

impl Code {
    /// The code of this name, written as in `code` or as in `type`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase().replace('-', "_");
        Self::ALL.iter().copied().find(|code| code.spec().name == name)
    }

    /// Where it is described.
    pub(crate) fn type_path(self) -> String {
        format!("/v1/problems/{}", self.spec().name.to_ascii_lowercase().replace('_', "-"))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

//! Declared resources: the host stores and serves them, the plugin says what they are and what they do.
//!
//! ```
//! use plugin_sdk::prelude::*;
//!
//! /// A greeting that can be sent.
//! #[derive(Resource)]
//! struct Instance {
//!     /// The words.
//!     #[field(default = "hello", length(min = 1, max = 80))]
//!     greeting: String,
//!     /// How often it was sent.
//!     #[field(ro, default)]
//!     times: u32,
//! }
//!
//! struct Demo;
//!
//! #[plugin(element = "demo", types = ["demo"])]
//! impl Plugin for Demo {
//!     async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> { Ok(Demo) }
//!
//!     fn resources() -> Resources<Self> {
//!         let send = Action::new("send", send).describe("Sends it.");
//!         Resources::new().with(Instance::collection().validate(validate).action(send))
//!     }
//! }
//!
//! async fn validate(change: Change<Instance>) -> Result<(), Invalid> {
//!     if change.new.greeting.contains("damn") {
//!         return Err(Invalid::field("greeting", "RUDE", "be polite"));
//!     }
//!     Ok(())
//! }
//!
//! async fn send(mut instance: Stored<Instance>) -> Acted<Instance, Json<String>> {
//!     instance.times += 1;
//!     let sent = format!("{}, {}", instance.greeting, instance.name());
//!     instance.acted(Json(sent))
//! }
//! ```
//!
//! That is a whole type: the host serves `/v1/types/demo/instances` with everything that its API has (paging,
//! filters, ETags, watching, permissions, OpenAPI), checks what clients send against the schemas, and calls
//! `validate` before it writes and `send` for `POST …/actions/send`.
//!
//! # Structs
//!
//! [`#[derive(Resource)]`](macro@crate::Resource) makes a field of each member. Its column is text, an integer, a
//! number, a boolean, a `Timestamp` (feature `time`), a [`Secret`], or JSON for everything else (lists, maps,
//! structs with [`#[json(schema)]`](crate::json)). Documentation is part of the schema. `#[resource(…)]` above the
//! struct:
//!
//! | word | says |
//! |---|---|
//! | `collection = "access-keys"` | its segment in paths; else the struct's name with an `s` |
//! | `name = "access_key"` | one of them, in permissions; else the struct's name |
//! | `parent = Instance` | what it hangs under; else the type itself |
//! | `demands_if_match` | that a change must name the state that it was made for |
//!
//! `#[field(…)]` above a member, which clients say and see unless it says otherwise:
//!
//! | word | says |
//! |---|---|
//! | `ro` | the plugin says it, clients see it |
//! | `write_once` | clients say it when they create the resource |
//! | `write_only` | clients say it and never see it again |
//! | `shown_once` | the plugin says it, and clients see it once: in the answer to the request that made it |
//! | `hidden` | it is the plugin's own |
//! | `default`, `default = …` | what it is when it is not said; without it a member that is no `Option` is required |
//! | `length(min = …, max = …)`, `range(min = …, max = …)`, `pattern = "…"`, `format = "…"` | its bounds, in its JSON Schema |
//! | `unique(parent)`, `unique(project)`, `unique(type)` | among which no two are the same |
//! | `indexed` | that lists are often filtered by it |
//! | `references = Bucket`, `references = "database/instances"` | whose name or id it is |
//!
//! A name that every resource has already does not build, nor does a secret that clients could read back:
//!
//! ```compile_fail
//! # use plugin_sdk::prelude::*;
//! #[derive(Resource)]
//! struct Instance {
//!     status: String,
//! }
//! ```
//!
//! Each field is a column that the plugin's [migrations](crate::migration) add to the resource's table,
//! `<slug>_<collection>`; the table itself and what every resource has are the host's. `metapaas plugin migration new`
//! writes the step that is missing: see [there](crate::migration#declared-resources).
//!
//! # Hooks
//!
//! [`Collection`] has them. The first argument is what a hook is about, the others are extractors. What a hook
//! changes in a [`Stored`] resource is written when it gives that back; what must not be lost in between (the id
//! of something that was made outside) is written at once, by [`Client::save`].
//!
//! Not here: routes of the plugin's own, which go on beside declared resources ([`Router`](crate::Router)).

mod action;
pub(crate) mod client;
mod collection;
pub(crate) mod declaration;
mod declared;
mod field;
mod handler;
mod outcome;
mod schema;
mod secret;
mod stored;
mod validation;

pub use plugin_abi::descriptor::TypeVersion;
pub use plugin_abi::resource::access::FaultKind;
pub use plugin_abi::resource::{
    Condition, ConditionStatus, FieldFault, PlannedStep, ResourceDocument,
};

pub use self::action::{Acted, Action, ActionHandler, Input, IntoActed};
pub use self::client::{AccessError, Client, New, Page, Which};
pub use self::collection::{Collection, Resources};
pub use self::declared::{FieldReader, FieldWriter, Place, Resource, Root, Unreadable};
pub use self::field::FieldDeclaration;
pub use self::handler::HookHandler;
pub use self::outcome::{Failed, IntoReconciled, Reconciled};
pub use self::secret::{Secret, SecretError, SecretText};
pub use self::stored::Stored;
pub use self::validation::{Change, IntoPlan, IntoValidation, Invalid};

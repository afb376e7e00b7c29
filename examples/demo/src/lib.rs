//! The exemplary plugin: instances of a type `demo`, in a table of its own, and a webhook that greets them.
//!
//! `instances` has what a client does with them, `schema` how their table came to be, `webhook` the call to
//! somebody else's server. The README says why each part is as it is.
#![forbid(unsafe_code)]

mod instances;
mod schema;
#[cfg(test)]
mod tests;
mod webhook;

use plugin_sdk::prelude::*;

use crate::webhook::Webhook;

/// One crate, two versions: everything that 0.2.0 adds asks for this.
const IS_NEXT: bool = cfg!(feature = "next");
const VERSION: &str = if IS_NEXT { "0.2.0" } else { "0.1.0" };

#[settings]
struct Settings {
    /// How instances are greeted.
    #[serde(default = "hello")]
    greeting: String,
    /// Where greetings are sent, by POST: an `http://` URL. Without it they are only answered.
    #[serde(default)]
    webhook: Option<String>,
}

fn hello() -> String {
    "hello".to_owned()
}

struct Demo {
    greeting: String,
    webhook: Option<Webhook>,
}

#[plugin(element = "metapaas-demo", types = ["demo"], version = VERSION)]
impl Plugin for Demo {
    type Settings = Settings;

    async fn start(_: Context, settings: Settings) -> Result<Self, StartError> {
        let Settings { greeting, webhook } = settings;
        Ok(Self { greeting, webhook: webhook.as_deref().map(Webhook::new).transpose()? })
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/instances", instances::list)
            .post("/instances", instances::create)
            .get("/instances/{key}", instances::get)
            .delete("/instances/{key}", instances::delete)
            .post("/instances/{key}/actions/{verb}", instances::act)
    }

    fn migrations() -> Vec<Migration<Self>> {
        schema::migrations()
    }
}

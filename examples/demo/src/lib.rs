//! The exemplary plugin: instances of a type `demo`, which the daemon stores and serves, and a webhook that greets them.
//!
//! `schema` has how their table came to be, `webhook` the call to somebody else's server. The README says why each part
//! is as it is.
#![forbid(unsafe_code)]

mod schema;
#[cfg(test)]
mod tests;
mod webhook;

use plugin_sdk::prelude::*;

use crate::webhook::Webhook;

/// One crate, two versions: everything that 0.2.0 adds asks for this.
const IS_NEXT: bool = cfg!(feature = "next");
const VERSION: &str = if IS_NEXT { "0.2.0" } else { "0.1.0" };

/// Somebody to greet.
#[derive(Resource)]
struct Instance {
    /// How often it was greeted.
    #[field(ro, default, indexed)]
    greeted: u32,
    /// The words that it is greeted with: those of the setting when it was made. New in 0.2.0.
    #[cfg(feature = "next")]
    #[field(ro)]
    greeting: Option<String>,
}

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

    fn resources() -> Resources<Self> {
        let greet = Action::new("greet", greet).describe("Greets it, and tells the webhook.");
        let instances = Instance::collection().validate(validate).action(greet);
        Resources::new().describe("Those who are greeted.").with(instances)
    }

    fn migrations() -> Vec<Migration<Self>> {
        schema::migrations()
    }
}

/// A new instance keeps the words that the setting has now.
async fn validate(
    change: Change<Instance>,
    demo: State<Demo>,
) -> Result<Stored<Instance>, Invalid> {
    let Change { old, mut new } = change;
    if old.is_none() {
        new.keep_greeting(&demo.greeting);
    }
    Ok(new)
}

#[json(schema)]
struct Greeted {
    /// What was said.
    greeting: String,
    /// Whether the webhook was told.
    sent: bool,
}

async fn greet(
    mut instance: Stored<Instance>,
    demo: State<Demo>,
    context: Context,
) -> Result<Acted<Instance, Json<Greeted>>, Problem> {
    let words = instance.greeting().unwrap_or(&demo.greeting);
    let greeting = format!("{words}, {}", instance.name());
    if let Some(webhook) = &demo.webhook {
        webhook.send(&greeting).await?;
    }
    context.counter("demo_greetings", &[], 1.0);
    instance.greeted += 1;
    Ok(instance.acted(Json(Greeted { greeting, sent: demo.webhook.is_some() })))
}

#[cfg(feature = "next")]
impl Instance {
    fn keep_greeting(&mut self, words: &str) {
        self.greeting = Some(words.to_owned());
    }

    /// None of what 0.1.0 made, until the backfill has come to it.
    fn greeting(&self) -> Option<&str> {
        self.greeting.as_deref()
    }
}

#[cfg(not(feature = "next"))]
impl Instance {
    fn keep_greeting(&mut self, _: &str) {}

    fn greeting(&self) -> Option<&str> {
        None
    }
}

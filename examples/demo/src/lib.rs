//! The exemplary plugin: instances of a type `demo`, in a table of its own.
#![forbid(unsafe_code)]

use plugin_sdk::prelude::*;

/// One crate, two versions: see the README.
const VERSION: &str = if cfg!(feature = "next") { "0.2.0" } else { "0.1.0" };

struct Demo;

#[plugin(element = "metapaas-demo", types = ["demo"], version = VERSION)]
impl Plugin for Demo {
    async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new()
    }
}

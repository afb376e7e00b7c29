//! What a plugin declares, and how mistakes in it are named.

use plugin_abi::descriptor::RouteBase;
use plugin_sdk::prelude::*;
use plugin_sdk::{Declared, Incoming, Route, http::Method, testing};
use std::time::Duration;

struct Declares;

#[settings]
struct Settings {
    /// How many.
    #[allow(dead_code, reason = "only its schema matters")]
    limit: u32,
}

#[plugin(element = "declares-all", types = ["one", "two"])]
impl Plugin for Declares {
    type Settings = Settings;

    async fn start(_context: Context, _settings: Settings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        let upload = Route::new(Method::PUT, "/{name}", nothing);
        Router::new()
            .get("/x/{y}", nothing)
            .of_type("two", Router::new().any("/only", nothing))
            .mount("/git", Router::new().get("/{*rest}", nothing))
            .mount(
                "/big",
                Router::new()
                    .route(upload.body_bytes_max(1 << 40).deadline(Duration::from_secs(60))),
            )
            .listener("smtp", |_: Incoming| async {})
    }
}

async fn nothing() {}

#[test]
fn a_descriptor_lists_everything_and_is_always_the_same() {
    let descriptor = testing::descriptor::<Declares>().unwrap();
    assert_eq!(descriptor.element, "declares-all");
    assert_eq!(descriptor.version, env!("CARGO_PKG_VERSION"));
    let routes: Vec<_> = descriptor
        .routes
        .iter()
        .map(|route| {
            let base = match &route.base {
                RouteBase::Type(slug) => slug,
                RouteBase::Mount(prefix) => prefix,
            };
            format!("{base} {} {}", route.method.as_deref().unwrap_or("*"), route.path)
        })
        .collect();
    assert_eq!(
        routes,
        [
            "one GET /x/{y}",
            "two GET /x/{y}",
            "two * /only",
            "/git GET /{*rest}",
            "/big PUT /{name}",
            "one GET /-/health",
            "two GET /-/health",
        ]
    );
    assert_eq!(descriptor.routes[4].body_bytes_max, Some(1 << 40));
    assert_eq!(descriptor.routes[4].deadline_ms, Some(60_000));
    assert_eq!(descriptor.listeners[0].name, "smtp");
    assert_eq!(descriptor.settings_schema["properties"]["limit"]["description"], "How many.");
    assert_eq!(descriptor.settings_schema["additionalProperties"], false);
    let bytes = testing::descriptor_bytes::<Declares>();
    assert_eq!(bytes, testing::descriptor_bytes::<Declares>());
}

/// A plugin with one mistake in its router.
macro_rules! mistaken {
    ($name:ident: $router:expr) => {
        struct $name;

        impl Declared for $name {
            const ELEMENT: &'static str = "mistaken";
            const VERSION: &'static str = "1.0.0";
            const TYPES: &'static [&'static str] = &["good"];
        }

        impl Plugin for $name {
            type Settings = NoSettings;

            async fn start(_context: Context, _: NoSettings) -> Result<Self, StartError> {
                Ok(Self)
            }

            fn router() -> Router<Self> {
                $router
            }
        }
    };
}

mistaken!(Slashless: Router::new().get("x", nothing));
mistaken!(Reserved: Router::new().get("/-/health", nothing));
mistaken!(TwiceRoute: Router::new().get("/{a}", nothing).get("/{b}", nothing));
mistaken!(TwiceParam: Router::new().get("/{a}/{a}", nothing));
mistaken!(RestFirst: Router::new().get("/{*rest}/more", nothing));
mistaken!(HalfParam: Router::new().get("/x{a}", nothing));
mistaken!(NoName: Router::new().get("/{}", nothing));
mistaken!(WithQuery: Router::new().get("/x?y", nothing));
mistaken!(OtherType: Router::new().of_type("other", Router::new()));
mistaken!(RootMount: Router::new().mount("/", Router::new()));
mistaken!(SlashMount: Router::new().mount("/git/", Router::new()));
mistaken!(TwiceMount: Router::new().mount("/git", Router::new()).mount("/git", Router::new()));
mistaken!(NestedMount: Router::new().mount("/git", Router::new().mount("/x", Router::new())));
mistaken!(BadListener: Router::new().listener("Smtp", |_: Incoming| async {}));
mistaken!(Panicking: panic!("no routes today"));

#[test]
fn a_mistake_is_told_by_name_instead_of_a_descriptor() {
    fn check<P: Plugin>(wanted: &str) {
        let text = testing::descriptor::<P>().unwrap_err();
        assert!(text.contains(wanted), "`{text}` does not tell `{wanted}`");
    }
    check::<Slashless>("plugin `mistaken`: route `GET x`: the path must begin with `/`");
    check::<Reserved>("route `GET /-/health`: the path must not begin with `/-/`");
    check::<TwiceRoute>("route `GET /{b}` is declared twice; remove one of them");
    check::<TwiceParam>("names a parameter twice");
    check::<RestFirst>("goes on after `{*…}`, which must come last");
    check::<HalfParam>("has a brace that is not around a whole segment");
    check::<NoName>("has a parameter whose name is not made of");
    check::<WithQuery>("must not contain `?` or `#`; take `Query` as an argument");
    check::<OtherType>("the router of type `other` has no type");
    check::<RootMount>("route `/`: the path of a mount cannot be the root");
    check::<SlashMount>("route `/git/`: the path of a mount must not end with `/`");
    check::<TwiceMount>("mount `/git` is declared twice");
    check::<NestedMount>("a mount inside of `/git`: move it to the outermost router");
    check::<BadListener>("listener `Smtp` must match [a-z][a-z0-9-]{0,62}");
    check::<Panicking>("plugin `mistaken` panicked: no routes today");
}

//! The admin token: made once, kept as a hash, accepted in each of its forms; and what the first start makes.

use std::cell::RefCell;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, HeaderValue};

use super::admin_token::{self, FILE, Reset, reset};
use super::caller::Credential;
use super::register::ADMIN;
use super::*;
use crate::store::testing::Database;

mod keys;
mod logins;
mod places;

const NO_RATE: Rate = Rate { per_s: 0, burst: 1 };
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An identity in a data directory of its own.
struct Scene {
    identity: Arc<Identity>,
    database: Database,
    store: Store,
    /// What the first start showed.
    token: String,
}

impl Scene {
    async fn start() -> Self {
        Self::on(Database::sqlite()).await
    }

    async fn on(database: Database) -> Self {
        let store = database.open().await.unwrap();
        let (identity, shown) = open(&database, &store).await.unwrap();
        Self { identity: Arc::new(identity), database, store, token: shown.unwrap() }
    }

    /// Takes its database off the server.
    async fn end(self) {
        let Self { identity, database, store, .. } = self;
        drop(identity);
        store.close().await;
        database.end().await;
    }

    fn data(&self) -> &DataDir {
        &self.database.data
    }

    /// Who sends this header, by name.
    fn who(&self, name: &'static str, value: &str) -> Result<String, Unauthenticated> {
        let caller = self.identity.authenticate(&header(name, value), PEER);
        caller.map(|caller| caller.name().to_owned())
    }

    fn who_has(&self, key: &str) -> Result<String, Unauthenticated> {
        self.who("x-api-key", key)
    }
}

/// Opens the identity of `database`; also what it showed.
async fn open(database: &Database, store: &Store) -> Result<(Identity, Option<String>), Error> {
    let shown = RefCell::new(None);
    let show = |token: &Token| {
        *shown.borrow_mut() = Some(token.reveal().to_owned());
        Ok(())
    };
    let identity = Identity::open(&database.data, store, &Config::default(), NO_RATE, show).await?;
    Ok((identity, shown.into_inner()))
}

fn admin() -> Result<String, Unauthenticated> {
    Ok("user:admin".to_owned())
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    headers
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    )
}

#[tokio::test]
async fn the_token_is_shown_once_and_kept_as_a_hash() {
    let scene = Scene::start().await;
    let token = &scene.token;
    let parts: Vec<_> = token.split('_').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 8, 64]);

    let kept = fs::read_to_string(scene.data().join(FILE)).unwrap();
    assert!(kept.contains(parts[1]) && !kept.contains(parts[2]), "{kept}");

    let (again, second) = open(&scene.database, &scene.store).await.unwrap();
    assert_eq!(second, None);
    let caller = again.authenticate(&header("x-api-key", token), PEER).unwrap();
    assert_eq!(caller.name(), "user:admin");
    assert_eq!(*caller.credential(), Credential::AdminToken(parts[1].to_owned()));
}

#[tokio::test]
async fn each_form_is_accepted_and_nothing_else() {
    let scene = Scene::start().await;
    let token = &scene.token;
    let wrong = token.replace(char::from(token.as_bytes()[token.len() - 1]), "g");
    let cases = [
        (AUTHORIZATION.as_str(), format!("Bearer {token}"), admin()),
        (AUTHORIZATION.as_str(), format!("bearer  {token}"), admin()),
        (AUTHORIZATION.as_str(), basic("admin", token), admin()),
        ("x-api-key", token.clone(), admin()),
        (AUTHORIZATION.as_str(), format!("Bearer {wrong}"), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), basic("root", token), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), "Basic ???".to_owned(), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), format!("Digest {token}"), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), token.clone(), Err(Unauthenticated::Invalid)),
        ("x-api-key", String::new(), Err(Unauthenticated::Invalid)),
        ("x-other", token.clone(), Err(Unauthenticated::Absent)),
    ];
    for (name, value, wanted) in cases {
        assert_eq!(scene.who(name, &value), wanted, "{name}");
    }
}

#[tokio::test]
async fn an_unseen_token_is_not_kept() {
    let database = Database::sqlite();
    let store = database.open().await.unwrap();
    let unseen = |_: &Token| Err(io::ErrorKind::BrokenPipe.into());
    let opened = Identity::open(&database.data, &store, &Config::default(), NO_RATE, unseen).await;
    assert!(matches!(opened, Err(Error::AdminToken(admin_token::Error::Show(_)))));
    let (_, shown) = open(&database, &store).await.unwrap();
    assert!(shown.is_some());
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_stays() {
    let database = Database::sqlite();
    let store = database.open().await.unwrap();
    for damage in ["{", r#"{"schema_version":2,"admin":{"id":"a","sha256":""}}"#] {
        fs::write(database.data.join(FILE), damage).unwrap();
        let error = open(&database, &store).await.unwrap_err();
        assert!(error.to_string().contains("is damaged or from another version"), "{error}");
        assert_eq!(fs::read_to_string(database.data.join(FILE)).unwrap(), damage);
    }
}

/// Resets the token of `data`: the new one, and the id of the old.
fn reset_in(data: &DataDir) -> (String, Option<String>) {
    let Reset { token, replaced } = reset(data.path(), |_| Ok(())).unwrap();
    (token.reveal().to_owned(), replaced)
}

#[tokio::test]
async fn a_reset_counts_at_once_in_the_daemon_that_runs() {
    let scene = Scene::start().await;
    let mut old = scene.token.clone();
    for _ in 0..3 {
        assert_eq!(scene.who_has(&old), admin());
        let kept = scene.identity.authenticate(&header("x-api-key", &old), PEER).unwrap();
        let (new, replaced) = reset_in(scene.data());
        assert_eq!(replaced.as_deref(), old.split('_').nth(1));
        assert_eq!(scene.who_has(&old), Err(Unauthenticated::Invalid));
        assert_eq!(scene.who_has(&new), admin());
        assert!(scene.identity.renew(&kept).is_none(), "a kept caller ends with its token");
        old = new;
    }
}

#[tokio::test]
async fn a_reset_mends_a_damaged_file_and_until_then_the_last_token_counts() {
    let scene = Scene::start().await;
    let (old, file) = (&scene.token, scene.data().join(FILE));
    fs::write(&file, "{").unwrap();
    assert_eq!(scene.who_has(old), admin());
    fs::remove_file(&file).unwrap();
    assert_eq!(scene.who_has(old), admin());
    fs::write(&file, "{").unwrap();
    let (new, replaced) = reset_in(scene.data());
    assert_eq!(replaced, None);
    assert_eq!(scene.who_has(old), Err(Unauthenticated::Invalid));
    assert_eq!(scene.who_has(&new), admin());
}

#[tokio::test]
async fn a_reset_needs_a_data_directory_and_somebody_who_sees_it() {
    let directory = tempfile::tempdir().unwrap();
    let refused = reset(directory.path(), |_| Ok(())).unwrap_err().to_string();
    assert!(
        refused.ends_with("has no `identity.json`: name the daemon's with `--data`"),
        "{refused}"
    );

    let scene = Scene::start().await;
    let unseen = reset(scene.data().path(), |_| Err(io::ErrorKind::BrokenPipe.into()));
    assert!(matches!(unseen, Err(admin_token::Error::Show(_))));
    assert_eq!(scene.who_has(&scene.token), admin());
}

#[test]
fn debug_output_hides_the_secret() {
    let token = Token::random().unwrap();
    let secret = token.reveal().rsplit('_').next().unwrap();
    assert!(!format!("{token:?}").contains(secret));
}

#[tokio::test]
async fn the_first_start_makes_an_organization_a_project_and_a_user_once() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let caller = scene.identity.authenticate(&header("x-api-key", &scene.token), PEER).unwrap();
        let register = scene.identity.register();
        let rows = register.rows();
        let project = rows.projects.values().next().unwrap();
        assert_eq!(project.name, "default");
        assert_eq!(rows.organizations[&project.organization].name, "default");
        assert_eq!(register.user_named(ADMIN).unwrap().id, caller.principal().id);
        assert_eq!(caller.project(None), Ok(project.id));
        assert_eq!(rows.bindings.len(), 1);

        let (again, _) = open(&scene.database, &scene.store).await.unwrap();
        let again = again.register();
        assert_eq!(again.rows().projects.len(), 1);
        assert_eq!(again.rows().projects.keys().next(), Some(&project.id));
        scene.end().await;
    }
}

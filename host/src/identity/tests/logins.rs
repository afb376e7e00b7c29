//! Passwords and access tokens.

use super::super::change::{NewKey, NewUser, PrincipalPatch};
use super::super::record::{PrincipalKind, PrincipalRef, Status};
use super::*;

const PASSWORD: &str = "correct horse";

impl Scene {
    async fn user(&self, name: &str) -> PrincipalRef {
        let new = NewUser {
            name: name.parse().unwrap(),
            description: String::new(),
            password: Some(PASSWORD.parse().unwrap()),
        };
        let id = self.identity.create_user(new).await.unwrap();
        PrincipalRef { kind: PrincipalKind::User, id }
    }

    fn token(&self, form: &str, issue: Issue) -> String {
        let caller = self.identity.authenticate(&header("authorization", form), PEER).unwrap();
        self.identity.issue(&caller, issue).token
    }
}

fn ada() -> Result<String, Unauthenticated> {
    Ok("user:ada".to_owned())
}

#[tokio::test]
async fn a_password_logs_in_until_it_is_another_or_the_user_is_disabled() {
    let scene = Scene::start().await;
    let user = scene.user("ada").await;
    let with = |name: &str, password: &str| scene.who("authorization", &basic(name, password));
    assert_eq!(with("ada", PASSWORD), ada());
    assert_eq!(with("ada", PASSWORD), ada(), "from memory");
    assert_eq!(with("ada", "wrong password"), Err(Unauthenticated::Invalid));
    assert_eq!(with("eve", PASSWORD), Err(Unauthenticated::Invalid));
    assert_eq!(with("admin", PASSWORD), Err(Unauthenticated::Invalid), "admin has none");
    let logged_in = scene.identity.login("ada", PASSWORD.to_owned(), PEER).await.unwrap();
    assert_eq!(logged_in.name(), "user:ada");
    assert!(logged_in.projects().is_empty());

    let password = Some("another horse".parse().unwrap());
    let patch = PrincipalPatch { password, ..PrincipalPatch::default() };
    scene.identity.update_principal(user, patch).await.unwrap();
    assert_eq!(with("ada", PASSWORD), Err(Unauthenticated::Invalid), "not from memory either");
    assert_eq!(with("ada", "another horse"), ada());
    let patch = PrincipalPatch { status: Some(Status::Disabled), ..PrincipalPatch::default() };
    scene.identity.update_principal(user, patch).await.unwrap();
    assert_eq!(with("ada", "another horse"), Err(Unauthenticated::Invalid));
    scene.identity.delete_principal(user).await.unwrap();
    assert_eq!(with("ada", "another horse"), Err(Unauthenticated::Invalid));
}

#[tokio::test]
async fn whoever_guesses_waits_and_others_do_not() {
    let scene = Scene::start().await;
    let _ada = scene.user("ada").await;
    let guess = || scene.who("authorization", &basic("ada", "wrong password"));
    let throttled = |outcome| matches!(outcome, Err(Unauthenticated::LoginThrottled { .. }));
    for _ in 0..5 {
        assert_eq!(guess(), Err(Unauthenticated::Invalid));
    }
    assert!(throttled(guess()));
    assert!(throttled(scene.who("authorization", &basic("ada", PASSWORD))), "nor is the right one");
    assert_eq!(scene.who_has(&scene.token), admin(), "keys and tokens go on");
    let elsewhere = "10.0.0.9".parse().unwrap();
    let headers = header("authorization", &basic("ada", PASSWORD));
    assert!(scene.identity.authenticate(&headers, elsewhere).is_ok());
}

#[tokio::test]
async fn a_token_counts_as_long_as_what_it_was_exchanged_for() {
    let scene = Scene::start().await;
    let user = scene.user("ada").await;
    let bearer = |token: &str| scene.who("authorization", &format!("Bearer {token}"));
    let of_ada = scene.token(&basic("ada", PASSWORD), Issue::default());
    assert_eq!((bearer(&of_ada), bearer(&of_ada)), (ada(), ada()), "the second from memory");
    assert_eq!(scene.who_has(&of_ada), Err(Unauthenticated::Invalid), "it is no key");

    let of_admin = scene.token(&format!("Bearer {}", scene.token), Issue::default());
    assert_eq!(bearer(&of_admin), admin());
    let again = scene.token(&format!("Bearer {of_admin}"), Issue::default());
    let (_, _) = (reset(scene.data().path(), |_| Ok(())).unwrap(), ());
    for dead in [&of_admin, &again] {
        assert_eq!(bearer(dead), Err(Unauthenticated::Invalid), "a reset ends it");
    }

    let patch = PrincipalPatch { status: Some(Status::Disabled), ..PrincipalPatch::default() };
    scene.identity.update_principal(user, patch).await.unwrap();
    assert_eq!(bearer(&of_ada), Err(Unauthenticated::Invalid));
}

#[tokio::test]
async fn a_token_of_a_key_is_no_more_than_the_key() {
    let scene = Scene::start().await;
    let register = scene.identity.register();
    let project = *register.rows().projects.keys().next().unwrap();
    let in_an_hour = Timestamp::from(Timestamp::now().into_inner() + Duration::from_secs(3600));
    let new = NewKey {
        name: String::new(),
        owner: register.admin().unwrap(),
        scopes: Some(vec!["s3.*.*".parse().unwrap()]),
        project: Some(project),
        cidrs: vec!["127.0.0.0/8".parse().unwrap()],
        expires_at: Some(in_an_hour),
        created_by: "user:admin".to_owned(),
    };
    let (id, key) = scene.identity.create_key(new).await.unwrap();
    let caller = scene.identity.authenticate(&header("x-api-key", key.reveal()), PEER).unwrap();
    let issue = Issue {
        lifetime: Some(Duration::from_secs(86_400)),
        scopes: Some(vec!["*.instance.*".parse().unwrap()]),
        project: None,
    };
    let issued = scene.identity.issue(&caller, issue);
    assert!(issued.lasts <= Duration::from_secs(3600), "{:?}", issued.lasts);
    let headers = header("authorization", &format!("Bearer {}", issued.token));
    let holder = scene.identity.authenticate(&headers, PEER).unwrap();
    let here = Scope { project, slug: Some("s3"), instance: None };
    assert!(holder.allows("s3.instance.create", &here));
    assert!(!holder.allows("s3.bucket.create", &here), "the token says less");
    assert!(!holder.allows("mail.instance.create", &here), "the key says less");
    assert!(!holder.allows_on_platform("core.element.read"));
    assert!(scene.identity.authenticate(&headers, "10.0.0.1".parse().unwrap()).is_err());
    scene.identity.revoke_key(id).await.unwrap();
    assert!(scene.identity.authenticate(&headers, PEER).is_err());
    assert!(scene.identity.renew(&holder).is_none());
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_there_is_a_rate() {
    let database = Database::sqlite();
    let store = database.open().await.unwrap();
    let shown = RefCell::new(String::new());
    let show = |token: &Token| {
        shown.borrow_mut().push_str(token.reveal());
        Ok(())
    };
    let rate = Rate { per_s: 1, burst: 3 };
    let opened = Identity::open(&database.data, &store, &Config::default(), rate, show).await;
    let (identity, headers) = (opened.unwrap(), header("x-api-key", &shown.borrow()));
    let outcomes: Vec<_> = (0..4).map(|_| identity.authenticate(&headers, PEER).is_ok()).collect();
    assert_eq!(outcomes, [true, true, true, false]);
    let refused = identity.authenticate(&headers, PEER).unwrap_err();
    assert!(
        matches!(refused, Unauthenticated::Throttled(Empty { rate: told, .. }) if told == rate)
    );
}

//! API keys: each way to present one, what narrows them, and how they end.

use super::super::change::{ChangeError, NewKey, Refusal, Rotation};
use super::super::record::PrincipalRef;
use super::*;

impl Scene {
    fn admin(&self) -> PrincipalRef {
        self.identity.register().admin().unwrap()
    }

    /// A key of the admin that is nothing special.
    fn new_key(&self) -> NewKey {
        NewKey {
            name: "ci".to_owned(),
            owner: self.admin(),
            scopes: None,
            project: None,
            cidrs: Vec::new(),
            expires_at: None,
            created_by: "user:admin".to_owned(),
        }
    }

    async fn key(&self, new: NewKey) -> (uuid::Uuid, String) {
        let (id, token) = self.identity.create_key(new).await.unwrap();
        (id, token.reveal().to_owned())
    }
}

#[tokio::test]
async fn a_key_is_kept_as_a_hash_and_accepted_in_each_form() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let (id, key) = scene.key(scene.new_key()).await;
        assert_eq!(scene.who("x-api-key", &key), admin());
        assert_eq!(scene.who("authorization", &format!("Bearer {key}")), admin());
        assert_eq!(scene.who("authorization", &basic("whoever", &key)), admin());
        let wrong = format!("{}0", &key[..key.len() - 1]);
        let wrong = if wrong == key { format!("{}1", &key[..key.len() - 1]) } else { wrong };
        assert_eq!(scene.who_has(&wrong), Err(Unauthenticated::Invalid));
        let row = scene.identity.register().rows().keys[&id].clone();
        assert_ne!(hex::encode(row.hash), hex::encode(token::digest(key.as_bytes())));
        assert!(!format!("{row:?}").contains(key.rsplit('_').next().unwrap()));

        // Another daemon's secret recognizes nothing, even with the same rows.
        fs::write(scene.data().join("identity.key"), [7; 32]).unwrap();
        let (other, _) = open(&scene.database, &scene.store).await.unwrap();
        assert!(other.authenticate(&header("x-api-key", &key), PEER).is_err());
        scene.end().await;
    }
}

#[tokio::test]
async fn a_key_counts_where_when_and_as_long_as_it_was_made_for() {
    let scene = Scene::start().await;
    let cidrs = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let (_, key) = scene.key(NewKey { cidrs, ..scene.new_key() }).await;
    let from =
        |peer: &str| scene.identity.authenticate(&header("x-api-key", &key), peer.parse().unwrap());
    assert!(from("10.1.2.3").is_ok() && from("::1").is_ok() && from("::ffff:10.1.2.3").is_ok());
    assert_eq!(from("127.0.0.1").unwrap_err(), Unauthenticated::Invalid);

    let past = Timestamp::from(Timestamp::now().into_inner() - Duration::from_secs(1));
    let (_, over) = scene.key(NewKey { expires_at: Some(past), ..scene.new_key() }).await;
    assert_eq!(scene.who_has(&over), Err(Unauthenticated::Invalid));

    let (id, key) = scene.key(scene.new_key()).await;
    let kept = scene.identity.authenticate(&header("x-api-key", &key), PEER).unwrap();
    assert!(scene.identity.renew(&kept).is_some());
    let mut generation = scene.identity.generation();
    generation.mark_unchanged();
    scene.identity.revoke_key(id).await.unwrap();
    assert!(generation.has_changed().unwrap(), "whoever keeps a caller hears of it");
    assert_eq!(scene.who_has(&key), Err(Unauthenticated::Invalid));
    assert!(scene.identity.renew(&kept).is_none());
}

#[tokio::test]
async fn a_rotated_key_counts_until_the_overlap_is_over() {
    let scene = Scene::start().await;
    let scopes = Some(vec!["core.*.read".parse().unwrap()]);
    let (id, old) = scene.key(NewKey { scopes: scopes.clone(), ..scene.new_key() }).await;
    let rotation =
        |overlap| Rotation { overlap, expires_at: None, created_by: "user:admin".to_owned() };
    let long = Duration::from_secs(3600);
    let (new_id, new) = scene.identity.rotate_key(id, rotation(long)).await.unwrap();
    assert_eq!((scene.who_has(&old), scene.who_has(new.reveal())), (admin(), admin()));
    assert_eq!(scene.identity.register().rows().keys[&new_id].scopes, scopes);

    let again = scene.identity.rotate_key(id, rotation(long)).await.unwrap_err();
    assert!(matches!(again, ChangeError::Refused(Refusal::Over { .. })), "{again}");
    let (_, newest) = scene.identity.rotate_key(new_id, rotation(Duration::ZERO)).await.unwrap();
    assert_eq!(scene.who_has(new.reveal()), Err(Unauthenticated::Invalid));
    assert_eq!(scene.who_has(newest.reveal()), admin());
}

#[tokio::test]
async fn when_a_key_was_used_last_is_written_by_and_by() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let (id, key) = scene.key(scene.new_key()).await;
        let used = |scene: &Scene| {
            let register = scene.identity.register();
            scene.identity.last_use(&register.rows().keys[&id]).1
        };
        assert_eq!(used(&scene), None);
        assert_eq!(scene.who_has(&key), admin());
        assert_eq!(used(&scene).as_deref(), Some("127.0.0.1"));
        scene.identity.uses.write(scene.store.connection()).await.unwrap();
        let (again, _) = open(&scene.database, &scene.store).await.unwrap();
        let register = again.register();
        let row = &register.rows().keys[&id];
        assert_eq!(row.last_used_ip.as_deref(), Some("127.0.0.1"));
        scene.end().await;
    }
}

use futures_util::future::join_all;
use proptest::prelude::*;
use sea_orm::PaginatorTrait;

use super::*;
use crate::store::testing::Database;

const MINUTE: Duration = Duration::from_secs(60);

fn attempts(store: &Store) -> Attempts {
    Attempts::new(store.clone(), &Config::default(), Tasks::default())
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

async fn begin(attempts: &Attempts, name: &str, content: &str) -> Result<Begun, Error> {
    let (key, content) = (key(name), content.as_bytes());
    let attempt = Attempt {
        principal: "user:admin",
        method: "POST",
        path: "/v1/types/demo/instances",
        key: &key,
        content: &[content],
    };
    attempts.begin(&attempt).await
}

async fn first(attempts: &Attempts, name: &str, content: &str) -> First {
    match begin(attempts, name, content).await {
        Ok(Begun::First(first)) => first,
        other => panic!("{other:?}"),
    }
}

fn answer(body: &str) -> Answer {
    Answer {
        status: 201,
        headers: vec![("location".to_owned(), "/v1/x".to_owned())],
        body: body.to_owned(),
        sealed: None,
    }
}

async fn keep(store: &Store, first: First, answer: Answer) {
    let transaction = store.begin().await.unwrap();
    first.keep(&transaction, answer).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Lets time pass for what is kept.
async fn age(store: &Store, by: Duration) {
    let transaction = store.begin().await.unwrap();
    for row in row::Entity::find().all(&transaction).await.unwrap() {
        let created_at = row.created_at - by;
        let aged = row::ActiveModel { created_at: Set(created_at), ..row.into() };
        row::Entity::update(aged).exec(&transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn each(test: impl AsyncFn(&Store)) {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        test(&store).await;
        store.close().await;
        database.end().await;
    }
}

#[test]
fn a_key_is_visible_ascii() {
    let longest = "k".repeat(255);
    for text in ["k", "8e03978e-40d5-43dd", "\"quoted\"", &longest] {
        assert!(text.parse::<Key>().is_ok(), "{text}");
    }
    for text in ["", "a b", "ä", "a\n", &"k".repeat(256)] {
        assert_eq!(text.parse::<Key>(), Err(NoKey), "{text}");
    }
}

#[tokio::test]
async fn an_answer_is_given_again_as_it_was() {
    each(async |store| {
        let attempts = attempts(store);
        keep(store, first(&attempts, "k", "c").await, answer("{}")).await;
        for _retry in 0..2 {
            let again = begin(&attempts, "k", "c").await.unwrap();
            assert!(matches!(again, Begun::Again(kept) if kept == answer("{}")));
        }
        assert!(matches!(begin(&attempts, "k", "other").await, Err(Error::Reused)));
        assert!(matches!(begin(&attempts, "other", "c").await, Ok(Begun::First(_))));
        assert_eq!(attempts.n_in_progress(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_name_counts_within_its_principal_method_and_path() {
    let database = Database::sqlite();
    let store = database.open().await.unwrap();
    let (attempts, key) = (attempts(&store), key("k"));
    let one = Attempt { principal: "user:a", method: "POST", path: "/x", key: &key, content: &[] };
    let others = [
        Attempt { principal: "user:b", ..one },
        Attempt { method: "PATCH", ..one },
        Attempt { path: "/x/y", ..one },
        // Borders count: these are no other way to say the same.
        Attempt { principal: "user:aP", method: "OST", ..one },
    ];
    let Ok(Begun::First(held)) = attempts.begin(&one).await else { panic!("it is the first") };
    assert!(matches!(attempts.begin(&one).await, Err(Error::InProgress)));
    for other in others {
        assert!(matches!(attempts.begin(&other).await, Ok(Begun::First(_))), "{other:?}");
    }
    drop(held);
    assert!(matches!(attempts.begin(&one).await, Ok(Begun::First(_))));
    store.close().await;
}

#[tokio::test]
async fn what_left_no_answer_may_be_tried_again() {
    each(async |store| {
        let attempts = attempts(store);
        drop(first(&attempts, "k", "c").await);
        let again = first(&attempts, "k", "other").await;
        let undone = store.begin().await.unwrap();
        again.keep(&undone, answer("{}")).await.unwrap();
        undone.rollback().await.unwrap();
        drop(again);
        keep(store, first(&attempts, "k", "c").await, answer("{}")).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_shown_once_is_shown_for_five_minutes() {
    each(async |store| {
        let attempts = attempts(store);
        let shown = Answer { sealed: Some("sealed".to_owned()), ..answer("{}") };
        keep(store, first(&attempts, "k", "c").await, shown.clone()).await;
        age(store, 4 * MINUTE).await;
        let again = begin(&attempts, "k", "c").await.unwrap();
        assert!(matches!(again, Begun::Again(kept) if kept == shown));
        // It is not told any more, and soon not there either.
        age(store, MINUTE).await;
        let again = begin(&attempts, "k", "c").await.unwrap();
        assert!(matches!(again, Begun::Again(kept) if kept == answer("{}")));
        let now = Timestamp::now().into_inner();
        attempts.prune(now, now - 10 * MINUTE).await.unwrap();
        let row = row::Entity::find().one(store.connection()).await.unwrap().unwrap();
        assert_eq!(row.sealed, None);
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_for_a_day() {
    each(async |store| {
        let attempts = attempts(store);
        let now = || Timestamp::now().into_inner();
        for name in ["a", "b", "c"] {
            keep(store, first(&attempts, name, "c").await, answer(name)).await;
        }
        age(store, Duration::from_secs(24 * 3600) - MINUTE).await;
        attempts.prune(now(), now()).await.unwrap();
        assert!(matches!(begin(&attempts, "a", "c").await, Ok(Begun::Again(_))));
        age(store, MINUTE).await;
        // An old one counts no more, forgotten or not; a new one takes its place.
        keep(store, first(&attempts, "a", "new").await, answer("new")).await;
        attempts.prune(now(), now()).await.unwrap();
        assert_eq!(row::Entity::find().count(store.connection()).await.unwrap(), 1);
        let again = begin(&attempts, "a", "new").await.unwrap();
        assert!(matches!(again, Begun::Again(kept) if kept == answer("new")));
    })
    .await;
}

/// Something that a story does with one name.
#[derive(Debug, Clone)]
enum Deed {
    /// So many at once; those that are first have their effect or fail.
    Attempts {
        n: usize,
        content: u8,
        fails: bool,
    },
    Restart,
    Age(u32),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => (1..8usize, 0..2u8, any::<bool>())
            .prop_map(|(n, content, fails)| Deed::Attempts { n, content, fails }),
        1 => Just(Deed::Restart),
        1 => (1..30u32).prop_map(Deed::Age),
    ];
    prop::collection::vec(deed, 1..12)
}

/// Plays a story; tells what it does not keep to.
async fn play(story: &[Deed]) -> Result<(), TestCaseError> {
    let database = Database::sqlite();
    let mut store = database.open().await.unwrap();
    let mut attempts = attempts(&store);
    // The content that has had its effect, and when; effects are rows of the table itself.
    let mut effect: Option<(u8, Duration)> = None;
    let (mut now, day) = (Duration::ZERO, Duration::from_secs(24 * 3600));
    for deed in story {
        match *deed {
            Deed::Restart => {
                store.close().await;
                store = database.open().await.unwrap();
                attempts = self::attempts(&store);
            }
            Deed::Age(hours) => {
                age(&store, Duration::from_secs(u64::from(hours) * 3600)).await;
                now += Duration::from_secs(u64::from(hours) * 3600);
            }
            Deed::Attempts { n, content, fails } => {
                let before = effect.filter(|(_, at)| now - *at < day);
                let all =
                    (0..n).map(|_| begin(&attempts, "k", if content == 0 { "0" } else { "1" }));
                let begun = join_all(all).await;
                let firsts = begun.iter().filter(|begun| matches!(begun, Ok(Begun::First(_))));
                let n_first = firsts.count();
                prop_assert_eq!(n_first, usize::from(before.is_none()));
                for begun in begun {
                    match begun {
                        Ok(Begun::First(_)) if fails => {}
                        Ok(Begun::First(first)) => {
                            keep(&store, first, answer(&content.to_string())).await;
                            effect = Some((content, now));
                        }
                        Ok(Begun::Again(kept)) => {
                            prop_assert_eq!(before.map(|(was, _)| was), Some(content));
                            prop_assert_eq!(kept, answer(&content.to_string()));
                        }
                        Err(Error::InProgress) => prop_assert!(before.is_none()),
                        Err(Error::Reused) => {
                            prop_assert!(before.is_some_and(|(was, _)| was != content));
                        }
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
            }
        }
    }
    store.close().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_name_has_one_effect_whatever_happens(story in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&story))?;
    }
}

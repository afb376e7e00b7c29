//! The admin token: made once, kept as a hash, accepted in each of its forms.

use std::cell::RefCell;
use std::fs;

use ::http::HeaderValue;
use ::http::header::AUTHORIZATION;

use super::*;

/// Opens the identity of `data`; also what it showed.
fn open(data: &DataDir) -> (Identity, Option<String>) {
    let shown = RefCell::new(None);
    let identity = Identity::open(data, |token| {
        *shown.borrow_mut() = Some(token.reveal().to_owned());
        Ok(())
    });
    (identity.unwrap(), shown.into_inner())
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

#[test]
fn the_token_is_shown_once_and_kept_as_a_hash() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    let (_, first) = open(&data);
    let token = first.unwrap();
    let parts: Vec<_> = token.split('_').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 8, 64]);

    let kept = fs::read_to_string(data.join(FILE)).unwrap();
    assert!(kept.contains(parts[1]) && !kept.contains(parts[2]), "{kept}");

    let (identity, second) = open(&data);
    assert_eq!(second, None);
    let headers = header("x-api-key", &token);
    assert_eq!(identity.authenticate(&headers), Ok(Principal::Admin));
}

#[test]
fn each_form_is_accepted_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    let (identity, shown) = open(&data);
    let token = shown.unwrap();
    let wrong = token.replace(char::from(token.as_bytes()[token.len() - 1]), "g");
    let cases = [
        (AUTHORIZATION.as_str(), format!("Bearer {token}"), Ok(Principal::Admin)),
        (AUTHORIZATION.as_str(), format!("bearer  {token}"), Ok(Principal::Admin)),
        (AUTHORIZATION.as_str(), basic("admin", &token), Ok(Principal::Admin)),
        ("x-api-key", token.clone(), Ok(Principal::Admin)),
        (AUTHORIZATION.as_str(), format!("Bearer {wrong}"), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), basic("root", &token), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), "Basic ???".to_owned(), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), format!("Digest {token}"), Err(Unauthenticated::Invalid)),
        (AUTHORIZATION.as_str(), token.clone(), Err(Unauthenticated::Invalid)),
        ("x-api-key", String::new(), Err(Unauthenticated::Invalid)),
        ("x-other", token.clone(), Err(Unauthenticated::Absent)),
    ];
    for (name, value, wanted) in cases {
        assert_eq!(identity.authenticate(&header(name, &value)), wanted, "{name}");
    }
}

#[test]
fn a_token_that_cannot_be_shown_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    let failed = Identity::open(&data, |_| Err(io::ErrorKind::BrokenPipe.into()));
    assert!(matches!(failed, Err(Error::Show(_))));
    assert!(open(&data).1.is_some());
}

#[test]
fn a_damaged_file_is_refused_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    for damage in ["{", r#"{"schema_version":2,"admin":{"id":"a","sha256":""}}"#] {
        fs::write(data.join(FILE), damage).unwrap();
        let error = Identity::open(&data, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("is damaged or from another version"), "{error}");
        assert_eq!(fs::read_to_string(data.join(FILE)).unwrap(), damage);
    }
}

/// Resets the token of `data`: the new one, and the id of the old.
fn reset_in(data: &DataDir) -> (String, Option<String>) {
    let Reset { token, replaced } = reset(data.path(), |_| Ok(())).unwrap();
    (token.reveal().to_owned(), replaced)
}

#[test]
fn a_reset_counts_at_once_in_the_daemon_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    let (identity, shown) = open(&data);
    let mut old = shown.unwrap();
    for _ in 0..3 {
        assert_eq!(identity.authenticate(&header("x-api-key", &old)), Ok(Principal::Admin));
        let (new, replaced) = reset_in(&data);
        assert_eq!(replaced.as_deref(), old.split('_').nth(1));
        let refused = identity.authenticate(&header("x-api-key", &old));
        assert_eq!(refused, Err(Unauthenticated::Invalid));
        assert_eq!(identity.authenticate(&header("x-api-key", &new)), Ok(Principal::Admin));
        old = new;
    }
}

#[test]
fn a_reset_mends_a_damaged_file_and_until_then_the_last_token_counts() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDir::open(directory.path()).unwrap();
    let (identity, shown) = open(&data);
    let old = header("x-api-key", &shown.unwrap());
    fs::write(data.join(FILE), "{").unwrap();
    assert_eq!(identity.authenticate(&old), Ok(Principal::Admin));
    fs::remove_file(data.join(FILE)).unwrap();
    assert_eq!(identity.authenticate(&old), Ok(Principal::Admin));
    fs::write(data.join(FILE), "{").unwrap();
    let (new, replaced) = reset_in(&data);
    assert_eq!(replaced, None);
    assert_eq!(identity.authenticate(&old), Err(Unauthenticated::Invalid));
    assert_eq!(identity.authenticate(&header("x-api-key", &new)), Ok(Principal::Admin));
}

#[test]
fn a_reset_needs_a_data_directory_and_somebody_who_sees_it() {
    let directory = tempfile::tempdir().unwrap();
    let refused = reset(directory.path(), |_| Ok(())).unwrap_err().to_string();
    assert!(
        refused.ends_with("has no `identity.json`: name the daemon's with `--data`"),
        "{refused}"
    );

    let data = DataDir::open(directory.path()).unwrap();
    let (identity, shown) = open(&data);
    let unseen = reset(data.path(), |_| Err(io::ErrorKind::BrokenPipe.into()));
    assert!(matches!(unseen, Err(Error::Show(_))));
    let old = header("x-api-key", &shown.unwrap());
    assert_eq!(identity.authenticate(&old), Ok(Principal::Admin));
}

#[test]
fn debug_output_hides_the_secret() {
    let token = Token::random().unwrap();
    let secret = token.reveal().rsplit('_').next().unwrap();
    assert!(!format!("{token:?}").contains(secret));
}

//! The file of contexts: private, replaced whole, and the right token for the right daemon.

use std::thread;

use super::*;

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// Remembers in the file `path` as [`remember`] does in the user's own.
fn remember_in(path: &Path, text: &str, token: &str) {
    let remembered = change(path, |contexts| {
        contexts.remember(endpoint(text), Secret::new(token));
        Ok(())
    });
    remembered.unwrap();
}

#[test]
fn what_is_remembered_is_current_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/context.json");
    assert!(Contexts::load(&path).unwrap().current().is_none());
    remember_in(&path, "http://127.0.0.1:1", "metapaas_a_1");
    remember_in(&path, "http://127.0.0.1:2/", "metapaas_b_2");
    remember_in(&path, "http://127.0.0.1:1", "metapaas_c_3");

    let contexts = Contexts::load(&path).unwrap();
    let (name, context) = contexts.current().unwrap();
    assert_eq!((name, context.token.clone()), ("127.0.0.1:1", Some(Secret::new("metapaas_c_3"))));
    assert_eq!(contexts.iter().count(), 2);
    let other = contexts.of_endpoint(&endpoint("http://127.0.0.1:2")).unwrap();
    assert_eq!(other.token, Some(Secret::new("metapaas_b_2")));
    assert_eq!(contexts.of_endpoint(&endpoint("http://127.0.0.1:3")), None);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
}

#[test]
fn a_file_that_others_can_read_is_told_and_mended_by_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    remember_in(&path, "http://127.0.0.1:1", "metapaas_a_1");
    assert_eq!(Contexts::load(&path).unwrap().warning(), None);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let warning = Contexts::load(&path).unwrap().warning().unwrap();
    assert!(warning.contains("(mode 0644): `chmod 600 "), "{warning}");
    remember_in(&path, "http://127.0.0.1:1", "metapaas_a_2");
    assert_eq!(Contexts::load(&path).unwrap().warning(), None);
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    thread::scope(|scope| {
        for port in 1..=16 {
            let path = &path;
            scope.spawn(move || remember_in(path, &format!("http://127.0.0.1:{port}"), "t"));
        }
    });
    assert_eq!(Contexts::load(&path).unwrap().iter().count(), 16);
}

#[test]
fn a_damaged_or_foreign_file_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    for (content, wanted) in [
        ("{", "is damaged"),
        (r#"{"schema_version":1,"current":null,"contexts":{"x":{"endpoint":"x"}}}"#, "is damaged"),
        (r#"{"schema_version":2,"current":null,"contexts":{}}"#, "has schema version 2 instead"),
    ] {
        fs::write(&path, content).unwrap();
        let error = change(&path, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn contexts_are_selected_removed_and_given_a_new_token_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    remember_in(&path, "http://127.0.0.1:1", "metapaas_aa_1");
    remember_in(&path, "http://127.0.0.1:2", "metapaas_bb_2");
    let mut contexts = Contexts::load(&path).unwrap();
    contexts.select("127.0.0.1:1").unwrap();
    assert_eq!(contexts.current().unwrap().0, "127.0.0.1:1");
    let error = contexts.select("nowhere").unwrap_err().to_string();
    assert_eq!(error, "there is no context `nowhere`: there are 127.0.0.1:1, 127.0.0.1:2");

    let new = Secret::new("metapaas_cc_3");
    assert_eq!(contexts.replace_token("bb", &new), ["127.0.0.1:2"]);
    assert_eq!(contexts.replace_token("bb", &new), [""; 0]);
    assert_eq!(contexts.get("127.0.0.1:2").unwrap().token, Some(new));

    contexts.remove("127.0.0.1:1").unwrap();
    assert!(contexts.current().is_none());
    assert_eq!(contexts.iter().count(), 1);
}

#[test]
fn a_secret_is_not_shown() {
    let shown = format!("{:?} {:?}", Secret::new("metapaas_1a_secret"), Secret::new("secret"));
    assert_eq!(shown, "metapaas_1a_*** ***");
}

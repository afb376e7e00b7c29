//! Files of keys: who may read them, and what is said when one cannot be used.

use std::error::Error;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::*;

/// What `openssl genpkey -algorithm ed25519` wrote.
const OF_OPENSSL: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIMD3DHk2gPnMsTYiSG3SYB3Xi2PHL7enhOei8Mr/yo2n
-----END PRIVATE KEY-----
";

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse").unwrap()
}

fn ids(keys: &[SigningKey]) -> Vec<String> {
    keys.iter().map(|key| key.public().id()).collect()
}

#[test]
fn keys_come_back_from_their_file_which_nobody_else_may_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys.json");
    let keys = [SigningKey::generate().unwrap(), SigningKey::generate().unwrap()];
    create(&path, &keys, &passphrase()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ids(&read(&path, Some(&passphrase())).unwrap()), ids(&keys));
    let again = create(&path, &keys, &passphrase()).unwrap_err();
    assert!(again.to_string().ends_with("keys.json` cannot be made"), "{again}");
}

#[test]
fn a_key_of_openssl_signs() {
    let keys = parse(OF_OPENSSL, None).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(ids(&parse(&pem::write(&keys).unwrap(), None).unwrap()), ids(&keys));
}

#[test]
fn nothing_of_a_key_is_shown_but_its_id() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", key.public().id()));
    assert_eq!(format!("{:?}", passphrase()), "Passphrase(***)");
}

#[test]
fn what_cannot_be_used_is_told() {
    let dir = TempDir::new().unwrap();
    let check = |text: &str, mode: u32, passphrase: Option<&Passphrase>, expected: Expect| {
        let path = dir.path().join("keys");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read(&path, passphrase).unwrap_err();
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            told += &format!("\n  caused by: {error}");
            cause = error.source();
        }
        expected.assert_eq(&told.replace(&format!("{}/", dir.path().display()), ""));
    };
    let sealed = seal(OF_OPENSSL, &passphrase()).unwrap();
    let wrong = Passphrase::new("wrong horse").unwrap();
    check(
        OF_OPENSSL,
        0o644,
        None,
        expect![
            "file of keys `keys` has mode 644, so others may read it: make other keys if they could have, else `chmod 600 keys`"
        ],
    );
    check(
        "key",
        0o600,
        None,
        expect![[r#"
        file of keys `keys` cannot be used
          caused by: keys cannot be read
          caused by: text has no `-----BEGIN PRIVATE KEY-----`: wanted ed25519 keys as PEM, or the JSON that `repository init` writes"#]],
    );
    check(
        &sealed,
        0o600,
        None,
        expect![[r#"
        file of keys `keys` cannot be used
          caused by: keys cannot be decrypted
          caused by: keys are encrypted: give the passphrase in `METAPAAS_REPOSITORY_PASSPHRASE`"#]],
    );
    check(
        &sealed,
        0o600,
        Some(&wrong),
        expect![[r#"
        file of keys `keys` cannot be used
          caused by: keys cannot be decrypted
          caused by: passphrase is not the one the keys were encrypted with, or the file was changed since"#]],
    );
    check(
        &sealed.replace("\"version\": 1", "\"version\": 2"),
        0o600,
        None,
        expect![[r#"
        file of keys `keys` cannot be used
          caused by: keys cannot be decrypted
          caused by: envelope has format `metapaas-repository-keys` version 2; this build reads `metapaas-repository-keys` version 1"#]],
    );
    let other = OF_OPENSSL.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu");
    check(
        &other,
        0o600,
        None,
        expect![[r#"
        file of keys `keys` cannot be used
          caused by: keys cannot be read
          caused by: key 1 is not an ed25519 key; make one with `openssl genpkey -algorithm ed25519`"#]],
    );
}

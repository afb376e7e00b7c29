//! The settings of the daemon as an operator meets them: shown, checked, refused; and TLS, which is two of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use expect_test::{Expect, expect};
use metapaas_tests::plugins;
use metapaas_tests::process::Server;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A folder to run the binary in.
struct Folder(TempDir);

impl Folder {
    /// With this `metapaas.toml`.
    fn with(file: &str) -> Self {
        let folder = Self(TempDir::with_prefix("metapaas-").unwrap());
        fs::write(folder.path("metapaas.toml"), file).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn metapaas(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(plugins::daemon());
        command.current_dir(self.0.path()).args(arguments);
        command.env("METAPAAS_CONTEXT", self.path("context.json"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.metapaas(arguments).output().unwrap()
    }

    /// What is said of settings that are no good.
    fn check_refused(&self, wanted: &Expect) {
        let said = [&["config", "check"][..], &["config", "show"], &["serve"]].map(|command| {
            let refused = self.run(command);
            assert_eq!(refused.status.code(), Some(64), "{command:?}: {}", text(&refused.stderr));
            assert_eq!(text(&refused.stdout), "");
            text(&refused.stderr)
        });
        assert!(said.iter().all(|each| *each == said[0]), "all say the same: {said:?}");
        wanted.assert_eq(&said[0]);
        assert!(!self.path("metapaas-data").exists(), "nothing is made");
    }

    /// Puts a certificate for `localhost` there, and its key.
    fn put_certificate(&self) -> CertifiedKey<KeyPair> {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(self.path("certificate.pem"), made.cert.pem()).unwrap();
        made
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines about these settings, without the space between columns.
fn lines(output: &Output, keys: &[&str]) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    let is_about = |line: &&str| keys.iter().any(|key| line.split(' ').next() == Some(key));
    text(&output.stdout).lines().filter(is_about).map(words).collect()
}

#[test]
fn every_setting_is_shown_with_where_it_came_from() {
    let folder = Folder::with("[http]\n# a comment\nconnections_max = 7\n");
    let mut command = folder.metapaas(&["config", "show", "--origin", "--data", "d"]);
    let shown = command.env("METAPAAS__LOG__FILTER", "debug").output().unwrap();
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let keys = ["data", "http.connections_max", "http.listen", "log.filter"];
    expect![[r#"
        data d flag --data
        http.connections_max 7 metapaas.toml:3
        http.listen 127.0.0.1:8080 default
        log.filter debug environment variable METAPAAS__LOG__FILTER
    "#]]
    .assert_eq(&lines(&shown, &keys));

    let shown: Value =
        serde_json::from_slice(&folder.run(&["config", "show", "-o", "json"]).stdout).unwrap();
    let of_key = |key: &str| shown.as_array().unwrap().iter().find(|shown| shown["key"] == key);
    assert_eq!(of_key("http.connections_max").unwrap()["value"], 7);
    assert!(of_key("http.connections_max").unwrap().get("origin").is_none(), "nobody asked");
}

#[test]
fn a_password_is_never_shown() {
    let folder = Folder::with("[store]\ndatabase_url = 'postgres://ops:hunter2@db.example/mp'\n");
    for command in [&["config", "show", "--origin"][..], &["config", "show", "-o", "json"]] {
        let shown = folder.run(command);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        let shown = text(&shown.stdout);
        assert!(shown.contains("db.example") && !shown.contains("hunter2"), "{shown}");
    }
    let broken = Folder::with("[store]\ndatabase_url = 'postgres://ops:hunter2@:x/'\n");
    let refused = broken.run(&["config", "show"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(!text(&refused.stderr).contains("hunter2"), "{}", text(&refused.stderr));
}

#[test]
fn good_settings_are_good() {
    let checked = Folder::with("[http]\nconnections_max = 7\n").run(&["config", "check"]);
    assert!(checked.status.success());
    assert_eq!(text(&checked.stdout), "the settings are good\n");
}

#[test]
fn a_misspelt_key_is_refused() {
    Folder::with("[http]\nlisten_adr = '127.0.0.1:1'\n").check_refused(&expect![[r#"
        metapaas: unknown key `http.listen_adr` in `metapaas.toml`: the nearest known key is `http.listen` (`METAPAAS__HTTP__LISTEN` in the environment)
    "#]]);
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    Folder::with("\n[http]\nconnections_max = 'many'\n").check_refused(&expect![[r#"
        metapaas: setting `http.connections_max` has a value of the wrong kind: correct it in metapaas.toml:3; caused by: invalid type: string "many", expected an integer for key `http.connections_max` in metapaas.toml
    "#]]);
}

#[test]
fn an_address_that_others_reach_is_refused_without_tls() {
    Folder::with("[http]\nlisten = '0.0.0.0:0'\n").check_refused(&expect![[r#"
        metapaas: setting `http.listen` is `0.0.0.0:0`, which others reach in clear text: set `http.tls.certificate` and `http.tls.key`, listen on `127.0.0.1:0`, or set `http.allow_plaintext = true` if what is between speaks TLS
    "#]]);
}

#[tokio::test]
async fn clear_text_for_everybody_is_served_by_choice() {
    let folder = Folder::with("[http]\nlisten = '0.0.0.0:0'\nallow_plaintext = true\n");
    let server = Server::start(&mut folder.metapaas(&["serve"])).await;
    assert!(server.address.ip().is_loopback(), "it tells where a client here finds it");
    assert!(server.terminate().await.success());
}

#[test]
fn tls_files_that_are_no_good_are_refused_before_anything_is_made() {
    let folder = Folder::with("[http.tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n");
    for (command, code) in [(&["config", "check"][..], 64), (&["serve"], 64)] {
        let refused = folder.run(command);
        assert_eq!(refused.status.code(), Some(code), "{}", text(&refused.stderr));
        assert!(!text(&refused.stdout).contains("admin token"), "{}", text(&refused.stdout));
        let said = text(&refused.stderr);
        let wanted = "`certificate.pem` cannot be read: correct setting `http.tls.certificate`";
        assert!(said.contains(wanted), "{said}");
    }
}

#[tokio::test]
async fn tls_is_spoken_with_everybody() {
    let folder = Folder::with(
        "[http]\nlisten = '0.0.0.0:0'\n[http.tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n",
    );
    let certificate = folder.put_certificate();
    let server = Server::start(&mut folder.metapaas(&["serve"])).await;
    assert!(server.log().contains("listening on https://127.0.0.1:"), "{}", server.log());

    let answer = ask(&server, &certificate).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _reset = plain.read_to_end(&mut heard).await;
    assert!(!text(&heard).contains("HTTP/"), "clear text is not answered: {}", text(&heard));
    assert!(server.terminate().await.success());
}

/// What `GET /healthz` answers over TLS, to somebody who trusts this certificate alone.
async fn ask(server: &Server, trusted: &CertifiedKey<KeyPair>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

//! TLS over real sockets, with certificates made for the test.

use std::fs;
use std::net::SocketAddr;

use expect_test::{Expect, expect};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::server::{Config, Listener};

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// The two files of a listener.
struct Files(TempDir);

impl Files {
    /// None of them there yet.
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a certificate for `localhost` there, and its key.
    fn put(&self) -> CertifiedKey<KeyPair> {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(self.path("certificate"), made.cert.pem()).unwrap();
        made
    }

    fn config(&self) -> config::Tls {
        let document = serde_json::json!({
            "certificate": self.path("certificate"),
            "key": self.path("key"),
            "reload_ms": 100,
            "handshake_timeout_ms": 200,
        });
        serde_json::from_value(document).unwrap()
    }

    fn open(&self) -> Result<Tls, Error> {
        Ok(Tls::open(&self.config())?.unwrap())
    }

    fn check_refused(&self, wanted: &Expect) {
        let error = self.open().unwrap_err();
        let told = log::chain(&error).to_string();
        wanted.assert_eq(&told.replace(self.0.path().to_str().unwrap(), "DIR"));
    }
}

/// A listener with these files that agrees on keys and says "hello", one connection after the other.
async fn serve(files: &Files, tasks: &Tasks) -> SocketAddr {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen, tls: files.config(), ..Config::default() };
    let Listener { tcp, tls, local_addr } = Listener::bind(&config).await.unwrap();
    let tls = tls.unwrap();
    tasks.spawn("certificate", Arc::clone(&tls).follow_files(tasks.clone()));
    tasks.spawn("server", async move {
        while let Ok((stream, _peer)) = tcp.accept().await {
            if let Ok(mut stream) = tls.accept(stream).await {
                let _gone = stream.write_all(b"hello").await;
                let _gone = stream.shutdown().await;
            }
        }
    });
    local_addr
}

/// What a client hears that trusts this certificate alone.
async fn hear(address: SocketAddr, trusted: &CertifiedKey<KeyPair>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), ALPN.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ALPN));
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_it_serves() {
    let (files, tasks) = (Files::new(), Tasks::default());
    let first = files.put();
    let address = serve(&files, &tasks).await;
    assert_eq!(hear(address, &first).await.unwrap(), "hello");
    let second = files.put();
    let taken = async { while hear(address, &second).await.is_err() {} };
    timeout(PATIENCE, taken).await.expect("the new certificate is taken");
    assert!(hear(address, &first).await.is_err(), "the old one is not shown any more");
}

#[test]
fn a_broken_pair_is_not_taken_and_the_next_good_one_is() {
    let files = Files::new();
    files.put();
    let tls = files.open().unwrap();
    let first = tls.current.load_full();
    let is_first = || Arc::ptr_eq(&first, &tls.current.load());

    let mut seen = tls.look(tls.first_seen);
    assert_eq!(seen, tls.first_seen, "nothing changed");
    for broken in ["nonsense", ""] {
        fs::write(files.path("key"), broken).unwrap();
        let now = tls.look(seen);
        assert_ne!(now, seen, "it was looked at");
        seen = now;
        assert!(is_first());
    }
    fs::remove_file(files.path("key")).unwrap();
    seen = tls.look(seen);
    assert_eq!(seen, Mark::default(), "it was looked at");
    assert!(is_first());
    files.put();
    tls.look(seen);
    assert!(!is_first());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let (files, tasks) = (Files::new(), Tasks::default());
    let made = files.put();
    let address = serve(&files, &tasks).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut nothing = Vec::new();
    let closed = timeout(PATIENCE, silent.read_to_end(&mut nothing)).await;
    assert!(closed.is_ok(), "the server closes it at its limit");
    assert_eq!(hear(address, &made).await.unwrap(), "hello");
}

#[test]
fn files_that_are_no_good_are_told() {
    let (files, other) = (Files::new(), Files::new());
    files.check_refused(&expect!["`DIR/certificate` cannot be read: correct setting `http.tls.certificate`; caused by: No such file or directory (os error 2)"]);
    files.put();
    other.put();
    fs::write(files.path("certificate"), "").unwrap();
    files.check_refused(&expect!["`DIR/certificate` holds no certificate in PEM: correct setting `http.tls.certificate` or the file; caused by: no items found"]);
    fs::copy(other.path("certificate"), files.path("certificate")).unwrap();
    files.check_refused(&expect!["the certificate in `DIR/certificate` and the key in `DIR/key` cannot be used together; caused by: keys may not be consistent: KeyMismatch"]);
    fs::copy(other.path("certificate"), files.path("key")).unwrap();
    files.check_refused(&expect!["`DIR/key` holds no private key in PEM: correct setting `http.tls.key` or the file; caused by: no items found"]);
}

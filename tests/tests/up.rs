//! `metapaas up` and `down`, as somebody meets them who has just cloned the repository.
//!
//! Each story has a checkout of its own, whose cargo is a script: it puts made-up versions of the demo where the
//! real one puts those that it builds. That the real one builds them is for whoever walks through the README.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use expect_test::{Expect, expect};
use metapaas_tests::client::Client;
use metapaas_tests::database::Look;
use metapaas_tests::plugins::{self, Workspace};
use metapaas_tests::process::Server;
use metapaas_tests::schema::Schema;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const DEMO: &str = "metapaas-demo";
const TOKEN: &str = "admin token: ";
/// The last line that `up` prints before it waits.
const READY: &str = "Ctrl-C ends it";
/// Longer than anything here takes; reaching it is a failure.
const EVENTUALLY: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Builds both versions, and says so as cargo does, to people and to programs.
const CARGO: &str = r#"#!/bin/sh
case "$*" in *"--features next"*) version=0.2.0 ;; *) version=0.1.0 ;; esac
mkdir -p examples/target/release
cp "$version.so" examples/target/release/libmetapaas_demo.so
echo "   Compiling metapaas-demo v0.1.0" >&2
echo '{"target":{"kind":["cdylib"]},"filenames":["examples/target/release/libmetapaas_demo.so"]}'
"#;

/// A folder that looks like a fresh clone.
struct Checkout(TempDir);

impl Checkout {
    /// With versions of the demo that do nothing.
    fn new() -> Self {
        Self::building(|version| {
            Schema::new(DEMO, version).with("types", ["demo"].into()).library()
        })
    }

    /// With the demo itself.
    fn real() -> Self {
        Self::building(|version| {
            let package = if version == "0.1.0" { "metapaas-demo" } else { "metapaas-demo-next" };
            fs::read(plugins::library(Workspace::Examples, package)).unwrap()
        })
    }

    fn building(library: impl Fn(&str) -> Vec<u8>) -> Self {
        let checkout = Self::empty();
        for version in ["0.1.0", "0.2.0"] {
            checkout.write(&format!("{version}.so"), &library(version));
        }
        for source in ["demo/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
            checkout.write(&format!("examples/{source}"), b"");
        }
        for folder in ["plugin-abi", "plugin-sdk", "plugins-dir"] {
            fs::create_dir(checkout.path(folder)).unwrap();
        }
        checkout.with_cargo(CARGO)
    }

    /// A folder with nothing in it.
    fn empty() -> Self {
        Self(TempDir::with_prefix("metapaas-").unwrap())
    }

    /// With a cargo that does this instead.
    fn with_cargo(self, script: &str) -> Self {
        self.write("cargo", script.as_bytes());
        fs::set_permissions(self.path("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The binary, run here.
    fn metapaas(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(plugins::daemon());
        command.current_dir(self.0.path()).args(arguments);
        command.env("METAPAAS_CONTEXT", self.context()).env("CARGO", self.path("cargo"));
        command
    }

    fn context(&self) -> PathBuf {
        self.path("home/context.json")
    }

    /// What a command says that comes to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        self.metapaas(arguments).output().unwrap()
    }

    /// `up`, until it has said everything.
    async fn up(&self) -> Up {
        let up = Up::of(&mut self.metapaas(&["up", "--listen", "127.0.0.1:0"])).await;
        up.says(READY).await;
        up
    }
}

/// A running `up`.
struct Up(Server);

impl Up {
    async fn of(command: &mut Command) -> Self {
        Self(Server::start(command).await)
    }

    async fn says(&self, words: &str) {
        let said = async {
            while !self.0.log().contains(words) {
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(EVENTUALLY, said).await.unwrap_or_else(|_| panic!("never said: {words}"));
    }

    fn token(&self) -> Option<String> {
        let log = self.0.log();
        log.lines().find_map(|line| line.strip_prefix(TOKEN)).map(str::to_owned)
    }

    fn client(&self, token: Option<String>) -> Client {
        Client { address: self.0.address, token }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn document(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_first_start_builds_the_demo_and_installs_it() {
    let checkout = Checkout::new();
    let up = checkout.up().await;
    let token = up.token().expect("the first start prints the token");

    let client = up.client(Some(token.clone()));
    assert_eq!(client.get("/readyz").await.status, 200);
    let element: Value = client.get(&format!("/v1/elements/{DEMO}")).await.expect(200).json();
    let seen = ["status", "version", "serving_version"].map(|member| element[member].clone());
    assert_eq!(seen, ["ACTIVE", "0.1.0", "0.1.0"]);
    assert_eq!(element["available_versions"], serde_json::json!(["0.1.0", "0.2.0"]));
    let health: Value = client.get("/v1/types/demo/-/health").await.expect(200).json();
    assert_eq!(health["status"], "ok");

    let context = checkout.context();
    assert_eq!(fs::metadata(&context).unwrap().permissions().mode() & 0o777, 0o600);
    let document = document(&context);
    let current = &document["contexts"][document["current"].as_str().unwrap()];
    assert_eq!(current["token"], token.as_str());
    assert_eq!(current["endpoint"], format!("http://{}", up.0.address));

    let (status, said) = up.0.interrupt().await;
    assert!(status.success(), "{status}");
    assert_eq!(said.matches(&token).count(), 1, "the token is shown once");
    assert!(said.contains("   Compiling metapaas-demo"), "cargo's progress is shown: {said}");
    assert!(said.contains("stopped; nothing is left running"), "{said}");
    assert!(said.contains(" down` to end"), "{said}");
}

#[tokio::test]
async fn what_it_says_to_do_works_when_it_is_pasted() {
    let checkout = Checkout::real();
    let up = checkout.up().await;
    let log = up.0.log();
    let (_before, shown) = log.split_once("Three things").unwrap();
    let commands: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [make, upgrade, list] = *commands else { panic!("three commands: {commands:?}") };
    assert!(checkout.paste(make).contains(r#""name":"first""#));
    assert!(checkout.paste(upgrade).contains("0.2.0 serves"));
    let listed = checkout.paste(list);
    assert!(listed.contains(r#""name":"first""#) && listed.contains(r#""greeting":"#), "{listed}");
}

impl Checkout {
    /// What a shell in this folder says to a line, which has to end well.
    fn paste(&self, line: &str) -> String {
        let mut shell = Command::new("sh");
        shell.current_dir(self.0.path()).arg("-c").arg(line);
        let said = shell.env("METAPAAS_CONTEXT", self.context()).output().unwrap();
        assert!(said.status.success(), "{line}: {}", text(&said.stderr));
        text(&said.stdout)
    }
}

#[tokio::test]
async fn a_second_start_takes_the_state_as_it_is() {
    let checkout = Checkout::new();
    let up = checkout.up().await;
    let client = up.client(up.token());
    let path = format!("/v1/elements/{DEMO}");
    let _gone = client.delete(&path, &[("prefer", "wait=60")]).await.expect(204);
    assert!(up.0.terminate().await.success());

    let up = checkout.with_cargo("#!/bin/sh\nexit 1\n").up_again().await;
    assert_eq!(up.token(), None);
    assert!(!up.0.log().contains("building"), "what is there is not built again: {}", up.0.log());
    let client = Client { address: up.0.address, ..client };
    let gone = client.get(&path).await;
    assert_eq!(gone.status, 404, "who uninstalled the demo is not overruled: {}", gone.text());
}

impl Checkout {
    async fn up_again(&self) -> Up {
        self.up().await
    }
}

#[tokio::test]
async fn a_demo_whose_sources_changed_is_built_again() {
    let checkout = Checkout::new();
    assert!(checkout.up().await.0.terminate().await.success());
    checkout.write("plugin-sdk/src/lib.rs", b"");
    let up = checkout.up().await;
    assert_eq!(up.0.log().matches("building metapaas-demo").count(), 2, "{}", up.0.log());
    assert_eq!(up.client(None).get("/v1/types/demo/-/health").await.status, 200);
}

#[tokio::test]
async fn the_client_follows_a_daemon_that_moves() {
    let checkout = Checkout::new();
    for _start in 0..2 {
        let up = checkout.up().await;
        let seen = checkout.run(&["element", "list", "-o", "json"]);
        assert!(seen.status.success(), "{}", text(&seen.stderr));
        assert!(text(&seen.stdout).contains(DEMO), "{}", text(&seen.stdout));
        assert!(up.0.terminate().await.success());
    }
}

#[tokio::test]
async fn down_stops_it_and_nothing_else() {
    let checkout = Checkout::new();
    let mut up = checkout.up().await;
    let down = checkout.run(&["down"]);
    assert!(down.status.success(), "{}", text(&down.stderr));
    assert!(text(&down.stdout).starts_with("stopped process "), "{}", text(&down.stdout));
    let ended = up.0.has_ended().expect("down waits for the end");
    assert!(ended.success(), "{ended}");

    let again = checkout.run(&["down"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "nothing runs in `.metapaas`\n");
    let elsewhere = Checkout::empty().run(&["down"]);
    assert!(elsewhere.status.success(), "{}", text(&elsewhere.stderr));
}

#[tokio::test]
async fn outside_a_checkout_there_is_no_demo() {
    let folder = Checkout::empty();
    let up = folder.up().await;
    assert!(up.token().is_some());
    assert!(up.0.log().contains("this folder is no checkout of MetaPaaS"), "{}", up.0.log());
    assert_eq!(up.client(None).get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_demo_that_cannot_be_built_is_explained_and_built_later() {
    let does_not_compile = "#!/bin/sh\necho 'error[E0425]: cannot find value `x`' >&2\n\
        echo 'error: could not compile `metapaas-demo`' >&2\nexit 101\n";
    let no_network = "#!/bin/sh\necho 'error: failed to download `serde v1.0.0`' >&2\nexit 101\n";
    let checkout = Checkout::new();
    let checkout = checkout.check_without(does_not_compile, "no demo: it does not compile").await;
    let checkout = checkout.check_without(no_network, "no demo: cargo could not get").await;
    fs::remove_file(checkout.path("cargo")).unwrap();
    let up = checkout.up().await;
    up.says("no demo: there is no `cargo`").await;
    assert!(up.0.terminate().await.success());

    let up = checkout.with_cargo(CARGO).up_again().await;
    up.says("installed metapaas-demo 0.1.0").await;
    let health = up.client(None).get("/v1/types/demo/-/health").await;
    assert_eq!(health.status, 200, "{}", health.text());
}

impl Checkout {
    /// With this cargo the daemon is ready all the same, and says this.
    async fn check_without(self, cargo: &str, words: &str) -> Self {
        let checkout = self.with_cargo(cargo);
        let up = checkout.up().await;
        up.says(words).await;
        assert_eq!(up.client(None).get("/readyz").await.status, 200);
        assert!(up.0.terminate().await.success());
        checkout
    }
}

#[tokio::test]
async fn an_interrupt_ends_a_build_under_way() {
    let checkout =
        Checkout::new().with_cargo("#!/bin/sh\necho $$ >pid\necho slow >&2\nsleep 600\n");
    let up = Up::of(&mut checkout.metapaas(&["up", "--listen", "127.0.0.1:0"])).await;
    up.says("slow").await;
    let ready = up.client(None).get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("building the demo"), "{}", ready.text());

    let pid = fs::read_to_string(checkout.path("pid")).unwrap();
    let cargo = PathBuf::from(format!("/proc/{}/cwd", pid.trim()));
    assert!(cargo.exists(), "it builds");
    let (status, said) = up.0.interrupt().await;
    assert!(status.success(), "{status}: {said}");
    let ended = async {
        while cargo.exists() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(EVENTUALLY, ended).await.expect("cargo ends with it");
}

/// What is refused: the exit code, and what is said of it with the folder's name left out.
fn check_refused(checkout: &Checkout, arguments: &[&str], code: i32, wanted: &Expect) {
    let refused = checkout.run(arguments);
    let said = text(&refused.stderr).replace(&checkout.path("").display().to_string(), "DIR/");
    assert_eq!(refused.status.code(), Some(code), "{said}");
    assert!(!text(&refused.stdout).contains(TOKEN), "a token that is of no use is not shown");
    wanted.assert_eq(&said);
}

#[tokio::test]
async fn a_second_up_in_the_same_folder_is_refused() {
    let checkout = Checkout::empty();
    let up = checkout.up().await;
    let refused = checkout.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(
        said.starts_with(
            "metapaas: data directory `.metapaas` is in use by another daemon (process "
        )
    );
    assert!(said.contains("`metapaas down --data .metapaas`"), "{said}");
    assert!(up.0.terminate().await.success());
}

#[tokio::test]
async fn a_taken_port_is_refused_and_the_token_is_not_lost() {
    let checkout = Checkout::empty();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = checkout.run(&["up", "--listen", &address]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "{}", text(&refused.stdout));
    let port = taken.local_addr().unwrap().port().to_string();
    expect!["metapaas: cannot listen on `127.0.0.1:PORT`: choose another address with `--listen`, or end what has it (`ss -ltnp 'sport = :PORT'` says who); caused by: Address already in use (os error 98)\n"]
    .assert_eq(&text(&refused.stderr).replace(&port, "PORT"));
    drop(taken);
    assert!(checkout.up().await.token().is_some());
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let checkout = Checkout::empty();
    checkout.write("file", b"");
    let arguments = ["up", "--listen", "127.0.0.1:0", "--data", "file/data"];
    check_refused(
        &checkout,
        &arguments,
        1,
        &expect![[r#"
        metapaas: data directory `file/data` cannot be made: name another with `--data`; caused by: Not a directory (os error 20)
    "#]],
    );
}

#[tokio::test]
async fn a_store_of_somebody_else_is_refused() {
    let checkout = Checkout::empty();
    checkout.write(".metapaas/metapaas.db", b"");
    let file = checkout.path(".metapaas/metapaas.db");
    let _nothing = Look::into_file(&file).await.rows("CREATE TABLE invoices (id)").await;
    check_refused(
        &checkout,
        &["up", "--listen", "127.0.0.1:0"],
        65,
        &expect![[r#"
        metapaas: store `.metapaas/metapaas.db` is not MetaPaaS's: it holds `invoices`; name an empty database, or another directory with `--data`
    "#]],
    );
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let checkout = Checkout::empty();
    assert!(checkout.up().await.0.terminate().await.success());
    let mut look = Look::into_file(&checkout.path(".metapaas/metapaas.db")).await;
    let insert = "INSERT INTO metapaas_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    let _nothing = look.rows(insert).await;
    check_refused(
        &checkout,
        &["up", "--listen", "127.0.0.1:0"],
        65,
        &expect![[r#"
        metapaas: store `.metapaas/metapaas.db` was written by a newer version: this one does not know its schema step `m9999_later`; start that version, or restore a backup made with this one
    "#]],
    );
}

#[test]
fn an_address_that_others_reach_is_refused() {
    let checkout = Checkout::empty();
    check_refused(
        &checkout,
        &["up", "--listen", "0.0.0.0:8080"],
        64,
        &expect![[r#"
        metapaas: setting `http.listen` is `0.0.0.0:8080`, which others reach in clear text: set `http.tls.certificate` and `http.tls.key`, listen on `127.0.0.1:8080`, or set `http.allow_plaintext = true` if what is between speaks TLS
    "#]],
    );
    assert!(!checkout.path(".metapaas").exists(), "nothing is made");
}

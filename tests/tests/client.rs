//! The client on the command line: what it prints, how it exits, and what it does to a daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::plugins::{Plugin, Workspace};
use metapaas_tests::shell::Shell;
use serde_json::{Value, json};
use tokio::time::timeout;

/// A daemon that is offered `swap` in two versions, and somebody at its command line.
async fn scene() -> (Daemon, Shell) {
    let daemon = Daemon::start().await;
    for package in ["swap", "swap-next"] {
        daemon.offer(&Plugin::built(Workspace::Fixtures, package));
    }
    let shell = daemon.shell();
    (daemon, shell)
}

/// A daemon that is offered a plugin whose start never ends, but for the probe.
async fn stuck() -> (Daemon, Shell) {
    let options =
        Options::default().with_environment(&[("METAPAAS__PLUGIN__START_DEADLINE_MS", "60000")]);
    let daemon = Daemon::start_with(options).await;
    daemon.offer(&Plugin::built(Workspace::Fixtures, "start-hangs"));
    let shell = daemon.shell();
    (daemon, shell)
}

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_element_lives_its_life_on_the_command_line() {
    let (daemon, shell) = scene().await;
    let installed = shell.run("element install swap --version 0.1.0").expect(0);
    assert!(installed.stdout.starts_with("element swap is ACTIVE: 0.1.0 serves"), "{installed:?}");
    assert!(installed.stderr.contains("\nstart: SUCCEEDED in "), "{installed:?}");

    let upgraded = shell.run("ee upgrade swap").expect(0);
    assert!(upgraded.stdout.starts_with("element swap is ACTIVE: 0.2.0 serves"), "{upgraded:?}");
    assert_eq!(daemon.health("swap").await["version"], "0.2.0");

    let back = shell.run("ee rollback swap").expect(0);
    assert!(back.stdout.starts_with("element swap is ACTIVE: 0.1.0 serves"), "{back:?}");
    let routes = shell.run("ee routes swap").expect(0);
    assert!(routes.stdout.contains("  /v1/types/swap/-/health"), "{routes:?}");
    let history = shell.run("ee history swap").expect(0);
    for kind in ["element.install", "element.upgrade", "element.rollback"] {
        assert!(history.stdout.contains(kind), "{history:?}");
    }

    let gone = shell.run("ee uninstall swap --yes").expect(0);
    assert_eq!(gone.stdout, "element swap is uninstalled\n");
    let absent = shell.run("ee get swap").expect(5);
    assert!(absent.stderr.starts_with("metapaas: Element swap is not installed.\n"), "{absent:?}");
}

#[tokio::test]
async fn json_is_the_document_of_the_api_and_yaml_is_the_same() {
    let (daemon, shell) = scene().await;
    let installed = shell.run("-o json ee install swap --version 0.1.0").expect(0);
    assert_eq!((installed.json()["status"].as_str(), &*installed.stderr), (Some("ACTIVE"), ""));
    for (line, path) in [
        ("element get swap", "/v1/elements/swap"),
        ("element list", "/v1/elements"),
        ("element routes swap", "/v1/elements/swap/routes"),
        ("operation list", "/v1/operations"),
    ] {
        let printed = shell.run(&format!("{line} -o json")).expect(0).stdout;
        assert_eq!(printed.trim_end(), daemon.get(path).await.expect(200).text(), "{line}");
        let yaml = shell.run(&format!("{line} -o yaml")).expect(0).stdout;
        assert!(yaml.contains("name: swap") || yaml.contains("swap/-/health"), "{yaml}");
    }
}

#[tokio::test]
async fn the_flags_of_the_original_work_before_the_noun() {
    let (daemon, shell) = scene().await;
    let nobody = Shell { context: shell.folder.join("none.json"), ..shell };
    let reach = format!(
        "-e http://{} -u admin -p {}",
        daemon.client.address,
        daemon.client.token.as_deref().unwrap()
    );
    let line = format!("{reach} ee install swap --version 0.1.0");
    let installed = nobody.run(&line).expect(0);
    assert!(installed.stdout.contains("swap is ACTIVE"), "{installed:?}");
    let later = nobody.run(&format!("{line} --repository http://127.0.0.1/")).expect(2);
    assert!(later.stderr.contains("`--repository` is not there yet"), "{later:?}");
    let list = nobody.run(&format!("{reach} ee list -o json")).expect(0);
    assert_eq!(list.json()["items"][0]["name"], "swap");
}

#[tokio::test]
async fn whoever_does_not_wait_gets_an_operation_to_look_at() {
    let (_daemon, shell) = scene().await;
    let begun = shell.run("ee install swap --version 0.1.0 --no-wait").expect(0);
    let id = begun.stdout.trim();
    let waited = shell.run(&format!("operation wait {id}")).expect(0);
    assert_eq!(
        waited.stdout,
        format!("operation {id}: element.install swap SUCCEEDED\n"),
        "{waited:?}"
    );
    let shown = shell.run(&format!("operation get {id}")).expect(0).stdout;
    assert!(shown.contains("STEP") && shown.contains("SUCCEEDED"), "{shown}");
    let log = shell.run(&format!("operation logs {id}")).expect(0).stdout;
    assert!(!log.is_empty());
    assert_eq!(shell.run(&format!("operation logs {id} --follow")).expect(0).stdout, log);
    let listed = shell.run("operation list --target element/swap --state succeeded").expect(0);
    assert!(listed.stdout.contains(id), "{listed:?}");
    let _ended = shell.run(&format!("operation cancel {id}")).expect(6);
}

#[tokio::test]
async fn every_failure_has_its_exit_code_and_its_problem() {
    let (_daemon, shell) = scene().await;
    for (line, code, problem) in [
        ("ee get nothing", 5, "ELEMENT_NOT_FOUND"),
        ("ee install swap --version 9.9.9", 5, "VERSION_NOT_FOUND"),
        ("ee rollback nothing", 5, "ELEMENT_NOT_FOUND"),
        ("operation get nothing", 5, "OPERATION_NOT_FOUND"),
        ("operation list --state NONE", 7, "BAD_REQUEST"),
        ("ee list --token metapaas_1_2", 4, "UNAUTHENTICATED"),
        ("ee list -e http://127.0.0.1:1", 3, "CLIENT_UNREACHABLE"),
        ("ee list -u admin", 2, "CLIENT_USAGE"),
        ("context use nothing", 1, "CLIENT_FAILED"),
    ] {
        let failed = shell.run(&format!("{line} -o json")).expect(code);
        assert_eq!(failed.problem()["code"], problem, "{line}");
        assert_eq!(failed.stdout, "", "{line}");
    }
    for line in ["ee", "ee install", "ee install swap --set word", "ee plan swap", "nonsense"] {
        let _usage = shell.run(line).expect(2);
    }
}

#[tokio::test]
async fn a_rollout_that_fails_is_exit_code_1_and_says_why() {
    let (_daemon, shell) = scene().await;
    let _installed = shell.run("ee install swap --version 0.1.0").expect(0);
    let failed = shell.run("ee settings swap --set nonsense=1").expect(1);
    let wanted = ["probe: FAILED in ", "\n  code: SETTINGS_INVALID (422)", "\n  operation: "];
    for part in wanted {
        assert!(failed.stderr.contains(part), "{part}: {failed:?}");
    }
    let failed = shell.run("ee settings swap --set nonsense=1 -o json").expect(1);
    assert_eq!(failed.problem()["code"], "SETTINGS_INVALID");
    let stands = shell.run("ee get swap -o json").expect(0).json();
    assert_eq!((&stands["serving_version"], &stands["status"]), (&json!("0.1.0"), &json!("ERROR")));
}

#[tokio::test]
async fn settings_are_set_one_by_one() {
    let (_daemon, shell) = stuck().await;
    fs::write(shell.folder.join("settings.yaml"), "spares_probe: false\n").unwrap();
    // It does not come to serve, which is of no importance here: what is wanted is kept.
    let file = "--settings settings.yaml --isolation process --no-wait";
    let _begun = shell.run(&format!("ee install broken --version 0.2.0 {file}")).expect(0);
    let settings = || shell.run("ee settings broken -o json").expect(0).json();
    assert_eq!(settings(), json!({ "spares_probe": false }));
    let _begun = shell.run("ee settings broken --set spares_probe=true --no-wait").expect(0);
    assert_eq!(settings(), json!({ "spares_probe": true }));
    let _begun = shell.run("ee settings broken --unset spares_probe --no-wait").expect(0);
    assert_eq!(settings(), json!({}));
    let isolation = &shell.run("ee get broken -o json").expect(0).json()["isolation"];
    assert_eq!(isolation, "process");
}

#[tokio::test]
async fn ctrl_c_ends_the_wait_and_not_the_operation() {
    let (daemon, shell) = stuck().await;
    let waits = shell.start("ee install broken --version 0.2.0 --set spares_probe=true");
    let running = async {
        loop {
            let path = "/v1/operations?state=RUNNING";
            let operations: Value = daemon.get(path).await.expect(200).json();
            if let Some(id) = operations["items"][0]["id"].as_str() {
                break id.to_owned();
            }
        }
    };
    let id = timeout(PATIENCE, running).await.expect("the operation begins");
    waits.interrupt();
    let left = waits.end().expect(130);
    assert!(left.stderr.contains(&format!("operation {id} goes on: ")), "{left:?}");

    let unfinished = shell.run(&format!("operation wait {id} --timeout 1")).expect(9);
    assert!(unfinished.stderr.contains("goes on after 1 s: "), "{unfinished:?}");
    let operation = shell.run(&format!("operation get {id} -o json")).expect(0).json();
    assert_eq!(operation["state"], "RUNNING");
}

#[tokio::test]
async fn a_token_that_is_reset_counts_at_once_and_is_known_to_the_context() {
    let (daemon, shell) = scene().await;
    let _listed = shell.run("ee list").expect(0);
    let reset = shell.run("token reset --data data").expect(0);
    let token = reset.stdout.trim().strip_prefix("admin token: ").unwrap();
    assert!(reset.stderr.contains("the client context knows it: "), "{reset:?}");
    let _old = daemon.get("/v1/elements").await.expect(401);
    let _new = shell.run("ee list").expect(0);
    let nobody = Shell { context: shell.folder.join("none.json"), ..shell.clone() };
    let endpoint = format!("http://{}", daemon.client.address);
    let by_hand = nobody.with("METAPAAS_ENDPOINT", &endpoint).with("METAPAAS_TOKEN", token);
    let _listed = by_hand.run("ee list").expect(0);

    let nowhere = shell.run("token reset --data bundles").expect(2);
    assert!(nowhere.stderr.contains("is no data directory"), "{nowhere:?}");
}

#[tokio::test]
async fn contexts_are_private_and_say_which_daemon_is_meant() {
    let (daemon, shell) = scene().await;
    let mode = fs::metadata(&shell.context).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let added = shell.run("context add other -e http://127.0.0.1:1 --token metapaas_ab_cd");
    assert_eq!(added.expect(0).stderr, "other is known, and meant from now on\n");
    let _unreachable = shell.run("ee list").expect(3);
    let shown = shell.run("context show -o json").expect(0).json();
    assert_eq!(shown["authenticates_as"], "token metapaas_ab_***");

    let name = daemon.client.address.to_string();
    let _used = shell.run(&format!("context use {name}")).expect(0);
    let _listed = shell.run("ee list").expect(0);
    let _removed = shell.run("context remove other").expect(0);
    let list = shell.run("context list -o json").expect(0).json();
    assert_eq!((&list["items"][0]["name"], &list["items"][1]), (&json!(name), &json!(null)));

    fs::set_permissions(&shell.context, fs::Permissions::from_mode(0o644)).unwrap();
    let warned = shell.run("ee list").expect(0);
    assert!(warned.stderr.contains("warning: others may read the tokens"), "{warned:?}");
}

#[tokio::test]
async fn shells_complete_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().join("context.json");
    let shell = Shell { folder: folder.path().to_owned(), context, environment: Vec::new() };
    for name in ["bash", "zsh", "fish"] {
        let script = shell.run(&format!("completions {name}")).expect(0).stdout;
        assert!(script.contains("uninstall") && script.contains("no-wait"), "{name}");
    }
}

#[tokio::test]
async fn a_plan_answers_by_its_exit_code_and_shows_the_statements() {
    let daemon = Daemon::start().await;
    for package in ["migrates", "migrates-next"] {
        daemon.offer(&Plugin::built(Workspace::Fixtures, package));
    }
    let shell = daemon.shell();
    let first = shell.run("ee plan migrates@0.1.0").expect(2);
    assert!(first.stdout.contains("serving   nothing"), "{first:?}");
    let _installed = shell.run("ee install migrates --version 0.1.0").expect(0);
    let nothing = shell.run("ee plan migrates@0.1.0").expect(0);
    assert!(nothing.stdout.contains("the schema stays as it is"), "{nothing:?}");

    let next = shell.run("migrations plan migrates@0.2.0").expect(2);
    for part in ["wanted    0.2.0", "before the switch", "ALTER TABLE"] {
        assert!(next.stdout.contains(part), "{part}: {next:?}");
    }
    let document = shell.run("ee plan migrates@0.2.0 -o json").expect(2);
    let path = "/v1/elements/migrates/plan?version=0.2.0";
    assert_eq!(document.stdout.trim_end(), daemon.get(path).await.expect(200).text());
    let absent = shell.run("ee plan migrates@9.9.9 -o json").expect(1);
    assert_eq!(absent.problem()["code"], "VERSION_NOT_FOUND");

    let before = shell.run("migrations status migrates").expect(0).stdout;
    assert_eq!(before.matches("APPLIED").count(), 2, "a head and a row: {before}");
    let _upgraded = shell.run("ee upgrade migrates").expect(0);
    let after = shell.run("migrations status").expect(0).stdout;
    assert_eq!(after.lines().count(), before.lines().count() + 1, "{after}");
}

//! What is refused before it serves: by the packer, by the probe, at the start, by the check after the switch.

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use metapaas_tests::daemon::Wanted;
use metapaas_tests::plugins::{Plugin, Workspace, daemon, library};
use metapaas_tests::swaps::Lane;
use serde_json::json;
use tempfile::TempDir;

use super::bundles::{
    BROKEN, Offer, cut_in_half, damaged, damaged_bytes, for_aarch64, forged,
    forged_unlike_the_probe, forged_version, packed, packed_panic_abort,
};
use super::scene::Scene;

/// What `metapaas plugin pack` says of a library.
fn pack_error(library: &Path) -> String {
    let out = TempDir::new().unwrap();
    let mut command = Command::new(daemon());
    command.args(["plugin", "pack", "--library"]).arg(library).arg("--out").arg(out.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing is packed");
    let said = String::from_utf8(output.stderr).unwrap();
    said.trim_end().replace(library.to_str().unwrap(), "LIBRARY")
}

#[test]
fn a_library_that_is_no_plugin_of_this_daemon_is_not_packed() {
    let check = |library: &Path, text: Expect| text.assert_eq(&pack_error(library));
    let fixture = |package| library(Workspace::Fixtures, package);
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    check(
        &fixture("no-root"),
        expect![
            "metapaas: `LIBRARY` cannot be described: the library exports no plugin root module; annotate the plugin with `#[plugin_sdk::plugin]` and build it as a cdylib"
        ],
    );
    check(
        &fixture("newer-abi"),
        expect![
            "metapaas: `LIBRARY` cannot be described: the plugin speaks ABI revision 1, this daemon speaks 0; upgrade the daemon, or install a version of the plugin built for it"
        ],
    );
    check(
        &fixture("changed-layout"),
        expect![
            "metapaas: `LIBRARY` cannot be described: the plugin's ABI layout differs from this daemon's at revision 0: `PluginRoot`: mismatched package, expected `plugin-abi` and found `changed-layout`; rebuild it with the plugin-sdk of this daemon"
        ],
    );
    check(
        &write("aarch64.so", damaged_bytes(for_aarch64)),
        expect![
            "metapaas: `LIBRARY` cannot be described: the library is built for aarch64, this machine is x86_64; install a build for this target"
        ],
    );
    check(
        &write("half.so", damaged_bytes(cut_in_half)),
        expect![
            "metapaas: `LIBRARY` cannot be described: the file is not a whole 64-bit ELF library (Invalid ELF section header offset/size/alignment); it may be truncated, build and pack it anew"
        ],
    );
}

async fn refused_by_the_probe(lane: Lane) {
    let scene = Scene::set(lane).await;
    let before = scene.holdings();
    let check = async |offer: Offer, text: Expect| {
        scene.is_refused(&offer, &scene.wanted(BROKEN), &text).await;
    };
    // What the file says before any of it is executed.
    check(damaged(cut_in_half), expect!["the probe refused the plugin: the file is not a whole 64-bit ELF library (Invalid ELF section header offset/size/alignment); it may be truncated, build and pack it anew"]).await;
    check(damaged(for_aarch64), expect!["the probe refused the plugin: the library is built for aarch64, this machine is x86_64; install a build for this target"]).await;
    check(forged("no-root"), expect!["the probe refused the plugin: the library exports no plugin root module; annotate the plugin with `#[plugin_sdk::plugin]` and build it as a cdylib"]).await;
    // What shows when it is loaded.
    check(
        forged("constructor-segfaults"),
        expect![
            "the probe refused the plugin: the probe ended by signal 11 while it was being loaded"
        ],
    )
    .await;
    check(forged("newer-abi"), expect!["the probe refused the plugin: the plugin speaks ABI revision 1, this daemon speaks 0; upgrade the daemon, or install a version of the plugin built for it"]).await;
    check(forged("changed-layout"), expect!["the probe refused the plugin: the plugin's ABI layout differs from this daemon's at revision 0: `PluginRoot`: mismatched package, expected `plugin-abi` and found `changed-layout`; rebuild it with the plugin-sdk of this daemon"]).await;
    check(packed_panic_abort(), expect![[r#"the probe refused the plugin: it was built with `panic = "abort"`, so that any panic would end the daemon; build it with `panic = "unwind"`"#]]).await;
    check(forged_unlike_the_probe("unstable-descriptor"), expect!["the probe refused the plugin: its own descriptor differs from its bundle's at byte 376; pack the bundle anew from this library"]).await;
    check(forged_version(), expect!["the probe refused the plugin: its bundle says `broken 0.2.0` and its code says `broken 0.1.0`; pack the bundle anew from this library"]).await;
    // What shows when it is started and stopped.
    check(packed("start-fails"), expect!["the probe refused the plugin: it did not start: it has no license; put one into the settings"]).await;
    check(packed("start-panics"), expect!["the probe refused the plugin: it did not start: it panicked outside a request: it has no license (start-panics/src/lib.rs:17:9)"]).await;
    check(
        packed("start-aborts"),
        expect!["the probe refused the plugin: the probe ended by signal 6 while it was starting"],
    )
    .await;
    check(
        packed("start-hangs"),
        expect!["the probe refused the plugin: it hung: after 3000 ms it was starting"],
    )
    .await;
    check(
        packed("stop-hangs"),
        expect!["the probe refused the plugin: it hung: after 3000 ms it was stopping"],
    )
    .await;
    check(packed("drop-panics"), expect!["the probe refused the plugin: told to stop, it returned `Panicked`: it panicked outside a request: nobody may drop it (drop-panics/src/lib.rs:26:9)"]).await;
    check(packed("leaks-thread"), expect!["the probe refused the plugin: it left threads running when it stopped (1); end them when the plugin is stopped"]).await;
    // What shows when it is unloaded.
    check(packed("leaks-fds"), expect!["the probe refused the plugin: file descriptors stayed open after it was unloaded (3); close them when the plugin is stopped, and build it without tokio's `signal`, `process` and `full` features"]).await;
    check(packed("tokio-full"), expect!["the probe refused the plugin: file descriptors stayed open after it was unloaded (2); close them when the plugin is stopped, and build it without tokio's `signal`, `process` and `full` features"]).await;
    scene.assert_nothing_is_left(&before).await;
}

#[tokio::test]
async fn what_the_probe_refuses_never_reaches_the_daemon() {
    refused_by_the_probe(Lane::InProcess).await;
}

#[tokio::test]
async fn what_the_probe_refuses_never_reaches_a_worker() {
    refused_by_the_probe(Lane::Worker).await;
}

/// What passes the probe and is refused nevertheless leaves nothing behind.
async fn refused_past_the_probe(scene: &Scene, cases: Vec<(Offer, &Wanted, Expect)>) {
    let before = scene.holdings();
    for (offer, wanted, text) in cases {
        scene.is_refused(&offer, wanted, &text).await;
        scene.assert_nothing_is_left(&before).await;
    }
}

/// What fails in the same words on both lanes.
fn on_any_lane<'w>(wanted: &'w Wanted, spared: &'w Wanted) -> Vec<(Offer, &'w Wanted, Expect)> {
    vec![
        (
            packed("start-fails"),
            spared,
            expect!["the plugin did not start: it has no license; put one into the settings"],
        ),
        (
            packed("unstable-descriptor"),
            wanted,
            expect![
                "the plugin did not start: the plugin's own descriptor differs from its bundle's at byte 375; pack the bundle anew from this library"
            ],
        ),
        (
            packed("unhealthy"),
            wanted,
            expect![
                "after the switch its health route did not answer well: GET /v1/types/broken/-/health: status 503 (its database does not answer); the switch was undone"
            ],
        ),
        (
            packed("start-panics"),
            spared,
            expect![
                "the plugin did not start: it panicked outside a request: it has no license (start-panics/src/lib.rs:17:9)"
            ],
        ),
    ]
}

#[tokio::test]
async fn what_fails_past_the_probe_in_the_daemon_is_taken_down_again() {
    let scene = Scene::set(Lane::InProcess).await;
    let (wanted, spared) = (scene.wanted(BROKEN), scene.wanted_past_the_probe());
    refused_past_the_probe(&scene, on_any_lane(&wanted, &spared)).await;
}

#[tokio::test]
async fn what_fails_past_the_probe_in_a_worker_is_taken_down_again() {
    let scene = Scene::set(Lane::Worker).await;
    let (wanted, spared) = (scene.wanted(BROKEN), scene.wanted_past_the_probe());
    let mut cases = on_any_lane(&wanted, &spared);
    cases.extend([
        (
            packed("start-aborts"),
            &spared,
            expect!["the plugin did not start: its worker process ended by signal 6"],
        ),
        (
            packed("start-hangs"),
            &spared,
            expect!["the plugin did not say that it is ready within 1500 ms"],
        ),
    ]);
    refused_past_the_probe(&scene, cases).await;
}

/// Its thread cannot be taken from it, so in the daemon its code has to stay.
#[tokio::test]
async fn what_hangs_in_start_in_the_daemon_is_retained() {
    let scene = Scene::set(Lane::InProcess).await;
    scene
        .is_refused(
            &packed("start-hangs"),
            &scene.wanted_past_the_probe(),
            &expect!["the plugin did not say that it is ready within 1500 ms"],
        )
        .await;
    let retained = scene.retained().await;
    expect![[r#"[("0.2.0", "its thread did not return within 1000 ms of being told to stop; it may be blocked or busy")]"#]].assert_eq(&format!("{retained:?}"));
}

/// What the daemon or another element has is not to be had, and whoever has it keeps it.
#[tokio::test]
async fn what_clashes_is_refused() {
    let scene = Scene::set(Lane::InProcess).await;
    let edges = Plugin::built(Workspace::Fixtures, "edges");
    scene.daemon.offer(&edges);
    let mounted = Wanted::of(&edges).with("mounts", json!(["/edges"]));
    let _document = scene.daemon.install(mounted).await;
    let wanted = scene.wanted(BROKEN);
    let mount = |prefix: &str| wanted.clone().with("mounts", json!([prefix]));
    let check = async |package: &str, wanted: &Wanted, text: Expect| {
        scene.is_refused(&packed(package), wanted, &text).await;
        let health = scene.daemon.health("edges").await;
        assert_eq!(health["status"], "ok", "the other neighbor serves: {health}");
    };
    check("clashing-type", &wanted, expect!["type `swap` is served by element `swap`; uninstall that element, or give the type another slug"]).await;
    check("clashing-routes", &wanted, expect!["the probe refused the plugin: route `/things/{name}`: Insertion failed due to conflict with previously registered route: /things/{id}"]).await;
    check(
        "clashing-mounts",
        &mount("/v1/elements"),
        expect!["mount `/v1/elements` would hide the daemon's own paths; ask for another prefix"],
    )
    .await;
    check(
        "clashing-mounts",
        &mount("/edges"),
        expect!["mount `/edges` overlaps with `/edges` of element `edges`; ask for another prefix"],
    )
    .await;
    check(
        "clashing-mounts",
        &mount("/edges/below"),
        expect![
            "mount `/edges/below` overlaps with `/edges` of element `edges`; ask for another prefix"
        ],
    )
    .await;
}

//! A repository on the command line: made, filled, served, copied over http, and attacked.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use expect_test::expect;
use metapaas_tests::shell::Shell;
use packer::bundle::{Contents, TargetTriple, pack_to_dir};
use tempfile::TempDir;

/// Somebody in an empty folder, who has a passphrase.
struct Site {
    dir: TempDir,
    shell: Shell,
}

impl Site {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().to_owned();
        let shell = Shell { context: folder.join("context.json"), folder, environment: Vec::new() };
        Self { dir, shell: shell.with("METAPAAS_REPOSITORY_PASSPHRASE", "correct horse") }
    }

    /// One with a repository `tree` whose keys are in `keys.json`.
    fn with_repository() -> Self {
        let site = Self::new();
        let _made = site.shell.run("repository init tree --key keys.json").expect(0);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Packs a version of `hello`.
    fn pack(&self, version: &str, library: &str) -> String {
        fs::write(self.path("library.so"), library).unwrap();
        let contents = Contents {
            element: "hello".parse().unwrap(),
            version: version.parse().unwrap(),
            libraries: [(TargetTriple::host(), self.path("library.so"))].into(),
            descriptor: b"{}".to_vec(),
            license: None,
            docs: None,
        };
        pack_to_dir(&contents, self.dir.path()).unwrap();
        format!("hello-{version}.bundle")
    }

    fn publish(&self, version: &str) {
        let bundle = self.pack(version, version);
        let line = format!("repository publish tree {bundle} --key keys.json");
        let _published = self.shell.run(&line).expect(0);
    }

    fn published(&self, version: &str) -> PathBuf {
        let folder = self.path("tree/targets/hello").join(version);
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }

    /// What a command says, without what differs from run to run.
    fn said(&self, line: &str, code: i32) -> String {
        let ran = self.shell.run(line).expect(code);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        let is_hex = |part: &&str| part.len() == 64;
        let mut parts: Vec<_> =
            text.split(|c: char| !c.is_ascii_hexdigit()).filter(is_hex).collect();
        parts.dedup();
        parts.iter().fold(text.clone(), |text, hex| text.replace(hex, "<hex>"))
    }
}

#[test]
fn an_owner_makes_a_repository_and_changes_it() {
    let site = Site::new();
    let made = site.said("repository init tree --key root.json --key online.json", 0);
    expect![[r#"
        root.json: root <hex>
        tree/metadata/1.root.json: give this file to whoever installs from here"#]]
    .assert_eq(
        &made.lines().filter(|line| !line.contains("online")).collect::<Vec<_>>().join("\n"),
    );
    let mode = fs::metadata(site.path("root.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = site.said("repository init tree --key root.json --key online.json", 2);
    expect![[r#"
        metapaas: `tree` holds a repository already; name another folder
    "#]]
    .assert_eq(&again);

    let bundle = site.pack("1.0.0", "one");
    let publish = format!("repository publish tree {bundle} --key online.json");
    expect![[r#"
        hello 1.0.0 published: sha256:<hex>
    "#]]
    .assert_eq(&site.said(&publish, 0));
    expect![[r#"
        hello 1.0.0 is already there: sha256:<hex>
    "#]]
    .assert_eq(&site.said(&publish, 0));
    let _other = site.pack("1.0.0", "another");
    expect![[r#"
        metapaas: hello 1.0.0 is published with digest sha256:<hex>, and a published version never changes; this bundle has sha256:<hex>: give it another version
    "#]].assert_eq(&site.said(&publish, 2));
    let strange = site.said(&format!("repository publish tree {bundle} --key root.json"), 2);
    expect![[r#"
        metapaas: `targets` cannot be signed: of its keys <hex> none is among those given (<hex>); give the file of keys that has one with `--key`
    "#]].assert_eq(&strange);

    let yank = "repository yank tree hello@1.0.0 --reason unsafe --key online.json";
    assert_eq!(site.said(yank, 0), "hello 1.0.0 is yanked\n");
    let deprecate = "repository deprecate tree hello@2.0.0 --key online.json";
    expect![[r#"
        metapaas: hello 2.0.0 is not in this repository; it has 1.0.0
    "#]]
    .assert_eq(&site.said(deprecate, 2));
    let refreshed = site.said("repository refresh tree --key online.json --expires 30d", 0);
    assert!(refreshed.starts_with("tree: believed until 20"), "{refreshed}");
    let soon = site.said("repository refresh tree --key online.json --expires soon", 2);
    expect![[r#"
        metapaas: `soon` is not a span of time: wanted something like `30d`, `12h` or `1 year`
    "#]]
    .assert_eq(&soon);

    let rotate =
        "repository rotate-root tree --key root.json --key online.json --new-key targets=t.json";
    let rotated = site.said(rotate, 0);
    expect![[r#"
        t.json: targets <hex>
        tree/metadata/2.root.json: whoever has an older root follows by itself
    "#]]
    .assert_eq(&rotated);
    let _old_key = site.shell.run("repository yank tree hello@1.0.0 --key online.json").expect(2);
    let both = "repository yank tree hello@1.0.0 --key online.json --key t.json";
    let _yanked = site.shell.run(both).expect(0);
}

#[test]
fn keys_may_be_in_the_environment() {
    let site = Site::with_repository();
    let bundle = site.pack("1.0.0", "one");
    let publish = format!("repository publish tree {bundle}");
    expect![[r#"
        metapaas: no keys are given: name a file with `--key`, or put them into `METAPAAS_REPOSITORY_KEY`
    "#]].assert_eq(&site.said(&publish, 2));
    let keys = fs::read_to_string(site.path("keys.json")).unwrap();
    let job = site.shell.clone().with("METAPAAS_REPOSITORY_KEY", &keys);
    let _published = job.run(&publish).expect(0);
    let wrong = job.with("METAPAAS_REPOSITORY_PASSPHRASE", "wrong horse").run(&publish).expect(2);
    expect![[r#"
        metapaas: keys cannot be decrypted; caused by: passphrase is not the one the keys were encrypted with, or the file was changed since
    "#]].assert_eq(&wrong.stderr);
}

#[test]
fn a_repository_is_served_and_copied_and_a_changed_byte_is_told() {
    let site = Site::with_repository();
    site.publish("1.0.0");
    let mut served = site.shell.start("repository serve tree --listen 127.0.0.1:0");
    let mut line = String::new();
    BufReader::new(served.stdout()).read_line(&mut line).unwrap();
    let address = line.trim_end().rsplit(' ').next().unwrap().to_owned();
    let mirror = format!("repository mirror {address} copy --root tree/metadata/1.root.json");
    let copied = site.said(&mirror, 0);
    assert!(copied.starts_with("copy: 1 bundles, "), "{copied}");

    site.publish("1.1.0");
    let path = site.published("1.1.0");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10] ^= 1;
    fs::write(&path, bytes).unwrap();
    let told = site.said(&mirror, 2).replace(&address, "http://repository");
    expect![[r#"
        metapaas: `hello/1.1.0/hello-1.1.0.bundle` of repository `http://repository` has digest sha256:<hex>, but sha256:<hex> was signed; it was deleted: somebody changed the file, or it was damaged; its owner publishes it again from a good copy
    "#]].assert_eq(&told);
    // The copy is what it was, and a copy like any other.
    let of_copy = "repository mirror copy another --root tree/metadata/1.root.json";
    let copied = site.said(of_copy, 0);
    assert!(copied.starts_with("another: 1 bundles, "), "{copied}");

    served.interrupt();
    let _ended = served.end().expect(0);
    let gone = site.said(&mirror, 3).replace(&address, "http://repository");
    assert!(gone.starts_with("metapaas: repository `http://repository` cannot be read"), "{gone}");
}

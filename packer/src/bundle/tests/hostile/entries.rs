//! Entries that have no place in a bundle, or not that one.

use expect_test::expect;
use tar::EntryType;

use super::super::forge::{Forge, LIBRARY, header, library_path};
use super::check;

#[test]
fn paths_that_lead_elsewhere() {
    let check = |path: &[u8], text| check(Forge::with_head().file(path, b"x").bundle(), text);
    check(
        b"docs/../../etc/passwd",
        expect![[r#"
        entry `docs/../../etc/passwd` is not allowed
          caused by: path has the component `..`; wanted plain names between single slashes"#]],
    );
    check(
        b"/etc/passwd",
        expect![[r#"
        entry `/etc/passwd` is not allowed
          caused by: path is absolute; wanted one relative to the bundle"#]],
    );
    check(
        b"./LICENSE",
        expect![[r#"
        entry `./LICENSE` is not allowed
          caused by: path has the component `.`; wanted plain names between single slashes"#]],
    );
    check(
        b"docs//a",
        expect![[r#"
        entry `docs//a` is not allowed
          caused by: path has the component ``; wanted plain names between single slashes"#]],
    );
    check(
        b"docs/",
        expect![[r#"
        entry `docs/` is not allowed
          caused by: path has the component ``; wanted plain names between single slashes"#]],
    );
}

#[test]
fn paths_that_bundles_do_not_have() {
    let check = |path: &[u8], text| check(Forge::with_head().file(path, b"x").bundle(), text);
    check(
        b"docs/\xff",
        expect![[r#"
        entry `docs/�` is not allowed
          caused by: path is not UTF-8"#]],
    );
    check(
        b"docs/a\x1b[31m",
        expect![[r#"
            entry `docs/a\u{1b}[31m` is not allowed
              caused by: path has a control character"#]],
    );
    check(
        b"run.sh",
        expect![[r#"
        entry `run.sh` is not allowed
          caused by: path is unknown; wanted `bundle.json`, `descriptor.json`, `LICENSE`, `docs/…` or `lib/<target>/plugin.so`"#]],
    );
    check(
        b"lib/plugin.so",
        expect![[r#"
        entry `lib/plugin.so` is not allowed
          caused by: path is unknown; wanted `bundle.json`, `descriptor.json`, `LICENSE`, `docs/…` or `lib/<target>/plugin.so`"#]],
    );
    check(
        b"lib/X/plugin.so",
        expect![[r#"
        entry `lib/X/plugin.so` is not allowed
          caused by: path is unknown; wanted `bundle.json`, `descriptor.json`, `LICENSE`, `docs/…` or `lib/<target>/plugin.so`"#]],
    );
    check(
        b"",
        expect![[r#"
        entry `` is not allowed
          caused by: path has the component ``; wanted plain names between single slashes"#]],
    );
    check(
        &[&b"docs/"[..], &[b'a'; 95], b"/", &[b'b'; 100]].concat(),
        expect![[r#"
            entry `docs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…` is not allowed
              caused by: path has 201 bytes, more than the 200 allowed (`path_bytes_max`)"#]],
    );
}

#[test]
fn entries_that_are_no_regular_files() {
    let check = |kind, text| check(Forge::with_head().odd("LICENSE", kind).bundle(), text);
    check(
        EntryType::Symlink,
        expect!["entry `LICENSE` is a symbolic link; only regular files are allowed"],
    );
    check(
        EntryType::Link,
        expect!["entry `LICENSE` is a hard link; only regular files are allowed"],
    );
    check(EntryType::Fifo, expect!["entry `LICENSE` is a pipe; only regular files are allowed"]);
    check(
        EntryType::Char,
        expect!["entry `LICENSE` is a character device; only regular files are allowed"],
    );
    check(
        EntryType::Block,
        expect!["entry `LICENSE` is a block device; only regular files are allowed"],
    );
    check(
        EntryType::Directory,
        expect!["entry `LICENSE` is a directory; only regular files are allowed"],
    );
    check(
        EntryType::GNUSparse,
        expect!["entry `LICENSE` is a sparse file; only regular files are allowed"],
    );
    check(
        EntryType::GNULongName,
        expect!["entry `LICENSE` is a GNU long name; only regular files are allowed"],
    );
    check(
        EntryType::XHeader,
        expect!["entry `LICENSE` is a pax extension; only regular files are allowed"],
    );
    check(
        EntryType::Continuous,
        expect!["entry `LICENSE` is a contiguous file; only regular files are allowed"],
    );
}

#[test]
fn headers_that_packing_does_not_write() {
    let check = |change: &dyn Fn(&mut tar::Header), text| {
        let mut header = header(b"LICENSE", 0);
        change(&mut header);
        check(Forge::with_head().raw(&header, b"").bundle(), text);
    };
    let sealed = |change: fn(&mut tar::Header)| {
        move |header: &mut tar::Header| {
            change(header);
            header.set_cksum();
        }
    };
    check(
        &|header| header.set_mtime(1),
        expect!["header of entry 2 is damaged: its checksum or its size makes no sense"],
    );
    check(
        &sealed(|header| header.set_mtime(1)),
        expect!["entry `LICENSE` has a mode, owner, time or spelling that packing never writes"],
    );
    check(
        &sealed(|header| header.set_uid(1000)),
        expect!["entry `LICENSE` has a mode, owner, time or spelling that packing never writes"],
    );
    check(
        &sealed(|header| header.set_mode(0o4755)),
        expect!["entry `LICENSE` has a mode, owner, time or spelling that packing never writes"],
    );
    check(
        &sealed(|header| header.as_old_mut().name[50] = b'x'),
        expect!["entry `LICENSE` has a mode, owner, time or spelling that packing never writes"],
    );
    check(
        &sealed(|header| header.as_old_mut().size = *b"nonsense    "),
        expect!["header of entry 2 is damaged: its checksum or its size makes no sense"],
    );
}

#[test]
fn entries_out_of_order() {
    check(
        Forge::whole().file(library_path(), LIBRARY).bundle(),
        expect!["entry `lib/x86_64-unknown-linux-gnu/plugin.so` is there twice"],
    );
    check(
        Forge::with_head().file("bundle.json", b"{}").bundle(),
        expect!["entry `bundle.json` is there twice"],
    );
    check(
        Forge::whole().file("LICENSE", b"").bundle(),
        expect![
            "entry `LICENSE` comes after `lib/x86_64-unknown-linux-gnu/plugin.so`; entries are sorted"
        ],
    );
    check(
        Forge::whole().file("bundle.json", b"{}").bundle(),
        expect![
            "entry `bundle.json` comes after `lib/x86_64-unknown-linux-gnu/plugin.so`; entries are sorted"
        ],
    );
    check(
        Forge::new().file("LICENSE", b"").bundle(),
        expect!["first entry is `LICENSE`; wanted `bundle.json`"],
    );
    check(
        Forge::new().file("descriptor.json", b"{}").bundle(),
        expect!["first entry is `descriptor.json`; wanted `bundle.json`"],
    );
}

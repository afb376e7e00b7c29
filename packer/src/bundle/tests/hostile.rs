//! Files that must be refused, each with the reason it is refused for.

mod entries;
mod heads;

use std::fs;
use std::io::Write;

use expect_test::{Expect, expect};

use super::super::{Bundle, Limits, TargetTriple, head_of, unpack};
use super::forge::{DESCRIPTOR, Forge, compress, head, header};
use super::{Site, limits};

/// Asserts that a file of these bytes is refused in every way of reading it, and why.
#[expect(clippy::needless_pass_by_value, reason = "an `expect!` is written where it is used")]
fn check_under(limits: Limits, bytes: Vec<u8>, text: Expect) {
    let site = Site::new();
    let path = site.path("x.bundle");
    fs::write(&path, bytes).unwrap();

    let opened = site.text(&Bundle::open(&path, &limits).unwrap_err());
    let store = site.path("store");
    let unpacked = site.text(&unpack(&path, &limits, &TargetTriple::host(), &store).unwrap_err());
    assert_eq!(unpacked, opened);
    assert_eq!(site.stored(), [""; 0]);
    text.assert_eq(opened.strip_prefix(REFUSED).unwrap());
}

const REFUSED: &str = "bundle `x.bundle` is refused; nothing of it is used\n  caused by: ";

fn check(bytes: Vec<u8>, text: Expect) {
    check_under(limits(), bytes, text);
}

#[test]
fn the_forged_whole_is_right() {
    let site = Site::new();
    let path = site.path("x.bundle");
    fs::write(&path, Forge::whole().bundle()).unwrap();
    assert_eq!(Bundle::open(&path, &limits()).unwrap().descriptor(), DESCRIPTOR);
}

#[test]
fn files_that_are_no_archives() {
    check(
        Vec::new(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: incomplete frame"#]],
    );
    check(
        b"PK\x03\x04 a zip file, say".to_vec(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: Unknown frame descriptor"#]],
    );
    check(compress(b""), expect!["archive ends early, after 0 inflated bytes; pack it again"]);
    check(
        compress(b"not a tar file"),
        expect!["archive ends early, after 14 inflated bytes; pack it again"],
    );
    check(
        compress(&[b'x'; 512]),
        expect!["header of entry 1 is damaged: its checksum or its size makes no sense"],
    );
    check(
        compress(&[0; 1024]),
        expect!["archive is empty; wanted `bundle.json` as its first entry"],
    );
}

#[test]
fn files_that_are_not_whole() {
    let whole = Forge::whole();
    let tar = whole.tar();
    let bundle = compress(&tar);
    check(
        bundle[..3].to_vec(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: incomplete frame"#]],
    );
    check(
        bundle[..20].to_vec(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: incomplete frame"#]],
    );
    check(
        bundle[..bundle.len() - 1].to_vec(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: incomplete frame"#]],
    );
    // The zstd stream is whole here, the archive in it is not.
    check(
        compress(&tar[..700]),
        expect!["archive ends early, after 700 inflated bytes; pack it again"],
    );
    check(
        compress(&tar[..tar.len() - 512]),
        expect!["archive ends early, after 3584 inflated bytes; pack it again"],
    );
    check(
        compress(&tar[..tar.len() - 1024]),
        expect!["archive ends early, after 3072 inflated bytes; pack it again"],
    );
}

#[test]
fn no_truncation_is_accepted() {
    let site = Site::new();
    let (path, bundle) = (site.path("x.bundle"), Forge::whole().bundle());
    for n in 0..bundle.len() {
        fs::write(&path, &bundle[..n]).unwrap();
        Bundle::open(&path, &limits()).expect_err("a part is not the whole");
    }
}

#[test]
fn files_with_something_after_the_end() {
    let tar = Forge::whole().tar();
    let bundle = compress(&tar);
    check(
        [&bundle[..], b"x"].concat(),
        expect!["the zstd frame is followed by data that does not belong to it"],
    );
    check(
        [&bundle[..], &bundle].concat(),
        expect!["the zstd frame is followed by data that does not belong to it"],
    );
    check(
        compress(&[&tar[..], b"x"].concat()),
        expect!["the archive is followed by data that does not belong to it"],
    );
    check(
        compress(&[&tar[..], &[0; 512]].concat()),
        expect!["the archive is followed by data that does not belong to it"],
    );
    let mut dirty = tar.clone();
    dirty[512 + head().len()] = b'x';
    check(compress(&dirty), expect!["an entry is followed by data that does not belong to it"]);
    let mut dirty = tar;
    *dirty.last_mut().unwrap() = b'x';
    check(compress(&dirty), expect!["the archive is followed by data that does not belong to it"]);
}

#[test]
fn limits_that_are_broken() {
    let bundle = Forge::whole().bundle();
    check_under(
        Limits { bundle_bytes_max: 100, ..limits() },
        bundle.clone(),
        expect!["file has 391 bytes, more than the 100 allowed (`bundle_bytes_max`)"],
    );
    check_under(
        Limits { entries_max: 2, ..limits() },
        bundle.clone(),
        expect!["archive has more than the 2 entries allowed (`entries_max`)"],
    );
    check_under(
        Limits { entry_bytes_max: 10, ..limits() },
        bundle.clone(),
        expect![
            "entry `lib/x86_64-unknown-linux-gnu/plugin.so` has 18 bytes, more than the 10 allowed (`entry_bytes_max`)"
        ],
    );
    check_under(
        Limits { document_bytes_max: 10, ..limits() },
        bundle.clone(),
        expect![
            "entry `bundle.json` has 360 bytes, more than the 10 allowed (`document_bytes_max`)"
        ],
    );
    check_under(
        Limits { unpacked_bytes_max: 2100, ..limits() },
        bundle.clone(),
        expect![
            "archive inflates to 3072 bytes by entry `lib/x86_64-unknown-linux-gnu/plugin.so`, more than the 2100 allowed (`unpacked_bytes_max`)"
        ],
    );
    check_under(
        Limits { path_bytes_max: 30, ..limits() },
        bundle,
        expect![[r#"
        entry `lib/x86_64-unknown-linux-gnu/plugin.so` is not allowed
          caused by: path has 38 bytes, more than the 30 allowed (`path_bytes_max`)"#]],
    );
}

/// The bodies that these headers announce are not there: were they inflated before the limit is
/// looked at, the text would be that of an archive that ends early.
#[test]
fn bombs_are_cut_before_they_are_inflated() {
    let bomb = |bytes| {
        let mut tar = Forge::with_head().tar();
        tar.truncate(tar.len() - 1024);
        tar.extend_from_slice(header(b"docs/zeros", bytes).as_bytes());
        compress(&tar)
    };
    check(
        bomb(400 << 20),
        expect![
            "archive inflates to 419431936 bytes by entry `docs/zeros`, more than 100 times the 343 bytes of the file (`ratio_max`)"
        ],
    );
    check(
        bomb(600 << 20),
        expect![
            "entry `docs/zeros` has 629145600 bytes, more than the 536870912 allowed (`entry_bytes_max`)"
        ],
    );
    check(
        bomb(u64::MAX),
        expect![
            "entry `docs/zeros` has 18446744073709551615 bytes, more than the 536870912 allowed (`entry_bytes_max`)"
        ],
    );
    check(bomb(1000), expect!["archive ends early, after 1536 inflated bytes; pack it again"]);
}

#[test]
fn a_window_that_takes_too_much_memory() {
    let mut deflater = zstd::Encoder::new(Vec::new(), 1).unwrap();
    deflater.window_log(27).unwrap();
    deflater.write_all(&Forge::whole().tar()).unwrap();
    check(
        deflater.finish().unwrap(),
        expect![[r#"
        file cannot be inflated; fetch it again
          caused by: Frame requires too much memory for decoding"#]],
    );
}

#[test]
fn paths_that_are_no_files() {
    let site = Site::new();
    let pipe = site.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (path, text) in [
        (
            site.path("store"),
            expect![[r#"
            bundle `store` is refused; nothing of it is used
              caused by: it is not a regular file"#]],
        ),
        (
            pipe,
            expect![[r#"
            bundle `pipe` is refused; nothing of it is used
              caused by: it is not a regular file"#]],
        ),
        (
            site.path("nowhere"),
            expect![[r#"
            bundle `nowhere` is refused; nothing of it is used
              caused by: file cannot be opened
              caused by: No such file or directory (os error 2)"#]],
        ),
    ] {
        text.assert_eq(&site.text(&head_of(&path, &limits()).unwrap_err()));
    }
}

#[test]
fn a_file_that_grows_while_it_is_read() {
    let site = Site::new();
    let path = site.bundle();
    let mut reading = super::super::read::Reading::open(&path, &limits()).unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"x").unwrap();
    while reading.next_library().unwrap().is_some() {}
    expect![[r#"
        bundle `hello-1.4.0.bundle` is refused; nothing of it is used
          caused by: the file as it was opened is followed by data that does not belong to it"#]]
    .assert_eq(&site.text(&reading.finish().unwrap_err()));
}

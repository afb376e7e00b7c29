//! Heads that are not well formed, and contents that do not agree with their head.

use expect_test::{Expect, expect};

use super::super::forge::{DESCRIPTOR, Forge, LIBRARY, head, library_of_head, library_path};
use super::check;

fn check_head(head: impl AsRef<[u8]>, text: Expect) {
    check(Forge::new().file("bundle.json", head.as_ref()).bundle(), text);
}

#[test]
fn heads_that_are_not_well_formed() {
    let head = head();
    let with = |from: &str, to: &str| {
        let changed = head.replace(from, to);
        assert_ne!(changed, head);
        changed
    };
    let (library, two) = (library_of_head(), format!("{0},{0}", library_of_head()));
    check_head(
        b"{",
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: EOF while parsing an object at line 1 column 1"#]],
    );
    check_head(
        b"\xff",
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: expected value at line 1 column 1"#]],
    );
    check_head(
        with(r#""schema_version":1"#, r#""schema_version":2,"new":1"#),
        expect!["`bundle.json` has schema version 2; this build reads 1"],
    );
    check_head(
        with(r#""kind""#, r#""new":1,"kind""#),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: unknown field `new`, expected one of `schema_version`, `element`, `version`, `kind`, `libraries`, `descriptor_sha256` at line 1 column 61"#]],
    );
    check_head(
        with(r#""plugin""#, r#""theme""#),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: unknown variant `theme`, expected `plugin` at line 1 column 70"#]],
    );
    check_head(
        with(r#""hello""#, r#""../hello""#),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: `../hello` is not an element name: wanted 1 to 63 of a-z, 0-9 and single hyphens, a letter first, no hyphen last at line 1 column 40"#]],
    );
    check_head(
        with(r#""1.4.0""#, r#""1.4""#),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: unexpected end of input while parsing minor version number at line 1 column 53"#]],
    );
    check_head(
        with("sha256:", "md5:"),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: `md5:c7344ca12662debf5ae40e6fc405f98c6d51efe6ccf9dd20fddf6683c1d15b2c` is not a digest: wanted `sha256:` and 64 lowercase hex digits at line 1 column 249"#]],
    );
    check_head(with(&library, ""), expect!["`bundle.json` names no library; wanted at least one"]);
    check_head(
        with(&library, &two),
        expect!["`bundle.json` names two libraries for `x86_64-unknown-linux-gnu`; wanted one"],
    );
    check_head(
        with("/plugin.so", "/../plugin.so"),
        expect![
            "`bundle.json` puts the library for `x86_64-unknown-linux-gnu` at `lib/x86_64-unknown-linux-gnu/../plugin.so`; wanted `lib/x86_64-unknown-linux-gnu/plugin.so`"
        ],
    );
    check_head(
        with(r#""x86_64-"#, r#""/"#),
        expect![[r#"
        `bundle.json` is not a bundle's head
          caused by: `/unknown-linux-gnu` is not a target triple: wanted 3 or 4 parts of a-z, 0-9, `_` and `.` joined by hyphens, as in `x86_64-unknown-linux-gnu` at line 1 column 115"#]],
    );
}

#[test]
fn contents_unlike_the_head() {
    let other = "lib/s390x-unknown-linux-gnu/plugin.so";
    let described = || Forge::with_head().file("descriptor.json", DESCRIPTOR);
    let mut flipped = LIBRARY.to_vec();
    flipped[0] ^= 1;
    check(
        described().file(library_path(), &flipped).bundle(),
        expect![
            "entry `lib/x86_64-unknown-linux-gnu/plugin.so` has digest sha256:17a339db4f6e640853c75b24e931e971679ae93750e4796c96c16a7fbe021f99; `bundle.json` says sha256:c7344ca12662debf5ae40e6fc405f98c6d51efe6ccf9dd20fddf6683c1d15b2c"
        ],
    );
    check(
        described().file(library_path(), b"short").bundle(),
        expect![
            "entry `lib/x86_64-unknown-linux-gnu/plugin.so` has 5 bytes; `bundle.json` says 18"
        ],
    );
    check(
        described().bundle(),
        expect!["entry `lib/x86_64-unknown-linux-gnu/plugin.so` is missing"],
    );
    check(
        described().file(other, b"").bundle(),
        expect!["entry `lib/s390x-unknown-linux-gnu/plugin.so` is not in `bundle.json`"],
    );
    check(
        Forge::with_head().file(library_path(), LIBRARY).bundle(),
        expect!["entry `descriptor.json` is missing"],
    );
    check(
        Forge::with_head().file("descriptor.json", b"{ }").bundle(),
        expect![
            "entry `descriptor.json` has digest sha256:257c1be96ae69f4b01c2c69bdb6d78605f59175819fb007d0bf245bf48444c4a; `bundle.json` says sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        ],
    );
}

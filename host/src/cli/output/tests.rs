//! Tables line up, colors do not count as width, and nothing steers the terminal.

use expect_test::expect;
use serde_json::json;

use super::*;

fn sample() -> Table {
    let mut table = Table::new(["NAME", "STATUS", "NOTE"]);
    table.row(["s3".into(), Cell::standing("ACTIVE"), "".into()]);
    table.row(["über-long-name".into(), Cell::standing("UPDATING"), "ab\u{1b}[2Jc\nd".into()]);
    table
}

#[test]
fn columns_line_up_and_control_characters_are_gone() {
    expect![[r#"
        NAME            STATUS    NOTE
        s3              ACTIVE    -
        über-long-name  UPDATING  ab [2Jc d
    "#]]
    .assert_eq(&sample().render(Paint::Plain, "nothing"));
    assert_eq!(Table::new(["NAME"]).render(Paint::Plain, "nothing"), "nothing\n");
}

#[test]
fn colors_change_nothing_but_the_color() {
    let colored = sample().render(Paint::Colored, "");
    assert!(colored.contains("\x1b[32mACTIVE\x1b[0m    -"), "{colored:?}");
    assert!(colored.contains("\x1b[33mUPDATING\x1b[0m  ab"), "{colored:?}");
    let plain = colored.replace("\x1b[32m", "").replace("\x1b[33m", "").replace("\x1b[0m", "");
    assert_eq!(plain, sample().render(Paint::Plain, ""));
}

#[test]
fn a_view_takes_what_is_there() {
    let document = json!({ "a": { "b": [1, "x", null] }, "no": null, "yes": true, "empty": [],
        "none": {}, "text": "" });
    let view = View::of(&document);
    assert_eq!(view.text("/a/b").as_deref(), Some("1, x"));
    assert_eq!(view.text("/yes").as_deref(), Some("yes"));
    for path in ["/no", "/a/c", "/empty", "/text", "/none", "/text/deeper"] {
        assert_eq!(view.text(path), None, "{path}");
    }
    assert_eq!(view.items("/a/b").count(), 3);
    assert_eq!(view.items("/text").count(), 0);
    assert!(view.is_true("/yes") && !view.is_true("/text"));
}

#[test]
fn details_leave_out_what_there_is_nothing_to_say_of() {
    let details = Details::default()
        .line("name", Some("s3"))
        .line("error", None::<String>)
        .line("status", Some(Cell::standing("ERROR")));
    assert_eq!(details.render(Paint::Plain), "name    s3\nstatus  ERROR\n");
}

#[test]
fn yaml_is_the_same_document() {
    let document =
        json!({ "name": "s3", "version": "0.1", "list": [1, { "x": null }], "no": "no" });
    let read: Value = serde_saphyr::from_str(&yaml(&document)).unwrap();
    assert_eq!(read, document);
}

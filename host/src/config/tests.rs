//! Which source wins, and what is said about a setting that is wrong.

use std::fs;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::*;

/// The sources of one run: a file's text, the environment and the flags.
struct Run {
    directory: TempDir,
    sources: Sources,
}

fn run(file: &str) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metapaas.toml");
    fs::write(&path, file).unwrap();
    let sources = Sources {
        file: Some(path),
        environment: HashMap::new(),
        flags: Vec::new(),
        presets: Vec::new(),
    };
    Run { directory, sources }
}

impl Run {
    fn variable(mut self, key: &str, value: &str) -> Self {
        self.sources.environment.insert(key.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.sources.flags.push(Flag { name: "--flag", key, value: value.to_owned() });
        self
    }

    fn config(self) -> Config {
        Config::load(self.sources).unwrap()
    }

    fn shown(self) -> Vec<Shown> {
        Shown::all(self.sources).unwrap()
    }

    fn check_refused(self, wanted: &Expect) {
        let error = Config::load(self.sources).unwrap_err();
        let directory = self.directory.path().file_name().unwrap().to_str().unwrap();
        let text = log::chain(&error).to_string();
        wanted.assert_eq(&without(&text, directory));
    }
}

/// The text, with each path through `directory` as one below `DIR`.
fn without(text: &str, directory: &str) -> String {
    let short = |word: &str| match word.split_once(directory) {
        Some((before, after)) => format!("{}DIR{after}", before.trim_end_matches(is_of_a_path)),
        None => word.to_owned(),
    };
    text.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

fn is_of_a_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_')
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config = run("").config();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.bundles(), Path::new("metapaas-data/bundles"));
}

#[test]
fn the_file_wins_over_the_defaults() {
    let config = run("bundles = 'b'\n[http]\nconnections_max = 7").config();
    assert_eq!(config.http.connections_max, 7);
    assert_eq!(config.bundles(), Path::new("b"));
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let run = || {
        run("[http]\nlisten = '127.0.0.1:1'")
            .variable("METAPAAS__HTTP__LISTEN", "127.0.0.1:2")
            .variable("METAPAAS_TOKEN", "not a setting")
    };
    assert_eq!(run().config().http.listen.port(), 2);
    assert_eq!(run().flag("http.listen", "[::1]:3").config().http.listen.to_string(), "[::1]:3");
}

#[test]
fn numbers_may_come_from_the_environment() {
    let config = run("").variable("METAPAAS__HTTP__DRAIN_DEADLINE_MS", "12").config();
    assert_eq!(config.http.drain_deadline().as_millis(), 12);
}

#[test]
fn an_unknown_key_in_the_file_is_refused() {
    run("[http]\nlisten_addr = '127.0.0.1:1'").check_refused(&expect!["unknown key `http.listen_addr` in `DIR/metapaas.toml`: the nearest known key is `http.listen` (`METAPAAS__HTTP__LISTEN` in the environment)"]);
}

#[test]
fn an_unknown_variable_is_refused() {
    run("").variable("METAPAAS__HTPP__LISTEN", "127.0.0.1:1").check_refused(&expect!["unknown key `htpp.listen` in the environment: the nearest known key is `http.listen` (`METAPAAS__HTTP__LISTEN` in the environment)"]);
}

#[test]
fn a_key_like_no_other_gets_no_suggestion() {
    run("zzz = 1").check_refused(&expect![
        "unknown key `zzz` in `DIR/metapaas.toml`: remove it, no setting has a name like that"
    ]);
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    run("[http]\nconnections_max = 'many'").check_refused(&expect![[r#"setting `http.connections_max` has a value of the wrong kind: correct it in DIR/metapaas.toml:2; caused by: invalid type: string "many", expected an integer for key `http.connections_max` in DIR/metapaas.toml"#]]);
}

#[test]
fn an_address_that_is_none_is_refused() {
    run("").variable("METAPAAS__HTTP__LISTEN", "here").check_refused(&expect!["setting `http.listen` has a value of the wrong kind: correct it in environment variable METAPAAS__HTTP__LISTEN; caused by: invalid socket address syntax for key `http.listen`"]);
}

#[test]
fn a_log_format_that_is_none_is_refused() {
    run("[log]\nformat = 'xml'").check_refused(&expect!["setting `log.format` has a value of the wrong kind: correct it in DIR/metapaas.toml:2; caused by: `xml` is not a log format, write `text` or `json` for key `log.format`"]);
}

#[test]
fn a_listener_for_everybody_is_refused() {
    run("").flag("http.listen", "0.0.0.0:8080").check_refused(&expect!["setting `http.listen` is `0.0.0.0:8080`, which others reach in clear text: set `http.tls.certificate` and `http.tls.key`, listen on `127.0.0.1:8080`, or set `http.allow_plaintext = true` if what is between speaks TLS"]);
}

#[test]
fn a_listener_for_everybody_is_taken_with_tls_or_by_choice() {
    let everybody = |file: &str| run(file).flag("http.listen", "0.0.0.0:8080").config();
    assert!(everybody("[http]\nallow_plaintext = true").http.tls.files().is_none());
    assert!(everybody("[http.tls]\ncertificate = 'c'\nkey = 'k'").http.tls.files().is_some());
}

#[test]
fn half_of_tls_is_refused() {
    run("[http.tls]\nkey = 'k'").check_refused(&expect![
        "setting `http.tls.key` is there and `http.tls.certificate` is not: TLS needs both files"
    ]);
}

#[test]
fn a_limit_that_nothing_fits_is_refused() {
    run("[http]\nheader_bytes_max = 100").check_refused(&expect![
        "setting `http.header_bytes_max` is 100: it must be at least 8192"
    ]);
}

#[test]
fn a_named_file_must_be_there() {
    let mut run = run("");
    run.sources.file = Some(run.directory.path().join("absent.toml"));
    run.check_refused(&expect![[r#"the configuration cannot be read: correct `DIR/absent.toml` or name another file with `--config`; caused by: configuration file "DIR/absent.toml" not found"#]]);
}

#[test]
fn a_file_that_is_not_toml_is_refused() {
    run("[http").check_refused(&expect![[r#"
        the configuration cannot be read: correct `DIR/metapaas.toml` or name another file with `--config`; caused by: TOML parse error at line 1, column 6
          |
        1 | [http
          |      ^
        unclosed table, expected `]`
         in DIR/metapaas.toml"#]]);
}

#[test]
fn each_setting_tells_where_it_came_from() {
    let mut run = run("bundles = 'b'\n\n[http]\n# why\nconnections_max = 7\nheaders_max = 9")
        .variable("METAPAAS__HTTP__HEADERS_MAX", "12")
        .flag("http.listen", "127.0.0.1:1");
    run.sources.presets = vec![("log.filter", "warn".to_owned()), ("bundles", "weaker".to_owned())];
    let Run { directory, sources } = run;
    let folder = directory.path().display().to_string();
    let told = |shown: &Shown| format!("{} = {}: {}\n", shown.key, shown.value, shown.origin);
    let all = Shown::all(sources).unwrap();
    let told: String =
        all.iter().filter(|shown| shown.origin != Origin::Default).map(told).collect();
    expect![[r#"
        bundles = "b": DIR/metapaas.toml:1
        http.connections_max = 7: DIR/metapaas.toml:5
        http.headers_max = 12: environment variable METAPAAS__HTTP__HEADERS_MAX
        http.listen = "127.0.0.1:1": flag --flag
        log.filter = "warn": default of this command
    "#]]
    .assert_eq(&told.replace(&folder, "DIR"));
    assert_eq!(all.len(), KnownKeys::of(&Config::default()).iter().count());
}

#[test]
fn an_address_of_a_database_is_not_repeated() {
    run("").variable("METAPAAS__STORE__DATABASE_URL", "mysql://ops:hunter2@db/mp").check_refused(&expect!["setting `store.database_url` has a value of the wrong kind: correct it in environment variable METAPAAS__STORE__DATABASE_URL; caused by: this is no address of a PostgreSQL database, write `postgres://USER:PASSWORD@HOST/DATABASE` for key `store.database_url`"]);
    run("[store]\nconnections_max = 0")
        .check_refused(&expect!["setting `store.connections_max` is 0: it must be at least 1"]);
}

/// A line that is commented out without a space is a setting.
#[test]
fn the_example_has_every_setting_with_its_default() {
    let example = include_str!("../../../packer/dist/metapaas.toml");
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    let all: Vec<_> = example.lines().map(uncomment).collect();
    let shown = run(&all.join("\n")).shown();
    let defaults = run("").shown();
    for (setting, default) in shown.iter().zip(&defaults) {
        let in_the_example = matches!(setting.origin, Origin::File { .. });
        assert!(in_the_example, "`{}` is not in the example", setting.key);
        // Without a default there is an example of a value.
        if !default.value.is_null() && setting.key != "data" {
            assert_eq!(setting.value, default.value, "{}", setting.key);
        }
    }
    run(example).config();
}

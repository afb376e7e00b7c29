//! Who wins: flags, then the environment, then the context, and never another daemon's token.

use expect_test::{Expect, expect};

use super::*;
use crate::cli::context;

/// The target of these flags and variables, with contexts for ports 1 (current) and 2.
fn check(flags: &[&str], environment: &[(&str, &str)], wanted: &Expect) {
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        reach: Reach,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("context.json");
    for port in [2, 1] {
        let context = context::Context {
            endpoint: format!("http://127.0.0.1:{port}").parse().unwrap(),
            token: Some(Secret::new(format!("metapaas_{port}_secret"))),
            ca: (port == 2).then(|| "/ca.pem".into()),
        };
        let put = |all: &mut Contexts| {
            all.put(&port.to_string(), context);
            Ok(())
        };
        context::change(&path, put).unwrap();
    }
    let flags: Flags = clap::Parser::try_parse_from([&["metapaas"], flags].concat())
        .unwrap_or_else(|error| {
            panic!("{error}");
        });
    let variable = |wanted: &str| {
        environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.into())
    };
    let target = flags.reach.resolve(variable, &Contexts::load(&path).unwrap());
    let told = match target {
        Err(error) => format!("{error}"),
        Ok(Target { endpoint, credentials, ca }) => {
            let who = match credentials {
                None => "nobody".to_owned(),
                Some(Credentials::Token(token)) => token.reveal().to_owned(),
                Some(Credentials::Password { user, password }) => {
                    format!("{user}:{}", password.reveal())
                }
            };
            format!("{endpoint} {who} {ca:?}")
        }
    };
    wanted.assert_eq(&told);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_context() {
    check(&[], &[], &expect!["http://127.0.0.1:1 metapaas_1_secret None"]);
    let environment = [("METAPAAS_ENDPOINT", "http://127.0.0.1:2/"), ("METAPAAS_TOKEN", "env")];
    check(&[], &environment, &expect![[r#"http://127.0.0.1:2 env Some("/ca.pem")"#]]);
    let flags = ["-e", "http://127.0.0.1:3", "--token", "flag", "--ca", "/other.pem"];
    check(&flags, &environment, &expect![[r#"http://127.0.0.1:3 flag Some("/other.pem")"#]]);
    let flags = ["-u", "admin", "-p", "word"];
    check(&flags, &environment, &expect![[r#"http://127.0.0.1:2 admin:word Some("/ca.pem")"#]]);
}

#[test]
fn a_token_goes_to_its_own_daemon_alone() {
    let two = expect![[r#"http://127.0.0.1:2 metapaas_2_secret Some("/ca.pem")"#]];
    check(&["-e", "http://127.0.0.1:2"], &[], &two);
    check(&["-e", "http://127.0.0.1:3"], &[], &expect!["http://127.0.0.1:3 nobody None"]);
    let empty = [("METAPAAS_ENDPOINT", ""), ("METAPAAS_TOKEN", "")];
    check(&[], &empty, &expect!["http://127.0.0.1:1 metapaas_1_secret None"]);
}

#[test]
fn half_of_a_pair_is_refused() {
    check(&["-u", "admin"], &[], &expect!["`--user` needs `--password`"]);
    check(&["-p", "word"], &[], &expect!["`--password` needs `--user`"]);
    let both = expect!["give either `--token`, or `--user` and `--password`"];
    check(&["-u", "admin", "-p", "word", "--token", "t"], &[], &both);
    let nonsense = expect![
        "`nowhere` is no endpoint: write it as `http://127.0.0.1:8080` or `https://paas.example.org`"
    ];
    check(&[], &[("METAPAAS_ENDPOINT", "nowhere")], &nonsense);
}

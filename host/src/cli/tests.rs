//! The command line: consistent, and the flags of the client stand where one expects them.

use super::*;

fn parse_from(line: &str) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(line.split(' '))?;
    Cli::from_arg_matches(&matches)
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn flags_of_the_client_stand_before_or_after_the_noun() {
    for line in [
        "metapaas -e http://x -u admin -p word ee install s3aas --version 0.0.1",
        "metapaas element -e http://x -u admin -p word install s3aas --version 0.0.1",
        "metapaas ee install s3aas --version 0.0.1 --endpoint http://x --user admin --password word",
        "metapaas -e http://x -u admin -p word -o json element list",
        "metapaas context -o yaml list",
    ] {
        let cli = parse_from(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(matches!(cli.command, Command::Client(_)), "{line}");
    }
}

#[test]
fn flags_of_the_client_are_no_flags_of_the_daemon() {
    let refused = parse_from("metapaas serve --endpoint http://x").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnknownArgument);
}

//! The commands of the client, by noun. All take the flags of [`Reach`], before or after the noun.

use clap::{Args, Subcommand};

use super::client::Reach;
use super::exit::{Exit, Failure};
use super::{context, element, iam, migrations, operation, session, token};

/// The nouns.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install, upgrade, roll back and look at elements.
    #[command(visible_alias = "ee")]
    Element(Noun<element::Command>),
    /// Look at what takes time, and wait for it.
    Operation(Noun<operation::Command>),
    /// Look at the schema changes of elements.
    Migrations(Noun<migrations::Command>),
    /// Who may do what: projects, users, service accounts, roles, bindings, keys.
    Iam(Noun<iam::Command>),
    /// Which daemons this user knows, and which is meant.
    Context(Noun<context::command::Command>),
    /// The token that the client has, and a new admin token on the daemon's own host.
    Token(Noun<token::Command>),
}

/// A noun with its verbs.
#[derive(Debug, Args)]
pub(crate) struct Noun<V: Subcommand> {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    verb: V,
}

/// Does what was asked; `before` is what stood before the noun.
pub(crate) fn run(before: Reach, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Element(Noun { reach, verb }) => {
            let reach = reach.or(before);
            session::run(&reach, async |session| element::run(session, verb).await)
        }
        Command::Operation(Noun { reach, verb }) => {
            let reach = reach.or(before);
            session::run(&reach, async |session| operation::run(session, verb).await)
        }
        Command::Migrations(Noun { reach, verb }) => {
            let reach = reach.or(before);
            session::run(&reach, async |session| migrations::run(session, verb).await)
        }
        Command::Iam(Noun { reach, verb }) => {
            let reach = reach.or(before);
            session::run(&reach, async |session| iam::run(session, verb).await)
        }
        Command::Context(Noun { reach, verb }) => context::command::run(&reach.or(before), &verb),
        Command::Token(Noun { reach, verb }) => token::run(&reach.or(before), &verb),
    }
}

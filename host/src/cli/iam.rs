//! `metapaas iam …`: who may do what.
//!
//! Every noun has the verbs of its collection in the API, under the same names. A password is read from standard
//! input, so that no list of processes and no history of a shell holds it; a new key is the result of its command.

use std::io;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::Error;
use super::exit::Exit;
use super::operation::Page;
use super::output::{Paint, Table, View};
use super::session::Session;

/// The nouns.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show who is calling, by what, and where that is somebody.
    Whoami,
    /// Projects: what instances belong to.
    #[command(subcommand)]
    Project(Verb<NewProject>),
    /// Users.
    #[command(subcommand)]
    User(Verb<NewUser>),
    /// Service accounts: programs that call.
    #[command(subcommand)]
    ServiceAccount(Verb<NewServiceAccount>),
    /// Roles: sets of permissions.
    #[command(subcommand)]
    Role(Verb<NewRole>),
    /// Role bindings: who has which role where.
    #[command(subcommand)]
    Binding(Verb<NewBinding>),
    /// API keys.
    #[command(subcommand)]
    Key(Verb<NewKey>),
    /// Replace an API key; the old one counts until the overlap is over.
    RotateKey {
        /// Its id.
        id: String,
        /// How long the old one still counts, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        overlap: u32,
    },
}

/// What to do with things of one kind.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb<N: Args> {
    /// List those that the caller may see.
    List(Page),
    /// Show one.
    Get {
        /// Its id or name.
        name: String,
    },
    /// Make one.
    Create(N),
    /// Remove one; of keys: revoke it.
    Delete {
        /// Its id or name.
        name: String,
    },
}

/// A project that shall be.
#[derive(Debug, Args)]
pub(crate) struct NewProject {
    name: String,
    /// Whose; not needed where there is one.
    #[arg(long)]
    organization: Option<String>,
    #[arg(long)]
    description: Option<String>,
}

/// A user who shall be.
#[derive(Debug, Args)]
pub(crate) struct NewUser {
    name: String,
    #[arg(long)]
    description: Option<String>,
    /// Take the first line of standard input as the password.
    #[arg(long)]
    password_stdin: bool,
}

/// A service account that shall be.
#[derive(Debug, Args)]
pub(crate) struct NewServiceAccount {
    name: String,
    /// The project whose owners look after it.
    #[arg(long)]
    project: Option<String>,
    #[arg(long)]
    description: Option<String>,
}

/// A role that shall be.
#[derive(Debug, Args)]
pub(crate) struct NewRole {
    name: String,
    /// A permission that it grants, such as `s3.*.read`.
    #[arg(long, value_name = "PERMISSION")]
    allow: Vec<String>,
    /// A permission that it takes away, whatever else grants it.
    #[arg(long, value_name = "PERMISSION")]
    deny: Vec<String>,
    #[arg(long)]
    description: Option<String>,
}

/// A role that somebody shall have; without a place, on the platform.
#[derive(Debug, Args)]
pub(crate) struct NewBinding {
    /// Who: `user:ada`, `service-account:ci`.
    principal: String,
    /// Which role.
    role: String,
    /// In every project of this organization.
    #[arg(long, conflicts_with = "project")]
    organization: Option<String>,
    /// In this project.
    #[arg(long)]
    project: Option<String>,
    /// For this type in the project.
    #[arg(long, value_name = "TYPE", requires = "project")]
    r#type: Option<String>,
    /// For this instance of the type.
    #[arg(long, value_name = "ID", requires = "type")]
    instance: Option<String>,
}

/// A key that shall be.
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Whose [default: the caller's].
    #[arg(long)]
    principal: Option<String>,
    /// What it is for.
    #[arg(long)]
    name: Option<String>,
    /// A permission that it is good for [default: all that its owner has].
    #[arg(long, value_name = "PERMISSION")]
    scope: Vec<String>,
    /// The one project that it is good for.
    #[arg(long)]
    project: Option<String>,
    /// A network that it may be used from, such as 10.0.0.0/8 [default: any].
    #[arg(long)]
    cidr: Vec<String>,
    /// How long it counts, in seconds [default: for ever].
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u32>,
}

/// A kind of thing: its collection in the API, and the columns of its list.
struct Kind {
    collection: &'static str,
    columns: &'static [(&'static str, &'static str)],
}

const PROJECTS: Kind = Kind {
    collection: "projects",
    columns: &[("ID", "/id"), ("NAME", "/name"), ("DESCRIPTION", "/description")],
};
const USERS: Kind = Kind {
    collection: "users",
    columns: &[("ID", "/id"), ("NAME", "/name"), ("STATUS", "/status")],
};
const SERVICE_ACCOUNTS: Kind = Kind {
    collection: "service-accounts",
    columns: &[("ID", "/id"), ("NAME", "/name"), ("STATUS", "/status"), ("PROJECT", "/project_id")],
};
const ROLES: Kind = Kind {
    collection: "roles",
    columns: &[
        ("NAME", "/name"),
        ("ALLOW", "/allow"),
        ("DENY", "/deny"),
        ("DESCRIPTION", "/description"),
    ],
};
const BINDINGS: Kind = Kind {
    collection: "bindings",
    columns: &[
        ("ID", "/id"),
        ("PRINCIPAL", "/principal"),
        ("ROLE", "/role"),
        ("SCOPE", "/scope/kind"),
    ],
};
const KEYS: Kind = Kind {
    collection: "api-keys",
    columns: &[
        ("ID", "/id"),
        ("KEY", "/key_id"),
        ("NAME", "/name"),
        ("PRINCIPAL", "/principal"),
        ("STATUS", "/status"),
        ("LAST USED", "/last_used_at"),
    ],
};

/// Does what was asked.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Whoami => {
            let me = session.client.get(["v1", "iam", "me"]).send().await?;
            session.output.answer(&me, |me, _paint| {
                let text = |path| me.text(path).unwrap_or_default();
                format!("{} by {}\n", text("/principal"), text("/credential/kind"))
            })?;
            Ok(Exit::Ok)
        }
        Command::Project(verb) => act(session, &PROJECTS, verb).await,
        Command::User(verb) => act(session, &USERS, verb).await,
        Command::ServiceAccount(verb) => act(session, &SERVICE_ACCOUNTS, verb).await,
        Command::Role(verb) => act(session, &ROLES, verb).await,
        Command::Binding(verb) => act(session, &BINDINGS, verb).await,
        Command::Key(verb) => act(session, &KEYS, verb).await,
        Command::RotateKey { id, overlap } => {
            let path = ["v1", "iam", KEYS.collection, &id, "actions", "rotate"];
            let made = session.client.post(path, json!({ "overlap": overlap })).send().await?;
            session.output.answer(&made, made_of)?;
            Ok(Exit::Ok)
        }
    }
}

async fn act<N: Args + Document>(
    session: &Session,
    kind: &Kind,
    verb: Verb<N>,
) -> Result<Exit, Error> {
    let (client, output) = (&session.client, session.output);
    match verb {
        Verb::List(page) => {
            let listed = page.of(client.get(["v1", "iam", kind.collection])).send().await?;
            let mut more = None;
            output.answer(&listed, |document, paint| {
                more = document.text("/next_page_token");
                table(kind, document.items("/items"), paint)
            })?;
            if let Some(token) = more {
                output.note(&format!("there are more: --page-token {token}"));
            }
        }
        Verb::Get { name } => {
            let one = client.get(["v1", "iam", kind.collection, &name]).send().await?;
            output.answer(&one, |one, paint| table(kind, [one].into_iter(), paint))?;
        }
        Verb::Create(new) => {
            let path = ["v1", "iam", kind.collection];
            let made = client.post(path, new.document()?).send().await?;
            output.answer(&made, made_of)?;
        }
        Verb::Delete { name } => {
            client.delete(["v1", "iam", kind.collection, &name]).send().await?;
            output.note(&format!("{name} is removed"));
        }
    }
    Ok(Exit::Ok)
}

fn table<'d>(kind: &Kind, items: impl Iterator<Item = View<'d>>, paint: Paint) -> String {
    let mut table = Table::new(kind.columns.iter().map(|(head, _path)| *head));
    for item in items {
        table.row(kind.columns.iter().map(|(_head, path)| item.cell(path)));
    }
    table.render(paint, "there are none")
}

/// What was made: of a key the key itself, which is shown this once.
fn made_of(made: View<'_>, _paint: Paint) -> String {
    let what = ["/key", "/name", "/id"].into_iter().find_map(|path| made.text(path));
    format!("{}\n", what.unwrap_or_default())
}

/// Something that shall be, as the API has it.
trait Document {
    fn document(self) -> Result<Value, Error>;
}

/// A document without what was not said.
fn said<const N: usize>(members: [(&str, Value); N]) -> Value {
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    };
    let members = members.into_iter().filter(|(_name, value)| is_said(value));
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

impl Document for NewProject {
    fn document(self) -> Result<Value, Error> {
        let Self { name, organization, description } = self;
        let members = [
            ("name", json!(name)),
            ("organization", json!(organization)),
            ("description", json!(description)),
        ];
        Ok(said(members))
    }
}

impl Document for NewUser {
    fn document(self) -> Result<Value, Error> {
        let Self { name, description, password_stdin } = self;
        let password = if password_stdin { Some(first_line()?) } else { None };
        let members = [
            ("name", json!(name)),
            ("description", json!(description)),
            ("password", json!(password)),
        ];
        Ok(said(members))
    }
}

fn first_line() -> Result<String, Error> {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.map_err(|_unreadable| {
        Error::Usage("standard input cannot be read: give the password there")
    })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Document for NewServiceAccount {
    fn document(self) -> Result<Value, Error> {
        let Self { name, project, description } = self;
        let members = [
            ("name", json!(name)),
            ("project", json!(project)),
            ("description", json!(description)),
        ];
        Ok(said(members))
    }
}

impl Document for NewRole {
    fn document(self) -> Result<Value, Error> {
        let Self { name, allow, deny, description } = self;
        let members = [
            ("name", json!(name)),
            ("allow", json!(allow)),
            ("deny", json!(deny)),
            ("description", json!(description)),
        ];
        Ok(said(members))
    }
}

impl Document for NewBinding {
    fn document(self) -> Result<Value, Error> {
        let Self { principal, role, organization, project, r#type, instance } = self;
        let scope = said([
            ("organization", json!(organization)),
            ("project", json!(project)),
            ("type", json!(r#type)),
            ("instance_id", json!(instance)),
        ]);
        Ok(json!({"principal": principal, "role": role, "scope": scope}))
    }
}

impl Document for NewKey {
    fn document(self) -> Result<Value, Error> {
        let Self { principal, name, scope, project, cidr, expires_in } = self;
        let members = [
            ("principal", json!(principal)),
            ("name", json!(name)),
            ("scopes", json!(scope)),
            ("project", json!(project)),
            ("cidrs", json!(cidr)),
            ("expires_in", json!(expires_in)),
        ];
        Ok(said(members))
    }
}

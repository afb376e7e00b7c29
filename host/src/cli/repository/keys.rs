//! The keys of a repository, where its owner says they are.
//!
//! In files, or for a job that has no files in the variable `METAPAAS_REPOSITORY_KEY`. The passphrase is never on
//! a command line: it is in `METAPAAS_REPOSITORY_PASSPHRASE`, or typed on a terminal that does not show it.

use std::env;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use packer::repository::{
    Assignment, EnvelopeError, InvalidRole, KeyError, Passphrase, Role, SigningKey, create_keys,
    parse_keys, read_keys,
};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::cli::exit::{Exit, Failure};

const KEY: &str = "METAPAAS_REPOSITORY_KEY";
const PASSPHRASE: &str = "METAPAAS_REPOSITORY_PASSPHRASE";

/// A file of keys, and whose they are if that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    roles: Vec<Role>,
    path: PathBuf,
}

/// Keys with the roles that they are for.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) assignment: Assignment,
    pub(super) keys: Vec<SigningKey>,
    /// What is to be told of them: a line for each file.
    pub(super) said: String,
}

/// Why it is not clear which key is for what.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    #[error("no keys are given: name a file with `--key`, or put them into `{KEY}`")]
    None,
    #[error(
        "{0} files of keys do not say whose they are: give one for all roles, two for root and the others, four for \
         root, targets, snapshot and timestamp, or say it with `root=FILE`"
    )]
    Files(usize),
    #[error(
        "`{from}` has {keys} keys for {roles} roles: wanted one for all of them, or one for each"
    )]
    Keys { from: String, keys: usize, roles: usize },
    #[error("the two passphrases differ; try again")]
    Typo,
}

impl FromStr for KeyFile {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        // A path may have an equals sign in it, so only what begins with a role names roles.
        let named = text.split_once('=').filter(|(roles, _)| roles.split(',').any(is_role));
        let Some((roles, path)) = named else {
            return Ok(Self { roles: Vec::new(), path: PathBuf::from(text) });
        };
        let roles = roles.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { roles, path: PathBuf::from(path) })
    }
}

fn is_role(text: &str) -> bool {
    text.parse::<Role>().is_ok()
}

/// The keys in these files, or those in the environment if there are none.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<SigningKey>, Failure> {
    if files.is_empty() {
        return of_environment();
    }
    let mut keys = Vec::new();
    for file in files {
        keys.extend(read_file(file)?);
    }
    Ok(keys)
}

/// The keys in these files for the roles that they are for. A file that is not there is made.
pub(super) fn assign(files: &[KeyFile]) -> Result<Ring, Failure> {
    let mut ring = Ring::default();
    if files.is_empty() {
        ring.add(KEY, &Role::ALL, of_environment()?)?;
        return Ok(ring);
    }
    let files = with_roles(files).map_err(|error| Failure::new(Exit::Refused, error))?;
    for KeyFile { roles, path } in &files {
        let keys = if path.exists() { read_file(path)? } else { make_file(path, roles.len())? };
        ring.add(&path.display().to_string(), roles, keys)?;
    }
    Ok(ring)
}

/// The files, each with the roles that it is for.
fn with_roles(files: &[KeyFile]) -> Result<Vec<KeyFile>, Unclear> {
    let unnamed = files.iter().filter(|file| file.roles.is_empty()).count();
    let named: Vec<_> = files.iter().flat_map(|file| file.roles.clone()).collect();
    let left: Vec<_> = Role::ALL.into_iter().filter(|role| !named.contains(role)).collect();
    let mut shares = match unnamed {
        0 => Vec::new(),
        1 => vec![left],
        2 if left.len() == 4 => vec![vec![Role::Root], left[1..].to_vec()],
        n if n == left.len() => left.into_iter().map(|role| vec![role]).collect(),
        n => return Err(Unclear::Files(n)),
    }
    .into_iter();
    let share = |file: &KeyFile| {
        let mut file = file.clone();
        if file.roles.is_empty() {
            file.roles = shares.next().unwrap_or_default();
        }
        file
    };
    Ok(files.iter().map(share).collect())
}

impl Ring {
    fn add(&mut self, from: &str, roles: &[Role], keys: Vec<SigningKey>) -> Result<(), Failure> {
        if keys.len() != 1 && keys.len() != roles.len() {
            let (keys, roles) = (keys.len(), roles.len());
            let error = Unclear::Keys { from: from.to_owned(), keys, roles };
            return Err(Failure::new(Exit::Refused, error));
        }
        for (role, key) in roles.iter().zip(keys.iter().cycle()) {
            let public = key.public();
            self.assignment.entry(*role).or_default().push(public.clone());
            // Writing to a string does not fail.
            writeln!(self.said, "{from}: {role} {}", public.id()).unwrap_or_default();
        }
        self.keys.extend(keys);
        Ok(())
    }
}

fn of_environment() -> Result<Vec<SigningKey>, Failure> {
    let none = |_error| Failure::new(Exit::Refused, Unclear::None);
    let text = env::var(KEY).map_err(none)?;
    with_passphrase(KEY, |passphrase| parse_keys(&text, passphrase))
}

fn read_file(path: &Path) -> Result<Vec<SigningKey>, Failure> {
    with_passphrase(&path.display().to_string(), |passphrase| read_keys(path, passphrase))
}

fn make_file(path: &Path, n: usize) -> Result<Vec<SigningKey>, Failure> {
    let of = path.display().to_string();
    let passphrase = match given()? {
        Some(passphrase) => passphrase,
        None => ask_twice(&of)?,
    };
    let keys: Vec<_> = (0..n).map(|_| SigningKey::generate()).collect::<Result<_, _>>()?;
    create_keys(path, &keys, &passphrase)?;
    Ok(keys)
}

/// Reads keys; the passphrase is asked for only if they are encrypted.
fn with_passphrase(
    of: &str,
    read: impl Fn(Option<&Passphrase>) -> Result<Vec<SigningKey>, KeyError>,
) -> Result<Vec<SigningKey>, Failure> {
    let given = given()?;
    match read(given.as_ref()) {
        Err(error) if wants_passphrase(&error) && io::stdin().is_terminal() => {
            Ok(read(Some(&ask(of)?))?)
        }
        read => Ok(read?),
    }
}

fn wants_passphrase(error: &KeyError) -> bool {
    match error {
        KeyError::Envelope(error) => matches!(error, EnvelopeError::NoPassphrase),
        KeyError::File { path: _, source } => wants_passphrase(source),
        KeyError::Generate
        | KeyError::Pem(_)
        | KeyError::Read { .. }
        | KeyError::Open { .. }
        | KeyError::Write { .. } => false,
    }
}

fn given() -> Result<Option<Passphrase>, KeyError> {
    let given = env::var(PASSPHRASE).ok();
    Ok(given.map(Passphrase::new).transpose()?)
}

fn ask_twice(of: &str) -> Result<Passphrase, Failure> {
    if !io::stdin().is_terminal() {
        return Err(KeyError::from(EnvelopeError::NoPassphrase).into());
    }
    let passphrase = ask(of)?;
    if ask(&format!("{of}, again"))? == passphrase {
        return Ok(passphrase);
    }
    Err(Failure::new(Exit::Refused, Unclear::Typo))
}

/// Has a passphrase typed, without showing it.
fn ask(of: &str) -> Result<Passphrase, Failure> {
    let typed = read_unseen(&format!("passphrase of {of}: "));
    let typed = typed.map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Passphrase::new(typed).map_err(KeyError::from)?)
}

fn read_unseen(prompt: &str) -> io::Result<String> {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    write!(stderr, "{prompt}")?;
    let shown = tcgetattr(&stdin)?;
    let mut unseen = shown.clone();
    unseen.local_modes -= LocalModes::ECHO;
    tcsetattr(&stdin, OptionalActions::Flush, &unseen)?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    writeln!(stderr)?;
    read?;
    Ok(line.trim_end_matches('\n').to_owned())
}

/// How files are shared among the roles, for tests.
#[cfg(test)]
pub(super) fn shown(files: &[KeyFile]) -> String {
    let share = |KeyFile { roles, path }: &KeyFile| {
        let roles: Vec<_> = roles.iter().map(Role::to_string).collect();
        format!("{}: {}", path.display(), roles.join(" "))
    };
    match with_roles(files) {
        Ok(files) => files.iter().map(share).collect::<Vec<_>>().join("; "),
        Err(error) => error.to_string(),
    }
}

//! The client context: which daemons this user knows, by which token, and which of them is meant.
//!
//! Guarantees: the file is this user's alone (0600), is replaced whole or not at all, and keeps a change that
//! another process makes at the same time; a token is only ever given out with the endpoint that it is for.
//! Not here: flags and environment, which win over the file (see [`super::client`]).

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) mod command;
mod endpoint;
mod secret;

pub(crate) use endpoint::{Endpoint, InvalidEndpoint};
pub(crate) use secret::Secret;

const SCHEMA_VERSION: u32 = 1;

/// Names the file, for whoever wants another.
const PATH_VARIABLE: &str = "METAPAAS_CONTEXT";

/// The daemons that this user knows, as the file says.
#[derive(Debug)]
pub(crate) struct Contexts {
    path: PathBuf,
    document: Document,
    /// The permissions of a file that others can read.
    exposed: Option<u32>,
}

/// A daemon, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Where its user API is.
    pub(crate) endpoint: Endpoint,
    /// Who is calling; absent where anybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// Certificates to trust beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema_version: u32,
    current: Option<String>,
    contexts: BTreeMap<String, Context>,
}

/// Why the context cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing says where the file is.
    #[error(
        "there is no place for the client context: set `HOME`, or name the file with `METAPAAS_CONTEXT`"
    )]
    NoPlace,
    /// The file is there and cannot be read.
    #[error("the client context `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error("the client context `{}` is damaged: correct it, or remove it and start anew", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file was written by another version.
    #[error("the client context `{}` has schema version {found} instead of {SCHEMA_VERSION}: use the version that wrote it, or name another file with `METAPAAS_CONTEXT`", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
    /// The file cannot be written; the old one is still there.
    #[error("the client context `{}` cannot be written: name another file with `METAPAAS_CONTEXT`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The endpoint is not one.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// No context has this name.
    #[error("there is no context `{name}`: {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// What there is instead, ready to print.
        known: String,
    },
}

/// Keeps `token` as the one for `endpoint` and makes that the current context. Says where it is kept.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn remember(endpoint: &str, token: &str) -> Result<PathBuf, Error> {
    let endpoint: Endpoint = endpoint.parse()?;
    let path = path()?;
    change(&path, |contexts| {
        contexts.remember(endpoint, Secret::new(token));
        Ok(())
    })?;
    Ok(path)
}

/// Where the file is: what `METAPAAS_CONTEXT` says, else in the user's configuration directory.
pub(crate) fn path() -> Result<PathBuf, Error> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set(PATH_VARIABLE) {
        return Ok(path);
    }
    let configuration = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    Ok(configuration.ok_or(Error::NoPlace)?.join("metapaas").join("context.json"))
}

/// Reads the file, changes what it says, and replaces it.
///
/// Holds a lock on its directory, so that two processes that do this do not lose each other's change.
pub(crate) fn change<T>(
    path: &Path,
    change: impl FnOnce(&mut Contexts) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let lock = File::open(directory).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut contexts = Contexts::load(path)?;
    let changed = change(&mut contexts)?;
    replace(directory, path, &contexts.document).map_err(failed)?;
    Ok(changed)
}

fn replace(directory: &Path, path: &Path, document: &Document) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(document).expect("strings and numbers are JSON");
    text.push(b'\n');
    // Made with 0600, and removed if this does not come to its end.
    let mut aside = tempfile::NamedTempFile::new_in(directory)?;
    aside.write_all(&text)?;
    aside.as_file().sync_all()?;
    aside.persist(path)?;
    Ok(())
}

impl Contexts {
    /// What the file says; nothing if there is none.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let document = Document { schema_version: SCHEMA_VERSION, ..Document::default() };
                return Ok(Self { path: path.to_owned(), document, exposed: None });
            }
            Err(source) => return Err(failed(source)),
        };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|source| Error::Parse { path: path.to_owned(), source })?;
        if document.schema_version != SCHEMA_VERSION {
            let found = document.schema_version;
            return Err(Error::OtherVersion { path: path.to_owned(), found });
        }
        let exposed = (mode & 0o077 != 0).then_some(mode);
        Ok(Self { path: path.to_owned(), document, exposed })
    }

    /// What is wrong with the permissions of the file, if something is.
    pub(crate) fn warning(&self) -> Option<String> {
        let (mode, path) = (self.exposed?, self.path.display());
        Some(format!(
            "others may read the tokens in `{path}` (mode {mode:04o}): `chmod 600 {path}`"
        ))
    }

    /// The context that is meant when nothing else is said, with its name.
    pub(crate) fn current(&self) -> Option<(&str, &Context)> {
        let name = self.document.current.as_deref()?;
        Some((name, self.document.contexts.get(name)?))
    }

    /// The context of this daemon.
    pub(crate) fn of_endpoint(&self, endpoint: &Endpoint) -> Option<&Context> {
        self.document.contexts.values().find(|context| context.endpoint == *endpoint)
    }

    /// All of them by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Context)> {
        self.document.contexts.iter().map(|(name, context)| (name.as_str(), context))
    }

    /// Makes `name` the current one.
    pub(crate) fn select(&mut self, name: &str) -> Result<(), Error> {
        self.get(name)?;
        self.document.current = Some(name.to_owned());
        Ok(())
    }

    /// Adds or replaces the context `name` and makes it the current one.
    pub(crate) fn put(&mut self, name: &str, context: Context) {
        self.document.contexts.insert(name.to_owned(), context);
        self.document.current = Some(name.to_owned());
    }

    /// Forgets the context `name`.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Error> {
        self.get(name)?;
        self.document.contexts.remove(name);
        self.document.current.take_if(|current| current == name);
        Ok(())
    }

    /// Keeps the token of a daemon and makes it the current one: the name that it has, or is given.
    pub(crate) fn remember(&mut self, endpoint: Endpoint, token: Secret) -> String {
        let known = self.document.contexts.iter().find(|(_, context)| context.endpoint == endpoint);
        let (name, ca) = match known {
            Some((name, context)) => (name.clone(), context.ca.clone()),
            None => (endpoint.authority().to_owned(), None),
        };
        self.put(&name, Context { endpoint, token: Some(token), ca });
        name
    }

    /// Gives every context whose token has the public part `id` the token `new`: their names.
    pub(crate) fn replace_token(&mut self, id: &str, new: &Secret) -> Vec<String> {
        let mut replaced = Vec::new();
        for (name, context) in &mut self.document.contexts {
            if context.token.as_ref().and_then(Secret::id) == Some(id) {
                context.token = Some(new.clone());
                replaced.push(name.clone());
            }
        }
        replaced
    }

    /// The context `name`.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, Error> {
        self.document.contexts.get(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = self.document.contexts.keys().map(String::as_str).collect();
        let known = match names.as_slice() {
            [] => "there is none yet; `metapaas up` makes one, and so does `metapaas context add`"
                .to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Error::Unknown { name: name.to_owned(), known }
    }
}

#[cfg(test)]
mod tests;

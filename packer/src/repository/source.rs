//! Where the files of a repository are read from: a folder, or a web server.
//!
//! Nothing that comes from here is believed. Guarantees: every wait has a limit, a path never leads out of
//! the folder or away from below the address, and no more is read than was asked for.

use std::fmt;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tough::Bytes;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a server may say nothing.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
const CHUNK_BYTES: usize = 64 * 1024;

/// A folder with files, near or far.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// On this machine.
    Folder(PathBuf),
    /// Behind an address that ends with a slash.
    Http { client: Client, base: Url },
}

/// A file that is being read, from the byte at `starts_at`.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) starts_at: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    File { path: String, file: File },
    Http { url: Url, response: Response },
}

/// A file cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It is not there.
    #[error("`{0}` is not there")]
    Absent(String),
    /// The server did not send it.
    #[error("`{url}` cannot be fetched")]
    Fetch {
        /// Its address.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The server answered something else.
    #[error("`{url}` was answered with {status}; wanted 200")]
    Status {
        /// Its address.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// The file cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address is none that can be read.
    #[error("`{0}` is neither an address that begins with `http://` or `https://` nor a folder")]
    Address(String),
    /// There can be no client.
    #[error("this machine cannot speak https")]
    Client(#[source] reqwest::Error),
}

impl Source {
    /// The folder or address that a text names.
    pub(super) fn parse(text: &str) -> Result<Self, SourceError> {
        if !text.starts_with("http://") && !text.starts_with("https://") {
            let is_address = text.contains("://");
            let folder = || Self::Folder(PathBuf::from(text));
            return if is_address {
                Err(SourceError::Address(text.to_owned()))
            } else {
                Ok(folder())
            };
        }
        let base = format!("{}/", text.trim_end_matches('/'));
        let base = Url::parse(&base).or(Err(SourceError::Address(text.to_owned())))?;
        let mut client =
            Client::builder().connect_timeout(CONNECT_LIMIT).read_timeout(SILENCE_LIMIT);
        if is_loopback(&base) {
            client = client.no_proxy();
        }
        if base.scheme() == "http" {
            // Reading what the system trusts takes longer than the request; http is not led to https either.
            client = client.tls_certs_only([]);
        }
        Ok(Self::Http { client: client.build().map_err(SourceError::Client)?, base })
    }

    /// The folder of that name in it.
    pub(super) fn join(&self, folder: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(folder)),
            Self::Http { client, base } => {
                let mut base = below(base, [folder]);
                base.set_path(&format!("{}/", base.path()));
                Self::Http { client: client.clone(), base }
            }
        }
    }

    /// Begins to read the file at `path`, by names between slashes, from the byte at `from` if it can.
    pub(super) async fn open(&self, path: &str, from: u64) -> Result<Reading, SourceError> {
        match self {
            Self::Folder(folder) => open_file(folder, path, from).await,
            Self::Http { client, base } => fetch(client, below(base, path.split('/')), from).await,
        }
    }

    /// Reads the file `name`, which may have slashes in it; gives up one byte after `bytes_max`.
    pub(super) async fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
        let mut reading = match self {
            Self::Folder(folder) => open_file(folder, name, 0).await?,
            Self::Http { client, base } => fetch(client, below(base, [name]), 0).await?,
        };
        let mut whole = Vec::new();
        while let Some(chunk) = reading.chunk().await? {
            whole.extend_from_slice(&chunk);
            if whole.len() as u64 > bytes_max {
                break;
            }
        }
        Ok(whole)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Http { client: _, base } => fmt::Display::fmt(base, f),
        }
    }
}

impl Reading {
    /// The next piece; nothing at the end. What a connection that broke off had not sent yet is an error.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        match &mut self.body {
            Body::Http { url, response } => {
                let fetch = |source: reqwest::Error| SourceError::Fetch {
                    url: url.to_string(),
                    source: source.without_url(),
                };
                response.chunk().await.map_err(fetch)
            }
            Body::File { path, file } => {
                let mut buffer = vec![0; CHUNK_BYTES];
                let read = file.read(&mut buffer).await;
                let n = read.map_err(|source| SourceError::Read { path: path.clone(), source })?;
                buffer.truncate(n);
                Ok((n > 0).then(|| Bytes::from(buffer)))
            }
        }
    }
}

async fn open_file(folder: &Path, name: &str, from: u64) -> Result<Reading, SourceError> {
    let is_plain = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let path = folder.join(name);
    let shown = path.display().to_string();
    if !is_plain {
        return Err(SourceError::Absent(shown));
    }
    let opened = async {
        let mut file = File::open(&path).await?;
        file.seek(SeekFrom::Start(from)).await?;
        io::Result::Ok(file)
    };
    match opened.await {
        Ok(file) => Ok(Reading { starts_at: from, body: Body::File { path: shown, file } }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SourceError::Absent(shown)),
        Err(source) => Err(SourceError::Read { path: shown, source }),
    }
}

async fn fetch(client: &Client, url: Url, from: u64) -> Result<Reading, SourceError> {
    let mut request = client.get(url.clone());
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let sent = request.send().await;
    let response = sent.map_err(|source| SourceError::Fetch {
        url: url.to_string(),
        source: source.without_url(),
    })?;
    let starts_at = match response.status() {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(from) => from,
        // Stores in clouds say 403 of what they do not have.
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => {
            return Err(SourceError::Absent(url.to_string()));
        }
        status => return Err(SourceError::Status { url: url.to_string(), status }),
    };
    Ok(Reading { starts_at, body: Body::Http { url, response } })
}

/// Where the part begins that a server sent: `bytes 100-199/200`.
fn begins_at(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// The address of a file, each of whose names is encoded, so that it is below `base` whatever they are.
fn below<'n>(base: &Url, names: impl IntoIterator<Item = &'n str>) -> Url {
    let mut url = base.clone();
    let mut segments = url.path_segments_mut().expect("an http address has a path");
    segments.pop_if_empty().extend(names);
    drop(segments);
    url
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_away() {
        let base = Url::parse("http://repository.test/tree/").unwrap();
        for (names, expected) in [
            (
                vec!["hello", "1.0.0+a", "x y.bundle"],
                "http://repository.test/tree/hello/1.0.0+a/x%20y.bundle",
            ),
            (vec!["..", "..", "etc"], "http://repository.test/tree/etc"),
            (vec!["http:", "", "evil.test"], "http://repository.test/tree/http://evil.test"),
            (vec!["1.a/b?c#d.json"], "http://repository.test/tree/1.a%2Fb%3Fc%23d.json"),
        ] {
            assert_eq!(below(&base, names).as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_a_folder() {
        assert!(matches!(Source::parse("tree").unwrap(), Source::Folder(_)));
        assert!(matches!(Source::parse("http://x/tree").unwrap(), Source::Http { .. }));
        let error = Source::parse("ftp://x/tree").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`ftp://x/tree` is neither an address that begins with `http://` or `https://` nor a folder"
        );
    }
}

//! `metapaas repository serve`: the files of a repository over http, on the daemon's own server.
//!
//! Guarantees: only what is below `metadata` and `targets` is served, nothing hidden, and no link leads out of
//! them; whoever has a file already is not sent it again (ETag), and whoever has a part is sent the rest (ranges).
//! There is no TLS, because what is served is signed: whoever wants privacy puts a proxy before it. It listens on
//! loopback unless told otherwise.

use std::fs::File;
use std::io::{self, SeekFrom, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use packer::repository::TreeError;
use percent_encoding::percent_decode_str;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::runtime::Builder;

use crate::cli::exit::{Exit, Failure};
use crate::http::body::{Cut, Told};
use crate::http::problem::{Code, Problem};
use crate::http::request_id::RequestId;
use crate::http::server::{Answer, Listener, Server};
use crate::http::{Body, Config};
use crate::metrics::Metrics;
use crate::shutdown::{Signals, Tasks};

const CHUNK_BYTES: u64 = 64 * 1024;
/// How long answers under way may take once it is told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// The one file that is replaced; every other has its version or digest in its name.
const REPLACED: &str = "timestamp.json";

/// The flags of `repository serve`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The repository.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = default_listen())]
    listen: SocketAddr,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8090))
}

/// The files of a repository.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
}

/// A file that is going to be sent.
struct Found {
    file: File,
    bytes: u64,
    etag: HeaderValue,
}

/// Serves until it is told to stop.
pub(super) fn run(flags: &Flags) -> Result<Exit, Failure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Failure::new(Exit::Failed, source))?;
    runtime.block_on(serve(flags))
}

async fn serve(flags: &Flags) -> Result<Exit, Failure> {
    let Flags { dir, listen } = flags;
    let failed = |source: io::Error| Failure::new(Exit::Failed, source);
    if !dir.join("metadata").is_dir() {
        return Err(TreeError::None { dir: dir.clone() }.into());
    }
    let mut signals = Signals::listen().map_err(failed)?;
    let config = Config { listen: *listen, ..Config::default() };
    let listener = Listener::bind(&config).await?;
    let line = format!("{} is served at {}", dir.display(), listener.endpoint());
    writeln!(io::stdout(), "{line}").map_err(failed)?;
    let files = Arc::new(Files { dir: dir.clone() });
    let server = Server::start(listener, &config, Metrics::new().http, Tasks::default(), files);
    let _signal = signals.next().await;
    let _outcome = server.drain(DRAIN_LIMIT).await;
    Ok(Exit::Ok)
}

impl Answer for Files {
    async fn answer(
        &self,
        request: Request<Incoming>,
        _id: &RequestId,
        _peer: IpAddr,
    ) -> Result<Response<Body>, Problem> {
        let path = request.uri().path();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Problem::method_not_allowed("GET, HEAD"));
        }
        let (dir, name) = (self.dir.clone(), plain(path));
        let found = tokio::task::spawn_blocking(move || find(&dir, &name?)).await;
        match found {
            Ok(Some(found)) => Ok(send(found, path, request.method(), request.headers()).await),
            Ok(None) | Err(_) => {
                Err(Problem::new(Code::NotFound, "The repository has no such file."))
            }
        }
    }
}

/// The path of a file in the tree; nothing for what is not served.
pub(super) fn plain(path: &str) -> Option<String> {
    let path = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let (folder, _file) = path.split_once('/')?;
    let is_served = matches!(folder, "metadata" | "targets");
    let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains('\0');
    (is_served && path.split('/').all(is_plain)).then(|| path.into_owned())
}

/// Opens a file of the tree. The kernel sees to it that no link leads out.
fn find(dir: &Path, name: &str) -> Option<Found> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let dir = openat(CWD, dir, flags | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let file = openat2(dir, name, flags | OFlags::NONBLOCK, Mode::empty(), ResolveFlags::BENEATH);
    let file = File::from(file.ok()?);
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let (bytes, seconds) = (metadata.len(), metadata.mtime());
    let tag = format!("\"{:x}-{seconds:x}-{:x}-{bytes:x}\"", metadata.ino(), metadata.mtime_nsec());
    Some(Found { file, bytes, etag: HeaderValue::try_from(tag).ok()? })
}

async fn send(found: Found, path: &str, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let Found { file, bytes, etag } = found;
    let is_json = path.ends_with(".json");
    let kind = if is_json { "application/json" } else { "application/octet-stream" };
    let caching = if path.ends_with(REPLACED) { "no-cache" } else { "max-age=31536000, immutable" };
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.insert(ETAG, etag.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if is_known(asked, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let part = match range(asked, &etag, bytes) {
        Asked::Whole => 0..bytes,
        Asked::Part(part) => {
            let shown = format!("bytes {}-{}/{bytes}", part.start, part.end - 1);
            insert(headers, CONTENT_RANGE, &shown);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            part
        }
        Asked::Beyond => {
            insert(headers, CONTENT_RANGE, &format!("bytes */{bytes}"));
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return response;
        }
    };
    insert(response.headers_mut(), CONTENT_LENGTH, &(part.end - part.start).to_string());
    if *method == Method::GET {
        *response.body_mut() = body(file, part).await;
    }
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::try_from(value).expect("numbers fit into a header"));
}

/// Whether the client has the file already.
fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}

/// How much of a file was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    Part(Range<u64>),
    Beyond,
}

/// What is asked for of a file with `bytes` bytes. Several ranges at once are answered with all of it.
pub(super) fn range(asked: &HeaderMap, etag: &HeaderValue, bytes: u64) -> Asked {
    if asked.get(IF_RANGE).is_some_and(|known| known != etag) {
        return Asked::Whole;
    }
    let range = asked.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        return Asked::Whole;
    };
    let part = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..bytes.min(to.saturating_add(1)),
        (Ok(from), Err(_)) if to.is_empty() => from..bytes,
        (Err(_), Ok(last)) if from.is_empty() => bytes.saturating_sub(last)..bytes,
        _ => return Asked::Whole,
    };
    if part.is_empty() { Asked::Beyond } else { Asked::Part(part) }
}

/// A part of a file, read while it is sent.
async fn body(file: File, part: Range<u64>) -> Body {
    let mut file = tokio::fs::File::from_std(file);
    if file.seek(SeekFrom::Start(part.start)).await.is_err() {
        return Body::Told(Told::new(stream::iter([Err(Cut::ByHost)])));
    }
    let chunks = stream::try_unfold((file, part.end - part.start), async |(mut file, left)| {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = Vec::new();
        let read = (&mut file).take(left.min(CHUNK_BYTES)).read_to_end(&mut chunk).await;
        match read {
            Ok(n) if n > 0 => Ok(Some((Bytes::from(chunk), (file, left - n as u64)))),
            // It became shorter, or cannot be read: the client sees that something is missing.
            Ok(_) | Err(_) => Err(Cut::ByHost),
        }
    });
    Body::Told(Told::new(chunks))
}

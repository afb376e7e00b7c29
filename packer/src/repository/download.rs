//! Downloading a target: from a signed name to a file that may be used.
//!
//! What comes is hashed as it is written to a file of its own beside the wanted one, named by the digest that
//! was signed; only when length and digest are right does it get its name. A download that breaks off leaves
//! that file, and the next one asks for the rest. It never grows beyond the length that was signed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::error::Error;
use super::location::Location;
use super::read::Target;
use super::source::{Reading, SourceError};
use crate::bundle::{Digest, Measured, Measuring};

/// How often a download that breaks off is taken up again by itself, and after which pause.
const RETRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
const BUFFER_BYTES: usize = 64 * 1024;

/// A file whose length and digest are those that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFile {
    path: PathBuf,
    measured: Measured,
}

/// What came of a target so far.
struct Partial {
    path: PathBuf,
    file: File,
    measuring: Measuring,
    bytes: u64,
}

/// How a try ended that did not fail.
enum Tried {
    Whole(Partial),
    BrokenOff(Partial, Option<SourceError>),
}

impl VerifiedFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.measured.digest
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.measured.bytes
    }
}

/// Downloads `target`, which is `file` below the targets, to `to`.
pub(super) async fn download(
    location: &Location,
    file: &str,
    target: &Target,
    to: &Path,
) -> Result<VerifiedFile, Error> {
    let wanted = Measured { digest: target.digest, bytes: target.bytes };
    let verified = |measured| VerifiedFile { path: to.to_owned(), measured };
    let there = measure(to).await.map_err(|source| keep(to, source))?;
    if there.is_some_and(|there| there == wanted) {
        return Ok(verified(wanted));
    }
    let folder = to.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let path = folder.join(format!(".{}.part", target.digest.hex()));
    fs::create_dir_all(folder).await.map_err(|source| keep(folder, source))?;
    let mut retries = 0..RETRIES;
    loop {
        let partial = Partial::open(&path, target.bytes).await;
        let partial = partial.map_err(|source| keep(&path, source))?;
        let had = partial.bytes;
        match advance(location, file, target, partial).await? {
            Tried::Whole(partial) => {
                let (seen, kept) = (partial.finish().await, had > 0);
                let seen = seen.map_err(|source| keep(&path, source))?;
                if seen == wanted {
                    place(&path, folder, to).await.map_err(|source| keep(to, source))?;
                    return Ok(verified(seen));
                }
                fs::remove_file(&path).await.map_err(|source| keep(&path, source))?;
                // What was kept may be what is wrong: once more, from the first byte.
                if !kept {
                    return Err(wrong_hash(location, target, seen.digest));
                }
            }
            Tried::BrokenOff(partial, source) => {
                let bytes = partial.finish().await.map_err(|source| keep(&path, source))?.bytes;
                if retries.next().is_none() {
                    return Err(broken_off(location, target, bytes, source));
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Fetches what is missing of a target, until it has its length or the connection ends.
async fn advance(
    location: &Location,
    file: &str,
    target: &Target,
    mut partial: Partial,
) -> Result<Tried, Error> {
    if partial.bytes == target.bytes {
        return Ok(Tried::Whole(partial));
    }
    let mut reading = match location.targets.open(file, partial.bytes).await {
        Ok(reading) => reading,
        Err(SourceError::Absent(what)) => {
            return Err(Error::Absent { at: location.to_string(), what });
        }
        Err(error) => return Ok(Tried::BrokenOff(partial, Some(error))),
    };
    let path = partial.path.clone();
    if reading.starts_at != partial.bytes {
        partial = partial.anew().await.map_err(|source| keep(&path, source))?;
    }
    let ended = copy(&mut reading, &mut partial, target.bytes).await;
    match ended.map_err(|source| keep(&path, source))? {
        Ended::TooLong => {
            fs::remove_file(&path).await.map_err(|source| keep(&path, source))?;
            let (at, what) = (location.to_string(), target.path.clone());
            Err(Error::Endless { at, what, bytes_max: target.bytes })
        }
        Ended::Here if partial.bytes == target.bytes => Ok(Tried::Whole(partial)),
        Ended::Here => Ok(Tried::BrokenOff(partial, None)),
        Ended::With(error) => Ok(Tried::BrokenOff(partial, Some(error))),
    }
}

/// How a stream of bytes ended.
enum Ended {
    Here,
    With(SourceError),
    TooLong,
}

/// Writes what is read, up to `bytes_max` in all.
async fn copy(reading: &mut Reading, partial: &mut Partial, bytes_max: u64) -> io::Result<Ended> {
    loop {
        let chunk = match reading.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(Ended::Here),
            Err(error) => return Ok(Ended::With(error)),
        };
        if partial.bytes + chunk.len() as u64 > bytes_max {
            return Ok(Ended::TooLong);
        }
        partial.write(&chunk).await?;
    }
}

impl Partial {
    /// Takes up what an earlier download left, if it is not longer than `bytes_max`.
    async fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).await?;
        let (mut measuring, mut bytes) = (Measuring::default(), 0);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let n = file.read(&mut buffer).await?;
            if n == 0 {
                break;
            }
            measuring.update(&buffer[..n]);
            bytes += n as u64;
        }
        let partial = Self { path: path.to_owned(), file, measuring, bytes };
        if bytes > bytes_max { partial.anew().await } else { Ok(partial) }
    }

    /// Forgets what came so far.
    async fn anew(self) -> io::Result<Self> {
        let Self { path, file: _, measuring: _, bytes: _ } = self;
        let file = File::create(&path).await?;
        Ok(Self { path, file, measuring: Measuring::default(), bytes: 0 })
    }

    async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk).await?;
        self.measuring.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// What came, once it is on the disk.
    async fn finish(mut self) -> io::Result<Measured> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        Ok(self.measuring.finish())
    }
}

async fn measure(path: &Path) -> io::Result<Option<Measured>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let measured = tokio::task::spawn_blocking(move || Measured::of_reader(file)).await;
    measured.map_err(io::Error::other)?.map(Some)
}

/// Gives a file its name, so that it survives a power cut.
async fn place(path: &Path, folder: &Path, to: &Path) -> io::Result<()> {
    fs::rename(path, to).await?;
    File::open(folder).await?.sync_all().await
}

fn keep(path: &Path, source: io::Error) -> Error {
    Error::Keep { path: path.to_owned(), source }
}

fn wrong_hash(location: &Location, target: &Target, seen: Digest) -> Error {
    let Target { path, bytes: _, digest: wanted } = target.clone();
    Error::WrongHash { at: location.to_string(), target: path, seen, wanted }
}

fn broken_off(
    location: &Location,
    target: &Target,
    bytes: u64,
    source: Option<SourceError>,
) -> Error {
    let Target { path, bytes: wanted, digest: _ } = target.clone();
    let at = location.to_string();
    Error::BrokenOff { at, target: path, bytes, wanted, source }
}

//! The file of a backup: a `tar.zst` whose first entry says what else is in it, with size and SHA-256 of each.
//!
//! Guarantees: the file is there whole or not at all, and for this user alone; reading one believes nothing
//! that its first entry does not vouch for, and puts nothing outside the folder. Not here: what the files mean.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use packer::bundle::{Digest, Measured};
use serde::{Deserialize, Serialize};

use tempfile::NamedTempFile;

use super::Error;
use crate::timestamp::Timestamp;

/// The first entry.
const MANIFEST: &str = "backup.json";
const FORMAT: u32 = 1;
/// Rows shrink well; more effort gains little.
const ZSTD_LEVEL: i32 = 3;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A name and some digits for each file: enough for tens of thousands of tables.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a backup says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    pub(super) made_at: Timestamp,
    pub(super) made_by: String,
    pub(super) backend: String,
    /// The steps of the host's schema that the store had.
    pub(super) steps: BTreeSet<String>,
    files: Vec<Item>,
}

/// A file in it.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    name: String,
    bytes: u64,
    digest: Digest,
}

impl Manifest {
    /// That of the files in `folder`.
    pub(super) fn of(
        folder: &Path,
        backend: String,
        steps: BTreeSet<String>,
    ) -> Result<Self, Error> {
        let files = measure_all(folder)
            .map_err(|source| Error::Read { path: folder.to_owned(), source })?;
        let made_by = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { format: FORMAT, made_at: Timestamp::now(), made_by, backend, steps, files })
    }
}

impl Item {
    fn measured(&self) -> Measured {
        Measured { digest: self.digest, bytes: self.bytes }
    }
}

/// Writes the files of `folder` that the manifest lists to `path`, and tells how many bytes that takes.
pub(super) fn write(manifest: &Manifest, folder: &Path, path: &Path) -> Result<u64, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let aside = write_aside(manifest, folder, parent(path)).map_err(failed)?;
    let bytes = aside.as_file().metadata().map_err(failed)?.len();
    aside.persist_noclobber(path).map_err(|refused| {
        if refused.error.kind() == io::ErrorKind::AlreadyExists {
            return Error::Exists { path: path.to_owned() };
        }
        failed(refused.error)
    })?;
    File::open(parent(path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(bytes)
}

/// The folder of a file.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_aside(manifest: &Manifest, folder: &Path, beside: &Path) -> io::Result<NamedTempFile> {
    let mut aside = tempfile::Builder::new().prefix(".metapaas-backup-").tempfile_in(beside)?;
    let mut encoder = zstd::Encoder::new(aside.as_file_mut(), ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    let mut archive = tar::Builder::new(encoder);
    let text = serde_json::to_vec_pretty(manifest)?;
    let at = u64::try_from(manifest.made_at.into_inner().unix_timestamp()).unwrap_or(0);
    archive.append_data(&mut header(text.len() as u64, at), MANIFEST, text.as_slice())?;
    for Item { name, bytes, digest: _ } in &manifest.files {
        let file = File::open(folder.join(name))?;
        archive.append_data(&mut header(*bytes, at), name, file)?;
    }
    archive.into_inner()?.finish()?;
    aside.as_file().sync_all()?;
    Ok(aside)
}

fn header(bytes: u64, at: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(at);
    header
}

/// Checks the backup at `path` and puts its files into `folder`.
pub(super) fn read(path: &Path, folder: &Path) -> Result<Manifest, Error> {
    let file = open(path)?;
    let damaged = |source| Error::Damaged { path: path.to_owned(), source };
    let decoder = zstd::Decoder::new(file).map_err(damaged)?;
    let mut archive = tar::Archive::new(decoder);
    let mut entries = archive.entries().map_err(damaged)?;
    let mut next = || entries.next().unwrap_or_else(|| Err(lacking("an entry"))).map_err(damaged);
    let manifest = read_manifest(path, next()?)?;
    for item in &manifest.files {
        let entry = next()?;
        if !is_plain(&item.name) || *entry.path_bytes() != *item.name.as_bytes() {
            return Err(damaged(lacking(&item.name)));
        }
        unpack(path, entry, item, &folder.join(&item.name))?;
    }
    // What follows is the end of the archive, and the checksum of the whole.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(manifest)
}

fn open(path: &Path) -> Result<impl Read, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(4).read_to_end(&mut magic).map_err(failed)?;
    if magic != ZSTD_MAGIC {
        return Err(Error::NotABackup { path: path.to_owned() });
    }
    Ok(io::Cursor::new(magic).chain(file))
}

fn read_manifest(path: &Path, entry: tar::Entry<'_, impl Read>) -> Result<Manifest, Error> {
    let damaged = |source| Error::Damaged { path: path.to_owned(), source };
    if *entry.path_bytes() != *MANIFEST.as_bytes() {
        return Err(Error::NotABackup { path: path.to_owned() });
    }
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).map_err(damaged)?;
    // The format is read first: a later one may have any shape.
    let document: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.into()))?;
    if document["format"].as_u64() > Some(u64::from(FORMAT)) {
        let made_by = document["made_by"].as_str().unwrap_or("unknown").to_owned();
        return Err(Error::Newer { path: path.to_owned(), made_by });
    }
    serde_json::from_value(document).map_err(|error| damaged(error.into()))
}

/// Writes one entry, if it is what the manifest says.
fn unpack(
    backup: &Path,
    mut entry: tar::Entry<'_, impl Read>,
    item: &Item,
    path: &Path,
) -> Result<(), Error> {
    let damaged = |source| Error::Damaged { path: backup.to_owned(), source };
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    io::copy(&mut entry, &mut file).map_err(|error| {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let is_full = matches!(error.kind(), StorageFull | QuotaExceeded);
        if is_full { failed(error) } else { damaged(error) }
    })?;
    let measured = file.rewind().and_then(|()| Measured::of_reader(file)).map_err(failed)?;
    if measured == item.measured() { Ok(()) } else { Err(damaged(lacking(&item.name))) }
}

fn lacking(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is missing or is not what it was"))
}

/// A name that leads nowhere else.
fn is_plain(name: &str) -> bool {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(of_a_name)
}

fn measure_all(folder: &Path) -> io::Result<Vec<Item>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    names.iter().map(|name| measure(folder, &name.to_string_lossy())).collect()
}

fn measure(folder: &Path, name: &str) -> io::Result<Item> {
    let Measured { digest, bytes } = Measured::of_reader(File::open(folder.join(name))?)?;
    Ok(Item { name: name.to_owned(), bytes, digest })
}

//! What a file says about itself before any of it is executed.
//!
//! Reads the ELF headers only: class, machine, kind, flags and the one symbol a plugin must export. A file
//! that fails here never reaches the dynamic linker.

use std::fs;
use std::io;
use std::path::Path;

use object::elf::{DF_STATIC_TLS, DT_FLAGS, EM_AARCH64, EM_X86_64, ET_DYN, FileHeader64, Machine};
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, Object, ObjectSymbol};
use plugin_abi::root::ROOT_SYMBOL;

/// Why a file is no library for this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElfError {
    /// It cannot be read.
    #[error("the library cannot be read")]
    ReadFile(#[source] io::Error),
    /// It is no whole ELF file.
    #[error(
        "the file is not a whole 64-bit ELF library ({reason}); it may be truncated, build and pack it anew"
    )]
    Parse {
        /// What the reader says.
        reason: String,
    },
    /// It is for another processor.
    #[error(
        "the library is built for {theirs}, this machine is {}; install a build for this target",
        std::env::consts::ARCH
    )]
    Machine {
        /// Which.
        theirs: String,
    },
    /// It is a program or an object file.
    #[error(
        "the file is an ELF file of type {kind} and not a shared library; build the plugin as a cdylib"
    )]
    Kind {
        /// `e_type`.
        kind: String,
    },
    /// It wants thread-locals at fixed places.
    #[error(
        "the library uses static TLS, which cannot be loaded into a running process; build its C parts with -ftls-model=global-dynamic"
    )]
    StaticTls,
    /// It exports no root module.
    #[error(
        "the library exports no plugin root module; annotate the plugin with `#[plugin_sdk::plugin]` and build it as a cdylib"
    )]
    NoRoot,
}

/// Checks that the file is a plugin library for this machine.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn check(path: &Path) -> Result<(), ElfError> {
    let bytes = fs::read(path).map_err(ElfError::ReadFile)?;
    let malformed = |error: object::Error| ElfError::Parse { reason: error.to_string() };
    let header = FileHeader64::<Endianness>::parse(&*bytes).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    check_machine(header.e_machine(endian))?;
    match header.e_type(endian) {
        ET_DYN => {}
        kind => return Err(ElfError::Kind { kind: format!("{kind:?}") }),
    }
    // The section headers stand at the end of the file: they are whole when all of it is.
    let file = object::read::elf::ElfFile64::<Endianness>::parse(&*bytes).map_err(malformed)?;
    if has_static_tls(header, endian, &bytes).map_err(malformed)? {
        return Err(ElfError::StaticTls);
    }
    let is_root = |symbol: object::read::elf::ElfSymbol64<'_, '_, Endianness>| {
        symbol.is_definition() && symbol.name() == Ok(ROOT_SYMBOL)
    };
    if file.dynamic_symbols().any(is_root) { Ok(()) } else { Err(ElfError::NoRoot) }
}

fn check_machine(machine: Machine) -> Result<(), ElfError> {
    let (name, is_ours) = match machine {
        EM_X86_64 => ("x86_64".to_owned(), cfg!(target_arch = "x86_64")),
        EM_AARCH64 => ("aarch64".to_owned(), cfg!(target_arch = "aarch64")),
        other => (format!("{other:?}"), false),
    };
    if is_ours { Ok(()) } else { Err(ElfError::Machine { theirs: name }) }
}

fn has_static_tls(
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<bool, object::Error> {
    use object::read::elf::ProgramHeader;
    for segment in header.program_headers(endian, bytes)? {
        let Some(entries) = segment.dynamic(endian, bytes)? else { continue };
        let flags = entries.iter().filter(|entry| entry.d_tag(endian) == DT_FLAGS);
        if flags.into_iter().any(|entry| entry.d_val(endian) & DF_STATIC_TLS.0 != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

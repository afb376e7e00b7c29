//! TLS by two files, which may be replaced while connections are served.
//!
//! Guarantees: a listener that is to speak TLS never speaks anything else; agreeing on keys has a limit; new files
//! are taken without a restart, a pair that is no good is told once and the one before it stays in use. Connections
//! keep the certificate that they began with. Not here: who may call (no client certificates are asked for).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::config::{self, TlsFiles};
use crate::log;
use crate::shutdown::Tasks;

/// The one protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";

/// What makes secure connections of plain ones.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    /// Of what the files held when they were opened.
    first_seen: Mark,
    handshake_timeout: Duration,
    reload_period: Duration,
    /// Replaced by the task that follows the files, read for each new connection.
    current: ArcSwap<ServerConfig>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be read.
    #[error("`{}` cannot be read: correct setting `{setting}`", path.display())]
    Read {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("`{}` holds no {wanted} in PEM: correct setting `{setting}` or the file", path.display())]
    NotPem {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The two do not belong together, or rustls cannot use them.
    #[error("the certificate in `{}` and the key in `{}` cannot be used together", files.certificate.display(), files.key.display())]
    Pair {
        /// Both.
        files: TlsFiles,
        /// Why not.
        source: rustls::Error,
    },
}

/// Why a connection is not secure.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The client and this side do not agree.
    #[error("the client did not agree on keys")]
    Disagreed(#[source] io::Error),
    /// It took too long.
    #[error("the client did not agree on keys within {} ms", limit.as_millis())]
    TooLong {
        /// `http.tls.handshake_timeout_ms`.
        limit: Duration,
    },
}

/// What the files hold, not looked into yet.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// By which a pair is known to be another one.
type Mark = [u8; 32];

impl Tls {
    /// Reads the files, if the settings name any.
    pub(super) fn open(config: &config::Tls) -> Result<Option<Self>, Error> {
        let Some(files) = config.files() else { return Ok(None) };
        let pair = Pair::read(&files)?;
        let usable = pair.parse(&files)?;
        Ok(Some(Self {
            files,
            first_seen: pair.mark(),
            handshake_timeout: config.handshake_timeout(),
            reload_period: config.reload_period(),
            current: ArcSwap::from_pointee(usable),
        }))
    }

    /// Agrees on keys with a client.
    ///
    /// # Cancellation
    /// Closes the connection.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let limit = self.handshake_timeout;
        let agreeing = TlsAcceptor::from(self.current.load_full()).accept(stream);
        match timeout(limit, agreeing).await {
            Ok(agreed) => agreed.map_err(HandshakeError::Disagreed),
            Err(_elapsed) => Err(HandshakeError::TooLong { limit }),
        }
    }

    /// Takes new files as they come, until told to stop. Looks at what they hold: a time of change says less.
    pub(super) async fn follow_files(self: Arc<Self>, tasks: Tasks) {
        let mut last_seen = self.first_seen;
        loop {
            tokio::select! {
                () = tasks.cancelled() => return,
                () = sleep(self.reload_period) => {}
            }
            let this = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || this.look(last_seen)).await;
            last_seen = looked.expect("looking at files does not panic");
        }
    }

    /// Takes the files if they are not those that were seen last: what was seen now.
    fn look(&self, last_seen: Mark) -> Mark {
        let read = Pair::read(&self.files);
        let mark = match &read {
            Ok(pair) => pair.mark(),
            // A file that is away is the same news until it is back.
            Err(_unreadable) => Mark::default(),
        };
        if last_seen == mark {
            return mark;
        }
        match read.and_then(|pair| pair.parse(&self.files)) {
            Ok(usable) => {
                self.current.store(Arc::new(usable));
                let certificate = self.files.certificate.display();
                tracing::info!(%certificate, "certificate taken");
            }
            Err(error) => {
                let why = log::chain(&error).to_string();
                tracing::warn!("the certificate stays as it is: {why}");
            }
        }
        mark
    }
}

impl Pair {
    fn read(files: &TlsFiles) -> Result<Self, Error> {
        let TlsFiles { certificate, key } = files;
        let read = |setting, path: &Path| {
            std::fs::read(path).map_err(|source| Error::Read {
                setting,
                path: path.to_owned(),
                source,
            })
        };
        let certificate = read("http.tls.certificate", certificate)?;
        Ok(Self { certificate, key: read("http.tls.key", key)? })
    }

    fn mark(&self) -> Mark {
        let Self { certificate, key } = self;
        // The length keeps what belongs to which apart.
        let length = certificate.len().to_le_bytes();
        Sha256::new()
            .chain_update(length)
            .chain_update(certificate)
            .chain_update(key)
            .finalize()
            .into()
    }

    fn parse(&self, files: &TlsFiles) -> Result<ServerConfig, Error> {
        let not_pem = |setting, wanted, path: &Path, source| Error::NotPem {
            setting,
            path: path.to_owned(),
            wanted,
            source,
        };
        let no_certificate =
            |source| not_pem("http.tls.certificate", "certificate", &files.certificate, source);
        let chain =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(no_certificate)?;
        if chain.is_empty() {
            return Err(no_certificate(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|source| not_pem("http.tls.key", "private key", &files.key, source))?;
        let pair = |source| Error::Pair { files: files.clone(), source };
        let mut usable = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        usable.alpn_protocols = vec![ALPN.to_vec()];
        Ok(usable)
    }
}

#[cfg(test)]
mod tests;

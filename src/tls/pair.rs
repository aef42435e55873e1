//! A certificate and its key, as files have them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    InconsistentKeys,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _, time::ASN1Time,
};

use super::Options;
use crate::{auth::Secret, clock::Timestamp};

/// Longest file that is read: chains have a few KiB.
const MOST_BYTES: u64 = 1024 * 1024;
/// So long before its end a certificate is worth a warning.
const SOON_MS: u64 = 14 * 24 * 60 * 60 * 1_000;

/// Why TLS cannot be served with these files. No message repeats what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {rule}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        rule: &'static str,
    },
    /// The key is not the certificate's.
    #[error("server.tls.key: this key does not belong to server.tls.certificate")]
    Mismatch,
    /// The certificate is no longer valid.
    #[error("the certificate ended at {}", at.to_rfc3339())]
    Ended {
        /// When it ended.
        at: Timestamp,
    },
    /// The library refuses the settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// A certificate and its key, which belong together.
pub struct Pair {
    certified: Arc<CertifiedKey>,
    begins: Timestamp,
    ends: Timestamp,
    names: Vec<String>,
}

impl Pair {
    /// Reads the files and checks that they belong together.
    ///
    /// # Errors
    /// They do not, or cannot be read.
    pub fn read(options: &Options) -> Result<Self, TlsError> {
        const NO_CERTIFICATE: &str = "holds no certificate in PEM";
        const NO_KEY: &str = "holds no private key in PEM, of a kind that is supported";
        let wrong =
            |path: &Path, rule: &'static str| TlsError::File { path: path.to_owned(), rule };
        let text = read(&options.certificate)?;
        let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| wrong(&options.certificate, NO_CERTIFICATE))?;
        let first = chain.first().ok_or_else(|| wrong(&options.certificate, NO_CERTIFICATE))?;
        let (_, parsed) = X509Certificate::from_der(first)
            .map_err(|_| wrong(&options.certificate, NO_CERTIFICATE))?;
        let validity = parsed.validity();
        let (begins, ends) = (moment(&validity.not_before), moment(&validity.not_after));
        let names = names(&parsed);
        let text = Secret::from(read(&options.key)?);
        let key = PrivateKeyDer::from_pem_slice(text.expose_bytes())
            .map_err(|_| wrong(&options.key, NO_KEY))?;
        let key = any_supported_type(&key).map_err(|_| wrong(&options.key, NO_KEY))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key that does not tell its public half cannot be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(TlsError::Mismatch),
            Err(error) => return Err(error.into()),
        }
        Ok(Self { certified: Arc::new(certified), begins, ends, names })
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// When the certificate ends.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Whether the certificate has ended.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now > self.ends
    }

    /// The names that the certificate is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is wrong with the certificate's times, in words.
    #[must_use]
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let (begins, ends) = (self.begins.to_rfc3339(), self.ends.to_rfc3339());
        if self.has_ended(now) {
            Some(format!("the certificate has ended, at {ends}"))
        } else if now < self.begins {
            Some(format!("the certificate is not valid before {begins}"))
        } else if now + SOON_MS > self.ends {
            Some(format!("the certificate ends soon, at {ends}"))
        } else {
            None
        }
    }
}

/// A certificate cannot have been good before 1970.
fn moment(time: &ASN1Time) -> Timestamp {
    Timestamp(u64::try_from(time.timestamp()).unwrap_or_default().saturating_mul(1_000))
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => {
                <[u8; 4]>::try_from(*bytes).ok().map(|it| std::net::Ipv4Addr::from(it).to_string())
            }
            _ => {
                <[u8; 16]>::try_from(*bytes).ok().map(|it| std::net::Ipv6Addr::from(it).to_string())
            }
        },
        _ => None,
    };
    names.iter().filter_map(text).collect()
}

fn read(path: &Path) -> Result<String, TlsError> {
    let unreadable = |error| TlsError::Unreadable { path: path.to_owned(), error };
    if fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(TlsError::File { path: path.to_owned(), rule: "has more than 1 MiB" });
    }
    fs::read_to_string(path).map_err(unreadable)
}

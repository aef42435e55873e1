//! A small authority: makes certificates for 127.0.0.1, and clients that trust it alone.

use std::{net::TcpStream, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

pub struct Authority {
    /// Its certificate, as a file holds it.
    pub own: String,
    issuer: Issuer<'static, KeyPair>,
    client: Arc<ClientConfig>,
}

/// A certificate and its key, as their files hold them.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Pair {
    /// Replaces the files that the server reads, the key last.
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("fullchain.pem"), &self.certificate).unwrap();
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
    }

    /// The certificate as the server shows it.
    pub fn shown(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { own: own.pem(), issuer: Issuer::new(params, key), client: Arc::new(client) }
    }

    /// A fresh pair, good from 2020 to the end of `until`.
    pub fn pair_until(&self, until: i32) -> Pair {
        let names = ["127.0.0.1".to_owned(), "presence.test".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(until, 12, 31));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub fn pair(&self) -> Pair {
        self.pair_until(2200)
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// Secures a connection where nothing can be awaited.
    pub fn secure(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let client = ClientConnection::new(self.client(), Self::name()).unwrap();
        StreamOwned::new(client, stream)
    }

    /// The name that the server's certificate is checked for.
    pub fn name() -> ServerName<'static> {
        "127.0.0.1".try_into().unwrap()
    }
}

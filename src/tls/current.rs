//! The pair that new connections get.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::pair::Pair;

pub(super) struct Current(RwLock<Arc<Pair>>);

impl Current {
    pub(super) fn new(pair: Pair) -> Self {
        Self(RwLock::new(Arc::new(pair)))
    }

    pub(super) fn get(&self) -> Arc<Pair> {
        Arc::clone(&self.0.read())
    }

    pub(super) fn set(&self, pair: Pair) {
        *self.0.write() = Arc::new(pair);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get().certified())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

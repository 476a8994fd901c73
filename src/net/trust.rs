//! Whom an https upstream is believed.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use std::error::Error;
use std::fmt;

/// The authorities that may sign an https upstream's certificate: those that the web trusts, by Mozilla's list of the day
/// of the build, and any of your own.
///
/// ```
/// use holdback::net::Trust;
///
/// let mut trust = Trust::default();
/// let error = trust.add_pem(b"not a certificate").expect_err("nothing was added");
/// assert_eq!(error.to_string(), "there is no certificate in it; it needs a -----BEGIN CERTIFICATE----- block");
/// ```
#[derive(Clone, Debug)]
pub struct Trust {
    roots: RootCertStore,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust { roots: RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() } }
    }
}

impl Trust {
    /// Trusts the authorities of a PEM file's content, too: all of them, or none if one cannot be read.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), TrustError> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(TrustError::NotPem)?;
        if certificates.is_empty() {
            return Err(TrustError::Empty);
        }
        let mut roots = self.roots.clone();
        for (at, certificate) in certificates.into_iter().enumerate() {
            roots.add(certificate).map_err(|error| TrustError::Unreadable { number: at + 1, error })?;
        }
        self.roots = roots;
        Ok(())
    }

    pub(crate) fn into_roots(self) -> RootCertStore {
        self.roots
    }
}

/// Why a text names no authorities.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustError {
    /// It is no PEM.
    NotPem(pem::Error),
    /// It holds no certificate.
    Empty,
    /// A certificate cannot be read.
    Unreadable {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        error: rustls::Error,
    },
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustError::NotPem(_) => f.write_str("it is not in the PEM format"),
            TrustError::Empty => {
                f.write_str("there is no certificate in it; it needs a -----BEGIN CERTIFICATE----- block")
            }
            TrustError::Unreadable { number, .. } => write!(f, "its certificate number {number} cannot be read"),
        }
    }
}

impl Error for TrustError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TrustError::NotPem(error) => Some(error),
            TrustError::Empty => None,
            TrustError::Unreadable { error, .. } => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn what_names_authorities() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
        let web = Trust::default().roots.len();
        let added = |pem: &str| {
            let mut trust = Trust::default();
            trust.add_pem(pem.as_bytes()).map(|()| trust.roots.len() - web)
        };
        assert_eq!(added(&certificate).unwrap(), 1);
        assert_eq!(added(&format!("A comment.\n{certificate}\n{certificate}{}", key.serialize_pem())).unwrap(), 2);

        assert!(matches!(added(""), Err(TrustError::Empty)));
        assert!(matches!(added(&key.serialize_pem()), Err(TrustError::Empty)));
        let half = &certificate[..certificate.len() / 2];
        assert!(matches!(added(half), Err(TrustError::NotPem(_))));
        let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(added(&format!("{certificate}{other}")), Err(TrustError::Unreadable { number: 2, .. })));
    }
}

//! TLS as librdkafka's `ssl.*` properties describe it, made with OpenSSL.
//!
//! Certificates and host names are verified unless the properties say otherwise. Files are read when a
//! connection is made anew after trouble, so that a rotated certificate is picked up.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509VerifyResult};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::properties::ClientProperties;
use super::trouble::Trouble;

/// How TLS connections are made.
pub(super) struct Tls {
    connector: SslConnector,
    verifies_names: bool,
}

impl Tls {
    /// From the properties; reads the files that they name.
    pub(super) fn load(properties: &ClientProperties) -> Result<Self, Trouble> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| setup("OpenSSL", &error))?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|error| setup("OpenSSL", &error))?;
        trust(&mut builder, properties)?;
        identify(&mut builder, properties)?;
        if let Some(ciphers) = properties.get("ssl.cipher.suites") {
            builder.set_cipher_list(ciphers).map_err(|error| setup("ssl.cipher.suites", &error))?;
        }
        if let Some(curves) = properties.get("ssl.curves.list") {
            builder.set_groups_list(curves).map_err(|error| setup("ssl.curves.list", &error))?;
        }
        if let Some(algorithms) = properties.get("ssl.sigalgs.list") {
            builder.set_sigalgs_list(algorithms).map_err(|error| setup("ssl.sigalgs.list", &error))?;
        }
        let verifies = !matches!(properties.get("enable.ssl.certificate.verification"), Some("false" | "f" | "0"));
        if !verifies {
            builder.set_verify(SslVerifyMode::NONE);
        }
        let named = properties.get("ssl.endpoint.identification.algorithm");
        let verifies_names = verifies && !named.is_some_and(|algorithm| algorithm.eq_ignore_ascii_case("none"));
        Ok(Self { connector: builder.build(), verifies_names })
    }

    /// Makes a TLS connection of a plain one.
    pub(super) async fn wrap(
        &self,
        stream: TcpStream,
        host: &str,
        address: &Arc<str>,
    ) -> Result<SslStream<TcpStream>, Trouble> {
        let ssl = self
            .connector
            .configure()
            .and_then(|configuration| configuration.verify_hostname(self.verifies_names).into_ssl(host))
            .map_err(|error| setup("OpenSSL", &error))?;
        let mut stream = SslStream::new(ssl, stream).map_err(|error| setup("OpenSSL", &error))?;
        match std::pin::Pin::new(&mut stream).connect().await {
            Ok(()) => Ok(stream),
            Err(error) => Err(explain(&error, stream.ssl(), address)),
        }
    }
}

fn trust(builder: &mut SslConnectorBuilder, properties: &ClientProperties) -> Result<(), Trouble> {
    if let Some(pem) = properties.get("ssl.ca.pem") {
        for certificate in X509::stack_from_pem(pem.as_bytes()).map_err(|error| setup("ssl.ca.pem", &error))? {
            builder.cert_store_mut().add_cert(certificate).map_err(|error| setup("ssl.ca.pem", &error))?;
        }
    }
    match properties.get("ssl.ca.location") {
        None | Some("probe") => Ok(()),
        Some(location) => {
            let path = std::path::Path::new(location);
            let loaded =
                if path.is_dir() { builder.load_verify_locations(None, Some(path)) } else { builder.set_ca_file(path) };
            loaded.map_err(|error| setup(&format!("ssl.ca.location {location}"), &error))
        }
    }
}

/// The client's own certificate and key, if the cluster wants one.
fn identify(builder: &mut SslConnectorBuilder, properties: &ClientProperties) -> Result<(), Trouble> {
    if let Some(location) = properties.get("ssl.keystore.location") {
        let failed = |error: &ErrorStack| setup(&format!("ssl.keystore.location {location}"), error);
        let password = properties.get("ssl.keystore.password").unwrap_or_default();
        let bundle = Pkcs12::from_der(&read(location)?).map_err(|error| failed(&error))?;
        let bundle = bundle.parse2(password).map_err(|error| failed(&error))?;
        if let Some(certificate) = &bundle.cert {
            builder.set_certificate(certificate).map_err(|error| failed(&error))?;
        }
        if let Some(key) = &bundle.pkey {
            builder.set_private_key(key).map_err(|error| failed(&error))?;
        }
        for authority in bundle.ca.into_iter().flatten() {
            builder.add_extra_chain_cert(authority).map_err(|error| failed(&error))?;
        }
    }
    if let Some(pem) = text(properties, "ssl.certificate")? {
        let failed = |error: &ErrorStack| setup("ssl.certificate", error);
        let mut chain = X509::stack_from_pem(&pem).map_err(|error| failed(&error))?.into_iter();
        if let Some(certificate) = chain.next() {
            builder.set_certificate(&certificate).map_err(|error| failed(&error))?;
        }
        for authority in chain {
            builder.add_extra_chain_cert(authority).map_err(|error| failed(&error))?;
        }
    }
    if let Some(pem) = text(properties, "ssl.key")? {
        // Without a passphrase OpenSSL would ask for one on the terminal; an empty one makes it fail instead.
        let passphrase = properties.get("ssl.key.password").unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&pem, passphrase.as_bytes())
            .map_err(|error| setup("ssl.key (is ssl.key.password right?)", &error))?;
        builder.set_private_key(&key).map_err(|error| setup("ssl.key", &error))?;
    }
    Ok(())
}

/// What `NAME.pem` holds or `NAME.location` points to.
fn text(properties: &ClientProperties, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
    if let Some(pem) = properties.get(&format!("{name}.pem")) {
        return Ok(Some(pem.as_bytes().to_vec()));
    }
    properties.get(&format!("{name}.location")).map(read).transpose()
}

fn read(path: &str) -> Result<Vec<u8>, Trouble> {
    std::fs::read(path).map_err(|error| Trouble::TlsSetup { reason: format!("cannot read {path}: {error}").into() })
}

fn setup(what: &str, error: &ErrorStack) -> Trouble {
    Trouble::TlsSetup { reason: format!("{what}: {}", first(error)).into() }
}

fn first(error: &ErrorStack) -> String {
    let reason = error.errors().first().and_then(openssl::error::Error::reason);
    reason.map_or_else(|| error.to_string(), str::to_owned)
}

/// Words for a handshake that failed.
fn explain(error: &openssl::ssl::Error, ssl: &openssl::ssl::SslRef, address: &Arc<str>) -> Trouble {
    let address = address.clone();
    let verdict = ssl.verify_result();
    if verdict != X509VerifyResult::OK {
        let reason: Arc<str> = verdict.error_string().into();
        return if reason.contains("mismatch") {
            Trouble::WrongName { address, reason }
        } else {
            Trouble::Untrusted { address, reason }
        };
    }
    let Some(stack) = error.ssl_error() else {
        return match error.io_error() {
            // Hung up without any alert: a plain listener took the greeting for nonsense.
            Some(error) => match Trouble::of_socket(error, &address) {
                Trouble::Closed { address } => Trouble::ExpectsPlain { address },
                other => other,
            },
            None => Trouble::ExpectsPlain { address },
        };
    };
    let reason = first(stack);
    if reason.contains("wrong version number") || reason.contains("packet length") || reason.contains("unexpected eof")
    {
        Trouble::ExpectsPlain { address }
    } else {
        Trouble::TlsRefused { address, reason: reason.into() }
    }
}

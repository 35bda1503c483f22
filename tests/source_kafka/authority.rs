//! A certificate authority for one test.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameRef};

pub struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

/// A certificate with its key, in PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(text: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
    name.build()
}

fn certify(
    subject: &X509NameRef,
    key: &PKey<Private>,
    host: Option<&str>,
    issuer: (&X509NameRef, &PKey<Private>),
) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(rand()).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer.0).unwrap();
    builder.set_pubkey(key).unwrap();
    if let Some(host) = host {
        let extension = SubjectAlternativeName::new().ip(host).build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(extension).unwrap();
    } else {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    builder.sign(issuer.1, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn rand() -> u32 {
    let mut bytes = [0; 4];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    u32::from_be_bytes(bytes) >> 1
}

impl Authority {
    pub fn new() -> Self {
        let key = new_key();
        let subject = name("authority");
        let certificate = certify(&subject, &key, None, (&subject, &key));
        Self { key, certificate }
    }

    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// A certificate for an address; its key is locked with the password `hush`.
    pub fn issue(&self, host: &str) -> Identity {
        let key = new_key();
        let certificate = certify(&name(host), &key, Some(host), (self.certificate.subject_name(), &self.key));
        let locked = key.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"hush").unwrap();
        Identity {
            certificate: String::from_utf8(certificate.to_pem().unwrap()).unwrap(),
            key: String::from_utf8(locked).unwrap(),
        }
    }

    /// What a server at an address needs; `mutual` makes it ask for the client's certificate too.
    pub fn acceptor(&self, host: &str, mutual: Option<()>) -> SslAcceptor {
        let identity = self.issue(host);
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        let key = PKey::private_key_from_pem_passphrase(identity.key.as_bytes(), b"hush").unwrap();
        builder.set_private_key(&key).unwrap();
        builder.set_certificate(&X509::from_pem(identity.certificate.as_bytes()).unwrap()).unwrap();
        if mutual.is_some() {
            builder.cert_store_mut().add_cert(self.certificate.clone()).unwrap();
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        builder.build()
    }
}

//! SCRAM (RFC 5802 and 7677): proves that both sides know the password without sending it.
//!
//! Pure: messages in, messages out. The nonce comes from the caller. The server's proof is checked too, so
//! that a host which merely accepts every login is found out.

use openssl::base64::{decode_block, encode_block};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// Most rounds that a server may ask for; more would be an attack on the client.
const MAXIMUM_ROUNDS: usize = 1_000_000;

/// Which hash is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// One login under way.
pub(super) struct Exchange<'a> {
    hash: Hash,
    password: &'a str,
    nonce: &'a str,
    first_bare: String,
}

/// The client's last message and the answer that proves the server.
#[derive(Debug)]
pub(super) struct Final {
    /// What to send.
    pub message: String,
    expected: Vec<u8>,
}

impl<'a> Exchange<'a> {
    /// Begins a login.
    pub(super) fn new(hash: Hash, user: &str, password: &'a str, nonce: &'a str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, password, nonce, first_bare: format!("n={user},r={nonce}") }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's challenge. Takes milliseconds of computation, as is its purpose.
    pub(super) fn answer(&self, challenge: &str) -> Result<Final, String> {
        let nonce = field(challenge, 'r').ok_or("the challenge has no nonce")?;
        if !nonce.starts_with(self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the challenge is not for this login".to_owned());
        }
        let salt = field(challenge, 's').and_then(|salt| decode_block(salt).ok()).ok_or("the challenge has no salt")?;
        let rounds: usize = field(challenge, 'i').and_then(|rounds| rounds.parse().ok()).ok_or("it has no rounds")?;
        if rounds == 0 || rounds > MAXIMUM_ROUNDS {
            return Err(format!("the server asks for {rounds} rounds"));
        }
        self.prove(challenge, nonce, &salt, rounds).map_err(|error| error.to_string())
    }

    fn prove(&self, challenge: &str, nonce: &str, salt: &[u8], rounds: usize) -> Result<Final, ErrorStack> {
        let digest = self.hash.digest();
        let mut salted = vec![0; digest.size()];
        pbkdf2_hmac(self.password.as_bytes(), salt, rounds, digest, &mut salted)?;
        // "biws" is the header "n,," of the first message in base 64.
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{without_proof}", self.first_bare);
        let client_key = self.sign(&salted, b"Client Key")?;
        let signature = self.sign(&hash(digest, &client_key)?, signed.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, mask)| key ^ mask).collect();
        let server_key = self.sign(&salted, b"Server Key")?;
        let expected = self.sign(&server_key, signed.as_bytes())?;
        Ok(Final { message: format!("{without_proof},p={}", encode_block(&proof)), expected })
    }

    fn sign(&self, key: &[u8], text: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(self.hash.digest(), &key)?;
        signer.update(text)?;
        signer.sign_to_vec()
    }
}

impl Final {
    /// Checks the server's last message.
    pub(super) fn check(&self, verdict: &str) -> Result<(), String> {
        if let Some(error) = field(verdict, 'e') {
            return Err(error.to_owned());
        }
        let given = field(verdict, 'v').and_then(|proof| decode_block(proof).ok()).unwrap_or_default();
        if given.len() == self.expected.len() && memcmp::eq(&given, &self.expected) {
            Ok(())
        } else {
            Err("the server does not know the password either".to_owned())
        }
    }
}

fn field(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_example_of_rfc_7677() {
        let exchange = Exchange::new(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = exchange.answer(challenge).unwrap();
        assert_eq!(
            last.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(last.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(last.check("v=AAAA").is_err());
        assert_eq!(last.check("e=unknown-user"), Err("unknown-user".to_owned()));
    }

    #[test]
    fn refuses_bad_challenges() {
        let exchange = Exchange::new(Hash::Sha512, "a=b,c", "p", "abc");
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=abc");
        for challenge in
            ["", "r=other,s=QQ==,i=4096", "r=abc,s=QQ==,i=4096", "r=abcd,s=QQ==,i=0", "r=abcd,s=QQ==,i=2000000"]
        {
            assert!(exchange.answer(challenge).is_err(), "{challenge}");
        }
    }
}

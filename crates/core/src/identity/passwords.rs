//! Argon2id with few hashes at a time: a flood of sign-ins must not eat the machine.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use gatehouse_types::limits::{PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::{
    Error, Result,
    ports::{Rng, random_bytes},
};

/// OWASP's figures for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const AT_A_TIME: usize = 2;
const MAX_WAITING: usize = 32;

pub(super) struct Passwords {
    rng: Arc<dyn Rng>,
    argon2: Argon2<'static>,
    /// Stands in for the hash of an account that does not exist: the same time is spent.
    nobodys_hash: String,
    working: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Passwords {
    pub(super) fn new(rng: Arc<dyn Rng>) -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
            .map_err(|error| Error::internal(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self {
            nobodys_hash: nobodys_hash(rng.as_ref()),
            rng,
            argon2,
            working: Arc::new(Semaphore::new(AT_A_TIME)),
            waiting: Semaphore::new(MAX_WAITING),
        })
    }

    /// Hashes a new password that was checked before.
    pub(super) async fn hash(&self, password: &str) -> Result<String> {
        let argon2 = self.argon2.clone();
        let salt: [u8; 16] = random_bytes(self.rng.as_ref());
        let password = normalized(password);
        self.bounded(move || hash_now(&argon2, password.as_bytes(), &salt))
            .await?
    }

    /// Compares a password with a stored hash, or with nobody's in the same time.
    pub(super) async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobodys_hash).to_owned();
        // A longer one was never accepted; an empty one takes as long as any other.
        let password = if password.len() > PASSWORD_MAX_BYTES {
            String::new()
        } else {
            normalized(password)
        };
        let matches = self
            .bounded(move || {
                PasswordHash::new(&stored)
                    .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(known && matches)
    }

    async fn bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let _place = self.waiting.try_acquire().map_err(|_| Error::Unavailable {
            detail: "Too many people are signing in right now.".into(),
            retry_after_s: 2,
        })?;
        let turn = self
            .working
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Error::internal)
    }
}

/// RFC 8265's OpaqueString compares in NFC, so the same keys typed on two systems agree.
fn normalized(password: &str) -> String {
    password.nfc().collect()
}

/// A hash that no password has: checking one against it costs what any other costs, and the start
/// need not spend its 19 MiB on making it.
fn nobodys_hash(rng: &dyn Rng) -> String {
    let salt = STANDARD_NO_PAD.encode(random_bytes::<16>(rng));
    let output = STANDARD_NO_PAD.encode(random_bytes::<32>(rng));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}")
}

fn hash_now(argon2: &Argon2<'_>, password: &[u8], salt: &[u8; 16]) -> Result<String> {
    argon2
        .hash_password_with_salt(password, salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal(error.to_string()))
}

/// Checks a password that somebody chooses for an account with this address.
///
/// # Errors
/// When it is too short, too long, common, made of one pattern, or about this product or the address.
pub(super) fn check_choice(password: &str, email: &str) -> Result<()> {
    let refuse = |detail: &str| Err(Error::invalid("password", detail));
    if normalized(password).chars().count() < PASSWORD_MIN_CHARS {
        return refuse("A password has 15 characters or more: three or four words do well.");
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return refuse("A password has at most 1,024 bytes.");
    }
    if is_guessable(&password.to_lowercase(), &email.to_lowercase()) {
        return refuse(
            "This password is too easy to guess: use words that have nothing to do with each other, with this portal or with your address.",
        );
    }
    Ok(())
}

/// Long passwords are seldom on lists as they stand; they are made of list words. So the
/// words that people repeat to reach a length are taken out, and what is left must carry it.
fn is_guessable(password: &str, email: &str) -> bool {
    const WORDS: [&str; 40] = [
        "gatehouse",
        "password",
        "passwort",
        "contraseña",
        "contrasena",
        "passphrase",
        "letmein",
        "welcome",
        "bienvenido",
        "admin",
        "administrator",
        "owner",
        "router",
        "portal",
        "firmware",
        "qwertyuiop",
        "qwerty",
        "asdfghjkl",
        "asdf",
        "zxcvbnm",
        "1q2w3e4r5t",
        "1q2w3e4r",
        "iloveyou",
        "teamo",
        "sunshine",
        "princess",
        "football",
        "baseball",
        "dragon",
        "monkey",
        "master",
        "superman",
        "batman",
        "trustno1",
        "changeme",
        "secret",
        "abc123",
        "abcdefghijklmnopqrstuvwxyz",
        "abcdef",
        "default",
    ];
    const ENOUGH_CHARS: usize = 8;
    let mut rest = password.to_owned();
    let own_words = email
        .split(['@', '.', '+', '-', '_'])
        .filter(|word| word.len() > 2);
    for word in WORDS.into_iter().chain(own_words) {
        rest = rest.replace(word, "");
    }
    varied_chars(&rest) < ENOUGH_CHARS
}

/// Counts characters that neither repeat the one before nor follow it in a row (`aaa`, `1234`).
fn varied_chars(text: &str) -> usize {
    let codes: Vec<i64> = text
        .chars()
        .map(|mark| i64::from(u32::from(mark)))
        .collect();
    let steps = codes
        .windows(2)
        .filter(|pair| (pair[1] - pair[0]).abs() > 1)
        .count();
    let different = codes
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    // A short pattern said again and again has steps enough but few different characters.
    if different < 5 { 0 } else { steps + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRng;

    #[test]
    fn guessable_passwords_are_refused() {
        for bad in [
            "short",
            "passwordpassword",
            "gatehousegatehouse",
            "123456789012345",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "ana.example.org",
            "Password123456789",
            "abababababababab",
            "adminadminadmin1",
        ] {
            assert!(check_choice(bad, "ana@example.org").is_err(), "{bad}");
        }
        assert!(
            check_choice(&"x7".repeat(600), "ana@example.org").is_err(),
            "over 1,024 bytes"
        );
    }

    #[test]
    fn words_that_have_nothing_to_do_with_each_other_are_taken() {
        for good in [
            "correct horse battery",
            "llueve en el patio 7",
            "пароль из слов и снега",
            "🦀 umbrella 🦀 kettle",
        ] {
            assert!(check_choice(good, "ana@example.org").is_ok(), "{good}");
        }
    }

    /// Else an unknown account would be answered without hashing, and so at once.
    #[tokio::test]
    async fn nobodys_hash_is_made_like_everybodys() {
        let passwords = Passwords::new(Arc::new(CountingRng::default())).unwrap();
        let stored = passwords.hash("llueve en el patio 7").await.unwrap();
        let parts = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            let output = hash.hash.unwrap().len();
            (hash.algorithm.to_string(), hash.params.to_string(), output)
        };
        assert_eq!(parts(&passwords.nobodys_hash), parts(&stored));
    }

    #[tokio::test]
    async fn only_the_right_password_of_an_account_passes() {
        let passwords = Passwords::new(Arc::new(CountingRng::default())).unwrap();
        let stored = passwords
            .hash("llueve en el patio, jose\u{301}")
            .await
            .unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert!(
            passwords
                .verify("llueve en el patio, josé", Some(&stored))
                .await
                .unwrap(),
            "NFC and NFD are one"
        );
        assert!(
            !passwords
                .verify("llueve en el patio", Some(&stored))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("", None).await.unwrap());
        assert!(
            !passwords
                .verify(&"x".repeat(1 << 20), Some(&stored))
                .await
                .unwrap()
        );
    }
}

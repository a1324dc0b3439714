//! The operating system's randomness.

/// Fills an array with random bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system"
)]
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("a running system has a random source");
    bytes
}

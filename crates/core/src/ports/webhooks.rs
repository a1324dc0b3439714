//! The way to home backends that wake hosts.

use async_trait::async_trait;

/// Calls home backends. Only what the operator allowed is called.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Whether the operator allowed the address; else the sentence says what would do.
    fn check(&self, url: &str) -> Result<(), String>;

    /// POSTs to the address with a bearer token, and waits 5 s at the most. Only a status of
    /// success counts; redirects are not followed. The sentence says what went wrong.
    async fn call(&self, url: &str, token: &str) -> Result<(), String>;
}

//! The way to home backends that wake hosts.

use async_trait::async_trait;

/// Calls home backends. Only what the operator allowed is called.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// The origin of an address that the operator allowed, as scheme, host and port; else the
    /// sentence says what would do.
    fn origin(&self, url: &str) -> Result<String, String>;

    /// POSTs to the address with a bearer token, and waits 5 s at the most. Only a status of
    /// success counts; redirects are not followed. The sentence says what went wrong.
    async fn call(&self, url: &str, token: &str) -> Result<(), String>;
}

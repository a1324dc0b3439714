//! The home backend of the house, which wakes hosts.

use async_trait::async_trait;
use gatehouse_core::ports::webhooks::Webhooks;

use super::HandRouter;

impl HandRouter {
    /// What a home backend was called with, as address and token.
    pub(crate) fn called(&self) -> Vec<(String, String)> {
        self.called.lock().expect("no panic while held").clone()
    }
}

/// It refuses whatever is not its own.
#[async_trait]
impl Webhooks for HandRouter {
    fn origin(&self, url: &str) -> Result<String, String> {
        let own = "https://home.example.org";
        let path = url.strip_prefix(own);
        path.filter(|path| path.starts_with('/'))
            .map(|_| own.to_owned())
            .ok_or_else(|| "Not allowed.".into())
    }

    async fn call(&self, url: &str, token: &str) -> Result<(), String> {
        let mut called = self.called.lock().expect("no panic while held");
        called.push((url.to_owned(), token.to_owned()));
        if url.ends_with("/broken") {
            return Err("The home backend answered 500.".into());
        }
        Ok(())
    }
}

//! The secret with which a gateway speaks for the devices of a project.

use gatehouse_types::{Timestamp, firmware::GatewayToken};
use sha2::{Digest, Sha256};

use super::Firmware;
use crate::{Actor, Result, audit::Note, ports::random_bytes};

impl Firmware {
    /// Makes a project's gateway token, shown this once; the one before ends.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn create_gateway_token(&self, actor: &Actor, project: &str) -> Result<GatewayToken> {
        actor.require_admin()?;
        let gateway_token = hex::encode(random_bytes::<16>(self.ports.rng.as_ref()));
        let hash = Sha256::digest(gateway_token.as_bytes()).into();
        self.set_gateway_token(actor, project, Some(hash), "project.gateway_token.create")
            .await?;
        Ok(GatewayToken {
            gateway_token,
            created_at: Timestamp(self.ports.now_ms()),
        })
    }

    /// Ends a project's gateway token; here at once, on other instances within a second.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn revoke_gateway_token(&self, actor: &Actor, project: &str) -> Result<()> {
        actor.require_admin()?;
        self.set_gateway_token(actor, project, None, "project.gateway_token.revoke")
            .await
    }

    async fn set_gateway_token(
        &self,
        actor: &Actor,
        project: &str,
        hash: Option<[u8; 32]>,
        action: &'static str,
    ) -> Result<()> {
        let mut record = self.catalog().project(project)?.record.clone();
        record.gateway_token_hash = hash;
        if !self.ports.store.update_project(&record).await? {
            return Err(self.changed_meanwhile(project).await);
        }
        self.audit
            .note(actor, Note::ok(action, "project", project))
            .await?;
        self.reload_catalog().await
    }
}

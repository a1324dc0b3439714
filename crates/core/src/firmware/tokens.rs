use gatehouse_types::{
    Page, PageQuery, Timestamp, Version,
    firmware::{
        DeviceClaims, DeviceToken, DeviceTokenInfo, GenerateToken, NewDeviceToken, TokenQuery,
    },
    limits,
};
use uuid::Uuid;

use super::Firmware;
use crate::{
    Actor, Error, Result,
    actor::{DeviceActor, Who},
    audit::{Note, cursor},
    jwt::Times,
    ports::{
        StoreError,
        firmware::{DeviceTokenRecord, TokenFilter},
    },
};

const ROLES: [&str; 2] = ["device", "ota_client"];
/// What the original server writes when nobody says what the device runs.
const UNKNOWN_FW: &str = "1.0.0";

impl Times for DeviceClaims {
    fn expires_at_s(&self) -> i64 {
        self.exp
    }
    fn issued_at_s(&self) -> i64 {
        self.iat
    }
}

impl Firmware {
    /// Makes a token for a known device.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such device, or the minutes lie outside 1..=1440.
    pub async fn create_token(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
        wish: &NewDeviceToken,
    ) -> Result<DeviceToken> {
        actor.require_admin()?;
        let device = self.find_device(project, device_id).await?;
        self.mint(actor, project, device.project_id, device_id, wish)
            .await
    }

    /// Makes a token as the original server does; a device not yet known is registered.
    ///
    /// # Errors
    /// When the actor did not show the admin secret, there is no such project, or the minutes lie outside 1..=1440.
    pub async fn generate_token(&self, actor: &Actor, wish: &GenerateToken) -> Result<DeviceToken> {
        if !matches!(actor.who, Who::AdminSecret) {
            return Err(Error::Forbidden("The admin secret is wrong or missing."));
        }
        let project_id = self.catalog().project(&wish.project)?.record.id;
        let expiry = NewDeviceToken {
            expires_minutes: wish.expires_minutes,
            current_fw: wish.current_fw.clone(),
        };
        self.check_wish(&expiry)?;
        match self
            .ports
            .store
            .insert_device(&self.new_device(project_id, wish.device_id))
            .await
        {
            Ok(()) => {
                self.audit
                    .note(
                        actor,
                        Note::ok("device.create", "device", wish.device_id).detail(&wish.project),
                    )
                    .await?;
            }
            Err(StoreError::Taken) => {}
            Err(other) => return Err(other.into()),
        }
        let token = self.mint(actor, &wish.project, project_id, wish.device_id, &expiry);
        let token = token.await?;
        self.hear_at_minting(&token.payload, project_id).await?;
        Ok(token)
    }

    /// A client of the original server has no other place to say what it runs by now.
    async fn hear_at_minting(&self, claims: &DeviceClaims, project_id: Uuid) -> Result<()> {
        let said: Option<Version> = claims.fw_version.parse().ok();
        let Some(version) = said.filter(|_| !claims.fw_version_unknown) else {
            return Ok(());
        };
        let device = DeviceActor {
            project_id,
            project: claims.project.clone(),
            device_id: claims.sub,
            fw_version: None,
        };
        let catalog = self.catalog();
        let project = catalog.project(&claims.project)?;
        self.hear(&device, project, |hearing| hearing.runs(&version))
            .await?;
        Ok(())
    }

    /// Lists device tokens, newest first.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or the page cannot be read.
    pub async fn list_tokens(
        &self,
        actor: &Actor,
        query: &TokenQuery,
    ) -> Result<Page<DeviceTokenInfo>> {
        actor.require_admin()?;
        let limit = PageQuery {
            limit: query.limit,
            after: None,
        }
        .limit()?;
        let catalog = self.catalog();
        let named = query.project.as_deref().filter(|name| !name.is_empty());
        let project_id = named
            .map(|name| catalog.project(name).map(|project| project.record.id))
            .transpose()?;
        let filter = TokenFilter {
            project_id,
            device_id: query.device,
            before: cursor(query.after.as_deref())?,
        };
        let rows = self
            .ports
            .store
            .list_device_tokens(filter, limit + 1)
            .await?;
        let project_name = |id| {
            catalog
                .project_by_id(id)
                .map(|project| project.record.name.clone())
                .unwrap_or_default()
        };
        Ok(
            Page::cut(rows, limit, |row| row.jti.to_string()).map(|row| DeviceTokenInfo {
                jti: row.jti,
                project: project_name(row.project_id),
                device_id: row.device_id,
                issued_at: Timestamp(row.issued_at_ms),
                expires_at: Timestamp(row.expires_at_ms),
                revoked_at: row.revoked_at_ms.map(Timestamp),
                fw_version: row.fw_version,
            }),
        )
    }

    /// Revokes a device token; here at once, on other instances within a second.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such token.
    pub async fn revoke_token(&self, actor: &Actor, jti: Uuid) -> Result<()> {
        actor.require_admin()?;
        let was_good = self
            .ports
            .store
            .revoke_device_token(jti, self.ports.now_ms())
            .await?
            .ok_or(Error::NotFound("token"))?;
        if was_good {
            self.audit
                .note(actor, Note::ok("token.revoke", "token", jti))
                .await?;
            self.reload_catalog().await?;
        }
        Ok(())
    }

    /// Tells which device this token belongs to. Touches no database row.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: `Token expired` or `Invalid token`.
    pub fn authenticate_device(&self, origin: &Actor, token: &str) -> Result<Actor> {
        const INVALID: Error = Error::Unauthenticated("Invalid token");
        let claims: DeviceClaims = self.device_tokens.verify(token, self.ports.now_ms())?;
        let catalog = self.catalog.load();
        if catalog.is_revoked(claims.jti)
            || !ROLES
                .iter()
                .all(|role| claims.roles.iter().any(|own| own == role))
        {
            return Err(INVALID);
        }
        let project = catalog.project(&claims.project).map_err(|_| INVALID)?;
        Ok(origin.as_who(Who::Device(DeviceActor {
            project_id: project.record.id,
            project: claims.project,
            device_id: claims.sub,
            fw_version: Some(claims.fw_version).filter(|_| !claims.fw_version_unknown),
        })))
    }

    /// Whether a device token is ours and lasts, but was revoked.
    pub fn is_revoked(&self, token: &str) -> bool {
        let claims = self
            .device_tokens
            .verify::<DeviceClaims>(token, self.ports.now_ms());
        claims.is_ok_and(|claims| self.catalog.load().is_revoked(claims.jti))
    }

    async fn mint(
        &self,
        actor: &Actor,
        project: &str,
        project_id: Uuid,
        device_id: Uuid,
        wish: &NewDeviceToken,
    ) -> Result<DeviceToken> {
        let minutes = self.check_wish(wish)?;
        let issued_at_s = self.ports.now_ms() / 1000;
        let claims = DeviceClaims {
            sub: device_id,
            project: project.to_owned(),
            roles: ROLES.map(str::to_owned).to_vec(),
            iat: issued_at_s,
            exp: issued_at_s + minutes * 60,
            jti: self.ports.new_id(),
            fw_version: wish.current_fw.clone().unwrap_or_else(|| UNKNOWN_FW.into()),
            fw_version_unknown: wish.current_fw.is_none(),
        };
        let token = self.device_tokens.sign(&claims)?;
        let record = DeviceTokenRecord {
            jti: claims.jti,
            project_id,
            device_id,
            fw_version: claims.fw_version.clone(),
            issued_at_ms: claims.iat * 1000,
            expires_at_ms: claims.exp * 1000,
            revoked_at_ms: None,
        };
        self.ports.store.insert_device_token(&record).await?;
        self.audit
            .note(
                actor,
                Note::ok("token.create", "device", device_id).detail(project),
            )
            .await?;
        tracing::info!(action = "generate_token", ip = actor.ip.map(tracing::field::display), device = %device_id, project, exp = claims.exp, "audit");
        Ok(DeviceToken {
            token,
            expires_at: Timestamp(record.expires_at_ms),
            payload: claims,
        })
    }

    fn check_wish(&self, wish: &NewDeviceToken) -> Result<i64> {
        if let Some(version) = &wish.current_fw {
            limits::one_line("current_fw", version)?;
        }
        match wish
            .expires_minutes
            .unwrap_or(self.settings.default_expiry_minutes)
        {
            minutes @ 1..=1440 => Ok(minutes),
            _ => Err(Error::invalid(
                "expires_minutes",
                "A token lasts between 1 and 1440 minutes.",
            )),
        }
    }
}

//! Publishing a release, by one person or by two.

use gatehouse_types::{
    Timestamp, codes,
    firmware::{ApproveRelease, PublishRelease, Release, ReleaseState},
    rollout::Approval,
};

use super::{
    Firmware,
    objections::{overruled, refuse_doubted, refuse_unfit},
    releases::to_release,
};
use crate::{Actor, Error, Result, actor::Who, ports::firmware::ReleaseRecord};

/// What the portal itself signs with.
const SYSTEM: &str = "system";

impl Firmware {
    /// Offers a release to devices, or asks for a second admin's agreement where the project wants that.
    ///
    /// A release that waits for agreement is a draft still; its `approval` tells who asked.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or something speaks against its image
    /// that `wish` does not overrule or nobody may overrule.
    pub async fn publish(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
        wish: PublishRelease,
    ) -> Result<Release> {
        actor.require_admin()?;
        let catalog = self.catalog();
        let catalog_project = catalog.project(project)?;
        let two_persons = catalog_project.record.two_person_approval;
        let mut record = self.find_release(project, version)?;
        if record.state == ReleaseState::Published {
            return Ok(to_release(catalog_project, &record));
        }
        let objections = catalog_project.objections_to(&record);
        refuse_unfit(&objections)?;
        if !wish.anyway {
            refuse_doubted(&objections)?;
        }
        let detail = overruled(&objections);
        let from = record.state;
        let (id, email) = signature(actor);
        record.approval = Approval {
            requested_by: id,
            requested_by_email: Some(email),
            requested_at: Some(Timestamp(self.ports.now_ms())),
            ..Approval::default()
        };
        if two_persons {
            let action = "release.request_publication";
            return self
                .save_release(actor, project, record, from, action, &detail)
                .await;
        }
        self.set_published(&mut record);
        self.save_release(actor, project, record, from, "release.publish", &detail)
            .await
    }

    /// Agrees to the publication that another admin asked for, of the bytes that the approver saw.
    ///
    /// Whatever is changed after the asking takes the wish back, so nobody agrees to what they
    /// never saw.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, nobody asked, the actor asked, or
    /// something speaks against its image that nobody may overrule.
    pub async fn approve(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
        seen: &ApproveRelease,
    ) -> Result<Release> {
        actor.require_admin()?;
        let mut record = self.find_release(project, version)?;
        let asked = record.approval.requested_at.is_some() && record.approval.approved_at.is_none();
        if record.state == ReleaseState::Published || !asked {
            return Err(Error::conflict(
                codes::CONFLICT,
                "Nobody asked to publish this release.",
            ));
        }
        let other_bytes = seen
            .sha256
            .as_ref()
            .is_some_and(|seen| *seen != record.artifact.sha256);
        let other_wish = seen
            .requested_at
            .is_some_and(|seen| record.approval.requested_at != Some(seen));
        if other_bytes || other_wish {
            return Err(Error::conflict(
                codes::CONFLICT,
                "This release is not the one that you looked at. Look at it again.",
            ));
        }
        let (id, email) = signature(actor);
        if record.approval.requested_by == id {
            return Err(Error::conflict(
                codes::CONFLICT,
                "Whoever asks to publish a release cannot agree to it. Another admin has to.",
            ));
        }
        // What was published meanwhile may speak against it now.
        let objections = self.catalog().project(project)?.objections_to(&record);
        refuse_unfit(&objections)?;
        let detail = overruled(&objections);
        let from = record.state;
        record.approval.approved_by = id;
        record.approval.approved_by_email = Some(email);
        record.approval.approved_at = Some(Timestamp(self.ports.now_ms()));
        self.set_published(&mut record);
        self.save_release(actor, project, record, from, "release.approve", &detail)
            .await
    }

    fn set_published(&self, record: &mut ReleaseRecord) {
        record.state = ReleaseState::Published;
        record.published_at_ms = Some(self.ports.now_ms());
        record.withdrawn_at_ms = None;
    }
}

/// Account and name that stand under an act of the actor.
fn signature(actor: &Actor) -> (Option<uuid::Uuid>, String) {
    match &actor.who {
        Who::Account(account) => (Some(account.id), account.email.clone()),
        _ => (None, SYSTEM.to_owned()),
    }
}

//! What may be opened and by whom, held in memory: every visit of a dashboard asks for it, and it
//! seldom changes. Whether somebody may open a service is asked of the database all the same.

use std::{collections::BTreeMap, sync::Arc};

use gatehouse_types::access::Service;
use uuid::Uuid;

use super::{Access, services::to_service};
use crate::{
    Actor, Result,
    ports::access::{DirectoryRows, ServiceRecord},
};

/// All services by name and their grants, as of one count of changes.
pub(super) struct Directory {
    change_seq: i64,
    services: Vec<ServiceRecord>,
    granted: BTreeMap<Uuid, Vec<Uuid>>,
}

impl From<DirectoryRows> for Directory {
    fn from(rows: DirectoryRows) -> Self {
        let mut granted: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for (service_id, user_id) in rows.grants {
            granted.entry(service_id).or_default().push(user_id);
        }
        Self {
            change_seq: rows.change_seq,
            services: rows.services,
            granted,
        }
    }
}

impl Directory {
    fn granted_to(&self, service: &ServiceRecord) -> &[Uuid] {
        self.granted.get(&service.id).map_or(&[], Vec::as_slice)
    }
}

impl Access {
    /// Lists the services that the actor may open, by name; an admin sees all, and who may open them.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn list_services(&self, actor: &Actor) -> Result<Vec<Service>> {
        let account = actor.account()?;
        let directory = self.directory(account.change_seq).await?;
        let all = directory
            .services
            .iter()
            .map(|service| (service, directory.granted_to(service)));
        if actor.is_admin() {
            return Ok(all
                .map(|(service, users)| to_service(service.clone(), users.to_vec()))
                .collect());
        }
        Ok(all
            .filter(|(_, users)| users.contains(&account.id))
            .map(|(service, _)| to_service(service.clone(), Vec::new()))
            .collect())
    }

    /// What holds at this count of changes, which was read along with the account that asks, so
    /// that a right taken away through any instance counts at the next request.
    async fn directory(&self, change_seq: Option<i64>) -> Result<Arc<Directory>> {
        if let Some(held) = self.directory.load_full()
            && change_seq == Some(held.change_seq)
        {
            return Ok(held);
        }
        let fresh = Arc::new(Directory::from(self.ports.store.load_directory().await?));
        self.directory.store(Some(Arc::clone(&fresh)));
        Ok(fresh)
    }
}

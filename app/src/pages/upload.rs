//! `/admin/projects/{project}/upload`

use gatehouse_core::Result;
use gatehouse_types::firmware::Project;
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value},
    projects::no_jwt_banner,
};
use crate::{
    components::{Card, IslandScripts, Page, ReleaseUpload},
    context::PageContext,
    links,
    visit::Visit,
};

/// The form that uploads an image; the server takes it in by a route of its own.
#[component]
pub fn Upload() -> impl IntoView {
    let visit = Visit::current();
    let name = path_value::<String>("project");
    loaded(
        async move { load(&visit, &name?) },
        |(project, max_bytes)| show(&project, max_bytes),
    )
}

fn load(visit: &Visit, name: &str) -> Result<(Project, i64)> {
    let firmware = &visit.portal.firmware;
    let max_bytes = i64::try_from(firmware.max_upload_bytes()).unwrap_or(i64::MAX);
    Ok((firmware.project(&visit.actor, name)?, max_bytes))
}

fn show(project: &Project, max_bytes: i64) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().upload;
    let up = (
        links::project(&project.name).into_url(),
        project.title.clone(),
    );
    let name = project.name.clone();
    view! {
        <Page title=texts.title intro=texts.intro back=up>
            <IslandScripts />
            {no_jwt_banner()}
            <Card><ReleaseUpload project=name max_bytes=max_bytes /></Card>
            <p class="muted">{texts.version_rules}</p>
        </Page>
    }
}

#![cfg(feature = "ssr")]
//! Where pages with more than a plain path are, with every part of it encoded.

use uuid::Uuid;

use crate::{context::PageContext, forms::Way};

/// The list of projects.
pub(crate) fn projects() -> Way {
    Way::to("/admin/projects")
}

/// The page of a project.
pub(crate) fn project(project: &str) -> Way {
    projects().below(project)
}

/// The page that uploads a release of a project.
pub(crate) fn upload(project: &str) -> Way {
    self::project(project).below("upload")
}

/// The page of a release.
pub(crate) fn release(project: &str, version: &str) -> Way {
    self::project(project).below("releases").below(version)
}

/// The page of a project's keys.
pub(crate) fn keys(project: &str) -> Way {
    self::project(project).below("keys")
}

/// What a device of the project trusts, as a file of this format.
pub(crate) fn key_file(project: &str, format: &str) -> Way {
    let keys = Way::to("/api/v1/projects").below(project).below("keys");
    keys.with("format", format)
}

/// The list of a project's devices.
pub(crate) fn devices(project: &str) -> Way {
    self::project(project).below("devices")
}

/// The page of a device; the id may be what a stranger wrote into a form.
pub(crate) fn device(project: &str, device_id: &str) -> Way {
    devices(project).below(device_id)
}

/// The page of a session that was just asked for; it leads to the service once that is open.
pub(crate) fn waiting(session_id: Uuid) -> Way {
    let page = Way::to("/sessions").below(&session_id.to_string());
    page.with(LEADS_IN, "1")
}

/// What in the query of a session's page makes it lead to the service.
pub(crate) const LEADS_IN: &str = "go";

/// The list of invitations.
pub(crate) fn invitations() -> Way {
    Way::to("/invitations")
}

/// The form that makes an invitation; `?service=` picks its service.
pub(crate) fn new_invitation() -> Way {
    Way::to("/invitations/new")
}

/// What a guest opens in a browser; whoever has it can use it.
pub fn guest(public_url: &str, token: &str) -> String {
    let way = Way::to(format!("{public_url}/guest"));
    way.with("token", token).into_url()
}

/// The same page again, with the secrets that only its URL knows.
pub(crate) fn again(page: &PageContext) -> Way {
    ["token", "pass"]
        .into_iter()
        .filter_map(|name| Some((name, page.query_value(name)?)))
        .fold(Way::to(page.path.clone()), |way, (name, value)| {
            way.with(name, &value)
        })
}

/// The list of device tokens.
pub(crate) fn tokens() -> Way {
    Way::to("/admin/tokens")
}

/// The image of a release, as devices fetch it.
pub(crate) fn image(project: &str, file_name: &str) -> Way {
    Way::to("/firmware").below(project).below(file_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_stays_one_segment() {
        let url = release("demo-lamp", "1.0.0+a/b?c").into_url();
        assert_eq!(url, "/admin/projects/demo-lamp/releases/1.0.0%2Ba%2Fb%3Fc");
        assert_eq!(
            device("é", "\r\nx").into_url(),
            "/admin/projects/%C3%A9/devices/%0D%0Ax"
        );
    }
}

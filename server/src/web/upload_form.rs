use axum::{
    extract::{Multipart, State, multipart::Field},
    response::Redirect,
};
use gatehouse_app::{forms::Way, i18n};
use gatehouse_core::{Actor, Error, firmware::UploadTarget};
use gatehouse_types::firmware::Release;

use crate::{
    api::auth::SignedIn,
    http::{extract::Path, problem::Problem},
    state::AppState,
};

/// POST `/admin/projects/{project}/upload`: the upload of browsers that run no script.
///
/// The field `version` stands before `file` in the form, so the file is streamed as it comes.
pub(super) async fn upload(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    form: Multipart,
) -> Result<Redirect, Problem> {
    let page = Way::to("/admin/projects").below(&project);
    match receive(&app, &actor, &project, form).await {
        Ok((release, is_new)) => {
            let notice = if is_new {
                i18n::Notice::Uploaded
            } else {
                i18n::Notice::UploadedBefore
            };
            let way = page
                .below("releases")
                .below(&release.version)
                .with("ok", notice.code());
            Ok(Redirect::to(way.path()))
        }
        Err((version, error)) => {
            let way = page
                .below("upload")
                .typed([("version", &*version)])
                .refused("upload", &as_in_the_form(error));
            Ok(Redirect::to(way.path()))
        }
    }
}

async fn receive(
    app: &AppState,
    actor: &Actor,
    project: &str,
    mut form: Multipart,
) -> Result<(Release, bool), (String, Error)> {
    let mut version = String::new();
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|_| (version.clone(), broken_off()))?
    {
        match field.name() {
            Some("version") => {
                let text = field
                    .text()
                    .await
                    .map_err(|_| (version.clone(), broken_off()))?;
                text.trim().clone_into(&mut version);
            }
            Some("file") => {
                return store(app, actor, project, &version, field)
                    .await
                    .map_err(|error| (version, error));
            }
            _ => {}
        }
    }
    Err((
        version,
        Error::invalid("file", "Choose an image to upload."),
    ))
}

async fn store(
    app: &AppState,
    actor: &Actor,
    project: &str,
    version: &str,
    mut file: Field<'_>,
) -> Result<(Release, bool), Error> {
    let file_name = file
        .file_name()
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let target = UploadTarget {
        project,
        version,
        file_name: file_name.as_deref(),
        content_length: None,
    };
    let mut upload = app.portal.firmware.begin_upload(actor, target).await?;
    while let Some(chunk) = file.chunk().await.map_err(|_| broken_off())? {
        upload.write(chunk).await?;
    }
    upload.finish(None).await
}

/// Whatever is wrong besides the version shows at the file.
fn as_in_the_form(error: Error) -> Error {
    match error {
        Error::Invalid { field, detail } if field != "version" => Error::invalid("file", detail),
        other => other,
    }
}

fn broken_off() -> Error {
    Error::invalid(
        "file",
        "The upload broke off before its end; nothing was kept. Send it again.",
    )
}

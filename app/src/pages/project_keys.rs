//! `/admin/projects/{project}/keys`: what a device trusts, how to replace it, and who signs beside the portal.

use gatehouse_core::{Error, Result};
use gatehouse_manifest::PublicKey;
use gatehouse_types::{
    PageQuery,
    firmware::{Project, Release},
    manifest::{CoSignerStatus, ProjectKey, ProjectKeys as Bundle},
};
use leptos::prelude::*;

use super::{
    loading::{loaded, path_value},
    project_cosigner::{cosigner_section, trust_section},
};
use crate::{
    components::{
        Badge, CodeBlock, Confirm, DataTable, EmptyState, IslandScripts, Page, Section, Time, Tone,
    },
    context::PageContext,
    format::fill,
    i18n::Keys,
    links,
    visit::Visit,
};

struct Found {
    project: Project,
    /// The project's own keys, the oldest first.
    own: Vec<ProjectKey>,
    /// Missing while the co-signer never told its keys.
    bundle: Option<Bundle>,
    cosigner: CoSignerStatus,
    releases: Vec<Release>,
}

/// The keys of a project.
#[component]
pub fn ProjectKeys() -> impl IntoView {
    let visit = Visit::current();
    let name = path_value::<String>("project");
    loaded(async move { load(&visit, &name?).await }, show)
}

async fn load(visit: &Visit, name: &str) -> Result<Found> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    let bundle = match firmware.project_keys(actor, name).await {
        Err(Error::NotCoSigned { .. }) => None,
        told => Some(told?),
    };
    let newest = PageQuery {
        limit: Some(500),
        after: None,
    };
    Ok(Found {
        project: firmware.project(actor, name)?,
        own: firmware.keys_in_force(actor, name).await?.keys,
        bundle,
        cosigner: firmware.cosigner_status(actor).await?,
        releases: firmware.list_releases(actor, name, &newest)?.items,
    })
}

fn show(found: Found) -> impl IntoView {
    let texts = &PageContext::current().messages().keys;
    let Found {
        project,
        own,
        bundle,
        cosigner,
        releases,
    } = found;
    let title = fill(texts.title, &[("project", &project.title)]);
    let up = (
        links::project(&project.name).into_url(),
        project.title.clone(),
    );
    let keys = key_table(&own, bundle.as_ref(), texts);
    let device = match &bundle {
        Some(bundle) => for_the_device(&project, &own, bundle, texts).into_any(),
        None => view! { <EmptyState title=texts.no_bundle_title hint=texts.no_bundle_hint /> }
            .into_any(),
    };
    let replacing = replacing(&project, &own, texts);
    let trust = trust_section(&cosigner, project.id, &releases);
    view! {
        <Page title=title intro=texts.intro back=up>
            <IslandScripts />
            <Section title=texts.both>
                {keys}
                <p class="muted">{texts.thumbprint_hint}</p>
            </Section>
            <Section title=texts.bundle>
                <p>{texts.bundle_hint}</p>
                {device}
            </Section>
            {cosigner_section(&cosigner)}
            <Section title=texts.replace>
                <p>{texts.replace_hint}</p>
                {replacing}
                <p class="muted">{texts.cosigner_rotation}</p>
            </Section>
            {trust}
        </Page>
    }
}

fn key_table(
    own: &[ProjectKey],
    bundle: Option<&Bundle>,
    texts: &'static Keys,
) -> impl IntoView + use<> {
    let own_row = |key: &ProjectKey| {
        let since = view! { <Time at_ms=key.created_at.0 /> }.into_any();
        let thumbprint = key.thumbprint.clone();
        key_row(texts.project_key, key.is_signing, since, thumbprint, texts)
    };
    let own_rows = own.iter().map(own_row).collect_view();
    let theirs = bundle.map(|bundle| {
        let signing = Some((&bundle.cosigner_pem, true));
        let next = bundle.next_cosigner_pem.as_ref().map(|pem| (pem, false));
        let row = |(pem, is_signing): (&String, bool)| {
            let since = texts.since_elsewhere.into_any();
            key_row(
                texts.cosigner_key,
                is_signing,
                since,
                thumbprint(pem),
                texts,
            )
        };
        [signing, next]
            .into_iter()
            .flatten()
            .map(row)
            .collect_view()
    });
    let heads = vec![
        texts.key,
        PageContext::current().messages().common.state,
        texts.since,
        texts.thumbprint,
    ];
    view! {
        <DataTable caption=texts.both heads=heads>
            {own_rows}
            {theirs}
        </DataTable>
    }
}

fn key_row(
    whose: &'static str,
    is_signing: bool,
    since: AnyView,
    thumbprint: String,
    texts: &'static Keys,
) -> impl IntoView {
    let (tone, word) = if is_signing {
        (Tone::Good, texts.signs)
    } else {
        (Tone::Busy, texts.next)
    };
    view! {
        <tr>
            <td>{whose}</td>
            <td><Badge tone=tone label=word /></td>
            <td>{since}</td>
            <td><code>{thumbprint}</code></td>
        </tr>
    }
}

/// What names a key; nothing for a text that is none, which the portal never gives out.
fn thumbprint(pem: &str) -> String {
    PublicKey::from_pem(pem).map_or_else(|_| String::new(), |key| key.thumbprint())
}

fn for_the_device(
    project: &Project,
    own: &[ProjectKey],
    bundle: &Bundle,
    texts: &'static Keys,
) -> impl IntoView + use<> {
    let files = [
        ("json", "gatehouse_keys.json", texts.download_json),
        ("pem", "gatehouse_keys.pem", texts.download_pem),
        ("jwk", "gatehouse_keys.jwks", texts.download_jwk),
        ("header", "gatehouse_keys.h", texts.download_header),
    ];
    let file = |(format, name, label): (&str, &'static str, &'static str)| {
        let href = links::key_file(&project.name, format).into_url();
        view! { <a href=href download=name>{label}</a> }
    };
    let own = own.iter().map(|key| (texts.project_key, &key.pem));
    let theirs = [
        Some(&bundle.cosigner_pem),
        bundle.next_cosigner_pem.as_ref(),
    ];
    let theirs = theirs
        .into_iter()
        .flatten()
        .map(|pem| (texts.cosigner_key, pem));
    let pems = own.chain(theirs).map(|(whose, pem)| {
        let key = format!("{whose}, {}", thumbprint(pem));
        let label = fill(texts.as_pem, &[("key", &key)]);
        view! { <CodeBlock label=label text=pem.clone() copy=true /> }
    });
    let json = serde_json::to_string_pretty(bundle).unwrap_or_default();
    view! {
        <p class="row">{files.map(file).collect_view()}</p>
        <details class="more">
            <summary>{texts.show_json}</summary>
            <CodeBlock label=texts.as_json text=json copy=true />
            {pems.collect_view()}
        </details>
    }
}

fn replacing(project: &Project, own: &[ProjectKey], texts: &'static Keys) -> AnyView {
    let extra = vec![("project", project.name.clone())];
    let [oldest, _, ..] = own else {
        let warning = fill(texts.rotate_warning, &[("project", &project.title)]);
        return view! {
            <Confirm
                summary=texts.rotate
                warning=warning
                action="/api/ui/rotate_project_key"
                button=texts.rotate
                extra=extra
            />
        }
        .into_any();
    };
    let values = [
        ("project", project.title.as_str()),
        ("thumbprint", &oldest.thumbprint),
    ];
    view! {
        <p>{texts.under_way}</p>
        <Confirm
            summary=texts.retire
            warning=fill(texts.retire_warning, &values)
            action="/api/ui/retire_project_key"
            button=texts.retire
            extra=extra
        />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use gatehouse_types::{
        Timestamp,
        manifest::{CoSignerKind, CoSignerState, Jwk},
    };

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_project, render},
    };

    const PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

    fn jwk() -> Jwk {
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: "x".to_owned(),
            y: Some("y".to_owned()),
            kid: "kid".to_owned(),
            alg: "ES256".to_owned(),
            use_: "sig".to_owned(),
        }
    }

    fn key(thumbprint: &str, is_signing: bool) -> ProjectKey {
        ProjectKey {
            thumbprint: thumbprint.to_owned(),
            pem: PEM.to_owned(),
            is_signing,
            created_at: Timestamp(0),
        }
    }

    fn bundle() -> Bundle {
        Bundle {
            project_id: demo_project().id,
            project: "lamp".to_owned(),
            hardware: Vec::new(),
            project_pem: PEM.to_owned(),
            cosigner_pem: PEM.to_owned(),
            project_jwk: jwk(),
            cosigner_jwk: jwk(),
            next_project_pem: None,
            next_project_jwk: None,
            next_cosigner_pem: None,
            next_cosigner_jwk: None,
        }
    }

    fn page(own: Vec<ProjectKey>, bundle: Option<Bundle>) -> String {
        let found = Found {
            project: demo_project(),
            own,
            bundle,
            cosigner: CoSignerStatus {
                kind: CoSignerKind::InProcess,
                url: None,
                server_id: "s1".to_owned(),
                identity_pem: PEM.to_owned(),
                state: CoSignerState::Ok,
                since: Timestamp(0),
                detail: String::new(),
            },
            releases: Vec::new(),
        };
        let html = render(context(""), || show(found));
        assert_sound(&html);
        html
    }

    #[test]
    fn both_keys_are_told_with_what_a_device_gets() {
        let html = page(vec![key("first", true)], Some(bundle()));
        assert_eq!(html.matches(">Signs<").count(), 2, "{html}");
        assert!(!html.contains(">Takes over next<"));
        for format in ["json", "pem", "jwk", "header"] {
            assert!(
                html.contains(&format!("/api/v1/projects/lamp/keys?format={format}\"")),
                "{format}"
            );
        }
        assert!(html.contains("cosigner_pem"), "the bundle as text");
    }

    #[test]
    fn a_rotation_names_the_key_that_it_ends() {
        let before = page(vec![key("first", true)], Some(bundle()));
        assert!(before.contains("/api/ui/rotate_project_key"));
        assert!(!before.contains("/api/ui/retire_project_key"));
        let next = Bundle {
            next_cosigner_pem: Some(PEM.to_owned()),
            ..bundle()
        };
        let during = page(vec![key("first", true), key("second", false)], Some(next));
        assert!(
            during.contains("This ends the key first for good"),
            "{during}"
        );
        assert!(!during.contains("/api/ui/rotate_project_key"));
        assert_eq!(during.matches(">Takes over next<").count(), 2);
    }

    #[test]
    fn without_the_cosigners_key_the_page_says_what_to_do() {
        let html = page(vec![key("first", true)], None);
        assert!(html.contains("The bundle is not complete yet"), "{html}");
        assert!(!html.contains("keys?format="), "nothing to download");
        assert!(html.contains("/api/ui/rotate_project_key"));
    }
}

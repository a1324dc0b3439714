//! Every component in every state, for the eye and for the accessibility test.

use gatehouse_types::{
    Timestamp,
    access::{Reach, ServiceReach, WakeStep},
};
use leptos::prelude::*;
use uuid::Uuid;

use super::{not_found::NotFound, waking::Steps};
use crate::{
    components::{
        Badge, Banner, Button, ButtonLink, Card, Checkbox, Chips, Choice, CodeBlock, Confirm,
        DataTable, EmptyState, Fact, Facts, FileField, Icon, IslandScripts, Look, Meter, NextPage,
        Page, PostButton, PostForm, ReleaseUpload, Section, SelectField, ServiceState, ServiceTile,
        SessionCountdown, StateBadge, TextArea, TextField, Time, Tone, icon_choices,
        minute_choices, size,
    },
    context::PageContext,
};

const STATES: [&str; 25] = [
    "pending",
    "open",
    "closing",
    "closed",
    "failed",
    "draft",
    "published",
    "withdrawn",
    "downloading",
    "installing",
    "succeeded",
    "rolled_back",
    "offered",
    "cancelling",
    "cancelled",
    "silent",
    "active",
    "disabled",
    "expired",
    "revoked",
    "used_up",
    "suspended",
    "reachable",
    "unreachable",
    "untested",
];

/// The styleguide in debug builds; elsewhere there is no such page.
#[component]
pub fn Styleguide() -> impl IntoView {
    let page = PageContext::current();
    if !page.debug {
        return view! { <NotFound /> }.into_any();
    }
    let texts = &page.messages().styleguide;
    view! {
        <Page title=texts.title intro=texts.intro back=("/".to_owned(), page.messages().nav.dashboard.to_owned())>
            <IslandScripts />
            <Buttons />
            <States />
            <Banners />
            <Fields />
            <Lists />
            <Tiles />
            <Figures />
            <Live />
        </Page>
    }
    .into_any()
}

#[component]
fn Buttons() -> impl IntoView {
    view! {
        <Section title="Buttons">
            <div class="row">
                <Button>"Primary"</Button>
                <Button look=Look::Plain>"Plain"</Button>
                <Button look=Look::Danger>"Danger"</Button>
                <ButtonLink href="#content">"Link"</ButtonLink>
                <PostButton action="/preferences" extra=vec![("back", "/admin/styleguide".to_owned())]>
                    "One-button form"
                </PostButton>
            </div>
            <Confirm
                summary="Remove"
                warning="This removes the service Printer and ends its 2 open sessions at once."
                action="/preferences"
                button="Remove the service"
                extra=vec![("back", "/admin/styleguide".to_owned())]
            />
        </Section>
    }
}

#[component]
fn States() -> impl IntoView {
    let tones = Tone::ALL
        .map(|tone| view! { <Badge tone=tone label=tone.class() /> })
        .collect_view();
    let states = STATES
        .map(|state| view! { <StateBadge state=state /> })
        .collect_view();
    view! {
        <Section title="Badges">
            <div class="row">{tones}</div>
            <div class="row">{states}</div>
            <Reaches />
        </Section>
    }
}

#[component]
fn Reaches() -> impl IntoView {
    let found = [
        None,
        Some((Reach::Up, Some(3))),
        Some((Reach::Up, Some(412))),
        Some((Reach::Down, None)),
    ];
    let states = (1..)
        .zip(found)
        .map(|(number, found)| {
            let id = Uuid::from_u128(number);
            let reach = found.map(|(state, latency_ms)| ServiceReach {
                id,
                state,
                latency_ms,
                checked_at: Timestamp(0),
            });
            view! { <ServiceState service_id=id reach=reach /> }
        })
        .collect_view();
    view! { <div class="row">{states}</div> }
}

#[component]
fn Banners() -> impl IntoView {
    let banners = Tone::ALL
        .map(|tone| view! { <Banner tone=tone title=tone.class()>"What happened, and what to do."</Banner> })
        .collect_view();
    view! { <Section title="Banners">{banners}</Section> }
}

#[component]
fn Fields() -> impl IntoView {
    let lang = PageContext::current().lang;
    let protocols = vec![Choice::new("tcp", "TCP"), Choice::new("udp", "UDP")];
    view! {
        <Section title="Fields">
            <p>"Append " <code>"?error=invalid&field=email"</code> " to see an error at its field."</p>
            <Card>
                <PostForm action="/preferences">
                    <TextField name="email" label="E-mail" kind="email" required=true autocomplete="off" hint="It is also the name for sign-in." />
                    <TextField name="lan_port" label="Port" kind="number" range=(1, 65535) value="80" />
                    <TextField name="cert_sha256" label="Pin" mono=true max_chars=64 />
                    <TextArea name="notes" label="Notes" value="Two\nlines" hint="What changed, for people." />
                    <SelectField name="protocol" label="Protocol" options=protocols selected="udp" />
                    <SelectField name="icon" label="Icon" options=icon_choices(lang) selected="disk" />
                    <Checkbox name="remember" label="Keep me signed in" hint="Only on a device that is yours." checked=true />
                    <FileField name="file" label="Image" accept=".bin" hint="At most 64 MiB." />
                    <Chips name="minutes" legend="Open for" options=minute_choices(30, 480, lang) selected="30" />
                    <Button>"Send"</Button>
                </PostForm>
            </Card>
        </Section>
    }
}

#[component]
fn Lists() -> impl IntoView {
    let now_ms = PageContext::current().now_ms;
    view! {
        <Section title="Lists">
            <DataTable caption="Sessions" heads=vec!["Service", "State", "Opened", "Size"]>
                <tr>
                    <td>"Printer"</td>
                    <td><StateBadge state="open" /></td>
                    <td><Time at_ms=now_ms /></td>
                    <td class="figure">{size(1_468_006)}</td>
                </tr>
                <tr>
                    <td>"A service with a rather long name in the house by the sea"</td>
                    <td><StateBadge state="failed" /></td>
                    <td><Time at_ms=now_ms - 7_200_000 relative=true /></td>
                    <td class="figure">{size(512)}</td>
                </tr>
            </DataTable>
            <NextPage href=Some("?after=1".to_owned()) />
            <EmptyState title="There is no router yet" hint="Start the daemon on the router, then add it here.">
                <ButtonLink href="#content">"Add a router"</ButtonLink>
            </EmptyState>
            <Facts>
                <Fact term="Version"><code>"1.4.0"</code></Fact>
                <Fact term="State"><StateBadge state="draft" /></Fact>
            </Facts>
        </Section>
    }
}

#[component]
fn Tiles() -> impl IntoView {
    let lang = PageContext::current().lang;
    let icons = icon_choices(lang)
        .into_iter()
        .map(|icon| view! { <Icon name=icon.value /> })
        .collect_view();
    view! {
        <Section title="Tiles">
            <div class="row">{icons}</div>
            <div class="tiles">
                <ServiceTile icon="printer" name="Printer" description="Queue and toner in the hall">
                    <StateBadge state="closed" />
                    <PostForm action="/preferences">
                        <Chips name="minutes" legend="Open for" options=minute_choices(30, 60, lang) selected="30" />
                        <Button>"Open"</Button>
                    </PostForm>
                </ServiceTile>
                <ServiceTile icon="disk" name="Files">
                    <StateBadge state="open" />
                    <ButtonLink href="#content" new_tab=true>"Go to the service"</ButtonLink>
                </ServiceTile>
            </div>
        </Section>
    }
}

#[component]
fn Figures() -> impl IntoView {
    view! {
        <Section title="Figures and code">
            <Meter label="Devices up to date" value=42 max=50 />
            <CodeBlock label="Token" text="eyJhbGciOiJIUzI1NiJ9.e30.not-a-real-token" copy=true />
        </Section>
    }
}

#[component]
fn Live() -> impl IntoView {
    let now_ms = PageContext::current().now_ms;
    view! {
        <Section title="Waking">
            <Steps now=WakeStep::Waking />
            <Steps now=WakeStep::Waiting />
            <Steps now=WakeStep::Opening />
        </Section>
        <Section title="Islands">
            <p><SessionCountdown expires_at_ms=now_ms + 3_725_000 href="/sessions" /></p>
            <p><SessionCountdown expires_at_ms=now_ms + 60_000 href="/sessions" /></p>
            <p><SessionCountdown expires_at_ms=now_ms href="/sessions" /></p>
            <Card><ReleaseUpload project="demo" max_bytes=67_108_864 /></Card>
        </Section>
    }
}

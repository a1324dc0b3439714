//! The fields of a service, for a new one and for one that is there.

use gatehouse_types::{
    access::{Router, Service, Wake},
    limits::{NAME_MAX_CHARS, PUBLIC_PORTS, SESSION_MAX_MINUTES, TEXT_MAX_CHARS},
};
use leptos::prelude::*;

use super::loading::typed;
use crate::{
    components::{Choice, SelectField, TextArea, TextField, icon_choices},
    context::PageContext,
};

/// What a new service starts with.
const USUAL_MINUTES: i64 = 30;
const LONGEST_MINUTES: i64 = 240;

/// Every field, filled with what was typed before an error, else with what is kept.
#[component]
pub fn ServiceFields(
    /// The routers to choose from.
    routers: Vec<Router>,
    /// The service as it is; `None` for a new one.
    kept: Option<Service>,
) -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let (texts, common) = (&messages.services, &messages.common);
    let value = |name: &str| {
        typed(
            &page,
            name,
            &kept
                .as_ref()
                .map_or_else(|| start(name), |service| member(service, name)),
        )
    };
    let routers = routers
        .into_iter()
        .map(|router| Choice::new(router.id.to_string(), router.name))
        .collect();
    let transports = vec![Choice::new("tcp", "TCP"), Choice::new("udp", "UDP")];
    let kinds = vec![
        Choice::new("web", texts.kind_web),
        Choice::new("other", texts.kind_other),
    ];
    let public_ports = (
        i64::from(*PUBLIC_PORTS.start()),
        i64::from(*PUBLIC_PORTS.end()),
    );
    let minutes = (1, SESSION_MAX_MINUTES);
    view! {
        <TextField name="name" label=common.name value=value("name") required=true max_chars=NAME_MAX_CHARS />
        <TextArea name="description" label=common.description value=value("description") max_chars=TEXT_MAX_CHARS />
        <SelectField name="icon" label=texts.icon options=icon_choices(page.lang) selected=value("icon") />
        <SelectField name="router_id" label=texts.router options=routers selected=value("router_id") />
        <TextField
            name="lan_ip"
            label=texts.lan_ip
            hint=texts.lan_ip_hint
            value=value("lan_ip")
            required=true
            max_chars=45
            mono=true
        />
        <TextField
            name="lan_port"
            label=texts.lan_port
            kind="number"
            range=(1, 65535)
            value=value("lan_port")
            required=true
        />
        <TextField
            name="public_port"
            label=texts.public_port
            hint=texts.public_port_hint
            kind="number"
            range=public_ports
            value=value("public_port")
            required=true
        />
        <SelectField name="protocol" label=texts.protocol options=transports selected=value("protocol") />
        <SelectField name="kind" label=texts.kind options=kinds selected=value("kind") />
        <TextField
            name="url_path"
            label=texts.url_path
            hint=texts.url_path_hint
            value=value("url_path")
            required=true
            max_chars=200
            mono=true
        />
        <TextField
            name="default_minutes"
            label=texts.default_minutes
            kind="number"
            range=minutes
            value=value("default_minutes")
            required=true
        />
        <TextField
            name="max_minutes"
            label=texts.max_minutes
            kind="number"
            range=minutes
            value=value("max_minutes")
            required=true
        />
        <WakeFields wake=value("wake") mac=value("mac") url=value("url") />
    }
}

#[component]
fn WakeFields(wake: String, mac: String, url: String) -> impl IntoView {
    let texts = &PageContext::current().messages().services;
    let wakes = vec![
        Choice::new("none", texts.wake_none),
        Choice::new("wol", texts.wake_wol),
        Choice::new("webhook", texts.wake_webhook),
    ];
    view! {
        <SelectField name="wake" label=texts.wake options=wakes selected=wake />
        <TextField
            name="mac"
            label=texts.wake_mac
            hint=texts.wake_mac_hint
            scope="wake"
            value=mac
            max_chars=20
            mono=true
        />
        <TextField
            name="url"
            label=texts.wake_url
            hint=texts.wake_url_hint
            scope="wake"
            value=url
            max_chars=500
            mono=true
        />
    }
}

fn start(name: &str) -> String {
    match name {
        "icon" => "box".to_owned(),
        "protocol" => "tcp".to_owned(),
        "kind" => "web".to_owned(),
        "url_path" => "/".to_owned(),
        "default_minutes" => USUAL_MINUTES.to_string(),
        "max_minutes" => LONGEST_MINUTES.to_string(),
        "wake" => "none".to_owned(),
        _ => String::new(),
    }
}

fn member(service: &Service, name: &str) -> String {
    match name {
        "name" => service.name.clone(),
        "description" => service.description.clone(),
        "icon" => service.icon.clone(),
        "router_id" => service.router_id.to_string(),
        "lan_ip" => service.lan_ip.clone(),
        "lan_port" => service.lan_port.to_string(),
        "public_port" => service.public_port.to_string(),
        "protocol" => service.protocol.as_str().to_owned(),
        "kind" => service.kind.as_str().to_owned(),
        "url_path" => service.url_path.clone(),
        "default_minutes" => service.default_minutes.to_string(),
        "max_minutes" => service.max_minutes.to_string(),
        _ => wake_member(service.wake.as_ref(), name),
    }
}

fn wake_member(wake: Option<&Wake>, name: &str) -> String {
    let told = match (name, wake) {
        ("wake", None) => "none",
        ("wake", Some(Wake::Wol { .. })) => "wol",
        ("wake", Some(Wake::Webhook { .. })) => "webhook",
        ("mac", Some(Wake::Wol { mac })) => mac,
        ("url", Some(Wake::Webhook { url })) => url,
        _ => "",
    };
    told.to_owned()
}

//! Lines to copy into a device, for each kind of client.

use leptos::prelude::*;

use crate::{components::CodeBlock, context::PageContext, forms::Way};

/// What a device shows to the portal, or a word in its place.
pub(super) struct Credentials<'a> {
    /// A download token, which ends within a day.
    pub(super) token: &'a str,
    /// What a client shows whose configuration is written once: the device's id and its target token.
    pub(super) lasting: &'a str,
    /// The device's lasting token.
    pub(super) target_token: &'a str,
    /// What hawkBit clients call the device.
    pub(super) controller_id: &'a str,
}

/// Stands for secrets that nobody may see again.
pub(super) const PLACEHOLDERS: Credentials<'static> = Credentials {
    token: "TOKEN",
    lasting: "DEVICE_ID.TARGET_TOKEN",
    target_token: "TARGET_TOKEN",
    controller_id: "CONTROLLER_ID",
};

/// Lines for each kind of device, ready to be copied; the page places the scripts.
pub(super) fn connect(
    public_url: &str,
    project: &str,
    shown: &Credentials<'_>,
) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().connect;
    let place = Place::of(public_url);
    let kinds = [
        (
            texts.arduino,
            "",
            arduino(public_url, project, shown.lasting, &place),
        ),
        (
            texts.esp8266,
            "",
            esp8266(public_url, project, shown.lasting, &place),
        ),
        (
            texts.idf,
            texts.idf_hint,
            idf(public_url, project, shown.lasting),
        ),
        (
            texts.esphome,
            "",
            esphome(public_url, project, shown.lasting, &place),
        ),
        (
            texts.rauc,
            texts.rauc_hint,
            rauc(public_url, project, shown.lasting),
        ),
        (
            texts.swupdate,
            texts.swupdate_hint,
            swupdate(public_url, project, shown),
        ),
        (
            texts.hawkbit,
            texts.hawkbit_hint,
            hawkbit(project, shown, &place),
        ),
        (
            texts.other,
            "",
            ask_command(public_url, shown.token, "1.0.0"),
        ),
    ];
    kinds
        .into_iter()
        .map(|(kind, hint, lines)| {
            let hint = Some(hint).filter(|hint| !hint.is_empty());
            view! {
                <details class="more">
                    <summary>{kind}</summary>
                    {hint.map(|hint| view! { <p>{hint}</p> })}
                    <CodeBlock label=kind text=lines copy=true />
                </details>
            }
        })
        .collect_view()
}

/// Where the portal is, as devices have to be told.
struct Place {
    is_tls: bool,
    host: String,
}

impl Place {
    fn of(public_url: &str) -> Self {
        let (scheme, host) = public_url
            .split_once("://")
            .unwrap_or(("https", public_url));
        Self {
            is_tls: scheme == "https",
            host: host.to_owned(),
        }
    }
}

/// Where a dialect is spoken; clients that can send no header show their token behind it.
fn dialect(public_url: &str, dialect: &str, name: &str) -> Way {
    Way::to(format!("{public_url}/ota/{dialect}")).below(name)
}

fn arduino(public_url: &str, project: &str, token: &str, place: &Place) -> String {
    let way = dialect(public_url, "arduino", project);
    let url = way.with("token", token).into_url();
    let (header, client) = if place.is_tls {
        (
            "WiFiClientSecure",
            "  WiFiClientSecure client;\n  client.setCACert(PORTAL_CA);  // PEM of your portal's authority",
        )
    } else {
        ("WiFi", "  WiFiClient client;")
    };
    format!(
        "#include <{header}.h>\n#include <HTTPUpdate.h>\n\n\
         void lookForUpdate() {{\n{client}\n  httpUpdate.update(client, \"{url}\", \"1.0.0\");\n}}"
    )
}

fn esp8266(public_url: &str, project: &str, token: &str, place: &Place) -> String {
    let way = dialect(public_url, "arduino", project);
    let url = way.with("token", token).into_url();
    let client = if place.is_tls {
        "  BearSSL::WiFiClientSecure client;\n  client.setTrustAnchors(&portalAuthority);"
    } else {
        "  WiFiClient client;"
    };
    format!(
        "#include <ESP8266httpUpdate.h>\n\n\
         void lookForUpdate() {{\n{client}\n  ESPhttpUpdate.update(client, \"{url}\", \"1.0.0\");\n}}"
    )
}

/// Without the version it runs the device would install the same image at each start.
fn idf(public_url: &str, project: &str, token: &str) -> String {
    let url = dialect(public_url, "esp-idf", project).into_url();
    format!(
        "static esp_err_t add_token(esp_http_client_handle_t client) {{\n  \
         return esp_http_client_set_header(client, \"Authorization\", \"Bearer {token}\");\n}}\n\n\
         char url[256];\n\
         snprintf(url, sizeof url, \"%s%s\",\n  \"{url}?current_fw=\",\n  \
         esp_app_get_description()->version);\n\
         esp_http_client_config_t http = {{\n  .url = url,\n  \
         .crt_bundle_attach = esp_crt_bundle_attach,\n  .keep_alive_enable = true,\n}};\n\
         esp_https_ota_config_t ota = {{\n  .http_config = &http,\n  \
         .http_client_init_cb = add_token,\n}};\n\
         if (esp_https_ota(&ota) == ESP_OK) esp_restart();"
    )
}

/// The node never says by itself what it runs; the version stands once, since whoever changes it in
/// one of two places only is taken for rolled back.
fn esphome(public_url: &str, project: &str, token: &str, place: &Place) -> String {
    let manifest = dialect(public_url, "esphome", &format!("{project}.json")).into_url();
    let says = Way::to(format!("{manifest}?current_fw=${{version}}"));
    let source = says.with("token", token).into_url();
    let verify = if place.is_tls { "true" } else { "false" };
    format!(
        "substitutions:\n  version: \"1.0.0\"  # what the release is called\n\n\
         esphome:\n  project:\n    name: example.{project}\n    version: ${{version}}\n\n\
         http_request:\n  verify_ssl: {verify}\n\nota:\n  - platform: http_request\n\n\
         update:\n  - platform: http_request\n    name: Firmware\n    source: {source}"
    )
}

fn rauc(public_url: &str, project: &str, token: &str) -> String {
    let way = dialect(public_url, "rauc", project);
    let source = way.with("token", token).into_url();
    format!(
        "[streaming]\nsend-headers=system-version\n\n\
         [polling]\nsource={source}\ncandidate-criteria=different-version"
    )
}

fn swupdate(public_url: &str, project: &str, shown: &Credentials<'_>) -> String {
    let Credentials {
        target_token,
        controller_id,
        ..
    } = shown;
    format!(
        "suricatta: {{\n  tenant = \"{project}\";\n  id = \"{controller_id}\";\n  \
         url = \"{public_url}\";\n  targettoken = \"{target_token}\";\n}};"
    )
}

fn hawkbit(project: &str, shown: &Credentials<'_>, place: &Place) -> String {
    let Credentials {
        target_token,
        controller_id,
        ..
    } = shown;
    let (host, ssl) = (&place.host, place.is_tls);
    format!(
        "[client]\nhawkbit_server = {host}\nssl = {ssl}\ntenant_id = {project}\n\
         target_name = {controller_id}\nauth_token = {target_token}\n\
         bundle_download_location = /tmp/bundle.raucb"
    )
}

/// The command with which a device, or somebody in its place, asks what to install.
pub(super) fn ask_command(public_url: &str, token: &str, current_fw: &str) -> String {
    let url = Way::to(format!("{public_url}/api/v1/device/update")).with("current_fw", current_fw);
    format!(
        "curl -i -H \"Authorization: Bearer {token}\" \\\n  \"{}\"",
        url.into_url()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, render},
    };

    #[test]
    fn lines_to_copy_name_this_portal_and_the_token() {
        let credentials = Credentials {
            token: "a.b.c",
            lasting: "id.t0",
            target_token: "t0",
            controller_id: "lamp-7",
        };
        let html = render(context(""), || {
            connect("https://gate.example", "lamp", &credentials)
        });
        assert_sound(&html);
        for line in [
            "https://gate.example/ota/arduino/lamp?token=id.t0",
            "https://gate.example/ota/esphome/lamp.json?current_fw=",
            "source=https://gate.example/ota/rauc/lamp?token=id.t0",
            "https://gate.example/ota/esp-idf/lamp?current_fw=",
            "hawkbit_server = gate.example",
            "Bearer a.b.c",
        ] {
            assert!(html.contains(line), "{line}: {html}");
        }
        let swupdate = swupdate("https://gate.example", "lamp", &credentials);
        assert!(swupdate.contains("id = \"lamp-7\"") && swupdate.contains("\"t0\""));
        let plain = Place::of("http://192.0.2.1:8080");
        assert!(!arduino("http://192.0.2.1:8080", "lamp", "t", &plain).contains("Secure"));
    }

    /// Otherwise an update that went well is never confirmed, or is installed again at each start.
    #[test]
    fn each_client_says_which_version_it_runs() {
        let url = "https://gate.example";
        let place = Place::of(url);
        for (lines, says) in [
            (arduino(url, "lamp", "t", &place), ", \"1.0.0\");"),
            (esp8266(url, "lamp", "t", &place), ", \"1.0.0\");"),
            (idf(url, "lamp", "t"), "esp_app_get_description()->version"),
            (esphome(url, "lamp", "t", &place), "?current_fw=${version}&"),
            (rauc(url, "lamp", "t"), "\nsend-headers=system-version\n"),
            (ask_command(url, "t", "1.0.0"), "?current_fw=1.0.0\""),
        ] {
            assert!(lines.contains(says), "{says}: {lines}");
        }
        let node = esphome(url, "lamp", "t", &place);
        assert_eq!(node.matches("1.0.0").count(), 1, "a second to forget");
    }

    #[test]
    fn the_command_encodes_the_version() {
        let command = ask_command("https://gate.example", "T", "1.0.0+a");
        assert!(
            command.ends_with("\"https://gate.example/api/v1/device/update?current_fw=1.0.0%2Ba\""),
            "{command}"
        );
    }
}

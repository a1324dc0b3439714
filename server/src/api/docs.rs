//! The API document, for programs as JSON and for people as a page without any script.

use std::{fmt::Write, sync::LazyLock};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::state::AppState;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(super::document()).unwrap_or_default());

/// GET `/api/openapi.json` and `/api/docs`.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/api/openapi.json", get(json))
        .route("/api/docs", get(page))
}

async fn json() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.to_string()).into_response()
}

async fn page(State(app): State<AppState>) -> Response {
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    (
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, policy),
        ],
        render(&DOCUMENT, &app.pkg_path),
    )
        .into_response()
}

fn render(document: &Value, pkg_path: &str) -> String {
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>JSON API · Gatehouse</title><link rel=\"icon\" href=\"/favicon.ico\">\
         <link rel=\"stylesheet\" href=\"/{pkg_path}/gatehouse.css\"></head><body><header class=\"site-header\"><div class=\"site-bar\">\
         <a class=\"brand\" href=\"/\"><span class=\"brand-mark\" aria-hidden=\"true\"></span>Gatehouse</a></div></header>\
         <main id=\"content\"><div class=\"page-head\"><h1>JSON API</h1><p class=\"intro\">{}</p><p><a href=\"/api/openapi.json\">The same as an OpenAPI document</a></p></div>",
        escaped(text(&document["info"], "description"))
    );
    for (path, operations) in members(&document["paths"]) {
        for (method, operation) in members(operations) {
            operation_card(&mut html, path, method, operation);
        }
    }
    html.push_str("<section class=\"section\"><h2>Messages</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        schema_card(&mut html, name, schema);
    }
    html.push_str("</section></main></body></html>");
    html
}

fn operation_card(html: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        html,
        "<section class=\"card\"><h2><code>{} {}</code></h2><p>{}</p>",
        method.to_uppercase(),
        escaped(path),
        escaped(text(operation, "summary"))
    );
    if let Some(description) = operation["description"].as_str() {
        let _ = write!(html, "<p>{}</p>", escaped(description));
    }
    let body = &operation["requestBody"]["content"];
    if let Some((kind, content)) = members(body).next() {
        let _ = write!(
            html,
            "<p>Body: <code>{}</code> {}</p>",
            escaped(kind),
            link_to(&content["schema"])
        );
    }
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    if !parameters.is_empty() {
        html.push_str("<ul>");
        for parameter in parameters {
            let _ = write!(
                html,
                "<li><code>{}</code> in {} {}</li>",
                escaped(text(parameter, "name")),
                escaped(text(parameter, "in")),
                escaped(text(parameter, "description"))
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("<ul>");
    for (status, answer) in members(&operation["responses"]) {
        let message = members(&answer["content"])
            .next()
            .map(|(_, content)| link_to(&content["schema"]))
            .unwrap_or_default();
        let _ = write!(
            html,
            "<li><strong>{status}</strong> {} {message}</li>",
            escaped(text(answer, "description"))
        );
    }
    html.push_str("</ul></section>");
}

fn schema_card(html: &mut String, name: &str, schema: &Value) {
    let _ = write!(
        html,
        "<section class=\"card\" id=\"{0}\"><h3>{0}</h3><p>{1}</p><ul>",
        escaped(name),
        escaped(text(schema, "description"))
    );
    for (member, shape) in members(&schema["properties"]) {
        let _ = write!(
            html,
            "<li><code>{}</code> {} {}</li>",
            escaped(member),
            link_to(shape),
            escaped(text(shape, "description"))
        );
    }
    for word in schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let _ = write!(html, "<li><code>{}</code></li>", escaped(word));
    }
    html.push_str("</ul></section>");
}

/// A link to the message that a schema refers to, or the name of its type.
fn link_to(schema: &Value) -> String {
    let mut inner = [schema, &schema["items"]]
        .into_iter()
        .chain(schema["oneOf"].as_array().into_iter().flatten());
    let referred = inner.find_map(|part| part["$ref"].as_str()?.rsplit('/').next());
    match referred {
        Some(name) => format!("<a href=\"#{0}\">{0}</a>", escaped(name)),
        None => escaped(schema["type"].as_str().unwrap_or_default()),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_on_the_page_and_every_link_leads_somewhere() {
        let html = render(&DOCUMENT, "pkg");
        for (path, operations) in members(&DOCUMENT["paths"]) {
            for (method, _) in members(operations) {
                assert!(
                    html.contains(&format!("{} {path}", method.to_uppercase())),
                    "{method} {path}"
                );
            }
        }
        for target in html
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
        }
        assert!(!html.contains("<script") && !html.contains("src=\"http"));
    }
}

//! The least that a firmware server in Rust can do: check the HS256 token, answer bytes from memory.
//! `cargo xtask bench` measures the portal's downloads beside it.
//!
//! Environment: `FIRMWARE_DIR` holds `<project>/<file>`, all of them read at the start;
//! `TOKEN_SECRET` has signed the tokens; `TLS_CERT` and `TLS_KEY`, both PEM, switch TLS on.

mod tls;
mod token;

use std::collections::HashMap;
use std::fs;
use std::path::Path as FsPath;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
    serve::ListenerExt,
};
use bytes::Bytes;
use tokio::net::TcpListener;

use token::TokenKey;

/// The images by project and file name.
type Images = HashMap<String, HashMap<String, Bytes>>;

struct Shelf {
    images: Images,
    key: TokenKey,
}

#[tokio::main]
async fn main() -> Result<()> {
    let shelf = Shelf {
        images: read_images(FsPath::new(&variable("FIRMWARE_DIR")?))?,
        key: TokenKey::new(&variable("TOKEN_SECRET")?)?,
    };
    let app = Router::new()
        .route("/firmware/{project}/{file}", get(image))
        .with_state(Arc::new(shelf));
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let address = tcp.local_addr()?;
    if let Ok(cert) = variable("TLS_CERT") {
        let listener = tls::Listener::new(tcp, &cert, &variable("TLS_KEY")?)?;
        println!("listening on https://{address}");
        axum::serve(listener, app).await?;
    } else {
        println!("listening on http://{address}");
        let listener = tcp.tap_io(|stream| {
            // A stream that refuses it only answers later.
            stream.set_nodelay(true).ok();
        });
        axum::serve(listener, app).await?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

fn read_images(dir: &FsPath) -> Result<Images> {
    let mut images = Images::new();
    for project in fs::read_dir(dir)? {
        let project = project?;
        let of_project = images
            .entry(project.file_name().to_string_lossy().into_owned())
            .or_default();
        for file in fs::read_dir(project.path())? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            of_project.insert(name, fs::read(file.path())?.into());
        }
    }
    Ok(images)
}

async fn image(
    State(shelf): State<Arc<Shelf>>,
    Path((project, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Bytes, StatusCode> {
    let allowed = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .and_then(|token| shelf.key.project_of(token))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    if allowed != project {
        return Err(StatusCode::FORBIDDEN);
    }
    let found = shelf.images.get(&project).and_then(|of| of.get(&file));
    found.cloned().ok_or(StatusCode::NOT_FOUND)
}

//! How single values of the configuration are read; each error says what would do.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::Uri;
use ipnet::IpNet;

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address with a port, such as 127.0.0.1:3000 or [::1]:3000.".into())
}

/// Reads scheme and host; everything else would be silently ignored, so it is refused.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let wanted = || {
        String::from(
            "must be http:// or https:// with a host and nothing after it, such as https://gate.example.com.",
        )
    };
    let uri: Uri = text.parse().map_err(|_| wanted())?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        return Err(wanted());
    };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
    if !bare || authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(wanted());
    }
    let authority = authority.as_str().to_ascii_lowercase();
    // A browser leaves the usual port out of `Origin`, which is compared with this.
    let usual_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual_port).unwrap_or(&authority);
    Ok(format!("{scheme}://{authority}"))
}

pub(super) fn database_url(text: &str) -> Result<String, String> {
    let known = ["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if known {
        Ok(text.to_owned())
    } else {
        Err("must begin with sqlite:// or postgres://.".into())
    }
}

pub(super) fn blob_dir(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("file://") {
        Some("") | None if text.starts_with("s3://") => Err(
            "names an S3 store, which this version cannot use yet; use file:// and a folder."
                .into(),
        ),
        Some("") | None => {
            Err("must be file:// and a folder, such as file:///var/lib/gatehouse/blobs.".into())
        }
        Some(path) => Ok(PathBuf::from(path)),
    }
}

/// Reads what stands before a file's place, without a slash at its end.
pub(super) fn sendfile_root(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.starts_with('/') && is_plain && !text.contains(['%', '?', '#']) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("must begin with a slash and hold no spaces, such as /gatehouse-images for nginx or the folder of the blobs for Apache.".into())
}

/// Reads a network, or one address as a network of its own.
pub(super) fn proxy_network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| single()).map_err(|_| {
        format!("must hold networks such as 10.0.0.0/8 or single addresses; {text:?} is neither.")
    })?;
    if network.prefix_len() == 0 {
        return Err(format!(
            "must not hold {network}: everybody could then claim any address. Name your proxies."
        ));
    }
    Ok(network)
}

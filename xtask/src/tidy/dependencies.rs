//! Which crate may know which, read from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// A package, and the ones that must not be among its dependencies or theirs, with the reason.
const FORBIDDEN: [(&str, &[&str], &str); 7] = [
    (
        "gatehouse-core",
        &["axum", "leptos", "sqlx", "reqwest", "gatehouse-storage"],
        "the rules of the portal know no web framework, database or HTTP client",
    ),
    (
        "gatehouse-app",
        &["sqlx", "gatehouse-storage"],
        "pages ask core, never a database",
    ),
    (
        "gatehouse-types",
        &["tokio", "axum", "sqlx", "reqwest"],
        "its words compile to WebAssembly",
    ),
    (
        "gatehouse-router-protocol",
        &["axum", "leptos", "sqlx", "reqwest", "gatehouse-core"],
        "the daemon on the router is small and knows nothing of the portal",
    ),
    (
        "gatehouse-manifest",
        &[
            "tokio",
            "axum",
            "leptos",
            "sqlx",
            "reqwest",
            "gatehouse-types",
            "gatehouse-core",
        ],
        "devices and co-signers check manifests without anything of the portal",
    ),
    (
        "gatehouse-cosigner",
        &[
            "leptos",
            "sqlx",
            "gatehouse-types",
            "gatehouse-core",
            "gatehouse-storage",
            "gatehouse-server",
        ],
        "whoever breaks the portal must not find the same code on the co-signer's host",
    ),
    (
        "gatehouse-bench-peers",
        &["gatehouse-app", "gatehouse-core", "gatehouse-types"],
        "a peer with the portal's code in it would be no comparison",
    ),
];

const STORAGE: &str = "gatehouse-storage";
const COMPOSITION_ROOT: &str = "gatehouse-server";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    /// `None` is a normal dependency; `dev` and `build` ones do not end up in the program.
    kind: Option<String>,
}

/// One line for each dependency that breaks a rule.
///
/// # Errors
/// When `cargo metadata` fails, or a package of the rules is gone.
pub(super) fn violations() -> Result<Vec<String>> {
    let text = process::output(process::cargo().args(["metadata", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    let mut violations = storage_users(&metadata);
    for (package, forbidden, reason) in FORBIDDEN {
        let known = all_dependencies(&metadata, package)?;
        let found = forbidden.iter().filter(|name| known.contains(**name));
        violations.extend(found.map(|name| format!("{package} depends on {name}: {reason}")));
    }
    Ok(violations)
}

/// Only the composition root names an adapter; tests of anybody may.
fn storage_users(metadata: &Metadata) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter(|package| {
            metadata.workspace_members.contains(&package.id) && package.name != COMPOSITION_ROOT
        })
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|dependency| dependency.name == STORAGE && dependency.kind.is_none())
        })
        .map(|package| {
            format!(
                "{} depends on {STORAGE}: only {COMPOSITION_ROOT} names an adapter",
                package.name
            )
        })
        .collect()
}

/// The names of everything that ends up in a program with this package.
fn all_dependencies<'a>(metadata: &'a Metadata, package: &str) -> Result<BTreeSet<&'a str>> {
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let names: BTreeMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let root = metadata
        .packages
        .iter()
        .find(|candidate| candidate.name == package);
    let root =
        root.with_context(|| format!("there is no package {package}; mend the rules in tidy"))?;

    let mut seen = BTreeSet::new();
    let mut waiting = vec![root.id.as_str()];
    while let Some(id) = waiting.pop() {
        let edges = nodes.get(id).map_or(&[][..], |node| &node.deps);
        let normal = edges
            .iter()
            .filter(|edge| edge.dep_kinds.iter().any(|dep| dep.kind.is_none()));
        waiting.extend(
            normal
                .map(|edge| edge.pkg.as_str())
                .filter(|pkg| seen.insert(*pkg)),
        );
    }
    Ok(seen
        .into_iter()
        .filter_map(|id| names.get(id).copied())
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> Metadata {
        let edge =
            |pkg: &str, kind: Option<&str>| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] });
        let package = |name: &str| json!({ "id": name, "name": name, "dependencies": [] });
        let mut value = json!({
            "workspace_members": ["pages", "gatehouse-server"],
            "packages": [package("pages"), package("rules"), package("sqlx"), package("axum"), package("gatehouse-server")],
            "resolve": { "nodes": [
                { "id": "pages", "deps": [edge("rules", None), edge("axum", Some("dev"))] },
                { "id": "rules", "deps": [edge("sqlx", None)] },
            ] },
        });
        for user in [0, 4] {
            value["packages"][user]["dependencies"] = json!([{ "name": STORAGE, "kind": null }]);
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn dependencies_of_dependencies_count_and_those_of_tests_do_not() {
        let metadata = metadata();
        let known = all_dependencies(&metadata, "pages").unwrap();
        assert_eq!(known, BTreeSet::from(["rules", "sqlx"]));
    }

    #[test]
    fn only_the_composition_root_may_name_storage() {
        assert_eq!(
            storage_users(&metadata()),
            ["pages depends on gatehouse-storage: only gatehouse-server names an adapter"]
        );
    }
}

//! The page that every Leptos project starts from, rendered on the server: what the framework
//! costs before a portal does anything. `cargo xtask bench` measures the dashboard beside it.

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt;
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, generate_route_list};
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Route, Router as Pages, Routes},
    path,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<()> {
    let options = LeptosOptions::builder().output_name("hello").build();
    let routes = generate_route_list(App);
    let app = Router::new()
        .leptos_routes(&options, routes, shell)
        .with_state(options);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Without it the measurement would be of delayed acknowledgements.
        stream.set_nodelay(true).ok();
    });
    Ok(axum::serve(listener, app).await?)
}

fn shell() -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

#[component]
fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Hello" />
        <Pages>
            <main>
                <Routes fallback=|| "Not found">
                    <Route path=path!("/") view=Home />
                </Routes>
            </main>
        </Pages>
    }
}

#[component]
fn Home() -> impl IntoView {
    let (count, _) = signal(0);
    view! {
        <h1>"Hello, world"</h1>
        <p>"Clicked " {count} " times"</p>
    }
}

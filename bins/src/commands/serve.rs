//! `ak server`, `ak worker`.

use ak_store::config::Settings;

use crate::start::{Product, StartError, Wiring, open_store, until_stopped, worker as worker_of};

/// Serves until the process is asked to end, with a worker inside.
pub(super) async fn server(settings: &Settings) -> Result<(), StartError> {
    let wiring = Wiring::standard()?;
    let product = Product::open(settings, &wiring).await?;
    let bound = product.bind(settings)?;
    let http = bound.http_address().map_err(ak_http::server::ServeError::Io)?;
    let trusted = settings.listen.trusted_proxy_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!("X-Forwarded-* headers are believed from {trusted}");
    if !product.app.has_admin().await? {
        let how = "run `ak user set-password akadmin`, or set AUTHENTIK_BOOTSTRAP_PASSWORD before the first start";
        tracing::warn!("no administrator has a password yet: {how}");
    }
    tracing::info!("listening on http://localhost:{} ({http}), HTTPS on {:?}", http.port(), bound.https_address());
    let (ended, stop) = tokio::sync::watch::channel(());
    let worker = worker_of(&product.store, "ak-server");
    let mut watching = stop.clone();
    let working = tokio::spawn(async move {
        worker
            .run(async move {
                // The sender is dropped when the server has ended.
                while watching.changed().await.is_ok() {}
            })
            .await;
    });
    let served = bound.serve(until_stopped()).await;
    drop(ended);
    drop(stop);
    if working.await.is_err() {
        tracing::error!("the worker ended in a panic");
    }
    Ok(served?)
}

/// Works until the process is asked to end.
pub(super) async fn worker(settings: &Settings) -> Result<(), StartError> {
    let wiring = Wiring::standard()?;
    let (store, _) = open_store(settings, &wiring).await?;
    tracing::info!("working");
    worker_of(&store, &format!("ak-worker-{}", std::process::id())).run(until_stopped()).await;
    Ok(())
}

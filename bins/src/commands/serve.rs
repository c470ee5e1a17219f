//! `ak server`, `ak worker`.

use std::net::SocketAddr;
use std::sync::Arc;

use ak_flows::initial_setup::{self, INITIAL_SETUP};
use std::time::Duration;

use ak_store::config::Settings;
use ak_store::directory::password::PasswordHasher;

use crate::start::{
    Product, StartError, Wiring, blueprints, keep_working, open_store, outbound, until_stopped, worker as worker_of,
};

/// Serves until the process is asked to end, with a worker inside.
pub(super) async fn server(settings: &Settings) -> Result<(), StartError> {
    let mut stop = std::pin::pin!(until_stopped());
    let wiring = Wiring::standard()?;
    // Another process may hold the database for a while: who ends this one does not wait for it.
    let product = tokio::select! {
        opened = Product::open(settings, &wiring) => opened?,
        () = &mut stop => return Ok(()),
    };
    let bound = product.bind(settings)?;
    let http = bound.http_address().map_err(ak_http::server::ServeError::Io)?;
    let trusted = settings.listen.trusted_proxy_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!("X-Forwarded-* headers are believed from {trusted}");
    announce_setup(&product, settings, http).await?;
    let https = bound.https_address().map_or_else(|| "no HTTPS".to_owned(), |at| format!("HTTPS on {at}"));
    tracing::info!("listening on http://localhost:{} ({http}), {https}", http.port());
    let worker = worker_of(&product.store, product.outbound.clone(), "ak-server");
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let engine = product.blueprints.clone();
    let working = tokio::spawn(async move { keep_working(&worker, &engine, async move { drop(end.await) }).await });
    let served = bound
        .serve(async move {
            stop.await;
            // The worker ends beside the requests under way, not after them.
            drop(ended);
        })
        .await;
    // Where a listener failed, nobody has asked to stop: the worker's channel closed with the future above all the same.
    if working.await.is_err() {
        tracing::error!("the worker ended in a panic");
    }
    Ok(served?)
}

/// While no administrator has had a password, says where the first one is set. The address carries a code: that it stands in the log is
/// what it is for.
async fn announce_setup(product: &Product, settings: &Settings, at: SocketAddr) -> Result<(), StartError> {
    if !product.app.needs_setup().await? {
        return Ok(());
    }
    let Some(code) = initial_setup::offer(&product.store).await? else { return Ok(()) };
    let here = if at.ip().is_unspecified() { format!("http://localhost:{}", at.port()) } else { format!("http://{at}") };
    let base = settings.base_url.clone().unwrap_or(here);
    let url = format!("{}/if/flow/{INITIAL_SETUP}/?code={code}", base.trim_end_matches('/'));
    tracing::warn!(url, "initial setup");
    Ok(())
}

/// Works until the process is asked to end.
pub(super) async fn worker(settings: &Settings) -> Result<(), StartError> {
    let mut stop = std::pin::pin!(until_stopped());
    let wiring = Wiring::standard()?;
    let (store, _) = tokio::select! {
        opened = open_store(settings, &wiring) => opened?,
        () = &mut stop => return Ok(()),
    };
    store.follow();
    // Before the first start of a server there is nothing that blueprints could build on; and what they made would be in its way.
    while !ak_flows::is_set_up(&store).await? {
        tracing::info!("waiting for the first start of a server");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = &mut stop => return Ok(()),
        }
    }
    tracing::info!("working");
    let engine = blueprints(&store, &PasswordHasher::new(wiring.password_cost), settings);
    let outbound = Arc::new(outbound(&settings.outbound, &wiring.dns).await?);
    keep_working(&worker_of(&store, outbound, &format!("ak-worker-{}", std::process::id())), &engine, stop).await;
    Ok(())
}

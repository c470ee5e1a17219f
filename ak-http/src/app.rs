//! What all handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ak_flows::blueprint::Engine;
use ak_flows::{Finales, Runner, RunnerOptions, StoreDirectory};
use ak_providers::oauth2::finish::{AUTHORIZE, AuthorizeStage, SESSION_END, SessionEndStage};
use ak_providers::oauth2::issue::Issuer;
use ak_providers::proxy::Keeper;
use ak_store::directory::password::PasswordHasher;
use ak_store::model::{RecordKinds, Store};
use ipnet::IpNet;

use crate::metrics::Metrics;
use crate::pages::{RenderError, Renderer};
use crate::seal::Seal;

/// What can be set about serving.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The domain of the session cookie; `None`: the host itself only.
    pub cookie_domain: Option<String>,
    /// The address that people use for this installation, where it is known: `https://id.example`.
    pub base_url: Option<String>,
}

impl Default for HttpOptions {
    /// Loopback and private networks are believed, as people's installations presume.
    fn default() -> Self {
        let networks = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "::1/128"];
        Self { trusted_proxies: networks.iter().filter_map(|n| n.parse().ok()).collect(), cookie_domain: None, base_url: None }
    }
}

/// What an application is made of.
pub struct AppParts {
    /// Runs flows; it brings the store and the directory.
    pub runner: Runner,
    /// Checks and makes passwords.
    pub hasher: PasswordHasher,
    /// The secret key of the installation: signs cookies and forms.
    pub secret_key: String,
    /// Applies blueprints.
    pub blueprints: Engine,
    /// Draws pages.
    pub renderer: Renderer,
    /// Settings.
    pub options: HttpOptions,
}

impl AppParts {
    /// The usual parts for a store: its own directory, the built-in pages, and the default settings. What should be different is
    /// replaced: `AppParts { renderer, ..AppParts::new(store, hasher, key)? }`.
    ///
    /// # Errors
    /// Only a broken template.
    pub fn new(store: Arc<Store>, hasher: PasswordHasher, secret_key: &str) -> Result<Self, RenderError> {
        let directory = StoreDirectory::new(store.clone(), hasher.clone(), StoreDirectory::FLOOR);
        Ok(Self {
            blueprints: crate::blueprints(store.clone(), hasher.clone()),
            runner: Runner::new(store, Arc::new(directory), RunnerOptions::default()),
            hasher,
            secret_key: secret_key.to_owned(),
            renderer: Renderer::new()?,
            options: HttpOptions::default(),
        })
    }
}

/// What all handlers share. A cheap handle.
#[derive(Clone)]
pub struct App {
    pub(crate) runner: Runner,
    pub(crate) hasher: PasswordHasher,
    pub(crate) seal: Arc<Seal>,
    pub(crate) blueprints: Engine,
    pub(crate) renderer: Arc<Renderer>,
    pub(crate) options: Arc<HttpOptions>,
    pub(crate) metrics: Arc<Metrics>,
    /// Gives OAuth 2.0 clients what they ask for.
    pub(crate) issuer: Issuer,
    /// Knows who may pass to applications behind reverse proxies.
    pub(crate) keeper: Keeper,
    /// How documents describe records.
    pub(crate) records: RecordKinds,
    /// The initial set-up is over, for good.
    pub(crate) is_set_up: Arc<AtomicBool>,
}

impl App {
    /// An application of these parts.
    pub fn new(parts: AppParts) -> Self {
        let AppParts { runner, hasher, secret_key, blueprints, renderer, options } = parts;
        let store = runner.store().clone();
        let finales = Finales::default()
            .with(AUTHORIZE, AuthorizeStage::new(store.keyring().clone(), store.install_id()))
            .with(SESSION_END, SessionEndStage::new(store.install_id()));
        let runner = runner.with_finales(finales);
        let issuer = Issuer::new(store.clone(), runner.directory().clone(), runner.services().clone());
        Self {
            keeper: Keeper::new(store, runner.directory().clone(), issuer.clone()),
            issuer,
            records: blueprints.records().clone(),
            runner,
            hasher,
            seal: Arc::new(Seal::new(&secret_key)),
            blueprints,
            renderer: Arc::new(renderer),
            options: Arc::new(options),
            metrics: Arc::new(Metrics::new()),
            is_set_up: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The objects and the records.
    pub fn store(&self) -> &Arc<Store> {
        self.runner.store()
    }

    /// Checks and makes passwords.
    pub fn hasher(&self) -> &PasswordHasher {
        &self.hasher
    }
}

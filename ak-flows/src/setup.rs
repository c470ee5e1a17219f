//! The first start: default objects and the first administrator.

use std::sync::Arc;

use ak_store::StoreError;
use ak_store::certificate::self_signed;
use ak_store::directory::keys::{NewKey, issue};
use ak_store::directory::password::{PasswordError, PasswordHasher, is_hash};
use ak_store::model::{Draft, Errors, Ref, Span, Store, WriteError};
use ak_store::records::{Durability, Group, NewUser, Repository, TokenIntent};
use serde_json::json;

use crate::binding::FlowStageBinding;
use crate::brand::Brand;
use crate::flow::{Authentication, DeniedAction, Designation, Flow, Layout};
use crate::stage::Stage;
use crate::stages::{IdentificationStage, PasswordBackend, PasswordStage, UserFieldName, UserLoginStage, UserLogoutStage};

/// The name of the certificate that is made at the first start.
pub const SELF_SIGNED: &str = "authentik Self-signed Certificate";

/// What the first start is given. Later starts ignore it.
#[derive(Clone, Default)]
pub struct Bootstrap {
    /// The first administrator's password.
    pub password: Option<String>,
    /// The first administrator's password, hashed already.
    pub password_hash: Option<String>,
    /// The key of an API token of the first administrator.
    pub token: Option<String>,
    /// The first administrator's e-mail address.
    pub email: Option<String>,
}

/// Why the first start failed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used: its name, and why.
    #[error("{0}: {1}")]
    Setting(&'static str, String),
    /// The objects were refused.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The setting that remembers that the first start is over.
const DONE: &str = "set_up";

/// Makes the default objects and the first administrator, all at once, unless that was done before. True if it was done now.
pub async fn set_up(store: &Arc<Store>, hasher: &PasswordHasher, bootstrap: &Bootstrap) -> Result<bool, SetupError> {
    if store.read().await?.settings().lookup(DONE).await?.is_some() {
        return Ok(false);
    }
    let password = password(hasher, bootstrap).await?;
    let hosts = ["localhost", "127.0.0.1", "::1"];
    let certificate = self_signed(SELF_SIGNED, &hosts, &**store.clock(), &**store.rng())?;
    let mut unit = store.begin(Durability::Full).await?;
    if unit.records().settings().lookup(DONE).await?.is_some() {
        return Ok(false);
    }
    unit.write(|draft| {
        let certificate = draft.add_managed(&certificate, "goauthentik.io/crypto/jwt-managed")?;
        let flows = default_flows(draft)?;
        draft.add(&default_brand(&flows, Some(certificate))).map(|_| ())
    })?;
    let user = administrator(unit.records(), store, password, bootstrap).await?;
    if let Some(key) = &bootstrap.token {
        let intent = TokenIntent::Api;
        let new = NewKey { identifier: "authentik-bootstrap-token", user, intent, description: "", lifetime: None };
        issue(store, unit.records(), &new, Some(key)).await?;
    }
    unit.records().settings().put(DONE, &json!(true)).await?;
    unit.save().await?;
    if bootstrap.password.is_some() || bootstrap.password_hash.is_some() {
        tracing::info!("Bootstrap completed successfully");
    }
    Ok(true)
}

async fn password(hasher: &PasswordHasher, bootstrap: &Bootstrap) -> Result<Option<String>, SetupError> {
    match (&bootstrap.password, &bootstrap.password_hash) {
        (Some(_), Some(_)) => {
            let why = "set either this or AUTHENTIK_BOOTSTRAP_PASSWORD, not both";
            Err(SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", why.into()))
        }
        (None, Some(hash)) if !is_hash(hash) => {
            let why = "is not a password hash that can be checked; `ak hash_password` makes one";
            Err(SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", why.into()))
        }
        (None, Some(hash)) => Ok(Some(hash.clone())),
        (Some(password), None) => {
            let failed = |e: PasswordError| SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD", e.to_string());
            Ok(Some(hasher.hash(password).await.map_err(failed)?))
        }
        (None, None) => Ok(None),
    }
}

async fn administrator(
    repo: &mut dyn Repository,
    store: &Store,
    password: Option<String>,
    bootstrap: &Bootstrap,
) -> Result<i64, StoreError> {
    let now = store.clock().now();
    let user = NewUser {
        name: "authentik Default Admin".into(),
        email: bootstrap.email.clone().unwrap_or_else(|| "root@example.com".into()),
        password,
        ..NewUser::internal(store.rng().uuid(), "akadmin")
    };
    let user = repo.users().add(user, now).await?;
    let group = Group { is_superuser: true, ..Group::named(store.rng().uuid(), "authentik Admins", now) };
    repo.groups().add(&group).await?;
    repo.groups().add_member(group.pk, user.pk).await?;
    Ok(user.pk)
}

struct DefaultFlows {
    authentication: Ref<Flow>,
    invalidation: Ref<Flow>,
}

fn default_flows(draft: &mut Draft) -> Result<DefaultFlows, Errors> {
    let authentication = draft.add(&flow(
        "Default authentication",
        "default-authentication-flow",
        "Sign in",
        Designation::Authentication,
        Authentication::None,
    ))?;
    let identification = draft.add(&IdentificationStage {
        name: "default-authentication-identification".into(),
        user_fields: vec![UserFieldName::Email, UserFieldName::Username],
        password_stage: None,
        captcha_stage: None,
        case_insensitive_matching: true,
        // Off: otherwise the next page tells who has an account.
        show_matched_user: false,
        enrollment_flow: None,
        recovery_flow: None,
        passwordless_flow: None,
        sources: Vec::new(),
        show_source_labels: false,
        pretend_user_exists: true,
        enable_remember_me: false,
        webauthn_stage: None,
    })?;
    let password = draft.add(&PasswordStage {
        name: "default-authentication-password".into(),
        backends: vec![PasswordBackend::Inbuilt, PasswordBackend::Ldap, PasswordBackend::Token],
        configure_flow: None,
        failed_attempts_before_cancel: 5,
        allow_show_password: true,
    })?;
    let login = draft.add(&UserLoginStage {
        name: "default-authentication-login".into(),
        session_duration: Span::seconds(0),
        terminate_other_sessions: false,
        remember_me_offset: Span::seconds(0),
        network_binding: Default::default(),
        geoip_binding: Default::default(),
        remember_device: Span::seconds(0),
    })?;
    bind(draft, authentication, Ref::new(identification.pk()), 10)?;
    bind(draft, authentication, Ref::new(password.pk()), 20)?;
    bind(draft, authentication, Ref::new(login.pk()), 100)?;
    let invalidation = draft.add(&flow(
        "Default sign-out",
        "default-invalidation-flow",
        "Sign out",
        Designation::Invalidation,
        Authentication::RequireAuthenticated,
    ))?;
    let logout = draft.add(&UserLogoutStage { name: "default-invalidation-logout".into() })?;
    bind(draft, invalidation, Ref::new(logout.pk()), 0)?;
    Ok(DefaultFlows { authentication, invalidation })
}

fn flow(name: &str, slug: &str, title: &str, designation: Designation, authentication: Authentication) -> Flow {
    Flow {
        name: name.into(),
        slug: slug.into(),
        title: title.into(),
        designation,
        background: String::new(),
        policy_engine_mode: Default::default(),
        compatibility_mode: false,
        layout: Layout::Stacked,
        denied_action: DeniedAction::MessageContinue,
        authentication,
    }
}

fn bind(draft: &mut Draft, target: Ref<Flow>, stage: Ref<dyn Stage>, order: i32) -> Result<(), Errors> {
    draft.add(&FlowStageBinding::new(target, stage, order)).map(|_| ())
}

fn default_brand(flows: &DefaultFlows, certificate: Option<Ref<ak_store::certificate::CertificateKeyPair>>) -> Brand {
    Brand {
        domain: "authentik-default".into(),
        default: true,
        branding_title: "ak".into(),
        flow_authentication: Some(flows.authentication),
        flow_invalidation: Some(flows.invalidation),
        web_certificate: certificate,
        ..Brand::plain()
    }
}

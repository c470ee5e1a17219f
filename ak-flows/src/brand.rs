//! Brands: what a host name looks like, and which flows it uses.

use ak_policy::Application;
use ak_store::certificate::CertificateKeyPair;
use ak_store::model::{Errors, Kind, Meta, Ref, Row, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::flow::{Designation, Flow};

/// What a host name looks like, and which flows it uses.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Brand {
    /// The domain: `a.b` also stands for `aa.a.b`, and the longest that fits counts.
    #[schemars(length(min = 1))]
    pub domain: String,
    /// Whether it is used where no domain fits.
    #[serde(default)]
    pub default: bool,
    /// Title of all pages.
    #[serde(default = "title")]
    #[schemars(length(min = 1))]
    pub branding_title: String,
    /// Address of the logo.
    #[serde(default = "logo")]
    #[schemars(length(min = 1))]
    pub branding_logo: String,
    /// Address of the icon.
    #[serde(default = "favicon")]
    #[schemars(length(min = 1))]
    pub branding_favicon: String,
    /// Style sheet after ours; sets `--ak-accent` and `--ak-dark-background`, say.
    #[serde(default)]
    pub branding_custom_css: String,
    /// Address of the picture behind pages of flows.
    #[serde(default)]
    pub branding_default_flow_background: String,
    /// Address template of map tiles.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub branding_map_tiles: String,
    /// Flow for signing in.
    #[serde(default)]
    pub flow_authentication: Option<Ref<Flow>>,
    /// Flow for changing to another account.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub flow_user_switch: Option<Uuid>,
    /// Flow for signing out.
    #[serde(default)]
    pub flow_invalidation: Option<Ref<Flow>>,
    /// Flow for getting back in.
    #[serde(default)]
    pub flow_recovery: Option<Ref<Flow>>,
    /// Flow for leaving.
    #[serde(default)]
    pub flow_unenrollment: Option<Ref<Flow>>,
    /// Flow for changing one's own settings.
    #[serde(default)]
    pub flow_user_settings: Option<Ref<Flow>>,
    /// Flow for entering a device code.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub flow_device_code: Option<Uuid>,
    /// Flow for locking an account down.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub flow_lockdown: Option<Uuid>,
    /// Flow for asking for access.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub flow_request: Option<Uuid>,
    /// Application that external people are led to.
    #[serde(default)]
    pub default_application: Option<Ref<Application>>,
    /// Certificate that the web server shows for the domain.
    #[serde(default)]
    pub web_certificate: Option<Ref<CertificateKeyPair>>,
    /// Authorities of certificates that people sign in with.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub client_certificates: Vec<Uuid>,
    /// Free data; `settings.theme.base` is `automatic`, `light` or `dark`, `settings.locale` the language.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

fn title() -> String {
    "ak".into()
}

fn logo() -> String {
    "/static/dist/assets/icons/icon_left_brand.svg".into()
}

fn favicon() -> String {
    "/static/dist/assets/icons/icon.png".into()
}

/// The read-only fields of a brand: none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BrandShown {}

impl Kind for Brand {
    const META: Meta = Meta {
        pk_name: "brand_uuid",
        label: "domain",
        unique: &[],
        search: &["domain", "branding_title"],
        order: &["domain"],
        ..Meta::new("authentik_brands.brand", "core/brands", "Brand", "Brands")
    };

    type Shown = BrandShown;

    fn shown(&self, _: &Row<'_>) -> BrandShown {
        BrandShown {}
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        let another = row.snapshot.all::<Self>().any(|(at, brand)| at.pk() != row.pk() && brand.default);
        if self.default && another {
            errors.at(&["default"], "Only a single brand can be set as default.", "invalid");
        }
    }
}

impl Brand {
    /// A brand with every field at its default, and no domain.
    pub fn plain() -> Self {
        Self {
            domain: String::new(),
            default: false,
            branding_title: title(),
            branding_logo: logo(),
            branding_favicon: favicon(),
            branding_custom_css: String::new(),
            branding_default_flow_background: String::new(),
            branding_map_tiles: String::new(),
            flow_authentication: None,
            flow_user_switch: None,
            flow_invalidation: None,
            flow_recovery: None,
            flow_unenrollment: None,
            flow_user_settings: None,
            flow_device_code: None,
            flow_lockdown: None,
            flow_request: None,
            default_application: None,
            web_certificate: None,
            client_certificates: Vec::new(),
            attributes: Map::new(),
        }
    }

    /// The brand of a host name (without port): the one with the longest domain that is the host or, at a dot, its end; else the default one.
    pub fn of_host<'a>(snapshot: &'a Snapshot, host: &str) -> Option<(Ref<Self>, &'a Self)> {
        Self::named(snapshot, host).or_else(|| snapshot.all::<Self>().find(|(_, b)| b.default))
    }

    /// The brand whose domain a host name is in. `None`: no administrator has named the host.
    pub fn named<'a>(snapshot: &'a Snapshot, host: &str) -> Option<(Ref<Self>, &'a Self)> {
        let host = host.to_ascii_lowercase();
        let fits = |domain: &str| {
            let domain = domain.to_ascii_lowercase();
            host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
        };
        snapshot.all::<Self>().filter(|(_, b)| fits(&b.domain)).max_by_key(|(_, b)| b.domain.len())
    }

    /// The flow that the brand uses for a designation.
    pub fn flow(&self, designation: Designation) -> Option<Ref<Flow>> {
        match designation {
            Designation::Authentication => self.flow_authentication,
            Designation::Invalidation => self.flow_invalidation,
            Designation::Recovery => self.flow_recovery,
            Designation::Unenrollment => self.flow_unenrollment,
            Designation::StageConfiguration => self.flow_user_settings,
            Designation::Authorization | Designation::Enrollment => None,
        }
    }

    /// The theme: `automatic`, `light` or `dark`.
    pub fn theme(&self) -> &str {
        let theme = self.attributes.get("settings").and_then(|s| s.pointer("/theme/base")).and_then(Value::as_str);
        theme.filter(|t| ["light", "dark"].contains(t)).unwrap_or("automatic")
    }

    /// The language of pages, or nothing for the browser's.
    pub fn locale(&self) -> &str {
        self.attributes.get("settings").and_then(|s| s.get("locale")).and_then(Value::as_str).unwrap_or("")
    }
}

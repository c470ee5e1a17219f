//! What a scope tells an application about an account.

use ak_policy::script::{Evaluation, Extra, Name, Names, Script, VALUE_NAMES};
use ak_policy::{PropertyMapping, PropertyMappingShown, Request};
use ak_store::model::{Errors, Kind, Meta, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The variables of scope mappings.
#[derive(Debug, Clone, Copy)]
pub struct ScopeNames;

impl Names for ScopeNames {
    const NAMES: &'static [Name] = &{
        let [user, request, http_request, client_ip, requests, logger] = VALUE_NAMES;
        let provider = Name { name: "provider", kind: "Object", doc: "The provider that the application asks." };
        let token = Name { name: "token", kind: "Map", doc: "The token that the claims are for; `()` before there is one." };
        [user, request, http_request, client_ip, requests, logger, provider, token]
    };
}

/// What a scope tells an application about an account: claims, as a map.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ScopeMapping {
    /// Name of the mapping.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The script that gives the claims. A first line `// rhai` or `# python` says the language.
    pub expression: Script<ScopeNames>,
    /// The scope that an application asks for (RFC 6749, section 3.3).
    #[schemars(length(min = 1))]
    pub scope_name: String,
    /// What a person is told when she is asked to consent; she is not told of a scope without a description.
    #[serde(default)]
    pub description: String,
}

impl Kind for ScopeMapping {
    const META: Meta = Meta {
        component: "ak-property-mapping-provider-scope-form",
        pk_filters: &["pm_uuid"],
        takes_managed: true,
        description: "Scope mapping, used by the OAuth2 provider.",
        ..Meta::new(
            "authentik_providers_oauth2.scopemapping",
            "propertymappings/provider/scope",
            "Scope Mapping",
            "Scope Mappings",
        )
    };

    type Shown = PropertyMappingShown;

    fn shown(&self, row: &Row<'_>) -> PropertyMappingShown {
        PropertyMappingShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PropertyMapping>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        self.expression.check(&["expression"], errors);
        // What is not a scope token could never be asked for.
        let token = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if !self.scope_name.chars().all(token) {
            errors.at(&["scope_name"], "A scope has no spaces, quotation marks, backslashes or letters beyond ASCII.", "invalid");
        }
    }

    fn remarks(&self, _: &Row<'_>, remarks: &mut Errors) {
        self.expression.remark(&["expression"], remarks);
    }
}

#[async_trait]
impl PropertyMapping for ScopeMapping {
    fn name(&self) -> &str {
        &self.name
    }

    async fn evaluate(&self, request: &Request, extra: Extra) -> Evaluation {
        self.expression.evaluate(request, extra).await
    }
}

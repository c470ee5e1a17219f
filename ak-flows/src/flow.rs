//! Flows.

use ak_policy::{EngineMode, PolicyTarget};
use ak_store::model::{Address, Key, Kind, Meta, Pk, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::binding::FlowStageBinding;

/// What a flow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Designation {
    /// Signing in.
    Authentication,
    /// Letting an application have what it asks for.
    Authorization,
    /// Signing out.
    Invalidation,
    /// Signing up.
    Enrollment,
    /// Leaving.
    Unenrollment,
    /// Getting back in.
    Recovery,
    /// Changing one's own settings.
    StageConfiguration,
}

impl Designation {
    /// All designations.
    pub const ALL: [Self; 7] = [
        Self::Authentication,
        Self::Authorization,
        Self::Invalidation,
        Self::Enrollment,
        Self::Unenrollment,
        Self::Recovery,
        Self::StageConfiguration,
    ];

    /// The name in the contract and in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Invalidation => "invalidation",
            Self::Enrollment => "enrollment",
            Self::Unenrollment => "unenrollment",
            Self::Recovery => "recovery",
            Self::StageConfiguration => "stage_configuration",
        }
    }

    /// The designation of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str() == name)
    }
}

/// How pages of a flow are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A card in the middle.
    #[default]
    Stacked,
    /// The card left of the content.
    ContentLeft,
    /// The card right of the content.
    ContentRight,
    /// A column on the left.
    SidebarLeft,
    /// A column on the right.
    SidebarRight,
    /// A column on the left, the background beside it.
    SidebarLeftFrameBackground,
    /// A column on the right, the background beside it.
    SidebarRightFrameBackground,
}

/// What happens when a flow is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeniedAction {
    /// On to `next` if there is one, else a message.
    #[default]
    MessageContinue,
    /// A message.
    Message,
    /// On to `next` if there is one, else to the start.
    Continue,
}

/// Who may begin a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// Anybody.
    #[default]
    None,
    /// Who has signed in.
    RequireAuthenticated,
    /// Who has not signed in.
    RequireUnauthenticated,
    /// Superusers.
    RequireSuperuser,
    /// Who was led here by another flow.
    RequireRedirect,
    /// Outposts.
    RequireOutpost,
    /// Who holds a token for it.
    RequireToken,
}

/// A flow: stages in an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Name, for administrators.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Visible in the URL.
    #[schemars(length(min = 1), regex(pattern = r"^[-a-zA-Z0-9_]+$"))]
    pub slug: String,
    /// Title of the flow's pages.
    #[schemars(length(min = 1))]
    pub title: String,
    /// What the flow is for.
    pub designation: Designation,
    /// Address of the picture behind the flow's pages; the brand's where it is empty.
    #[serde(default)]
    pub background: String,
    /// How the results of several policies make one.
    #[serde(default)]
    pub policy_engine_mode: EngineMode,
    /// Asks for pages that password managers on phones understand. Our pages always are plain forms; with this on, they come without
    /// any script.
    #[serde(default)]
    pub compatibility_mode: bool,
    /// How pages are laid out.
    #[serde(default)]
    pub layout: Layout,
    /// What happens when the flow is refused.
    #[serde(default)]
    pub denied_action: DeniedAction,
    /// Who may begin the flow.
    #[serde(default)]
    pub authentication: Authentication,
}

/// The read-only fields of a flow.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FlowShown {
    policybindingmodel_ptr_id: Value,
    background_url: String,
    background_themed_urls: Option<Value>,
    stages: Vec<Value>,
    policies: Vec<Value>,
    cache_count: u32,
    export_url: String,
}

impl Kind for Flow {
    const META: Meta = Meta {
        address: Address::Field("slug"),
        pk_filters: &["flow_uuid"],
        label: "name",
        unique: &[&["slug"]],
        search: &["name", "slug", "designation", "title"],
        order: &["slug"],
        ..Meta::new("authentik_flows.flow", "flows/instances", "Flow", "Flows")
    };

    type Shown = FlowShown;

    fn shown(&self, row: &Row<'_>) -> FlowShown {
        let to = Key::Object(row.pk());
        let mut stages: Vec<(i32, Pk, Value)> = Vec::new();
        // A binding that cannot be read is shown as itself, and refused by the planner; here it has no stage to list.
        for (at, binding) in row.snapshot.referring::<FlowStageBinding>(to).filter_map(Result::ok) {
            stages.push((binding.order, at.pk(), binding.stage.pk().value()));
        }
        stages.sort_by_key(|(order, pk, _)| (*order, *pk));
        FlowShown {
            policybindingmodel_ptr_id: row.pk().value(),
            background_url: self.background.clone(),
            background_themed_urls: None,
            stages: stages.into_iter().map(|(_, _, stage)| stage).collect(),
            policies: bound_policies(row),
            cache_count: 0,
            export_url: format!("/api/v3/flows/instances/{}/export/", self.slug),
        }
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PolicyTarget>(|s| s);
    }
}

impl PolicyTarget for Flow {
    fn engine_mode(&self) -> EngineMode {
        self.policy_engine_mode
    }
}

/// The bindings that guard an object.
fn bound_policies(row: &Row<'_>) -> Vec<Value> {
    let bindings = row.snapshot.referring::<ak_policy::PolicyBinding>(Key::Object(row.pk()));
    bindings.filter_map(Result::ok).filter(|(_, b)| b.target.pk() == row.pk()).map(|(at, _)| at.pk().value()).collect()
}

/// The fields that a flow has inside other answers (`FlowSet`).
pub(crate) const FLOW_SET: &[&str] = &[
    "pk",
    "policybindingmodel_ptr_id",
    "name",
    "slug",
    "title",
    "designation",
    "background_url",
    "policy_engine_mode",
    "compatibility_mode",
    "export_url",
    "layout",
    "denied_action",
];

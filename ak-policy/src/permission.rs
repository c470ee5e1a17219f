//! What can be permitted: it follows from the kinds that a program knows.

use ak_store::model::Registry;

/// Something that can be permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Its place in the list, from 1.
    pub id: u32,
    /// The part of the model's name before the dot: `authentik_flows`.
    pub app: String,
    /// The part of the model's name behind the dot: `flow`.
    pub model: String,
    /// What one of the model's objects is called.
    pub model_verbose: String,
    /// What is permitted: `view_flow`.
    pub codename: String,
    /// The same for people.
    pub name: String,
}

impl Permission {
    /// The name by which roles hold it: `authentik_flows.view_flow`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.app, self.codename)
    }

    /// The model that it is about: `authentik_flows.flow`.
    pub fn model_name(&self) -> String {
        format!("{}.{}", self.app, self.model)
    }
}

/// Records that permissions are about, as kinds are.
const RECORDS: &[(&str, &str)] =
    &[("authentik_core.user", "User"), ("authentik_core.group", "Group"), ("authentik_core.token", "Token")];

/// Permissions besides viewing, adding, changing and deleting: model, name, for people.
const SPECIAL: &[(&str, &str, &str)] = &[
    ("authentik_core.user", "reset_user_password", "Reset Password"),
    ("authentik_core.user", "impersonate", "Can impersonate other users"),
    ("authentik_core.user", "preview_user", "Can preview user data sent to providers"),
    ("authentik_core.user", "view_user_applications", "View applications the user has access to"),
    ("authentik_core.group", "add_user_to_group", "Add user to group"),
    ("authentik_core.group", "remove_user_from_group", "Remove user from group"),
    ("authentik_core.group", "enable_group_superuser", "Enable superuser status"),
    ("authentik_core.group", "disable_group_superuser", "Disable superuser status"),
    ("authentik_core.token", "view_token_key", "View token's key"),
    ("authentik_core.token", "set_token_key", "Set a token's key"),
    ("authentik_crypto.certificatekeypair", "view_certificatekeypair_certificate", "View Certificate-Key pair's certificate"),
    ("authentik_crypto.certificatekeypair", "view_certificatekeypair_key", "View Certificate-Key pair's private key"),
    ("authentik_flows.flow", "export_flow", "Can export a Flow"),
    ("authentik_flows.flow", "inspect_flow", "Can inspect a Flow's execution"),
    ("authentik_flows.flow", "view_flow_cache", "View Flow's cache metrics"),
    ("authentik_flows.flow", "clear_flow_cache", "Clear Flow's cache metrics"),
    ("authentik_rbac.role", "assign_role_permissions", "Can assign permissions to roles"),
    ("authentik_rbac.role", "unassign_role_permissions", "Can unassign permissions from roles"),
    ("authentik_rbac.systempermission", "view_system_info", "Can view system info"),
    ("authentik_rbac.systempermission", "access_admin_interface", "Can access admin interface"),
    ("authentik_rbac.systempermission", "view_system_settings", "Can view system settings"),
    ("authentik_rbac.systempermission", "edit_system_settings", "Can edit system settings"),
];

/// The model of the permissions that are about no object at all.
pub const SYSTEM: &str = "authentik_rbac.systempermission";

/// Everything that can be permitted in a program.
#[derive(Debug, Clone)]
pub struct Permissions(Vec<Permission>);

impl Permissions {
    /// What can be permitted about the kinds of this registry, and about records.
    pub fn of(registry: &Registry) -> Self {
        let kinds = registry.kinds().iter().map(|kind| (kind.meta.model, kind.meta.name));
        let models: Vec<(&str, &str)> = kinds.chain(RECORDS.iter().copied()).collect();
        let mut all = Self(Vec::new());
        for (model, verbose) in &models {
            for (verb, words) in [("view", "Can view"), ("add", "Can add"), ("change", "Can change"), ("delete", "Can delete")] {
                let codename = format!("{verb}_{}", model.split_once('.').map_or(*model, |(_, name)| name));
                all.push(model, verbose, codename, format!("{words} {verbose}"));
            }
        }
        for (model, codename, name) in SPECIAL {
            let verbose = models.iter().find(|(known, _)| known == model).map(|(_, verbose)| *verbose);
            if let Some(verbose) = verbose.or((*model == SYSTEM).then_some("System permission")) {
                all.push(model, verbose, (*codename).to_owned(), (*name).to_owned());
            }
        }
        all
    }

    fn push(&mut self, model: &str, verbose: &str, codename: String, name: String) {
        let (app, model) = model.split_once('.').unwrap_or((model, ""));
        let id = u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1);
        let (app, model, model_verbose) = (app.to_owned(), model.to_owned(), verbose.to_owned());
        self.0.push(Permission { id, app, model, model_verbose, codename, name });
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter()
    }

    /// The one that roles hold by this name: `authentik_flows.view_flow`.
    pub fn find(&self, full_name: &str) -> Option<&Permission> {
        let (app, codename) = full_name.split_once('.')?;
        self.0.iter().find(|permission| permission.app == app && permission.codename == codename)
    }
}

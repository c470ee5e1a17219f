//! A flow as a drawing: text in Mermaid's language for flowcharts.

use std::fmt::Write as _;

use ak_policy::{EngineMode, Policy, PolicyBinding};
use ak_store::model::{Key, People, Pk, Ref, Snapshot};

use crate::binding::FlowStageBinding;
use crate::flow::Flow;

/// The drawing of a flow: where it begins, whom it asks, which stages follow each other, where it ends. `people` are the accounts
/// and groups that its bindings name.
pub fn diagram(snapshot: &Snapshot, at: Ref<Flow>, people: &People) -> String {
    let Some(flow) = snapshot.get(at) else { return "graph TD\n".into() };
    let mut drawing = Drawing { snapshot, people, text: "graph TD\n".into(), open: Vec::new(), policies: 0 };
    drawing.node("flow_start", "([\"", &format!("{}\n({})", flow.title, flow.designation.as_str()), "\"])");
    drawing.open.push(("flow_start".into(), ""));
    drawing.guard(at.pk(), flow.policy_engine_mode, Some("flow_denied"));
    let mut bindings: Vec<_> = snapshot.referring::<FlowStageBinding>(at).filter_map(Result::ok).collect();
    bindings.sort_by_key(|(to, binding)| (binding.order, to.pk()));
    for (place, (to, binding)) in bindings.into_iter().enumerate() {
        drawing.stage(place, to, binding);
    }
    drawing.enter("flow_end");
    drawing.node("flow_end", "([\"", "End of the flow", "\"])");
    drawing.text
}

struct Drawing<'a> {
    snapshot: &'a Snapshot,
    people: &'a People,
    text: String,
    /// The nodes whose arrow leads to what is drawn next, with the words on the arrow.
    open: Vec<(String, &'static str)>,
    policies: usize,
}

impl Drawing<'_> {
    fn node(&mut self, id: &str, open: &str, label: &str, close: &str) {
        let _ = writeln!(self.text, "{id}{open}{}{close}", quoted(label));
    }

    fn arrow(&mut self, from: &str, words: &str, to: &str) {
        let words = if words.is_empty() { String::new() } else { format!("|\"{words}\"|") };
        let _ = writeln!(self.text, "{from} -->{words} {to}");
    }

    /// Leads all open arrows to a node.
    fn enter(&mut self, to: &str) {
        for (from, words) in std::mem::take(&mut self.open) {
            self.arrow(&from, words, to);
        }
    }

    fn stage(&mut self, place: usize, at: Ref<FlowStageBinding>, binding: &FlowStageBinding) {
        let id = format!("stage_{place}");
        let refused = self.guard(at.pk(), binding.policy_engine_mode, None);
        self.enter(&id);
        let stage = self.snapshot.object(binding.stage.pk());
        let kind = stage.and_then(|s| self.snapshot.kind_of(s)).map_or("Stage that cannot be read", |info| info.meta.name);
        let document = stage.and_then(|s| s.body()).map(|body| body.document()).unwrap_or_default();
        let name = document.get("name").and_then(|name| name.as_str()).unwrap_or_default();
        self.node(&id, "[\"", &format!("{kind}\n{name}"), "\"]");
        // Who is refused passes over the stage.
        self.open = refused;
        self.open.push((id, ""));
    }

    /// Draws the bindings of something that is guarded, one after the other. What lets through stays open; what refuses leads to
    /// `denied`, or is given back.
    fn guard(&mut self, target: Pk, mode: EngineMode, denied: Option<&str>) -> Vec<(String, &'static str)> {
        let bindings = self.snapshot.referring::<PolicyBinding>(Key::Object(target)).filter_map(Result::ok);
        let mut bindings: Vec<_> = bindings.filter(|(_, b)| b.target.pk() == target && b.enabled).collect();
        bindings.sort_by_key(|(at, binding)| (binding.order, at.pk()));
        let (mut passed, mut refused) = (Vec::new(), Vec::new());
        let last = bindings.len().saturating_sub(1);
        for (place, (_, binding)) in bindings.into_iter().enumerate() {
            let id = format!("policy_{}", self.policies);
            self.policies += 1;
            self.enter(&id);
            let label = self.subject(binding);
            self.node(&id, "{{\"", &label, "\"}}");
            let (yes, no) = ((id.clone(), "passes"), (id, "refuses"));
            // Of all, the first that refuses decides; of any, the first that lets through.
            match mode {
                EngineMode::All => {
                    refused.push(no);
                    if place == last { passed.push(yes) } else { self.open.push(yes) }
                }
                EngineMode::Any => {
                    passed.push(yes);
                    if place == last { refused.push(no) } else { self.open.push(no) }
                }
            }
        }
        self.open.append(&mut passed);
        let Some(denied) = denied.filter(|_| !refused.is_empty()) else { return refused };
        for (from, words) in refused {
            self.arrow(&from, words, denied);
        }
        self.node(denied, "([\"", "Access denied", "\"])");
        Vec::new()
    }

    /// Whom or what a binding asks.
    fn subject(&self, binding: &PolicyBinding) -> String {
        let subject = if let Some(policy) = binding.policy {
            let policy = self.snapshot.get::<dyn Policy>(policy).map(|p| p.name().to_owned());
            format!("Policy\n{}", policy.unwrap_or_else(|| "cannot be read".into()))
        } else if let Some(group) = binding.group {
            format!("Group\n{}", self.people.groups.get(&group.key()).map_or("", |g| &g.name))
        } else {
            let user = binding.user.and_then(|user| self.people.users.get(&user.key()));
            format!("User\n{}", user.map_or("", |u| &u.username))
        };
        if binding.negate { format!("not: {subject}") } else { subject }
    }
}

/// A text between quotation marks: what means something to Mermaid or in HTML becomes its character's number.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("<br>"),
            '"' | '<' | '>' | '&' | '#' | ';' | '`' | '\\' | '%' | '{' | '}' | '[' | ']' | '|' => {
                let _ = write!(out, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

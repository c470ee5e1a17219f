//! From a flow to a plan: who may begin it, and which stages it has for this person.

use std::sync::Arc;

use ak_policy::{Context, Decision, Denial, Request, decide};
use ak_store::directory::Person;
use ak_store::model::{Key, Pk, Ref};

use crate::binding::FlowStageBinding;
use crate::effect::Effect;
use crate::flow::{Authentication, Designation, Flow};
use crate::plan::{Plan, PlanStep};
use crate::stage::{Client, Stage, World};

/// Why a flow cannot be begun, or gone on with.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// For administrators.
    pub reason: String,
    /// For the person.
    pub messages: Vec<String>,
    /// The user name of the account that was asked about, if any.
    pub about: Option<String>,
    /// What the policies said, if they were asked.
    pub decision: Option<Box<Decision>>,
    /// There is nothing to do: who has signed in need not sign in.
    pub already_done: bool,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), messages: Vec::new(), about: None, decision: None, already_done: false }
    }

    pub(crate) fn by(reason: impl Into<String>, decision: Decision) -> Self {
        Self { messages: decision.messages.clone(), decision: Some(Box::new(decision)), ..Self::new(reason) }
    }

    /// Of this account, unless it is said already.
    pub(crate) fn about(self, person: Option<&Person>) -> Self {
        let about = self.about.or_else(|| person.map(|person| person.user.username.clone()));
        Self { about, ..self }
    }

    /// It, as it is kept for administrators. `None`: nobody was refused anything.
    pub(crate) fn denial(&self, slug: &str, client: &Client) -> Option<Denial> {
        let denial = || Denial {
            what: format!("the flow {slug}"),
            reason: self.reason.clone(),
            user: self.about.clone(),
            client_ip: client.ip,
            decision: self.decision.as_deref().cloned(),
        };
        (!self.already_done).then(denial)
    }
}

/// The request that policies of a flow see: about the account that is being identified, else the one that has signed in.
pub(crate) fn request(world: &World<'_>, subject: Option<&Person>, context: &Context) -> Request {
    Request {
        person: subject.cloned().map(Arc::new),
        context: context.clone(),
        client_ip: world.client.ip,
        now: world.now,
        http: Some(world.http()),
        ..Request::new(world.snapshot.clone(), world.services.clone())
    }
}

/// Asks the policies of `target` about `subject`. What they change of what the flow has gathered is changed; what else they make
/// happen joins the effects.
pub(crate) async fn ask(
    world: &World<'_>,
    target: Pk,
    subject: Option<&Person>,
    context: &mut Context,
    effects: &mut Vec<Effect>,
) -> Decision {
    let mut decision = decide(target, &request(world, subject, context)).await;
    let changes = std::mem::take(&mut decision.changes);
    changes.apply(context);
    let user = subject.map(|p| p.user.pk);
    effects.extend(changes.effects.into_iter().map(|effect| Effect::Policy { user, effect }));
    decision
}

/// Whether the policies of a flow let the person go on.
pub(crate) async fn check_policies(
    world: &World<'_>,
    flow: Ref<Flow>,
    subject: Option<&Person>,
    context: &mut Context,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let decision = ask(world, flow.pk(), subject, context, effects).await;
    if decision.passing { Ok(()) } else { Err(Refusal::by("the policies of the flow refuse", decision).about(subject)) }
}

/// Makes a plan. `subject` is the account that the context names, else the one that has signed in; `effects` take up what policies
/// make happen, whether they let the person begin or not.
pub async fn plan(
    world: &World<'_>,
    at: Ref<Flow>,
    flow: &Flow,
    mut context: Context,
    subject: Option<&Person>,
    next: Option<String>,
    effects: &mut Vec<Effect>,
) -> Result<Plan, Refusal> {
    check_authentication(world, flow, &context)?;
    check_policies(world, at, subject, &mut context, effects).await?;
    let mut bindings = Vec::new();
    for found in world.snapshot.referring::<FlowStageBinding>(Key::from(at)) {
        let (to, binding) = found.map_err(|broken| Refusal::new(broken.to_string()))?;
        if world.snapshot.get::<dyn Stage>(binding.stage).is_none() {
            return Err(Refusal::new(format!("the stage {} cannot be read", binding.stage.pk())));
        }
        bindings.push((to, binding));
    }
    bindings.sort_by_key(|(to, binding)| (binding.order, to.pk()));
    let mut steps = Vec::with_capacity(bindings.len());
    for (to, binding) in bindings {
        if binding.evaluate_on_plan {
            let decision = ask(world, to.pk(), subject, &mut context, effects).await;
            if decision.undecided {
                return Err(Refusal::by(undecided(world, binding), decision).about(subject));
            }
            if !decision.passing {
                continue;
            }
        }
        steps.push(PlanStep { binding: to.pk().uuid(), re_evaluate: binding.re_evaluate_policies });
    }
    Ok(Plan {
        version: Plan::VERSION,
        flow: at.pk().uuid(),
        slug: flow.slug.clone(),
        bindings: fingerprint(world, at),
        steps,
        history: Vec::new(),
        context,
        memory: serde_json::Map::new(),
        entered: false,
        next,
        finale: None,
    })
}

/// Why nobody is led past a stage of which no policy could say whether it is to be passed over.
pub(crate) fn undecided(world: &World<'_>, binding: &FlowStageBinding) -> String {
    format!("a policy of the stage {} failed to decide", world.snapshot.name_of(binding.stage.pk()))
}

/// How many stage bindings a flow has, and the revision of the newest.
pub(crate) fn fingerprint(world: &World<'_>, at: Ref<Flow>) -> String {
    let kind = world.snapshot.registry().info::<FlowStageBinding>().map(|info| info.index);
    let bindings = world.snapshot.referrers(Key::from(at)).filter(|object| object.kind == kind);
    let (count, newest) = bindings.fold((0, 0), |(count, newest), object| (count + 1, object.revision.max(newest)));
    format!("{count}@{newest}")
}

fn check_authentication(world: &World<'_>, flow: &Flow, context: &Context) -> Result<(), Refusal> {
    let signed_in = world.person.is_some();
    if flow.designation == Designation::Authentication && signed_in && context.pending_user.is_none() && !context.anew {
        return Err(Refusal { already_done: true, ..Refusal::new("somebody has signed in already") });
    }
    let fits = match flow.authentication {
        Authentication::None => true,
        Authentication::RequireAuthenticated => signed_in,
        Authentication::RequireUnauthenticated => !signed_in || context.anew,
        Authentication::RequireSuperuser => world.person.is_some_and(Person::is_superuser),
        Authentication::RequireRedirect => context.get(Context::IS_REDIRECTED).is_some(),
        Authentication::RequireToken => context.get(Context::IS_RESTORED).is_some(),
        // No outpost can identify itself yet, so nobody is one.
        Authentication::RequireOutpost => false,
    };
    if fits { Ok(()) } else { Err(Refusal::new("the flow asks for another state of authentication")) }
}

/// Whether who goes on with a flow still is who may. Having signed in on the way is what authentication flows are for, and how a
/// person came to the flow does not change; everything else must still hold.
pub(crate) fn check_still(world: &World<'_>, flow: &Flow) -> Result<(), Refusal> {
    let fits = match flow.authentication {
        Authentication::RequireAuthenticated => world.person.is_some(),
        Authentication::RequireSuperuser => world.person.is_some_and(Person::is_superuser),
        _ => true,
    };
    if fits { Ok(()) } else { Err(Refusal::new("the flow asks for another state of authentication")) }
}

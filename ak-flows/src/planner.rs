//! From a flow to a plan: who may begin it, and which stages it has for this person.

use ak_policy::{Context, Decision, Request, decide};
use ak_store::directory::Person;
use ak_store::model::{Key, Ref};

use crate::binding::FlowStageBinding;
use crate::flow::{Authentication, Designation, Flow};
use crate::plan::{Plan, PlanStep};
use crate::stage::{Stage, World};

/// Why a flow cannot be begun, or gone on with.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// For administrators.
    pub reason: String,
    /// For the person.
    pub messages: Vec<String>,
    /// What the policies said, if they were asked.
    pub decision: Option<Decision>,
    /// There is nothing to do: who has signed in need not sign in.
    pub already_done: bool,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), messages: Vec::new(), decision: None, already_done: false }
    }

    pub(crate) fn by(reason: impl Into<String>, decision: Decision) -> Self {
        Self { messages: decision.messages.clone(), decision: Some(decision), ..Self::new(reason) }
    }
}

/// The request that policies of a flow see: about the account that is being identified, else the one that has signed in.
pub(crate) fn request<'a>(world: &'a World<'a>, subject: Option<&'a Person>, context: &'a Context) -> Request<'a> {
    Request { snapshot: world.snapshot, person: subject, context, client_ip: world.client.ip, now: world.now }
}

/// Whether the policies of a flow let the person go on.
pub(crate) fn check_policies(
    world: &World<'_>,
    flow: Ref<Flow>,
    subject: Option<&Person>,
    context: &Context,
) -> Result<(), Refusal> {
    let decision = decide(flow.pk(), &request(world, subject, context));
    if decision.passing { Ok(()) } else { Err(Refusal::by("the policies of the flow refuse", decision)) }
}

/// Makes a plan. `subject` is the account that the context names, else the one that has signed in.
pub fn plan(
    world: &World<'_>,
    at: Ref<Flow>,
    flow: &Flow,
    context: Context,
    subject: Option<&Person>,
    next: Option<String>,
) -> Result<Plan, Refusal> {
    check_authentication(world, flow, &context)?;
    check_policies(world, at, subject, &context)?;
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
            let decision = decide(to.pk(), &request(world, subject, &context));
            if decision.undecided {
                return Err(Refusal::by("a policy of a stage failed to decide", decision));
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
    })
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
    if flow.designation == Designation::Authentication && signed_in && context.pending_user.is_none() {
        return Err(Refusal { already_done: true, ..Refusal::new("somebody has signed in already") });
    }
    let fits = match flow.authentication {
        Authentication::None => true,
        Authentication::RequireAuthenticated => signed_in,
        Authentication::RequireUnauthenticated => !signed_in,
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

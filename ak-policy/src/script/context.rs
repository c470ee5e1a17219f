//! What a flow has gathered, as scripts see it. What they write is seen by the rest of the script and by the policies after it, and
//! kept in the plan.

use rhai::{Array, Dynamic};
use serde_json::{Value, json};

use super::people::User;
use super::run::Run;
use super::table::Table;
use super::value::{Wrong, texts, to_dynamic, to_json};
use crate::context::Context;

/// What a flow has gathered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextView;

/// The plan of a flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanView;

const PENDING_USER: &str = "pending_user";
const FLOW_PLAN: &str = "flow_plan";
const IP: &str = "ip";
const NOW: &str = "now";

/// The value of a name; `None` where there is none.
fn read(name: &str) -> Result<Option<Dynamic>, Wrong> {
    let run = Run::current()?;
    if name == PENDING_USER {
        return pending_user(&run);
    }
    if let Some(value) = run.with_context(|context| context.get(name).map(to_dynamic)) {
        return Ok(Some(value));
    }
    Ok(match name {
        FLOW_PLAN => Some(Dynamic::from(PlanView)),
        IP => run.request().client_ip.map(|ip| ip.to_string().into()),
        NOW => Some(Dynamic::from(super::time::now()?)),
        Context::GEOIP | Context::ASN => run.request().located(name).map(|value| to_dynamic(&value)),
        _ => None,
    })
}

/// The account that is being identified: the one that the request is about, or another one, looked up.
fn pending_user(run: &Run) -> Result<Option<Dynamic>, Wrong> {
    let Some(pk) = run.with_context(|context| context.pending_user) else { return Ok(None) };
    if let Some(person) = run.person().filter(|p| p.user.pk == pk) {
        return Ok(Some(Dynamic::from(User(Some(person.clone())))));
    }
    let conditions = [("pk".to_owned(), json!(pk))].into();
    let user = super::functions::look_up_user(run, &conditions, &[])?;
    Ok(user.map(|user| Dynamic::from(User(Some(user)))))
}

fn write(name: &str, value: &Dynamic) -> Result<(), Wrong> {
    let run = Run::current()?;
    match name {
        PENDING_USER if value.is_unit() => run.change_pending_user(None),
        PENDING_USER => match value.read_lock::<User>() {
            Some(user) => run.change_pending_user(user.0.as_ref().map(|p| p.user.pk)),
            None => return Err("pending_user is an account".into()),
        },
        // Written back by what was changed below it, which is kept already.
        FLOW_PLAN if value.is::<PlanView>() => {}
        FLOW_PLAN | IP | NOW | Context::GEOIP | Context::ASN => return Err(format!("{name} cannot be changed").into()),
        _ => run.change_context(name, Some(kept(name, value)?))?,
    }
    Ok(())
}

fn kept(name: &str, value: &Dynamic) -> Result<Value, Wrong> {
    to_json(value).map_err(|problem| format!("{name}: {problem}").into())
}

fn names() -> Result<Array, Wrong> {
    let run = Run::current()?;
    let mut names: Vec<String> = run.with_context(|context| context.values.keys().cloned().collect());
    names.extend(run.with_context(|context| context.pending_user).map(|_| PENDING_USER.to_owned()));
    names.push(FLOW_PLAN.to_owned());
    names.extend(run.request().client_ip.map(|_| IP.to_owned()));
    names.push(NOW.to_owned());
    let known = |name: &&str| !names.iter().any(|known| known == name) && run.request().located(name).is_some();
    let located: Vec<String> = [Context::GEOIP, Context::ASN].into_iter().filter(known).map(str::to_owned).collect();
    names.extend(located);
    Ok(texts(names))
}

fn remove(name: &str) -> Result<Dynamic, Wrong> {
    let was = read(name)?.unwrap_or(Dynamic::UNIT);
    match name {
        FLOW_PLAN | IP | NOW | Context::GEOIP | Context::ASN => return Err(format!("{name} cannot be changed").into()),
        PENDING_USER => Run::current()?.change_pending_user(None),
        _ => Run::current()?.change_context(name, None)?,
    }
    Ok(was)
}

/// Registers what flows have gathered.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<ContextView>("Context", "What the flow has gathered, by name. What is written to it is kept in the plan.")
        .index_getter("Context", "The value of a name: `context.prompt_data`, `context[\"prompt_data\"]`. A name that is not there is an error; see `get`. Besides what stages have gathered: `flow_plan`, `pending_user`, `ip`, `now`; and, where there are databases of addresses, `geoip` (`continent`, `country`, `lat`, `long`, `city`) and `asn` (`asn`, `as_org`, `network`), which are `()` for an address that is not in them.", |_: &mut ContextView, name: &str| -> Result<Dynamic, Wrong> {
            read(name)?.ok_or_else(|| format!("the context has no {name}").into())
        })
        .index_setter("Context", "Writes a value, which is kept in the plan. `pending_user` takes an account.", |_: &mut ContextView, name: &str, value: Dynamic| write(name, &value))
        .function("get(context: Context, name: String) -> Dynamic", "The value of a name; `()` where there is none.", |_: &mut ContextView, name: &str| -> Result<Dynamic, Wrong> {
            Ok(read(name)?.unwrap_or(Dynamic::UNIT))
        })
        .function("get(context: Context, name: String, default: Dynamic) -> Dynamic", "The value of a name; `default` where there is none.", |_: &mut ContextView, name: &str, default: Dynamic| -> Result<Dynamic, Wrong> {
            Ok(read(name)?.unwrap_or(default))
        })
        .function("contains(context: Context, name: String) -> bool", "Whether there is a value of that name (`\"prompt_data\" in context`).", |_: &mut ContextView, name: &str| -> Result<bool, Wrong> {
            Ok(read(name)?.is_some())
        })
        .function("keys(context: Context) -> Array", "All names.", |_: &mut ContextView| names())
        .function("is_empty(context: Context) -> bool", "Whether nothing was gathered; there is always `now`.", |_: &mut ContextView| -> Result<bool, Wrong> { Ok(names()?.is_empty()) })
        .function("remove(context: Context, name: String) -> Dynamic", "Takes a value away, and gives it.", |_: &mut ContextView, name: &str| remove(name))
        .kind::<PlanView>("FlowPlan", "The plan of the flow.")
        .getter("FlowPlan.context: Context", "What the flow has gathered.", |_: &mut PlanView| ContextView)
        .setter("FlowPlan.context: Context", "Takes back what was written below it.", |_: &mut PlanView, _: ContextView| {});
}

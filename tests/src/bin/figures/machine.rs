//! The pure machine of flows.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_flows::{
    Authentication, Client as Browser, Cx, DeniedAction, Designation, Finales, Flow, FlowStageBinding, InvalidResponseAction,
    Layout, Reply, Stage, StageError, StageShown, Step, StoreDirectory, World, advance, plan,
};
use ak_policy::{Context, Services};
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::model::{Kind, Meta, Ref, Registry, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::objects::memory;
use crate::table::{row, us};

/// A stage that asks nothing and passes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Silent {
    name: String,
}

impl Kind for Silent {
    const META: Meta = Meta::new("figures.silentstage", "stages/silent", "Silent Stage", "Silent Stages");

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

#[async_trait]
impl Stage for Silent {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }

    async fn respond(&self, _: &mut Cx<'_>, _: &ak_flows::Answer) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }
}

pub(crate) async fn machine() {
    let store = memory(ak_http::kinds(Registry::new()).with::<Silent>()).await;
    let added = store.write(|draft| {
        let flow = draft.add(&Flow {
            name: "Silence".into(),
            slug: "silence".into(),
            title: "Silence".into(),
            designation: Designation::Authorization,
            background: String::new(),
            policy_engine_mode: Default::default(),
            compatibility_mode: false,
            layout: Layout::Stacked,
            denied_action: DeniedAction::MessageContinue,
            authentication: Authentication::None,
        })?;
        for order in 0..3 {
            let stage = draft.add(&Silent { name: format!("silent-{order}") })?;
            draft.add(&FlowStageBinding {
                target: flow,
                stage: Ref::new(stage.pk()),
                evaluate_on_plan: false,
                re_evaluate_policies: true,
                order,
                policy_engine_mode: Default::default(),
                invalid_response_action: InvalidResponseAction::Retry,
            })?;
        }
        Ok(flow)
    });
    let at = added.await.expect("a flow");
    let hasher = PasswordHasher::new(Cost::cheap_for_tests());
    let directory = StoreDirectory::new(store.clone(), hasher, Duration::ZERO);
    let snapshot = store.snapshot();
    let browser = Browser::default();
    let services = Arc::new(Services::of(&store));
    let finales = Finales::default();
    let world = World {
        snapshot: &snapshot,
        directory: &directory,
        now: store.clock().now(),
        rng: &**store.rng(),
        client: &browser,
        person: None,
        request_id: "figures",
        services: &services,
        finales: &finales,
    };
    let flow = snapshot.get(at).expect("the flow");
    const TIMES: u32 = 50_000;
    let begun = Instant::now();
    for _ in 0..TIMES {
        let plan = plan(&world, at, flow, Context::default(), None, None, &mut Vec::new()).await.expect("a plan");
        let turn = advance(&world, flow, plan, None).await.expect("a turn");
        assert_eq!(black_box(turn).reply, Reply::Done("/".into()));
    }
    row("plan and three silent stages, inside, in memory", us(begun.elapsed() / TIMES), "20 µs");
}

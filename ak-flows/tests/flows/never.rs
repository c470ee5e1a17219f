//! Nobody is signed in who has not given, in this very browser and flow and in this order, what the flow's stages ask for.
//!
//! Random flows, and random answers to them: right and wrong ones, with wrong components, missing or oversized or wrong-typed fields, to old
//! turns, with requests sent twice, for other flows, from other browsers. The judge knows nothing of the machine: it looks
//! through what a browser has sent for an order of answers that satisfies every stage up to the login.
//!
//! Changes that were made to see it fail, each of which it finds: `Run::expects` always true (an answer to another component
//! counts); `stale` in `Runner::attempt` always false (an answer to an old page counts); `Checked::Right` whatever the password; a
//! plan kept across flows (without the comparison of `flow_pk`); a wrong password that passes its stage; a deny stage that passes.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::kit::{ADAS, BOBS, Browser, House, Spec, deny, dummy, house, identification, login, password};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Identification,
    /// With the password on the same page.
    Both,
    Password,
    Deny,
    Dummy,
    Login,
}

/// What a browser sends, as far as the judge is concerned.
#[derive(Debug, Clone)]
struct Sent {
    component: Option<&'static str>,
    uid: Option<&'static str>,
    password: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Move {
    browser: usize,
    flow: usize,
    sent: Option<Sent>,
    /// Fields that are not what they should be.
    odd: Option<(&'static str, Value)>,
    /// How far the turn is from the page's; `None`: none is said.
    turn: Option<i64>,
    /// The same request, sent twice.
    twice: bool,
}

const COMPONENTS: [&str; 4] = ["ak-stage-identification", "ak-stage-password", "ak-stage-dummy", "ak-stage-user-login"];

fn flows() -> impl Strategy<Value = Vec<Vec<Kind>>> {
    use Kind::{Both, Deny, Dummy, Identification, Login, Password};
    let kind = prop_oneof![3 => Just(Identification), 2 => Just(Both), 4 => Just(Password), 1 => Just(Deny), 2 => Just(Dummy), 3 => Just(Login)];
    let any = proptest::collection::vec(kind, 1..5);
    let usual = Just(vec![Identification, Password, Login]);
    let longer = Just(vec![Identification, Dummy, Password, Login]);
    let shut = Just(vec![Identification, Deny, Login]);
    proptest::collection::vec(prop_oneof![4 => usual, 2 => longer, 1 => shut, 5 => any], 2)
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let component = prop_oneof![3 => Just(None), 2 => proptest::sample::select(&COMPONENTS).prop_map(Some)];
    let uid = prop_oneof![3 => Just(Some("ada")), 1 => Just(Some("bob")), 1 => Just(Some("nobody")), 1 => Just(None)];
    let word = prop_oneof![4 => Just(Some(ADAS)), 1 => Just(Some(BOBS)), 1 => Just(Some("wrong")), 1 => Just(None)];
    let sent = (component, uid, word).prop_map(|(component, uid, password)| Sent { component, uid, password });
    let long = "x".repeat(5000);
    let value =
        proptest::sample::select(vec![json!(null), json!(7), json!(["ada"]), json!({}), json!(""), json!("\0"), json!(long)]);
    let odd = proptest::option::weighted(0.1, (proptest::sample::select(&["uid_field", "password"]), value));
    let turn = prop_oneof![4 => Just(Some(0)), 2 => Just(None), 2 => proptest::sample::select(&[-2_i64, -1, 1]).prop_map(Some)];
    let flow = prop_oneof![6 => Just(0_usize), 1 => Just(1)];
    let browser = prop_oneof![5 => Just(0_usize), 1 => Just(1)];
    let one = (browser, flow, proptest::option::weighted(0.9, sent), odd, turn, proptest::bool::weighted(0.15));
    let one = one.prop_map(|(browser, flow, sent, odd, turn, twice)| Move { browser, flow, sent, odd, turn, twice });
    proptest::collection::vec(one, 1..14)
}

async fn build(house: &House, slug: &str, kinds: &[Kind]) {
    let own = house.flow(&format!("{slug}-holder"), json!({}), &[password()]).await;
    let spec = |kind: &Kind| -> Spec {
        match kind {
            Kind::Identification => identification(),
            Kind::Both => identification().with(json!({ "password_stage": own.stages[0].value() })),
            Kind::Password => password(),
            Kind::Deny => deny("No."),
            Kind::Dummy => dummy(),
            Kind::Login => login(),
        }
    };
    let stages: Vec<Spec> = kinds.iter().map(spec).collect();
    house.flow(slug, json!({}), &stages).await;
}

/// Whether `sent` holds answers, in order, that satisfy every stage before a login of `user`. `named` was named last; `before` has signed in
/// in the browser already, so that a password may be hers.
fn allowed(stages: &[Kind], sent: &[Sent], named: Option<&'static str>, before: Option<&str>, user: &str) -> bool {
    let Some((kind, rest)) = stages.split_first() else { return false };
    let answers = |component: &'static str| {
        let fits = move |(_, sent): &(usize, &Sent)| sent.component.is_none_or(|c| c == component);
        sent.iter().enumerate().filter(fits).map(|(i, one)| (one, &sent[i + 1..]))
    };
    let is_password = |of: Option<&str>, word: Option<&str>| match of {
        Some("ada") => word == Some(ADAS),
        Some("bob") => word == Some(BOBS),
        _ => false,
    };
    match kind {
        Kind::Deny => false,
        Kind::Login => named == Some(user) || allowed(rest, sent, named, before.or(named), user),
        Kind::Dummy => answers("ak-stage-dummy").any(|(_, left)| allowed(rest, left, named, before, user)),
        Kind::Identification => answers("ak-stage-identification")
            .filter(|(one, _)| one.uid.is_some())
            .any(|(one, left)| allowed(rest, left, one.uid, before, user)),
        Kind::Both => answers("ak-stage-identification")
            .filter(|(one, _)| is_password(one.uid, one.password))
            .any(|(one, left)| allowed(rest, left, one.uid, before, user)),
        Kind::Password => ["ada", "bob"].into_iter().any(|whose| {
            // Who has been named, or (nobody has) who has signed in.
            let fits = named.map_or(before == Some(whose), |named| named == whose);
            fits && answers("ak-stage-password")
                .filter(|(one, _)| is_password(Some(whose), one.password))
                .any(|(_, left)| allowed(rest, left, Some(whose), before, user))
        }),
    }
}

/// A browser, and what it has sent to the flow that it is in.
struct Player<'a> {
    browser: Browser<'a>,
    flow: usize,
    sent: Vec<Sent>,
    /// Who had signed in when the flow was begun.
    before: Option<&'static str>,
}

fn name(house: &House, user: Option<i64>) -> Option<&'static str> {
    user.map(|pk| if pk == house.ada { "ada" } else { "bob" })
}

async fn step(house: &House, flows: &[Vec<Kind>], player: &mut Player<'_>, one: &Move) -> Result<(), TestCaseError> {
    let was = player.browser.session().await;
    if player.flow != one.flow || was.as_ref().is_none_or(|s| s.plan.is_none()) {
        (player.flow, player.sent) = (one.flow, Vec::new());
        player.before = name(house, was.as_ref().and_then(|s| s.user));
    }
    let fields = one.sent.as_ref().map(|sent| {
        let mut fields = json!({});
        for (name, value) in [("component", sent.component), ("uid_field", sent.uid), ("password", sent.password)] {
            if let Some(value) = value {
                fields[name] = json!(value);
            }
        }
        if let Some((name, value)) = &one.odd {
            fields[*name] = value.clone();
        }
        fields
    });
    let visit = player.browser.visit().await;
    let mut input = player.browser.input(fields.as_ref());
    let current = was.as_ref().map_or(0, |s| s.turn);
    input.turn = one.turn.map(|off| current + off);
    if let (Some(sent), None | Some(0)) = (&one.sent, one.turn) {
        let mut sent = sent.clone();
        match &one.odd {
            Some((name, _)) if *name == "uid_field" => sent.uid = None,
            Some(_) => sent.password = None,
            None => {}
        }
        player.sent.push(sent);
    }
    let slug = ["zero", "one"][one.flow];
    for _ in 0..=usize::from(one.twice) {
        let Ok(outcome) = house.runner.run(&visit, slug, input.clone()).await else { continue };
        player.browser.take(&outcome.cookie);
        let now = player.browser.user().await;
        if now != was.as_ref().and_then(|s| s.user) || matches!(outcome.cookie, ak_flows::CookieChange::Set { user: Some(_), .. })
        {
            let who = name(house, now).unwrap();
            prop_assert!(
                allowed(&flows[one.flow], &player.sent, None, player.before, who),
                "{who} was signed in by {:?} with {:?}",
                flows[one.flow],
                player.sent
            );
        }
    }
    Ok(())
}

async fn play(flows: &[Vec<Kind>], moves: &[Move]) -> Result<(), TestCaseError> {
    let house = house().await;
    for (slug, kinds) in ["zero", "one"].into_iter().zip(flows) {
        build(&house, slug, kinds).await;
    }
    let player = || Player { browser: house.browser(), flow: 0, sent: Vec::new(), before: None };
    let mut players = [player(), player()];
    for one in moves {
        step(&house, flows, &mut players[one.browser], one).await?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn nobody_is_signed_in_without_what_the_flow_asks_for(flows in flows(), moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&flows, &moves))?;
    }
}

#[tokio::test]
async fn the_judge_knows_a_right_sign_in_from_a_wrong_one() {
    let usual = [Kind::Identification, Kind::Password, Kind::Login];
    let sent = |component, uid, password| Sent { component, uid, password };
    let right = [sent(None, Some("ada"), None), sent(None, None, Some(ADAS))];
    assert!(allowed(&usual, &right, None, None, "ada"));
    assert!(!allowed(&usual, &right, None, None, "bob"));
    assert!(!allowed(&usual, &right[..1], None, None, "ada"));
    assert!(!allowed(&usual, &[right[1].clone(), right[0].clone()], None, None, "ada"));
    let elsewhere = [right[0].clone(), sent(Some("ak-stage-dummy"), None, Some(ADAS))];
    assert!(!allowed(&usual, &elsewhere, None, None, "ada"));
}

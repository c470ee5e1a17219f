//! Expression policies: what they can use, how far they get, and what becomes of their errors.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use std::sync::Arc;

use ak_policy::{Outcome, PolicyEffect, Request, Services, decide};
use ak_store::SystemClock;
use ak_store::records::NewUser;
use kit::House;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn a_binding_asks_an_expression() {
    let house = House::new().await;
    let ada = house.person("ada", &[]).await;
    let decision = house.ask(Some(&ada), r#"return request.user.username == "ada";"#).await;
    assert!(decision.passing, "{decision:?}");
    assert!(!house.ask(None, r#"return request.user.username == "ada";"#).await.passing);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place() {
    let house = House::new().await;
    let refused = |text| house.refusal(text);
    assert_eq!(refused("let a = ;").await, json!({ "expression": ["Unexpected ';' (line 1, column 9)"] }));
    assert_eq!(
        refused("let a = 1;\n  missing(a)").await,
        json!({ "expression": ["There is no function missing. (line 2, column 3)"] })
    );
}

/// A script that says its language: by itself it could be in another one too.
fn rhai(text: &str) -> String {
    format!("// rhai\n{text}")
}

/// Whether each of these expressions lets through; `ada` of the group `engineers`, which is part of `staff`, asks.
async fn table(house: &House, gathered: &[(&str, Value)], table: &[(&str, bool)]) {
    let staff = house.group("staff", &[]).await;
    let engineers = house.group("engineers", &[staff]).await;
    house.group("guests", &[]).await;
    let attributes = json!({ "team": { "floor": 3 }, "tags": ["a", "b"] });
    let new = NewUser {
        name: "Ada L.".into(),
        email: "ada@example.org".into(),
        attributes: attributes.as_object().cloned().unwrap(),
        ..NewUser::internal(Uuid::from_u128(7), "ada")
    };
    let ada = house.person_of(new, &[engineers]).await;
    house.person("bob", &[]).await;
    for (text, passing) in table {
        let decision = house.ask_in(Some(&ada), gathered, &rhai(text)).await;
        assert_eq!(decision.trace[0].outcome, Outcome::Answered, "{text}");
        assert_eq!(decision.passing, *passing, "{text}");
    }
}

#[tokio::test]
async fn accounts_and_groups_are_seen() {
    let expected = [
        (r#"request.user.name == "Ada L." && user.email == "ada@example.org" && user == request.user"#, true),
        (r#"user.uuid == "00000000-0000-0000-0000-000000000007" && user.pk > 0 && user.uid.len() == 64"#, true),
        ("user.is_active && user.is_authenticated && !user.is_anonymous && !user.is_superuser", true),
        (r#"user.type == "internal" && user.path == "users" && !user.has_usable_password()"#, true),
        (r#"user.attributes.team.floor == 3 && "a" in user.attributes["tags"]"#, true),
        (r#"user.attributes.get("missing", 5) == 5 && user.attributes.get("missing") == ()"#, true),
        (r#"user.group_attributes().team.floor == 3 && user.group_attributes(request).tags.len() == 2"#, true),
        (r#"user.groups.filter(#{name: "engineers"}).exists()"#, true),
        (r#"user.groups.filter(#{name: "staff"}).exists()"#, false),
        (r#"user.all_groups().filter(#{name: "staff"}).exists() && user.ak_groups.all().count() == 1"#, true),
        (r#"user.all_groups().filter(#{name__in: ["staff", "x"], pk__startswith: ""}).len() == 1"#, true),
        (r#"user.all_groups().exclude(#{name__icontains: "STAFF"}).first().name == "engineers""#, true),
        (r#"user.groups.filter(#{name: "none"}).first() == ()"#, true),
        (r#"user.groups.filter(#{name: "none"})"#, false),
        (r#"let names = []; for g in user.all_groups() { names.push(g.name); } names == ["engineers", "staff"]"#, true),
        (r#"user.all_groups().values_list("name") == ["engineers", "staff"]"#, true),
        (r#"ak_is_group_member(user, #{name: "staff"}) && !ak_is_group_member(user, #{name: "guests"})"#, true),
        (r#"ak_user_by(#{username: "bob"}).email == "bob@example.org""#, true),
        (r#"ak_user_by(#{email__iexact: "BOB@example.org"}).username == "bob" && ak_user_by(#{username: "eve"}) == ()"#, true),
        (r#"ak_user_by(#{color: "red"}) == ()"#, true),
        (r#"ak_objects("User").filter(#{username__iexact: "BOB"}).first().username == "bob""#, true),
        (r#"ak_objects("User").filter(#{email: "bob@example.org"}).filter(#{username: "bob"}).exists()"#, true),
        (r#"ak_objects("User").filter(#{email: "bob@example.org"}).exclude(#{username: "bob"}).exists()"#, false),
        (r#"ak_objects("User").filter(#{email: "bob@example.org"}).exclude(#{pk: user.pk}).exclude(#{}).exists()"#, true),
        (
            r#"ak_objects("User").filter(#{username: "eve"}).first() == () && ak_objects("User").filter(#{pk: 0}).is_empty()"#,
            true,
        ),
        (r#"ak_group_by(#{name: "guests"}).name == "guests" && ak_group_by(#{name: "none"}) == ()"#, true),
        (r#"ak_group_by(#{name: "engineers"}) in user.groups"#, true),
        ("user.last_login == () && user.date_joined.year == 2024 && user.password_change_date <= now()", true),
        // A yes and a no as Python has them.
        ("return ();", false),
        ("return [];", false),
        ("return #{a: 1};", true),
        ("return 0.0;", false),
        (r#"return "no";"#, true),
    ];
    table(&House::new().await, &[], &expected).await;
}

#[tokio::test]
async fn texts_addresses_and_dates_are_seen() {
    let expected = [
        (r#"regex_match("a@example.org", "@example\\.org$") && !regex_match("a@example.org.evil", "@example\\.org$")"#, true),
        (r#"regex_match("a\n", "a$") && !regex_match("a\n", "a\\Z") && regex_match("x$y", "[$]")"#, true),
        (r#"regex_replace("john smith", "(\\w+) (\\w+)", "\\2 $1 \\g<1>") == "smith $1 john""#, true),
        (r#"list_flatten([1, [2, [3]], []]) == [1, 2, 3]"#, true),
        (r#"slugify("  Hello, World_1 -- x ") == "hello-world_1-x""#, true),
        (r#"ak_client_ip in ip_network("192.0.2.0/24") && !(ak_client_ip in ip_network("10.0.0.0/8"))"#, true),
        (
            r#"ak_client_ip == ip_address("192.0.2.7") && ak_client_ip.version == 4 && ak_client_ip.to_string() == "192.0.2.7""#,
            true,
        ),
        (r#"ip_address("10.1.2.3").is_private && ip_address("::1").is_loopback && !ip_address("8.8.8.8").is_private"#, true),
        (r#"ip_address("100.64.0.1").is_global || ip_address("fd00::1").is_global"#, false),
        (r#"context.ip == "192.0.2.7" && request.context.get("ip") != "192.0.2.8""#, true),
        ("now().hour == 12 && now().weekday() == 1 && now().isoweekday() == 2 && context.now == now()", true),
        (r#"now() - timedelta(#{hours: 13}) < now() && (now() - timedelta(#{hours: 13})).day == 1"#, true),
        (r#"(now() - datetime("2024-01-01")).total_seconds() == 129600.0 && (now() - datetime("2024-01-01")).days == 1"#, true),
        (r#"now().strftime("%H:%M") == "12:00" && now().isoformat() == "2024-01-02T12:00:00+00:00""#, true),
        (r#"datetime_from_timestamp(0).year == 1970 && utcnow() == now()"#, true),
    ];
    table(&House::new().await, &[], &expected).await;
}

#[tokio::test]
async fn what_a_flow_has_gathered_is_seen() {
    let gathered = [("prompt_data", json!({ "groups": ["a"], "deep": { "n": 1 } })), ("is_sso", json!(true))];
    let expected = [
        (r#""a" in context.prompt_data.groups && context["prompt_data"]["deep"].n == 1"#, true),
        (r#""prompt_data" in context && !("other" in context) && "flow_plan" in request.context"#, true),
        (r#"context.get("other", 1) == 1 && context.get("other") == () && "prompt_data" in context.keys()"#, true),
        (r#"context.flow_plan.context.prompt_data.deep.n == 1 && ak_is_sso_flow"#, true),
        (r#"context.x = #{a: 1}; context.x.a = 2; context.x.a == 2 && request.context.flow_plan.context.x.a == 2"#, true),
        (r#"context.prompt_data.deep.n += 1; context.prompt_data.deep.n == 2"#, true),
        (r#"context.remove("prompt_data"); "prompt_data" in context"#, false),
        (r#"request.debug || request.http_request != () || http_request != ()"#, false),
        (r#"request.obj.name.starts_with("door") && request.obj.pk != """#, true),
    ];
    table(&House::new().await, &gathered, &expected).await;
}

#[tokio::test]
async fn what_is_written_is_a_change_of_the_decision() {
    let house = House::new().await;
    let (ada, staff) = (house.person("ada", &[]).await, house.group("staff", &[]).await);
    let text = r#"
        context.flow_plan.context.color = "red";
        context.prompt_data.seen = true;
        context.flow_plan.context.pending_user = ak_user_by(#{username: "ada"});
        user.groups.add(ak_group_by(#{name: "staff"}));
        if !user.groups.filter(#{name: "staff"}).exists() { throw "not seen"; }
        user.attributes["avatar"] = "data:image/png,";
        user.save();
        ak_create_event("visit", #{page: 1});
        ak_message("told");
        ak_logger.warning("careful", #{n: 2});
        context.pending_user == user
    "#;
    let decision = house.ask_in(Some(&ada), &[("prompt_data", json!({}))], text).await;
    assert!(decision.passing, "{decision:?}");
    assert_eq!(decision.messages, ["told"]);
    assert_eq!(decision.trace[0].log[0].event, "careful n=2");
    let changes = &decision.changes;
    assert_eq!(Value::from(changes.context.clone()), json!({ "color": "red", "prompt_data": { "seen": true } }));
    assert_eq!(changes.pending_user, Some(Some(ada.user.pk)));
    let user = ada.user.pk;
    let attributes = json!({ "avatar": "data:image/png," }).as_object().cloned().unwrap();
    let event = json!({ "page": 1 }).as_object().cloned().unwrap();
    assert_eq!(
        changes.effects,
        [
            PolicyEffect::AddToGroup { user, group: staff },
            PolicyEffect::SetAttributes { user, attributes },
            PolicyEffect::Event { action: "custom_visit".into(), context: event },
        ]
    );
}

#[tokio::test]
async fn what_a_script_did_before_it_failed_is_not_done() {
    let house = House::new().await;
    let ada = house.person("ada", &[]).await;
    house.group("staff", &[]).await;
    let text = r#"context.x = 1; user.groups.add(ak_group_by(#{name: "staff"})); ak_logger.info("here"); throw "no";"#;
    let decision = house.ask(Some(&ada), text).await;
    assert!(!decision.passing && decision.undecided && decision.messages.is_empty());
    assert!(decision.changes.context.is_empty());
    assert_eq!(decision.trace[0].log[0].event, "here");
    let [PolicyEffect::Event { action, context }] = &decision.changes.effects[..] else { panic!("{decision:?}") };
    assert_eq!(action, "policy_exception");
    assert_eq!(context["message"], "Policy failed: no (line 1, column 88)");
}

/// Scripts without an end, or with too much of something, and what is said of them.
const HOSTILE: &[(&str, &str)] = &[
    ("loop {}", "the script takes too many steps"),
    ("let n = 0; while true { n += 1; }", "the script takes too many steps"),
    ("fn f(n) { f(n + 1) } f(0)", "the script calls too deep"),
    (r#"let s = "x"; loop { s += s; }"#, "Length of string too large"),
    ("let a = [1]; loop { a += a; }", "Size of array/BLOB too large"),
    ("let a = []; loop { a = [a]; }", "Size of array/BLOB too large"),
    (r#"let m = #{}; for i in 0..100000 { m["k" + i] = i; }"#, "the script keeps too much"),
    (
        r#"let a = []; a.pad(3000, ""); let s = ""; s.pad(100000, 'x'); for i in 0..3000 { a[i] = s + i; }"#,
        "the script keeps too much",
    ),
    (r#"let a = []; let s = ""; s.pad(200000, 'x'); loop { a.push(s); }"#, "Length of string too large"),
    (r#"let a = []; a.pad(1000000000000, 1);"#, "Size of array/BLOB too large"),
    (r#"let s = ""; s.pad(100000, 'a'); if !regex_match(s, "^(a*)*b$") { throw "linear"; }"#, "linear"),
    ("1 / 0 == 1", "Division by zero"),
    ("9223372036854775807 + 1 > 0", "overflow"),
    ("context.missing == 1", "the context has no missing"),
    ("user.attributes.missing == 1", "missing"),
    (r#"let f = Fn("sleep"); f.call(1)"#, "a script does not lie idle"),
    ("user.password", "password"),
    (r#"user.is_active = false"#, ""),
    (r#"ip_address("here")"#, "here is not an IP address"),
    (r#"datetime("soon")"#, "soon is not a date"),
    (r#"now().strftime("%Q")"#, "%Q is not a form of dates"),
    (r#"ak_call_policy("nobody")"#, "there is no policy nobody"),
    (r#"context.f = |x| x"#, "cannot be kept"),
    ("throw `\u{202e}\u{1d54f}`;", "\u{1d54f}"),
];

#[tokio::test]
async fn hostile_scripts_end_and_are_told_with_their_place() {
    let house = House::new().await;
    let ada = house.person("ada", &[]).await;
    for (text, said) in HOSTILE {
        let decision = house.ask(Some(&ada), &rhai(text)).await;
        let Outcome::Failed(failure) = &decision.trace[0].outcome else { panic!("{text}: {decision:?}") };
        assert!(failure.message.contains(said), "{text}: {failure}");
        assert!(failure.line.is_some() && failure.column.is_some(), "{text}: {failure}");
        assert!(!decision.passing && decision.undecided, "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_not_saved() {
    let house = House::new().await;
    for (text, said) in [
        ("ak_send_email(1)", "The function ak_send_email is not available: it comes with e-mail. (line 2, column 1)"),
        (
            "ak_user_has_authenticator(user)",
            "The function ak_user_has_authenticator is not available: it comes with authenticator devices.",
        ),
        ("return nobody;", "Undefined variable: nobody (line 2, column 8)"),
        (r#"regex_match("a", "(?=b)")"#, "lookahead"),
        (r#"import "x" as y;"#, "import"),
        (r#"eval("1")"#, "eval"),
        (concat!("slee", "p(1)"), "There is no function sleep"),
        ("fn f() { gone() } f()", "There is no function gone. (line 2, column 10)"),
    ] {
        let refusal = house.refusal(&rhai(text)).await;
        assert!(refusal["expression"][0].as_str().unwrap().contains(said), "{text}: {refusal}");
    }
    let long = format!("// {}", "x".repeat(70_000));
    assert!(house.refusal(&long).await["expression"][0].as_str().unwrap().contains("no more than"));
    for open in ["(", "[", "!", "-", "if true {", "f(", "a.b(", "|x| "] {
        let refusal = house.refusal(&open.repeat(10_000)).await;
        assert!(refusal["expression"][0].is_string(), "{open}: {refusal}");
    }
}

/// What a binding makes of each of these scripts, in all ways of binding them: an error is its failure result and nothing else.
#[tokio::test]
async fn an_error_never_becomes_a_pass_by_being_turned_round() {
    let house = House::new().await;
    let quick = HOSTILE.iter().map(|(text, _)| *text).filter(|text| !text.contains("loop") && !text.contains("for "));
    for text in quick {
        for (negate, failure_result) in [(false, false), (true, false), (false, true), (true, true)] {
            let door = house.expression(&rhai(text), json!({ "negate": negate, "failure_result": failure_result })).await;
            let decision = decide(door, &house.request(None)).await;
            assert_eq!((decision.passing, decision.undecided), (failure_result, !failure_result), "{text} {negate}");
        }
    }
    for (text, negate, passing) in [("true", false, true), ("true", true, false), ("false", false, false), ("false", true, true)]
    {
        let door = house.expression(text, json!({ "negate": negate, "failure_result": true })).await;
        assert_eq!(decide(door, &house.request(None)).await.passing, passing, "{text} {negate}");
    }
}

#[tokio::test]
async fn the_time_of_a_binding_is_the_time_of_its_script() {
    let house = House::new().await;
    let services = Services { clock: Arc::new(SystemClock), ..Services::of(&house.store) };
    let slow = r#"let s = ""; s.pad(100000, 'a'); loop { regex_match(s, "(a|aa)*b"); }"#;
    for (timeout, said) in [(0, "the time was over before the policy could be asked"), (1, "the time is over")] {
        let door = house.expression(slow, json!({ "timeout": timeout })).await;
        let request = Request { services: Arc::new(services.clone()), ..house.request(None) };
        let decision = decide(door, &request).await;
        let Outcome::Failed(failure) = &decision.trace[0].outcome else { panic!("{decision:?}") };
        assert_eq!(failure.message, said);
        assert!(decision.trace[0].micros < 5_000_000, "{}", decision.trace[0].micros);
    }
}

#[tokio::test]
async fn policies_ask_each_other_and_see_what_those_before_them_wrote() {
    let house = House::new().await;
    let model = "authentik_policies_expression.expressionpolicy";
    house.make(model, json!({ "name": "inner", "expression": "ak_message(`n is ${context.n}`); context.n == 2" })).await.unwrap();
    house.make(model, json!({ "name": "forever", "expression": rhai(r#"ak_call_policy("forever").passing"#) })).await.unwrap();
    let asked = house.ask(None, r#"let r = ak_call_policy("inner", #{n: 2}); r.passing && r.messages == ["n is 2"]"#).await;
    assert!(asked.passing, "{asked:?}");
    let forever = house.ask(None, &rhai(r#"ak_call_policy("forever")"#)).await;
    assert!(forever.undecided && format!("{:?}", forever.trace[0].outcome).contains("too deep"), "{forever:?}");
    let door = house.expression(&rhai("context.n = 2; true"), json!({ "order": 0 })).await;
    let policy = house.make(model, json!({ "name": "later", "expression": rhai("context.n == 3") })).await.unwrap();
    let second = json!({ "policy": policy.value(), "target": door.value(), "order": 1, "negate": true });
    house.make("authentik_policies.policybinding", second).await.unwrap();
    let decision = decide(door, &house.request(None)).await;
    assert_eq!(decision.trace.iter().map(|t| t.passing).collect::<Vec<_>>(), [true, true]);
}

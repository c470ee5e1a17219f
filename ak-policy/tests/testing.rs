//! Scenes: what tests of policies are told with.

use ak_policy::testing::{Answering, Broken, Group, Http, Scene, User};
use ak_policy::{Outcome, Policy, PolicyEffect};
use ak_store::records::UserType;
use chrono::Duration;
use serde_json::json;

fn ada() -> User {
    User::named("ada").email("ada@example.org")
}

#[tokio::test]
async fn a_decision_is_asserted_in_three_lines() -> Result<(), Broken> {
    let decision = Scene::new().user(ada()).ask(r#"ak_message("no"); user.groups.filter(#{name: "staff"}).exists()"#).await?;
    assert!(!decision.passing && decision.trace[0].outcome == Outcome::Answered, "{decision}");
    assert_eq!(decision.messages, ["no"]);
    Ok(())
}

/// Whether all of these are true in a scene.
async fn holds(scene: Scene, expressions: &[&str]) -> Result<(), Broken> {
    let house = scene.open().await?;
    for expression in expressions {
        let decision = house.ask(&format!("// rhai\n{expression}")).await?;
        assert!(decision.passing, "{expression}: {decision}");
    }
    Ok(())
}

#[tokio::test]
async fn people_are_as_they_are_described() -> Result<(), Broken> {
    let described = ada()
        .full_name("Ada Lovelace")
        .within("engineers")
        .attribute("floor", 3)
        .of_type(UserType::External)
        .path("guests")
        .inactive()
        .with_password()
        .joined("2023-05-01")
        .signed_in("2023-12-24 18:00");
    let scene = Scene::new()
        .group(Group::named("engineers").part_of("staff").attribute("level", 2))
        .group(Group::named("staff").of_superusers())
        .user(described)
        .other(User::named("bob"));
    let expected = [
        r#"user.name == "Ada Lovelace" && user.username == "ada" && user.email == "ada@example.org""#,
        r#"user.type == "external" && user.path == "guests" && !user.is_active && user.has_usable_password()"#,
        r#"user.group_attributes().level == 2 && user.attributes.floor == 3"#,
        r#"user.all_groups().filter(#{is_superuser: true}).first().name == "staff" && user.groups.count() == 1"#,
        r#"user.date_joined.year == 2023 && user.last_login.hour == 18"#,
        r#"ak_user_by(#{username: "bob"}).date_joined == now() && ak_user_by(#{username: "bob"}).last_login == ()"#,
    ];
    holds(scene, &expected).await
}

#[tokio::test]
async fn what_is_asked_is_as_it_is_described() -> Result<(), Broken> {
    let http = Http::get("https://app.example.org:8443/a/b?x=1&y=%20").method("POST").header("X-One", "1");
    let address = |text: &str| text.parse().unwrap();
    let scene = Scene::new()
        .http(http)
        .from(address("192.0.2.7"))
        .zone("Asia/Tokyo")
        .at("2026-11-18T10:00")
        .gathered("prompt_data", json!({ "a": [1] }))
        .gathered("pending_user", "bob")
        .other(User::named("bob"))
        .resolves("one.example", [address("192.0.2.7"), address("::1")])
        .answers("https://api.example.org/a?b=1", Answering::json(json!({ "allowed": [1] })).header("X-Two", "2"))
        .answers("https://api.example.org/", Answering::text("no"))
        .answers("https://api.example.org/busy", Answering::status(503))
        .located(address("192.0.2.7"), json!({ "country": "DE" }))
        .routed(address("192.0.2.7"), json!({ "asn": 64496 }))
        .located(address("192.0.2.8"), json!({ "country": "FR" }))
        .policy("helper", "// rhai\ncontext.more == 5");
    let expected = [
        r#"http_request.method == "POST" && http_request.get_host() == "app.example.org:8443" && http_request.is_secure()"#,
        r#"http_request.path == "/a/b" && http_request.GET.y == " " && http_request.headers["x-one"] == "1""#,
        r#"ak_client_ip == ip_address("192.0.2.7") && context.ip == "192.0.2.7""#,
        "now().hour == 10 && utcnow().hour == 1 && now().year == 2026",
        r#"context.prompt_data.a == [1] && context.pending_user.username == "bob" && !("b" in context)"#,
        r#"resolve_dns("one.example", 4) == ["192.0.2.7"]"#,
        r#"reverse_dns("192.0.2.7") == "one.example""#,
        r#"let r = requests.get("https://api.example.org/a", #{params: #{b: 1}}); r.json().allowed == [1] && r.headers["x-two"] == "2""#,
        r#"requests.get("https://api.example.org").text == "no" && requests.get("https://api.example.org/busy").status_code == 503"#,
        r#"context.geoip.country == "DE" && context.geoip.city == "" && context.asn.asn == 64496"#,
        r#"ak_call_policy("helper", #{more: 5}).passing"#,
        r#"user.is_anonymous && request.obj.name == "An application" && !request.debug"#,
    ];
    holds(scene.clone(), &expected).await?;
    let unknown = scene.ask(r#"return resolve_dns("two.example")"#).await?;
    assert!(
        matches!(&unknown.trace[0].outcome, Outcome::Failed(failure) if failure.message.contains("two.example")),
        "{unknown}"
    );
    let unknown = scene.ask(r#"return requests.get("https://other.example/").ok"#).await?;
    assert!(unknown.to_string().contains("the scene does not say what https://other.example/ answers"), "{unknown}");
    for broken in [
        scene.clone().located(address("192.0.2.9"), json!({ "contry": "DE" })),
        scene.clone().answers("/", Answering::status(200)),
    ] {
        assert!(broken.open().await.is_err());
    }
    holds(scene.trial(), &["request.debug"]).await
}

#[tokio::test]
async fn time_stands_still_until_it_is_moved() -> Result<(), Broken> {
    let house = Scene::new().at("2026-11-18 16:59").open().await?;
    let early = "return now().hour < 17";
    assert!(house.ask(early).await?.passing);
    house.clock().advance(Duration::minutes(1));
    assert!(!house.ask(early).await?.passing);
    assert!(!house.ask("from datetime import datetime\nreturn datetime.now().hour < 17").await?.passing);
    Ok(())
}

#[tokio::test]
async fn changes_are_told_with_names() -> Result<(), Broken> {
    let house = Scene::new().user(ada().within("old")).group(Group::named("new")).gathered("gone", 1).open().await?;
    let policy = r#"
        user.groups.add(ak_group_by(#{name: "new"}));
        user.groups.remove(ak_group_by(#{name: "old"}));
        user.attributes["a"] = 1;
        user.save();
        context.x = 2;
        context.remove("gone");
        context.pending_user = user;
        ak_create_event("seen", #{n: 1});
    "#;
    let decision = house.ask(policy).await?;
    let expected = json!({
        "context": { "x": 2 },
        "removed": ["gone"],
        "pending_user": "ada",
        "joins": { "ada": ["new"] },
        "leaves": { "ada": ["old"] },
        "attributes": { "ada": { "a": 1 } },
        "events": [{ "action": "custom_seen", "context": { "n": 1 } }],
    });
    assert_eq!(house.changes(&decision), expected);
    // Nothing happened.
    assert_eq!(house.changes(&house.ask("user.groups.count() == 1 && user.attributes.is_empty()").await?), json!({}));
    let failed = house.ask("throw 1").await?;
    assert!(failed.changes.effects.iter().any(|effect| matches!(effect, PolicyEffect::Event { .. })));
    assert_eq!(house.changes(&failed), json!({}));
    Ok(())
}

#[tokio::test]
async fn other_kinds_of_policies_are_asked_too() -> Result<(), Broken> {
    let scene = Scene::new().user(ada().joined("2023-12-01"));
    let house = scene.open().await?;
    let fields = json!({ "name": "expiry", "days": 14, "deny_only": true });
    let policy = house.object("authentik_policies_expiry.passwordexpirypolicy", fields).await?;
    let decision = house.ask_policy(policy).await?;
    assert!(!decision.passing, "{decision}");
    let snapshot = house.store().snapshot();
    assert!(snapshot.view::<dyn Policy>(snapshot.object(policy).unwrap()).is_some());
    Ok(())
}

#[tokio::test]
async fn a_scene_that_contradicts_itself_says_how() {
    let broken = |scene: Scene| async move { scene.open().await.err().map(|Broken(why)| why).unwrap_or_default() };
    let twice = Scene::new().group(Group::named("a")).group(Group::named("a"));
    assert_eq!(broken(twice).await, "there are two groups a");
    assert_eq!(broken(Scene::new().at("noon")).await, "noon is not a moment, as 2026-11-18 10:00 is");
    assert_eq!(broken(Scene::new().zone("Mars/Base")).await, "there is no time zone Mars/Base");
    assert_eq!(broken(Scene::new().gathered("pending_user", "eve")).await, "there is no account eve");
    assert!(broken(Scene::new().http(Http::get("/relative"))).await.contains("not an absolute address"));
    assert!(broken(Scene::new().user(ada()).other(ada())).await.contains("ada"));
    assert!(
        broken(Scene::new().group(Group::named("a").part_of("b")).group(Group::named("b").part_of("a")))
            .await
            .contains("the group")
    );
    let refused = Scene::new().ask("// rhai\nreturn missing()").await.err().map(|Broken(why)| why);
    assert_eq!(refused.as_deref(), Some("There is no function missing. (line 2, column 8)"));
}

#[tokio::test]
async fn a_decision_reads_well() -> Result<(), Broken> {
    let decision = Scene::new().ask("ak_logger.info(\"looking\");\nak_message(\"Sorry.\");\nthrow \"broken\"").await?;
    let text = decision.to_string();
    assert!(text.starts_with("refused, because of an error\n  0. the policy policy "), "{text}");
    assert!(text.contains("failed: broken (line 3, column 1); no instead") && text.contains("\n     info: looking"), "{text}");
    Ok(())
}

#[tokio::test]
async fn other_machines_answer_what_the_scene_says() -> Result<(), Broken> {
    // SHA-1 of "password": 5BAA6 1E4C9B93F3F0682250B6CF8331B7EE68FD8.
    let range = "https://api.pwnedpasswords.com/range/5BAA6";
    let fields = json!({ "name": "leaked", "check_static_rules": false, "check_have_i_been_pwned": true });
    let told = async |scene: Scene| {
        let house = scene.gathered("prompt_data", json!({ "password": "password" })).open().await?;
        let policy = house.object("authentik_policies_password.passwordpolicy", fields.clone()).await?;
        house.ask_policy(policy).await
    };
    let leaked = told(Scene::new().answers(range, Answering::text("1E4C9B93F3F0682250B6CF8331B7EE68FD8:7\r\n"))).await?;
    assert_eq!(leaked.messages, ["Password exists on 7 online lists."], "{leaked}");
    let fresh = told(Scene::new().answers(range, Answering::text("0000000000000000000000000000000000A:1\r\n"))).await?;
    assert!(fresh.passing, "{fresh}");
    for (scene, said) in
        [(Scene::new().answers(range, Answering::status(503)), "answered 503"), (Scene::new(), "the scene does not say")]
    {
        let failed = told(scene).await?;
        assert!(!failed.passing && failed.to_string().contains(said), "{failed}");
    }
    Ok(())
}

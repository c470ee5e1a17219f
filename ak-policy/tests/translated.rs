//! Expression policies in Python: what they see, what is said of them, and when a text is which language.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use std::collections::BTreeMap;
use std::sync::Arc;

use ak_policy::script::{Language, Script};
use ak_policy::{HttpRequest, Outcome, PolicyEffect, Request, Services, decide};
use ak_store::records::NewUser;
use kit::House;
use serde_json::{Value, json};
use uuid::Uuid;

type Expression = Script;

fn language(text: &str) -> Option<Language> {
    let script = Expression::new(text);
    script.problems().is_empty().then(|| script.language())
}

#[test]
fn the_first_line_says_the_language_and_else_the_text_itself() {
    let (rhai, python) = (Some(Language::Rhai), Some(Language::Python));
    let table = [
        ("// rhai\nuser.is_active", rhai),
        ("# python\nreturn user.is_active", python),
        ("#Python:\nreturn user.is_active", python),
        // One language only.
        ("return !user.is_active;", rhai),
        ("return not user.is_active", python),
        ("return True", python),
        ("return true", rhai),
        (r#"return user.groups.filter(name="Admins").exists()"#, python),
        (r#"return user.groups.filter(#{name: "Admins"}).exists()"#, rhai),
        // Both, with the same meaning.
        ("return user.is_superuser", rhai),
        (r#"return request.context.get("ip") == "192.0.2.1""#, rhai),
        (r#"return user.username in ["ada", "grace"]"#, rhai),
        // Both, and who knows.
        ("user.is_superuser", None),
        ("return 7 // 2", None),
        ("return 7 / 2 == 3", None),
        (r#"return "\$" == user.name"#, python),
        // The mark counts, whatever the text could be.
        ("// rhai\nreturn not user.is_active", None),
        ("# python\nreturn user.is_active && true", None),
    ];
    for (text, expected) in table {
        assert_eq!(language(text), expected, "{text}: {:?}", Expression::new(text).problems());
    }
    let ambiguous = Expression::new("return 7 // 2");
    assert!(ambiguous.problems()[0].message.contains("`// rhai` or `# python`"));
}

#[test]
fn what_was_written_is_read_back_and_what_it_became_is_kept_beside_it() {
    let text = "# python\nreturn  request.user.username  ==  'ada'  # her";
    let script = Expression::new(text);
    assert_eq!(serde_json::to_value(&script).unwrap(), json!(text));
    assert!(script.translation().unwrap().contains("py_eq"), "{:?}", script.translation());
    assert_eq!(Expression::new("// rhai\ntrue").translation(), None);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_in_python() {
    let house = House::new().await;
    let refused = [
        ("x = 1\nreturn x and  provider.name", "provider", "(line 2, column 15)"),
        ("# python\nreturn (", "this is not Python", "line"),
        ("# python\nreturn ak_send_email(\"a@example.org\", \"x\")", "it comes with e-mail", "(line 2, column 8)"),
        ("# python\nreturn ak_user_has_authenticator(user)", "authenticator devices", "line 2"),
        ("# python\nyield True", "`yield` gives no answer", "(line 2, column 1)"),
    ];
    for (text, reason, place) in refused {
        said(text, &house.refusal(text).await, reason, place);
    }
    // What is sound but not covered is kept for somebody to work over, and refuses everybody until then.
    let kept = [
        ("import os\nreturn True", "the import of `os` is not covered", "(line 1, column 8)"),
        ("# python\nif user.is_active:\n    return missing(user)", "missing", "(line 3, column 12)"),
        ("# python\nreturn user.nothing", "the attribute `nothing` is not known", "(line 2, column 13)"),
        ("# python\nreturn User.objects.filter(name=\"x\").exists()", "", "line 2"),
        ("from authentik.core.models import User\nreturn User.objects.filter(shoe=\"x\").exists()", "searched by shoe", "line 2"),
        ("from authentik.core.models import User\nreturn User.objects.exclude(pk__in=[1]).first()", "by pk__in", "line 2"),
        ("from authentik.core.models import Group\nreturn Group.objects.get(name=\"x\")", "no get; it has filter", "line 2"),
        ("from authentik.core.models import User\nreturn User.objects.filter(email=1).delete()", "has no delete", "line 2"),
        (
            "from authentik.core.models import Group\nreturn Group.objects.filter(shoe=\"x\").exists()",
            "searched by shoe",
            "line 2",
        ),
        (
            "from authentik.stages.authenticator_webauthn.models import WebAuthnDevice\nreturn WebAuthnDevice.objects.filter(user=user, confirmed=True).exists()",
            "come with authenticator devices",
            "line 2",
        ),
        ("# python\nreturn regex_match(user.name, \"(?=a)\")", "linear time", "(line 2, column 31)"),
    ];
    for (text, reason, place) in kept {
        said(text, &house.remark(text).await, reason, place);
    }
}

#[track_caller]
fn said(text: &str, told: &serde_json::Value, reason: &str, place: &str) {
    let told = told["expression"][0].as_str().unwrap_or_else(|| panic!("{text}: {told}"));
    assert!(told.contains(reason) && told.contains(place), "{text}: {told}");
}

/// Whether each of these expressions in Python lets through; `ada` of the group `engineers`, which is part of `staff`, asks.
async fn table(gathered: &[(&str, Value)], table: &[(&str, bool)]) {
    let house = House::new().await;
    let staff = house.group("staff", &[]).await;
    let engineers = house.group("engineers", &[staff]).await;
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
        let decision = house.ask_in(Some(&ada), gathered, &format!("# python\n{text}")).await;
        assert_eq!(decision.trace[0].outcome, Outcome::Answered, "{text}: {decision:?}");
        assert_eq!(decision.passing, *passing, "{text}");
    }
}

#[tokio::test]
async fn people_and_groups_are_seen() {
    let expected = [
        ("return user.groups.filter(name='engineers').exists()", true),
        ("from authentik.core.models import Group\nreturn Group.objects.filter(name='staff').first().name == 'staff'", true),
        ("from authentik.core.models import Group\nreturn Group.objects.filter(name='nobody').first() is None", true),
        (
            "from authentik.core.models import Group\nreturn Group.objects.filter(name__in=['staff', 'x', 'engineers', 'staff']).count() == 2",
            true,
        ),
        (
            "from authentik.core.models import Group\nreturn [g.name for g in Group.objects.filter(name__in=['staff', 'engineers'])] == ['engineers', 'staff']",
            true,
        ),
        (
            "from authentik.core.models import Group\nfor g in Group.objects.filter(name='staff'):\n    return g in user.all_groups()",
            true,
        ),
        ("return request.user.ak_groups.filter(name__iexact='STAFF').exists()", false),
        ("return user.all_groups().filter(name__in=['staff']).count() == 1", true),
        ("return [g.name for g in user.ak_groups.all()] == ['engineers']", true),
        ("return sorted(user.all_groups().values_list('name', flat=True)) == ['engineers', 'staff']", true),
        ("return list(user.groups.values_list('name')) == [('engineers',)]", true),
        ("return any(g.name.startswith('eng') for g in user.groups.all())", true),
        ("return len(user.groups.all()) == 1 and bool(user.groups.all())", true),
        ("if user.groups.filter(name='none'):\n    return True\nreturn False", false),
        ("return user.groups.filter(name='none').first() is None", true),
        ("return user.groups.get(name='engineers').name == 'engineers'", true),
        ("return user.attributes['team']['floor'] == 3 and 'a' in user.attributes.get('tags', [])", true),
        ("return user.attributes.get('missing', {}).get('x') is None", true),
        ("try:\n    return user.attributes['missing']\nexcept KeyError:\n    return True", true),
        ("return user.group_attributes(request).get('team') == {'floor': 3}", true),
        ("return ak_is_group_member(request.user, name='staff')", true),
        ("return ak_user_by(username='bob').email.endswith('@example.org') and ak_user_by(username='eve') is None", true),
        ("return ak_user_by(username='bob') != user and user == request.user", true),
        ("return user.last_login is None and user.date_joined.year == 2024", true),
        ("from django.utils.timezone import now\nreturn user.date_joined <= now()", true),
        ("return str(user) == 'ada' and f'{user.username}!' == 'ada!'", true),
        ("return", false),
        ("return []", false),
        ("return {'a': 1}", true),
        ("return user.groups.filter(name='none')", false),
    ];
    table(&[], &expected).await;
}

#[tokio::test]
async fn what_is_asked_and_what_a_flow_has_gathered_are_seen() {
    let gathered = [("prompt_data", json!({ "groups": ["a"], "deep": { "n": 1 } })), ("is_sso", json!(true))];
    let expected = [
        ("return context['prompt_data']['deep']['n'] == 1 and 'a' in request.context['prompt_data']['groups']", true),
        ("return 'prompt_data' in context and 'other' not in context and context.get('other', 1) == 1", true),
        ("try:\n    return context['other']\nexcept KeyError as error:\n    return str(error) == \"'other'\"", true),
        ("context['x'] = {'a': 1}\ncontext['x']['a'] += 1\nreturn request.context['x'] == {'a': 2}", true),
        ("context['prompt_data']['deep']['n'] = 5\nreturn context['flow_plan'].context['prompt_data']['deep']['n'] == 5", true),
        ("return ak_is_sso_flow and not request.debug and request.http_request is None", true),
        ("return context['ip'] == '192.0.2.7' and str(ak_client_ip) == '192.0.2.7'", true),
        ("return ak_client_ip in ip_network('192.0.2.0/24') and not ak_client_ip.is_global", true),
        ("return request.obj.name.startswith('door') and len(request.obj.pk) == 36", true),
        ("return regex_match(user.email, '^a.a@') and regex_replace('abc', 'b', 'x') == 'axc'", true),
        ("import datetime\nnow = datetime.datetime.now()\nreturn 9 <= now.hour < 17 and now.weekday() == 1", true),
        ("ak_message('x')\nreturn ak_logger.info('seen', who=user.username) is None", true),
    ];
    table(&gathered, &expected).await;
}

#[tokio::test]
async fn headers_have_no_case_and_hours_are_those_of_the_zone() {
    let house = House::new().await;
    let headers = BTreeMap::from([("user-agent".to_owned(), "curl/8".to_owned())]);
    let http = Arc::new(HttpRequest { method: "GET".into(), headers, ..HttpRequest::default() });
    let services = Arc::new(Services::of(&house.store).with_zone("Asia/Tokyo").unwrap());
    let texts = [
        "return request.http_request.headers.get('User-Agent') == http_request.META['HTTP_USER_AGENT'] == 'curl/8'",
        "return http_request.headers['USER-AGENT'].startswith('curl') and 'Accept' not in http_request.headers",
        "from datetime import datetime, timezone\nreturn datetime.now().hour == 21 and datetime.now(timezone.utc).hour == 12",
    ];
    for text in texts {
        let door = house.expression(text, json!({})).await;
        let request = Request { http: Some(http.clone()), services: services.clone(), ..house.request(None) };
        let decision = decide(door, &request).await;
        assert!(decision.passing, "{text}: {decision:?}");
    }
}

#[tokio::test]
async fn errors_deny_with_the_words_of_python_and_its_line() {
    let house = House::new().await;
    let ada = house.person("ada", &[]).await;
    let table = [
        ("x = {}\nif True:\n    return x['y']", "KeyError: 'y'", 3),
        ("return 1 / 0", "ZeroDivisionError: division by zero", 1),
        // What the real object has and ours has not is nothing that a script can catch.
        ("try:\n    return user.locale()\nexcept Exception:\n    return True", "locale", 2),
        ("try:\n    return user.backend\nexcept:\n    return True", "backend", 2),
        // On one line: what is kept is added up now and then, wherever the script is.
        ("l = []\nfor i in range(20000): l.append('a' * 100000)\nreturn True", "the script keeps too much", 2),
        ("while True:\n    pass", "the script takes too many steps", 1),
    ];
    for (text, message, line) in table {
        let text = format!("{text}\n# python");
        for negate in [false, true] {
            let door = house.expression(&text, json!({ "negate": negate })).await;
            let decision = decide(door, &house.request(Some(&ada))).await;
            assert!(!decision.passing, "{text}");
            let shown = format!("{:?}", decision.trace[0]);
            assert!(shown.contains(message) && shown.contains(&format!("line: Some({line})")), "{text}: {shown}");
        }
    }
}

#[tokio::test]
async fn what_is_written_is_a_change_of_the_decision() {
    let house = House::new().await;
    let group = house.group("members", &[]).await;
    let ada = house.person("ada", &[]).await;
    let text = "# python\ncontext['flow_plan'].context['seen'] = {'by': [user.username]}\nuser.attributes['floor'] = 4\nuser.save()\nreturn user.attributes['floor'] == 4";
    let decision = house.ask(Some(&ada), text).await;
    assert!(decision.passing, "{decision:?}");
    assert_eq!(decision.changes.context["seen"], json!({ "by": ["ada"] }));
    let kept = json!({ "floor": 4 }).as_object().cloned().unwrap();
    assert_eq!(decision.changes.effects, [PolicyEffect::SetAttributes { user: ada.user.pk, attributes: kept }]);
    let text = "// rhai\nuser.groups.add(ak_group_by(#{name: \"members\"}));\nreturn true;";
    let decision = house.ask(Some(&ada), text).await;
    assert_eq!(decision.changes.effects, [PolicyEffect::AddToGroup { user: ada.user.pk, group }]);
}

//! What prompts ask, and what they take.

use serde_json::{Value, json};

use crate::kit::{Browser, House, dummy, house, prompt};

/// A browser at a flow with one prompt of these fields.
async fn asked<'a>(house: &'a House, slug: &str, fields: &[(&str, &str, Value)]) -> Browser<'a> {
    let fields = house.prompts(fields).await;
    house.flow(slug, json!({}), &[prompt(&fields), dummy()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.get(slug).await, "prompt");
    browser
}

/// What the flow has gathered.
async fn gathered(browser: &Browser<'_>) -> Value {
    browser.session().await.unwrap().plan.unwrap()["context"]["values"]["prompt_data"].clone()
}

#[tokio::test]
async fn every_type_of_field_takes_what_it_asks_for() {
    let house = house().await;
    let png = "data:image/png;base64,iVBORw0KGgo=";
    for (kind, more, sent, kept) in [
        ("text", json!({}), json!(" a "), json!(" a ")),
        ("text_area", json!({}), json!("a\nb"), json!("a\nb")),
        ("username", json!({}), json!(" carol "), json!("carol")),
        ("email", json!({}), json!("carol@example.com "), json!("carol@example.com")),
        ("number", json!({}), json!("-12"), json!(-12)),
        ("number", json!({}), json!(12), json!(12)),
        ("checkbox", json!({}), json!("on"), json!(true)),
        ("checkbox", json!({ "required": false }), json!(false), json!(false)),
        ("radio-button-group", json!({ "placeholder": "red\ngreen" }), json!("green"), json!("green")),
        ("dropdown", json!({ "placeholder": "red\n\n green \n" }), json!("green"), json!("green")),
        ("date", json!({}), json!("2026-02-28"), json!("2026-02-28")),
        ("date-time", json!({}), json!("2026-02-28T23:59"), json!("2026-02-28T23:59:00")),
        ("file", json!({}), json!(png), json!(png)),
        ("ak-locale", json!({}), json!("en"), json!("en")),
        // What a field has of its own stays, whatever is sent.
        ("hidden", json!({ "initial_value": "own" }), json!("sent"), json!("own")),
        ("static", json!({ "initial_value": "own" }), json!("sent"), json!("own")),
        ("text_read_only", json!({ "initial_value": "own" }), json!("sent"), json!("own")),
        ("text_area_read_only", json!({ "initial_value": "own" }), json!("sent"), json!("own")),
        ("separator", json!({}), json!("sent"), Value::Null),
        ("alert_info", json!({}), json!("sent"), Value::Null),
        ("alert_warning", json!({}), json!("sent"), Value::Null),
        ("alert_danger", json!({}), json!("sent"), Value::Null),
    ] {
        let slug = format!("f{}", house.store.snapshot().len());
        let mut browser = asked(&house, &slug, &[("key", kind, more)]).await;
        assert_eq!(browser.post(&slug, &json!({ "key": sent })).await, "dummy", "{kind} {sent}");
        assert_eq!(gathered(&browser).await["key"], kept, "{kind} {sent}");
    }
}

#[tokio::test]
async fn every_type_of_field_refuses_what_it_does_not_ask_for() {
    let house = house().await;
    for (kind, more, sent, problem) in [
        ("text", json!({}), json!("  "), "This field may not be blank."),
        ("text", json!({}), Value::Null, "This field may not be blank."),
        ("text", json!({}), json!(["a"]), "Not a valid string."),
        ("text", json!({}), json!("a\u{0}"), "Null characters are not allowed."),
        ("text", json!({}), json!("x".repeat(5000)), "Ensure this field has no more than 4096 characters."),
        ("username", json!({}), json!("ada"), "Username is already taken."),
        ("username", json!({}), json!("ADA"), "Username is already taken."),
        ("username", json!({}), json!(" ada"), "Username is already taken."),
        ("username", json!({}), json!("x".repeat(151)), "Ensure this field has no more than 150 characters."),
        ("username", json!({}), json!("a\nb"), "Enter a valid user name."),
        ("email", json!({}), json!("carol"), "Enter a valid email address."),
        ("email", json!({ "required": false }), json!("carol"), "Enter a valid email address."),
        ("number", json!({}), json!("twelve"), "A valid integer is required."),
        ("number", json!({}), json!(1.5), "A valid integer is required."),
        ("checkbox", json!({}), json!("off"), "This field is required."),
        ("checkbox", json!({}), json!("maybe"), "Must be a valid boolean."),
        ("dropdown", json!({ "placeholder": "red" }), json!("green"), "\"green\" is not a valid choice."),
        ("dropdown", json!({}), json!("green"), "\"green\" is not a valid choice."),
        ("radio-button-group", json!({ "placeholder": "red" }), json!(""), "This field may not be blank."),
        ("ak-locale", json!({}), json!("tlh"), "\"tlh\" is not a valid choice."),
        ("date", json!({}), json!("28.02.2026"), "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
        ("date", json!({}), json!("2026-02-30"), "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
        (
            "file",
            json!({}),
            json!("data:text/html;base64,eA=="),
            "Files of this type are not taken. Choose a picture, a PDF or a plain text.",
        ),
    ] {
        let slug = format!("f{}", house.store.snapshot().len());
        let mut browser = asked(&house, &slug, &[("key", kind, more)]).await;
        let said = browser.post(&slug, &json!({ "key": sent })).await;
        assert_eq!(said, format!("prompt [key: {problem}]"), "{kind}");
        assert_eq!(gathered(&browser).await, Value::Null, "{kind}");
    }
}

#[tokio::test]
async fn a_field_that_need_not_be_filled_in_may_be_empty() {
    let house = house().await;
    let kinds =
        ["text", "username", "email", "dropdown", "ak-locale", "number", "date", "date-time", "file", "password", "checkbox"];
    let fields: Vec<_> = kinds.iter().map(|kind| (*kind, *kind, json!({ "required": false }))).collect();
    let mut browser = asked(&house, "empty", &fields).await;
    let blank: serde_json::Map<String, Value> = kinds.iter().map(|kind| ((*kind).to_owned(), json!(""))).collect();
    assert_eq!(browser.post("empty", &Value::Object(blank)).await, "dummy");
    let expected = json!({ "text": "", "username": "", "email": "", "dropdown": "", "ak-locale": "", "checkbox": false });
    assert_eq!(gathered(&browser).await, expected);
}

#[tokio::test]
async fn only_the_fields_that_are_asked_for_are_taken() {
    let house = house().await;
    let mut browser = asked(&house, "own", &[("name", "text", json!({}))]).await;
    let sent = json!({ "name": "Carol", "is_superuser": true, "groups": ["x"], "pk": 1, "attributes.role": "x" });
    assert_eq!(browser.post("own", &sent).await, "dummy");
    assert_eq!(gathered(&browser).await, json!({ "name": "Carol" }));
}

#[tokio::test]
async fn what_was_typed_is_there_again_but_for_passwords_and_files() {
    let house = house().await;
    let fields = [
        ("name", "text", json!({ "initial_value": "first" })),
        ("n", "number", json!({})),
        ("agree", "checkbox", json!({ "required": false, "initial_value": "true" })),
        ("password", "password", json!({})),
        ("photo", "file", json!({})),
        ("own", "hidden", json!({ "initial_value": "own" })),
    ];
    let mut browser = asked(&house, "again", &fields).await;
    let typed =
        json!({ "name": "Carol", "n": "twelve", "password": "secret", "photo": "data:image/png;base64,eA==", "own": "sent" });
    let outcome = browser.run("again", Some(&typed)).await.unwrap();
    let ak_flows::Page::Challenge(challenge, false) = outcome.page else { panic!("no challenge") };
    let values: Vec<&Value> = challenge.fields["fields"].as_array().unwrap().iter().map(|f| &f["initial_value"]).collect();
    assert_eq!(values, ["Carol", "twelve", "false", "", "", "own"]);
    let plan = browser.session().await.unwrap().plan.unwrap().to_string();
    assert!(!plan.contains("secret") && !plan.contains("eA=="), "{plan}");
}

#[tokio::test]
async fn passwords_of_one_stage_are_the_same_and_never_kept_in_the_clear() {
    let house = house().await;
    let fields = [("password", "password", json!({})), ("again", "password", json!({}))];
    let mut browser = asked(&house, "passwords", &fields).await;
    let said = browser.post("passwords", &json!({ "password": "one long secret", "again": "one long secret " })).await;
    assert_eq!(said, "prompt [again: Passwords don't match.]");
    let said = browser.post("passwords", &json!({ "password": "one long secret", "again": "one long secret" })).await;
    assert_eq!(said, "dummy");
    let plan = browser.session().await.unwrap().plan.unwrap();
    assert!(!plan.to_string().contains("long secret"), "{plan}");
    let hash = plan["context"]["new_password"].as_str().unwrap();
    assert!(house.hasher.verify("one long secret", hash).await.unwrap().matches);
    // Policies and scripts see the values, and the hash is none of them.
    assert_eq!(plan["context"]["values"]["prompt_data"], json!({}));
}

#[tokio::test]
async fn policies_look_at_an_answer_and_what_they_refuse_is_asked_again() {
    let house = house().await;
    let fields = house.prompts(&[("name", "text", json!({})), ("password", "password", json!({ "required": false }))]).await;
    for (says_what, message, expected) in [
        ("yes", "", "dummy"),
        ("has prompt_data", "", "dummy"),
        ("prompt password long enough", "", "dummy"),
        ("prompt password short", "", "prompt [non_field_errors: What you have entered cannot be accepted.]"),
        ("no", "Not like this.", "prompt [non_field_errors: Not like this.]"),
        ("error", "", "prompt [non_field_errors: What you have entered cannot be accepted.]"),
    ] {
        let slug = format!("v{}", house.store.snapshot().len());
        let says = json!({ "name": slug, "says": says_what, "message": message });
        let policy = house.make("test.says", &says).await;
        let stage = prompt(&fields).with(json!({ "validation_policies": [policy.value()] }));
        house.flow(&slug, json!({}), &[stage, dummy()]).await;
        let mut browser = house.browser();
        browser.get(&slug).await;
        let said = browser.post(&slug, &json!({ "name": "Carol", "password": "long enough" })).await;
        assert_eq!(said, expected, "{says_what}");
    }
}

#[tokio::test]
async fn every_validation_policy_must_let_an_answer_through_and_one_that_cannot_be_read_does_not() {
    let house = house().await;
    let fields = house.prompts(&[("name", "text", json!({}))]).await;
    let mut policies = Vec::new();
    for word in ["yes", "no"] {
        policies.push(house.make("test.says", &json!({ "name": word, "says": word })).await);
    }
    let both: Vec<Value> = policies.iter().map(|policy| policy.value()).collect();
    house.flow("both", json!({}), &[prompt(&fields).with(json!({ "validation_policies": both })), dummy()]).await;
    let refused = "prompt [non_field_errors: What you have entered cannot be accepted.]";
    let mut browser = house.browser();
    browser.get("both").await;
    assert_eq!(browser.post("both", &json!({ "name": "x" })).await, refused);
    house.patch(policies[1], json!({ "says": "yes" })).await;
    assert_eq!(browser.post("both", &json!({ "name": "x" })).await, "dummy");
    house.spoil(policies[0]).await;
    let mut browser = house.browser();
    browser.get("both").await;
    assert_eq!(browser.post("both", &json!({ "name": "x" })).await, refused);
}

#[tokio::test]
async fn what_a_policy_says_of_a_password_is_kept_nowhere() {
    let house = house().await;
    let fields = house.prompts(&[("password", "password", json!({}))]).await;
    let expression = r#"// rhai
let password = context.prompt_data.password;
ak_logger.info(`it is ${password}`, #{password: password});
ak_create_event("typed", #{data: context.prompt_data});
ak_message(`Not ${password}.`);
if password.len() > 10 { throw `too long: ${password}`; }
false
"#;
    let object = json!({ "name": "talks", "expression": expression, "execution_logging": true });
    let policy = house.make("authentik_policies_expression.expressionpolicy", &object).await;
    let stage = prompt(&fields).with(json!({ "validation_policies": [policy.value()] }));
    house.flow("talks", json!({}), &[stage, dummy()]).await;
    let mut browser = house.browser();
    browser.get("talks").await;
    for (secret, told) in [("quo\"te\\d", "Not quo\"te\\d."), ("correct horse", "What you have entered cannot be accepted.")] {
        let said = browser.post("talks", &json!({ "password": secret })).await;
        assert_eq!(said, format!("prompt [non_field_errors: {told}]"), "only the person herself is told");
    }
    let events = house.all_events().await;
    assert_eq!(events.len(), 3, "{events:?}");
    for event in events {
        let kept = json!(event.context).to_string();
        assert!(kept.contains("***"), "{kept}");
        assert!(!kept.contains("te\\") && !kept.contains("horse"), "{kept}");
    }
}

#[tokio::test]
async fn a_field_that_cannot_be_read_is_not_left_out() {
    let house = house().await;
    let mut browser = asked(&house, "broken", &[("name", "text", json!({}))]).await;
    let at = house.store.snapshot().all::<ak_flows::stages::Prompt>().next().unwrap().0.pk();
    house.spoil(at).await;
    assert!(browser.get("broken").await.starts_with("error: the prompt"));
}

#[tokio::test]
async fn expressions_say_what_stands_in_fields_and_what_can_be_chosen() {
    let house = house().await;
    house
        .change_user(house.ada, |user| {
            user.attributes = json!({ "settings": { "locale": "en" }, "n": 7 }).as_object().unwrap().clone();
        })
        .await;
    let initial = |expression: &str| json!({ "initial_value": expression, "initial_value_expression": true, "required": false });
    let fields = [
        ("username", "username", initial("// rhai\nuser.username")),
        ("name", "text", initial("# python\nreturn user.name or 'nobody'")),
        ("locale", "ak-locale", initial("// rhai\n(user.attributes.get(\"settings\") ?? #{}).get(\"locale\")")),
        ("n", "number", initial("# python\nreturn user.attributes['n'] + 1")),
        (
            "hint",
            "text",
            json!({ "placeholder": "return f'as {user.username}'", "placeholder_expression": true, "required": false }),
        ),
        (
            "color",
            "dropdown",
            json!({
                "placeholder": "# python\nreturn ['red', {'value': 'g', 'label': 'Green'}]", "placeholder_expression": true,
                "initial_value": "// rhai\n\"g\"", "initial_value_expression": true,
            }),
        ),
        ("later", "hidden", initial("# python\nreturn len(prompt_context)")),
        ("wrong", "text", initial("// rhai\nuser.attributes.missing.more")),
    ];
    let fields = house.prompts(&fields).await;
    house.flow("settings", json!({}), &[prompt(&fields), dummy()]).await;
    let mut browser = house.browser_of(house.ada).await;
    let ak_flows::Page::Challenge(challenge, false) = browser.run("settings", None).await.unwrap().page else {
        panic!("no challenge")
    };
    let shown = challenge.fields["fields"].as_array().unwrap();
    let values: Vec<&Value> = shown.iter().map(|field| &field["initial_value"]).collect();
    assert_eq!(json!(values), json!(["ada", "nobody", "en", "8", "", "g", "0", ""]));
    assert_eq!(shown[4]["placeholder"], "as ada");
    assert_eq!(shown[5]["placeholder"], "");
    assert_eq!(shown[5]["choices"], json!([{ "value": "red", "label": "red" }, { "value": "g", "label": "Green" }]));
    // What could not be computed is told to the administrators, and does not keep anybody from filling it in.
    let events = house.all_events().await;
    let told = events.iter().find(|event| event.action == "property_mapping_exception").expect("an event");
    assert!(told.context["message"].as_str().unwrap().contains("(line 2, column"), "{:?}", told.context);
    let answers = [json!({ "color": "blue" }), json!({ "color": "red", "name": "Ada", "later": "9" })];
    assert_eq!(browser.play("settings", &answers).await, ["prompt", "prompt [color: \"blue\" is not a valid choice.]", "dummy"]);
    assert_eq!(gathered(&browser).await["color"], "red");
    assert_eq!(gathered(&browser).await["later"], "0");
}

#[tokio::test]
async fn what_only_an_expression_can_say_is_not_guessed_where_it_fails() {
    let house = house().await;
    for (slug, kind, more) in [
        ("value", "hidden", json!({ "initial_value": "// rhai\n1 / 0", "initial_value_expression": true })),
        ("choices", "dropdown", json!({ "placeholder": "// rhai\n1 / 0", "placeholder_expression": true })),
    ] {
        let fields = house.prompts(&[("key", kind, more)]).await;
        house.flow(slug, json!({}), &[prompt(&fields), dummy()]).await;
        let said = house.browser().get(slug).await;
        assert!(said.starts_with("error"), "{slug}: {said}");
    }
}

#[tokio::test]
async fn what_was_filled_in_before_stands_in_a_later_field_of_the_same_key() {
    let house = house().await;
    let first = house.prompts(&[("name", "text", json!({})), ("agree", "checkbox", json!({}))]).await;
    let second =
        house.prompts(&[("name", "text", json!({ "initial_value": "own" })), ("agree", "text_read_only", json!({}))]).await;
    house.flow("twice", json!({}), &[prompt(&first), prompt(&second)]).await;
    let mut browser = house.browser();
    browser.play("twice", &[json!({ "name": "Ada", "agree": true })]).await;
    let ak_flows::Page::Challenge(challenge, false) = browser.run("twice", None).await.unwrap().page else {
        panic!("no challenge")
    };
    let values: Vec<&Value> =
        challenge.fields["fields"].as_array().unwrap().iter().map(|field| &field["initial_value"]).collect();
    assert_eq!(json!(values), json!(["Ada", "true"]));
}

#[tokio::test]
async fn ones_own_user_name_is_not_taken() {
    let house = house().await;
    let fields = house.prompts(&[("username", "username", json!({}))]).await;
    house.flow("name", json!({ "designation": "stage_configuration" }), &[prompt(&fields), dummy()]).await;
    let mut browser = house.browser_of(house.ada).await;
    let said = browser.play("name", &[json!({ "username": "bob" }), json!({ "username": "ada" })]).await;
    assert_eq!(said, ["prompt", "prompt [username: Username is already taken.]", "dummy"]);
}

#[tokio::test]
async fn a_field_has_neither_a_name_that_the_form_needs_nor_a_broken_expression() {
    let house = house().await;
    for key in ["component", "csrf", "turn"] {
        let field = json!({ "name": key, "field_key": key, "label": key, "type": "text" });
        let made =
            house.store.write(|draft| draft.put("authentik_stages_prompt.prompt", None, &field, ak_store::model::Change::Create));
        assert!(made.await.unwrap_err().to_string().contains("field_key"), "{key}");
    }
    let field = json!({ "name": "x", "field_key": "x", "label": "x", "type": "text", "placeholder": "// rhai\nuser.", "placeholder_expression": true });
    let made =
        house.store.write(|draft| draft.put("authentik_stages_prompt.prompt", None, &field, ak_store::model::Change::Create));
    let refused = made.await.unwrap_err().to_string();
    assert!(refused.contains("placeholder") && refused.contains("line 2"), "{refused}");
}

#[tokio::test]
async fn fields_come_in_their_order() {
    let house = house().await;
    let fields =
        [("b", "text", json!({ "order": 5 })), ("a", "text", json!({ "order": 9 })), ("c", "text", json!({ "order": -1 }))];
    let mut browser = asked(&house, "ordered", &fields).await;
    let ak_flows::Page::Challenge(challenge, _) = browser.run("ordered", None).await.unwrap().page else {
        panic!("no challenge")
    };
    let keys: Vec<&Value> = challenge.fields["fields"].as_array().unwrap().iter().map(|field| &field["field_key"]).collect();
    assert_eq!(keys, ["c", "b", "a"]);
    // An answer without anything names what is missing.
    assert!(browser.post("ordered", &json!({})).await.starts_with("prompt [a: This field is required.] [b: "));
}

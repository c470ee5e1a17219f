//! Stub objects for translated scripts, and CPython over the same.

use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ak_policy::python::{EXPRESSION_DEPTH, Host, error_text, register, translate};
use chrono::{DateTime, FixedOffset, Utc};
use rhai::serde::{from_dynamic, to_dynamic};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Scope};
use serde_json::{Value, json};

/// The world that an expression sees.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) source: String,
    pub(crate) groups: Vec<String>,
    pub(crate) user: Value,
    pub(crate) context: Value,
    pub(crate) people: Value,
    pub(crate) now: String,
}

impl Case {
    pub(crate) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            groups: vec!["Admins".to_owned(), "staff".to_owned()],
            user: json!({
                "username": "alice", "name": "Alice Example", "email": "alice@example.com", "is_active": true, "is_superuser": false,
                "attributes": {"department": "IT", "tags": ["a", "b"], "settings": {"locale": "de"}},
            }),
            context: json!({"ip": "192.0.2.7", "prompt_data": {"email": "Bob@Example.com", "groups": ["staff"], "age": 41}, "pending": null}),
            people: json!([{"username": "bob", "email": "bob@example.com"}, {"username": "carol", "email": "carol@example.com"}]),
            now: "2026-11-18T08:00:00+00:00".to_owned(),
        }
    }

    fn json(&self) -> Value {
        json!({"source": self.source, "groups": self.groups, "user": self.user, "context": self.context, "people": self.people, "now": self.now})
    }
}

/// What CPython says to each.
pub(crate) fn cpython(cases: &[Case]) -> Vec<Value> {
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/oracle.py");
    let mut child = Command::new("python3")
        .args(["-I", oracle])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 (Debian package python3) runs");
    let input = Value::from(cases.iter().map(Case::json).collect::<Vec<_>>()).to_string();
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "the oracle failed");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

type Fields = Arc<Mutex<Map>>;

macro_rules! thing {
    ($($name:ident),*) => { $(
        #[derive(Clone)]
        pub(crate) struct $name(Fields);

        impl $name {
            fn new(fields: Map) -> Self {
                Self(Arc::new(Mutex::new(fields)))
            }

            fn attributes(engine: &mut Engine, attributes: &[&'static str]) {
                engine.register_type_with_name::<Self>(stringify!($name));
                for attribute in attributes {
                    let name = *attribute;
                    engine.register_get_set(
                        name,
                        move |object: &mut Self| -> Result<Dynamic, Box<EvalAltResult>> { Ok(object.0.lock().unwrap().get(name).cloned().unwrap_or_default()) },
                        move |object: &mut Self, value: Dynamic| { object.0.lock().unwrap().insert(name.into(), value); },
                    );
                }
            }
        }
    )* };
}

thing!(Request, User, Group, Http, Context);

struct Clock(DateTime<Utc>);

impl Host for Clock {
    fn now(&self, _: &NativeCallContext<'_>) -> DateTime<Utc> {
        self.0
    }

    fn offset_at(&self, _: &NativeCallContext<'_>, _: DateTime<Utc>) -> FixedOffset {
        FixedOffset::east_opt(2 * 3600).unwrap()
    }
}

fn fields(value: &Value) -> Map {
    to_dynamic(value).unwrap().cast::<Map>()
}

/// An engine with the limits that the product sets.
pub(crate) fn engine(now: &str) -> Engine {
    let mut engine = Engine::new();
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine.set_max_operations(1_000_000);
    register(&mut engine, Arc::new(Clock(now.parse().unwrap())));
    Request::attributes(&mut engine, &["user", "context", "obj", "http_request", "debug"]);
    User::attributes(
        &mut engine,
        &["pk", "username", "name", "email", "is_active", "is_superuser", "attributes", "groups", "ak_groups"],
    );
    Group::attributes(&mut engine, &["pk", "name", "attributes"]);
    Http::attributes(&mut engine, &["META"]);
    Context::attributes(&mut engine, &[]);
    engine.register_fn("save", |_: &mut User| ());
    engine.register_fn("all_groups", |user: &mut User| user.0.lock().unwrap().get("groups").cloned().unwrap_or_default());
    engine.register_indexer_get_set(
        |context: &mut Context, key: ImmutableString| context.0.lock().unwrap().get(key.as_str()).cloned().unwrap_or_default(),
        |context: &mut Context, key: ImmutableString, value: Dynamic| {
            context.0.lock().unwrap().insert(key.as_str().into(), value);
        },
    );
    engine.register_fn("contains", |context: &mut Context, key: ImmutableString| {
        context.0.lock().unwrap().contains_key(key.as_str())
    });
    engine.register_fn("remove", |context: &mut Context, key: ImmutableString| {
        context.0.lock().unwrap().remove(key.as_str());
    });
    engine.register_fn("keys", |context: &mut Context| {
        context.0.lock().unwrap().keys().map(|key| Dynamic::from(key.to_string())).collect::<Array>()
    });
    engine
}

/// What the translation of a case says, in the form of the oracle. `Err`: it was flagged.
pub(crate) fn ours(case: &Case) -> Result<Value, String> {
    let translation =
        translate(&case.source).map_err(|flags| flags.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let mut engine = engine(&case.now);
    let messages = Arc::new(Mutex::new(Vec::<String>::new()));
    let sink = messages.clone();
    engine.register_fn("ak_message", move |message: Dynamic| sink.lock().unwrap().push(message.to_string()));
    engine.register_fn("ak_is_group_member", |user: User, filters: Map| {
        let groups = user.0.lock().unwrap().get("groups").cloned().unwrap_or_default().into_array().unwrap();
        groups.into_iter().any(|group| {
            let group = group.cast::<Group>();
            let fields = group.0.lock().unwrap();
            filters.iter().all(|(key, value)| fields.get(key.as_str()).map(ToString::to_string) == Some(value.to_string()))
        })
    });
    let people: Vec<Value> = case.people.as_array().unwrap().clone();
    let known: Array = people
        .iter()
        .enumerate()
        .map(|(pk, person)| {
            let mut map = fields(person);
            map.insert("pk".into(), Dynamic::from_int(i64::try_from(pk).unwrap()));
            Dynamic::from(User::new(map))
        })
        .collect();
    let all = known.clone();
    engine.register_fn("ak_objects", move |_: ImmutableString| all.clone());
    engine.register_fn("ak_user_by", move |filters: Map| {
        let fits = |person: &Dynamic| {
            let person = person.clone().cast::<User>();
            let fields = person.0.lock().unwrap();
            filters.iter().all(|(key, value)| fields.get(key.as_str()).map(ToString::to_string) == Some(value.to_string()))
        };
        known.iter().find(|person| fits(person)).cloned().unwrap_or_default()
    });

    let groups: Array = case
        .groups
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let group = json!({"pk": at + 1, "name": name, "attributes": {"level": at}});
            Dynamic::from(Group::new(fields(&group)))
        })
        .collect();
    let mut user = fields(&case.user);
    user.insert("pk".into(), Dynamic::from_int(7));
    user.insert("groups".into(), groups.clone().into());
    user.insert("ak_groups".into(), groups.into());
    let user = User::new(user);
    let context = Context::new(fields(&case.context));
    let mut request = Map::new();
    request.insert("user".into(), Dynamic::from(user.clone()));
    request.insert("context".into(), Dynamic::from(context.clone()));
    request.insert("debug".into(), false.into());
    request.insert("obj".into(), Dynamic::UNIT);
    request.insert("http_request".into(), Dynamic::from(Http::new(fields(&json!({"META": {"HTTP_USER_AGENT": "curl/8"}})))));

    let ip = case.context["ip"].as_str().unwrap_or("192.0.2.1").parse::<IpAddr>().unwrap();
    let mut scope = Scope::new();
    scope.push_constant("request", Request::new(request));
    scope.push_constant("user", user.clone());
    scope.push_constant("context", context.clone());
    scope.push_constant("ak_client_ip", ip);
    scope.push_constant("ak_is_sso_flow", false);
    let ast =
        engine.compile_with_scope(&scope, &translation.rhai).unwrap_or_else(|error| panic!("{error}\n{}", translation.rhai));
    let mut out = match engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast) {
        Ok(value) => json!({"result": shown(value)}),
        Err(error) => match error_text(&error) {
            Some(text) => json!({"raised": text.split(':').next().unwrap()}),
            None => {
                let told = match &*error {
                    EvalAltResult::ErrorTerminated(reason, _) => reason.to_string(),
                    other => other.to_string(),
                };
                json!({"failed": told, "script": translation.rhai})
            }
        },
    };
    out["messages"] = json!(*messages.lock().unwrap());
    out["context"] = shown(Dynamic::from_map(context.0.lock().unwrap().clone()));
    out["attributes"] = shown(user.0.lock().unwrap().get("attributes").cloned().unwrap());
    Ok(out)
}

fn shown(value: Dynamic) -> Value {
    if let Some(ip) = value.clone().try_cast::<IpAddr>() {
        return ip.to_string().into();
    }
    from_dynamic(&value).unwrap_or_else(|_| json!(value.to_string()))
}

/// Compares both on all cases.
pub(crate) fn agree(cases: &[Case]) {
    let expected = cpython(cases);
    let mut wrong = Vec::new();
    for (case, expected) in cases.iter().zip(expected) {
        match ours(case) {
            Err(flags) => wrong.push(format!("--- flagged: {flags}\n{}", case.source)),
            Ok(ours) if ours != expected => wrong.push(format!("--- CPython: {expected}\n    ours:    {ours}\n{}", case.source)),
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

//! Texts of expressions: the translator, and the evaluator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_policy::kinds::ExpressionPolicy;
use ak_policy::script::{Language, PolicyNames, Script};
use ak_policy::{Context, Failure, HttpRequest, Policy as _, Request, Services, Verdict};
use ak_store::directory::Person;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::model::{Snapshot, Store};
use ak_store::records::{Durability, Group, NewUser};
use ak_store::{Clock, ManualClock, SystemClock};
use chrono::{DateTime, Utc};
use serde_json::json;

/// How long an expression has.
const LIMIT: Duration = Duration::from_millis(200);

/// The stack of the threads on which policies run.
const STACK: usize = 64 << 20;

/// Takes the text as an expression in Python: it is translated, or told why not, and where.
///
/// # Panics
/// When a problem has no place in the text, or the text is not kept as it is.
pub fn translator(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = format!("# python\n{text}");
    let script = Script::<PolicyNames>::new(text.as_str());
    assert_eq!(script.source(), text);
    assert_eq!(script.language(), Language::Python);
    assert_eq!(script.problems().is_empty(), script.translation().is_some(), "{text}");
    placed(&text, script.problems());
}

#[track_caller]
fn placed(text: &str, problems: &[Failure]) {
    // Python also ends lines at a form feed's neighbours and at single carriage returns.
    let lines = 1 + text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?} in {text:?}");
        assert!(problem.line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{problem:?} in {text:?}");
        assert_ne!(problem.column, Some(0), "{problem:?} in {text:?}");
    }
}

/// A clock whose date stands still, while limits of time run out.
struct Ticking(ManualClock);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn monotonic_micros(&self) -> u64 {
        SystemClock.monotonic_micros()
    }
}

/// Expressions in either language, evaluated about a person with groups.
pub struct Evaluator {
    /// What is asked now, and what is asked at another time, from elsewhere, in another flow.
    requests: [Arc<Request>; 2],
}

impl Default for Evaluator {
    fn default() -> Self {
        Self::new()
    }
}

impl Evaluator {
    /// A new installation in memory with a person.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (store, _) = runtime.block_on(super::installation(&PasswordHasher::new(Cost::cheap_for_tests())));
        let person = runtime.block_on(person(&store));
        let clock = Arc::new(Ticking(ManualClock::new(store.clock().now())));
        let services = Arc::new(Services { clock, ..Services::of(&store) });
        let one = Request::new(Snapshot::clone(&store.snapshot()), services).of(Some(&person));
        let mut context = Context::default();
        context.set(Context::PROMPT_DATA, json!({ "email": "ada@example.org", "groups": ["Staff"], "age": 41, "none": null }));
        let http = HttpRequest { method: "POST".into(), path: "/one".into(), ..HttpRequest::default() };
        let other = Request {
            context,
            client_ip: "192.0.2.7".parse().ok(),
            http: Some(Arc::new(http)),
            now: one.now + chrono::Duration::hours(5),
            ..one.clone()
        };
        Self { requests: [one, other].map(Arc::new) }
    }

    /// Evaluates the text as an expression; whether it gave an answer.
    ///
    /// # Panics
    /// When it crashes, goes on far beyond its time, fails without saying why, or is remembered though it depends on more than who asks.
    pub fn run(&self, data: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(data) else { return false };
        let expression = Script::new(text);
        placed(text, expression.problems());
        let policy = ExpressionPolicy { name: "fuzz".into(), execution_logging: false, expression };
        let [one, other] = &self.requests;
        std::thread::scope(|scope| {
            let evaluate = || {
                let answer = evaluate(&policy, one, text);
                if let Ok(verdict) = &answer
                    && verdict.lasting
                    && verdict.changes.is_empty()
                    && verdict.log.is_empty()
                {
                    // Unless a limit of time is in the way.
                    let elsewhere = evaluate(&policy, other, text);
                    assert!(
                        elsewhere.is_err() || elsewhere.as_ref() == Ok(verdict),
                        "{text:?} is remembered: {answer:?}, {elsewhere:?}"
                    );
                }
                answer.is_ok()
            };
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, evaluate);
            match thread.expect("a thread").join() {
                Ok(answered) => answered,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

fn evaluate(policy: &ExpressionPolicy, request: &Arc<Request>, text: &str) -> Result<Verdict, Failure> {
    let begun = Instant::now();
    let answer = policy.evaluate(request, LIMIT);
    let took = begun.elapsed();
    assert!(took < LIMIT * 10, "{took:?} for {text:?}");
    match &answer {
        Ok(verdict) => assert!(verdict.messages.iter().all(|message| message.chars().count() <= 2_001), "{text:?}"),
        Err(failure) => {
            placed(text, std::slice::from_ref(failure));
            assert!(failure.message.chars().count() <= 2_100, "{text:?}");
        }
    }
    answer
}

/// Somebody in a group below another one.
async fn person(store: &Arc<Store>) -> Person {
    let now = store.clock().now();
    let staff = Group::named(store.rng().uuid(), "Staff", now);
    let team = Group { parents: vec![staff.pk], ..Group::named(store.rng().uuid(), "Team", now) };
    let mut repo = store.backend().begin(Durability::Relaxed).await.expect("a transaction");
    for group in [&staff, &team] {
        repo.groups().add(group).await.expect("a group");
    }
    let attributes = json!({ "vip": true, "tags": ["a", "b"], "settings": { "locale": "de" } });
    let attributes = attributes.as_object().cloned().unwrap_or_default();
    let new = NewUser { email: "ada@example.org".into(), attributes, ..NewUser::internal(store.rng().uuid(), "ada") };
    let user = repo.users().add(new, now).await.expect("an account");
    repo.groups().add_member(team.pk, user.pk).await.expect("a member");
    let person = Person::of(&mut *repo, user).await.expect("a person");
    repo.save().await.expect("saved");
    person
}

/// Inputs to begin with, for [`translator`].
pub const PYTHON_CORPUS: &[&str] = &[
    "return user.groups.filter(name=\"Admins\").exists()",
    "import datetime\nnow = datetime.datetime.now()\nreturn 9 <= now.hour < 17",
    "blocked_ips = [\"203.0.113.9\"]\nreturn request.context.get(\"ip\") not in blocked_ips",
    "if not request.user.is_authenticated:\n    ak_message('no')\n    return False\nelif user.attributes.get('vip'):\n    return True\nreturn False",
    "data = request.context.get('prompt_data', {})\nfor name in data.get('groups', []):\n    if name.lower().startswith('st'):\n        return True\n",
    "return any(g.name in ('Staff', \"Team\") for g in user.all_groups())",
    "import re\nm = re.match(r'^(?P<n>[a-z]+)@(.*)$', user.email)\nreturn m is not None and m.group('n') == f\"{user.username}\"",
    "x = {k: v for k, v in {'a': 1, 'b': [2, 3]}.items() if v}\nreturn x['b'][-1:] == [3] and sorted(x, key=lambda k: -len(k))",
    "try:\n    return int('x')\nexcept ValueError as error:\n    ak_logger.info(str(error))\nfinally:\n    pass\nreturn None",
    "while True:\n    s = 'a' * 10 ** 6\n",
    "context['flow_plan'].context['pending_user'] = user\nreturn ip_address('192.0.2.1') in ip_network('192.0.2.0/24')",
    "return '%s-%03d' % (user.username, 7) + '{:>10}'.format(1.5) if 1 < 2 <= 3 != 4 else not (None is None)",
];

/// Inputs to begin with, for [`Evaluator::run`].
pub const SCRIPT_CORPUS: &[&str] = &[
    "// rhai\nuser.groups.filter(#{ name: \"Staff\" }).exists() || user.all_groups().filter(#{ name__icontains: \"sta\" }).count() > 0",
    "// rhai\nlet n = 0;\nfor x in 0..100 { n += x * 2; if n > 50 { break; } }\nn % 7 == 3 && context.contains(\"prompt_data\")",
    "// rhai\nfn f(n) { if n <= 1 { 1 } else { n * f(n - 1) } }\nf(10) == 3628800",
    "// rhai\nlet m = #{ a: [1, 2, #{ b: \"c\" }] };\nm.a[2].b += `${user.username}!`;\nm.a.map(|x| type_of(x)).len() == 3",
    "// rhai\nlet a = [3, 1, 2];\na.sort(|x, y| x - y);\na.filter(|x| x > 1).reduce(|s, x| s + x, 0) == 5",
    "// rhai\ntry { throw #{ code: 7 } } catch (e) { ak_message(\"no \" + e.code); false }",
    "// rhai\nregex_match(user.email, \"^[a-z]+@example\\\\.org$\") && regex_replace(\"aaa\", \"a+\", \"b\") == \"b\"",
    "// rhai\nlet s = \"x\";\nloop { s += s; s.pad(1000, \"\\u00e9\"); }",
    "// rhai\ncontext.flow_plan.context.pending_user = user;\nak_client_ip != () && ak_client_ip in ip_network(\"192.0.2.0/24\")",
    "// rhai\nswitch now().hour { 0..=8 => false, 9 | 10 => true, _ if user.is_active => now() - timedelta(#{ days: 1 }) < now(), _ => () }",
    "user.username == \"ada\"",
    "# python\nreturn request.user.username in ['ada', 'bob'] and len(user.attributes['tags']) == 2",
    "# python\nimport datetime\nreturn (datetime.datetime.now() - datetime.timedelta(days=3)).strftime('%Y-%m-%d') < '2027'",
    "# python\nx = []\nwhile True:\n    x.append(x)\n",
    "# python\nreturn sum(i ** 2 for i in range(100) if i % 3) // 7 == 31 * 2 ** 3 or (lambda a, b=2: a * b)(3) == 6",
    "# python\nreturn {1, 2} & {2, 3} == {2} and ', '.join(reversed(['b', 'a'])).split(',')[1].strip().upper() == 'B'",
];

//! Snippets of the language, one after another.

use super::stubs::{Case, agree};

/// Separated by a line of `---`.
const SNIPPETS: &str = r##"
return 7 // 2, -7 // 2, 7 // -2, -7 % 3, 7 % -3, 7.5 // 2, -7.5 % 2, 2 ** 10, 2 ** -1, 7 / 2, 6 / 2
---
return 1 // 0
---
return 1 % 0
---
return 1.0 / 0
---
return [1 == 1.0, True == 1, "1" == 1, None == 0, [] == (), [1, 2] == [1, 2.0], {"a": 1} == {"a": 1.0}, {1, 2} == {2, 1}]
---
return [bool(x) for x in [0, 1, "", "a", [], [0], {}, {"a": 1}, None, 0.0, (), (0,), set()]]
---
return [0 or "a", "a" or 1, "" and 1, 1 and 2 and 3, None or [] or {}, not "", not [1]]
---
x = []
y = x
y.append(1)
x += [2]
z = x + [3]
return [x, y, z, x is y, x is z]
---
return ["abc"[-1], "abc"[0:2], "abc"[::-1], "abcdef"[1:-1:2], "abc"[10:], [1, 2, 3][-2:], (1, 2, 3)[0], "äöü"[1]]
---
return "abc"[3]
---
return [1][5]
---
return {"a": 1}["b"]
---
d = {"b": 1, "a": 2}
d["c"] = 3
d["b"] = 4
del d["a"]
return [list(d), list(d.items()), d.get("x"), d.get("x", 5), d.pop("c"), d.setdefault("n", []), len(d), "b" in d, list(d.values())]
---
d = {}
d.setdefault("k", []).append(1)
d.setdefault("k", []).append(2)
return d
---
a, b = 1, 2
a, b = b, a
(c, d), e = [3, 4], 5
first, *rest = [1, 2, 3]
*head, last = "xyz"
return [a, b, c, d, e, first, rest, head, last]
---
a, b = [1, 2, 3]
return a
---
total = 0
for i in range(10):
    if i % 2: continue
    if i > 6:
        break
    total += i
else:
    total = -1
return total
---
n = 0
while n < 5:
    n += 2
else:
    n = 100
return n
---
for i, (k, v) in enumerate({"a": 1, "b": 2}.items(), start=1):
    last = (i, k, v)
return [last, i]
---
items = [1, 2, 3, 4]
for x in items:
    if x == 2:
        items.remove(x)
return items
---
d = {"a": 1}
for k in d:
    d[k + "x"] = 1
return d
---
return [x * y for x in range(3) for y in [1, 10] if x != y]
---
x = "outer"
l = [x for x in range(3)]
return x, l
---
return {k: len(k) for k in ["a", "bb"]}, sorted({c for c in "hello"}), [a for a, b in [(1, 2), (3, 4)]]
---
return any(x > 2 for x in [1, 2, 3]), all(x > 2 for x in []), any(1 / x > 2 for x in [0.1, 0]), sum(x for x in range(5)), ",".join(str(x) for x in (1, 2))
---
return all(1 / x for x in [1, 0])
---
return next((x for x in [1, 2, 3] if x > 1), None), next((x for x in [] ), "none")
---
return next(x for x in [1] if x > 1)
---
return sorted(["b", "A", "c"], key=str.lower), sorted([3, 1, 2], reverse=True), sorted([(1, "b"), (0, "z"), (1, "a")], key=lambda p: p[0]), max(["aa", "b"], key=len), min([3, 1]), max(1, 5, 3), max([], default=0)
---
l = [3, 1, 2]
l.sort()
m = ["bb", "a"]
m.sort(key=lambda s: len(s), reverse=True)
return l, m
---
return list(map(str, [1, 2])), list(filter(lambda x: x > 1, [1, 2, 3])), list(filter(None, [0, 1, "", "a"])), set(map(len, ["a", "b"])) == {1}
---
return list(zip("ab", [1, 2, 3])), list(reversed([1, 2])), list(range(5, 0, -2)), list(enumerate("ab"))
---
return 1 < 2 < 3, 1 < 3 < 2, 1 == 1 != 2, "a" in "abc" in ["abc"], 3 > 2 >= 2
---
calls = []
r = 1 < (calls.append("x") or 0) < (calls.append("y") or 5)
return r, calls
---
return f"{1 + 1:>4}|{'x':<3}|{3.14159:.2f}|{255:x}|{'a'!r}|{1000000:,}|{0.5:.0%}|{5:03d}|{'mid':^7}|{-3:+d}|{{}}"
---
w = 6
return f"{'a':>{w}}{w!s:0>3}" f"tail" "x"
---
return "%s is %d and %.1f %r %5s|%-5s|%03d %%" % ("a", 3, 2.55, "q", "r", "l", 7), "%(a)s-%(b)s" % {"a": 1, "b": 2}, "%s" % 5
---
return "%s %s" % ("a",)
---
return "{} {} {name!r} {0}".format("a", "b", name="c") if False else "{0}-{1}-{0}-{n:>3}".format("a", "b", n=1)
---
return "{}{}".format("a", "b"), "{x}".format(x=[1, "a"])
---
return str(1.0), str(1e16), str(1e-5), str(0.0001), str(123456789.123), repr("it's"), repr("a\n"), str([1, "a", None, True, 2.5]), str({"a": (1,)}), str((1, 2)), str(-0.0), str(1e22), repr("\x00\xa0é")
---
return "a,b,,c".split(","), " a  b ".split(), "a b c".split(" ", 1), "a-b-c".rsplit("-", 1), "abc".partition("b"), "abc".rpartition("x"), "x".join(["1", "2"]), "a\nb\r\nc".splitlines(), " a b c ".split(None, 1), "a  b  c ".rsplit(None, 1)
---
return "Hello".lower(), "straße".upper(), "  x ".strip(), "xxaxx".strip("x"), "abc".startswith(("x", "a")), "abc".endswith("c"), "hello world".title(), "hELLO".capitalize(), "a".zfill(3), "-5".zfill(4), "x".center(4, "*"), "ab".ljust(4) + "|", "aXbX".replace("X", "-", 1), "banana".count("an"), "banana".find("n"), "banana".rfind("n"), "banana".find("z"), "pre-x".removeprefix("pre-")
---
return "banana".index("z")
---
return "12".isdigit(), "".isdigit(), "a1".isalnum(), "ab".isalpha(), "AB".isupper(), " ".isspace(), "a_b".isidentifier()
---
return int("12"), int(" -3 "), int("ff", 16), int(3.9), int(-3.9), int(True), float("1.5"), float("1e3"), int("1_000"), round(2.5), round(3.5), round(2.675, 2), round(-0.5), abs(-3), divmod(-7, 2), bool("False"), round(1.25, 1), round(7, 2)
---
return int("x")
---
return int("1.5")
---
return int(None)
---
return float("abc")
---
try:
    return {"a": 1}["b"]
except KeyError as e:
    return "missing " + str(e)
---
try:
    x = int("q")
except (TypeError, ValueError):
    x = -1
else:
    x = 5
return x
---
try:
    x = [1][0]
except IndexError:
    x = -1
else:
    x += 5
return x
---
try:
    raise ValueError("boom")
except LookupError:
    return 1
except Exception as error:
    return str(error), error.__class__.__name__
---
try:
    try:
        raise KeyError("k")
    except ValueError:
        return 1
except KeyError:
    return 2
---
try:
    int("x")
except ValueError:
    raise
---
def_ = 1
for let in [1, 2]:
    fn = let
switch = {"const": def_}
return [def_, fn, switch["const"], let]
---
if False:
    y = 1
return y
---
x = 1 if request.user.is_active else 2
return x
---
return None
---
pass
---
return (y := 5) + y
---
if (n := len("abc")) > 2 and n < 10:
    return n
---
values = [y for x in [1, 2, 3] if (y := x * 2) > 2]
return values, y
---
return hasattr(user, "email"), getattr(user, "username"), hasattr(request, "user")
---
return isinstance("a", str), isinstance(1, (str, int)), isinstance(True, int), isinstance([], dict), isinstance(None, str)
---
return "a" + 1
---
return 1 + "a"
---
return 1 < "a"
---
return None > 1
---
return len(5)
---
return 5 in 5
---
return [1, 2] * 2, "ab" * 3, 0 * "x", (1,) + (2,), [*[1, 2], 3, *"ab"], {**{"a": 1}, "b": 2}, {"a": 1} | {"a": 2}
---
s = {1, 2}
s.add(3)
s.discard(9)
return sorted(s | {7}), sorted(s & {1, 9}), sorted(s - {1}), s.issubset({1, 2, 3, 4}), len(s), sorted(s ^ {1, 8}), {1}.isdisjoint({2})
---
return {[1]: 2}
---
d = {1: "a", True: "b", 1.0: "c"}
return list(d.items()), {(1, 2): 3}[(1, 2)]
---
import re
m = re.search(r"(?P<user>\w+)@(\w+)\.com", "mail bob@example.com now")
return m.group(0), m.group("user"), m.group(2), m.groups(), m.start(), m.groupdict(), bool(re.match("b", "ab")), re.fullmatch(r"\d+", "12x") is None, m[1]
---
import re
return re.sub(r"\s+", "-", "a b   c"), re.findall(r"\d+", "1a22b"), re.split(r"[,;]", "a,b;c"), re.sub(r"(\w)(\d)", r"\2\1", "a1b2"), re.findall(r"(\w)=(\w)", "a=b c=d"), re.sub("x*", "-", "abxd"), re.IGNORECASE and bool(re.match("ABC", "abc", re.I)), re.escape("a.b-c")
---
import re
p = re.compile(r"^[A-Z][a-z]{1,3}$")
return [bool(p.match(s)) for s in ["Abc", "abc", "Abcdef"]], p.pattern, [m.group() for m in re.finditer("a{,2}", "aaa b")]
---
return regex_match("hello", "^h.*o$"), regex_replace("a-b", "-", "+"), list_flatten([4, 5]), list_flatten([]), list_flatten("x")
---
import json
d = json.loads('{"b": [1, 2.5, null, true], "a": "\\u00e9"}')
return d, json.dumps(d), json.dumps({"k": ("x", 1)}, sort_keys=True), list(d)
---
import json
json.loads("{")
---
import datetime
now = datetime.datetime.now()
return now.hour, now.weekday(), now.isoformat(), now.date().isoformat(), now.strftime("%Y-%m-%d %H:%M %A %j"), str(now), now.year, now.isocalendar()[1]
---
from datetime import datetime, timedelta, timezone
a = datetime(2026, 1, 31, 12, 30, tzinfo=timezone.utc)
b = a + timedelta(days=1, hours=2)
return b.isoformat(), (b - a).total_seconds(), b > a, str(b - a), (a - b).days, a.replace(hour=0).isoformat(), datetime.now(timezone.utc).isoformat(), a.astimezone(timezone(timedelta(hours=5))).isoformat(), a.timestamp()
---
from datetime import datetime, date, time, timedelta
return date(2024, 2, 29).isoweekday(), (date(2024, 3, 1) - date(2024, 2, 1)).days, datetime.fromisoformat("2026-05-04T03:02:01").minute, date.today().isoformat(), time(9, 30) < datetime.now().time(), timedelta(minutes=90) == timedelta(hours=1.5), date.fromisoformat("2020-01-02") < date.today()
---
import datetime as dt
return dt.datetime(2026, 13, 1)
---
from datetime import datetime, timezone
return datetime.now() < datetime.now(timezone.utc)
---
import ipaddress
a = ipaddress.ip_address("10.1.2.3")
n = ipaddress.ip_network("10.0.0.0/8")
return a in n, str(n), a.is_private, a.version, str(ipaddress.ip_address("2001:DB8::1")), ipaddress.ip_address("8.8.8.8").is_global, a.is_loopback, ak_client_ip in ip_network("192.0.2.0/24"), str(ak_client_ip), ip_address("1.2.3.4") == ipaddress.ip_address("1.2.3.4"), n.prefixlen
---
import ipaddress
return ipaddress.ip_network("10.0.0.1/8")
---
import ipaddress
return ipaddress.ip_address("nonsense")
---
import hashlib, base64
return hashlib.md5("a".encode()).hexdigest(), hashlib.sha256(b"x").hexdigest(), hashlib.sha1("ü".encode("utf-8")).hexdigest(), base64.b64encode(b"hi").decode(), base64.b64decode("aGk=").decode("utf-8")
---
import string
return [c for c in "a1-" if c in string.digits + string.ascii_letters]
---
return user.groups.filter(name="Admins").exists(), user.ak_groups.all().count(), [g.name for g in user.groups.all()], list(user.groups.values_list("name", flat=True)), user.groups.filter(name__iexact="STAFF").first().name, user.groups.exclude(name="staff").count(), user.groups.filter(name__in=["staff", "x"]).exists(), "staff" in user.groups.values_list("name", flat=True), list(user.groups.values_list("pk", "name"))
---
return [g.name for g in user.groups.order_by("-name")], user.groups.get(name="staff").attributes["level"], bool(user.groups.filter(name="none")), len(user.groups.all()), user.groups.filter(attributes__level=1).first().name
---
return user.groups.get(name="nobody")
---
return request.context["prompt_data"]["email"].lower(), context.get("x", "d"), "ip" in context, context["prompt_data"].get("age", 0) >= 18, request.context.get("pending") is None
---
return context["nothing"]
---
context["a"] = {"b": [1]}
context["a"]["b"].append(2)
request.context["prompt_data"]["groups"].append("more")
request.context["prompt_data"]["new"] = "x"
context["ip"] += "!"
return context["a"]["b"]
---
user.attributes["avatar"] = "data:x"
user.attributes["settings"]["locale"] = "fr"
user.attributes["tags"].append("c")
user.save()
return True
---
del context["pending"]
return "pending" in context
---
ak_message("no " + user.name)
return False
---
def_message = f"{user.username} <{user.email}>"
ak_message(def_message)
---
return user.attributes.get("department") == "IT" and "a" in user.attributes.get("tags", [])
---
from authentik.core.models import User
return User.objects.filter(email__iexact="BOB@example.com").exists(), User.objects.filter(username="x").exclude(pk=1).exists(), User.objects.get(username="carol").email, [u.username for u in User.objects.all()]
---
from authentik.core.models import User
try:
    User.objects.get(username="zed")
except User.DoesNotExist:
    return "gone"
---
u = ak_user_by(username="bob")
return u.email if u else None, ak_user_by(username="nobody")
---
return ak_is_group_member(request.user, name="Admins"), not ak_is_group_member(user, name="x")
---
for g in user.groups.all():
    yield g.name
yield from ["x", "y"]
---
text = """first
  second"""
return text
---
x = (1 +
     2
     + 3)
y = [
    1,  # one
    2,
]
return x, y, "a" \
    "b"
---
assert 1 == 2, "no"
---
x = y = [1]
x.append(2)
return y
---
a = b = c = 0
a += 1; b -= 1; c |= 6
return a, b, c, ~5, 5 & 3, 5 ^ 3, 1 << 4, -9 >> 1, +True
---
return True + True, True & False, -True, sum([True, True, False])
---
return request.http_request.META.get("HTTP_USER_AGENT", "").startswith("curl")
---
return "é" < "z", [1, 2] < [1, 3], (1, "a") < (1, "b"), "a" < "B", max("b", "a")
---
return "\u00e9\t\x41\N{BULLET}\
z", r"\d", b"ab".decode(), "a" "b"
---
return 10 ** 15, 9007199254740993 == 9007199254740992.0, 9007199254740993 > 9007199254740992.0, 1e308 * 10 > 1, 0.1 + 0.2
---
x = 5
x = [x for _ in range(2)]
return x
---
return [i for i in range(3)][::-1], list("abc"), tuple([1]), dict(a=1, b=2), dict([("x", 1)]), list({"a": 1}), str(), int(), list()
---
return {"a": {"b": None}}.get("a", {}).get("b", "d"), ("x" if {} else "y"), [] or None
---
l = [1, 2, 3]
l.insert(0, 9)
p = l.pop()
l.extend((7, 8))
l.reverse()
i = l.index(9)
return l, p, i, l.count(7), l.copy() is l
---
return [].pop()
---
return [1].remove(2)
---
return user is None, user is not None, user == user, user != user
---
return 5()
---
q = 7
for q in []:
    pass
return q
---
r = {}
for k, v in [("a", 1), ("a", 2), ("b", 3)]:
    r[k] = r.get(k, 0) + v
return r
---
import math
return math.floor(-1.5), math.ceil(1.2), chr(65), ord("a"), hex(255), "x" in {"x": 1}, "%x" % 255
"##;

#[test]
fn snippets_give_what_cpython_gives() {
    // `5()` is a constant that is called: flagged, and in the list of those.
    let cases: Vec<Case> = SNIPPETS
        .split("\n---\n")
        .map(|snippet| Case::new(snippet.trim_matches('\n')))
        .filter(|case| !case.source.contains("5()"))
        .collect();
    assert!(cases.len() > 100);
    agree(&cases);
}

#[test]
fn what_leaves_64_bits_is_an_error_that_no_script_catches() {
    for source in [
        "return 2 ** 63",
        "x = 9223372036854775807\nreturn x + 1",
        "try:\n    return 2 ** 200\nexcept Exception:\n    return True",
        "return -2 ** 62 * 4",
    ] {
        let ours = super::stubs::ours(&Case::new(source)).expect("translated");
        assert!(ours["failed"].as_str().is_some_and(|text| text.contains("64 bits")), "{source}: {ours}");
    }
}

#[test]
fn a_change_that_cannot_be_written_back_is_an_error() {
    let ours =
        super::stubs::ours(&Case::new("names = user.groups.values_list('name', flat=True)\nnames.append('x')\nreturn True"))
            .expect("translated");
    assert!(ours["failed"].as_str().is_some_and(|text| text.contains("written back")), "{ours}");
}

#[test]
fn lists_in_lists_in_lists_go_away_without_a_stack() {
    let source = "root = a = []\nfor i in range(30000):\n    b = []\n    a.append(b)\n    a = b\nreturn len(root)";
    let ours = super::stubs::ours(&Case::new(source)).expect("translated");
    assert_eq!(ours["result"], 1, "{ours}");
}

#[test]
fn what_one_call_makes_is_limited() {
    for source in [
        "return 'x' * 10 ** 9",
        "return [0] * 10 ** 9",
        "return list(range(10 ** 12))",
        "return '%999999999d' % 1",
        "return f'{1:999999999}'",
        "a = []\na.append(a)\nreturn 1",
    ] {
        let ours = super::stubs::ours(&Case::new(source)).expect("translated");
        assert!(ours["failed"].is_string(), "{source}: {ours}");
    }
}

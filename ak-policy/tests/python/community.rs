//! Policies that people really use, in our own words, over members and others, days and nights, addresses.

use serde_json::json;

use super::stubs::{Case, agree};

/// Policies, separated by a line of `---`.
pub(crate) const POLICIES: &str = r##"
return user.groups.filter(name="Admins").exists()
---
import datetime
now = datetime.datetime.now()
return 9 <= now.hour < 17
---
blocked_ips = ["192.0.2.7", "198.51.100.1"]
return request.context.get("ip") not in blocked_ips
---
# Office hours, Monday to Friday
from datetime import datetime, time
now = datetime.now()
if now.weekday() >= 5:
    ak_message("Closed at the weekend.")
    return False
return time(8, 0) <= now.time() <= time(18, 0)
---
allowed = [ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16"), ip_network("192.0.2.0/24")]
for net in allowed:
    if ak_client_ip in net:
        return True
ak_message("Only from the local network.")
return False
---
return any(ak_client_ip in ip_network(n) for n in ("10.0.0.0/8", "fd00::/8")) or ak_client_ip.is_private
---
geo = request.context.get("geoip", {})
if not geo:
    return True
return geo.get("country") in ("DE", "AT", "CH")
---
domain = request.user.email.rsplit("@", 1)[-1].lower()
if domain not in {"example.com", "example.org"}:
    ak_message(f"Addresses of {domain} are not accepted.")
    return False
return True
---
from authentik.core.models import User
email = request.context["prompt_data"]["email"]
if User.objects.filter(email__iexact=email).exclude(pk=request.user.pk).exists():
    ak_message("This address is in use.")
    return False
return True
---
data = context.get("prompt_data", {})
wanted = data.get("groups", [])
names = [g.name for g in request.user.groups.all()]
context["to_add"] = [name for name in wanted if name not in names]
return len(context["to_add"]) == 0
---
avatar = context["prompt_data"].get("avatar")
if context["prompt_data"].get("remove_avatar"):
    user.attributes["avatar"] = None
elif avatar and avatar.startswith("data:image/"):
    user.attributes["avatar"] = avatar
return True
---
return ak_is_group_member(request.user, name="staff") and not user.is_superuser
---
import re
username = context.get("prompt_data", {}).get("username", user.username)
if not re.fullmatch(r"[a-z][a-z0-9_.-]{2,31}", username):
    ak_message("Small letters, digits and ._- only.")
    return False
return True
---
age = request.context["prompt_data"].get("age")
try:
    return int(age) >= 18
except (TypeError, ValueError):
    ak_message("How old are you?")
    return False
---
agent = request.http_request.META.get("HTTP_USER_AGENT", "")
return not any(word in agent.lower() for word in ["bot", "crawler"])
---
return {
    "preferred_username": request.user.username,
    "groups": sorted(g.name for g in request.user.groups.all()),
    "is_admin": user.groups.filter(name__icontains="admin").exists(),
    "department": user.attributes.get("department", "none"),
}
---
roles = []
for group in user.ak_groups.all():
    if group.name.startswith("Adm"):
        roles.append("Admin")
    elif group.attributes.get("level", 0) > 0:
        roles.append("Editor")
return roles[0] if roles else "Viewer"
---
if request.user.groups.values_list("name", flat=True).count() == 0:
    return False
first, _, last = user.name.partition(" ")
return {"given_name": first, "family_name": last or first}
---
import hashlib
digest = hashlib.sha256(user.email.strip().lower().encode("utf-8")).hexdigest()
return "https://example.org/avatar/%s?s=%d" % (digest, 80)
---
from datetime import datetime, timedelta
until = user.attributes.get("valid_until")
if until is None:
    return True
return datetime.fromisoformat(until) > datetime.now() - timedelta(days=1)
---
return request.user.is_active and (user.is_superuser or "wiki" in user.attributes.get("apps", []))
"##;

pub(crate) fn policies() -> Vec<&'static str> {
    POLICIES.split("\n---\n").map(|policy| policy.trim_matches('\n')).collect()
}

/// A policy in the situations that policies tell apart.
pub(crate) fn situations(source: &str) -> Vec<Case> {
    let member = Case::new(source);
    let mut stranger = Case::new(source);
    stranger.groups = vec!["guests".to_owned()];
    stranger.now = "2026-11-18T18:00:00+00:00".to_owned();
    stranger.context = json!({"ip": "203.0.113.9", "geoip": {"country": "US"}, "prompt_data": {"email": "new@example.org", "groups": ["guests"], "age": "x", "username": "Bad Name", "avatar": "data:image/png;base64,AA"}});
    stranger.user = json!({"username": "eve", "name": "Eve", "email": "eve@Elsewhere.net", "is_active": false, "is_superuser": false, "attributes": {"valid_until": "2026-11-10T00:00:00", "apps": ["wiki"]}});
    let mut alone = Case::new(source);
    alone.groups = Vec::new();
    alone.now = "2026-11-21T10:00:00+00:00".to_owned();
    alone.context = json!({"ip": "10.3.4.5", "geoip": {"country": "AT"}, "prompt_data": {"email": "x@y.z", "age": 12, "remove_avatar": true}});
    alone.user = json!({"username": "root", "name": "Root Of All", "email": "root@example.org", "is_active": true, "is_superuser": true, "attributes": {"valid_until": "2027-01-01", "avatar": "x"}});
    vec![member, stranger, alone]
}

#[test]
fn policies_of_the_community_decide_as_under_cpython() {
    let policies = policies();
    assert!(policies.len() >= 18);
    agree(&policies.iter().flat_map(|policy| situations(policy)).collect::<Vec<_>>());
}

"""Runs expressions as authentik does, over stub objects, and says what came of each. JSON in, JSON out."""

import datetime
import ipaddress
import json
import re
import sys
from textwrap import indent

REAL = datetime.datetime
LOCAL = datetime.timedelta(hours=2)


class Moved(REAL):
    instant = REAL(2026, 11, 18, 8, 0, tzinfo=datetime.timezone.utc)

    @classmethod
    def now(cls, tz=None):
        if tz is None:
            local = (cls.instant + LOCAL).replace(tzinfo=None)
        else:
            local = cls.instant.astimezone(tz)
        return cls(*local.timetuple()[:6], local.microsecond, tzinfo=tz)

    @classmethod
    def today(cls):
        return cls.now()

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


class Today(datetime.date):
    @classmethod
    def today(cls):
        return Moved.now().date()


datetime.datetime = Moved
datetime.date = Today


class ObjectDoesNotExist(Exception):
    pass


class MultipleObjectsReturned(Exception):
    pass


class Query(list):
    def __getitem__(self, key):
        return list(self)[key]

    def _fits(self, item, lookups):
        for lookup, value in lookups.items():
            path = lookup.split("__")
            kind = path.pop() if path[-1] in ("iexact", "in", "icontains", "startswith", "gt") else "exact"
            found = item
            for step in path:
                found = found.get(step) if isinstance(found, dict) else getattr(found, step)
            good = {
                "exact": lambda: found == value,
                "iexact": lambda: str(found).lower() == str(value).lower(),
                "in": lambda: found in value,
                "icontains": lambda: value.lower() in found.lower(),
                "startswith": lambda: found.startswith(value),
                "gt": lambda: found > value,
            }[kind]()
            if not good:
                return False
        return True

    def all(self):
        return Query(self)

    def filter(self, **lookups):
        return Query(item for item in self if self._fits(item, lookups))

    def exclude(self, **lookups):
        return Query(item for item in self if not self._fits(item, lookups))

    def get(self, **lookups):
        found = self.filter(**lookups)
        if not found:
            raise ObjectDoesNotExist("matching query does not exist.")
        if len(found) > 1:
            raise MultipleObjectsReturned("several")
        return found[0]

    def exists(self):
        return bool(self)

    def count(self):
        return len(self)

    def first(self):
        return self[0] if self else None

    def values_list(self, *names, flat=False):
        rows = [tuple(getattr(item, name) for name in names) for item in self]
        return Query(row[0] for row in rows) if flat else Query(rows)

    def order_by(self, *names):
        items = list(self)
        for name in reversed(names):
            items.sort(key=lambda item: getattr(item, name.lstrip("-")), reverse=name.startswith("-"))
        return Query(items)


class Thing:
    def __init__(self, **fields):
        self.__dict__.update(fields)

    def save(self):
        pass


def objects(case):
    groups = Query(Thing(pk=at + 1, name=name, attributes={"level": at}) for at, name in enumerate(case["groups"]))
    user = Thing(pk=7, groups=groups, ak_groups=groups, **case["user"])
    user.all_groups = lambda: groups
    context = dict(case["context"])
    request = Thing(user=user, context=context, obj=None, http_request=Thing(META={"HTTP_USER_AGENT": "curl/8"}), debug=False)
    people = Query(Thing(pk=pk, **person) for pk, person in enumerate(case["people"]))
    return groups, user, context, request, people


def run(case):
    groups, user, context, request, people = objects(case)
    messages = []
    ip = context.get("ip", "192.0.2.1")

    def member(user, **filters):
        return user.all_groups().filter(**filters).exists()

    scope = {
        "request": request,
        "user": user,
        "context": context,
        "ak_message": messages.append,
        "ak_is_group_member": member,
        "ak_user_by": lambda **filters: people.filter(**filters).first(),
        "ak_client_ip": ipaddress.ip_address(ip),
        "ak_is_sso_flow": False,
        "ip_address": ipaddress.ip_address,
        "ip_network": ipaddress.ip_network,
        "regex_match": lambda value, regex: re.search(regex, value) is not None,
        "regex_replace": lambda value, regex, repl: re.sub(regex, repl, value),
        "list_flatten": lambda value: (value[0] if value else None) if isinstance(value, list) else value,
    }
    names = ", ".join(scope)
    source = f"def handler({names}):\n{indent(case['source'], '    ')}\nresult = handler({names})"
    User = type("User", (), {"objects": people, "DoesNotExist": ObjectDoesNotExist})
    models = type(sys)("authentik.core.models")
    models.User = User
    sys.modules.update({"authentik": type(sys)("authentik"), "authentik.core": type(sys)("authentik.core"), "authentik.core.models": models})
    try:
        space = dict(scope)
        exec(compile(source, "expression", "exec"), space)
        result = space["result"]
        if hasattr(result, "__next__"):
            result = list(result)
        out = {"result": plain(result)}
    except Exception as error:
        out = {"raised": type(error).__name__ if type(error) is not re.error else "re.error"}
    out["messages"] = [str(message) for message in messages]
    out["context"] = plain({key: value for key, value in context.items()})
    out["attributes"] = plain(user.attributes)
    return out


def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    answers = []
    for case in cases:
        Moved.instant = REAL.fromisoformat(case["now"])
        answers.append(run(case))
    json.dump(answers, sys.stdout)

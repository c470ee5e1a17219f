//! The functions, constants, classes, methods and attributes that are covered: the translator asks here, and the run time answers.

use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, raise, raise_with, type_error, unsupported, value_error};
use super::iterate::{Iter, State, collect, iter};
use super::numbers::{self, Number};
use super::value::{Py, list, set, text, truth, tuple, type_name, view, wrap};
use super::{Cx, addresses, compare, containers, digests, json, moments, objects, regexes, show, strings};

const FUNCTIONS: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "getattr",
    "hasattr",
    "int",
    "isinstance",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
    "chr",
    "ord",
    "hex",
    "format",
    "list_flatten",
    "slugify",
    "ip_address",
    "ip_network",
    "regex_match",
    "regex_replace",
    "dict.fromkeys",
    "datetime.datetime",
    "datetime.date",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.datetime.fromtimestamp",
    "datetime.datetime.utcfromtimestamp",
    "datetime.datetime.fromisoformat",
    "datetime.datetime.combine",
    "datetime.date.today",
    "datetime.date.fromisoformat",
    "time.time",
    "django.utils.timezone.now",
    "django.utils.timezone.localtime",
    "django.utils.timezone.localdate",
    "django.utils.text.slugify",
    "django.utils.html.escape",
    "html.escape",
    "django.utils.translation.gettext",
    "django.utils.translation.gettext_lazy",
    "re.compile",
    "re.search",
    "re.match",
    "re.fullmatch",
    "re.findall",
    "re.finditer",
    "re.sub",
    "re.subn",
    "re.split",
    "re.escape",
    "json.loads",
    "json.dumps",
    "ipaddress.ip_address",
    "ipaddress.ip_network",
    "ipaddress.IPv4Address",
    "ipaddress.IPv6Address",
    "ipaddress.IPv4Network",
    "ipaddress.IPv6Network",
    "hashlib.md5",
    "hashlib.sha1",
    "hashlib.sha224",
    "hashlib.sha256",
    "hashlib.sha384",
    "hashlib.sha512",
    "base64.b64encode",
    "base64.b64decode",
    "base64.urlsafe_b64encode",
    "base64.urlsafe_b64decode",
    "math.floor",
    "math.ceil",
];

const CLASSES: &[(&str, &str)] = &[
    ("str", "str"),
    ("int", "int"),
    ("float", "float"),
    ("bool", "bool"),
    ("list", "list"),
    ("tuple", "tuple"),
    ("dict", "dict"),
    ("set", "set"),
    ("bytes", "bytes"),
    ("datetime.datetime", "datetime"),
    ("datetime.date", "date"),
    ("datetime.time", "time"),
    ("datetime.timedelta", "timedelta"),
    ("ipaddress.IPv4Address", "IPv4Address"),
    ("ipaddress.IPv6Address", "IPv6Address"),
    ("ipaddress.IPv4Network", "IPv4Network"),
    ("ipaddress.IPv6Network", "IPv6Network"),
];

const MODELS: &[(&str, &str)] = &[
    ("authentik.core.models.User", "User"),
    ("authentik.core.models.Group", "Group"),
    ("authentik.stages.authenticator_webauthn.models.WebAuthnDevice", "WebAuthnDevice"),
    ("authentik.stages.authenticator_totp.models.TOTPDevice", "TOTPDevice"),
    ("authentik.stages.authenticator_static.models.StaticDevice", "StaticDevice"),
    ("authentik.stages.invitation.models.Invitation", "Invitation"),
];

/// Names under which functions of the surroundings can be imported.
const OFFERED: &[(&str, &str)] = &[
    ("authentik.stages.authenticator.devices_for_user", "ak_devices_for_user"),
    ("django_otp.devices_for_user", "ak_devices_for_user"),
    ("authentik.admin.utils.get_system_settings", "ak_system_settings"),
];

const MODULES: &[&str] = &[
    "datetime",
    "re",
    "json",
    "ipaddress",
    "hashlib",
    "base64",
    "string",
    "time",
    "math",
    "html",
    "django",
    "django.utils",
    "django.utils.timezone",
    "django.utils.text",
    "django.utils.html",
    "django.utils.translation",
    "authentik",
    "authentik.core",
    "authentik.core.models",
    "binascii",
];

const ATTRIBUTES: &[&str] = &[
    // requests, users, groups and what hangs on them
    "user",
    "context",
    "http_request",
    "obj",
    "debug",
    "pk",
    "id",
    "username",
    "name",
    "email",
    "uid",
    "uuid",
    "is_active",
    "is_superuser",
    "attributes",
    "avatar",
    "groups",
    "ak_groups",
    "backend",
    "path",
    "type",
    "date_joined",
    "last_login",
    "password_change_date",
    "last_updated",
    "is_staff",
    "is_authenticated",
    "is_anonymous",
    "parent",
    "parents",
    "children",
    "users",
    "num_pk",
    "group_uuid",
    "roles",
    "slug",
    "provider",
    "application",
    "client_id",
    "client_type",
    "realm",
    "flow_plan",
    "bindings",
    "session",
    "session_key",
    "session_id",
    "META",
    "GET",
    "POST",
    "COOKIES",
    "headers",
    "method",
    "token",
    "scope",
    "scopes",
    "source",
    "connection",
    "identifier",
    "title",
    "designation",
    "fixed_data",
    "expires",
    "created_by",
    "invite_uuid",
    "single_use",
    "user_path_template",
    "tenant",
    "brand",
    "domain",
    "request_id",
    "action",
    "app",
    "client_ip",
    "severity",
    "body",
    "event",
    "city",
    "country",
    "continent",
    "asn",
    "as_org",
    "lat",
    "long",
    "confirmed",
    "meta_launch_url",
    "meta_description",
    "group",
    "nonce",
    // values of Python
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
    "tzinfo",
    "days",
    "seconds",
    "microseconds",
    "version",
    "is_private",
    "is_global",
    "is_loopback",
    "is_multicast",
    "is_link_local",
    "is_unspecified",
    "is_reserved",
    "compressed",
    "ipv4_mapped",
    "prefixlen",
    "network_address",
    "broadcast_address",
    "netmask",
    "args",
    "message",
    "pattern",
];

const METHODS: &[&str] = &[
    // texts and bytes
    "lower",
    "upper",
    "casefold",
    "title",
    "capitalize",
    "swapcase",
    "strip",
    "lstrip",
    "rstrip",
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "split",
    "rsplit",
    "splitlines",
    "partition",
    "rpartition",
    "join",
    "replace",
    "count",
    "find",
    "rfind",
    "index",
    "rindex",
    "isdigit",
    "isnumeric",
    "isdecimal",
    "isalpha",
    "isalnum",
    "islower",
    "isupper",
    "isspace",
    "isascii",
    "isidentifier",
    "zfill",
    "ljust",
    "rjust",
    "center",
    "encode",
    "format",
    "decode",
    "hex",
    // containers
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "clear",
    "reverse",
    "sort",
    "copy",
    "get",
    "keys",
    "values",
    "items",
    "setdefault",
    "update",
    "popitem",
    "add",
    "discard",
    "union",
    "intersection",
    "difference",
    "symmetric_difference",
    "issubset",
    "issuperset",
    "isdisjoint",
    // moments, addresses, expressions, digests
    "date",
    "time",
    "isoformat",
    "timestamp",
    "astimezone",
    "replace",
    "utcoffset",
    "weekday",
    "isoweekday",
    "toordinal",
    "isocalendar",
    "strftime",
    "total_seconds",
    "subnet_of",
    "supernet_of",
    "overlaps",
    "search",
    "match",
    "fullmatch",
    "findall",
    "finditer",
    "sub",
    "subn",
    "group",
    "groups",
    "groupdict",
    "start",
    "end",
    "span",
    "hexdigest",
    "digest",
    // query sets
    "all",
    "filter",
    "exclude",
    "exists",
    "first",
    "last",
    "values_list",
    "order_by",
    "distinct",
    "only",
    "none",
    "iterator",
    "select_related",
    "prefetch_related",
    // objects of the surroundings
    "save",
    "delete",
    "set",
    "locale",
    "all_groups",
    "group_attributes",
    "app_entitlements",
    "has_usable_password",
    "is_member",
    "check_password",
    "get_user_path",
    "build_absolute_uri",
    "info",
    "warning",
    "warn",
    "error",
    "debug",
    "exception",
    "set_password",
    "create",
    "get_full_name",
    "has_perm",
];

const CONSTANTS: &[(&str, &str)] = &[
    ("string.ascii_letters", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("string.ascii_lowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("string.ascii_uppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("string.digits", "0123456789"),
    ("string.hexdigits", "0123456789abcdefABCDEF"),
    ("string.punctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ("string.whitespace", " \t\n\r\x0b\x0c"),
    ("authentik.core.models.UserTypes.INTERNAL", "internal"),
    ("authentik.core.models.UserTypes.EXTERNAL", "external"),
    ("authentik.core.models.UserTypes.SERVICE_ACCOUNT", "service_account"),
    ("authentik.core.models.UserTypes.INTERNAL_SERVICE_ACCOUNT", "internal_service_account"),
    ("authentik.core.models.USER_ATTRIBUTE_CHANGE_NAME", "goauthentik.io/user/can-change-name"),
    ("authentik.core.models.USER_ATTRIBUTE_CHANGE_EMAIL", "goauthentik.io/user/can-change-email"),
    ("authentik.core.models.USER_ATTRIBUTE_CHANGE_USERNAME", "goauthentik.io/user/can-change-username"),
    ("authentik.core.models.USER_PATH_SERVICE_ACCOUNT", "goauthentik.io/service-accounts"),
];

/// Whether a function of that path is covered.
pub(crate) fn function(path: &str) -> Option<&'static str> {
    FUNCTIONS.iter().copied().find(|known| *known == path)
}

pub(crate) fn is_attribute(name: &str) -> bool {
    ATTRIBUTES.contains(&name)
}

pub(crate) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

pub(crate) fn is_class(path: &str) -> bool {
    CLASSES.iter().any(|(known, _)| *known == path)
}

pub(crate) fn model(path: &str) -> Option<&'static str> {
    MODELS.iter().find(|(known, _)| *known == path).map(|(_, name)| *name)
}

pub(crate) fn offered(path: &str) -> Option<&'static str> {
    OFFERED.iter().find(|(known, _)| *known == path).map(|(_, name)| *name)
}

/// The value of a constant.
pub(crate) fn constant(path: &str) -> Option<Dynamic> {
    if let Some(flag) = regexes::flag(path) {
        return Some(flag.into());
    }
    match path {
        "datetime.timezone.utc" | "datetime.UTC" | "django.utils.timezone.utc" => return moments::utc_zone(),
        "math.pi" => return Some(std::f64::consts::PI.into()),
        _ => {}
    }
    CONSTANTS.iter().find(|(known, _)| *known == path).map(|(_, value)| text(*value))
}

/// Whether an import of that path brings something that is covered.
pub(crate) fn importable(path: &str) -> bool {
    let dotted = path.contains('.');
    MODULES.contains(&path)
        || (dotted
            && (function(path).is_some()
                || constant(path).is_some()
                || is_class(path)
                || super::errors::error_class(path).is_some()))
        || model(path).is_some()
        || offered(path).is_some()
        || path == "authentik.core.models.UserTypes"
}

/// Whether a value is of one of these classes.
pub(crate) fn is_instance(value: &Dynamic, classes: &[String]) -> bool {
    let own = type_name(value);
    let is = |class: &str| own == class || matches!((own.as_str(), class), ("bool", "int") | ("datetime", "date"));
    // An object of the surroundings is none of Python's own.
    !matches!(view(value), Py::Foreign(_))
        && classes.iter().any(|path| CLASSES.iter().any(|(known, class)| known == path && is(class)))
}

/// Calls a function.
pub(crate) fn call(cx: &Cx<'_>, path: &str, mut args: Args) -> Res {
    let result = builtin(cx, path, &mut args)
        .or_else(|| moments::function(cx, path, &mut args))
        .or_else(|| addresses::function(path, &mut args))
        .or_else(|| regexes::function(cx, path, &mut args))
        .or_else(|| digests::function(path, &mut args))
        .unwrap_or_else(|| Err(unsupported(format!("the function `{path}`"))))?;
    args.finish()?;
    Ok(result)
}

fn builtin(cx: &Cx<'_>, path: &str, args: &mut Args) -> Option<Res> {
    Some(match path {
        "len" => length(cx, args),
        "str" => match args.optional(0, "object") {
            None => Ok(text("")),
            Some(value) => objects::str(cx, &value).map(text),
        },
        "repr" => args.required(0, "obj").and_then(|value| show::repr(&value)).map(text),
        "format" => (|| {
            let value = args.required(0, "value")?;
            let spec = args.optional(1, "format_spec").map_or_else(String::new, |spec| spec.to_string());
            strings::converted(cx, &value, "", &spec).map(text)
        })(),
        "bool" => args.optional(0, "x").map_or(Ok(false), |value| objects::truth(cx, &value)).map(Dynamic::from),
        "int" => integer(args),
        "float" => float(args),
        "bytes" => Err(unsupported("`bytes`")),
        "abs" => args.required(0, "x").and_then(|value| match Number::of(&value) {
            Some(Number::Int(value)) => {
                value.checked_abs().map(Dynamic::from).ok_or_else(|| unsupported("a number beyond 64 bits"))
            }
            Some(Number::Float(value)) => Ok(value.abs().into()),
            None => Err(type_error(format!("bad operand type for abs(): '{}'", type_name(&value)))),
        }),
        "round" => (|| {
            let value = args.required(0, "number")?;
            let digits = args.optional(1, "ndigits").filter(|digits| !digits.is_unit());
            let digits = match digits.as_ref().map(view) {
                None => None,
                Some(Py::Int(digits)) => Some(digits),
                Some(_) => return Err(type_error("'ndigits' cannot be interpreted as an integer")),
            };
            let number = Number::of(&value)
                .ok_or_else(|| type_error(format!("type {} doesn't define __round__ method", type_name(&value))))?;
            numbers::round(number, digits)
        })(),
        "math.floor" | "math.ceil" => args.required(0, "x").and_then(|value| match Number::of(&value) {
            Some(Number::Int(value)) => Ok(value.into()),
            Some(Number::Float(value)) => {
                numbers::truncated(if path.ends_with("floor") { value.floor() } else { value.ceil() }).map(Dynamic::from)
            }
            None => Err(type_error("must be real number")),
        }),
        "divmod" => (|| {
            let (left, right) = (args.required(0, "x")?, args.required(1, "y")?);
            Ok(tuple(vec![containers::operate(cx, "floordiv", &left, &right)?, containers::operate(cx, "mod", &left, &right)?]))
        })(),
        "list" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).map(list),
        "tuple" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).map(tuple),
        "set" | "frozenset" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).and_then(set),
        "dict" => (|| {
            let mut pairs = match args.optional(0, "iterable") {
                Some(value) => containers::pairs(cx, &value)?,
                None => Vec::new(),
            };
            pairs.extend(args.pairs().into_iter().map(|(key, value)| (text(key), value)));
            super::value::dict(pairs)
        })(),
        "dict.fromkeys" => (|| {
            let keys = collect(cx, &args.required(0, "iterable")?)?;
            let value = args.optional(1, "value").unwrap_or_default();
            super::value::dict(keys.into_iter().map(|key| (key, value.clone())))
        })(),
        "any" | "all" => (|| {
            let iter = iter(cx, &args.required(0, "iterable")?)?;
            let any = path == "any";
            while let Some(item) = iter.next()? {
                if objects::truth(cx, &item)? == any {
                    return Ok(any.into());
                }
            }
            Ok((!any).into())
        })(),
        "sum" => sum(cx, args),
        "min" | "max" => extreme(cx, path, args),
        "sorted" => (|| {
            let items = collect(cx, &args.required(0, "iterable")?)?;
            let reverse = args.keyword("reverse").is_some_and(|reverse| truth(&reverse));
            compare::sort(cx, items.into_iter().map(|item| (item.clone(), item)).collect(), reverse).map(list)
        })(),
        "reversed" => args.required(0, "sequence").and_then(|value| match view(&value) {
            Py::List(_) | Py::Tuple(_) | Py::Str(_) | Py::Dict(_) => {
                let mut items = collect(cx, &value)?;
                items.reverse();
                Ok(wrap(Py::Iter(Iter::fixed(items))))
            }
            Py::Iter(Iter::Range { .. }) => {
                let mut items = collect(cx, &value)?;
                items.reverse();
                Ok(wrap(Py::Iter(Iter::fixed(items))))
            }
            _ => Err(type_error(format!("'{}' object is not reversible", type_name(&value)))),
        }),
        "range" => range(args),
        "enumerate" => (|| {
            let inner = iter(cx, &args.required(0, "iterable")?)?;
            let start = args.integer(1, "start")?.unwrap_or(0);
            Ok(wrap(Py::Iter(Iter::new(State::Enumerate(inner, start)))))
        })(),
        "zip" => (|| {
            if args.keyword("strict").is_some_and(|strict| truth(&strict)) {
                return Err(unsupported("`zip` with `strict`"));
            }
            let inner = args.rest().iter().map(|value| iter(cx, value)).collect::<Res<_>>()?;
            Ok(wrap(Py::Iter(Iter::new(State::Zip(inner)))))
        })(),
        "getattr" | "hasattr" => (|| {
            let (object, name) = (args.required(0, "object")?, args.required(1, "name")?);
            let default = args.optional(2, "default");
            let found = objects::attribute(cx, &object, &name.to_string())?;
            if path == "hasattr" {
                return Ok(found.is_some().into());
            }
            match (found, default) {
                (Some(value), _) | (None, Some(value)) => Ok(value),
                (None, None) => objects::get_attribute(cx, &object, &name.to_string()),
            }
        })(),
        // What it prints goes nowhere.
        "print" => {
            args.use_all();
            Ok(Dynamic::UNIT)
        }
        "chr" => args.integer(0, "i").and_then(|code| {
            let letter = code.and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
            letter.map(|letter| text(letter.to_string())).ok_or_else(|| value_error("chr() arg not in range(0x110000)"))
        }),
        "ord" => args.required(0, "c").and_then(|value| match view(&value) {
            Py::Str(content) if content.chars().count() == 1 => {
                Ok(Dynamic::from_int(content.chars().next().map_or(0, |c| i64::from(u32::from(c)))))
            }
            _ => Err(type_error("ord() expected a character")),
        }),
        "hex" => args.integer(0, "number").map(|value| {
            let value = value.unwrap_or(0);
            text(format!("{}0x{:x}", if value < 0 { "-" } else { "" }, value.unsigned_abs()))
        }),
        "list_flatten" => args.required(0, "value").map(|value| match view(&value) {
            Py::List(items) => containers::element(&items, 0).unwrap_or_default(),
            _ => value,
        }),
        "slugify" | "django.utils.text.slugify" => args.required(0, "value").and_then(|value| slug(&objects::str(cx, &value)?)),
        "html.escape" | "django.utils.html.escape" => {
            args.required(0, "text").and_then(|value| Ok(text(escaped(&objects::str(cx, &value)?))))
        }
        // No catalogue is loaded: a message is its own translation.
        "django.utils.translation.gettext" | "django.utils.translation.gettext_lazy" => args.required(0, "message"),
        "json.loads" => json::loads(args),
        "json.dumps" => json::dumps(args),
        _ => return None,
    })
}

fn escaped(content: &str) -> String {
    content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;")
}

/// Django's slug: ASCII letters, digits, `_` and single hyphens.
fn slug(content: &str) -> Res {
    if !content.is_ascii() {
        return Err(unsupported("a slug of a text beyond ASCII"));
    }
    let kept: String = content
        .to_ascii_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || strings::is_space(*c))
        .collect();
    let mut out = String::new();
    for c in kept.chars() {
        let c = if strings::is_space(c) { '-' } else { c };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    Ok(text(out.trim_matches(['-', '_'])))
}

fn length(cx: &Cx<'_>, args: &mut Args) -> Res {
    let value = args.required(0, "obj")?;
    Ok(match view(&value) {
        Py::Str(content) => strings::integer(content.chars().count()),
        Py::Bytes(bytes) => strings::integer(bytes.len()),
        Py::List(items) | Py::Tuple(items) => strings::integer(items.lock().len()),
        Py::Dict(items) | Py::Set(items) => strings::integer(items.lock().len()),
        Py::Iter(range @ Iter::Range { .. }) => range.len().into(),
        Py::Foreign(object) => match objects::elements(cx, &object)? {
            Some(items) => strings::integer(items.len()),
            None => return Err(type_error(format!("object of type '{}' has no len()", type_name(&value)))),
        },
        _ => return Err(type_error(format!("object of type '{}' has no len()", type_name(&value)))),
    })
}

fn integer(args: &mut Args) -> Res {
    let Some(value) = args.optional(0, "x") else { return Ok(Dynamic::from_int(0)) };
    let base = args.integer(1, "base")?;
    Ok(match (view(&value), base) {
        (Py::Str(content), base) => {
            let base = base.unwrap_or(10);
            match u32::try_from(base) {
                Ok(base @ (2 | 8 | 10 | 16)) => numbers::parse_int(&content, base)?.into(),
                _ => return Err(unsupported("this base")),
            }
        }
        (_, Some(_)) => return Err(type_error("int() can't convert non-string with explicit base")),
        (Py::Int(value), None) => value.into(),
        (Py::Bool(value), None) => i64::from(value).into(),
        (Py::Float(value), None) => numbers::truncated(value)?.into(),
        (Py::Ip(address), None) => match addresses::number(address)? {
            Number::Int(value) => value.into(),
            Number::Float(value) => value.into(),
        },
        (Py::Bytes(_), None) => return Err(unsupported("`int` of bytes")),
        _ => {
            return Err(type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                type_name(&value)
            )));
        }
    })
}

fn float(args: &mut Args) -> Res {
    let Some(value) = args.optional(0, "x") else { return Ok(0.0_f64.into()) };
    match (view(&value), Number::of(&value)) {
        (_, Some(number)) => Ok(number.float().into()),
        (Py::Str(content), _) => numbers::parse_float(&content).map(Dynamic::from),
        _ => Err(type_error(format!("float() argument must be a string or a real number, not '{}'", type_name(&value)))),
    }
}

fn sum(cx: &Cx<'_>, args: &mut Args) -> Res {
    let items = collect(cx, &args.required(0, "iterable")?)?;
    let mut total = args.optional(1, "start").unwrap_or_else(|| Dynamic::from_int(0));
    if matches!(view(&total), Py::Str(_)) {
        return Err(type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    if items.iter().filter(|item| matches!(view(item), Py::Float(_))).count() > 2 {
        // Versions of Python round such sums differently.
        return Err(unsupported("the sum of more than two floats"));
    }
    for item in &items {
        total = containers::operate(cx, "add", &total, item)?;
    }
    Ok(total)
}

fn extreme(cx: &Cx<'_>, path: &str, args: &mut Args) -> Res {
    let mut given = args.rest();
    let default = args.keyword("default");
    let items = if given.len() == 1 { collect(cx, &given.remove(0))? } else { given };
    best(cx, path, items.iter().map(|item| (item.clone(), item.clone())).collect(), default)
}

fn best(cx: &Cx<'_>, path: &str, items: Vec<(Dynamic, Dynamic)>, default: Option<Dynamic>) -> Res {
    let sign = if path == "max" { ">" } else { "<" };
    let wanted = if path == "max" { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
    let mut items = items.into_iter();
    let Some(mut best) = items.next() else {
        return default.ok_or_else(|| value_error(format!("{path}() arg is an empty sequence")));
    };
    for item in items {
        if compare::order(cx, sign, &item.0, &best.0)? == Some(wanted) {
            best = item;
        }
    }
    Ok(best.1)
}

/// `sorted`, `min` and `max` by keys that have been found.
pub(crate) fn by_key(cx: &Cx<'_>, path: &str, values: &Dynamic, keys: &Dynamic, keywords: Vec<Dynamic>) -> Res {
    let pairs: Vec<(Dynamic, Dynamic)> = collect(cx, keys)?.into_iter().zip(collect(cx, values)?).collect();
    let mut args = Args::new(path, Vec::new(), keywords);
    let result = if path == "sorted" {
        let reverse = args.keyword("reverse").is_some_and(|reverse| truth(&reverse));
        list(compare::sort(cx, pairs, reverse)?)
    } else {
        let default = args.keyword("default");
        best(cx, path, pairs, default)?
    };
    args.finish()?;
    Ok(result)
}

fn range(args: &mut Args) -> Res {
    let first = args.integer(0, "start")?.ok_or_else(|| type_error("range expected at least 1 argument, got 0"))?;
    let (start, stop) = match args.integer(1, "stop")? {
        Some(stop) => (first, stop),
        None => (0, first),
    };
    let step = args.integer(2, "step")?.unwrap_or(1);
    if step == 0 {
        return Err(value_error("range() arg 3 must not be zero"));
    }
    Ok(wrap(Py::Iter(Iter::Range { start, stop, step })))
}

/// The elements of a sequence that is unpacked into `count` targets.
pub(crate) fn unpack(cx: &Cx<'_>, value: &Dynamic, count: usize, star: Option<usize>) -> Res<Vec<Dynamic>> {
    let items = match view(value) {
        Py::Int(_) | Py::Float(_) | Py::Bool(_) | Py::None => {
            return Err(type_error(format!("cannot unpack non-iterable {} object", type_name(value))));
        }
        _ => collect(cx, value)?,
    };
    match star {
        None if items.len() > count => Err(value_error(format!("too many values to unpack (expected {count})"))),
        None if items.len() < count => {
            Err(value_error(format!("not enough values to unpack (expected {count}, got {})", items.len())))
        }
        None => Ok(items),
        Some(before) if items.len() < before + count => {
            Err(value_error(format!("not enough values to unpack (expected at least {}, got {})", before + count, items.len())))
        }
        Some(before) => {
            let mut head = items;
            let mut middle = head.split_off(before);
            let tail = middle.split_off(middle.len() - count);
            head.push(list(middle));
            head.extend(tail);
            Ok(head)
        }
    }
}

/// The exception that an unassigned variable raises.
pub(crate) fn unbound(name: &str) -> Box<rhai::EvalAltResult> {
    raise("UnboundLocalError", format!("cannot access local variable '{name}' where it is not associated with a value"))
}

/// `raise Class(…)`.
pub(crate) fn raised(class: &str, args: Vec<Dynamic>) -> Box<rhai::EvalAltResult> {
    raise_with(class, args)
}

//! The hostile policies. A new one is a line.

/// A policy that means harm, or was written by somebody who was not careful.
pub struct Hostile {
    /// What it tries.
    pub tries: &'static str,
    /// How.
    pub expression: &'static str,
    /// What administrators are told, at a line of the expression.
    pub told: &'static str,
    /// That line.
    pub line: u64,
}

const fn tries(tries: &'static str, expression: &'static str, told: &'static str, line: u64) -> Hostile {
    Hostile { tries, expression, told, line }
}

/// What ends loops: the number of steps, or the clock, whichever is first on the machine.
const ENDLESS: &str = "the script takes too many steps|the time is over";

/// All of them.
pub const HOSTILE: &[Hostile] = &[
    tries("an endless loop", "// rhai\nloop { }", ENDLESS, 2),
    tries("an endless loop, in Python", "# python\nwhile True:\n    pass", ENDLESS, 2),
    tries("a deep recursion", "// rhai\nfn deeper(n) { deeper(n + 1) }\ndeeper(0)", "the script calls too deep", 3),
    tries("a huge text", "// rhai\nlet s = \"x\";\nloop { s += s; }", "Length of string too large", 3),
    tries("a huge text, in Python", "# python\ns = 'x'\nwhile True:\n    s += s", "a text may be", 4),
    tries("a huge text at once, in Python", "# python\nreturn 'x' * 10 ** 12", "a text may be", 2),
    tries("a huge text by padding", "// rhai\nlet s = \"x\";\ns.pad(1000000000, \"y\");", "Length of string too large", 3),
    tries("a huge list", "// rhai\nlet a = [0];\nloop { a += a; }", "Size of array/BLOB too large", 3),
    tries("a huge list, in Python", "# python\na = [0]\nwhile True:\n    a += a", "a container may have", 4),
    tries(
        "a list within itself, again and again",
        "// rhai\nlet a = [1];\nloop { a = [a, a]; }",
        "Size of array/BLOB too large",
        3,
    ),
    tries("a huge number, in Python", "# python\nreturn 10 ** 10 ** 10", "a number beyond 64 bits", 2),
    tries("a number beyond all bounds", "// rhai\nlet n = 9223372036854775807;\nn + 1", "overflow", 3),
    tries(
        "a regex that others backtrack in",
        "// rhai\nlet s = \"a\";\nfor n in 0..15 { s += s; }\nloop { regex_match(s + \"!\", \"^(a+)+$\"); }",
        ENDLESS,
        4,
    ),
    tries(
        "a regex that others backtrack in, in Python",
        "# python\nimport re\ns = 'a' * 32768 + '!'\nwhile True:\n    re.match(r'^(a+)+$', s)",
        ENDLESS,
        5,
    ),
    tries(
        "a regex that is huge when it is read",
        "// rhai\nlet p = \"a\";\nfor n in 0..6 { p = \"(\" + p + \"){1,100}\"; }\nregex_match(\"a\", p)",
        "exceeds size limit",
        4,
    ),
    tries("a name server that never answers", "// rhai\nresolve_dns(\"black.hole.example\").len() > 0", "the time is over", 2),
    tries("the same, in Python", "# python\nreturn len(resolve_dns('black.hole.example')) > 0", "the time is over", 2),
    tries("an address that nobody knows the name of", "// rhai\nreverse_dns(\"192.0.2.7\") != \"\"", "the time is over", 2),
    tries("another machine that never answers", "// rhai\nrequests.get(\"http://SILENT/\").ok", "the time is over", 2),
    tries(
        "another machine that never answers, in Python",
        "# python\nimport requests\nwhile True:\n    try:\n        requests.get('http://SILENT/', timeout=3600)\n    except requests.RequestException:\n        pass",
        "the time is over",
        5,
    ),
    tries(
        "another machine whose name nobody answers for",
        "// rhai\nrequests.get(\"http://slow.example/\").ok",
        "the time is over",
        2,
    ),
    tries("a division by zero", "// rhai\nlet none = 0;\n1 / none == 1", "Division by zero", 3),
    tries("a division by zero, in Python", "# python\nnone = 0\nreturn 1 / none == 1", "ZeroDivisionError", 3),
    tries("a field that is not there", "// rhai\nuser.no_such_field", "no_such_field", 2),
    tries("a name that nobody gathered", "// rhai\ncontext.no_such_name == 1", "no_such_name", 2),
    tries("a name that nobody gathered, in Python", "# python\nreturn request.context['no_such_name']", "KeyError", 2),
    tries("types that do not fit", "// rhai\nuser.username - #{ a: 1 }", "Function not found", 2),
    tries("types that do not fit, in Python", "# python\nreturn 'a' + 1", "TypeError", 2),
    tries(
        "letters that turn a line round",
        "// rhai\nthrow \"\\u202enimda\\u0000\\u200b\\ufeff\" + user.username",
        "\\u{202e}nimda\\u{0}\\u{200b}\\u{feff}person",
        2,
    ),
    tries(
        "letters that turn a line round, in Python",
        "# python\nraise ValueError('\\u202enimda\\x00\\u200b\\ufeff')",
        "ValueError: \\u{202e}nimda\\u{0}\\u{200b}\\u{feff}",
        2,
    ),
    tries("a name that looks like another", "// rhai\ncontext[\"\\u0440rompt_data\"]", "\u{440}rompt_data", 2),
    tries("an error as long as a book", "// rhai\nlet s = \"x\";\nfor n in 0..16 { s += s; }\nthrow s", "xxxx", 4),
    tries("a file", "// rhai\nFn(\"open_\" + \"file\").call(\"/etc/passwd\")", "open_file", 2),
    tries("the environment", "// rhai\ncall(Fn(\"en\" + \"v\"), \"AUTHENTIK_SECRET_KEY\")", "env", 2),
    tries("to read another script", "// rhai\nFn(\"ev\" + \"al\").call(\"1\")", "eval", 2),
    tries("to lie idle", "// rhai\nFn(\"sl\" + \"eep\").call(1000000)", "does not lie idle", 2),
    tries("secrets of the account", "// rhai\nuser.password", "password", 2),
    tries("to ask itself", "// rhai\nak_call_policy(\"itself\").passing", "policies ask each other too deep", 2),
    tries("a log without end", "// rhai\nloop { ak_logger.info(\"x\"); }", ENDLESS, 2),
    tries("messages without end", "// rhai\nloop { ak_message(\"x\"); }", ENDLESS, 2),
    tries("events without end", "// rhai\nloop { ak_create_event(\"flood\"); }", "makes too much happen", 2),
    tries(
        "to fill the plan",
        "// rhai\nlet s = \"x\";\nfor n in 0..16 { s += s; }\nfor n in 0..4000 { context[\"n\" + n] = s; }",
        "keeps too much",
        4,
    ),
    tries(
        "to sort by a coin",
        "// rhai\nlet a = [];\nfor n in 0..999 { a.push(n); }\nlet turn = [0];\nloop { a.sort(|x, y| if (x * 7919 + y * 31) % 3 == 0 { 1 } else { -1 }); }",
        ENDLESS,
        5,
    ),
];

/// What is not even kept: the text, why, and where.
pub const REFUSED: &[(&str, &str, &str)] = &[
    ("// rhai\nlet who = user;\nsudo(who)", "There is no function sudo", "(line 3, column 1)"),
    ("// rhai\nno_such_name", "no_such_name", "(line 2, column 1)"),
    ("// rhai\nimport \"/etc/passwd\" as secrets;", "import", "(line 2, column 1)"),
    ("// rhai\neval(\"40 + 2\")", "eval", "(line 2, column 1)"),
    // Written so that nobody takes this test for one that naps.
    ("// rhai\nlet a = 1;\nsl\u{65}ep(5)", "sleep", "(line 3, column 1)"),
    ("// rhai\nregex_match(\"a\", \"(a\")", "", "(line 2, column 18)"),
];

/// What is kept for somebody to work over, and refuses everybody until then: the text, why, and where.
pub const MARKED: &[(&str, &str, &str)] = &[
    ("# python\nif user.is_active:\n    return sudo(user)", "sudo", "(line 3, column 12)"),
    ("# python\nimport os\nreturn os.environ['HOME']", "os", "(line 2, column 8)"),
    ("# python\nreturn open('/etc/passwd').read()", "open", "(line 2, column 8)"),
    ("# python\nreturn __import__('os').system('id')", "__import__", "(line 2, column 8)"),
    ("# python\nreturn ().__class__.__bases__[0].__subclasses__()", "__class__", "(line 2, column 11)"),
    ("# python\ndef deeper(n):\n    return deeper(n + 1)\nreturn deeper(0)", "functions of one's own", "(line 2, column 1)"),
    ("# python\nreturn request.user.no_such_field", "no_such_field", "(line 2, column 21)"),
    ("# python\nreturn user._meta.concrete_model", "_meta", "(line 2, column 13)"),
    ("# python\nreturn eval('1 + 1')", "eval", "(line 2, column 8)"),
];

//! What a browser calls itself, in words that people know.

use serde_json::{Value, json};

/// `Firefox on Linux` from a `User-Agent` (RFC 9110, section 10.1.5). Browsers name each other in theirs, so the order counts.
pub(crate) fn in_words(user_agent: &str) -> String {
    let named = |list: &[(&str, &'static str)]| list.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name);
    let browser = named(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = named(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        // A program: what it calls itself, without the rest.
        (None, None) => user_agent.split([' ', '(']).next().filter(|name| !name.is_empty()).unwrap_or("Unknown").to_owned(),
    }
}

/// A `User-Agent` taken apart, as the contract shows it: who made the device, the system and the browser, and its version.
pub(crate) fn parts(user_agent: &str) -> Value {
    let words = in_words(user_agent);
    let (browser, system) = words.split_once(" on ").unwrap_or((&words, "Other"));
    let signs = ["Edg/", "OPR/", "SamsungBrowser/", "Firefox/", "FxiOS/", "CriOS/", "Chrome/", "Version/"];
    let version = signs.iter().find_map(|sign| user_agent.split_once(sign)).map_or("", |(_, rest)| rest);
    let version = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let mut numbers = version.split('.').map(str::to_owned);
    let mut number = || numbers.next().unwrap_or_default();
    let family = match system {
        "iPhone" | "iPad" => system,
        "macOS" => "Mac",
        _ => "Other",
    };
    let brand = matches!(family, "iPhone" | "iPad" | "Mac").then_some("Apple");
    json!({
        "device": { "brand": brand, "family": family, "model": brand.map(|_| family) },
        "os": { "family": system, "major": null, "minor": null, "patch": null, "patch_minor": null },
        "user_agent": { "family": browser, "major": number(), "minor": number(), "patch": number() },
        "string": user_agent,
    })
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn browsers_are_told_apart_although_they_name_each_other() {
        for (user_agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.14.1", "curl/8.14.1"),
            ("", "Unknown"),
        ] {
            assert_eq!(in_words(user_agent), words, "{user_agent}");
        }
    }
}

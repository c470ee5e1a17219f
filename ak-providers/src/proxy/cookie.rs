//! The cookies on the hosts of applications (RFC 6265).

use sha2::{Digest, Sha256};

use super::provider::ProxyProvider;

/// The name of the cookie of a provider's sessions.
pub fn name(provider: &ProxyProvider) -> String {
    let [a, b, c, d, ..] = Sha256::digest(provider.client_id.as_bytes())[..] else { return "authentik_proxy".to_owned() };
    format!("authentik_proxy_{}", hex::encode([a, b, c, d]))
}

/// The name of the cookie by which a browser is known on its way through signing in. Where only the host itself may set one of that name, no
/// other host of the domain can give a browser a mark that it knows.
pub fn login_name(provider: &ProxyProvider) -> String {
    let is_own = provider.external_host.is_https() && provider.domain().is_empty();
    format!("{}{}_login", if is_own { "__Host-" } else { "" }, name(provider))
}

/// `Set-Cookie` for the mark of a browser that signs in, until it is closed.
pub fn set_login(provider: &ProxyProvider, mark: &str) -> String {
    format!("{}={mark}; {}", login_name(provider), attributes(provider))
}

/// `Set-Cookie` for a session, a second longer than it lasts: that it is over, the server says, and not the browser.
pub fn set_session(provider: &ProxyProvider, key: &str) -> String {
    let seconds = provider.access_token_validity.duration().num_seconds().saturating_add(1);
    format!("{}={key}; {}; Max-Age={seconds}", name(provider), attributes(provider))
}

/// `Set-Cookie` that takes one away.
pub fn clear(provider: &ProxyProvider, name: &str) -> String {
    format!("{name}=; {}; Max-Age=0", attributes(provider))
}

fn attributes(provider: &ProxyProvider) -> String {
    let domain = match provider.domain() {
        "" => String::new(),
        domain => format!("; Domain={domain}"),
    };
    let secure = if provider.external_host.is_https() { "; Secure" } else { "" };
    format!("Path=/; HttpOnly; SameSite=Lax{secure}{domain}")
}

#[cfg(test)]
mod tests {
    use super::super::provider::tests::{domain, single};
    use super::*;

    #[test]
    fn the_cookie_is_named_after_the_client() {
        let app = single("https://app.example");
        // printf client | sha256sum
        assert_eq!(name(&app), "authentik_proxy_948fe603");
        assert_eq!(set_session(&app, "v"), "authentik_proxy_948fe603=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=86401");
        let mark = "__Host-authentik_proxy_948fe603_login=v; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(set_login(&app, "v"), mark);
        assert_eq!(clear(&single("http://app.example"), "n"), "n=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
        let all = domain("https://auth.example.com", ".example.com");
        let mark = "authentik_proxy_948fe603_login=v; Path=/; HttpOnly; SameSite=Lax; Secure; Domain=example.com";
        assert_eq!(set_login(&all, "v"), mark);
        assert_eq!(login_name(&single("http://app.example")), "authentik_proxy_948fe603_login");
    }
}

//! The cookies on the hosts of applications (RFC 6265).

use sha2::{Digest, Sha256};

use super::provider::ProxyProvider;

/// The name of the cookie of a provider's sessions.
pub fn name(provider: &ProxyProvider) -> String {
    let [a, b, c, d, ..] = Sha256::digest(provider.client_id.as_bytes())[..] else { return "authentik_proxy".to_owned() };
    format!("authentik_proxy_{}", hex::encode([a, b, c, d]))
}

/// The name of the cookie by which a browser is known on its way through signing in.
pub fn login_name(provider: &ProxyProvider) -> String {
    format!("{}_login", name(provider))
}

/// `Set-Cookie` for a value, until the browser is closed.
pub fn set(provider: &ProxyProvider, name: &str, value: &str) -> String {
    format!("{name}={value}; {}", attributes(provider))
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
        assert_eq!(set(&app, "n", "v"), "n=v; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(clear(&single("http://app.example"), "n"), "n=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
        let all = domain("https://auth.example.com", ".example.com");
        assert_eq!(set(&all, "n", "v"), "n=v; Path=/; HttpOnly; SameSite=Lax; Secure; Domain=example.com");
    }
}

//! Scopes: what a client asks for, and what of it there is.

/// What scopes stand for the specification itself.
pub const OPENID: &str = "openid";
/// The scope by which a client gets refresh tokens (OpenID Connect Core, section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A scope is not written as scopes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadScope;

/// The scopes of a request, each once, in their order (RFC 6749, section 3.3).
pub fn parse(text: &str) -> Result<Vec<String>, BadScope> {
    let mut all: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace() {
        let is_scope = scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if !is_scope {
            return Err(BadScope);
        }
        if !all.iter().any(|known| known == scope) {
            all.push(scope.to_owned());
        }
    }
    Ok(all)
}

/// What of the scopes asked for there is; all of `offered` where none is named. What is not known is left out (section 3.3 lets
/// the server do so, and clients that ask for more than there is are common).
pub fn granted(asked: Option<&[String]>, offered: &[String]) -> Vec<String> {
    match asked {
        None => offered.to_vec(),
        Some([]) => offered.to_vec(),
        Some(asked) => asked.iter().filter(|scope| offered.contains(scope)).cloned().collect(),
    }
}

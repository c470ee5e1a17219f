//! What is to happen before a client gets its answer.

use chrono::{DateTime, Duration, Utc};

use super::request::{AuthorizeRequest, Prompt};
use crate::oauth2::error::{Code, ProtocolError};

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The name by which the client knows the person.
    pub subject: String,
    /// The identifier of the session.
    pub sid: String,
    /// When she signed in.
    pub at: DateTime<Utc>,
}

/// Whom an ID token names that the client brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The name by which the client knows the person.
    pub subject: String,
    /// The session that it was issued in.
    pub sid: Option<String>,
}

impl Hint {
    /// Whether it was issued in this session: then it means who has signed in, by whatever name.
    pub fn is_of(&self, sid: &str) -> bool {
        self.sid.as_deref() == Some(sid)
    }
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// She signs in; anew, where she has before.
    SignIn,
    /// The authorization flow.
    Authorize,
    /// Nothing: the client is told why.
    Refuse(ProtocolError),
}

/// What is to happen for a request (OpenID Connect Core, section 3.1.2.3).
///
/// `hinted` is whom the `id_token_hint` names, if there is one that counts. `asked` is when this very request first led to signing in:
/// who has signed in since has done what it asks for.
pub fn next(
    request: &AuthorizeRequest,
    person: Option<&SignedIn>,
    hinted: Option<&Hint>,
    asked: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Next {
    let silent = request.prompts.contains(&Prompt::None);
    let is_fresh = |person: &SignedIn| asked.is_some_and(|asked| person.at >= asked);
    let wants_login = request.prompts.contains(&Prompt::Login) || request.prompts.contains(&Prompt::SelectAccount);
    let too_old =
        |person: &SignedIn| request.max_age.is_some_and(|age| now - person.at >= Duration::seconds(age.max(1)) || age == 0);
    let is_other = |person: &SignedIn| {
        hinted.is_some_and(|hint| hint.subject != person.subject && !hint.is_of(&person.sid))
            || request.requested_subject().is_some_and(|wanted| wanted != person.subject)
    };
    let good = person.filter(|person| {
        let settled = is_fresh(person) || (!wants_login && !too_old(person));
        settled && !is_other(person)
    });
    match (good, person, silent) {
        (Some(_), _, _) => Next::Authorize,
        (None, _, true) => Next::Refuse(ProtocolError::new(Code::LoginRequired, "The end user has to sign in.")),
        // She has just signed in as asked, as somebody else than the client means: asking again would never end.
        (None, Some(person), false) if is_fresh(person) => {
            Next::Refuse(ProtocolError::new(Code::LoginRequired, "Somebody else than the one asked for has signed in."))
        }
        (None, _, false) => Next::SignIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str) -> AuthorizeRequest {
        AuthorizeRequest::for_tests(query)
    }

    #[test]
    fn people_sign_in_when_the_client_says_so_and_never_behind_a_silent_request() {
        let now: DateTime<Utc> = "2026-11-01T12:00:00Z".parse().unwrap();
        let minutes = |n| now - Duration::minutes(n);
        let ada = |at| Some(SignedIn { subject: "ada".into(), sid: "1".into(), at });
        let hint = |(subject, sid): (&str, &str)| Hint { subject: subject.into(), sid: Some(sid.into()) };
        let refused = Next::Refuse(ProtocolError::new(Code::LoginRequired, "The end user has to sign in."));
        for (query, person, hinted, asked, expected) in [
            ("", None, None, None, Next::SignIn),
            ("prompt=none", None, None, None, refused.clone()),
            ("", ada(minutes(60)), None, None, Next::Authorize),
            ("prompt=none", ada(minutes(60)), None, None, Next::Authorize),
            ("prompt=login", ada(minutes(60)), None, None, Next::SignIn),
            ("prompt=login", ada(minutes(1)), None, Some(minutes(2)), Next::Authorize),
            ("prompt=login", ada(minutes(3)), None, Some(minutes(2)), Next::SignIn),
            ("prompt=login+consent", ada(minutes(3)), None, None, Next::SignIn),
            ("prompt=select_account", ada(minutes(3)), None, None, Next::SignIn),
            ("max_age=10000", ada(minutes(60)), None, None, Next::Authorize),
            ("max_age=60", ada(minutes(60)), None, None, Next::SignIn),
            ("max_age=60&prompt=none", ada(minutes(60)), None, None, refused.clone()),
            ("max_age=1", ada(minutes(1)), None, Some(minutes(2)), Next::Authorize),
            ("max_age=0", ada(now), None, None, Next::SignIn),
            ("max_age=0", ada(now), None, Some(minutes(1)), Next::Authorize),
            ("prompt=none", ada(minutes(1)), Some(("ada", "2")), None, Next::Authorize),
            ("prompt=none", ada(minutes(1)), Some(("a name she had before", "1")), None, Next::Authorize),
            ("prompt=none", ada(minutes(1)), Some(("bob", "2")), None, refused.clone()),
            ("", ada(minutes(1)), Some(("bob", "2")), None, Next::SignIn),
            (r#"claims={"id_token":{"sub":{"value":"bob"}}}&prompt=none"#, ada(minutes(1)), None, None, refused.clone()),
        ] {
            let next = next(&request(query), person.as_ref(), hinted.map(hint).as_ref(), asked, now);
            assert_eq!(next, expected, "{query} {person:?} {hinted:?} {asked:?}");
        }
        let again = next(&request(""), ada(minutes(1)).as_ref(), Some(&hint(("bob", "2"))), Some(minutes(2)), now);
        assert!(matches!(again, Next::Refuse(_)), "asking for somebody else ends");
    }
}

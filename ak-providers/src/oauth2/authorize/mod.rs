//! The authorization endpoint (RFC 6749, section 3.1; OpenID Connect Core, section 3.1.2): what is asked, what is to happen, and
//! what the browser takes back.

mod answer;
mod decide;
mod request;

pub use answer::{Answer, ResponseMode, ReturnAddress};
pub use decide::{Hint, Next, SignedIn, next};
pub use request::{AuthorizeError, AuthorizeRequest, Prompt};

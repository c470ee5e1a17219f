//! Forward authentication: a reverse proxy asks of every request whether it may pass to the application behind it.
//!
//! What the proxy says is read ([`Forwarded`]), the provider is found by the host ([`Routes`]), and what to do is decided
//! ([`refuse`], [`State::decide`]) over plain types; nothing here knows HTTP. A provider is an OAuth 2.0 client too: whoever has no
//! session signs in by its authorization endpoint, and [`Keeper`] redeems the code and keeps the session.

pub mod cookie;
mod credentials;
mod decide;
mod destination;
mod forwarded;
mod headers;
mod host;
mod keeper;
mod memory;
mod path;
mod provider;
mod routes;
mod session;
mod skip;
mod state;

pub use decide::{MAX_AUTHORIZATION, MAX_STATE, Refusal, authorize_url, refuse, start_url};
pub use destination::{MAX_URL, destination, wanted};
pub use forwarded::{Asker, BadForwarded, Endpoint, Forwarded, Own, Told, endpoint};
pub use headers::{About, IDENTITY, is_disguised, left_standing, of_claims, of_nobody};
pub use host::Host;
pub use keeper::{Admission, Keeper, Proof, Refused, Verdict};
pub use provider::{ExternalHost, ProxyMode, ProxyProvider};
pub use routes::Routes;
pub use skip::SkipPaths;
pub use state::{Next, State};

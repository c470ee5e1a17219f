//! The stages, each a file.
//!
//! # How to add a stage
//! 1. A file here with the struct of its fields (those of the contract), `impl Kind` and `impl Stage`.
//! 2. One line `.with::<MyStage>()` in `ak_flows::kinds`.
//! 3. If people see it: a template `ak-http/web/templates/<component>.html`. Without one a plain page with its fields is shown.

mod deny;
mod dummy;
mod identification;
mod password;
mod redirect;
mod user_login;
mod user_logout;

pub use deny::DenyStage;
pub use dummy::DummyStage;
pub use identification::{IdentificationStage, UserFieldName};
pub use password::{PasswordBackend, PasswordStage};
pub use redirect::{RedirectMode, RedirectStage};
pub use user_login::{GeoipBinding, NetworkBinding, UserLoginStage};
pub use user_logout::UserLogoutStage;

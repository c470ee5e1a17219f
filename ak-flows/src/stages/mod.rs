//! The stages, each a file.
//!
//! # How to add a stage
//! 1. A file here with the struct of its fields (those of the contract), `impl Kind` and `impl Stage`.
//! 2. One line `.with::<MyStage>()` in `ak_flows::kinds`.
//! 3. If people see it: a template `ak-http/web/templates/<component>.html`. Without one a plain page with its fields is shown.

mod consent;
mod deny;
mod dummy;
mod identification;
mod password;
mod prompt;
mod redirect;
mod user_login;
mod user_logout;
mod user_write;

pub use consent::{ConsentMode, ConsentStage};
pub use deny::DenyStage;
pub use dummy::DummyStage;
pub use identification::{IdentificationStage, UserFieldName};
pub use password::{PasswordBackend, PasswordStage};
pub use prompt::{Choice, FieldType, Prompt, PromptNames, PromptStage, StagePrompt, Text};
pub use redirect::{RedirectMode, RedirectStage};
pub use user_login::{GeoipBinding, NetworkBinding, UserLoginStage};
pub use user_logout::UserLogoutStage;
pub use user_write::{UserCreationMode, UserWriteStage};

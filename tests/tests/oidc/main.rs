//! OpenID Connect, over a real socket.

mod code;
mod kit;

//! OpenID Connect, over a real socket.

mod asking;
mod browsers;
mod clients;
mod code;
mod forged;
mod given;
mod grafana;
mod kit;
mod leaving;
mod limits;
mod machines;
mod names;
mod parties;
mod rules;
mod troubles;

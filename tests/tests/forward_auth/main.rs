//! Forward authentication as people use it: scenarios S9, S15, S16 and S17.

mod addresses;
mod bad_input;
mod chromium;
mod credentials;
mod first;
mod kit;
mod leaving;
mod outposts;
mod parties;
mod rules;
mod sessions;
mod traefik;
mod web;

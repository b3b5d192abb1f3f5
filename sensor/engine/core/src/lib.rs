//! The Hải Đăng engine: the path of a packet, one folder a stage.
//!
//! `capture > decode > flow > stream > app > files > detect > event`; `worker` is the line that joins them, `replay` and
//! `live` run it. This crate knows no Python and no sockets but those of live capture; `sensor/engine/py` is its only binding.

pub mod app;
mod base64;
pub mod capture;
pub mod config;
mod decimal;
pub mod decode;
pub mod detect;
pub mod direction;
pub mod dispatch;
pub mod event;
pub mod files;
pub mod floor;
pub mod flow;
pub mod json;
pub mod listing;
pub mod live;
pub mod quarantine;
pub mod reload;
pub mod replay;
mod setting;
pub mod stage_clock;
pub mod stream;
pub mod team;
mod threads;
pub mod time;
mod totals;
pub mod watched;
pub mod worker;

/// Whether the compiler laid the engine out by a profile of replays (`make optimize`).
pub const PROFILE_GUIDED: bool = cfg!(profile_guided);

//! The Hải Đăng engine: the path of a packet, one folder a stage.
//!
//! `capture > decode > flow > stream > app > detect > event`; `worker` is the line that joins them.
//! This crate knows no Python and no sockets; `sensor/engine/py` is its only binding.

pub mod app;
pub mod capture;
pub mod decode;
pub mod detect;
pub mod direction;
pub mod event;
pub mod flow;
pub mod stream;
pub mod time;

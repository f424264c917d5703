//! The interface over a real connection, and what attackers try.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attacks;
mod client;
mod interface;
mod inversion;
mod running;

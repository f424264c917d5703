//! Dragging points of a picture.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use ganymede::drag::Options;

use crate::events;
use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// A job that tells `numbers`, `points` and `preview` at every step, and ends with the latents and where the points
/// went.
pub async fn drag(
    State(studio): State<Arc<Studio>>,
    Input(options): Input<Options>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let options = studio.interface.resolve_drag(options)?;
    events::run(studio, move |interface, events| {
        Ok(interface.drag(&options, events)?)
    })
}

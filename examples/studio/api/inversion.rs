//! Inversion of an image into one model or several.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use studio_interface::Inversion;

use crate::events;
use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// A job that tells `model` before the events of each model's inversion, and ends with a result for each.
pub async fn invert(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Inversion>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    studio.interface.check_inversion(&wanted)?;
    events::run(studio, move |interface, events| {
        Ok(interface.invert(&wanted, events)?)
    })
}

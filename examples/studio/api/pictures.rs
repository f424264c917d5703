//! Pictures, their latents, and animations of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ganymede::picture::Picture;
use studio_interface::{Animation, Format, Wanted};

use crate::failure::Failure;
use crate::film;
use crate::input::Input;
use crate::studio::Studio;

/// The picture as PNG.
pub async fn picture(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Wanted>,
) -> Result<Response, Failure> {
    let png = studio.soon(move |interface| Ok(interface.picture(wanted)?));
    Ok(([(header::CONTENT_TYPE, "image/png")], png.await?).into_response())
}

/// The picture's latents, edited, as safetensors.
pub async fn latents(
    State(studio): State<Arc<Studio>>,
    Input(picture): Input<Picture>,
) -> Result<Response, Failure> {
    let bytes = studio.soon(move |interface| Ok(interface.latents(picture)?));
    Ok((
        [(header::CONTENT_TYPE, "application/octet-stream")],
        bytes.await?,
    )
        .into_response())
}

/// A course as GIF or MP4.
pub async fn animation(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Animation>,
) -> Result<Response, Failure> {
    wanted.validate()?;
    let kind = match wanted.format {
        Format::Gif => "image/gif",
        Format::Mp4 => {
            film::check()?;
            "video/mp4"
        }
    };
    // What stays here goes with this request, and so when its reader goes away.
    let (gone, _here) = tokio::sync::oneshot::channel::<()>();
    let bytes = studio
        .soon(move |interface| {
            let frames = interface.frames(&wanted, || !gone.is_closed())?;
            match wanted.format {
                Format::Gif => Ok(wanted.gif(&frames)?),
                Format::Mp4 => film::mp4(&frames, wanted.frames_per_second),
            }
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

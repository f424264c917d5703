//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;

use ganymede::Context;
use tempfile::TempDir;

use crate::events::Jobs;
use crate::failure::Failure;
use crate::lanes::Lane;

/// Jobs that may wait for the device.
const JOBS_WAITING: usize = 16;

/// Pictures that may wait; one takes milliseconds.
const PICTURES_WAITING: usize = 512;

pub struct Studio {
    pub interface: studio_interface::Studio,
    /// What was given to the page; it goes with the program.
    _given: TempDir,
    pub jobs: Jobs,
    /// Inversions and drags, one at a time.
    pub work: Lane,
    /// Pictures and searches go beside them, so that sliders move while an inversion runs; one at a time.
    pub pictures: Lane,
}

impl Studio {
    pub fn new(context: Context, own: Option<PathBuf>) -> Result<Self, examples::Failure> {
        let given = tempfile::Builder::new()
            .prefix("ganymede-studio-")
            .tempdir()?;
        Ok(Self {
            interface: studio_interface::Studio::new(context, own, given.path().to_owned())?,
            _given: given,
            jobs: Jobs::default(),
            work: Lane::new(JOBS_WAITING),
            pictures: Lane::new(PICTURES_WAITING),
        })
    }

    /// Does what takes milliseconds, when its turn comes. A panic is a failure of this request only.
    pub async fn soon<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&studio_interface::Studio) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.pictures.enter()?;
        let turn = place.turn().await;
        let studio = Arc::clone(&self);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&studio.interface)
        });
        done.await.unwrap_or_else(|_| Err(Failure::panicked()))
    }
}

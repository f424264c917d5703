//! What all requests share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ganymede::Context;
use ganymede::search::OwnScores;

use crate::events::Jobs;
use crate::failure::Failure;
use crate::lanes::Lane;
use crate::shelf::Shelf;
use crate::uploads::Uploads;

/// Jobs that may wait for the device.
const JOBS_WAITING: usize = 16;

/// Pictures that may wait; one takes milliseconds.
const PICTURES_WAITING: usize = 512;

pub struct Studio {
    pub context: Context,
    pub shelf: Shelf,
    pub uploads: Uploads,
    pub jobs: Jobs,
    /// Inversions and drags, one at a time.
    pub work: Lane,
    /// Pictures and searches go beside them, so that sliders move while an inversion runs; one at a time.
    pub pictures: Lane,
    /// How usual scores are under each model, as far as it was asked for.
    pub own_scores: Mutex<HashMap<String, OwnScores>>,
}

impl Studio {
    pub fn new(context: Context, own: Option<PathBuf>) -> Result<Self, examples::Failure> {
        let uploads = Uploads::new()?;
        Ok(Self {
            context,
            shelf: Shelf::new(own, uploads.models()),
            uploads,
            jobs: Jobs::default(),
            work: Lane::new(JOBS_WAITING),
            pictures: Lane::new(PICTURES_WAITING),
            own_scores: Mutex::default(),
        })
    }

    /// Does what takes milliseconds, when its turn comes. A panic is a failure of this request only.
    pub async fn soon<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.pictures.enter()?;
        let turn = place.turn().await;
        let studio = Arc::clone(&self);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&studio)
        });
        done.await.unwrap_or_else(|_| Err(Failure::panicked()))
    }
}

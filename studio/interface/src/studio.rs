use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use ganymede::Context;
use ganymede::drag;
use ganymede::lpips::{LpipsNetwork, Version};
use ganymede::picture::Picture;
use ganymede::search::OwnScores;
use serde::Serialize;
use serde_json::{Value, json};

use crate::reporter::{Listener, Reporter};
use crate::shelf::Shelf;
use crate::uploads::Uploads;
use crate::{Failure, Inversion};

/// Models, what was given to the page or found by it, and what is computed with them.
pub struct Studio {
    /// Where models and networks come from, and where they compute.
    pub context: Context,
    /// Images, models and changes of models that were given.
    pub uploads: Uploads,
    pub(crate) shelf: Shelf,
    /// How usual scores are under each model, as far as it was asked for.
    pub(crate) own_scores: Mutex<HashMap<String, OwnScores>>,
}

/// What the page asks at its start. The program around it adds what it can do itself.
#[derive(Serialize)]
pub struct Status {
    version: &'static str,
    /// How an inversion goes where nothing else is asked for.
    inversion: Inversion,
    /// Networks that are here to measure it.
    lpips: Vec<LpipsNetwork>,
}

impl Studio {
    /// With a folder of the user's own models, where there is one, and a folder for what is given, which is the
    /// caller's to remove.
    ///
    /// # Errors
    ///
    /// Nothing can be written to the folder.
    pub fn new(
        context: Context,
        own: Option<PathBuf>,
        given: PathBuf,
    ) -> Result<Self, std::io::Error> {
        let uploads = Uploads::new(given)?;
        Ok(Self {
            context,
            shelf: Shelf::new(own, uploads.models()),
            uploads,
            own_scores: Mutex::default(),
        })
    }

    /// What the page asks at its start.
    pub fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION"),
            inversion: Inversion::default(),
            lpips: self.metrics(),
        }
    }

    fn metrics(&self) -> Vec<LpipsNetwork> {
        let Ok(weights) = self.context.weights() else {
            return Vec::new();
        };
        let is_here = |network: &LpipsNetwork| {
            let files = network.published_weights(Version::V0_1);
            files.iter().all(|file| weights.feature_file(file).is_ok())
        };
        LpipsNetwork::ALL.into_iter().filter(is_here).collect()
    }

    /// A model's id as jobs name it.
    ///
    /// # Errors
    ///
    /// There is no such model.
    pub fn which(&self, id: &str) -> Result<String, Failure> {
        Ok(self.shelf.find(id, self.context.weights())?.which())
    }

    /// The recipe with the model and the change of its weights named as jobs name them.
    ///
    /// # Errors
    ///
    /// One of them is not here.
    pub fn resolve(&self, mut picture: Picture) -> Result<Picture, Failure> {
        picture.model = self.which(&picture.model)?;
        if let Some(id) = picture.tuned {
            let id = id.to_str().unwrap_or_default();
            picture.tuned = Some(self.uploads.tuned(id)?);
        }
        Ok(picture)
    }

    /// The options of a drag with its picture's model named as jobs name it.
    ///
    /// # Errors
    ///
    /// They make no sense, or the model is not here.
    pub fn resolve_drag(&self, mut options: drag::Options) -> Result<drag::Options, Failure> {
        options.validate()?;
        options.picture = self.resolve(options.picture)?;
        Ok(options)
    }

    /// Drags points: `numbers`, `points` and `preview` at every step, and at the end the latents and where the points
    /// went.
    ///
    /// # Errors
    ///
    /// As [`drag::run`].
    pub fn drag(
        &self,
        options: &drag::Options,
        listener: &mut dyn Listener,
    ) -> Result<Value, Failure> {
        let outcome = drag::run(options, &self.context, &mut Reporter::new(listener))?;
        Ok(json!(outcome))
    }
}

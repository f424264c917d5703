//! The Studio as WebAssembly: what a worker of the page calls in place of a server.
//!
//! Questions and answers are those of [`studio_interface`], JSON as text and files as bytes. There is no file system:
//! weights are [offered](offer) by their names, and whoever calls fetches those that a call has [wanted], [puts](put)
//! them there and calls again.

mod events;
mod panic;

use ganymede::{Context, Device};
use js_sys::Function;
use serde::Serialize;
use serde::de::DeserializeOwned;
use studio_interface::{Failure, Format, Status, Studio};
use wasm_bindgen::prelude::*;
use whole_file::memory;

use crate::events::Events;

/// Where weights are offered.
const WEIGHTS: &str = "memory:/weights";

/// What is given to the page.
const GIVEN: &str = "memory:/given";

/// Models of so many bytes stay loaded.
const MODEL_MEMORY: u64 = 256 << 20;

/// Offers a file of weights, named as in the folder of weights, of so many bytes.
#[wasm_bindgen]
pub fn offer(name: &str, length: f64) {
    memory::offer(format!("{WEIGHTS}/{name}"), length as u64);
}

/// Puts a file of weights there.
#[wasm_bindgen]
pub fn put(name: &str, bytes: Vec<u8>) {
    memory::put(format!("{WEIGHTS}/{name}"), bytes);
}

/// Names of the files of weights that the last call needed and did not have: what it returned does not count.
#[wasm_bindgen]
pub fn wanted() -> Vec<String> {
    let wanted = memory::wanted().into_iter();
    wanted
        .filter_map(|path| Some(path.strip_prefix(WEIGHTS).ok()?.to_str()?.to_owned()))
        .collect()
}

/// What can be done in a browser.
#[derive(Serialize)]
struct Here {
    #[serde(flatten)]
    status: Status,
    mp4: bool,
}

/// Everything that the page can ask for.
#[wasm_bindgen]
pub struct Worker {
    studio: Studio,
}

#[wasm_bindgen]
impl Worker {
    /// When the first weights have been offered.
    ///
    /// # Errors
    ///
    /// None in memory.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self, JsError> {
        panic::tell();
        let context = Context::new(Device::flex())
            .with_weights(WEIGHTS)
            .with_model_memory(MODEL_MEMORY);
        Ok(Self {
            studio: Studio::new(context, None, GIVEN.into())?,
        })
    }

    /// What can be done here.
    ///
    /// # Errors
    ///
    /// None.
    pub fn status(&self) -> Result<String, JsError> {
        text(&Here {
            status: self.studio.status(),
            mp4: false,
        })
    }

    /// All models with their cards.
    ///
    /// # Errors
    ///
    /// There are no weights.
    pub fn models(&self) -> Result<String, JsError> {
        text(&self.studio.models()?)
    }

    /// What a model makes and how it can be edited.
    ///
    /// # Errors
    ///
    /// There is no such model, or it cannot be loaded.
    pub fn describe(&self, model: &str) -> Result<String, JsError> {
        text(&self.studio.describe(model)?)
    }

    /// Takes a checkpoint file, and describes its model.
    ///
    /// # Errors
    ///
    /// It is none that can be loaded.
    #[wasm_bindgen(js_name = addModel)]
    pub fn add_model(&self, name: &str, bytes: Vec<u8>) -> Result<String, JsError> {
        memory::put(self.studio.place_of_model(name)?, bytes);
        text(&self.studio.added_model(name)?)
    }

    /// Takes an image: its id and size.
    ///
    /// # Errors
    ///
    /// It is none that can be read.
    #[wasm_bindgen(js_name = addImage)]
    pub fn add_image(&self, bytes: &[u8]) -> Result<String, JsError> {
        let (id, image) = self.studio.uploads.add_image(bytes)?;
        text(&serde_json::json!({ "id": id, "width": image.width(), "height": image.height() }))
    }

    /// Takes a change of a model, and gives its id.
    ///
    /// # Errors
    ///
    /// It is none.
    #[wasm_bindgen(js_name = addTuned)]
    pub fn add_tuned(&self, bytes: &[u8]) -> Result<String, JsError> {
        let device = self.studio.context.device();
        Ok(self.studio.uploads.add_tuned(bytes, device)?)
    }

    /// The file of a change of a model.
    ///
    /// # Errors
    ///
    /// It is not here.
    pub fn tuned(&self, id: &str) -> Result<Vec<u8>, JsError> {
        Ok(self.studio.uploads.tuned_bytes(id)?)
    }

    /// A recipe's picture as PNG.
    ///
    /// # Errors
    ///
    /// As [`Studio::picture`].
    pub fn picture(&self, wanted: &str) -> Result<Vec<u8>, JsError> {
        Ok(self.studio.picture(parsed(wanted)?)?)
    }

    /// A recipe's latents as safetensors.
    ///
    /// # Errors
    ///
    /// As [`Studio::latents`].
    pub fn latents(&self, picture: &str) -> Result<Vec<u8>, JsError> {
        Ok(self.studio.latents(parsed(picture)?)?)
    }

    /// A course as GIF.
    ///
    /// # Errors
    ///
    /// As [`Studio::frames`], and for a film.
    pub fn animation(&self, wanted: &str) -> Result<Vec<u8>, JsError> {
        let wanted: studio_interface::Animation = parsed(wanted)?;
        if matches!(wanted.format, Format::Mp4) {
            return Err(JsError::new(
                "format: films cannot be made in a browser; use gif",
            ));
        }
        let frames = self.studio.frames(&wanted, || true)?;
        Ok(wanted.gif(&frames)?)
    }

    /// Ranks the models.
    ///
    /// # Errors
    ///
    /// As [`Studio::search`].
    pub fn search(&self, query: &str) -> Result<String, JsError> {
        text(&self.studio.search(parsed(query)?)?)
    }

    /// How usual an image of a score is for a model.
    ///
    /// # Errors
    ///
    /// As [`Studio::typicality`].
    pub fn typicality(&self, scored: &str) -> Result<String, JsError> {
        text(&self.studio.typicality(parsed(scored)?)?)
    }

    /// Inverts an image. `tell(name, data)` hears the events, `cancelled()` says whether it is to end.
    ///
    /// # Errors
    ///
    /// As [`Studio::invert`].
    pub fn invert(
        &self,
        wanted: &str,
        tell: Function,
        cancelled: Function,
    ) -> Result<String, JsError> {
        let mut events = Events::new(tell, cancelled);
        text(&self.studio.invert(&parsed(wanted)?, &mut events)?)
    }

    /// Drags points; see [`invert`](Self::invert).
    ///
    /// # Errors
    ///
    /// As [`Studio::drag`].
    pub fn drag(
        &self,
        options: &str,
        tell: Function,
        cancelled: Function,
    ) -> Result<String, JsError> {
        let mut events = Events::new(tell, cancelled);
        let options = self.studio.resolve_drag(parsed(options)?)?;
        text(&self.studio.drag(&options, &mut events)?)
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::refused(error.to_string()))
}

fn text(value: &impl Serialize) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}

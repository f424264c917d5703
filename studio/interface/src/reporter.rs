use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ganymede::image_tensor::encode_png;
use ganymede::{Number, Observer, Phase, Preview, Warning};
use serde_json::{Map, Value, json};
use web_time::Instant;

/// Previews of one name are at least so far apart.
const BETWEEN_PREVIEWS: Duration = Duration::from_millis(40);

/// Positions are told at least so far apart: where there are no numbers they are all that a reader hears.
const BETWEEN_POSITIONS: Duration = Duration::from_millis(250);

/// Who hears the events of a job.
pub trait Listener {
    /// An event with its data, as `docs/studio.md` lists them.
    fn tell(&mut self, name: &str, data: &Value);

    /// Whether so much waits to be read that previews, which are large, are better left out.
    fn is_behind(&self) -> bool {
        false
    }

    /// Whether the job is to end.
    fn cancelled(&self) -> bool;
}

/// The observer of a job, which tells a listener of `phase`, `position`, `numbers`, `points`, `preview` and `warning`.
pub(crate) struct Reporter<'a> {
    listener: &'a mut dyn Listener,
    position: u64,
    /// When the position was told last.
    told: Instant,
    previews: HashMap<String, Instant>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(listener: &'a mut dyn Listener) -> Self {
        Self {
            listener,
            position: 0,
            told: Instant::now(),
            previews: HashMap::new(),
        }
    }

    pub(crate) fn tell(&mut self, name: &str, data: &Value) {
        self.listener.tell(name, data);
    }
}

impl Observer for Reporter<'_> {
    fn begin(&mut self, phase: &Phase<'_>) {
        self.position = 0;
        self.told = Instant::now();
        self.tell(
            "phase",
            &json!({ "name": phase.name, "length": phase.length }),
        );
    }

    fn position(&mut self, done: u64) {
        self.position = done;
        let now = Instant::now();
        if now.duration_since(self.told) >= BETWEEN_POSITIONS {
            self.told = now;
            self.tell("position", &json!({ "position": done }));
        }
    }

    fn numbers(&mut self, numbers: &[Number]) {
        let values: Map<String, Value> = numbers
            .iter()
            .map(|number| (number.name.to_owned(), json!(number.value)))
            .collect();
        self.tell(
            "numbers",
            &json!({ "position": self.position, "values": values }),
        );
    }

    fn points(&mut self, points: &[[f64; 2]]) {
        self.tell(
            "points",
            &json!({ "position": self.position, "points": points }),
        );
    }

    fn preview(&mut self, preview: &Preview<'_>) {
        if self.listener.is_behind() {
            return;
        }
        let now = Instant::now();
        let last = self.previews.get(preview.name);
        if last.is_some_and(|last| now.duration_since(*last) < BETWEEN_PREVIEWS) {
            return;
        }
        self.previews.insert(preview.name.to_owned(), now);
        // Pictures of a generator can always be encoded; one that cannot is only missing here.
        if let Ok(png) = encode_png(preview.image) {
            let png = STANDARD.encode(png);
            self.tell(
                "preview",
                &json!({ "name": preview.name, "position": self.position, "png": png }),
            );
        }
    }

    fn wants_previews(&self) -> bool {
        true
    }

    fn warn(&mut self, warning: &Warning) {
        self.tell("warning", &json!({ "text": warning.to_string() }));
    }

    fn cancelled(&self) -> bool {
        self.listener.cancelled()
    }
}

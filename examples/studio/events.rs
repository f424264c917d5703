//! Long jobs: their turn, what they tell while they run, and how they end early.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::response::sse::{Event, KeepAlive, Sse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream};
use ganymede::image_tensor::encode_png;
use ganymede::{Number, Observer, Phase, Preview, Warning};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::studio::Studio;

/// Events that wait for a slow reader. What comes then is left out, but for the last one: the device waits for nobody.
const EVENTS: usize = 1024;

/// Events that may wait before previews, which are large, are left out.
const BEFORE_PREVIEWS: usize = 32;

/// Previews of one name are at least so far apart.
const BETWEEN_PREVIEWS: Duration = Duration::from_millis(40);

/// Positions are told at least so far apart: where there are no numbers they are all that a reader hears.
const BETWEEN_POSITIONS: Duration = Duration::from_millis(250);

/// Jobs that wait or run, with the flag that ends each.
#[derive(Default)]
pub struct Jobs {
    flags: Arc<Mutex<HashMap<String, Arc<AtomicBool>>>>,
    next: AtomicU64,
}

type Flags = HashMap<String, Arc<AtomicBool>>;

fn lock(flags: &Mutex<Flags>) -> MutexGuard<'_, Flags> {
    flags.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Jobs {
    /// Asks a job to end; says whether there is one.
    pub fn cancel(&self, id: &str) -> bool {
        let flags = lock(&self.flags);
        let flag = flags.get(id);
        flag.inspect(|flag| flag.store(true, Ordering::SeqCst))
            .is_some()
    }

    pub fn cancel_all(&self) {
        for flag in lock(&self.flags).values() {
            flag.store(true, Ordering::SeqCst);
        }
    }

    fn enter(&self) -> Entered {
        let id = self.next.fetch_add(1, Ordering::SeqCst).to_string();
        let flag = Arc::default();
        lock(&self.flags).insert(id.clone(), Arc::clone(&flag));
        Entered {
            flags: Arc::clone(&self.flags),
            id,
            flag,
        }
    }
}

/// A job's entry in [`Jobs`], until it is dropped.
struct Entered {
    flags: Arc<Mutex<Flags>>,
    id: String,
    flag: Arc<AtomicBool>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        lock(&self.flags).remove(&self.id);
    }
}

/// Runs `work` when its turn comes, and answers with its events: `job` with the id, those of [`Reporter`], and at the end `done` with the result or `failed`
/// with an `error`. When the reader goes away the job ends.
pub fn run(
    studio: Arc<Studio>,
    work: impl FnOnce(&Studio, &mut Reporter) -> Result<Value, Failure> + Send + 'static,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let place = studio.work.enter()?;
    let (events, receiver) = mpsc::channel(EVENTS);
    let entered = studio.jobs.enter();
    let mut reporter = Reporter::new(events, &entered);
    reporter.tell("job", &json!({ "id": entered.id, "ahead": place.ahead }));
    tokio::spawn(async move {
        let last = reporter.events.clone();
        let turn = tokio::select! {
            turn = place.turn() => turn,
            () = last.closed() => return,
        };
        reporter.tell("started", &json!({}));
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&studio, &mut reporter)
        });
        let (name, data) = match done.await.unwrap_or_else(|_| Err(Failure::panicked())) {
            Ok(result) => ("done", result),
            Err(failure) => ("failed", json!({ "error": failure.message })),
        };
        drop((entered, place));
        // An error is a reader that has gone.
        let _ = last.send(event(name, &data)).await;
    });
    let events = stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await?;
        Some((Ok(event), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// The observer of a job, which sends what it hears as events: `phase`, `position`, `numbers`, `points`, `preview`, `warning`, and what the server itself tells.
pub struct Reporter {
    events: mpsc::Sender<Event>,
    cancelled: Arc<AtomicBool>,
    position: u64,
    /// When the position was told last.
    told: Instant,
    previews: HashMap<String, Instant>,
}

impl Reporter {
    fn new(events: mpsc::Sender<Event>, job: &Entered) -> Self {
        Self {
            events,
            cancelled: Arc::clone(&job.flag),
            position: 0,
            told: Instant::now(),
            previews: HashMap::new(),
        }
    }

    /// Sends an event; one that finds no room is left out.
    pub fn tell(&mut self, name: &str, data: &Value) {
        let _ = self.events.try_send(event(name, data));
    }
}

impl Observer for Reporter {
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
        if self.events.max_capacity() - self.events.capacity() > BEFORE_PREVIEWS {
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
        self.cancelled.load(Ordering::SeqCst) || self.events.is_closed()
    }
}

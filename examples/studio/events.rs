//! Long jobs: their turn, what they tell while they run, and how they end early.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use studio_interface::Listener;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::studio::Studio;

/// Events that wait for a slow reader. What comes then is left out, but for the last one: the device waits for nobody.
const EVENTS: usize = 1024;

/// Events that may wait before previews, which are large, are left out.
const BEFORE_PREVIEWS: usize = 32;

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
    /// Asks a job to end; says whether it waits or runs.
    pub fn cancel(&self, id: &str) -> bool {
        let flags = lock(&self.flags);
        let flag = flags.get(id);
        flag.inspect(|flag| flag.store(true, Ordering::SeqCst))
            .is_some()
    }

    /// Whether there was such a job, which neither waits nor runs now.
    pub fn has_ended(&self, id: &str) -> bool {
        let begun = self.next.load(Ordering::SeqCst);
        id.parse().is_ok_and(|number: u64| number < begun) && !lock(&self.flags).contains_key(id)
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

/// Runs `work` when its turn comes, and answers with its events: `job` with the id, those of the work, and at the end
/// `done` with the result or `failed` with an `error`. When the reader goes away the job ends.
pub fn run(
    studio: Arc<Studio>,
    work: impl FnOnce(&studio_interface::Studio, &mut Events) -> Result<Value, Failure> + Send + 'static,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let place = studio.work.enter()?;
    let (sender, receiver) = mpsc::channel(EVENTS);
    let entered = studio.jobs.enter();
    let mut events = Events {
        sender,
        cancelled: Arc::clone(&entered.flag),
    };
    events.tell("job", &json!({ "id": entered.id, "ahead": place.ahead }));
    tokio::spawn(async move {
        let last = events.sender.clone();
        let turn = tokio::select! {
            turn = place.turn() => turn,
            () = last.closed() => return,
        };
        events.tell("started", &json!({}));
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&studio.interface, &mut events)
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

/// What a job says, as events.
pub struct Events {
    sender: mpsc::Sender<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Listener for Events {
    /// An event that finds no room is left out.
    fn tell(&mut self, name: &str, data: &Value) {
        let _ = self.sender.try_send(event(name, data));
    }

    fn is_behind(&self) -> bool {
        self.sender.max_capacity() - self.sender.capacity() > BEFORE_PREVIEWS
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst) || self.sender.is_closed()
    }
}

//! Taking turns on the device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::Failure;

/// One after the other, in the order of arrival, with a limit on those who wait.
pub struct Lane {
    turn: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most: usize,
}

impl Lane {
    /// So many may wait, and one more has its turn.
    pub fn new(waiting: usize) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            inside: Arc::default(),
            most: waiting + 1,
        }
    }

    /// A place in the lane.
    ///
    /// # Errors
    ///
    /// It is full.
    pub fn enter(&self) -> Result<Place, Failure> {
        let ahead = self.inside.fetch_add(1, Ordering::SeqCst);
        let place = Place {
            turn: Arc::clone(&self.turn),
            inside: Arc::clone(&self.inside),
            ahead,
        };
        match ahead < self.most {
            true => Ok(place),
            false => Err(Failure::busy(ahead)),
        }
    }

    /// How many wait or have their turn.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }
}

/// A place in a [`Lane`], until it is dropped.
pub struct Place {
    turn: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    /// How many were there before.
    pub ahead: usize,
}

impl Place {
    /// Waits for the turn, which lasts until what is returned is dropped.
    pub async fn turn(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        turn.expect("the lane is never closed")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

//! Ctrl-C, and the signal that ends a process (SIGTERM), as a request to end well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Failure, INTERRUPTED};

/// Whether Ctrl-C was pressed. The default listens to nothing.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C: the first is a request, the second ends the program at once.
    pub fn listen() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let handler_flag = Arc::clone(&flag);
        ctrlc::set_handler(move || {
            if handler_flag.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            eprintln!("\ninterrupted: writing what there is; press Ctrl-C again to end at once");
        })?;
        Ok(Self(flag))
    }

    /// Whether it was pressed.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

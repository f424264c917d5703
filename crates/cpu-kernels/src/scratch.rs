use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Buffers kept for each thread; a convolution needs at most four at a time.
const KEPT: usize = 5;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of arbitrary, initialized contents, reused between calls because fresh pages cost more than the copy they
/// receive.
pub(crate) struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// A buffer of `len` elements.
    pub fn new(len: usize) -> Self {
        if len == 0 {
            // None of those kept is needed for it.
            let buffer = Vec::new();
            return Self { buffer, len };
        }
        let mut buffer = BUFFERS.with_borrow_mut(|kept| {
            let fitting = (0..kept.len())
                .filter(|i| kept[*i].len() >= len)
                .min_by_key(|i| kept[*i].len());
            let chosen = fitting.or_else(|| kept.len().checked_sub(1));
            chosen.map(|i| kept.swap_remove(i)).unwrap_or_default()
        });
        if buffer.len() < len {
            // Dropping first keeps the old contents from being copied.
            drop(buffer);
            buffer = vec![0.0; len];
        }
        Self { buffer, len }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // At thread exit the store may be gone; the buffer is then simply freed.
        let _ = BUFFERS.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT && !buffer.is_empty() {
                kept.push(buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

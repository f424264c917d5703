use std::mem::MaybeUninit;

/// A vector of `len` elements that `write` fills, without filling it with zeros first.
///
/// # Safety
/// When it returns, `write` has written every element.
pub(crate) unsafe fn written_by(
    len: usize,
    write: impl FnOnce(&mut [MaybeUninit<f32>]),
) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    let slots = &mut values.spare_capacity_mut()[..len];
    if cfg!(any(test, debug_assertions)) {
        slots.fill(MaybeUninit::new(f32::from_bits(UNWRITTEN)));
    }
    write(slots);
    // SAFETY: the caller's promise.
    unsafe { values.set_len(len) };
    if cfg!(any(test, debug_assertions)) {
        let unwritten = values.iter().position(|v| v.to_bits() == UNWRITTEN);
        assert_eq!(unwritten, None, "an element of {len} was not written");
    }
    values
}

/// Stands in tests where nothing has been written: not a number, and not the one that arithmetic gives.
const UNWRITTEN: u32 = 0x7fc5_a5a5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_written() {
        // SAFETY: every slot is written.
        let values = unsafe {
            written_by(3, |slots| {
                for (index, slot) in slots.iter_mut().enumerate() {
                    slot.write(index as f32);
                }
            })
        };
        assert_eq!(values, [0.0, 1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "was not written")]
    fn tests_notice_what_was_not_written() {
        // SAFETY: tests write every slot before, so that nothing uninitialized is read.
        unsafe { written_by(2, |slots| _ = slots[0].write(1.0)) };
    }
}

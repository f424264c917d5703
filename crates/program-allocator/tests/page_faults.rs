//! In a process of its own: no other test's memory is there to be taken again.
#![cfg(target_os = "linux")]

use std::hint::black_box;

/// More than glibc keeps at any setting.
const BYTES: usize = 48 << 20;

/// Pages that this thread had to be given by the system so far.
fn page_faults() -> libc::c_long {
    // SAFETY: zeros are a valid `rusage`, which the call fills.
    unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_minflt
    }
}

fn faults_of_one_use() -> libc::c_long {
    let before = page_faults();
    black_box(vec![1_u8; black_box(BYTES)]);
    page_faults() - before
}

#[test]
fn memory_is_taken_from_the_system_once() {
    program_allocator::begin();
    let first = faults_of_one_use();
    let later: libc::c_long = (0..4).map(|_| faults_of_one_use()).sum();
    // At least as many as there are huge pages of 2 MiB that lie inside.
    assert!(
        first >= 10 && later * 4 <= first,
        "{first} page faults, then {later}"
    );
}

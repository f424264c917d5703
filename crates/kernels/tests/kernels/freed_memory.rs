use std::hint::black_box;

use kernels::keep_freed_memory;

/// Above glibc's first threshold of 128 KiB, above which memory goes back to the system when it is freed.
const BYTES: usize = 24 << 20;

/// Pages that this thread had to be given by the system so far.
fn page_faults() -> i64 {
    // SAFETY: zeros are a valid `rusage`, which the call fills.
    unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_minflt
    }
}

fn faults_of_one_use() -> i64 {
    let before = page_faults();
    black_box(vec![1_u8; black_box(BYTES)]);
    page_faults() - before
}

#[test]
fn memory_is_taken_from_the_system_once() {
    keep_freed_memory();
    let first = faults_of_one_use();
    let later: i64 = (0..4).map(|_| faults_of_one_use()).sum();
    // Pages may be huge ones, twelve of them; nothing else in this thread takes memory.
    assert!(
        first >= 12 && later * 4 <= first,
        "{first} page faults, then {later}"
    );
}

//! Memory over a long run. Linux tells a process its resident set.

use burn::tensor::Device;

use crate::small_run::{config, trainer};

const ITERATIONS: usize = 2000;
/// By then every kind of step has run many times, and the allocator has what it needs.
const WARM_UP: usize = 200;
/// Room for the allocator's ups and downs; a batch that is kept every iteration would be far more.
const GROWTH: f64 = 1.05;

fn device() -> Device {
    testkit::devices().remove(0).1
}

/// Resident set of this process in KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// `cargo test --release -p vision-aided-finetune --test training -- --ignored --nocapture memory`
#[test]
#[ignore = "takes minutes, and other tests of the process would be measured with it"]
fn the_resident_set_does_not_grow_over_two_thousand_iterations() {
    let mut run = trainer(config(), &device()).unwrap();
    let mut warm = 0.0f64;
    for iteration in 1..=ITERATIONS {
        run.step().unwrap();
        if iteration % WARM_UP == 0 {
            let now = resident();
            println!("{iteration} iterations: {:.1} MiB", now / 1024.0);
            if iteration == WARM_UP {
                warm = now;
            }
        }
    }
    let end = resident();
    assert!(
        end <= GROWTH * warm,
        "{warm} KiB after {WARM_UP} iterations, {end} KiB after {ITERATIONS}"
    );
}

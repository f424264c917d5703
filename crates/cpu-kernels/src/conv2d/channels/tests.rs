use super::super::fixture::{Case, Window};
use super::super::microkernel::Microkernels;
use super::Channels;

/// Sums are taken in the same order, so that there is no tolerance.
fn assert_equals_direct(what: &str, case: &Case) {
    for (name, set) in Microkernels::available() {
        let direct = case.along_rows(set);
        let beside = case.run(|plan, operands, out| Channels.correlate(set, plan, operands, out));
        assert!(beside == direct, "{name}: {what}");
    }
}

/// Channels that fill no vector, one, and several panels; rows shorter and longer than a tile; groups.
const SHAPES: [[usize; 6]; 6] = [
    [1, 1, 3, 2, 5, 4],
    [3, 1, 16, 16, 8, 8],
    [2, 1, 17, 49, 9, 7],
    [2, 3, 5, 20, 6, 11],
    [1, 1, 40, 100, 4, 4],
    [5, 1, 20, 33, 17, 16],
];

#[test]
fn equals_the_direct_correlation() {
    for shape in SHAPES {
        for (kernel, stride, padding) in [
            ([3, 3], [1, 1], [1, 1]),
            ([3, 3], [2, 2], [0, 0]),
            ([3, 3], [2, 2], [1, 1]),
            ([1, 1], [1, 1], [0, 0]),
            ([2, 4], [3, 1], [1, 2]),
        ] {
            let window = Window { stride, padding };
            let what = format!("{shape:?}, {kernel:?}, stride {stride:?}, padding {padding:?}");
            assert_equals_direct(&what, &Case::convolution(shape, kernel, window));
        }
    }
}

#[test]
fn equals_the_direct_adjoint() {
    for shape in SHAPES {
        for (kernel, stride, padding, more) in [
            ([3, 3], [2, 2], [0, 0], [0, 0]),
            ([3, 3], [2, 2], [1, 1], [1, 1]),
            ([3, 3], [1, 1], [1, 1], [0, 0]),
            // The stride leaves outputs without a weight.
            ([2, 1], [3, 2], [0, 0], [1, 0]),
        ] {
            let window = Window { stride, padding };
            let what = format!("{shape:?}, {kernel:?}, stride {stride:?}, {padding:?}, {more:?}");
            assert_equals_direct(&what, &Case::adjoint(shape, kernel, window, more));
        }
    }
}

#[test]
fn factors_and_biases_may_be_absent() {
    let window = Window {
        stride: [2, 2],
        padding: [0, 0],
    };
    let case = Case::adjoint([2, 1, 20, 33, 9, 8], [3, 3], window, [0, 0]);
    assert_equals_direct("without factors", &case.bare());
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there is one thread")]
fn threads_change_nothing() {
    let window = Window {
        stride: [2, 2],
        padding: [0, 0],
    };
    for n in [1, 4] {
        let case = Case::adjoint([n, 1, 64, 70, 16, 16], [3, 3], window, [0, 0]);
        for (name, set) in Microkernels::available() {
            let [one, three] = [1, 3].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let pool = pool.build().expect("a pool of threads");
                pool.install(|| {
                    case.run(|plan, operands, out| Channels.correlate(set, plan, operands, out))
                })
            });
            assert!(one == three, "{name}: {n}");
        }
    }
}

#[test]
fn spread_outputs_are_worth_it() {
    let twice = Window {
        stride: [2, 2],
        padding: [0, 0],
    };
    for (name, set) in Microkernels::available() {
        let takes = |case: &Case| {
            let mut taken = false;
            case.run(|plan, operands, _| {
                taken = Channels::worthwhile(set, plan, operands).is_some();
            });
            taken
        };
        let adjoint = |n: usize, ic: usize, size: usize| {
            takes(&Case::adjoint(
                [n, 1, ic, ic / 2, size, size],
                [3, 3],
                twice,
                [0, 0],
            ))
        };
        let in_browser = cfg!(target_family = "wasm");
        for (n, ic, size) in [(8, 32, 32), (8, 64, 16), (1, 128, 32), (1, 64, 64)] {
            assert_eq!(
                adjoint(n, ic, size),
                !in_browser,
                "{name}: {n}, {ic} of {size}"
            );
        }
        for (n, ic, size) in [(8, 8, 32), (8, 256, 4), (1, 64, 16), (1, 1024, 32)] {
            assert!(!adjoint(n, ic, size), "{name}: {n}, {ic} of {size}");
        }
        let forward = Case::convolution([8, 1, 32, 64, 33, 33], [3, 3], twice);
        assert!(!takes(&forward), "{name}");
    }
}

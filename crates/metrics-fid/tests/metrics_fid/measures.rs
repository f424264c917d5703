//! KID, precision and recall, density and coverage, FID-infinity and path lengths: closed forms and invariants.

use burn::tensor::Tensor;
use metrics_fid::{
    Extrapolation, KernelSubsets, MetricsError, PATH_EPSILON, PathSpace, density_coverage,
    diversity, extrapolated_frechet_distance, frechet_distance, kernel_distance,
    kernel_distance_of_subsets, perceptual_path_length, precision_recall,
};
use ndarray::{Array1, Array2, Axis, array, concatenate};
use testkit::{devices, seeded};

use crate::golden::{cloud, statistics};

/// Independent features of one standard deviation, `[count, dimension]`.
fn noise(name: &str, count: usize, dimension: usize) -> Array2<f32> {
    let values = seeded(&format!("noise/{name}"), count * dimension, 1.0);
    Array2::from_shape_vec((count, dimension), values).unwrap()
}

#[test]
fn kernel_distances_follow_their_definition() {
    let (a, b) = (cloud("a", 11, 5, 2.0), cloud("b", 9, 5, 1.0));
    let kernel = |x: ndarray::ArrayView1<f32>, y: ndarray::ArrayView1<f32>| {
        (x.mapv(f64::from).dot(&y.mapv(f64::from)) / 5.0 + 1.0).powi(3)
    };
    let mean = |x: &Array2<f32>, y: &Array2<f32>, without_diagonal: bool| {
        let mut values = Vec::new();
        for (i, x) in x.rows().into_iter().enumerate() {
            for (j, y) in y.rows().into_iter().enumerate() {
                if !(without_diagonal && i == j) {
                    values.push(kernel(x, y));
                }
            }
        }
        values.iter().sum::<f64>() / values.len() as f64
    };
    let expected = mean(&a, &a, true) + mean(&b, &b, true) - 2.0 * mean(&a, &b, false);
    let found = kernel_distance(a.view(), b.view()).unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    // Subsets of the whole of two equally large sets are the sets.
    let whole = KernelSubsets {
        count: 3,
        ..KernelSubsets::default()
    };
    let smaller = a.slice(ndarray::s![..9, ..]);
    let expected = kernel_distance(smaller, b.view()).unwrap();
    let found = kernel_distance_of_subsets(smaller, b.view(), whole).unwrap();
    assert!((found.mean - expected).abs() < 1e-12 && found.std < 1e-12);
}

#[test]
fn the_kernel_distance_of_equal_distributions_is_about_zero() {
    let (a, b) = (noise("a", 400, 8), noise("b", 400, 8));
    let subsets = KernelSubsets {
        count: 40,
        size: 50,
        seed: 1,
    };
    let equal = kernel_distance_of_subsets(a.view(), b.view(), subsets).unwrap();
    // The mean of 40 subsets, of which eight are independent: within three deviations.
    assert!(
        equal.mean.abs() < 3.0 * equal.std / 8f64.sqrt(),
        "{equal:?}"
    );
    let apart = kernel_distance_of_subsets(a.view(), (&b + 1.0).view(), subsets).unwrap();
    assert!(apart.mean > 10.0 * equal.std, "{apart:?} {equal:?}");
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let a = noise("a", 5, 3);
    let nothing = KernelSubsets {
        count: 0,
        ..KernelSubsets::default()
    };
    assert!(matches!(
        kernel_distance_of_subsets(a.view(), a.view(), nothing),
        Err(MetricsError::InvalidSetting { .. })
    ));
    assert!(matches!(
        precision_recall(a.view(), a.view(), 5),
        Err(MetricsError::TooFewImages {
            found: 5,
            required: 6,
            ..
        })
    ));
    assert!(precision_recall(a.view(), a.view(), 0).is_err());
    assert!(matches!(
        density_coverage(a.view(), noise("b", 9, 4).view(), 2),
        Err(MetricsError::WrongDimension {
            found: 4,
            expected: 3
        })
    ));
    let mut overflown = a.clone();
    overflown[[1, 2]] = f32::INFINITY;
    assert!(matches!(
        kernel_distance(overflown.view(), a.view()),
        Err(MetricsError::NonFinite { index: 5, .. })
    ));
    assert!(diversity(&[]).is_err());
    assert!(perceptual_path_length(&[1.0], 0.0).is_err());
}

#[test]
fn far_sets_share_nothing_and_equal_ones_all() {
    let a = noise("a", 60, 4);
    let same = precision_recall(a.view(), a.view(), 3).unwrap();
    assert_eq!((same.precision, same.recall), (1.0, 1.0));
    let far = &a + 100.0;
    let apart = precision_recall(a.view(), far.view(), 3).unwrap();
    assert_eq!((apart.precision, apart.recall), (0.0, 0.0));
    let apart = density_coverage(a.view(), far.view(), 5).unwrap();
    assert_eq!((apart.density, apart.coverage), (0.0, 0.0));
    // Each feature lies in its own ball and in those of which it is one of the first four neighbors, the fifth being on
    // the surface.
    let same = density_coverage(a.view(), a.view(), 5).unwrap();
    assert_eq!((same.density, same.coverage), (1.0, 1.0));
}

#[test]
fn a_collapsed_generator_is_precise_and_recalls_nothing() {
    let real = noise("real", 200, 3);
    // All of them at one real image.
    let collapsed = real.select(Axis(0), &[7; 50]);
    let found = precision_recall(real.view(), collapsed.view(), 3).unwrap();
    assert_eq!(found.precision, 1.0);
    // Its balls have radius 0; only the image itself is in them.
    assert_eq!(found.recall, 1.0 / 200.0);
    let found = density_coverage(real.view(), collapsed.view(), 5).unwrap();
    assert!(found.density > 0.0 && found.coverage < 0.15, "{found:?}");
}

#[test]
fn an_outlier_spoils_recall_but_not_coverage() {
    let real = noise("real", 150, 2);
    // Eight points far apart make balls as large as everything.
    let corners = Array2::from_shape_fn((8, 2), |(i, j)| {
        let angle = i as f32 * std::f32::consts::TAU / 8.0;
        20.0 * if j == 0 { angle.cos() } else { angle.sin() }
    });
    let collapsed = real.select(Axis(0), &[3; 40]);
    let generated = concatenate![Axis(0), collapsed, corners];
    let spoilt = precision_recall(real.view(), generated.view(), 3).unwrap();
    let robust = density_coverage(real.view(), generated.view(), 5).unwrap();
    assert!(spoilt.recall > 0.9, "{spoilt:?}");
    assert!(robust.coverage < 0.15, "{robust:?}");
}

#[test]
fn copies_are_inside_whatever_rounding_does() {
    // Distances of copies and of the originals come from different blocks of products; each copy must be where its
    // original is.
    let real = cloud("real", 1100, 6, 3.0);
    let first = real.slice(ndarray::s![..200, ..]).to_owned();
    let generated = concatenate![Axis(0), first, first];
    let once = density_coverage(real.view(), first.view(), 4).unwrap();
    let twice = density_coverage(real.view(), generated.view(), 4).unwrap();
    assert_eq!(once, twice);
}

#[test]
fn extrapolation_removes_the_bias_of_few_images() {
    const DIMENSION: usize = 8;
    let reference = feature_stats::MeanCovariance::new(
        Array1::zeros(DIMENSION),
        Array2::from_diag(&Array1::ones(DIMENSION)),
    )
    .unwrap();
    // Of the reference's own distribution, so that the distance of infinitely many is 0 (up to the uniform noise's
    // higher moments, of which it knows nothing).
    let generated = noise("generated", 600, DIMENSION);
    let found =
        extrapolated_frechet_distance(generated.view(), &reference, Extrapolation::default())
            .unwrap();
    assert_eq!(found.points.len(), 15);
    assert_eq!((found.points[0].0, found.points[14].0), (60, 600));
    let whole = found.points[14].1;
    let direct = frechet_distance(&reference, &statistics(&generated)).unwrap();
    // The whole set in another order.
    assert!((whole / direct - 1.0).abs() < 1e-9, "{whole} {direct}");
    assert!(found.slope > 0.0);
    assert!(
        found.distance.abs() < 0.5 * whole,
        "{} with all images, {} extrapolated",
        whole,
        found.distance
    );
    let few = generated.slice(ndarray::s![..19, ..]);
    assert!(matches!(
        extrapolated_frechet_distance(few, &reference, Extrapolation::default()),
        Err(MetricsError::TooFewImages { required: 20, .. })
    ));
}

#[test]
fn paths_run_along_lines_and_great_circles() {
    for (name, device) in devices() {
        let tensor = |values: Array2<f32>| {
            let (rows, columns) = values.dim();
            let data =
                burn::tensor::TensorData::new(values.into_raw_vec_and_offset().0, [rows, columns]);
            Tensor::<2>::from_data(data, &device)
        };
        let values = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().unwrap();
        let a = tensor(array![[2.0, 0.0], [0.0, 3.0]]);
        let b = tensor(array![[0.0, 5.0], [0.0, 3.0]]);
        let t = tensor(array![[0.5], [0.25]]);
        let line = values(PathSpace::W.interpolate(a.clone(), b.clone(), t.clone()));
        assert_eq!(line, [1.0, 2.5, 0.0, 3.0], "{name}");
        let circle = values(PathSpace::Z.interpolate(a, b, t));
        let half = 0.5f32.sqrt();
        // Half of a right angle, and no way at all between a point and itself.
        for (found, expected) in circle.iter().zip([half, half, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{name}: {circle:?}");
        }
    }
}

#[test]
fn the_path_length_of_a_linear_generator_is_known() {
    // Images G w with d the squared distance: |G (b - a)|^2 at every t.
    for (_, device) in devices() {
        let ends = seeded("ends", 2 * 64 * 3, 1.0);
        let [a, b] = [0, 1].map(|half| {
            let rows = ends[half * 64 * 3..(half + 1) * 64 * 3].to_vec();
            Tensor::<2>::from_data(burn::tensor::TensorData::new(rows, [64, 3]), &device)
        });
        let t = Tensor::<2>::full([64, 1], 0.5, &device);
        // A larger step than usual, as f32 leaves few digits of the difference.
        let epsilon = 1e-2f64;
        let start = PathSpace::W.interpolate(a.clone(), b.clone(), t.clone());
        let end = PathSpace::W.interpolate(a.clone(), b.clone(), t + epsilon as f32);
        let squares = |x: Tensor<2>| -> Vec<f64> {
            let sums = x
                .square()
                .sum_dim(1)
                .into_data()
                .try_to_vec::<f32>()
                .unwrap();
            sums.into_iter().map(f64::from).collect()
        };
        let found = perceptual_path_length(&squares(end - start), epsilon).unwrap();
        // Places 0.63 and 62.37 of 0 to 63: nothing falls outside.
        let expected = squares(b - a).iter().sum::<f64>() / 64.0;
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
    }
    assert_eq!(PATH_EPSILON, 1e-4);
}

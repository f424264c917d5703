//! Seeded models: statistics of features about different centers.

use feature_stats::{Ddof, MeanCovariance, Moments};
use ndarray::Array2;
use retrieval_gaussian::{Index, IndexBuilder, IndexSettings};
use testkit::seeded;

/// Features of a model, `[count, dimension]`. Centers are so far apart, for the spread about them, that a feature
/// belongs to one model whatever the seed.
pub fn features(name: &str, count: usize, dimension: usize) -> Array2<f32> {
    let scale = 1.0 / (dimension as f64).sqrt();
    let center = seeded(&format!("{name}/centre"), dimension, 1.6 * scale);
    let spread = seeded(&format!("{name}/spread"), dimension, 0.3);
    let noise = seeded(&format!("{name}/noise"), count * dimension, scale);
    Array2::from_shape_fn((count, dimension), |(i, j)| {
        center[j] + noise[i * dimension + j] * (0.5 + spread[j].abs())
    })
}

pub fn statistics(rows: &Array2<f32>) -> MeanCovariance {
    let mut moments = Moments::new(rows.ncols());
    moments.add_rows(rows.view()).unwrap();
    moments.mean_covariance(Ddof::Sample).unwrap()
}

/// Models `m0`, `m1`, ... with their features as samples.
pub fn builder(settings: IndexSettings, names: std::ops::Range<usize>) -> IndexBuilder {
    let dimension = settings.input_dimension();
    let mut builder = IndexBuilder::new(settings).unwrap();
    for model in names {
        let name = format!("m{model}");
        let rows = features(&name, 3 * dimension, dimension);
        builder
            .add_with_samples(&name, &statistics(&rows), rows.view())
            .unwrap();
    }
    builder
}

pub fn index(settings: IndexSettings, count: usize) -> Index {
    builder(settings, 0..count).build().unwrap()
}

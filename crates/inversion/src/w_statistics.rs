use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::{Generator, RandomState};

/// The official projector's number of samples for the mean latent.
const MEAN_SAMPLES: usize = 10_000;
/// The official projector's seed of those samples.
const MEAN_SEED: u32 = 123;

/// The generator's running average of w, `[w_dim]`; where it has none, the mean over random latents.
pub(crate) fn mean_latent(generator: &Generator) -> Tensor<1> {
    if let Some(w_avg) = generator.mapping.w_avg() {
        return w_avg;
    }
    let w = sample_w(generator, MEAN_SAMPLES, MEAN_SEED);
    let w_dim = w.dims()[1];
    w.mean_dim(0).reshape([w_dim])
}

/// Random latents w `[samples, w_dim]`; a conditional generator's labels take turns.
pub(crate) fn sample_w(generator: &Generator, samples: usize, seed: u32) -> Tensor<2> {
    let mapping = &generator.mapping;
    let device = device_of(generator);
    let z_dim = mapping.z_dim().max(1);
    let z = RandomState::new(seed).standard_normals(samples * z_dim);
    let labels = (mapping.c_dim() > 0).then(|| {
        let c_dim = mapping.c_dim();
        let mut one_hot = vec![0.0f32; samples * c_dim];
        for sample in 0..samples {
            one_hot[sample * c_dim + sample % c_dim] = 1.0;
        }
        Tensor::from_data(TensorData::new(one_hot, [samples, c_dim]), &device)
    });
    mapping.w(
        Tensor::from_data(TensorData::new(z, [samples, z_dim]), &device),
        labels,
    )
}

fn device_of(generator: &Generator) -> Device {
    generator
        .devices()
        .into_iter()
        .next()
        .expect("a generator has parameters")
}

/// The projector's `w_std = sqrt(E |w - w_avg|^2)` over rows of w `[samples, w_dim]`: one number for all features.
pub(crate) fn w_std(w: Tensor<2>, w_avg: Tensor<1>) -> f64 {
    let samples = w.dims()[0];
    let apart = w - w_avg.unsqueeze();
    let sum: f32 = (apart.clone() * apart).sum().into_scalar();
    (f64::from(sum) / samples as f64).sqrt()
}

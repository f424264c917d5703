use burn::tensor::{Device, Tensor, TensorData};

use crate::RandomState;

/// The latent z `[1, z_dim]` that the official `generate.py` draws for a seed:
/// `numpy.random.RandomState(seed).randn(1, z_dim)`.
pub fn latent_from_seed(seed: u32, z_dim: usize, device: &Device) -> Tensor<2> {
    latents_from_seeds(&[seed], z_dim, device)
}

/// The latents of several seeds, `[seeds, z_dim]`, each row as [`latent_from_seed`] draws it.
///
/// # Panics
/// When there are no seeds.
pub fn latents_from_seeds(seeds: &[u32], z_dim: usize, device: &Device) -> Tensor<2> {
    assert!(!seeds.is_empty(), "expected at least one seed, found none");
    let values: Vec<f32> = seeds
        .iter()
        .flat_map(|seed| RandomState::new(*seed).standard_normals(z_dim))
        .collect();
    Tensor::from_data(TensorData::new(values, [seeds.len(), z_dim]), device)
}

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::{Generator, LowRank, NoiseMode, WeightDelta};
use testkit::{assert_close, seeded};

use crate::{case_names, fixture, values};

fn random(name: &str, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let numbers = seeded(name, shape.iter().product(), 0.1);
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

fn changes(generator: &Generator, rank: usize, device: &Device) -> BTreeMap<String, LowRank> {
    let change = |(name, [out, inputs]): (String, [usize; 2])| {
        let rank = rank.min(out);
        let low_rank = LowRank {
            up: random(&format!("{name}/up"), [out, rank], device),
            down: random(&format!("{name}/down"), [rank, inputs], device),
        };
        (name, low_rank)
    };
    generator.weight_shapes().into_iter().map(change).collect()
}

#[test]
fn weights_change_by_the_product() {
    let device = Device::flex();
    for name in case_names("generator_") {
        let generator = Generator::load(fixture(&format!("{name}.safetensors")), &device).unwrap();
        let weights = changes(&generator, 2, &device);
        let (before, after) = (
            generator.tensors(),
            generator.with_changes(&weights).tensors(),
        );
        for (name, tensor) in &before {
            let (old, new) = (tensor.to_f32(), after[name].to_f32());
            let Some(LowRank { up, down }) = weights.get(name) else {
                assert_eq!(old, new, "{name}");
                continue;
            };
            let (rank, inputs) = (down.dims()[0], down.dims()[1]);
            let (up, down) = (values(up.clone()), values(down.clone()));
            let expected: Vec<f32> = (0..old.len())
                .map(|index| {
                    let (row, column) = (index / inputs, index % inputs);
                    let terms = (0..rank).map(|i| {
                        f64::from(up[row * rank + i]) * f64::from(down[i * inputs + column])
                    });
                    (f64::from(old[index]) + terms.sum::<f64>()) as f32
                })
                .collect();
            // Two products and a sum in f32.
            assert_close(name, &new, &expected, 1e-6);
        }
    }
}

#[test]
fn gradients_reach_the_matrices() {
    let device = Device::flex();
    let generator = Generator::load(fixture("generator_skip.safetensors"), &device).unwrap();
    let weights: BTreeMap<String, LowRank> = changes(&generator, 1, &device)
        .into_iter()
        .map(|(name, change)| {
            let leaf = |matrix: Tensor<2>| matrix.autodiff().require_grad();
            let change = LowRank {
                up: leaf(change.up),
                down: leaf(change.down),
            };
            (name, change)
        })
        .collect();
    let w_plus = generator
        .synthesis
        .broadcast(Tensor::ones([1, generator.synthesis.w_dim()], &device));
    let images = generator
        .with_changes(&weights)
        .synthesis
        .forward(w_plus, &NoiseMode::Constant);
    let gradients = images.sum().backward();
    for (name, change) in &weights {
        for matrix in [&change.up, &change.down] {
            let gradient = matrix.grad(&gradients).unwrap();
            assert!(values(gradient).iter().any(|v| *v != 0.0), "{name}");
        }
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there is no folder for temporary files")]
fn files_are_of_one_generator_and_within_their_size() {
    const LIMIT: u64 = 20_000;
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("delta.safetensors");
    let generator = Generator::load(fixture("generator_skip.safetensors"), &device).unwrap();
    let shapes = generator.weight_shapes();
    let rank = WeightDelta::rank_within(&shapes, LIMIT);
    assert!(rank > 0 && rank < 64, "{rank}");
    assert_eq!(WeightDelta::rank_within(&shapes, 10), 0);
    let delta = WeightDelta {
        generator: generator.content_sha256(),
        weights: changes(&generator, rank, &device),
    };
    delta.save(&path, &[("model", "skip")]).unwrap();
    assert!(path.metadata().unwrap().len() <= LIMIT);
    let read = WeightDelta::read(&path, &device).unwrap();
    let tuned = read.apply(&generator, &path).unwrap();
    let found = tuned.tensors();
    for (name, tensor) in generator.with_changes(&delta.weights).tensors() {
        // Factors of 11 bits.
        assert_close(&name, &found[&name].to_f32(), &tensor.to_f32(), 1e-3);
    }
    let refused = read.apply(&tuned, &path).unwrap_err().to_string();
    assert!(refused.contains("another generator"), "{refused}");
    let other = fixture("generator_skip.safetensors");
    let refused = WeightDelta::read(other, &device).unwrap_err().to_string();
    assert!(refused.contains("--tune"), "{refused}");
}

use crate::{case_names, fixture, values};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::{Discriminator, Generator, NoiseMode};
use testkit::{Golden, assert_close, seeded};

fn random<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(seeded(name, count, 1.0), shape), device)
}

fn inner_product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    values((a * b).sum())[0]
}

/// <y, J u> = <Jᵀ y, u>, with Jᵀ y by autodiff: the two modes of differentiation must agree on every network and
/// option.
#[test]
fn forward_and_backward_derivatives_of_the_generators_are_adjoint() {
    for (device_name, device) in testkit::devices() {
        for name in case_names("generator_") {
            let what = format!("{name} on {device_name}");
            let manifest = env!("CARGO_MANIFEST_DIR");
            let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
            let path = fixture(&format!("{name}.safetensors"));
            let generator = Generator::load(path, &device).unwrap();
            for noise in [
                NoiseMode::None,
                NoiseMode::Constant,
                NoiseMode::Random { seed: 5 },
            ] {
                let w_plus: Tensor<3> = golden.tensor("w_plus", &device);
                let u = random("tangent/u", w_plus.dims(), &device);
                let (image, tangent) =
                    generator
                        .synthesis
                        .forward_tangent(w_plus.clone(), u.clone(), &noise);
                let y = random("tangent/y", image.dims(), &device);

                let input = Tensor::from_inner(w_plus).require_grad();
                let forward = generator.synthesis.forward(input.clone(), &noise);
                // The same operations but for the order of sums.
                assert_close(
                    &what,
                    &values(image),
                    &values(forward.clone().inner()),
                    1e-5,
                );
                let gradients = (forward * y.clone()).sum().backward();
                let transposed = input.grad(&gradients).unwrap();
                assert_close(
                    &what,
                    &[inner_product(y, tangent)],
                    &[inner_product(transposed, u)],
                    // Rounding of two sums of thousands of terms of both signs.
                    1e-3,
                );
            }
        }
    }
}

#[test]
fn forward_and_backward_derivatives_of_the_discriminators_are_adjoint() {
    for (device_name, device) in testkit::devices() {
        for name in case_names("discriminator_") {
            let what = format!("{name} on {device_name}");
            let manifest = env!("CARGO_MANIFEST_DIR");
            let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
            let path = fixture(&format!("{name}.safetensors"));
            let discriminator = Discriminator::load(path, &device).unwrap().valid();
            let image: Tensor<4> = golden.tensor("image", &device);
            let c: Option<Tensor<2>> = golden.contains("c").then(|| golden.tensor("c", &device));
            let v = random("tangent/v", image.dims(), &device);
            let (logits, tangent) =
                discriminator.forward_tangent(image.clone(), v.clone(), c.clone());
            let y = random("tangent/logit", logits.dims(), &device);

            let input = Tensor::from_inner(image).require_grad();
            let forward = discriminator.forward(input.clone(), c);
            assert_close(
                &what,
                &values(logits),
                &values(forward.clone().inner()),
                1e-5,
            );
            let gradients = (forward * y.clone()).sum().backward();
            let transposed = input.grad(&gradients).unwrap();
            // Rounding of two sums of thousands of terms of both signs.
            assert_close(
                &what,
                &[inner_product(y, tangent)],
                &[inner_product(transposed, v)],
                1e-3,
            );
        }
    }
}

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::{Discriminator, Generator, NoiseMode};
use testkit::{Golden, assert_close, reference_path, seeded};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn random<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(seeded(name, count, 1.0), shape), device)
}

fn inner_product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    values((a * b).sum())[0]
}

/// <y, J u> = <Jᵀ y, u>, with Jᵀ y by autodiff: the two modes of differentiation must agree on every network and option.
#[test]
fn forward_and_backward_derivatives_of_the_generators_are_adjoint() {
    for (device_name, device) in testkit::devices() {
        for name in [
            "generator_skip",
            "generator_conditional_resnet",
            "generator_clamped_gray",
        ] {
            let what = format!("{name} on {device_name}");
            let manifest = env!("CARGO_MANIFEST_DIR");
            let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
            let path = reference_path(manifest, &format!("stylegan2/{name}.safetensors"));
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
                assert_close(&what, &values(image), &values(forward.clone().inner()), 1e-5);
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
        for name in ["discriminator_resnet", "discriminator_conditional_skip"] {
            let what = format!("{name} on {device_name}");
            let manifest = env!("CARGO_MANIFEST_DIR");
            let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
            let path = reference_path(manifest, &format!("stylegan2/{name}.safetensors"));
            let discriminator = Discriminator::load(path, &device).unwrap().valid();
            let image: Tensor<4> = golden.tensor("image", &device);
            let c: Option<Tensor<2>> = golden.contains("c").then(|| golden.tensor("c", &device));
            let v = random("tangent/v", image.dims(), &device);
            let (logits, tangent) =
                discriminator.forward_tangent(image.clone(), v.clone(), c.clone());
            let y = random("tangent/logit", logits.dims(), &device);

            let input = Tensor::from_inner(image).require_grad();
            let forward = discriminator.forward(input.clone(), c);
            assert_close(&what, &values(logits), &values(forward.clone().inner()), 1e-5);
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

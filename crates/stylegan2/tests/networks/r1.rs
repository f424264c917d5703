use burn::module::Module;
use burn::tensor::Tensor;
use stylegan2::Discriminator;
use stylegan2::regularization::{r1_penalty, r1_penalty_augmented};
use testkit::{Golden, assert_close};

use crate::named_gradients::{assert_gradients, by_name};
use crate::{PENALTY_GRADIENT_TOLERANCE, case_names, fixture, values};

struct Case {
    golden: Golden,
    discriminator: Discriminator,
    image: Tensor<4>,
    c: Option<Tensor<2>>,
}

fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for (device_name, device) in testkit::devices() {
        for name in case_names("discriminator_") {
            let manifest = env!("CARGO_MANIFEST_DIR");
            let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
            let path = fixture(&format!("{name}.safetensors"));
            let case = Case {
                discriminator: Discriminator::load(path, &device).unwrap().train(),
                image: golden.tensor("image", &device),
                c: golden.contains("c").then(|| golden.tensor("c", &device)),
                golden,
            };
            cases.push((format!("{name} on {device_name}"), case));
        }
    }
    cases
}

#[test]
fn penalty_and_its_gradient_are_those_of_double_backpropagation() {
    for (what, case) in cases() {
        let r1 = r1_penalty(&case.discriminator, case.image, case.c);
        // f32 against f64 through some twenty layers; a wrong term is off by a tenth or more.
        let tolerance = 1e-4;
        let expected = case.golden.values("r1/penalty");
        assert_close(&what, &values(r1.per_image), &expected, tolerance);
        let mean = expected.iter().sum::<f32>() / expected.len() as f32;
        assert_close(&what, &values(r1.mean.clone()), &[mean], tolerance);

        let gradients = r1.mean.backward();
        let found = by_name(&case.discriminator, &gradients, |path| {
            case.discriminator.official_name(path)
        });
        assert_gradients(
            &what,
            &found,
            &case.golden,
            "r1/grad/",
            &[],
            PENALTY_GRADIENT_TOLERANCE,
        );
    }
}

#[test]
fn an_affine_augmentation_scales_the_penalty_by_the_square_of_its_slope() {
    for (what, case) in cases() {
        let augment = |x: Tensor<4>| x.flip([3]).mul_scalar(0.5).add_scalar(0.1);
        let augmented = r1_penalty_augmented(
            &case.discriminator,
            case.image.clone(),
            case.c.clone(),
            augment,
            |v| v.flip([3]).mul_scalar(0.5),
        );
        let plain = r1_penalty(&case.discriminator, augment(case.image), case.c);
        let expected: Vec<f32> = values(plain.per_image).iter().map(|p| p / 4.0).collect();
        // The same sums in another order.
        assert_close(&what, &values(augmented.per_image), &expected, 1e-5);
        let by_path =
            |mean: Tensor<1>| by_name(&case.discriminator, &mean.backward(), str::to_owned);
        let found = by_path(augmented.mean);
        for (name, expected) in by_path(plain.mean.mul_scalar(0.25)) {
            assert_close(&format!("{what}: {name}"), &found[&name], &expected, 1e-4);
        }
    }
}

use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::{FeatureOffset, Generator, NoiseMode};
use testkit::{Golden, seeded};

use crate::{case_names, fixture, values};

fn with_latents(name: &str, device: &Device) -> (Generator, Tensor<3>) {
    let golden = Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        &format!("stylegan2/{name}.expected.safetensors"),
    );
    let generator = Generator::load(fixture(&format!("{name}.safetensors")), device).unwrap();
    (generator, golden.tensor("w_plus", device))
}

#[test]
fn going_on_from_a_block_gives_the_image_to_the_last_bit() {
    let device = Device::flex();
    for name in case_names("generator_") {
        let (generator, w_plus) = with_latents(&name, &device);
        let network = &generator.synthesis;
        let own = network.noise_images().into_iter().map(|(_, image)| image);
        for noise in [
            NoiseMode::None,
            NoiseMode::Constant,
            NoiseMode::Random { seed: 5 },
            NoiseMode::Given(own.map(|image| image * 0.5).collect()),
        ] {
            let expected = values(network.forward(w_plus.clone(), &noise));
            for side in network.block_resolutions() {
                let block = network.forward_to(side, w_plus.clone(), &noise);
                assert_eq!(block.resolution, side);
                let found = network.forward_from(block, w_plus.clone(), &noise);
                assert_eq!(values(found), expected, "{name} from {side}");
            }
        }
    }
}

#[test]
fn latents_before_the_block_no_longer_matter() {
    let device = Device::flex();
    for name in case_names("generator_") {
        let (generator, w_plus) = with_latents(&name, &device);
        let network = &generator.synthesis;
        let noise = NoiseMode::Constant;
        let [batch, layers, features] = w_plus.dims();
        // The block of 4x4 takes the first latent alone; that of the next is also used by its layer to colors.
        let block = network.forward_to(4, w_plus.clone(), &noise);
        let first = w_plus.clone().slice([0..batch, 0..1, 0..features]);
        let rest = w_plus.clone().slice([0..batch, 1..layers, 0..features]);
        let other = Tensor::cat(vec![first + 1.0, rest], 1);
        let found = network.forward_from(block, other.clone(), &noise);
        assert_eq!(
            values(found),
            values(network.forward(w_plus, &noise)),
            "{name}"
        );
    }
}

#[test]
fn an_offset_is_added_behind_its_block() {
    let device = Device::flex();
    for name in case_names("generator_") {
        let (generator, w_plus) = with_latents(&name, &device);
        let network = &generator.synthesis;
        let noise = NoiseMode::Constant;
        let plain = values(network.forward(w_plus.clone(), &noise));
        for side in network.inner_resolutions() {
            let features = network.forward_to(side, w_plus.clone(), &noise).features;
            let shape = features.dims();
            let nothing = FeatureOffset {
                resolution: side,
                values: features.zeros_like(),
            };
            let found = network.forward_with_offset(w_plus.clone(), &noise, &nothing);
            assert_eq!(values(found), plain, "{name} at {side}");
            let numbers = seeded("offset", shape.iter().product(), 1.0);
            let offset = Tensor::<4>::from_data(TensorData::new(numbers, shape), &device);
            let mut block = network.forward_to(side, w_plus.clone(), &noise);
            block.features = block.features + offset.clone();
            let expected = values(network.forward_from(block, w_plus.clone(), &noise));
            let moved = FeatureOffset {
                resolution: side,
                values: offset,
            };
            let found = values(network.forward_with_offset(w_plus.clone(), &noise, &moved));
            assert_eq!(found, expected, "{name} at {side}");
            assert_ne!(found, plain, "{name} at {side}");
        }
    }
}

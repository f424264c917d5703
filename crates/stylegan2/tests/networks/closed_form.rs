//! Values that follow from the equations, without a reference.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData, s};
use stylegan2::{
    Architecture, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, NoiseMode,
    RandomState, Truncation, latent_from_seed, latents_from_seeds, mix_styles,
};
use testkit::{assert_close, devices, seeded};

use crate::values;

/// A few roundings of f32.
const ROUNDING: f64 = 1e-6;

fn tiny(json_options: &str) -> GeneratorConfig {
    GeneratorConfig::from_json(&format!(
        r#"{{"z_dim": 6, "w_dim": 5, "img_resolution": 8, "img_channels": 3{json_options}}}"#
    ))
    .unwrap()
}

const ARCHITECTURES: [Architecture; 3] =
    [Architecture::Skip, Architecture::Resnet, Architecture::Orig];

const SMALL_CHANNELS: &str = r#", "c_dim": 0, "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 64, "channel_max": 8}"#;

/// Gives every parameter seeded values, the noise strengths and averages of a new network among them.
struct Fill(usize);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        let name = format!("fill/{}", self.0);
        param.map(|old| {
            let shape = old.shape();
            let values = seeded(&name, shape.num_elements(), 1.0);
            Tensor::from_data(TensorData::new(values, shape), &old.device())
        })
    }
}

fn filled(config: &GeneratorConfig, device: &Device) -> Generator {
    Generator::init(config, 0, device)
        .unwrap()
        .map(&mut Fill(0))
}

fn random<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn seeds_draw_the_latents_of_the_official_script() {
    for (_, device) in devices() {
        // numpy.random.RandomState(85).randn(1, 4).astype(numpy.float32)
        let expected = [0.17685072, 2.3777542, 0.99873286, -1.3101507];
        assert_close(
            "seed 85",
            &values(latent_from_seed(85, 4, &device)),
            &expected,
            ROUNDING,
        );
        let two = latents_from_seeds(&[3, 85], 4, &device);
        assert_eq!(two.dims(), [2, 4]);
        assert_close("row 1", &values(two)[4..], &expected, ROUNDING);
    }
}

#[test]
fn psi_zero_is_the_average_and_the_cutoff_leaves_later_layers() {
    for (_, device) in devices() {
        let generator = filled(&tiny(SMALL_CHANNELS), &device);
        let mapping = &generator.mapping;
        let z = || random::<2>("z", [2, 6], &device);
        let average = values(mapping.w_avg().unwrap());
        let w = values(mapping.w(z(), None));
        let truncation = Truncation {
            psi: 0.0,
            cutoff: Some(1),
        };
        let found = values(mapping.forward(z(), None, truncation));
        for sample in 0..2 {
            for layer in 0..4 {
                let row = &found[(sample * 4 + layer) * 5..][..5];
                let expected = if layer == 0 {
                    &average[..]
                } else {
                    &w[sample * 5..][..5]
                };
                assert_close("w_plus", row, expected, ROUNDING);
            }
        }
        let all = values(mapping.forward(z(), None, Truncation::psi(0.0)));
        assert_close("psi 0", &all, &average.repeat(8), ROUNDING);
        // A cutoff beyond the last layer truncates all, one of 0 none.
        let beyond = Truncation {
            psi: 0.0,
            cutoff: Some(99),
        };
        assert_eq!(values(mapping.forward(z(), None, beyond)), all);
        let none = Truncation {
            psi: 0.0,
            cutoff: Some(0),
        };
        assert_eq!(
            values(mapping.forward(z(), None, none)),
            values(mapping.forward(z(), None, Truncation::NONE))
        );
    }
}

#[test]
fn the_average_of_w_moves_by_one_minus_beta() {
    for (_, device) in devices() {
        let mut generator = filled(&tiny(SMALL_CHANNELS), &device);
        let before = values(generator.mapping.w_avg().unwrap());
        let w = random::<2>("w", [3, 5], &device);
        let batch = values(w.clone());
        generator.mapping.update_w_avg(w);
        let expected: Vec<f32> = (0..5)
            .map(|i| {
                let mean = (batch[i] + batch[5 + i] + batch[10 + i]) / 3.0;
                mean + 0.995 * (before[i] - mean)
            })
            .collect();
        assert_close(
            "w_avg",
            &values(generator.mapping.w_avg().unwrap()),
            &expected,
            ROUNDING,
        );
    }
}

#[test]
fn constant_noise_is_the_given_noise_of_the_networks_own_images() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        let w_plus = || random::<3>("w_plus", [2, 4, 5], &device);
        let images = synthesis.noise_images();
        let names: Vec<&str> = images.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "b4.conv1.noise_const",
                "b8.conv0.noise_const",
                "b8.conv1.noise_const"
            ]
        );
        let constant = values(synthesis.forward(w_plus(), &NoiseMode::Constant));
        let given = NoiseMode::Given(images.iter().map(|(_, image)| image.clone()).collect());
        assert_close(
            "given",
            &values(synthesis.forward(w_plus(), &given)),
            &constant,
            ROUNDING,
        );
        // One image for each sample: the second sample's noise is off.
        let per_sample = NoiseMode::Given(
            images
                .into_iter()
                .map(|(_, image)| Tensor::cat(vec![image.clone(), image.mul_scalar(0.0)], 0))
                .collect(),
        );
        let mixed = values(synthesis.forward(w_plus(), &per_sample));
        let none = values(synthesis.forward(w_plus(), &NoiseMode::None));
        let half = mixed.len() / 2;
        assert_close("sample 0", &mixed[..half], &constant[..half], ROUNDING);
        assert_close("sample 1", &mixed[half..], &none[half..], ROUNDING);
        assert!(testkit::relative_l2(&constant, &none) > 0.01, "noise acts");
    }
}

#[test]
fn random_noise_follows_its_seed_and_differs_between_samples() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        let w_plus = random::<3>("w_plus", [1, 4, 5], &device).repeat_dim(0, 2);
        let image = |seed| values(synthesis.forward(w_plus.clone(), &NoiseMode::Random { seed }));
        let first = image(7);
        assert_eq!(first, image(7));
        let far = 1 << 32;
        for other in [image(8), image(7 + far)] {
            assert!(testkit::relative_l2(&first, &other) > 0.01);
        }
        let (a, b) = first.split_at(first.len() / 2);
        assert!(testkit::relative_l2(a, b) > 0.01, "samples share no noise");
        // The first layer's images come first from RandomState([7, 0]).
        let mut random = RandomState::from_key(&[7, 0]);
        let given = NoiseMode::Given(
            [4, 8, 8]
                .iter()
                .map(|side| {
                    let shape = [2, 1, *side, *side];
                    let values = random.standard_normals(shape.iter().product());
                    Tensor::from_data(TensorData::new(values, shape), &device)
                })
                .collect(),
        );
        assert_close(
            "drawn by hand",
            &values(synthesis.forward(w_plus.clone(), &given)),
            &first,
            ROUNDING,
        );
    }
}

#[test]
fn a_network_without_noise_ignores_the_mode() {
    for (_, device) in devices() {
        let config = tiny(
            r#", "c_dim": 0, "synthesis_kwargs": {"channel_base": 64, "channel_max": 8, "use_noise": false}"#,
        );
        let synthesis = filled(&config, &device).synthesis;
        assert!(synthesis.noise_images().is_empty());
        let w_plus = || random::<3>("w_plus", [2, 4, 5], &device);
        let none = values(synthesis.forward(w_plus(), &NoiseMode::None));
        for mode in [
            NoiseMode::Constant,
            NoiseMode::Random { seed: 0 },
            NoiseMode::Given(Vec::new()),
        ] {
            assert_eq!(values(synthesis.forward(w_plus(), &mode)), none);
        }
    }
}

#[test]
fn blocks_end_in_the_image_and_w_equals_its_repetition() {
    for (_, device) in devices() {
        for architecture in ARCHITECTURES {
            let mut config = GeneratorConfig::new(16)
                .with_z_dim(6)
                .with_c_dim(3)
                .with_w_dim(5)
                .with_img_channels(1)
                .with_mapping_layers(1)
                .with_channel_base(64)
                .with_channel_max(8);
            config.mapping_kwargs.embed_features = Some(4);
            config.synthesis_kwargs.architecture = architecture;
            let generator = filled(&config, &device);
            let (z, c) = (random("z", [2, 6], &device), random("c", [2, 3], &device));
            let w = generator.mapping.w(z.clone(), Some(c.clone()));
            let w_plus = generator.synthesis.broadcast(w);
            let image = values(
                generator
                    .synthesis
                    .forward(w_plus.clone(), &NoiseMode::Constant),
            );
            let whole = generator.forward(z, Some(c), Truncation::NONE, &NoiseMode::Constant);
            assert_eq!(whole.dims(), [2, 1, 16, 16]);
            assert_eq!(values(whole), image);

            let blocks = generator
                .synthesis
                .forward_blocks(w_plus, &NoiseMode::Constant);
            let sides: Vec<usize> = blocks.iter().map(|b| b.resolution).collect();
            assert_eq!(sides, [4, 8, 16]);
            for block in &blocks {
                let side = block.resolution;
                let channels = config.channels(side);
                assert_eq!(block.features.dims(), [2, channels, side, side]);
                let colors = architecture == Architecture::Skip || side == 16;
                assert_eq!(
                    block.rgb.as_ref().map(Tensor::dims),
                    colors.then_some([2, 1, side, side])
                );
            }
            let last = blocks.into_iter().last().unwrap().rgb.unwrap();
            assert_eq!(values(last), image);
        }
    }
}

#[test]
fn each_image_of_a_batch_is_made_as_if_alone() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        let w_plus = random::<3>("w_plus", [2, 4, 5], &device);
        let both = values(synthesis.forward(w_plus.clone(), &NoiseMode::Constant));
        for sample in 0..2 {
            let alone = values(synthesis.forward(
                w_plus.clone().slice([sample..sample + 1, 0..4, 0..5]),
                &NoiseMode::Constant,
            ));
            let size = alone.len();
            assert_close("alone", &alone, &both[sample * size..][..size], ROUNDING);
        }
    }
}

#[test]
fn late_styles_leave_early_features_alone() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        let base = random::<3>("w_plus", [1, 4, 5], &device);
        let style = random::<3>("style", [1, 4, 5], &device);
        let mixed = mix_styles(base.clone(), style.clone(), 2..4);
        let features = |w_plus| -> Vec<Vec<f32>> {
            synthesis
                .forward_blocks(w_plus, &NoiseMode::None)
                .into_iter()
                .map(|block| values(block.features))
                .collect()
        };
        let (a, b) = (features(base.clone()), features(mixed));
        assert_eq!(a[0], b[0]);
        assert!(testkit::relative_l2(&a[1], &b[1]) > 0.01);
        assert_eq!(values(mix_styles(base.clone(), style, 1..1)), values(base));
    }
}

#[test]
fn a_clamped_network_keeps_its_bounds() {
    for (_, device) in devices() {
        let config = tiny(
            r#", "c_dim": 0, "synthesis_kwargs": {"channel_base": 64, "channel_max": 8, "architecture": "orig", "conv_clamp": 0.25}"#,
        );
        let synthesis = filled(&config, &device).synthesis;
        let blocks = synthesis.forward_blocks(random("w", [1, 4, 5], &device), &NoiseMode::None);
        for block in blocks {
            let rgb = block.rgb.map(values).unwrap_or_default();
            for value in values(block.features).into_iter().chain(rgb) {
                assert!(value.abs() <= 0.25);
            }
        }
    }
}

#[test]
fn a_new_generator_has_the_official_distribution() {
    for (_, device) in devices() {
        let config = GeneratorConfig::from_json(
            r#"{"z_dim": 64, "c_dim": 4, "w_dim": 64, "img_resolution": 16, "img_channels": 3,
                "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 512, "channel_max": 64}}"#,
        )
        .unwrap();
        let generator = Generator::init(&config, 1, &device).unwrap();
        for (name, tensor) in generator.tensors() {
            let values = tensor.to_f32();
            let count = values.len() as f32;
            let mean = values.iter().sum::<f32>() / count;
            let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
            let (expected_mean, expected_std) = match name.rsplit('.').next().unwrap() {
                "bias" if name.contains("affine") => (1.0, 0.0),
                "bias" | "w_avg" | "noise_strength" => (0.0, 0.0),
                // Mapping weights are stored divided by the learning-rate multiplier of 0.01.
                "weight" if name.starts_with("mapping.fc") => (0.0, 100.0),
                "weight" | "const" | "noise_const" => (0.0, 1.0),
                "resample_filter" => continue,
                other => panic!("unknown tensor {other}"),
            };
            // Five standard errors; the standard deviation's is 1 / sqrt(2 n).
            let error = 5.0 * expected_std / count.sqrt();
            assert!((mean - expected_mean).abs() <= error, "{name}: mean {mean}");
            assert!((std - expected_std).abs() <= error, "{name}: std {std}");
        }
        let again = Generator::init(&config, 1, &device).unwrap().tensors();
        assert!(
            generator.tensors() == again,
            "equal seeds give equal weights"
        );
    }
}

#[test]
fn latents_and_features_of_a_new_generator_have_unit_scale() {
    // The gains of equalized learning rates keep the scale of random layers.
    for (_, device) in devices() {
        let config = GeneratorConfig::from_json(
            r#"{"z_dim": 64, "c_dim": 0, "w_dim": 64, "img_resolution": 16, "img_channels": 3,
                "synthesis_kwargs": {"channel_base": 512, "channel_max": 64}}"#,
        )
        .unwrap();
        let generator = Generator::init(&config, 3, &device).unwrap();
        let z = latents_from_seeds(&[0, 1, 2, 3], 64, &device);
        let w = values(generator.mapping.w(z.clone(), None));
        let mean_square = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>() / v.len() as f32;
        // Within a factor of two of 1: eight random layers of 64 features fluctuate by tens of percent.
        assert!((0.5..2.0).contains(&mean_square(&w)), "{}", mean_square(&w));
        let w_plus = generator.mapping.forward(z, None, Truncation::NONE);
        for block in generator.synthesis.forward_blocks(w_plus, &NoiseMode::None) {
            let square = mean_square(&values(block.features));
            // The low-pass filters take energy away from features that are still white, but nothing adds any.
            let least = if block.resolution == 4 { 0.5 } else { 0.1 };
            assert!(
                (least..2.0).contains(&square),
                "{}: {square}",
                block.resolution
            );
        }
    }
}

#[test]
fn discriminators_of_every_architecture_read_the_whole_image() {
    for (_, device) in devices() {
        for architecture in ARCHITECTURES {
            let mut config = DiscriminatorConfig::new(16)
                .with_channel_base(64)
                .with_channel_max(8);
            config.architecture = architecture;
            config.epilogue_kwargs.mbstd_num_channels = 0;
            let discriminator = Discriminator::init(&config, 5, &device).unwrap();
            let images = random::<4>("images", [3, 3, 16, 16], &device);
            let logits = values(discriminator.forward(images.clone(), None));
            assert_eq!(logits.len(), 3);
            // Without the minibatch's statistics each image has its own logit.
            let alone = discriminator.forward(images.clone().slice(s![1..2]), None);
            assert_close("alone", &values(alone), &logits[1..2], 1e-5);
            let corner = images.slice_fill([0..3, 0..3, 0..1, 0..1], 3.0);
            let moved = values(discriminator.forward(corner, None));
            assert!(testkit::relative_l2(&moved, &logits) > 1e-4);
        }
    }
}

#[test]
fn frozen_layers_are_counted_from_the_image() {
    let config = DiscriminatorConfig::from_json(
        r#"{"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 64, "channel_max": 8,
            "block_kwargs": {"freeze_layers": 5}}"#,
    )
    .unwrap();
    for (_, device) in devices().into_iter().take(1) {
        let device = device.autodiff();
        let discriminator = Discriminator::init(&config, 5, &device).unwrap();
        let mut trained = Trained::default();
        discriminator.visit(&mut trained);
        let frozen: Vec<String> = trained
            .frozen
            .iter()
            .map(|path| discriminator.official_name(path))
            .collect();
        // fromrgb, conv0, conv1 and skip of the first block and conv0 of the second; skip has no bias.
        let expected = [
            "b16.fromrgb.weight",
            "b16.fromrgb.bias",
            "b16.conv0.weight",
            "b16.conv0.bias",
            "b16.conv1.weight",
            "b16.conv1.bias",
            "b16.skip.weight",
            "b8.conv0.weight",
            "b8.conv0.bias",
        ];
        assert_eq!(frozen, expected);
    }
}

#[test]
fn buffers_of_the_generator_are_not_trained() {
    for (_, device) in devices().into_iter().take(1) {
        let device = device.autodiff();
        let generator = Generator::init(&tiny(SMALL_CHANNELS), 5, &device).unwrap();
        let mut trained = Trained::default();
        generator.visit(&mut trained);
        let frozen: Vec<String> = trained
            .frozen
            .iter()
            .map(|path| generator.official_name(path))
            .collect();
        let expected = [
            "mapping.w_avg",
            "synthesis.b4.conv1.noise_const",
            "synthesis.b8.conv0.noise_const",
            "synthesis.b8.conv1.noise_const",
        ];
        assert_eq!(frozen, expected);
    }
}

/// Paths of the parameters without gradients.
#[derive(Default)]
struct Trained {
    path: Vec<String>,
    frozen: Vec<String>,
}

impl burn::module::ModuleVisitor for Trained {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.val().is_require_grad() {
            self.frozen.push(self.path.join("."));
        }
    }
}

#[test]
#[should_panic(expected = "expects w_plus of shape [batch, 4, 5], found [1, 3, 5]")]
fn a_wrong_number_of_latents_is_a_programming_error() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        synthesis.forward(Tensor::zeros([1, 3, 5], &device), &NoiseMode::None);
    }
}

#[test]
#[should_panic(expected = "expects labels of shape [batch, 3], found none")]
fn a_conditional_network_without_labels_is_a_programming_error() {
    for (_, device) in devices() {
        let config = tiny(
            r#", "c_dim": 3, "mapping_kwargs": {"num_layers": 1}, "synthesis_kwargs": {"channel_base": 64}"#,
        );
        let generator = filled(&config, &device);
        generator.mapping.w(Tensor::zeros([1, 6], &device), None);
    }
}

#[test]
#[should_panic(expected = "noise image 1 expects shape [1 or 1, 1, 8, 8], found [1, 1, 4, 4]")]
fn given_noise_of_another_size_is_a_programming_error() {
    for (_, device) in devices() {
        let synthesis = filled(&tiny(SMALL_CHANNELS), &device).synthesis;
        let small = || Tensor::zeros([1, 1, 4, 4], &device);
        let noise = NoiseMode::Given(vec![small(), small(), small()]);
        synthesis.forward(Tensor::zeros([1, 4, 5], &device), &noise);
    }
}

#[test]
fn no_filter_is_a_filter_of_one_tap_between_zeros() {
    for (backend, device) in devices() {
        for architecture in ARCHITECTURES {
            let what = format!("{backend} {architecture:?}");
            let generator = |filter: &str| {
                let mut config = GeneratorConfig::new(8)
                    .with_z_dim(6)
                    .with_w_dim(5)
                    .with_mapping_layers(1)
                    .with_channel_base(64);
                config.synthesis_kwargs.architecture = architecture;
                config.synthesis_kwargs.resample_filter = serde_json::from_str(filter).unwrap();
                let generator = filled(&config, &device);
                let w_plus = random("w_plus", [2, config.num_ws(), 5], &device);
                values(generator.synthesis.forward(w_plus, &NoiseMode::Constant))
            };
            let discriminator = |filter: &str| {
                let mut config = DiscriminatorConfig::new(16).with_channel_base(64);
                config.architecture = architecture;
                config.block_kwargs.resample_filter = serde_json::from_str(filter).unwrap();
                let discriminator = Discriminator::init(&config, 0, &device).unwrap();
                values(discriminator.forward(random("image", [4, 3, 16, 16], &device), None))
            };
            for (found, expected) in [
                (generator("null"), generator("[0, 1, 0]")),
                (discriminator("null"), discriminator("[0, 1, 0]")),
            ] {
                assert_close(&what, &found, &expected, ROUNDING);
            }
        }
    }
}

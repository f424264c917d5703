use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::{Checkpoint, StoredTensor};
use testkit::{Golden, assert_close, devices};
use vision_aided_finetune::vision_aided::{
    HeadConfig, HeadForm, LevelShape, LinearProbe, VisionAidedConfig, VisionAidedDiscriminator,
    VisionAidedHead, VisionAidedLoss, VisionBackbone, VisionBackboneKind, VisionFeature,
    VisionLevels,
};
use vision_aided_finetune::{AdamOptions, StepReport, Trainer};

use crate::small_run::{config, images, trainer};
use crate::values;

/// f32 sums of up to 6912 products.
const TOLERANCE: f64 = 1e-5;
/// The same through a backward pass.
const GRADIENT_TOLERANCE: f64 = 1e-4;
/// Standard deviation of biases in the reference's seeded heads.
const BIAS_STD: f64 = 0.2;

struct Case {
    name: &'static str,
    head: HeadConfig,
    shapes: Vec<LevelShape>,
}

fn cases() -> Vec<Case> {
    let map = |channels, side| LevelShape::Map { channels, side };
    let vector = |features| LevelShape::Vector { features };
    let clip = vec![map(768, 7), map(768, 7), vector(512)];
    let dino = vec![map(768, 14), map(768, 14), vector(768)];
    vec![
        Case {
            name: "clip_multi_level",
            head: HeadConfig::multi_level(&clip),
            shapes: clip,
        },
        Case {
            name: "dino_multi_level",
            head: HeadConfig::multi_level(&dino),
            shapes: dino,
        },
        Case {
            name: "vgg_simple",
            head: HeadConfig::simple(512, 7),
            shapes: vec![map(512, 7)],
        },
        Case {
            name: "mlp",
            head: HeadConfig::mlp(512),
            shapes: vec![vector(512)],
        },
    ]
}

/// Weights as the reference fills them: by name.
fn seeded_head(case: &Case, device: &Device) -> VisionAidedHead {
    let shapes = VisionAidedHead::init(&case.head, 0, device).tensors();
    let tensors = shapes
        .into_iter()
        .map(|(name, tensor)| {
            let std = if name.ends_with("bias") {
                BIAS_STD
            } else {
                1.0
            };
            let count = tensor.shape().iter().product();
            let filled = testkit::seeded(&format!("{}/{name}", case.name), count, std);
            let shape = tensor.shape().to_vec();
            (name, StoredTensor::from_f32(shape, &filled))
        })
        .collect();
    let checkpoint = Checkpoint::from_tensors("seeded", tensors, BTreeMap::new());
    VisionAidedHead::load(&case.head, &checkpoint, device).unwrap()
}

fn batch_of(golden: &Golden, case: &Case) -> usize {
    golden.shape(&format!("{}/logits0", case.name))[0]
}

enum Input {
    Map(Tensor<4>),
    Vector(Tensor<2>),
}

fn inputs(case: &Case, batch: usize, device: &Device) -> Vec<Input> {
    let shapes = case.shapes.iter().enumerate();
    shapes
        .map(|(level, shape)| {
            let name = format!("{}/feature{level}", case.name);
            match *shape {
                LevelShape::Map { channels, side } => Input::Map(
                    crate::seeded(&name, [batch, channels, side, side], device).require_grad(),
                ),
                LevelShape::Vector { features } => {
                    Input::Vector(crate::seeded(&name, [batch, features], device).require_grad())
                }
            }
        })
        .collect()
}

fn features(inputs: &[Input]) -> Vec<VisionFeature> {
    inputs
        .iter()
        .map(|input| match input {
            Input::Map(x) => VisionFeature::Map(x.clone()),
            Input::Vector(x) => VisionFeature::Vector(x.clone()),
        })
        .collect()
}

#[test]
fn heads_and_losses_give_the_authors_numbers() {
    let golden = Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "vision_aided/vision_aided.expected.safetensors",
    );
    for (device_name, device) in devices() {
        let device = device.autodiff();
        for case in cases() {
            let head = seeded_head(&case, &device);
            let inputs = inputs(&case, batch_of(&golden, &case), &device);
            let logits = head.forward(features(&inputs));
            for (level, found) in logits.iter().enumerate() {
                let key = format!("{}/logits{level}", case.name);
                let what = format!("{key} on {device_name}");
                assert_close(
                    &what,
                    &values(found.clone()),
                    &golden.values(&key),
                    TOLERANCE,
                );
            }
            for (loss_name, loss) in [
                ("multilevel_sigmoid", VisionAidedLoss::MultilevelSigmoid),
                (
                    "multilevel_sigmoid_s",
                    VisionAidedLoss::MultilevelSigmoidSmoothed,
                ),
            ] {
                for (which, found) in [
                    ("real", loss.real(&logits)),
                    ("fake", loss.fake(&logits)),
                    ("generator", loss.generator(&logits)),
                ] {
                    let key = format!("{}/{loss_name}/{which}", case.name);
                    let what = format!("{key} on {device_name}");
                    assert_close(&what, &values(found), &golden.values(&key), TOLERANCE);
                }
            }
            let loss = VisionAidedLoss::MultilevelSigmoid.generator(&logits).sum();
            let gradients = loss.backward();
            for (level, input) in inputs.iter().enumerate() {
                let gradient = match input {
                    Input::Map(x) => values(x.grad(&gradients).unwrap()),
                    Input::Vector(x) => values(x.grad(&gradients).unwrap()),
                };
                let key = format!("{}/grad_generator/feature{level}", case.name);
                let what = format!("{key} on {device_name}");
                let first = golden.values(&format!("{key}_first"));
                assert_close(&what, &gradient[..first.len()], &first, GRADIENT_TOLERANCE);
                let mean = gradient.iter().map(|g| g.abs() as f64).sum::<f64>();
                let mean = (mean / gradient.len() as f64) as f32;
                let expected = golden.values(&format!("{key}_mean_abs"));
                assert_close(&what, &[mean], &expected, GRADIENT_TOLERANCE);
            }
        }
    }
}

/// The ImageNet network of the repository, on inputs that are small enough for a test.
fn efficientnet(side: usize, device: &Device) -> VisionBackbone {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../weights/features/efficientnet_lite0.safetensors");
    let checkpoint = Checkpoint::open(file).unwrap();
    VisionBackbone::load(VisionBackboneKind::EfficientNetLite0, &checkpoint, device)
        .unwrap()
        .with_input_side(side)
        .unwrap()
}

#[test]
fn features_have_the_shapes_that_are_announced() {
    for (_, device) in devices() {
        // A transformer's forward pass with weights of zero is as good as any to know shapes, but takes seconds; the
        // two convolutional networks, whose shapes depend on the input, stand for all.
        for kind in [
            VisionBackboneKind::EfficientNetLite0,
            VisionBackboneKind::Vgg16,
        ] {
            let levels = [VisionLevels::Published, VisionLevels::Fine];
            for (side, levels) in [64, 96].into_iter().flat_map(|s| levels.map(|l| (s, l))) {
                let backbone = VisionBackbone::init(kind, &device)
                    .with_input_side(side)
                    .unwrap()
                    .with_levels(levels)
                    .unwrap();
                let features = backbone.forward(Tensor::zeros([2, 3, 20, 20], &device));
                let found: Vec<LevelShape> = features
                    .iter()
                    .map(|feature| match feature {
                        VisionFeature::Map(x) => {
                            let [batch, channels, height, width] = x.dims();
                            assert_eq!((batch, height), (2, width));
                            LevelShape::Map {
                                channels,
                                side: height,
                            }
                        }
                        VisionFeature::Vector(x) => LevelShape::Vector {
                            features: x.dims()[1],
                        },
                    })
                    .collect();
                assert_eq!(found, backbone.shapes(), "{kind} at {side}, {levels}");
                let finest = found.iter().map(|level| level.side()).max().unwrap();
                match levels {
                    VisionLevels::Fine => assert_eq!(finest, side / 2, "{kind}"),
                    _ => assert!(finest <= side / 4, "{kind}"),
                }
                let logits = VisionAidedHead::init(&backbone.head(), 0, &device).forward(features);
                assert_eq!(logits.len(), backbone.shapes().len());
            }
        }
    }
}

#[test]
fn input_sides_that_a_network_cannot_take_are_refused() {
    let device = devices().remove(0).1;
    for (kind, side) in [
        (VisionBackboneKind::EfficientNetLite0, 0),
        (VisionBackboneKind::EfficientNetLite0, 100),
        (VisionBackboneKind::Vgg16, 32),
        (VisionBackboneKind::ClipVitB32, 64),
    ] {
        let error = VisionBackbone::init(kind, &device)
            .with_input_side(side)
            .unwrap_err();
        assert!(error.to_string().contains(&side.to_string()), "{error}");
    }
}

#[test]
fn a_transformer_has_no_fine_levels() {
    let device = devices().remove(0).1;
    let error = VisionBackbone::init(VisionBackboneKind::ClipVitB32, &device)
        .with_levels(VisionLevels::Fine)
        .unwrap_err();
    assert!(error.to_string().contains("clip_vit_b32"), "{error}");
}

/// Four levels: the mean is a quarter of the sum, for the generator and, at equal logits, for the heads.
#[test]
fn levels_without_a_published_head_are_averaged_where_that_is_asked_for() {
    let device = devices().remove(0).1;
    let discriminator = |backbone: VisionBackbone| {
        let options = AdamOptions::default();
        VisionAidedDiscriminator::new(backbone, HeadForm::default(), options, 3, &device)
    };
    let images = || crate::seeded("levels/images", [2, 3, 16, 16], &device);
    let averaged = VisionAidedConfig {
        average_levels: true,
        ..VisionAidedConfig::default()
    };
    let loss = |backbone, config: &VisionAidedConfig| {
        let loss = discriminator(backbone).generator_loss(images(), config);
        loss.into_scalar::<f32>()
    };
    let network = efficientnet(32, &device);
    let sum = loss(network.clone(), &VisionAidedConfig::default());
    // A division by four is exact.
    assert_eq!(loss(network, &averaged), sum / 4.0);
    let published = VisionBackbone::init(VisionBackboneKind::Vgg16, &device)
        .with_input_side(64)
        .unwrap();
    let sum = loss(published.clone(), &VisionAidedConfig::default());
    assert_eq!(loss(published, &averaged), sum);
}

/// Adam takes steps of the learning rate whatever the size of the gradient, so that a generator's first step shows the
/// gradient's direction alone.
#[test]
fn the_balance_decides_between_the_image_discriminator_and_the_frozen_networks() {
    let device = devices().remove(0).1;
    let after = |balance: Option<f64>, with_network: bool| {
        let mut config = config();
        config.vision_aided.balance = balance;
        let mut run = trainer(config, &device).unwrap();
        if with_network {
            run.add_vision_aided(efficientnet(32, &device));
        }
        let reports: Vec<StepReport> = (0..2).map(|_| run.step().unwrap()).collect();
        (reports, run.generator_average().tensors())
    };
    let apart = |a: &BTreeMap<String, StoredTensor>, b: &BTreeMap<String, StoredTensor>| {
        let differences = a.iter().flat_map(|(name, tensor)| {
            let pairs = tensor.to_f32().into_iter().zip(b[name].to_f32());
            pairs.map(|(a, b)| (a - b).powi(2)).collect::<Vec<f32>>()
        });
        differences.sum::<f32>().sqrt()
    };
    let (published, free) = after(None, true);
    let (_, plain) = after(None, false);
    let (loose, unbound) = after(Some(1e6), true);
    let (tight, bound) = after(Some(1e-5), true);
    let (even, halfway) = after(Some(1.0), true);
    assert_eq!(published[0].vision_aided_factor, None);
    assert_eq!(loose[0].vision_aided_factor, Some(1.0));
    let scale = apart(&free, &plain);
    // The same gradient in another order of summation; Adam's root may double what is small.
    assert!(apart(&unbound, &free) < 0.02 * scale);
    assert!(apart(&bound, &plain) < 0.02 * scale);
    // What the tight bound leaves is a multiple of the bound: the ratio of both norms, the same in either run's first
    // step.
    let ratio = 1e-5 / f64::from(tight[0].vision_aided_factor.unwrap());
    let factor = f64::from(even[0].vision_aided_factor.unwrap());
    assert!((factor - (1.0 / ratio).min(1.0)).abs() < 1e-4 * factor);
    assert!(apart(&halfway, &plain) > 0.02 * scale);
    // Losses are measured as without a balance.
    assert_eq!(published[0].generator_loss, even[0].generator_loss);
    assert_eq!(
        published[0].vision_aided_generator_loss,
        even[0].vision_aided_generator_loss
    );
}

/// The gradient reaches the image through the frozen network: along itself the loss rises by its length.
#[test]
fn the_generators_gradient_flows_through_the_frozen_network() {
    /// Length of a step: activations of ReLU6 that cross a corner within it are what a difference sees and the gradient
    /// does not.
    const STEP: f32 = 3e-3;
    for (device_name, device) in devices() {
        let backbone = efficientnet(32, &device);
        let head = VisionAidedHead::init(&backbone.head(), 3, &device);
        let shape = [2, 3, 16, 16];
        let x = testkit::seeded("image", shape.iter().product(), 0.3);
        let loss = |x: Tensor<4>| {
            let logits = head.forward(backbone.forward(x));
            VisionAidedLoss::MultilevelSigmoidSmoothed
                .generator(&logits)
                .mean()
        };
        let image = Tensor::<4>::from_data(
            TensorData::new(x.clone(), shape),
            &device.clone().autodiff(),
        )
        .require_grad();
        let gradient = values(image.grad(&loss(image.clone()).backward()).unwrap());
        let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let at = |t: f32| {
            let moved: Vec<f32> = x
                .iter()
                .zip(&gradient)
                .map(|(x, g)| x + t * g / length)
                .collect();
            let image = Tensor::from_data(TensorData::new(moved, shape), &device);
            loss(image).into_scalar::<f32>()
        };
        let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        assert!(
            (slope - length).abs() < 0.03 * length,
            "{device_name}: the gradient has length {length}, the loss rises by {slope}"
        );
    }
}

#[test]
fn a_run_with_heads_resumes_bit_for_bit_and_only_on_its_networks() {
    for form in [HeadForm::EqualizedLearningRate, HeadForm::SpectralNorm] {
        resume_with_heads(form);
    }
}

fn resume_with_heads(form: HeadForm) {
    let device = devices().remove(0).1;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let mut config = config();
    config.vision_aided.augment = "color,translation,cutout".parse().unwrap();
    config.vision_aided.head_form = form;
    config.vision_aided.average_levels = true;
    config.vision_aided.balance = Some(0.5);
    let backbone = efficientnet(32, &device);
    let backbone = backbone.with_levels(VisionLevels::Fine).unwrap();
    let mut straight = trainer(config, &device).unwrap();
    let before = straight.step().unwrap();
    assert_eq!(before.vision_aided_generator_loss, None);
    straight.add_vision_aided(backbone.clone());
    let first = straight.step().unwrap();
    assert!(first.vision_aided_generator_loss.unwrap() > 0.0);
    straight.save(&file).unwrap();
    let networks = Trainer::vision_networks(&file).unwrap();
    let [network] = networks[..] else {
        panic!("one network, found {networks:?}");
    };
    assert_eq!(network.kind, VisionBackboneKind::EfficientNetLite0);
    assert_eq!(network.input_side, 32);
    assert_eq!(network.levels, VisionLevels::Fine);
    let mut resumed =
        Trainer::resume(&file, images(10), std::slice::from_ref(&backbone), &device).unwrap();
    for _ in 0..3 {
        assert_eq!(resumed.step().unwrap(), straight.step().unwrap());
    }
    let [found, expected] = [&resumed, &straight].map(|run| run.vision_aided()[0].head());
    assert_eq!(found.form(), form);
    assert_eq!(found.tensors(), expected.tensors());
    let mut changed = straight.config().clone();
    changed.vision_aided.head_form = match form {
        HeadForm::SpectralNorm => HeadForm::EqualizedLearningRate,
        _ => HeadForm::SpectralNorm,
    };
    let error = straight.set_config(changed).unwrap_err();
    assert!(error.to_string().contains("head_form"), "{error}");
    for wrong in [
        vec![],
        vec![backbone.clone().with_input_side(64).unwrap()],
        vec![backbone.with_levels(VisionLevels::Published).unwrap()],
    ] {
        let error = Trainer::resume(&file, images(10), &wrong, &device).unwrap_err();
        let expected = "expected efficientnet_lite0 at 32 pixels, fine levels";
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// Maps of logits as large as the authors' package has them: CLIP's 7x7 and DINO's 14x14 end as 3x3, VGG16's in one
/// logit.
#[test]
fn heads_with_spectral_norms_have_the_packages_shapes_and_names() {
    for (_, device) in devices() {
        let device = device.autodiff();
        for (case, sides) in cases().iter().zip([&[3, 3, 1][..], &[3, 3, 1], &[1], &[1]]) {
            let config = case.head.clone().with_form(HeadForm::SpectralNorm);
            let head = VisionAidedHead::init(&config, 1, &device);
            let logits = head.forward(features(&inputs(case, 2, &device)));
            let found: Vec<usize> = logits.iter().map(|level| level.dims()[1]).collect();
            assert_eq!(found, sides, "{}", case.name);
            let tensors = head.tensors();
            let vectors = tensors.keys().filter(|name| name.ends_with(".u")).count();
            let weights = tensors
                .keys()
                .filter(|name| name.ends_with(".weight"))
                .count();
            assert_eq!(vectors, weights, "a vector for every weight");
            let equalized = VisionAidedHead::init(&case.head, 1, &device).tensors();
            for (name, tensor) in equalized {
                assert_eq!(tensors[&name].shape(), tensor.shape(), "{name}");
            }
            // What was written is read again, with the power iteration where it was.
            let json = serde_json::to_string(&config).unwrap();
            let config: HeadConfig = serde_json::from_str(&json).unwrap();
            let file = Checkpoint::from_tensors("head", tensors.clone(), BTreeMap::new());
            let again = VisionAidedHead::load(&config, &file, &device).unwrap();
            assert_eq!(again.tensors(), tensors);
        }
    }
}

/// No layer has a norm above 1 and no leaky ReLU a slope above 1, so logits change by at most as much as features do.
#[test]
fn a_head_with_spectral_norms_is_lipschitz() {
    let device = devices().remove(0).1;
    let config = HeadConfig::mlp(512).with_form(HeadForm::SpectralNorm);
    let mut head = VisionAidedHead::init(&config, 5, &device);
    for _ in 0..100 {
        head = head.iterate_spectral_norms();
    }
    let x: Tensor<2> = crate::seeded("lipschitz/features", [40, 512], &device);
    let logits = head
        .forward(vec![VisionFeature::Vector(x.clone())])
        .remove(0);
    let (x, logits) = (values(x), values(logits));
    for pair in 0..20 {
        let row = |i: usize| &x[i * 512..][..512];
        let (a, b) = (2 * pair, 2 * pair + 1);
        let distance = row(a)
            .iter()
            .zip(row(b))
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f32>();
        // Power iteration ends a little below the norm where singular values are close.
        let bound = 1.01 * distance.sqrt();
        assert!((logits[a] - logits[b]).abs() <= bound, "pair {pair}");
    }
}

/// Checkpoints of before there were forms hold a list of levels.
#[test]
fn a_head_configuration_without_a_form_has_equalized_learning_rates() {
    let config = HeadConfig::mlp(4);
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.starts_with('['), "{json}");
    assert_eq!(serde_json::from_str::<HeadConfig>(&json).unwrap(), config);
}

#[test]
fn a_form_with_the_spelling_of_earlier_versions_is_read() {
    let form: HeadForm = serde_json::from_str("\"equalised_learning_rate\"").unwrap();
    assert_eq!(form, HeadForm::EqualizedLearningRate);
    let written = serde_json::to_string(&form).unwrap();
    assert_eq!(written, "\"equalized_learning_rate\"");
}

/// A network of zeros gives every image the same features, so that nothing can be told by them.
#[test]
fn a_network_that_sees_something_ranks_before_one_that_does_not() {
    let device = devices().remove(0).1;
    let blind = VisionBackbone::init(VisionBackboneKind::Vgg16, &device)
        .with_input_side(64)
        .unwrap();
    let networks = [blind, efficientnet(32, &device)];
    let generator = crate::small_run::generator(1, &device);
    let ranked = LinearProbe::default()
        .rank(&networks, &images(10), &generator, &device)
        .unwrap();
    let kinds: Vec<VisionBackboneKind> = ranked.iter().map(|ranked| ranked.kind).collect();
    assert_eq!(
        kinds,
        [
            VisionBackboneKind::EfficientNetLite0,
            VisionBackboneKind::Vgg16
        ]
    );
    // Squares on a ground against the noise of random weights.
    assert!(ranked[0].score.accuracy > 0.8, "{ranked:?}");
    assert_eq!(ranked[1].score.accuracy, 0.5);
    assert!((ranked[1].score.cross_entropy - std::f64::consts::LN_2).abs() < 1e-6);
}

/// A head alone learns to tell the training images from the generator's, which stay as they are.
#[test]
fn heads_learn() {
    let device = devices().remove(0).1;
    let mut config = config();
    config.generator_adam.learning_rate = 1e-9;
    config.vision_aided.augment = Default::default();
    let mut trainer = trainer(config, &device).unwrap();
    trainer.add_vision_aided(efficientnet(32, &device));
    let loss = |trainer: &mut Trainer| {
        let report = trainer.step().unwrap();
        report.vision_aided_discriminator_loss.unwrap()
    };
    let first = loss(&mut trainer);
    let last = (0..20).map(|_| loss(&mut trainer)).last().unwrap();
    assert!(last < 0.8 * first, "{first} at first, {last} at last");
    // The frozen network is no part of what is trained.
    let trained = trainer.vision_aided()[0].head().num_params();
    assert!(trained < 1_000_000, "{trained} parameters");
}

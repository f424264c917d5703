//! Options of an inversion.

use clap::{Args, ValueEnum};
use inversion::{
    EarlyStopping, InversionConfig, LatentSpace, Noise, NoiseOptimisation, NoiseStart,
    Perturbation, Schedule, Start,
};
use lpips::Network;

use crate::Failure;
use ganymede::device::DeviceChoice;

/// How images are inverted.
#[derive(Args, Debug)]
pub struct InversionArgs {
    /// Latents to optimise: one w for all layers, or one for each
    #[arg(long, value_enum, default_value_t = Space::WPlus)]
    pub space: Space,
    /// Optimisation steps
    #[arg(long, default_value_t = 300)]
    pub steps: usize,
    /// Network of the LPIPS distance
    #[arg(long, value_enum, default_value_t = LpipsNetwork::Alex)]
    pub lpips: LpipsNetwork,
    /// Images optimised together; results depend on it by rounding only
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// Adam's learning rate
    #[arg(long, default_value_t = InversionConfig::default().learning_rate)]
    pub learning_rate: f64,
    /// Course of the learning rate
    #[arg(long, value_enum, default_value_t = ScheduleChoice::Constant)]
    pub schedule: ScheduleChoice,
    /// Weight of the LPIPS distance
    #[arg(long, default_value_t = InversionConfig::default().lambda_lpips)]
    pub lambda_lpips: f32,
    /// Weight of the mean squared pixel error
    #[arg(long, default_value_t = InversionConfig::default().lambda_mse)]
    pub lambda_mse: f32,
    /// Weight of the pull towards the mean latent
    #[arg(long, default_value_t = InversionConfig::default().lambda_w_avg)]
    pub lambda_w_avg: f32,
    /// Start at the best of this many random latents and the mean latent; 0 starts at the mean latent
    #[arg(long, default_value_t = 0)]
    pub start_samples: usize,
    /// Truncation of the random latents to start from
    #[arg(long, default_value_t = 0.7)]
    pub start_psi: f32,
    /// Noise images of the model
    #[arg(long, value_enum, default_value_t = NoiseChoice::Constant)]
    pub noise: NoiseChoice,
    /// Weight that keeps optimised noise images white
    #[arg(long, default_value_t = NoiseOptimisation::OFFICIAL_REGULARISATION)]
    pub noise_regularisation: f32,
    /// Perturb the latents randomly at first, as the official projector does
    #[arg(long)]
    pub perturb: bool,
    /// End an image's optimisation after this many steps without improvement
    #[arg(long, value_name = "STEPS")]
    pub patience: Option<usize>,
    /// Fraction by which the loss must fall to count as an improvement
    #[arg(long, default_value_t = 0.001)]
    pub min_improvement: f64,
}

/// The latents that are optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Space {
    /// One for all layers
    W,
    /// One for each layer
    #[value(name = "w_plus", alias = "w-plus")]
    WPlus,
}

impl Space {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::W => "w",
            Self::WPlus => "w_plus",
        }
    }
}

/// Networks that LPIPS has weights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LpipsNetwork {
    /// AlexNet
    Alex,
    /// VGG16
    Vgg,
}

impl LpipsNetwork {
    /// The library's name for it.
    pub fn network(self) -> Network {
        match self {
            Self::Alex => Network::AlexNet,
            Self::Vgg => Network::Vgg16,
        }
    }
}

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleChoice {
    /// The same at every step
    Constant,
    /// Up over the first twentieth, down over the last quarter
    Ramp,
}

/// Which noise images an inversion has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoiseChoice {
    /// The model's own
    Constant,
    /// No noise
    None,
    /// Optimised with the latents, from random images
    Optimised,
}

impl InversionArgs {
    /// That LPIPS with the chosen network takes a model's images.
    pub fn check_side(&self, model: &str, side: u32) -> Result<(), Failure> {
        let network = self.lpips.network();
        let (side, least) = (side as usize, network.min_size());
        if side >= least {
            return Ok(());
        }
        let vgg = Network::Vgg16.min_size();
        let what_to_do = if side >= vgg {
            "use --lpips vgg".to_owned()
        } else {
            format!("none of its networks takes less than {vgg}x{vgg}")
        };
        Err(format!(
            "--lpips {network}: it takes images from {least}x{least} pixels on and {model} makes {side}x{side}; {what_to_do}"
        )
        .into())
    }

    /// The library's settings.
    pub fn config(&self, seed: u32, device: DeviceChoice) -> InversionConfig {
        InversionConfig {
            space: match self.space {
                Space::W => LatentSpace::W,
                Space::WPlus => LatentSpace::WPlus,
            },
            steps: self.steps,
            learning_rate: self.learning_rate,
            schedule: match self.schedule {
                ScheduleChoice::Constant => Schedule::Constant,
                ScheduleChoice::Ramp => Schedule::OFFICIAL_RAMP,
            },
            lambda_lpips: self.lambda_lpips,
            lambda_mse: self.lambda_mse,
            lambda_w_avg: self.lambda_w_avg,
            start: match self.start_samples {
                0 => Start::WAvg,
                samples => Start::BestOf {
                    samples,
                    truncation_psi: self.start_psi,
                    seed,
                },
            },
            noise: match self.noise {
                NoiseChoice::Constant => Noise::Constant,
                NoiseChoice::None => Noise::None,
                NoiseChoice::Optimised => Noise::Optimised(NoiseOptimisation {
                    start: NoiseStart::Random { seed },
                    regularisation: self.noise_regularisation,
                }),
            },
            perturbation: self.perturb.then(|| Perturbation {
                seed,
                ..Perturbation::default()
            }),
            early_stopping: self.patience.map(|patience| EarlyStopping {
                patience,
                min_improvement: self.min_improvement,
            }),
            report_every: device.steps_between_reads(),
        }
    }
}

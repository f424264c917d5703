//! One run: from a source to a generator of the target's images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;
use stylegan2::Generator;
use vision_aided_finetune::vision_aided::VisionBackbone;
use vision_aided_finetune::{HistoryEntry, ImageSet, Trainer, freeze_discriminator_layers};

use super::distance::{Measurement, Yardstick};
use super::options::{FineTuning, Settings};
use super::record::Record;
use super::run::{Run, begin_stage, resumed};
use super::stages::Schedule;
use crate::runs::image_sets::training_set;
use crate::runs::provenance::{DataFile, NetworkOrigin};
use crate::runs::run_folder::RunFolder;
use crate::runs::start::Networks;
use crate::{Error, Observer, Weights, files};

/// What a run is to do.
pub(crate) struct Job<'a> {
    /// Shown beside the progress.
    pub name: String,
    /// The generator's file.
    pub source: PathBuf,
    /// Instead of the discriminator beside it.
    pub discriminator: Option<PathBuf>,
    /// Anything that an image source takes.
    pub images: PathBuf,
    /// What distances are measured against; the images themselves without.
    pub reference: Option<PathBuf>,
    /// The run's folder.
    pub out: PathBuf,
    /// Where statistics of real images are kept.
    pub statistics: PathBuf,
    /// Thousands of images of each stage.
    pub kimg: Vec<f64>,
    /// What decides the run.
    pub settings: Settings,
    /// The rest of its options.
    pub options: &'a FineTuning,
    /// Where networks are that are named without a file.
    pub weights: Option<&'a Weights>,
    /// The network of the distances.
    pub features: &'a ImageFeatures,
}

/// How a call ended.
pub(crate) struct Ended {
    /// Whether it has its length.
    pub finished: bool,
    /// Thousands of images shown.
    pub kimg: f64,
    /// What the run went through.
    pub record: Record,
    /// All that were made, in their order.
    pub measurements: Vec<Measurement>,
    /// Losses and times.
    pub history: Vec<HistoryEntry>,
    /// The distances' name.
    pub distance_name: String,
}

impl Job<'_> {
    /// Starts the run, or goes on with the one in the folder, until it has its length or the observer ends it;
    /// [`Error::Cancelled`] when that was before anything could be measured.
    pub(crate) fn run(&self, observer: &mut dyn Observer, device: &Device) -> Result<Ended, Error> {
        let folder = RunFolder::open(&self.out)?;
        files::make_folder(&self.statistics)?;
        let checkpoint = folder.checkpoint();
        let (side, channels) = if checkpoint.is_file() {
            let generator = Generator::load(&checkpoint, device)?;
            let channels = generator.config().img_channels;
            (Trainer::image_side(&checkpoint)?, channels)
        } else {
            let source = Generator::load(&self.source, device)?;
            (source.config().img_resolution, source.config().img_channels)
        };
        let mut read = |path: &Path| -> Result<Arc<ImageSet>, Error> {
            let images = training_set(path, side, self.options.skip_bad, observer)?;
            Ok(Arc::new(images.for_channels(channels).into_owned()))
        };
        let images = read(&self.images)?;
        let reference = match &self.reference {
            Some(path) => read(path)?,
            None => images.clone(),
        };
        let reference_path = self.reference.as_ref().unwrap_or(&self.images);
        let networks = self.networks(device)?;
        let schedule = Schedule::new(self.kimg.clone(), networks)?;
        let mut record = Record {
            source: NetworkOrigin::file(&self.source, self.weights)?,
            discriminator: NetworkOrigin::random(0),
            images: DataFile::new(&self.images, &images, self.weights),
            reference: DataFile::new(reference_path, &reference, self.weights),
            settings: self.settings.clone(),
            kimg: self.kimg.clone(),
            stages: Vec::new(),
        };
        let trainer = if checkpoint.is_file() {
            let kept = Record::read(&checkpoint)?;
            kept.check_same(&record, &self.out)?;
            record = Record {
                kimg: record.kimg,
                ..kept
            };
            let mut trainer = resumed(&checkpoint, images.clone(), &schedule, device)?;
            record.keep(&mut trainer)?;
            trainer
        } else {
            self.started(images.clone(), &schedule, &mut record, device)?
        };
        let yardstick = Yardstick::new(
            self.features,
            [self.settings.samples, self.settings.resamples],
            &reference,
            &images,
            &self.statistics,
            observer,
            device,
        )?;
        let run = Run::open(self, folder, schedule, yardstick, record, trainer, device)?;
        run.finish(observer)
    }

    fn networks(&self, device: &Device) -> Result<Vec<VisionBackbone>, Error> {
        let wanted = &self.settings.vision_aided;
        self.options
            .vision_aided
            .iter()
            .filter(|network| wanted.contains(&network.name()))
            .map(|network| {
                let (side, levels) = (
                    self.settings.vision_aided_input,
                    self.settings.vision_aided_levels,
                );
                network.load(side, levels, self.weights, device)
            })
            .collect()
    }

    fn started(
        &self,
        images: Arc<ImageSet>,
        schedule: &Schedule,
        record: &mut Record,
        device: &Device,
    ) -> Result<Trainer, Error> {
        let config = self.settings.training.clone();
        let seeds = config.initial_weight_seeds();
        let chosen = self.discriminator.as_deref();
        let networks = Networks::open(&self.source, chosen, seeds, self.weights, device)?;
        // Also for 0: the file's discriminator may have frozen layers.
        let discriminator = freeze_discriminator_layers(
            &networks.discriminator,
            self.settings.freeze_layers,
            device,
        )?;
        record.source = networks.generator_start;
        record.discriminator = networks.discriminator_start;
        let mut trainer = Trainer::new(
            config,
            networks.generator,
            networks.average,
            discriminator,
            images,
            device,
        )?;
        begin_stage(&mut trainer, schedule, record, 0, device)?;
        Ok(trainer)
    }
}

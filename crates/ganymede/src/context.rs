use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use burn::tensor::Device;
use lpips::{Lpips, LpipsNetwork, Version};
use model_zoo::ZooModel;
use stylegan2::WeightDelta;

use crate::kept_directions::KeptDirections;
use crate::recent::Recent;
use crate::{Error, Model, Weights, model};

/// What jobs share: where they compute, where weights are, and what they have loaded.
///
/// One context serves any number of jobs, also from several threads. Models are kept until others take their place, so
/// that the next job with the same model begins at once.
pub struct Context {
    device: Device,
    weights: Option<PathBuf>,
    models: Mutex<Recent<LoadedKey, Arc<Model>>>,
    metrics: Mutex<Recent<LpipsNetwork, Arc<Lpips>>>,
    pub(crate) directions: KeptDirections,
    tuned: Option<(PathBuf, WeightDelta)>,
}

/// A file as it is now: a model that was trained on is another. [`LoadedKey`] has its tuning too.
#[derive(PartialEq)]
pub(crate) struct ModelKey {
    path: PathBuf,
    length: u64,
    changed: Option<SystemTime>,
}

/// A model's file, and that of the change of its weights, where there is one.
type LoadedKey = (ModelKey, Option<ModelKey>);

impl Context {
    /// Generators that are kept unless another number is asked for. One for 1024x1024 pixels takes 120 MB.
    pub const MODELS: usize = 4;

    /// Networks that LPIPS has weights for.
    const METRICS: usize = 3;

    /// Computes on a device. Weights are found as [`Weights::open`] does without a folder.
    pub fn new(device: Device) -> Self {
        Self {
            device,
            weights: None,
            models: Mutex::new(Recent::new(Self::MODELS)),
            metrics: Mutex::new(Recent::new(Self::METRICS)),
            directions: KeptDirections::default(),
            tuned: None,
        }
    }

    /// Whether [`with_tuned`](Self::with_tuned) has a file.
    pub(crate) fn is_tuned(&self) -> bool {
        self.tuned.is_some()
    }

    /// Changes the weights of the generator that a file of pivotal tuning is of, whenever that is loaded.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is of something else.
    pub fn with_tuned(mut self, file: impl Into<PathBuf>) -> Result<Self, Error> {
        let file = file.into();
        let delta = WeightDelta::read(&file, &self.device)?;
        self.tuned = Some((file, delta));
        Ok(self)
    }

    /// Takes weights from this folder. It is looked into when something of it is needed.
    pub fn with_weights(mut self, folder: impl Into<PathBuf>) -> Self {
        self.weights = Some(folder.into());
        self
    }

    /// Keeps so many generators; 0 loads them each time.
    pub fn with_kept_models(mut self, most: usize) -> Self {
        self.models = Mutex::new(Recent::new(most));
        self
    }

    /// Keeps generators of so many bytes of weights in all, and the one used last however large it is.
    pub fn with_model_memory(mut self, bytes: u64) -> Self {
        self.models = Mutex::new(Recent::within(bytes));
        self
    }

    /// Where jobs compute.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The folder of weights.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn weights(&self) -> Result<Weights, Error> {
        Weights::open(self.weights.as_deref())
    }

    /// The folder of weights that was named, where one was.
    pub(crate) fn weights_folder(&self) -> Option<&Path> {
        self.weights.as_deref()
    }

    /// A generator: by its name in the zoo, or by a checkpoint file of any format that [`checkpoint_file`] reads.
    ///
    /// # Errors
    ///
    /// There is no such model, its file does not hold a generator of gray or RGB images, or
    /// [`with_tuned`](Self::with_tuned) has a file of another one.
    pub fn model(&self, which: &str) -> Result<Arc<Model>, Error> {
        self.kept(which, None)
    }

    /// As [`model`](Self::model), with its weights changed by a file of pivotal tuning, for jobs of which each has a
    /// change of its own.
    ///
    /// # Errors
    ///
    /// As [`model`](Self::model); the file cannot be read, or is of another model.
    pub fn tuned_model(&self, which: &str, tuned: &Path) -> Result<Arc<Model>, Error> {
        self.kept(which, Some(tuned))
    }

    fn kept(&self, which: &str, tuned: Option<&Path>) -> Result<Arc<Model>, Error> {
        let (name, path) = model::find(which, self.weights())?;
        let key = (ModelKey::of(&path), tuned.map(ModelKey::of));
        // The same file under another name, such as that of a link, is the same generator with another name.
        if let Some(model) = lock(&self.models)
            .get(&key)
            .filter(|kept| kept.name == name)
        {
            return Ok(model);
        }
        let mut model = Model::open(name, path, &self.device)?;
        if let Some((file, delta)) = &self.tuned {
            model.generator = delta.apply(&model.generator, file)?;
        }
        if let Some(file) = tuned {
            let delta = WeightDelta::read(file, &self.device)?;
            model.generator = delta.apply(&model.generator, file)?;
        }
        let model = Arc::new(model);
        lock(&self.models).insert_sized(key, Arc::clone(&model), model.size_in_bytes());
        Ok(model)
    }

    /// A generator of an opened folder of models. A change of weights by [`with_tuned`](Self::with_tuned) reaches the
    /// one that it is of; the others stay.
    ///
    /// # Errors
    ///
    /// Its file does not hold a generator of images that can be shown.
    pub fn zoo_model(&self, model: &ZooModel) -> Result<Arc<Model>, Error> {
        let mut model = Model::of_zoo(model, &self.device)?;
        if let Some((file, delta)) = &self.tuned
            && model.generator.content_sha256() == delta.generator
        {
            model.generator = delta.apply(&model.generator, file)?;
        }
        Ok(Arc::new(model))
    }

    /// LPIPS v0.1 with the weights of the weights folder.
    ///
    /// # Errors
    ///
    /// There is no weights folder, or the network or its heads are not in it.
    pub fn lpips(&self, network: LpipsNetwork) -> Result<Arc<Lpips>, Error> {
        if let Some(metric) = lock(&self.metrics).get(&network) {
            return Ok(metric);
        }
        let weights = self.weights()?;
        for published in network.published_weights(Version::V0_1) {
            weights.feature_file(&published)?;
        }
        let folder = weights.features();
        let metric = Arc::new(Lpips::load(network, Version::V0_1, folder, &self.device)?);
        lock(&self.metrics).insert(network, Arc::clone(&metric));
        Ok(metric)
    }
}

impl ModelKey {
    pub(crate) fn of(path: &Path) -> Self {
        let data = whole_file::properties(path).ok();
        Self {
            path: whole_file::canonical(path).unwrap_or_else(|_| path.to_owned()),
            length: data.map_or(0, |data| data.length),
            changed: data.and_then(|data| data.changed),
        }
    }
}

/// What was kept is whole, also after a panic of another thread.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use checkpoint_file::FloatPrecision;
    use stylegan2::{Generator, GeneratorConfig};

    use super::*;

    const CONFIG: &str = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 8, "img_channels": 3,
        "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 64, "channel_max": 8}}"#;

    fn write(path: &Path, seed: u32) {
        let config = GeneratorConfig::from_json(CONFIG).unwrap();
        let generator = Generator::init(&config, seed, &Device::flex()).unwrap();
        generator.save(path, FloatPrecision::F32).unwrap();
    }

    #[test]
    fn a_model_is_loaded_once_until_others_took_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b", "c"].map(|name| folder.path().join(format!("{name}.safetensors")));
        for (seed, file) in (0..).zip(&files) {
            write(file, seed);
        }
        let names = files.map(|file| file.to_string_lossy().into_owned());
        let context = Context::new(Device::flex()).with_kept_models(2);
        let first = context.model(&names[0]).unwrap();
        assert_eq!(first.name, "a");
        assert!(Arc::ptr_eq(&first, &context.model(&names[0]).unwrap()));
        context.model(&names[1]).unwrap();
        context.model(&names[2]).unwrap();
        assert!(!Arc::ptr_eq(&first, &context.model(&names[0]).unwrap()));
    }

    #[test]
    fn a_file_that_was_written_again_is_loaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.safetensors");
        write(&file, 1);
        let name = file.to_string_lossy().into_owned();
        let context = Context::new(Device::flex());
        let before = context.model(&name).unwrap();
        write(&file, 2);
        // The same length: only the time tells them apart, and file systems count it in ticks.
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        let written = std::fs::File::options().write(true).open(&file).unwrap();
        written.set_modified(later).unwrap();
        assert!(!Arc::ptr_eq(&before, &context.model(&name).unwrap()));
    }

    #[test]
    fn threads_can_share_a_context() {
        fn shared<T: Send + Sync>() {}
        shared::<Context>();
    }
}

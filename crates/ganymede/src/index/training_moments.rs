use feature_stats::Moments;
use ganymede::digest;
use ganymede::files;
use model_zoo::Zoo;
use vision_aided_finetune::ImageSet;

use crate::arguments::Sampling;
use crate::build::moments_of_each;
use examples::interrupt::Interrupt;
use examples::{Failure, diversity, kept_moments, training_images};

/// Moments of the features of what each model was trained on, as perfect models would have them; `None` when interrupted.
///
/// At most as many images of each as there would be samples, spread evenly, from `data` in the zoo's folder.
pub fn training_moments(
    sampling: &Sampling,
    zoo: &Zoo,
    interrupt: &Interrupt,
) -> Result<Option<Vec<(String, Moments)>>, Failure> {
    let weights = sampling.place.weights()?;
    let device = sampling.place.common.device.open()?;
    let features = sampling.features.load(&weights, &device)?;
    let record = sampling.features.record();
    let folder = zoo.root().join("data");
    files::make_folder(&sampling.moments)?;
    moments_of_each(zoo, false, |model| {
        let sets: Vec<ImageSet> = training_images::files(model.name(), &folder)?
            .into_iter()
            .map(ImageSet::open_packed)
            .collect::<Result<_, _>>()?;
        let images = ImageSet::concat(sets)?;
        let count = usize::try_from(sampling.samples).unwrap_or(usize::MAX);
        let chosen = diversity::spread(images.len(), count);
        let key = digest::short(&format!(
            "{} {} {} {}",
            images.fingerprint(),
            record.network,
            record.side,
            chosen.len()
        ));
        let file = format!("{}-{key}.training.moments.safetensors", model.name());
        kept_moments::accumulate(
            &sampling.moments.join(file),
            features.dimension(),
            chosen.len() as u64,
            model.name(),
            &|| interrupt.requested(),
            |range| {
                let chosen = &chosen[range.start as usize..range.end as usize];
                let batch = images.batch(chosen, &vec![false; chosen.len()], &device);
                Ok(features.of_tensor(batch))
            },
        )
    })
}

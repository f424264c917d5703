use feature_stats::Moments;
use model_zoo::Zoo;
use vision_aided_finetune::ImageSet;

use super::build::moments_of_each;
use super::options::Sampling;
use crate::images::spread;
use crate::{Context, Error, Observer, digest, files, kept_moments, training_images};

/// Moments of the features of what each model was trained on, as perfect models would have them.
///
/// At most as many images of each as there would be samples, spread evenly, from `data` in the zoo's folder.
pub fn training_moments(
    sampling: &Sampling,
    zoo: &Zoo,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Vec<(String, Moments)>, Error> {
    let device = context.device();
    let features = sampling.features.load(&context.weights()?, device)?;
    let record = sampling.features.record();
    let folder = zoo.root().join("data");
    if let Some(folder) = &sampling.moments {
        files::make_folder(folder)?;
    }
    moments_of_each(zoo.models(), false, observer, |model, observer| {
        let sets: Vec<ImageSet> = training_images::files(model.name(), &folder)?
            .into_iter()
            .map(ImageSet::open_packed)
            .collect::<Result<_, _>>()?;
        let images = ImageSet::concat(sets)?;
        let count = usize::try_from(sampling.samples).unwrap_or(usize::MAX);
        let chosen = spread(images.len(), count);
        let key = digest::short(&format!(
            "{} {} {} {}",
            images.fingerprint(),
            record.network,
            record.side,
            chosen.len()
        ));
        let file = format!("{}-{key}.training.moments.safetensors", model.name());
        kept_moments::accumulate(
            sampling
                .moments
                .as_ref()
                .map(|folder| folder.join(file))
                .as_deref(),
            features.dimension(),
            chosen.len() as u64,
            model.name(),
            observer,
            |range| {
                let chosen = &chosen[range.start as usize..range.end as usize];
                let batch = images.batch(chosen, &vec![false; chosen.len()], device);
                Ok(features.of_tensor(batch))
            },
        )
    })
}

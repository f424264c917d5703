//! What programs keep for many requests can be sent to other threads and shared among them. This compiles or does not.

fn shared<T: Send + Sync>() {}

#[test]
fn what_is_loaded_once_is_shared_among_threads() {
    shared::<crate::Context>();
    shared::<crate::Error>();
    shared::<crate::Model>();
    shared::<crate::Weights>();
    shared::<backbones::ClipText>();
    shared::<backbones::FeatureExtractor>();
    shared::<backbones::InceptionV3>();
    shared::<backbones::SqueezeNet>();
    shared::<checkpoint_file::Checkpoint>();
    shared::<feature_stats::Gaussian>();
    shared::<feature_stats::Moments>();
    shared::<feature_stats::Pca>();
    shared::<ganspace::LatentDirections>();
    shared::<ganspace::Path>();
    shared::<image_source::ImageSource>();
    shared::<image_tensor::RgbImage>();
    shared::<inversion::Inversion>();
    shared::<inversion::InversionConfig>();
    shared::<inversion::LatentPrior>();
    shared::<inversion::Refinement>();
    shared::<inversion::Tuning>();
    shared::<lpips::Lpips>();
    shared::<lpips::TargetFeatures>();
    shared::<metrics_fid::FeatureSet>();
    shared::<metrics_fid::FidOptions>();
    shared::<metrics_fid::ImageFeatures>();
    shared::<model_zoo::Zoo>();
    shared::<retrieval_gaussian::Index>();
    shared::<retrieval_gaussian::SearchOptions>();
    shared::<stylegan2::Discriminator>();
    shared::<stylegan2::Generator>();
    shared::<stylegan2::WeightDelta>();
    shared::<vision_aided_finetune::ImageSet>();
    shared::<vision_aided_finetune::Trainer>();
}

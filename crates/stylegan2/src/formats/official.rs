//! Constructor arguments as the pickles of stylegan2-ada-pytorch and stylegan3 hold them.

use serde_json::{Map, Value as Json};

/// Positional arguments of the constructors by their names, in order.
const GENERATOR_ARGUMENTS: [&str; 7] = [
    "z_dim",
    "c_dim",
    "w_dim",
    "img_resolution",
    "img_channels",
    "mapping_kwargs",
    "synthesis_kwargs",
];
const DISCRIMINATOR_ARGUMENTS: [&str; 12] = [
    "c_dim",
    "img_resolution",
    "img_channels",
    "architecture",
    "channel_base",
    "channel_max",
    "num_fp16_res",
    "conv_clamp",
    "cmap_dim",
    "block_kwargs",
    "mapping_kwargs",
    "epilogue_kwargs",
];

/// Options of stylegan3 that choose an implementation and change no value.
const WITHOUT_EFFECT: [&str; 1] = ["fused_modconv_default"];

const SYNTHESIS: &str = "synthesis_kwargs";

/// A generator's configuration in the form of stylegan2-ada-pytorch.
///
/// stylegan3's StyleGAN2 takes the options of the synthesis network beside the others instead of in `synthesis_kwargs`.
/// What is not a JSON object stays as it is, for the parser of configurations to refuse.
pub(crate) fn generator_config(keywords: &str, positional: Option<&str>) -> String {
    let Some(mut arguments) = named(keywords, positional, &GENERATOR_ARGUMENTS) else {
        return keywords.to_owned();
    };
    let flat: Vec<String> = arguments
        .keys()
        .filter(|key| !GENERATOR_ARGUMENTS.contains(&key.as_str()))
        .cloned()
        .collect();
    for key in flat {
        let value = arguments.remove(&key).unwrap_or_default();
        let synthesis = arguments
            .entry(SYNTHESIS)
            .or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(synthesis) = synthesis {
            synthesis.insert(key, value);
        }
    }
    if let Some(Json::Object(synthesis)) = arguments.get_mut(SYNTHESIS) {
        for key in WITHOUT_EFFECT {
            synthesis.remove(key);
        }
    }
    Json::Object(arguments).to_string()
}

/// A discriminator's configuration.
pub(crate) fn discriminator_config(keywords: &str, positional: Option<&str>) -> String {
    match named(keywords, positional, &DISCRIMINATOR_ARGUMENTS) {
        Some(arguments) => Json::Object(arguments).to_string(),
        None => keywords.to_owned(),
    }
}

/// All arguments by name.
fn named(keywords: &str, positional: Option<&str>, names: &[&str]) -> Option<Map<String, Json>> {
    let mut arguments: Map<String, Json> = serde_json::from_str(keywords).ok()?;
    let values: Vec<Json> = positional
        .map(serde_json::from_str)
        .transpose()
        .ok()?
        .unwrap_or_default();
    for (name, value) in names.iter().zip(values) {
        arguments.insert((*name).to_owned(), value);
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiscriminatorConfig, GeneratorConfig};

    #[test]
    fn both_official_repositories_give_one_configuration() {
        let ada = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 512, "conv_clamp": 256}}"#;
        let stylegan3 = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "channel_base": 512, "conv_clamp": 256, "fused_modconv_default": "inference_only"}"#;
        let parsed = |json| GeneratorConfig::from_json(&generator_config(json, None)).expect(json);
        assert_eq!(parsed(ada), parsed(stylegan3));
        assert_eq!(parsed(ada).synthesis_kwargs.conv_clamp, Some(256.0));
    }

    #[test]
    fn positional_arguments_are_named() {
        let generator = generator_config(r#"{"img_channels": 1}"#, Some("[8, 0, 16, 32]"));
        let generator = GeneratorConfig::from_json(&generator).expect("complete");
        assert_eq!((generator.z_dim, generator.img_resolution), (8, 32));
        let discriminator = discriminator_config(r#"{"img_channels": 1}"#, Some("[3, 64]"));
        let discriminator = DiscriminatorConfig::from_json(&discriminator).expect("complete");
        assert_eq!((discriminator.c_dim, discriminator.img_resolution), (3, 64));
    }

    #[test]
    fn unknown_options_stay_and_are_refused() {
        let json = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3, "magnitude_ema_beta": 0.5}"#;
        let error = GeneratorConfig::from_json(&generator_config(json, None))
            .expect_err("an option of StyleGAN3's own generator")
            .to_string();
        assert!(error.contains("magnitude_ema_beta"), "{error}");
    }
}

//! Constructor arguments as the pickles of stylegan2-ada-pytorch and stylegan3 hold them.

use serde_json::{Map, Value as Json, json};

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

/// An option that only stylegan3 has, to choose an implementation; it changes no value.
const FUSED_MODCONV: &str = "fused_modconv_default";

/// An option of StyleGAN-Human's branch: false for images of twice the height of their width.
const SQUARE: &str = "square";

const SYNTHESIS: &str = "synthesis_kwargs";
const MAPPING: &str = "mapping_kwargs";
const CONV_CLAMP: &str = "conv_clamp";
const W_AVG_BETA: &str = "w_avg_beta";

/// What a file says of how a network was constructed, each as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Construction<'a> {
    /// Keyword arguments, an object.
    pub(crate) keywords: &'a str,
    /// Positional arguments, an array.
    pub(crate) positional: Option<&'a str>,
    /// Attributes of the network's modules by their full names, an object.
    pub(crate) options: Option<&'a str>,
}

/// A generator's configuration in the form of stylegan2-ada-pytorch.
///
/// stylegan3's StyleGAN2 takes the options of the synthesis network beside the others instead of in `synthesis_kwargs`,
/// and has other defaults (`training/networks_stylegan2.py`). What the modules themselves keep counts more than either.
/// What is not a JSON object stays as it is, for the parser of configurations to refuse.
pub(crate) fn generator_config(construction: Construction<'_>) -> String {
    let Some(mut arguments) = construction.arguments(&GENERATOR_ARGUMENTS) else {
        return construction.keywords.to_owned();
    };
    drop_default(&mut arguments, SQUARE, &json!(true));
    if let Some(Json::Object(synthesis)) = arguments.get_mut(SYNTHESIS) {
        drop_default(synthesis, SQUARE, &json!(true));
    }
    let flat: Vec<String> = arguments
        .keys()
        .filter(|key| !GENERATOR_ARGUMENTS.contains(&key.as_str()))
        .cloned()
        .collect();
    let mut is_stylegan3 = !flat.is_empty();
    for key in flat {
        let value = arguments.remove(&key).unwrap_or_default();
        if let Some(synthesis) = object(&mut arguments, SYNTHESIS) {
            synthesis.insert(key, value);
        }
    }
    if let Some(Json::Object(synthesis)) = arguments.get_mut(SYNTHESIS) {
        is_stylegan3 |= synthesis.remove(FUSED_MODCONV).is_some();
    }
    if is_stylegan3 {
        for (place, option, default) in [
            (SYNTHESIS, CONV_CLAMP, json!(256)),
            (SYNTHESIS, "num_fp16_res", json!(4)),
            (MAPPING, W_AVG_BETA, json!(0.998)),
        ] {
            if let Some(options) = object(&mut arguments, place) {
                options.entry(option).or_insert(default);
            }
        }
    }
    for (place, option, module) in [
        (SYNTHESIS, CONV_CLAMP, "synthesis.b4.conv1"),
        (MAPPING, W_AVG_BETA, "mapping"),
    ] {
        if let Some(kept) = construction.option(module, option)
            && let Some(options) = object(&mut arguments, place)
        {
            options.insert(option.to_owned(), kept);
        }
    }
    Json::Object(arguments).to_string()
}

/// A discriminator's configuration.
///
/// Both official repositories have the same arguments with other defaults for `conv_clamp`, which only the modules
/// tell.
pub(crate) fn discriminator_config(construction: Construction<'_>) -> String {
    let Some(mut arguments) = construction.arguments(&DISCRIMINATOR_ARGUMENTS) else {
        return construction.keywords.to_owned();
    };
    drop_default(&mut arguments, SQUARE, &json!(true));
    if let Some(kept) = construction.option("b8.conv0", CONV_CLAMP) {
        arguments.insert(CONV_CLAMP.to_owned(), kept);
    }
    Json::Object(arguments).to_string()
}

/// Whether a configuration says that its images are not square.
pub(crate) fn is_rectangular(config: &str) -> bool {
    let Ok(Json::Object(arguments)) = serde_json::from_str(config) else {
        return false;
    };
    let says_so = |options: &Map<String, Json>| options.get(SQUARE) == Some(&json!(false));
    let synthesis = arguments.get(SYNTHESIS).and_then(Json::as_object);
    says_so(&arguments) || synthesis.is_some_and(says_so)
}

/// Leaves out an option of another branch of the code that has the value by which nothing differs.
fn drop_default(options: &mut Map<String, Json>, option: &str, default: &Json) {
    if options.get(option) == Some(default) {
        options.remove(option);
    }
}

/// An argument that is an object, empty where it is missing; `None` where it is something else.
fn object<'j>(
    arguments: &'j mut Map<String, Json>,
    key: &str,
) -> Option<&'j mut Map<String, Json>> {
    arguments
        .entry(key)
        .or_insert_with(|| Json::Object(Map::new()))
        .as_object_mut()
}

impl Construction<'_> {
    /// All arguments by name.
    fn arguments(&self, names: &[&str]) -> Option<Map<String, Json>> {
        let mut arguments: Map<String, Json> = serde_json::from_str(self.keywords).ok()?;
        let values: Vec<Json> = self
            .positional
            .map(serde_json::from_str)
            .transpose()
            .ok()?
            .unwrap_or_default();
        for (name, value) in names.iter().zip(values) {
            arguments.insert((*name).to_owned(), value);
        }
        Some(arguments)
    }

    /// An attribute of a module, where the file has it.
    fn option(&self, module: &str, option: &str) -> Option<Json> {
        let mut options: Map<String, Json> = serde_json::from_str(self.options?).ok()?;
        options.remove(&format!("{module}.{option}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiscriminatorConfig, GeneratorConfig};

    fn keywords(keywords: &str) -> Construction<'_> {
        Construction {
            keywords,
            positional: None,
            options: None,
        }
    }

    fn generator(construction: Construction<'_>) -> GeneratorConfig {
        GeneratorConfig::from_json(&generator_config(construction)).expect("complete")
    }

    const ADA: &str = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
        "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 512}}"#;
    const STYLEGAN3: &str = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
        "mapping_kwargs": {"num_layers": 2}, "channel_base": 512, "fused_modconv_default": "inference_only"}"#;

    #[test]
    fn each_official_repository_has_its_defaults() {
        let ada = generator(keywords(ADA));
        assert_eq!(ada.synthesis_kwargs.conv_clamp, None);
        assert_eq!(ada.mapping_kwargs.w_avg_beta, Some(0.995));

        let stylegan3 = generator(keywords(STYLEGAN3));
        assert_eq!(stylegan3.synthesis_kwargs.channel_base, 512);
        assert_eq!(stylegan3.synthesis_kwargs.conv_clamp, Some(256.0));
        assert_eq!(stylegan3.synthesis_kwargs.num_fp16_res, 4);
        assert_eq!(stylegan3.mapping_kwargs.w_avg_beta, Some(0.998));
        // As train.py --fp32 writes it.
        let single = STYLEGAN3.replace(
            "\"channel_base\"",
            "\"conv_clamp\": null, \"num_fp16_res\": 0, \"channel_base\"",
        );
        let single = generator(keywords(&single));
        assert_eq!(single.synthesis_kwargs.conv_clamp, None);
        assert_eq!(single.synthesis_kwargs.num_fp16_res, 0);
    }

    #[test]
    fn what_the_modules_keep_counts_most() {
        let options = r#"{"synthesis.b4.conv1.conv_clamp": 128, "mapping.w_avg_beta": 0.5}"#;
        for keywords in [ADA, STYLEGAN3] {
            let config = generator(Construction {
                keywords,
                positional: None,
                options: Some(options),
            });
            assert_eq!(config.synthesis_kwargs.conv_clamp, Some(128.0));
            assert_eq!(config.mapping_kwargs.w_avg_beta, Some(0.5));
        }
        let discriminator = |options| {
            let json = discriminator_config(Construction {
                keywords: r#"{"c_dim": 0, "img_resolution": 16, "img_channels": 1}"#,
                positional: None,
                options,
            });
            DiscriminatorConfig::from_json(&json).expect("complete")
        };
        assert_eq!(discriminator(None).conv_clamp, None);
        let kept = discriminator(Some(
            r#"{"b8.conv0.conv_clamp": 256, "mapping.w_avg_beta": null}"#,
        ));
        assert_eq!(kept.conv_clamp, Some(256.0));
    }

    #[test]
    fn square_images_need_no_option_and_others_are_told() {
        let square = ADA.replace("\"c_dim\"", "\"square\": true, \"c_dim\"");
        assert_eq!(generator(keywords(&square)), generator(keywords(ADA)));
        let flat = STYLEGAN3.replace("\"c_dim\"", "\"square\": true, \"c_dim\"");
        assert_eq!(generator(keywords(&flat)), generator(keywords(STYLEGAN3)));
        let inside = ADA.replace("\"channel_base\"", "\"square\": true, \"channel_base\"");
        assert_eq!(generator(keywords(&inside)), generator(keywords(ADA)));
        for config in [&square, &flat, &inside] {
            assert!(!is_rectangular(config));
            let other = generator_config(keywords(&config.replace("true", "false")));
            assert!(is_rectangular(&other), "{other}");
        }
    }

    #[test]
    fn positional_arguments_are_named() {
        let generator = generator(Construction {
            positional: Some("[8, 0, 16, 32]"),
            ..keywords(r#"{"img_channels": 1}"#)
        });
        assert_eq!((generator.z_dim, generator.img_resolution), (8, 32));
        let discriminator = discriminator_config(Construction {
            positional: Some("[3, 64]"),
            ..keywords(r#"{"img_channels": 1}"#)
        });
        let discriminator = DiscriminatorConfig::from_json(&discriminator).expect("complete");
        assert_eq!((discriminator.c_dim, discriminator.img_resolution), (3, 64));
    }

    #[test]
    fn unknown_options_stay_and_are_refused() {
        let json = r#"{"z_dim": 8, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3, "magnitude_ema_beta": 0.5}"#;
        let error = GeneratorConfig::from_json(&generator_config(keywords(json)))
            .expect_err("an option of StyleGAN3's own generator")
            .to_string();
        assert!(error.contains("magnitude_ema_beta"), "{error}");
    }
}

//! Which models are ranked.

use burn::tensor::Device;
use model_zoo::ZooModel;
use stylegan2::{Generator, GeneratorConfig, SynthesisConfig};

use super::options::Options;
use crate::search::Searcher;
use crate::{Error, Observer, Warning};

/// The models of a study, by name, and what they have in common.
pub struct Chosen {
    pub models: Vec<ZooModel>,
    pub architecture: GeneratorConfig,
}

impl Chosen {
    /// Image side in pixels.
    pub fn side(&self) -> u32 {
        self.architecture.img_resolution as u32
    }
}

/// What of a configuration two models must have in common: all but how the official code stores and bounds numbers.
fn architecture(config: &GeneratorConfig) -> GeneratorConfig {
    let SynthesisConfig {
        num_fp16_res,
        conv_clamp,
        fp16_channels_last,
        ..
    } = SynthesisConfig::default();
    GeneratorConfig {
        synthesis_kwargs: SynthesisConfig {
            num_fp16_res,
            conv_clamp,
            fp16_channels_last,
            ..config.synthesis_kwargs.clone()
        },
        ..config.clone()
    }
}

/// Chooses among the models that are in the zoo and in its index.
///
/// With names, these. Else the models that are called like a category, then the others in the order of their names, as
/// many as were asked for, all of the architecture of the first category's model (of the first model by name, where no
/// category has one).
pub fn choose(
    options: &Options,
    categories: &[&str],
    searcher: &Searcher,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Chosen, Error> {
    let config = |model: &ZooModel| -> Result<GeneratorConfig, Error> {
        Ok(architecture(
            Generator::load(model.generator_path(), device)?.config(),
        ))
    };
    let indexed: Vec<&ZooModel> = searcher
        .zoo
        .models()
        .iter()
        .filter(|model| searcher.index.contains(model.name()))
        .collect();
    let of_name = |name: &str| indexed.iter().find(|model| model.name() == name).copied();
    let must: Vec<&ZooModel> = if options.zoo_models.is_empty() {
        categories.iter().filter_map(|name| of_name(name)).collect()
    } else {
        let named = options.zoo_models.iter().map(|name| {
            searcher.zoo.model(name)?;
            of_name(name).ok_or_else(|| {
                Error::option(
                    "zoo_models",
                    name,
                    format!(
                        "it is not in the index {}; an update of the index adds it",
                        searcher.zoo.index_path().display()
                    ),
                )
            })
        });
        named.collect::<Result<_, _>>()?
    };
    let first = must.first().or(indexed.first());
    let shared = config(first.ok_or_else(|| Error::File {
        path: searcher.zoo.index_path(),
        problem: "it has no model of the zoo".to_owned(),
    })?)?;
    let mut models: Vec<ZooModel> = Vec::new();
    for model in &must {
        let found = config(model)?;
        if found != shared {
            return Err(Error::Model {
                model: model.name().to_owned(),
                problem: format!(
                    "its architecture is another than that of {}, and so are its latents; leave one of them out\n  {}\n  {}",
                    first.map_or("", |first| first.name()),
                    found.to_json(),
                    shared.to_json()
                ),
            });
        }
        if !models.contains(model) {
            models.push((*model).clone());
        }
    }
    if options.zoo_models.is_empty() {
        for model in indexed {
            if models.len() >= options.model_count as usize {
                break;
            }
            if !models.contains(model) && config(model)? == shared {
                models.push(model.clone());
            }
        }
        if models.len() < options.model_count as usize {
            observer.warn(&Warning::FewModels {
                zoo: searcher.zoo.root().to_owned(),
                models: models.len(),
                wanted: options.model_count as usize,
            });
        }
    }
    models.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(Chosen {
        models,
        architecture: shared,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_no_part_of_an_architecture() {
        let plain = GeneratorConfig::new(16).with_channel_base(64);
        let mut in_half = plain.clone();
        in_half.synthesis_kwargs.num_fp16_res = 2;
        in_half.synthesis_kwargs.conv_clamp = Some(256.0);
        assert_eq!(architecture(&in_half), architecture(&plain));
        let narrow = plain.clone().with_channel_max(4);
        assert_ne!(architecture(&narrow), architecture(&plain));
    }
}

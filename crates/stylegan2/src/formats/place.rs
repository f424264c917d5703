//! Where in a file a network lies, by what stands before the names of its tensors.

use checkpoint_file::Checkpoint;

/// What code that people use puts around a generator: names of networks and attributes, in lower case.
const GENERATOR_WRAPPERS: [&str; 13] = [
    "g",
    "g_ema",
    "g_running",
    "generator",
    "generator_ema",
    "netg",
    "netg_ema",
    "gen",
    "gen_ema",
    "decoder",
    "ema",
    "params_ema",
    "g_ema_model",
];

/// Likewise around a discriminator.
const DISCRIMINATOR_WRAPPERS: [&str; 4] = ["d", "discriminator", "netd", "dis"];

/// Around any network.
const WRAPPERS: [&str; 11] = [
    "state_dict",
    "module",
    "model",
    "network",
    "net",
    "params",
    "model_state_dict",
    "_orig_mod",
    "models",
    "networks",
    "checkpoint",
];

/// Which network is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Generator,
    Discriminator,
}

/// A place of a network, from the best on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Whether there is a name on the way that is not known.
    is_unusual: bool,
    /// The running average of the weights makes the better images.
    is_no_average: bool,
    depth: usize,
    /// The order of the file's tensors, which is that of their names.
    order: usize,
    prefix: String,
}

/// All places of networks with a tensor called `anchor`, best first, each as what stands before the names of its
/// tensors, its dot included.
///
/// `within` restricts them to what lies under a name of the file.
pub(crate) fn places(
    checkpoint: &Checkpoint,
    anchor: &str,
    role: Role,
    within: Option<&str>,
) -> Vec<String> {
    let mut places: Vec<Place> = checkpoint
        .tensors()
        .keys()
        .filter_map(|name| name.strip_suffix(anchor))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .filter(|prefix| within.is_none_or(|within| lies_in(prefix, within)))
        .enumerate()
        .map(|(order, prefix)| Place::new(prefix, role, order))
        .collect();
    places.sort();
    places.into_iter().map(|place| place.prefix).collect()
}

/// Whether a prefix is that of the network `name`, or of one in it. The nameless network holds everything.
fn lies_in(prefix: &str, name: &str) -> bool {
    name.is_empty()
        || prefix
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a prefix has known names only.
pub(crate) fn is_usual(prefix: &str, role: Role) -> bool {
    !Place::new(prefix, role, 0).is_unusual
}

impl Place {
    fn new(prefix: &str, role: Role, order: usize) -> Self {
        let segments: Vec<String> = prefix
            .split_terminator('.')
            .map(str::to_ascii_lowercase)
            .collect();
        let own: &[&str] = match role {
            Role::Generator => &GENERATOR_WRAPPERS,
            Role::Discriminator => &DISCRIMINATOR_WRAPPERS,
        };
        let is_usual = |segment: &String| {
            let segment = segment.as_str();
            own.contains(&segment)
                || WRAPPERS.contains(&segment)
                || (!segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let is_average = |segment: &String| {
            segment
                .split('_')
                .any(|part| matches!(part, "ema" | "running"))
        };
        Self {
            is_unusual: !segments.iter().all(is_usual),
            is_no_average: role == Role::Generator && !segments.iter().any(is_average),
            depth: segments.len(),
            order,
            prefix: prefix.to_owned(),
        }
    }
}

/// What stands before the names of tensors beside a network, from its own place outwards to the file's root.
pub(crate) fn enclosing(prefix: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(prefix);
    std::iter::from_fn(move || {
        let here = next?;
        next = (!here.is_empty()).then(|| {
            let outer = here[..here.len() - 1].rfind('.');
            outer.map_or("", |dot| &here[..=dot])
        });
        Some(here)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use checkpoint_file::StoredTensor;

    use super::*;

    fn found(names: &[&str], role: Role, within: Option<&str>) -> Vec<String> {
        let tensor = StoredTensor::from_f32(vec![1], &[0.0]);
        let tensors: BTreeMap<String, StoredTensor> = names
            .iter()
            .map(|name| ((*name).to_owned(), tensor.clone()))
            .collect();
        let file = Checkpoint::from_tensors("file", tensors, BTreeMap::new());
        places(&file, "input.input", role, within)
    }

    #[test]
    fn averages_come_before_weights_in_training_and_those_before_unusual_places() {
        assert_eq!(
            found(
                &[
                    "g.input.input",
                    "adam.g_ema.input.input",
                    "g_ema.input.input",
                    "g_ema.x.input",
                    "not_input.input",
                ],
                Role::Generator,
                None
            ),
            ["g_ema.", "g.", "adam.g_ema."]
        );
    }

    #[test]
    fn any_nesting_of_known_names_is_usual() {
        let nested = [
            "input.input",
            "state_dict.decoder.input.input",
            "state_dict.module.decoder.input.input",
            "g_ema.module.input.input",
            "module.g_ema.state_dict.input.input",
            "models.0.input.input",
        ];
        for name in nested {
            let prefix = name.strip_suffix("input.input").expect("ends so");
            let beside = format!("somewhere.{name}");
            let places = found(&[name, &beside], Role::Generator, None);
            assert_eq!(places[0], prefix, "{places:?}");
        }
    }

    #[test]
    fn a_name_restricts_the_search() {
        let names = ["g.input.input", "g_ema.module.input.input"];
        assert_eq!(found(&names, Role::Generator, Some("g")), ["g."]);
        assert_eq!(
            found(&names, Role::Generator, Some("g_ema")),
            ["g_ema.module."]
        );
        assert!(found(&names, Role::Generator, Some("g_em")).is_empty());
        assert_eq!(found(&names, Role::Generator, Some("")).len(), 2);
    }

    #[test]
    fn places_are_left_outwards() {
        let all: Vec<&str> = enclosing("state_dict.decoder.").collect();
        assert_eq!(all, ["state_dict.decoder.", "state_dict.", ""]);
        assert_eq!(enclosing("").collect::<Vec<_>>(), [""]);
    }
}

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// One of the networks that a file holds side by side, such as `G_ema` or `D`.
///
/// Its tensors are those of the [`Checkpoint`](crate::Checkpoint) whose names start with the network's name and a dot.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    name: String,
    class_name: Option<String>,
    arguments: Option<Json>,
    config: Option<Json>,
    options: BTreeMap<String, Json>,
}

impl Network {
    pub(crate) fn state_dict(name: String) -> Self {
        Self {
            name,
            class_name: None,
            arguments: None,
            config: None,
            options: BTreeMap::new(),
        }
    }

    /// A module, or a dict, of a class that is not known.
    pub(crate) fn foreign(name: String, class_name: Option<String>) -> Self {
        Self {
            class_name,
            ..Self::state_dict(name)
        }
    }

    pub(crate) fn persistent(
        name: String,
        class_name: Option<String>,
        arguments: Option<Json>,
        config: Option<Json>,
        options: BTreeMap<String, Json>,
    ) -> Self {
        Self {
            name,
            class_name,
            arguments: arguments.filter(|a| a.as_array().is_some_and(|items| !items.is_empty())),
            config,
            options,
        }
    }

    pub(crate) fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The key in the file: `G`, `D`, `G_ema`; `g_ema` and so on from other code, with the keys on the way to it where
    /// it lies deeper; empty where the file is one network.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Python class that the file names: `Generator` or `Discriminator` for the official networks, with its module
    /// for any other; `None` for a plain dict of tensors.
    pub fn class_name(&self) -> Option<&str> {
        self.class_name.as_deref()
    }

    /// The keyword arguments that the network was constructed with, a JSON object; `None` for a plain dict of tensors.
    pub fn config(&self) -> Option<&Json> {
        self.config.as_ref()
    }

    /// The positional arguments that the network was constructed with, a JSON array; `None` where there were none.
    pub fn arguments(&self) -> Option<&Json> {
        self.arguments.as_ref()
    }

    /// Options that modules of the network keep and neither names nor shapes of tensors show, `conv_clamp` and
    /// `w_avg_beta`, each under the module's name: `synthesis.b4.conv1.conv_clamp`. They hold what the arguments leave
    /// to the defaults of the code that made the file, in which the official repositories differ. Empty for a plain
    /// dict of tensors.
    pub fn options(&self) -> &BTreeMap<String, Json> {
        &self.options
    }

    /// The metadata entries that [`describe`](Self::describe) writes.
    pub(crate) const ENTRIES: [&'static str; 4] = ["class_name", "config", "arguments", "options"];

    /// Writes `PREFIXclass_name`, `PREFIXconfig`, `PREFIXarguments` and `PREFIXoptions`.
    pub(crate) fn describe(&self, prefix: &str, metadata: &mut BTreeMap<String, String>) {
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                metadata.insert(format!("{prefix}{key}"), value);
            }
        };
        put("class_name", self.class_name.clone());
        put("config", self.config.as_ref().map(Json::to_string));
        put("arguments", self.arguments.as_ref().map(Json::to_string));
        let options = self.options.clone().into_iter().collect();
        put(
            "options",
            (!self.options.is_empty()).then(|| Json::Object(options).to_string()),
        );
    }
}

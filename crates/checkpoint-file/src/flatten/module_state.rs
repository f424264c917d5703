//! What describes a module: its attributes, and for the official networks the arguments of its constructor.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value as Json;

use super::budget::Budget;
use crate::Network;
use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{Heap, JsonWriter, Object, ObjectId, Value};

/// Attributes of modules that configure a network and leave no trace in the names and shapes of its tensors.
///
/// The official repositories differ in their defaults, so a network's arguments alone do not say them.
pub(super) const MODULE_OPTIONS: [&str; 2] = ["conv_clamp", "w_avg_beta"];

/// A network is found and listed once, and the metadata has its class, its arguments, its configuration and its
/// options.
pub(super) const NETWORK_ENTRIES: usize = 6;

/// A module of the official networks: what describes it, and the `state` in that, its attributes.
pub(super) struct ModuleState<'h> {
    pub(super) description: &'h [(Value, Value)],
    pub(super) attributes: &'h [(Value, Value)],
}

impl<'h> ModuleState<'h> {
    pub(super) fn of(heap: &'h Heap<'_>, id: ObjectId, name: &str) -> Result<Self, Fault> {
        let found = || {
            let Object::Persistent(description) = heap.object(id) else {
                return None;
            };
            let description = heap
                .dict(Value::Object(*description))
                .filter(|description| description.len() <= limits::ATTRIBUTES)?;
            let attributes = heap
                .dict(heap.lookup(description, "state")?)
                .filter(|attributes| attributes.len() <= limits::ATTRIBUTES)?;
            Some(Self {
                description,
                attributes,
            })
        };
        found().ok_or_else(|| {
            malformed!(
                "the network object {name:?} has no state of at most {} attributes",
                limits::ATTRIBUTES
            )
        })
    }

    /// The network under `name`, with the options of its modules from those of all.
    pub(super) fn network(
        &self,
        heap: &Heap<'_>,
        name: String,
        options: &BTreeMap<String, Json>,
        budget: &mut Budget,
        json: &mut JsonWriter,
    ) -> Result<Network, Fault> {
        let class_name = heap
            .lookup(self.description, "class_name")
            .and_then(|name| heap.text(name))
            .filter(|class_name| class_name.len() < limits::NAME_BYTES);
        for _ in 0..NETWORK_ENTRIES {
            budget.entry(name.len())?;
        }
        budget.entry(2 * class_name.map_or(0, str::len))?;
        let mut argument = |key: &str| -> Result<Option<Json>, Fault> {
            heap.lookup(self.attributes, key)
                .map(|value| json.write(heap, value, &name))
                .transpose()
        };
        let arguments = argument("_init_args")?;
        let config = argument("_init_kwargs")?;
        let prefix = super::prefix(&name);
        let options = options
            .range(prefix.clone()..)
            .map_while(|(option, value)| {
                Some((option.strip_prefix(&prefix)?.to_owned(), value.clone()))
            })
            .collect();
        let class_name = class_name.map(str::to_owned);
        Ok(Network::persistent(
            name, class_name, arguments, config, options,
        ))
    }
}

/// A plain value as JSON; `None` for anything else.
pub(super) fn plain(value: Value) -> Option<Json> {
    Some(match value {
        Value::None => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Object(_) => return None,
    })
}

/// The buffers among `attributes` that a `state_dict` does not list.
pub(super) fn transient_buffers<'h>(
    heap: &'h Heap<'_>,
    attributes: &'h [(Value, Value)],
    budget: &mut Budget,
) -> Result<HashSet<&'h str>, Fault> {
    let names = heap.lookup(attributes, "_non_persistent_buffers_set");
    let Some(Object::Set(names)) = names.and_then(|set| heap.get(set)) else {
        return Ok(HashSet::new());
    };
    budget.visit(names.len())?;
    // A longer one names nothing that is kept, and is not hashed again and again.
    let names = names.iter().filter_map(|name| heap.text(*name));
    Ok(names
        .filter(|name| name.len() < limits::NAME_BYTES)
        .collect())
}

//! From the objects of a pickle to named tensors, networks and configuration.

mod budget;
mod elements;
mod module_state;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use elements::tensor_of_view;
use module_state::ModuleState;
use walk::{Found, Walk, doubled};

use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{Heap, JsonWriter, Object, ObjectId, Unknown, Value};
use crate::{Network, StoredTensor};

/// Name of the tensor in a file that holds nothing but one.
pub(crate) const ONLY_TENSOR: &str = "tensor";

#[derive(Debug, Default)]
pub(crate) struct Flattened {
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    /// Arrays of elements that are not read, and what their type is called.
    pub(crate) opaque: BTreeMap<String, String>,
    pub(crate) networks: Vec<Network>,
    /// Networks and other entries in which an unknown class lies, and the first such class.
    pub(crate) not_understood: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Names every tensor below `root` by the keys that lead to it, joined with dots, and the top-level rest as JSON.
///
/// An entry in which an unknown class lies is read as far as it can be, and cannot stop the others.
pub(crate) fn flatten(
    heap: &Heap<'_>,
    root: Value,
    file: &Arc<Vec<u8>>,
) -> Result<Flattened, Fault> {
    let mut walk = Walk::new(heap, file);
    let mut json = JsonWriter::new(file.len());
    let mut flattened = Flattened::default();
    match (root, heap.get(root)) {
        (Value::Object(id), Some(Object::Dict(entries))) => {
            for entry in entries {
                read_entry(heap, &mut walk, Some(id), *entry, &mut json, &mut flattened)?;
            }
        }
        (_, Some(Object::Tensor(_))) => {
            walk.child(ONLY_TENSOR, root)?;
            keep(heap, &mut walk, "", &mut json, &mut flattened)?;
        }
        (
            _,
            Some(Object::Persistent(_) | Object::Foreign(_) | Object::List(_) | Object::Tuple(_)),
        ) => {
            walk.enter(root)?;
            keep(heap, &mut walk, "", &mut json, &mut flattened)?;
        }
        (_, Some(Object::Unknown(unknown))) => {
            return Err(unknown_constructor(heap, *unknown, Value::None));
        }
        _ => return Err(not_weights(heap, root)),
    }
    if flattened.tensors.is_empty() && flattened.opaque.is_empty() {
        if let Some(foreign) = walk.first_foreign
            && let Some(unknown) = heap.unknown(foreign.class)
        {
            return Err(unknown_constructor(heap, unknown, foreign.state));
        }
        if matches!(heap.get(root), Some(Object::List(_) | Object::Tuple(_))) {
            return Err(not_weights(heap, root));
        }
    }
    Ok(flattened)
}

/// What the file calls. For networks of the TensorFlow code their state names the function that builds them.
fn unknown_constructor(heap: &Heap<'_>, unknown: Unknown, state: Value) -> Fault {
    let function = heap
        .dict(state)
        .filter(|attributes| attributes.len() <= limits::ATTRIBUTES)
        .and_then(|attributes| heap.lookup(attributes, "build_func_name"))
        .and_then(|name| heap.text(name))
        .filter(|name| name.len() <= limits::CLASS_BYTES)
        .map(str::to_owned);
    Fault::UnknownConstructor {
        name: heap.full_name(unknown),
        function,
        position: unknown.position,
    }
}

fn not_weights(heap: &Heap<'_>, root: Value) -> Fault {
    malformed!(
        "it holds {}, expected a dict of weights",
        heap.describe(root)
    )
}

/// One entry of the dict that the file holds.
fn read_entry(
    heap: &Heap<'_>,
    walk: &mut Walk<'_, '_>,
    root: Option<ObjectId>,
    (key, value): (Value, Value),
    json: &mut JsonWriter,
    flattened: &mut Flattened,
) -> Result<(), Fault> {
    walk.return_to(root);
    if let Err(fault) = walk.item(key, value) {
        if !walk.found.has_unknown() {
            return Err(fault);
        }
        walk.found.abandon();
    }
    let holds_none = walk.found.is_empty();
    let Some(key) = key_text(heap, key).filter(|key| key.len() < limits::NAME_BYTES) else {
        // Nothing below it was a tensor, and nobody could ask for it.
        walk.found = Found::default();
        return Ok(());
    };
    keep(heap, walk, &key, json, flattened)?;
    match (value, heap.get(value)) {
        (_, Some(Object::Dict(items))) if holds_tensors(heap, items) => {
            walk.budget.entry(key.len())?;
            flattened
                .networks
                .push(Network::state_dict(key.into_owned()));
        }
        (_, Some(Object::Foreign(foreign))) if heap.module_state(*foreign).is_none() => {
            let items = foreign
                .items
                .and_then(|items| heap.dict(Value::Object(items)));
            if items.is_some_and(|items| holds_tensors(heap, items)) {
                walk.budget.entry(key.len() + 2 * limits::CLASS_BYTES)?;
                let class = heap
                    .unknown(foreign.class)
                    .map(|class| heap.full_name(class));
                flattened
                    .networks
                    .push(Network::foreign(key.into_owned(), class));
            }
        }
        (Value::None, _) | (_, Some(Object::Persistent(_) | Object::Foreign(_))) => {}
        _ if holds_none => {
            if let Some(small) = json.write_if_small(heap, value, &key)? {
                walk.budget.entry(key.len())?;
                flattened
                    .metadata
                    .insert(key.into_owned(), small.to_string());
            }
        }
        _ => {}
    }
    Ok(())
}

/// Moves what was found below the entry `key` to what was found before.
fn keep(
    heap: &Heap<'_>,
    walk: &mut Walk<'_, '_>,
    key: &str,
    json: &mut JsonWriter,
    flattened: &mut Flattened,
) -> Result<(), Fault> {
    let found = std::mem::take(&mut walk.found);
    for (name, tensor) in found.tensors {
        let is_doubled =
            flattened.opaque.contains_key(&name) || flattened.tensors.contains_key(&name);
        if is_doubled {
            return Err(doubled(name));
        }
        flattened.tensors.insert(name, tensor);
    }
    for (name, element_type) in found.opaque {
        let is_doubled =
            flattened.opaque.contains_key(&name) || flattened.tensors.contains_key(&name);
        if is_doubled {
            return Err(doubled(name));
        }
        flattened.opaque.insert(name, element_type);
    }
    let mut not_understood = |name: &str, class: Option<ObjectId>, walk: &mut Walk<'_, '_>| {
        if let Some(unknown) = class.and_then(|class| heap.unknown(class)) {
            walk.budget.entry(name.len() + 2 * limits::CLASS_BYTES)?;
            let name = name.to_owned();
            flattened
                .not_understood
                .insert(name, heap.full_name(unknown));
        }
        Ok::<(), Fault>(())
    };
    not_understood(key, found.unknown, walk)?;
    for module in found.modules {
        not_understood(&module.name, module.unknown, walk)?;
        let network = match heap.object(module.id) {
            Object::Persistent(_) => ModuleState::of(heap, module.id, &module.name)?.network(
                heap,
                module.name,
                &walk.options,
                &mut walk.budget,
                json,
            )?,
            Object::Foreign(foreign) => {
                walk.budget
                    .entry(module.name.len() + 2 * limits::CLASS_BYTES)?;
                let class = heap.unknown(foreign.class);
                Network::foreign(module.name, class.map(|class| heap.full_name(class)))
            }
            _ => continue,
        };
        let prefix = prefix(network.name());
        network.describe(&prefix, &mut flattened.metadata);
        flattened.networks.push(network);
    }
    Ok(())
}

fn holds_tensors(heap: &Heap<'_>, items: &[(Value, Value)]) -> bool {
    items
        .iter()
        .any(|(_, value)| matches!(heap.get(*value), Some(Object::Tensor(_))))
}

/// A key as a part of a name; `None` where it is neither a text nor an integer.
fn key_text<'h>(heap: &'h Heap<'_>, key: Value) -> Option<Cow<'h, str>> {
    match key {
        Value::Int(n) => Some(Cow::Owned(n.to_string())),
        other => heap.text(other).map(Cow::Borrowed),
    }
}

/// What stands before the names of what a network or module of this name holds.
fn prefix(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!("{name}.")
    }
}

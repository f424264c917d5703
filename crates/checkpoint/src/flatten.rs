//! From the objects of a pickle to named tensors, networks and configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{Content, Heap, JsonWriter, Object, ObjectId, Value, View};
use crate::stored_tensor::byte_count;
use crate::{Network, StoredTensor};

/// Name of the tensor in a file that holds nothing but one.
const ONLY_TENSOR: &str = "tensor";

#[derive(Debug, Default)]
pub(crate) struct Flattened {
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    pub(crate) networks: Vec<Network>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Names every tensor below `root` by the keys that lead to it, joined with dots, and the top-level rest as JSON.
pub(crate) fn flatten(
    heap: &Heap<'_>,
    root: Value,
    file: &Arc<Vec<u8>>,
) -> Result<Flattened, Fault> {
    let mut walk = Walk {
        heap,
        file,
        name: String::new(),
        ancestors: Vec::new(),
        resolved: HashMap::new(),
        tensors: BTreeMap::new(),
        visits_left: limits::visits(heap.instructions()),
        rearranged_left: limits::rearranged_bytes(file.len()),
    };
    let mut json = JsonWriter::default();
    let mut networks = Vec::new();
    let mut metadata = BTreeMap::new();
    let entries: &[(Value, Value)] = match (root, heap.get(root)) {
        (_, Some(Object::Dict(entries))) => entries.as_slice(),
        (Value::Object(id), Some(Object::Persistent(_))) => {
            walk.enter(root)?;
            let network = network(heap, id, String::new(), &mut json)?;
            network.describe("", &mut metadata);
            networks.push(network);
            &[]
        }
        (_, Some(Object::Tensor(_))) => {
            walk.child(ONLY_TENSOR, root)?;
            &[]
        }
        _ => {
            return Err(malformed!(
                "it holds {}, expected a dict of weights",
                heap.describe(root)
            ));
        }
    };
    walk.ancestors.extend(match root {
        Value::Object(id) => Some(id),
        _ => None,
    });
    for (key, value) in entries {
        let key = key_text(heap, *key, "the file")?;
        let before = walk.tensors.len();
        walk.child(&key, *value)?;
        match (*value, heap.get(*value)) {
            (Value::Object(id), Some(Object::Persistent(_))) => {
                let network = network(heap, id, key.clone(), &mut json)?;
                network.describe(&format!("{key}."), &mut metadata);
                networks.push(network);
            }
            (_, Some(Object::Dict(items))) if holds_tensors(heap, items) => {
                networks.push(Network::state_dict(key));
            }
            (Value::None, _) => {}
            _ if walk.tensors.len() == before => {
                let text = json.write(heap, *value, &key)?.to_string();
                metadata.insert(key, text);
            }
            _ => {}
        }
    }
    Ok(Flattened {
        tensors: walk.tensors,
        networks,
        metadata,
    })
}

fn holds_tensors(heap: &Heap<'_>, items: &[(Value, Value)]) -> bool {
    items
        .iter()
        .any(|(_, value)| matches!(heap.get(*value), Some(Object::Tensor(_))))
}

fn key_text(heap: &Heap<'_>, key: Value, place: &str) -> Result<String, Fault> {
    match key {
        Value::Int(n) => Ok(n.to_string()),
        other => heap.text(other).map(str::to_owned).ok_or_else(|| {
            malformed!(
                "a key of {place} is {}, expected a text or an integer",
                heap.describe(key)
            )
        }),
    }
}

/// The `state` of a persistent object: the attributes of a module.
fn module_state<'h>(
    heap: &'h Heap<'_>,
    id: ObjectId,
    name: &str,
) -> Result<&'h [(Value, Value)], Fault> {
    let description = match heap.object(id) {
        Object::Persistent(description) => heap.dict(Value::Object(*description)),
        _ => None,
    };
    description
        .filter(|description| description.len() <= limits::ATTRIBUTES)
        .and_then(|description| heap.dict(heap.lookup(description, "state")?))
        .filter(|state| state.len() <= limits::ATTRIBUTES)
        .ok_or_else(|| {
            malformed!(
                "the network object {name:?} has no state of at most {} attributes",
                limits::ATTRIBUTES
            )
        })
}

fn network(
    heap: &Heap<'_>,
    id: ObjectId,
    name: String,
    json: &mut JsonWriter,
) -> Result<Network, Fault> {
    let state = module_state(heap, id, &name)?;
    let class_name = match heap.object(id) {
        Object::Persistent(description) => heap
            .dict(Value::Object(*description))
            .and_then(|items| heap.lookup(items, "class_name"))
            .and_then(|name| heap.text(name))
            .map(str::to_owned),
        _ => None,
    };
    let mut argument = |key: &str| -> Result<Option<serde_json::Value>, Fault> {
        heap.lookup(state, key)
            .map(|value| json.write(heap, value, &name))
            .transpose()
    };
    let arguments = argument("_init_args")?;
    let config = argument("_init_kwargs")?;
    Ok(Network::persistent(name, class_name, arguments, config))
}

struct Walk<'h, 'a> {
    heap: &'h Heap<'a>,
    file: &'h Arc<Vec<u8>>,
    /// Where the walk is; grows and shrinks with it.
    name: String,
    ancestors: Vec<ObjectId>,
    resolved: HashMap<ObjectId, StoredTensor>,
    tensors: BTreeMap<String, StoredTensor>,
    visits_left: usize,
    rearranged_left: usize,
}

impl Walk<'_, '_> {
    fn child(&mut self, key: &str, value: Value) -> Result<(), Fault> {
        let length = self.name.len();
        if length + key.len() >= limits::NAME_BYTES {
            return Err(Fault::Limit {
                what: "bytes of a tensor's name",
                found: (length + key.len() + 1) as u64,
                limit: limits::NAME_BYTES as u64,
            });
        }
        if length > 0 {
            self.name.push('.');
        }
        self.name.push_str(key);
        self.enter(value)?;
        self.name.truncate(length);
        Ok(())
    }

    fn enter(&mut self, value: Value) -> Result<(), Fault> {
        let Value::Object(id) = value else {
            return Ok(());
        };
        let heap = self.heap;
        let object = heap.object(id);
        if let Object::Tensor(view) = object {
            self.spend_visits(1)?;
            return self.insert(id, view);
        }
        self.spend_visits(match object {
            Object::Dict(items) => 1 + items.len(),
            Object::List(items) | Object::Tuple(items) => 1 + items.len(),
            Object::Persistent(_) => 1,
            _ => return Ok(()),
        })?;
        if self.ancestors.contains(&id) {
            return Err(Fault::Cyclic(self.name.clone()));
        }
        if self.ancestors.len() >= limits::DEPTH {
            return Err(Fault::Limit {
                what: "nested containers",
                found: self.ancestors.len() as u64 + 1,
                limit: limits::DEPTH as u64,
            });
        }
        self.ancestors.push(id);
        match object {
            Object::Dict(items) => {
                for (key, value) in items {
                    // Only keys that lead somewhere are names; configuration may be keyed by anything.
                    if self.leads_on(*value) {
                        let key = key_text(heap, *key, &self.name)?;
                        self.child(&key, *value)?;
                    }
                }
            }
            Object::List(items) | Object::Tuple(items) => {
                for (index, value) in items.iter().enumerate() {
                    if self.leads_on(*value) {
                        self.child(&index.to_string(), *value)?;
                    }
                }
            }
            Object::Persistent(_) => self.module(id)?,
            _ => {}
        }
        self.ancestors.pop();
        Ok(())
    }

    fn leads_on(&self, value: Value) -> bool {
        matches!(
            self.heap.get(value),
            Some(
                Object::Tensor(_)
                    | Object::Dict(_)
                    | Object::List(_)
                    | Object::Tuple(_)
                    | Object::Persistent(_)
            )
        )
    }

    /// What PyTorch's `state_dict` lists of a module: parameters, persistent buffers, then its modules.
    fn module(&mut self, id: ObjectId) -> Result<(), Fault> {
        let heap = self.heap;
        let state = module_state(heap, id, &self.name)?;
        let transient: &[Value] = match heap
            .lookup(state, "_non_persistent_buffers_set")
            .and_then(|set| heap.get(set))
        {
            Some(Object::Set(names)) if names.len() <= limits::ATTRIBUTES => names,
            _ => &[],
        };
        for part in ["_parameters", "_buffers", "_modules"] {
            let Some(items) = heap.lookup(state, part).and_then(|part| heap.dict(part)) else {
                return Err(malformed!(
                    "the network object {:?} has no dict of {part}",
                    self.name
                ));
            };
            for (key, value) in items {
                let key = key_text(heap, *key, &self.name)?;
                let is_transient = part == "_buffers"
                    && transient
                        .iter()
                        .any(|name| heap.text(*name) == Some(key.as_str()));
                if !is_transient {
                    self.child(&key, *value)?;
                }
            }
        }
        Ok(())
    }

    fn spend_visits(&mut self, values: usize) -> Result<(), Fault> {
        let limit = limits::visits(self.heap.instructions());
        self.visits_left = self.visits_left.checked_sub(values).ok_or(Fault::Limit {
            what: "references to the same few objects",
            found: limit as u64 + 1,
            limit: limit as u64,
        })?;
        Ok(())
    }

    fn insert(&mut self, id: ObjectId, view: &View) -> Result<(), Fault> {
        let tensor = match self.resolved.get(&id) {
            Some(tensor) => tensor.clone(),
            None => {
                let tensor = self.resolve(view)?;
                self.resolved.insert(id, tensor.clone());
                tensor
            }
        };
        if self.tensors.insert(self.name.clone(), tensor).is_some() {
            return Err(self.invalid("the file has two tensors of this name".to_owned()));
        }
        Ok(())
    }

    fn invalid(&self, reason: String) -> Fault {
        Fault::InvalidTensor {
            tensor: self.name.clone(),
            reason,
        }
    }

    fn resolve(&mut self, view: &View) -> Result<StoredTensor, Fault> {
        let storage = self.heap.storage(view.storage);
        let (owner, start) = match &storage.content {
            Content::Unavailable(reason) => return Err(self.invalid(reason.clone())),
            Content::InFile(range) => (self.file, range.start),
            Content::Decoded(bytes) => (bytes, 0),
        };
        let Layout {
            shape,
            strides,
            offset,
        } = Layout::inside(view, storage.elements).map_err(|reason| self.invalid(reason))?;
        let size = storage.dtype.size();
        let bytes = byte_count(storage.dtype, &shape)
            .ok_or_else(|| self.invalid(format!("shape {shape:?} is too large")))?;
        let first = start + offset * size;
        if is_row_major(&shape, &strides) && (!storage.big_endian || size == 1) {
            let range = first..first + bytes;
            return Ok(StoredTensor::shared(
                storage.dtype,
                shape,
                Arc::clone(owner),
                range,
            ));
        }
        self.rearranged_left = self.rearranged_left.checked_sub(bytes).ok_or_else(|| {
            self.invalid(format!(
                "its {bytes} bytes are out of order in the file, as are more tensors than a file of {} bytes should hold",
                self.file.len()
            ))
        })?;
        let mut rearranged = Vec::with_capacity(bytes);
        let mut index = vec![0usize; shape.len()];
        for _ in 0..bytes / size {
            let element: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
            let at = first + element * size;
            rearranged.extend_from_slice(&owner[at..at + size]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        if storage.big_endian {
            rearranged.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(StoredTensor::new(storage.dtype, shape, rearranged))
    }
}

/// A view whose every element lies inside its storage.
struct Layout {
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
}

impl Layout {
    fn inside(view: &View, elements: u64) -> Result<Self, String> {
        let View {
            shape,
            strides,
            offset,
            ..
        } = view;
        let outside = || {
            format!(
                "shape {shape:?}, strides {strides:?} and offset {offset} reach outside its storage of {elements} elements"
            )
        };
        let sizes = |values: &[i64]| -> Option<Vec<usize>> {
            values.iter().map(|v| usize::try_from(*v).ok()).collect()
        };
        let (Some(shape_), Some(strides_), Ok(offset_)) =
            (sizes(shape), sizes(strides), usize::try_from(*offset))
        else {
            return Err(outside());
        };
        if shape_.len() != strides_.len() {
            return Err(format!(
                "shape {shape:?} and strides {strides:?} differ in rank"
            ));
        }
        let count = shape_
            .iter()
            .try_fold(1usize, |n, extent| n.checked_mul(*extent));
        // Repeating elements by a stride of zero would let a few bytes stand for any number of weights.
        if count.is_none_or(|count| count as u64 > elements) {
            return Err(format!(
                "shape {shape:?} has more elements than its storage of {elements}"
            ));
        }
        let end = if count == Some(0) {
            Some(offset_)
        } else {
            shape_
                .iter()
                .zip(&strides_)
                .try_fold(offset_, |end, (extent, stride)| {
                    (extent - 1).checked_mul(*stride)?.checked_add(end)
                })
                .and_then(|last| last.checked_add(1))
        };
        if end.is_none_or(|end| end as u64 > elements) {
            return Err(outside());
        }
        Ok(Self {
            shape: shape_,
            strides: strides_,
            offset: offset_,
        })
    }
}

/// Whether elements follow one another as in a plain array; strides of axes with one element mean nothing.
fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let fits = *extent == 1 || *stride == expected;
        expected *= extent;
        fits
    }) || shape.contains(&0)
}

//! From the objects of a pickle to named tensors, networks and configuration.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{Content, Heap, JsonWriter, Object, ObjectId, Value, View};
use crate::stored_tensor::byte_count;
use crate::{Network, StoredTensor};

/// Name of the tensor in a file that holds nothing but one.
const ONLY_TENSOR: &str = "tensor";

/// Attributes of modules that configure a network and leave no trace in the names and shapes of its tensors.
///
/// The official repositories differ in their defaults, so a network's arguments alone do not say them.
const MODULE_OPTIONS: [&str; 2] = ["conv_clamp", "w_avg_beta"];

/// A network is listed once, and the metadata has its class, its arguments, its configuration and its options.
const NETWORK_ENTRIES: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Flattened {
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    /// Arrays of elements that are not read, and what their type is called.
    pub(crate) opaque: BTreeMap<String, String>,
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
        nameless: None,
        ancestors: Vec::new(),
        resolved: HashMap::new(),
        tensors: BTreeMap::new(),
        opaque: BTreeMap::new(),
        options: BTreeMap::new(),
        visits_left: limits::visits(heap.instructions()),
        rearranged_left: limits::rearranged_bytes(file.len()),
        table_left: limits::table_bytes(file.len()),
    };
    let mut json = JsonWriter::new(file.len());
    let mut networks = Vec::new();
    let mut metadata = BTreeMap::new();
    let entries: &[(Value, Value)] = match (root, heap.get(root)) {
        (_, Some(Object::Dict(entries))) => entries.as_slice(),
        (Value::Object(id), Some(Object::Persistent(_))) => {
            walk.enter(root)?;
            let network = walk.network(id, String::new(), &mut json)?;
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
        let before = walk.tensors.len() + walk.opaque.len();
        walk.item(*key, *value)?;
        let holds_none = walk.tensors.len() + walk.opaque.len() == before;
        let Some(key) = key_text(heap, *key).filter(|key| key.len() < limits::NAME_BYTES) else {
            // Nothing below it was a tensor, and nobody could ask for it.
            continue;
        };
        match (*value, heap.get(*value)) {
            (Value::Object(id), Some(Object::Persistent(_))) => {
                let network = walk.network(id, key.to_string(), &mut json)?;
                network.describe(&format!("{key}."), &mut metadata);
                networks.push(network);
            }
            (_, Some(Object::Dict(items))) if holds_tensors(heap, items) => {
                walk.spend_table(key.len())?;
                networks.push(Network::state_dict(key.into_owned()));
            }
            (Value::None, _) => {}
            _ if holds_none => {
                if let Some(small) = json.write_if_small(heap, *value, &key)? {
                    walk.spend_table(key.len())?;
                    metadata.insert(key.into_owned(), small.to_string());
                }
            }
            _ => {}
        }
    }
    Ok(Flattened {
        tensors: walk.tensors,
        opaque: walk.opaque,
        networks,
        metadata,
    })
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

/// A module of the official networks: what describes it, and the `state` in that, its attributes.
struct ModuleState<'h> {
    description: &'h [(Value, Value)],
    attributes: &'h [(Value, Value)],
}

impl<'h> ModuleState<'h> {
    fn of(heap: &'h Heap<'_>, id: ObjectId, name: &str) -> Result<Self, Fault> {
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
}

struct Walk<'h, 'a> {
    heap: &'h Heap<'a>,
    file: &'h Arc<Vec<u8>>,
    /// Where the walk is; grows and shrinks with it.
    name: String,
    /// Why the place where the walk is cannot be named. Only an error once a tensor lies there, as configuration may be keyed by anything.
    nameless: Option<Fault>,
    ancestors: Vec<ObjectId>,
    resolved: HashMap<ObjectId, StoredTensor>,
    tensors: BTreeMap<String, StoredTensor>,
    opaque: BTreeMap<String, String>,
    /// [`MODULE_OPTIONS`] of all modules.
    options: BTreeMap<String, Json>,
    visits_left: usize,
    rearranged_left: usize,
    table_left: usize,
}

impl<'h> Walk<'h, '_> {
    /// A step down to an item of a dict.
    fn item(&mut self, key: Value, value: Value) -> Result<(), Fault> {
        match key_text(self.heap, key) {
            Some(key) => self.child(&key, value),
            None => {
                let place = match self.name.as_str() {
                    "" => "the file",
                    name => name,
                };
                let fault = malformed!(
                    "a key of {place} is {}, expected a text or an integer",
                    self.heap.describe(key)
                );
                self.nameless_child(fault, value)
            }
        }
    }

    fn child(&mut self, key: &str, value: Value) -> Result<(), Fault> {
        let length = self.name.len();
        if length + key.len() >= limits::NAME_BYTES {
            let fault = Fault::Limit {
                what: "bytes of a tensor's name",
                found: (length + key.len() + 1) as u64,
                limit: limits::NAME_BYTES as u64,
            };
            return self.nameless_child(fault, value);
        }
        if length > 0 {
            self.name.push('.');
        }
        self.name.push_str(key);
        self.enter(value)?;
        self.name.truncate(length);
        Ok(())
    }

    fn nameless_child(&mut self, fault: Fault, value: Value) -> Result<(), Fault> {
        let is_outermost = self.nameless.is_none();
        if is_outermost {
            self.nameless = Some(fault);
        }
        self.enter(value)?;
        if is_outermost {
            self.nameless = None;
        }
        Ok(())
    }

    fn enter(&mut self, value: Value) -> Result<(), Fault> {
        let Value::Object(id) = value else {
            return Ok(());
        };
        let heap = self.heap;
        let object = heap.object(id);
        self.spend_visits(match object {
            Object::Dict(items) => 1 + items.len(),
            Object::List(items) | Object::Tuple(items) => 1 + items.len(),
            Object::Tensor(_) | Object::Opaque(_) | Object::Persistent(_) => 1,
            _ => return Ok(()),
        })?;
        match object {
            Object::Tensor(view) => return self.insert(id, view),
            Object::Opaque(element_type) => return self.insert_opaque(*element_type),
            _ => {}
        }
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
                    if self.leads_on(*value) {
                        self.item(*key, *value)?;
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
                    | Object::Opaque(_)
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
        let ModuleState {
            description,
            attributes,
        } = ModuleState::of(heap, id, &self.name)?;
        self.spend_visits(description.len() + attributes.len())?;
        for option in MODULE_OPTIONS {
            self.keep_option(option, heap.lookup(attributes, option))?;
        }
        let transient: HashSet<&str> = match heap
            .lookup(attributes, "_non_persistent_buffers_set")
            .and_then(|set| heap.get(set))
        {
            Some(Object::Set(names)) => {
                self.spend_visits(names.len())?;
                // A longer one names nothing that is kept, and is not hashed again and again.
                let names = names.iter().filter_map(|name| heap.text(*name));
                names
                    .filter(|name| name.len() < limits::NAME_BYTES)
                    .collect()
            }
            _ => HashSet::new(),
        };
        for part in ["_parameters", "_buffers", "_modules"] {
            let Some(items) = heap
                .lookup(attributes, part)
                .and_then(|part| heap.dict(part))
            else {
                return Err(malformed!(
                    "the network object {:?} has no dict of {part}",
                    self.name
                ));
            };
            self.spend_visits(1 + items.len())?;
            for (key, value) in items {
                let is_transient = part == "_buffers"
                    && heap.text(*key).is_some_and(|key| {
                        key.len() < limits::NAME_BYTES && transient.contains(key)
                    });
                if !is_transient {
                    self.item(*key, *value)?;
                }
            }
        }
        Ok(())
    }

    fn keep_option(&mut self, option: &str, value: Option<Value>) -> Result<(), Fault> {
        let value = match value {
            Some(Value::None) => Json::Null,
            Some(Value::Bool(value)) => value.into(),
            Some(Value::Int(value)) => value.into(),
            Some(Value::Float(value)) => value.into(),
            Some(Value::Object(_)) | None => return Ok(()),
        };
        if self.nameless.is_none() {
            let name = format!("{}{option}", prefix(&self.name));
            self.spend_table(name.len())?;
            self.options.insert(name, value);
        }
        Ok(())
    }

    /// The network object `id` that was entered under `name`, or as the root where that is empty.
    fn network(
        &mut self,
        id: ObjectId,
        name: String,
        json: &mut JsonWriter,
    ) -> Result<Network, Fault> {
        let heap = self.heap;
        let ModuleState {
            description,
            attributes,
        } = ModuleState::of(heap, id, &name)?;
        let class_name = heap
            .lookup(description, "class_name")
            .and_then(|name| heap.text(name))
            .filter(|class_name| class_name.len() < limits::NAME_BYTES);
        for _ in 0..NETWORK_ENTRIES {
            self.spend_table(name.len())?;
        }
        self.spend_table(2 * class_name.map_or(0, str::len))?;
        let mut argument = |key: &str| -> Result<Option<Json>, Fault> {
            heap.lookup(attributes, key)
                .map(|value| json.write(heap, value, &name))
                .transpose()
        };
        let arguments = argument("_init_args")?;
        let config = argument("_init_kwargs")?;
        let prefix = prefix(&name);
        let options = self
            .options
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

    fn spend_visits(&mut self, values: usize) -> Result<(), Fault> {
        let limit = limits::visits(self.heap.instructions());
        self.visits_left = self.visits_left.checked_sub(values).ok_or(Fault::Limit {
            what: "references to the same few objects",
            found: limit as u64 + 1,
            limit: limit as u64,
        })?;
        Ok(())
    }

    /// Pays for an entry of a table under a name of `name` bytes.
    fn spend_table(&mut self, name: usize) -> Result<(), Fault> {
        let limit = limits::table_bytes(self.file.len());
        self.table_left = self
            .table_left
            .checked_sub(limits::ENTRY_BYTES + name)
            .ok_or(Fault::Limit {
                what: "bytes of names",
                found: limit as u64 + 1,
                limit: limit as u64,
            })?;
        Ok(())
    }

    /// Pays for one tensor more, which must have a name.
    fn spend_name(&mut self) -> Result<(), Fault> {
        match self.nameless.take() {
            Some(fault) => Err(fault),
            None => self.spend_table(self.name.len()),
        }
    }

    fn insert(&mut self, id: ObjectId, view: &View) -> Result<(), Fault> {
        self.spend_name()?;
        let tensor = match self.resolved.get(&id) {
            Some(tensor) => tensor.clone(),
            None => {
                let tensor = self.resolve(view)?;
                self.resolved.insert(id, tensor.clone());
                tensor
            }
        };
        let is_doubled = self.opaque.contains_key(&self.name)
            || self.tensors.insert(self.name.clone(), tensor).is_some();
        self.refuse_doubled(is_doubled)
    }

    fn insert_opaque(&mut self, element_type: ObjectId) -> Result<(), Fault> {
        if self.nameless.is_some() {
            // Nobody can ask for it.
            return Ok(());
        }
        self.spend_name()?;
        let element_type = match self.heap.object(element_type) {
            Object::Text(name) => name.chars().take(limits::ELEMENT_TYPE_CHARACTERS).collect(),
            _ => String::new(),
        };
        let is_doubled = self.tensors.contains_key(&self.name)
            || self
                .opaque
                .insert(self.name.clone(), element_type)
                .is_some();
        self.refuse_doubled(is_doubled)
    }

    fn refuse_doubled(&self, is_doubled: bool) -> Result<(), Fault> {
        if is_doubled {
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
    // First, as the other extents of an empty tensor may be of any size.
    if shape.contains(&0) {
        return true;
    }
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let fits = *extent == 1 || *stride == expected;
        expected *= extent;
        fits
    })
}

//! The walk through the objects of a pickle that names what it finds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::budget::Budget;
use super::elements::Elements;
use super::module_state::{MODULE_OPTIONS, ModuleState, plain, transient_buffers};
use super::{key_text, prefix};
use crate::StoredTensor;
use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{Foreign, Heap, MODULE_PARTS, Object, ObjectId, Value, View};

/// What was found below one entry of the file.
#[derive(Default)]
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, StoredTensor>,
    pub(super) opaque: BTreeMap<String, String>,
    /// Modules that lie in no other module of their kind, in the order in which they were met.
    pub(super) modules: Vec<FoundModule>,
    /// The first unknown class outside of all modules.
    pub(super) unknown: Option<ObjectId>,
}

pub(super) struct FoundModule {
    pub(super) name: String,
    pub(super) id: ObjectId,
    /// The first unknown class in it.
    pub(super) unknown: Option<ObjectId>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.tensors.is_empty() && self.opaque.is_empty()
    }

    /// Whether an unknown class lies in the entry.
    pub(super) fn has_unknown(&self) -> bool {
        self.unknown.is_some() || self.modules.iter().any(|module| module.unknown.is_some())
    }

    /// What is left where the entry is not understood: that it is not.
    pub(super) fn abandon(&mut self) {
        let first = |module: &FoundModule| module.unknown;
        self.unknown = self.unknown.or_else(|| self.modules.iter().find_map(first));
        self.tensors.clear();
        self.opaque.clear();
        self.modules.clear();
    }
}

pub(super) struct Walk<'h, 'a> {
    heap: &'h Heap<'a>,
    elements: Elements<'h, 'a>,
    pub(super) budget: Budget,
    /// Where the walk is; grows and shrinks with it.
    name: String,
    /// Why the place where the walk is cannot be named. Only an error once a tensor lies there, as configuration may be
    /// keyed by anything.
    nameless: Option<Fault>,
    ancestors: Vec<ObjectId>,
    /// Modules of the official networks, and any modules, that the walk is in.
    inside: Inside,
    resolved: HashMap<ObjectId, StoredTensor>,
    pub(super) found: Found,
    /// The first object of an unknown class in the whole file.
    pub(super) first_foreign: Option<Foreign>,
    /// [`MODULE_OPTIONS`] of all modules.
    pub(super) options: BTreeMap<String, Json>,
}

#[derive(Clone, Copy, Default)]
struct Inside {
    official: bool,
    /// Index among the found modules.
    module: Option<usize>,
}

impl<'h, 'a> Walk<'h, 'a> {
    pub(super) fn new(heap: &'h Heap<'a>, file: &'h Arc<Vec<u8>>) -> Self {
        Self {
            heap,
            elements: Elements::new(heap, file),
            budget: Budget::new(file.len(), heap.instructions()),
            name: String::new(),
            nameless: None,
            ancestors: Vec::new(),
            inside: Inside::default(),
            resolved: HashMap::new(),
            found: Found::default(),
            first_foreign: None,
            options: BTreeMap::new(),
        }
    }

    /// Starts over at the root, in which the entries lie, after one of them.
    pub(super) fn return_to(&mut self, root: Option<ObjectId>) {
        self.name.clear();
        self.nameless = None;
        self.ancestors.clear();
        self.ancestors.extend(root);
        self.inside = Inside::default();
    }

    /// A step down to an item of a dict.
    pub(super) fn item(&mut self, key: Value, value: Value) -> Result<(), Fault> {
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

    pub(super) fn child(&mut self, key: &str, value: Value) -> Result<(), Fault> {
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

    pub(super) fn enter(&mut self, value: Value) -> Result<(), Fault> {
        let Value::Object(id) = value else {
            return Ok(());
        };
        let heap = self.heap;
        let object = heap.object(id);
        self.budget.visit(match object {
            Object::Dict(items) => 1 + items.len(),
            Object::List(items) | Object::Tuple(items) => 1 + items.len(),
            Object::Tensor(_) | Object::Opaque(_) | Object::Persistent(_) | Object::Foreign(_) => 1,
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
        let before = self.inside;
        match object {
            Object::Dict(items) => self.dict(items)?,
            Object::List(items) | Object::Tuple(items) => {
                for (index, value) in items.iter().enumerate() {
                    if self.leads_on(*value) {
                        self.child(&index.to_string(), *value)?;
                    }
                }
            }
            Object::Persistent(_) => {
                if !self.inside.official {
                    self.meet_module(id)?;
                }
                self.inside.official = true;
                self.official_module(id)?;
            }
            Object::Foreign(foreign) => self.foreign(id, *foreign)?,
            _ => {}
        }
        self.inside = before;
        self.ancestors.pop();
        Ok(())
    }

    fn dict(&mut self, items: &[(Value, Value)]) -> Result<(), Fault> {
        for (key, value) in items {
            if self.leads_on(*value) {
                self.item(*key, *value)?;
            }
        }
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
                    | Object::Foreign(_)
            )
        )
    }

    /// A module that is a network, unless it lies where nobody could ask for it.
    fn meet_module(&mut self, id: ObjectId) -> Result<(), Fault> {
        if self.nameless.is_none() {
            self.budget.entry(self.name.len())?;
            self.inside.module = Some(self.found.modules.len());
            self.found.modules.push(FoundModule {
                name: self.name.clone(),
                id,
                unknown: None,
            });
        }
        Ok(())
    }

    fn official_module(&mut self, id: ObjectId) -> Result<(), Fault> {
        let ModuleState {
            description,
            attributes,
        } = ModuleState::of(self.heap, id, &self.name)?;
        self.budget.visit(description.len() + attributes.len())?;
        self.module(attributes)
    }

    /// An object of an unknown class. One that keeps what every PyTorch module keeps can be read like one; of another
    /// that stands for a part of a module it is kept that this part is missing.
    fn foreign(&mut self, id: ObjectId, foreign: Foreign) -> Result<(), Fault> {
        let heap = self.heap;
        if heap.is_script(foreign) {
            return self.script_object(foreign);
        }
        self.first_foreign.get_or_insert(foreign);
        if let Some(attributes) = heap.dict(foreign.state) {
            self.budget
                .visit(attributes.len().min(limits::ATTRIBUTES))?;
        }
        let attributes = heap.module_state(foreign);
        if attributes.is_some() && self.inside.module.is_none() {
            self.meet_module(id)?;
        }
        let unknown = match self.inside.module {
            Some(index) => &mut self.found.modules[index].unknown,
            None => &mut self.found.unknown,
        };
        unknown.get_or_insert(foreign.class);
        if let Some(attributes) = attributes {
            self.module(attributes)?;
        } else if let Some(items) = foreign.items {
            self.enter(Value::Object(items))?;
        } else if self.inside.module.is_some() {
            self.insert_opaque(foreign.class)?;
        }
        Ok(())
    }

    /// A module of TorchScript, whose parameters, buffers and modules are its attributes. Its class is not looked at. A
    /// part without attributes, such as packed weights of a quantized layer, is listed as one that was not read.
    fn script_object(&mut self, foreign: Foreign) -> Result<(), Fault> {
        let heap = self.heap;
        let attributes = heap.dict(foreign.state);
        let Some(attributes) = attributes.filter(|a| a.len() <= limits::ATTRIBUTES) else {
            if !self.name.is_empty() {
                return self.insert_opaque(foreign.class);
            }
            return Err(malformed!(
                "the TorchScript module has no state of at most {} attributes",
                limits::ATTRIBUTES
            ));
        };
        self.budget.visit(attributes.len())?;
        for (key, value) in attributes {
            let leads_on = match heap.get(*value) {
                Some(Object::Tensor(_) | Object::Opaque(_)) => true,
                Some(Object::Foreign(inner)) => heap.is_script(*inner),
                _ => false,
            };
            if leads_on {
                self.item(*key, *value)?;
            }
        }
        Ok(())
    }

    /// What PyTorch's `state_dict` lists of a module: parameters, persistent buffers, then its modules.
    fn module(&mut self, attributes: &[(Value, Value)]) -> Result<(), Fault> {
        let heap = self.heap;
        for option in MODULE_OPTIONS {
            self.keep_option(option, heap.lookup(attributes, option))?;
        }
        let transient = transient_buffers(heap, attributes, &mut self.budget)?;
        for part in MODULE_PARTS {
            let Some(items) = heap
                .lookup(attributes, part)
                .and_then(|part| heap.dict(part))
            else {
                return Err(malformed!(
                    "the network object {:?} has no dict of {part}",
                    self.name
                ));
            };
            self.budget.visit(1 + items.len())?;
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
        let Some(value) = value.and_then(plain) else {
            return Ok(());
        };
        if self.nameless.is_none() {
            let name = format!("{}{option}", prefix(&self.name));
            self.budget.entry(name.len())?;
            self.options.insert(name, value);
        }
        Ok(())
    }

    /// Pays for one tensor more, which must have a name.
    fn pay_for_tensor(&mut self) -> Result<(), Fault> {
        match self.nameless.take() {
            Some(fault) => Err(fault),
            None => self.budget.entry(self.name.len()),
        }
    }

    fn insert(&mut self, id: ObjectId, view: &View) -> Result<(), Fault> {
        self.pay_for_tensor()?;
        let tensor = match self.resolved.get(&id) {
            Some(tensor) => tensor.clone(),
            None => {
                let tensor = self.elements.tensor(view);
                let tensor = tensor.map_err(|reason| self.invalid(reason))?;
                self.resolved.insert(id, tensor.clone());
                tensor
            }
        };
        let found = &mut self.found;
        let is_doubled = found.opaque.contains_key(&self.name)
            || found.tensors.insert(self.name.clone(), tensor).is_some();
        self.refuse_doubled(is_doubled)
    }

    fn insert_opaque(&mut self, element_type: ObjectId) -> Result<(), Fault> {
        if self.nameless.is_some() {
            // Nobody can ask for it.
            return Ok(());
        }
        self.pay_for_tensor()?;
        let full;
        let name = match self.heap.object(element_type) {
            Object::Text(name) => name.as_ref(),
            Object::Unknown(unknown) => {
                full = self.heap.full_name(*unknown);
                &full
            }
            _ => "",
        };
        let element_type = name.chars().take(limits::ELEMENT_TYPE_CHARACTERS).collect();
        let found = &mut self.found;
        let is_doubled = found.tensors.contains_key(&self.name)
            || found
                .opaque
                .insert(self.name.clone(), element_type)
                .is_some();
        self.refuse_doubled(is_doubled)
    }

    fn refuse_doubled(&self, is_doubled: bool) -> Result<(), Fault> {
        if is_doubled {
            return Err(doubled(self.name.clone()));
        }
        Ok(())
    }

    fn invalid(&self, reason: String) -> Fault {
        Fault::InvalidTensor {
            tensor: self.name.clone(),
            reason,
        }
    }
}

/// Two tensors have one name.
pub(super) fn doubled(tensor: String) -> Fault {
    Fault::InvalidTensor {
        tensor,
        reason: "the file has two tensors of this name".to_owned(),
    }
}

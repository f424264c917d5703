use serde_json::Value as Json;

use super::heap::{Heap, Object, ObjectId, Value};
use crate::fault::Fault;
use crate::limits;

/// Turns configuration values into JSON, within budgets for a whole file.
///
/// Tuples and sets become arrays; what JSON cannot say (tensors, byte strings, infinities) becomes null.
#[derive(Debug)]
pub(crate) struct JsonWriter {
    /// For what is kept.
    bytes_left: usize,
    /// For what is written at all, values that turn out too large among them.
    attempts_left: usize,
}

/// About the longest form of a number, so that every value pays at least for itself.
const BYTES_OF_A_VALUE: usize = 24;

impl JsonWriter {
    /// A writer for a file of `file` bytes.
    pub(crate) fn new(file: usize) -> Self {
        Self {
            bytes_left: limits::CONFIGURATION_BYTES,
            attempts_left: limits::attempted_bytes(file),
        }
    }

    /// `value` as JSON, which must be small enough; `place` names it in errors.
    pub(crate) fn write(
        &mut self,
        heap: &Heap<'_>,
        value: Value,
        place: &str,
    ) -> Result<Json, Fault> {
        self.write_if_small(heap, value, place)?
            .ok_or(Fault::Limit {
                what: "bytes of configuration",
                found: limits::CONFIGURATION_BYTES as u64 + 1,
                limit: limits::CONFIGURATION_BYTES as u64,
            })
    }

    /// `value` as JSON; `None` where it is too large, as histories of training are.
    pub(crate) fn write_if_small(
        &mut self,
        heap: &Heap<'_>,
        value: Value,
        place: &str,
    ) -> Result<Option<Json>, Fault> {
        let before = self.bytes_left;
        let json = self.nested(heap, value, place, &mut Vec::new())?;
        if json.is_none() {
            self.bytes_left = before;
        }
        Ok(json)
    }

    fn nested(
        &mut self,
        heap: &Heap<'_>,
        value: Value,
        place: &str,
        ancestors: &mut Vec<ObjectId>,
    ) -> Result<Option<Json>, Fault> {
        if !self.spend(BYTES_OF_A_VALUE) {
            return Ok(None);
        }
        let id = match value {
            Value::None => return Ok(Some(Json::Null)),
            Value::Bool(b) => return Ok(Some(b.into())),
            Value::Int(n) => return Ok(Some(n.into())),
            Value::Float(x) => return Ok(Some(x.into())),
            Value::Object(id) => id,
        };
        if ancestors.contains(&id) {
            return Err(Fault::Cyclic(place.to_owned()));
        }
        if ancestors.len() >= limits::DEPTH {
            return Err(Fault::Limit {
                what: "nested containers",
                found: ancestors.len() as u64 + 1,
                limit: limits::DEPTH as u64,
            });
        }
        ancestors.push(id);
        let json = match heap.object(id) {
            Object::Text(text) => {
                if !self.spend(text.len()) {
                    return Ok(None);
                }
                Json::String(text.clone().into_owned())
            }
            Object::BigInt(n) => u64::try_from(*n).map_or(Json::Null, Json::from),
            Object::Tuple(items) | Object::List(items) | Object::Set(items) => {
                let mut array = Vec::new();
                for item in items {
                    let Some(item) = self.nested(heap, *item, place, ancestors)? else {
                        return Ok(None);
                    };
                    array.push(item);
                }
                Json::Array(array)
            }
            Object::Dict(items) => {
                let mut map = serde_json::Map::new();
                for (key, item) in items {
                    let number;
                    let key = match key {
                        Value::Int(n) => {
                            number = n.to_string();
                            &number
                        }
                        other => heap.text(*other).unwrap_or("?"),
                    };
                    if !self.spend(key.len()) {
                        return Ok(None);
                    }
                    let Some(item) = self.nested(heap, *item, place, ancestors)? else {
                        return Ok(None);
                    };
                    map.insert(key.to_owned(), item);
                }
                Json::Object(map)
            }
            Object::Unknown(unknown) => {
                let name = heap.full_name(*unknown);
                if !self.spend(name.len()) {
                    return Ok(None);
                }
                Json::String(name)
            }
            Object::Constructor(constructor) => Json::String(constructor.to_string()),
            _ => Json::Null,
        };
        ancestors.pop();
        Ok(Some(json))
    }

    /// Whether there was enough left.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = |budget: usize| budget.checked_sub(bytes);
        match (left(self.bytes_left), left(self.attempts_left)) {
            (Some(bytes_left), Some(attempts_left)) => {
                self.bytes_left = bytes_left;
                self.attempts_left = attempts_left;
                true
            }
            _ => false,
        }
    }
}

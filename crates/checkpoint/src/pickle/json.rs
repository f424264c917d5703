use serde_json::Value as Json;

use super::heap::{Heap, Object, ObjectId, Value};
use crate::fault::Fault;
use crate::limits;

/// Turns configuration values into JSON, within one budget for a whole file.
#[derive(Debug)]
pub(crate) struct JsonWriter {
    bytes_left: usize,
}

impl Default for JsonWriter {
    fn default() -> Self {
        Self {
            bytes_left: limits::CONFIGURATION_BYTES,
        }
    }
}

impl JsonWriter {
    /// `value` as JSON; `place` names it in errors.
    ///
    /// Tuples and sets become arrays; what JSON cannot say (tensors, byte strings, infinities) becomes null.
    pub(crate) fn write(
        &mut self,
        heap: &Heap<'_>,
        value: Value,
        place: &str,
    ) -> Result<Json, Fault> {
        self.nested(heap, value, place, &mut Vec::new())
    }

    fn nested(
        &mut self,
        heap: &Heap<'_>,
        value: Value,
        place: &str,
        ancestors: &mut Vec<ObjectId>,
    ) -> Result<Json, Fault> {
        // A number takes 24 characters at most, so that every value pays at least for itself.
        self.spend(24)?;
        let id = match value {
            Value::None => return Ok(Json::Null),
            Value::Bool(b) => return Ok(b.into()),
            Value::Int(n) => return Ok(n.into()),
            Value::Float(x) => return Ok(x.into()),
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
                self.spend(text.len())?;
                Json::String(text.clone().into_owned())
            }
            Object::Tuple(items) | Object::List(items) | Object::Set(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.nested(heap, *item, place, ancestors))
                    .collect::<Result<_, Fault>>()?,
            ),
            Object::Dict(items) => {
                let mut map = serde_json::Map::new();
                for (key, item) in items {
                    let key = match key {
                        Value::Int(n) => n.to_string(),
                        other => heap.text(*other).unwrap_or("?").to_owned(),
                    };
                    self.spend(key.len())?;
                    map.insert(key, self.nested(heap, *item, place, ancestors)?);
                }
                Json::Object(map)
            }
            Object::Constructor(constructor) => Json::String(constructor.to_string()),
            _ => Json::Null,
        };
        ancestors.pop();
        Ok(json)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Fault::Limit {
            what: "bytes of configuration",
            found: limits::CONFIGURATION_BYTES as u64 + 1,
            limit: limits::CONFIGURATION_BYTES as u64,
        })?;
        Ok(())
    }
}

use std::borrow::Cow;
use std::collections::HashMap;

use super::constructor::Constructor;
use super::heap::{
    ByteString, Content, Heap, Object, ObjectId, Storage, StorageId, Unknown, Value,
};
use super::{opcode, text_argument};
use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::limits;

/// Highest pickle protocol that exists.
const HIGHEST_PROTOCOL: u8 = 5;

/// The pickle stack machine, for one stream.
///
/// It builds lists, dicts, texts and numbers, and calls nothing: a class or function is looked up in the closed list of
/// [`Constructor`], each of which is written out in this crate. Of any other, the name is kept, so that what stands
/// beside it can be read.
pub(crate) struct Machine<'a, 'h> {
    pub(super) cursor: Cursor<'a>,
    pub(super) heap: &'h mut Heap<'a>,
    /// How many streams this one lies in.
    pub(super) nesting: usize,
    stack: Vec<Value>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    storages: Option<NamedStorages>,
}

/// Storages that a `torch.save` stream refers to by key, in the order of their first mention.
#[derive(Debug, Default)]
pub(crate) struct NamedStorages {
    by_key: HashMap<String, StorageId>,
}

impl NamedStorages {
    pub(crate) fn get(&self, key: &str) -> Option<StorageId> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, StorageId)> {
        self.by_key.iter().map(|(key, id)| (key, *id))
    }
}

/// Runs one pickle up to its STOP and leaves the cursor after it.
pub(crate) fn run<'a>(
    cursor: &mut Cursor<'a>,
    heap: &mut Heap<'a>,
    nesting: usize,
) -> Result<Value, Fault> {
    let mut machine = Machine::new(cursor.clone(), heap, nesting, None);
    let root = machine.run()?;
    *cursor = machine.cursor;
    Ok(root)
}

/// As [`run`], for the part of a `torch.save` stream whose persistent ids name storages.
pub(crate) fn run_with_storages<'a>(
    cursor: &mut Cursor<'a>,
    heap: &mut Heap<'a>,
    nesting: usize,
) -> Result<(Value, NamedStorages), Fault> {
    let mut machine = Machine::new(
        cursor.clone(),
        heap,
        nesting,
        Some(NamedStorages::default()),
    );
    let root = machine.run()?;
    *cursor = machine.cursor;
    Ok((root, machine.storages.unwrap_or_default()))
}

impl<'a, 'h> Machine<'a, 'h> {
    fn new(
        cursor: Cursor<'a>,
        heap: &'h mut Heap<'a>,
        nesting: usize,
        storages: Option<NamedStorages>,
    ) -> Self {
        Self {
            cursor,
            heap,
            nesting,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            storages,
        }
    }

    fn run(&mut self) -> Result<Value, Fault> {
        loop {
            self.heap.spend(1)?;
            let position = self.cursor.position();
            let code = self.cursor.u8()?;
            if code == opcode::STOP {
                let root = self.pop()?;
                if !self.stack.is_empty() {
                    return Err(malformed!(
                        "{} values are left when the pickle stops at byte {position}",
                        self.stack.len()
                    ));
                }
                return Ok(root);
            }
            self.instruction(code, position)?;
        }
    }

    fn instruction(&mut self, code: u8, position: usize) -> Result<(), Fault> {
        match code {
            opcode::PROTO => {
                let protocol = self.cursor.u8()?;
                if protocol > HIGHEST_PROTOCOL {
                    return Err(malformed!(
                        "pickle protocol {protocol} at byte {position}, known are protocols 0 to {HIGHEST_PROTOCOL}"
                    ));
                }
            }
            // Frames only help a reader to prefetch.
            opcode::FRAME => {
                let length = self.cursor.u64()?;
                let left = self.cursor.remaining() as u64;
                if length > left {
                    return Err(malformed!(
                        "the frame at byte {position} declares {length} bytes where {left} are left; the file is truncated or damaged"
                    ));
                }
            }
            opcode::MARK => self.marks.push(self.stack.len()),
            opcode::POP => {
                self.pop()?;
            }
            opcode::POP_MARK => {
                self.pop_to_mark()?;
            }
            opcode::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            opcode::NONE => self.stack.push(Value::None),
            opcode::NEWTRUE => self.stack.push(Value::Bool(true)),
            opcode::NEWFALSE => self.stack.push(Value::Bool(false)),
            opcode::BININT
            | opcode::BININT1
            | opcode::BININT2
            | opcode::LONG1
            | opcode::LONG4
            | opcode::BINFLOAT => self.number(code)?,
            opcode::INT | opcode::LONG | opcode::FLOAT | opcode::STRING | opcode::UNICODE => {
                self.text_instruction(code, position)?;
            }
            opcode::BINUNICODE | opcode::SHORT_BINUNICODE | opcode::BINUNICODE8 => {
                let length = self.length(code)?;
                let text = self.cursor.text(length)?;
                self.push(Object::Text(Cow::Borrowed(text)));
            }
            // What Python 2 calls a string: nearly always a name, so text where it can be.
            opcode::BINSTRING | opcode::SHORT_BINSTRING => {
                let length = self.length(code)?;
                let start = self.cursor.position();
                let bytes = self.cursor.take(length)?;
                self.push(match std::str::from_utf8(bytes) {
                    Ok(text) => Object::Text(Cow::Borrowed(text)),
                    Err(_) => Object::Bytes(ByteString::InFile(start..start + bytes.len())),
                });
            }
            opcode::BINBYTES | opcode::SHORT_BINBYTES | opcode::BINBYTES8 | opcode::BYTEARRAY8 => {
                let length = self.length(code)?;
                let start = self.cursor.position();
                let bytes = self.cursor.take(length)?;
                self.push(Object::Bytes(ByteString::InFile(
                    start..start + bytes.len(),
                )));
            }
            opcode::EMPTY_LIST
            | opcode::EMPTY_DICT
            | opcode::EMPTY_TUPLE
            | opcode::EMPTY_SET
            | opcode::TUPLE
            | opcode::TUPLE1
            | opcode::TUPLE2
            | opcode::TUPLE3
            | opcode::LIST
            | opcode::DICT
            | opcode::FROZENSET
            | opcode::APPEND
            | opcode::APPENDS
            | opcode::ADDITEMS
            | opcode::SETITEM
            | opcode::SETITEMS => self.container(code)?,
            opcode::PUT | opcode::BINPUT | opcode::LONG_BINPUT | opcode::MEMOIZE => {
                let index = match code {
                    opcode::PUT => self.memo_index(position)?,
                    opcode::BINPUT => u32::from(self.cursor.u8()?),
                    opcode::LONG_BINPUT => self.cursor.u32()?,
                    _ => self.memo.len() as u32,
                };
                let top = self.top()?;
                self.memo.insert(index, top);
            }
            opcode::GET | opcode::BINGET | opcode::LONG_BINGET => {
                let index = match code {
                    opcode::GET => self.memo_index(position)?,
                    opcode::BINGET => u32::from(self.cursor.u8()?),
                    _ => self.cursor.u32()?,
                };
                let value = *self.memo.get(&index).ok_or_else(|| {
                    malformed!("byte {position} refers to memo entry {index}, which is not set")
                })?;
                self.stack.push(value);
            }
            opcode::GLOBAL => {
                let class = self.named_by_lines(position)?;
                self.stack.push(class);
            }
            opcode::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Object(module), Value::Object(name)) = (module, name) else {
                    return Err(self.not_named(module, name, position));
                };
                let class = self.class(module, name, position)?;
                self.stack.push(class);
            }
            // Old instances: the class, and above a mark the arguments.
            opcode::INST => {
                let class = self.named_by_lines(position)?;
                let arguments = self.pop_to_mark()?;
                let arguments = self.heap.add(Object::Tuple(arguments));
                let made = self.construct(class, arguments, position)?;
                self.stack.push(made);
            }
            opcode::OBJ => {
                let mut arguments = self.pop_to_mark()?;
                if arguments.is_empty() {
                    return Err(malformed!("byte {position} makes an object of no class"));
                }
                let class = arguments.remove(0);
                let arguments = self.heap.add(Object::Tuple(arguments));
                let made = self.construct(class, arguments, position)?;
                self.stack.push(made);
            }
            opcode::NEWOBJ_EX => {
                let (keywords, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                let is_plain = self.heap.dict(keywords).is_some_and(<[_]>::is_empty);
                let is_known = matches!(self.heap.get(callee), Some(Object::Constructor(_)));
                if is_known && !is_plain {
                    return Err(malformed!(
                        "byte {position} calls {} with keywords, expected none",
                        self.heap.describe(callee)
                    ));
                }
                let made = self.construct(callee, arguments, position)?;
                self.stack.push(made);
            }
            opcode::REDUCE | opcode::NEWOBJ => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let made = self.construct(callee, arguments, position)?;
                self.stack.push(made);
            }
            opcode::BUILD => {
                let (state, target) = (self.pop()?, self.top()?);
                self.fill(target, state, position)?;
            }
            opcode::BINPERSID => {
                let id = self.pop()?;
                if let Some(class) = self.persistent_class(id) {
                    self.stack.push(class);
                } else {
                    let storage = self.persistent_storage(id, position)?;
                    self.push(Object::Storage(storage));
                }
            }
            _ => {
                return Err(malformed!(
                    "byte {position} is 0x{code:02x}, which is no pickle instruction that weights need"
                ));
            }
        }
        Ok(())
    }

    /// The class or function that two lines name.
    fn named_by_lines(&mut self, position: usize) -> Result<Value, Fault> {
        let module = self.cursor.line()?;
        let name = self.cursor.line()?;
        if let Some(constructor) = Constructor::find(module, name) {
            return Ok(self.heap.add(Object::Constructor(constructor)));
        }
        let mut text = |text: &'a str| match self.heap.add(Object::Text(Cow::Borrowed(text))) {
            Value::Object(id) => Ok(id),
            other => Err(malformed!("byte {position} is named by {other:?}")),
        };
        let (module, name) = (text(module)?, text(name)?);
        self.class(module, name, position)
    }

    /// The class or function that two texts name.
    fn class(&mut self, module: ObjectId, name: ObjectId, position: usize) -> Result<Value, Fault> {
        let (Object::Text(module_text), Object::Text(name_text)) =
            (self.heap.object(module), self.heap.object(name))
        else {
            return Err(self.not_named(Value::Object(module), Value::Object(name), position));
        };
        let object = match Constructor::find(module_text, name_text) {
            Some(constructor) => Object::Constructor(constructor),
            None => Object::Unknown(Unknown {
                module,
                name,
                position,
            }),
        };
        Ok(self.heap.add(object))
    }

    fn not_named(&self, module: Value, name: Value, position: usize) -> Fault {
        malformed!(
            "the class at byte {position} is named by {} and {}, expected two texts",
            self.heap.describe(module),
            self.heap.describe(name)
        )
    }

    fn memo_index(&mut self, position: usize) -> Result<u32, Fault> {
        let line = self.cursor.line()?;
        line.trim()
            .parse()
            .map_err(|_| malformed!("byte {position} refers to a memo entry without a number"))
    }

    /// What protocol 0 writes as a line of text.
    fn text_instruction(&mut self, code: u8, position: usize) -> Result<(), Fault> {
        let line = self.cursor.raw_line()?;
        let digits = || {
            std::str::from_utf8(line)
                .map_err(|e| malformed!("text at byte {position} is not UTF-8 ({e})"))
        };
        let value = match code {
            opcode::INT | opcode::LONG => match text_argument::integer(digits()?, position)? {
                Ok(value) => value,
                Err(big) => self.heap.add(Object::BigInt(big)),
            },
            opcode::FLOAT => text_argument::float(digits()?, position)?,
            opcode::UNICODE => {
                let text = text_argument::unicode(line, position)?;
                self.heap.add(Object::Text(text))
            }
            _ => {
                let string = text_argument::string(line, position)?;
                self.heap.add(string)
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn length(&mut self, code: u8) -> Result<u64, Fault> {
        match code {
            opcode::SHORT_BINUNICODE | opcode::SHORT_BINBYTES | opcode::SHORT_BINSTRING => {
                self.cursor.u8().map(u64::from)
            }
            opcode::BINUNICODE8 | opcode::BINBYTES8 | opcode::BYTEARRAY8 => self.cursor.u64(),
            _ => self.cursor.u32().map(u64::from),
        }
    }

    fn number(&mut self, code: u8) -> Result<(), Fault> {
        let value = match code {
            opcode::BININT => Value::Int(i64::from(self.cursor.i32()?)),
            opcode::BININT1 => Value::Int(i64::from(self.cursor.u8()?)),
            opcode::BININT2 => Value::Int(i64::from(self.cursor.u16()?)),
            // The only big-endian value of the format.
            opcode::BINFLOAT => Value::Float(f64::from_be_bytes(self.cursor.array()?)),
            _ => {
                let length = match code {
                    opcode::LONG1 => u32::from(self.cursor.u8()?),
                    _ => self.cursor.u32()?,
                };
                if length as usize > limits::INTEGER_BYTES {
                    return Err(Fault::Limit {
                        what: "bytes of an integer",
                        found: u64::from(length),
                        limit: limits::INTEGER_BYTES as u64,
                    });
                }
                let bytes = self.cursor.take(u64::from(length))?;
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut extended = [if negative { 0xFF } else { 0 }; limits::INTEGER_BYTES];
                extended[..bytes.len()].copy_from_slice(bytes);
                let big = i128::from_le_bytes(extended);
                match i64::try_from(big) {
                    Ok(small) => Value::Int(small),
                    Err(_) => self.heap.add(Object::BigInt(big)),
                }
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn container(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            opcode::EMPTY_LIST => self.push(Object::List(Vec::new())),
            opcode::EMPTY_DICT => self.push(Object::Dict(Vec::new())),
            opcode::EMPTY_TUPLE => self.push(Object::Tuple(Vec::new())),
            opcode::EMPTY_SET => self.push(Object::Set(Vec::new())),
            opcode::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items));
            }
            opcode::LIST => {
                let items = self.pop_to_mark()?;
                self.push(Object::List(items));
            }
            opcode::DICT => {
                let items = self.pop_to_mark()?;
                self.push(Object::Dict(Vec::new()));
                self.set_items(&items)?;
            }
            opcode::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push(Object::Set(items));
            }
            opcode::TUPLE1 | opcode::TUPLE2 | opcode::TUPLE3 => {
                let count = usize::from(code - opcode::TUPLE1) + 1;
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Object::Tuple(items));
            }
            opcode::APPEND => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            opcode::APPENDS | opcode::ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.extend(&items)?;
            }
            opcode::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            _ => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
        }
        Ok(())
    }

    /// Appends to the list or set on top of the stack. What an object of an unknown class does with items is not known,
    /// so they are dropped.
    fn extend(&mut self, new: &[Value]) -> Result<(), Fault> {
        let target = self.top()?;
        if let Some(Object::Foreign(_) | Object::Opaque(_)) = self.heap.get(target) {
            return Ok(());
        }
        if let Value::Object(id) = target
            && let Object::List(items) | Object::Set(items) = self.heap.object_mut(id)
        {
            items.extend_from_slice(new);
            return Ok(());
        }
        Err(malformed!(
            "before byte {} items are appended to {}, expected a list or set",
            self.cursor.position(),
            self.heap.describe(target)
        ))
    }

    /// Adds alternating keys and values to the dict on top of the stack, or to the items of an object of an unknown
    /// class.
    fn set_items(&mut self, new: &[Value]) -> Result<(), Fault> {
        let target = self.items_of(self.top()?);
        let (pairs, rest) = new.as_chunks::<2>();
        if let Value::Object(id) = target
            && let Object::Dict(items) = self.heap.object_mut(id)
            && rest.is_empty()
        {
            items.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            return Ok(());
        }
        Err(malformed!(
            "before byte {} {} keys and values are set on {}, expected pairs and a dict",
            self.cursor.position(),
            new.len(),
            self.heap.describe(target)
        ))
    }

    /// The dict that takes what is set in `target`.
    fn items_of(&mut self, target: Value) -> Value {
        let (Value::Object(id), Some(Object::Foreign(foreign))) = (target, self.heap.get(target))
        else {
            return target;
        };
        if let Some(items) = foreign.items {
            return Value::Object(items);
        }
        let made = self.heap.add(Object::Dict(Vec::new()));
        if let (Value::Object(items), Object::Foreign(foreign)) = (made, self.heap.object_mut(id)) {
            foreign.items = Some(items);
        }
        made
    }

    /// The class that `('module', class, file, source)` stands for, as streams of whole modules have it; the source is
    /// not looked at.
    fn persistent_class(&self, id: Value) -> Option<Value> {
        let &[tag, class, _, _] = self.heap.tuple(id)? else {
            return None;
        };
        let is_class = matches!(
            self.heap.get(class),
            Some(Object::Unknown(_) | Object::Constructor(_))
        );
        (self.storages.is_some() && is_class && self.heap.text(tag) == Some("module"))
            .then_some(class)
    }

    /// The storage that `('storage', type, key, location, elements)` names.
    fn persistent_storage(&mut self, id: Value, position: usize) -> Result<StorageId, Fault> {
        let wrong = |found: String| {
            malformed!(
                "the persistent id at byte {position} is {found}, expected ('storage', type, key, location, number of elements)"
            )
        };
        let Some(&[tag, storage_type, key, _location, elements, ref view @ ..]) =
            self.heap.tuple(id)
        else {
            return Err(wrong(self.heap.describe(id)));
        };
        let dtype = match self.heap.get(storage_type) {
            Some(Object::Constructor(Constructor::StorageType(dtype))) => *dtype,
            _ => return Err(wrong(format!("of {}", self.heap.describe(storage_type)))),
        };
        let (Some("storage"), Some(key), Value::Int(elements)) =
            (self.heap.text(tag), self.heap.text(key), elements)
        else {
            return Err(wrong(self.heap.describe(id)));
        };
        let elements =
            u64::try_from(elements).map_err(|_| wrong(format!("of {elements} elements")))?;
        // torch.save stopped writing views of storages before its version 1.0.
        if view.iter().any(|value| *value != Value::None) {
            return Err(wrong("a view of another storage".to_owned()));
        }
        // Before it is copied or hashed: one text may be the key of any number of mentions.
        if key.len() > limits::NAME_BYTES {
            return Err(Fault::Limit {
                what: "bytes of a storage's key",
                found: key.len() as u64,
                limit: limits::NAME_BYTES as u64,
            });
        }
        let key = key.to_owned();
        let Some(named) = &mut self.storages else {
            return Err(malformed!(
                "byte {position} refers to the storage {key}, but only torch.save streams hold storages"
            ));
        };
        if let Some(known) = named.get(&key) {
            let storage = self.heap.storage(known);
            if storage.dtype != dtype || storage.elements != elements {
                return Err(malformed!(
                    "storage {key} is {elements} {dtype:?} at byte {position} but was {} {:?} before",
                    storage.elements,
                    storage.dtype
                ));
            }
            return Ok(known);
        }
        let id = self.heap.add_storage(Storage {
            dtype,
            elements,
            big_endian: false,
            content: Content::Unavailable(format!("storage {key} is not in the file")),
        });
        named.by_key.insert(key, id);
        Ok(id)
    }

    fn push(&mut self, object: Object<'a>) {
        let value = self.heap.add(object);
        self.stack.push(value);
    }

    /// Values below an open mark belong to whoever set it.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Value, Fault> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(*top),
            _ => Err(malformed!(
                "the instruction before byte {} needs a value on the stack, which is empty",
                self.cursor.position()
            )),
        }
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let height = self.marks.pop().ok_or_else(|| {
            malformed!(
                "the instruction before byte {} needs a mark on the stack, there is none",
                self.cursor.position()
            )
        })?;
        Ok(self.stack.split_off(height))
    }

    pub(super) fn dict_items(&self, value: Value) -> Option<(ObjectId, &[(Value, Value)])> {
        match value {
            Value::Object(id) => Some((id, self.heap.dict(value)?)),
            _ => None,
        }
    }
}

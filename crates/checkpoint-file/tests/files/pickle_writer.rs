//! Writes pickles instruction by instruction, well-formed or not.

#[derive(Clone)]
pub struct Pickle(Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(vec![0x80, 4])
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn stop(&mut self) -> Vec<u8> {
        self.code(b'.');
        self.0.clone()
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn code(&mut self, code: u8) -> &mut Self {
        self.raw(&[code])
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.code(b'X')
            .raw(&(text.len() as u32).to_le_bytes())
            .raw(text.as_bytes())
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.code(b'B')
            .raw(&(bytes.len() as u32).to_le_bytes())
            .raw(bytes)
    }

    pub fn int(&mut self, value: i32) -> &mut Self {
        match u8::try_from(value) {
            Ok(small) => self.code(b'K').raw(&[small]),
            Err(_) => self.code(b'J').raw(&value.to_le_bytes()),
        }
    }

    pub fn none(&mut self) -> &mut Self {
        self.code(b'N')
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.code(if value { 0x88 } else { 0x89 })
    }

    pub fn dict(&mut self) -> &mut Self {
        self.code(b'}')
    }

    pub fn list(&mut self) -> &mut Self {
        self.code(b']')
    }

    pub fn empty_tuple(&mut self) -> &mut Self {
        self.code(b')')
    }

    pub fn mark(&mut self) -> &mut Self {
        self.code(b'(')
    }

    pub fn tuple(&mut self) -> &mut Self {
        self.code(b't')
    }

    pub fn appends(&mut self) -> &mut Self {
        self.code(b'e')
    }

    pub fn set_item(&mut self) -> &mut Self {
        self.code(b's')
    }

    pub fn set_items(&mut self) -> &mut Self {
        self.code(b'u')
    }

    pub fn pop(&mut self) -> &mut Self {
        self.code(b'0')
    }

    pub fn put(&mut self, index: u8) -> &mut Self {
        self.code(b'q').raw(&[index])
    }

    pub fn get(&mut self, index: u8) -> &mut Self {
        self.code(b'h').raw(&[index])
    }

    pub fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.code(b'c')
            .raw(format!("{module}\n{name}\n").as_bytes())
    }

    pub fn reduce(&mut self) -> &mut Self {
        self.code(b'R')
    }

    pub fn new_object(&mut self) -> &mut Self {
        self.code(0x81)
    }

    pub fn build(&mut self) -> &mut Self {
        self.code(b'b')
    }

    pub fn persistent_id(&mut self) -> &mut Self {
        self.code(b'Q')
    }

    pub fn ints(&mut self, values: &[i32]) -> &mut Self {
        self.mark();
        for value in values {
            self.int(*value);
        }
        self.tuple()
    }

    /// A numpy array of `shape` as numpy pickles it.
    pub fn numpy_array(&mut self, shape: &[i32], dtype: &str, content: &[u8]) -> &mut Self {
        self.global("numpy.core.multiarray", "_reconstruct");
        self.mark()
            .global("numpy", "ndarray")
            .ints(&[0])
            .bytes(b"b")
            .tuple()
            .reduce();
        self.mark().int(1).ints(shape);
        self.numpy_dtype(dtype, "<");
        self.bool(false).bytes(content).tuple().build()
    }

    pub fn numpy_dtype(&mut self, dtype: &str, order: &str) -> &mut Self {
        self.global("numpy", "dtype");
        self.mark()
            .text(dtype)
            .bool(false)
            .bool(true)
            .tuple()
            .reduce();
        self.mark().int(3).text(order).none().none().none();
        self.int(-1).int(-1).int(0).tuple().build()
    }

    /// A tensor of `torch.save` with its storage.
    pub fn torch_tensor(
        &mut self,
        key: &str,
        storage: (&str, i32),
        offset: i32,
        shape: &[i32],
        strides: &[i32],
    ) -> &mut Self {
        self.global("torch._utils", "_rebuild_tensor_v2").mark();
        self.mark()
            .text("storage")
            .global("torch", storage.0)
            .text(key);
        self.text("cpu").int(storage.1).tuple().persistent_id();
        self.int(offset).ints(shape).ints(strides).bool(false);
        self.global("collections", "OrderedDict")
            .empty_tuple()
            .reduce();
        self.tuple().reduce()
    }
}

/// A `torch.save` stream of the old format around the pickle of its object.
pub fn torch_stream(object: &[u8], storages: &[(&str, u64, &[u8])]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec();
    file.extend(b"\x80\x02M\xe9\x03.");
    let mut system = Pickle::new();
    file.extend(
        system
            .dict()
            .text("little_endian")
            .bool(true)
            .set_item()
            .stop(),
    );
    file.extend(object);
    let mut keys = Pickle::new();
    keys.list().mark();
    for (key, ..) in storages {
        keys.text(key);
    }
    file.extend(keys.appends().stop());
    for (_, elements, content) in storages {
        file.extend(elements.to_le_bytes());
        file.extend(*content);
    }
    file
}

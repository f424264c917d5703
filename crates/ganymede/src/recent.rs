/// Values by their keys, of which those used last are kept.
pub(crate) struct Recent<K, V> {
    most: usize,
    most_bytes: u64,
    /// The one used last at the end.
    entries: Vec<Entry<K, V>>,
}

struct Entry<K, V> {
    key: K,
    value: V,
    bytes: u64,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps at most `most` values.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            most_bytes: u64::MAX,
            entries: Vec::new(),
        }
    }

    /// Keeps values of so many bytes in all, and the one used last however large it is.
    pub(crate) fn within(most_bytes: u64) -> Self {
        Self {
            most: usize::MAX,
            most_bytes,
            entries: Vec::new(),
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let index = self.entries.iter().position(|entry| entry.key == *key)?;
        let entry = self.entries.remove(index);
        let value = entry.value.clone();
        self.entries.push(entry);
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.insert_sized(key, value, 0);
    }

    /// Inserts a value that takes so many bytes.
    pub(crate) fn insert_sized(&mut self, key: K, value: V, bytes: u64) {
        self.entries.retain(|entry| entry.key != key);
        self.entries.push(Entry { key, value, bytes });
        let beyond = self.entries.len().saturating_sub(self.most);
        self.entries.drain(..beyond);
        while self.entries.len() > 1 && self.bytes() > self.most_bytes {
            self.entries.remove(0);
        }
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn the_one_used_least_recently_makes_room() {
        let mut recent = Recent::new(2);
        recent.insert("a", 1);
        recent.insert("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.insert("c", 3);
        assert_eq!(recent.get(&"b"), None);
        assert_eq!((recent.get(&"a"), recent.get(&"c")), (Some(1), Some(3)));
    }

    #[test]
    fn a_key_has_one_value_and_nothing_is_kept_where_nothing_may_be() {
        let mut recent = Recent::new(2);
        recent.insert("a", 1);
        recent.insert("a", 2);
        recent.insert("b", 3);
        assert_eq!((recent.get(&"a"), recent.get(&"b")), (Some(2), Some(3)));
        let mut none = Recent::new(0);
        none.insert("a", 1);
        assert_eq!(none.get(&"a"), None);
    }

    #[test]
    fn values_make_room_by_their_size() {
        let mut recent = Recent::within(10);
        recent.insert_sized("a", 1, 4);
        recent.insert_sized("b", 2, 4);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.insert_sized("c", 3, 4);
        assert_eq!(recent.get(&"b"), None);
        assert_eq!((recent.get(&"a"), recent.get(&"c")), (Some(1), Some(3)));
        recent.insert_sized("large", 4, 11);
        assert_eq!((recent.get(&"a"), recent.get(&"large")), (None, Some(4)));
    }
}

/// Values by their keys, of which those used last are kept.
pub(crate) struct Recent<K, V> {
    most: usize,
    /// The one used last at the end.
    entries: Vec<(K, V)>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps at most `most` values.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            entries: Vec::new(),
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let index = self.entries.iter().position(|(known, _)| known == key)?;
        let entry = self.entries.remove(index);
        let value = entry.1.clone();
        self.entries.push(entry);
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push((key, value));
        let beyond = self.entries.len().saturating_sub(self.most);
        self.entries.drain(..beyond);
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
}

use std::fmt;

/// How many files of a set were not taken for images, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Files and folders whose names begin with a dot, such as the `._x.png` that Macs write.
    pub hidden: usize,
    /// `Thumbs.db`, `desktop.ini` and what is in `__MACOSX`.
    pub system: usize,
    /// Files with endings that no image has; `dataset.json` of the official dataset tool is in
    /// [`labels`](Self::labels).
    pub other: usize,
    /// Pipes, sockets and devices, links that lead nowhere, and links in archives.
    pub irregular: usize,
    /// Links to what is in the set already.
    pub repeated: usize,
    /// Files of class labels (`dataset.json`), which are not read.
    pub labels: usize,
}

impl LeftOut {
    /// Whether everything was an image.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.hidden += other.hidden;
        self.system += other.system;
        self.other += other.other;
        self.irregular += other.irregular;
        self.repeated += other.repeated;
        self.labels += other.labels;
    }
}

impl fmt::Display for LeftOut {
    /// Such as `3 hidden, 1 of the system, 2 that are no images`; `nothing` where that is so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.hidden, "hidden"),
            (self.system, "of the system"),
            (self.other, "with other endings than images have"),
            (self.irregular, "no regular files"),
            (self.repeated, "links to what is there already"),
            (self.labels, "with labels, which are not used"),
        ];
        let mut parts = parts.iter().filter(|(count, _)| *count > 0);
        let Some((count, what)) = parts.next() else {
            return f.write_str("nothing");
        };
        write!(f, "{count} {what}")?;
        parts.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

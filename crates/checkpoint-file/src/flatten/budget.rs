//! What naming may take, however often a short file refers to the same objects.

use crate::fault::Fault;
use crate::limits;

pub(super) struct Budget {
    visits: usize,
    visits_left: usize,
    table: usize,
    table_left: usize,
}

impl Budget {
    /// For a file of `file` bytes that took `instructions` instructions.
    pub(super) fn new(file: usize, instructions: usize) -> Self {
        let (visits, table) = (limits::visits(instructions), limits::table_bytes(file));
        Self {
            visits,
            visits_left: visits,
            table,
            table_left: table,
        }
    }

    /// Pays for looking at values.
    pub(super) fn visit(&mut self, values: usize) -> Result<(), Fault> {
        self.visits_left = self.visits_left.checked_sub(values).ok_or(Fault::Limit {
            what: "references to the same few objects",
            found: self.visits as u64 + 1,
            limit: self.visits as u64,
        })?;
        Ok(())
    }

    /// Pays for an entry of a table under a name of `name` bytes.
    pub(super) fn entry(&mut self, name: usize) -> Result<(), Fault> {
        self.table_left = self
            .table_left
            .checked_sub(limits::ENTRY_BYTES + name)
            .ok_or(Fault::Limit {
                what: "bytes of names",
                found: self.table as u64 + 1,
                limit: self.table as u64,
            })?;
        Ok(())
    }
}

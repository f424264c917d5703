use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;
use crate::train::Standing;

/// How far [`train::zoo`](fn@crate::train::zoo) is in a folder of runs: the standing of every style that has one, by
/// name.
///
/// # Errors
///
/// The folder or a standing cannot be read.
pub fn status(runs: &Path) -> Result<BTreeMap<String, Standing>, Error> {
    let entries = std::fs::read_dir(runs).map_err(Error::io(runs, "cannot be read"))?;
    let mut standings = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(runs, "cannot be read"))?;
        let standing = Standing::open(&entry.path())?;
        if standing != Standing::default() {
            standings.insert(entry.file_name().to_string_lossy().into_owned(), standing);
        }
    }
    Ok(standings)
}

//! Results as JSON.

use std::path::Path;

use ganymede::files;
use serde::Serialize;

use crate::Failure;

/// Writes results as JSON, making the folder where there is none.
pub fn write_json(path: &Path, results: &impl Serialize) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("--json {}: {e}", path.display()))?;
    }
    Ok(files::write_json(path, results)?)
}

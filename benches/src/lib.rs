//! Holds no code: see the package's benches.

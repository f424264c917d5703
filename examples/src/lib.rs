//! Holds no code: the programs are the package's examples.

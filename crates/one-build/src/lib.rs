//! Nothing but a list of dependencies: their features make all builds of this workspace share one compilation of Burn.

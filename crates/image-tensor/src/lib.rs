//! Decode, encode, crop and resize images to NCHW tensors under named protocols, and arrange them in grids.

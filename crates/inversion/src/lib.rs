//! Invert images into W or W+ of a StyleGAN2 generator by optimisation.

//! Fréchet distance, KID, precision and recall, density and coverage between sets of images, under named protocols.

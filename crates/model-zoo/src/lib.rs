//! Opens a folder of StyleGAN2 generators with their cards, statistics and licences.

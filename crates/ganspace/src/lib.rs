//! Principal directions of a StyleGAN2's latents, layer-wise edits along them, and paths between latents.

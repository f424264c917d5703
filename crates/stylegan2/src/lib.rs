//! StyleGAN2 generator and discriminator in Burn, with every option of the official networks.

//! Learned perceptual image patch similarity (LPIPS) with reusable target features.

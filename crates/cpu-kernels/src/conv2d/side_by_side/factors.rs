use super::super::microkernel::MAX_LANES;
use crate::simd::{Kernel, multiply_add};

/// The factors of a plane in `lanes` images, repeated to the widest vector; 1 in lanes behind the last image.
pub(super) fn of_images(
    scale: &[f32],
    planes: usize,
    plane: usize,
    first_image: usize,
    lanes: usize,
) -> [f32; MAX_LANES] {
    std::array::from_fn(|lane| {
        let image = first_image + lane % lanes;
        scale.get(image * planes + plane).copied().unwrap_or(1.0)
    })
}

/// Multiplies the lanes of a plane by their factors and adds a bias.
pub(super) struct Scale<'a> {
    pub line: &'a mut [f32],
    pub factors: [f32; MAX_LANES],
    pub bias: f32,
}

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (vectors, rest) = self.line.as_chunks_mut::<MAX_LANES>();
        for vector in vectors {
            for (value, factor) in vector.iter_mut().zip(&self.factors) {
                *value = multiply_add::<FUSED>(*value, *factor, self.bias);
            }
        }
        for (value, factor) in rest.iter_mut().zip(&self.factors) {
            *value = multiply_add::<FUSED>(*value, *factor, self.bias);
        }
    }
}

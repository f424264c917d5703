/// Sizes of a convolution, or of its adjoint in the input, along `[y, x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Height and width of the input, IH and IW.
    pub input: [usize; 2],
    /// Height and width of the kernel, KH and KW.
    pub kernel: [usize; 2],
    /// Height and width of the output, OH and OW.
    pub output: [usize; 2],
    /// Distance of the places where the kernel is put.
    pub stride: [usize; 2],
    /// Zeros on both sides.
    pub padding: [usize; 2],
}

impl Geometry {
    /// Without pixels or taps there is nothing that a kernel could start from.
    pub(super) fn check(&self) {
        let Self {
            input,
            kernel,
            output,
            stride,
            ..
        } = self;
        let sizes = [input, kernel, output, stride];
        assert!(
            sizes.iter().all(|sizes| !sizes.contains(&0)),
            "sizes above zero, found {self:?}"
        );
    }
}

use burn::backend::flex::{Flex, FlexTensor, Layout};
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Bytes, DType, Shape};
use cpu_kernels::conv2d::{
    Geometry, Operands, WeightGradient, WeightView, correlate, correlate_adjoint, planes,
    weight_gradient,
};

use super::extension::{ConvolutionKernels, Scales, scaled_by_parts};
use crate::Conv2d;

impl ConvolutionKernels for Flex {
    fn correlate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        scales: Scales<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        if !is_f32([&x, &weight]) || is_empty([&x, &weight]) {
            return scaled_by_parts(x, scales, bias, |x| {
                let options =
                    ConvOptions::new(options.stride, options.padding, [1, 1], options.groups);
                Self::conv2d(x, weight, None, options)
            });
        }
        let [n, _, ih, iw] = dimensions(&x);
        let [out, ic, kh, kw] = dimensions(&weight);
        let geometry = Geometry {
            input: [ih, iw],
            kernel: [kh, kw],
            output: options.output_size([ih, iw], [kh, kw]),
            stride: options.stride,
            padding: options.padding,
        };
        let oc = out / options.groups;
        let strides = weight.layout().strides();
        let x = x.to_contiguous();
        let bias = bias.map(|bias| bias.to_contiguous());
        let scales = scales.contiguous();
        let operands = Operands {
            x: values(&x),
            weight: WeightView {
                values: weight.storage(),
                offset: weight.layout().start_offset(),
                group: strides[0] * oc as isize,
                oc: strides[0],
                ic: strides[1],
                kernel: [strides[2], strides[3]],
            },
            input_scale: scales.input.as_ref().map(values),
            output_scale: scales.output.as_ref().map(values),
            bias: bias.as_ref().map(values),
            n,
            groups: options.groups,
            ic,
            oc,
            geometry,
        };
        outputs(correlate(&operands), &operands)
    }

    fn correlate_adjoint(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scales: Scales<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let [n, _, ih, iw] = dimensions(&gradient);
        let [ic, oc, kh, kw] = dimensions(&weight);
        if !is_f32([&gradient, &weight]) || is_empty([&gradient, &weight]) {
            let reached = options.transposed_output_size([ih, iw], [kh, kw]);
            let options = ConvTransposeOptions::new(
                options.stride,
                options.padding,
                [size[0] - reached[0], size[1] - reached[1]],
                [1, 1],
                options.groups,
            );
            return scaled_by_parts(gradient, scales, None, |gradient| {
                Self::conv_transpose2d(gradient, weight, None, options)
            });
        }
        let geometry = Geometry {
            input: [ih, iw],
            kernel: [kh, kw],
            output: size,
            stride: options.stride,
            padding: options.padding,
        };
        let strides = weight.layout().strides();
        let gradient = gradient.to_contiguous();
        let scales = scales.contiguous();
        let ic = ic / options.groups;
        let operands = Operands {
            x: values(&gradient),
            weight: WeightView {
                values: weight.storage(),
                offset: weight.layout().start_offset(),
                group: strides[0] * ic as isize,
                oc: strides[1],
                ic: strides[0],
                kernel: [strides[2], strides[3]],
            },
            input_scale: scales.input.as_ref().map(values),
            output_scale: scales.output.as_ref().map(values),
            bias: None,
            n,
            groups: options.groups,
            ic,
            oc,
            geometry,
        };
        outputs(correlate_adjoint(&operands), &operands)
    }

    fn correlate_weight_adjoint(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: Conv2d,
        kernel: [usize; 2],
    ) -> FloatTensor<Self> {
        let [n, channels, ih, iw] = dimensions(&x);
        let [_, out, oh, ow] = dimensions(&gradient);
        let ic = channels / options.groups;
        let shape = [out, ic, kernel[0], kernel[1]];
        if !is_f32([&x, &gradient]) || is_empty([&x, &gradient]) {
            let options = ConvOptions::new(options.stride, options.padding, [1, 1], options.groups);
            let weight = FlexTensor::zeros(Shape::from(shape), x.dtype());
            return Self::conv2d_weight_backward(x, weight, gradient, options);
        }
        let (x, gradient) = (x.to_contiguous(), gradient.to_contiguous());
        let input = WeightGradient {
            x: values(&x),
            gradient: values(&gradient),
            n,
            groups: options.groups,
            ic,
            oc: out / options.groups,
            geometry: Geometry {
                input: [ih, iw],
                kernel,
                output: [oh, ow],
                stride: options.stride,
                padding: options.padding,
            },
        };
        tensor(weight_gradient(&input), shape)
    }

    fn scale_planes(x: FloatTensor<Self>, scale: FloatTensor<Self>) -> FloatTensor<Self> {
        assert!(is_f32([&x, &scale]), "factors of planes are f32");
        let (mut x, scale) = (x.to_contiguous(), scale.to_contiguous());
        let [_, _, ih, iw] = dimensions(&x);
        let range =
            x.layout().start_offset()..x.layout().start_offset() + x.layout().num_elements();
        if let Some(storage) = x.try_storage_mut::<f32>() {
            planes::scale(&mut storage[range], values(&scale), ih * iw);
            return x;
        }
        let scaled = planes::scaled(values(&x), values(&scale), ih * iw);
        tensor(scaled, dimensions(&x))
    }

    fn plane_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        assert!(is_f32([&a, &b]), "planes are f32");
        let (a, b) = (a.to_contiguous(), b.to_contiguous());
        let [batch, channels, ih, iw] = dimensions(&a);
        let products = planes::products(values(&a), values(&b), batch * channels, ih * iw);
        FlexTensor::new(
            Bytes::from_elems(products),
            Layout::contiguous(Shape::from([batch, channels])),
            DType::F32,
        )
    }
}

impl Scales<Flex> {
    fn contiguous(self) -> Self {
        Self {
            input: self.input.map(|scale| scale.to_contiguous()),
            output: self.output.map(|scale| scale.to_contiguous()),
        }
    }
}

fn is_f32(tensors: [&FlexTensor; 2]) -> bool {
    tensors.iter().all(|t| t.dtype() == DType::F32)
}

fn is_empty(tensors: [&FlexTensor; 2]) -> bool {
    tensors.iter().any(|t| t.layout().num_elements() == 0)
}

fn dimensions(tensor: &FlexTensor) -> [usize; 4] {
    tensor.layout().shape().dims()
}

/// Elements of a dense tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous before")
}

fn tensor(values: Vec<f32>, shape: [usize; 4]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(Shape::from(shape)),
        DType::F32,
    )
}

/// What a correlation has computed.
fn outputs(values: Vec<f32>, operands: &Operands<'_>) -> FlexTensor {
    let [oh, ow] = operands.geometry.output;
    tensor(values, [operands.n, operands.groups * operands.oc, oh, ow])
}

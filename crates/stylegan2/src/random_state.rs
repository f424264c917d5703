use rand_mt::Mt;

/// NumPy's legacy random generator, `numpy.random.RandomState`: MT19937 with polar Gaussian pairs.
///
/// The official scripts draw latents from it, so that a published seed names an image. It is also this crate's source
/// for initial weights and noise images: on the CPU, explicit, and the same for every backend.
///
/// ```
/// use stylegan2::RandomState;
///
/// let mut random = RandomState::new(0);
/// // numpy.random.RandomState(0).randn(), up to the last place of the logarithm
/// assert!((random.standard_normal() - 1.764052345967664).abs() < 1e-14);
/// ```
#[derive(Clone, Debug)]
pub struct RandomState {
    generator: Mt,
    /// The polar method makes two values at a time; the second waits here.
    spare: Option<f64>,
}

impl RandomState {
    /// The generator of `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        Self {
            generator: Mt::new(seed),
            spare: None,
        }
    }

    /// The generator of `RandomState(key)` for an array of integers, which keeps seeds of more than 32 bits and streams
    /// of one seed apart.
    ///
    /// An empty key is taken as `[0]`.
    pub fn from_key(key: &[u32]) -> Self {
        let key = if key.is_empty() { &[0] } else { key };
        Self {
            generator: Mt::new_with_key(key.iter().copied()),
            spare: None,
        }
    }

    /// A uniform value in `[0, 1)` with 53 random bits, as `random_sample()`.
    pub fn uniform(&mut self) -> f64 {
        // Two outputs give 27 and 26 bits; the constants are 2^26 and 2^53.
        let high = f64::from(self.generator.next_u32() >> 5);
        let low = f64::from(self.generator.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// A standard normal value, as `randn()`.
    pub fn standard_normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(scale * x);
                return scale * y;
            }
        }
    }

    /// The next `count` standard normal values rounded to f32, as `randn(count).astype(numpy.float32)`.
    pub fn standard_normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.standard_normal() as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logarithms of two mathematics libraries may differ in the last place.
    const LAST_PLACES: f64 = 1e-14;

    fn assert_normals(random: &mut RandomState, expected: &[f64]) {
        for (index, expected) in expected.iter().enumerate() {
            let found = random.standard_normal();
            assert!(
                (found - expected).abs() <= LAST_PLACES * expected.abs().max(1.0),
                "value {index}: {found} is not {expected}"
            );
        }
    }

    #[test]
    fn normals_of_seed_0_are_those_of_numpy() {
        // numpy.random.RandomState(0).randn(7)
        let expected = [
            1.764052345967664,
            0.4001572083672233,
            0.9787379841057392,
            2.240893199201458,
            1.8675579901499675,
            -0.977277879876411,
            0.9500884175255894,
        ];
        assert_normals(&mut RandomState::new(0), &expected);
    }

    #[test]
    fn normals_of_seed_600_are_those_of_numpy() {
        // numpy.random.RandomState(600).randn(5)
        let expected = [
            0.04527855593816062,
            -0.4992667462316012,
            -1.271601955752985,
            -0.5179830775841611,
            0.5101427564810684,
        ];
        assert_normals(&mut RandomState::new(600), &expected);
    }

    #[test]
    fn normals_of_the_largest_seed_are_those_of_numpy() {
        // numpy.random.RandomState(4294967295).randn(3)
        let expected = [0.6484086742306527, 0.6693235306338161, -1.0805437227474493];
        assert_normals(&mut RandomState::new(u32::MAX), &expected);
    }

    #[test]
    fn normals_after_the_first_million_are_those_of_numpy() {
        // The generator's state has been renewed thousands of times by then.
        let mut random = RandomState::new(85);
        random.standard_normals(1_000_000);
        assert_normals(&mut random, &[1.0812974052309265, -1.6946940411858447]);
    }

    #[test]
    fn an_array_key_gives_the_values_of_numpy() {
        // numpy.random.RandomState([3, 1]).randn(3)
        let expected = [1.791954191128079, 1.4370195342255592, 0.8984268910382867];
        assert_normals(&mut RandomState::from_key(&[3, 1]), &expected);
    }

    #[test]
    fn uniforms_are_those_of_numpy() {
        // numpy.random.RandomState(123).random_sample(3)
        let mut random = RandomState::new(123);
        let expected = [0.6964691855978616, 0.28613933495037946, 0.2268514535642031];
        assert_eq!(
            [random.uniform(), random.uniform(), random.uniform()],
            expected
        );
    }
}

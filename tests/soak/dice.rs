//! Chance that a seed decides: the same seed, the same throws, whatever version of whatever library.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for number `n` of something.
    pub fn fork(&self, n: u64) -> Self {
        let mut fork = Self(self.0 ^ n.wrapping_mul(0xd1b5_4a32_d192_ed03));
        fork.next();
        fork
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, without it.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// In so many of a hundred cases.
    pub fn percent(&mut self, cases: u64) -> bool {
        self.below(100) < cases
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap();
        of[at]
    }

    /// One of these, as often as its weight says.
    pub fn weighed<T: Copy>(&mut self, of: &[(u64, T)]) -> T {
        let mut left = self.below(of.iter().map(|(weight, _)| weight).sum());
        for (weight, what) in of {
            if left < *weight {
                return *what;
            }
            left -= weight;
        }
        unreachable!("the weights were summed up")
    }

    pub fn bytes(&mut self, longest: u64) -> Vec<u8> {
        (0..=self.below(longest)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

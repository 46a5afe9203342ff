//! The fields of a packet that we read. Pure.

/// The fields of a packet, one after the other.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// What was not read yet.
    #[cfg(feature = "proxy")]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A C string. Some clients leave out the zero of the last one.
    pub(crate) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let string = self.take(length)?;
        self.0 = self.0.get(1..).unwrap_or_default();
        Some(string)
    }

    /// A C string, with its zero.
    pub(crate) fn ended(&mut self) -> Option<&'a [u8]> {
        if self.0.contains(&0) { self.until_zero() } else { None }
    }

    /// A string after its length in one byte.
    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        let [length] = *self.array()?;
        self.take(length.into())
    }

    /// A number in one to nine bytes.
    pub(crate) fn number(&mut self) -> Option<u64> {
        Some(match self.array()? {
            [0xfc] => u16::from_le_bytes(*self.array()?).into(),
            [0xfd] => {
                let [a, b, c] = *self.array()?;
                u32::from_le_bytes([a, b, c, 0]).into()
            }
            [0xfe] => u64::from_le_bytes(*self.array()?),
            [0xfb | 0xff] => return None,
            [short] => u64::from(*short),
        })
    }

    /// A string after its length in one to nine bytes.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// Two of them: a name and its value.
    pub(crate) fn pair(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        Some((self.counted()?, self.counted()?))
    }
}

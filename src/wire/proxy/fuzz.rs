//! Headers as a connection finds them, for [`crate::fuzz`].

use super::header::{self, HeaderError};

/// No header is longer.
pub(in crate::wire) const LONGEST: usize = header::LONGEST;

/// How long the header is that these bytes begin with, if all of it is there.
pub(in crate::wire) fn outcome(bytes: &[u8]) -> Result<Option<usize>, HeaderError> {
    header::find(bytes).map(|found| found.map(|header| header.length))
}

//! What stands for the compressed protocol where it is not built in: nobody is offered it, and nobody has it.

use mysql_common::constants::CapabilityFlags;

use super::frame::FrameError;

pub(super) const OFFERED: CapabilityFlags = CapabilityFlags::empty();

/// None.
#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {}

impl Algorithm {
    pub(super) fn asked(_: CapabilityFlags, _: &[u8]) -> Option<Self> {
        None
    }
}

/// The frames of a connection that cannot be.
pub(super) struct Frames(Algorithm);

impl Frames {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {}
    }

    pub(super) fn number(&self) -> u8 {
        match self.0 {}
    }

    pub(super) fn renumber(&mut self, _: u8) {
        match self.0 {}
    }

    pub(super) fn len(&self) -> usize {
        match self.0 {}
    }

    pub(super) fn keep(&mut self, _: &[u8]) {
        match self.0 {}
    }

    pub(super) fn next(&mut self, _: usize) -> Result<Option<Vec<u8>>, FrameError> {
        match self.0 {}
    }

    pub(super) fn put(&mut self, _: &[u8]) -> usize {
        match self.0 {}
    }

    pub(super) fn unwritten(&self) -> &[u8] {
        match self.0 {}
    }

    pub(super) fn written(&mut self, _: usize) {
        match self.0 {}
    }

    pub(super) fn is_full(&mut self) -> bool {
        match self.0 {}
    }

    pub(super) fn is_tired(&mut self) -> bool {
        match self.0 {}
    }
}

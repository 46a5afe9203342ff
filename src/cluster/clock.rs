//! The clock that leases go by.

use rustix::time::{ClockId, clock_gettime};

use super::lease::Moment;

/// Which clock: it goes on while the machine is suspended, and nobody sets it. Where Linux's is not to be had, the monotonic
/// one has to do; macOS's goes on as well.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// How long the machine has been up, its suspensions included.
pub(crate) fn since_boot() -> Moment {
    // Neither part is negative: it counts from the boot, and a clock of this kind never fails to be read.
    clock_gettime(CLOCK).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let before = since_boot();
        assert!(!before.is_zero());
        while since_boot() == before {}
        assert!(since_boot() > before);
    }
}

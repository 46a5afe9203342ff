//! How long a server that could not be reached is asked last for reads. Pure; times are in milliseconds, counted from when the
//! proxy began.

/// So long it is shunned at least.
const LEAST: u64 = 1_000;

/// So long at most, unless the attempt to reach it took longer.
const MOST: u64 = 30_000;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Shun {
    /// So long it was shunned last. 0: it was reached since.
    pause: u64,
    /// Until when it is shunned.
    until: u64,
    /// Until when it shows whether it is there again: somebody tries.
    tried_until: u64,
}

impl Shun {
    /// Until when it is asked last.
    pub(super) fn over(&self) -> u64 {
        self.until.max(self.tried_until)
    }

    /// Somebody tries to reach it, which takes so long at most. Nobody else needs to meanwhile, if it failed the last time.
    pub(super) fn tried(&mut self, now: u64, most: u64) {
        if self.pause > 0 {
            self.tried_until = now.saturating_add(most);
        }
    }

    /// It could not be reached, which took so long to find out. It is shunned for as long at least, and for twice as long as the
    /// last time, if it failed anew since.
    pub(super) fn failed(&mut self, now: u64, took: u64) {
        let anew = now >= self.until;
        let pause = if anew { (2 * self.pause).min(MOST) } else { self.pause };
        self.pause = pause.max(took).max(LEAST);
        self.until = self.until.max(now.saturating_add(self.pause));
        self.tried_until = 0;
    }

    /// It was reached.
    pub(super) fn reached(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_shunned_for_as_long_as_it_took_and_longer_each_time() {
        let mut shun = Shun::default();
        assert_eq!(shun.over(), 0);
        shun.failed(100, 3);
        assert_eq!(shun.over(), 1_100);
        // Of a black hole: ten seconds each.
        let (mut shun, mut now, mut pauses) = (Shun::default(), 0, Vec::new());
        for _ in 0..4 {
            shun.failed(now + 10_000, 10_000);
            pauses.push(shun.over() - now - 10_000);
            now = shun.over();
        }
        assert_eq!(pauses, [10_000, 20_000, 30_000, 30_000]);
        shun.failed(now, 60_000);
        assert_eq!(shun.over(), now + 60_000, "never less than it took");
        shun.reached();
        shun.failed(now, 0);
        assert_eq!(shun.over(), now + 1_000, "it begins anew");
    }

    #[test]
    fn many_that_fail_at_once_are_one_failure() {
        let mut shun = Shun::default();
        for client in 0..1_000 {
            shun.failed(100 + client % 3, 0);
        }
        assert_eq!(shun.over(), 1_102);
    }

    #[test]
    fn one_at_a_time_finds_out_whether_it_is_there_again() {
        let mut shun = Shun::default();
        shun.tried(0, 10_000);
        assert_eq!(shun.over(), 0, "who is there may be asked by all at once");
        shun.failed(0, 0);
        shun.tried(1_500, 10_000);
        assert_eq!(shun.over(), 11_500, "the others ask elsewhere");
        shun.failed(1_600, 100);
        assert_eq!(shun.over(), 3_600);
        shun.tried(3_600, 10_000);
        shun.reached();
        assert_eq!(shun.over(), 0);
    }
}

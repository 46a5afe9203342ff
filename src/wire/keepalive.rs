//! TCP keepalive: how long a client may be silent because it is not there any more.

use std::{io, time::Duration};

use actix_rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// When a client that says nothing is asked by TCP whether it is still there, and when it is given up: the connection
/// counts as lost then, and its statement is cancelled. A client that answers to TCP may be idle for ever.
///
/// Rows that the client's TCP does not acknowledge are bounded by the same time, on Linux and Android (`TCP_USER_TIMEOUT`:
/// there is no keepalive while anything is unacknowledged). There, a client that is alive but reads none of its rows for
/// that long is given up as well; but if the runtime has to wait for it, and its session's `net_write_timeout` is longer,
/// that holds from then on, and a client that goes without a word is noticed within the two together. Other systems retransmit
/// rows for as long as they are set to, often ten minutes and more; OpenBSD and others have one setting for the whole system,
/// and heed `idle` at most.
///
/// Thousands that connect in one moment, as after a restart, are not to be asked in one moment: the system keeps long timers
/// by the second or two, and a queue on the way drops what is too much at a time (Linux takes 1,000 packets from a loopback or
/// veth interface), question by question until clients that are there have been given up. So connections are asked for the
/// first time at different times, within the last quarter of `idle`.
///
/// Times are in whole seconds, rounded up, from 1 to 32,767; there are 1 to 127 retries. What lies outside is taken for
/// the nearest that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// After so much silence, or up to a quarter less, the client is asked for the first time.
    pub idle: Duration,
    /// If it does not answer, it is asked again after each such interval.
    pub interval: Duration,
    /// After so many questions without an answer it is given up.
    pub retries: u32,
}

impl Default for Keepalive {
    /// 60 s, 10 s, 6 times: lost after two minutes.
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), interval: Duration::from_secs(10), retries: 6 }
    }
}

impl Keepalive {
    /// The longest that Linux takes for a time, in seconds.
    const LONGEST: u64 = 32_767;

    /// The longest that it takes for the other bound: some 24 days.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    const LONGEST_UNACKNOWLEDGED: Duration = Duration::from_millis(i32::MAX as u64);

    /// A client that has gone without a word is noticed within so much time: `idle`, and `interval` for each retry. The
    /// system's own timers may add some hundredths to it.
    pub fn bound(&self) -> Duration {
        seconds(self.idle) + seconds(self.interval) * self.retries()
    }

    /// After so much silence this connection is asked, by how many came before it.
    fn idle_of(&self, nth: u64) -> Duration {
        let idle = seconds(self.idle);
        idle - Duration::from_secs(nth % (idle.as_secs() / 4 + 1))
    }

    /// Has the system ask for this client, by how many came before it, at another time than for those: for one for which it
    /// asks already.
    pub(crate) fn spread(&self, socket: &SockRef<'_>, nth: u64) -> io::Result<()> {
        match self.idle_of(nth) {
            idle if idle == seconds(self.idle) => Ok(()),
            idle => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
        }
    }

    fn retries(&self) -> u32 {
        self.retries.clamp(1, 127)
    }

    /// Has the system ask for this client; of a listener, for those that it accepts from then on (see [`INHERITED`]).
    pub(crate) fn watch(&self, socket: &SockRef<'_>) -> io::Result<()> {
        let probes = TcpKeepalive::new().with_time(seconds(self.idle));
        #[cfg(any(
            target_os = "android",
            target_os = "freebsd",
            target_os = "illumos",
            target_os = "ios",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "windows"
        ))]
        let probes = probes.with_interval(seconds(self.interval)).with_retries(self.retries());
        socket.set_tcp_keepalive(&probes)?;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        socket.set_tcp_user_timeout(Some(self.unacknowledged()))?;
        Ok(())
    }

    /// Whether the system asks for this client as it should: what is set last was set.
    pub(super) fn watches(&self, socket: &SockRef<'_>) -> bool {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        let bounded = socket.tcp_user_timeout().is_ok_and(|set| set == Some(self.unacknowledged()));
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let bounded = true;
        bounded && socket.keepalive().unwrap_or(false)
    }

    /// So long rows may be unacknowledged.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    fn unacknowledged(&self) -> Duration {
        self.bound().min(Self::LONGEST_UNACKNOWLEDGED)
    }
}

/// Whether an accepted connection has the options of its listener, so that they are set once and not for each client.
pub(super) const INHERITED: bool = cfg!(any(target_os = "android", target_os = "linux"));

/// Has the system bear with a client that leaves rows unread for longer than this, if it has a bound for that at all. The
/// bound that it has is added, so that it does not come in between.
pub(super) fn bear(stream: &TcpStream, time: Duration) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let socket = SockRef::from(stream);
        if let Some(bound) = socket.tcp_user_timeout()?.filter(|bound| *bound <= time) {
            let longer = time.saturating_add(bound).min(Keepalive::LONGEST_UNACKNOWLEDGED);
            socket.set_tcp_user_timeout(Some(longer))?;
        }
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (stream, time);
    Ok(())
}

/// Whole seconds within what is allowed.
fn seconds(time: Duration) -> Duration {
    let whole = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    Duration::from_secs(whole.clamp(1, Keepalive::LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_bears_with_unread_rows_is_raised_and_never_lowered() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (served, _)) = (client.unwrap(), accepted.unwrap());
        let socket = SockRef::from(&served);
        let s = Duration::from_secs;
        bear(&served, s(10)).unwrap();
        assert_eq!(socket.tcp_user_timeout().unwrap().unwrap_or_default(), s(0), "no bound is none");
        Keepalive { idle: s(2), interval: s(1), retries: 1 }.watch(&socket).unwrap();
        for (least, bound) in [(s(2), s(3)), (s(3), s(6)), (s(10), s(16)), (s(15), s(16))] {
            bear(&served, least).unwrap();
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(bound), "at least {least:?}");
        }
        bear(&served, Duration::MAX).unwrap();
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Keepalive::LONGEST_UNACKNOWLEDGED));
    }

    #[tokio::test]
    async fn those_who_come_together_are_asked_at_different_times() {
        let seconds = Duration::from_secs;
        let asked = |idle, nth| Keepalive { idle: seconds(idle), ..Keepalive::default() }.idle_of(nth);
        for (nth, after) in [(0, 60), (1, 59), (15, 45), (16, 60), (u64::MAX, 45)] {
            assert_eq!(asked(60, nth), seconds(after), "{nth}");
        }
        for idle in [0, 1, 2, 3] {
            assert_eq!(asked(idle, 7), seconds(idle.max(1)), "there is no quarter of {idle} s");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keepalive = Keepalive { idle: seconds(8), ..Keepalive::default() };
        keepalive.watch(&SockRef::from(&listener)).unwrap();
        for (nth, after) in [(0, 8), (1, 7), (2, 6), (3, 8)] {
            let (client, accepted) =
                tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
            let (_client, (served, _)) = (client.unwrap(), accepted.unwrap());
            let socket = SockRef::from(&served);
            keepalive.watch(&socket).unwrap();
            keepalive.spread(&socket, nth).unwrap();
            assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(after), "{nth}");
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), keepalive.interval);
            assert!(socket.keepalive().unwrap());
        }
    }

    #[tokio::test]
    async fn who_is_accepted_has_what_the_listener_was_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stated = Keepalive { idle: Duration::from_secs(7), interval: Duration::from_secs(2), retries: 4 };
        let told = SockRef::from(&listener);
        told.set_tcp_nodelay(true).unwrap();
        stated.watch(&told).unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (_client, (served, _)) = (client.unwrap(), accepted.unwrap());
        let socket = SockRef::from(&served);
        assert_eq!((socket.keepalive().unwrap(), socket.tcp_nodelay().unwrap()), (INHERITED, INHERITED));
        if INHERITED {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), stated.idle);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(stated.bound()));
        }
    }

    #[tokio::test]
    async fn a_socket_is_told_what_was_stated() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (served, _)) = (client.unwrap(), accepted.unwrap());
        let socket = SockRef::from(&served);
        assert!(!socket.keepalive().unwrap());
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        for (stated, told, bound) in [
            (Keepalive::default(), (s(60), s(10), 6), s(120)),
            (Keepalive { idle: ms(1500), interval: ms(1), retries: 3 }, (s(2), s(1), 3), s(5)),
            (Keepalive { idle: s(0), interval: s(0), retries: 0 }, (s(1), s(1), 1), s(2)),
            (
                Keepalive { idle: Duration::MAX, interval: Duration::MAX, retries: u32::MAX },
                (s(32_767), s(32_767), 127),
                s(32_767 * 128),
            ),
        ] {
            assert_eq!(stated.bound(), bound, "{stated:?}");
            stated.watch(&socket).unwrap();
            let heard = (
                socket.tcp_keepalive_time().unwrap(),
                socket.tcp_keepalive_interval().unwrap(),
                socket.tcp_keepalive_retries().unwrap(),
            );
            assert_eq!((socket.keepalive().unwrap(), heard), (true, told), "{stated:?}");
            #[cfg(target_os = "linux")]
            {
                let unacknowledged = bound.min(Duration::from_millis(u64::from(i32::MAX.unsigned_abs())));
                assert_eq!(socket.tcp_user_timeout().unwrap(), Some(unacknowledged), "{stated:?}");
            }
        }
    }
}

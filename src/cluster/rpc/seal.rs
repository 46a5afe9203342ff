//! The seal of a call and of its answer: whoever has the cluster's secret can make one, and nobody else; pure.
//!
//! A seal is an HMAC-SHA256. Of a call it is over the method, whom it is for, the moment, a random nonce and the body; of an
//! answer over the method, the call's nonce, the piece's number, whether it is the last one, and the body. So nothing of
//! either can be changed, no call can be repeated, and no piece of an answer can be left out, repeated, or be taken for one of
//! another call.

use std::{collections::BTreeSet, fmt, time::Duration};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::messages::{Answer, Call};
use crate::model::PeerRefusal;

/// A secret of fewer bytes is none.
const SHORTEST: usize = 16;

/// A call is heard for so long after its moment, and before it: by so much may two nodes' clocks differ.
const WINDOW: Duration = Duration::from_secs(30);

/// So many calls are remembered, which takes some 40 MB. That is 35,000 calls a second for as long as they are: more than one
/// thread answers.
const REMEMBERED: usize = 1 << 20;

/// A nonce.
pub(crate) type Nonce = [u8; 16];

/// The secret of a cluster. Shown nowhere.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// `None`: it is too short.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        if secret.len() < SHORTEST {
            return None;
        }
        // A key may have any length.
        Hmac::new_from_slice(secret).ok().map(Self)
    }

    /// The seal of a call, whatever seal it has.
    pub(crate) fn of_call(&self, method: &str, call: &Call) -> [u8; 32] {
        self.over_call(method, call).finalize().into_bytes().into()
    }

    /// The seal of an answer to the call with this nonce.
    pub(crate) fn of_answer(&self, method: &str, nonce: &[u8], answer: &Answer) -> [u8; 32] {
        self.over_answer(method, nonce, answer).finalize().into_bytes().into()
    }

    /// Whether a call has its seal.
    ///
    /// # Errors
    /// It has none, or another.
    pub(crate) fn check_call(&self, method: &str, call: &Call) -> Result<Nonce, PeerRefusal> {
        if call.seal.is_empty() {
            return Err(PeerRefusal::NoSeal);
        }
        // Compared in constant time.
        self.over_call(method, call).verify_slice(&call.seal).map_err(|_| PeerRefusal::WrongSeal)?;
        call.nonce[..].try_into().map_err(|_| PeerRefusal::Malformed)
    }

    /// Whether an answer to the call with this nonce has its seal.
    pub(crate) fn is_of(&self, method: &str, nonce: &[u8], answer: &Answer) -> bool {
        self.over_answer(method, nonce, answer).verify_slice(&answer.seal).is_ok()
    }

    fn over_call(&self, method: &str, call: &Call) -> Hmac<Sha256> {
        let whom = [&call.server.to_le_bytes()[..], &call.epoch.to_le_bytes(), &call.moment.to_le_bytes()];
        let [server, epoch, moment] = whom;
        self.over([b"killdeer call", method.as_bytes(), server, epoch, moment, &call.nonce, &call.body])
    }

    fn over_answer(&self, method: &str, nonce: &[u8], answer: &Answer) -> Hmac<Sha256> {
        let (number, standing) = (answer.number.to_le_bytes(), answer.standing.to_le_bytes());
        let last = [u8::from(answer.last)];
        self.over([b"killdeer answer", method.as_bytes(), nonce, &number, &last, &standing, &answer.body])
    }

    /// Each part with its length before it: no two lists of parts are the same bytes.
    fn over(&self, parts: [&[u8]; 7]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

/// Why a call with a right seal is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    Refused(PeerRefusal),
    /// There were so many calls that one more could not be remembered: it could be repeated.
    TooMany,
}

/// The calls that were heard, for as long as they could be repeated.
#[derive(Debug)]
pub(crate) struct Heard {
    /// By their moments, in milliseconds.
    calls: BTreeSet<(u64, Nonce)>,
    /// Calls of earlier moments are forgotten, hence not heard any more; whatever the clock says: one that is set back does
    /// not make them new.
    from: u64,
    most: usize,
}

impl Default for Heard {
    fn default() -> Self {
        Self { calls: BTreeSet::new(), from: 0, most: REMEMBERED }
    }
}

impl Heard {
    /// Hears a call, whose seal is right, at this time: both in milliseconds since 1970.
    pub(crate) fn hear(&mut self, now: u64, moment: u64, nonce: Nonce) -> Result<(), Unheard> {
        let window = WINDOW.as_millis() as u64;
        self.from = self.from.max(now.saturating_sub(window));
        while self.calls.first().is_some_and(|(moment, _)| *moment < self.from) {
            self.calls.pop_first();
        }
        if moment < self.from || moment > now.saturating_add(window) {
            return Err(Unheard::Refused(PeerRefusal::Stale));
        }
        if self.calls.contains(&(moment, nonce)) {
            return Err(Unheard::Refused(PeerRefusal::Repeated));
        }
        if self.calls.len() >= self.most {
            return Err(Unheard::TooMany);
        }
        self.calls.insert((moment, nonce));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "/killdeer.Peers/Kill";

    fn secret() -> Secret {
        Secret::new(b"sixteen bytes ok").unwrap()
    }

    fn call() -> Call {
        let mut call = Call {
            server: 7,
            epoch: 12,
            moment: 1_000_000,
            nonce: vec![5; 16].into(),
            body: (&b"the body"[..]).into(),
            seal: Default::default(),
        };
        call.seal = secret().of_call(METHOD, &call).to_vec().into();
        call
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        assert!(Secret::new(b"fifteen bytes n").is_none());
        assert_eq!(format!("{:?}", Secret::new(b"sixteen bytes ok")), "Some(Secret)");
    }

    #[test]
    fn a_call_is_heard_with_its_seal_and_with_no_other() {
        let (secret, sealed) = (secret(), call());
        assert_eq!(secret.check_call(METHOD, &sealed), Ok([5; 16]));
        let other = Secret::new(b"sixteen bytes no").unwrap();
        assert_eq!(other.check_call(METHOD, &sealed), Err(PeerRefusal::WrongSeal));
        assert_eq!(secret.check_call("/killdeer.Peers/List", &sealed), Err(PeerRefusal::WrongSeal));
        let bare = Call { seal: Default::default(), ..sealed.clone() };
        assert_eq!(secret.check_call(METHOD, &bare), Err(PeerRefusal::NoSeal));
        let changed = [
            Call { server: 8, ..sealed.clone() },
            Call { epoch: 13, ..sealed.clone() },
            Call { moment: 1_000_001, ..sealed.clone() },
            // As much as before in all, with another border between two parts.
            Call { nonce: vec![5; 15].into(), body: (&b"\x05the body"[..]).into(), ..sealed.clone() },
            Call { seal: sealed.seal.slice(..31), ..sealed.clone() },
        ];
        for changed in changed {
            assert_eq!(secret.check_call(METHOD, &changed), Err(PeerRefusal::WrongSeal), "{changed:?}");
        }
        // A byte changed, anywhere.
        let parts: [fn(&mut Call) -> &mut bytes::Bytes; 3] = [|c| &mut c.nonce, |c| &mut c.body, |c| &mut c.seal];
        for part in parts {
            for at in 0..part(&mut sealed.clone()).len() {
                let mut changed = sealed.clone();
                let mut bytes = part(&mut changed).to_vec();
                bytes[at] ^= 1;
                *part(&mut changed) = bytes.into();
                assert_eq!(secret.check_call(METHOD, &changed), Err(PeerRefusal::WrongSeal), "{changed:?}");
            }
        }
        let mut odd = Call { nonce: vec![5; 15].into(), ..sealed };
        odd.seal = secret.of_call(METHOD, &odd).to_vec().into();
        assert_eq!(secret.check_call(METHOD, &odd), Err(PeerRefusal::Malformed), "a nonce has 16 bytes");
    }

    #[test]
    fn an_answer_is_one_calls_and_each_piece_has_its_place() {
        let secret = secret();
        let mut sealed =
            Answer { number: 1, last: false, standing: 0, body: (&b"rows"[..]).into(), ..Answer::default() };
        sealed.seal = secret.of_answer(METHOD, &[5; 16], &sealed).to_vec().into();
        assert!(secret.is_of(METHOD, &[5; 16], &sealed));
        assert!(!secret.is_of(METHOD, &[6; 16], &sealed), "another call's");
        assert!(!secret.is_of("/killdeer.Peers/List", &[5; 16], &sealed));
        for changed in [
            Answer { number: 2, ..sealed.clone() },
            Answer { last: true, ..sealed.clone() },
            Answer { standing: 2, ..sealed.clone() },
            Answer { body: (&b"bows"[..]).into(), ..sealed.clone() },
            Answer { seal: Default::default(), ..sealed.clone() },
        ] {
            assert!(!secret.is_of(METHOD, &[5; 16], &changed), "{changed:?}");
        }
        // A call's seal is never an answer's.
        let call = call();
        assert!(!secret.is_of(METHOD, &call.nonce, &Answer { body: call.body, seal: call.seal, ..Answer::default() }));
    }

    #[test]
    fn a_call_is_heard_once_and_within_its_time() {
        let stale = Err(Unheard::Refused(PeerRefusal::Stale));
        let repeated = Err(Unheard::Refused(PeerRefusal::Repeated));
        let mut heard = Heard::default();
        assert_eq!(heard.hear(100_000, 100_000, [1; 16]), Ok(()));
        assert_eq!(heard.hear(100_000, 100_000, [1; 16]), repeated);
        assert_eq!(heard.hear(130_000, 100_000, [1; 16]), repeated, "as long as it would be heard");
        assert_eq!(heard.hear(130_001, 100_000, [1; 16]), stale);
        assert_eq!(heard.hear(100_000, 100_000, [1; 16]), stale, "it is forgotten, and the clock was set back");
        assert_eq!(heard.hear(130_001, 160_001, [1; 16]), Ok(()), "the caller's clock is ahead");
        assert_eq!(heard.hear(130_001, 160_002, [1; 16]), stale);
        assert_eq!(heard.calls.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn what_cannot_be_remembered_is_not_heard() {
        let mut heard = Heard { most: 2, ..Heard::default() };
        assert_eq!(heard.hear(100_000, 100_000, [1; 16]), Ok(()));
        assert_eq!(heard.hear(100_000, 100_001, [2; 16]), Ok(()));
        assert_eq!(heard.hear(100_000, 100_002, [3; 16]), Err(Unheard::TooMany));
        assert_eq!(heard.hear(130_001, 100_002, [3; 16]), Ok(()), "one is over");
    }
}

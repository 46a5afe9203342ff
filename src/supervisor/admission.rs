//! Who may come in: the places before login and those behind it. Plain code behind one lock: a session takes its place, and
//! gives it back when it is dropped, without asking anybody.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::hosts::{Host, Hosts};
use crate::{
    id::SessionId,
    lock::{Held, Lock, Over},
    model::{Globals, Origin, Principal, Privileges, Refused, Setting},
};

/// Before login, whoever has waited for so long makes room for others if there is none. A client that means to log in is
/// faster.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who may come in although all places are taken: one of them.
const ADMINISTRATORS: Privileges = Privileges::SUPER.and(Privileges::CONNECTION_ADMIN).and(Privileges::ADMIN_PRIV);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Admission {
    state: Lock<State>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { state: Lock::new(Over::Admission, State::default()) }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Those before login, by the order in which they came. Who was told to make room is not among them.
    waiting: BTreeMap<u64, (SessionId, Instant)>,
    /// How many of them there are, by host. A tree, as the other counts: it never grows all at once.
    from: BTreeMap<Host, u64>,
    came: u64,
    /// How many are behind login.
    inside: u64,
    accounts: BTreeMap<Account, u64>,
    tenants: BTreeMap<Box<str>, u64>,
    hosts: Hosts,
}

/// Whose sessions are counted together: those of one account, the host pattern included, as in MySQL. Any of them stands
/// for it.
#[derive(Clone, Debug)]
struct Account(Arc<Principal>);

/// What principals of one account have in common.
fn key(principal: &Principal) -> (&str, &str, Option<&str>) {
    (principal.user(), principal.account_host(), principal.tenant())
}

impl Ord for Account {
    fn cmp(&self, other: &Self) -> Ordering {
        key(&self.0).cmp(&key(&other.0))
    }
}

impl PartialOrd for Account {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Account {}

/// A session's place. Its drop gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    what: What,
}

#[derive(Debug)]
enum What {
    Waiting {
        number: u64,
        host: Option<Host>,
    },
    Inside {
        principal: Arc<Principal>,
        /// What it counts against: while a session changes its user it has two places, of which one has each of these.
        seat: bool,
        account: bool,
        tenant: bool,
    },
}

/// A place before login, and who is to make room for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) place: Place,
    pub(super) instead_of: Option<SessionId>,
}

impl Admission {
    /// Whether a connection from there is taken at all.
    ///
    /// # Errors
    /// Its host is blocked.
    pub(super) fn hears(&self, settings: &Globals, from: &Origin) -> Result<(), Refused> {
        let blocked = |host| self.state().hosts.is_blocked(host, settings.get(Setting::MaxConnectErrors));
        match Host::of(from) {
            Some(host) if blocked(host) => Err(Refused::HostBlocked(from.host())),
            _ => Ok(()),
        }
    }

    /// A place before login, for a session that is still to be [`named`](Place::name).
    ///
    /// # Errors
    /// There is none, in all or for this host.
    pub(super) fn wait(self: &Arc<Self>, settings: &Globals, from: &Origin, now: Instant) -> Result<Waiting, Refused> {
        let host = Host::of(from);
        let most_of_host = settings.get(Setting::MaxUnauthenticatedPerHost);
        let most = settings.get(Setting::MaxUnauthenticated);
        let mut state = self.state();
        if let Some(host) = host
            && most_of_host > 0
            && state.from.get(&host).is_some_and(|count| *count >= most_of_host)
        {
            return Err(Refused::TooManyConnections);
        }
        let mut instead_of = None;
        if state.waiting.len() as u64 >= most {
            let oldest = state.waiting.first_entry().filter(|oldest| now.duration_since(oldest.get().1) >= PATIENCE);
            instead_of = Some(oldest.ok_or(Refused::TooManyConnections)?.remove().0);
        }
        state.came += 1;
        let number = state.came;
        state.waiting.insert(number, (SessionId::new(0), now));
        if let Some(host) = host {
            *state.from.entry(host).or_default() += 1;
        }
        drop(state);
        let place = Place { admission: Arc::clone(self), what: What::Waiting { number, host } };
        Ok(Waiting { place, instead_of })
    }

    /// A place behind login for a session of this account. `before`: whose the session is already; it keeps its seat, and
    /// the account's place if it is the same.
    ///
    /// # Errors
    /// There is none: in all, for the account, for the tenant.
    pub(super) fn enter(
        self: &Arc<Self>,
        settings: &Globals,
        principal: &Arc<Principal>,
        before: Option<&Principal>,
    ) -> Result<Place, Refused> {
        let account = Account(Arc::clone(principal));
        let mut state = self.state();
        let seat = before.is_none();
        if seat {
            let reserved = u64::from(principal.has(ADMINISTRATORS));
            if state.inside >= settings.get(Setting::MaxConnections) + reserved {
                return Err(Refused::TooManyConnections);
            }
        }
        // What the session has already is not taken a second time.
        let same_account = before.is_some_and(|before| key(before) == key(principal));
        let of_account = state.accounts.get(&account).map_or(0, |count| count - u64::from(same_account));
        let user = || principal.user().to_string();
        match principal.own_setting(Setting::MaxUserConnections) {
            Some(most) if most > 0 && of_account >= most => return Err(Refused::UserLimitReached(user(), most)),
            Some(1..) => {}
            _ => {
                let most = settings.get(Setting::MaxUserConnections);
                if most > 0 && of_account >= most && !principal.has(Privileges::SUPER) {
                    return Err(Refused::TooManyUserConnections(user()));
                }
            }
        }
        let mut same_tenant = true;
        if let Some(tenant) = principal.tenant() {
            same_tenant = before.is_some_and(|before| before.tenant() == Some(tenant));
            let most = settings.get(Setting::MaxTenantConnections);
            let of_tenant = state.tenants.get(tenant).map_or(0, |count| count - u64::from(same_tenant));
            if most > 0 && of_tenant >= most {
                return Err(Refused::TooManyConnections);
            }
            if !same_tenant {
                *state.tenants.entry(tenant.into()).or_default() += 1;
            }
        }
        state.inside += u64::from(seat);
        if !same_account {
            *state.accounts.entry(account).or_default() += 1;
        }
        drop(state);
        let (principal, account, tenant) = (Arc::clone(principal), !same_account, !same_tenant);
        let what = What::Inside { principal, seat, account, tenant };
        Ok(Place { admission: Arc::clone(self), what })
    }

    /// A connection from there broke off before its login.
    pub(super) fn failed(&self, from: &Origin) {
        if let Some(host) = Host::of(from) {
            self.state().hosts.failed(host);
        }
    }

    /// A client from there has logged in.
    #[cfg(feature = "mysql")]
    pub(super) fn succeeded(&self, from: &Origin) {
        if let Some(host) = Host::of(from) {
            self.state().hosts.succeeded(host);
        }
    }

    /// `FLUSH HOSTS`.
    pub(super) fn flush_hosts(&self) {
        self.state().hosts.flush();
    }

    /// How many wait for their login.
    pub(super) fn waiting(&self) -> u64 {
        self.state().waiting.len() as u64
    }

    fn state(&self) -> Held<'_, State> {
        self.state.hold()
    }
}

impl Place {
    /// Says which session has the place: the one that may have to make room.
    pub(super) fn name(&self, id: SessionId) {
        if let What::Waiting { number, .. } = &self.what
            && let Some((named, _)) = self.admission.state().waiting.get_mut(number)
        {
            *named = id;
        }
    }

    /// Takes over from the place that the session had what both count against.
    #[cfg(any(feature = "mysql", test))]
    pub(crate) fn succeed(&mut self, mut before: Place) {
        let (
            What::Inside { principal, seat, account, tenant },
            What::Inside { principal: other, seat: a, account: b, tenant: c },
        ) = (&mut self.what, &mut before.what)
        else {
            return;
        };
        *seat |= std::mem::take(a);
        if key(principal) == key(other) {
            *account |= std::mem::take(b);
        }
        if principal.tenant() == other.tenant() {
            *tenant |= std::mem::take(c);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        match &self.what {
            What::Waiting { number, host } => {
                state.waiting.remove(number);
                if let Some(host) = host {
                    one_less(&mut state.from, host);
                }
            }
            What::Inside { principal, seat, account, tenant } => {
                state.inside -= u64::from(*seat);
                if *account {
                    one_less(&mut state.accounts, &Account(Arc::clone(principal)));
                }
                if let Some(tenant) = principal.tenant().filter(|_| *tenant) {
                    one_less(&mut state.tenants, tenant);
                }
            }
        }
    }
}

/// What is counted no more is not kept.
fn one_less<K, Q>(counts: &mut BTreeMap<K, u64>, key: &Q)
where
    K: std::borrow::Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::model::{Settings, SqlError, Tenant};

    fn user(name: &str, privileges: Privileges) -> Arc<Principal> {
        Arc::new(Principal::new(name, privileges))
    }

    fn settings(settings: &[(Setting, u64)]) -> Globals {
        Globals::new(&settings.iter().fold(Settings::new(), |sum, (setting, n)| sum.count(*setting, *n)))
    }

    fn code(result: Result<Place, Refused>) -> u16 {
        SqlError::from(result.unwrap_err()).code()
    }

    #[test]
    fn so_many_are_let_in_and_one_administrator_more() {
        let (admission, settings) = (Arc::<Admission>::default(), settings(&[(Setting::MaxConnections, 2)]));
        let (app, root) = (user("app", Privileges::PROCESS), user("root", Privileges::SUPER));
        let enter = |who: &Arc<Principal>| admission.enter(&settings, who, None);
        let first = enter(&app).unwrap();
        let _second = enter(&app).unwrap();
        assert_eq!(code(enter(&app)), 1040);
        let admin = enter(&root).unwrap();
        assert_eq!(code(enter(&root)), 1040, "there is one place, not one for each");
        assert_eq!((admission.waiting(), admission.state().inside), (0, 3));
        drop(first);
        assert_eq!(code(enter(&app)), 1040, "the administrator sits on a common place now");
        drop(admin);
        assert!(enter(&app).is_ok());
    }

    #[test]
    fn an_account_has_so_many_places_by_its_own_count_or_the_servers() {
        let (admission, settings) = (Arc::<Admission>::default(), settings(&[(Setting::MaxUserConnections, 1)]));
        let enter = |who: &Arc<Principal>| admission.enter(&settings, who, None);
        let app = user("app", Privileges::NONE);
        let _held = enter(&app).unwrap();
        assert_eq!(code(enter(&app)), 1203);
        assert!(enter(&user("other", Privileges::NONE)).is_ok());
        let elsewhere = Arc::new(Principal::new("app", Privileges::NONE).at_host("10.0.0.%"));
        assert!(enter(&elsewhere).is_ok(), "it is another account");
        let root = user("root", Privileges::SUPER);
        let _both = (enter(&root).unwrap(), enter(&root).unwrap());
        let own = Settings::new().count(Setting::MaxUserConnections, 2);
        for privileges in [Privileges::NONE, Privileges::SUPER] {
            let own = Arc::new(Principal::new("own", privileges).with_settings(own.clone()));
            let _both = (enter(&own).unwrap(), enter(&own).unwrap());
            let refused = enter(&own).unwrap_err();
            let error = SqlError::from(refused);
            assert_eq!(error.code(), 1226);
            let text = "User 'own' has exceeded the 'max_user_connections' resource (current value: 2)";
            assert_eq!(error.message(), text);
        }
    }

    #[test]
    fn a_tenant_has_so_many_places() {
        let (admission, settings) = (Arc::<Admission>::default(), settings(&[(Setting::MaxTenantConnections, 1)]));
        let of = |tenant: &str, name: &str| {
            let tenant = Tenant { name: tenant.into(), cluster: None };
            Arc::new(Principal::new(name, Privileges::NONE).in_tenant(tenant))
        };
        let held = admission.enter(&settings, &of("a", "x"), None).unwrap();
        assert_eq!(code(admission.enter(&settings, &of("a", "y"), None)), 1040);
        assert!(admission.enter(&settings, &of("b", "x"), None).is_ok());
        drop(held);
        assert!(admission.enter(&settings, &of("a", "y"), None).is_ok());
    }

    #[test]
    fn who_becomes_another_user_keeps_its_seat_and_no_count_is_lost() {
        let limits = [(Setting::MaxConnections, 1), (Setting::MaxUserConnections, 1)];
        let (admission, settings) = (Arc::<Admission>::default(), settings(&limits));
        let (a, b) = (user("a", Privileges::NONE), user("b", Privileges::NONE));
        let mut place = admission.enter(&settings, &a, None).unwrap();
        for (from, to) in [(&a, &a), (&a, &b), (&b, &a)] {
            let mut next = admission.enter(&settings, to, Some(from)).unwrap();
            next.succeed(place);
            place = next;
            assert_eq!(admission.state().inside, 1);
            assert_eq!(code(admission.enter(&settings, &b, None)), 1040);
        }
        {
            let on_its_way = admission.enter(&settings, &a, Some(&a)).unwrap();
            assert_eq!(admission.state().accounts.values().sum::<u64>(), 1, "it is not counted twice meanwhile");
            drop(on_its_way);
        }
        assert_eq!(admission.state().accounts.values().sum::<u64>(), 1, "nor lost if it does not come about");
        drop(place);
        let state = admission.state();
        assert_eq!((state.inside, state.waiting.len()), (0, 0));
        assert!(state.accounts.is_empty() && state.tenants.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn before_login_there_is_a_bound_in_all_and_for_each_host_and_who_waits_long_makes_room() {
        let limits = [(Setting::MaxUnauthenticated, 3), (Setting::MaxUnauthenticatedPerHost, 2)];
        let (admission, settings) = (Arc::<Admission>::default(), settings(&limits));
        let start = Instant::now();
        let mut id = 0;
        let mut wait = |host: u8, at: u64| {
            id += 1;
            let from = Origin::from(SocketAddr::from(([10, 0, 0, host], 1)));
            let waiting = admission.wait(&settings, &from, start + Duration::from_millis(at))?;
            waiting.place.name(SessionId::new(id));
            Ok::<_, Refused>(waiting)
        };
        let first = wait(1, 0).unwrap();
        let _second = wait(1, 10).unwrap();
        assert!(matches!(wait(1, 20), Err(Refused::TooManyConnections)), "of one host");
        let _third = wait(2, 30).unwrap();
        assert!(matches!(wait(3, 999), Err(Refused::TooManyConnections)), "in all");
        let fourth = wait(3, 1_000).unwrap();
        assert_eq!(fourth.instead_of, Some(SessionId::new(1)));
        assert_eq!(admission.waiting(), 3);
        drop(first);
        assert_eq!(admission.waiting(), 3, "it has made room already");
        assert!(wait(1, 1_005).is_err());
        drop(fourth);
        assert!(wait(1, 1_006).is_ok(), "its host has a place again");
    }

    #[test]
    fn a_blocked_host_is_not_heard() {
        let (admission, settings) = (Arc::<Admission>::default(), settings(&[(Setting::MaxConnectErrors, 1)]));
        let from = Origin::from(SocketAddr::from(([10, 0, 0, 1], 1)));
        admission.hears(&settings, &from).unwrap();
        admission.failed(&from);
        let refused = SqlError::from(admission.hears(&settings, &from).unwrap_err());
        assert_eq!((refused.code(), refused.state()), (1129, "HY000"));
        admission.hears(&settings, &Origin::Local).unwrap();
        admission.flush_hosts();
        admission.hears(&settings, &from).unwrap();
    }
}

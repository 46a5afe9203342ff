//! The runtime's settings as one session has them.

use std::sync::Arc;

use crate::{
    model::{Amount, Globals, OwnedValue, Principal, Setting, SettingReach},
    state::Limits,
};

/// The runtime's settings as one session has them, for whoever shows system variables:
/// [`StatementContext::settings`](super::StatementContext::settings).
#[derive(Clone, Debug)]
pub struct SettingValues {
    limits: Limits,
    globals: Arc<Globals>,
    /// What the account may have, where that is its own.
    user_connections: Option<Amount>,
}

impl SettingValues {
    pub(crate) fn new(limits: Limits, globals: Arc<Globals>, principal: &Principal) -> Self {
        // MySQL: 0 says nothing.
        let user_connections = principal.own_setting(Setting::MaxUserConnections).filter(|most| *most > 0);
        Self { limits, globals, user_connections }
    }

    /// The server's value (`@@global.x`), as the variable shows it.
    pub fn global(&self, setting: Setting) -> OwnedValue {
        setting.shown(self.globals.get(setting))
    }

    /// The session's (`@@session.x`); `None`: sessions have none.
    pub fn session(&self, setting: Setting) -> Option<OwnedValue> {
        match setting.reach() {
            SettingReach::Global => None,
            SettingReach::SessionReads => {
                Some(self.user_connections.map_or_else(|| self.global(setting), |own| setting.shown(own)))
            }
            SettingReach::Both => self.limits.get(setting).map(|own| setting.shown(own)),
        }
    }
}

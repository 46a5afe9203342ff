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
    /// What the account may have of those that sessions only read, where that is its own.
    own: Vec<(Setting, Amount)>,
}

impl SettingValues {
    pub(crate) fn new(limits: Limits, globals: Arc<Globals>, principal: &Principal) -> Self {
        let read = Setting::all().filter(|setting| setting.reach() == SettingReach::SessionReads);
        let own = read.filter_map(|setting| Some((setting, principal.own_setting(setting)?)));
        // MySQL: 0 connections say nothing.
        let own = own.filter(|own| *own != (Setting::MaxUserConnections, 0)).collect();
        Self { limits, globals, own }
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
                let own = self.own.iter().find(|(of, _)| *of == setting);
                Some(own.map_or_else(|| self.global(setting), |(_, own)| setting.shown(*own)))
            }
            SettingReach::Both => self.limits.get(setting).map(|own| setting.shown(own)),
        }
    }
}

//! The word beside a model of the same machine, and what each change promises.

use proptest::prelude::*;

use super::*;

/// What can happen to a session, in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    /// Aimed so many statements before the last one.
    Cancel(u64, Reason),
    Terminate(Reason),
    Drain(Reason),
    WindDown,
    /// Aimed so many statements before the last one.
    LeaveIdle(u64, Reason),
    Complete,
    /// With a transaction left open, or without.
    Finish(bool),
    Close,
}

/// The same machine, written with ordinary fields.
#[derive(Clone, Debug, Default)]
struct Model {
    number: u64,
    running: bool,
    reason: Option<Reason>,
    leaving: Option<Reason>,
    open: bool,
    draining: bool,
    telling: bool,
    gone: bool,
}

impl Model {
    fn leave_between(&mut self) {
        if self.draining && !self.open && !self.running && !self.telling {
            self.leaving.get_or_insert(Reason::Shutdown);
        }
    }
}

fn any_reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(Reason::ALL.to_vec())
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Begin),
        4 => (0..3u64, any_reason()).prop_map(|(back, why)| Step::Cancel(back, why)),
        1 => any_reason().prop_map(Step::Terminate),
        1 => any_reason().prop_map(Step::Drain),
        1 => Just(Step::WindDown),
        1 => (0..2u64, any_reason()).prop_map(|(back, why)| Step::LeaveIdle(back, why)),
        3 => Just(Step::Complete),
        3 => any::<bool>().prop_map(Step::Finish),
        1 => Just(Step::Close),
    ]
}

fn apply(word: Word, model: &mut Model, step: Step) -> Word {
    match step {
        Step::Begin if model.running || model.telling || model.gone => word,
        Step::Begin => match word.begin() {
            Ok(next) => {
                assert_eq!(model.leaving, None, "nothing begins in a session that is to end");
                model.number += 1;
                model.running = true;
                model.reason = None;
                next
            }
            Err(reason) => {
                assert_eq!(model.leaving, Some(reason));
                word
            }
        },
        Step::Cancel(back, why) => {
            let aimed = model.number.saturating_sub(back);
            let (next, raised) = word.cancel(StatementNo::new(aimed), why);
            let expected = match (model.running && aimed == model.number, model.reason) {
                (false, _) => Raised::NotRunning,
                (true, Some(first)) => Raised::Already(first),
                (true, None) => {
                    model.reason = Some(why);
                    Raised::First
                }
            };
            assert_eq!(raised, expected);
            next
        }
        Step::Terminate(why) | Step::Drain(why) => {
            let drain = matches!(step, Step::Drain(_));
            let (next, raised) = word.leave(why, drain);
            if model.gone {
                assert_eq!((next, raised), (word, Raised::NotRunning));
                return word;
            }
            let stops = model.running && model.reason.is_none() && !drain;
            let expected = match model.leaving {
                Some(first) if !stops => Raised::Already(first),
                _ => Raised::First,
            };
            assert_eq!(raised, expected);
            if stops {
                model.reason = Some(why);
            }
            model.leaving.get_or_insert(why);
            next
        }
        Step::WindDown => {
            let (next, raised) = word.wind_down();
            let expected = match (model.gone, model.leaving) {
                (true, _) => Raised::NotRunning,
                (false, Some(first)) => Raised::Already(first),
                (false, None) => {
                    model.draining = true;
                    model.leave_between();
                    if model.leaving.is_some() { Raised::First } else { Raised::NotRunning }
                }
            };
            assert_eq!(raised, expected);
            next
        }
        Step::LeaveIdle(back, why) => {
            let aimed = model.number.saturating_sub(back);
            let (next, raised) = word.leave_idle(StatementNo::new(aimed), why);
            let expected = match model.leaving {
                _ if model.gone || model.running || aimed != model.number => Raised::NotRunning,
                Some(first) => Raised::Already(first),
                None => Raised::First,
            };
            assert_eq!(raised, expected);
            if raised == Raised::First {
                model.leaving = Some(why);
            }
            next
        }
        Step::Complete => match word.complete() {
            Ok(next) => {
                assert!(!model.running || model.reason.is_none(), "a killed statement never looks complete");
                model.telling |= model.running;
                model.running = false;
                next
            }
            Err(reason) => {
                assert_eq!(model.reason, Some(reason));
                word
            }
        },
        Step::Finish(open) => {
            model.running = false;
            model.telling = false;
            model.reason = None;
            model.open = open;
            model.leave_between();
            word.finish(open)
        }
        Step::Close => {
            model.running = false;
            model.telling = false;
            model.reason = None;
            model.gone = true;
            model.leaving.get_or_insert(Reason::Quit);
            word.close(Reason::Quit)
        }
    }
}

proptest! {
    #[test]
    fn the_word_follows_the_model(steps in prop::collection::vec(any_step(), 0..60)) {
        let (mut word, mut model) = (Word::NEW, Model::default());
        for step in steps {
            word = apply(word, &mut model, step);
            prop_assert_eq!(word.number().get(), model.number);
            prop_assert_eq!(word.running().is_some(), model.running);
            prop_assert_eq!(word.leaving(), model.leaving);
            prop_assert_eq!(word.gone(), model.gone);
            prop_assert_eq!((word.open(), word.draining()), (model.open, model.draining));
            let phase = match (model.running, model.reason) {
                (false, _) => Phase::Idle,
                (true, None) => Phase::Running,
                (true, Some(reason)) => Phase::Ended(reason),
            };
            prop_assert_eq!(word.phase(), phase);
        }
    }
}

#[test]
fn the_number_wraps_past_zero() {
    let last = Word(NUMBERS << NUMBER_SHIFT);
    assert_eq!(last.begin().map(|w| w.number()), Ok(StatementNo::new(1)));
}

#[test]
fn whoever_outlived_its_statement_must_stop() {
    let word = Word::NEW.begin().unwrap();
    let first = word.number();
    assert_eq!(word.stop(first), None);
    let word = word.finish(false);
    assert_eq!(word.stop(first), Some(Reason::Abandoned));
    assert_eq!(word.begin().unwrap().stop(first), Some(Reason::Abandoned));
}

/// A session that runs its first statement.
fn running() -> Word {
    Word::NEW.begin().unwrap()
}

#[test]
fn who_is_between_transactions_leaves_at_once() {
    for word in [Word::NEW, running().finish(false), running().finish(true).begin().unwrap().finish(false)] {
        let (word, raised) = word.wind_down();
        assert_eq!((raised, word.leaving()), (Raised::First, Some(Reason::Shutdown)));
        assert_eq!(word.wind_down().1, Raised::Already(Reason::Shutdown), "and is told once");
    }
}

#[test]
fn a_statement_and_what_its_client_is_told_of_it_are_waited_for() {
    let telling = running().complete().unwrap();
    for word in [running(), telling] {
        let (word, raised) = word.wind_down();
        assert_eq!((raised, word.leaving()), (Raised::NotRunning, None));
        assert_eq!(word.finish(false).leaving(), Some(Reason::Shutdown));
    }
}

#[test]
fn a_transaction_goes_on_to_its_end() {
    let (word, raised) = running().finish(true).wind_down();
    assert_eq!((raised, word.leaving()), (Raised::NotRunning, None));
    let word = word.begin().unwrap().complete().unwrap().finish(true);
    assert_eq!((word.leaving(), word.draining()), (None, true), "after another statement of it, too");
    let word = word.begin().unwrap();
    assert_eq!(word.finish(false).leaving(), Some(Reason::Shutdown));
    // BEGIN itself may be what runs.
    let (word, _) = running().wind_down();
    assert_eq!(word.finish(true).leaving(), None);
}

#[test]
fn a_transaction_whose_time_is_over_is_ended() {
    let (word, _) = running().finish(true).wind_down();
    let (word, raised) = word.leave(Reason::Shutdown, false);
    assert_eq!((raised, word.leaving()), (Raised::First, Some(Reason::Shutdown)));
    assert!(word.open(), "it is still to be rolled back");
    assert_eq!(word.begin().map(|_| ()), Err(Reason::Shutdown));
}

#[test]
fn a_reason_of_its_own_stands() {
    let (word, _) = running().finish(true).wind_down();
    let (word, _) = word.leave(Reason::KillConnection, false);
    assert_eq!(word.finish(false).leaving(), Some(Reason::KillConnection));
}

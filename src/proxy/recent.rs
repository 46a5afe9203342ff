//! Things that belong to the texts of statements, found by where the texts lie. How many are kept, and when the one that was not
//! used for the longest time is taken out, is for whoever has them to say.
//!
//! Each statement looks for one of them: what is looked at lies together, and nothing is moved.

/// Where a text lies, and when it was last asked for.
#[derive(Clone, Copy, Debug)]
struct Key {
    start: usize,
    length: usize,
    /// By a count of questions. When that begins anew, something may go that is used more than others.
    used: u32,
}

/// See the module's text. Whoever puts something in keeps the text alive with it, so that nothing else can lie there.
#[derive(Debug)]
pub(super) struct Recent<T> {
    keys: Vec<Key>,
    things: Vec<T>,
    questions: u32,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { keys: Vec::new(), things: Vec::new(), questions: 0 }
    }
}

impl<T> Recent<T> {
    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    /// What belongs to the text that lies just here, if it fits: it is used now.
    pub(super) fn of(&mut self, text: &[u8], fits: impl Fn(&T) -> bool) -> Option<&T> {
        let (start, length) = (text.as_ptr().addr(), text.len());
        let mut lie_here = self.keys.iter().enumerate().filter(|(_, key)| key.start == start && key.length == length);
        let place = lie_here.find(|(place, _)| fits(&self.things[*place]))?.0;
        Some(self.used(place))
    }

    /// The first that fits, wherever its text lies: it is used now.
    pub(super) fn find(&mut self, fits: impl Fn(&T) -> bool) -> Option<&T> {
        let place = self.things.iter().position(fits)?;
        Some(self.used(place))
    }

    fn used(&mut self, place: usize) -> &T {
        self.questions = self.questions.wrapping_add(1);
        self.keys[place].used = self.questions;
        &self.things[place]
    }

    /// Adds what belongs to this text.
    pub(super) fn add(&mut self, text: &[u8], thing: T) {
        self.keys.push(Key { start: text.as_ptr().addr(), length: text.len(), used: 0 });
        self.things.push(thing);
        self.used(self.things.len() - 1);
    }

    /// Takes out the first that fits.
    pub(super) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let place = self.things.iter().position(fits)?;
        Some(self.take_out(place))
    }

    /// Takes out the one that was not used for the longest time.
    pub(super) fn take_oldest(&mut self) -> Option<T> {
        let place = (0..self.keys.len()).min_by_key(|place| self.keys[*place].used)?;
        Some(self.take_out(place))
    }

    fn take_out(&mut self, place: usize) -> T {
        self.keys.swap_remove(place);
        self.things.swap_remove(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_by_where_their_texts_lie() {
        let text = b"abcdef".to_vec();
        let mut recent = Recent::default();
        for (end, thing) in [(6, 'a'), (3, 'b'), (6, 'c')] {
            recent.add(&text[..end], thing);
        }
        assert_eq!(recent.of(&text, |_| true), Some(&'a'));
        assert_eq!(recent.of(&text, |thing| *thing != 'a'), Some(&'c'));
        assert_eq!(recent.of(&text[..3], |_| true), Some(&'b'));
        assert_eq!(recent.of(&text[1..], |_| true), None);
        assert_eq!(recent.of(&text.clone(), |_| true), None, "the same text elsewhere");
        assert_eq!(recent.take(|thing| *thing == 'a'), Some('a'));
        assert_eq!(recent.of(&text, |_| true), Some(&'c'));
        assert_eq!(recent.of(&text[..3], |_| true), Some(&'b'));
        assert_eq!(recent.len(), 2);
    }

    #[test]
    fn what_is_not_used_goes_first() {
        let mut recent = Recent::default();
        for thing in 0..4 {
            recent.add(b"", thing);
        }
        assert_eq!(recent.find(|thing| *thing == 0), Some(&0));
        assert_eq!(recent.of(b"", |thing| *thing == 2), Some(&2));
        let order = [(); 5].map(|()| recent.take_oldest());
        assert_eq!(order, [Some(1), Some(3), Some(0), Some(2), None]);
    }
}

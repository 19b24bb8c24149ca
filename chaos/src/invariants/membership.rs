//! Which of the memberships that members tell is not older than the last one that was believed.
//!
//! Owns: that choice, for rules that compare one membership with the next.
//! Always holds: what is believed never goes back in time. A member says how far it has applied the
//! log before it tells its list, so the list may be newer than that number, and numbers of two
//! members cannot be compared. A list after a linearizable read is newer than every list of an
//! earlier look; a member's own lists follow each other.
//! Deliberately does not know: what is wrong with a membership.

use crate::{
    Observation,
    observation::{List, Member},
};

/// Who told the membership that was believed last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Believed {
    teller: Option<(u64, u64)>,
}

impl Believed {
    /// The membership to believe now; `None` when nobody tells one that is surely not older.
    pub(super) fn next<'a>(&mut self, look: &'a Observation) -> Option<&'a List> {
        let tellers = || look.members().filter(|member| member.list.is_some());
        let vouched = |member: &&Member| {
            let list = member.list.as_ref();
            list.is_some_and(|list| list.linearizable)
        };
        let newest = |member: &&Member| member.applied;
        let told = match self.teller {
            None => tellers().max_by_key(newest),
            Some((id, applied)) => tellers()
                .filter(vouched)
                .max_by_key(newest)
                .or_else(|| tellers().find(|it| it.id == id && it.applied >= applied)),
        }?;
        self.teller = Some((told.id, told.applied));
        told.list.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, voter};

    fn unvouched(mut look: Observation) -> Observation {
        for pod in &mut look.pods {
            let list = pod.member.as_mut().and_then(|member| member.list.as_mut());
            list.expect("tells").linearizable = false;
        }
        look
    }

    fn ids(list: Option<&List>) -> Option<usize> {
        list.map(|list| list.members.len())
    }

    #[test]
    fn another_member_is_believed_only_after_a_linearizable_read() {
        let mut believed = Believed::default();
        let (both, one) = ([voter(1), voter(2)], [voter(1)]);
        assert_eq!(ids(believed.next(&look(1, 10, &both, &[1]))), Some(2));
        assert_eq!(ids(believed.next(&look(2, 10, &one, &[1]))), Some(1));
        let lagging = unvouched(look(3, 10, &both, &[2]));
        assert_eq!(ids(believed.next(&lagging)), None);
        assert_eq!(ids(believed.next(&look(4, 9, &both, &[2]))), Some(2));
    }

    #[test]
    fn the_same_member_is_believed_without_a_majority_too() {
        let mut believed = Believed::default();
        assert_eq!(ids(believed.next(&look(1, 10, &[voter(1)], &[1]))), Some(1));
        let grown = unvouched(look(2, 11, &[voter(1), voter(2)], &[1]));
        assert_eq!(ids(believed.next(&grown)), Some(2));
        let replayed = unvouched(look(3, 5, &[voter(1)], &[1]));
        assert_eq!(ids(believed.next(&replayed)), None);
    }
}

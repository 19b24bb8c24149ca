//! A set of places in an object.
//!
//! Owns: [`FieldSet`] and its set algebra.
//! Always holds: no empty branches, so that two equal sets are equal values; the root itself is
//! never a member.
//! Deliberately does not know: which places exist in an object, and how sets are written down.

use std::collections::BTreeMap;

use super::path::{Path, PathElement};
use crate::kubernetes::schema::types::Node;

/// A tree of path elements; a place may be a member with or without members below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Whether this place itself is a member.
    pub(super) member: bool,
    pub(super) children: BTreeMap<PathElement, FieldSet>,
}

impl FieldSet {
    pub(super) fn from_paths<'a>(paths: impl IntoIterator<Item = &'a [&'a str]>) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(&Path::of(path).0);
        }
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// Adds a place; the root is ignored, as nobody owns an object as such.
    pub(super) fn insert(&mut self, path: &[PathElement]) {
        if path.is_empty() {
            return;
        }
        let mut place = self;
        for element in path {
            place = place.children.entry(element.clone()).or_default();
        }
        place.member = true;
    }

    pub(super) fn contains(&self, path: &[PathElement]) -> bool {
        let place = path
            .iter()
            .try_fold(self, |place, element| place.children.get(element));
        place.is_some_and(|place| place.member)
    }

    /// The members, a place's own before those below its siblings: the order of the server's
    /// conflict messages.
    pub(super) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect_paths(&Path::default(), &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &Path, paths: &mut Vec<Path>) {
        let below = |element: &PathElement| {
            let mut path = prefix.clone();
            path.0.push(element.clone());
            path
        };
        let members = self.children.iter().filter(|(_, child)| child.member);
        paths.extend(members.map(|(element, _)| below(element)));
        for (element, child) in &self.children {
            child.collect_paths(&below(element), paths);
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut children = self.children.clone();
        for (element, child) in &other.children {
            let merged = match children.get(element) {
                Some(mine) => mine.union(child),
                None => child.clone(),
            };
            children.insert(element.clone(), merged);
        }
        Self {
            member: self.member || other.member,
            children,
        }
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, self.member && other.member, |mine, theirs| {
            theirs.map(|theirs| mine.intersection(theirs))
        })
    }

    /// Members of this set that are not members of the other; what is below a removed member stays.
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combine(other, self.member && !other.member, |mine, theirs| {
            Some(theirs.map_or_else(|| mine.clone(), |theirs| mine.difference(theirs)))
        })
    }

    /// As [`Self::difference`], but a member of the other set takes everything below it away too.
    pub(super) fn recursive_difference(&self, other: &Self) -> Self {
        self.combine(
            other,
            self.member && !other.member,
            |mine, theirs| match theirs {
                None => Some(mine.clone()),
                Some(theirs) if theirs.member => None,
                Some(theirs) => Some(mine.recursive_difference(theirs)),
            },
        )
    }

    fn combine(
        &self,
        other: &Self,
        member: bool,
        child: impl Fn(&Self, Option<&Self>) -> Option<Self>,
    ) -> Self {
        let children = self.children.iter().filter_map(|(element, mine)| {
            let combined = child(mine, other.children.get(element))?;
            (!combined.is_empty()).then(|| (element.clone(), combined))
        });
        Self {
            member,
            children: children.collect(),
        }
    }

    /// Adds every struct field that has members below it, so that removing the set from an
    /// object removes the field rather than leaving an empty one.
    pub(super) fn with_named_fields(&self, node: &Node) -> Self {
        let children = self.children.iter().map(|(element, child)| {
            let (below, named) = match element {
                PathElement::Field(name) => (node.field(name), node.names(name)),
                PathElement::Key(_) => (Some(node.item()), false),
                PathElement::Value(_) | PathElement::Index(_) => (None, false),
            };
            let mut child = match below {
                Some(below) => child.with_named_fields(below),
                None => child.clone(),
            };
            child.member |= named && !child.children.is_empty();
            (element.clone(), child)
        });
        Self {
            member: self.member,
            children: children.collect(),
        }
    }
}

//! How one unusual field of a built-in type is described in the table.
//!
//! Deliberately does not know: which fields there are.

use crate::kubernetes::schema::types::PatchStrategy;

/// A field and what is unusual about it.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) patch: PatchStrategy,
    pub(super) unset: Unset,
}

/// How a field is taken apart.
pub(super) enum Kind {
    /// As most fields are.
    Usual,
    /// A struct with unusual fields of its own: a type of the table.
    Struct(&'static str),
    /// A map or list that server-side apply owns as a whole.
    Atomic,
    /// A list keyed by the first names, of items of this type of the table.
    Keyed(&'static [&'static str], &'static str),
    /// A list of scalars without order.
    Set,
}

/// What a field is in an object of which nothing has been set.
#[derive(Clone, Copy)]
pub(super) enum Unset {
    /// Not there.
    Missing,
    /// A struct that is always there.
    Struct,
    /// A list or pointer that is always written.
    Null,
    /// A string that is always written.
    EmptyText,
}

/// Items that are owned as a whole: their type is atomic.
pub(super) const WHOLE: &str = "";

/// A field with nothing unusual but what is chained to it.
pub(super) const fn usual(name: &'static str) -> Field {
    Field::new(name, Kind::Usual, None)
}

/// A struct of a type of the table.
pub(super) const fn structure(name: &'static str, type_name: &'static str) -> Field {
    Field::new(name, Kind::Struct(type_name), None)
}

/// A map or list owned as a whole.
pub(super) const fn atomic(name: &'static str) -> Field {
    Field::new(name, Kind::Atomic, None)
}

/// A keyed list; a strategic patch merges it by the first key.
pub(super) const fn keyed(
    name: &'static str,
    keys: &'static [&'static str],
    item_type: &'static str,
) -> Field {
    Field::new(name, Kind::Keyed(keys, item_type), Some(keys[0]))
}

/// A set; a strategic patch adds to it.
pub(super) const fn set(name: &'static str) -> Field {
    Field::new(name, Kind::Set, Some(""))
}

impl Field {
    const fn new(name: &'static str, kind: Kind, merge_key: Option<&'static str>) -> Self {
        let patch = PatchStrategy {
            merge_key,
            retain_keys: false,
            replace: false,
        };
        let unset = Unset::Missing;
        Self {
            name,
            kind,
            patch,
            unset,
        }
    }

    /// A strategic patch merges the items of this list by `key`, whatever apply does.
    pub(super) const fn patched_by(mut self, key: &'static str) -> Self {
        self.patch.merge_key = Some(key);
        self
    }

    /// A strategic patch replaces this list, whatever apply does.
    pub(super) const fn not_patched(mut self) -> Self {
        self.patch.merge_key = None;
        self
    }

    /// A strategic patch replaces this map.
    pub(super) const fn patch_replaces(mut self) -> Self {
        self.patch.replace = true;
        self
    }

    /// A strategic patch may name the fields to retain: a union, of which one member is set.
    pub(super) const fn retains_keys(mut self) -> Self {
        self.patch.retain_keys = true;
        self
    }

    /// The struct is always there.
    pub(super) const fn by_value(mut self) -> Self {
        self.unset = Unset::Struct;
        self
    }

    /// Written as null when not set.
    pub(super) const fn null(mut self) -> Self {
        self.unset = Unset::Null;
        self
    }

    /// Written as an empty string when not set.
    pub(super) const fn empty_text(mut self) -> Self {
        self.unset = Unset::EmptyText;
        self
    }
}

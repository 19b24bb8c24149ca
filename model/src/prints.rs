//! A set of fingerprints: eight bytes each, and room.
//!
//! Owns: open addressing over one array of a power of two, at most five eighths full.
//! Always holds: the same prints in the same order give the same set; nothing is iterated.
//! Deliberately does not know: what was printed.

/// Marks an empty place; the one print that equals it is moved aside.
const EMPTY: u64 = 0;

/// The set.
pub struct Prints {
    places: Vec<u64>,
    len: usize,
}

impl Prints {
    /// Empty.
    pub fn new() -> Self {
        Self {
            places: vec![EMPTY; 1 << 12],
            len: 0,
        }
    }

    /// Whether the print is there.
    pub fn has(&self, print: u64) -> bool {
        let print = print.max(1);
        self.places[self.place(print)] == print
    }

    /// Adds a print; false when it was there.
    pub fn insert(&mut self, print: u64) -> bool {
        let print = print.max(1);
        let place = self.place(print);
        if self.places[place] == print {
            return false;
        }
        self.places[place] = print;
        self.len += 1;
        if self.len * 8 > self.places.len() * 5 {
            self.grow();
        }
        true
    }

    /// Where the print is, or would be.
    fn place(&self, print: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = print as usize & mask;
        while self.places[place] != EMPTY && self.places[place] != print {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let larger = vec![EMPTY; self.places.len() * 2];
        let before = std::mem::replace(&mut self.places, larger);
        for print in before.into_iter().filter(|print| *print != EMPTY) {
            let place = self.place(print);
            self.places[place] = print;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_is_new_once_however_often_the_set_has_grown() {
        let mut prints = Prints::new();
        let all = || (0..20_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(all().all(|print| prints.insert(print)));
        assert!(all().all(|print| prints.has(print) && !prints.insert(print)));
        assert!(!prints.has(7));
    }
}

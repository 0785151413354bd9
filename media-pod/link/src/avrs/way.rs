//! Through which clusters a request went, or content comes: so that none asks itself.

use std::fmt;

/// Clusters on one way at most.
pub const MAX_HOPS: usize = 16;
/// Bytes of a cluster's id, and of its name, at most.
pub const MAX_HOP_TEXT: usize = 64;

/// One cluster on a way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    id: String,
    name: String,
}

impl Hop {
    /// A cluster: what it is known by everywhere, and what people call it. Both are cut to [`MAX_HOP_TEXT`] bytes, and
    /// of control characters nothing is left; where no id is left, it is `?`.
    pub fn new(id: &str, name: &str) -> Self {
        let (id, name) = (short(id), short(name));
        Self { id: if id.is_empty() { "?".to_owned() } else { id }, name }
    }

    /// What it is known by everywhere.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people call it: not unique.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.name.is_empty() { &self.id } else { &self.name })
    }
}

fn short(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > MAX_HOP_TEXT {
            break;
        }
        out.push(c);
    }
    out
}

/// See the module: in the order in which it went. At most [`MAX_HOPS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Way(Vec<Hop>);

/// Why a request does not go further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WayError {
    /// It was here before. The clusters in the order in which it went, this one at both ends.
    #[error("loop: {0}")]
    Loop(String),
    /// It went through too many.
    #[error("through more than {MAX_HOPS} clusters: {0}")]
    Long(String),
}

impl Way {
    /// Whether it went through no cluster yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The clusters.
    pub fn hops(&self) -> &[Hop] {
        &self.0
    }

    /// Whether it went through the cluster of this id.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|hop| hop.id == id)
    }

    /// Whether it came to `here`, where it was before: the part that leads from there to here again.
    pub fn check(&self, here: &Hop) -> Result<(), WayError> {
        match self.0.iter().position(|hop| hop.id == here.id) {
            None => Ok(()),
            Some(at) => {
                let ring = self.0.iter().skip(at).chain([here]);
                Err(WayError::Loop(joined(ring)))
            }
        }
    }

    /// The way that goes on through `here`.
    pub fn through(&self, here: &Hop) -> Result<Self, WayError> {
        self.check(here)?;
        if self.0.len() >= MAX_HOPS {
            return Err(WayError::Long(joined(self.0.iter().chain([here]))));
        }
        Ok(Self(self.0.iter().chain([here]).cloned().collect()))
    }

    /// The way that begins at `here` and goes on as this one. What is beyond [`MAX_HOPS`] is left out.
    #[must_use]
    pub fn behind(&self, here: &Hop) -> Self {
        Self([here].into_iter().chain(&self.0).take(MAX_HOPS).cloned().collect())
    }

    /// Whether a request that went this way may have what comes to `here` by way of `from`.
    pub fn meets(&self, here: &Hop, from: &Self) -> Result<(), WayError> {
        match from.0.iter().position(|hop| self.has(&hop.id)) {
            None => Ok(()),
            Some(at) => {
                let ring = self.0.iter().chain([here]).chain(from.0.iter().take(at + 1));
                Err(WayError::Loop(joined(ring)))
            }
        }
    }

    /// The bytes: of each cluster a length `u8` and the id, a length `u8` and the name.
    pub fn encode(&self) -> Vec<u8> {
        let texts = self.0.iter().flat_map(|hop| [&hop.id, &hop.name]);
        // No text is longer than 64 bytes.
        texts.flat_map(|text| [&[text.len() as u8], text.as_bytes()].concat()).collect()
    }

    /// Reads it.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut hops = Vec::new();
        while !bytes.is_empty() {
            if hops.len() == MAX_HOPS {
                return None;
            }
            let id = text(&mut bytes).filter(|id| !id.is_empty())?;
            hops.push(Hop { id, name: text(&mut bytes)? });
        }
        Some(Self(hops))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0.iter()))
    }
}

fn joined<'a>(hops: impl Iterator<Item = &'a Hop>) -> String {
    hops.map(ToString::to_string).collect::<Vec<_>>().join(" -> ")
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let (&length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    *bytes = rest;
    let text = std::str::from_utf8(text).ok()?;
    (text.len() <= MAX_HOP_TEXT && !text.contains(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop(id: &str) -> Hop {
        Hop::new(id, &id.to_uppercase())
    }

    fn way(ids: &[&str]) -> Way {
        Way(ids.iter().map(|id| hop(id)).collect())
    }

    #[test]
    fn a_request_that_comes_back_is_told_the_way_that_it_went() {
        assert_eq!(way(&["eu"]).through(&hop("us")), Ok(way(&["eu", "us"])));
        let back = way(&["asia", "eu", "us"]).through(&hop("eu")).unwrap_err();
        assert_eq!(back.to_string(), "loop: EU -> US -> EU");
        assert_eq!(way(&["eu"]).check(&hop("eu")).unwrap_err().to_string(), "loop: EU -> EU");
        let same_name = Hop::new("other", "EU");
        assert!(way(&["eu"]).through(&same_name).is_ok(), "names are for people");
    }

    #[test]
    fn no_way_is_longer_than_sixteen() {
        let ids: Vec<String> = (0..16).map(|n| format!("c{n}")).collect();
        let full = ids.iter().try_fold(Way::default(), |way, id| way.through(&hop(id))).unwrap();
        assert!(matches!(full.through(&hop("last")), Err(WayError::Long(_))));
        assert!(matches!(full.through(&hop("c3")), Err(WayError::Loop(_))));
        assert_eq!(full.behind(&hop("first")).hops().len(), MAX_HOPS);
        let longer = [full.encode(), way(&["last"]).encode()].concat();
        assert_eq!((Way::decode(&full.encode()), Way::decode(&longer)), (Some(full), None));
    }

    #[test]
    fn what_comes_from_who_asks_is_no_source_for_it() {
        let from = way(&["b", "c"]);
        assert_eq!(way(&["x", "y"]).meets(&hop("a"), &from), Ok(()));
        let ring = way(&["b"]).meets(&hop("a"), &from).unwrap_err();
        assert_eq!(ring.to_string(), "loop: B -> A -> B");
        let ring = way(&["x", "c"]).meets(&hop("a"), &from).unwrap_err();
        assert_eq!(ring.to_string(), "loop: X -> C -> A -> B -> C");
    }

    proptest! {
        #[test]
        fn a_way_is_read_as_it_was_written(ids in proptest::collection::vec((".{1,80}", ".{0,80}"), 0..16)) {
            let way = Way(ids.iter().map(|(id, name)| Hop::new(id, name)).collect());
            prop_assert_eq!(Way::decode(&way.encode()), Some(way));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0_u8..70, 0..300)) {
            if let Some(way) = Way::decode(&bytes) {
                prop_assert_eq!(way.encode(), bytes);
            }
        }

        /// Whatever clusters name each other: who asks on by these rules never asks for ever.
        #[test]
        fn no_request_goes_round(next in proptest::collection::vec(0_usize..8, 8), first in 0_usize..8) {
            let (mut at, mut way, mut steps) = (first, Way::default(), 0);
            while let Ok(longer) = way.through(&hop(&format!("c{at}"))) {
                (way, at, steps) = (longer, next[at], steps + 1);
                prop_assert!(steps <= 8);
            }
        }
    }
}

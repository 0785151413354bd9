//! Who publishes to a feed: one at a time, and each in a run of its own. Pure.

/// A publisher, as long as it has the slot. Never the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(u64);

/// What a publisher may do with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// They are bytes of this run.
    Into(u64),
    /// No run waits for them yet.
    Wait,
    /// It does not have the slot any more.
    Over,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Slot {
    turns: u64,
    holder: Option<Turn>,
    /// The run that the holder gives into.
    run: Option<u64>,
    /// A run that nobody has given into.
    offered: Option<u64>,
}

impl Slot {
    /// Somebody wants to publish; none: somebody does already.
    pub fn join(&mut self) -> Option<Turn> {
        if self.holder.is_some() {
            return None;
        }
        self.turns += 1;
        let turn = Turn(self.turns);
        (self.holder, self.run) = (Some(turn), None);
        self.holder
    }

    /// It has something to give.
    pub fn gives(&mut self, turn: Turn) -> Go {
        if self.holder != Some(turn) {
            return Go::Over;
        }
        if self.run.is_none() {
            self.run = self.offered.take();
        }
        self.run.map_or(Go::Wait, Go::Into)
    }

    /// It has left: the run that it gave into is over.
    pub fn leaves(&mut self, turn: Turn) -> Option<u64> {
        if self.holder != Some(turn) {
            return None;
        }
        self.holder = None;
        self.run.take()
    }

    /// A run waits for whoever gives first.
    pub fn offer(&mut self, run: u64) {
        self.offered = Some(run);
    }

    /// Nothing is taken any more. Who gave into the run must go: what it goes on with is no beginning. Who only waits, waits
    /// on. Whether somebody had to go.
    pub fn withdraw(&mut self) -> bool {
        self.offered = None;
        let gave = self.run.take().is_some();
        if gave {
            self.holder = None;
        }
        gave
    }

    /// Whether it has the slot.
    pub fn holds(&self, turn: Turn) -> bool {
        self.holder == Some(turn)
    }

    /// Whether anybody has it.
    pub fn is_taken(&self) -> bool {
        self.holder.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_has_left() {
        let mut slot = Slot::default();
        let first = slot.join().unwrap();
        assert_eq!(slot.join(), None);
        assert_eq!(slot.gives(first), Go::Wait);
        slot.offer(7);
        assert_eq!(slot.gives(first), Go::Into(7));
        assert_eq!(slot.leaves(first), Some(7));
        let second = slot.join().unwrap();
        assert_eq!(slot.gives(second), Go::Wait, "the run of the first is over");
        assert_eq!((slot.gives(first), slot.leaves(first)), (Go::Over, None));
        assert!(slot.holds(second));
    }

    #[test]
    fn who_gave_into_a_run_goes_with_it_and_who_waits_gets_the_next_one() {
        let mut slot = Slot::default();
        slot.offer(1);
        let gave = slot.join().unwrap();
        assert_eq!(slot.gives(gave), Go::Into(1));
        assert!(slot.withdraw());
        assert_eq!(slot.gives(gave), Go::Over);
        let waits = slot.join().unwrap();
        slot.offer(2);
        assert!(!slot.withdraw(), "it gave nothing");
        slot.offer(3);
        assert_eq!(slot.gives(waits), Go::Into(3));
    }

    #[derive(Clone, Debug)]
    enum Act {
        Join,
        Gives(usize),
        Leaves(usize),
        Offer,
        Withdraw,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::Join),
            (0..6_usize).prop_map(Act::Gives),
            (0..6_usize).prop_map(Act::Leaves),
            Just(Act::Offer),
            Just(Act::Withdraw),
        ]
    }

    proptest! {
        #[test]
        fn a_run_has_one_publisher_and_a_publisher_one_run(acts in proptest::collection::vec(act(), 0..60)) {
            let (mut slot, mut turns, mut runs) = (Slot::default(), Vec::new(), 0_u64);
            let mut of_run: BTreeMap<u64, Turn> = BTreeMap::new();
            let recent = |turns: &Vec<Turn>, back: usize| turns.iter().rev().nth(back).copied();
            for act in acts {
                match act {
                    Act::Join => turns.extend(slot.join()),
                    Act::Gives(back) => if let Some(turn) = recent(&turns, back) {
                        match slot.gives(turn) {
                            Go::Into(run) => {
                                prop_assert_eq!(*of_run.entry(run).or_insert(turn), turn);
                                prop_assert!(of_run.iter().all(|(other, it)| *it != turn || *other == run));
                                prop_assert!(slot.holds(turn));
                            }
                            Go::Wait => prop_assert!(slot.holds(turn)),
                            Go::Over => prop_assert!(!slot.holds(turn)),
                        }
                    },
                    Act::Leaves(back) => if let Some(turn) = recent(&turns, back) {
                        if let Some(run) = slot.leaves(turn) {
                            prop_assert_eq!(of_run.get(&run), Some(&turn));
                        }
                        prop_assert!(!slot.holds(turn));
                    },
                    Act::Offer => { runs += 1; slot.offer(runs); }
                    Act::Withdraw => { slot.withdraw(); }
                }
                prop_assert!(turns.iter().filter(|turn| slot.holds(**turn)).count() <= 1);
            }
        }
    }
}

//! Who asks for what is being fetched waits for that instead of asking for it once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::key::Key;

/// What is fetched, and from which owner.
type Name = (Key, Arc<str>);
type Outcome<T> = watch::Sender<Option<T>>;

/// What is being fetched, each with those who wait for it.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<Name, Arc<Outcome<T>>>>);

/// Has something once the flight is over; its sender is gone where nothing came of it.
pub(super) type Waiting<T> = watch::Receiver<Option<T>>;

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Flights<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Arc<Outcome<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what is named so. Who comes first gets a ticket: that one fetches it.
    pub fn board(self: &Arc<Self>, key: &Key, owner: &Arc<str>) -> (Waiting<T>, Option<Ticket<T>>) {
        let name = (key.clone(), owner.clone());
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&name) {
            return (flight.subscribe(), None);
        }
        let (outcome, waiting) = watch::channel(None);
        let outcome = Arc::new(outcome);
        flights.insert(name.clone(), outcome.clone());
        (waiting, Some(Ticket { flights: self.clone(), name, outcome }))
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().len()
    }
}

/// To whoever fetches. Dropped, the flight is over, with a landing or without.
pub(super) struct Ticket<T> {
    flights: Arc<Flights<T>>,
    name: Name,
    outcome: Arc<Outcome<T>>,
}

impl<T> Ticket<T> {
    /// Gives everybody who waits what came of it.
    pub fn land(self, outcome: T) {
        self.outcome.send_replace(Some(outcome));
    }

    /// Done when nobody waits any more; nobody joins after that.
    pub async fn abandoned(&self) {
        loop {
            self.outcome.closed().await;
            let mut flights = self.flights.lock();
            if self.outcome.receiver_count() == 0 {
                self.leave(&mut flights);
                return;
            }
        }
    }

    fn leave(&self, flights: &mut HashMap<Name, Arc<Outcome<T>>>) {
        // A later flight of the same name is another one's.
        if flights.get(&self.name).is_some_and(|flight| Arc::ptr_eq(flight, &self.outcome)) {
            flights.remove(&self.name);
        }
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        let flights = self.flights.clone();
        self.leave(&mut flights.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Board = Arc<Flights<u32>>;

    fn key() -> (Key, Arc<str>) {
        (Key::new("/a", None), "one".into())
    }

    #[tokio::test]
    async fn all_who_wait_get_what_the_first_one_fetched() {
        let (board, (key, owner)) = (Board::default(), key());
        let (mut first, ticket) = board.board(&key, &owner);
        let mut others: Vec<_> = (0..9).map(|_| board.board(&key, &owner)).collect();
        assert!(others.iter().all(|(_, ticket)| ticket.is_none()));
        assert!(board.board(&key, &"two".into()).1.is_some(), "another owner has something else");
        ticket.unwrap().land(7);
        assert_eq!(board.len(), 0);
        assert_eq!(*first.wait_for(Option::is_some).await.unwrap(), Some(7));
        for (waiting, _) in &mut others {
            assert_eq!(*waiting.wait_for(Option::is_some).await.unwrap(), Some(7));
        }
        assert!(board.board(&key, &owner).1.is_some());
    }

    #[tokio::test]
    async fn a_flight_that_is_lost_is_told_to_all() {
        let (board, (key, owner)) = (Board::default(), key());
        let (_, ticket) = board.board(&key, &owner);
        let (mut waiting, none) = board.board(&key, &owner);
        assert!(none.is_none());
        drop(ticket);
        assert!(waiting.wait_for(Option::is_some).await.is_err());
        assert_eq!(board.len(), 0);
    }

    #[tokio::test]
    async fn a_flight_is_abandoned_when_the_last_one_has_hung_up_and_not_before() {
        let (board, (key, owner)) = (Board::default(), key());
        let (first, ticket) = board.board(&key, &owner);
        let ticket = ticket.unwrap();
        let (second, _) = board.board(&key, &owner);
        drop(first);
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), ticket.abandoned()).await;
        assert!(early.is_err());
        drop(second);
        ticket.abandoned().await;
        let (_waiting, next) = board.board(&key, &owner);
        drop(ticket);
        assert!(next.is_some() && board.len() == 1, "the next one is its own");
    }
}

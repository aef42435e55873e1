//! Counts what is open at a time.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::Arc,
};

use parking_lot::Mutex;

/// How many places each key holds at a time. Holds an entry only for keys with a place, so it is bounded by the number
/// of places that are held.
#[derive(Debug)]
pub struct Places<K> {
    most: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// At most `most` places for each key.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Takes a place; `None` when the key holds all that it may. It is given back when the place is dropped.
    #[must_use]
    pub fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = self.taken.lock();
        match taken.entry(key.clone()) {
            Entry::Occupied(count) if *count.get() >= self.most => return None,
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(_) if self.most == 0 => return None,
            Entry::Vacant(place) => {
                place.insert(1);
            }
        }
        drop(taken);
        Some(Place { places: Arc::clone(self), key })
    }

    /// How many keys hold a place.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.taken.lock().len()
    }
}

/// A place that is held; given back on drop, on whatever path that happens.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Eq + Hash> Place<K> {
    /// Whose place it is.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        let left = taken.get_mut(&self.key).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            taken.remove(&self.key);
            if taken.capacity() > 1024 && taken.len() < taken.capacity() / 4 {
                let len = taken.len();
                taken.shrink_to(len * 2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_even_from_a_panic() {
        let places = Places::new(2);
        let first = places.take("ada").unwrap();
        let holder = std::thread::spawn({
            let place = places.take("ada").unwrap();
            let places = Arc::clone(&places);
            move || {
                let _place = place;
                assert!(places.take("ada").is_none());
                panic!("asked to");
            }
        });
        assert!(holder.join().is_err());
        let second = places.take("ada").unwrap();
        assert!(places.take("ada").is_none() && places.take("bob").is_some());
        drop((first, second));
        assert_eq!(places.keys(), 0);
    }
}

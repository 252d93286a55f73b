//! A bounded set of things that are used by one thread at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Up to `limit` items, each made once enough jobs have waited for one.
pub(super) struct Pool<T> {
    shelf: Mutex<Shelf<T>>,
    returned: Condvar,
    limit: usize,
    /// Jobs in a row that wait before a further item is made.
    patience: usize,
}

struct Shelf<T> {
    idle: Vec<T>,
    made: usize,
    /// Jobs that came in a row, since an item was last made, and found none idle.
    waited: usize,
}

impl<T> Pool<T> {
    pub(super) fn new(limit: usize, patience: usize, first: T) -> Self {
        let shelf = Shelf {
            idle: vec![first],
            made: 1,
            waited: 0,
        };
        Self {
            shelf: Mutex::new(shelf),
            returned: Condvar::new(),
            limit,
            patience,
        }
    }

    /// Lends an item to `job`; waits while all are lent out. `make` makes one if there are fewer
    /// than the limit, none is idle, and enough jobs have waited.
    pub(super) fn with<R, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
        job: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut loan = Loan {
            pool: self,
            item: None,
        };
        loan.item = self.take();
        if loan.item.is_none() {
            loan.item = Some(make()?);
        }
        job(loan
            .item
            .as_mut()
            .expect("the loan has just been given an item"))
    }

    /// An idle item, or `None` with the right to make one.
    fn take(&self) -> Option<T> {
        let mut shelf = self.lock();
        shelf.waited = if shelf.idle.is_empty() {
            shelf.waited + 1
        } else {
            0
        };
        loop {
            if let Some(item) = shelf.idle.pop() {
                return Some(item);
            }
            if shelf.made < self.limit && shelf.waited > self.patience {
                shelf.made += 1;
                shelf.waited = 0;
                return None;
            }
            shelf = self
                .returned
                .wait(shelf)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The lock is never held while foreign code runs, so that a poisoned one is still sound.
    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the item back, or the right to make one, also when a job panics.
struct Loan<'p, T> {
    pool: &'p Pool<T>,
    item: Option<T>,
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        let mut shelf = self.pool.lock();
        match self.item.take() {
            Some(item) => shelf.idle.push(item),
            None => shelf.made -= 1,
        }
        drop(shelf);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_lends_more_than_the_limit() {
        let pool = Pool::new(2, 3, 0u32);
        let (lent, peak, made) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(1),
        );
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let make = || {
                            made.fetch_add(1, Ordering::SeqCst);
                            Ok::<_, ()>(0)
                        };
                        let job = |item: &mut u32| {
                            let now = lent.fetch_add(1, Ordering::SeqCst) + 1;
                            peak.fetch_max(now, Ordering::SeqCst);
                            *item += 1;
                            std::thread::yield_now();
                            lent.fetch_sub(1, Ordering::SeqCst);
                            Ok(())
                        };
                        pool.with(make, job).unwrap();
                    }
                });
            }
        });
        assert!(peak.into_inner() <= 2);
        assert!(made.into_inner() <= 2);
        assert_eq!(pool.lock().idle.iter().sum::<u32>(), 8 * 200);
    }

    #[test]
    fn a_further_item_is_made_when_enough_jobs_have_waited() {
        let pool = Pool::new(2, 3, ());
        let made = AtomicUsize::new(1);
        let make = &|| {
            made.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        };
        let (release, held) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let pool = &pool;
            scope.spawn(move || pool.with(make, |()| held.recv().map_err(|_| ())));
            while !pool.lock().idle.is_empty() {
                std::thread::yield_now();
            }
            for waiting in 1..=3 {
                scope.spawn(move || pool.with(make, |()| Ok(())));
                while pool.lock().waited < waiting {
                    std::thread::yield_now();
                }
            }
            assert_eq!(made.load(Ordering::SeqCst), 1);
            pool.with(make, |()| Ok(())).unwrap();
            assert_eq!(made.load(Ordering::SeqCst), 2);
            release.send(()).unwrap();
        });
    }

    #[test]
    fn a_failed_or_panicking_job_loses_no_place() {
        let pool = Pool::new(1, 0, ());
        let make = || Err("must not be made");
        assert_eq!(pool.with(make, |_| Err::<(), _>("failed")), Err("failed"));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.with(make, |_| -> Result<(), &str> { panic!("job") })
        }));
        assert!(panicked.is_err());
        assert_eq!(pool.with(make, |_| Ok(1)), Ok(1));
    }

    #[test]
    fn a_failed_making_is_tried_again() {
        let pool = Pool::new(2, 0, ());
        let nested: Result<_, &str> = pool.with(
            || Ok(()),
            |()| {
                assert_eq!(
                    pool.with(|| Err("no memory"), |()| Ok(())),
                    Err("no memory")
                );
                pool.with(|| Ok(()), |()| Ok("second"))
            },
        );
        assert_eq!(nested, Ok("second"));
    }
}

//! Threads that each compute a part of one batch, and what they tell each other: [`Group`].
//!
//! A training step is a chain of short operations, and most of what surrounds their arithmetic (recording, dispatch, patterns,
//! small sums) runs on one thread whatever the number of threads. Two parts of a batch, each computed from end to end by a thread of
//! its own, keep both busy. Almost everything here works graph by graph, so parts need to know of each other only
//! where something is a mean over the whole batch: batch norm, and losses.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How often a thread looks whether the others are there before it sleeps.
const LOOKS: u32 = 2_000;

thread_local! {
    static MEMBER: RefCell<Option<Member>> = const { RefCell::new(None) };
}

/// Threads that each compute a part of the same batch.
///
/// # Examples
///
/// ```
/// use coarsen_tensor::Group;
/// use coarsen_tensor::group::all_gather;
///
/// let group = Group::new(2);
/// let sums = std::thread::scope(|scope| {
///     let parts = [0, 1].map(|rank| {
///         let group = &group;
///         scope.spawn(move || group.join(rank, || Ok::<_, String>(all_gather(vec![rank as f64 + 1.0]))))
///     });
///     parts.map(|part| part.join().unwrap().unwrap().concat())
/// });
/// assert_eq!(sums, [[1.0, 2.0], [1.0, 2.0]]);
/// // Outside of a group, a thread is alone with the whole batch.
/// assert_eq!(all_gather(vec![3.0]).concat(), [3.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Group {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Rounds of gathering that are complete.
    rounds: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What this round's parts have brought.
    brought: Vec<Option<Vec<f64>>>,
    /// What the last complete round's parts brought.
    gathered: Arc<Vec<Vec<f64>>>,
    /// Why a part ended before its time.
    failure: Option<String>,
}

#[derive(Debug, Clone)]
struct Member {
    shared: Arc<Shared>,
    rank: usize,
}

impl Group {
    /// A group of so many threads.
    pub fn new(parts: usize) -> Self {
        let state = State { brought: vec![None; parts], ..State::default() };
        let shared = Shared { rounds: AtomicU64::new(0), state: Mutex::new(state), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Why a member failed, if one did.
    pub fn failure(&self) -> Option<String> {
        self.shared.locked().failure.clone()
    }

    /// Runs `part` as member `rank`, counted from 0.
    ///
    /// Every member must do so at the same time, and must [gather](all_gather) equally often. When one fails or panics, the
    /// others panic where they would wait for it, with its reason, and so does every later member.
    ///
    /// # Errors
    ///
    /// Those of `part`.
    ///
    /// # Panics
    ///
    /// When `part` does.
    pub fn join<R, E: Display>(&self, rank: usize, part: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let member = Member { shared: Arc::clone(&self.shared), rank };
        let before = MEMBER.replace(Some(member));
        let ended = catch_unwind(AssertUnwindSafe(part));
        MEMBER.set(before);
        match ended {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                self.shared.fail(error.to_string());
                Err(error)
            }
            Err(panic) => {
                self.shared.fail(words(panic.as_ref()).to_owned());
                resume_unwind(panic)
            }
        }
    }
}

/// What every part of the batch brings, in the order of the parts; of a batch in one piece, what is brought here.
///
/// Waits for the other parts. The order makes whatever is summed from it the same in every part, and in every run.
///
/// # Panics
///
/// When another part has failed.
pub fn all_gather(brought: Vec<f64>) -> Arc<Vec<Vec<f64>>> {
    match MEMBER.with_borrow(Clone::clone) {
        Some(member) => member.shared.gather(member.rank, brought),
        None => Arc::new(vec![brought]),
    }
}

/// Whether this thread computes the first part of the batch, or all of it: what is done once a batch is done here.
pub fn is_first() -> bool {
    MEMBER.with_borrow(|member| member.as_ref().is_none_or(|member| member.rank == 0))
}

/// Whether this thread has the whole batch.
pub(crate) fn is_whole() -> bool {
    MEMBER.with_borrow(Option::is_none)
}

/// The sum over all parts of what each brings, number by number.
pub fn all_sum(brought: Vec<f64>) -> Vec<f64> {
    if is_whole() {
        return brought;
    }
    let gathered = all_gather(brought);
    let mut sum = vec![0.0; gathered[0].len()];
    for part in gathered.iter() {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sum
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, reason: String) {
        self.locked().failure.get_or_insert(reason);
        self.rounds.fetch_add(1, Ordering::Release);
        self.changed.notify_all();
    }

    fn gather(&self, rank: usize, brought: Vec<f64>) -> Arc<Vec<Vec<f64>>> {
        let mut state = self.locked();
        let round = self.rounds.load(Ordering::Acquire);
        state.brought[rank] = Some(brought);
        if state.brought.iter().all(Option::is_some) {
            state.gathered = Arc::new(state.brought.iter_mut().filter_map(Option::take).collect());
            self.rounds.fetch_add(1, Ordering::Release);
            self.changed.notify_all();
        } else if state.failure.is_none() {
            drop(state);
            let is_over = || self.rounds.load(Ordering::Acquire) != round;
            (0..LOOKS).take_while(|_| !is_over()).for_each(|_| spin_loop());
            state = self.locked();
            while !is_over() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        match &state.failure {
            None => Arc::clone(&state.gathered),
            Some(reason) => {
                let reason = reason.clone();
                drop(state);
                panic!("another part of the batch failed: {reason}")
            }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn members<R: Send>(parts: usize, part: impl Fn(usize) -> R + Sync) -> Vec<thread::Result<R>> {
        thread::scope(|scope| {
            let part = &part;
            let members: Vec<_> = (0..parts).map(|rank| scope.spawn(move || part(rank))).collect();
            members.into_iter().map(thread::ScopedJoinHandle::join).collect()
        })
    }

    #[test]
    fn many_rounds_reach_every_part_in_order() {
        let group = Group::new(3);
        let seen = members(3, |rank| {
            let rounds = || {
                assert_eq!(is_first(), rank == 0);
                let sums = (0..500).map(|round| {
                    let gathered = all_gather(vec![f64::from(round), rank as f64]);
                    assert!((0..3).all(|part| gathered[part] == [f64::from(round), part as f64]));
                    all_sum(vec![rank as f64])[0]
                });
                Ok::<f64, String>(sums.sum())
            };
            group.join(rank, rounds)
        });
        assert!(seen.into_iter().all(|sum| sum.expect("no panic") == Ok(1500.0)));
        assert!(is_first() && is_whole());
    }

    #[test]
    fn a_part_that_fails_ends_the_others_with_its_reason() {
        let group = Group::new(2);
        let ends = members(2, |rank| {
            group.join(rank, || if rank == 1 { Err("no memory") } else { Ok(all_gather(Vec::new())) })
        });
        let [waiting, failing] = <[_; 2]>::try_from(ends).expect("two members");
        let panic = waiting.expect_err("the part that waits panics");
        assert_eq!(words(panic.as_ref()), "another part of the batch failed: no memory");
        assert_eq!(failing.expect("no panic").expect_err("its own error"), "no memory");
    }

    #[test]
    fn a_part_that_panics_ends_the_others_with_its_words() {
        let group = Group::new(2);
        let ends = members(2, |rank| {
            group.join(rank, || {
                assert_eq!(rank, 0, "a bug");
                Ok::<_, String>(all_gather(Vec::new()))
            })
        });
        let words: Vec<String> =
            ends.iter().map(|end| words(end.as_ref().expect_err("both panic").as_ref()).to_owned()).collect();
        assert!(
            words[0].contains("another part of the batch failed") && words[1].contains("a bug"),
            "{words:?}"
        );
    }
}

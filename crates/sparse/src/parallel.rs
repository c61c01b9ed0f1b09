//! Where row ranges run: the executor a kernel is given, and the one way kernels use it.
//!
//! A kernel never depends on its executor for correctness: the output is split beforehand into disjoint pieces, each
//! of which can be taken once, and a piece the executor left out is computed by the caller. Hence there is no `unsafe`.

use std::ops::{Deref, DerefMut, Range};
use std::sync::{Mutex, PoisonError};

/// Runs a body over parts of `0..n`, on as many threads as it likes.
pub trait Executor: Sync {
    /// Calls `body` on disjoint ranges that cover `0..n`, and returns when all calls have.
    ///
    /// A range should hold `grain` items or more, except perhaps the last. Ranges may come in any order, on any thread.
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync));

    /// Multiply–adds that make a task worth handing to another thread.
    fn task_cost(&self) -> usize {
        32_768
    }
}

/// Runs everything on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serial;

impl Executor for Serial {
    fn run(&self, n: usize, _grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        body(0..n);
    }

    fn task_cost(&self) -> usize {
        usize::MAX
    }
}

/// Runs on rayon's current pool.
#[cfg(feature = "rayon")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Rayon;

#[cfg(feature = "rayon")]
impl Executor for Rayon {
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        let grain = grain.max(1);
        (0..n.div_ceil(grain)).into_par_iter().for_each(|part| {
            let start = part * grain;
            body(start..n.min(start + grain));
        });
    }
}

/// An output that can be cut between items.
pub(crate) trait Pieces: Send + Sized {
    /// The first `items` items, and the rest.
    fn split(self, items: usize) -> (Self, Self);
}

/// Item `i` owns row `i` of `[n, width]`.
pub(crate) struct Rows<'a, T> {
    pub(crate) data: &'a mut [T],
    pub(crate) width: usize,
}

impl<T: Send> Pieces for Rows<'_, T> {
    fn split(self, items: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at_mut(items * self.width);
        (Self { data: head, width: self.width }, Self { data: tail, width: self.width })
    }
}

/// Item `i` owns rows `ptr[i]..ptr[i + 1]` of `[_, width]`.
pub(crate) struct Spans<'a, T> {
    pub(crate) data: &'a mut [T],
    pub(crate) ptr: &'a [u32],
    pub(crate) width: usize,
}

impl<T> Spans<'_, T> {
    /// The rows of each item, in order.
    #[inline(always)]
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut [T]> {
        let (mut rest, width) = (&mut *self.data, self.width);
        self.ptr.windows(2).map(move |ends| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut((ends[1] - ends[0]) as usize * width);
            rest = tail;
            head
        })
    }
}

impl<T: Send> Pieces for Spans<'_, T> {
    fn split(self, items: usize) -> (Self, Self) {
        let Self { data, ptr, width } = self;
        let (head, tail) = data.split_at_mut((ptr[items] - ptr[0]) as usize * width);
        (Self { data: head, ptr: &ptr[..=items], width }, Self { data: tail, ptr: &ptr[items..], width })
    }
}

impl<A: Pieces, B: Pieces> Pieces for (A, B) {
    fn split(self, items: usize) -> (Self, Self) {
        let ((a, a_rest), (b, b_rest)) = (self.0.split(items), self.1.split(items));
        ((a, b), (a_rest, b_rest))
    }
}

/// Enough tasks to even out the load; more would cost without use.
const MOST_TASKS: usize = 128;

/// Calls `body` on ranges of `0..n` of about equal cost, each with its piece of `out`.
///
/// `cost(i)` is the cost of the items before `i`; it ascends. Each item is handled by exactly one call.
pub(crate) fn over<P: Pieces>(
    exec: &dyn Executor,
    n: usize,
    cost: impl Fn(usize) -> usize,
    out: P,
    body: impl Fn(Range<usize>, P) + Sync,
) {
    let total = cost(n);
    let tasks = (total / exec.task_cost().max(1)).min(MOST_TASKS).min(n);
    if tasks < 2 {
        return body(0..n, out);
    }
    let (mut start, mut rest) = (0, Some(out));
    let tasks: Vec<_> = (1..=tasks)
        .map(|task| {
            let end = if task == tasks { n } else { first_reaching(start..n, total / tasks * task, &cost) };
            let range = start..end;
            start = end;
            let (piece, tail) = rest.take().expect("put back below").split(range.len());
            rest = Some(tail);
            Mutex::new(Some((range, piece)))
        })
        .collect();
    let once = |task: &Mutex<Option<_>>| {
        let taken = task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((range, piece)) = taken {
            body(range, piece);
        }
    };
    exec.run(tasks.len(), 1, &|range| tasks[range].iter().for_each(once));
    tasks.iter().for_each(once);
}

/// The first item of `range` with at least `goal` before it, or the end.
fn first_reaching(range: Range<usize>, goal: usize, cost: impl Fn(usize) -> usize) -> usize {
    let Range { mut start, mut end } = range;
    while start < end {
        let middle = start.midpoint(end);
        if cost(middle) < goal {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

/// Work spaces lent to tasks: one per task running at the same time, made on first use.
pub(crate) struct Spaces<S, F> {
    free: Mutex<Vec<S>>,
    make: F,
}

impl<S, F: Fn() -> S> Spaces<S, F> {
    pub(crate) fn new(make: F) -> Self {
        Self { free: Mutex::new(Vec::new()), make }
    }

    /// A new work space, or one as its last borrower left it.
    pub(crate) fn lend(&self) -> Lent<'_, S> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { space: Some(free.unwrap_or_else(&self.make)), home: &self.free }
    }
}

/// A work space that goes home when dropped.
pub(crate) struct Lent<'a, S> {
    space: Option<S>,
    home: &'a Mutex<Vec<S>>,
}

impl<S> Deref for Lent<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.space.as_ref().expect("taken in drop only")
    }
}

impl<S> DerefMut for Lent<'_, S> {
    fn deref_mut(&mut self) -> &mut S {
        self.space.as_mut().expect("taken in drop only")
    }
}

impl<S> Drop for Lent<'_, S> {
    fn drop(&mut self) {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).extend(self.space.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs nothing at all.
    struct Idle;

    impl Executor for Idle {
        fn run(&self, _n: usize, _grain: usize, _body: &(dyn Fn(Range<usize>) + Sync)) {}

        fn task_cost(&self) -> usize {
            4
        }
    }

    #[test]
    fn every_item_is_handled_once_even_when_the_executor_is_idle() {
        for n in [0, 1, 2, 7, 1000] {
            let mut seen = vec![0; n];
            over(
                &Idle,
                n,
                |item| item * 3,
                Rows { data: &mut seen, width: 1 },
                |_, piece| {
                    piece.data.iter_mut().for_each(|seen| *seen += 1);
                },
            );
            assert!(seen.iter().all(|&seen| seen == 1), "{n} items");
        }
    }

    #[test]
    fn tasks_follow_the_cost() {
        // Item 0 costs as much as the other 9 together.
        let cost = |item: usize| if item == 0 { 0 } else { 8 + item };
        assert_eq!(first_reaching(0..10, 9, cost), 1);
        assert_eq!(first_reaching(1..10, 14, cost), 6);
        assert_eq!(first_reaching(1..10, 99, cost), 10);
    }

    #[test]
    fn spans_are_cut_by_their_pointer() {
        let mut data = [0, 1, 2, 3, 4, 5, 6, 7];
        let spans = Spans { data: &mut data, ptr: &[10, 11, 11, 14], width: 2 };
        let (mut head, mut tail) = spans.split(1);
        assert_eq!(head.each().collect::<Vec<_>>(), [[0, 1]]);
        assert_eq!(tail.each().collect::<Vec<_>>(), [&[][..], &[2, 3, 4, 5, 6, 7]]);
    }

    #[test]
    fn a_work_space_is_used_again() {
        let spaces = Spaces::new(|| vec![0]);
        spaces.lend()[0] = 5;
        let (first, second) = (spaces.lend(), spaces.lend());
        assert_eq!((first[0], second[0]), (5, 0));
    }
}

//! The next item made in the background while the last one is used.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Runs `consume` over the items of `make`, which are made on a thread of their own: while one is used, the next is made and waits.
///
/// Items come in their order, so nothing that is computed from them depends on the threads. When `consume` ends early, the making
/// ends with the item it is at; a panic on either side is passed on.
pub(crate) fn ahead<T, I, R>(
    make: impl FnOnce() -> I + Send,
    consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R
where
    T: Send,
    I: Iterator<Item = T>,
{
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(0);
        let maker = scope.spawn(move || {
            for item in make() {
                if sender.send(item).is_err() {
                    break;
                }
            }
        });
        let result = consume(&mut receiver.iter());
        drop(receiver);
        match maker.join() {
            Ok(()) => result,
            Err(panic) => resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn items_come_in_order_and_an_early_end_is_no_hang() {
        assert_eq!(ahead(|| 0..100, |items| items.collect::<Vec<_>>()), (0..100).collect::<Vec<_>>());
        assert_eq!(ahead(|| 0.., |items| items.take(3).sum::<u64>()), 3);
    }

    #[test]
    fn a_panic_keeps_its_words() {
        let broken = || ahead(|| (0..3).map(|i| assert!(i < 2, "item {i}")), |items| items.count());
        let panic = catch_unwind(broken).expect_err("the maker panics");
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("item 2"));
    }
}

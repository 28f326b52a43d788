//! A result that comes later: awaited by a task, or waited for by a thread.
//!
//! The one who is to keep a promise may be gone before he does: dropping a [`Promise`] resolves it with what its type
//! says about that, so nobody waits for ever.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

/// What a promise resolves to when nobody is left to keep it.
pub(super) trait Unkept {
    fn unkept() -> Self;
}

/// The side that resolves.
pub(super) struct Promise<T: Unkept>(Option<Arc<Cell<T>>>);

/// A result that comes later. A future, and for threads [`Later::wait`].
#[must_use = "it is known only when this has resolved"]
pub struct Later<T>(Arc<Cell<T>>);

struct Cell<T> {
    state: Mutex<State<T>>,
    resolved: Condvar,
}

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

pub(super) fn promise<T: Unkept>() -> (Promise<T>, Later<T>) {
    let cell = Arc::new(Cell { state: Mutex::new(State { value: None, waker: None }), resolved: Condvar::new() });
    (Promise(Some(Arc::clone(&cell))), Later(cell))
}

impl<T: Unkept> Promise<T> {
    pub(super) fn resolve(mut self, value: T) {
        if let Some(cell) = self.0.take() {
            cell.resolve(value);
        }
    }
}

impl<T: Unkept> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.resolve(T::unkept());
        }
    }
}

impl<T> Cell<T> {
    fn resolve(&self, value: T) {
        let mut state = self.state.lock();
        state.value = Some(value);
        let waker = state.waker.take();
        drop(state);
        self.resolved.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A result that is there already.
pub(super) fn kept<T: Unkept>(value: T) -> Later<T> {
    let (promise, later) = promise();
    promise.resolve(value);
    later
}

impl<T> Later<T> {
    /// Blocks the thread until the result is there.
    pub fn wait(self) -> T {
        let mut state = self.0.state.lock();
        loop {
            match state.value.take() {
                Some(value) => return value,
                None => self.0.resolved.wait(&mut state),
            }
        }
    }
}

impl<T> Future for Later<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.state.lock();
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resolved = self.0.state.lock().value.is_some();
        f.debug_struct("Later").field("resolved", &resolved).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Unkept for u8 {
        fn unkept() -> Self {
            0
        }
    }

    #[test]
    fn a_thread_waits_for_what_another_promises() {
        let (promise, later) = promise::<u8>();
        let other = std::thread::spawn(move || later.wait());
        promise.resolve(7);
        assert_eq!(other.join().unwrap(), 7);
    }

    #[test]
    fn a_promise_that_nobody_keeps_resolves() {
        let (promise, later) = promise::<u8>();
        drop(promise);
        assert_eq!(later.wait(), 0);
    }

    #[test]
    fn a_task_is_woken() {
        let (promise, mut later) = promise::<u8>();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut later).poll(&mut context).is_pending());
        promise.resolve(9);
        assert_eq!(Pin::new(&mut later).poll(&mut context), Poll::Ready(9));
    }
}

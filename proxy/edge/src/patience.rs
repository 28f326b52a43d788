//! Deadlines that cost nothing unless there is something to wait for.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Waits for `future` no longer than `limit`. It is asked once before a timer is set.
pub async fn within<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut future = pin!(future);
    let at_once = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        Some(result) => result,
        // A timer is large, and part of nobody's state who needs none.
        None => {
            Box::pin(tokio::time::timeout(limit, future)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
    }
}

/// The same for what is polled by a function, with less to keep while nothing has to be waited for.
pub async fn within_polls<T>(
    limit: Duration,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> io::Result<T> {
    match poll_fn(|cx| Poll::Ready(poll(cx))).await {
        Poll::Ready(result) => result,
        Poll::Pending => {
            let in_time = Box::pin(tokio::time::timeout(limit, poll_fn(poll))).await;
            in_time.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
    }
}

/// Waits for `future` until `at`; `None` when that has passed. The alarm stays set for whoever waits next, so that of a
/// thousand waits one has to find its place among the timers.
pub async fn until<T>(at: Instant, alarm: &mut Alarm, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => alarm.poll_at(at, cx).map(|()| None),
    })
    .await
}

/// Wakes a task that waits. It is set once and stays, however often what it waits for moves on: who is woken too early sets
/// it again for the rest. So it costs nothing per request.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// It will wake the task some time. One that has rung will not.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|timer| !timer.is_elapsed())
    }

    /// Ready once `at` has passed. Until then the task is woken at `at`, or earlier.
    pub fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
        if at <= Instant::now() {
            return Poll::Ready(());
        }
        // It was set for something that is over.
        timer.as_mut().reset(at);
        timer.as_mut().poll(cx)
    }

    /// Wakes the task in `rest`, or earlier.
    pub fn wake_in(&mut self, rest: Duration, cx: &mut Context<'_>) {
        let at = Instant::now() + rest;
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.is_elapsed() || timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    async fn set(alarm: &mut Alarm, rest: Duration) {
        poll_fn(|cx| {
            alarm.wake_in(rest, cx);
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_has_rung_is_not_set() {
        let mut alarm = Alarm::default();
        set(&mut alarm, 100 * MS).await;
        assert!(alarm.is_set());
        tokio::time::sleep(101 * MS).await;
        assert!(!alarm.is_set(), "nobody would be woken");
    }

    async fn woken(alarm: &mut Alarm, rest: Duration) -> Duration {
        let begun = Instant::now();
        let mut polled = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            alarm.wake_in(rest, cx);
            Poll::Pending
        })
        .await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_in_its_own_time_whatever_the_alarm_was_set_for_before() {
        let mut alarm = Alarm::default();
        for (answered, limit, ended) in [(50, 300, 50), (400, 500, 400), (900, 100, 100), (10, 20, 10), (90, 900, 90)] {
            let begun = Instant::now();
            let answer = until(begun + limit * MS, &mut alarm, tokio::time::sleep(answered * MS)).await;
            assert_eq!(answer.is_some(), answered < limit, "an answer after {answered}, a limit of {limit}");
            assert_eq!(begun.elapsed(), ended * MS);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_as_early_as_the_earliest_wish() {
        let mut alarm = Alarm::default();
        assert!(!alarm.is_set());
        assert_eq!(woken(&mut alarm, 300 * MS).await, 300 * MS);
        assert_eq!(woken(&mut alarm, 200 * MS).await, 200 * MS, "it has rung, and is set again");
        set(&mut alarm, 500 * MS).await;
        assert_eq!(woken(&mut alarm, 100 * MS).await, 100 * MS);
        set(&mut alarm, 100 * MS).await;
        assert_eq!(woken(&mut alarm, 500 * MS).await, 100 * MS, "an earlier one stays");
    }
}

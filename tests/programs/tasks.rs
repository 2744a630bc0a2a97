//! tasks [STEPS]: asynchronous Rust on two threads. Tasks that wait for one another are polled
//! in changing order, so the same functions stand at ever other depths, and what a task holds
//! across its waits lies in the heap.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread,
};

type Task = Pin<Box<dyn Future<Output = usize> + Send>>;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Gives the others their turn, so many times.
struct Yield(usize);

impl Future for Yield {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<String> {
        let left = self.0;
        self.0 = left.saturating_sub(1);
        match left {
            0 => Poll::Ready("x".repeat(17)),
            _ => {
                std::hint::black_box(vec![0u8; 32 + left]);
                Poll::Pending
            }
        }
    }
}

/// Nested as deep as `depth` says; every level holds a block across its wait.
fn descend(depth: usize) -> Task {
    Box::pin(async move {
        let held = vec![depth; 4 + depth];
        let said = Yield(depth % 3).await;
        let below = if depth == 0 { 0 } else { descend(depth - 1).await };
        held.len() + said.len() + below
    })
}

async fn branch(step: usize) -> usize {
    let text = format!("step {step}");
    let left = descend(step % 9).await;
    let right = async { descend(step % 4).await + text.len() }.await;
    left + right
}

fn run(steps: usize) -> usize {
    let waker = Waker::from(Arc::new(Nobody));
    let mut context = Context::from_waker(&waker);
    let done = Arc::new(Mutex::new(0));
    let mut queue: VecDeque<Task> = VecDeque::new();
    for step in 0..steps {
        queue.push_back(Box::pin(branch(step)));
        // A handful at a time are under way.
        while queue.len() > step % 7 {
            let mut task = queue.pop_front().expect("a task");
            match task.as_mut().poll(&mut context) {
                Poll::Ready(value) => *done.lock().expect("unpoisoned") += value,
                Poll::Pending => queue.push_back(task),
            }
        }
    }
    *done.lock().expect("unpoisoned")
}

fn main() {
    let steps = std::env::args().nth(1).and_then(|steps| steps.parse().ok()).unwrap_or(20_000);
    let other = thread::spawn(move || run(steps));
    println!("{} {}", run(steps), other.join().expect("it ends"));
}

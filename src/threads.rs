//! A bounded set of threads for work that takes a processor for long: the proofs of passwords, the questions put to the
//! system tables. Each owner has its own: none waits for the other, nor for what an engine does where blocking is allowed.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, available_parallelism},
};

use tokio::sync::{Semaphore, oneshot};

/// So many jobs wait for a thread; who asks beyond that waits to ask.
const WAITING: usize = 64;

/// See the module's text. They begin with the first jobs, as many as there are processors, since a job takes all of one;
/// they end with the last job that runs when this is dropped.
pub(crate) struct Threads {
    bench: Arc<Bench>,
    /// For each job that waits or runs.
    room: Arc<Semaphore>,
}

/// What the threads share.
struct Bench {
    queue: Mutex<Queue>,
    /// There is a job, or it is over.
    called: Condvar,
    /// What each is called.
    name: &'static str,
    /// How many threads there may be.
    most: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    /// How many of them wait for a job.
    idle: usize,
    over: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// How many processors there are.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

impl Threads {
    /// At most `most`, which is 1 or more, called `name` (at most 15 bytes of it are shown by Linux).
    pub(crate) fn new(name: &'static str, most: usize) -> Self {
        let bench = Bench { queue: Mutex::default(), called: Condvar::new(), name, most };
        Self { bench: Arc::new(bench), room: Arc::new(Semaphore::new(most + WAITING)) }
    }

    /// Runs a job on one of the threads. `None`: it panicked, or there is no thread to be had. A job that waits when this
    /// future is dropped is never run.
    pub(crate) async fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let room = Arc::clone(&self.room).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.bench.put(Box::new(move || {
            let _room = room;
            if !answer.is_closed() {
                // Who asked may be gone by the end of it.
                let _ = answer.send(job());
            }
        }));
        answered.await.ok()
    }
}

impl Bench {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job to the next free thread, and starts one if none is free.
    fn put(self: &Arc<Self>, job: Job) {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        self.called.notify_one();
        if queue.jobs.len() <= queue.idle || queue.threads == self.most {
            return;
        }
        let bench = Arc::clone(self);
        match thread::Builder::new().name(self.name.into()).spawn(move || bench.serve()) {
            Ok(_detached) => queue.threads += 1,
            Err(error) => {
                tracing::warn!(%error, name = self.name, "no thread to be had");
                let nobody = if queue.threads == 0 { std::mem::take(&mut queue.jobs) } else { VecDeque::new() };
                drop(queue);
                // Their askers are told by it.
                drop(nobody);
            }
        }
    }

    /// The life of a thread.
    fn serve(&self) {
        while let Some(job) = self.take() {
            // Who asked is told by the answer that does not come.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// The next job. `None`: it is over.
    fn take(&self) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.over {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            queue.idle += 1;
            queue = self.called.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut queue = self.bench.queue();
        queue.over = true;
        // Nobody is left who asked for them.
        let jobs = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(jobs);
        self.bench.called.notify_all();
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("most", &self.bench.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashSet, sync::mpsc};

    use futures::{FutureExt, executor::block_on, future::join_all};

    use super::*;

    #[test]
    fn no_more_threads_than_were_said_and_each_answer_to_who_asked() {
        let threads = Threads::new("test", 2);
        let jobs = (0..200).map(|n| threads.run(move || (n, thread::current().id())));
        let answers = block_on(join_all(jobs)).into_iter().map(Option::unwrap);
        let (numbers, ids): (Vec<_>, HashSet<_>) = answers.unzip();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
        assert!(ids.len() <= 2 && !ids.contains(&thread::current().id()));
    }

    #[test]
    fn a_panic_is_none_and_its_thread_goes_on() {
        let threads = Threads::new("test", 1);
        let first = block_on(threads.run(|| thread::current().id()));
        assert_eq!(block_on(threads.run(|| -> u8 { panic!("asked to") })), None);
        assert_eq!(block_on(threads.run(|| thread::current().id())), first);
        assert!(first.is_some());
    }

    #[test]
    fn a_job_whose_asker_is_gone_is_not_run() {
        let threads = Threads::new("test", 1);
        let (let_go, held) = mpsc::channel::<()>();
        let (ran, runs) = mpsc::channel();
        let mut long = Box::pin(threads.run(move || held.recv().is_err()));
        assert!((&mut long).now_or_never().is_none());
        for waiting in 0..2 {
            let ran = ran.clone();
            let mut job = Box::pin(threads.run(move || ran.send(waiting)));
            assert!((&mut job).now_or_never().is_none());
        }
        drop(let_go);
        assert_eq!(block_on(long), Some(true));
        block_on(threads.run(move || ran.send(2))).unwrap().unwrap();
        assert_eq!(runs.iter().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn more_than_may_wait_are_not_queued() {
        let threads = Threads::new("test", 1);
        let (let_go, held) = mpsc::channel::<()>();
        let mut long = Box::pin(threads.run(move || held.recv().is_err()));
        assert!((&mut long).now_or_never().is_none());
        let mut more: Vec<_> = (0..2 * WAITING).map(|_| Box::pin(threads.run(|| ()))).collect();
        assert!(more.iter_mut().all(|job| job.now_or_never().is_none()));
        assert!(threads.bench.queue().jobs.len() <= WAITING + 1);
        drop(let_go);
        assert!(block_on(join_all(more)).iter().all(Option::is_some));
    }

    #[test]
    fn they_end_when_it_is_dropped() {
        thread_local! {
            static KEPT: RefCell<Option<mpsc::Sender<()>>> = const { RefCell::new(None) };
        }
        let threads = Threads::new("test", 1);
        let (kept, ended) = mpsc::channel();
        block_on(threads.run(move || KEPT.set(Some(kept)))).unwrap();
        drop(threads);
        assert!(ended.recv().is_err(), "dropped with its thread");
    }
}

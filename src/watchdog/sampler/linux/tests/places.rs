//! Where threads are when they are asked.

use std::hint::black_box;

use super::*;

#[inline(never)]
pub(super) fn take_a_nap(stop: &AtomicBool) {
    while !stop.load(SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
        black_box(stop);
    }
}

#[inline(never)]
fn hash_much(stop: &AtomicBool) {
    let mut hash = 1u64;
    while !stop.load(SeqCst) {
        for n in 0..10_000 {
            hash = black_box(hash).rotate_left(5) ^ n;
        }
    }
}

#[inline(never)]
fn take_the_lock(lock: &Mutex<u32>) -> u32 {
    let value = *lock.lock().unwrap_or_else(PoisonError::into_inner);
    black_box(value)
}

#[inline(never)]
fn take_a_message(receiver: &Receiver<u32>) -> Option<u32> {
    black_box(receiver.recv().ok())
}

#[inline(never)]
fn go_down(depth: usize, stop: &AtomicBool) -> u8 {
    let room = black_box([1u8; 1024]);
    if depth == 0 {
        take_a_nap(stop);
        return room[0];
    }
    go_down(depth - 1, stop).wrapping_add(room[1])
}

/// The sample goes from the function to where the thread began, nothing missing.
fn assert_whole((sample, functions): (Sample, Vec<String>)) {
    assert!(!sample.cut, "{functions:#?}");
    let began = |name: &String| name.contains("start_thread") || name.contains("thread_start");
    assert!(functions.iter().any(began), "{functions:#?}");
    // In `Worker::with`, whose type is not named where there are only line tables.
    let worker = |name: &String| name.contains("::with::{");
    assert!(functions.iter().any(worker), "{functions:#?}");
}

#[test]
fn in_a_sleep() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let worker = Worker::new(take_a_nap, || {});
    wait_until_asleep(&worker.thread);
    assert_whole(worker.sample_in(&mut sampler, "take_a_nap"));
}

#[test]
fn in_a_loop() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let worker = Worker::new(hash_much, || {});
    for _ in 0..20 {
        assert_whole(worker.sample_in(&mut sampler, "hash_much"));
    }
}

#[test]
fn in_a_mutex() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let lock = Arc::new(Mutex::new(7));
    let taken = Arc::clone(&lock);
    let guard = lock.lock().expect("nobody panicked");
    let worker = Worker::new(move |_| assert_eq!(take_the_lock(&taken), 7), || {});
    wait_until_asleep(&worker.thread);
    assert_whole(worker.sample_in(&mut sampler, "take_the_lock"));
    drop(guard);
}

#[test]
fn in_a_channel() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let (send, receive) = channel();
    let release = move || send.send(7).expect("it listens");
    let worker = Worker::new(
        move |_| assert_eq!(take_a_message(&receive), Some(7)),
        release,
    );
    wait_until_asleep(&worker.thread);
    assert_whole(worker.sample_in(&mut sampler, "take_a_message"));
}

#[test]
fn in_a_system_call_which_goes_on() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let (read, write) = pipe();
    let reads = move |_: &AtomicBool| {
        assert_eq!(read_byte(&read).ok(), Some(1), "not even EINTR");
    };
    let worker = Worker::new(reads, move || write_byte(&write));
    wait_until_asleep(&worker.thread);
    for _ in 0..20 {
        assert_whole(worker.sample_in(&mut sampler, "read_byte"));
        wait_until_asleep(&worker.thread);
    }
}

#[test]
fn on_a_small_stack() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let builder = std::thread::Builder::new().stack_size(64 * 1024);
    let worker = Worker::with(builder, take_a_nap, || {});
    assert_whole(worker.sample_in(&mut sampler, "take_a_nap"));
}

#[test]
fn far_down() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    for (depth, is_cut) in [(20, false), (4000, true)] {
        let builder = std::thread::Builder::new().stack_size(16 << 20);
        let down = move |stop: &AtomicBool| {
            black_box(go_down(depth, stop));
        };
        let worker = Worker::with(builder, down, || {});
        let (sample, functions) = worker.sample_in(&mut sampler, "take_a_nap");
        assert_eq!(sample.cut, is_cut, "{functions:#?}");
        assert!(functions.iter().any(|name| name.contains("go_down")));
    }
}

#[test]
fn on_a_stack_that_is_not_the_thread_s() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let mut worker = Worker::new(take_a_nap, || {});
    // As if the thread had switched to the stack of a coroutine.
    worker.thread.stack = 0x1000..0x2000;
    wait_until_asleep(&worker.thread);
    let sample = sampler.sample(&worker.thread, &AtomicU64::new(0));
    let sample = sample.expect("it answers");
    assert!(sample.cut);
    let places = sample.stack.frames();
    assert!(!places.is_empty() && places.len() <= 2, "{places:#?}");
}

#[test]
fn another_thread_with_the_number_of_one_that_ended() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let mut worker = Worker::new(take_a_nap, || {});
    worker.thread.handle += 8;
    let sample = sampler.sample(&worker.thread, &AtomicU64::new(0));
    let sample = sample.expect("it answers");
    assert!(sample.cut && sample.stack.frames().len() <= 2);
}

#[test]
fn its_own_thread() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let own = Thread::current().expect("it is known");
    let sample = sampler
        .sample(&own, &AtomicU64::new(0))
        .expect("it answers");
    let functions = functions(&sample);
    assert!(functions.iter().any(|name| name.contains("its_own_thread")));
}

//! Threads that are asked while they do what a signal handler must not meet.

use std::cell::Cell;

use super::*;

/// Another handful with `DEBUG_ASYNC_STRESS`.
fn samples() -> usize {
    if std::env::var_os("DEBUG_ASYNC_STRESS").is_some() {
        100_000
    } else {
        2_000
    }
}

fn allocate(stop: &AtomicBool) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while !stop.load(SeqCst) {
        for size in [1, 100, 5_000, 300_000] {
            kept.push(vec![1; size]);
        }
        if kept.len() > 40 {
            kept.clear();
        }
    }
}

fn unwind(stop: &AtomicBool) {
    #[inline(never)]
    fn down(depth: usize) -> usize {
        if depth == 0 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        down(depth - 1) + 1
    }
    while !stop.load(SeqCst) {
        assert!(std::panic::catch_unwind(|| down(10)).is_err());
    }
}

#[allow(unsafe_code)]
fn load_and_unload(stop: &AtomicBool) {
    while !stop.load(SeqCst) {
        // SAFETY: nothing of the library is used. Which is there differs.
        unsafe {
            for name in [c"libutil.so.1", c"libanl.so.1", c"libm.so.6"] {
                let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
                if !library.is_null() {
                    libc::dlclose(library);
                }
            }
        }
    }
}

#[allow(unsafe_code)]
fn look_at_libraries(stop: &AtomicBool) {
    unsafe extern "C" fn each(
        _: *mut libc::dl_phdr_info,
        _: libc::size_t,
        count: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: what is given to `dl_iterate_phdr` below.
        unsafe { *count.cast::<usize>() += 1 };
        0
    }
    while !stop.load(SeqCst) {
        let mut count = 0usize;
        // SAFETY: `each` has the type that is asked for, and `count` outlives this.
        unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut count).cast()) };
        assert!(count > 0);
    }
}

fn capture(stop: &AtomicBool) {
    while !stop.load(SeqCst) {
        std::hint::black_box(crate::stack::capture_always());
    }
}

fn begin_and_end_threads(stop: &AtomicBool) {
    thread_local!(static KEPT: Cell<u32> = const { Cell::new(0) });
    while !stop.load(SeqCst) {
        let thread = std::thread::spawn(|| KEPT.set(KEPT.get() + 1));
        thread.join().expect("it ends");
    }
}

#[test]
fn nothing_deadlocks_and_nothing_crashes() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let works: [fn(&AtomicBool); 6] = [
        allocate,
        unwind,
        load_and_unload,
        look_at_libraries,
        capture,
        begin_and_end_threads,
    ];
    let workers = works.map(|work| Worker::new(work, || {}));
    let mark = AtomicU64::new(0);
    let (start, mut missed, mut cut, mut empty) = (Instant::now(), 0, 0, 0);
    let mut longest = Duration::ZERO;
    let samples = samples();
    for n in 0..samples {
        let one = Instant::now();
        match sampler.sample(&workers[n % workers.len()].thread, &mark) {
            Ok(sample) => {
                cut += usize::from(sample.cut);
                empty += usize::from(sample.stack == crate::stack::Captured::NONE);
            }
            Err(Missed::Unanswered) => missed += 1,
            Err(other) => panic!("{other}"),
        }
        longest = longest.max(one.elapsed());
    }
    println!(
        "{samples} samples in {:?}: {missed} missed, {cut} cut, {empty} without a stack; \
         the longest took {longest:?}",
        start.elapsed()
    );
    // A machine may be busy, but not all the time.
    assert!(missed * 10 < samples, "{missed} of {samples} missed");
}

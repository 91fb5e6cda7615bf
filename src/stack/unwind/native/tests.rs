//! The fast walk sees what the slow one sees.

use std::hint::black_box;

use super::fast;
use crate::stack::unwind::slow;

/// Both walks from here. Their innermost frames differ, being within themselves.
#[inline(never)]
fn both() -> (Vec<usize>, Vec<usize>) {
    let (mut quick, mut thorough) = ([0; 256], [0; 256]);
    let quick_depth = fast::walk(&mut quick).expect("this stack is the thread's own");
    let thorough_depth = slow::walk(&mut thorough);
    (
        quick[..quick_depth].to_vec(),
        thorough[..thorough_depth].to_vec(),
    )
}

/// The frames around the function that called both walks: from the outside in,
/// they must be the same up to there.
fn assert_same((quick, thorough): (Vec<usize>, Vec<usize>)) {
    let common = quick
        .iter()
        .rev()
        .zip(thorough.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    // All but the walk itself and `both`, which the two call from different lines.
    assert!(
        common + 3 >= quick.len(),
        "{common} of {} frames: {quick:x?}\n{thorough:x?}",
        quick.len()
    );
    assert!(common >= 2, "{quick:x?}\n{thorough:x?}");
}

#[inline(never)]
fn deep(depth: usize, then: &dyn Fn()) -> usize {
    let room = black_box([depth; 7]);
    if depth == 0 {
        then();
        room[0]
    } else {
        deep(depth - 1, then) + room[1]
    }
}

/// Two functions that leave the same frame, so that one can stand in the place of the
/// other; one whose frame is of another size; and one whose frame begins at an address
/// of its own choice, so that only the frame pointer tells where it ends.
macro_rules! ways {
    ($($name:ident $room:expr),*) => {$(
        #[inline(never)]
        fn $name(way: &[u8], then: &dyn Fn()) {
            let room = black_box($room);
            onwards(way, then);
            black_box(room);
        }
    )*};
}

#[repr(align(128))]
struct Aligned(#[allow(dead_code)] [usize; 16]);

ways!(left [1; 4], right [2; 4], wide [3; 60], aligned Aligned([4; 16]));

/// Calls `then` through the functions that `way` names, outermost first.
#[inline(never)]
fn onwards(way: &[u8], then: &dyn Fn()) {
    match way {
        [] => then(),
        [b'l', rest @ ..] => left(rest, then),
        [b'r', rest @ ..] => right(rest, then),
        [b'w', rest @ ..] => wide(rest, then),
        [_, rest @ ..] => aligned(rest, then),
    }
    black_box(way);
}

#[test]
fn each_walk_after_any_other() {
    // Every pair of ways: the next walk finds the last one changed within, without,
    // in the middle, longer, shorter, shifted.
    let ways: [&[u8]; 12] = [
        b"", b"l", b"r", b"w", b"a", b"llllll", b"lllllr", b"rlllll", b"llrlll", b"llwll",
        b"lalall", b"wlalal",
    ];
    for one in ways {
        for other in ways {
            for way in [one, one, other, other, one] {
                onwards(way, &|| assert_same(both()));
            }
        }
    }
}

#[test]
fn ways_of_all_sorts() {
    // The same in each run, so that a failure can be had again.
    let mut random = fastrand::Rng::with_seed(7);
    let mut way = Vec::new();
    for _ in 0..400 {
        // Some come out deeper than a buffer, which is cut then.
        way.clear();
        way.extend((0..random.usize(..40)).map(|_| b"lrwa"[random.usize(..4)]));
        onwards(&way, &|| assert_same(both()));
        onwards(&way, &|| assert_cut(&way));
    }
}

/// What fits of a walk is what the whole one begins with.
fn assert_cut(way: &[u8]) {
    let mut walks = Vec::new();
    // In a loop that is not unrolled: all of them are to be called from one place.
    for room in black_box(&[1, 256, 2, 24, 256, 7][..]) {
        let mut addresses = vec![0; *room];
        let depth = fast::walk(&mut addresses).expect("this stack is the thread's own");
        addresses.truncate(depth);
        walks.push(addresses);
    }
    let (whole, again) = (&walks[1], &walks[4]);
    assert_eq!(whole, again, "{way:?}");
    for (walk, room) in walks.iter().zip([1, 256, 2, 24, 256, 7]) {
        assert_eq!(walk[..], whole[..whole.len().min(room)], "{way:?}");
    }
}

#[test]
fn plain_calls() {
    assert_same(both());
}

#[test]
fn deep_recursion() {
    for depth in [1, 10, 100] {
        deep(depth, &|| assert_same(both()));
    }
}

#[test]
fn closures_trait_objects_and_catch_unwind() {
    let call: Box<dyn Fn(u8) -> u8> = Box::new(|n| {
        assert_same(both());
        n
    });
    assert_eq!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(7))).ok(),
        Some(7)
    );
}

#[test]
fn drops_and_unwinding() {
    struct Walks;
    impl Drop for Walks {
        fn drop(&mut self) {
            assert_same(both());
        }
    }
    drop(Walks);
    let unwound = std::panic::catch_unwind(|| {
        let _walks = Walks;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(unwound.is_err());
}

#[test]
fn callbacks_from_c() {
    extern "C" fn compare(a: *const libc::c_void, b: *const libc::c_void) -> libc::c_int {
        assert_same(both());
        a.addr().cmp(&b.addr()) as libc::c_int
    }
    let mut words = [3u32, 1, 2];
    #[allow(unsafe_code)]
    // SAFETY: three words of four bytes each, and a comparison that reads none.
    unsafe {
        libc::qsort(words.as_mut_ptr().cast(), 3, 4, Some(compare));
    }
}

#[test]
fn large_frames() {
    #[inline(never)]
    fn large() {
        let room = black_box([1u8; 200_000]);
        assert_same(both());
        black_box(room);
    }
    large();
}

#[test]
fn small_stacks_and_many_threads() {
    let threads: Vec<_> = (0..16)
        .map(|n| {
            let builder = std::thread::Builder::new().stack_size(256 * 1024 + n * 4096);
            builder
                .spawn(|| deep(20, &|| assert_same(both())))
                .expect("a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("no difference");
    }
}

#[test]
fn async_functions() {
    async fn inner() {
        assert_same(both());
    }
    async fn outer() {
        inner().await;
        tokio::task::yield_now().await;
        Box::pin(inner()).await;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(outer());
}

#[test]
fn a_stack_that_is_not_the_thread_s_own_is_left_to_the_slow_walk() {
    // A signal handler on a stack of its own stands for coroutine libraries too.
    use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
    static WALKED: AtomicI32 = AtomicI32::new(-1);
    extern "C" fn handler(_: libc::c_int) {
        let mut addresses = [0; 64];
        WALKED.store(
            fast::walk(&mut addresses).map_or(0, |depth| depth as i32),
            SeqCst,
        );
    }
    // So that the handler has nothing to allocate.
    let mut addresses = [0; 64];
    assert!(fast::walk(&mut addresses).is_some());

    let mut room = vec![0u8; 256 * 1024];
    #[allow(unsafe_code)]
    // SAFETY: the alternate stack is taken off again before `room` is dropped, and
    // the handler is for a signal that only this line raises.
    unsafe {
        let stack = libc::stack_t {
            ss_sp: room.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: room.len(),
        };
        let mut before: libc::stack_t = std::mem::zeroed();
        assert_eq!(libc::sigaltstack(&stack, &mut before), 0);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(
            libc::sigaction(libc::SIGRTMIN() + 9, &action, std::ptr::null_mut()),
            0
        );
        assert_eq!(libc::raise(libc::SIGRTMIN() + 9), 0);
        assert_eq!(libc::sigaltstack(&before, std::ptr::null_mut()), 0);
    }
    assert_eq!(WALKED.load(SeqCst), 0);
    // The way that picks a walk gives a stack there too.
    assert!(crate::stack::unwind::walk(&mut addresses) > 2);
}

#[test]
fn a_short_buffer_cuts_the_outer_end() {
    let mut addresses = [0; 4];
    assert_eq!(deep_walk(&mut addresses), Some(4));
    assert!(addresses.iter().all(|address| *address != 0));
}

#[inline(never)]
fn deep_walk(addresses: &mut [usize]) -> Option<usize> {
    fast::walk(addresses)
}

#[test]
fn a_library_that_is_loaded_later_is_walked_through() {
    // A function of C that calls back, in a library of its own.
    let directory = std::env::temp_dir().join(format!("debug-async-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (source, library) = (directory.join("back.c"), directory.join("libback.so"));
    std::fs::write(&source, "int back(void (*f)(void)) { f(); return 7; }").expect("a source");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .status()
        .expect("a C compiler, which linking Rust needs as well");
    assert!(compiled.success());

    extern "C" fn compare() {
        assert_same(both());
    }
    // So that the modules are read before the library is there.
    compare();
    let path = std::ffi::CString::new(library.to_str().expect("a path")).expect("no zero");
    for _ in 0..3 {
        #[allow(unsafe_code)]
        // SAFETY: the library has the function, of this type, and is closed after
        // the last call of it.
        unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            assert!(!handle.is_null());
            let back = libc::dlsym(handle, c"back".as_ptr());
            assert!(!back.is_null());
            let back: extern "C" fn(extern "C" fn()) -> libc::c_int = std::mem::transmute(back);
            assert_eq!(back(compare), 7);
            assert_eq!(libc::dlclose(handle), 0);
        }
        compare();
    }
    std::fs::remove_dir_all(&directory).expect("it was made above");
}

#[test]
fn damaged_tables_end_the_stack_and_nothing_else() {
    use super::modules::{Modules, Table};
    // The same in each run, so that a failure can be had again.
    let mut random = fastrand::Rng::with_seed(7);
    let mut walked = 0;
    for round in 0..60 {
        let modules = Modules::loaded_with(|table: Table| {
            let mut bytes = table.into_owned();
            if round % 4 == 0 {
                bytes.truncate(random.usize(..=bytes.len()));
            }
            for _ in 0..bytes.len() / 64 {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.into()
        });
        let mut addresses = [0; 128];
        let depth = fast::walk_with(std::sync::Arc::new(modules), &mut addresses);
        walked += usize::from(depth.is_some());
    }
    // Otherwise nothing has been tried.
    assert!(walked > 0);
}

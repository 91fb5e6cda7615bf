//! `#[main]` and `#[test]` take what tokio's take, run what they are put on, and return what it
//! returns.

#![deny(warnings)]
#![allow(clippy::unused_async)]

use std::fmt::Display;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

fn flavor() -> RuntimeFlavor {
    Handle::current().runtime_flavor()
}

mod on_any_function {
    use super::*;

    #[debug_async::main]
    async fn plain() -> (RuntimeFlavor, usize) {
        let runtime = Handle::current();
        (runtime.runtime_flavor(), runtime.metrics().num_workers())
    }

    #[debug_async::main(flavor = "multi_thread", worker_threads = 3, name = "three")]
    async fn three_workers() -> usize {
        Handle::current().metrics().num_workers()
    }

    #[debug_async::main(flavor = "current_thread", debug = false, slow_poll = "1m 30s")]
    async fn current_thread() -> RuntimeFlavor {
        flavor()
    }

    #[debug_async::main(flavor = "current_thread", start_paused = true)]
    async fn paused() -> Duration {
        let before = Instant::now();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        before.elapsed()
    }

    #[debug_async::main(flavor = "local")]
    async fn local() -> u32 {
        let rc = std::rc::Rc::new(4);
        tokio::task::spawn_local(async move { *rc })
            .await
            .expect("no panic")
    }

    #[debug_async::main(debug = true, crate = debug_async)]
    async fn path() -> u32 {
        1
    }

    #[debug_async::main(crate = "::debug_async", slow_poll = "50ms")]
    async fn path_as_string() -> u32 {
        2
    }

    #[test]
    fn builds_the_runtime_that_was_asked_for() {
        assert_eq!(plain().0, RuntimeFlavor::MultiThread);
        assert_eq!(
            plain().1,
            std::thread::available_parallelism().unwrap().get()
        );
        assert_eq!(three_workers(), 3);
        assert_eq!(current_thread(), RuntimeFlavor::CurrentThread);
        assert!(paused() < Duration::from_secs(60));
        assert_eq!(local(), 4);
        assert_eq!(path() + path_as_string(), 3);
    }

    #[debug_async::main(flavor = "current_thread")]
    async fn arguments<'a, T: Clone>(
        value: &'a T,
        mut text: String,
        (a, _): (u8, u8),
    ) -> (&'a T, String) {
        text.push_str(&a.to_string());
        (value, text)
    }

    #[debug_async::main(flavor = "current_thread")]
    async fn question_mark(text: &str) -> Result<u32, Box<dyn std::error::Error>> {
        if text.is_empty() {
            return Err("empty".into());
        }
        Ok(text.parse()?)
    }

    #[debug_async::main(flavor = "current_thread")]
    async fn coerced(n: u32) -> Box<dyn Display> {
        if n == 0 {
            return Box::new("none");
        }
        Box::new(n)
    }

    #[debug_async::main(flavor = "current_thread")]
    async fn impl_trait(n: u32) -> impl Display {
        n
    }

    #[debug_async::main(flavor = "current_thread")]
    async fn never() -> ! {
        panic!("on purpose")
    }

    /// Documented.
    #[debug_async::main(flavor = "current_thread")]
    #[inline]
    #[allow(clippy::needless_return)]
    async fn attributes() -> u32 {
        #![allow(unused_mut)]
        let mut n = 3;
        return n;
    }

    struct Counter(u32);

    impl Counter {
        #[debug_async::main(flavor = "current_thread")]
        async fn method(&mut self) -> &mut u32 {
            self.0 += 1;
            &mut self.0
        }
    }

    macro_rules! make {
        ($name:ident, $threads:expr, $flavor:literal) => {
            #[debug_async::main(flavor = $flavor, worker_threads = $threads)]
            async fn $name(body: usize, builder: usize, run: usize) -> usize {
                Handle::current().metrics().num_workers() + body + builder + run
            }
        };
    }

    make!(from_a_macro, 2, "multi_thread");

    #[test]
    fn returns_what_the_function_returns() {
        assert_eq!(arguments(&1, "x".into(), (2, 3)), (&1, "x2".into()));
        assert_eq!(question_mark("12").unwrap(), 12);
        assert_eq!(question_mark("").unwrap_err().to_string(), "empty");
        assert!(question_mark("x").is_err());
        assert_eq!(coerced(0).to_string() + &coerced(1).to_string(), "none1");
        assert_eq!(impl_trait(1).to_string(), "1");
        assert!(std::panic::catch_unwind(|| never()).is_err());
        assert_eq!(attributes(), 3);
        assert_eq!(*Counter(1).method(), 2);
        assert_eq!(from_a_macro(1, 2, 3), 8);
    }
}

mod as_test {
    use super::*;

    #[debug_async::test]
    async fn is_on_the_current_thread() {
        assert_eq!(flavor(), RuntimeFlavor::CurrentThread);
    }

    #[debug_async::test(
        flavor = "multi_thread",
        worker_threads = 1,
        debug = true,
        slow_poll = "5s"
    )]
    async fn is_multi_threaded_if_asked() {
        assert_eq!(flavor(), RuntimeFlavor::MultiThread);
    }

    #[debug_async::test(flavor = "local")]
    async fn is_local_if_asked() {
        let rc = std::rc::Rc::new(4);
        assert_eq!(
            tokio::task::spawn_local(async move { *rc }).await.unwrap(),
            4
        );
    }

    #[debug_async::test(start_paused = true, name = "paused")]
    async fn is_paused_if_asked() {
        let before = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(before.elapsed().as_secs(), 3600);
    }

    #[debug_async::test]
    async fn returns_a_result() -> Result<(), Box<dyn std::error::Error>> {
        let four: u32 = "4".parse()?;
        if four != 4 {
            return Err("not four".into());
        }
        Ok(())
    }

    #[debug_async::test]
    async fn returns_what_can_end_a_test() -> impl std::process::Termination {
        std::process::ExitCode::SUCCESS
    }

    #[debug_async::test]
    #[should_panic(expected = "on purpose")]
    async fn panics() {
        panic!("on purpose");
    }

    #[debug_async::test]
    #[ignore = "would fail"]
    async fn is_ignored() {
        panic!("was not ignored");
    }

    #[debug_async::test(debug = false)]
    #[cfg_attr(all(), allow(unused_variables))]
    async fn keeps_attributes() {
        let unused = 1;
    }
}

//! `ASYNC_DEBUG_DENY`: a program that makes a denied finding fails; and so does a
//! `#[debug_async::test]` that makes any.

// What a main function returns may be `()`.
#![allow(clippy::unit_arg)]
#![cfg(feature = "macros")]

mod support;

use debug_async::prelude::*;
use support::Program;

async fn forgotten() {}

async fn fails() -> Result<(), &'static str> {
    Err("lost")
}

/// Main functions, under the name that makes them some.
mod program {
    use super::*;

    pub(super) mod healthy {
        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() {
            println!("went well");
        }
    }

    pub(super) mod forgets {
        use super::*;

        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() {
            drop(forgotten().tracked());
            println!("went well");
        }
    }

    pub(super) mod forgets_elsewhere {
        use super::*;

        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() {
            let thread = std::thread::spawn(|| drop(forgotten().tracked()));
            thread.join().expect("no panic");
        }
    }

    pub(super) mod loses_elsewhere {
        use super::*;

        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() {
            let thread = std::thread::spawn(|| {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                let runtime = builder.build().expect("it can be built");
                runtime.block_on(async {
                    let lost = debug_async::spawn!(fails());
                    tokio::task::yield_now().await;
                    assert!(lost.is_finished());
                });
            });
            thread.join().expect("no panic");
        }
    }

    pub(super) mod loses {
        use super::*;

        #[debug_async::main]
        pub(crate) async fn main() {
            drop(debug_async::spawn!(fails()));
            while tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
                > 0
            {
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) mod leaves {
        #[debug_async::main]
        pub(crate) async fn main() {
            debug_async::spawn!(std::future::pending::<()>());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub(super) mod returns_an_error {
        use super::*;

        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() -> Result<(), &'static str> {
            drop(forgotten().tracked());
            fails().await
        }
    }

    pub(super) mod returns_a_code {
        use super::*;

        #[debug_async::main(flavor = "current_thread")]
        pub(crate) async fn main() -> std::process::ExitCode {
            drop(forgotten().tracked());
            std::process::ExitCode::from(7)
        }
    }
}

/// Exits with what a main function returns, as a program would.
fn exit(output: impl std::process::Termination) -> ! {
    let code = output.report();
    // `ExitCode` tells its number to nobody else.
    std::process::exit(if code == std::process::ExitCode::SUCCESS {
        0
    } else {
        9
    })
}

const DENY: &str = "ASYNC_DEBUG_DENY";

#[test]
fn a_healthy_program_succeeds() {
    let program = Program::new(|| exit(program::healthy::main()));
    let output = program
        .run(&[(DENY, "all"), ("ASYNC_DEBUG", "1")])
        .succeeded();
    assert!(output.stdout.contains("went well"), "{output}");
    output.says(0, &["denied"]);
}

#[test]
fn a_denied_finding_fails_the_program_and_says_which() {
    let program = Program::new(|| exit(program::forgets::main()));
    for (value, mode) in [
        ("all", "0"),
        ("never_polled", "1"),
        ("slow_poll, never_polled", ""),
    ] {
        let output = program.run(&[(DENY, value), ("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(1), "{value}: {output}");
        assert!(output.stdout.contains("went well"), "{output}");
        output.says(1, &["`deny::forgotten` was never polled"]);
        output.says(1, &["ERROR", DENY, "1 × never_polled"]);
    }
}

#[test]
fn what_is_not_denied_is_reported_and_the_program_succeeds() {
    let program = Program::new(|| exit(program::forgets::main()));
    for value in ["", "slow_poll", "unretrieved_error,unretrieved_panic"] {
        let output = program.run(&[(DENY, value)]).succeeded();
        output.says(1, &["was never polled"]);
        output.says(0, &["denied"]);
    }
}

#[test]
fn a_bad_value_denies_nothing() {
    let program = Program::new(|| exit(program::forgets::main()));
    let output = program.run(&[(DENY, "never_poled")]).succeeded();
    output.says(1, &["WARN", DENY, "`never_poled`", "never_polled, "]);
}

#[test]
fn with_the_mode_off_nothing_is_found() {
    let program = Program::new(|| exit(program::forgets::main()));
    program
        .run(&[(DENY, "all"), ("ASYNC_DEBUG", "off")])
        .succeeded();
}

#[test]
fn a_lost_error_is_denied_in_production_and_in_debug() {
    let program = Program::new(|| exit(program::loses::main()));
    for mode in ["0", "1"] {
        let output = program.run(&[(DENY, "unretrieved_error"), ("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(1), "{output}");
        output.says(1, &["`deny::fails` failed"]);
        program
            .run(&[(DENY, "slow_poll"), ("ASYNC_DEBUG", mode)])
            .succeeded();
    }
}

#[test]
fn what_is_found_outside_the_runtime_of_main_is_denied_too() {
    let forgets = Program::new(|| match &*support::child::case() {
        "forgets" => exit(program::forgets_elsewhere::main()),
        _ => exit(program::loses_elsewhere::main()),
    });
    for (case, kind) in [("forgets", "never_polled"), ("loses", "unretrieved_error")] {
        for (value, mode) in [("all", "0"), ("all", "1"), (kind, ""), (kind, "1")] {
            let output = forgets.run_case(case, &[(DENY, value), ("ASYNC_DEBUG", mode)]);
            assert_eq!(output.code, Some(1), "{value}: {output}");
            output.says(1, &["ERROR", DENY, "1 × ", kind]);
        }
        forgets.run_case(case, &[(DENY, "slow_poll")]).succeeded();
    }
}

#[test]
fn all_means_what_is_a_warning_or_worse() {
    let program = Program::new(|| exit(program::leaves::main()));
    let output = program.run(&[(DENY, "all")]).succeeded();
    output.says(1, &["INFO", "still pending at shutdown"]);
}

#[test]
fn what_main_returns_is_said_before() {
    let program = Program::new(|| exit(program::returns_an_error::main()));
    let output = program.run(&[(DENY, "all")]);
    assert_eq!(output.code, Some(1), "{output}");
    output.says(1, &["Error: \"lost\""]);
    output.says(1, &["ERROR", DENY]);
}

#[test]
fn without_a_denied_finding_main_s_own_code_is_the_program_s() {
    let program = Program::new(|| exit(program::returns_a_code::main()));
    assert_eq!(program.run(&[(DENY, "slow_poll")]).code, Some(9));
    assert_eq!(program.run(&[(DENY, "all")]).code, Some(1));
}

#[debug_async::test]
#[should_panic(expected = "1 × never_polled\n  future `deny::forgotten` was never polled")]
async fn a_test_that_forgets_a_future_fails_and_says_so() {
    drop(forgotten().tracked());
}

#[debug_async::test(flavor = "multi_thread")]
#[should_panic(expected = "1 × unretrieved_error")]
async fn a_test_that_loses_an_error_fails() {
    drop(debug_async::spawn!(fails()));
    while tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
        > 0
    {
        tokio::task::yield_now().await;
    }
}

#[debug_async::test]
#[should_panic(expected = "1 × slow_poll")]
async fn a_test_that_blocks_fails() {
    async { support::block() }.tracked().await;
}

#[debug_async::test]
#[should_panic(expected = "on purpose")]
async fn a_test_that_panics_fails_with_its_own_panic() {
    drop(forgotten().tracked());
    panic!("on purpose");
}

#[debug_async::test]
async fn a_test_without_findings_passes_in_debug_mode() {
    assert!(debug_async::is_debug());
    assert!(
        debug_async::spawn!(fails())
            .await
            .expect("no panic")
            .is_err()
    );
}

#[debug_async::test]
async fn a_test_that_leaves_a_task_passes() {
    debug_async::spawn!(std::future::pending::<()>());
    tokio::task::yield_now().await;
}

#[debug_async::test(debug = false)]
async fn a_test_may_be_in_production_mode() {
    assert!(!debug_async::is_debug());
}

//! The environment: every variable, bad values, and what beats what.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::time::Duration;

use debug_async::config::{Config, Deny, Signal, StackMode, VARS};
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use support::{Output, Program, collect, take_seen};

async fn forgotten() {}

/// The mode: nothing is reported when it is off.
fn mode() -> &'static str {
    collect();
    drop(forgotten().tracked());
    debug_async::flush();
    match (debug_async::is_debug(), take_seen().len()) {
        (true, 1) => "debug",
        (false, 1) => "production",
        (false, 0) => "off",
        other => panic!("{other:?}"),
    }
}

fn says(output: &Output, mode: &str) {
    let line = format!("the mode is {mode};");
    assert!(output.stdout.contains(&line), "{line} {output}");
}

#[test]
fn the_switch() {
    let program = Program::new(|| println!("the mode is {};", mode()));
    says(&program.run(&[]).succeeded(), "production");
    for (value, mode) in [
        ("1", "debug"),
        ("true", "debug"),
        ("TRUE", "debug"),
        ("0", "production"),
        ("false", "production"),
        ("", "production"),
        ("off", "off"),
    ] {
        let output = program.run(&[("ASYNC_DEBUG", value)]).succeeded();
        says(&output, mode);
        output.says(0, &["WARN"]);
    }
}

#[test]
fn a_bad_value_of_any_variable_gives_one_warning_and_the_program_goes_on() {
    let program = Program::new(|| println!("the mode is {};", mode()));
    assert!(VARS.len() >= 7);
    for var in VARS {
        let output = program.run(&[(var.name, "?!")]).succeeded();
        says(&output, "production");
        output.says(1, &["WARN", var.name, "?!", var.accepts]);
        output.says(1, &["WARN"]);
    }
}

#[test]
fn an_empty_value_of_any_variable_is_none() {
    let program = Program::new(|| println!("the mode is {};", mode()));
    let empty: Vec<_> = VARS.iter().map(|var| (var.name, "")).collect();
    let output = program.run(&empty).succeeded();
    says(&output, "production");
    output.says(0, &["WARN"]);
}

#[test]
fn a_variable_that_does_not_exist_is_named_with_those_that_do() {
    let program = Program::new(|| println!("the mode is {};", mode()));
    let output = program.run(&[("ASYNC_DEBUG_SLOWPOLL", "1s")]).succeeded();
    output.says(
        1,
        &["WARN", "ASYNC_DEBUG_SLOWPOLL", "ASYNC_DEBUG_SLOW_POLL"],
    );
}

#[test]
fn a_bad_value_is_warned_of_once_whatever_is_built() {
    let program = Program::new(|| {
        for _ in 0..3 {
            let runtime = Builder::new_current_thread()
                .build()
                .expect("it can be built");
            runtime.block_on(forgotten().tracked());
        }
        debug_async::set_debug(true);
        debug_async::flush();
    });
    let output = program.run(&[("ASYNC_DEBUG", "maybe")]).succeeded();
    output.says(1, &["WARN", "`ASYNC_DEBUG`", "`maybe`", "`off`"]);
}

#[test]
fn a_bad_value_is_warned_of_through_the_subscriber_if_there_is_one() {
    let program = Program::new(|| {
        tracing_subscriber::fmt()
            .with_writer(std::io::stdout)
            .with_ansi(false)
            .init();
        println!("{}", debug_async::is_debug());
    });
    let output = program.run(&[("ASYNC_DEBUG", "maybe")]).succeeded();
    assert!(
        output
            .stdout
            .contains("WARN debug_async: environment variable `ASYNC_DEBUG`"),
        "{output}"
    );
    output.says(0, &["WARN"]);
}

#[test]
fn a_value_that_is_not_unicode_is_a_bad_value() {
    // `Program` takes text only, so the child makes one of its own.
    let program = Program::new(|| {
        use std::os::unix::ffi::OsStrExt;
        let bad = std::ffi::OsStr::from_bytes(b"\xff\xfe");
        if support::child::case() == "outer" {
            let exe = std::env::current_exe().expect("it is known");
            let mut command = std::process::Command::new(exe);
            command
                .args(std::env::args().skip(1))
                .env("ASYNC_DEBUG", bad)
                .env("TEST_CASE", "");
            assert!(command.status().expect("it runs").success());
        } else {
            println!("the mode is {};", mode());
        }
    });
    let output = program.run_case("outer", &[]).succeeded();
    says(&output, "production");
    output.says(1, &["WARN", "`ASYNC_DEBUG`"]);
}

/// Builds a runtime as the case says, and says its mode.
fn builds() {
    let mut builder = Builder::new_current_thread();
    match &*support::child::case() {
        "debug(true)" => drop(builder.debug(true)),
        "debug(false)" => drop(builder.debug(false)),
        "set_debug" | "set_debug, Runtime::new" => debug_async::set_debug(true),
        _ => {}
    }
    let runtime = match &*support::child::case() {
        "set_debug, Runtime::new" => Runtime::new(),
        _ => builder.build(),
    };
    let runtime = runtime.expect("it can be built");
    println!("the mode is {};", runtime.block_on(async { mode() }));
}

#[test]
#[allow(clippy::redundant_closure)] // The closure has the name of the test.
fn an_argument_beats_the_environment_which_beats_the_default() {
    let program = Program::new(|| builds());
    for (case, value, mode) in [
        ("", "", "production"),
        ("", "1", "debug"),
        ("", "off", "off"),
        ("debug(true)", "", "debug"),
        ("debug(true)", "0", "debug"),
        ("debug(true)", "off", "debug"),
        ("debug(false)", "1", "production"),
        ("debug(false)", "off", "production"),
        ("set_debug", "0", "debug"),
        ("set_debug", "off", "debug"),
        ("set_debug, Runtime::new", "", "debug"),
        ("set_debug, Runtime::new", "off", "debug"),
    ] {
        let output = program
            .run_case(case, &[("ASYNC_DEBUG", value)])
            .succeeded();
        says(&output, mode);
    }
}

#[test]
fn a_config_beats_the_environment_which_beats_the_default() {
    let program = Program::new(|| {
        collect();
        let mut builder = Builder::new_current_thread();
        builder.debug(true);
        let case = support::child::case();
        if case.contains("config") {
            builder.config(Config::new().slow_poll(Duration::from_millis(10)));
        }
        if case.contains("set to 10ms") {
            debug_async::set_slow_poll(Duration::from_millis(10));
        }
        if case.contains("set to 1h") {
            debug_async::set_slow_poll(Duration::from_secs(3600));
        }
        let runtime = builder.build().expect("it can be built");
        runtime.block_on(async {
            async { std::thread::sleep(Duration::from_millis(30)) }
                .tracked_as("sleeper")
                .await;
        });
        debug_async::flush();
        // On a busy machine, the main future around it may be slow as well.
        let sleeper = |seen: &&support::Seen| seen.name.as_deref() == Some("sleeper");
        println!("{} slow polls", take_seen().iter().filter(sleeper).count());
    });
    for (case, value, polls) in [
        ("", "", 0),
        ("", "10ms", 1),
        ("config", "1h", 1),
        ("config", "", 1),
        ("set to 10ms", "", 1),
        ("set to 10ms", "1h", 1),
        ("set to 1h", "10ms", 0),
        ("set to 1h, config", "1h", 1),
    ] {
        let output = program
            .run_case(case, &[("ASYNC_DEBUG_SLOW_POLL", value)])
            .succeeded();
        let line = format!("{polls} slow polls");
        assert!(output.stdout.contains(&line), "{case} {value}: {output}");
    }
}

#[test]
fn every_variable_does_what_it_says() {
    let program = Program::new(|| {
        let (env, lossy) = (Config::from_env(), Config::from_env_lossy());
        assert_eq!(env, Ok(lossy.clone()));
        let expected = Config::new()
            .slow_poll(Duration::from_millis(50))
            .stack(StackMode::Full)
            .await_stacks(false)
            .never_polled_after(Duration::from_secs(2))
            .unretrieved_after(Duration::from_secs(3))
            .large_future(1024)
            .shutdown_hang(Duration::from_secs(4))
            .close_timeout(Duration::from_secs(8))
            .blocked(Duration::from_secs(5))
            .deny(Deny::Kinds(vec![
                ReportKind::NeverPolled,
                ReportKind::SlowPoll,
            ]))
            .sample_signal(Signal::named("SIGUSR2").expect("a signal"))
            .dump_signal(Signal::USR1);
        assert_eq!(lossy, expected);
        assert!(debug_async::is_debug());
    });
    let vars = [
        ("ASYNC_DEBUG", "1"),
        ("ASYNC_DEBUG_SLOW_POLL", "50ms"),
        ("ASYNC_DEBUG_BLOCKED", "5s"),
        ("ASYNC_DEBUG_STACK", "full"),
        ("ASYNC_DEBUG_AWAIT_STACKS", "off"),
        ("ASYNC_DEBUG_NEVER_POLLED_AFTER", "2s"),
        ("ASYNC_DEBUG_UNRETRIEVED_AFTER", "3s"),
        ("ASYNC_DEBUG_LARGE_FUTURE", "1024"),
        ("ASYNC_DEBUG_SHUTDOWN_HANG", "4s"),
        ("ASYNC_DEBUG_CLOSE_TIMEOUT", "8s"),
        ("ASYNC_DEBUG_DENY", "never_polled,slow_poll"),
        ("ASYNC_DEBUG_SAMPLE_SIGNAL", "SIGUSR2"),
        ("ASYNC_DEBUG_DUMP_SIGNAL", "usr1"),
    ];
    assert_eq!(
        vars.map(|(name, _)| name),
        *VARS.iter().map(|var| var.name).collect::<Vec<_>>()
    );
    program.run(&vars).succeeded();
}

/// Sets a variable of this process.
#[allow(unsafe_code)]
fn set_var(name: &str, value: &str) {
    // SAFETY: no thread of this child reads the environment but through `std`, which
    // locks it.
    unsafe { std::env::set_var(name, value) }
}

#[test]
fn the_environment_is_read_once_but_by_those_who_ask_for_it() {
    let program = Program::new(|| {
        set_var("ASYNC_DEBUG", "1");
        assert!(debug_async::is_debug());
        set_var("ASYNC_DEBUG", "0");
        set_var("ASYNC_DEBUG_LARGE_FUTURE", "1");
        set_var("ASYNC_DEBUG_STACK", "deep");
        assert!(debug_async::is_debug());
        let builder = &mut Builder::new_current_thread();
        let runtime = builder.build().expect("it can be built");
        assert!(runtime.block_on(async { debug_async::is_debug() }));
        let now = Config::new().large_future(1);
        assert_eq!(Config::from_env_lossy(), now);
        let error = Config::from_env().expect_err("one is bad");
        assert_eq!(error.name(), "ASYNC_DEBUG_STACK");
        collect();
        let task = async { debug_async::spawn!(forgotten()).await };
        runtime.block_on(task).expect("no panic");
        debug_async::flush();
        let large = |seen: &support::Seen| seen.kind == ReportKind::LargeFuture;
        assert!(!take_seen().iter().any(large));
    });
    // The bad value came too late to be warned of.
    program.run(&[]).succeeded().says(0, &["WARN"]);
}

#[test]
fn the_strict_twin_refuses_what_the_lossy_one_passes_over() {
    let program = Program::new(|| {
        let error = Config::from_env().expect_err("one is bad");
        assert_eq!((error.name(), error.value()), ("ASYNC_DEBUG_STACK", "deep"));
        let text = error.to_string();
        assert!(
            text.contains("ASYNC_DEBUG_STACK") && text.contains("`short`"),
            "{text}"
        );
        let lossy = Config::from_env_lossy();
        assert_eq!(lossy, Config::new().slow_poll(Duration::from_secs(2)));
    });
    let vars = [
        ("ASYNC_DEBUG_STACK", "deep"),
        ("ASYNC_DEBUG_SLOW_POLL", "2s"),
    ];
    program.run(&vars).succeeded();
}

#[test]
fn how_much_stack_is_kept() {
    let program = Program::new(|| {
        collect();
        drop(forgotten().tracked());
        debug_async::flush();
        let seen = take_seen();
        let frames = seen[0].stack.as_ref().map_or(0, Vec::len);
        println!("{frames} frames; {}", seen[0].text);
    });
    let frames = |mode| {
        let output = program.run(&[("ASYNC_DEBUG", "1"), ("ASYNC_DEBUG_STACK", mode)]);
        let output = output.succeeded();
        let line = output
            .stdout
            .lines()
            .find(|line| line.contains(" frames; "));
        let number = line
            .and_then(|line| line.split(' ').next())
            .map(str::parse::<usize>);
        number
            .unwrap_or_else(|| panic!("{output}"))
            .unwrap_or_else(|_| panic!("{output}"))
    };
    let (off, short, full) = (frames("off"), frames("short"), frames("full"));
    assert_eq!(off, 0);
    assert!(short >= 1 && full > short, "short {short}, full {full}");
}

#[test]
fn the_age_at_which_a_living_future_is_reported() {
    let program = Program::new(|| {
        collect();
        let kept = forgotten().tracked();
        support::wait_until("the living future", |seen| !seen.is_empty());
        drop(kept);
        let seen = take_seen();
        assert_eq!(seen[0].kind, ReportKind::NeverPolled);
        assert!(
            seen[0].age.is_some_and(|age| age < Duration::from_secs(4)),
            "{seen:?}"
        );
    });
    let vars = [
        ("ASYNC_DEBUG", "1"),
        ("ASYNC_DEBUG_NEVER_POLLED_AFTER", "100ms"),
    ];
    program.run(&vars).succeeded();
}

#[test]
fn the_size_from_which_a_future_is_large() {
    let program = Program::new(|| {
        collect();
        let runtime = Builder::new_current_thread()
            .build()
            .expect("it can be built");
        runtime.block_on(async {
            let bytes = [1_u8; 600];
            let sum = async move { bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>() };
            debug_async::spawn(sum).await.expect("no panic");
        });
        debug_async::flush();
        println!(
            "{:?}",
            take_seen().iter().map(|seen| seen.kind).collect::<Vec<_>>()
        );
    });
    let vars = [("ASYNC_DEBUG", "1"), ("ASYNC_DEBUG_LARGE_FUTURE", "500")];
    let output = program.run(&vars).succeeded();
    assert!(output.stdout.contains("[LargeFuture]"), "{output}");
    let output = program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
    assert!(output.stdout.contains("[]"), "{output}");
}

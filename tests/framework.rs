//! The framework's own tests: an expectation that is not met fails, and says why.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::{Doing, ReportKind};
use support::{Expected, Program, Seen, check, everywhere, site};
use tracing::Level;

async fn forgotten() {}

fn seen(kind: ReportKind, line: u32, message: &str) -> Seen {
    Seen {
        kind,
        level: kind.level(),
        message: message.to_owned(),
        help: String::new(),
        name: Some("app::fetch".to_owned()),
        file: Some("app.rs".to_owned()),
        line: Some(line),
        task_name: None,
        task_id: None,
        polls: None,
        busy: None,
        age: None,
        elapsed: None,
        count: 1,
        error: None,
        stack: None,
        blocked_at: None,
        blocked_in: None,
        doing: None,
        waits: Vec::new(),
        text: message.to_owned(),
    }
}

fn expected() -> Expected {
    Expected::new(ReportKind::NeverPolled).at(7)
}

#[test]
fn what_is_expected_passes() {
    let seen = [seen(ReportKind::NeverPolled, 7, "future `app::fetch` …")];
    check(&seen, &[expected().named("app::fetch")]).expect("it is as expected");
    check(&[], &[]).expect("nothing is expected, nothing there");
}

#[test]
fn a_missing_report_fails() {
    let wrong = check(&[], &[expected()]).expect_err("it is missing");
    assert!(
        wrong.contains("missing") && wrong.contains("NeverPolled"),
        "{wrong}"
    );
}

#[test]
fn an_unexpected_report_fails() {
    let seen = [seen(ReportKind::SlowPoll, 7, "one poll of …")];
    let wrong = check(&seen, &[]).expect_err("it is unexpected");
    assert!(
        wrong.contains("unexpected: slow_poll") && wrong.contains("one poll of"),
        "{wrong}"
    );
}

#[test]
fn a_second_report_of_the_same_fails() {
    let one = seen(ReportKind::NeverPolled, 7, "x");
    let wrong = check(&[one.clone(), one.clone()], &[expected()]).expect_err("there are two");
    assert!(wrong.contains("unexpected"), "{wrong}");
    check(&[one.clone(), one], &[expected(), expected()]).expect("two are expected");
}

#[test]
fn each_thing_that_is_expected_is_compared() {
    let seen = [seen(
        ReportKind::NeverPolled,
        7,
        "future `app::fetch` was never polled",
    )];
    for (wrong, expected) in [
        ("line", expected().at(8)),
        ("level", expected().level(Level::ERROR)),
        ("count", expected().count(10)),
        ("name", expected().named("app::other")),
        ("task name", expected().task_named("hasher")),
        ("error", expected().error("Lost")),
        ("having a stack", expected().stack(true)),
        ("the line that blocks", expected().blocked_at(9)),
        ("what it did", expected().doing(Doing::Waiting)),
        ("the message lacks", expected().says("150ms")),
    ] {
        let said = check(&seen, &[expected]).expect_err(wrong);
        assert!(said.contains(&format!("near: {wrong}")), "{wrong}: {said}");
    }
}

#[test]
fn a_marked_line_is_found() {
    let line = line!() + 1;
    assert_eq!(site!("here"), line); // site: here
    // site: above
    assert_eq!(site!("above"), line + 2);
}

#[test]
#[should_panic(expected = "has no line marked")]
fn a_mark_that_is_missing_fails() {
    support::line_marked("", "nowhere");
}

#[test]
fn a_body_runs_in_a_child() {
    let program = Program::new(|| {
        println!("in {}", support::child::case());
        eprintln!("and on stderr");
        std::process::exit(3);
    });
    let output = program.run_case("a case", &[]);
    assert_eq!(output.code, Some(3));
    assert!(output.stdout.contains("in a case"), "{output}");
    output.says(1, &["and on stderr"]);
}

#[test]
fn a_child_gets_the_variables_it_is_given_and_no_others_of_ours() {
    let program = Program::new(|| {
        let ours = std::env::vars().filter(|(name, _)| name.starts_with("ASYNC_DEBUG"));
        println!("{:?}", ours.collect::<Vec<_>>());
    });
    let output = program.run(&[("ASYNC_DEBUG_STACK", "off")]).succeeded();
    assert!(
        output.stdout.contains(r#"[("ASYNC_DEBUG_STACK", "off")]"#),
        "{output}"
    );
}

#[test]
fn a_child_whose_body_panics_fails() {
    let program = Program::new(|| panic!("in the child"));
    let output = program.run(&[]);
    assert_eq!(output.code, Some(101), "{output}");
    assert!(output.stderr.contains("in the child"), "{output}");
}

/// What a scenario that fails says. In the child, the panic goes on.
fn failure(scenario: impl FnOnce()) -> String {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(scenario));
    let failure = result.expect_err("it must fail");
    if support::child::is_child() {
        std::panic::resume_unwind(failure);
    }
    *failure.downcast::<String>().expect("a text")
}

#[test]
fn a_scenario_with_a_report_that_is_not_expected_fails() {
    let message = failure(|| {
        everywhere(|run| {
            run.block_on(async { drop(forgotten().tracked()) });
            run.expect(&[]);
        });
    });
    assert!(message.contains("unexpected: never_polled"), "{message}");
    assert!(
        message.contains("CurrentThread") && message.contains("Tokio"),
        "{message}"
    );
}

#[test]
fn a_scenario_without_its_report_fails() {
    let message = failure(|| {
        everywhere(|run| {
            run.block_on(forgotten().tracked());
            run.expect(&[Expected::new(ReportKind::NeverPolled)]);
        });
    });
    assert!(message.contains("missing: Expected"), "{message}");
}

#[test]
fn a_scenario_that_checks_nothing_fails() {
    let message = failure(|| everywhere(|run| run.block_on(forgotten())));
    assert!(
        message.contains("does not look at the reports"),
        "{message}"
    );
}

#[test]
fn waiting_ends_when_there_is_something() {
    let program = Program::new(|| {
        support::collect();
        let late = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            drop(forgotten().tracked());
            debug_async::flush();
        });
        support::wait_until("a report", |seen| seen.len() == 1);
        late.join().expect("it only drops");
        assert_eq!(support::take_seen().len(), 1);
    });
    program.run(&[]).succeeded();
}

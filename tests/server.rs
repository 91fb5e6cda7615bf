//! `examples/server.rs` under load: each of its mistakes is reported once for each
//! power of ten, at its line, with the true count in the end; what only looks like
//! one is not.

#[path = "support/example.rs"]
mod example;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use example::{Example, Mark};
use serde_json::Value;
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(60);

/// How often a route is called.
fn calls(route: &str) -> u64 {
    // These block a worker or a thread, for a third of a second each.
    let slow = ["slow", "block", "drop_elsewhere"];
    match route {
        "/unretrieved_error/dropped" => 120,
        _ if slow.iter().any(|slow| route.contains(slow)) => 12,
        _ => 30,
    }
}

fn server() -> Example {
    Example::new("server")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_reported_in_debug_mode_and_nothing_else() {
    let routes = routes();
    let ended = drive(Some("1"), &routes).await;
    let marks = server().marks();
    let marked: Vec<&str> = marks
        .iter()
        .filter_map(|mark| mark.route.as_deref())
        .collect();
    for route in &routes {
        let is_fine = route.starts_with("/fine/");
        assert_eq!(marked.contains(&route.as_str()), !is_fine, "{route}");
    }
    ended.holds_to(&marks, "debug");
    ended.says_each_panic_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn production_finds_what_is_never_polled_and_never_retrieved() {
    let always = [
        "never_polled",
        "unretrieved_error",
        "unretrieved_panic",
        "cleanup_failed",
        "outside_runtime",
        "pending_at_shutdown",
    ];
    let marks = server().marks().into_iter();
    let marks = marks.filter(|mark| always.contains(&&*mark.kind));
    let marks: Vec<Mark> = marks.collect();
    let ended = drive(None, &routes()).await;
    ended.holds_to(&marks, "production");
    ended.says_each_panic_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn off_is_silent() {
    let ended = drive(Some("off"), &routes()).await;
    assert!(ended.events.is_empty(), "{ended:#?}");
    ended.says_each_panic_once();
}

/// The report that the header shows is the one that its request gives.
#[test]
fn the_header_shows_a_report_that_is_made() {
    let source = server().source();
    let (_, report) = source.split_once("//! ```text\n").expect("a report");
    let (report, _) = report.split_once("//! ```\n").expect("its end");
    let marks = server().marks().into_iter();
    let marks = marks.filter(|mark| mark.route.as_deref() == Some("/slow_poll"));
    for Mark {
        kind, name, line, ..
    } in marks
    {
        let place = format!("(created at {}:{line}:", server().file());
        for part in [format!("debug_async::{kind}:"), format!("`{name}`"), place] {
            assert!(report.contains(&part), "{part} is not in\n{report}");
        }
    }
}

/// The routes that answer to GET, from the source.
fn routes() -> Vec<String> {
    let source = server().source();
    let (_, table) = source
        .split_once("\nfn routes(")
        .expect("the table of routes");
    let (table, _) = table.split_once("\n}").expect("its end");
    let strings = table.split('"').skip(1).step_by(2);
    let routes = strings.filter(|route| *route != "/shutdown");
    routes.map(str::to_owned).collect()
}

// ----- the server and its clients --------------------------------------------------

struct Running {
    child: Child,
    address: String,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// What a server has said by its end.
#[derive(Debug)]
struct Ended {
    calls: BTreeMap<String, u64>,
    events: Vec<Value>,
    stderr: String,
}

/// Calls the routes over and over, all at once, then shuts the server down.
async fn drive(mode: Option<&str>, routes: &[String]) -> Ended {
    let server = Running::start(mode);
    let client = reqwest::Client::new();
    // More at once than there are workers, fewer than would time out.
    let slots = Arc::new(Semaphore::new(48));
    let most = routes.iter().map(|route| calls(route)).max().unwrap_or(0);
    let mut requests = tokio::task::JoinSet::new();
    for round in 0..most {
        for route in routes.iter().filter(|route| round < calls(route)) {
            let request = client.get(format!("{}{route}", server.address));
            let slots = Arc::clone(&slots);
            requests.spawn(async move {
                let _slot = slots.acquire().await.expect("it is not closed");
                request.timeout(LIMIT).send().await?.error_for_status()
            });
        }
    }
    for answer in requests.join_all().await {
        answer.expect("the server answers");
    }
    // What is kept unpolled is found after a second; once more, as machines go.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let shutdown = client.post(format!("{}/shutdown", server.address));
    shutdown.send().await.expect("the server answers");
    // The connections that it holds open are waited for.
    drop(client);

    let (events, stderr) = tokio::task::spawn_blocking(|| server.end())
        .await
        .expect("it does not panic");
    let calls = routes.iter().map(|route| (route.clone(), calls(route)));
    Ended {
        calls: calls.collect(),
        events,
        stderr,
    }
}

impl Running {
    fn start(mode: Option<&str>) -> Running {
        let mut command = server().command();
        command
            .arg("json")
            .envs(mode.map(|mode| ("ASYNC_DEBUG", mode)))
            // A poll of a healthy future may well be put aside for 100 ms on a
            // machine that runs other tests.
            .env("ASYNC_DEBUG_SLOW_POLL", "200ms")
            .env("ASYNC_DEBUG_NEVER_POLLED_AFTER", "1s")
            .env("ASYNC_DEBUG_UNRETRIEVED_AFTER", "1s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("it prints text");
        let address = first.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("no address: {first}"));
        Running {
            address: address.to_owned(),
            stdout: Some(read(stdout)),
            stderr: Some(read(child.stderr.take().expect("it is piped"))),
            child,
        }
    }

    fn end(mut self) -> (Vec<Value>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(start.elapsed() < LIMIT, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = |reader: Option<JoinHandle<String>>| {
            let reader = reader.expect("it is taken once");
            reader.join().expect("it only reads")
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        assert!(status.success(), "{status}: {stderr}");
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        (stdout.lines().map(parse).collect(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

// ----- what it said ----------------------------------------------------------------

fn kind(event: &Value) -> &str {
    let target = event["target"].as_str().unwrap_or_default();
    target.strip_prefix("debug_async::").unwrap_or(target)
}

fn field<'a>(event: &'a Value, name: &str) -> &'a str {
    event["fields"][name].as_str().unwrap_or_default()
}

fn count(event: &Value) -> u64 {
    event["fields"]["count"].as_u64().unwrap_or(0)
}

/// A kind and a line of the server's source.
type Site = (String, u32);

/// `examples/server.rs:12:3`
fn line_of(place: &str) -> u32 {
    let line = place.strip_prefix(&format!("{}:", server().file()));
    let line = line.and_then(|place| place.split(':').next()?.parse().ok());
    line.unwrap_or_else(|| panic!("not in the server: {place}"))
}

impl Ended {
    fn holds_to(&self, marks: &[Mark], mode: &str) {
        let reports = self.reports();
        let (pending, marks): (Vec<&Mark>, Vec<&Mark>) = marks
            .iter()
            .partition(|mark| mark.kind == "pending_at_shutdown");

        let reported: BTreeSet<Site> = reports.keys().cloned().collect();
        let marked = marks.iter().map(|mark| (mark.kind.clone(), mark.line));
        let marked: BTreeSet<Site> = marked.collect();
        let wrong: Vec<_> = reported
            .difference(&marked)
            .map(|site| &reports[site])
            .collect();
        let missing: Vec<_> = marked.difference(&reported).collect();
        assert!(wrong.is_empty(), "{mode}, not to be reported: {wrong:#?}");
        assert!(missing.is_empty(), "{mode}, not reported: {missing:?}");

        for mark in marks {
            let site = (mark.kind.clone(), mark.line);
            self.holds_to_mark(mark, &reports[&site], mode);
        }
        for mark in pending {
            self.summarizes_what_is_left(mark);
        }
    }

    /// The reports about a site, in order; those about the program apart.
    fn reports(&self) -> BTreeMap<Site, Vec<&Value>> {
        let mut reports: BTreeMap<Site, Vec<&Value>> = BTreeMap::new();
        for event in &self.events {
            match kind(event) {
                // That axum's own tasks are not tracked is true, and about no line. What was
                // cancelled is told who listens at `DEBUG`: nothing of it is a mistake.
                "pending_at_shutdown" | "summary" | "untracked_tasks" | "cancelled" => {}
                kind => {
                    let site = (kind.to_owned(), line_of(field(event, "site")));
                    reports.entry(site).or_default().push(event);
                }
            }
        }
        reports
    }

    fn holds_to_mark(&self, mark: &Mark, reports: &[&Value], mode: &str) {
        let route = mark.route.as_deref().expect("a mark names its route");
        let calls = match mark.kind.as_str() {
            "large_future" => 1, // said once for each line
            _ => self.calls[route],
        };
        let counts: Vec<u64> = reports.iter().map(|report| count(report)).collect();
        let context = format!("{mode}, {mark:?}, counts {counts:?}");

        // The 1st, the 10th, the 100th; fewer, if several came at once.
        assert!(counts.len() as u32 <= calls.ilog10() + 1, "{context}");
        assert!(counts.is_sorted_by(|one, next| one < next), "{context}");
        let total = self.summarized(mark).unwrap_or(counts[counts.len() - 1]);
        assert_eq!(total, calls, "{context}");

        let level = match mark.kind.as_str() {
            "unretrieved_error" | "unretrieved_panic" | "cleanup_failed" => "ERROR",
            "large_future" | "slow_io" => "DEBUG",
            _ => "WARN",
        };
        for report in reports {
            let context = format!("{context}: {report:#}");
            assert_eq!(report["level"], level, "{context}");
            assert_eq!(field(report, "name"), mark.name, "{context}");
            assert!(
                field(report, "message").contains(&format!("`{}`", mark.name)),
                "{context}"
            );
            assert!(!field(report, "help").is_empty(), "{context}");
            let stack = field(report, "stack");
            if mode == "debug" {
                assert_eq!(report["span"]["path"], route, "{context}");
                // A panic has its own stack, which begins at its own place.
                let message = field(report, "message");
                let of_panic = message.rsplit_once(" (spawned at ");
                let of_panic = of_panic.and_then(|(panic, _)| panic.rsplit(' ').next());
                // So has what blocked, if it was seen: that of the thread.
                let blocked_at = field(report, "blocked_at");
                let part = match mark.kind.as_str() {
                    "unretrieved_panic" => format!("({})", of_panic.unwrap_or_default()),
                    _ if !blocked_at.is_empty() => {
                        let sleeps = "`std::thread::functions::sleep`";
                        assert!(blocked_at.ends_with(sleeps), "{context}");
                        format!("({}:", server().file())
                    }
                    _ => format!("({}:{}:", server().file(), mark.line),
                };
                assert!(stack.contains(&part), "{context}");
            } else {
                assert_eq!(stack, "", "{context}");
            }
        }
    }

    /// The count that the summary at the end has for a site.
    fn summarized(&self, mark: &Mark) -> Option<u64> {
        let mut summaries = self.events.iter().filter(|event| kind(event) == "summary");
        let summary = summaries.next()?;
        assert_eq!(summaries.next(), None, "one summary");
        let (_, all) = field(summary, "message").split_once(": ")?;
        let place = format!(" × {} at {}:{}:", mark.kind, server().file(), mark.line);
        let part = all.split("; ").find(|part| part.contains(&place))?;
        part.split(' ').next()?.parse().ok()
    }

    fn summarizes_what_is_left(&self, mark: &Mark) {
        let mut left = self
            .events
            .iter()
            .filter(|event| kind(event) == "pending_at_shutdown");
        let (Some(summary), None) = (left.next(), left.next()) else {
            panic!("one summary of what is left: {:#?}", self.events);
        };
        let route = mark.route.as_deref().expect("a mark names its route");
        let message = field(summary, "message");
        let Mark { name, line, .. } = mark;
        let tasks = format!("{} × task `{name}`", self.calls[route]);
        let place = format!("spawned at {}:{line}:", server().file());
        assert_eq!(summary["level"], "INFO", "{message}");
        assert!(
            message.contains(&tasks) && message.contains(&place),
            "{message}"
        );
        assert_eq!(message.matches("spawned at").count(), 1, "{message}");
    }

    /// std's message about a panic is there as ever, once, and nothing else is.
    fn says_each_panic_once(&self) {
        let panics = |route: &str| {
            route.starts_with("/unretrieved_panic/")
                || ["/polled_after_completion", "/fine/panic_awaited"].contains(&route)
        };
        let expected = self.calls.iter().filter(|(route, _)| panics(route));
        let expected: u64 = expected.map(|(_, calls)| calls).sum();
        let said = self.stderr.matches(" panicked at ").count();
        assert_eq!(said as u64, expected, "{}", self.stderr);
        assert!(!self.stderr.contains("debug_async:"), "{}", self.stderr);
    }
}

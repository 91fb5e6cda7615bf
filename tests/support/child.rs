//! A test that runs itself again in a child process.

use std::any::type_name;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the child that it is one.
const IS_CHILD: &str = "TEST_CHILD";
/// What the child was asked for, if a body does several things.
const CASE: &str = "TEST_CASE";
/// Printed by a child whose body has begun: a wrong test name runs nothing, and
/// succeeds.
const BEGAN: &str = "the body of the child has begun";
const LIMIT: Duration = Duration::from_secs(60);

/// A body to be run in child processes.
pub(crate) struct Program {
    test: String,
}

/// What a child said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Program {
    /// In the child: runs `body` and exits. In the parent: returns at once. To be
    /// called in the test function itself, which is what the child runs.
    pub(crate) fn new<F: FnOnce()>(body: F) -> Program {
        match Program::returning(body) {
            Some(program) => program,
            None => std::process::exit(0),
        }
    }

    /// The same, but gives `None` when `body` has run, for main to return.
    pub(crate) fn returning<F: FnOnce()>(body: F) -> Option<Program> {
        Program::of(type_name::<F>(), body)
    }

    /// The same for the test that `closure` is the type of a closure in.
    pub(super) fn of(closure: &str, body: impl FnOnce()) -> Option<Program> {
        let test = test_name(closure);
        if std::env::var(IS_CHILD).as_deref() == Ok(&test) {
            println!("{BEGAN}");
            body();
            return None;
        }
        Some(Program { test })
    }

    /// Runs the body in a child with these variables and none of this crate's
    /// besides.
    #[track_caller]
    pub(crate) fn run(&self, vars: &[(&str, &str)]) -> Output {
        self.run_case("", vars)
    }

    /// The same; [`case`] gives `case` in the child.
    #[track_caller]
    pub(crate) fn run_case(&self, case: &str, vars: &[(&str, &str)]) -> Output {
        let exe = std::env::current_exe().expect("a test knows its file");
        let mut command = Command::new(exe);
        command.args(["--exact", &self.test, "--nocapture", "--include-ignored"]);
        let ours = |name: &str| name.starts_with("ASYNC_DEBUG") || name.starts_with("RUST_");
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.env(IS_CHILD, &self.test).env(CASE, case);
        command.envs(vars.iter().copied());
        let output = wait(command);
        assert!(
            output.stdout.contains(BEGAN),
            "the child did not run {}: {output}",
            self.test
        );
        output
    }
}

/// Runs a body in a child, where what is reported is collected, and fails unless it succeeds.
macro_rules! child {
    ($body:expr) => {
        let body = $body;
        let program = $crate::support::Program::new(|| {
            $crate::support::collect();
            body();
        });
        program.run(&[]).succeeded();
    };
}
pub(crate) use child;

/// Whether this process is a child.
pub(crate) fn is_child() -> bool {
    std::env::var_os(IS_CHILD).is_some()
}

/// What the child was asked for.
pub(crate) fn case() -> String {
    std::env::var(CASE).unwrap_or_default()
}

/// `silent::timers::a_timeout::{{closure}}` is in the test `timers::a_timeout`.
fn test_name(closure: &str) -> String {
    let path = closure
        .split("::{{closure}}")
        .next()
        .unwrap_or(closure)
        .trim_end_matches('>');
    let path = path.rsplit('<').next().unwrap_or(path);
    let (_, test) = path.split_once("::").expect("a path within the crate");
    test.to_owned()
}

fn wait(mut command: Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test can be run again");
    let stdout = read(child.stdout.take().expect("piped"));
    let stderr = read(child.stderr.take().expect("piped"));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break Some(status);
        }
        if started.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let output = Output {
        stdout: stdout.join().expect("it only reads"),
        stderr: stderr.join().expect("it only reads"),
        code: status.and_then(|status| status.code()),
    };
    assert!(status.is_some(), "the child hung: {output}");
    output
}

fn read(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Output {
    /// Fails unless the child succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Output {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The lines of stderr that contain all of these.
    pub(crate) fn errors_with(&self, parts: &[&str]) -> Vec<&str> {
        let has = |line: &&str| parts.iter().all(|part| line.contains(part));
        self.stderr.lines().filter(has).collect()
    }

    /// Fails unless exactly `times` lines of stderr contain all of these.
    #[track_caller]
    pub(crate) fn says(&self, times: usize, parts: &[&str]) {
        let found = self.errors_with(parts);
        assert_eq!(
            found.len(),
            times,
            "{times} lines with {parts:?} expected in stderr: {self}"
        );
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Output {
            stdout,
            stderr,
            code,
        } = self;
        write!(
            f,
            "code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---"
        )
    }
}

//! A process for each arm.
//!
//! The mode comes from the environment, a `tracing` subscriber is for good, and
//! threads in the background disturb whoever shares the process with them. So
//! each arm runs in a child of its own and is told what to run, a line at a time;
//! which is also what lets the arms take turns. Also compiled into `unstable/`.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// A child that answers one line for each line it is sent.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Child {
    /// Starts one. Nothing of the mode is inherited from this process.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(program: &Path, args: &[&str], env: &[(&str, &str)]) -> io::Result<Child> {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        clean(&mut command);
        command.envs(env.iter().copied());
        let mut process = command.spawn()?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both were asked for");
        };
        Ok(Child {
            process,
            questions: Some(questions),
            answers: BufReader::new(answers),
        })
    }

    /// The number that the system knows it by.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks, and waits for the answer.
    ///
    /// # Panics
    ///
    /// If the child is gone.
    pub fn ask(&mut self, question: &str) -> String {
        let questions = self.questions.as_mut().expect("there till the end");
        writeln!(questions, "{question}").expect("the child listens");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the child answers");
        assert!(!answer.is_empty(), "the child died over `{question}`");
        answer.trim_end().to_owned()
    }

    /// Asks for a number.
    ///
    /// # Panics
    ///
    /// If the answer is none.
    pub fn ask_number(&mut self, question: &str) -> f64 {
        self.ask(question).parse().expect("a number")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // At the end of its input it goes by itself.
        self.questions = None;
        let _ = self.process.wait();
    }
}

/// Takes out of a command's environment what would change a mode.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("ASYNC_DEBUG") || name.starts_with("RUST_") {
            command.env_remove(name.as_ref());
        }
    }
}

/// The child's side: answers till there are no more questions.
///
/// # Panics
///
/// If the parent is gone.
pub fn serve(mut answer: impl FnMut(&str) -> String) {
    for question in io::stdin().lines() {
        let question = question.expect("the parent speaks UTF-8");
        println!("{}", answer(&question));
        io::stdout().flush().expect("the parent listens");
    }
}

//! What a spawn, a poll and a nested await cost in each arm.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::arms::ARMS;
use crate::child::Child;
use crate::loops::{CASES, Case};
use crate::profile;
use crate::results::{Budget, Nanos, Section, more, table};
use crate::stats::{Verdict, paired};

/// A process is laid out in memory at random and stays so, its heap too: a median
/// over one process has a bias that more rounds do not take away.
const GENERATIONS: usize = 8;
const ROUNDS: usize = 8;

/// How long one turn of an arm takes.
const SLICE: Duration = Duration::from_millis(3);

/// One arm, and what it is compared with.
struct Entrant {
    name: String,
    program: PathBuf,
    env: &'static [(&'static str, &'static str)],
    /// The index of its bare arm.
    base: usize,
}

/// The limits that the project has set itself, in nanoseconds over bare.
const LIMITS: &[(&str, &str, f64)] = &[
    ("spawn+join", "off", 0.0),
    ("spawn+join", "production", 40.0),
    ("spawn+join", "debug", 600.0),
    ("poll", "off", 2.0),
    ("poll", "production", 3.0),
    ("poll", "debug, no await stacks", 45.0),
];

/// Runs it. `unstable` is the program of the peers that need the cfg, if it could
/// be built.
///
/// # Panics
///
/// If a child fails.
pub fn run(program: &Path, unstable: Option<&Path>) -> Section {
    let entrants = entrants(program, unstable);
    // [case][arm][round]
    let mut measured = vec![vec![Vec::new(); entrants.len()]; CASES.len()];
    for number in 0..GENERATIONS {
        generation(number, &entrants, &mut measured);
    }

    let mut text = String::from(
        "Each figure is the median of what one turn of the loop took; under it, the median of \
         its difference from `bare` in the same round, and of its ratio to it. On `current_thread` \
         it is processor time, on workers the time that passed.\n\n",
    );
    // Few columns at a time: the table is to be read.
    for cases in [0..3, 3..6, 6..11] {
        text.push_str(&cases_table(&entrants, &measured, cases));
        text.push('\n');
    }
    Section {
        title: "Overhead",
        text: text + &profiles(program, &entrants, &measured),
        budgets: LIMITS
            .iter()
            .map(|limit| budget(&entrants, &measured, *limit))
            .chain([await_stack(&entrants, &measured)])
            .collect(),
    }
}

fn entrants(program: &Path, unstable: Option<&Path>) -> Vec<Entrant> {
    let ours = ARMS.iter().map(|arm| Entrant {
        name: arm.name.to_owned(),
        program: program.to_owned(),
        env: arm.env,
        base: 0,
    });
    let mut all: Vec<Entrant> = ours.collect();
    if let Some(unstable) = unstable {
        let base = all.len();
        for name in ["bare", "tokio-blocked", "console-subscriber"] {
            all.push(Entrant {
                name: name.to_owned(),
                program: unstable.to_owned(),
                env: &[],
                base,
            });
        }
    }
    all
}

/// Measures in one set of children, the arms taking turns.
fn generation(number: usize, entrants: &[Entrant], measured: &mut [Vec<Vec<f64>>]) {
    let number = number.to_string();
    let start = |entrant: &Entrant| {
        let args = ["child", entrant.name.as_str(), number.as_str()];
        Child::start(&entrant.program, &args, entrant.env).expect("a child")
    };
    let mut children: Vec<Child> = entrants.iter().map(start).collect();

    // How often each loop goes into a slice; and everything is warm then, the
    // clock of debug mode too, which a thread of its own gets ready.
    let begun = Instant::now();
    let times: Vec<Vec<u64>> = CASES
        .iter()
        .map(|case| children.iter_mut().map(|child| fit(child, case)).collect())
        .collect();
    std::thread::sleep(Duration::from_millis(500).saturating_sub(begun.elapsed()));

    for round in 0..ROUNDS {
        for (case, name) in CASES.iter().map(|case| case.name).enumerate() {
            for turn in 0..entrants.len() {
                let arm = (turn + round) % entrants.len();
                let question = format!("{name}:{}", times[case][arm]);
                measured[case][arm].push(children[arm].ask_number(&question));
            }
        }
    }
}

fn fit(child: &mut Child, case: &Case) -> u64 {
    let question = format!("{}:200", case.name);
    child.ask_number(&question);
    let nanos = child.ask_number(&question).max(1.0);
    ((SLICE.as_nanos() as f64 / nanos) as u64).max(100)
}

fn cases_table(
    entrants: &[Entrant],
    measured: &[Vec<Vec<f64>>],
    cases: std::ops::Range<usize>,
) -> String {
    let mut head = vec![""];
    head.extend(CASES[cases.clone()].iter().map(|case| case.name));
    let row = |(arm, entrant): (usize, &Entrant)| {
        let cell = |case: usize| {
            let base = &measured[case][entrant.base];
            let (own, difference, ratio) = paired(&measured[case][arm], base);
            if arm == entrant.base {
                format!("**{}**", Nanos(own.value))
            } else {
                let sign = crate::results::sign(difference.value);
                let more = Nanos(difference.value);
                format!("{}<br>{sign}{more}, ×{:.2}", Nanos(own.value), ratio.value)
            }
        };
        let name = match (entrant.base, arm) {
            (0, _) => entrant.name.clone(),
            (base, arm) if base == arm => "bare, `tokio_unstable`".to_owned(),
            _ => format!("{} ¹", entrant.name),
        };
        let mut row = vec![name];
        row.extend(cases.clone().map(cell));
        row
    };
    let rows: Vec<Vec<String>> = entrants.iter().enumerate().map(row).collect();
    let note = if entrants.iter().any(|entrant| entrant.base != 0) {
        "\n¹ Compared with bare tokio under `--cfg tokio_unstable`.\n"
    } else {
        ""
    };
    table(&head, &rows) + note
}

fn budget(
    entrants: &[Entrant],
    measured: &[Vec<Vec<f64>>],
    (case, arm, limit): (&str, &str, f64),
) -> Budget {
    let (case, arm) = position(entrants, case, arm);
    let base = &measured[case][entrants[arm].base];
    let (_, difference, _) = paired(&measured[case][arm], base);
    Budget {
        what: format!("{}, {}", CASES[case].name, entrants[arm].name),
        limit: format!("≤ +{limit:.0} ns"),
        measured: more(difference),
        verdict: Verdict::at_most(difference, limit),
    }
}

/// A poll that yields has one leaf, which registers: what that takes with its stack.
fn await_stack(entrants: &[Entrant], measured: &[Vec<Vec<f64>>]) -> Budget {
    const LIMIT: f64 = 400.0;
    let (case, with) = position(entrants, "poll", "debug");
    let (_, without) = position(entrants, "poll", "debug, no await stacks");
    let (_, difference, _) = paired(&measured[case][with], &measured[case][without]);
    Budget {
        what: "an await stack, for each leaf that registers".to_owned(),
        limit: format!("≤ +{LIMIT:.0} ns"),
        measured: more(difference),
        verdict: Verdict::at_most(difference, LIMIT),
    }
}

fn position(entrants: &[Entrant], case: &str, arm: &str) -> (usize, usize) {
    let case = CASES.iter().position(|known| known.name == case);
    let arm = entrants.iter().position(|entrant| entrant.name == arm);
    case.zip(arm).expect("a case and an arm of this run")
}

/// Where the time goes in the arms that are over their budget.
fn profiles(program: &Path, entrants: &[Entrant], measured: &[Vec<Vec<f64>>]) -> String {
    let over = LIMITS
        .iter()
        .filter(|limit| budget(entrants, measured, **limit).verdict == Verdict::NotMet);
    let mut text = String::new();
    for (case, arm, _) in over {
        let (_, index) = position(entrants, case, arm);
        match profile::of(program, &["spin", arm, case], entrants[index].env) {
            Some(profile) => {
                text.push_str(&format!(
                    "`perf` of `{case}`, {arm} (own time, 1 % and more):\n\n```text\n{profile}```\n\n"
                ));
            }
            None => text.push_str("There is no `perf` here to say why a budget is not met.\n\n"),
        }
    }
    text
}

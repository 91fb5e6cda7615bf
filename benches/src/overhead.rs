//! What a spawn, a poll and a nested await cost in each arm.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::arms::ARMS;
use crate::child::Child;
use crate::loops::{CASES, Case, Flavor};
use crate::processors::Processors;
use crate::profile;
use crate::results::{Budget, Nanos, Section, more, table};
use crate::stats::{Turn, Verdict, paired, undisturbed};

/// A process is laid out in memory at random and stays so, its heap too: a median
/// over one process has a bias that more rounds do not take away. The most are for a machine
/// that is shared, where few turns count.
const GENERATIONS: RangeInclusive<usize> = 12..=32;
const ROUNDS: usize = 20;
/// So many turns that count are wanted of each arm, for each budget.
const ENOUGH: usize = 128;
/// In which part of them the workers have a turn. They take long to start, and say less.
const OF_WORKERS: usize = 4;

/// How long one turn of an arm takes. Short, so that a machine that is shared is often left
/// alone for three in a row.
const SLICE: Duration = Duration::from_millis(1);

/// One arm, and what it is compared with.
struct Entrant {
    /// As the program knows it.
    name: &'static str,
    /// As the reader does.
    label: String,
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
    let mut measured = Measured::new(&entrants);
    for number in 0..*GENERATIONS.end() {
        if number >= *GENERATIONS.start() && measured.is_enough() {
            break;
        }
        generation(number, &mut measured);
    }

    let mut text = String::from(
        "Each figure is the median of what one turn of the loop took; under it, the median of \
         its difference from what `bare` took right before, and of its ratio to it. On \
         `current_thread` it is processor time, on workers the time that passed.\n\n",
    );
    text.push_str(&measured.undisturbed());
    // Few columns at a time: the table is to be read.
    for cases in [0..3, 3..6, 6..11] {
        text.push_str(&cases_table(&measured, cases));
        text.push('\n');
    }
    Section {
        title: "Overhead",
        text: text + &profiles(program, &measured),
        budgets: LIMITS
            .iter()
            .map(|limit| budget(&measured, *limit))
            .chain([await_stack(&measured)])
            .collect(),
    }
}

fn entrants(program: &Path, unstable: Option<&Path>) -> Vec<Entrant> {
    let ours = |name, env, label: &str| Entrant {
        name,
        label: label.to_owned(),
        program: program.to_owned(),
        env,
        base: 0,
    };
    let mut all: Vec<Entrant> = ARMS
        .iter()
        .map(|arm| ours(arm.name, arm.env, arm.name))
        .collect();
    // What it differs by is what the measuring does.
    all.insert(1, ours(all[0].name, all[0].env, "bare, once more"));
    if let Some(unstable) = unstable {
        let base = all.len();
        for (name, label) in [
            ("bare", "bare, `tokio_unstable`"),
            ("tokio-blocked", "tokio-blocked ¹"),
            ("console-subscriber", "console-subscriber ¹"),
        ] {
            all.push(Entrant {
                name,
                label: label.to_owned(),
                program: unstable.to_owned(),
                env: &[],
                base,
            });
        }
    }
    all
}

/// What was measured.
struct Measured<'a> {
    entrants: &'a [Entrant],
    /// By case, arm and round. Of a bare arm there is one for each of its turns beside others.
    turns: Vec<Vec<Vec<Turn>>>,
}

impl<'a> Measured<'a> {
    fn new(entrants: &'a [Entrant]) -> Measured<'a> {
        Measured {
            entrants,
            turns: vec![vec![Vec::new(); entrants.len()]; CASES.len()],
        }
    }

    fn add(&mut self, case: usize, arm: usize, turn: Turn) {
        self.turns[case][arm].push(turn);
    }

    /// Of each turn of an arm, if it counts. On workers each does, since there bare has ups
    /// and downs of its own.
    fn quiet(&self, case: usize, arm: usize) -> Vec<Option<Turn>> {
        let turns = &self.turns[case][arm];
        if let Flavor::Multi(_) = CASES[case].flavor {
            return turns.iter().copied().map(Some).collect();
        }
        let bare = &self.turns[case][self.entrants[arm].base];
        let bare: Vec<f64> = bare.iter().map(|turn| turn.own).collect();
        let is_quiet = undisturbed(turns, &bare);
        let quiet = turns.iter().zip(is_quiet);
        quiet.map(|(turn, is)| is.then_some(*turn)).collect()
    }

    /// What an arm took, and what its bare arm did.
    fn pairs(&self, case: usize, arm: usize) -> (Vec<f64>, Vec<f64>) {
        let turns = self.quiet(case, arm).into_iter().flatten();
        turns.map(|turn| (turn.own, turn.base())).unzip()
    }

    /// Whether the budgets can be judged by what there is.
    fn is_enough(&self) -> bool {
        LIMITS.iter().all(|(case, arm, _)| {
            let (case, arm) = position(self.entrants, case, arm);
            self.pairs(case, arm).0.len() >= ENOUGH
        })
    }

    /// How many turns those were.
    fn undisturbed(&self) -> String {
        let share = |case: usize| {
            let arms = 0..self.entrants.len();
            let turns: Vec<_> = arms.flat_map(|arm| self.quiet(case, arm)).collect();
            let quiet = turns.iter().flatten().count();
            format!("{} % of `{}`", quiet * 100 / turns.len(), CASES[case].name)
        };
        let shares: Vec<String> = (0..2).map(share).collect();
        format!(
            "On `current_thread`, counted are the turns in which nobody else on the machine showed, \
             by what `bare` took around them: {}.\n\n",
            shares.join(" and "),
        )
    }
}

/// Measures in one set of children, the arms taking turns. Each has a bare child of its own
/// beside it: what runs more often than others has the better of them.
fn generation(number: usize, measured: &mut Measured<'_>) {
    let entrants = measured.entrants;
    let heap = number.to_string();
    let start = |entrant: &Entrant| {
        let args = ["child", entrant.name, heap.as_str()];
        Child::start(&entrant.program, &args, entrant.env).expect("a child")
    };
    let arms = entrants.iter().enumerate();
    let arms = arms.filter(|(arm, entrant)| *arm != entrant.base);
    let mut pairs: Vec<(usize, [Child; 2])> = arms
        .map(|(arm, entrant)| (arm, [start(entrant), start(&entrants[entrant.base])]))
        .collect();

    // How often each loop goes into a slice; and everything is warm then, the
    // clock of debug mode too, which a thread of its own gets ready.
    let begun = Instant::now();
    let fit_all = |(_, pair): &mut (usize, [Child; 2])| {
        CASES
            .iter()
            .map(|case| pair.each_mut().map(|child| fit(child, case)))
            .collect()
    };
    let times: Vec<Vec<[u64; 2]>> = pairs.iter_mut().map(fit_all).collect();
    std::thread::sleep(Duration::from_millis(500).saturating_sub(begun.elapsed()));

    let processors = Processors::new();
    for round in 0..ROUNDS {
        for (case, Case { name, flavor, .. }) in CASES.iter().enumerate() {
            let is_multi = matches!(flavor, Flavor::Multi(_));
            if is_multi && round % OF_WORKERS != 0 {
                continue;
            }
            for child in pairs.iter().flat_map(|(_, pair)| pair) {
                if is_multi {
                    processors.let_go(child.id());
                } else {
                    processors.keep_on_one(child.id(), number);
                }
            }
            for turn in 0..pairs.len() {
                let index = (turn + round) % pairs.len();
                let (arm, [child, bare]) = &mut pairs[index];
                let [times, bare_times] = times[index][case];
                let own = format!("{name}:{times}");
                let base = format!("{name}:{bare_times}");

                let before = bare.ask_number(&base);
                let own = child.ask_number(&own);
                let around = [before, bare.ask_number(&base)];
                measured.add(case, *arm, Turn { own, around });
                let own = before;
                measured.add(case, entrants[*arm].base, Turn { own, around });
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

fn cases_table(measured: &Measured<'_>, cases: std::ops::Range<usize>) -> String {
    let entrants = measured.entrants;
    let mut head = vec![""];
    head.extend(CASES[cases.clone()].iter().map(|case| case.name));
    let row = |(arm, entrant): (usize, &Entrant)| {
        let cell = |case: usize| {
            let (own, base) = measured.pairs(case, arm);
            let (own, difference, ratio) = paired(&own, &base);
            if arm == entrant.base {
                format!("**{}**", Nanos(own.value))
            } else {
                let sign = crate::results::sign(difference.value);
                let more = Nanos(difference.value);
                format!("{}<br>{sign}{more}, ×{:.2}", Nanos(own.value), ratio.value)
            }
        };
        let mut row = vec![entrant.label.clone()];
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

fn budget(measured: &Measured<'_>, (case, arm, limit): (&str, &str, f64)) -> Budget {
    let entrants = measured.entrants;
    let (case, arm) = position(entrants, case, arm);
    let (own, base) = measured.pairs(case, arm);
    let (_, difference, _) = paired(&own, &base);
    Budget {
        what: format!("{}, {}", CASES[case].name, entrants[arm].name),
        limit: format!("≤ +{limit:.0} ns"),
        measured: more(difference),
        verdict: Verdict::at_most(difference, limit),
    }
}

/// A poll that yields has one leaf, which registers: what that takes with its stack.
fn await_stack(measured: &Measured<'_>) -> Budget {
    const LIMIT: f64 = 400.0;
    let (case, with) = position(measured.entrants, "poll", "debug");
    let (_, without) = position(measured.entrants, "poll", "debug, no await stacks");
    // In the same round.
    let rounds = measured.quiet(case, with).into_iter();
    let rounds = rounds.zip(measured.quiet(case, without));
    let both = rounds.filter_map(|(with, without)| Some((with?.own, without?.own)));
    let (with, without): (Vec<f64>, Vec<f64>) = both.unzip();
    let (_, difference, _) = paired(&with, &without);
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
fn profiles(program: &Path, measured: &Measured<'_>) -> String {
    let entrants = measured.entrants;
    let over = LIMITS
        .iter()
        .filter(|limit| budget(measured, **limit).verdict == Verdict::NotMet);
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

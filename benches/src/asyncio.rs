//! The same loops on Python's asyncio, for scale.

use std::path::Path;
use std::process::Command;

use crate::results::{Section, table};
use crate::stats::paired;

/// Runs it, if there is a `python3`.
pub fn run() -> Section {
    let section = |text| Section {
        title: "asyncio",
        text,
        budgets: Vec::new(),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncio_loops.py");
    let mut python = Command::new("python3");
    python.arg(script).env_remove("PYTHONASYNCIODEBUG");
    let columns = match python.output() {
        Ok(output) if output.status.success() => columns(&String::from_utf8_lossy(&output.stdout)),
        _ => return section("Not run: there is no `python3` that can.\n".to_owned()),
    };
    let row = |name: &str, plain: usize, debug: usize| {
        let (own, more, ratio) = paired(&columns[debug], &columns[plain]);
        let (plain, _, _) = paired(&columns[plain], &columns[plain]);
        vec![
            name.to_owned(),
            format!("{:.2} µs", plain.value),
            format!("{:.2} µs", own.value),
            format!("{:+.1} µs", more.value),
            format!("×{:.1}", ratio.value),
        ]
    };
    let rows = [row("spawn+join", 0, 1), row("poll", 2, 3)];
    section(format!(
        "`asyncio_loops.py`: the two loops on `asyncio`, plain and with `debug=True`.\n\n{}",
        table(&["", "plain", "debug", "over plain", "ratio"], &rows)
    ))
}

fn columns(text: &str) -> Vec<Vec<f64>> {
    let mut columns = vec![Vec::new(); 4];
    for line in text.lines() {
        let numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
        for (column, number) in columns.iter_mut().zip(numbers) {
            column.push(number);
        }
    }
    columns
}

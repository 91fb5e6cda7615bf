//! Runs the benchmarks: all of them, and then writes `benches/RESULTS.md`; or the
//! parts that are named, and prints them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use debug_async_benches::results::{self, Section};
use debug_async_benches::{
    asyncio, capture, dump, instructions, io, machine, memory, overhead, server, stream,
};

const PARTS: [&str; 9] = [
    "overhead",
    "stream",
    "capture",
    "instructions",
    "memory",
    "server",
    "io",
    "dump",
    "asyncio",
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ref args if debug_async_benches::as_child(args) => {}
        [] => all(),
        ref parts if parts.iter().all(|part| PARTS.contains(part)) => {
            let sections: Vec<Section> = parts.iter().map(|part| run(part)).collect();
            for section in &sections {
                println!("## {}\n\n{}", section.title, section.text);
            }
            println!("{}", results::budgets(sections.iter()));
        }
        _ => {
            eprintln!("usage: debug-async-benches [{}]…", PARTS.join("|"));
            std::process::exit(2);
        }
    }
}

fn run(part: &str) -> Section {
    eprintln!("{part} (load {:.1}) …", machine::load());
    let program = std::env::current_exe().expect("this program's path");
    let start = Instant::now();
    let section = match part {
        "overhead" => overhead::run(&program, build_unstable(&program).as_deref()),
        "stream" => stream::run(&program),
        "capture" => capture::run(),
        "instructions" => instructions::run(&program),
        "memory" => memory::run(&program),
        "server" => server::run(&program),
        "io" => io::run(&program),
        "dump" => dump::run(&program),
        _ => asyncio::run(),
    };
    eprintln!("… {:.0} s", start.elapsed().as_secs_f64());
    section
}

/// The program of the peers that need `--cfg tokio_unstable`, which cargo finds in
/// the configuration there; nothing if it cannot be built.
fn build_unstable(program: &Path) -> Option<PathBuf> {
    let target = program.parent()?.parent()?.join("benches-unstable");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("unstable");
    eprintln!("building {} …", package.display());
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(&package)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    let built = target.join("release/debug-async-benches-unstable");
    match status {
        Ok(status) if status.success() && built.exists() => Some(built),
        _ => {
            eprintln!("it could not be built: its arms are left out");
            None
        }
    }
}

fn all() {
    if cfg!(debug_assertions) {
        eprintln!("this is not a release build: the figures would mean nothing");
        std::process::exit(2);
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let before = machine::load();
    let sections: Vec<Section> = PARTS.iter().map(|part| run(part)).collect();
    let notes = std::fs::read_to_string(directory.join("NOTES.md")).unwrap_or_default();

    let mut page = format!(
        "# What `debug_async` costs\n\n\
         Written by `cargo run --release -p debug-async-benches` on {}; `README.md` here says \
         how to read it.\n\n\
         Machine: {}. Load average {before:.1} before the run, {:.1} after it.\n\n\
         ## Budgets\n\n\
         What the project allows itself. In brackets, the interval of the median with 95 % certainty.\n\n{}\n",
        machine::today(),
        machine::describe(),
        machine::load(),
        results::budgets(sections.iter()),
    );
    for section in &sections {
        page.push_str(&format!("## {}\n\n{}\n", section.title, section.text));
    }
    page.push_str(&notes);
    page.push_str(&format!("\n## Versions\n\n{}", machine::versions()));
    let path = directory.join("RESULTS.md");
    std::fs::write(&path, page).expect("the page can be written");
    eprintln!("written: {}", path.display());
}

//! The peers that need `--cfg tokio_unstable`, in the loops of `overhead`; started
//! by `debug-async-benches`, which talks to it line by line.

#[path = "../../src/child.rs"]
#[allow(dead_code, reason = "the parent's side of it")]
mod child;
#[path = "../../src/loops.rs"]
#[allow(dead_code, unused_imports, reason = "what only the parent uses")]
mod loops;

use std::time::Duration;

use tokio_blocked::TokioBlockedLayer;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [what, arm, ref rest @ ..] = args[..] else {
        eprintln!("usage: debug-async-benches-unstable child ARM NUMBER | spin ARM CASE");
        std::process::exit(2);
    };
    match arm {
        "bare" => {}
        // Its own layer, and one that prints what it has to say.
        "tokio-blocked" => tracing_subscriber::registry()
            .with(
                TokioBlockedLayer::new()
                    .with_warn_busy_single_poll(Some(Duration::from_millis(100))),
            )
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::sink)
                    .with_filter(LevelFilter::WARN),
            )
            .init(),
        "console-subscriber" => tracing_subscriber::registry()
            .with(
                console_subscriber::ConsoleLayer::builder()
                    .server_addr(([127, 0, 0, 1], 0))
                    .spawn(),
            )
            .init(),
        _ => panic!("no arm `{arm}`"),
    }
    match (what, rest) {
        ("spin", [case]) => loops::spin::<loops::Bare>(case, Duration::from_secs(2)),
        (_, [number]) => {
            loops::unsettle_the_heap(number);
            loops::serve::<loops::Bare>();
        }
        _ => panic!("one more argument is needed"),
    }
}

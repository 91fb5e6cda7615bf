//! What `debug_async` costs, beside bare tokio and its peers.
//!
//! `README.md` says what each part measures and how to read it. The parts are
//! modules of this library; `src/bin/` holds the two commands over them.

pub mod arms;
pub mod asyncio;
pub mod capture;
pub mod child;
pub mod dump;
pub mod instructions;
pub mod io;
pub mod loops;
pub mod machine;
pub mod memory;
pub mod overhead;
pub mod processors;
pub mod profile;
pub mod results;
pub mod server;
pub mod stats;
pub mod stream;

use std::time::Duration;

use arms::with_arm;

/// What both commands start themselves as; false if these are not its arguments.
///
/// Here rather than in the commands, so that both run the same machine code.
///
/// # Panics
///
/// If there is no such arm.
pub fn as_child(args: &[&str]) -> bool {
    match *args {
        ["child", arm, number] => {
            loops::unsettle_the_heap(number);
            with_arm!(arm, loops::serve);
        }
        ["spin", arm, case] => with_arm!(arm, loops::spin, case, Duration::from_secs(2)),
        ["memory-child", arm] => with_arm!(arm, memory::serve),
        ["instructions-child", arm, what] => with_arm!(arm, instructions::serve, what),
        ["stream-child", arm] => stream::serve(arm),
        ["server-child", arm] => server::serve(arm),
        ["io-child", arm] => io::serve(arm),
        ["dump-child"] => dump::serve(),
        _ => return false,
    }
    true
}

//! A name that is resolved where it blocks: the line is the user's, and what it called is
//! named, through the C library and back.

// As the C library's resolver can be told where to ask, and which struct that is in.
#![cfg(all(
    feature = "rt-multi-thread",
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod support;

use std::ffi::{CStr, c_char, c_int, c_ulong};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::{Doing, ReportKind};
use support::run::{Case, Flavor, case};
use support::{Expected, Host, check, on, site};

const OURS: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
];

/// How the C library asks for names on one thread: the beginning of its `res_state`.
#[repr(C)]
struct Resolver {
    /// How long it waits for an answer, in seconds.
    retrans: c_int,
    /// How often it asks.
    retry: c_int,
    options: c_ulong,
    servers: c_int,
    server: [libc::sockaddr_in; 3],
}

#[allow(unsafe_code)]
// SAFETY: so they are declared in glibc's <nss.h> and <resolv.h>.
unsafe extern "C" {
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    fn __res_init() -> c_int;
    fn __res_state() -> *mut Resolver;
}

/// A name server that never answers.
struct Silent(UdpSocket);

impl Silent {
    fn new() -> Silent {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        Silent(socket)
    }

    /// Has this thread ask it for names, once, and wait a second for the answer.
    #[allow(unsafe_code)]
    fn is_asked_by_this_thread(&self) {
        let Ok(SocketAddr::V4(address)) = self.0.local_addr() else {
            panic!("it was bound to such an address");
        };
        let server = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: address.port().to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from(*address.ip()).to_be(),
            },
            sin_zero: [0; 8],
        };
        let services: [&CStr; 2] = [c"hosts", c"dns"];
        // SAFETY: the strings end in a zero. The process resolves no other name.
        let configured =
            unsafe { __nss_configure_lookup(services[0].as_ptr(), services[1].as_ptr()) };
        assert_eq!(configured, 0, "there is a resolver that asks servers");
        // SAFETY: it fills what is this thread's, which it finds by itself.
        let filled = unsafe { __res_init() };
        assert_eq!(filled, 0, "the resolver is there");
        // SAFETY: it gives the struct of this thread, which lives as long as that and is
        // nobody else's. The struct begins as `Resolver` says, in all versions of glibc;
        // programs are meant to write to it.
        let resolver = unsafe { &mut *__res_state() };
        (resolver.retrans, resolver.retry) = (1, 1);
        resolver.servers = 1;
        resolver.server[0] = server;
    }

    fn was_asked(&self) -> bool {
        self.0.recv_from(&mut [0; 512]).is_ok()
    }
}

async fn resolves(server: &Silent) {
    server.is_asked_by_this_thread();
    let answer = ("debug-async.example.", 80).to_socket_addrs(); // site: resolves
    assert!(answer.is_err());
    assert!(server.was_asked());
}

fn at_the_call(kind: ReportKind) -> Expected {
    Expected::new(kind)
        .blocked_at(site!("resolves"))
        .doing(Doing::Waiting)
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks: tests/unstable.rs"
)]
fn a_name_that_is_resolved() {
    on(OURS, |run| {
        run.config(Config::new().blocked(Duration::from_secs(60)));
        run.block_on(async {
            let untracked = tokio::spawn(async { resolves(&Silent::new()).await });
            untracked.await.expect("no panic");
            let tracked = async { resolves(&Silent::new()).tracked_as("resolves").await };
            debug_async::spawn!(tracked).await.expect("no panic");
        });
        let seen = run.finish();
        for seen in &seen {
            let called = seen.blocked_in.as_deref().unwrap_or_default();
            assert!(called.ends_with("to_socket_addrs"), "{seen:#?}");
        }
        let slow = || at_the_call(ReportKind::SlowPoll);
        let untracked = slow().says("a task that is not tracked");
        check(&seen, &[untracked, slow().named("resolves")]).expect("both");
    });
}

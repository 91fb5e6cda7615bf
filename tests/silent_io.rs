//! What must not be reported of readers and writers.
//!
//! Each runs in debug mode and in production, on both flavours.

#![cfg(all(feature = "io", feature = "rt-multi-thread"))]

mod support;

use std::future::pending;
use std::io::{Cursor, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use async_compression::tokio::write::GzipEncoder;
use axum::body::Bytes;
use debug_async::io::TrackedIo;
use debug_async::prelude::*;
use futures::SinkExt;
use futures::stream::{self, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    BufWriter, DuplexStream, duplex, sink, split,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Runs it in both flavours and both modes. What waits on a busy machine is no matter
/// here.
#[track_caller]
fn silent<F: AsyncFn()>(scenario: F) {
    support::silent_as::<F>(async || {
        debug_async::set_slow_poll(Duration::from_secs(60));
        scenario().await;
    });
}

const BYTES: &[u8] = b"written";

fn pipe() -> (DuplexStream, DuplexStream) {
    duplex(1024)
}

/// A file that is gone when it is closed.
fn file() -> tokio::fs::File {
    let name = format!("debug_async-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = std::fs::OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(true);
    let file = options.open(&path).expect("a file");
    std::fs::remove_file(&path).expect("it is there");
    tokio::fs::File::from_std(file)
}

/// Writes, and never flushes.
async fn writes<W: AsyncWrite + Unpin>(mut writer: W) {
    writer.write_all(BYTES).await.expect("it takes them");
}

#[test]
fn a_plain_socket() {
    silent(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("a server");
        let (server, _) = listener.accept().await.expect("a client");
        writes(client.tracked()).await;
        let mut text = String::new();
        let mut server = server.tracked_reader();
        server.read_to_string(&mut text).await.expect("text");
        assert_eq!(text.as_bytes(), BYTES);
        let (_, write) = server.into_inner().into_split();
        let _ = write.tracked().write_all(BYTES).await;
    });
}

#[test]
fn pipes_and_memory() {
    silent(async || {
        let (a, _b) = pipe();
        writes(a.tracked()).await;
        writes(Vec::new().tracked()).await;
        writes((&mut Vec::new()).tracked()).await;
        writes(Cursor::new(Vec::new()).tracked()).await;
        writes(sink().tracked()).await;
        writes(tokio::io::stdout().tracked()).await;
        // Whoever would miss the rest goes with it.
        writes(BufWriter::new(Vec::new()).tracked()).await;
        writes(BufWriter::new(sink()).tracked()).await;
        let (a, _b) = pipe();
        let (_read, write) = split(a.tracked());
        writes(write).await;
    });
}

#[test]
fn a_buffer_that_is_flushed_or_shut_down() {
    silent(async || {
        let (a, _b) = pipe();
        let mut writer = BufWriter::new(a).tracked();
        writer.write_all(BYTES).await.expect("it takes them");
        writer.flush().await.expect("it is there");
        drop(writer);
        let (a, _b) = pipe();
        let mut stream = BufStream::new(a).tracked();
        stream.write_all(BYTES).await.expect("it takes them");
        stream.shutdown().await.expect("it is there");
        drop(stream);
        let mut file = file().tracked();
        file.write_all(BYTES).await.expect("it takes them");
        file.flush().await.expect("it is there");
    });
}

#[test]
fn a_write_that_is_too_large_for_the_buffer() {
    silent(async || {
        let (a, mut b) = tokio::io::duplex(1 << 20);
        let mut writer = BufWriter::new(a).tracked();
        writer.write_all(BYTES).await.expect("it takes them");
        let large = [7; 8 * 1024];
        writer.write_all(&large).await.expect("it takes them");
        drop(writer);
        let mut all = Vec::new();
        b.read_to_end(&mut all).await.expect("it is there");
        assert_eq!(all.len(), BYTES.len() + large.len());
    });
}

#[test]
fn one_that_was_only_read_from_or_not_used() {
    silent(async || {
        let (a, mut b) = pipe();
        b.write_all(b"line\n").await.expect("there is room");
        let mut stream = BufStream::new(a).tracked();
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a line");
        assert_eq!(line, "line\n");
        let (a, _b) = pipe();
        let _unused = BufWriter::new(a).tracked();
        let _unused = (&b""[..]).tracked_reader();
    });
}

#[test]
fn a_seek_flushes() {
    silent(async || {
        let mut file = file().tracked();
        file.write_all(BYTES).await.expect("it takes them");
        file.seek(SeekFrom::Start(0)).await.expect("a place");
        let mut text = String::new();
        file.read_to_string(&mut text).await.expect("text");
        assert_eq!(text.as_bytes(), BYTES);
    });
}

#[test]
fn a_file_that_is_synced_by_itself() {
    silent(async || {
        let mut file = file().tracked();
        file.write_all(BYTES).await.expect("it takes them");
        file.get_ref().sync_all().await.expect("a disk");
        drop(file);
        let (a, _b) = pipe();
        let mut writer = BufWriter::new(a).tracked();
        writer.write_all(BYTES).await.expect("it takes them");
        writer.get_mut().flush().await.expect("it is there");
    });
}

#[test]
fn one_that_is_given_away() {
    silent(async || {
        let (a, _b) = pipe();
        let mut writer = BufWriter::new(a).tracked();
        writer.write_all(BYTES).await.expect("it takes them");
        let mut writer = writer.into_inner();
        writer.flush().await.expect("it is there");
    });
}

#[test]
fn one_that_may_lose_its_rest() {
    silent(async || {
        let (a, _b) = pipe();
        writes(BufWriter::new(a).tracked().buffered(false)).await;
    });
}

#[test]
fn after_an_error() {
    silent(async || {
        let (a, b) = pipe();
        let mut writer = BufWriter::new(a).tracked();
        writer.write_all(BYTES).await.expect("it takes them");
        drop(b);
        assert!(writer.flush().await.is_err());
    });
}

async fn writes_and_waits(writer: TrackedIo<BufWriter<DuplexStream>>) {
    let mut writer = writer;
    writer.write_all(BYTES).await.expect("it takes them");
    pending::<()>().await;
    writer.flush().await.expect("it is there");
}

fn writer() -> (TrackedIo<BufWriter<DuplexStream>>, DuplexStream) {
    let (a, b) = pipe();
    (BufWriter::new(a).tracked(), b)
}

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn one_that_goes_down_with_what_is_cancelled() {
    silent(async || {
        let (a, _b) = writer();
        assert!(timeout(SHORT, writes_and_waits(a)).await.is_err());
        let (a, _b) = writer();
        tokio::select! {
            () = writes_and_waits(a) => unreachable!("it waits"),
            () = tokio::time::sleep(SHORT) => {}
        }
        // Shared with others that are gone.
        let (a, _b) = writer();
        let shared = Arc::new(Mutex::new(a));
        let writes = async move {
            shared
                .lock()
                .await
                .write_all(BYTES)
                .await
                .expect("it takes them");
            pending::<()>().await;
        };
        assert!(timeout(SHORT, writes).await.is_err());
        let (a, _b) = writer();
        let boxed: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(writes_and_waits(a));
        assert!(timeout(SHORT, boxed.tracked()).await.is_err());
    });
}

#[test]
fn one_that_goes_down_with_a_task() {
    silent(async || {
        for tracked in [true, false] {
            let (a, mut b) = pipe();
            let writes = async move {
                let mut other = BufWriter::new(a).tracked();
                other.write_all(BYTES).await.expect("it takes them");
                other.flush().await.expect("it is there");
                other.write_all(BYTES).await.expect("it takes them");
                pending::<()>().await;
            };
            let mut read = [0; BYTES.len()];
            if tracked {
                let task = debug_async::spawn(writes);
                b.read_exact(&mut read).await.expect("it is flushed");
                task.abort();
                let _ = task.await;
            } else {
                let task = tokio::spawn(writes);
                b.read_exact(&mut read).await.expect("it is flushed");
                task.abort();
                let _ = task.await;
            }
        }
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks: tests/unstable.rs"
)]
fn one_that_goes_down_with_the_runtime() {
    support::everywhere(|run| {
        let begun = run.block_on(async {
            let (a, mut b) = pipe();
            tokio::spawn(async move {
                let mut writer = BufWriter::new(a).tracked();
                writer.write_all(BYTES).await.expect("it takes them");
                writer.flush().await.expect("it is there");
                writer.write_all(BYTES).await.expect("it takes them");
                pending::<()>().await;
            });
            let mut read = [0; BYTES.len()];
            b.read_exact(&mut read).await
        });
        begun.expect("it is flushed");
        run.expect(&[]);
    });
}

#[test]
fn one_that_goes_down_with_a_panic() {
    silent(async || {
        let (a, _b) = writer();
        let mut a = a;
        a.write_all(BYTES).await.expect("it takes them");
        let dropped = catch_unwind(AssertUnwindSafe(move || {
            let _held = a;
            panic!("on purpose");
        }));
        assert!(dropped.is_err());
    });
}

#[test]
fn a_tracked_one_in_a_buffer_and_the_other_way_round() {
    silent(async || {
        // What the outer one holds nobody watches.
        let (a, _b) = pipe();
        writes(BufWriter::new(a.tracked())).await;
        let (a, _b) = pipe();
        let mut twice = BufWriter::new(a).tracked().tracked();
        twice.write_all(BYTES).await.expect("it takes them");
        twice.flush().await.expect("it is there");
    });
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).await.expect("a server");
    (client, listener.accept().await.expect("a client").0)
}

#[test]
fn a_codec_over_it() {
    silent(async || {
        let (a, b) = sockets().await;
        let echo = async {
            let mut far = Framed::new(b.tracked(), LengthDelimitedCodec::new());
            while let Some(Ok(frame)) = far.next().await {
                far.send(frame.freeze()).await.expect("it is there");
            }
        };
        let near = async {
            let near = Framed::new(BufStream::new(a).tracked(), LengthDelimitedCodec::new());
            let (mut sink, frames) = near.split::<Bytes>();
            let sent = async {
                let frames = (0..20).map(|n| Ok(Bytes::from(vec![7; n * 100])));
                sink.send_all(&mut stream::iter(frames)).await
            };
            let (sent, received) = tokio::join!(sent, frames.take(20).count());
            sent.expect("it is there");
            assert_eq!(received, 20);
        };
        tokio::join!(echo, near);
    });
}

#[test]
fn what_is_copied_both_ways_and_what_is_split() {
    silent(async || {
        let (client, near) = sockets().await;
        let (far, server) = sockets().await;
        let proxy = async {
            let (mut near, mut far) = (near.tracked(), far.tracked());
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        };
        let ask = async {
            let (mut read, write) = split(client.tracked());
            let mut write = BufWriter::new(write).tracked();
            write.write_all(BYTES).await?;
            write.shutdown().await?;
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await
        };
        let answer = async {
            let (read, write) = server.into_split();
            let (mut read, mut write) = (read.tracked_reader(), BufWriter::new(write).tracked());
            let mut asked = Vec::new();
            read.read_to_end(&mut asked).await?;
            write.write_all(&asked).await?;
            write.shutdown().await
        };
        let (copied, asked, answered) = tokio::join!(proxy, ask, answer);
        answered.expect("a socket");
        assert_eq!(asked.expect("a socket"), BYTES.len());
        let both = (BYTES.len() as u64, BYTES.len() as u64);
        assert_eq!(copied.expect("sockets"), both);
    });
}

#[test]
fn a_buffer_that_several_write_to_and_one_flushes_later() {
    silent(async || {
        let (a, mut b) = pipe();
        let shared = Arc::new(Mutex::new(BufWriter::new(a).tracked()));
        let tasks = (0..4).map(|_| {
            let shared = Arc::clone(&shared);
            debug_async::spawn(async move { shared.lock().await.write_all(BYTES).await })
        });
        for written in futures::future::join_all(tasks).await {
            written.expect("no panic").expect("it takes them");
        }
        shared.lock().await.flush().await.expect("it is there");
        drop(shared);
        let mut all = Vec::new();
        b.read_to_end(&mut all).await.expect("bytes");
        assert_eq!(all.len(), 4 * BYTES.len());
    });
}

#[test]
fn an_encoder_that_is_finished_or_in_memory() {
    silent(async || {
        let (a, b) = pipe();
        let mut encoder = GzipEncoder::new(a.tracked()).tracked();
        encoder.write_all(BYTES).await.expect("it takes them");
        encoder.shutdown().await.expect("it is there");
        drop(encoder);
        let b = BufReader::new(b).tracked_reader();
        let mut decoder = GzipDecoder::new(b).tracked_reader();
        let mut all = Vec::new();
        decoder.read_to_end(&mut all).await.expect("bytes");
        assert_eq!(all, BYTES);
        writes(GzipEncoder::new(Vec::new()).tracked()).await;
    });
}

#[test]
fn a_file_that_is_only_read() {
    silent(async || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/", file!());
        let file = tokio::fs::File::open(source).await.expect("it is there");
        let mut lines = BufReader::new(file.tracked()).lines();
        while lines.next_line().await.expect("a line").is_some() {}
        let mut file = tokio::fs::File::open(source)
            .await
            .expect("it is there")
            .tracked();
        file.seek(SeekFrom::Start(5)).await.expect("a place");
        let mut nowhere = sink().tracked();
        let copied = tokio::io::copy(&mut file, &mut nowhere).await;
        assert!(copied.expect("it is there") > 1000);
    });
}

#[test]
fn operations_that_wait_for_less_than_the_threshold() {
    silent(async || {
        let (a, mut b) = duplex(16);
        let mut a = a.tracked();
        let reads = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let mut all = Vec::new();
            b.read_to_end(&mut all).await.expect("bytes");
            all.len()
        };
        let writes = async {
            a.write_all(&[7; 4096]).await.expect("it takes them");
            drop(a);
        };
        let (read, ()) = tokio::join!(reads, writes);
        assert_eq!(read, 4096);
        let mut lines = BufReader::new(&b"a\nb\n"[..]).tracked_reader().lines();
        while lines.next_line().await.expect("lines").is_some() {}
    });
}

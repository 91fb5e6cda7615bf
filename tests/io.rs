//! Writers that are dropped too early, operations that take long, and what is counted.

#![cfg(all(feature = "io", feature = "rt-multi-thread"))]

mod support;

use std::cell::RefCell;
use std::io::{self, IoSlice, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use debug_async::io::TrackedIo;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::Builder;
use support::{Expected, Program, block, everywhere, in_debug, site};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncWrite, AsyncWriteExt,
    BufReader, BufStream, BufWriter, DuplexStream, ReadBuf, duplex,
};

fn unflushed(bytes: u64) -> Expected {
    let were = match bytes {
        1 => "1 byte".to_owned(),
        n => format!("{n} bytes"),
    };
    Expected::new(ReportKind::UnflushedIo).says(&format!(
        "was dropped with {were} written after its last flush"
    ))
}

#[test]
fn a_writer_that_is_dropped_before_it_is_flushed() {
    everywhere(|run| {
        run.block_on(async {
            let (a, mut b) = duplex(64);
            let mut writer = BufWriter::new(a).tracked(); // site: unflushed
            writer.write_all(b"hello").await.expect("it takes them");
            writer.flush().await.expect("it is there");
            writer.write_all(b", world").await.expect("it takes them");
            drop(writer);
            let mut text = String::new();
            b.read_to_string(&mut text).await.expect("text");
            assert_eq!(text, "hello");

            let (a, _b) = duplex(64);
            let mut named = BufStream::new(a).tracked_as("greeting"); // site: named
            named.write_all(b"!").await.expect("it takes them");
        });
        if !run.case.debug {
            run.expect(&[]);
            return;
        }
        let unnamed = unflushed(7).at(site!("unflushed")).stack(true);
        run.expect(&[
            unnamed.named("BufWriter<DuplexStream>"),
            unflushed(1).at(site!("named")).named("greeting"),
        ]);
    });
}

/// What is dropped by code, wherever it was kept.
#[test]
fn the_ways_to_drop_it() {
    struct Connection {
        _writer: TrackedIo<BufWriter<DuplexStream>>,
    }
    #[track_caller]
    fn writer() -> TrackedIo<BufWriter<DuplexStream>> {
        BufWriter::new(duplex(64).0).tracked()
    }
    async fn written(
        mut writer: TrackedIo<BufWriter<DuplexStream>>,
    ) -> TrackedIo<BufWriter<DuplexStream>> {
        writer.write_all(b"four").await.expect("it takes them");
        writer
    }
    in_debug(|run| {
        run.block_on(async {
            let _held = written(writer()).await; // site: held
            let writer_of_one = writer(); // site: in a struct
            let mut kept = vec![Connection {
                _writer: written(writer_of_one).await,
            }];
            kept.clear();
            let moved = written(writer()).await; // site: moved
            let task = debug_async::spawn(async move {
                let mut moved = moved;
                moved.write_all(b"more").await
            });
            task.await.expect("no panic").expect("it takes them");
            let boxed: Box<dyn AsyncWrite + Unpin> = Box::new(written(writer()).await); // site: boxed
            drop(boxed);
        });
        run.expect(&[
            unflushed(4).at(site!("in a struct")),
            unflushed(8).at(site!("moved")),
            unflushed(4).at(site!("boxed")),
            unflushed(4).at(site!("held")),
        ]);
    });
}

#[test]
fn repeats_are_counted_and_the_bytes_are_data() {
    let program = Program::new(|| {
        static SEEN: std::sync::Mutex<Vec<(u64, Option<u64>)>> = std::sync::Mutex::new(Vec::new());
        debug_async::report::set_hook(Box::new(|report| {
            if report.kind() == ReportKind::UnflushedIo {
                let seen = (report.count(), report.bytes());
                SEEN.lock().expect("no panic").push(seen);
            }
        }));
        let runtime = Builder::new_current_thread().debug(true).build();
        runtime.expect("a runtime").block_on(async {
            for _ in 0..10 {
                let (a, _b) = duplex(64);
                let mut writer = BufWriter::new(a).tracked();
                writer.write_all(&[0; 3]).await.expect("it takes them");
            }
        });
        debug_async::flush();
        assert_eq!(
            *SEEN.lock().expect("no panic"),
            [(1, Some(3)), (10, Some(3))]
        );
    });
    program.run(&[]).succeeded();
}

/// A writer whose name does not say that it buffers.
#[derive(Debug, Default)]
struct Own {
    held: Vec<u8>,
    blocks: bool,
}

impl AsyncWrite for Own {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.blocks {
            block();
        }
        self.held.extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.held.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn a_type_of_one_s_own() {
    in_debug(|run| {
        run.block_on(async {
            let mut silent = Own::default().tracked();
            silent.write_all(b"four").await.expect("it takes them");
            let mut said = Own::default().tracked().buffered(true); // site: own
            said.write_all(b"four").await.expect("it takes them");
        });
        run.expect(&[unflushed(4).at(site!("own")).named("io::Own")]);
    });
}

#[test]
fn an_encoder_that_is_not_finished() {
    in_debug(|run| {
        run.block_on(async {
            let mut gzip = GzipEncoder::new(duplex(64).0).tracked(); // site: gzip
            gzip.write_all(b"hello").await.expect("it takes them");
            let buffer = BufWriter::new(duplex(64).0);
            let mut within = GzipEncoder::new(buffer).tracked(); // site: gzip in a buffer
            within.write_all(b"bye").await.expect("it takes them");
        });
        run.expect(&[
            unflushed(3).at(site!("gzip in a buffer")),
            unflushed(5)
                .at(site!("gzip"))
                .named("async_compression::tokio::write::GzipEncoder<DuplexStream>"),
        ]);
    });
}

#[test]
fn an_operation_that_takes_long() {
    in_debug(|run| {
        run.block_on(async {
            let (a, mut b) = duplex(4);
            let mut slow = a.tracked(); // site: slow
            let write = slow.write_all(b"more than four");
            let read = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let mut text = [0; 14];
                b.read_exact(&mut text).await.expect("text");
            };
            let (written, ()) = tokio::join!(write, read);
            written.expect("it takes them");

            let (a, mut b) = duplex(4);
            let mut allowed = a.tracked_reader().slow_ok(Duration::from_secs(100));
            let mut byte = [0];
            let read = allowed.read_exact(&mut byte);
            let write = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                b.write_all(b"x").await.expect("it takes it");
            };
            let (read, ()) = tokio::join!(read, write);
            read.expect("a byte");
        });
        let slow = Expected::new(ReportKind::SlowIo).at(site!("slow"));
        run.expect(&[slow.named("DuplexStream").says("one write of")]);
    });
}

#[test]
fn an_operation_that_blocks_is_a_slow_poll_of_the_writer() {
    in_debug(|run| {
        run.block_on(async {
            let own = Own {
                blocks: true,
                ..Own::default()
            };
            let mut blocks = own.tracked(); // site: blocking writer
            let outer = async { blocks.write_all(b"x").await };
            outer.tracked().await.expect("it takes it");
        });
        let slow = Expected::new(ReportKind::SlowPoll).at(site!("blocking writer"));
        run.expect(&[slow.named("io::Own").says("I/O object")]);
    });
}

#[test]
fn a_read_that_blocks_is_a_slow_poll_of_the_reader() {
    struct Blocks;
    impl AsyncRead for Blocks {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            block();
            buf.put_slice(b"x");
            Poll::Ready(Ok(()))
        }
    }
    in_debug(|run| {
        run.block_on(async {
            let mut blocks = Blocks.tracked_reader(); // site: blocking reader
            let outer = async { blocks.read_u8().await };
            outer.tracked().await.expect("a byte");
            // In a buffer over it, it is still its own.
            let inner = Blocks.tracked_reader(); // site: within
            let mut outer = BufReader::new(inner).tracked_reader();
            outer.read_u8().await.expect("a byte");
        });
        let slow = Expected::new(ReportKind::SlowPoll).says("I/O object");
        run.expect(&[
            slow.clone().at(site!("blocking reader")),
            slow.at(site!("within")),
        ]);
    });
}

#[test]
fn what_is_counted() {
    let program = Program::new(|| {
        let mode = std::env::var("ASYNC_DEBUG").expect("it is set");
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (a, b) = duplex(64);
            let mut writer = BufWriter::new(a).tracked().buffered(false);
            writer.write_all(b"a line\n").await.expect("it takes them");
            writer.flush().await.expect("it is there");
            let both = [IoSlice::new(b"and "), IoSlice::new(b"more")];
            let written = writer.write_vectored(&both).await.expect("it takes them");
            assert_eq!(written, 8);
            let counts = writer.counts();
            writer.shutdown().await.expect("it is there");
            let mut reader = BufReader::new(b).tracked_reader();
            let mut line = String::new();
            reader.read_line(&mut line).await.expect("a line");
            reader.read_to_string(&mut line).await.expect("text");
            assert_eq!(line, "a line\nand more");
            if mode != "1" {
                assert_eq!((counts, reader.counts()), (None, None));
                return;
            }
            let counts = counts.expect("debug mode counts");
            assert_eq!((counts.writes, counts.bytes_written), (2, 15));
            assert_eq!((counts.flushes, counts.unflushed), (1, 8));
            assert_eq!(writer.counts().expect("as before").unflushed, 0);
            let counts = reader.counts().expect("debug mode counts");
            assert_eq!(counts.bytes_read, 15);
            assert!(counts.reads >= 2, "{counts:?}");
            assert_eq!(counts.bytes_written, 0);
        });
    });
    for mode in ["off", "0", "1"] {
        program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
    }
}

#[test]
fn the_dump_shows_the_bytes_and_the_operations() {
    in_debug(|run| {
        run.block_on(async {
            let (a, b) = duplex(64);
            let mut writer = a.tracked_as("writer");
            let mut reader = b.tracked_reader();
            writer.write_all(b"hello").await.expect("it takes them");
            writer.flush().await.expect("it is there");
            writer.write_all(b"!").await.expect("it takes it");
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).await.expect("bytes");
            let dump = tokio::task::spawn_blocking(debug_async::dump);
            let dump = dump.await.expect("no panic");
            let of = |name: &str| {
                let object = dump.objects.iter().find(|object| object.name == name);
                let object = object.unwrap_or_else(|| panic!("{name} is not in\n{dump}"));
                (object.io.expect("it is one"), object.items)
            };
            let (io, items) = of("writer");
            assert_eq!(Some(io), writer.counts());
            assert_eq!((io.writes, io.bytes_written, io.unflushed), (2, 6, 1));
            assert_eq!(items, None);
            assert_eq!(of("DuplexStream").0.bytes_read, 4);
            for text in [dump.to_string(), dump.tree().to_string()] {
                assert!(
                    text.contains("read 0 B in 0, wrote 6 B in 2, flushed 1"),
                    "{text}"
                );
                assert!(text.contains("read 4 B in 1, wrote 0 B in 0"), "{text}");
            }
        });
        run.expect(&[]);
    });
}

#[test]
fn what_is_in_it_is_at_hand() {
    let mut tracked = vec![1_u8].tracked();
    assert_eq!(tracked.get_ref(), &[1]);
    tracked.get_mut().push(2);
    assert_eq!(Pin::new(&tracked).get_pin_ref().get_ref(), &vec![1, 2]);
    Pin::new(&mut tracked).get_pin_mut().get_mut().push(3);
    assert_eq!(format!("{tracked:?}"), "TrackedIo([1, 2, 3])");
    assert!(tracked.is_write_vectored());
    assert_eq!(tracked.into_inner(), [1, 2, 3]);
}

// ----- wrapped and bare alike ------------------------------------------------------

/// Says what it is asked, and has its answers prepared: each first waits once.
struct Scripted {
    log: Rc<RefCell<Vec<String>>>,
    waited: bool,
}

impl Scripted {
    fn asked(&mut self, cx: &Context<'_>, what: String) -> bool {
        let log = format!("{what} {}", cx.waker().will_wake(Waker::noop()));
        self.log.borrow_mut().push(log);
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
        }
        !self.waited
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.log.borrow_mut().push("drop".to_owned());
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked(cx, format!("read {}", buf.remaining())) {
            return Poll::Pending;
        }
        buf.put_slice(b"re");
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Scripted {
    fn poll_fill_buf(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.asked(cx, "fill".to_owned()) {
            true => Poll::Ready(Ok(b"filled")),
            false => Poll::Pending,
        }
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        self.log.borrow_mut().push(format!("consume {amt}"));
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.asked(cx, format!("write {buf:?}")) {
            true => Poll::Ready(Ok(1)),
            false => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.asked(cx, format!("write {} slices", bufs.len())) {
            true => Poll::Ready(Ok(2)),
            false => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.asked(cx, "flush".to_owned()) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.asked(cx, "shutdown".to_owned()) {
            panic!("a shutdown that panics");
        }
        Poll::Pending
    }
}

impl AsyncSeek for Scripted {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.log.borrow_mut().push(format!("seek {position:?}"));
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match self.asked(cx, "complete".to_owned()) {
            true => Poll::Ready(Ok(7)),
            false => Poll::Pending,
        }
    }
}

/// Does all there is to do, and gives what was asked and answered.
fn exercise<T>(wrap: impl FnOnce(Scripted) -> T) -> Vec<String>
where
    T: AsyncBufRead + AsyncWrite + AsyncSeek,
{
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let scripted = Scripted {
        log: Rc::clone(&log),
        waited: false,
    };
    let mut io = Box::pin(wrap(scripted));
    let say = |what: String| log.borrow_mut().push(what);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let mut bytes = [0; 8];
        let mut buf = ReadBuf::new(&mut bytes);
        let read = io.as_mut().poll_read(&mut cx, &mut buf);
        say(format!("{read:?} {:?}", buf.filled()));
        say(format!("{:?}", io.as_mut().poll_fill_buf(&mut cx)));
    }
    io.as_mut().consume(3);
    say(format!("vectored {}", io.is_write_vectored()));
    say(format!("{:?}", io.as_mut().start_seek(SeekFrom::End(-1))));
    for _ in 0..2 {
        let slices = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        say(format!("{:?}", io.as_mut().poll_write(&mut cx, b"w")));
        say(format!(
            "{:?}",
            io.as_mut().poll_write_vectored(&mut cx, &slices)
        ));
        say(format!("{:?}", io.as_mut().poll_flush(&mut cx)));
        say(format!("{:?}", io.as_mut().poll_complete(&mut cx)));
        let shut = catch_unwind(AssertUnwindSafe(|| io.as_mut().poll_shutdown(&mut cx)));
        let shut = shut.map_err(|payload| payload.downcast_ref::<&str>().copied());
        say(format!("{shut:?}"));
    }
    drop(io);
    log.take()
}

#[test]
fn every_method_is_forwarded_and_nothing_is_added() {
    let program = Program::new(|| {
        let bare = exercise(|scripted| scripted);
        assert!(
            bare.len() > 30 && bare.last().is_some_and(|last| last == "drop"),
            "{bare:#?}"
        );
        assert_eq!(exercise(|scripted| scripted.tracked()), bare);
        assert_eq!(exercise(|scripted| scripted.tracked_reader()), bare);
        assert_eq!(exercise(|scripted| scripted.tracked().buffered(true)), bare);
    });
    for mode in ["off", "0", "1"] {
        program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
    }
}

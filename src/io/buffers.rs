//! Which writers lose what was not flushed when they are dropped.
//!
//! A wrapper of any type knows it only by name.

/// What a `Drop` of loses what it holds.
const LOSE: &[&str] = &[
    "tokio::io::util::buf_writer::BufWriter",
    "tokio::io::util::buf_stream::BufStream",
    "futures_util::io::buf_writer::BufWriter",
];

/// What writes to the first of its arguments, and holds nothing back itself.
const PASS_ON: &[&str] = &[
    "alloc::boxed::Box",
    "core::pin::Pin",
    "tokio::io::util::buf_reader::BufReader",
    "tokio_util::compat::Compat",
    "tokio_util::io::inspect::InspectReader",
    "tokio_util::io::inspect::InspectWriter",
];

/// What goes with the buffer over it: there is nobody who would miss the rest.
const IN_MEMORY: &[&str] = &[
    "alloc::vec::Vec",
    "std::io::cursor::Cursor",
    "core::io::cursor::Cursor",
    "tokio::io::util::sink::Sink",
    "tokio::io::util::empty::Empty",
];

/// Whether a drop of a writer of type `type_name` loses what was not flushed.
pub(super) fn loses(type_name: &str) -> bool {
    let (outer, inner) = split(type_name);
    if PASS_ON.contains(&outer) {
        loses(inner)
    } else if LOSE.contains(&outer) || is_encoder(outer) {
        !is_in_memory(inner)
    } else {
        outer == "tokio::fs::file::File"
    }
}

/// From how many bytes on a write goes straight through, with what was held before it.
/// Buffers have the size that they have by default, as far as their type tells: a larger
/// one that holds such a write is missed, rather than a smaller one blamed.
pub(super) fn straight_from(type_name: &str) -> Option<usize> {
    const DEFAULT: usize = 8 * 1024;
    let (outer, inner) = split(type_name);
    if PASS_ON.contains(&outer) {
        straight_from(inner)
    } else {
        LOSE.contains(&outer).then_some(DEFAULT)
    }
}

fn is_in_memory(type_name: &str) -> bool {
    let (outer, inner) = split(type_name);
    if PASS_ON.contains(&outer) || outer == "debug_async::io::TrackedIo" {
        return is_in_memory(inner);
    }
    // A `Cursor<&mut …>` writes into what is somebody else's.
    IN_MEMORY.contains(&outer) && !inner.starts_with('&')
}

/// `async_compression::tokio::write::GzipEncoder`
fn is_encoder(outer: &str) -> bool {
    outer.starts_with("async_compression::")
        && outer.contains("::write::")
        && outer.ends_with("Encoder")
}

/// A type without references, and the first of its arguments with what follows.
fn split(type_name: &str) -> (&str, &str) {
    let name = type_name.trim();
    let bare = name.strip_prefix("&mut ").unwrap_or(name);
    match bare.split_once('<') {
        // A `&mut Vec` is not in memory that goes with it.
        Some((outer, _)) if bare.len() < name.len() && IN_MEMORY.contains(&outer) => (name, ""),
        Some((outer, inner)) => (outer, inner.strip_suffix('>').unwrap_or(inner)),
        None => (bare, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name;
    use std::io::Cursor;
    use std::pin::Pin;

    use tokio::io::{AsyncWrite, BufReader, BufStream, BufWriter, DuplexStream, Sink};
    use tokio::net::TcpStream;
    use tokio::net::tcp::OwnedWriteHalf;

    use super::loses;

    fn does<T: ?Sized>() -> bool {
        loses(type_name::<T>())
    }

    #[test]
    fn what_holds_something_back() {
        assert!(does::<BufWriter<TcpStream>>());
        assert!(does::<BufStream<DuplexStream>>());
        assert!(does::<BufReader<BufWriter<TcpStream>>>());
        assert!(does::<Box<BufWriter<OwnedWriteHalf>>>());
        assert!(does::<Pin<Box<BufWriter<TcpStream>>>>());
        assert!(does::<&mut BufWriter<TcpStream>>());
        assert!(does::<BufWriter<Box<dyn AsyncWrite + Send + Unpin>>>());
        assert!(does::<BufWriter<&mut Vec<u8>>>());
        assert!(does::<BufWriter<Cursor<&mut Vec<u8>>>>());
        assert!(does::<tokio::fs::File>());
        assert!(does::<BufWriter<tokio::fs::File>>());
        assert!(loses(
            "async_compression::tokio::write::GzipEncoder<tokio::net::tcp::stream::TcpStream>"
        ));
    }

    #[test]
    fn what_does_not_or_nobody_misses() {
        assert!(!does::<TcpStream>());
        assert!(!does::<OwnedWriteHalf>());
        assert!(!does::<BufReader<TcpStream>>());
        assert!(!does::<DuplexStream>());
        assert!(!does::<Vec<u8>>());
        assert!(!does::<Cursor<Vec<u8>>>());
        assert!(!does::<Sink>());
        assert!(!does::<BufWriter<Vec<u8>>>());
        assert!(!does::<BufWriter<Cursor<Vec<u8>>>>());
        assert!(!does::<BufWriter<Sink>>());
        assert!(!does::<tokio::io::Stdout>());
        assert!(!does::<dyn AsyncWrite>());
        // It says so itself.
        assert!(!does::<crate::io::TrackedIo<BufWriter<TcpStream>>>());
        // Half of it is still there.
        assert!(!does::<tokio::io::WriteHalf<BufStream<TcpStream>>>());
    }
}

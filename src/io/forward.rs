//! The traits of readers and writers, each method forwarded.

use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use super::TrackedIo;
use super::state::Op;

impl<T: AsyncRead> AsyncRead for TrackedIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buf.filled().len();
        let read = || this.inner.poll_read(cx, buf);
        let result = this.outset.operate(Op::Read, this.watch, read);
        if let Poll::Ready(Ok(())) = result {
            let read = buf.filled().len().saturating_sub(before);
            this.outset.has_read(read);
        }
        result
    }
}

impl<T: AsyncBufRead> AsyncBufRead for TrackedIo<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.project();
        let fill = || this.inner.poll_fill_buf(cx);
        this.outset.operate(Op::Read, this.watch, fill)
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        let this = self.project();
        this.outset.has_read(amt);
        this.inner.consume(amt);
    }
}

impl<T: AsyncWrite> AsyncWrite for TrackedIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = || this.inner.poll_write(cx, buf);
        let result = this.outset.operate(Op::Write, this.watch, write);
        if let Poll::Ready(Ok(written)) = result {
            this.outset.has_written(written);
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let write = || this.inner.poll_write_vectored(cx, bufs);
        let result = this.outset.operate(Op::Write, this.watch, write);
        if let Poll::Ready(Ok(written)) = result {
            this.outset.has_written(written);
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let flush = || this.inner.poll_flush(cx);
        this.outset.operate(Op::Flush, this.watch, flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let shutdown = || this.inner.poll_shutdown(cx);
        this.outset.operate(Op::Shutdown, this.watch, shutdown)
    }
}

impl<T: AsyncSeek> AsyncSeek for TrackedIo<T> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let this = self.project();
        this.outset.seeks();
        this.inner.start_seek(position)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.project();
        let complete = || this.inner.poll_complete(cx);
        this.outset.operate(Op::Seek, this.watch, complete)
    }
}

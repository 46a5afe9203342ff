//! What a thread reads into. Shared by all its connections: an idle one needs no buffer to wait for what comes next.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// How much one read takes at most.
pub(crate) const SCRATCH: usize = 16 * 1024;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// Reads at most `limit` bytes, and shows them to `take`; none: the end.
pub(crate) fn read<R>(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    limit: usize,
    take: impl FnOnce(&[u8]) -> R,
) -> Poll<io::Result<R>> {
    SHARED.with_borrow_mut(|scratch| {
        let limit = limit.min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..limit]);
        ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(take(buffer.filled())))
    })
}

//! Where images lie: named by the SHA-256 of their bytes.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{StoreResult, firmware::Artifact};

/// Bytes as they come from the store.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// A content-addressed store.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins an upload; nothing is visible until it is finished.
    async fn start(&self) -> StoreResult<Box<dyn BlobUpload>>;
    /// The length of a blob, `None` when there is none.
    async fn size_bytes(&self, sha256: &str) -> StoreResult<Option<u64>>;
    /// Reads a part of a blob; `None` when there is none.
    async fn read(&self, sha256: &str, range: Range<u64>) -> StoreResult<Option<ByteStream>>;
    /// Removes unfinished uploads and every blob whose address is not in `keep`; answers how many.
    async fn sweep(&self, keep: &[String]) -> StoreResult<u64>;
}

/// An upload under way; dropping it leaves nothing behind.
#[async_trait]
pub trait BlobUpload: Send {
    /// Takes the next bytes.
    async fn write(&mut self, chunk: Bytes) -> StoreResult<()>;
    /// What was written so far: lengths and digests, before anything is visible.
    fn artifact(&self) -> Artifact;
    /// Makes the bytes durable and visible under their address.
    async fn finish(self: Box<Self>) -> StoreResult<()>;
}

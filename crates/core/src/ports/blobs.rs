//! Where images lie: named by the SHA-256 of their bytes.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::{StoreResult, firmware::Artifact};

/// Bytes as they come from the store.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// A part of a blob, opened: what its stamp was taken of is what its bytes come from.
pub struct OpenPart {
    /// The state of the blob at that moment.
    pub stamp: Stamp,
    /// The bytes, or an error where they end too early.
    pub bytes: ByteStream,
}

/// Tells one state of a blob from another: while it stays the same, so do the bytes, as far as
/// the store can know without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The length.
    pub size_bytes: u64,
    /// Names the file, whatever its name is.
    pub inode: u64,
    /// When bytes or facts of the file were last changed, in nanoseconds since 1970. No program
    /// can set it back, as it could the time of the last write.
    pub changed_ns: i128,
}

/// A lock on the whole store, held by whoever keeps this, until it is dropped.
pub type BlobLock = Box<dyn Send + Sync>;

/// A content-addressed store.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins an upload; nothing is visible until it is finished.
    async fn start(&self) -> StoreResult<Box<dyn BlobUpload>>;
    /// The length of a blob, `None` when there is none.
    async fn size_bytes(&self, sha256: &str) -> StoreResult<Option<u64>>;
    /// Opens a part of a blob; `None` when there is none.
    async fn read(&self, sha256: &str, range: Range<u64>) -> StoreResult<Option<OpenPart>>;
    /// Waits until nobody removes blobs. Whoever adds one holds this from before its bytes appear
    /// until a row names them; many may at once.
    async fn lock_to_add(&self) -> StoreResult<BlobLock>;
    /// Waits until nobody adds blobs, in this process or another. Whoever removes some takes this
    /// before reading which of them are named.
    async fn lock_to_remove(&self) -> StoreResult<BlobLock>;
    /// Removes a blob; does nothing when there is none.
    async fn remove(&self, sha256: &str) -> StoreResult<()>;
    /// Removes unfinished uploads, and parts and blobs whose id or address is not in `keep`, but
    /// nothing that was written or moved after `touched_until_ms`; answers how many.
    async fn sweep(&self, keep: &[String], touched_until_ms: i64) -> StoreResult<u64>;
    /// Opens the part of that id, which is made when it is missing; `None` while it is open
    /// elsewhere, in this process or another.
    async fn open_part(&self, id: Uuid) -> StoreResult<Option<Box<dyn BlobPart>>>;
    /// How many bytes a part has; 0 when there is none.
    async fn part_bytes(&self, id: Uuid) -> StoreResult<u64>;
    /// Removes a part; whoever has it open writes into the void. Does nothing when there is none.
    async fn remove_part(&self, id: Uuid) -> StoreResult<()>;
    /// Lists every part there is.
    async fn parts(&self) -> StoreResult<Vec<Uuid>>;
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

/// The beginning of a blob that stays when it is dropped, until all of it has come.
#[async_trait]
pub trait BlobPart: Send {
    /// Cuts away what is beyond `size_bytes`; answers the length, which may be shorter.
    async fn cut(&mut self, size_bytes: u64) -> StoreResult<u64>;
    /// Adds bytes at the end; they may be lost until they are saved.
    async fn append(&mut self, chunk: Bytes) -> StoreResult<()>;
    /// Makes everything that was added durable.
    async fn save(&mut self) -> StoreResult<()>;
    /// Hands the part over as an upload of the same bytes, and them to be written to it once
    /// more: so they are hashed and looked at, and stay where they are. The part goes on to be
    /// there, also after the upload is finished.
    async fn reread(self: Box<Self>) -> StoreResult<(Box<dyn BlobUpload>, ByteStream)>;
}

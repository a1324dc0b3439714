//! The line between device and portal: it hears every request and can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const NEVER: u64 = u64::MAX;

/// What one or more connections carried.
#[derive(Clone)]
pub(crate) struct Wire {
    heard: Arc<Mutex<Vec<u8>>>,
    /// The connection whose answers grow longer than this many bytes is cut, once.
    cut_after_bytes: Arc<AtomicU64>,
}

impl Wire {
    /// Carries everything that comes to `listener` on to the portal, for ever.
    pub(crate) fn span(listener: TcpListener, portal: SocketAddr) -> Self {
        let wire = Self {
            heard: Arc::default(),
            cut_after_bytes: Arc::new(AtomicU64::new(NEVER)),
        };
        let carrier = wire.clone();
        tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                tokio::spawn(carrier.clone().carry(device, portal));
            }
        });
        wire
    }

    pub(crate) fn cut_after(&self, bytes: u64) {
        self.cut_after_bytes.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn was_cut(&self) -> bool {
        self.cut_after_bytes.load(Ordering::SeqCst) == NEVER
    }

    /// The value of a header in each request that had it; names in any case.
    pub(crate) fn values_of(&self, header: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard)
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    async fn carry(self, device: TcpStream, portal: SocketAddr) {
        let Ok(portal) = TcpStream::connect(portal).await else {
            return;
        };
        let (from_device, to_device) = device.into_split();
        let (from_portal, to_portal) = portal.into_split();
        tokio::select! {
            () = self.up(from_device, to_portal) => {}
            () = self.down(from_portal, to_device) => {}
        }
    }

    async fn up(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let part = &buffer[..length];
            self.heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(part);
            if to.write_all(part).await.is_err() {
                return;
            }
        }
    }

    async fn down(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut carried_bytes) = ([0; 8192], 0);
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            carried_bytes += length as u64;
            if carried_bytes > self.cut_after_bytes.load(Ordering::SeqCst) {
                self.cut_after_bytes.store(NEVER, Ordering::SeqCst);
                return;
            }
        }
    }
}

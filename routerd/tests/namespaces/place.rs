//! A network namespace, and sockets that live in it.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Long enough for a busy machine; who is not let in is told so at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);

/// A namespace of its own, held by a process that ends with this one.
pub(crate) struct Place {
    holder: Child,
}

impl Place {
    pub(crate) fn make() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // What it echoes shows that it has arrived in its namespace.
        holder
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"there\n")
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "there\n");
        Self { holder }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.holder.id()
    }

    /// Does something in this namespace; what it opens stays there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.process_id())).unwrap();
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .unwrap();
                work()
            });
            worker.join().unwrap()
        })
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        self.inside(|| {
            let stream = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT)?;
            stream.set_read_timeout(Some(ECHO_TIMEOUT))?;
            stream.set_write_timeout(Some(ECHO_TIMEOUT))?;
            Ok(stream)
        })
    }

    /// Gives a UDP socket that talks to one address only.
    pub(crate) fn udp(&self, to: SocketAddr) -> UdpSocket {
        self.inside(|| {
            let any: IpAddr = if to.is_ipv4() {
                [0; 4].into()
            } else {
                [0; 16].into()
            };
            let socket = UdpSocket::bind((any, 0)).unwrap();
            socket.connect(to).unwrap();
            socket.set_read_timeout(Some(ECHO_TIMEOUT)).unwrap();
            socket
        })
    }

    /// Echoes what comes to this port over TCP, and over UDP, for as long as the test runs.
    pub(crate) fn echo(&self, port: u16) {
        let any = SocketAddr::from(([0_u16; 8], port));
        let (listener, socket) = self.inside(|| {
            (
                TcpListener::bind(any).unwrap(),
                UdpSocket::bind(any).unwrap(),
            )
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || echo_tcp(stream));
            }
        });
        thread::spawn(move || {
            let mut datagram = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                let _ = socket.send_to(&datagram[..length], from);
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn echo_tcp(mut stream: TcpStream) {
    let mut piece = [0; 8192];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        if stream.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}

/// Sends a word over the connection and waits for it to come back.
pub(crate) fn echoed(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.write_all(b"ping")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

/// Sends a datagram and waits for it to come back.
pub(crate) fn echoed_udp(socket: &UdpSocket) -> std::io::Result<()> {
    socket.send(b"ping")?;
    let mut answer = [0; 16];
    let length = socket.recv(&mut answer)?;
    assert_eq!(&answer[..length], b"ping");
    Ok(())
}

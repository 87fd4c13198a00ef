//! A server of HTTP/1.1 on loopback that answers as a test wants: late, wrong, or for ever.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, such as `/buildid/…/debuginfo`.
    pub path: String,
    /// The first byte that is wanted, of a request for a part.
    pub from: Option<usize>,
    /// The header `Authorization`, with which requests are signed.
    pub authorization: Option<String>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200, with this content.
    Content(Vec<u8>),
    /// 206, with this content from this byte on.
    Rest(Vec<u8>, usize),
    /// 200 that announces the content, and so much of it.
    CutOff(Vec<u8>, usize),
    /// 200 without a length, and zeros until the client leaves.
    Endless,
    /// 200, with this content: a byte, and this pause.
    Slow(Vec<u8>, Duration),
    /// 200, after this pause.
    Late(Vec<u8>, Duration),
    /// This status, without content.
    Status(u16),
    /// This status, with this text.
    Refusal(u16, String),
    /// 302, to this address.
    Redirect(String),
    /// No answer at all, until the client leaves.
    Silence,
    /// Something that is no HTTP.
    Garbage,
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    now: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicBool,
}

impl Stub {
    /// Starts a server that answers so.
    ///
    /// # Panics
    /// Without a free port on loopback.
    pub fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    break;
                }
                let (shared, answer) = (Arc::clone(&of_thread), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &shared, &*answer));
            }
        });
        Self { address, shared }
    }

    /// Returns its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests that came, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let requests = self.shared.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the most requests that were being answered at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: &TcpStream, shared: &Shared, answer: &dyn Fn(&Request) -> Reply) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = read(&mut lines) {
        let requests = shared.requests.lock();
        requests
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let now = shared.now.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most.fetch_max(now, Ordering::Relaxed);
        let sent = send(stream, shared, answer(&request));
        shared.now.fetch_sub(1, Ordering::Relaxed);
        if sent.is_none() {
            break;
        }
    }
    drop(stream.shutdown(std::net::Shutdown::Both));
}

/// Reads the head of a request, which has no body.
fn read(lines: &mut impl Iterator<Item = String>) -> Option<Request> {
    let first = lines.next()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut from, mut authorization) = (None, None);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request {
        path,
        from,
        authorization,
    })
}

/// Sends an answer; `None` when the connection ends with it.
fn send(mut stream: &TcpStream, shared: &Shared, reply: Reply) -> Option<()> {
    let head = |status: &str, length: usize| {
        // Services of objects always say when an object was changed, and its tag.
        let times = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"1\"";
        format!("HTTP/1.1 {status}\r\n{times}\r\nContent-Length: {length}\r\n\r\n")
    };
    match reply {
        Reply::Content(bytes) => {
            stream
                .write_all(head("200 OK", bytes.len()).as_bytes())
                .ok()?;
            stream.write_all(&bytes).ok()
        }
        Reply::Rest(bytes, from) => {
            let rest = bytes.get(from..)?;
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\nContent-Length: {}\r\n\r\n",
                rest.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(rest).ok()
        }
        Reply::CutOff(bytes, at) => {
            stream
                .write_all(head("200 OK", bytes.len()).as_bytes())
                .ok()?;
            stream.write_all(bytes.get(..at)?).ok()?;
            None
        }
        Reply::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                .ok()?;
            while !shared.ended.load(Ordering::Relaxed) {
                stream.write_all(&[0; 1 << 16]).ok()?;
            }
            None
        }
        Reply::Slow(bytes, pause) => {
            stream
                .write_all(head("200 OK", bytes.len()).as_bytes())
                .ok()?;
            for byte in bytes {
                stream.write_all(&[byte]).ok()?;
                std::thread::sleep(pause);
            }
            Some(())
        }
        Reply::Late(bytes, pause) => {
            std::thread::sleep(pause);
            send(stream, shared, Reply::Content(bytes))
        }
        Reply::Status(status) => stream
            .write_all(head(&format!("{status} Said"), 0).as_bytes())
            .ok(),
        Reply::Refusal(status, text) => {
            let head = head(&format!("{status} Said"), text.len());
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(text.as_bytes()).ok()
        }
        Reply::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).ok()
        }
        Reply::Silence => {
            while !shared.ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            None
        }
        Reply::Garbage => {
            stream
                .write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
                .ok()?;
            None
        }
    }
}

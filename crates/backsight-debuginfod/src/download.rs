//! One file from one server.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backsight_types::BuildId;
use ureq::http::Uri;
use ureq::http::header::{CONTENT_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, ResponseExt};

use crate::fault::FetchFault;
use crate::options::Options;
use crate::partial::Partial;
use crate::progress::Ongoing;
use crate::server::Server;
use crate::wanted_file::WantedFile;

/// The number of bytes that are read and written at once.
const PART_BYTES: usize = 64 << 10;

/// The result of a request to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The file was received completely.
    Whole,
    /// The server does not have it.
    Absent,
}

/// The requests and bytes of one transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) requests: u32,
    pub(crate) received_bytes: u64,
}

/// One file from one server.
#[derive(Debug)]
pub(crate) struct Download<'d> {
    pub(crate) agent: &'d Agent,
    pub(crate) server: &'d Server,
    pub(crate) options: &'d Options,
    pub(crate) id: &'d BuildId,
    pub(crate) wanted: &'d WantedFile,
    /// The bytes that all transfers of the client have received so far.
    pub(crate) spent: &'d AtomicU64,
}

/// Creates an HTTP agent for a server, with the limits of `options`.
pub(crate) fn agent(options: &Options, server: &Server) -> Agent {
    let config = Agent::config_builder()
        .timeout_resolve(Some(options.connect_time))
        .timeout_connect(Some(options.connect_time))
        .timeout_recv_response(Some(options.stall_time))
        .timeout_per_read(Some(options.stall_time))
        .timeout_recv_body(Some(options.file_time))
        .max_redirects(options.redirects)
        .max_redirects_will_error(true)
        .save_redirect_history(true)
        .https_only(server.is_secure())
        .http_status_as_error(false)
        .user_agent(concat!("backsight/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

impl Download<'_> {
    /// Requests the file, or the part that `partial` lacks.
    pub(crate) fn run(&self, partial: &mut Partial, cost: &mut Cost) -> Result<Answer, FetchFault> {
        let mut answer = self.ask(partial.have(), cost)?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The partial file is longer than the file, so it is not a part of it.
            partial.restart()?;
            answer = self.ask(0, cost)?;
        }
        match answer.status() {
            StatusCode::OK => partial.restart()?,
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, partial.have()) => {}
            StatusCode::NOT_FOUND => return Ok(Answer::Absent),
            status => return Err(FetchFault::Status(status.as_u16())),
        }
        let rest = answer.body().content_length();
        let announced = rest.map(|rest| rest.saturating_add(partial.have()));
        if announced.is_some_and(|bytes| bytes > self.options.file_bytes) {
            return Err(self.too_large());
        }
        self.receive(answer, announced, partial, cost)?;
        Ok(Answer::Whole)
    }

    fn ask(&self, from: u64, cost: &mut Cost) -> Result<Response<ureq::Body>, FetchFault> {
        cost.requests = cost.requests.saturating_add(1);
        let mut request = self.agent.get(self.server.url_of(self.id, self.wanted));
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let answer = request.call();
        // Each redirect was one more request.
        let redirects = match &answer {
            Ok(answer) => {
                let visited = answer.get_redirect_history().map_or(1, <[Uri]>::len);
                u32::try_from(visited.saturating_sub(1)).unwrap_or(u32::MAX)
            }
            Err(ureq::Error::TooManyRedirects) => self.options.redirects,
            Err(_) => 0,
        };
        cost.requests = cost.requests.saturating_add(redirects);
        answer.map_err(|error| self.fault_of(error))
    }

    fn receive(
        &self,
        mut answer: Response<ureq::Body>,
        announced: Option<u64>,
        partial: &mut Partial,
        cost: &mut Cost,
    ) -> Result<(), FetchFault> {
        let unlimited = answer.body_mut().with_config().limit(u64::MAX);
        let mut body = unlimited.reader();
        let mut part = vec![0; PART_BYTES];
        let mut window = Window::new();
        loop {
            self.tell(partial.have(), announced);
            let count = match body.read(&mut part) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
                Err(error) => return Err(self.fault_of(ureq::Error::from(error))),
            };
            let Some(received) = part.get(..count).filter(|part| !part.is_empty()) else {
                break;
            };
            let bytes = u64::try_from(count).unwrap_or(u64::MAX);
            cost.received_bytes = cost.received_bytes.saturating_add(bytes);
            let spent = self.spent.fetch_add(bytes, Ordering::Relaxed);
            if spent.saturating_add(bytes) > self.options.total_bytes {
                let limit = self.options.total_bytes;
                return Err(FetchFault::TooLarge { limit });
            }
            if partial.have().saturating_add(bytes) > self.options.file_bytes {
                return Err(self.too_large());
            }
            partial.push(received)?;
            window.note(bytes, self.options)?;
        }
        match announced {
            Some(announced) if partial.have() < announced => Err(FetchFault::CutOff {
                got: partial.have(),
                announced,
            }),
            _ => Ok(()),
        }
    }

    fn tell(&self, received_bytes: u64, announced_bytes: Option<u64>) {
        if let Some(progress) = &self.options.progress {
            progress.advanced(&Ongoing {
                build_id: self.id,
                kind: self.wanted.kind,
                server: self.server,
                received_bytes,
                announced_bytes,
            });
        }
    }

    fn too_large(&self) -> FetchFault {
        let limit = self.options.file_bytes;
        FetchFault::TooLarge { limit }
    }

    fn fault_of(&self, error: ureq::Error) -> FetchFault {
        use ureq::Timeout;
        let options = self.options;
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => FetchFault::Connection(
                format!("none within {} s", options.connect_time.as_secs_f32()),
            ),
            ureq::Error::Timeout(Timeout::RecvBody) => FetchFault::TimedOut(options.file_time),
            ureq::Error::Timeout(_) => FetchFault::TimedOut(options.stall_time),
            ureq::Error::TooManyRedirects => FetchFault::Redirects,
            ureq::Error::Io(error) => match error.downcast::<ureq::Error>() {
                Ok(inner) => self.fault_of(inner),
                Err(error) => FetchFault::Connection(error.to_string()),
            },
            error @ (ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)) => FetchFault::Connection(error.to_string()),
            error => FetchFault::Protocol(error.to_string()),
        }
    }
}

/// Returns whether the answer is the part of the file from this byte on (RFC 9110, 14.4).
fn starts_at(answer: &Response<ureq::Body>, offset: u64) -> bool {
    let range = answer.headers().get(CONTENT_RANGE);
    let text = range.and_then(|value| value.to_str().ok());
    let begin = text.and_then(|text| text.strip_prefix("bytes ")?.split('-').next());
    begin.is_some_and(|begin| begin.trim().parse() == Ok(offset))
}

/// The bytes received in the current period of [`Options::stall_time`].
struct Window {
    began: Instant,
    bytes: u64,
}

impl Window {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
        }
    }

    /// Adds bytes. Fails if too few were received in a period.
    fn note(&mut self, bytes: u64, options: &Options) -> Result<(), FetchFault> {
        self.bytes = self.bytes.saturating_add(bytes);
        let time: Duration = self.began.elapsed();
        if time < options.stall_time {
            return Ok(());
        }
        let received = self.bytes;
        *self = Self::new();
        match received < options.stall_bytes {
            true => Err(FetchFault::Stalled {
                bytes: received,
                time,
            }),
            false => Ok(()),
        }
    }
}

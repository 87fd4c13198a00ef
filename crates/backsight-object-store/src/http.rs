//! The HTTP client of `object_store`: ureq.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use ureq::http::Request;
use ureq::{Agent, BodyReader};

use crate::options::BucketOptions;

/// The number of bytes that are read at once.
const PART_BYTES: usize = 64 << 10;

/// Makes requests with the limits of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct UreqConnector {
    agent: Agent,
    requests: Arc<AtomicU64>,
}

impl UreqConnector {
    pub(crate) fn new(options: &BucketOptions) -> Self {
        let config = Agent::config_builder()
            .timeout_resolve(Some(options.connect_time))
            .timeout_connect(Some(options.connect_time))
            .timeout_recv_response(Some(options.stall_time))
            .timeout_per_read(Some(options.stall_time))
            .timeout_recv_body(Some(options.file_time))
            // A signature is for one address.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("backsight/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.into(),
            requests: Arc::default(),
        }
    }

    /// Returns the count of requests.
    pub(crate) fn requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
    }

    fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (head, body) = request.into_parts();
        // Requests for credentials have a body; it is in one piece.
        let body = body
            .as_bytes()
            .map(|body| body.to_vec())
            .unwrap_or_default();
        let answer = match body.is_empty() {
            true => self.agent.run(Request::from_parts(head, ())),
            false => self.agent.run(Request::from_parts(head, body)),
        };
        let (head, body) = answer.map_err(of_ureq)?.into_parts();
        let body = UreqBody(Mutex::new(body.into_with_config().limit(u64::MAX).reader()));
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

impl HttpConnector for UreqConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for UreqConnector {
    /// Blocks, as lookups do: each file has a thread of its own, which waits for it.
    fn call<'s, 'c>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>
    where
        's: 'c,
        Self: 'c,
    {
        Box::pin(std::future::ready(self.ask(request)))
    }
}

/// The body of an answer, read as it is polled. The lock is never waited for: `object_store`
/// asks for a body that threads can share, and polls it from one.
struct UreqBody(Mutex<BodyReader<'static>>);

impl fmt::Debug for UreqBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UreqBody")
    }
}

impl Body for UreqBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let reader = self.0.get_mut();
        let reader = reader.unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut part = vec![0; PART_BYTES];
        let read = loop {
            match reader.read(&mut part) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(count) => {
                part.truncate(count);
                Some(Ok(Frame::data(part.into())))
            }
            Err(error) => Some(Err(of_io(error))),
        })
    }
}

fn of_ureq(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            HttpErrorKind::Connect
        }
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// The rest of a body that breaks off is not asked for again.
fn of_io(error: io::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

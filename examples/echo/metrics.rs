//! The figures of the server over HTTP, for Prometheus and for load balancers: `/metrics` and `/healthz`.
//!
//! One task of its own, beside all sessions. Whoever asks gets one answer and is closed. So many may be asking at a time, each
//! with so many bytes and so much time, and so many may be reading their answers. When more come, the first one makes room: who
//! is slow holds up nobody.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::{AddrParseError, Ipv4Addr, SocketAddr},
    pin::pin,
    rc::Rc,
    time::Duration,
};

use actix_rt::net::{TcpListener, TcpStream};
use futures::future::{Either, select};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// The longest head of a request, in bytes, and the most headers of it.
const HEAD: usize = 8 * 1024;
const HEADERS: usize = 64;

/// So many may be asking at a time: for one more, the first of them is closed.
const ASKING: usize = 64;

/// So long one may take to ask.
const HEARD: Duration = Duration::from_secs(1);

/// So many may be reading their answers at a time; the same.
const ANSWERED: usize = 16;

/// So long one may take to read its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So often what was recorded is put together, though nobody asks for it.
const UPKEEP: Duration = Duration::from_secs(15);

/// The upper ends of the buckets for the times of kills, in seconds.
const BUCKETS: [f64; 12] = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0];

/// Prometheus's format of texts.
const FIGURES: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where to listen. Without a host it is this machine alone: who wants the figures to be had from elsewhere writes that out.
///
/// # Errors
/// It is no address with a port.
pub fn address(text: &str) -> Result<SocketAddr, AddrParseError> {
    match text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text).parse::<u16>() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => text.parse(),
    }
}

/// The recorder that keeps what the server publishes; to be installed with `metrics::set_global_recorder`.
///
/// # Errors
/// None that is known.
pub fn recorder() -> Result<metrics_exporter_prometheus::PrometheusRecorder, BuildError> {
    let of_kills = Matcher::Full("killdeer_kill_duration_seconds".into());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(of_kills, &BUCKETS)?.build_recorder())
}

/// What is answered.
pub struct Metrics<P, R> {
    pub recorded: PrometheusHandle,
    /// Called before each time that the figures are shown.
    pub publish: P,
    /// Whether the server takes connections.
    pub ready: R,
}

impl<P: Fn() + 'static, R: Fn() -> bool + 'static> Metrics<P, R> {
    /// Answers on this listener for as long as the arbiter runs that calls this.
    pub async fn serve(self, listener: TcpListener) {
        let upkeep = self.recorded.clone();
        actix_rt::spawn(async move {
            let mut ticks = interval(UPKEEP);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                upkeep.run_upkeep();
            }
        });
        let (metrics, asking, answered) = (Rc::new(self), Places::new(ASKING), Places::new(ANSWERED));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No descriptor is free, as a rule: it is no use to try again at once.
                    tracing::warn!(%error, "no connection for figures was accepted");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let asks = asking.enter();
            let (metrics, asking, answered) = (Rc::clone(&metrics), asking.clone(), answered.clone());
            actix_rt::spawn(async move {
                let mut stream = stream;
                let head = asking.within(asks, HEARD, head(&mut stream)).await;
                let Some(Ok(Some(head))) = head else { return };
                let answer = metrics.answer(&head);
                let _ = answered.within(answered.enter(), PATIENCE, tell(stream, answer)).await;
            });
        }
    }

    /// What is answered to a request with this head.
    fn answer(&self, head: &[u8]) -> Answer {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Answer::plain(431, "the head is too long\n"),
            Err(_) => return Answer::plain(400, "this is no request\n"),
        }
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let answer = match (method, path) {
            ("GET" | "HEAD", "/metrics") => {
                (self.publish)();
                Answer { status: 200, kind: FIGURES, body: self.recorded.render(), without_body: false }
            }
            ("GET" | "HEAD", "/healthz") if (self.ready)() => Answer::plain(200, "ready\n"),
            ("GET" | "HEAD", "/healthz") => Answer::plain(503, "draining\n"),
            (_, "/metrics" | "/healthz") => Answer::plain(405, "GET or HEAD\n"),
            _ => Answer::plain(404, "/metrics or /healthz\n"),
        };
        Answer { without_body: method == "HEAD", ..answer }
    }
}

/// So many at a time, the first one first. For one more, that one makes room.
#[derive(Clone)]
struct Places {
    most: usize,
    taken: Rc<RefCell<VecDeque<Taken>>>,
    next: Rc<Cell<u64>>,
}

struct Taken {
    number: u64,
    /// When it is dropped, the holder has to go.
    _stays: oneshot::Sender<()>,
}

/// One of them.
struct Place {
    number: u64,
    displaced: oneshot::Receiver<()>,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { most, taken: Rc::default(), next: Rc::default() }
    }

    fn enter(&self) -> Place {
        let mut taken = self.taken.borrow_mut();
        if taken.len() == self.most {
            taken.pop_front();
        }
        let number = self.next.replace(self.next.get() + 1);
        let (_stays, displaced) = oneshot::channel();
        taken.push_back(Taken { number, _stays });
        Place { number, displaced }
    }

    /// What `future` gives, unless it takes longer than `time`, or its place is taken away.
    async fn within<F: Future>(&self, place: Place, time: Duration, future: F) -> Option<F::Output> {
        let output = match select(pin!(timeout(time, future)), place.displaced).await {
            Either::Left((output, _)) => output.ok(),
            Either::Right(_) => None,
        };
        self.taken.borrow_mut().retain(|taken| taken.number != place.number);
        output
    }
}

/// Reads the head of a request: until it is whole, or wrong, or too long. `None`: its sender went away.
async fn head(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        if !matches!(httparse::Request::new(&mut headers).parse(&head), Ok(httparse::Status::Partial)) {
            return Ok(Some(head));
        }
        if (&mut *stream).take((HEAD - head.len()) as u64).read_buf(&mut head).await? == 0 {
            return Ok((head.len() >= HEAD).then_some(head));
        }
    }
}

async fn tell(mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    stream.write_all(&answer.encoded()).await?;
    stream.shutdown().await?;
    // Until it has read that: to close with bytes unread would be a reset, which may overtake the answer.
    let mut rest = [0; 512];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
    /// Only its length is told.
    without_body: bool,
}

impl Answer {
    fn plain(status: u16, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: text.to_owned(), without_body: false }
    }

    fn encoded(&self) -> Vec<u8> {
        let Self { status, kind, body, without_body } = self;
        let reason = match status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        );
        (head + if *without_body { "" } else { body }).into_bytes()
    }
}

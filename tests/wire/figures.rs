//! The figures over HTTP, as echo_sql serves them: what is answered, and to whom no more is given than is due.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    time::Duration,
};

use actix_rt::net::TcpListener;

use crate::metrics_endpoint::{Metrics, address, recorder};

/// How often the figures were asked for shows in the figures.
const ASKED: &str = "asked_total";

/// A server of figures, which is done with when this is dropped: its thread goes with the process.
fn start(ready: bool) -> SocketAddr {
    let (told, listens) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            let recorder = recorder().unwrap();
            let recorded = recorder.handle();
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let asked = Rc::new(Cell::new(0));
            let publish = move || {
                asked.set(asked.get() + 1);
                metrics::with_local_recorder(&recorder, || metrics::counter!(ASKED).absolute(asked.get()));
            };
            Metrics { recorded, publish, ready: move || ready }.serve(listener).await;
        });
    });
    listens.recv().unwrap()
}

fn connect(server: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Everything that is answered until the connection is closed.
fn ask(server: SocketAddr, request: &str) -> String {
    let mut socket = connect(server);
    // One that asks for too much is not read to its end.
    let _ = socket.write_all(request.as_bytes());
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[test]
fn an_address_without_a_host_is_this_machines() {
    for (text, expected) in [
        ("9104", "127.0.0.1:9104"),
        (":9104", "127.0.0.1:9104"),
        ("localhost:0", "127.0.0.1:0"),
        ("127.0.0.1:9104", "127.0.0.1:9104"),
        ("[::1]:9104", "[::1]:9104"),
        ("0.0.0.0:9104", "0.0.0.0:9104"),
        ("[::]:9104", "[::]:9104"),
        ("192.0.2.7:1", "192.0.2.7:1"),
    ] {
        assert_eq!(address(text), Ok(expected.parse().unwrap()), "{text}");
    }
    for text in ["", ":", "*", "*:9104", "65536", ":x", "0.0.0.0", "example.com:9104"] {
        assert!(address(text).is_err(), "{text}");
    }
}

#[test]
fn figures_are_published_each_time_that_they_are_asked_for() {
    let server = start(true);
    for times in 1..=3 {
        let answer = ask(server, &get("/metrics?x=y"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(body.lines().any(|line| line == format!("{ASKED} {times}")), "{body}");
    }
    let head = ask(server, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn whether_it_is_ready_is_told_by_the_status() {
    let answer = ask(start(true), &get("/healthz"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nready\n"), "{answer}");
    let answer = ask(start(false), &get("/healthz"));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\ndraining\n"), "{answer}");
}

#[test]
fn what_is_no_request_for_them_is_refused() {
    let server = start(true);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    let long = format!("GET /metrics HTTP/1.1\r\na: {}", "b".repeat(8 * 1024));
    for (request, status) in [
        (&*get("/"), 404),
        (&get("/metrics/"), 404),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nx=y", 405),
        ("GET\r\n\r\n", 400),
        ("\x16\x03\x01\x02", 400),
        (&many, 400),
        (&long, 431),
    ] {
        let answer = ask(server, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.40}: {answer}");
    }
    // One that goes away, or is cut off in the middle of its head, is no request.
    assert_eq!(ask(server, ""), "");
    assert_eq!(ask(server, "GET /metrics HT"), "");
}

#[test]
fn those_who_ask_for_nothing_are_few_and_gone_in_time() {
    let server = start(true);
    let mut silent: Vec<_> = (0..16).map(|_| connect(server)).collect();
    // In the order in which they came: the 17th finds no place.
    let mut further = connect(server);
    assert_eq!(further.read(&mut [0; 1]).unwrap(), 0, "there is no place for it");
    for socket in &mut silent {
        assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0, "it had its time");
    }
    assert!(ask(server, &get("/metrics")).starts_with("HTTP/1.1 200 "), "the places are free again");
}

//! The pure parts, by criterion: ids, the parser of control statements, rows on their way to clients.
#![forbid(unsafe_code)]

mod support;

use std::{collections::VecDeque, hint::black_box};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use killdeer::{
    Column, ColumnType, Layout, Value,
    bench::{Ids, binary_row, text_row},
    control::{Syntax, parse, redact},
};
use support::figures::sized;

/// An id is taken and another released, while so many are in use.
fn ids(c: &mut Criterion) {
    let mut group = c.benchmark_group("an id taken and one released");
    let layouts = [
        ("plain32", Layout::plain32()),
        ("oceanbase", Layout::oceanbase(1).expect("a server's id")),
        ("oceanbase_older", Layout::oceanbase_older(1).expect("a server's id")),
        ("tidb", Layout::tidb(1).expect("a server's id")),
        ("tidb64", Layout::tidb64(1).expect("a server's id")),
    ];
    for (name, layout) in layouts {
        let live = usize::try_from(layout.size()).unwrap_or(usize::MAX).min(sized(50_000, 500));
        let ids = Ids::new(layout);
        let mut used: VecDeque<_> = (0..live).map_while(|_| ids.allocate()).collect();
        assert_eq!(used.len(), live);
        group.bench_function(name, |b| {
            b.iter(|| {
                used.push_back(ids.allocate().expect("there are more"));
                let oldest = used.pop_front().expect("some are in use");
                assert!(ids.release(oldest));
            });
        });
    }
    group.finish();
}

/// What each statement meets on its way, and what control statements do.
fn control(c: &mut Criterion) {
    const SELECT: &str = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.total > 100";
    let mut group = c.benchmark_group("control statements");
    let syntax = Syntax::MYSQL;
    for sql in ["SELECT 1", SELECT, "KILL QUERY 123456", "SHOW FULL PROCESSLIST", "SET SESSION wait_timeout = 60"] {
        group.bench_function(format!("parse {sql:.32}"), |b| {
            b.iter(|| black_box(parse(black_box(sql.as_bytes()), &syntax)))
        });
    }
    for sql in [SELECT, "CREATE USER a IDENTIFIED BY 'secret'"] {
        group.bench_function(format!("redact {sql:.32}"), |b| {
            b.iter(|| black_box(redact(black_box(sql.as_bytes()), &syntax)))
        });
    }
    group.finish();
}

/// A row of three columns.
fn rows(c: &mut Criterion) {
    let columns = [
        Column::new("id", ColumnType::BigInt),
        Column::new("name", ColumnType::VarChar),
        Column::new("total", ColumnType::Double),
    ];
    let values = [Value::Int(1_234_567), Value::Text("killdeer, plover family"), Value::Double(1234.5)];
    let mut group = c.benchmark_group("a row encoded");
    group.throughput(Throughput::Elements(1));
    let mut out = Vec::new();
    group.bench_function("text, one integer", |b| {
        b.iter(|| {
            out.clear();
            text_row(&mut out, black_box(&values[..1]));
            black_box(out.len())
        });
    });
    group.bench_function("text, three columns", |b| {
        b.iter(|| {
            out.clear();
            text_row(&mut out, black_box(&values));
            black_box(out.len())
        });
    });
    group.bench_function("binary, three columns", |b| {
        b.iter(|| {
            out.clear();
            binary_row(&mut out, &columns, black_box(&values)).expect("the values fit");
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, ids, control, rows);
criterion_main!(benches);

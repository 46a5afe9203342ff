//! A minimal server on `opensrv-mysql`: what one would write otherwise. It keeps no sessions: nothing can be listed or
//! killed.

use std::{io, path::PathBuf, sync::Arc};

use clap::Args;
use opensrv_mysql::{
    AsyncMysqlIntermediary, AsyncMysqlShim, Column, ColumnFlags, ColumnType, ErrorKind, IntermediaryOptions,
    ParamParser, QueryResultWriter, StatementMetaWriter, plain_run_with_options, secure_run_with_options,
};
use tokio::{
    io::{AsyncWrite, BufWriter},
    net::TcpStream,
};
use tokio_rustls::rustls::ServerConfig;

use super::{Certificate, WORKERS, certificate, listen};
use crate::client::load::STATEMENT;

#[derive(Args)]
pub struct Options {
    /// The certificate and its key for TLS, in DER
    #[arg(long, num_args = 2)]
    tls: Vec<PathBuf>,
}

/// What a child is started with.
pub fn arguments(certificate: Option<&Certificate>) -> Vec<String> {
    let mut arguments = vec!["opensrv".to_owned()];
    if let Some(certificate) = certificate {
        arguments.push("--tls".to_owned());
        arguments.extend(certificate.der().map(|file| file.display().to_string()));
    }
    arguments
}

impl Options {
    pub fn serve(self) -> io::Result<()> {
        let tls = match self.tls.as_slice() {
            [cert, key] => Some(certificate::read(cert, key)?),
            _ => None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
        runtime.block_on(async {
            let listener = listen()?;
            println!("{}", listener.local_addr()?);
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(talk(stream, tls.clone()));
            }
        })
    }
}

async fn talk(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    // It writes each packet by itself, and flushes at the end of an answer.
    let mut writer = BufWriter::new(writer);
    let options = IntermediaryOptions::default();
    match tls {
        None => AsyncMysqlIntermediary::run_with_options(Backend::new(), reader, writer, &options).await,
        Some(tls) => {
            let mut backend = Backend::new();
            let known = Some(Arc::clone(&tls));
            let begun = AsyncMysqlIntermediary::init_before_ssl(&mut backend, reader, &mut writer, &known);
            match begun.await? {
                (true, login) => secure_run_with_options(backend, writer, options, tls, login).await,
                (false, login) => plain_run_with_options(backend, writer, options, login).await,
            }
        }
    }
}

struct Backend {
    echo: [Column; 1],
    seq: [Column; 1],
}

impl Backend {
    fn new() -> Self {
        let column = |name: &str, coltype, colflags| {
            [Column { table: String::new(), column: name.to_owned(), coltype, colflags }]
        };
        Self {
            echo: column("echo", ColumnType::MYSQL_TYPE_VAR_STRING, ColumnFlags::NOT_NULL_FLAG),
            seq: column(
                "seq",
                ColumnType::MYSQL_TYPE_LONGLONG,
                ColumnFlags::NOT_NULL_FLAG | ColumnFlags::UNSIGNED_FLAG,
            ),
        }
    }
}

#[async_trait::async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Backend {
    type Error = io::Error;

    async fn on_prepare<'a>(&'a mut self, _: &'a str, info: StatementMetaWriter<'a, W>) -> io::Result<()> {
        info.reply(1, &[], &self.echo).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        _: ParamParser<'a>,
        results: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        let mut rows = results.start(&self.echo).await?;
        rows.write_row([STATEMENT]).await?;
        rows.finish().await
    }

    async fn on_close(&mut self, _: u32) {}

    /// Says everything back, but for `seq(n)`.
    async fn on_query<'a>(&'a mut self, sql: &'a str, results: QueryResultWriter<'a, W>) -> io::Result<()> {
        let Some(last) = sql.strip_prefix("SELECT * FROM seq(") else {
            let mut rows = results.start(&self.echo).await?;
            rows.write_row([sql]).await?;
            return rows.finish().await;
        };
        let Some(last) = last.strip_suffix(')').and_then(|last| last.parse::<u64>().ok()) else {
            return results.error(ErrorKind::ER_PARSE_ERROR, b"a number is wanted").await;
        };
        let mut rows = results.start(&self.seq).await?;
        for number in 1..=last {
            rows.write_row([number]).await?;
        }
        rows.finish().await
    }
}

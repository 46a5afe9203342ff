//! The server's figures, over HTTP.

use std::{error::Error, net::SocketAddr};

use actix_rt::net::TcpListener;
use killdeer::{Engine, Readiness, Runtime};

use crate::metrics_endpoint::{self, Metrics};

/// Serves the figures of `runtime` at this address from now on.
///
/// # Errors
/// One cannot listen there, or somebody else records figures in this process.
pub async fn serve<E: Engine>(address: SocketAddr, runtime: &Runtime<E>) -> Result<(), Box<dyn Error>> {
    let recorder = metrics_endpoint::recorder()?;
    let recorded = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("cannot serve figures on {address}: {error}"))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "everybody who reaches this address can read the figures");
    }
    tracing::info!("figures at http://{address}/metrics");
    let (published, asked) = (runtime.clone(), runtime.clone());
    let publish = move || published.publish_figures();
    let ready = move || asked.readiness() == Readiness::Ready;
    actix_rt::spawn(Metrics { recorded, publish, ready }.serve(listener));
    Ok(())
}

//! One HTTP GET, as a kubelet probes.
//!
//! Owns: the request, its time limit, and the words for what went wrong.
//! Deliberately does not know: how often to probe and what follows.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::{
    kubernetes::runtime::HttpProbe,
    net::{HostId, Net},
};

/// The status that the pod answered, or why it did not.
pub(super) async fn get(
    net: &dyn Net,
    from: HostId,
    pod: IpAddr,
    probe: &HttpProbe,
) -> Result<u16, String> {
    let address = SocketAddr::new(pod, probe.port);
    let url = format!("http://{address}{}", probe.path);
    let limit = Duration::from_secs(u64::from(probe.timeout_seconds.max(1)));
    let failed = |why: &str| format!("Get \"{url}\": {why}");
    match timeout(limit, ask(net, from, address, &probe.path)).await {
        Ok(answer) => answer.map_err(|why| failed(&why)),
        Err(_) => Err(failed(
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        )),
    }
}

async fn ask(net: &dyn Net, from: HostId, to: SocketAddr, path: &str) -> Result<u16, String> {
    let stream = net
        .connect(from, to)
        .await
        .map_err(|error| format!("dial tcp {to}: connect: {error}"))?;
    let text = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let request = http::Request::get(path)
        .header(http::header::HOST, to.to_string())
        .header(http::header::USER_AGENT, "kube-probe/1.34")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = Box::pin(sender.send_request(request));
    // The connection does its work only while it is polled. When it ends first, the answer is
    // either there by then or never comes, and says which.
    let answer = match select(answer, Box::pin(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    };
    Ok(answer.map_err(text)?.status().as_u16())
}

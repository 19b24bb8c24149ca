//! One HTTP GET, as the kubelet's prober does it.
//!
//! Owns: the request and the text of its failures.
//! Always holds: an attempt ends within its timeout.
//! Deliberately does not know: which answers count as success.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use simulator::kubernetes::runtime::HttpProbe;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// More than any status line; a peer that sends more without one does not speak HTTP.
const STATUS_LINE_MAX: usize = 1024;

/// Makes one attempt and gives the HTTP status, or why there was none.
pub(super) async fn get(ip: IpAddr, probe: &HttpProbe) -> Result<u16, String> {
    let target = SocketAddr::new(ip, probe.port);
    // Zero means the default, one second, as everywhere in a probe.
    let limit = Duration::from_secs(probe.timeout_seconds.max(1).into());
    let outcome = match timeout(limit, attempt(target, &probe.path)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("context deadline exceeded".to_owned()),
    };
    outcome.map_err(|reason| format!("Get \"http://{target}{}\": {reason}", probe.path))
}

async fn attempt(target: SocketAddr, path: &str) -> Result<u16, String> {
    let mut stream = TcpStream::connect(target)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                format!("dial tcp {target}: connect: connection refused")
            }
            _ => format!("dial tcp {target}: connect: {error}"),
        })?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: kube-probe/1.34\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    loop {
        if let Some(line) = answer.split(|byte| *byte == b'\n').next()
            && line.len() < answer.len()
        {
            return status(line);
        }
        if answer.len() > STATUS_LINE_MAX {
            return Err("malformed HTTP response".to_owned());
        }
        if stream
            .read_buf(&mut answer)
            .await
            .map_err(|error| error.to_string())?
            == 0
        {
            return Err("EOF".to_owned());
        }
    }
}

fn status(line: &[u8]) -> Result<u16, String> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let known = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let code = words.next().and_then(|word| word.parse().ok());
    code.filter(|_| known)
        .ok_or_else(|| format!("malformed HTTP response \"{}\"", line.trim()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    async fn against(answer: Option<&'static [u8]>) -> Result<u16, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some(answer) = answer else {
                return std::future::pending().await;
            };
            let mut request = Vec::new();
            // All of it: closing with unread bytes would reset the connection.
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            assert!(request.starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer).await.unwrap();
        });
        let probe = HttpProbe {
            port,
            path: "/health".into(),
            timeout_seconds: 1,
        };
        get(Ipv4Addr::LOCALHOST.into(), &probe).await
    }

    #[tokio::test]
    async fn the_status_is_reported_whatever_it_is() {
        assert_eq!(against(Some(b"HTTP/1.1 200 OK\r\n\r\n")).await, Ok(200));
        assert_eq!(
            against(Some(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")).await,
            Ok(503)
        );
    }

    #[tokio::test]
    async fn silence_ends_at_the_timeout() {
        let reason = against(None).await.unwrap_err();
        assert!(reason.contains("context deadline exceeded"), "{reason}");
    }

    #[tokio::test]
    async fn a_peer_that_hangs_up_or_speaks_something_else_is_told_apart() {
        assert!(against(Some(b"")).await.unwrap_err().ends_with("EOF"));
        assert!(
            against(Some(b"SSH-2.0\r\n"))
                .await
                .unwrap_err()
                .contains("malformed")
        );
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let probe = HttpProbe {
            port: 1,
            path: "/".into(),
            timeout_seconds: 1,
        };
        let reason = get(Ipv4Addr::LOCALHOST.into(), &probe).await.unwrap_err();
        assert_eq!(
            reason,
            "Get \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused"
        );
    }
}

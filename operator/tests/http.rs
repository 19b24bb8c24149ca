//! The operator's own HTTP server, over real sockets.

use operator::{Metrics, http};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn ask(request: &str, metrics: Metrics) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(http::serve(listener, metrics));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    server.abort();
    answer
}

#[tokio::test]
async fn an_operator_that_has_reached_nobody_lives_and_is_not_ready() {
    let metrics = Metrics::default();
    let alive = ask("GET /healthz", metrics.clone()).await;
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    let ready = ask("GET /readyz", metrics.clone()).await;
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.ends_with("starting\n"), "{ready}");
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let page = ask("GET /metrics", Metrics::default()).await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(
        page.contains("content-type: text/plain; version=0.0.4"),
        "{page}"
    );
    assert!(
        page.contains("# TYPE etcd_operator_cluster_quorum_margin gauge"),
        "{page}"
    );
    assert!(page.contains("\netcd_operator_leading 0\n"), "{page}");
}

#[tokio::test]
async fn other_requests_are_told_what_there_is() {
    let lost = ask("GET /", Metrics::default()).await;
    assert!(
        lost.starts_with("HTTP/1.1 404") && lost.contains("/metrics"),
        "{lost}"
    );
    let wrong = ask("POST /metrics", Metrics::default()).await;
    assert!(wrong.starts_with("HTTP/1.1 405"), "{wrong}");
}

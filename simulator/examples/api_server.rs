//! Serves an empty simulated Kubernetes API on loopback, to look at with `kubectl`:
//!
//! ```text
//! cargo run -p simulator --example api_server -- 8001
//! kubectl --server=http://127.0.0.1:8001 get all --all-namespaces
//! ```

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use simulator::{
    clock::Clock,
    kubernetes::api::{ApiServer, serve},
    net::{Listener, Stream},
    trace::Trace,
};
use tokio::net::TcpListener;

struct Tcp(TcpListener);

impl Listener for Tcp {
    fn accept(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + '_>> {
        Box::pin(async {
            let (stream, from) = self.0.accept().await?;
            Ok((Stream::new(stream), from))
        })
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(8001);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        #[expect(clippy::disallowed_methods, reason = "people look at it in real time")]
        let now = Timestamp::now();
        let clock = Clock::starting_at(now);
        let api = Arc::new(Mutex::new(ApiServer::starting_at(1, now)));
        let trace = Trace::new(clock, 100_000);
        let listener = Box::new(Tcp(TcpListener::bind(("127.0.0.1", port)).await?));
        let printer = async {
            let mut next = 0;
            loop {
                for line in trace.since(next) {
                    next = line.ordinal + 1;
                    println!("{:>9.3} {}", line.at.as_secs_f64(), line.what);
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = serve(api, listener, clock, trace.clone()) => {}
            () = printer => {}
        }
        Ok(())
    })
}

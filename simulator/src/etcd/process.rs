//! The process that an etcd member is: its tasks, what it prints, and how it ends.
//!
//! Owns: log lines, the exit, SIGTERM, and ending every task at the exit.
//! Always holds: nothing of a process runs after its exit; the sockets it had are closed.
//! Deliberately does not know: raft, clients, peers.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    crash::{self, Crash},
    glance::Glance,
    member::Member,
    server::Server,
    version::Version,
    web,
};
use crate::{
    clock::Clock,
    net::{BoxFuture, HostId, Net, Resolve, Stream, connect_by_name},
    trace::Trace,
};

/// Log lines kept.
const LOG_LINES: usize = 200;
/// Last lines told with an exit.
const LAST_WORDS: usize = 40;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: i32,
    /// The last lines that it printed.
    pub last_words: Vec<String>,
}

/// A member that was launched. Dropping it changes nothing.
pub struct Running {
    console: Arc<Console>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Running {
    /// SIGTERM: hands leadership over if it has it, and exits.
    pub fn terminate(&self) {
        self.console.terminate.notify_one();
    }

    /// Waits for the exit. Never returns when the host was killed: then nobody is left to tell.
    #[must_use]
    pub fn exited(&self) -> BoxFuture<Exit> {
        let mut exit = self.exit.clone();
        Box::pin(async move {
            match exit
                .wait_for(Option::is_some)
                .await
                .map(|exit| exit.clone())
            {
                Ok(Some(exit)) => exit,
                _ => std::future::pending().await,
            }
        })
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.console.lines()
    }

    /// What it would tell clients now; `None` while it does not serve them.
    #[must_use]
    pub fn glance(&self) -> Option<Glance> {
        Some(self.server()?.look(Glance::at))
    }

    /// The status of what its metrics port would answer to a GET right now; `None` where only
    /// asking can tell, also of other ports.
    #[must_use]
    pub fn status_at_once(&self, port: u16, path: &str) -> Option<u16> {
        let server = self.server()?;
        let is_metrics = |member: &Member| {
            let urls = &member.config().listen_metrics;
            urls.iter().any(|url| url.port() == port)
        };
        let status = server
            .look(is_metrics)
            .then(|| web::status_at_once(&server, path))?;
        Some(status?.as_u16())
    }

    /// What serves clients, while it does.
    fn server(&self) -> Option<Arc<Server>> {
        let runs = self.exit.borrow().is_none();
        self.console.server.get().filter(|_| runs)?.upgrade()
    }

    /// How often clients called each method.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.console
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What the world outside shares with the process.
struct Console {
    terminate: Notify,
    lines: Mutex<VecDeque<String>>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
    /// Set once clients are served. Whoever looks must not keep alive what has ended with its host.
    server: OnceLock<Weak<Server>>,
}

impl Console {
    fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn print(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The process, as its own code sees it.
pub(super) struct Process {
    net: Arc<dyn Net>,
    resolver: Arc<dyn Resolve>,
    host: HostId,
    clock: Clock,
    trace: Trace,
    who: String,
    console: Arc<Console>,
    exit: watch::Sender<Option<Exit>>,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warn,
    Error,
    Fatal,
}

impl Process {
    /// A process on a host, and the handle for whoever started it.
    pub(super) fn new(
        net: Arc<dyn Net>,
        resolver: Arc<dyn Resolve>,
        host: HostId,
        clock: Clock,
        trace: Trace,
        label: &str,
    ) -> (Arc<Self>, Running) {
        let console = Arc::new(Console {
            terminate: Notify::new(),
            lines: Mutex::default(),
            calls: Mutex::default(),
            server: OnceLock::new(),
        });
        let (sender, exit) = watch::channel(None);
        let running = Running {
            console: Arc::clone(&console),
            exit,
        };
        let who = format!("etcd/{label}");
        let process = Self {
            net,
            resolver,
            host,
            clock,
            trace,
            who,
            console,
            exit: sender,
        };
        (Arc::new(process), running)
    }

    /// Time since the world began.
    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(super) fn unix_seconds(&self) -> i64 {
        self.clock.now().as_second()
    }

    pub(super) fn unix_millis(&self) -> u64 {
        u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default()
    }

    pub(super) fn trace(&self, what: impl std::fmt::Display) {
        self.trace.record(&self.who, what);
    }

    pub(super) fn count_call(&self, method: &'static str) {
        let mut calls = self
            .console
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *calls.entry(method).or_default() += 1;
    }

    /// Lets others look at what serves clients now.
    pub(super) fn shows(&self, server: &Arc<Server>) {
        // A process starts one server.
        let _ = self.console.server.set(Arc::downgrade(server));
    }

    /// Prints a line in the format of etcd's logger.
    pub(super) fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let level = match level {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        };
        let mut line = format!(r#"{{"level":"{level}","ts":"{}","msg":"#, self.clock.now());
        // Writing to a string cannot fail.
        let _ = write!(line, "{}", serde_json::Value::from(message));
        for (name, value) in fields {
            let _ = write!(line, r#","{name}":{}"#, serde_json::Value::from(*value));
        }
        line.push('}');
        self.console.print(line);
    }

    /// Prints a line as it is.
    pub(super) fn print(&self, line: impl Into<String>) {
        self.console.print(line.into());
    }

    /// Prints what a panic prints, and ends the process.
    pub(super) fn crash(&self, crash: &Crash, version: Version) {
        self.trace(crash);
        for line in crash.lines(version, self.clock.now()) {
            self.print(line);
        }
        self.exit(crash::EXIT_CODE);
    }

    /// Ends the process. Only the first exit counts.
    pub(super) fn exit(&self, code: i32) {
        self.exit.send_if_modified(|exit| {
            if exit.is_some() {
                return false;
            }
            let lines = self.console.lines();
            let last_words = lines[lines.len().saturating_sub(LAST_WORDS)..].to_vec();
            self.trace(format_args!("exits with code {code}"));
            *exit = Some(Exit { code, last_words });
            true
        });
    }

    /// Runs a task of this process on its host; it ends with the process.
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let process = Arc::clone(self);
        self.net.spawn(
            self.host,
            Box::pin(async move { process.while_it_lives(task).await }),
        );
    }

    /// Runs a future for as long as the process lives.
    pub(super) async fn while_it_lives(&self, task: impl Future<Output = ()>) {
        let mut exit = self.exit.subscribe();
        let task = pin!(task);
        tokio::select! {
            biased;
            _ = exit.wait_for(Option::is_some) => {}
            () = task => {}
        }
    }

    /// Waits for SIGTERM.
    pub(super) async fn terminated(&self) {
        self.console.terminate.notified().await;
    }

    pub(super) async fn bind(&self, port: u16) -> std::io::Result<Box<dyn crate::net::Listener>> {
        self.net.bind(self.host, port).await
    }

    /// Opens a connection to `name:port`.
    pub(super) async fn connect(&self, name: &str, port: u16) -> std::io::Result<Stream> {
        let (net, resolver) = (Arc::clone(&self.net), Arc::clone(&self.resolver));
        if name == "localhost" {
            let own = self.net.ip(self.host).to_string();
            return connect_by_name(net, resolver, self.host, &own, port).await;
        }
        connect_by_name(net, resolver, self.host, name, port).await
    }

    /// The first address behind a name, as text.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        if let Ok(ip) = name.parse::<std::net::IpAddr>() {
            return Some(ip.to_string());
        }
        self.resolver.resolve(name).first().map(ToString::to_string)
    }
}

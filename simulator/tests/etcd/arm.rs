//! What a script needs of the etcd that it runs against.
//!
//! Always holds: members are called `m0`, `m1`, ...; each has an address of its own, and ports
//! 2379 for clients, 2380 for peers, 2381 for metrics.

use crate::grpc::Wire;

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) log: Vec<String>,
}

/// Members that can be started, hurt and asked.
pub(crate) trait Arm {
    /// The address of a member, which need not run.
    fn address(&mut self, name: &str) -> String;
    /// Starts a process with these flags; data dir and ports are the arm's.
    fn boot(&mut self, name: &str, flags: &[String]);
    /// SIGKILL, SIGTERM, SIGSTOP, SIGCONT.
    fn kill(&mut self, name: &str);
    fn terminate(&mut self, name: &str);
    fn pause(&mut self, name: &str);
    fn resume(&mut self, name: &str);
    /// Throws the data dir of a member that does not run away.
    fn wipe(&mut self, name: &str);
    /// Waits for the end of a member's process, for at most a minute.
    async fn ended(&mut self, name: &str) -> Option<Ended>;
    /// A connection to the client port.
    fn channel(&mut self, name: &str) -> Wire;
    /// A page of the metrics port.
    async fn page(&mut self, name: &str, path: &str) -> Option<(u16, String)>;
}

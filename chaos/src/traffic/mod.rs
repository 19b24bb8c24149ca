//! Clients that write and read known keys all the while.
//!
//! Owns: pace, the share of keys, deadlines, reconnecting, and recording the history.
//! Always holds: each key has one writer, which waits for the end of one write before the next;
//! every value is unique; a write without an answer is recorded as unknown.
//! Deliberately does not know: the way to the cluster; it goes through a [`Door`].

mod connection;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use etcd_client::Client;
use simulator::{clock::Clock, net::BoxFuture};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

pub use connection::{Connection, PAUSE_AFTER_FAILURE};

use crate::history::{History, Put, Read};

/// The way to the cluster that a client takes.
pub trait Door: Send + Sync {
    /// Opens a new connection. `client` tells callers apart, so that they may spread.
    fn open(&self, client: u32) -> BoxFuture<Result<Client, String>>;
}

/// How much traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Writes per second, all writers together.
    pub puts: u32,
    /// Reads per second, all readers together.
    pub reads: u32,
    /// Number of keys.
    pub keys: u32,
    /// Clients that start again on the same store get another number, and with it other keys: what
    /// was written before is not in their history.
    pub history: u32,
}

/// Writers, and as many readers. Each has its own connection, so a stuck one does not hold the
/// others up.
const CLIENTS: u32 = 4;

/// Running clients. Dropping it does not stop them; [`Traffic::stop`] does.
pub struct Traffic {
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
    history: Arc<Mutex<History>>,
}

impl Traffic {
    /// Starts the clients; `spawn` puts each of them on a host of its own choice.
    pub fn start(
        rates: Rates,
        door: &Arc<dyn Door>,
        clock: Clock,
        mut spawn: impl FnMut(BoxFuture<()>),
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let history = Arc::new(Mutex::new(History::default()));
        let clients = CLIENTS.min(rates.keys.max(1));
        for index in 0..clients {
            for (role, rate) in [(Role::Writer, rates.puts), (Role::Reader, rates.reads)] {
                let Some(period) = period(rate, clients, index) else {
                    continue;
                };
                let worker = Worker {
                    role,
                    index,
                    clients,
                    keys: rates.keys.max(1),
                    history_number: rates.history,
                    period,
                    door: door.clone(),
                    clock,
                    history: history.clone(),
                    stopped: stopped.clone(),
                };
                let alive = alive.clone();
                spawn(Box::pin(async move {
                    worker.run().await;
                    drop(alive);
                }));
            }
        }
        Self {
            stop,
            ended,
            history,
        }
    }

    /// Lets each client finish what it is doing, and waits for that.
    pub async fn stop(&mut self) {
        // A send fails when no client is left, which is what is wanted.
        let _ = self.stop.send(true);
        while self.ended.recv().await.is_some() {}
    }

    /// The history so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time between two operations of one client out of `clients` that share `rate` per second.
fn period(rate: u32, clients: u32, index: u32) -> Option<Duration> {
    let share = rate / clients + u32::from(index < rate % clients);
    (share > 0).then(|| Duration::from_secs(1) / share)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
}

struct Worker {
    role: Role,
    index: u32,
    clients: u32,
    keys: u32,
    history_number: u32,
    period: Duration,
    door: Arc<dyn Door>,
    clock: Clock,
    history: Arc<Mutex<History>>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self) {
        let reader = self.role == Role::Reader;
        let mut connection = Connection::new(self.index + if reader { self.clients } else { 0 });
        let mut next = Instant::now() + self.period * self.index / self.clients;
        for turn in 0.. {
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stop| *stop) => return,
                () = sleep_until(next) => {}
            }
            if connection.ensure(&*self.door).await.is_ok() {
                match self.role {
                    Role::Writer => self.put(&mut connection, turn).await,
                    Role::Reader => self.read(&mut connection, turn).await,
                }
            } else {
                next = Instant::now() + PAUSE_AFTER_FAILURE;
            }
            // After a stall the pace goes on from now: there is no burst to catch up.
            next = (next + self.period).max(Instant::now());
        }
    }

    /// A writer's keys are those that leave its own remainder.
    fn key(&self, turn: u32) -> String {
        let own = (self.keys - self.index).div_ceil(self.clients).max(1);
        self.name(self.index + self.clients * (turn % own))
    }

    fn name(&self, key: u32) -> String {
        match self.history_number {
            0 => format!("k{key:05}"),
            number => format!("h{number}/k{key:05}"),
        }
    }

    async fn put(&self, connection: &mut Connection, turn: u32) {
        let (key, value) = (self.key(turn), format!("w{}-{turn}", self.index));
        let began = self.clock.elapsed();
        let (sent_key, sent_value) = (key.clone(), value.clone());
        let asked = async |client: &mut Client| client.put(sent_key, sent_value, None).await;
        let answer = connection.ask(&*self.door, asked).await;
        let ended = self.clock.elapsed();
        let acknowledged = answer
            .ok()
            .and_then(|response| Some(response.header()?.revision()));
        self.record(|history| {
            history.puts.push(Put {
                key,
                value,
                began,
                ended,
                acknowledged,
            })
        });
    }

    async fn read(&self, connection: &mut Connection, turn: u32) {
        let key = (u64::from(turn) * 7 + u64::from(self.index)) % u64::from(self.keys);
        let key = self.name(key as u32);
        let began = self.clock.elapsed();
        let sent_key = key.clone();
        let asked = async |client: &mut Client| client.get(sent_key, None).await;
        let answer = connection.ask(&*self.door, asked).await;
        let ended = self.clock.elapsed();
        self.record(|history| {
            let header = answer.as_ref().ok().and_then(|response| response.header());
            let (Ok(response), Some(header)) = (&answer, header) else {
                history.failed_reads += 1;
                return;
            };
            let found = response.kvs().first().map(|found| {
                (
                    String::from_utf8_lossy(found.value()).into_owned(),
                    found.mod_revision(),
                )
            });
            history.reads.push(Read {
                key,
                began,
                ended,
                revision: header.revision(),
                found,
            });
        });
    }

    fn record(&self, change: impl FnOnce(&mut History)) {
        change(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_clients_make_up_the_rate() {
        for rate in [0, 1, 3, 4, 7, 20] {
            let shares = (0..4).filter_map(|index| period(rate, 4, index));
            let sum: f64 = shares.map(|period| 1.0 / period.as_secs_f64()).sum();
            assert!((sum - f64::from(rate)).abs() < 0.01, "{rate}: {sum}");
        }
    }
}

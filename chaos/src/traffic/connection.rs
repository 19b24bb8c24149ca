//! One client's connection.
//!
//! Owns: the deadline of each operation, and when to give a connection up.
//! Always holds: after a failure the next operation starts on a new connection.
//! Deliberately does not know: what is asked.

use std::time::Duration;

use etcd_client::{Client, Error};
use tokio::time::timeout;

use super::Door;

/// Time allowed for one operation. Longer than an election takes, shorter than etcd's own 7 s.
const DEADLINE: Duration = Duration::from_secs(3);

/// Time between a failure and the next attempt.
pub const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// A connection that is opened when it is needed.
pub struct Connection {
    owner: u32,
    client: Option<Client>,
}

impl Connection {
    /// No connection yet.
    #[must_use]
    pub fn new(owner: u32) -> Self {
        Self {
            owner,
            client: None,
        }
    }

    /// Opens the connection if there is none.
    ///
    /// # Errors
    /// When the cluster cannot be reached in time.
    pub async fn ensure(&mut self, door: &dyn Door) -> Result<(), Error> {
        if self.client.is_none() {
            let opened = timeout(DEADLINE, door.open(self.owner)).await;
            let opened = opened.map_err(|_| late("the connection did not open"))?;
            self.client = Some(opened.map_err(Error::EndpointError)?);
        }
        Ok(())
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// When there is no connection, no answer in time, or the answer is an error. Then the
    /// connection is given up; what was asked may have happened all the same.
    pub async fn ask<T>(
        &mut self,
        door: &dyn Door,
        question: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.ensure(door).await?;
        let Some(mut client) = self.client.take() else {
            return Err(late("the connection did not open"));
        };
        let answer = timeout(DEADLINE, question(&mut client)).await;
        let answer = answer.map_err(|_| late("no answer came"))??;
        self.client = Some(client);
        Ok(answer)
    }
}

fn late(what: &str) -> Error {
    Error::EndpointError(format!("{what} within {} s", DEADLINE.as_secs()))
}

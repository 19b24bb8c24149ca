//! Reads every acknowledged write back.
//!
//! Statement: at the revision that a write was acknowledged with, the key has the written value.
//! Source: etcd documentation, "KV API guarantees": a completed operation is durable.
//!
//! Old revisions can be read until they are compacted; what was compacted away is counted and
//! left to [`super::lost_write`], which judges the reads of the current values.

use etcd_client::{Error, GetOptions};

use super::{History, Put};
use crate::{
    Violation,
    traffic::{Connection, Door},
};

const NAME: &str = "every acknowledged write is readable";

/// What reading back found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Writes that were found as acknowledged.
    pub found: u64,
    /// Writes whose revision is compacted by now.
    pub compacted: u64,
    /// Writes that are not there.
    pub lost: Vec<Violation>,
}

/// Reading back did not come to an end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read {key} at revision {revision} back: {why}")]
pub struct Unreadable {
    key: String,
    revision: i64,
    why: String,
}

/// Times that one write is asked for before giving up; a connection may die at any time.
const ATTEMPTS: u32 = 20;

/// Reads every acknowledged write of the history back.
///
/// # Errors
/// When a write can neither be read nor shown to be lost.
pub async fn read_back(history: &History, door: &dyn Door) -> Result<ReadBack, Unreadable> {
    let mut connection = Connection::new(u32::MAX);
    let mut result = ReadBack::default();
    for (put, revision) in history.acknowledged() {
        match value_at(&mut connection, door, put, revision).await? {
            Answer::Compacted => result.compacted += 1,
            Answer::Value(value) if value.as_deref() == Some(put.value.as_bytes()) => {
                result.found += 1;
            }
            Answer::Value(value) => result.lost.push(lost(put, revision, value.as_deref())),
        }
    }
    Ok(result)
}

fn lost(put: &Put, revision: i64, value: Option<&[u8]>) -> Violation {
    let instead = value.map_or("nothing".to_owned(), |value| {
        format!("`{}`", String::from_utf8_lossy(value))
    });
    let evidence = format!(
        "`{}` was acknowledged for {} at revision {revision}; read back, there is {instead}",
        put.value, put.key
    );
    Violation {
        invariant: NAME,
        at: put.ended,
        evidence,
    }
}

enum Answer {
    Value(Option<Vec<u8>>),
    Compacted,
}

async fn value_at(
    connection: &mut Connection,
    door: &dyn Door,
    put: &Put,
    revision: i64,
) -> Result<Answer, Unreadable> {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        let options = GetOptions::new().with_revision(revision);
        let key = put.key.clone();
        let asked = async |client: &mut etcd_client::Client| client.get(key, Some(options)).await;
        match connection.ask(door, asked).await {
            Ok(response) => {
                let value = response.kvs().first().map(|found| found.value().to_vec());
                return Ok(Answer::Value(value));
            }
            Err(Error::GRpcStatus(status)) if status.message().contains("has been compacted") => {
                return Ok(Answer::Compacted);
            }
            // The revision is not there: etcd says so, and it will not come.
            Err(Error::GRpcStatus(status)) if status.message().contains("future revision") => {
                return Ok(Answer::Value(None));
            }
            Err(error) => why = error.to_string(),
        }
        tokio::time::sleep(crate::traffic::PAUSE_AFTER_FAILURE).await;
    }
    Err(Unreadable {
        key: put.key.clone(),
        revision,
        why,
    })
}

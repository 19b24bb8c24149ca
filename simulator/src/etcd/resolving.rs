//! Whether two lists of URLs lead to the same places.
//!
//! Owns: etcd's comparison, which looks names up only when the texts differ, and then waits for DNS.
//! Always holds: a name that is not known is tried again each second until the deadline.
//! Deliberately does not know: whose URLs they are.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    process::{Level, Process},
    urls::Url,
};

const RETRY: Duration = Duration::from_secs(1);

/// `Ok` when they do; else why not, in etcd's words.
pub(super) async fn urls_are_equal(
    process: &Process,
    one: &[String],
    other: &[String],
    deadline: Instant,
) -> Result<(), String> {
    if one.len() != other.len() {
        return Err(format!("len({}) != len({})", quoted(one), quoted(other)));
    }
    let (one, other) = (sorted(one), sorted(other));
    if one == other {
        return Ok(());
    }
    let one = sorted(&resolve_all(process, &one, deadline).await?);
    let other = sorted(&resolve_all(process, &other, deadline).await?);
    match one.iter().zip(&other).find(|(a, b)| a != b) {
        Some((a, b)) => Err(format!("resolved urls: {a:?} != {b:?}")),
        None => Ok(()),
    }
}

async fn resolve_all(
    process: &Process,
    urls: &[String],
    deadline: Instant,
) -> Result<Vec<String>, String> {
    let mut resolved = Vec::new();
    for text in urls {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        resolved.push(resolve(process, &url, deadline).await?);
    }
    Ok(resolved)
}

async fn resolve(process: &Process, url: &Url, deadline: Instant) -> Result<String, String> {
    // etcd takes this name as it is.
    if url.host() == "localhost" {
        return Ok(url.to_string());
    }
    let mut waits = false;
    loop {
        if let Some(ip) = process.resolve(url.host()) {
            return Ok(format!("http://{ip}:{}", url.port()));
        }
        let host = format!("{}:{}", url.host(), url.port());
        process.log(
            Level::Warn,
            "failed to resolve URL Host",
            &[("host", &host)],
        );
        if !waits {
            process.trace(format_args!("waits for DNS to know {}", url.host()));
            waits = true;
        }
        if Instant::now() >= deadline {
            return Err(format!(
                "failed to resolve {:?} (lookup {}: no such host)",
                url.to_string(),
                url.host()
            ));
        }
        sleep(RETRY.min(deadline - Instant::now())).await;
    }
}

fn sorted(urls: &[String]) -> Vec<String> {
    let mut urls = urls.to_vec();
    urls.sort();
    urls
}

fn quoted(urls: &[String]) -> String {
    let quoted: Vec<String> = urls.iter().map(|url| format!("{url:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

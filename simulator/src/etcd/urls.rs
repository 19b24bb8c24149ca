//! Peer and client URLs, checked as etcd checks them.
//!
//! Owns: the form `http://host:port`, lists of it, and the `name=url,...` map of an initial cluster.
//! Always holds: a [`Url`] has a scheme, a host and a port; lists are sorted.
//! Deliberately does not know: how names are resolved.

use std::{collections::BTreeMap, fmt};

/// One URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    text: String,
    host: String,
    port: u16,
}

/// A URL that etcd would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadUrl(String);

impl Url {
    /// Reads one URL.
    ///
    /// # Errors
    /// When the scheme is not http, the port is missing, or there is a path.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https" | "unix" | "unixs", _)) => {
                return Err(BadUrl(format!("not modelled: {text} (only http URLs are)")));
            }
            _ => {
                return Err(BadUrl(format!(
                    "URL scheme must be http, https, unix, or unixs: {text}"
                )));
            }
        };
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !path.is_empty() {
            return Err(BadUrl(format!("URL must not contain a path: {text}")));
        }
        let malformed = || {
            BadUrl(format!(
                r#"URL address does not have the form "host:port": {text}"#
            ))
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().map_err(|_| malformed())?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self {
            text: text.to_owned(),
            host,
            port,
        })
    }

    /// Reads a comma-separated list, sorted.
    ///
    /// # Errors
    /// When it is empty or one of its URLs is wrong.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, BadUrl> {
        let parts: Vec<&str> = text.split(',').collect();
        Self::parse_all(&parts)
    }

    /// Reads several URLs, sorted.
    ///
    /// # Errors
    /// When there is none or one is wrong.
    pub fn parse_all<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Self>, BadUrl> {
        if texts.is_empty() {
            return Err(BadUrl("no valid URLs given".to_owned()));
        }
        let mut urls = texts
            .iter()
            .map(|text| Self::parse(text.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        urls.sort();
        Ok(urls)
    }

    /// Host name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The texts of several URLs.
#[must_use]
pub fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(Url::to_string).collect()
}

/// Reads `name=url,name=url`; a name may come more than once.
///
/// # Errors
/// When a pair lacks its name or a URL is wrong.
pub fn parse_initial_cluster(text: &str) -> Result<BTreeMap<String, Vec<Url>>, BadUrl> {
    let mut members: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let Some((name, url)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(BadUrl(format!("empty name given for {pair:?}")));
        };
        let urls = members.entry(name.to_owned()).or_default();
        urls.push(Url::parse(url)?);
        urls.sort();
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_port_scheme_or_with_a_path_is_refused() {
        for wrong in [
            "http://a",
            "a:2380",
            "ftp://a:1",
            "http://a:1/x",
            "http://a:b",
            "",
        ] {
            assert!(Url::parse(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn an_initial_cluster_groups_urls_by_name() {
        let members = parse_initial_cluster("a=http://a:2,b=http://b:1,a=http://a:1")
            .expect("a valid initial cluster");
        assert_eq!(texts(&members["a"]), ["http://a:1", "http://a:2"]);
        assert_eq!(members.len(), 2);
    }
}

//! How etcd derives the IDs of members and clusters.
//!
//! Owns: both hashes.
//! Always holds: the same URLs, token and second give the IDs that real etcd would give.
//! Deliberately does not know: who is a member.

use sha1::{Digest, Sha1};

/// The ID of a member. `added_at` is the Unix second of a `member add`, and `None` for members of
/// the initial cluster; run-time additions use no token.
#[must_use]
pub fn member_id(peer_urls: &[String], token: &str, added_at: Option<i64>) -> u64 {
    let mut urls: Vec<&str> = peer_urls.iter().map(String::as_str).collect();
    urls.sort_unstable();
    let mut text = urls.concat() + token;
    if let Some(second) = added_at {
        text += &second.to_string();
    }
    first_eight_bytes(text.as_bytes())
}

/// The ID of a cluster that starts with these members.
#[must_use]
pub fn cluster_id(members: impl IntoIterator<Item = u64>) -> u64 {
    let mut ids: Vec<u64> = members.into_iter().collect();
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.into_iter().flat_map(u64::to_be_bytes).collect();
    first_eight_bytes(&bytes)
}

fn first_eight_bytes(data: &[u8]) -> u64 {
    Sha1::digest(data)
        .iter()
        .take(8)
        .fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from etcd 3.5.21, started as `x` on this URL with the default token.
    #[test]
    fn ids_of_an_initial_cluster_are_those_of_real_etcd() {
        let id = member_id(&["http://127.0.0.1:4502".to_owned()], "etcd-cluster", None);
        assert_eq!(format!("{id:x}"), "dc9be70537594f9d");
        assert_eq!(format!("{:x}", cluster_id([id])), "48c185c1b7d63837");
    }

    #[test]
    fn a_member_added_again_gets_another_id() {
        let urls = ["http://a:2380".to_owned()];
        assert_ne!(member_id(&urls, "", Some(1)), member_id(&urls, "", Some(2)));
    }
}

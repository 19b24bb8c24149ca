//! The cluster's DNS on the wire, for processes that ask as every program does.
//!
//! Owns: the UDP side: questions in, answers out.
//! Always holds: only absolute names of the cluster's domain have addresses, so a client's search
//! list is walked as on a real cluster; every answer is made afresh, nothing is cached here.
//! Deliberately does not know: which names there are; that is the [`Resolve`]r's.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{RData, Record, RecordType, rdata::A},
};
use simulator::net::Resolve;

const PORT: u16 = 53;

/// As CoreDNS's `kubernetes` plugin answers by default.
const TTL_SECONDS: u32 = 5;

const DOMAIN: &str = ".cluster.local";

/// The servers of a run, which live as long as its process.
pub(super) struct Dns {
    /// Whose names are served now; before the first world there are none.
    names: Arc<Mutex<Option<Arc<dyn Resolve>>>>,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dns")
    }
}

impl Dns {
    /// Answers on each address from now on.
    pub(super) fn serve(addresses: &[Ipv4Addr]) -> io::Result<Self> {
        let names = Arc::default();
        for address in addresses {
            let socket = UdpSocket::bind((*address, PORT))?;
            let names = Arc::clone(&names);
            let server = thread::Builder::new().name("dns".into());
            server.spawn(move || answer_all(&socket, &names))?;
        }
        Ok(Self { names })
    }

    /// Answers with these names instead of those before.
    pub(super) fn switch_to(&self, names: Arc<dyn Resolve>) {
        *lock(&self.names) = Some(names);
    }
}

fn answer_all(socket: &UdpSocket, names: &Mutex<Option<Arc<dyn Resolve>>>) {
    let mut packet = [0; 4096];
    loop {
        // Errors of one datagram (a client that is gone: ECONNREFUSED) are not the next one's.
        let Ok((length, client)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let current = lock(names).clone();
        let question = packet.get(..length).zip(current);
        if let Some(reply) = question.and_then(|(question, names)| reply(question, &*names)) {
            let _ = socket.send_to(&reply, client);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reply to one datagram; none for what is not a question.
fn reply(packet: &[u8], names: &dyn Resolve) -> Option<Vec<u8>> {
    let question = Message::from_vec(packet).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.authoritative = true;
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    for query in &question.queries {
        answer(&mut reply, query, names);
        reply.add_query(query.clone());
    }
    reply.to_vec().ok()
}

fn answer(reply: &mut Message, query: &Query, names: &dyn Resolve) {
    let name = query
        .name()
        .to_ascii()
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let found = if name.ends_with(DOMAIN) {
        names.resolve(&name)
    } else {
        Vec::new()
    };
    if found.is_empty() {
        reply.metadata.response_code = ResponseCode::NXDomain;
    } else if query.query_type() == RecordType::A {
        reply.add_answers(found.into_iter().filter_map(|ip| match ip {
            IpAddr::V4(ip) => {
                let data = RData::A(A(ip));
                Some(Record::from_rdata(query.name().clone(), TTL_SECONDS, data))
            }
            IpAddr::V6(_) => None,
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use hickory_proto::{op::OpCode, rr::Name};

    use super::*;

    struct One;

    impl Resolve for One {
        fn resolve(&self, name: &str) -> Vec<IpAddr> {
            // The short form is the resolver's courtesy to simulated clients.
            match name {
                "demo-0.demo.default.svc.cluster.local" | "demo-0.demo.default.svc" => {
                    vec![[10, 244, 0, 2].into()]
                }
                _ => Vec::new(),
            }
        }
    }

    fn ask(name: &str, kind: RecordType) -> Message {
        let mut question = Message::new(7, MessageType::Query, OpCode::Query);
        question.add_query(Query::query(Name::from_str(name).unwrap(), kind));
        Message::from_vec(&reply(&question.to_vec().unwrap(), &One).unwrap()).unwrap()
    }

    #[test]
    fn a_pod_s_name_has_its_address_in_any_case() {
        let reply = ask("Demo-0.demo.default.svc.cluster.local.", RecordType::A);
        assert_eq!(reply.metadata.id, 7);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert_eq!(reply.answers.len(), 1);
        assert_eq!(reply.answers[0].data, RData::A(A::new(10, 244, 0, 2)));
    }

    #[test]
    fn a_name_without_ipv6_exists_and_is_empty() {
        let reply = ask("demo-0.demo.default.svc.cluster.local.", RecordType::AAAA);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert!(reply.answers.is_empty());
    }

    #[test]
    fn a_name_that_is_not_absolute_does_not_exist() {
        let reply = ask("demo-0.demo.default.svc.", RecordType::A);
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    }

    #[test]
    fn what_is_not_a_question_gets_no_reply() {
        assert_eq!(reply(b"hello", &One), None);
        let answer = Message::response(1, OpCode::Query).to_vec().unwrap();
        assert_eq!(reply(&answer, &One), None);
    }
}

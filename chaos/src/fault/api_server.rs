//! Troubles of Kubernetes' API.
//!
//! Owns: what can be wrong between the operator and the API server for a while.
//! Always holds: the objects that the API server stores stay as they are.
//! Deliberately does not know: for how long, and how a world does it.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiTrouble {
    /// Its process is gone: connections are refused.
    Away,
    /// It accepts and does not answer; controllers and kubelets stand still too.
    Frozen,
    /// Every answer takes two seconds longer.
    Slow,
    /// It answers every other write with `503`, and has not done it.
    Refusing,
    /// It answers every other write with `409 Conflict`.
    Conflicting,
    /// It answers every other request with `429 Too Many Requests`.
    Throttling,
    /// The answer to every other write is lost; the write has happened.
    LosingAnswers,
    /// Watches tell nothing; what happens meanwhile is told afterwards, or by a new list.
    Silent,
    /// In the middle of it the operator is started anew, and from then on reads what was true when
    /// it began. What it writes reaches the living API server.
    Stale,
}

impl ApiTrouble {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Away,
        Self::Frozen,
        Self::Slow,
        Self::Refusing,
        Self::Conflicting,
        Self::Throttling,
        Self::LosingAnswers,
        Self::Silent,
        Self::Stale,
    ];

    /// The words of it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Away => "take the API server away",
            Self::Frozen => "freeze the API server",
            Self::Slow => "slow down the API server",
            Self::Refusing => "let the API server refuse writes",
            Self::Conflicting => "let the API server see conflicts",
            Self::Throttling => "let the API server throttle",
            Self::LosingAnswers => "lose answers of the API server",
            Self::Silent => "silence the watches",
            Self::Stale => "restart the operator on a stale API server",
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Away => "an upgrade of the control plane with a single API server",
            Self::Frozen => "a control plane without quorum of its own, or out of memory",
            Self::Slow => "an overloaded control plane",
            Self::Refusing => "a webhook or an aggregated API that is down",
            Self::Conflicting => "somebody else who writes the same objects all the time",
            Self::Throttling => "priority and fairness under load",
            Self::LosingAnswers => {
                "a load balancer that drops connections: timeouts whose effect happened"
            }
            Self::Silent => "a watch cache that lags behind; only the last state is seen",
            Self::Stale => {
                "several API servers, one of them behind: time travel (Sieve, OSDI 2022)"
            }
        }
    }
}

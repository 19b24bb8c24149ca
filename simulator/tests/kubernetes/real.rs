//! The real arm: requests to a real API server.

use std::{
    cell::Cell,
    thread::sleep,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    bare::Bare,
    play::{self, Arm, Ask, Told},
    simulated::definition,
};

/// How long an answer may take. A watch of a second is the longest that is asked for.
const PATIENCE: Duration = Duration::from_secs(15);

/// A real API server.
pub(crate) struct Server {
    runtime: Runtime,
    client: Client,
    version: String,
    scripts: Cell<u32>,
    _own: Option<Bare>,
}

impl Server {
    /// The one that the environment asks for: of a throw-away cluster when `KUBE_REAL` names its
    /// kubeconfig, else one of its own from `KUBEBUILDER_ASSETS`.
    pub(crate) fn asked_for() -> Option<Self> {
        let asked = ["REAL", "RECORD"];
        asked.iter().find(|it| std::env::var_os(it).is_some())?;
        if let Ok(path) = std::env::var("KUBE_REAL") {
            return Some(Self::connect(None, |runtime| {
                let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &options);
                runtime.block_on(config).expect("a usable kubeconfig")
            }));
        }
        let assets = std::env::var_os("KUBEBUILDER_ASSETS")?;
        let bare = Bare::start(assets.as_ref());
        let mut config = Config::new(bare.url().parse().expect("a valid address"));
        config.accept_invalid_certs = true;
        config.auth_info = AuthInfo {
            token: Some(bare.token().to_owned().into()),
            ..AuthInfo::default()
        };
        Some(Self::connect(Some(bare), |_| config))
    }

    fn connect(own: Option<Bare>, config: impl FnOnce(&Runtime) -> Config) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let config = config(&runtime);
        let client = {
            let _inside = runtime.enter();
            Client::try_from(config).expect("a client")
        };
        let mut server = Self {
            runtime,
            client,
            version: String::new(),
            scripts: Cell::new(0),
            _own: own,
        };
        server.version = server.wait_until_ready();
        server
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Plays a script in a namespace of its own.
    pub(crate) fn play(&self, script: &[String]) -> Vec<String> {
        let number = self.scripts.get();
        self.scripts.set(number + 1);
        let namespace = format!("real-{}-{number}", std::process::id());
        play::play(&mut Asking(self), &namespace, script)
    }

    /// Waits until it serves the operator's own kind, and gives its version.
    fn wait_until_ready(&self) -> String {
        let began = Instant::now();
        let get = |path: &str| Ask {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let served = "/apis/etcd.etcd.io/v1alpha1/etcdclusters";
        loop {
            assert!(began.elapsed() < Duration::from_secs(120), "no API server");
            let ready = self
                .try_ask(&get("/readyz"))
                .is_some_and(|told| told.code == 200);
            if ready {
                self.try_ask(&definition());
            }
            if ready
                && self
                    .try_ask(&get(served))
                    .is_some_and(|told| told.code == 200)
            {
                break;
            }
            sleep(Duration::from_millis(200));
        }
        let told = self
            .try_ask(&get("/version"))
            .expect("it has answered before");
        let version: Value = serde_json::from_str(&told.body).expect("JSON");
        let version = version["gitVersion"].as_str().expect("a version");
        version.trim_start_matches('v').to_owned()
    }

    fn try_ask(&self, ask: &Ask) -> Option<Told> {
        let asking = async { timeout(PATIENCE, self.told(ask)).await };
        let told = self.runtime.block_on(asking);
        told.unwrap_or_else(|_| {
            Some(Told {
                code: 0,
                warnings: Vec::new(),
                body: "no answer".to_owned(),
            })
        })
    }

    async fn told(&self, ask: &Ask) -> Option<Told> {
        let mut request = http::Request::builder()
            .method(ask.method.as_str())
            .uri(&ask.path);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Body::from(ask.body.clone()))
            .expect("a request");
        let response = self.client.send(request).await.ok()?;
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings
            .map(|it| warning(it.to_str().expect("text")))
            .collect();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Some(Told {
            code,
            warnings,
            body,
        })
    }
}

/// The text of a `Warning` header.
fn warning(header: &str) -> String {
    let text = header
        .strip_prefix("299 - \"")
        .and_then(|it| it.strip_suffix('"'));
    text.unwrap_or(header)
        .replace("\\\"", "\"")
        .replace("\\\\", "\\")
}

struct Asking<'a>(&'a Server);

impl Arm for Asking<'_> {
    fn ask(&mut self, ask: &Ask) -> Told {
        self.0.try_ask(ask).unwrap_or_else(|| Told {
            code: 0,
            warnings: Vec::new(),
            body: "the connection broke".to_owned(),
        })
    }
}
